"""How a text file is laid out: what separates the columns, what stands above the table, whether there is a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from typing import Annotated, Any

import msgspec

from latente.data.text.notation import is_date, is_mark, is_typed
from latente.errors import DataError

DELIMITERS = ("\t", ";", ",", "|")
SAMPLE_CHARACTERS = 400_000
SAMPLE_ROWS = 2000
MAX_TITLES = 30
YEARS = range(1900, 2101)
MIN_RUN = 4  # whole numbers that rise by one across a first row of measures are names, for chance hardly makes so many
MOSTLY = 0.8

_SEP_LINE = re.compile(r"(?:sep=(.)|\"sep=(.)\")(?:\r\n|\n|\r)", re.IGNORECASE)
_WHOLE = re.compile(r"\d{1,6}")
_LINE_END = re.compile(r"\r\n|\n|\r")

Cells = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Reading:
    """How to read a text file; what is None is found.

    Attributes:
        encoding: Python's name, such as ``"utf-8"`` or ``"cp1252"``.
        delimiter: what separates values.
        decimal: ``"."`` or ``","``.
        skip_rows: lines above the table.
        header: whether the first row holds the names of the columns.
        date_format: of dates, as ``strptime`` takes it: ``"%m/%d/%Y"``.
        missing: further marks of missing values, such as ``"-999"``.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    skip_rows: int | None = None
    header: bool | None = None
    date_format: str | None = None
    missing: tuple[str, ...] = ()


FOUND = Reading()


@dataclass(frozen=True)
class Layout:
    """How the rows of a text file are laid out.

    Attributes:
        encoding: Python's name. delimiter, newline: what separates values, and lines.
        header: whether the first row of the table holds the names of the columns.
        above: lines before the table, as they stand.
        spaced: whether blanks stand before quotation marks.
    """

    encoding: str = "utf-8"
    delimiter: Annotated[str, msgspec.Meta(pattern=r'^[^\r\n"]$')] = ","
    newline: Annotated[str, msgspec.Meta(pattern="^(\n|\r|\r\n)$")] = "\n"
    header: bool = True
    above: str = ""
    spaced: bool = False


def find_layout(text: str, encoding: str, asked: Reading) -> tuple[Layout, str]:
    """The layout of a text, and the part of it that is the table.

    Raises:
        DataError: there are fewer lines than are to be skipped.
    """
    newline = found[0] if (found := _LINE_END.search(text)) else "\n"
    declared = _SEP_LINE.match(text)
    start = declared.end() if declared else 0
    start = _skipped(text, asked.skip_rows) if asked.skip_rows is not None else start
    sample = _sample(text[start:])
    delimiter = asked.delimiter or (declared and (declared[1] or declared[2])) or _delimiter(sample)
    spaced = bool(re.search(re.escape(delimiter) + ' +"', sample))
    layout = Layout(encoding, delimiter, newline, spaced=spaced)
    rows, starts = _rows_and_starts(sample, layout)
    titles = _titles(rows) if asked.skip_rows is None else 0
    header = has_header(rows[titles:]) if asked.header is None else asked.header
    if titles and not header and asked.header is None:
        titles, header = 0, has_header(rows)
    start += starts[titles] if titles else 0
    return replace(layout, header=header, above=text[:start]), text[start:]


def _skipped(text: str, lines: int) -> int:
    ends = [match.end() for _, match in zip(range(lines), _LINE_END.finditer(text), strict=False)]
    if len(ends) < lines:
        raise DataError(f"{lines} lines are to be skipped, and it has fewer")
    return ends[-1] if ends else 0


def _sample(text: str) -> str:
    """The first lines of a text, whole."""
    if len(text) <= SAMPLE_CHARACTERS:
        return text
    cut = max(text.rfind("\n", 0, SAMPLE_CHARACTERS), text.rfind("\r", 0, SAMPLE_CHARACTERS))
    return text[: cut + 1 if cut > 0 else SAMPLE_CHARACTERS]


def cells_of(text: str, layout: Layout, strict: bool = False) -> Any:
    """Python's reader of the rows of a text."""
    lines = io.StringIO(text, newline="")
    csv.field_size_limit(1 << 30)  # what a file holds is in memory anyway
    return csv.reader(lines, delimiter=layout.delimiter, skipinitialspace=layout.spaced, strict=strict)


def _rows_and_starts(sample: str, layout: Layout) -> tuple[list[list[str]], list[int]]:
    """Rows of a sample that are not blank, and where each begins in the text."""
    lines = [0, *(match.end() for match in _LINE_END.finditer(sample)), len(sample)]
    rows, starts, begin, reader = [], [], 0, cells_of(sample, layout)
    for row in reader:
        if any(map(str.strip, row)):
            rows.append(row)
            starts.append(lines[begin])
        if len(rows) >= SAMPLE_ROWS:
            break
        begin = reader.line_num
    return rows, starts


def _delimiter(sample: str) -> str:
    """What separates the values: it splits the most lines, into equally many parts, which look like single values."""
    scores = {delimiter: _split_by(sample, delimiter) for delimiter in DELIMITERS}
    best = max(scores, key=scores.__getitem__)
    if best == "," and _is_decimal_comma(sample.splitlines()):
        return ";"
    return best if scores[best][0] >= 0.5 else ","


