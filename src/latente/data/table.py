"""The codec of tables: a codec for each column, and properties of several columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from latente.data.as_dates import Fitted, as_dates
from latente.data.columns import Column, Facts, Flag, Name, Number, as_asked, class_of, is_matrix, kind_of_column, refuse_kinds
from latente.data.containers import ARRAYS, Array, numpy_dtype, snap, to_array, to_frame
from latente.data.fields import (
    encoded,
    mean_and_spread,
    on_grid,
    ordered_sample,
    recorded_grid,
    recorded_resolution,
    restore,
    standardise,
)
from latente.data.files import quoted
from latente.data.identifiers import Shape
from latente.data.notes import notes_of, tell_unknown
from latente.data.observed import as_it_came, with_observed
from latente.data.sources import Images, Table
from latente.data.state import State
from latente.data.survey import Survey
from latente.data.table_state import TableState
from latente.data.text import Layout, Notation, Reading, TextTable
from latente.errors import DataError
from latente.rows import Field, Rows, ValueGrid, row_shape
from latente.words import Message

MIN_SPREAD = 0.01  # of the spread over all rows, from which on some rows tell the scale of a column


class _OfColumns:
    """Attributes of all columns: tuples, and arrays ``[F]`` of numbers."""

    columns: tuple[Column, ...]

    def _all(self, name: str) -> tuple[Any, ...]:
        return tuple(getattr(column, name) for column in self.columns)

    names = cached_property[tuple[str, ...]](lambda self: self._all("name"))
    dtypes = cached_property[tuple[str, ...]](lambda self: self._all("dtype"))
    kinds = cached_property[tuple[str, ...]](lambda self: self._all("kind"))
    reasons = cached_property[tuple[Message, ...]](lambda self: self._all("reason"))
    identifiers = cached_property[tuple[Shape | None, ...]](lambda self: self._all("names"))
    center = cached_property[Array](lambda self: np.array(self._all("center")))
    scale = cached_property[Array](lambda self: np.array(self._all("scale")))
    low = cached_property[Array](lambda self: np.array(self._all("low")))
    high = cached_property[Array](lambda self: np.array(self._all("high")))
    grid = cached_property[Array](lambda self: np.array(self._all("grid")))
    missing = cached_property[Array](lambda self: np.array(self._all("missing")))
    counts = cached_property[Array](lambda self: np.array([len(column.levels) for column in self.columns]))


@dataclass(frozen=True, eq=False)
class TableCodec(_OfColumns):
    """Converts a table's rows to encoded rows and back.

    Columns with a single value, or none, and columns that identify rows are not modelled. :meth:`decode` restores the first and
    leaves the others empty.

    Attributes:
        columns: the codec of each column (:class:`~latente.data.columns.Column`).
        names, dtypes, kinds, reasons, identifiers, center, scale, low, high, grid, missing: an attribute of all columns.
        counts: how many levels each column has.
        container, named, integer_names: as in :class:`~latente.data.sources.Table`, of the table of the fit.
        notes: remarks about the data.
        notations: how each column was written in a text file; () for data from other sources.
        file_layout: the layout of that file. file_reading: the options with which it was read.
    """

    columns: tuple[Column, ...]
    container: str
    named: bool
    integer_names: bool
    notes: tuple[Message, ...]
    notations: tuple[Notation | None, ...] = ()
    file_layout: Layout | None = None
    file_reading: Reading | None = None

    kind: ClassVar[str] = "table"
    interchange: ClassVar[str] = "pyarrow"

    @classmethod
    def fit(cls, table: Table | Survey, kinds: Mapping[str, str] | None = None, as_recorded: bool = False) -> Self:
        """The codec of a table.

        Args:
            table: the rows, or a survey of more rows than are in memory.
            kinds: the kinds of some columns, by name.
            as_recorded: leave numbers as they are (8-bit whole numbers that go beyond 1 as shares of 255), for a likelihood
                with a support of its own, instead of standardising them.

        Raises:
            DataError: if no column has two different values, or a column can't be of the kind that is asked for.
        """
        asked = kinds or {}
        survey = table if isinstance(table, Survey) else Survey.of(as_asked(table, asked))
        table, ordered = survey.table, ordered_sample(survey.some)
        refuse_kinds(asked, table.names)
        facts = list(_facts(survey, ordered))
        found = [kind_of_column(each, asked) for each in facts]
        classes = [class_of(kind.kind, bool(each.levels)) for each, kind in zip(facts, found, strict=True)]
        unit = _unit([f for f, made in zip(facts, classes, strict=True) if issubclass(made, Number)]) if as_recorded else None
        columns = tuple(made.fit(each, kind, unit) for made, each, kind in zip(classes, facts, found, strict=True))
        if not any(column.is_kept for column in columns):
            others = " but those that are left out" if any(column.names_rows for column in columns) else ""
            raise DataError(f"there is nothing to learn: no column holds two different values{others}")
        notes = (*table.notes, *notes_of(survey, [kind.kind for kind in found], ordered))
        codec = cls(columns, table.container, table.named, table.integer_names, notes)
        return codec if table.text is None else replace(codec, **_written(table.names, table.text))

    def to_state(self) -> State:
        """What can be written as JSON, and the arrays."""
        shared = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "columns"}
        return TableState.of(self.columns, **shared).to_state()

    @classmethod
    def from_state(cls, json: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The inverse of :meth:`to_state`.

        Raises:
            StorageError: if something is missing or does not fit.
        """
        state = TableState.from_state(json, arrays)
        shared = {field.name: getattr(state, field.name) for field in fields(cls) if field.name != "columns"}
        return cls(state.columns(), **shared)

    def levels(self, column: int) -> tuple[str, ...]:
        """The levels of a column in their order; () of numbers."""
        return self.columns[column].levels

    @property
    def known_levels(self) -> dict[str, tuple[str, ...]]:
        """The levels of each column, by its name."""
        return {column.name: column.levels for column in self.columns}

    @property
    def described(self) -> list[dict[str, Any]]:
        """Kind, reason and format of each column."""
        columns = zip(self.names, self.dtypes, self.kinds, self.reasons, self.missing.tolist(), strict=True)
        return [
            {"name": name, "dtype": dtype, "kind": kind, "because": reason, "missing": f"{missing:.1%}" if missing else None}
            for name, dtype, kind, reason, missing in columns
        ]

    @cached_property
    def places(self) -> Array:
        """Indices of the modelled columns."""
        return np.flatnonzero(self.scale > 0.0)

    def scaled_by(self, rows: Rows) -> Self:
        """The same codec with the means and standard deviations of some encoded rows, such as the training rows.

        Kinds, levels, ranges and bins stay: they are those of all rows, so that validation rows hold nothing unknown. A column
        that hardly varies in these rows keeps its scale.
        """
        mean, spread = mean_and_spread(rows)
        columns = list(self.columns)
        for place, shift, factor in zip(self.places, mean.tolist(), spread.tolist(), strict=True):
            column = columns[place]
            if not (column.binary or column.levels or factor < MIN_SPREAD):
                moved = {"center": column.center + column.scale * shift, "scale": column.scale * factor}
                columns[place] = replace(column, **moved, resolution=column.resolution / factor)
        return replace(self, columns=tuple(columns))

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields of a row: one for each modelled column."""
        return tuple(self.columns[place].field for place in self.places)

    @property
    def grids(self) -> tuple[ValueGrid, ...]:
        """How each value of an encoded row is recorded."""
        return tuple(field.grid for field in self.fields)

    @property
    def value_names(self) -> tuple[str, ...]:
        """The name of each value of an encoded row."""
        return tuple(field.name for field in self.fields)

    @property
    def text_names(self) -> tuple[str, ...]:
        """Names of the columns of text."""
        return tuple(column.name for column in self.columns if numpy_dtype(column.dtype).kind == "O")

    @cached_property
    def known_notations(self) -> dict[str, Notation]:
        """How columns were written in the text file of the fit, by name."""
        pairs = zip(self.names, self.notations, strict=False)
        return {name: notation for name, notation in pairs if notation is not None}

    @property
    def reading_of_fit(self) -> dict[str, Any]:
        """How further files are read: with the options of the fit, but with their own encoding."""
        asked = {} if self.file_reading is None else vars(self.file_reading)
        return {name: value for name, value in asked.items() if value not in (None, ()) and name != "encoding"}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the input."""
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
        """Number of columns of the input."""
        return len(self.columns)

    @cached_property
    def _flags(self) -> dict[int, Flag]:
        """The flags, by their places."""
        return {place: column for place, column in enumerate(self.columns) if isinstance(column, Flag)}

    # -- encode -----------------------------------------------------------------------------------------------------

    def like_fitted(self, data: Table | Images) -> Table | Images:
        """Rows with ISO texts as dates in the columns that held dates in the fit (:func:`latente.data.as_dates.as_dates`)."""
        if not isinstance(data, Table):
            return data
        kept = self.places.tolist()
        positions = self._positions(data)[kept].tolist()
        return as_dates(data, map(Fitted, positions, (self.names[c] for c in kept), (self.dtypes[c] for c in kept)))

    def in_container(self, container: str) -> Self:
        """The same for results of another type."""
        return replace(self, container=container)

    def value_at(self, row: Tensor, place: int) -> str:
        """One value of an encoded row [len(fields)] as text: its column, and its value in the user's units."""
        return f"column {self.columns[self.places[place]].name!r} holds {self.told(float(row[place]), place)}"

    def told(self, value: float, place: int) -> str:
        """An encoded value of a column of the model in the user's units, as text."""
        words: str = self.columns[self.places[place]].told(value)
        return words

    def encode(self, data: Table | Images, unknown: str = "error") -> Rows:
        """Rows ``[N, len(fields)]`` of a table; columns are matched by name where both tables have names.

        Args:
            data: the rows; columns that are not modelled may be missing.
            unknown: how to treat a level that did not occur in the fit: ``"error"``, or ``"missing"``, with a warning that
                names it.

        Raises:
            DataError: if columns are missing, or there is another number of them, or these are pictures.
        """
        if not isinstance(data, Table):
            raise DataError(f"these are pictures, and the model was fitted on a table of {self.n_features} columns")
        columns = self._positions(data)[self.places]
        for own, column in zip(self.places.tolist(), columns.tolist(), strict=True):
            self.columns[own].check_type(data, column)
        in_order = np.array_equal(columns, np.arange(len(data.names)))
        center, scale = self.center[self.places], self.scale[self.places]
        values = data.values if not (self.counts.any() or data.levels) else self._recoded(data, columns, unknown)
        return standardise(values, center, scale, slice(None) if in_order else columns)

    def _recoded(self, table: Table, columns: Array, unknown: str) -> Array:
        """A table's values with its levels numbered as in the table of the fit."""
        values, strange = table.values.copy(order="K"), []
        for own, column in zip(self.places.tolist(), columns.tolist(), strict=True):
            values[:, column], new = self.columns[own].read(table, column)
            strange += [(self.names[own], new)] if new else []
        tell_unknown(strange, unknown)
        flags = columns[np.isin(self.places, [*self._flags])]
        if 0 < len(flags) < len(columns):  # in a row without any value, an empty flag says nothing
            values[np.ix_(np.isnan(table.values[:, columns]).all(1), flags)] = np.nan
        return values

    def _positions(self, table: Table) -> Array:
        """The place of each of the codec's columns in a table; -1 if an unneeded column is absent."""
        if table.named and self.named:
            positions = {name: position for position, name in enumerate(table.names)}
            missing = [name for name in (self.names[column] for column in self.places) if name not in positions]
            if missing:
                raise DataError(f"columns that the model was fitted on are missing: {quoted(missing)}")
            return np.array([positions.get(name, -1) for name in self.names])
        if len(table.names) != self.n_features:
            raise DataError(f"X has {len(table.names)} features, but VAE is expecting {self.n_features} features as input.")
        return np.arange(self.n_features)

    # -- decode -----------------------------------------------------------------------------------------------------

    def decode(
        self,
        x: Array | Tensor,
        container: str | None = None,
        *,
        source: Table | Images | None = None,
        of: Table | Images | None = None,
        possible: bool = False,
        mask: Tensor | None = None,
        names_from: int | None = None,
    ) -> Any:
        """Rows in the user's columns, order, types and units.

        Args:
            x: encoded rows ``[N, len(fields)]``.
            container: ``"numpy"``, ``"torch"``, ``"pandas"``, ``"polars"`` or ``"pyarrow"``; None for that of the input.
            source: the input rows. Observed values stay unchanged (in a wider type if necessary), ``x`` only replaces missing
                values and unknown levels. Imputed dates, times, durations and decimals of columns with names are rounded to the
                recorded step.
            of: the rows that ``x`` replaces; only their columns that are not modelled (identifiers, text) stay unchanged.
            possible: limit values to the range of the data and its grid.
            mask: bool ``[N, n_features]``, False for missing values; None for rows without missing values.
            names_from: a seed for new names in the columns that identify rows; None leaves them empty.

        Returns:
            A frame, or an array ``[N, n_features]`` of the narrowest type that holds every column's. Whole numbers are
            rounded, booleans cut at .5; decimals come as floats.

        Raises:
            DataError: if the rows have another shape, or the container is unknown or not installed.
        """
        container, table = container or self.container, source if isinstance(source, Table) else None
        x = self._with_left_out(encoded(x, self.shape))
        to_step = table is not None and self.named and not self.integer_names
        parts = list(self._decoded(x, possible, np.array([possible or (to_step and c.is_stepped) for c in self.columns])))
        new = {} if names_from is None else self._new_names(len(x), names_from)
        missing = {} if mask is None else {column: hole for column, hole in enumerate((~mask).numpy().T) if hole.any()}
        for column, flag in self._flags.items():
            place = -1 if table is None else int(self._positions(table)[column])
            missing[column] = missing.get(column, False) | flag.absent(x[:, column], table, place)
        if container in ARRAYS:
            joined = _with_missing(_joined(parts, self.n_features), new, missing)
            return to_array(joined if table is None else with_observed(joined, table), container)
        columns = {int(c): values for group, part in parts for c, values in zip(self._every[group], part.T, strict=True)}
        of = of if isinstance(of, Table) else None
        return self._as_frame(columns | new, set(new), missing, table or of, container, replaced=table is None)

    @cached_property
    def _every(self) -> Array:
        return np.arange(self.n_features)

    def _as_frame(
        self,
        columns: dict[int, Any],
        new: set[int],
        missing: dict[int, Array],
        table: Table | None,
        container: str,
        replaced: bool,
    ) -> Any:
        """Decoded columns as a frame, with the observed values of a table in their places: only in the columns that are not
        modelled if the values of the others are ``replaced``.
        """
        empty, dtypes = set(np.flatnonzero(np.isnan(self.center)).tolist()) - new, dict(enumerate(self.dtypes))
        if table is not None:
            labels, left_empty = self._keep(columns, table, empty, empty if replaced else set(range(self.n_features)))
            dtypes |= labels
            missing |= left_empty
            empty -= set(left_empty)
        named = {name: columns[column] for column, name in enumerate(self.names)}
        left = {self.names[column]: places for column, places in missing.items() if places.any()}
        nothing = {self.names[column] for column in empty}
        return to_frame(named, tuple(dtypes.values()), nothing, container, self.integer_names, left)

    def with_missing(self, observed: Tensor, seed: int) -> Tensor:
        """Which values of new rows are observed, bool ``[N, n_features]``, from those of the model, ``[N, len(fields)]``.

        Columns with a single value, which are not modelled, are observed as often as in the rows of the fit.
        """
        alone = np.flatnonzero((self.scale == 0.0) & ~np.isnan(self.center))
        whole = np.ones((len(observed), self.n_features), bool)
        whole[:, self.places] = observed.numpy()
        whole[:, alone] = np.random.default_rng(seed).random((len(observed), len(alone))) >= self.missing[alone]
        return torch.from_numpy(whole)

    def _keep(
        self, columns: dict[int, Any], table: Table, empty: set[int], chosen: set[int]
    ) -> tuple[dict[int, str], dict[int, Array]]:
        """Put observed values into the ``chosen`` decoded columns. Columns of ``empty``, in which nothing is filled in, become
        what came.

        Returns:
            The types of the columns, and where those of ``empty`` are missing.
        """
        labels, missing = {}, {}
        for column, place in enumerate(self._positions(table).tolist()):
            nothing = np.isnan(table.values[:, place])
            if place < 0 or column not in chosen or nothing.all():
                continue
            if column in empty:
                columns[column], labels[column], missing[column] = as_it_came(table, place), table.dtypes[place], nothing
            else:
                columns[column], labels[column] = self.columns[column].keep(columns[column], table, place)
        return labels, missing

    def _new_names(self, n: int, seed: int) -> dict[int, Array]:
        """``n`` new names for each column with a known pattern of names; each with its own seed, because otherwise two columns
        of UUIDs would be equal.
        """
        named = [(place, c) for place, c in enumerate(self.columns) if isinstance(c, Name) and c.names is not None]
        return {place: column.fresh(n, seed * self.n_features + place) for place, column in named}

    def _decoded(self, x: Array, possible: bool, stepped: Array) -> Iterator[tuple[Any, Array]]:
        """Places of columns and their values in the user's units: columns of numbers by their types, and others one by one."""
        for dtype, group in self._groups:
            yield group, self._numbers(x, group, dtype, possible, stepped[group])
        for place in np.flatnonzero(self.counts):
            yield [place], self.columns[place].decode_levels(x[:, place])[:, None]

    def _numbers(self, x: Array, group: Any, dtype: np.dtype[Any], possible: bool, stepped: Array) -> Array:
        """Columns of numbers of one type; ``stepped`` ones are rounded to the recorded grid."""
        values = restore(x[:, group], self.center[group], self.scale[group], dtype)
        if stepped.any():
            possible_ones = on_grid(values, self.low[group], self.high[group], self.grid[group])
            values = np.where(stepped, possible_ones, values)
        if possible:
            for recorded, place in zip(values.T, self._every[group], strict=True):
                recorded[:] = self.columns[place].as_recorded(recorded)
        return snap(values, dtype)

    def _with_left_out(self, x: Array) -> Array:
        """Encoded rows with a 0 for each column that was left out."""
        if len(self.places) == self.n_features:
            return x
        full = np.zeros((len(x), self.n_features), x.dtype)
        full[:, self.places] = x
        return full

    @cached_property
    def _groups(self) -> list[tuple[np.dtype[Any], Any]]:
        """The types of the columns without levels, and which columns have each."""
        dtypes = {place: column.decoded_dtype for place, column in enumerate(self.columns) if not column.levels}
        if len(dtypes) == self.n_features and len(set(dtypes.values())) == 1:
            return [(dtypes[0], slice(None))]
        groups = dict.fromkeys(dtypes.values())
        return [(dtype, np.array([place for place, own in dtypes.items() if own == dtype])) for dtype in groups]

    def log_jacobian(self, rows: Rows, densities: Tensor | bool = True) -> Tensor:
        """:meth:`log_jacobians` summed over the fields; float64 ``[N]``."""
        return self.log_jacobians(rows, densities).sum(1)

    def log_jacobians(self, rows: Rows, densities: Tensor | bool = True) -> Tensor:
        """log |d encoded / d user's unit| of the observed fields, in nats; float64 ``[N, F]``.

        The log-likelihood of encoded rows plus this is that of the user's own values.

        Args:
            rows: encoded rows.
            densities: which values have a density, and not a probability, bool ``[N, F]`` or ``[]``.
        """
        counted = torch.as_tensor(densities).expand(rows.x.shape)
        if rows.mask is not None:
            counted = counted & rows.mask.cpu()
        return counted.double() * -torch.from_numpy(np.log(self.scale[self.places]))


