"""Windows of series: their length, by the spectrum, and where they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from latente.data.containers import Array
from latente.data.series.clock import Grid
from latente.data.sources import Table
from latente.rows import Overlaps

MAX_VALUES = 4096  # of a window
MAX_WINDOWS = 20_000
MIN_WINDOW, USUAL_WINDOW, MAX_WINDOW = 8, 32, 256
MANY, WHOLE = 20, 512  # of so many series, each is one window if none is longer
SHARE = 8  # windows begin every eighth of their length
PERIODIC = 0.2  # autocorrelation from which a lag is a period
AS_HIGH = 0.9  # of the highest peak: the first multiple of a period is a peak as well
MAX_STEPS = 20_000  # of a series, for its spectrum


@dataclass(frozen=True, eq=False)
class Series:
    """Windows of series.

    Attributes:
        table: the rows, as they were read.
        grid: where they lie in time.
        window: steps of a window.
        begins: the first step of each window, [N].
        shape: series and steps of an array [N, T, C]; () for tables.
    """

    table: Table
    grid: Grid
    window: int
    begins: Array
    shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.begins)

    def take(self, rows: Sequence[int] | Array) -> Series:
        """Some windows, by their indices."""
        return replace(self, begins=self.begins[np.asarray(rows)])

    def thinned(self, parts: int) -> Series:
        """The same series in fewer windows, which begin every ``parts``-th part of a window at most."""
        return replace(self, begins=beginnings(self.grid, self.window, max(1, self.window // parts)))

    @property
    def container(self) -> str:
        """Type of the input."""
        return self.table.container

    @property
    def text(self) -> Any:
        """The text file that it was read from; None for other sources."""
        return self.table.text

    @cached_property
    def indices(self) -> Array:
        """The steps of each window, [N, L]."""
        return self.begins[:, None] + np.arange(self.window)

    @property
    def overlaps(self) -> Overlaps:
        """Which windows share steps."""
        return Overlaps(self.begins, self.grid.starts, self.window)

    def rows_of_windows(self) -> dict[str, Array]:
        """The first and the last row of each window in order of time; -1 without any."""
        count = self.grid.steps
        first, last = np.full(count, -1), np.full(count, -1)
        numbers = np.arange(len(self.table))
        last[self.grid.places] = numbers
        first[self.grid.places[::-1]] = numbers[::-1]
        has = last[self.indices] >= 0
        ends = has.argmax(1), self.window - 1 - has[:, ::-1].argmax(1)
        windows = np.arange(len(self))
        return {
            name: of[self.indices][windows, end] for name, of, end in zip(("first", "last"), (first, last), ends, strict=True)
        }

    def mean(self, values: Array) -> Array:
        """Values of windows [N, L, ...] averaged over the windows of each step, [S, ...]; NaN at steps without a window."""
        total = np.zeros((self.grid.steps, *values.shape[2:]))
        np.add.at(total, self.indices, values)
        counts = np.bincount(self.indices.ravel(), minlength=self.grid.steps).reshape(-1, *(1,) * (values.ndim - 2))
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(counts > 0, total / np.maximum(counts, 1), np.nan))


def last_steps(grid: Grid) -> Array:
    """The last step of each series that has a row, [E]."""
    entity = np.searchsorted(grid.starts, grid.places, side="right") - 1
    found = np.zeros(len(grid.starts), np.intp)
    np.maximum.at(found, entity, grid.places)
    return found


def beginnings(grid: Grid, window: int, stride: int) -> Array:
    """First steps of windows: every ``stride`` steps of each series, and at its end."""
    found = []
    for start, length in zip(grid.starts.tolist(), grid.lengths.tolist(), strict=True):
        last = max(0, length - window)
        found.append(start + np.append(np.arange(0, last, stride), last))
    return np.concatenate(found)


def chosen_window(values: Array, grid: Grid, whole: bool) -> tuple[int, bool]:
    """The length of windows, and whether it is a period of the series.

    Args:
        values: of channels on the grid, [S, C], NaN where missing.
        whole: whether few series are one window each, too.
    """
    longest, most = int(grid.lengths.max()), max(2, MAX_VALUES // values.shape[1])
    if longest <= min(most, WHOLE) and (whole or len(grid.lengths) >= MANY):
        return longest, False
    least = min(MIN_WINDOW, most, longest)
    end = int(min(MAX_WINDOW, most, max(least, longest // 4)))
    series = int(grid.lengths.argmax())
    found = period(values[grid.starts[series] :][: min(longest, MAX_STEPS)], end)
    return (found, True) if found >= least else (min(USUAL_WINDOW, end), False)


def chosen_stride(grid: Grid, window: int) -> int:
    """An eighth of a window, or more if there would be too many windows."""
    return max(1, window // SHARE, int(np.ceil(grid.steps / MAX_WINDOWS)))


def period(values: Array, longest: int) -> int:
    """The first lag whose autocorrelation, averaged over channels, is a peak about as high as any; 0 if there is none.

    >>> period(np.sin(np.arange(200) * 2 * np.pi / 25)[:, None], 60)
    25
    """
    r = np.mean([_autocorrelation(filled(channel), longest + 1) for channel in values.T], axis=0)
    peaks = [lag for lag in range(3, min(longest, len(r) - 2) + 1) if r[lag - 1] < r[lag] >= r[lag + 1] and r[lag] > PERIODIC]
    highest = max((r[lag] for lag in peaks), default=0.0)
    return next((lag for lag in peaks if r[lag] >= AS_HIGH * highest), 0)


def filled(channel: Array) -> Array:
    """A channel [T] with missing values interpolated linearly, and the nearest value beyond the ends; 0 without any value."""
    known = np.flatnonzero(~np.isnan(channel))
    if not len(known):
        return np.zeros(len(channel))
    return np.interp(np.arange(len(channel)), known, channel[known])


def _autocorrelation(channel: Array, most: int) -> Array:
    """Of a channel without its linear trend, by the fast Fourier transform (Wiener and Khinchin), [most + 1]."""
    steps = np.arange(len(channel))
    channel = channel - np.polyval(np.polyfit(steps, channel, 1), steps)
    size = 2 ** int(np.ceil(np.log2(2 * len(channel))))
    power = np.abs(np.fft.rfft(channel, size)) ** 2
    r = np.fft.irfft(power)[: min(most + 1, len(channel))]
    return np.asarray(r / max(float(r[0]), 1e-12))
