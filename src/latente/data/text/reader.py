"""A text file as a table of typed columns: how each is written, what was read as missing, what a person should know."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from latente.data.text import encoding, moments, notation
from latente.data.text.grid import Grid, grid_of, read_grid
from latente.data.text.layout import FOUND, Layout, Reading, find_layout, has_header
from latente.data.text.notation import Notation
from latente.errors import DataError
from latente.words import Message, some

MANY = 1000  # texts that are looked at before it is decided whether a column repeats itself
EVIDENCE = 2000

_TOTAL = re.compile(r"(grand[ _-]?|sub)?(total|totals|totales|gesamt|summe|suma|sum|somme|totale|insgesamt)\b.*", re.IGNORECASE)
_SPACES = re.compile(r"[ \t]+")


@dataclass(frozen=True, eq=False)
class TextTable:
    """What a text file holds.

    Attributes:
        table: of typed columns, an Arrow table. recorded: the same as texts, as they stand in the file.
        header: names as they stand; () where the file has none.
        notations: by name how a column is written. layout: how the file is laid out. asked: what was given, and not found.
        notes: what a person should know; warnings: what they must, for some of the file is left out.
    """

    table: Any
    recorded: Any
    header: tuple[str, ...]
    notations: Mapping[str, Notation]
    layout: Layout
    asked: Reading = FOUND
    notes: tuple[Message, ...] = ()
    warnings: tuple[Message, ...] = ()


@dataclass
class _Column:
    """A column on its way from texts to values."""

    name: str
    recorded: Any
    words: Any = None
    indices: Any = None
    marked: Any = None
    known: Notation | None = None
    values: Any = None
    notation: Notation | None = None
    notes: list[Message] = field(default_factory=list)


def read_text(
    path: Path, asked: Reading = FOUND, texts: Collection[str] = (), known: Mapping[str, Notation] = MappingProxyType({})
) -> TextTable:
    """Read a file of separated values.

    Args:
        path: of the file, which may be gzipped.
        asked: what is not to be found but is given.
        texts: names of columns that hold text, whatever they look like.
        known: how columns were written in the file of the fit, for what one file alone does not tell.

    Raises:
        DataError: the file is no text, or some of it can't be read.
    """
    text, found = encoding.text_of(path, asked.encoding)
    tabs = not asked.delimiter and path.name.lower().removesuffix(".gz").endswith(".tsv")
    notes = (
        [] if found in ("utf-8", "utf-8-sig") or asked.encoding else [Message("read.encoding", encoding=encoding.said(found))]
    )
    layout, body = find_layout(text, found, replace(asked, delimiter="\t") if tabs else asked)
    if asked.delimiter is None and not tabs and layout.delimiter not in body[:2000] and (split := _by_spaces(body)):
        layout, body = replace(layout, delimiter="\t"), split
        layout = replace(layout, header=has_header([line.split("\t") for line in body.splitlines()[:EVIDENCE]]))
    grid = read_grid(body, layout)
    grid.notes = [*notes, *_of_layout(layout, grid, asked), *grid.notes]
    return _typed(grid, layout, asked, texts, known)


def read_rows(rows: list[list[str]], asked: Reading, texts: Collection[str], known: Mapping[str, Notation]) -> TextTable:
    """The table in rows of texts that come from elsewhere, such as a spreadsheet."""
    from latente.data.text.layout import _titles

    filled = [row for row in rows if any(map(str.strip, row))]
    titles = _titles(filled) if asked.skip_rows is None else asked.skip_rows
    header = has_header(filled[titles:]) if asked.header is None else asked.header
    first = rows.index(filled[titles]) if len(filled) > titles else 0
    layout = Layout(header=header)
    return _typed(grid_of(rows[first:], list(range(first + 1, len(rows) + 1)), header), layout, asked, texts, known)


def _by_spaces(body: str) -> str | None:
    """A text whose columns are separated by blanks, with one tabulator between values; None where it is none."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    counts = {len(line.split()) for line in lines}
    cells = [cell for line in lines[1:200] for cell in line.split()]
    alike = len(counts) == 1 and counts != {1} and all(map(notation.is_typed, cells)) and cells
    return "\n".join(_SPACES.sub("\t", line) for line in lines) + "\n" if alike else None


def _of_layout(layout: Layout, grid: Grid, asked: Reading) -> list[Message]:
    notes = []
    if layout.above.strip() and asked.skip_rows is None:
        notes.append(Message("read.above", line=repr(layout.above.strip().splitlines()[0][:60])))
    if layout.header and asked.header is None and any(map(notation.is_typed, grid.header)):
        notes.append(Message("read.header", names=[*map(repr, grid.header[:4])]))
    return notes


