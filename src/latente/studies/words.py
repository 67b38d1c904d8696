"""Tables of a study as text and as HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

Line = Sequence[str]


def as_text(header: Line, lines: Sequence[Line]) -> str:
    """A table as text; the first column is left-aligned, the others right-aligned.

    >>> print(as_text(("d", "loss"), [("2", "10.5"), ("16", "9.0")]))
    d   loss
    2   10.5
    16   9.0
    """
    widths = [max(len(line[k]) for line in (header, *lines)) for k in range(len(header))]
    rows = ((line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)))
            for line in (header, *lines))  # fmt: skip
    return "\n".join("  ".join(row).rstrip() for row in rows)


def as_html(header: Line, lines: Sequence[Line]) -> str:
    """A table as HTML; the cells are escaped."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def number(value: float) -> str:
    """A figure in a table with three significant digits; a dash if it is not finite.

    >>> number(0.456), number(-12.34), number(1234.5), number(float("nan"))
    ('0.46', '-12.3', '1234', '–')
    """
    if not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def plain(value: float) -> float | None:
    """A number for JSON; None if it is not finite."""
    return value if math.isfinite(value) else None
