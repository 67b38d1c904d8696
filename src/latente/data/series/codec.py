"""The codec of series: from a table to windows of its channels on a grid of steps, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from latente.data.as_dates import Fitted, as_dates
from latente.data.containers import ARRAYS, Array
from latente.data.fields import encoded
from latente.data.moments import arrow_of, as_series, is_moment
from latente.data.observed import as_it_came
from latente.data.series.clock import UNITS, Clock, Grid, grid_of
from latente.data.series.read import (
    AUTO,
    TimeAsked,
    as_table,
    clock_of,
    entities_of,
    entity_column,
    time_column,
    times_of,
    with_dates,
)
from latente.data.series.windows import Series, beginnings, chosen_stride, chosen_window, last_steps
from latente.data.sources import Images, Table
from latente.data.state import State, expect
from latente.data.table import TableCodec
from latente.errors import DataError
from latente.files import checked
from latente.rows import SERIES, Field, Rows, ValueGrid, expanded, levels_of, of_indicators
from latente.words import Message

LEFT_OUT = ("note.timestamp", "note.names_rows", "note.series")
NUMBER = "series"  # column with the number of a new series


class Scale(NamedTuple):
    """A channel: its name, what an encoded 0 and a difference of 1 are in the user's units, and the ends of its values."""

    name: str
    center: float
    scale: float
    low: float
    high: float


@dataclass(frozen=True)
class _Stored:
    """What a file has of a codec, without its columns; see :class:`SeriesCodec`."""

    time: str
    entity: str
    clock: Clock
    first: float
    window: int
    stride: int
    whole: bool
    remarks: tuple[Message, ...] = ()


