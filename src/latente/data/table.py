"""The codec of tables: z-scores of numbers, 0 and 1 as they are, levels by their place; and back into the user's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from latente.data.as_dates import Fitted, as_dates
from latente.data.bins import cut
from latente.data.containers import ARRAYS, FRAMES, Array, categories_of, known_dtype, numpy_dtype, snap, to_array, to_frame
from latente.data.fields import (
    Summary,
    encoded,
    on_grid,
    ordered_sample,
    recorded_grid,
    recorded_resolution,
    restore,
    standardise,
    summarise,
)
from latente.data.files import quoted
from latente.data.flags import EMPTY, absent, only_label, present
from latente.data.identifiers import Shape, fresh, is_shape, shape_of, shape_of_numbers
from latente.data.kinds import (
    ASKED,
    ATOM,
    CHOICES,
    FEW_NUMBERS,
    FLAG,
    LEFT_OUT,
    NAMES_ROWS,
    OF_NUMBERS,
    WHOLE,
    is_matrix,
    kinds_of,
)
from latente.data.moments import is_moment, refuse_unlike, told
from latente.data.notes import notes_of, tell_unknown
from latente.data.seen import as_it_came, as_numbers, as_texts, exactly, kept, numbered, with_seen
from latente.data.sources import Images, Table, is_number
from latente.data.state import Stored, expect, is_texts
from latente.data.text import Layout, Notation, Reading, TextTable, is_encoding
from latente.errors import DataError
from latente.rows import BINARY, CATEGORICAL, Bins, Field, Record, Rows, row_shape
from latente.words import Message

BOUNDS_OF_FLAG = (0.0, 1.0, 1.0, 0.0)  # low, high, grid, missing
TO_THE_STEP = ("real", "positive", "bounded", "calendar", "time", "duration")  # of whole numbers the mean is worth its decimals
_OF_BINS = ("bin_low", "bin_high", "bin_rows")
_DTYPES = {
    **dict.fromkeys(("center", "scale", "resolution", "low", "high", "grid", "missing", *_OF_BINS), np.float64),
    **dict.fromkeys(("counts", "bin_counts"), np.int64),
    "binary": np.bool_,
}
MIN_SPREAD = 0.01  # of the spread over all rows, from which on some rows tell the scale of a column
ROUNDING = 1e-5  # of the spread: encoded values are of single precision


@dataclass(frozen=True, eq=False)
class TableCodec(Stored):
    """Turns a table's rows into what the model sees, and back.

    A column of one value, or of none, is left out of the model and restored by :meth:`decode`. A column that names rows (a
    running number, texts that hardly repeat, a running time stamp) is left out, too, and :meth:`decode` leaves it empty. A
    column that holds one value in some rows and nothing in the others is a flag: 1 where the value is, 0 where nothing is.
    Its levels are "(empty)" and the value; it is never missing.

    Attributes:
        names, dtypes, container, named, integer_names: as in :class:`~latente.data.sources.Table`, of the table fitted on.
        center: float64 ``[F]``, what is subtracted, in the column's units; of a column left out its only value, or NaN.
        scale: float64 ``[F]``, what is divided by, in the column's units; 0 for a column left out.
        resolution: float64 ``[F]``, smallest step between recorded values divided by ``scale``; 0 where continuous.
        low, high: float64 ``[F]``, smallest and largest value, in the column's units; NaN where there is none.
        grid: float64 ``[F]``, the step of which every value is a multiple away from ``low``; 0 where there is none.
        missing: float64 ``[F]``, the share of rows in which a column was not seen.
        binary: bool ``[F]``, the columns of 0 and 1, and of two texts, which are not scaled.
        kinds, reasons: what each column is taken for, and why (:mod:`latente.data.kinds`).
        counts: int64 ``[F]``, how many levels a column has: different texts, or numbers that are codes; 0 where it has none.
        texts: the levels of all such columns, one column after the other.
        bin_counts: int64 ``[F]``, into how many bins a column of numbers is cut (:mod:`latente.data.bins`); 0 for others,
            and in an array or a frame without names, which is taken for a matrix of measures.
        bin_low, bin_high, bin_rows: float64, ends of the bins of all such columns, one column after the other, in the
            user's units, and how many rows each held. A flag of numbers or dates has one, its value.
        identifiers: of each column that names rows the shape of its names (:mod:`latente.data.identifiers`); None for others,
            and where there is none.
        notes: sentences about the data that a person should know.
        notations: how each column was written in a text file; () where the data came from elsewhere.
        file_layout: how that file was laid out. file_reading: what was asked for when it was read.
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    container: str
    named: bool
    integer_names: bool
    center: Array
    scale: Array
    resolution: Array
    low: Array
    high: Array
    grid: Array
    missing: Array
    binary: Array
    kinds: tuple[str, ...]
    reasons: tuple[Message, ...]
    counts: Array
    texts: tuple[str, ...]
    bin_counts: Array
    bin_low: Array
    bin_high: Array
    bin_rows: Array
    identifiers: tuple[Shape | None, ...]
    notes: tuple[Message, ...]
    notations: tuple[Notation | None, ...] = ()
    file_layout: Layout | None = None
    file_reading: Reading | None = None

    kind: ClassVar[str] = "table"

    @classmethod
    def fit(cls, table: Table, kinds: Mapping[str, str] | None = None, as_recorded: bool = False) -> Self:
        """The codec of a table.

        Args:
            table: the rows.
            kinds: of some columns, by name, what they are.
            as_recorded: leave numbers as they are (8-bit whole numbers that go beyond 1 as shares of 255), for a likelihood
                with a support of its own, instead of standardising them.

        Raises:
            DataError: if no column has two different values, or a column can't be of the kind that is asked for.
        """
        table = _with_numbers(_with_codes(table, kinds or {}), kinds or {})
        summary, ordered = summarise(table.values), ordered_sample(table.values)
        steps = recorded_resolution(ordered, np.where(summary.scale > 0.0, summary.scale, 1.0))
        grid = recorded_grid(ordered, summary.low, steps * summary.scale)
        found = kinds_of(table, summary, ordered, grid, kinds or {})
        grid = np.where([kind.reason == ASKED and kind.kind in WHOLE for kind in found], 1.0, grid)
        names_rows, flags = (np.isin([kind.kind for kind in found], kinds) for kinds in (NAMES_ROWS, FLAG))
        kept = ((summary.scale > 0.0) | flags) & ~names_rows
        if not kept.any():
            others = " but those that are left out" if names_rows.any() else ""
            raise DataError(f"there is nothing to learn: no column holds two different values{others}")
        levels = {column: texts for column, texts in table.levels.items() if not names_rows[column]}
        of_values = flags & ~np.isin(np.arange(len(flags)), [*levels])
        levels |= {int(column): (EMPTY, only_label(table, int(column))) for column in np.flatnonzero(flags)}
        counts = np.array([len(levels.get(column, ())) for column in range(len(table.names))], np.int64)
        as_it_is = summary.binary | (counts > 0)
        numbers = kept & ~as_it_is
        unit = np.full(len(flags), _unit(table, summary, numbers)) if as_recorded else summary.scale
        center = np.where(numbers, 0.0 if as_recorded else summary.mean, np.where(kept, 0.0, summary.low))
        center[names_rows] = np.nan
        scale = np.where(kept, np.where(as_it_is, 1.0, unit), 0.0)
        resolution = np.where(kept & (counts == 0), steps * summary.scale / np.where(kept, scale, 1.0), 0.0)
        notes = tuple(notes_of(table, summary, [kind.kind for kind in found], ordered))
        own = (table.names, table.dtypes, table.container, table.named, table.integer_names)
        texts = tuple(text for column in sorted(levels) for text in levels[column])
        cut_up = kept & (counts == 0) & (not as_recorded and not is_matrix(table))
        bins = _bins(table, cut_up | of_values, grid)
        recorded = (summary.low, summary.high, grid, summary.missing)
        low, high, step, missing = (np.where(flags, *pair) for pair in zip(BOUNDS_OF_FLAG, recorded, strict=True))
        binary = (summary.binary | flags) & kept
        said = tuple(kind.kind for kind in found), tuple(kind.reason for kind in found)
        shapes = tuple(_shape(table, column) if kind.kind == "identifier" else None for column, kind in enumerate(found))
        bounds, notes = (low, high, step, missing), (*table.notes, *notes)
        codec = cls(*own, center, scale, resolution, *bounds, binary, *said, counts, texts, *bins, shapes, notes)
        return codec if table.text is None else replace(codec, **_written(table.names, table.text))

    def scaled_by(self, rows: Rows) -> Self:
        """The same codec with the means and standard deviations of some encoded rows, such as the training rows.

        Kinds, levels, ranges and bins stay: they are those of all rows, so that rows held out hold nothing unknown. A column
        that hardly varies in these rows keeps its scale.
        """
        seen = torch.ones_like(rows.x, dtype=torch.bool) if rows.mask is None else rows.mask
        count = seen.sum(0).clamp_min(1)
        mean = torch.where(seen, rows.x, 0.0).sum(0, dtype=torch.float64) / count
        spread = torch.where(seen, rows.x - mean, 0.0).square().sum(0, dtype=torch.float64).div(count).sqrt()
        numbers = torch.from_numpy(~self.binary & (self.counts == 0))[self._kept] & (spread >= MIN_SPREAD)
        shift, factor = (torch.where(numbers, *pair).numpy() for pair in ((mean, 0.0), (spread, 1.0)))
        center, scale, resolution = self.center.copy(), self.scale.copy(), self.resolution.copy()
        center[self._kept] += scale[self._kept] * shift
        scale[self._kept] *= factor
        resolution[self._kept] /= factor
        return replace(self, center=center, scale=scale, resolution=resolution)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """What the model sees: one field for each column that is not left out."""
        return tuple(
            Field(
                self.names[column],
                CATEGORICAL,
                levels=int(self.counts[column]),
                bins=self._bins(column),
                missing=float(self.missing[column]),
                ordered=bool(categories_of(self.dtypes[column])),
            )
            if self.counts[column] and not self.binary[column]
            else Field(
                self.names[column],
                BINARY if self.binary[column] else self.kinds[column],
                resolution=float(self.resolution[column]),
                bins=self._bins(column),
                missing=float(self.missing[column]),
                record=self._record(column),
            )
            for column in self._kept
        )

    def _record(self, column: int) -> Record:
        """How a column's numbers are recorded, in encoded units."""
        center, scale = float(self.center[column]), float(self.scale[column])
        zero, low, high = ((float(end) - center) / scale for end in (0.0, self.low[column], self.high[column]))
        part = self._own_bins(column)
        rows, alone = self.bin_rows[part], self.bin_low[part] == self.bin_high[part]
        often = np.flatnonzero(alone & (rows >= ATOM * rows.sum()))
        atom = None
        if len(rows) > FEW_NUMBERS and len(often):
            atom = (float(self.bin_low[part][often[rows[often].argmax()]]) - center) / scale
        return Record(zero, 1 / scale, float(self.grid[column]) / scale, low, high, atom)

    def _bins(self, column: int) -> Bins | None:
        """How a column is cut into bins, in encoded units; of levels, each is one."""
        if self.counts[column]:
            levels = tuple(map(float, range(self.counts[column])))
            return Bins(levels, levels, (1.0,) * len(levels), (0.0,) * len(levels))
        if not self.bin_counts[column]:
            return None
        part = self._own_bins(column)
        low, high = ((ends[part] - self.center[column]) / self.scale[column] for ends in (self.bin_low, self.bin_high))
        values = np.rint((high - low) * self.scale[column] / self.grid[column]) if self.grid[column] else np.zeros_like(low)
        size = np.where(high > low, values, 1.0)
        return Bins(*(tuple(values.tolist()) for values in (low, high, size, self.bin_rows[part])))

    def _own_bins(self, column: int) -> slice:
        """Where a column's bins stand among those of all."""
        begin = int(self.bin_counts[:column].sum())
        return slice(begin, begin + int(self.bin_counts[column]))

    def levels(self, column: int) -> tuple[str, ...]:
        """The different texts of a column, in the order of their codes; () for one of numbers."""
        begin = int(self.counts[:column].sum())
        return self.texts[begin : begin + int(self.counts[column])]

    @property
    def text_names(self) -> tuple[str, ...]:
        """Names of the columns of text."""
        return tuple(name for name, label in zip(self.names, self.dtypes, strict=True) if numpy_dtype(label).kind == "O")

    @cached_property
    def known_notations(self) -> dict[str, Notation]:
        """How columns were written in the text file of the fit, by name."""
        pairs = zip(self.names, self.notations, strict=False)
        return {name: notation for name, notation in pairs if notation is not None}

    @property
    def reading_of_fit(self) -> dict[str, Any]:
        """How further files are read: as was asked for that of the fit, but for its encoding, which is found."""
        asked = {} if self.file_reading is None else vars(self.file_reading)
        return {name: value for name, value in asked.items() if value not in (None, ()) and name != "encoding"}

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

    @cached_property
    def _flags(self) -> list[int]:
        """Places of the flags."""
        return [column for column in self._kept.tolist() if self.kinds[column] == FLAG]

    def _only(self, column: int) -> float | str:
        """What a flag holds where it is not empty: a number, or a text."""
        return float(self.bin_low[self._own_bins(column)][0]) if self.bin_counts[column] else self.levels(column)[1]

    def like_fitted(self, data: Table | Images) -> Table | Images:
        """Rows with ISO texts as dates in the columns that held dates in the fit (:func:`latente.data.as_dates.as_dates`)."""
        if not isinstance(data, Table):
            return data
        kept = self._kept.tolist()
        places = self._positions(data)[kept].tolist()
        return as_dates(data, map(Fitted, places, (self.names[c] for c in kept), (self.dtypes[c] for c in kept)))

    def value_at(self, row: Tensor, place: int) -> str:
        """One value of an encoded row [len(fields)] in words: its column, and what that holds in the user's units."""
        column = int(self._kept[place])
        value = float(row[place]) * self.scale[column] + self.center[column]
        levels = self.levels(column)
        held = repr(levels[min(len(levels) - 1, round(value))]) if levels else told(value, self.dtypes[column])
        return f"column {self.names[column]!r} holds {held}"

    def encode(self, data: Table | Images, unknown: str = "error") -> Rows:
        """Rows ``[N, len(fields)]`` of a table; columns are matched by name where both tables have names.

        Args:
            data: the rows; of columns with names, those that are left out of the model need not be there.
            unknown: what a level is that the codec was not fitted on: ``"error"``, or ``"missing"`` for "not seen", with a
                warning that names it.

        Raises:
            DataError: if columns are missing, or there is another number of them, or these are pictures.
        """
        if not isinstance(data, Table):
            raise DataError(f"these are pictures, and the model was fitted on a table of {self.n_features} columns")
        columns = self._positions(data)[self._kept]
        self._check_dates(data, columns)
        in_order = np.array_equal(columns, np.arange(len(data.names)))
        center, scale = self.center[self._kept], self.scale[self._kept]
        values = data.values if not (self.counts.any() or data.levels) else self._recoded(data, columns, unknown)
        return standardise(values, center, scale, slice(None) if in_order else columns)

    def _check_dates(self, table: Table, columns: Array) -> None:
        """Raise DataError where a column held dates and holds something else now, or the other way round."""
        for own, column in zip(self._kept, columns, strict=True):
            if not np.isnan(table.values[:, column]).all():
                refuse_unlike(self.names[own], self.dtypes[own], table.dtypes[column])

    def _recoded(self, table: Table, columns: Array, unknown: str) -> Array:
        """A table's values with its levels numbered as in the table that the codec was fitted on."""
        values, strange = table.values.copy(order="K"), []
        for own, column in zip(self._kept, columns, strict=True):
            known, given = self.levels(own), table.levels.get(int(column))
            if own in self._flags:
                values[:, column], new = present(table, int(column), self.names[own], self._only(own))
                strange += [(self.names[own], new)] if new else []
            elif known:
                values[:, column], new = numbered(table, int(column), known)
                strange += [(self.names[own], new)] if new else []
            elif given:
                values[:, column] = as_numbers(self.names[own], values[:, column], given)
        tell_unknown(strange, unknown)
        flags = columns[np.isin(self._kept, self._flags)]
        if 0 < len(flags) < len(columns):  # where nothing is there at all, that a flag is not says nothing
            values[np.ix_(np.isnan(table.values[:, columns]).all(1), flags)] = np.nan
        return values

    def _positions(self, table: Table) -> Array:
        """Where each of the codec's columns stands in a table; -1 where one is not there that the model does not need."""
        if table.named and self.named:
            positions = {name: position for position, name in enumerate(table.names)}
            missing = [name for name in (self.names[column] for column in self._kept) if name not in positions]
            if missing:
                raise DataError(f"columns that the model was fitted on are missing: {quoted(missing)}")
            return np.array([positions.get(name, -1) for name in self.names])
        if len(table.names) != self.n_features:
            raise DataError(f"X has {len(table.names)} features, but VAE is expecting {self.n_features} features as input.")
        return np.arange(self.n_features)

    def decode(
        self,
        x: Array | Tensor,
        container: str | None = None,
        *,
        seen: Table | Images | None = None,
        possible: bool = False,
        mask: Tensor | None = None,
        names_from: int | None = None,
    ) -> Any:
        """Rows in the user's columns, order, types and units.

        Args:
            x: encoded rows ``[N, len(fields)]``.
            container: ``"numpy"``, ``"torch"``, ``"pandas"``, ``"polars"`` or ``"pyarrow"``; as it came in where None.
            seen: the same rows as they came in; what they hold stays, to the bit (in a wider type where that of the fit does
                not hold it), and ``x`` only fills in what they lack. Levels that the codec was not fitted on are filled in.
                Dates, times, durations and decimals of columns with names are filled in to the step of the record.
            possible: keep to what can be: no value beyond the smallest and the largest, none off the grid of the record.
            mask: bool ``[N, n_features]``, False where a hole is to be left; None leaves none.
            names_from: a seed, to give each row a name that nobody had in the columns that name rows; None leaves them empty.

        Returns:
            A frame, or an array ``[N, n_features]`` of the narrowest type that holds every column's. Whole numbers are
            rounded, booleans cut at .5; decimals come as floats.

        Raises:
            DataError: if the rows have another shape, or the container is unknown or not installed.
        """
        container = container or self.container
        x = self._with_left_out(encoded(x, self.shape))
        stepped = np.full(self.n_features, possible)
        if isinstance(seen, Table) and self.named and not self.integer_names:
            stepped |= np.isin(self.kinds, TO_THE_STEP)
        parts = [(group, self._restored(x, group, dtype, possible, stepped)) for dtype, group in self._groups]
        holes = {} if mask is None else {column: hole for column, hole in enumerate((~mask).numpy().T) if hole.any()}
        for column in self._flags:
            place = self._positions(seen)[column] if isinstance(seen, Table) else -1
            holes[column] = holes.get(column, False) | absent(x[:, column], seen, place)
        new = {} if names_from is None else self._new_names(len(x), names_from)
        if container in ARRAYS:
            joined = _joined(parts, self.n_features)
            for column, values in new.items():
                joined[:, column] = values
            for column, hole in holes.items():
                joined = np.where((np.arange(self.n_features) == column) & hole[:, None], np.nan, joined)
            return to_array(with_seen(joined, seen) if isinstance(seen, Table) else joined, container)
        everywhere = np.arange(self.n_features)
        columns = {int(c): values for group, part in parts for c, values in zip(everywhere[group], part.T, strict=True)}
        columns |= new
        empty, dtypes = set(np.flatnonzero(np.isnan(self.center)).tolist()) - set(new), dict(enumerate(self.dtypes))
        if isinstance(seen, Table):
            labels, left_empty = self._keep(columns, seen, empty)
            dtypes |= labels
            holes |= left_empty
            empty -= set(left_empty)
        named = {name: columns[column] for column, name in enumerate(self.names)}
        left = {self.names[column]: hole for column, hole in holes.items() if hole.any()}
        nothing = {self.names[column] for column in empty}
        return to_frame(named, tuple(dtypes.values()), nothing, container, self.integer_names, left)

    def with_holes(self, seen: Tensor, seed: int) -> Tensor:
        """Which values of new rows are there, bool ``[N, n_features]``, by which of the model's are, ``[N, len(fields)]``.

        Of columns of one value only, of which the model knows nothing, as many are there as in the rows fitted on.
        """
        alone = np.flatnonzero((self.scale == 0.0) & ~np.isnan(self.center))
        whole = np.ones((len(seen), self.n_features), bool)
        whole[:, self._kept] = seen.numpy()
        whole[:, alone] = np.random.default_rng(seed).random((len(seen), len(alone))) >= self.missing[alone]
        return torch.from_numpy(whole)

    def _keep(self, columns: dict[int, Any], seen: Table, empty: set[int]) -> tuple[dict[int, str], dict[int, Array]]:
        """Put what was seen into decoded columns, and say of which type these then are. Columns of ``empty``, in which nothing
        is filled in, become what came, of the type that came: of those also where their holes are.
        """
        labels, holes = {}, {}
        for column, place in enumerate(self._positions(seen).tolist()):
            there = ~np.isnan(seen.values[:, place])
            if place < 0 or not there.any():
                continue
            if column in empty:
                columns[column], labels[column], holes[column] = as_it_came(seen, place), seen.dtypes[place], ~there
                continue
            name, label, levels = self.names[column], self.dtypes[column], self.levels(column)
            refuse_unlike(name, label, seen.dtypes[place])
            if column in self._flags:
                there = present(seen, place, name, self._only(column))[0] == 1.0
            elif levels and self.scale[column] > 0.0:  # what the model does not know counted as not seen, and is filled in
                there = ~np.isnan(numbered(seen, place, levels)[0])
            columns[column], labels[column] = kept(name, columns[column], label, seen, place, there, levels)
        return labels, holes

    def _new_names(self, n: int, seed: int) -> dict[int, Array]:
        """For each column that names rows in a known shape, ``n`` names that nobody had."""
        shapes = {column: shape for column, shape in enumerate(self.identifiers) if shape is not None}
        own = {column: seed * len(self.names) + column for column in shapes}  # or two columns of UUIDs would be the same
        return {column: self._of_type(column, fresh(shape, n, own[column])) for column, shape in shapes.items()}

    def _of_type(self, column: int, names: list[str]) -> Array:
        """Names of rows in the type that a column has.

        Raises:
            DataError: it does not hold such large numbers.
        """
        dtype = numpy_dtype(self.dtypes[column])
        if dtype.kind in "iu" and names and int(names[-1]) > np.iinfo(dtype).max:
            more = f"the next numbers, up to {names[-1]}, are beyond what its type holds ({dtype.name})"
            raise DataError(f"column {self.names[column]!r} can't name {len(names):,} new rows: {more}")
        return np.array(names).astype(dtype)

    def _restored(self, x: Array, group: Any, dtype: np.dtype[Any], possible: bool, stepped: Array) -> Array:
        """The columns of one type in the user's values; those that are ``stepped`` (bool ``[F]``) on the grid of the record."""
        if dtype.kind != "O":
            return self._numbers(x, group, dtype, possible, stepped[group])
        columns = np.arange(self.n_features)[group]
        texts = [self._of_levels(column, x[:, column], np.array(self.levels(int(column)), object)) for column in columns]
        return np.stack(texts, 1)

    def _numbers(self, x: Array, group: Any, dtype: np.dtype[Any], possible: bool, stepped: Array) -> Array:
        columns = np.arange(self.n_features)[group]
        coded = np.flatnonzero(self._codes[columns])
        values = restore(x[:, group], self.center[group], self.scale[group], np.dtype(float) if len(coded) else dtype)
        if stepped.any():
            possible_ones = on_grid(values, self.low[group], self.high[group], self.grid[group])
            values = np.where(stepped, possible_ones, values)
        if possible:
            for recorded, column in zip(values.T, columns, strict=True):
                recorded[:] = self._as_recorded(column, recorded)
        values = snap(values, dtype)
        for place in coded:
            numbers = self._level_numbers(int(columns[place]), dtype)
            values[:, place] = self._of_levels(columns[place], x[:, columns[place]], numbers)
        return values

    def _level_numbers(self, column: int, dtype: np.dtype[Any]) -> Array:
        """The numbers that a column's levels are; of a flag its value for both."""
        if self.kinds[column] != FLAG:
            return exactly(self.levels(column), dtype)
        only = self._only(column)
        return np.repeat(exactly((only,), dtype) if isinstance(only, str) else snap(np.array([only]), dtype), 2)

    def _as_recorded(self, column: Any, values: Array) -> Array:
        """A column's values, of which those that are one that repeats, but for rounding, are it exactly."""
        low = self.bin_low[self._own_bins(column)]
        often = low[low == self.bin_high[self._own_bins(column)]]
        if not len(often) or self.grid[column]:
            return values
        nearest = often[np.abs(values[:, None] - often).argmin(1)]
        return np.where(np.abs(values - nearest) <= ROUNDING * self.scale[column], nearest, values).astype(values.dtype)

    def _of_levels(self, column: Any, x: Array, levels: Array) -> Array:
        """A column's levels by their numbers."""
        codes = np.rint(x * self.scale[column] + self.center[column]).astype(np.intp)
        return np.asarray(levels[np.clip(codes, 0, len(levels) - 1)])

    @cached_property
    def _codes(self) -> Array:
        """Which columns hold numbers that are levels, bool ``[F]``."""
        return np.array([bool(n) and numpy_dtype(label).kind != "O" for n, label in zip(self.counts, self.dtypes, strict=True)])

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

    def log_jacobian(self, rows: Rows, densities: Tensor | bool = True) -> Tensor:
        """:meth:`log_jacobians` summed over the fields; float64 ``[N]``."""
        return self.log_jacobians(rows, densities).sum(1)

    def log_jacobians(self, rows: Rows, densities: Tensor | bool = True) -> Tensor:
        """log |d encoded / d user's unit| of the fields that were seen, in nats; float64 ``[N, F]``.

        Added to the log-likelihood of encoded rows it gives that of the user's own values.

        Args:
            rows: encoded rows.
            densities: which values have a density, and not a probability, bool ``[N, F]`` or ``[]``.
        """
        counted = (
            torch.as_tensor(densities).expand(rows.x.shape)
            if rows.mask is None
            else torch.as_tensor(densities) & rows.mask.cpu()
        )
        return counted.double() * -torch.from_numpy(np.log(self.scale[self._kept]))

    def check(self) -> None:
        """Raise StorageError if the attributes, which come from a file, do not fit each other."""
        expect(is_texts(self.names) and len(set(self.names)) == len(self.names) > 0, "the names of the columns")
        expect(is_texts(self.dtypes) and all(map(known_dtype, self.dtypes)), "the types of the columns")
        expect(len(self.dtypes) == len(self.names), "the number of types")
        expect(self.container in ARRAYS + FRAMES, "the container")
        expect(all(isinstance(flag, bool) for flag in (self.named, self.integer_names)), "the kind of names")
        expect(not self.integer_names or all(name.lstrip("-").isdecimal() for name in self.names), "the numbered names")
        for name, dtype in _DTYPES.items():
            array = getattr(self, name)
            expect(array.dtype == dtype, f"the type of {name}")
            expect(array.ndim == 1 and (name in _OF_BINS or len(array) == len(self.names)), f"the shape of {name}")
        expect(np.isfinite(self.scale).all() and (self.scale >= 0.0).all() and self.scale.any(), "the scales")
        expect(np.isfinite(self.center[self.scale > 0.0]).all() and not np.isinf(self.center).any(), "the centers")
        expect(is_texts(self.texts) and (self.counts >= 0).all() and self.counts.sum() == len(self.texts), "the levels")
        text = np.array([numpy_dtype(label).kind == "O" for label in self.dtypes])
        expect(not (text & (self.scale > 0.0) & (self.counts < 2)).any(), "the levels")
        coded = [self.levels(int(column)) for column in np.flatnonzero(self._codes) if column not in self._flags]
        expect(all(is_number(level) for levels in coded for level in levels), "the codes")
        expect(is_texts(self.kinds), "the kinds")
        expect(len(self.kinds) == len(self.reasons) == len(self.names), "the number of kinds")
        expect(len(self.identifiers) == len(self.names), "the number of identifiers")
        expect(all(shape is None or is_shape(shape) for shape in self.identifiers), "the identifiers")
        expect(self.bin_counts.sum() == len(self.bin_low) == len(self.bin_high) == len(self.bin_rows), "the bins")
        expect((self.bin_counts >= 0).all() and np.isfinite(np.stack([self.bin_low, self.bin_high])).all(), "the bins")
        expect(not (self.bin_low > self.bin_high).any() and (self.bin_rows >= 0).all(), "the bins")
        parts = [self._own_bins(column) for column in range(len(self.names))]
        expect(all((self.bin_high[part][:-1] <= self.bin_low[part][1:]).all() for part in parts), "the order of the bins")
        expect(((self.missing >= 0.0) & (self.missing <= 1.0)).all(), "the shares of missing values")
        expect(set(self.kinds) <= {*CHOICES, *LEFT_OUT}, "the kinds")
        expect(np.isfinite(np.stack([self.low, self.high])[:, self.scale > 0.0]).all(), "the bounds")
        expect(all(self._is_flag(column) for column, kind in enumerate(self.kinds) if kind == FLAG), "the flags")
        expect(not (self.low > self.high).any() and np.isfinite(self.grid).all() and (self.grid >= 0.0).all(), "the bounds")
        expect(np.isfinite(self.resolution).all() and (self.resolution >= 0.0).all(), "the resolutions")
        expect(len(self.notations) in (0, len(self.names)), "the number of notations")
        expect(self.file_layout is None or is_encoding(self.file_layout.encoding), "the encoding of the file")

    def _is_flag(self, column: int) -> bool:
        """Whether a column is stored as flags are: 0 or 1, with two levels and a value, its only bin or a level."""
        if not (self.binary[column] and self.counts[column] == 2 and self.scale[column] == 1.0):
            return False
        return self.bin_counts[column] == 1 or not self._codes[column] or is_number(self.levels(column)[1])


