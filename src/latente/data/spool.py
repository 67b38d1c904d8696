"""Rows that do not fit into memory, from any source: Parquet files as they are, others once through a temporary folder."""

from __future__ import annotations

import gzip
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from latente.data import sql
from latente.data.album import Album, large_album
from latente.data.files import TEXT_FILES, kind_of, reading
from latente.data.pieces import Pieces, pieces_of
from latente.data.sources import Images, Table, as_reading, read
from latente.data.text import Notation, Reading, TextTable, read_text
from latente.folders import TemporaryFolder

BLOCK = 32 << 20  # bytes of text that are read at once
BYTES_OF_TEXT = 8  # in memory, for each of a text file
ROWS_OF_A_GROUP = 65_536


def read_or_pieces(source: Any, texts: Collection[str] = (), **asked: Any) -> Table | Images | Pieces | Album:
    """Rows in memory, or in pieces if they are more than :func:`latente.data.sql.max_bytes`; arguments as of
    :func:`latente.data.read`.

    >>> len(read_or_pieces([[1.0], [2.0]]))
    2
    """
    if isinstance(source, (Pieces, Album)):
        return source
    if isinstance(source, (str, os.PathLike)):
        found = _of_query(str(source)) if sql.is_sql(source) else large_album(source) or too_large(source, texts, **asked)
    else:
        found = _of_stream(source) if _is_stream(source) else None
    if isinstance(found, (Pieces, Album)):
        return found
    if found is None:
        return read(source, texts=texts, **asked)
    with reading("the SQL query" if isinstance(source, str) else "the stream"):
        return read(found, texts=texts, **asked)


def _of_query(query: str) -> Any:
    with sql.answered(query) as batches:
        return _collected(batches)


def _of_stream(source: Any) -> Any:
    import pyarrow as pa

    with reading("the stream"):
        return _collected(pa.RecordBatchReader.from_stream(source))


def too_large(
    source: str | os.PathLike[str],
    texts: Collection[str] = (),
    known: Mapping[str, Notation] = MappingProxyType({}),
    **asked: Any,
) -> Pieces | None:
    """The pieces of a Parquet or text file that is too large for memory; None for others. Arguments as of
    :func:`latente.data.read`.
    """
    limit, pieces, path = sql.max_bytes(), pieces_of(source), Path(source)
    if pieces is not None:
        return pieces if pieces.nbytes > limit else None
    large = not sql.is_sql(source) and os.path.isfile(path) and BYTES_OF_TEXT * path.stat().st_size > limit
    return _of_text(path, texts, as_reading(asked), known) if large and kind_of(path) in TEXT_FILES else None


def _is_stream(source: Any) -> bool:
    """Whether it can only be read batch by batch: it is no frame, whose rows are in memory."""
    return hasattr(source, "__arrow_c_stream__") and not hasattr(source, "__dataframe__") and not hasattr(source, "shape")


def _collected(batches: Any) -> Any:
    """Batches of rows as an Arrow table or, if they are too large for memory, as pieces in a temporary file."""
    import pyarrow as pa

    limit, kept, size = sql.max_bytes(), [], 0
    for batch in batches:
        kept.append(batch)
        size += batch.nbytes
        if size > limit:
            return _written(chain(kept, batches), batches.schema)
    return pa.Table.from_batches(kept, batches.schema)


def _written(batches: Iterable[Any], schema: Any) -> Pieces:
    from pyarrow.parquet import ParquetWriter

    keep = TemporaryFolder()
    path = keep.path / "rows.parquet"
    with ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_batch(batch, ROWS_OF_A_GROUP)
    return Pieces((path,), keep)


def _of_text(path: Path, texts: Collection[str], asked: Reading, known: Mapping[str, Notation]) -> Pieces:
    """A text file in blocks of whole rows, each read as the first one is, in temporary Parquet files."""
    from pyarrow.parquet import write_table

    keep, first, files = TemporaryFolder(), None, list[Path]()
    folder = keep.path
    opened = gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb")  # noqa: SIM115
    with reading(str(path)), opened as file:
        for number, block in enumerate(_blocks(file)):
            found = _read_block(block, folder / path.name.removesuffix(".gz"), texts, asked, first or known)
            first = first or found
            files.append(folder / f"{number:06}.parquet")
            write_table(_without_empty(found.table), files[-1], row_group_size=ROWS_OF_A_GROUP)
    return Pieces(tuple(files), keep, first)


def _read_block(
    block: bytes, path: Path, texts: Collection[str], asked: Reading, first: TextTable | Mapping[str, Notation]
) -> TextTable:
    """A block of a text file, as the first block is written."""
    if not isinstance(first, TextTable):
        path.write_bytes(block)
        return read_text(path, asked, texts, first)
    layout = first.layout
    how = replace(asked, encoding=layout.encoding, delimiter=layout.delimiter, skip_rows=0, header=False)
    head = layout.delimiter.join(f'"{name}"' for name in first.table.column_names) if layout.header else ""
    path.write_bytes((head + layout.newline).encode(layout.encoding) * bool(head) + block)
    words = [name for name in first.table.column_names if str(first.table.schema.field(name).type) == "string"]
    return read_text(path, replace(how, header=layout.header), {*texts, *words}, first.notations)


def _blocks(file: BinaryIO | Any) -> Iterator[bytes]:
    """The bytes of a text file in blocks that end with a row: at a line end outside of quotation marks."""
    kept, quotes = b"", 0
    while block := file.read(BLOCK):
        end = len(block)
        while (end := block.rfind(b"\n", 0, end)) >= 0 and (quotes + block.count(b'"', 0, end)) % 2:
            pass
        quotes = (quotes + block.count(b'"')) % 2
        if end < 0:
            kept += block
            continue
        yield kept + block[: end + 1]
        kept = block[end + 1 :]
        quotes = kept.count(b'"') % 2
    if kept.strip():
        yield kept


def _without_empty(table: Any) -> Any:
    """A table in which columns without any value are of no type, as another block may tell it."""
    import pyarrow as pa

    for place, name in enumerate(table.column_names):
        if table[name].null_count == len(table):
            table = table.set_column(place, name, pa.nulls(len(table)))
    return table
