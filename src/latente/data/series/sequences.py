"""Sequences of series: encoded rows in order, which columns are constant in each series, and which are modelled by changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latente.data.bins import cut
from latente.data.containers import Array
from latente.data.series.codec import SeriesCodec
from latente.data.series.windows import Series
from latente.rows import Bins, Field

FEW_VALUES = 64  # columns of numbers with up to this many values are modelled by their values
ROUNDING = 1e-6  # of encoded values


@dataclass(frozen=True, eq=False)
class Sequences:
    """Encoded rows of series in order of time, one series after the other.

    Attributes:
        fields: the columns.
        x: [T, F], NaN where a value is missing.
        begins: the first row of each series, [E].
        steps: the step of time of each row, in its series, [T].
        starts: the step at which each series begins after the earliest one, [E].
    """

    fields: tuple[Field, ...]
    x: Tensor
    begins: Array
    steps: Array
    starts: Array

    @classmethod
    def of(cls, codec: SeriesCodec, series: Series) -> Sequences:
        """The rows of a table."""
        order = np.argsort(series.grid.places, kind="stable")
        places, rows = series.grid.places[order], codec.table.encode(series.table)
        entity = np.searchsorted(series.grid.starts, places, side="right") - 1
        x = rows.x if rows.mask is None else rows.x.masked_fill(~rows.mask, torch.nan)
        starts = np.rint((codec.clock.ticks(series.grid.first) - codec.clock.ticks(np.array([codec.first]))) / codec.clock.step)
        begins = np.searchsorted(entity, np.arange(len(series.grid.starts)))
        return cls(codec.table.fields, x[torch.from_numpy(order)], begins, places - series.grid.starts[entity], starts)

    @property
    def lengths(self) -> Array:
        """Rows of each series, [E]."""
        return np.diff(np.append(self.begins, len(self.x)))

    @property
    def entity(self) -> Array:
        """The number of the series of each row, [T]."""
        return np.repeat(np.arange(len(self.begins)), self.lengths)

    @property
    def is_first(self) -> Array:
        """Whether a row is the first one of its series, bool [T]."""
        found = np.zeros(len(self.x), bool)
        found[self.begins] = True
        return found

    @property
    def is_last(self) -> Array:
        """Whether a row is the last one of its series, bool [T]."""
        return np.append(self.is_first[1:], True)

    @property
    def gaps(self) -> Array:
        """Steps of time since the row before, [T]; 0 for the first one of a series."""
        return np.where(self.is_first, 0, np.diff(self.steps, prepend=0))

    def constant(self) -> tuple[bool, ...]:
        """Which columns have no two different values within any series."""
        values, entity = self.x.numpy(), self.entity
        found = []
        for column in values.T:
            known = ~np.isnan(column)
            low, high = np.full(len(self.begins), np.inf), np.full(len(self.begins), -np.inf)
            np.minimum.at(low, entity[known], column[known])
            np.maximum.at(high, entity[known], column[known])
            found.append(bool((low >= high).all()))
        return tuple(found)

    def of_series(self, columns: list[int]) -> Tensor:
        """The value of constant columns in each series, [E, S]; NaN where it is always missing."""
        values, entity = self.x[:, columns].numpy(), self.entity
        found = np.full((len(self.begins), len(columns)), np.nan, np.float32)
        for column, of in enumerate(values.T):
            known = ~np.isnan(of)
            found[entity[known], column] = of[known]
        return torch.from_numpy(found)

    def differences(self, f: int) -> Array:
        """Changes of a column from row to row of the same series, where both are observed."""
        changes = np.diff(self.x[:, f].double().numpy(), prepend=0.0)[~self.is_first]
        return np.asarray(changes[~np.isnan(changes)])

    def goes_one_way(self, f: int) -> bool:
        """Whether a column of numbers only rises or only falls."""
        changes = self.differences(f)
        one_way = (changes >= -ROUNDING).all() or (changes <= ROUNDING).all()
        return bool(one_way and not self.fields[f].levels and len(changes))

    def has_many_values(self, f: int) -> bool:
        """Whether a column of numbers has too many values for a bin for each."""
        field = self.fields[f]
        return not field.levels and field.bins is not None and len(field.bins.low) > FEW_VALUES


def bins_of(values: Array, step: float) -> Bins:
    """Encoded values cut into bins; ``step`` is that of their grid, on which they are set, 0 for continuous ones."""
    values = np.rint(values / step) * step if step else values
    low, high, rows = cut(values.astype(float), step)
    size = np.where(high > low, np.rint((high - low) / step) if step else 0.0, 1.0)
    return Bins(*(tuple(each.tolist()) for each in (low, high, size, rows)))
