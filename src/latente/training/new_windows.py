"""What new windows of series need beside a model: noise along time, and how often each value occurs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.data import bins_of
from latente.rows import Rows
from latente.training.residuals import NOTHING, Residuals

MAX_VALUES = 20_000  # of a channel, to learn how the model distributes them
REPEATED = 0.05  # share of a channel's values in bins of a single value, from which new ones are moved to the data's
ROUGH = 0.25  # variance of differences over twice that of values, of channels without repeated values; 1 for white noise
LEAST = 1e-4  # of a channel's variance beyond the directions, at each step by itself


@dataclass(frozen=True)
class NewWindows:
    """Of C channels and L steps.

    Attributes:
        along: Cholesky factors of the covariance, along time, of what residuals have beyond their directions, [C, L, L].
        low, high, rows: the histogram of a channel's values, [C, M]: ends of its bins, and rows in them; 0 beyond the last bin.
            Only of channels of numbers that repeat or are rough: smooth ones would get kinks (``benchmarks.series``).
        source: of each channel the first one that it is equal to in all rows, [C]: mostly itself.
    """

    along: Tensor
    low: Tensor
    high: Tensor
    rows: Tensor
    source: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, windows: Rows, left: Tensor, residuals: Residuals, numbers: Tensor) -> Self:
        """From training windows.

        Args:
            windows: encoded, [n, C, L].
            left: their residuals, [n, C L]. residuals: what is known of these.
            numbers: which channels are numbers, bool [C].
        """
        x = windows.x if windows.mask is None else windows.x.masked_fill(~windows.mask, torch.nan)
        histograms = [_histogram(channel, bool(of)) for channel, of in zip(x.unbind(1), numbers, strict=True)]
        widest = max(part.shape[1] for part in histograms)
        low, high, rows = torch.stack([torch.nn.functional.pad(part, (0, widest - part.shape[1])) for part in histograms], 1)
        return cls(_along(left, residuals, windows.x.shape[1:]), low, high, rows, _sources(x))

    def noise(self, n: int) -> Tensor:
        """Of n new windows beyond the directions of residuals, [n, C L]."""
        return torch.einsum("clm,ncm->ncl", self.along, torch.randn(n, *self.along.shape[:2])).flatten(1)

    def matched(self, x: Tensor, reference: Tensor) -> Tensor:
        """New windows with each number moved to the value of the same rank in the data, so that values which repeat do so, and
        noise has the shape that it has there. The order of values, and with it their dependence, stays.

        Args:
            x: [n, C L]. reference: windows of the same model, from which its own ranks are known, [m, C L].
        """
        shape = self.along.shape[:2]
        found, known = x.view(-1, *shape).clone(), reference.view(-1, *shape)
        for c, present in enumerate(self.rows.any(1).tolist()):
            if present:
                own = np.sort(_some(known[:, c].double().numpy().ravel()))
                u = np.interp(found[:, c].double().numpy(), own, (np.arange(len(own)) + 0.5) / len(own))
                low, high, rows = (part[c].double().numpy() for part in (self.low, self.high, self.rows))
                values = quantiles(low, high, rows, u)
                found[:, c] = torch.from_numpy(values).to(x.dtype)
        return found[:, self.source].flatten(1)

    def tensors(self) -> dict[str, Tensor]:
        """All of it, by name."""
        return dict(vars(self))


Values = NDArray[np.float64]


def quantiles(low: Values, high: Values, rows: Values, u: Values) -> Values:
    """The values of given ranks (0 to 1) in a histogram; a bin of a single value has it for all of its ranks.

    >>> low, high, rows = np.array([0.0, 1.0]), np.array([0.0, 3.0]), np.array([5.0, 5.0])
    >>> quantiles(low, high, rows, np.array([0.2, 0.5, 0.75, 1.0])).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    count = int((rows > 0).nonzero()[0][-1]) + 1
    ends = np.cumsum(rows[:count]) / rows.sum()
    place = np.minimum(np.searchsorted(ends, u, side="right"), count - 1)
    before = np.where(place > 0, ends[place - 1], 0.0)
    within = (u - before) / np.maximum(ends[place] - before, 1e-12)
    return np.asarray(low[place] + (high[place] - low[place]) * within.clip(0, 1))


def _histogram(channel: Tensor, numbers: bool) -> Tensor:
    """Ends and rows of the bins of a channel [n, L], [3, bins]; nothing for levels."""
    values = channel[~channel.isnan()].double().numpy()
    none = torch.zeros(3, 1)
    if not numbers or not len(values):
        return none
    low, high, _, rows = bins_of(_some(values), 0.0)
    found = torch.tensor([low, high, rows])
    repeated = float(found[2][found[0] == found[1]].sum() / found[2].sum())
    steps = channel.diff(dim=1)
    rough = float(steps[~steps.isnan()].square().mean()) / max(2 * float(values.var()), NOTHING)
    return found if repeated >= REPEATED or rough >= ROUGH else none


def _along(left: Tensor, residuals: Residuals, shape: torch.Size) -> Tensor:
    x = left - residuals.mean
    common = x @ residuals.axes
    rest = (x - common @ residuals.axes.T).view(-1, *shape)
    factor = residuals.variance.sum() / common.square().mean(0).sum().clamp_min(NOTHING)
    covariance = factor * torch.einsum("ncl,ncm->clm", rest, rest).double() / len(rest)
    least = LEAST * covariance.diagonal(dim1=1, dim2=2).mean(1) + NOTHING
    factors: Tensor = torch.linalg.cholesky(covariance + least.view(-1, 1, 1) * torch.eye(shape[1]))
    return factors.float()


def _sources(x: Tensor) -> Tensor:
    """Of each channel of windows [n, C, L] the first one that is equal to it."""
    values = x.nan_to_num(torch.inf)
    found: list[int] = []
    for c in range(x.shape[1]):
        found.append(next((k for k in range(c) if torch.equal(values[:, k], values[:, c])), c))
    return torch.tensor(found)


def _some(values: Values) -> Values:
    return values[:: max(1, len(values) // MAX_VALUES)]
