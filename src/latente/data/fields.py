"""What the values of a data set are like, and the scaling that follows from it.

Everything here goes over the data in blocks of rows, in float64, so that a large float32 array is never copied as a whole.
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

BLOCK = 1 << 17  # values in a block: it stays in the processor's cache
SAMPLE_ROWS = 10_000
SAMPLE_VALUES = 1 << 22
CONTINUOUS = 1e-7  # steps below this share of the spread are those of rounding, not of the record
FAR = 1e6  # a value that is further out than this many spreads is hardly a measurement


def blocks(values: Array) -> Iterator[slice]:
    """Consecutive runs of rows, each of about :data:`BLOCK` values."""
    step = max(1, BLOCK * len(values) // max(1, values.size))
    return (slice(start, start + step) for start in range(0, len(values), step))


@dataclass(frozen=True, eq=False)
class Summary:
    """What a table's columns hold; every array is float64 or bool ``[F]``, NaN where a column has no value.

    Attributes:
        low, high: smallest and largest value.
        mean, scale: mean and standard deviation of the values seen.
        binary: whether only 0 and 1 occur, and both do.
        missing: share of the rows in which there is no value.
        empty_rows: how many rows hold no value at all.
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
    """Summary of ``values[N, F]`` over what was seen.

    Mean and variance are taken of u = (v - low) / (high - low), so that values such as 1e200 do not overflow.
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
        mixed += (u * (1.0 - u)).sum(0)  # 0 exactly where every value is the smallest or the largest
        empty_rows += int(unseen.all(1).sum())
    mean = first / np.maximum(count, 1.0)
    scale = span * np.sqrt(np.maximum(mean * (1.0 - mean) - mixed / np.maximum(count, 1.0), 0.0))
    binary = (low == 0.0) & (high == 1.0) & (mixed == 0.0)
    missing = 1.0 - count / max(1, len(values))
    return Summary(low, high, low + span * mean, scale, binary, missing, empty_rows)


def ordered_sample(values: Array) -> Array:
    """Each column's values sorted on at most 10,000 rows spread evenly, float64 ``[n, F]``; what is missing comes last."""
    count = min(len(values), SAMPLE_ROWS, max(1000, SAMPLE_VALUES // values.shape[1]))
    rows = np.linspace(0, len(values) - 1, count).astype(np.intp)
    return np.sort(values[rows].astype(np.float64), axis=0)


def recorded_resolution(ordered: Array, scale: Array) -> Array:
    """Smallest step between the distinct values of each sorted column, divided by ``scale``; 0 where it is continuous."""
    steps = np.diff(ordered, axis=0)
    smallest = np.where(steps > 0.0, steps, np.inf).min(axis=0, initial=np.inf) / scale
    return np.where(np.isfinite(smallest) & (smallest >= CONTINUOUS), smallest, 0.0)


DIGITS = 6  # below a step: it need not be a power of ten
LAST_BITS = 8 * np.finfo(float).eps
OFF_GRID = 1e-3  # share of a step by which a value may miss a multiple of it, for decimals are not exact in binary


def recorded_grid(ordered: Array, low: Array, step: Array) -> Array:
    """The step of which every value of each sorted column is a multiple above ``low``: the smallest that was seen, or one that
    people record by (a day, an hour, a minute, 1, 0.1, …); 0 where there is none.
    """
    found = _divides(ordered, low, step)
    for usual in (86400.0, 3600.0, 60.0, 1.0, 0.1, 0.01, 0.001):
        some = np.flatnonzero((found == 0.0) & (step > 0.999 * usual))  # values on a grid are at least a step apart
        found[some] = _divides(ordered[:, some], low[some], np.full(len(some), usual))
    return found


def _divides(ordered: Array, low: Array, step: Array) -> Array:
    """The step where every value is a multiple of it above ``low``; 0 where not, or where it is 0.

    It is told again by the widest distance: as the difference of two large decimals, .01 is off by as much as they are rounded,
    and 10,000 steps by 10,000 times that.
    """
    multiple = (ordered - low) / np.where(step > 0.0, step, 1.0)
    off = np.nanmax(np.abs(multiple - np.rint(multiple)), axis=0, initial=0.0)
    widest, most = np.nanmax(ordered - low, axis=0, initial=0.0), np.rint(np.nanmax(multiple, axis=0, initial=0.0))
    return np.where((step > 0.0) & (off < OFF_GRID) & (most < 1e9) & (most > 0), widest / np.maximum(most, 1.0), 0.0)


def on_grid(values: Array, low: Array, high: Array, grid: Array) -> Array:
    """Values ``[N, F]`` within bounds, and where there is a grid, at its nearest point."""
    step = np.where(grid > 0.0, grid, 1.0)
    nearest = np.where(grid > 0.0, _in_decimals(low + np.rint((values - low) / step) * step, step), values)
    return np.asarray(np.where(np.isnan(low), values, np.clip(nearest, low, high))).astype(values.dtype)


def _in_decimals(values: Array, step: Array) -> Array:
    """Values with a few digits below a step, where that is all there is but for rounding: 0.3 in place of 0.1 + 0.2."""
    places = DIGITS - np.floor(np.log10(step))
    with np.errstate(over="ignore", invalid="ignore"):  # of values as large as can be, which then stay
        power = 10.0 ** np.abs(places)  # exact, as its inverse is not
        short = np.where(places > 0, np.rint(values * power) / power, np.rint(values / power) * power)
        rounding = LAST_BITS * np.abs(values).max(0, initial=0.0)
        return np.asarray(np.where(np.abs(short - values) <= rounding, short, values))


def far_values(values: Array, ordered: Array, low: Array, high: Array) -> Iterator[tuple[int, int, float]]:
    """Column, row and value of what lies more than a million times the column's spread away from its median.

    The spread is the distance between the quartiles; where most values are the same, between those of the distinct values.
    """
    count = (~np.isnan(ordered)).sum(0)
    quartiles = (np.maximum(count - 1, 0) * np.array([[0.25], [0.5], [0.75]])).astype(np.intp)
    lower, median, upper = np.take_along_axis(ordered, quartiles, axis=0)
    far = np.maximum(high - median, median - low)
    for column in np.flatnonzero(far > FAR * (upper - lower)):
        if far[column] > FAR * _spread(ordered[: count[column], column]):
            row = int(np.nanargmax(np.abs(np.subtract(values[:, column], median[column], dtype=np.float64))))
            yield int(column), row, float(values[row, column])


def _spread(ordered: Array) -> float:
    """Distance between the quartiles of sorted values, or of the distinct ones, or the size of a value that hardly varies."""
    distinct = np.unique(ordered)
    width = _quartile_distance(ordered) or (_quartile_distance(distinct) if len(distinct) >= 8 else 0.0)
    return width or max(1.0, abs(float(np.median(ordered))))


def _quartile_distance(ordered: Array) -> float:
    return float(ordered[3 * (len(ordered) - 1) // 4] - ordered[(len(ordered) - 1) // 4])


# Spreads from the mean beyond which a value is as far as any: networks in float32 could not tell, and would overflow.
FARTHEST = 1e9


def standardise(values: Array, center: Any, scale: Any, columns: Any = slice(None)) -> Rows:
    """Rows (values - center) / scale in float32, 0 where a value is NaN; the mask is None where none is.

    Args:
        values: ``[N, ...]``.
        center, scale: what fits the last axes of ``values[:, columns]``.
        columns: which of axis 1 to take, in which order.
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
    count = torch.full(rows.x.shape[1:], len(rows)) if rows.mask is None else rows.mask.sum(0)
    sums = torch.zeros(2, *rows.x.shape[1:], dtype=torch.float64)
    for block in blocks(rows.x.numpy()):
        values = rows.x[block].double()  # 0 where one is missing
        sums += torch.stack([values.sum(0), values.square().sum(0)])
    mean, square = sums / count.clamp_min(1)
    return mean, (square - mean.square()).clamp_min(0.0).sqrt()


def restore(x: Array, center: Any, scale: Any, dtype: np.dtype[Any]) -> Array:
    """The inverse of :func:`standardise`: x · scale + center, as ``dtype``."""
    values = np.empty(x.shape, dtype)
    for rows in blocks(x):
        values[rows] = snap(x[rows].astype(np.float64) * scale + center, dtype)
    return values


def encoded(x: Array | Tensor, shape: tuple[int, ...]) -> Array:
    """Encoded rows ``[N, *shape]`` as a NumPy array on the processor.

    Raises:
        DataError: if the rows have another shape.
    """
    values = x.detach().to("cpu", torch.float32).numpy() if isinstance(x, Tensor) else np.asarray(x)
    if values.shape[1:] != shape:
        raise DataError(f"encoded rows of shape {shape} are needed, and these have the shape {values.shape[1:]}")
    return values


def seen_rows(rows: Rows) -> Tensor:
    """bool ``[N]``: the rows in which at least one value was seen."""
    return torch.ones(len(rows), dtype=torch.bool) if rows.mask is None else rows.mask.flatten(1).any(1)
