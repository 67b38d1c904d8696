"""The context of windows: columns that are constant in each series, and when in the day, the week and the year they begin."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from latente.data.containers import Array
from latente.data.files import quoted
from latente.data.series.clock import Clock
from latente.data.series.windows import Series
from latente.data.sources import Table
from latente.errors import DataError

CALENDAR = "calendar"  # the name by which the calendar is asked for
CYCLES = {"day": 86400.0, "week": 7 * 86400.0, "year": 365.2425 * 86400.0}
MONDAY = 4 * 86400.0  # the first one after the beginning of 1970
MATTERS = 0.02  # share of the variance of a channel that a cycle explains at least
BY_CHANCE = 10.0  # of N independent values, two waves explain so many N-th parts of the variance in one of 150 cases


def calendar_names(names: Collection[str]) -> list[str]:
    """Those of columns that tell of a cycle, such as ``calendar_day_sin``."""
    known = [f"{CALENDAR}_{cycle}_{of}" for cycle in CYCLES for of in ("sin", "cos")]
    return [name for name in known if name in names]


def cycles_of(clock: Clock, series: Series, channels: Array) -> list[str]:
    """The cycles of the calendar that matter: the data has at least two, and they explain a channel.

    Args:
        channels: on the steps of the series, [S, C]; NaN where missing.

    Raises:
        DataError: there is none.
    """
    grid = series.grid
    entity = np.searchsorted(grid.starts, np.arange(grid.steps), side="right") - 1
    times = clock.times(grid.first[entity], np.arange(grid.steps) - grid.starts[entity])
    span = times.max() - times.min()
    step = clock.step * (30 * 86400.0 if clock.unit == "months" else 1.0)
    dated = clock.unit in ("seconds", "months")
    found = [
        name for name, cycle in CYCLES.items() if dated and 2 * step <= cycle <= span / 2 and _explained(times, channels, name)
    ]
    if not found:
        raise DataError("context: no day, week or year matters here (at least two are needed): leave the calendar out")
    return found


def _explained(times: Array, channels: Array, cycle: str) -> bool:
    """Whether sine and cosine explain enough of the variance of a channel."""
    design = np.stack([np.ones_like(times), *waves(times, cycle)], 1)
    for channel in channels.T:
        seen = ~np.isnan(channel)
        if seen.sum() > len(design[0]) and channel[seen].var() > 0:
            fit = design[seen] @ np.linalg.lstsq(design[seen], channel[seen], rcond=None)[0]
            if fit.var() >= max(MATTERS, BY_CHANCE / seen.sum()) * channel[seen].var():
                return True
    return False


def as_asked(names: Sequence[str]) -> list[str]:
    """Columns of a context as they are asked for: one name for the calendar.

    >>> as_asked(["kind", "calendar_day_sin", "calendar_day_cos"])
    ['kind', 'calendar']
    """
    made = calendar_names(names)
    return [*(name for name in names if name not in made), *([CALENDAR] if made else [])]


def waves(times: Array, cycle: str) -> tuple[Array, Array]:
    """Sine and cosine of times, in seconds since 1970, in a cycle that begins at midnight, on Monday, or on 1 January."""
    length = CYCLES[cycle]
    angle = 2 * np.pi * (((times - MONDAY) if cycle == "week" else times) % length) / length  # the same on each day, to the bit
    return np.sin(angle), np.cos(angle)


def calendar(times: Array, names: Sequence[str]) -> dict[str, Array]:
    """The columns of the calendar that a model reads, at some times."""
    found = {}
    for name in names:
        cycle, of = name.removeprefix(f"{CALENDAR}_").split("_")
        found[name] = waves(times, cycle)[of == "cos"]
    return found


def seconds(moments: Any) -> Array:
    """Moments, texts such as 2024-05-01 10:00 or dates, in seconds since 1970.

    Raises:
        DataError: a text is none.
    """
    listed = [moments] if isinstance(moments, str) or not hasattr(moments, "__len__") else list(moments)
    try:
        return np.array([np.datetime64(each, "s").astype(float) for each in listed])
    except (ValueError, TypeError) as error:
        raise DataError(f"context: the calendar takes a time such as 2024-05-01 10:00, not {listed[0]!r}") from error


def with_calendar(context: Any, names: Sequence[str]) -> Any:
    """A context that was passed as a mapping, with the columns of the calendar for a time.

    Raises:
        DataError: the model reads the calendar, and there is no time.
    """
    if not names or not (context is None or isinstance(context, Mapping)):
        return context
    if context is None or CALENDAR not in context:
        time = "{'calendar': '2024-05-01 10:00'}"
        raise DataError(f"context: windows depend on when they begin: pass a time, as in context={time} (--context calendar=…)")
    rest = {name: value for name, value in context.items() if name != CALENDAR}
    return {**rest, **calendar(seconds(context[CALENDAR]), names)}


def of_windows(series: Series, clock: Clock, names: Sequence[str], begins: Array | None = None) -> Table:
    """The context of each window: a table with columns of the series and of the calendar.

    Args:
        begins: the first step of windows, one for each series; those of the series itself by default.

    Raises:
        DataError: a column changes within a series.
    """
    grid, table = series.grid, series.table
    at = series.begins if begins is None else begins
    entity = np.searchsorted(grid.starts, at, side="right") - 1 if begins is None else np.arange(len(grid.starts))
    of_calendar = calendar_names([name for name in names if name not in table.names])
    if lacking := [name for name in names if name not in (*table.names, *of_calendar)]:
        raise DataError(f"context: columns of the fit are missing: {quoted(lacking)}")
    own = [name for name in names if name not in of_calendar]
    places = [table.names.index(name) for name in own]
    values = [_of_series(series, name)[entity] for name in own]
    times = clock.times(grid.first[entity], at - grid.starts[entity])
    values += [calendar(times, of_calendar)[name] for name in of_calendar]
    dtypes = (*(table.dtypes[place] for place in places), *("float64",) * len(of_calendar))
    levels = {new: table.levels[old] for new, old in enumerate(places) if old in table.levels}
    return Table((*own, *of_calendar), np.stack(values, 1), dtypes, table.container, levels=levels)


def _of_series(series: Series, name: str) -> Array:
    """The value of a column in each series, [E]; NaN where it is missing."""
    grid, values = series.grid, series.table.values[:, series.table.names.index(name)]
    entity = np.searchsorted(grid.starts, grid.places, side="right") - 1
    low, high = np.full(len(grid.starts), np.inf), np.full(len(grid.starts), -np.inf)
    known = ~np.isnan(values)
    np.minimum.at(low, entity[known], values[known])
    np.maximum.at(high, entity[known], values[known])
    if (low < high).any():
        raise DataError(
            f"context: {name!r} changes within a series, and a window has one context: name columns that are constant in each "
            "series (entity=…), or 'calendar'"
        )
    return np.where(np.isinf(low), np.nan, low)