def _written(names: tuple[str, ...], text: TextTable) -> dict[str, Any]:
    """How the columns of a text file are written, and how it is laid out, as a codec keeps them."""
    layout = replace(text.layout, above="")
    return {"notations": tuple(map(text.notations.get, names)), "file_layout": layout, "file_reading": text.asked}


def _unit(table: Table, summary: Summary, numbers: Array) -> float:
    """What is divided by where numbers stay as they are recorded: 255 for 8 bits, as of pictures, unless all are 0 or 1."""
    of_bytes = {np.dtype(np.uint8)} == {numpy_dtype(table.dtypes[column]) for column in np.flatnonzero(numbers)}
    return 255.0 if of_bytes and bool((summary.high[numbers] > 1).any()) else 1.0


def _joined(parts: list[tuple[Any, Array]], width: int) -> Array:
    """Groups of columns as one array ``[N, width]`` of the narrowest type that holds them all."""
    if len(parts) == 1:
        return parts[0][1]
    joined = np.empty((len(parts[0][1]), width), np.result_type(*(part for _, part in parts)))
    for group, part in parts:
        joined[:, group] = part
    return joined


def _bins(table: Table, columns: Array, grid: Array) -> tuple[Array, Array, Array, Array]:
    """How many bins each of some columns of numbers has, and the bins' ends and rows, column after column."""
    counts, found = np.zeros(len(table.names), np.int64), [np.empty((3, 0))]
    for column in np.flatnonzero(columns):
        values = table.values[:, column].astype(np.float64)
        found.append(np.stack(cut(values[~np.isnan(values)], float(grid[column]))))
        counts[column] = found[-1].shape[1]
    low, high, rows = np.concatenate(found, 1)
    return counts, low, high, rows


