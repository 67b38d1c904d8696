"""Series: rows in order of time, cut into windows of equal length on a grid of regular steps."""

from latente.data.series.codec import SeriesCodec
from latente.data.series.read import TimeAsked, with_index
from latente.data.series.sequences import Sequences, bins_of
from latente.data.series.surroundings import CALENDAR, as_asked, calendar_names, cycles_of, of_windows, seconds, with_calendar
from latente.data.series.windows import Series, filled, last_steps

__all__ = [
    "CALENDAR",
    "Sequences",
    "Series",
    "SeriesCodec",
    "TimeAsked",
    "as_asked",
    "bins_of",
    "calendar_names",
    "cycles_of",
    "filled",
    "last_steps",
    "of_windows",
    "seconds",
    "with_calendar",
    "with_index",
]