def _facts(survey: Survey, ordered: Array) -> Iterator[Facts]:
    """What each column of a table holds."""
    summary = survey.summary
    step = recorded_resolution(ordered, np.where(summary.scale > 0.0, summary.scale, 1.0)) * summary.scale
    grid, matrix = recorded_grid(ordered, summary.low, step), is_matrix(survey.table)
    columns = (summary.low, summary.high, summary.mean, summary.scale, summary.missing, summary.binary, step, grid)
    counts = (~np.isnan(ordered)).sum(0)
    for place, numbers in enumerate(np.array(columns, object).T.tolist()):
        known = ordered[: counts[place], place]  # of rare values there may be none among the rows in memory
        rare = not counts[place] and survey.counts[place]
        yield Facts(survey, place, matrix, np.array([numbers[0], numbers[1]]) if rare else known, *numbers)


def _written(names: tuple[str, ...], text: TextTable) -> dict[str, Any]:
    """How the columns of a text file are written, and how it is laid out, as a codec keeps them."""
    layout = replace(text.layout, above="")
    return {"notations": tuple(map(text.notations.get, names)), "file_layout": layout, "file_reading": text.asked}


def _unit(numbers: list[Facts]) -> float:
    """The divisor of numbers that are not standardised: 255 for 8 bits, as for pictures, unless all are 0 or 1."""
    numbers = [facts for facts in numbers if not facts.binary]
    of_bytes = {np.dtype(np.uint8)} == {numpy_dtype(facts.dtype) for facts in numbers}
    return 255.0 if of_bytes and any(facts.high > 1 for facts in numbers) else 1.0


def _joined(parts: list[tuple[Any, Array]], width: int) -> Array:
    """Groups of columns as one array ``[N, width]`` of the narrowest type that holds them all."""
    if len(parts) == 1 and parts[0][1].shape[1] == width:
        return parts[0][1]
    joined = np.empty((len(parts[0][1]), width), np.result_type(*(part for _, part in parts)))
    for group, part in parts:
        joined[:, group] = part
    return joined


def _with_missing(joined: Array, new: dict[int, Array], missing: dict[int, Array]) -> Array:
    """An array ``[N, F]`` with new names in some columns, and NaN where values are missing."""
    for column, values in new.items():
        joined[:, column] = values
    for column, hole in missing.items():
        joined = np.where((np.arange(joined.shape[1]) == column) & hole[:, None], np.nan, joined)
    return joined
