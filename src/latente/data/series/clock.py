"""The clock of series: the unit of time, the length of a step, and the step at which each row lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from latente.data.containers import Array
from latente.data.moments import told
from latente.errors import DataError
from latente.words import Message

UNITS = ("seconds", "months", "numbers", "rows")
DAY = 86400.0  # seconds
MONTH = 27 * DAY  # steps longer than this may be months
MAX_EMPTY = 50  # steps for each row, above which a series is a list of events
ON_TIME = 0.05  # of a step: how far from its step a row of a regular series is at most


@dataclass(frozen=True)
class Clock:
    """How time is counted.

    Attributes:
        unit: "seconds", "months" (of the calendar), "numbers" (of a numeric column) or "rows" (no time column).
        step: time between neighbouring steps, in the unit.
    """

    unit: str = "rows"
    step: float = 1.0

    @classmethod
    def of(cls, times: Array, entities: Array, moments: bool) -> Self:
        """The clock of some rows: the median difference of neighbouring times within a series.

        Args:
            times: of each row: seconds if they are ``moments``, otherwise numbers. entities: the number of its series.

        Raises:
            DataError: no series has two different times.
        """
        step = _median_step(times, entities)
        if moments and step >= MONTH and _same_day(times):
            return cls("months", max(1.0, round(_median_step(_months(times), entities))))
        return cls("seconds" if moments else "numbers", step)

    def ticks(self, times: Array) -> Array:
        """Times in the unit of the clock."""
        return np.asarray(_months(times) if self.unit == "months" else times)

    def times(self, first: Array | float, steps: Array) -> Array:
        """The times of steps after the first (one for all, or one for each), in seconds where the clock counts months."""
        steps = np.asarray(steps, np.float64)  # float32 would keep seconds of today to two minutes only
        if self.unit != "months":
            return np.asarray(first + self.step * steps)
        start = np.asarray(first).astype(np.int64).astype("datetime64[s]")
        months = (start.astype("datetime64[M]").astype(int) + np.rint(self.step * steps).astype(int)).astype("datetime64[M]")
        days = (start - start.astype("datetime64[M]")).astype("timedelta64[s]").astype(int)
        last = (months + 1).astype("datetime64[s]").astype(int) - 86400
        return np.asarray(np.minimum(months.astype("datetime64[s]").astype(int) + days, last), float)

    @property
    def said(self) -> Message:
        """The step in words."""
        if self.unit == "seconds":
            if self.step % DAY == 0:
                return Message("series.days", step=self.step / DAY)
            return Message.plain(told(self.step, "Duration(us)"))
        return Message(f"series.{self.unit}", step=self.step)


class Grid(NamedTuple):
    """Where rows lie on the steps of all series, one series after the other.

    Attributes:
        places: the step of each row, [T].
        starts, lengths: the first step of each series and its number of steps, [E].
        first: the time of the first step of each, [E].
        late: whether each row is far from its step, bool [T].
    """

    places: Array
    starts: Array
    lengths: Array
    first: Array
    late: Array

    @property
    def steps(self) -> int:
        """Of all series."""
        return int(self.lengths.sum())

    @property
    def counts(self) -> Array:
        """Number of rows at each step."""
        return np.bincount(self.places, minlength=self.steps)

    def padded(self, length: int) -> Grid:
        """The same, with every series at least that long; its last steps then have no row."""
        lengths = np.maximum(self.lengths, length)
        starts = np.cumsum(lengths) - lengths
        entity = np.searchsorted(self.starts, self.places, side="right") - 1
        return self._replace(places=self.places - self.starts[entity] + starts[entity], starts=starts, lengths=lengths)


def grid_of(times: Array, entities: Array, clock: Clock) -> Grid:
    """The grid of rows in any order.

    Raises:
        DataError: almost all steps are empty.
    """
    ticks, count = clock.ticks(times), int(entities.max()) + 1
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, entities, ticks)
    np.maximum.at(last, entities, ticks)
    lengths = np.rint((last - first) / clock.step) + 1
    if lengths.sum() > MAX_EMPTY * len(ticks):
        raise DataError(
            f"the rows are {clock.said} apart in the median, but at this step their times have {lengths.sum():,.0f} steps for "
            f"{len(ticks):,} rows: these are events and no series; count or average them for each hour or day first"
        )
    lengths = lengths.astype(np.intp)
    starts = np.cumsum(lengths) - lengths
    steps = (ticks - first[entities]) / clock.step
    slots = np.rint(steps).astype(np.intp)
    began = np.full(count, np.inf)
    np.minimum.at(began, entities, times)
    return Grid(starts[entities] + slots, starts, lengths, began, np.abs(steps - slots) > ON_TIME)


def _median_step(times: Array, entities: Array) -> float:
    order = np.lexsort((times, entities))
    steps = np.diff(times[order])[np.diff(entities[order]) == 0]
    steps = steps[steps > 0]
    if not len(steps):
        raise DataError("no series has rows at two different times: check time and entity")
    return float(np.median(steps))


def _months(times: Array) -> Array:
    return times.astype("datetime64[s]").astype("datetime64[M]").astype(float)


def _same_day(times: Array) -> bool:
    """Whether all times are on the same day of a month, or on its last day."""
    days = times.astype("datetime64[s]").astype("datetime64[D]")
    of_month = (days - days.astype("datetime64[M]")).astype(int)
    last = (days + 1).astype("datetime64[M]") != days.astype("datetime64[M]")
    return bool((of_month == of_month[0]).all() or last.all())
