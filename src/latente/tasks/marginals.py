"""New windows of series whose channels have the values of the data: how often each occurs, and channels that are copies."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.data import SeriesCodec
from latente.rows import Bins

MAX_VALUES = 20_000  # of a channel, to learn how the model distributes them


def matched(codec: SeriesCodec, x: Tensor, reference: Tensor) -> Tensor:
    """New windows with each number moved to the value of the same rank in the data, so that values which repeat do so, bounds
    hold, and noise has the shape that it has. The order of values, and with it their dependence, stays.

    Args:
        x: encoded windows, [n, C, L]. reference: windows of the same model, from which its own ranks are known, [m, C, L].
    """
    found = x.clone()
    for channel, bins in enumerate(_bins(codec)):
        if bins is not None:
            own = np.sort(_some(reference[:, channel].double().numpy().ravel()))
            ranks = (np.arange(len(own)) + 0.5) / len(own)
            u = np.interp(x[:, channel].double().numpy(), own, ranks)
            found[:, channel] = torch.from_numpy(quantiles(bins, u)).to(x.dtype)
    for copy, source in codec.copies:
        found[:, copy] = found[:, source]
    return found


def quantiles(bins: Bins, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values of given ranks (0 to 1) in a histogram; a bin of a single value has it for all of its ranks.

    >>> quantiles(Bins((0.0, 1.0), (0.0, 3.0), (1.0, 0.0), (5.0, 5.0)), np.array([0.2, 0.5, 0.75, 1.0])).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    low, high, _, rows = (np.array(part) for part in bins)
    ends = np.cumsum(rows) / rows.sum()
    place = np.minimum(np.searchsorted(ends, u, side="right"), len(ends) - 1)
    before = np.where(place > 0, ends[place - 1], 0.0)
    within = (u - before) / np.maximum(ends[place] - before, 1e-12)
    return np.asarray(low[place] + (high[place] - low[place]) * within.clip(0, 1))


def _bins(codec: SeriesCodec) -> list[Bins | None]:
    """Of each channel the bins of its column; None for levels."""
    found: list[Bins | None] = []
    for field in codec.table.fields:
        known = field.bins is not None and not field.levels and sum(field.bins.rows) > 0
        found += [field.bins if known else None] * max(1, field.levels)
    return found


def _some(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[:: max(1, len(values) // MAX_VALUES)]
