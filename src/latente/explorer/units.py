"""A codec as numbers for the page: the units of each column, and the bins of its histogram."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from latente.data import TableCodec
from latente.data.columns import Column
from latente.data.containers import Array, numpy_dtype
from latente.data.moments import parsed
from latente.explorer.block import Block
from latente.model.bins import HistogramLikelihood, IndependentHistograms
from latente.model.parts import Part
from latente.rows import BINARY, Rows

EVEN_BINS, MAX_STEPS = 32, 40
MOMENTS = {"calendar": "date", "time": "real", "duration": "real"}  # kinds that the page does not know are in seconds
FORMS = {"Date": "date", "Datetime": "moment", "Time": "time", "Duration": "duration"}
DIGITS = 3  # significant digits of a continuous column's standard deviation that are written


class ShownBins(NamedTuple):
    """Edges of a column's bins in the user's units, increasing; equal for a bin of a single value. Levels are 0, 1, …"""

    low: Array
    high: Array

    def shares(self, values: Array) -> Array:
        """Share of the values in each bin; they sum to 1. NaN is a missing value."""
        observed = values[~np.isnan(values)]
        counts = np.bincount(np.searchsorted((self.high[:-1] + self.low[1:]) / 2, observed, "right"), minlength=len(self.low))
        return np.asarray(counts / max(1, len(observed)))


def bins_of(codec: TableCodec, likelihood: Part) -> list[ShownBins]:
    """The bins of each column in the model: those of a histogram likelihood, else bins of equal width."""
    by_bins = isinstance(likelihood, HistogramLikelihood)
    return [_bins(codec.columns[place], by_bins) for place in kept(codec)]


def _bins(column: Column, by_bins: bool) -> ShownBins:
    if column.levels or column.binary:
        values = np.arange(float(max(2, len(column.levels))))
        return ShownBins(values, values)
    if by_bins:
        return ShownBins(*column.bins[:2])
    low, high, step = column.low, column.high, column.grid
    steps = round((high - low) / step) + 1 if step else 0
    if steps:  # halfway between values that can be
        count = steps if steps <= MAX_STEPS else EVEN_BINS
        edges = low + step * (np.rint(np.linspace(0, steps, count + 1)) - 0.5)
    else:
        edges = np.linspace(low, high, EVEN_BINS + 1)
    return ShownBins(edges[:-1], edges[1:])


def kept(codec: TableCodec) -> Array:
    """Indices of the columns in the model."""
    return codec.places


def _often(column: Column) -> Array:
    """Values of a column off any grid that occur again and again: what is one of them, but for rounding, is it exactly."""
    low, high, _ = column.bins
    return np.asarray(low[(low == high) & (column.grid == 0.0)])


def in_units(codec: TableCodec, rows: Rows) -> Array:
    """Encoded rows in the user's units (levels as indices), float64 [N, F]; NaN is a missing value."""
    x = rows.x.numpy().astype(np.float64)
    values = x if rows.mask is None else np.where(rows.mask.numpy(), x, np.nan)
    return np.asarray(values * codec.scale[kept(codec)] + codec.center[kept(codec)])


def population_of(codec: TableCodec, likelihood: Part, rows: Rows | None) -> list[Array]:
    """Histogram of each column: counted in the rows, or from the model file; all 0 if neither is available. [] for pictures."""
    bins = bins_of(codec, likelihood)
    if rows is not None:
        return [each.shares(values) for each, values in zip(bins, in_units(codec, rows).T, strict=True)]
    if isinstance(likelihood, IndependentHistograms):  # its frequencies at initialisation are those of the columns
        return [torch.softmax(likelihood.base_of(f), 0).double().numpy() for f in range(likelihood.size)]
    return [_rebinned(codec.columns[place], each) for place, each in zip(kept(codec), bins, strict=True)]


def _rebinned(column: Column, bins: ShownBins) -> Array:
    """A histogram in other bins, with the rows of each bin spread evenly over it."""
    low, high, rows = column.bins
    if column.levels or not rows.sum():  # a flag's only bin is its value
        return np.zeros(len(bins.low))
    slices = (np.arange(64) + 0.5) / 64
    values = low[:, None] + (high - low)[:, None] * slices
    index = np.searchsorted((bins.high[:-1] + bins.low[1:]) / 2, values.ravel(), "right")
    return np.asarray(np.bincount(index, np.repeat(rows / 64, 64), minlength=len(bins.low)) / rows.sum())


def row_units(codec: TableCodec, likelihood: Part, block: Block) -> dict[str, Any]:
    """How to convert encoded values to the user's units, and back."""
    return {"type": "row", "columns": list(_columns(codec, likelihood, block))}


def _columns(codec: TableCodec, likelihood: Part, block: Block) -> Iterator[dict[str, Any]]:
    for place, bins in zip(kept(codec).tolist(), bins_of(codec, likelihood), strict=True):
        column = codec.columns[place]
        form, zone = _form(column)
        yield {
            "name": column.name,
            "kind": BINARY if column.binary else MOMENTS.get(column.kind, column.kind),
            "form": form,
            "zone": zone,
            "labels": list(column.levels) or None,
            **{name: getattr(column, name) for name in ("center", "scale", "low", "high")},
            "step": column.grid,
            "decimals": decimals(column.scale, column.grid, column.low),
            "often": block.add(_often(column), "f8"),
            "low_ends": block.add(bins.low, "f8"),
            "high_ends": block.add(bins.high, "f8"),
        }


def _form(column: Column) -> tuple[str, str | None]:
    """How a column's values are written, and the time zone of time stamps."""
    if column.levels:
        return "level", None
    if moment := parsed(column.dtype):
        return FORMS[moment[0]], moment[2] or None
    return {"b": "truth", "i": "whole", "u": "whole"}.get(numpy_dtype(column.dtype).kind, "number"), None


def decimals(scale: float, step: float, low: float) -> int:
    """Number of decimals to write: those of the step, or three digits of the standard deviation.

    >>> decimals(2.0, 0.05, 1.0), decimals(2.0, 0.0, 1.0), decimals(5000.0, 0.0, 1.0), decimals(2.0, 1.0, 0.5)
    (2, 2, 0, 1)
    """
    if step:
        return next((d for d in range(10) if all(abs(round(v, d) - v) <= 1e-6 * step for v in (step, low))), 10)
    return min(15, max(0, DIGITS - 1 - math.floor(math.log10(scale))))