def _with_codes(table: Table, kinds: Mapping[str, str]) -> Table:
    """The table, with the numbers of columns that are asked to be categorical, or binary and are not 0 and 1, as levels."""

    def asked(column: int) -> bool:
        kind, values = kinds.get(table.names[column]), table.values[:, column]
        return kind == "categorical" or (kind == "binary" and not bool(np.isin(values[~np.isnan(values)], (0, 1)).all()))

    columns = [c for c in range(len(table.names)) if c not in table.levels and asked(c)]
    if not columns:
        return table
    values, levels = table.values.astype(np.float64), dict(table.levels)
    for column in columns:
        levels[column], values[:, column] = as_texts(values[:, column])
    return replace(table, values=values, levels=levels)


def _with_numbers(table: Table, kinds: Mapping[str, str]) -> Table:
    """The table, with texts that are numbers as such where that is asked for: 007 as 7."""
    columns = [c for c in table.levels if kinds.get(table.names[c]) in OF_NUMBERS and all(map(is_number, table.levels[c]))]
    if not columns:
        return table
    values, levels, dtypes = table.values.copy(order="K"), dict(table.levels), list(table.dtypes)
    for column in columns:
        _refuse_large(table.names[column], kinds[table.names[column]], table.levels[column])
        values[:, column] = as_numbers(table.names[column], values[:, column], levels.pop(column))
        dtypes[column] = "Float64" if (values[:, column] % 1 > 0).any() else "Int64"
    return replace(table, values=values, levels=levels, dtypes=tuple(dtypes))


def _refuse_large(name: str, kind: str, texts: tuple[str, ...]) -> None:
    large = next((text for text in texts if abs(float(text)) > 2.0**53), None)
    if large is not None:
        raise DataError(
            f"column {name!r} is asked to be {kind!r} and holds {large}: beyond 2**53 neighbouring whole numbers can't be told "
            "apart; leave its kind open, so that each is a level of its own, or subtract what all have in common"
        )


def _shape(table: Table, column: int) -> Shape | None:
    """The shape of the names in a column that names rows."""
    if column in table.levels:
        return shape_of(table.levels[column])
    values = table.values[:, column]
    return None if is_moment(table.dtypes[column]) else shape_of_numbers(values[~np.isnan(values)])
