"""Dates, times of day and durations: as seconds in a table, and with the type, unit and time zone that they had outside it."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latente.errors import DataError

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
KINDS = {"Date": "calendar", "Datetime": "calendar", "Time": "time", "Duration": "duration"}
MOMENTS = {"calendar": "dates", "time": "times of day", "duration": "durations"}
EXAMPLES = {"calendar": "2021-03-01", "time": "09:30", "duration": "1 day, 2:30:00"}

UTC_NAMES = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "+00:00", "Z")

_LABEL = re.compile(r"(Date)|(Datetime)\((s|ms|us|ns),([\w/+:-]*)\)|(Time|Duration)\((s|ms|us|ns)\)")
_OFFSET = re.compile(r"(?:UTC)?([+-])(\d\d):?(\d\d)")
_HOUR = re.compile(r"(?<![^ T])(\d):")  # of one digit, where a time begins
_DURATION = re.compile(r"(-)?(?:(\d+) days?,? *)?(?:(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?)?")


def parsed(label: str) -> tuple[str, str, str] | None:
    """Type, unit and time zone of a label such as ``Date``, ``Datetime(us,Europe/Madrid)``, ``Time(us)`` or ``Duration(ns)``,
    without regard of what backs it; None of other types.

    >>> parsed("Datetime(us,UTC)"), parsed("Date[object]"), parsed("Int64")
    (('Datetime', 'us', 'UTC'), ('Date', 's', ''), None)
    """
    match = _LABEL.fullmatch(label.partition("[")[0])
    if match is None:
        return None
    date, datetime_, unit, zone, other, other_unit = match.groups()
    return date or datetime_ or other, unit or other_unit or "s", zone or ""


def is_moment(label: str) -> bool:
    """Whether a type is one of dates, times of day or durations: their values are seconds."""
    return parsed(label) is not None


def kind_of(label: str) -> str:
    """``"calendar"``, ``"time"`` or ``"duration"``; "" of other types."""
    found = parsed(label)
    return KINDS[found[0]] if found else ""


def label_of(series: Any) -> str | None:
    """The label of a narwhals series of dates, times or durations; None of others."""
    kind = type(series.dtype).__name__
    if kind == "Unknown" and str(getattr(series.to_native(), "dtype", "")).startswith("datetime64["):
        arrow = series.to_arrow().type  # narwhals does not know zones with an underscore, such as America/Mexico_City
        return f"Datetime({arrow.unit},{arrow.tz})"
    if kind not in KINDS:
        return None
    if kind == "Date":
        return "Date"
    unit = series.to_arrow().type.unit if kind == "Time" else series.dtype.time_unit
    zone = (series.dtype.time_zone or "") if kind == "Datetime" else ""
    if offset := _OFFSET.fullmatch(zone):  # as pyarrow has it, without "UTC" before it
        zone = offset[1] + offset[2] + ":" + offset[3]
    return f"Datetime({unit},{zone})" if kind == "Datetime" else f"{kind}({unit})"


def zone_of(name: str) -> datetime.tzinfo:
    """A time zone by its name, or by its distance from UTC.

    >>> zone_of("+05:30").utcoffset(None), str(zone_of("Europe/Madrid"))
    (datetime.timedelta(seconds=19800), 'Europe/Madrid')
    """
    from zoneinfo import ZoneInfo

    found = _OFFSET.fullmatch(name)
    if not found:
        return ZoneInfo(name)
    sign, hours, minutes = found.groups()
    return datetime.timezone((-1 if sign == "-" else 1) * datetime.timedelta(hours=int(hours), minutes=int(minutes)))


def has_known_zone(label: str) -> bool:
    """Whether the time zone of a type of dates is one that there is, or it has none.

    >>> has_known_zone("Datetime(us,Europe/Madrid)"), has_known_zone("Datetime(us,Mars)"), has_known_zone("Date")
    (True, False, True)
    """
    found = parsed(label)
    try:
        return not (found and found[2]) or zone_of(found[2]) is not None
    except (KeyError, ValueError, OSError):
        return False


def in_seconds(series: Any) -> NDArray[np.float64]:
    """A narwhals series of dates (since 1970), times of day (since midnight) or durations in seconds, NaN where it is null.

    Whole seconds and the rest are taken apart, for a double does not hold the microseconds of every year.
    """
    import pyarrow as pa

    column = series.to_arrow()
    column = column.cast(pa.timestamp("s")) if pa.types.is_date(column.type) else column
    narrow = column.cast(pa.int32()) if pa.types.is_time32(column.type) else column
    units, observed = narrow.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), column.is_valid()
    whole, rest = np.divmod(units, UNITS[column.type.unit])
    return np.where(observed.to_numpy(zero_copy_only=False), whole + rest / UNITS[column.type.unit], np.nan)


def as_series(values: Any, label: str, container: str) -> Any:
    """Seconds, or an Arrow array of any type, as a series of pandas or polars, or an array of pyarrow, of the type that the
    label names.
    """
    column = arrow_of(values, label) if isinstance(values, np.ndarray) else values
    if container == "polars":
        import polars as pl

        return pl.from_arrow(column)
    return _pandas(column, label) if container == "pandas" else column


def arrow_type(label: str) -> Any:
    """PyArrow's type of a label."""
    import pyarrow as pa

    found = parsed(label)
    assert found is not None
    kind, unit, zone = found
    if kind == "Date":
        return pa.date32()
    if kind == "Datetime":
        return pa.timestamp(unit, zone or None)
    if kind == "Time":
        return pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    return pa.duration(unit)