@dataclass(frozen=True, eq=False)
class SeriesCodec(_Stored):
    """Converts series to encoded windows [N, C, L] and back.

    Numbers are one channel each, and columns with levels one for each level. Time and entity are columns that are not modelled.

    Attributes:
        table: the codec of all columns.
        time, entity: names of the columns; "" for none.
        clock: unit and length of a step.
        first: time of the first step.
        window, stride: steps of a window, and between the beginnings of two.
        whole: whether the data was an array [N, T, C].
        remarks: on the series.
    """

    table: TableCodec = field(kw_only=True)

    kind: ClassVar[str] = "series"
    interchange: ClassVar[str] = "pyarrow"

    @classmethod
    def fit(
        cls, data: Table | Images, asked: TimeAsked, kinds: Mapping[str, str] | None = None, recorded: bool = False
    ) -> Self:
        """The codec of series.

        Raises:
            DataError: time or entity can't be found, there is nothing to learn, or the window is longer than the series.
        """
        table, shape = as_table(data)
        time = "" if shape else time_column(table, asked.time)
        table = with_dates(table, time)
        entity = entity_column(table, asked.entity, time)
        left_out = {name: kind for name, kind in ((time, "timestamp"), (entity, "identifier")) if name}
        codec = TableCodec.fit(table, {**(kinds or {}), **left_out}, recorded)
        entities = entities_of(table, entity, shape)
        times = times_of(table, time, entities)
        clock = clock_of(table, time, times, entities)
        grid = grid_of(times, entities, clock)
        made = cls(time, entity, clock, float(grid.first.min()), 1, 1, bool(shape), table=codec)
        own = {repr(name) for name in left_out}
        notes = tuple(note for note in codec.notes if note.key not in LEFT_OUT or not any(name in note for name in own))
        return replace(made, table=replace(codec, notes=notes))._with_windows(table, grid, asked)

    def _with_windows(self, table: Table, grid: Grid, asked: TimeAsked) -> Self:
        """The same, with windows by the spectrum unless their length is set."""
        x, mask = self.on_grid(self.table.encode(table), grid)
        window, periodic = chosen_window(torch.where(mask, x, torch.nan).numpy(), grid, self.whole)
        if asked.window != AUTO:
            window, periodic = int(asked.window), False
            if window > grid.lengths.max():
                raise DataError(f"window={window} is longer than the longest series, {int(grid.lengths.max())} steps")
        if grid.lengths.max() <= window and len(grid.lengths) < 2:
            raise DataError(f"the series has {int(grid.lengths.max())} steps, which is one window: set a shorter one, window=…")
        stride = chosen_stride(grid, window) if asked.stride == AUTO else int(asked.stride)
        return replace(
            self,
            window=window,
            stride=stride,
            remarks=tuple(_remarks(self, grid, window, stride, periodic)),
        )

    # -- the interface of codecs --------------------------------------------------------------------------------------

    def to_state(self) -> State:
        """What can be written as JSON, and the arrays."""
        json, arrays = self.table.to_state()
        own = {each.name: getattr(self, each.name) for each in fields(_Stored) if each.name not in ("clock", "remarks")}
        clock = {"unit": self.clock.unit, "step": self.clock.step}
        remarks = [remark.to_json() for remark in self.remarks]
        return {"kind": self.kind, "table": json, **own, "clock": clock, "remarks": remarks}, arrays

    @classmethod
    def from_state(cls, json: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The inverse of :meth:`to_state`.

        Raises:
            StorageError: if something is missing or does not fit.
        """
        own = {name: value for name, value in json.items() if name not in ("kind", "table")}
        expect(isinstance(json.get("table"), dict), "the columns of the series")
        table = TableCodec.from_state(json["table"], arrays)
        stored: _Stored = checked(own, _Stored, "the stored description of the series")
        codec = cls(**{each.name: getattr(stored, each.name) for each in fields(stored)}, table=table)
        codec.check()
        return codec

    def check(self) -> None:
        """Raise StorageError if the attributes, which come from a file, do not fit each other."""
        expect(all(not name or name in self.table.names for name in (self.time, self.entity)), "the time of the series")
        expect(self.clock.unit in UNITS and 0 < self.clock.step < math.inf and math.isfinite(self.first), "the clock")
        expect(0 < self.window < 1 << 20 and 0 < self.stride < 1 << 31, "the windows")

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The one field of a row: a window."""
        return (Field("window", SERIES, self.shape),)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Channels and steps of an encoded window."""
        return (len(self.channels), self.window)

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels; those of levels are like ``column=level``."""
        return tuple(
            f"{field.name}={level}" if levels else field.name
            for field, levels in zip(self.table.fields, self._levels, strict=True)
            for level in levels or (field.name,)
        )

    @cached_property
    def _levels(self) -> list[tuple[str, ...]]:
        pairs = zip(self.table.fields, self.table.places.tolist(), strict=True)
        return [self.table.levels(place) if field.levels else () for field, place in pairs]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of levels of each modelled column, 0 for numbers; () if there are none."""
        return levels_of(self.table.fields)

    @property
    def scales(self) -> tuple[Scale, ...]:
        """Of each channel its units and the range of its values."""
        found: list[Scale] = []
        for place, levels in zip(self.table.places.tolist(), self._levels, strict=True):
            column = self.table.columns[place]
            own = Scale(column.name, column.center, column.scale, column.low, column.high)
            found += [Scale(f"{column.name}={level}", 0.0, 1.0, 0.0, 1.0) for level in levels] or [own]
        return tuple(found)

    @property
    def value_names(self) -> tuple[str, ...]:
        """The channel of each value of an encoded window."""
        return tuple(name for name in self.channels for _ in range(self.window))

    @property
    def grids(self) -> tuple[ValueGrid, ...]:
        """How each value of an encoded window is recorded."""
        of_channels = (field.grid for field in self.table.fields for _ in range(max(1, field.levels)))
        return tuple(grid for grid in of_channels for _ in range(self.window))

    named = property(lambda self: self.table.named)
    container = property(lambda self: self.table.container)
    notes = property(lambda self: (*self.remarks, *self.table.notes))
    feature_names = property(lambda self: self.table.feature_names)
    names = property(lambda self: self.table.names)
    text_names = property(lambda self: self.table.text_names)
    known_levels = property(lambda self: self.table.known_levels)
    known_notations = property(lambda self: self.table.known_notations)
    reading_of_fit = property(lambda self: self.table.reading_of_fit)
    file_layout = property(lambda self: self.table.file_layout)
    described = property(lambda self: self.table.described)
    n_features = property(lambda self: self.table.n_features)

    def in_container(self, container: str) -> Self:
        """The same for results of another type."""
        return replace(self, table=replace(self.table, container=container))

    @property
    def places(self) -> Array:
        """Which values of a window the model sees: all."""
        return np.arange(math.prod(self.shape))

    @property
    def row_ndim(self) -> int:
        """0: one window comes as its rows, like several."""
        return 0

    def value_at(self, row: Tensor, place: int) -> str:
        """One value of an encoded window [C, L] as text."""
        channel, step = divmod(place, self.window)
        return f"channel {self.channels[channel]!r} holds {float(row[channel, step]):g} (encoded) at step {step}"

    # -- encode -------------------------------------------------------------------------------------------------------

    def like_fitted(self, data: Table | Images | Series) -> Series:
        """A table, or an array, as windows like those of the fit.

        Raises:
            DataError: columns are missing, or a row has no time.
        """
        if isinstance(data, Series):
            return data
        table, shape = as_table(data)
        table = self._in_time(table)
        entities = entities_of(table, self.entity, shape)
        grid = grid_of(times_of(table, self.time, entities), entities, self.clock).padded(self.window)
        return Series(table, grid, self.window, beginnings(grid, self.window, self.stride), shape)

    def _in_time(self, table: Table) -> Table:
        """The table with dates where the fit had them, which all needed columns are checked for."""
        lacking = [name for name in (self.time, self.entity) if name and name not in table.names]
        if lacking:
            raise DataError(f"columns that the model was fitted on are missing: {', '.join(map(repr, lacking))}")
        table = self.table.like_fitted(table)  # type: ignore[assignment]
        if not self.time:
            return table
        label = self.table.dtypes[self.table.names.index(self.time)]
        return as_dates(table, [Fitted(table.names.index(self.time), self.time, label)])

    def encode(self, data: Table | Images | Series, unknown: str = "error") -> Rows:
        """Windows [N, C, L].

        Raises:
            DataError: columns are missing, or hold something else than in the fit.
        """
        series = self.like_fitted(data)
        x, mask = self.on_grid(self.table.encode(series.table, unknown), series.grid)
        at = torch.from_numpy(series.indices)
        observed = mask[at].mT.contiguous()
        return Rows(x[at].mT.contiguous(), None if bool(observed.all()) else observed)

    def on_grid(self, rows: Rows, grid: Grid) -> tuple[Tensor, Tensor]:
        """Encoded rows as channels on the steps of a grid, and where these are observed, both [S, C]; the mean of rows that
        share a step.
        """
        seen = torch.ones_like(rows.x) if rows.mask is None else rows.mask.float()
        seen = of_indicators(seen, self.counts)
        x, at = expanded(rows.x, self.counts) * seen, torch.from_numpy(grid.places)
        total, counts = (torch.zeros(grid.steps, x.shape[1]).index_add_(0, at, each) for each in (x, seen))
        return total / counts.clamp_min(1), counts > 0

    # -- decode -------------------------------------------------------------------------------------------------------

    def decode(
        self,
        x: Array | Tensor,
        container: str | None = None,
        *,
        source: Any = None,
        steps: Series | None = None,
        possible: bool = False,
        begins: Array | None = None,
        **_: Any,
    ) -> Any:
        """Windows in the user's columns, types and units.

        Args:
            x: encoded windows [N, C, L].
            container: of the result; None for that of the input.
            source: the windows of an input: the result has its rows, with means over windows; observed values stay.
            steps: the same, but no value of a channel stays.
            possible: limit values to the range of the data and its grid.
            begins: the times at which new windows begin, in seconds: one, or one for each; None for that of the data.

        Returns:
            Without input a frame of N L rows with new times, and the number of the window where there is no entity; or an
            array [N, L, C].
        """
        values = encoded(x, self.shape)
        series = source if isinstance(source, Series) else steps
        if series is None:
            return self._new(values, container or self.container, possible, begins)
        return self.decode_steps(series.mean(values.swapaxes(1, 2)), series, container, possible, keep=source is not None)

    def decode_steps(
        self, values: Array, series: Series, container: str | None = None, possible: bool = False, keep: bool = True
    ) -> Any:
        """Channels on the steps of an input [S, C] as its rows; observed values stay if they are to be kept."""
        table = series.table if keep else self._emptied(series.table)
        of_rows = self.levelled(values[series.grid.places]).astype(np.float32)
        found = self.table.decode(of_rows, container or series.container, source=table, possible=possible)
        return found.reshape(*series.shape, -1) if series.shape else found

    def labels(self, series: Series) -> dict[str, Any]:
        """Time and entity of each row of an input, by name; numbers of series and step for an array [N, T, C]."""
        if series.shape:
            n, steps = series.shape
            return {NUMBER: np.repeat(np.arange(n), steps), "step": np.tile(np.arange(steps), n)}
        return {name: _column(series.table, name) for name in (self.entity, self.time) if name}

    def numbers(self, values: Array) -> dict[str, Array]:
        """Those of channels [T, C] that are numbers, by name, in the user's units."""
        columns = zip(self.table.fields, self.table.places.tolist(), self.levelled(values).T, strict=True)
        plain = (
            (f.name, place, x)
            for f, place, x in columns
            if not self.table.levels(place) and not is_moment(self.table.dtypes[place])
        )
        return {name: self.table.center[place] + self.table.scale[place] * x for name, place, x in plain}

    def levelled(self, values: Array) -> Array:
        """Channels [T, C] as columns [T, F]: the most likely level where there is one channel for each."""
        if not self.counts:
            return values
        ends = np.cumsum([max(1, count) for count in self.counts])
        parts = np.split(values, ends[:-1], axis=1)
        columns = [part.argmax(1) if count else part[:, 0] for part, count in zip(parts, self.counts, strict=True)]
        return np.stack(columns, 1).astype(values.dtype)

    def _emptied(self, table: Table) -> Table:
        """A table without the values of modelled columns; flags stay, for their missing values are values."""
        positions = self.table._positions(table)
        hidden = [int(positions[place]) for place in self.table.places if place not in self.table._flags]
        values = table.values.astype(np.float64)
        values[:, hidden] = np.nan
        return replace(table, values=values, exact={c: v for c, v in table.exact.items() if c not in hidden})

    def _new(self, values: Array, container: str, possible: bool, begins: Array | None = None) -> Any:
        n, window = len(values), values.shape[2]
        numbers = np.repeat(np.arange(n), window)
        first = np.broadcast_to(self.first if begins is None else begins, n)
        times = self.clock.times(np.repeat(first, window), np.tile(np.arange(window), n))
        levels = tuple(map(str, range(n))) if self.entity in self.table.text_names else ()
        found = self._decoded(values.swapaxes(1, 2), (times, numbers, levels), container, possible)
        return found if self.entity or container in ARRAYS else _numbered(found, numbers)

    def after(self, values: Array, series: Series, last: Array, container: str) -> Any:
        """Continuations [n E, steps, C] of the series of an input after their ``last`` steps [E], as a frame with the number of
        the continuation, or as an array [n E, steps, F].
        """
        steps, grid = values.shape[1], series.grid
        n = len(values) // len(grid.starts)
        ahead = last - grid.starts + 1
        times = [self.clock.times(first, begin + np.arange(steps)) for first, begin in zip(grid.first, ahead, strict=True)]
        place = series.table.names.index(self.entity) if self.entity else -1
        entities = np.unique(series.table.values[:, place]) if self.entity else np.arange(len(grid.starts))
        of = np.tile(np.concatenate(times), n), np.tile(np.repeat(entities, steps), n), series.table.levels.get(place, ())
        found = self._decoded(values, of, container, possible=True)
        return found if container in ARRAYS else _numbered(found, np.repeat(np.arange(n), steps * len(grid.starts)))

    def rows(self, x: Tensor, times: Array, entities: Array, texts: tuple[str, ...], number: Array | None = None) -> Any:
        """Encoded rows [T, F] of series with their times and entities, as a frame; ``texts`` of the entities if they are text.

        Args:
            number: of the continuation that each row is of; None for a single one.
        """
        found = self.table.decode(x, self.container, source=self._timed(times, entities, texts), possible=True)
        return found if number is None else _numbered(found, number)

    def with_gaps(self, values: Array, series: Series, found: Any) -> Any:
        """A decoded frame with rows for the steps between the first and the last of each series that the input lacks; in order
        of entity and time.
        """
        import narwhals as nw

        grid = series.grid
        lacking = np.flatnonzero(grid.counts == 0)
        of = np.searchsorted(grid.starts, lacking, side="right") - 1
        inside = lacking <= last_steps(grid)[of]
        lacking, of = lacking[inside], of[inside]
        place = series.table.names.index(self.entity) if self.entity else -1
        entities = np.unique(series.table.values[:, place])[of] if self.entity else of
        times = [self.clock.times(grid.first[e], step - grid.starts[e])[None] for e, step in zip(of, lacking, strict=True)]
        frame = nw.from_native(found, eager_only=True)
        if times:
            timed = np.concatenate(times), entities, series.table.levels.get(place, ())
            rows = self._decoded(values[lacking][None], timed, series.container, possible=True)
            more = nw.from_native(rows, eager_only=True)
            frame = nw.concat([frame, more])
        return nw.maybe_reset_index(frame.sort(*(name for name in (self.entity, self.time) if name))).to_native()

    def _decoded(self, values: Array, of: tuple[Array, Array, tuple[str, ...]], container: str, possible: bool) -> Any:
        """Channels [N, steps, C] as N steps rows; ``of`` has times and entities of the rows, and texts of the entities."""
        x = self.levelled(values.reshape(-1, values.shape[2])).astype(np.float32)
        source = None if container in ARRAYS else self._timed(*of)
        found = self.table.decode(x, container, source=source, possible=possible)
        return found.reshape(*values.shape[:2], -1) if container in ARRAYS else found

    def _timed(self, times: Array, entities: Array, texts: tuple[str, ...]) -> Table:
        """A table of rows with times and entities, and no other value."""
        names, dtypes = self.table.names, self.table.dtypes
        values, levels, exact = np.full((len(times), len(names)), np.nan), {}, {}
        if self.time:
            place = names.index(self.time)
            values[:, place] = times
            exact = {place: arrow_of(times, dtypes[place])} if is_moment(dtypes[place]) else {}
        if self.entity:
            place = names.index(self.entity)
            values[:, place] = entities
            levels = {place: texts} if texts else {}
        return Table(names, values, dtypes, self.container, integer_names=self.table.integer_names, levels=levels, exact=exact)

    def log_jacobian(self, rows: Rows, densities: Tensor | bool = True) -> Tensor:
        """log |d encoded / d user's unit|, summed over the observed values, in nats; float64 [N]."""
        scales = torch.from_numpy(np.log(self.table.scale[self.table.places]))
        each = of_indicators(-scales[None], self.counts)[0]
        if self.counts:
            each = each * of_indicators(torch.tensor([[count == 0 for count in self.counts]]), self.counts)[0]
        counted = torch.ones(rows.x.shape) if rows.mask is None else rows.mask.cpu()
        counted = counted.double() * torch.as_tensor(densities).double().view(
            -1, *(1, 1) if not torch.as_tensor(densities).ndim else self.shape
        )
        return (counted * each[:, None]).sum((1, 2))


def _column(table: Table, name: str) -> Any:
    """A column of a table as it was read."""
    place = table.names.index(name)
    label = table.dtypes[place]
    if not is_moment(label):
        return as_it_came(table, place)
    return as_series(table.exact.get(place, table.values[:, place]), label, table.container)


def _numbered(found: Any, numbers: Array) -> Any:
    """A frame with the number of the series of each row."""
    import narwhals as nw

    frame = nw.from_native(found, eager_only=True)
    return frame.with_columns(nw.new_series(NUMBER, numbers, backend=frame.implementation)).to_native()


def _remarks(codec: SeriesCodec, grid: Grid, window: int, stride: int, periodic: bool) -> Any:
    time = Message("series.column", name=repr(codec.time)) if codec.time else Message("series.order")
    of = {"time": time, "step": codec.clock.said, "count": len(grid.lengths), "steps": grid.steps}
    yield Message("series.read", **of)
    yield Message("series.period" if periodic else "series.windows", window=window, stride=stride)
    if codec.counts:
        yield Message("series.levels")
    empty, twice, late = int((grid.counts == 0).sum()), int(grid.counts.clip(1).sum() - grid.steps), float(grid.late.mean())
    if empty:
        yield Message("series.gaps", n=empty, share=empty / grid.steps)
    if twice:
        yield Message("series.twice", n=twice)
    if late > 0.01:
        yield Message("series.late", share=late)
