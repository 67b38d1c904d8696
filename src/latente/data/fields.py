"""Properties of the values of a data set, and scaling.

Data is processed in blocks of rows, in float64, so that a large float32 array is never copied as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latente.data.containers import Array, snap
from latente.errors import DataError
from latente.rows import Rows

BLOCK = 1 << 17  # values in a block, which fits into the CPU's cache
SAMPLE_ROWS = 10_000
SAMPLE_VALUES = 1 << 22
CONTINUOUS = 1e-7  # steps below this share of the standard deviation are due to rounding
FAR = 1e6  # values farther out than this many spreads are probably not measurements


def blocks(values: Array) -> Iterator[slice]:
    """Consecutive runs of rows, each of about :data:`BLOCK` values."""
    step = max(1, BLOCK * len(values) // max(1, values.size))
    return (slice(start, start + step) for start in range(0, len(values), step))


@dataclass(frozen=True, eq=False)
class Summary:
    """Properties of a table's columns; every array is float64 or bool ``[F]``, NaN for columns without a value.

    Attributes:
        low, high: smallest and largest value.
        mean, scale: mean and standard deviation of the observed values.
        binary: whether only 0 and 1 occur, and both do.
        missing: share of rows without a value.
        empty_rows: number of rows without any value.
    """

    low: Array
    high: Array
    mean: Array
    scale: Array
    binary: Array
    missing: Array
    empty_rows: int


def value_range(values: Array) -> tuple[Array, Array]:
    """Smallest and largest value of each column (``values[N, ...]``), NaN where there is none; float64."""
    shape = values.shape[1:]
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    for rows in blocks(values):
        low = np.fmin(low, np.fmin.reduce(values[rows], axis=0))
        high = np.fmax(high, np.fmax.reduce(values[rows], axis=0))
    return low, high


def summarise(values: Array) -> Summary:
    """Summary of ``values[N, F]``, over observed values.

    Mean and variance are computed for u = (v - low) / (high - low), so that values such as 1e200 do not overflow.
    """
    low, high = value_range(values)
    span = np.where(high > low, high - low, 1.0)
    count, first, mixed = np.zeros_like(low), np.zeros_like(low), np.zeros_like(low)
    empty_rows = 0
    for rows in blocks(values):
        u = np.subtract(values[rows], low, dtype=np.float64) / span
        unseen = np.isnan(u)
        u[unseen] = 0.0
        count += len(u) - unseen.sum(0)
        first += u.sum(0)
        mixed += (u * (1.0 - u)).sum(0)  # exactly 0 if every value is the smallest or the largest
        empty_rows += int(unseen.all(1).sum())
    mean = first / np.maximum(count, 1.0)
    scale = span * np.sqrt(np.maximum(mean * (1.0 - mean) - mixed / np.maximum(count, 1.0), 0.0))
    binary = (low == 0.0) & (high == 1.0) & (mixed == 0.0)
    missing = 1.0 - count / max(1, len(values))
    return Summary(low, high, low + span * mean, scale, binary, missing, empty_rows)


def ordered_sample(values: Array) -> Array:
    """Each column's values sorted, for at most 10,000 evenly spaced rows, float64 ``[n, F]``; missing ones come last."""
    count = min(len(values), SAMPLE_ROWS, max(1000, SAMPLE_VALUES // values.shape[1]))
    rows = np.linspace(0, len(values) - 1, count).astype(np.intp)
    return np.sort(values[rows].astype(np.float64), axis=0)


def recorded_resolution(ordered: Array, scale: Array) -> Array:
    """Smallest step between the distinct values of each sorted column, divided by ``scale``; 0 if it is continuous."""
    steps = np.diff(ordered, axis=0)
    smallest = np.where(steps > 0.0, steps, np.inf).min(axis=0, initial=np.inf) / scale
    return np.where(np.isfinite(smallest) & (smallest >= CONTINUOUS), smallest, 0.0)


DIGITS = 6  # below a step, which need not be a power of ten
LAST_BITS = 8 * np.finfo(float).eps
OFF_GRID = 1e-3  # tolerance for multiples of a step, because decimals are not exact in binary


def recorded_grid(ordered: Array, low: Array, step: Array) -> Array:
    """The step such that all values of each sorted column are multiples of it above ``low``: the smallest difference, or a
    usual one (a day, an hour, a minute, 1, 0.1, …); 0 if there is none.
    """
    found = _divides(ordered, low, step)
    for usual in (86400.0, 3600.0, 60.0, 1.0, 0.1, 0.01, 0.001):
        some = np.flatnonzero((found == 0.0) & (step > 0.999 * usual))  # values on a grid are at least a step apart
        found[some] = _divides(ordered[:, some], low[some], np.full(len(some), usual))
    return found


def _divides(ordered: Array, low: Array, step: Array) -> Array:
    """The step if all values are multiples of it above ``low``; otherwise 0.

    It is recomputed from the widest distance: the difference of two large decimals has a rounding error, which a single step of
    .01 shows 10,000 times as much as a distance of 10,000 steps.
    """
    multiple = (ordered - low) / np.where(step > 0.0, step, 1.0)
    off = np.nanmax(np.abs(multiple - np.rint(multiple)), axis=0, initial=0.0)
    widest, most = np.nanmax(ordered - low, axis=0, initial=0.0), np.rint(np.nanmax(multiple, axis=0, initial=0.0))
    return np.where((step > 0.0) & (off < OFF_GRID) & (most < 1e9) & (most > 0), widest / np.maximum(most, 1.0), 0.0)


def on_grid(values: Array, low: Array, high: Array, grid: Array) -> Array:
    """Values ``[N, F]`` within bounds and, if there is a grid, at its nearest point."""
    step = np.where(grid > 0.0, grid, 1.0)
    nearest = np.where(grid > 0.0, _in_decimals(low + np.rint((values - low) / step) * step, step), values)
    return np.asarray(np.where(np.isnan(low), values, np.clip(nearest, low, high))).astype(values.dtype)


def _in_decimals(values: Array, step: Array) -> Array:
    """Values rounded to a few digits below a step, if this only removes rounding errors: 0.3 instead of 0.1 + 0.2."""
    places = DIGITS - np.floor(np.log10(step))
    with np.errstate(over="ignore", invalid="ignore"):  # very large values overflow here, and stay unchanged
        power = 10.0 ** np.abs(places)  # exact, unlike its inverse
        short = np.where(places > 0, np.rint(values * power) / power, np.rint(values / power) * power)
        rounding = LAST_BITS * np.abs(values).max(0, initial=0.0)
        return np.asarray(np.where(np.abs(short - values) <= rounding, short, values))


def far_values(ordered: Array, low: Array, high: Array) -> Iterator[tuple[int, float]]:
    """Columns with a value more than a million spreads away from their median, and the median.

    The spread is the distance between the quartiles or, if most values are the same, between those of the distinct values.
    """
    count = (~np.isnan(ordered)).sum(0)
    quartiles = (np.maximum(count - 1, 0) * np.array([[0.25], [0.5], [0.75]])).astype(np.intp)
    lower, median, upper = np.take_along_axis(ordered, quartiles, axis=0)
    far = np.maximum(high - median, median - low)
    for column in np.flatnonzero(far > FAR * (upper - lower)):
        if far[column] > FAR * _spread(ordered[: count[column], column]):
            yield int(column), float(median[column])


def _spread(ordered: Array) -> float:
    """Distance between the quartiles of sorted values, or of the distinct ones, or the magnitude of a nearly constant value."""
    distinct = np.unique(ordered)
    width = _quartile_distance(ordered) or (_quartile_distance(distinct) if len(distinct) >= 8 else 0.0)
    return width or max(1.0, abs(float(np.median(ordered))))


def _quartile_distance(ordered: Array) -> float:
    return float(ordered[3 * (len(ordered) - 1) // 4] - ordered[(len(ordered) - 1) // 4])


# Standard deviations from the mean to which values are limited, because networks in float32 would overflow.
FARTHEST = 1e9


def standardise(values: Array, center: Any, scale: Any, columns: Any = slice(None)) -> Rows:
    """Rows (values - center) / scale in float32, 0 where a value is NaN; the mask is None if none is.

    Args:
        values: ``[N, ...]``.
        center, scale: broadcast to the last axes of ``values[:, columns]``.
        columns: which of axis 1 to use, in which order.
    """
    shape = values[:1, columns].shape[1:]
    x, mask = np.empty((len(values), *shape), np.float32), None
    for rows in blocks(values):
        block = np.subtract(values[rows, columns], center, dtype=np.float64)
        block /= scale
        x[rows] = np.clip(block, -FARTHEST, FARTHEST, out=block)
        if np.isnan(x[rows]).any():
            mask = np.ones(x.shape, bool) if mask is None else mask
            mask[rows] = ~np.isnan(block)
            np.nan_to_num(x[rows], copy=False)
    return Rows(torch.from_numpy(x), None if mask is None else torch.from_numpy(mask))


def mean_and_spread(rows: Rows) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the observed values of each field of standardised rows, float64 ``[F]``.

    Values near 0 are summed with their squares, in one pass: nothing of the variance is lost in the difference.
    """
    shape = rows[:1].x.shape[1:]
    count, sums = torch.zeros(shape, dtype=torch.int64), torch.zeros(2, *shape, dtype=torch.float64)
    for batch in rows.batches(max(1, BLOCK // max(1, shape.numel()))):
        values = batch.x.double()  # 0 where one is missing
        sums += torch.stack([values.sum(0), values.square().sum(0)])
        count += len(batch) if batch.mask is None else batch.mask.sum(0)
    mean, square = sums / count.clamp_min(1)
    return mean, (square - mean.square()).clamp_min(0.0).sqrt()


def restore(x: Array, center: Any, scale: Any, dtype: np.dtype[Any]) -> Array:
    """The inverse of :func:`standardise`: x · scale + center, as ``dtype``."""
    values = np.empty(x.shape, dtype)
    for rows in blocks(x):
        values[rows] = snap(x[rows].astype(np.float64) * scale + center, dtype)
    return values


def encoded(x: Array | Tensor, shape: tuple[int, ...]) -> Array:
    """Encoded rows ``[N, *shape]`` as a NumPy array on the CPU.

    Raises:
        DataError: if the rows have another shape.
    """
    values = x.detach().to("cpu", torch.float32).numpy() if isinstance(x, Tensor) else np.asarray(x)
    if values.shape[1:] != shape:
        raise DataError(f"encoded rows of shape {shape} are needed, and these have the shape {values.shape[1:]}")
    return values


def observed_rows(rows: Rows) -> Tensor:
    """bool ``[N]``: the rows with at least one observed value."""
    return torch.ones(len(rows), dtype=torch.bool) if rows.mask is None else rows.mask.flatten(1).any(1)
