"""Text files as people and programs write them, drawn by code, against what was written: no row and no value lost or shifted.

    python -m benchmarks.reading --files 2000

Delimiters, quotes, "#", encodings, line ends, marks of missing values, decimal commas, dates, titles, blank lines and lines
with too few values; what was written is known, so each value is compared. Prints how many files came out otherwise, and which.
"""

from __future__ import annotations

import argparse
import datetime
import io
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latente.data.text import TextTable, read_text

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1")
WORDS = (
    "#1 grade",
    "a#b",
    'say "hi"',
    "León",
    "x;y",
    "p,q",
    "two  blanks",
    "5 apples",
    "#N",
    "it's",
    "día|noche",
    "Ñu",
    "tab\tinside",
    "a\nb",
)
MARKS = ("", "", "NA", "N/A", "-", "n.d.", "null", "NaN", "#N/A", ".", "?", "#DIV/0!", "none")
TEXT_MARKS = ("", "", "NA", "#N/A", "null")
DATES = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%Y%m%d", "%d-%b-%y", "%Y-%m-%d %H:%M:%S")
KINDS = ("int", "float", "money", "percent", "date", "word", "yes", "code")


@dataclass(frozen=True)
class Drawn:
    """A file and what is in it: its bytes, the names, and for each row and column a value, None where it is missing."""

    content: bytes
    names: list[str] | None
    rows: list[list[Any]]
    about: str


def draw(seed: int) -> Drawn:
    """A file of its own for each seed."""
    rng = np.random.default_rng(seed)
    n, kinds = int(rng.integers(8, 40)), ["float", *rng.choice(KINDS, rng.integers(0, 6))]
    rng.shuffle(kinds)
    delimiter, encoding = str(rng.choice([",", ";", "\t", "|"])), str(rng.choice(ENCODINGS))
    newline, always = str(rng.choice(["\n", "\r\n", "\r"])), bool(rng.random() < 0.5)
    decimal = "," if delimiter == ";" and rng.random() < 0.7 else "."
    headed = bool(rng.random() < 0.8) or len(kinds) == 1  # a column of 3,5 alone and without a name may as well be two
    columns = [_column(kind, n, decimal, rng) for kind in kinds]
    names = [f"{kind} {j}" for j, kind in enumerate(kinds)] if headed else None
    cells = [[texts[i] for texts, _ in columns] for i in range(n)]
    rows = [[values[i] for _, values in columns] for i in range(n)]
    _shorten(cells, rows, rng)
    text = _text(cells, names, delimiter, newline, always, rng)
    about = f"seed {seed}: {kinds}, {delimiter!r}, {encoding}, {newline!r}, decimal {decimal!r}, header {names is not None}"
    return Drawn(text.encode(encoding, errors="strict"), names, rows, about)


def _column(kind: str, n: int, decimal: str, rng: np.random.Generator) -> tuple[list[str], list[Any]]:
    """Texts of a column and what they mean."""
    pairs = MAKERS[kind](n, decimal, rng)
    marks = TEXT_MARKS if kind in ("word", "yes", "code") else MARKS
    hidden = rng.random(n) < rng.choice([0.0, 0.15])
    hidden[:3] = hidden[-1:] = False
    return (
        [str(rng.choice(marks)) if hide else text for (text, _), hide in zip(pairs, hidden, strict=True)],
        [None if hide else value for (_, value), hide in zip(pairs, hidden, strict=True)],
    )


def _number(value: float, places: int, decimal: str, thousands: bool) -> str:
    text = f"{value:,.{places}f}" if thousands else f"{value:.{places}f}"
    return text.replace(",", "_").replace(".", decimal).replace("_", "." if decimal == "," else ",")


def _floats(n: int, decimal: str, rng: np.random.Generator) -> list[tuple[str, Any]]:
    places = int(rng.integers(1, 3))
    return [(_number(v, places, decimal, False), v) for v in np.round(rng.normal(0, 50, n), places).tolist()]


def _money(n: int, decimal: str, rng: np.random.Generator) -> list[tuple[str, Any]]:
    front, behind = [("", ""), ("$", ""), ("", " €"), ("€ ", "")][int(rng.integers(4))]
    values = np.round(rng.gamma(1, 4000, n) + 1, 2).tolist()
    return [(front + _number(v, 2, decimal, True) + behind, v) for v in values]


