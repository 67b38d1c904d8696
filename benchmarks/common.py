"""What every benchmark shares: its options, a stopwatch that stops for evaluations, and the table beside its bars."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

CONSOLE = Console()
if not CONSOLE.is_terminal:
    CONSOLE.width = 160


@dataclass(frozen=True)
class Figure:
    """A measured value, its bar (reached when not below it, or not above it with ``at_most``) and what others report."""

    what: str
    value: float
    unit: str = ""
    bar: float | None = None
    at_most: bool = False
    reference: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the bar is reached; None where there is no bar."""
        if self.bar is None:
            return None
        return self.value <= self.bar if self.at_most else self.value >= self.bar


@dataclass
class Stopwatch:
    """Seconds of each epoch. What ``evaluate`` takes between two laps is not counted."""

    evaluate: Callable[[], float] | None = None
    seconds: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    _since: float = 0.0

    def start(self) -> None:
        """Begin an epoch."""
        self._since = time.perf_counter()

    def lap(self) -> None:
        """End an epoch, evaluate, and begin the next."""
        self.seconds.append(time.perf_counter() - self._since)
        if self.evaluate is not None:
            self.held_out.append(self.evaluate())
        self.start()


def options(description: str, **defaults: Any) -> argparse.Namespace:
    """Read ``--name VALUE`` for every default (of the default's type; a tuple takes several) and ``--json FILE``.

    What is true or false by default is ``--name`` or ``--no-name``.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    for name, value in defaults.items():
        if isinstance(value, bool):
            parser.add_argument(f"--{name.replace('_', '-')}", action=argparse.BooleanOptionalAction, default=value)
            continue
        many = isinstance(value, tuple)
        kind = type(value[0]) if many else type(value)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=value, nargs="*" if many else None)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: the first column to the left, the others to the right, numbers with four figures."""
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i else "left")
    for row in rows:
        table.add_row(*(f"{cell:,.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    CONSOLE.print(table)


def report(title: str, figures: Sequence[Figure], asked: argparse.Namespace, **more: Any) -> None:
    """Print the figures beside their bars and references, and write them, and what ``more`` there is, where ``--json`` said."""
    rows = [(f.what, f"{f.value:,.4g} {f.unit}".strip(), _bar(f), _mark(f), f.reference) for f in figures]
    show(title, ("figure", "measured", "bar", "reached", "reference"), rows)
    if asked.json is not None:
        settings = {name: value for name, value in vars(asked).items() if name != "json"}
        content = {"title": title, "settings": settings, "machine": machine(),
                   "figures": [asdict(f) | {"reached": f.reached} for f in figures]} | more  # fmt: skip
        asked.json.write_text(json.dumps(content, indent=2) + "\n")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"python": platform.python_version(), "cores": os.cpu_count(), "architecture": platform.machine()}


def _bar(figure: Figure) -> str:
    return "" if figure.bar is None else f"{'≤' if figure.at_most else '≥'} {figure.bar:,.4g} {figure.unit}".strip()


def _mark(figure: Figure) -> str:
    return {None: "", True: "yes", False: "[bold red]no[/]"}[figure.reached]
