"""Conversion of columns of texts, or of dates in UTC, to the type of date that they had in the fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from latente.data.containers import Array
from latente.data.moments import EXAMPLES, MOMENTS, arrow_of, arrow_type, is_moment, is_utc, kind_of, of_text, parsed
from latente.data.sources import Table
from latente.errors import DataError, LatenteWarning

DAY = 86400.0
MOMENT = "Datetime(us,)"


class Fitted(NamedTuple):
    """A column of the fit: its index in the present table (-1 if it is absent), its name and its type in the fit."""

    place: int
    name: str
    label: str


class _Read(NamedTuple):
    """A converted column: seconds [N], its type, the Arrow array of the input, and whether UTC replaced no time zone."""

    values: Array
    label: str
    exact: Any
    in_utc: bool


def as_dates(table: Table, columns: Iterable[Fitted]) -> Table:
    """The table with ISO texts converted to dates, times and durations in columns that had these in the fit, and with dates in
    UTC as dates without a time zone, or the reverse, with a warning, if the fit had such dates.

    Raises:
        DataError: a text is no date; it names the row.
    """
    read = {column: found for column in columns if (found := _read_again(table, column))}
    if not read:
        return table
    dtypes, values, exact = list(table.dtypes), table.values.astype(np.float64), dict(table.exact)
    for column, found in read.items():
        dtypes[column.place], values[:, column.place] = found.label, found.values
        exact |= {column.place: found.exact} if found.exact is not None else {}
    if in_utc := [repr(column.name) for column, found in read.items() if found.in_utc]:
        told = "time stamps in UTC are compared with time stamps without a time zone, as if both were in UTC"
        warnings.warn(f"{told}: {', '.join(in_utc)}", LatenteWarning, stacklevel=4)
    levels = {place: texts for place, texts in table.levels.items() if place not in {column.place for column in read}}
    return replace(table, values=values, dtypes=tuple(dtypes), levels=levels, exact=exact)


def _read_again(table: Table, column: Fitted) -> _Read | None:
    """The column in the type of the fit; None if it already has this type, or can't be converted."""
    if column.place < 0 or not is_moment(column.label):
        return None
    if column.place in table.levels:
        return _of_texts(table, column)
    before, now = parsed(column.label), parsed(table.dtypes[column.place])
    if before is None or now is None or bool(before[2]) == bool(now[2]) or not is_utc(before[2] or now[2]):
        return None
    values, exact = table.values[:, column.place], table.exact.get(column.place)
    label = f"Datetime({now[1]},{before[2]})"
    return _Read(values, label, arrow_of(values, label) if exact is None else exact.cast(arrow_type(label)), True)


def _of_texts(table: Table, column: Fitted) -> _Read:
    """A column of texts as dates, times or durations; as times if one of them is no whole day."""
    texts, codes = table.levels[column.place], table.values[:, column.place]
    read = [_of_text(text, place, column, codes) for place, text in enumerate(texts)]
    seconds = np.array([*(seconds for seconds, _ in read), np.nan])
    values, in_utc = seconds[np.nan_to_num(codes, nan=len(texts)).astype(np.intp)], any(utc for _, utc in read)
    if column.label.partition("[")[0] != "Date":
        return _Read(values, column.label, arrow_of(values, column.label), in_utc)
    if bool((seconds[:-1] % DAY == 0).all()):
        return _Read(values, column.label, None, in_utc)
    return _Read(values, MOMENT, arrow_of(values, MOMENT), in_utc)


def _of_text(text: str, place: int, column: Fitted, codes: Array) -> tuple[float, bool]:
    try:
        return of_text(text, column.label)
    except (ValueError, OverflowError) as error:
        kind = kind_of(column.label)
        row = int(np.flatnonzero(codes == place)[0])
        raise DataError(
            f"column {column.name!r} held {MOMENTS[kind]} when the model was fitted, and holds {text[:40]!r} in row {row} "
            f"(counted from 0): write them as {MOMENTS[kind]}, such as {EXAMPLES[kind]}, in the time zone of the fit, or "
            "leave it empty"
        ) from error