def _is_decimal_comma(lines: list[str]) -> bool:
    """Whether a name without a comma stands over numbers with one: a single column."""
    filled = [line for line in lines if line.strip()]
    return "," not in filled[0] and len(filled) > 1 and all(is_typed(line) or is_mark(line) for line in filled[1:])


def _split_by(sample: str, delimiter: str) -> tuple[float, float, float]:
    """Of lines split in some way: which share has several parts; which share of these has equally many; and which share of the
    parts are numbers, dates and the like.
    """
    rows, _ = _rows_and_starts(sample, Layout(delimiter=delimiter))
    counts = Counter(len(row) for row in rows if len(row) > 1)
    cells = [cell for row in rows[1:200] for cell in row]
    typed = sum(is_typed(cell) or is_mark(cell) for cell in cells) / max(1, len(cells))
    split = counts.total() / max(1, len(rows))
    return round(split, 2), round(max(counts.values(), default=0) / max(1, counts.total()), 2), typed


def _titles(rows: Cells) -> int:
    """How many rows above the table are titles: a text, or a text and its value, where the table has more columns."""
    filled = [[cell for cell in row if cell.strip()] for row in rows]
    width = Counter(_reach(row) for row in rows).most_common(1)[0][0] if rows else 1
    above = list(takewhile(lambda cells: len(cells) < min(width, 3) and not _is_value(cells[0]), filled[:MAX_TITLES]))
    alone = list(takewhile(lambda cells: len(cells) == 1, above))
    if len(above) == len(filled[:MAX_TITLES]):
        return 0
    return len(alone if _is_value(filled[len(above)][0]) else above)


def _reach(row: Sequence[str]) -> int:
    """How many columns a row has up to its last value."""
    return max((index + 1 for index, cell in enumerate(row) if cell.strip()), default=0)


def _is_value(cell: str) -> bool:
    return is_typed(cell) or is_mark(cell)


def has_header(rows: Cells) -> bool:
    """Whether the first of some rows holds names: it has text over numbers, or texts that do not come back below.

    >>> has_header([["a", "b"], ["1", "x"]]), has_header([["1", "x"], ["2", "x"]]), has_header([["2019", "2020"], ["7", "9"]])
    (True, False, True)
    """
    if not rows:
        return False
    first, columns = [cell.strip() for cell in rows[0]], _columns(rows)
    running = _running(first, columns)
    votes = [1.0 if j in running else _vote(cell, column) for j, (cell, column) in enumerate(zip(first, columns, strict=True))]
    if sum(votes) or (len(rows) > 1 and min(votes) < 0):
        return sum(votes) > 0
    return not any(map(is_typed, first)) and len(set(first)) == len(first) and "" not in first


def _columns(rows: Cells) -> list[list[str]]:
    below = [[cell.strip() for cell in row] for row in rows[1:]]
    return [[row[j] for row in below if len(row) > j and not is_mark(row[j])] for j in range(len(rows[0]))]


def _vote(cell: str, column: list[str]) -> float:
    """1 where a cell is the name of a column, -1 where it is one of its values, and less where that is not certain."""
    if not column or is_mark(cell):
        return 0.0
    if sum(map(is_typed, column)) >= MOSTLY * len(column):
        dated = is_date(cell) and not any(map(is_date, column))
        return 1.0 if dated or not is_typed(cell) else -1.0
    if cell in column or is_typed(cell):
        return -1.0
    return 0.5 if len(set(column)) < len(column) / 2 else 0.0


def _running(first: list[str], columns: list[list[str]]) -> set[int]:
    """Which cells of a first row are whole numbers that run, such as years, and so are names and not values."""
    places = [j for j, cell in enumerate(first) if _WHOLE.fullmatch(cell) and columns[j] and not cell.startswith("00")]
    numbers = [int(first[j]) for j in places]
    years, steps = all(number in YEARS for number in numbers), {b - a for a, b in pairwise(numbers)}
    if len(steps) != 1 or min(steps) < 1 - 2 * years or steps == {0}:
        return set()
    unlike = all(_unlike(int(first[j]), columns[j]) for j in places)
    many = len(numbers) >= MIN_RUN and numbers[1] - numbers[0] == 1 and not _runs_below(places, columns)
    return set(places) if (unlike and (years or numbers[0] in (0, 1))) or many else set()


def _runs_below(places: list[int], columns: list[list[str]]) -> bool:
    """Whether some row below runs like the first."""
    rows = zip(*(columns[j] for j in places), strict=False)
    return any(all(_follows(a, b) for a, b in pairwise(row)) for row in rows)


def _follows(a: str, b: str) -> bool:
    return bool(_WHOLE.fullmatch(a) and _WHOLE.fullmatch(b)) and int(b) == int(a) + 1


def _unlike(number: int, column: list[str]) -> bool:
    """Whether a whole number stands far from a column's numbers, or these are written with decimals."""
    values = [float(text) for text in column if re.fullmatch(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", text)]
    if len(values) < MOSTLY * len(column):
        return False
    spread = max(values) - min(values)
    decimals = sum("." in text for text in column) >= MOSTLY * len(column)
    return decimals or not min(values) - spread <= number <= max(values) + spread


def is_encoding(name: str) -> bool:
    """Whether Python knows an encoding of text by this name."""
    try:
        return bool("".encode(name) or True)
    except LookupError:
        return False
