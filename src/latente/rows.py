"""Rows and fields, which the packages ``data`` and ``model`` share.

A *row* is one example: a line of a table, one picture, or a window of series. A *field* is a named part of a row with a kind: a
column, or the picture or the window as a whole. The codec of a data set converts the user's
rows to :class:`Rows`, the only input of a model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MANY = 1_000_000  # rows from which not all row numbers are held in memory
REAL = "real"
BINARY = "binary"
IMAGE = "image"
SERIES = "series"
CATEGORICAL = "categorical"
MEASURES = {REAL, "positive", "bounded"}
SCALAR = "scalar"
LAYOUTS = (SCALAR, IMAGE, SERIES)
"""The layouts of a field. Each package has one table with an entry for each layout."""
_AXES = {0: SCALAR, 2: SERIES, 3: IMAGE}


class Bins(NamedTuple):
    """The values of a column cut into bins, in rising order, in encoded units.

    Attributes:
        low, high: ends of each bin; equal if it is a single value.
        size: number of possible values in it; 0 for an interval of a continuous column.
        rows: number of rows in it when the bins were made.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    size: tuple[float, ...]
    rows: tuple[float, ...]


class ValueGrid(NamedTuple):
    """How a column's numbers are recorded, in encoded units.

    Attributes:
        zero: the encoded 0. unit: the encoded difference of 1.
        step: distance of neighbouring values; 0 if values are continuous.
        low, high: smallest and largest value; None if unknown.
        atom: a value that often repeats among many others; None if there is none.
    """

    zero: float = 0.0
    unit: float = 1.0
    step: float = 0.0
    low: float | None = None
    high: float | None = None
    atom: float | None = None


PLAIN = ValueGrid()


@dataclass(frozen=True)
class Field:
    """A named part of a row.

    Attributes:
        name: the column's name, ``"image"`` or ``"window"``.
        kind: ``"real"``, ``"positive"``, ``"bounded"`` (shares from 0 to 1), ``"count"``, ``"integer"``, ``"ordinal"``,
            ``"binary"`` (only 0 and 1 occur), ``"categorical"`` (the number of a level), ``"image"`` or
            ``"series"``.
        shape: ``()`` for a column, ``(C, H, W)`` for a picture, ``(C, L)`` for a window of C channels and L steps.
        resolution: the smallest step between recorded values, in encoded units; 0 for continuous values. No density is
            narrower than that.
        levels: number of levels of a categorical field.
        missing: share of the rows in which it is missing.
        bins: how a column's values are cut into bins; None if they are not.
        grid: how its numbers are recorded.
        ordered: whether its levels have an order.
    """

    name: str
    kind: str = REAL
    shape: tuple[int, ...] = ()
    resolution: float = 0.0
    levels: int = 0
    missing: float = 0.0
    bins: Bins | None = None
    grid: ValueGrid = PLAIN
    ordered: bool = False

    @property
    def layout(self) -> str:
        """``"scalar"``, ``"image"`` or ``"series"``."""
        return _AXES[len(self.shape)]

    @property
    def size(self) -> int:
        """Number of values of the field."""
        return math.prod(self.shape)


def layout_of(fields: tuple[Field, ...]) -> str:
    """Layout of a row: that of its fields, which all have the same."""
    return fields[0].layout


def row_shape(fields: tuple[Field, ...]) -> tuple[int, ...]:
    """Shape of one encoded row: ``(F,)`` for columns, ``(C, H, W)`` for a picture, ``(C, L)`` for a window."""
    if len(fields) == 1 and fields[0].shape:
        return fields[0].shape
    return (len(fields),)


def levels_of(fields: tuple[Field, ...]) -> tuple[int, ...]:
    """For each column its number of levels, 0 for numbers; () if no column is categorical."""
    levels = tuple(field.levels for field in fields)
    return levels if any(levels) else ()


def expanded(x: Tensor, levels: tuple[int, ...]) -> Tensor:
    """Columns [B, F] with each categorical one as one indicator per level, [B, sum of max(1, levels)]."""
    if not levels:
        return x
    columns = [
        (column == torch.arange(count, device=x.device)).to(x.dtype) if count else column
        for column, count in zip(torch.split(x, 1, 1), levels, strict=True)
    ]
    return torch.cat(columns, 1)


