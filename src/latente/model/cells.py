"""Columns whose values stand in cells: the cells side by side, and a law in which columns are independent given a code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.distributions import FieldsDistribution, Intervals
from latente.model.likelihoods import Likelihood
from latente.model.parts import register
from latente.rows import Cells, Rows


class CellTable(nn.Module):
    """The cells of F columns side by side, padded to the M of the column that has most.

    Attributes:
        counts: how many each column has.
        edges: between neighbouring cells, [F, M - 1]. low, high, log_size, density: [F, M]. spacing: mean width of a cell, [F].
        offsets: where each column begins in a table of all columns' cells, [F]. unseen: which of its places there is that of a
            value that was not seen, [F].
    """

    edges: Tensor
    low: Tensor
    high: Tensor
    log_size: Tensor
    density: Tensor
    spacing: Tensor
    offsets: Tensor
    unseen: Tensor

    def __init__(self, cells: Sequence[Cells]) -> None:
        super().__init__()
        tables = [torch.tensor([low, high, size], dtype=torch.float64) for low, high, size in cells]
        self.counts = [table.shape[1] for table in tables]
        most = max(self.counts)
        edges = [(table[1, :-1] + table[0, 1:]) / 2 for table in tables]
        values = {
            "edges": torch.stack([F.pad(edge, (0, most - 1 - len(edge)), value=math.inf) for edge in edges]),
            "low": torch.stack([F.pad(table[0], (0, most - table.shape[1])) for table in tables]),
            "high": torch.stack([F.pad(table[1], (0, most - table.shape[1])) for table in tables]),
            "log_size": torch.stack([F.pad(_log_size(*table), (0, most - table.shape[1])) for table in tables]),
            "spacing": torch.stack([(table[1, -1] - table[0, 0]).clamp_min(1e-12) / table.shape[1] for table in tables]),
        }
        for name, value in values.items():
            self.register_buffer(name, value.to(torch.get_default_dtype()), persistent=False)
        self.register_buffer(
            "density", torch.stack([F.pad(t[2] == 0, (0, most - t.shape[1])) for t in tables]), persistent=False
        )
        # One place more for each column, of a value that was not seen.
        *starts, self.total = accumulate((count + 1 for count in self.counts), initial=0)
        self.register_buffer("offsets", torch.tensor(starts), persistent=False)
        self.register_buffer("unseen", torch.tensor(self.counts), persistent=False)

    def __len__(self) -> int:
        return len(self.counts)

    def index(self, x: Tensor) -> Tensor:
        """In which cell each value is, [B, F] to [B, F]."""
        return torch.searchsorted(self.edges, x.T.contiguous(), right=True).T

    def column_index(self, f: int, value: Tensor) -> Tensor:
        """As :meth:`index`, of one column's values of any shape."""
        return torch.searchsorted(self.edges[f], value.contiguous(), right=True)

    def places(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Rows of one table in which all columns' cells follow one another, [B, F]; not seen is the last of each column."""
        index = self.index(x)
        if mask is not None:
            index = torch.where(mask, index, self.unseen)
        return index + self.offsets

    def log_size_of(self, x: Tensor, index: Tensor) -> Tensor:
        """log size of the values' cells, [B, F]; a value outside them all counts as ever larger."""
        low, high, log_size = (table.gather(1, index.T).T for table in (self.low, self.high, self.log_size))
        outside = F.relu(low - x) + F.relu(x - high)
        return log_size + 2 * torch.log1p(outside / self.spacing)

    def draw(self, f: int, logits: Tensor, u: Tensor, ends: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """The values at which the distribution functions of [..., cells] are ``u``, uniform in [0, 1): inverse sampling.

        ``ends``: of the cells, where they are not the column's own.
        """
        reached = torch.softmax(logits, -1).cumsum(-1)
        index = torch.searchsorted(reached, u.unsqueeze(-1) * reached[..., -1:], right=True)
        index = index.clamp(max=logits.shape[-1] - 1)
        before = torch.where(index > 0, reached.gather(-1, (index - 1).clamp_min(0)), 0.0)
        within = (u.unsqueeze(-1) - before) / (reached.gather(-1, index) - before).clamp_min(1e-12)
        index = index.squeeze(-1)
        low, high = ends or (self.low[f], self.high[f])
        return torch.lerp(low[index], high[index], within.squeeze(-1).clamp(0.0, 1.0))

    def within(self, f: int, intervals: Intervals) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What is left of a column's cells where its value must lie in one of these intervals, ends included.

        Returns:
            The logarithm of each cell's share, [cells], and the ends of what is left of them.
        """
        count = self.counts[f]
        low, high, size = self.low[f, :count], self.high[f, :count], self.log_size[f, :count].exp()
        slack = 1e-4 * torch.minimum(self.spacing[f], high.new_tensor(1.0))
        share, ends = torch.zeros_like(low), (low.clone(), high.clone())
        for bottom, top in intervals:
            first, last = low.clamp_min(bottom - slack), high.clamp_max(top + slack)
            stretch = torch.where(high > low, (last - first) / (high - low), torch.ones_like(low))
            one = (
                (~self.density[f, :count]) & (stretch > 0) & (stretch * size < 1)
            )  # a grid's value, and it may be the only one
            found = torch.where(one, 1 / size, stretch).masked_fill(last < first, 0.0)
            better = found > share
            share = torch.where(better, found, share)
            ends = torch.where(better, first, ends[0]), torch.where(better, last, ends[1])
        return share.log(), ends

    def middle(self, f: int) -> Tensor:
        """Middles of one column's cells."""
        count = self.counts[f]
        return (self.low[f, :count] + self.high[f, :count]) / 2


def _log_size(low: Tensor, high: Tensor, size: Tensor) -> Tensor:
    """What is subtracted from the logarithm of a cell's probability to have that of a value in it."""
    return torch.where(size > 0, size, high - low).clamp_min(1e-12).log()


class OfCells(Likelihood):
    """Base: a law over the cells of each column.

    Args:
        shape: (F,).
        cells: of each column.
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
    """

    takes_levels = True

    def __init__(self, shape: tuple[int, ...], cells: Sequence[Cells], levels: tuple[int, ...] = ()) -> None:
        super().__init__(shape)
        if len(cells) != self.size:
            raise ModelError(f"cells are needed for each of the {self.size} columns, not for {len(cells)}")
        self.nominal = [bool(count) for count in levels] or [False] * self.size
        self.cells = CellTable(cells)

    def densities(self, x: Tensor) -> Tensor:
        return self.cells.density.gather(1, self.cells.index(x.flatten(1)).T).T

    def independent(self, train: Rows, held_out: Rows) -> Tensor:
        """Frequencies of the cells, each counted as if seen once more than it was."""
        index = self.cells.index(held_out.x)
        logs = [frequencies.log()[level] for frequencies, level in zip(self.frequencies(train), index.unbind(1), strict=True)]
        value = torch.stack(logs, 1) - self.cells.log_size_of(held_out.x, index)
        return (value if held_out.mask is None else value.masked_fill(~held_out.mask, 0.0)).sum(1)

    def frequencies(self, rows: Rows) -> list[Tensor]:
        """How often each column's cells occur among what was seen."""
        index = self.cells.index(rows.x)
        found = []
        for f, count in enumerate(self.cells.counts):
            seen = index[:, f] if rows.mask is None else index[rows.mask[:, f], f]
            counts = torch.bincount(seen, minlength=count).float() + 1
            found.append(counts / counts.sum())
        return found

    def expected(self, f: int, logits: Tensor) -> Tensor:
        """A column's mean, or its most likely level."""
        if self.nominal[f]:
            return logits.argmax(-1).to(logits.dtype)
        return torch.softmax(logits, -1) @ self.cells.middle(f).to(logits.dtype)

    def average(self, values: Tensor, weights: Tensor) -> Tensor:
        """Weighted means over K of values [K, B, F]; of levels, what has most of the weight. [B, F]."""
        mean = (weights.unsqueeze(-1) * values).sum(0)
        for f, count in enumerate(self.cells.counts):
            if self.nominal[f]:
                votes = weights.new_zeros(values.shape[1], count)
                votes.scatter_add_(1, values[..., f].long().T, weights.T)
                mean[:, f] = votes.argmax(1).to(mean.dtype)
        return mean


def log_softmax_at(logits: Tensor, index: Tensor) -> Tensor:
    """Logarithms of the probabilities of one cell for each row: logits [K, B, cells] and index [B] to [K, B, 1]."""
    return torch.log_softmax(logits, -1).gather(-1, index.expand(logits.shape[:-1]).unsqueeze(-1))


class CellFields(FieldsDistribution):
    """Columns that are independent given a code, by the logits of their cells, each [K, B, cells]."""

    def __init__(self, part: OfCells, logits: Sequence[Tensor]) -> None:
        self.part, self.logits = part, logits

    def field_log_prob(self, x: Tensor) -> Tensor:
        index = self.part.cells.index(x)
        logs = [log_softmax_at(logits, level) for logits, level in zip(self.logits, index.unbind(-1), strict=True)]
        return torch.cat(logs, -1) - self.part.cells.log_size_of(x, index)

    def sample(self) -> Tensor:
        drawn = [self.part.cells.draw(f, each, torch.rand(each.shape[:-1])) for f, each in enumerate(self.logits)]
        return torch.stack(drawn, -1)

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """Means; of levels the most likely one."""
        return torch.stack([self.part.expected(f, logits) for f, logits in enumerate(self.logits)], -1)

    def average(self, weights: Tensor) -> Tensor:
        mixed = [(weights.unsqueeze(-1) * torch.softmax(logits, -1)).sum(0).log() for logits in self.logits]
        return torch.stack([self.part.expected(f, logits) for f, logits in enumerate(mixed)], -1)


@register
class CellsLikelihood(OfCells):
    """Columns cut into cells, independent given the code: a histogram of each."""

    name = "cells"

    @property
    def outputs(self) -> int:
        return sum(self.cells.counts)

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, P]: the logits of every column's cells, beside those of independent columns."""
        return CellFields(self, torch.split(theta + self.base, self.cells.counts, -1))

    base: Tensor

    def __init__(self, shape: tuple[int, ...], cells: Sequence[Cells], levels: tuple[int, ...] = ()) -> None:
        super().__init__(shape, cells, levels)
        self.register_buffer("base", torch.zeros(self.outputs))

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Each column begins at its own frequencies."""
        self.base.copy_(torch.cat(self.frequencies(rows)).log())