def _typed(grid: Grid, layout: Layout, asked: Reading, texts: Collection[str], known: Mapping[str, Notation]) -> TextTable:
    import pyarrow as pa

    _drop_empty_columns(grid)
    columns = [_Column(name, column, known=known.get(name)) for name, column in zip(grid.names, grid.columns, strict=True)]
    for column in columns:
        _set_apart(column, asked.missing)
    decimal = asked.decimal or _decimal(columns) or ("," if layout.delimiter == ";" else None)
    _read_values(columns, decimal, asked, texts)
    grid.notes += [*_missing(columns), *_said(columns)]
    table = _table([column.values for column in columns], grid.names)
    recorded = _table(grid.columns, grid.names)
    if (total := _has_total(table, recorded)) is not None:
        grid.warnings.append(Message("read.total", label=repr(total)))
        n = next(
            (n for n in range(len(table) - 1, 0, -1) if any(column[n - 1].as_py().strip() for column in recorded.columns)), 0
        )
        table, recorded = table.slice(0, n), recorded.slice(0, n)
    notations = {column.name: column.notation for column in columns if column.notation is not None}
    assert isinstance(table, pa.Table)
    return TextTable(table, recorded, grid.header, notations, layout, asked, tuple(grid.notes), tuple(grid.warnings))


def _table(columns: list[Any], names: tuple[str, ...]) -> Any:
    """An Arrow table, in which names may repeat."""
    import pyarrow as pa

    return pa.Table.from_arrays(columns, names=list(names))


def _drop_empty_columns(grid: Grid) -> None:
    """Leave out columns without a name and without a value, as spreadsheets write them."""
    import pyarrow.compute as pc

    unnamed = [index >= len(grid.header) or not grid.header[index].strip() for index in range(len(grid.columns))]
    kept = [not (bare and pc.all(pc.equal(pc.utf8_trim_whitespace(column), "")).as_py())
            for bare, column in zip(unnamed, grid.columns, strict=True)]  # fmt: skip
    if all(kept) or not any(kept) or not grid.header:
        return
    grid.notes.append(Message("read.unnamed", n=kept.count(False)))
    header = [*grid.header, *[""] * (len(kept) - len(grid.header))]
    names = [name if name.strip() else f"column{index}" for index, name in enumerate(header)]
    grid.header = tuple(name for name, keep in zip(names, kept, strict=True) if keep)
    grid.columns = [column for column, keep in zip(grid.columns, kept, strict=True) if keep]


def _set_apart(column: _Column, extra: tuple[str, ...]) -> None:
    """Find a column's distinct texts, and which may be marks of missing values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(column.recorded)
    column.words = texts
    if len(texts[:MANY].unique()) <= 0.9 * len(texts[:MANY]) or len(texts) <= MANY:
        encoded = texts.dictionary_encode()
        column.words, column.indices = encoded.dictionary, encoded.indices
    column.marked = pc.or_(notation.may_be_marks(column.words), pc.is_in(column.words, pa.array(list(extra), pa.string())))


def _core(column: _Column) -> Any:
    """A column's texts without those that may be marks."""
    import pyarrow.compute as pc

    return pc.filter(column.words, pc.invert(column.marked))


def _decimal(columns: list[_Column]) -> str | None:
    """The decimal mark that most columns show."""
    shown = Counter(found for column in columns if (found := notation.decimal_of(_core(column)[:EVIDENCE])))
    return shown.most_common(1)[0][0] if shown else None


def _read_values(columns: list[_Column], decimal: str | None, asked: Reading, texts: Collection[str]) -> None:
    """Assign values to each column; dates with an ambiguous order of day and month go last, and follow the others."""
    certain = tuple(filter(None, (asked.date_format,)))
    late = []
    for column in columns:
        if column.name in texts or not _as_moments(column, certain):
            _as_numbers(column, decimal) or _as_booleans(column, texts) or _as_texts(column, asked.missing)
        elif any(note.key == moments.AMBIGUOUS for note in column.notes):
            late.append(column)
        elif column.notation is not None:
            certain += (column.notation.format.replace("%-", "%"),)
    for column in late:
        column.notes.clear()
        _as_moments(column, certain)


def _as_moments(column: _Column, certain: tuple[str, ...]) -> bool:
    if column.known is not None and column.known.kind != "moment":
        return False
    own = (column.known.format.replace("%-", "%"),) if column.known else ()
    core = _core(column)
    try:
        found = moments.read_moments(core, own + certain)
        if found is None and (stray := moments.stray(core)) is not None:
            raise moments.NotADate(stray, "is none")
    except moments.NotADate as error:
        raise DataError(_no_date(column, *error.args)) from error
    if found is None:
        return False
    values, format, zone, notes = found
    column.notes = list(notes)
    column.notation = Notation("moment", format=moments.padded(core, values, format, zone), zone=zone)
    _take(column, values)
    return True