def indicators(x: Tensor, levels: tuple[int, ...]) -> Tensor:
    """Rows [N, F] with levels as indicators divided by √2, so that two different levels have distance 1, [N, P]."""
    columns = [
        (column == torch.arange(count, device=x.device)).to(x.dtype) * math.sqrt(0.5) if count else column
        for column, count in zip(torch.split(x, 1, 1), levels or (0,) * x.shape[1], strict=True)
    ]
    return torch.cat(columns, 1)


def of_indicators(values: Tensor, levels: tuple[int, ...]) -> Tensor:
    """What is of columns [N, F] (such as a mask) for each of their :func:`indicators`, [N, P]."""
    if not levels:
        return values
    columns = [column for f, count in enumerate(levels) for column in [values[:, f]] * max(1, count)]
    return torch.stack(columns, 1)


class Overlaps(NamedTuple):
    """Which rows share values, because they are windows of the same series.

    Attributes:
        begins: the first step of each row, [N]; steps of all series are counted one after the other.
        starts: the first step of each series, [E].
        window: steps of a row.
    """

    begins: NDArray[np.intp]
    starts: NDArray[np.intp]
    window: int


def spaced(n: int, most: int) -> Tensor:
    """At most ``most`` evenly spaced row numbers of ``n`` rows, in rising order.

    >>> spaced(10, 4), spaced(2, 4)
    (tensor([0, 3, 6, 9]), tensor([0, 1]))
    """
    return torch.arange(n) if n <= most else torch.linspace(0, n - 1, most, dtype=torch.float64).round().long()


def random_places(n: int, most: int) -> Tensor:
    """At most ``most`` different random row numbers of ``n`` rows, from torch's generator; of many rows at most half.

    >>> len(set(random_places(10**9, 1000).tolist()))
    1000
    """
    if n <= MANY:
        return torch.randperm(n)[:most]
    drawn = torch.randint(n, (2 * most,)).numpy()  # all row numbers would not fit into memory
    return torch.from_numpy(drawn[np.sort(np.unique(drawn, return_index=True)[1])[:most]])


@dataclass(frozen=True, eq=False)
class Rows:
    """A batch of encoded rows.

    Attributes:
        x: float32 ``[N, *shape]``; 0 where a value is missing.
        mask: bool of the same shape, True where a value is observed; ``None`` if all are.
        context: float32 ``[N, C]``, the context; ``None`` for a model without context.
        weight: float32 ``[N]``, what each row counts in a loss; ``None`` if all count alike.
    """

    x: Tensor
    mask: Tensor | None = None
    context: Tensor | None = None
    weight: Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[0]

    def __getitem__(self, index: Tensor | slice) -> Rows:
        def chosen(values: Tensor) -> Tensor:  # for positions, index_select takes half the time that brackets do
            return values[index] if isinstance(index, slice) or index.dtype == torch.bool else values.index_select(0, index)

        return Rows(*(None if part is None else chosen(part) for part in self.parts))  # type: ignore[arg-type]

    @property
    def parts(self) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
        """Values, mask, context and weights."""
        return self.x, self.mask, self.context, self.weight

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Rows:
        """The same rows on another device, or in another precision."""
        mask, context, weight = (part if part is None else part.to(device) for part in (self.mask, self.context, self.weight))
        return Rows(self.x.to(device, dtype), mask, context if context is None else context.to(dtype=dtype), weight)

    def subsample(self, most: int) -> Rows:
        """At most ``most`` rows, evenly spaced: files are often sorted, so the first rows are no random sample."""
        return self if len(self) <= most else self[spaced(len(self), most)]

    def batches(self, size: int) -> Iterator[Rows]:
        """Consecutive batches of at most ``size`` rows, as views."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def some(self) -> Rows:
        """The rows, or an evenly spaced part of them that fits into memory where they are on disc."""
        return self

    def shuffled(self, count: int, together: int) -> Iterator[Rows]:
        """``count`` rows in a random order, ``together`` at a time; beyond the number of rows, the first ones come again."""
        order = torch.randperm(len(self))
        order = torch.cat([order, order[: count - len(order)]])
        for chosen in torch.split(order.to(self.x.device), together):
            yield self[chosen]


def joined(*parts: Rows) -> Rows:
    """Rows without weights of several parts, one after the other."""
    masks = [torch.ones_like(part.x, dtype=torch.bool) if part.mask is None else part.mask for part in parts]
    masked = any(part.mask is not None for part in parts)
    contexts = [part.context for part in parts if part.context is not None]
    x = torch.cat([part.x for part in parts])
    return Rows(x, torch.cat(masks) if masked else None, torch.cat(contexts) if contexts else None)