def arrow_of(values: NDArray[Any], label: str) -> Any:
    """Seconds as an array of pyarrow, of the type that the label names; NaN is null."""
    import pyarrow as pa

    found, type_ = parsed(label), arrow_type(label)
    assert found is not None
    kind, unit, _ = found
    known = np.where(np.isnan(values), 0.0, values)
    known = known.clip(0.0, 86399.999999) if kind == "Time" else known
    digits = 6 if unit == "ns" else len(str(UNITS[unit])) - 1  # a double of seconds holds no more than microseconds
    ticks = np.rint(known / 86400 if kind == "Date" else known * 10**digits).astype(np.int64)
    ticks = np.minimum(ticks, 86400 * 10**digits - 1) if kind == "Time" else ticks
    ticks = ticks.astype(np.int32) if kind == "Date" or pa.types.is_time32(type_) else ticks * (UNITS[unit] // 10**digits)
    return pa.array(ticks, mask=np.isnan(values)).cast(type_)


def _pandas(column: Any, label: str) -> Any:
    import pandas as pd

    if label.endswith("[pyarrow]"):
        return pd.Series(pd.arrays.ArrowExtensionArray(column))
    if label.endswith("[object]"):
        return pd.Series(column.to_pylist(), dtype=object)
    return column.to_pandas(date_as_object=False)


def seconds(value: Any, label: str) -> float:
    """A value for a column of that type in seconds: a date or time as text (without a time zone, in that of the column), or an
    object of Python, NumPy or pandas; for a duration also a number of seconds.

    Raises:
        ValueError: it is nothing of the kind.

    >>> seconds("1970-01-02", "Date"), seconds("8:30", "Time(us)"), seconds("1 day 2:00", "Duration(us)")
    (86400.0, 30600.0, 93600.0)
    >>> seconds("2021-07-01", "Datetime(us,Europe/Madrid)") - seconds("2021-07-01", "Datetime(us,)")
    -7200.0
    """
    found = parsed(label)
    assert found is not None
    kind, _, zone = found
    value = _HOUR.sub(r"0\1:", value) if isinstance(value, str) and kind != "Duration" else value
    if kind == "Duration":
        return _duration(value)
    return _time(value) if kind == "Time" else _date(value, zone)


def is_utc(zone: str) -> bool:
    """Whether a time zone is UTC by any of its names."""
    return zone in UTC_NAMES


def of_text(text: str, label: str) -> tuple[float, bool]:
    """A text as seconds in a column of that type, and whether the time zone was taken to be UTC where one of both has none.

    Raises:
        ValueError: it is nothing of the kind, or only one of text and column has a time zone, and that is not UTC.

    >>> of_text("2024-02-01T00:00:00Z", "Datetime(us,)"), of_text("2024-02-01", "Date")
    ((1706745600.0, True), (1706745600.0, False))
    """
    found = parsed(label)
    assert found is not None
    kind, _, zone = found
    if kind not in ("Date", "Datetime") or ":" not in text:
        return seconds(text, label), False
    moment = datetime.datetime.fromisoformat(_HOUR.sub(r"0\1:", text))
    if (moment.tzinfo is None) == (not zone):
        return seconds(text, label), False
    if not (is_utc(zone) if zone else moment.utcoffset() == datetime.timedelta(0)):
        raise ValueError(text)
    return seconds(text, label), True


def _date(value: Any, zone: str) -> float:
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            value = np.datetime64(value, "us")  # also 2021-03, and years of any size
    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=zone_of(zone) if zone else datetime.UTC)
        return (aware - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)).total_seconds()
    if isinstance(value, datetime.date) and zone:
        return _date(datetime.datetime(value.year, value.month, value.day), zone)
    moment = np.datetime64(value, "us")
    return math.nan if np.isnat(moment) else float(moment.astype(np.int64)) / 1e6


