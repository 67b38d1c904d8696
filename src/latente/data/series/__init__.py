"""Series: rows in order of time, cut into windows of equal length on a grid of regular steps."""

from latente.data.series.codec import SeriesCodec
from latente.data.series.read import TimeAsked, with_index
from latente.data.series.windows import Series, filled

__all__ = ["Series", "SeriesCodec", "TimeAsked", "filled", "with_index"]
