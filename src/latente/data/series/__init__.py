"""Series: rows in order of time, cut into windows of equal length on a grid of regular steps."""

from latente.data.series.codec import SeriesCodec
from latente.data.series.read import TimeAsked, with_index
from latente.data.series.sequences import Sequences, bins_of
from latente.data.series.windows import Series, filled, last_steps

__all__ = ["Sequences", "Series", "SeriesCodec", "TimeAsked", "bins_of", "filled", "last_steps", "with_index"]
