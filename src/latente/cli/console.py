"""Output of commands: results on stdout, remarks on stderr, one JSON object with --json, only errors with --quiet."""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from latente.errors import LatenteWarning

WIDE = 160
MAX_REMARKS = 3
RANKS = {"incomplete": 0, "interrupted": 0, "warning": 1}  # of kinds of remarks, the most important first; others follow
SILENCE = 30.0  # seconds between two lines of progress without a terminal

OPEN: list[Console] = []
"""Those of the command that runs, which have their last word when it has ended."""


@dataclass
class Console:
    """Output of a command: remarks are collected, and printed at the end by importance.

    Attributes:
        json: one JSON object on stdout, for programs.
        quiet: print only errors.
        rest: where to find the remarks that are not printed.
    """

    json: bool = False
    quiet: bool = False
    rest: str = "--json lists them all"
    _remarks: dict[str, str] = field(default_factory=dict, init=False)
    _result: dict[str, Any] = field(default_factory=dict, init=False)
    _spoke: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        OPEN.append(self)

    @property
    def shows_progress(self) -> bool:
        """Whether to show a progress bar."""
        return not (self.json or self.quiet) and sys.stderr.isatty()

    def progress(self, text: str) -> None:
        """Progress, on stderr: each time on a terminal, otherwise once in a while."""
        now = time.monotonic()
        if not (self.json or self.quiet) and (sys.stderr.isatty() or now - self._spoke > SILENCE):
            self._spoke = now
            on_stderr(text)

    def progress_of_fits(self) -> dict[str, Any]:
        """Arguments for the progress of a study: a line before each fit, and a bar on a terminal."""
        return {"verbose": int(self.shows_progress), "progress": lambda fit: self.progress(f"fitting: {fit}")}

    def say(self, text: str) -> None:
        """Print a result on stdout."""
        if not (self.json or self.quiet):
            print(text)

    def remark(self, text: str, kind: str = "note") -> None:
        """Collect a remark for the user."""
        self._remarks.setdefault(" ".join(text.split()), kind)

    def report(self, values: Mapping[str, Any]) -> None:
        """With --json, the result: it is printed at the end of the command, with all remarks."""
        self._result.update(values)

    def end(self) -> None:
        """Print what was collected: results on stdout, then remarks."""
        self.end_result()
        sys.stdout.flush()
        if not self.quiet:
            for line in self._lines():
                on_stderr(line)
        self._remarks = {}

    def end_result(self) -> None:
        """Print the result as JSON, with --json."""
        if self.json and self._result:
            print(json.dumps(plain({**self._result, "warnings": self.ranked()}), allow_nan=False))
        self._result = {}

    def ranked(self) -> list[str]:
        """Remarks, the most important first."""
        return sorted(self._remarks, key=lambda text: RANKS.get(self._remarks[text], len(RANKS)))

    def _lines(self) -> list[str]:
        lines = [f"{self._remarks[text]}: {text}" for text in self.ranked()]
        left = len(lines) - MAX_REMARKS
        if left > 0:
            lines[MAX_REMARKS - 1] += f" (and {left} more: {self.rest})"
        return lines[:MAX_REMARKS]

    def table(self, names: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
        """Print a table in plain columns, as wide as the terminal, on stdout."""
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
        """Context in which warnings become remarks, and are added to the list."""
        with warnings.catch_warnings():
            yield self.hear_warnings()

    def hear_warnings(self) -> list[str]:
        """Until the end of the command, warnings become remarks, and are added to the list."""
        heard: list[str] = []

        def hear(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            text = message.args[0] if isinstance(message, Warning) and message.args else str(message)
            heard.append(text)
            self.remark(str(text), "warning")

        warnings.simplefilter("always", LatenteWarning)
        warnings.showwarning = hear
        return heard


def on_stderr(text: str) -> None:
    """Print a line on stderr; ignores errors, because only the result matters."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def counted(number: int, what: str) -> str:
    """A number with its noun.

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
