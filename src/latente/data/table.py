"""The codec of tables: z-scores for real columns, 0 and 1 as they are, and back into the user's columns and types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from latente.data.containers import ARRAYS, FRAMES, Array, known_dtype, numpy_dtype, to_array, to_frame
from latente.data.fields import (
    Summary,
    encoded,
    far_values,
    ordered_sample,
    recorded_resolution,
    restore,
    standardise,
    summarise,
)
from latente.data.files import quoted
from latente.data.sources import Images, Table
from latente.data.state import Stored, expect, is_texts
from latente.errors import DataError
from latente.rows import BINARY, REAL, Field, Rows, row_shape

_LISTED = 8


@dataclass(frozen=True, eq=False)
class TableCodec(Stored):
    """Turns a table's rows into what the model sees, and back.

    A column of one value, or of none, is left out of the model and restored by :meth:`decode`.

    Attributes:
        names, dtypes, container, named, integer_names: as in :class:`~latente.data.sources.Table`, of the table fitted on.
        center: float64 ``[F]``, what is subtracted, in the column's units; of a column left out its only value, or NaN.
        scale: float64 ``[F]``, what is divided by, in the column's units; 0 for a column left out.
        resolution: float64 ``[F]``, smallest step between recorded values divided by ``scale``; 0 where continuous.
        binary: bool ``[F]``, the columns of 0 and 1, which are not scaled.
        notes: sentences about the data that a person should know.
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    container: str
    named: bool
    integer_names: bool
    center: Array
    scale: Array
    resolution: Array
    binary: Array
    notes: tuple[str, ...]

    kind: ClassVar[str] = "table"

    @classmethod
    def fit(cls, table: Table) -> Self:
        """The codec of a table.

        Raises:
            DataError: if no column has two different values.
        """
        summary = summarise(table.values)
        kept = summary.scale > 0.0
        if not kept.any():
            raise DataError("there is nothing to learn: no column holds two different values")
        center = np.where(summary.binary, 0.0, np.where(kept, summary.mean, summary.low))
        scale = np.where(summary.binary, 1.0, np.where(kept, summary.scale, 0.0))
        ordered = ordered_sample(table.values)
        resolution = np.zeros_like(scale)
        resolution[kept] = recorded_resolution(ordered[:, kept], scale[kept])
        notes = tuple(_notes(table, summary, kept, ordered))
        own = (table.names, table.dtypes, table.container, table.named, table.integer_names)
        return cls(*own, center, scale, resolution, summary.binary, notes)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """What the model sees: one field for each column that is not left out."""
        return tuple(
            Field(self.names[column], BINARY if self.binary[column] else REAL, (), float(self.resolution[column]))
            for column in self._kept
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns that come in."""
        return self.names

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded row."""
        return row_shape(self.fields)

    @property
    def row_ndim(self) -> int:
        """Dimensions of one row of the user's, without that of rows."""
        return 1

    @property
    def n_features(self) -> int:
        """How many columns come in."""
        return len(self.names)

    @cached_property
    def _kept(self) -> Array:
        return np.flatnonzero(self.scale > 0.0)

    def encode(self, data: Table | Images) -> Rows:
        """Rows ``[N, len(fields)]`` of a table; columns are matched by name where both tables have names.

        Raises:
            DataError: if columns are missing, or there is another number of them, or these are pictures.
        """
        if not isinstance(data, Table):
            raise DataError(f"these are pictures, and the model was fitted on a table of {self.n_features} columns")
        columns = self._positions(data)[self._kept]
        in_order = np.array_equal(columns, np.arange(len(data.names)))
        center, scale = self.center[self._kept], self.scale[self._kept]
        return standardise(data.values, center, scale, slice(None) if in_order else columns)

    def _positions(self, table: Table) -> Array:
        """Where each of the codec's columns stands in a table."""
        if table.named and self.named:
            positions = {name: position for position, name in enumerate(table.names)}
            missing = [name for name in self.names if name not in positions]
            if missing:
                raise DataError(f"columns that the model was fitted on are missing: {quoted(missing)}")
            return np.array([positions[name] for name in self.names])
        if len(table.names) != self.n_features:
            raise DataError(f"X has {len(table.names)} features, but VAE is expecting {self.n_features} features as input.")
        return np.arange(self.n_features)

    def decode(self, x: Array | Tensor, container: str | None = None) -> Any:
        """Rows in the user's columns, order, types and units.

        Args:
            x: encoded rows ``[N, len(fields)]``.
            container: ``"numpy"``, ``"torch"``, ``"pandas"``, ``"polars"`` or ``"pyarrow"``; as it came in where None.

        Returns:
            A frame, or an array ``[N, n_features]`` of the narrowest type that holds every column's. Whole numbers are
            rounded, booleans cut at .5; decimals come as floats.

        Raises:
            DataError: if the rows have another shape, or the container is unknown or not installed.
        """
        container = container or self.container
        x = self._with_left_out(encoded(x, self.shape))
        parts = [(group, restore(x[:, group], self.center[group], self.scale[group], dtype)) for dtype, group in self._groups]
        if container in ARRAYS:
            return to_array(_joined(parts, self.n_features), container)
        everywhere = np.arange(self.n_features)
        columns = {int(c): values for group, part in parts for c, values in zip(everywhere[group], part.T, strict=True)}
        named = {name: columns[column] for column, name in enumerate(self.names)}
        empty = {self.names[column] for column in np.flatnonzero(np.isnan(self.center))}
        return to_frame(named, self.dtypes, empty, container, self.integer_names)

    def _with_left_out(self, x: Array) -> Array:
        """Encoded rows with a 0 for each column that was left out."""
        if len(self._kept) == self.n_features:
            return x
        full = np.zeros((len(x), self.n_features), x.dtype)
        full[:, self._kept] = x
        return full

    @cached_property
    def _groups(self) -> list[tuple[np.dtype[Any], Any]]:
        """The types of the columns, and which columns have each; a column without any value can only be NaN."""
        own = map(numpy_dtype, self.dtypes)
        dtypes = [np.dtype(float) if np.isnan(c) and d.kind != "f" else d for d, c in zip(own, self.center, strict=True)]
        if len(set(dtypes)) == 1:
            return [(dtypes[0], slice(None))]
        return [(dtype, np.array([c for c, own in enumerate(dtypes) if own == dtype])) for dtype in dict.fromkeys(dtypes)]

    def log_jacobian(self, rows: Rows) -> Tensor:
        """log |d encoded / d user's unit|, summed over the fields that were seen, in nats; float64 ``[N]``.

        Added to the log-density of encoded rows it gives that of the user's own values. Binary columns are not scaled.
        """
        logs = -torch.from_numpy(np.log(self.scale[self._kept]))
        return logs.sum().expand(len(rows)) if rows.mask is None else rows.mask.cpu().double() @ logs

    def check(self) -> None:
        """Raise StorageError if the attributes, which come from a file, do not fit each other."""
        expect(is_texts(self.names) and len(set(self.names)) == len(self.names) > 0, "the names of the columns")
        expect(is_texts(self.dtypes) and all(map(known_dtype, self.dtypes)), "the types of the columns")
        expect(len(self.dtypes) == len(self.names), "the number of types")
        expect(self.container in ARRAYS + FRAMES, "the container")
        expect(all(isinstance(flag, bool) for flag in (self.named, self.integer_names)), "the kind of names")
        expect(not self.integer_names or all(name.lstrip("-").isdecimal() for name in self.names), "the numbered names")
        expect(is_texts(self.notes), "the notes")
        for name, kind in (("center", "f"), ("scale", "f"), ("resolution", "f"), ("binary", "b")):
            array = getattr(self, name)
            expect(isinstance(array, np.ndarray) and array.dtype.kind == kind, f"the type of {name}")
            expect(array.shape == (len(self.names),), f"the shape of {name}")
        expect(np.isfinite(self.scale).all() and (self.scale >= 0.0).all() and self.scale.any(), "the scales")
        expect(np.isfinite(self.center[self.scale > 0.0]).all() and not np.isinf(self.center).any(), "the centers")
        expect(np.isfinite(self.resolution).all() and (self.resolution >= 0.0).all(), "the resolutions")


def _joined(parts: list[tuple[Any, Array]], width: int) -> Array:
    """Groups of columns as one array ``[N, width]`` of the narrowest type that holds them all."""
    if len(parts) == 1:
        return parts[0][1]
    joined = np.empty((len(parts[0][1]), width), np.result_type(*(part for _, part in parts)))
    for group, part in parts:
        joined[:, group] = part
    return joined


def _notes(table: Table, summary: Summary, kept: Array, ordered: Array) -> Iterator[str]:
    constant = np.flatnonzero(~kept & ~np.isnan(summary.low))
    if len(constant):
        values = _some(f"{table.names[c]!r} ({summary.low[c]:g})" for c in constant)
        yield f"columns of one value only are left out of the model and restored in what it gives back: {values}"
    empty = np.flatnonzero(np.isnan(summary.low))
    if len(empty):
        yield f"columns without any value are left out of the model: {_some(repr(table.names[c]) for c in empty)}"
    if summary.empty_rows:
        yield f"rows without any value: {summary.empty_rows}; nothing can be learnt from them"
    if len(table) < len(table.names):
        yield f"there are fewer rows ({len(table)}) than columns ({len(table.names)}): expect little to carry over to new rows"
    for column, row, value in far_values(table.values, ordered, summary.low, summary.high):
        place = f"column {table.names[column]!r} holds {value:g} in row {row} (counted from 0)"
        yield f"{place}, over a million times its spread away: if that is a code for 'missing', replace it by NaN"


def _some(texts: Iterable[str]) -> str:
    """The first few of many texts."""
    every = list(texts)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more
