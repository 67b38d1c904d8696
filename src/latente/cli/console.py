"""What commands say: results on stdout, remarks on stderr, one JSON object where a program listens, nothing where asked."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from latente.errors import LatenteWarning

WIDE = 160


@dataclass(frozen=True)
class Console:
    """How a command speaks.

    Attributes:
        json: to a program: one JSON object on stdout.
        quiet: not at all, but for errors.
    """

    json: bool = False
    quiet: bool = False

    @property
    def shows_progress(self) -> bool:
        """Whether a bar, or lines in a pipe, should tell how far things are."""
        return not (self.json or self.quiet)

    def told_of_fits(self) -> dict[str, Any]:
        """How a study tells of its fits: a line before each, and a bar where there is a terminal."""
        bar = self.shows_progress and sys.stderr.isatty()
        return {"verbose": int(bar), "told": lambda fit: self.remark(fit, "fitting")}

    def say(self, text: str) -> None:
        """A result in words, on stdout."""
        if not (self.json or self.quiet):
            print(text)

    def remark(self, text: str, kind: str = "note") -> None:
        """A line on stderr that a person should know of."""
        if not self.quiet:
            print(f"{kind}: {' '.join(text.split())}", file=sys.stderr)

    def report(self, values: Mapping[str, Any]) -> None:
        """The result as JSON, where a program listens."""
        if self.json:
            print(json.dumps(plain(values), allow_nan=False))

    def table(self, names: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
        """A table in plain columns, as wide as the terminal; on stdout."""
        if self.json or self.quiet:
            return
        from rich.console import Console as RichConsole
        from rich.table import Table

        table = Table(*names, title=title or None, title_justify="left", box=None, pad_edge=False, show_header=any(names))
        for row in rows:
            table.add_row(*(shown(value) for value in row))
        width = None if sys.stdout.isatty() else WIDE
        RichConsole(file=sys.stdout, highlight=False, markup=False, width=width).print(table)

    @contextmanager
    def hearing_warnings(self) -> Iterator[list[str]]:
        """Inside, a warning is a line on stderr, and is kept in the list."""
        with warnings.catch_warnings():
            yield self.hear_warnings()

    def hear_warnings(self) -> list[str]:
        """From now on, to the end of the command, a warning is a line on stderr, and is kept in the list."""
        heard: list[str] = []

        def hear(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            heard.append(str(message))
            self.remark(str(message), "warning")

        warnings.simplefilter("always", LatenteWarning)
        warnings.showwarning = hear
        return heard


def counted(number: int, what: str) -> str:
    """How many there are of something.

    >>> counted(1, "row"), counted(1200, "column")
    ('1 row', '1,200 columns')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def shown(value: object) -> str:
    """A value in a table.

    >>> shown(12345), shown(0.123456), shown(255.0), shown(None), shown("vae")
    ('12,345', '0.1235', '255', '-', 'vae')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 100 and value % 1 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def plain(value: Any) -> Any:
    """A value that JSON can hold: numbers that are not finite are null, paths are text.

    >>> plain({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
