"""From a table or an array to a grid of steps: which column is the time, and which tells series apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latente.data.as_dates import Fitted, as_dates
from latente.data.containers import Array, index_of_time, names_of_index
from latente.data.files import quoted
from latente.data.moments import kind_of
from latente.data.series.clock import Clock
from latente.data.sources import Images, Table
from latente.errors import DataError

AUTO = "auto"


@dataclass(frozen=True)
class TimeAsked:
    """How rows become series; arguments as of :class:`latente.VAE`."""

    time: str = AUTO
    entity: str | None = None
    window: int | str = AUTO
    stride: int | str = AUTO


def with_index(X: Any, time: str) -> Any:
    """A pandas frame with its index as columns, if that is the time: named so, or of dates where the time is looked for."""
    from narwhals.dependencies import is_pandas_dataframe

    if not is_pandas_dataframe(X) or not index_of_time(X) or time in X.columns:
        return X
    X = X.set_axis(X.index.to_timestamp()) if X.index.dtype.kind == "O" and hasattr(X.index, "to_timestamp") else X
    return X.reset_index() if time == AUTO or time in names_of_index(X) else X


def as_table(data: Table | Images) -> tuple[Table, tuple[int, ...]]:
    """A table, or an array [N, T, C] as the table of its N T rows; and (N, T), or ().

    Raises:
        DataError: it is an array of four dimensions.
    """
    if isinstance(data, Table):
        return data, ()
    if data.layout != "NHW":
        raise DataError("series are a table, an array [T, C] or an array [N, T, C], and this has four dimensions")
    n, _, steps, channels = data.pixels.shape
    values = np.asarray(data.pixels[:, 0], np.result_type(np.float32, data.pixels.dtype)).reshape(n * steps, channels)
    names = tuple(f"x{column}" for column in range(channels))
    return Table(names, values, (data.dtype,) * channels, data.container, named=False), (n, steps)


def time_column(table: Table, asked: str) -> str:
    """The name of the column with the time; "" if rows are in order of time without one.

    Raises:
        DataError: there is no such column, or several may be meant.
    """
    dates = [name for name, label in zip(table.names, table.dtypes, strict=True) if kind_of(label) == "calendar"]
    if asked == AUTO:
        running = [name for name in dates if _runs(table.values[:, table.names.index(name)])]
        found = dates if len(dates) < 2 else running
        if len(dates) > 1 and len(found) != 1:
            raise DataError(f"time: several columns hold dates: {quoted(dates)}; name one, as in time={dates[0]!r}")
        return found[0] if found else ""
    _refuse_absent(table, asked, "time")
    return asked


def with_dates(table: Table, time: str) -> Table:
    """The table with the texts of its time column as dates.

    Raises:
        DataError: they are none.
    """
    place = table.names.index(time) if time else -1
    if place not in table.levels:
        return table
    try:
        return as_dates(table, [Fitted(place, time, "Datetime(us,)")])
    except DataError as error:
        example = table.levels[place][0]
        raise DataError(
            f"time: column {time!r} holds text that is no date, such as {example[:40]!r}: write dates as 2024-02-01 09:30, or "
            "give their format in date_format (--date-format)"
        ) from error


def entity_column(table: Table, asked: str | None, time: str) -> str:
    """The name of the column that tells series apart; "" for a single series.

    Raises:
        DataError: there is no such column.
    """
    if asked is None:
        return ""
    _refuse_absent(table, asked, "entity")
    if asked == time:
        raise DataError(f"entity: {asked!r} is the time; the entity is a column that tells series apart")
    return asked


def times_of(table: Table, time: str, entities: Array) -> Array:
    """The time of each row, [T]; its number within its series without a time column.

    Raises:
        DataError: a row has none.
    """
    if time:
        return _complete(table, time, "time").astype(np.float64)
    order = np.argsort(entities, kind="stable")
    counts = np.bincount(entities)
    numbers = np.empty(len(table))
    numbers[order] = np.arange(len(table)) - np.repeat(np.cumsum(counts) - counts, counts)
    return numbers


def entities_of(table: Table, entity: str, shape: tuple[int, ...]) -> Array:
    """The number of the series of each row, [T].

    Raises:
        DataError: a row has none.
    """
    if shape:
        return np.repeat(np.arange(shape[0]), shape[1])
    if not entity:
        return np.zeros(len(table), np.intp)
    return np.unique(_complete(table, entity, "entity"), return_inverse=True)[1].astype(np.intp)


def clock_of(table: Table, time: str, times: Array, entities: Array) -> Clock:
    """The clock of rows."""
    return Clock.of(times, entities, bool(kind_of(table.dtypes[table.names.index(time)]))) if time else Clock()


def _runs(values: Array) -> bool:
    return bool((np.diff(values) >= 0).mean() > 0.9)


def _refuse_absent(table: Table, name: str, what: str) -> None:
    if name not in table.names:
        raise DataError(f"{what}: there is no column {name!r}; there are {quoted(table.names)}")


def _complete(table: Table, name: str, what: str) -> Array:
    values = table.values[:, table.names.index(name)]
    if len(empty := np.flatnonzero(np.isnan(values))):
        raise DataError(
            f"{what}: column {name!r} is empty in {len(empty):,} rows, the first in row {empty[0]} (counted from 0): fill it "
            "in, or drop these rows"
        )
    return values