def _dates(n: int, decimal: str, rng: np.random.Generator) -> list[tuple[str, Any]]:
    form = str(rng.choice(DATES))
    start, days = datetime.datetime(2001, 1, 1), rng.permutation(n * 40)[:n]
    moments = [start + datetime.timedelta(days=int(day), seconds=int(day) * 7 if "%H" in form else 0) for day in days]
    moments[0] = moments[0].replace(day=28)  # or day and month might not be told apart
    return [(moment.strftime(form), moment if "%H" in form else moment.date()) for moment in moments]


MAKERS: dict[str, Any] = {
    "int": lambda n, decimal, rng: [(str(v), v) for v in rng.integers(-50, 5000, n).tolist()],
    "float": _floats,
    "money": _money,
    "percent": lambda n, decimal, rng: [
        (_number(v, 1, decimal, False) + "%", v) for v in np.round(rng.random(n) * 100, 1).tolist()
    ],
    "date": _dates,
    "word": lambda n, decimal, rng: [(v, v) for v in rng.choice(WORDS, n).tolist()],
    "yes": lambda n, decimal, rng: [(v, v.lower()) for v in rng.choice(["yes", "no", "Yes", "NO"], n).tolist()],
    "code": lambda n, decimal, rng: [(v, v) for v in (f"{k:05d}" for k in rng.integers(1, 99, n).tolist())],
}


def _shorten(cells: list[list[str]], rows: list[list[Any]], rng: np.random.Generator) -> None:
    """Take the last values of some lines away."""
    if rng.random() < 0.2 and len(cells[0]) > 2:
        for i in rng.choice(np.arange(3, len(cells)), 2, replace=False).tolist():
            cells[i], rows[i] = cells[i][:-1], [*rows[i][:-1], None]


def _text(
    cells: list[list[str]], names: list[str] | None, delimiter: str, newline: str, always: bool, rng: np.random.Generator
) -> str:
    out = io.StringIO(newline="")
    if names is not None and len(names) > 2 and rng.random() < 0.2:
        out.write(f"Report of the year{newline}{newline}")
    special = set('\r\n"' + delimiter)
    for row in ([names] if names else []) + cells:
        quoted = (f'"{c.replace(chr(34), 2 * chr(34))}"' if always or special & set(c) else c for c in row)
        out.write(delimiter.join(quoted) + newline)
        if len(row) > 1 and rng.random() < 0.01:
            out.write(newline)
    return out.getvalue()


def differences(drawn: Drawn, found: TextTable) -> str:
    """What was read otherwise than it was written; "" where nothing was."""
    if found.table.num_rows != len(drawn.rows):
        return f"{found.table.num_rows} rows in place of {len(drawn.rows)}"
    if found.table.num_columns != len(drawn.rows[0]):
        return f"{found.table.num_columns} columns in place of {len(drawn.rows[0])}: {found.table.column_names}"
    if drawn.names is not None and found.table.column_names != drawn.names:
        return f"names {found.table.column_names} in place of {drawn.names}"
    for j, column in enumerate(found.table.itercolumns()):
        for i, (read, written) in enumerate(zip(column.to_pylist(), (row[j] for row in drawn.rows), strict=True)):
            if not _alike(read, written):
                return f"row {i}, column {j} ({column.type}): {read!r} in place of {written!r}"
    return ""


def _alike(read: Any, written: Any) -> bool:
    if read is None or written is None:
        return read is written
    if isinstance(written, (int, float)):
        return isinstance(read, (int, float)) and abs(read - written) <= 1e-9 * max(1.0, abs(written))
    return read == written or (written in ("yes", "no") and str(read).lower() == written)


def compare(drawn: Drawn, folder: Path) -> str:
    """What differs between a drawn file and what is read of it."""
    path = folder / "drawn.csv"
    path.write_bytes(drawn.content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return differences(drawn, read_text(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first file")
    asked = parser.parse_args()
    start, wrong = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.first, asked.first + asked.files):
            drawn = drawable(seed)
            if problem := compare(drawn, Path(folder)):
                wrong.append(f"{drawn.about}: {problem}")
    print(f"{asked.files:,} files in {time.perf_counter() - start:.0f} s, {len(wrong)} with rows or values lost or shifted")
    print("\n".join(wrong[:20]))


def drawable(seed: int) -> Drawn:
    """The file of a seed, or of the next one whose encoding has all that it holds."""
    for step in range(100):
        try:
            return draw(seed + 1_000_000 * step)
        except UnicodeEncodeError:
            continue
    raise AssertionError


if __name__ == "__main__":
    main()
