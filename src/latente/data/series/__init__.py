"""Series: rows in order of time, cut into windows of equal length on a grid of regular steps."""

from latente.data.series.codec import SeriesCodec
from latente.data.series.read import TimeAsked, with_index
from latente.data.series.windows import Series, filled, last_steps

__all__ = ["Series", "SeriesCodec", "TimeAsked", "filled", "last_steps", "with_index"]