def _time(value: Any) -> float:
    value = datetime.time.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(value, datetime.time):
        raise ValueError(value)
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6


def _duration(value: Any) -> float:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "us")) / 1e6
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match or not value:
        return float(value)
    sign, days, hours, minutes, rest = match.groups()
    total = 86400.0 * int(days or 0) + 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(rest or 0)
    return -total if sign else total


def told(value: float, label: str) -> str:
    """A value of a column as text: seconds as a date, a time or a duration, and numbers unchanged.

    >>> told(86400.0, "Date"), told(30600.0, "Time(us)"), told(93600.0, "Duration(us)"), told(2.5, "Float64")
    ('1970-01-02', '08:30:00', '1 day, 2:00:00', '2.5')
    >>> told(-600.0, "Duration(us)"), told(86399.9, "Date")
    ('-0:10:00', '1970-01-02')
    """
    found = parsed(label)
    if found is None or np.isnan(value):
        return f"{value:.15g}" if value == np.rint(value) else f"{value:g}"
    if found[0] == "Duration":
        return f"{'-' if value < 0 else ''}{datetime.timedelta(seconds=abs(value))}"
    zone = found[2]
    if found[0] == "Date":
        value = 86400.0 * float(np.rint(value / 86400))
    try:
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=value)
    except OverflowError:
        return str(np.datetime64(round(value), "s"))
    if found[0] == "Time":
        return moment.time().isoformat()
    if zone:
        moment = moment.astimezone(zone_of(zone))
    return moment.replace(tzinfo=None).isoformat(" ").removesuffix(" 00:00:00")


def refuse_unlike(name: str, before: str, now: str) -> None:
    """Raise DataError if a column held dates, times or durations and no longer does, or the reverse; or dates with a time zone
    instead of without, or the reverse.
    """
    was, is_now = (MOMENTS.get(kind_of(label), "") for label in (before, now))
    if was != is_now:
        held, holds = was or f"no {is_now}", is_now or "something else"
        remedy = f"write them as {was}, such as {EXAMPLES[kind_of(before)]}" if was else "give it what it held then"
        raise DataError(
            f"column {name!r} held {held} when the model was fitted, and holds {holds} now: {remedy}, or leave it empty"
        )
    zones = [found[2] for label in (before, now) if (found := parsed(label))]
    if was and bool(zones[0]) != bool(zones[1]):
        with_zone, then = zones[0] or zones[1], ("in the time zone {}", "without a time zone")
        first, second = then if zones[0] else then[::-1]
        remedy = f"convert them to {with_zone}" if zones[0] else "take the zone off, once they are told in that of the fit"
        raise DataError(
            f"column {name!r} held dates {first.format(with_zone)} when the model was fitted, and holds dates "
            f"{second.format(with_zone)} now: {remedy}"
        )
