"""What is known of the rows that a codec is fitted to: all of them in memory, or some of them and figures of all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from latente.data.containers import Array
from latente.data.fields import Summary, summarise
from latente.data.sources import Table
from latente.rows import spaced

MAX_ROWS, MIN_ROWS, MAX_VALUES = 100_000, 10_000, 1 << 24  # rows by which bins are cut, and values of them


def sample_rows(columns: int) -> int:
    """Number of rows of a table with this many columns by which bins are cut."""
    return min(MAX_ROWS, max(MIN_ROWS, MAX_VALUES // max(1, columns)))


@dataclass(frozen=True, eq=False)
class Survey:
    """A table, or what is known of one that does not fit into memory.

    Attributes:
        table: all rows, or evenly spaced ones; with the levels of all rows.
        places: numbers of its rows among all rows, [n].
        rows: number of all rows.
        summary: of all rows.
        counts: number of rows in which each column is observed, [F].
        ends: numbers of the rows with the smallest and the largest value of each column, [2, F]; None if all are in memory.
        too_many: columns with too many levels to know them all: their levels and counts are those of the table.
    """

    table: Table
    places: Array
    rows: int
    summary: Summary
    counts: Array
    ends: Array | None = None
    too_many: frozenset[int] = frozenset()

    @classmethod
    def of(cls, table: Table) -> Self:
        """Of rows in memory."""
        rows, summary = len(table), summarise(table.values)
        return cls(table, np.arange(rows), rows, summary, np.rint((1 - summary.missing) * rows).astype(np.int64))

    @cached_property
    def some(self) -> Array:
        """Values of evenly spaced rows, [n, F]."""
        values = self.table.values
        few = sample_rows(values.shape[1])
        return values if self.ends is not None or len(values) <= few else values[spaced(len(values), few).numpy()]

    def farthest(self, column: int, middle: float) -> tuple[int, float]:
        """The number of the row with the value of a column that is farthest from ``middle``, and the value."""
        if self.ends is None:
            values = self.table.values[:, column]
            row = int(np.nanargmax(np.abs(np.subtract(values, middle, dtype=np.float64))))
            return row, float(values[row])
        ends = self.summary.low[column], self.summary.high[column]
        which = int(np.argmax(np.abs(np.array(ends) - middle)))
        return int(self.ends[which, column]), float(ends[which])
