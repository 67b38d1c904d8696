"""Tables as text, written like a file: with its encoding, separators and notations, and with observed values unchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from latente.data.text.layout import Layout
from latente.data.text.notation import Notation
from latente.data.text.reader import TextTable


def write_text_table(
    table: Any, file: BinaryIO, layout: Layout, notations: Mapping[str, Notation], source: TextTable | None = None
) -> None:
    """Write an Arrow table.

    Args:
        table: the columns.
        file: open for bytes.
        layout, notations: how the file and each column are written.
        source: the file in which the same rows came: where a value is the same, its text is.
    """
    columns = [_texts(table.column(name), notations.get(name)) for name in table.column_names]
    names = table.column_names
    if source is not None:
        columns = [_as_recorded(name, texts, table.column(name), source) for name, texts in zip(names, columns, strict=True)]
        recorded = dict(zip(source.recorded.column_names, source.header, strict=False))
        names = [recorded.get(name, name) for name in names]
    special = re.compile(f'[\r\n"{re.escape(layout.delimiter)}]')
    quoted = [[_quoted(text or "", special) for text in column] for column in columns]
    lines = [layout.delimiter.join(row) for row in zip(*quoted, strict=True)]
    if layout.header:
        lines.insert(0, layout.delimiter.join(_quoted(name, special) for name in names))
    if len(columns) == 1:
        lines = [line or '""' for line in lines]
    text = layout.above + "".join(line + layout.newline for line in lines)
    file.write(_encoded(text, layout.encoding))


def _quoted(text: str, special: re.Pattern[str]) -> str:
    """A value between quotation marks where it needs them; Python's writer forgets line ends that are not the file's."""
    return f'"{text.replace(chr(34), 2 * chr(34))}"' if special.search(text) else text


def for_suffix(layout: Layout, suffix: str) -> Layout:
    """A layout for a file of a kind: tabulators in .tsv, and none in .csv."""
    if ".tsv" in suffix:
        return replace(layout, delimiter="\t")
    return replace(layout, delimiter=",") if layout.delimiter == "\t" else layout


def _texts(column: Any, notation: Notation | None) -> list[str | None]:
    column = column.combine_chunks()
    if notation is None or (notation.plain and notation.places <= 0):
        return _plain(column if notation is None else notation.rounded(column))
    return notation.write(column)


def _plain(column: Any) -> list[str | None]:
    """Values as Arrow writes them, except zeros with a sign."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    texts = column.cast(pa.string()).to_pylist()
    return ["0" if text in ("-0", "-0.0") else text for text in texts]


def _as_recorded(name: str, texts: list[str | None], column: Any, source: TextTable) -> list[str | None]:
    """Texts of a column; as they stood in the source where the value is the same, or there is none."""
    if name not in source.recorded.column_names:
        return texts
    recorded, same = source.recorded.column(name).to_pylist(), _same(column, source.table.column(name))
    return [before if keep else text for before, text, keep in zip(recorded, texts, same, strict=True)]


def _same(column: Any, before: Any) -> list[bool]:
    import pyarrow as pa
    import pyarrow.compute as pc

    column, before = (each.combine_chunks() for each in (column, before))
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        equal = pc.equal(column, before.cast(column.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        equal = pc.equal(column.cast(pa.string()), before.cast(pa.string()))
    same: list[bool] = pc.or_(pc.is_null(column), pc.fill_null(equal, False)).to_pylist()
    return same


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode()
