"""Data in pieces: the row groups of Parquet files, so that rows that do not fit into memory are read a few at a time."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from latente.data.files import quoted, reading, refuse_repeated
from latente.data.sql import is_sql
from latente.errors import DataError

ROWS_AT_ONCE = 65_536  # the most rows that are in memory as a table
VALUES_AT_ONCE = 4_000_000  # and the most values: 32 MB as doubles
SUFFIX = ".parquet"


class Piece(NamedTuple):
    """A row group: its file, its number there, the number of its first row in all files, and its rows."""

    file: Path
    group: int
    start: int
    rows: int


@dataclass(frozen=True, eq=False)
class Pieces:
    """Rows in Parquet files, read a piece at a time.

    Attributes:
        files: in the order of their rows.
        keep: what must live as long as the files, such as a temporary folder; None for files of the user.
        text: the beginning of the text file that they were made from (:class:`latente.data.text.TextTable`), if they were.
    """

    files: tuple[Path, ...]
    keep: Any = field(default=None, repr=False)
    text: Any = field(default=None, repr=False)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """All row groups that hold rows, in order."""
        found, start = [], 0
        for file, meta in zip(self.files, self.metadata, strict=True):
            for group in range(meta.num_row_groups):
                rows = meta.row_group(group).num_rows
                found += [Piece(file, group, start, rows)] if rows else []
                start += rows
        return tuple(found)

    @cached_property
    def schema(self) -> Any:
        """The Arrow schema of all files, with types that hold the values of each."""
        import pyarrow as pa

        with reading(str(self.files[0].parent)):
            return pa.unify_schemas([meta.schema.to_arrow_schema() for meta in self.metadata], promote_options="permissive")

    @cached_property
    def metadata(self) -> list[Any]:
        """Parquet's description of each file."""
        from pyarrow.parquet import read_metadata

        found = []
        for file in self.files:
            with reading(str(file)):
                found.append(read_metadata(file))
                refuse_repeated(found[-1].schema.to_arrow_schema().names)
        return found

    def __len__(self) -> int:
        return sum(piece.rows for piece in self.pieces)

    @property
    def nbytes(self) -> int:
        """About how many bytes the rows take in memory."""
        columns = len(self.schema.names)
        stored = sum(int(meta.row_group(g).total_byte_size) for meta in self.metadata for g in range(meta.num_row_groups))
        return max(8 * columns * len(self), stored)

    @property
    def at_once(self) -> int:
        """The most rows that are read at once."""
        return max(1, min(ROWS_AT_ONCE, VALUES_AT_ONCE // max(1, len(self.schema.names))))

    def batches(self, number: int, columns: Collection[str] | None = None) -> Iterator[Any]:
        """The rows of a piece as Arrow tables of the common schema, with at most :attr:`at_once` rows each."""
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile

        piece = self.pieces[number]
        names = [name for name in self.schema.names if columns is None or name in columns]
        alike = pa.schema([self.schema.field(name) for name in names], self.schema.metadata).empty_table()
        with reading(str(piece.file)), ParquetFile(piece.file) as file:
            there = [name for name in names if name in file.schema_arrow.names]
            for batch in file.iter_batches(self.at_once, row_groups=[piece.group], columns=there):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(alike.schema.metadata)
                same = table.schema.equals(alike.schema)
                yield table if same else pa.concat_tables([alike, table], promote_options="permissive").combine_chunks()

    def tables(self, columns: Collection[str] | None = None) -> Iterator[Any]:
        """All rows, in order, as Arrow tables of a few rows each."""
        for number in range(len(self.pieces)):
            yield from self.batches(number, columns)

    def read(self, columns: Collection[str] | None = None) -> Any:
        """All rows as one Arrow table."""
        import pyarrow as pa

        return pa.concat_tables(self.tables(columns)) if len(self) else self.schema.empty_table()

    def take(self, rows: Sequence[int] | np.ndarray[Any, Any], columns: Collection[str] | None = None) -> Any:
        """Some rows by their numbers, which must rise, as one Arrow table."""
        import pyarrow as pa

        wanted, found = np.asarray(rows), [self.schema.empty_table()]
        for number, piece in enumerate(self.pieces):
            low, high = np.searchsorted(wanted, (piece.start, piece.start + piece.rows))
            found += _chosen(self.batches(number, columns), wanted[low:high] - piece.start) if high > low else []
        return pa.concat_tables(found[1:] or found)


def _chosen(batches: Iterator[Any], rows: np.ndarray[Any, Any]) -> Iterator[Any]:
    start = 0
    for batch in batches:
        low, high = np.searchsorted(rows, (start, start + len(batch)))
        if high > low:
            yield batch.take(rows[low:high] - start)
        start += len(batch)


def parquet_files(source: Any) -> tuple[Path, ...]:
    """The Parquet files of a path: itself, or those of a folder by their names; () for other sources."""
    if not isinstance(source, (str, os.PathLike)) or source == "" or is_sql(source):
        return ()
    path = Path(source)
    if os.path.isdir(path):
        return tuple(sorted(path.glob(f"*{SUFFIX}")))
    return (path,) if path.name.lower().endswith(SUFFIX) and os.path.isfile(path) else ()


def pieces_of(source: Any) -> Pieces | None:
    """The pieces of Parquet files; None for other sources.

    Raises:
        DataError: a file is no Parquet file, or the files have no columns in common.
    """
    if isinstance(source, Pieces):
        return source
    files = parquet_files(source)
    if not files:
        return None
    found = Pieces(files)
    first, *others = (set(meta.schema.to_arrow_schema().names) for meta in found.metadata)
    strange = [file.name for file, names in zip(files[1:], others, strict=True) if first.isdisjoint(names)]
    if strange:
        raise DataError(f"{source}: {quoted(strange)} and {files[0].name!r} have no column in common: move them apart")
    return found
