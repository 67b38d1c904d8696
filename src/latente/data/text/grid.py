"""The rows of a text as columns of texts: none is lost without a word, whatever the number of values in each."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from latente.data.text.layout import Layout, cells_of
from latente.data.text.notation import is_typed
from latente.errors import DataError
from latente.words import Message

COMMON = 0.05  # of the lines: where as many have further values, these are a column; else they are slips
LISTED = 5
UNDER = 30  # rows at the end of a table, among which remarks may stand

_BLANK_LINE = re.compile(r"(?>\r\n|\n|\r)[ \t]*(?>\r\n|\n|\r)")


@dataclass
class Grid:
    """Columns of texts as they stand in a file.

    Attributes:
        header: names as they stand; () where there is none. names: of the columns, without blanks around them.
        columns: an Arrow array of texts each, all of one length.
        notes: what a person should know; warnings: what they must.
    """

    header: tuple[str, ...]
    columns: list[Any]
    notes: list[Message] = field(default_factory=list)
    warnings: list[Message] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns; ``column2`` where there is none."""
        header = [*self.header, *[""] * (len(self.columns) - len(self.header))]
        return tuple(name.strip() or f"column{index}" for index, name in enumerate(header))


def read_grid(text: str, layout: Layout) -> Grid:
    """The columns of a table of text.

    Raises:
        DataError: a quotation mark is never closed, so that rows run into each other.
    """
    return _by_arrow(text, layout) or grid_of(*_by_line(text, layout), layout.header)