def _no_date(column: _Column, word: str, why: str) -> str:
    import pyarrow.compute as pc

    row = pc.index(pc.utf8_trim_whitespace(column.recorded), word).as_py()
    option = f"kinds={{{column.name!r}: 'categorical'}} (--kinds {shlex.quote(f'{column.name}=categorical')})"
    remedy = f"correct it, leave it empty where nothing was recorded, or declare that the column holds text: {option}"
    return f"column {column.name!r} holds dates, and {word!r} in row {row} (counted from 0) {why}: {remedy}"


def _as_numbers(column: _Column, decimal: str | None) -> bool:
    known = column.known if column.known is not None and column.known.kind == "number" else None
    found = notation.numbers(_core(column), known.decimal if known else decimal, known is not None)
    if found is None:
        return False
    column.notation = found[1]
    _take(column, found[0])
    if not found[1].plain:
        column.notes = [_how(found[1])]
    return True


def _how(found: Notation) -> Message:
    """How numbers are written, for people."""
    separators = {",": "comma", ".": "dot", "'": "apostrophe", "’": "apostrophe"}
    parts: list[str] = [Message("read.decimal_comma")] if found.places and found.decimal == "," else []
    if found.thousands:
        parts.append(Message("read.thousands", mark=Message(f"read.{separators.get(found.thousands, 'space')}")))
    parts += [repr(sign.strip()) for sign in (found.prefix, found.suffix) if sign]
    return Message("read.numbers", parts=parts)


def _as_booleans(column: _Column, texts: Collection[str]) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    lower = pc.utf8_lower(_core(column))
    if column.name in texts or not len(lower) or not set(lower.unique().to_pylist()) <= {"true", "false"}:
        return False
    counts = _counts(column)
    spelling = {word.lower(): word for word in sorted(counts, key=lambda word: counts[word])}
    words = tuple(spelling.get(word, word) for word in ("false", "true"))
    column.notation = Notation("words", words=words)
    _take(column, pc.equal(lower, pa.scalar("true")))
    return True


def _as_texts(column: _Column, extra: tuple[str, ...]) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    distinct = column.words.unique().to_pylist()
    marks = notation.marks_of(distinct, extra, numeric=False)
    column.marked = pc.is_in(column.words, pa.array(sorted(marks), pa.string()))
    words = [word for word in distinct if word not in marks]
    few = len(words) <= 8
    known = column.known if column.known is not None and column.known.kind == "words" else None
    spelling = notation.folded(words, _counts(column), known, flag=bool(marks)) if few else None
    core = _core(column)
    if spelling is not None:
        levels = tuple(dict.fromkeys(spelling.values()))
        column.notation = Notation("words", words=levels)
        column.notes = [] if known else [Message("read.spellings", words=[*map(repr, words)], n=len(levels))]
        core = pa.array([spelling[word] for word in core.to_pylist()], pa.string())
    _take(column, core)
    return True


def _take(column: _Column, values: Any) -> None:
    """Put the values of distinct texts where these stand; null where a mark of a missing value stands."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = pc.invert(column.marked)
    place = pc.subtract(pc.cumulative_sum(kept.cast(pa.int64())), 1)
    place = pc.if_else(kept, place, pa.scalar(None, pa.int64()))
    column.values = values.take(place if column.indices is None else place.take(column.indices))


def _counts(column: _Column) -> dict[str, int]:
    import pyarrow.compute as pc

    texts = column.words if column.indices is None else column.words.take(column.indices)
    return {one["values"]: one["counts"] for one in pc.value_counts(texts).to_pylist()}


def _missing(columns: list[_Column]) -> list[Message]:
    """What was read as missing, with counts; an empty value goes without saying."""
    import pyarrow.compute as pc

    found: Counter[str] = Counter()
    for column in columns:
        if marks := set(pc.filter(column.words, column.marked).unique().to_pylist()) - {""}:
            counts = _counts(column)
            found.update({mark: counts[mark] for mark in marks})
    told = [f"{mark!r} ({count:,})" for mark, count in sorted(found.items(), key=lambda one: (-one[1], one[0]))]
    return [Message("read.missing", marks=some(told))] if told else []


def _said(columns: list[_Column]) -> list[Message]:
    """The notes on columns, one for all columns that have the same note."""
    found: dict[Message, list[str]] = {}
    for column in columns:
        for note in column.notes:
            found.setdefault(note, []).append(repr(column.name))
    return [Message("read.of_columns", n=len(names), names=some(names), note=note) for note, names in found.items()]


def _has_total(table: Any, recorded: Any) -> str | None:
    """What the last row is called, if it is the sum of the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(table) < 3:
        return None
    last = [column[-1].as_py().strip() for column in recorded.itercolumns()]
    label = next((text for text in last if _TOTAL.fullmatch(text)), None)
    if label is None:
        return None
    for column in table.itercolumns():
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            rest, total = pc.sum(column.slice(0, len(column) - 1)).as_py(), column[-1].as_py()
            if rest and total is not None and abs(rest - total) <= 1e-6 * abs(total) + 0.01:
                return str(label)
    return None
