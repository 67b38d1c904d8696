"""How a column of numbers is cut into bins: a value that often repeats is one of its own, the others stand together in runs.

A law over bins can be anything a histogram can: a count, a price with favourite values, a share with many zeros. Levels beat
normal scores for generation, and amounts that repeat have to be levels of their own.
"""

from __future__ import annotations

import numpy as np

from latente.data.containers import Array

MAX_BINS, MIN_BINS = 256, 8
ROWS_IN_A_BIN = 2  # neighbouring bins share what is learnt of them, so that they may be fine
REPEATED = 10  # times that values occur on average where each of them is a bin of its own
MAX_ROWS = 100_000


def cut(values: Array, step: float) -> tuple[Array, Array, Array]:
    """Lower and upper ends of a column's bins, in rising order, and how many rows each holds, all float64 ``[bins]``; the
    ends are equal where a bin is one value.

    Args:
        values: what was seen of the column, float64 ``[n]``, at least one value.
        step: of the grid on which all values are; 0 where there is none. The ends of a run lie half a step outside it.

    >>> low, high, rows = cut(np.repeat([0.0, 1.0, 7.0], 30), 1.0)
    >>> low.tolist(), high.tolist(), rows.tolist()
    ([0.0, 1.0, 7.0], [0.0, 1.0, 7.0], [30.0, 30.0, 30.0])
    """
    n = len(values)
    if n > MAX_ROWS:
        some = values[np.linspace(0, len(values) - 1, MAX_ROWS).astype(np.intp)]
        values = np.concatenate([some, [values.min(), values.max()]])
    distinct, counts = np.unique(values, return_counts=True)
    starts, alone = _runs(counts)
    first, last = distinct[starts], distinct[np.append(starts[1:], len(distinct)) - 1]
    between = (last[:-1] + first[1:]) / 2
    if step > 0.0:  # halfway between two values that can be; all that lies between a run and a single value belongs to the run
        between = last[:-1] + step * (np.floor((between - last[:-1]) / step) + 0.5)
        between = np.where(alone[:-1], last[:-1] + step / 2, np.where(alone[1:], first[1:] - step / 2, between))
    low = np.concatenate([first[:1] - step / 2, between])
    high = np.concatenate([between, last[-1:] + step / 2])
    rows = np.add.reduceat(counts, starts) * (n / counts.sum())
    return np.where(alone, first, low), np.where(alone, first, high), rows


def _runs(counts: Array) -> tuple[Array, Array]:
    """Where each bin begins among the distinct values, and whether it holds one that repeats."""
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