def _by_arrow(text: str, layout: Layout) -> Grid | None:
    """The quick way, for tables in which each line has as many values; None where there is anything to look at closely."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow

    width = len(next(iter(cells_of(text, layout)), []))
    if layout.spaced or width < 2 or _BLANK_LINE.search(text.rstrip()):
        return None
    irregular: list[int] = []
    names = [f"f{index}" for index in range(width)]

    def skip(row: Any) -> str:
        irregular.append(row.actual_columns)
        return "skip"

    try:
        table = arrow.read_csv(
            io.BytesIO(text.encode()),
            arrow.ReadOptions(column_names=names, block_size=1 << 25),
            arrow.ParseOptions(
                delimiter=layout.delimiter,
                newlines_in_values=True,
                invalid_row_handler=skip,
            ),
            arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks() for column in table.itercolumns()]
    if irregular or _has_blank_row([column[-UNDER:].to_pylist() for column in columns]):
        return None
    if any(pc.any(pc.match_substring_regex(column, "[\r\n]")).as_py() for column in columns if '"' in text):
        return None
    header = tuple(column[0].as_py() for column in columns) if layout.header else ()
    return Grid(header, [column[int(layout.header) :] for column in columns])


def _has_blank_row(columns: list[list[str]]) -> bool:
    return not all(any(map(str.strip, row)) for row in zip(*columns, strict=True))


def _by_line(text: str, layout: Layout) -> tuple[list[list[str]], list[int]]:
    """Rows and the number of the line on which each ends, from 1 after the lines above the table."""
    try:
        return _rows(text, layout, strict=True)
    except csv.Error as error:
        rows, lines = _rows(text, layout, strict=False)
        starts = [layout.above.count(layout.newline) + 1, *(line + 1 for line in lines)]
        long = next((n for row, n in zip(rows, starts, strict=False) if any(map(_BREAK.search, row))), None)
        if long is not None:
            raise DataError(
                f"a quotation mark in line {long} is not closed, so that lines run into each other: correct it, or write it "
                "twice where it is meant"
            ) from error
        return rows, lines


_BREAK = re.compile(r"[\r\n]")


def _rows(text: str, layout: Layout, strict: bool) -> tuple[list[list[str]], list[int]]:
    reader, above = cells_of(text, layout, strict), layout.above.count(layout.newline)
    found = [(row, reader.line_num + above) for row in reader]
    return [row for row, _ in found], [line for _, line in found]


def grid_of(rows: list[list[str]], lines: list[int], header: bool) -> Grid:
    """Rows of any lengths as columns: absent values are empty, and additional ones are reported.

    Args:
        rows: texts; the first are names where ``header`` is true.
        lines: where each row stands, for messages.
    """
    alone = max(map(len, rows), default=0) < 2
    while (
        rows and not any(map(str.strip, rows[-1])) and not (alone and rows[-1] == [""])
    ):  # "" between quotation marks is a value
        rows, lines = rows[:-1], lines[:-1]
    grid = Grid((), [])
    rows, lines = _without_footer(rows, lines, grid)
    rows, lines = _without_blank_lines(rows, lines, grid, alone)
    if header and rows:
        grid.header, rows, lines = tuple(rows[0]), rows[1:], lines[1:]
        _shift(grid, rows)
    width = _width(rows, lines, grid)
    short = [line for row, line in zip(rows, lines, strict=True) if len(row) < min(width, len(grid.header) or width)]
    if short:
        grid.notes.append(Message("read.short", lines=_lines(short)))
    whole = [row + [""] * (width - len(row)) for row in rows]
    _fill(grid, whole, width)
    return grid


def _without_footer(rows: list[list[str]], lines: list[int], grid: Grid) -> tuple[list[list[str]], list[int]]:
    """Rows without the remarks that stand under a table: texts alone in their lines, below a blank line."""
    blank = next((index for index in reversed(range(len(rows))) if not any(map(str.strip, rows[index]))), 0)
    below = [[cell for cell in row if cell.strip()] for row in rows[blank + 1 :]]
    if not blank or max(map(len, rows)) < 2 or not all(len(row) == 1 and not is_typed(row[0]) for row in below):
        return rows, lines
    grid.warnings.append(Message("read.below", lines=[repr(row[0]) for row in below[:LISTED]]))
    return rows[:blank], lines[:blank]


def _shift(grid: Grid, rows: list[list[str]]) -> None:
    """Give the first column no name where every row has one value more than there are names: so R writes names of rows."""
    if rows and all(len(row) == len(grid.header) + 1 for row in rows) and any(row[-1].strip() for row in rows):
        grid.header = ("", *grid.header)
        grid.notes.append(Message("read.unnamed_first"))


def _without_blank_lines(rows: list[list[str]], lines: list[int], grid: Grid, alone: bool) -> tuple[list[list[str]], list[int]]:
    """Rows without the blank lines between them; of a single column these are missing values."""
    blank = [not any(map(str.strip, row)) and len(row) < 2 for row in rows]
    if alone or not any(blank):
        return [row or [""] for row in rows], lines
    empty = [line for line, is_blank in zip(lines, blank, strict=True) if is_blank]
    grid.notes.append(Message("read.blank", lines=_lines(empty)))
    kept = [(row, line) for row, line, is_blank in zip(rows, lines, blank, strict=True) if not is_blank]
    return [row for row, _ in kept], [line for _, line in kept]


def _width(rows: list[list[str]], lines: list[int], grid: Grid) -> int:
    """How many columns there are: those of the header, or of most rows, and further ones that many rows have."""
    counts = Counter(map(len, rows))
    width = len(grid.header) or (counts.most_common(1)[0][0] if counts else 0)
    longer = [
        (line, len(row)) for row, line in zip(rows, lines, strict=True) if len(row) > width and any(map(str.strip, row[width:]))
    ]
    if len(longer) < max(2, COMMON * len(rows)):
        _tell_surplus(rows, lines, width, grid)
        return width
    wide = max(n for _, n in longer)
    columns = [repr(f"column{index}") for index in range(width, wide)]
    grid.warnings.append(Message("read.wide", wide=wide, width=width, line=longer[0][0], columns=columns))
    return wide


def _tell_surplus(rows: list[list[str]], lines: list[int], width: int, grid: Grid) -> None:
    """Cut rows that are too long, and say what they held."""
    surplus = [(line, row[width:]) for row, line in zip(rows, lines, strict=True) if len(row) > width]
    told = [(line, values) for line, values in surplus if any(map(str.strip, values))]
    for row in rows:
        del row[width:]
    if told:
        values = [repr(value) for _, extra in told[:LISTED] for value in extra]
        grid.warnings.append(Message("read.surplus", lines=_lines([n for n, _ in told]), values=values))


def _lines(numbers: list[int]) -> Message:
    listed = [*numbers[:LISTED], *["…"] * (len(numbers) > LISTED)]
    return Message("read.lines", n=len(numbers), listed=listed)


def _fill(grid: Grid, rows: list[list[str]], width: int) -> None:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    grid.columns = [pa.array(column, pa.string()) for column in columns]
