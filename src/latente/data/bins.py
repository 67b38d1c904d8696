"""Bins of columns of numbers: values that often repeat have their own bins, the others are grouped in intervals.

Distributions over bins are histograms: counts, prices with common values, shares with many zeros. For generation, bins are
better than normal scores, and amounts that repeat need their own bins.
"""

from __future__ import annotations

import numpy as np

from latente.data.containers import Array

MAX_BINS, MIN_BINS = 256, 8
ROWS_IN_A_BIN = 2  # neighbouring bins share parameters, so that they may be small
REPEATED = 10  # mean number of rows per distinct value, from which each value has its own bin


def cut(values: Array, step: float, n: int | None = None) -> tuple[Array, Array, Array]:
    """Lower and upper ends of a column's bins, in rising order, and the number of rows in each, all float64 ``[bins]``; the
    ends are equal if a bin is a single value.

    Args:
        values: the observed values of the column, float64 ``[n]``, at least one.
        step: of the grid of values; 0 if they are continuous. The ends of an interval lie half a step outside of its values.
        n: number of rows that the values stand for; by default their own.

    >>> low, high, rows = cut(np.repeat([0.0, 1.0, 7.0], 30), 1.0)
    >>> low.tolist(), high.tolist(), rows.tolist()
    ([0.0, 1.0, 7.0], [0.0, 1.0, 7.0], [30.0, 30.0, 30.0])
    """
    n = len(values) if n is None else n
    distinct, counts = np.unique(values, return_counts=True)
    starts, alone = _runs(counts)
    first, last = distinct[starts], distinct[np.append(starts[1:], len(distinct)) - 1]
    between = (last[:-1] + first[1:]) / 2
    if step > 0.0:  # halfway between possible values; an interval extends up to a neighbouring single value
        between = last[:-1] + step * (np.floor((between - last[:-1]) / step) + 0.5)
        between = np.where(alone[:-1], last[:-1] + step / 2, np.where(alone[1:], first[1:] - step / 2, between))
    low = np.concatenate([first[:1] - step / 2, between])
    high = np.concatenate([between, last[-1:] + step / 2])
    rows = np.add.reduceat(counts, starts) * (n / counts.sum())
    return np.where(alone, first, low), np.where(alone, first, high), rows


def _runs(counts: Array) -> tuple[Array, Array]:
    """Index of the first distinct value of each bin, and whether the bin is a repeated value."""
    n, distinct = counts.sum(), len(counts)
    if distinct <= MAX_BINS and n >= REPEATED * distinct:
        return np.arange(distinct), np.ones(distinct, bool)
    share = n / min(MAX_BINS, max(MIN_BINS, n // ROWS_IN_A_BIN))
    heavy = counts >= max(2.0, share)
    light = np.where(heavy, 0, counts)
    quantile = np.floor((np.cumsum(light) - light / 2) / share)
    begins = np.ones(distinct, bool)
    begins[1:] = heavy[1:] | heavy[:-1] | (quantile[1:] != quantile[:-1])
    starts = np.flatnonzero(begins)
    return starts, heavy[starts]
