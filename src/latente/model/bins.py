"""Columns cut into bins: a table of all bins, and a likelihood whose columns are independent given a code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.distributions import FieldsDistribution, Intervals, full_precision
from latente.model.likelihoods import Likelihood
from latente.model.parts import register
from latente.rows import Bins, Rows

FREE_BINS = 16  # columns with up to this many bins have one free parameter for each
FEW_BINS, FEW_NUMBERS = 16, 64  # up to these sizes a product with one-hot vectors is faster than indexing
MIN_HATS, MAX_HATS = 6, 24
NEVER = -1e4  # a logit whose probability rounds to 0, but for which sums stay finite
SLACK = 1e-4  # relative to the mean width of a bin; for rounding
RARE = 0.05  # a lower frequency of a level is taken for this where the linear model begins
BLUNT = 0.3  # of a column's variance at least is left where the linear model begins
OFTEN = 200.0  # rows from which a bin has a free parameter, whatever the number of bins


class Slices(NamedTuple):
    """Parts of a column's bins that contain allowed values, all [slices].

    Attributes:
        bin: index of the bin. log_share: log of the share of the bin's probability. low, high: ends of the part.
    """

    bin: Tensor
    log_share: Tensor
    low: Tensor
    high: Tensor


class Group(NamedTuple):
    """Columns with a similar number of bins, which are computed together in one matrix product.

    Attributes:
        columns: their indices.
        bins: M, the largest number of bins; columns with fewer are padded.
        rank: R, number of basis functions over the bins (see :func:`_basis`); M without a basis.
    """

    columns: tuple[int, ...]
    bins: int
    rank: int


class BinTable(nn.Module):
    """The bins of F columns, padded to the largest number M.

    Attributes:
        counts: number of bins of each column. ranks: number of basis functions of each column (see :func:`_basis`).
        groups: columns with similar numbers of bins. where: group of each column, and its place in the group.
        order: the columns in the order of the groups, [F]. back: the inverse permutation, [F].
        edges: between neighbouring bins, [F, M - 1]. low, high, density (whether the bin is an interval of real numbers): [F,
            M].
        log_size: subtracted from the log-probability of a bin to get the log-density of a value in it, [F, M].
        log_below, log_above: the same for a value outside all bins, below or above its nearest one, [F, M].
        spacing: mean width of a bin, [F]. step: of the grid; 0 where there is none, [F].
        tolerance: how far outside of its bin a value may lie because of rounding, [F].
        starts, absent: where each column begins in the table of its group, and the index of "missing" there, in the order of
            the groups, [F, 1]. The table has M + 1 rows for each column, or M + 1 shared rows if all columns have few bins
            without basis (see :meth:`described`).
        highest: upper end of the last bin of each column, [F].
    """

    edges: Tensor
    low: Tensor
    high: Tensor
    log_size: Tensor
    log_below: Tensor
    log_above: Tensor
    density: Tensor
    spacing: Tensor
    step: Tensor
    tolerance: Tensor
    order: Tensor
    back: Tensor
    starts: Tensor
    absent: Tensor
    highest: Tensor

    def __init__(self, bins: Sequence[Bins], nominal: Sequence[bool], steps: Sequence[float] = ()) -> None:
        super().__init__()
        bins, steps = [Bins(*each) for each in bins], steps or [0.0] * len(bins)
        tables = [_table(each, unordered, step) for each, unordered, step in zip(bins, nominal, steps, strict=True)]
        self.counts = [table.shape[1] for table in tables]
        M = max(self.counts)
        stacked = torch.stack([F.pad(table, (0, M - table.shape[1])) for table in tables], 1)
        edges = [(table[1, :-1] + table[0, 1:]) / 2 for table in tables]
        size = [F.pad(torch.tensor(each.size), (0, M - len(each.size)), value=1.0) for each in bins]
        spacing, step = torch.tensor([_spacing(each) for each in bins]), torch.tensor(steps)
        values = {
            "edges": torch.stack([F.pad(edge, (0, M - 1 - len(edge)), value=math.inf) for edge in edges]),
            **dict(zip(("low", "high", "log_size", "log_below", "log_above"), stacked, strict=True)),
            "highest": torch.stack([table[1, -1] for table in tables]),
            "spacing": spacing,
            "step": step,
            "tolerance": torch.where(step > 0, step / 4, SLACK * spacing.clamp_max(1.0)),
        }
        for name, value in values.items():
            self.register_buffer(name, value.to(torch.get_default_dtype()), persistent=False)
        self.register_buffer("density", torch.stack(size) == 0, persistent=False)
        self._group([_basis(rows, unordered) for (*_, rows), unordered in zip(bins, nominal, strict=True)])

    def _group(self, bases: Sequence[Tensor | None]) -> None:
        """Put the columns into groups, and compute what the columns of a group share."""
        self.ranks = [count if basis is None else basis.shape[1] for count, basis in zip(self.counts, bases, strict=True)]
        self.groups = _groups(self.counts, [basis is None for basis in bases], self.ranks)
        self.where = {f: (g, place) for g, group in enumerate(self.groups) for place, f in enumerate(group.columns)}
        starts, absent = [], []
        for g, group in enumerate(self.groups):
            basis = _stacked([bases[f] for f in group.columns], group)
            described = _described(basis, group)
            alike = basis is None and described is not None
            self.register_buffer(f"basis_{g}", basis, persistent=False)
            self.register_buffer(f"described_{g}", described, persistent=False)
            begin = [0 if alike else place * (group.bins + 1) for place in range(len(group.columns))]
            starts += begin
            absent += [start + group.bins for start in begin]
        order = torch.tensor([f for group in self.groups for f in group.columns])
        places = {"starts": torch.tensor(starts).unsqueeze(1), "absent": torch.tensor(absent).unsqueeze(1)}
        for name, value in {"order": order, "back": torch.argsort(order), **places}.items():
            self.register_buffer(name, value, persistent=False)

    def __len__(self) -> int:
        return len(self.counts)

    def basis(self, f: int) -> Tensor | None:
        """Basis functions over a column's bins, [bins, rank]; None if each bin has a free parameter."""
        g, place = self.where[f]
        basis = self._basis_of(g)
        return None if basis is None else basis[place, : self.counts[f], : self.ranks[f]]

    def _basis_of(self, g: int) -> Tensor | None:
        basis: Tensor | None = getattr(self, f"basis_{g}")
        return basis

    def expand(self, f: int, coefficients: Tensor) -> Tensor:
        """Values for each of a column's bins, [..., bins], from coefficients of the basis, [..., rank]."""
        basis = self.basis(f)
        return coefficients if basis is None else coefficients @ basis.T

    def expand_group(self, g: int, vectors: Tensor) -> Tensor:
        """Vectors for the bins of a group's columns, [columns, M, W], from coefficients of the basis, [columns, R, W]."""
        basis = self._basis_of(g)
        return vectors if basis is None else torch.bmm(basis, vectors)

    def group_logits(self, g: int, coefficients: Tensor, base: Tensor) -> Tensor:
        """Logits of the bins of a group's columns: coefficients [columns, N, R] times the basis, plus ``base`` [columns, M]."""
        basis = self._basis_of(g)
        coefficients, base = full_precision(coefficients), base.unsqueeze(1)
        if basis is None:
            return coefficients + base
        with torch.autocast(base.device.type, enabled=False):  # under autocast, product and sum would be bfloat16
            return torch.baddbmm(base, coefficients, basis.mT)

    def described(self, g: int) -> Tensor | None:
        """The row of the basis for each bin of a group's columns, then one row for "missing": [rows, R + 1].

        Without a basis, one-hot vectors. None where these tables would be large: then indexing is faster and takes less memory.
        """
        described: Tensor | None = getattr(self, f"described_{g}")
        return described

    def column(self, f: int, values: Sequence[Tensor] | Sequence[tuple[Tensor, ...]]) -> Tensor:
        """The value of a column, from one [columns, ...] tensor per group."""
        g, place = self.where[f]
        return values[g][place]

    def index(self, x: Tensor) -> Tensor:
        """Index of the bin of each value, [B, F] to [B, F]."""
        return torch.searchsorted(self.edges, x.T.contiguous(), right=True).T

    def column_index(self, f: int, value: Tensor) -> Tensor:
        """As :meth:`index`, for values of one column, of any shape."""
        return torch.searchsorted(self.edges[f], value.contiguous(), right=True)

    def by_group(self, values: Tensor) -> tuple[Tensor, ...]:
        """Splits [F, ...] into one [columns, ...] tensor per group."""
        return self._split(values.index_select(0, self.order))

    def places(self, index: Tensor, mask: Tensor | None) -> tuple[Tensor, ...]:
        """Rows of the bins [B, F] in the tables of their groups (see :meth:`described`), one [columns, B] per group."""
        places = index.T.index_select(0, self.order) + self.starts
        return self._split(places if mask is None else torch.where(mask.T.index_select(0, self.order), places, self.absent))

    def _split(self, values: Tensor) -> tuple[Tensor, ...]:
        return torch.split(values, [len(group.columns) for group in self.groups])

    def log_size_of(self, x: Tensor, index: Tensor) -> Tensor:
        """What is subtracted from the log-probabilities of the values' bins to get log-densities, [B, F].

        For a value in a bin: the logarithm of the bin's size. A value outside all bins did not occur among the n training
            values.
        Each of n + 1 values is equally likely to be the smallest, so all such values together get 2 / (n + 1) of a bin's
        probability, one half below and one half above. It is uniform up to the next bin, and beyond the last one it decreases
        with the square of the distance. Thus the probabilities of all values sum to at most 1.

        In training, a value outside all bins counts as one in the nearest bin. This term has no gradient, and such values are
        rare, because the bins were made from these rows (or from a part of very many rows).
        """
        if self.training:
            return self.log_size.gather(1, index.T).T
        outside, far = self._outside(x, index)
        tables = (self.log_size, self.log_below, self.log_above)
        inside, below, above = (table.gather(1, index.T).T for table in tables)
        beyond = (x - x.clamp(self.low[:, 0], self.highest)).abs()
        beyond_bins = torch.add(torch.where(outside < 0, below, above), torch.log1p(beyond / self.spacing), alpha=2)
        return torch.where(far, beyond_bins, inside)

    def densities(self, x: Tensor) -> Tensor:
        """Which values [B, F] have a density, not a probability: those in bins that are intervals, and, without a grid, those
        outside all bins.
        """
        index = self.index(x)
        return self.density.gather(1, index.T).T | (self._outside(x, index)[1] & (self.step == 0))

    def _outside(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distances of values from their nearest bins, and whether they are outside of all bins, [B, F]."""
        low, high = (table.gather(1, index.T).T for table in (self.low, self.high))
        outside = x - x.clamp(low, high)
        return outside, outside.abs() > self.tolerance

    def draw(self, f: int, logits: Tensor, u: Tensor, ends: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Inverse transform sampling: the quantiles at ``u``, uniform in [0, 1), of the distributions with these logits.

        ``ends``: lower and upper ends of the intervals, if they are not the bins of the column.
        """
        reached = torch.softmax(logits, -1).cumsum(-1)
        index = torch.searchsorted(reached, u.unsqueeze(-1) * reached[..., -1:], right=True)
        index = index.clamp(max=logits.shape[-1] - 1)
        before = torch.where(index > 0, reached.gather(-1, (index - 1).clamp_min(0)), 0.0)
        within = (u.unsqueeze(-1) - before) / (reached.gather(-1, index) - before).clamp_min(1e-12)
        index = index.squeeze(-1)
        low, high = ends or (self.low[f], self.high[f])
        return torch.lerp(low[index], high[index], within.squeeze(-1).clamp(0.0, 1.0))

    def within(self, f: int, intervals: Intervals) -> Slices:
        """The parts of a column's bins that lie in one of these intervals, ends included."""
        every = [self._sliced(f, bottom, top) for bottom, top in intervals]
        return Slices(*(torch.cat(parts) for parts in zip(*every, strict=True)))

    def _sliced(self, f: int, bottom: float, top: float) -> Slices:
        count = self.counts[f]
        low, high, density = (table[f, :count] for table in (self.low, self.high, self.density))
        slack = (
            2 * (1 - SLACK) * self.tolerance[f] if self.step[f] else self.tolerance[f]
        )  # a value covers half a step on each side
        first, last = low.clamp_min(bottom - slack), high.clamp_max(top + slack)
        share = torch.where(high > low, (last - first) / (high - low), 1.0)
        # A bin on a grid contributes at least one of its values; a bin of real numbers may contribute any share.
        share = torch.where(density, share, share.maximum((-self.log_size[f, :count]).exp())).masked_fill(last < first, 0.0)
        return Slices(torch.arange(count), share.log(), first, last)

    def middle(self, f: int) -> Tensor:
        """Centres of one column's bins."""
        count = self.counts[f]
        return (self.low[f, :count] + self.high[f, :count]) / 2


class BinEmbedding(nn.Module):
    """A vector for each bin, similar for neighbours, and one for "missing" of each column, which starts at 0.

    Args:
        bins: of the columns.
        width: of the vectors. scale: their standard deviation at the start.
    """

    def __init__(self, bins: BinTable, width: int, scale: float) -> None:
        super().__init__()
        self.bins = bins
        shapes = [(len(group.columns), group.rank, width) for group in bins.groups]
        self.vectors = nn.ParameterList(scale * torch.randn(shape) for shape in shapes)
        self.missing = nn.Parameter(torch.zeros(len(bins), width))

    def coefficients(self, f: int) -> Tensor:
        """Coefficients of one column's vectors, [rank, W]."""
        return self.bins.column(f, list(self.vectors))[: self.bins.ranks[f]]

    def of(self, f: int, index: Tensor) -> Tensor:
        """The vectors of one column's bins, for indices of any shape, [..., W]; the index after the last bin is "missing"."""
        of_bins = self.bins.expand(f, self.coefficients(f).mT).mT
        return F.embedding(index, torch.cat([of_bins, self.missing[f : f + 1]]))

    def in_groups(self, index: Tensor, mask: Tensor | None) -> Tensor:
        """The vectors of rows' bins [B, F], and of "missing" where ``mask`` is False, with the columns in the order of the
        groups, [B, F, W].
        """
        return torch.cat(self._of_groups(index, mask)).transpose(0, 1)

    def forward(self, index: Tensor, mask: Tensor | None = None) -> Tensor:
        """The vectors of rows' bins, and of "missing" where ``mask`` is False, [B, F] to [B, F, W]."""
        columns = [each.unbind(0) for each in self._of_groups(index, mask)]
        return torch.stack([self.bins.column(f, columns) for f in range(len(self.bins))], 1)

    def _of_groups(self, index: Tensor, mask: Tensor | None) -> list[Tensor]:
        """For each group, the vectors of its columns' bins, [columns, B, W]."""
        places, missing = self.bins.places(index, mask), self.bins.by_group(self.missing)
        return [self._of_group(*each) for each in zip(range(len(places)), places, missing, strict=True)]

    def _of_group(self, g: int, places: Tensor, missing: Tensor) -> Tensor:
        described = self.bins.described(g)
        if described is None:
            vectors = self.bins.expand_group(g, self.vectors[g])
            return F.embedding(places, torch.cat([vectors, missing.unsqueeze(1)], 1).flatten(0, 1))
        chosen = described.index_select(0, places.flatten()).view(*places.shape, -1)
        return torch.bmm(chosen, torch.cat([self.vectors[g], missing.unsqueeze(1)], 1))


def _table(bins: Bins, unordered: bool, step: float) -> Tensor:
    """The bins of a column as stored in :class:`BinTable`: low, high, log_size, log_below and log_above, [5, bins]."""
    low, high, size, rows = torch.tensor(bins, dtype=torch.float64)
    count = float(rows.sum())
    outside_share = 0.0 if unordered or not count else min(0.5, 2 / (count + 1))  # there are no other levels
    log_size = torch.where(size > 0, size, high - low).clamp_min(1e-12).log() - math.log1p(-outside_share)
    between = low[1:] - high[:-1]
    if step:  # the ends of a run already include half a step on each side
        alone = (low == high).double() / 2
        between = ((between / step - alone[1:] - alone[:-1]).round() / 2).ceil().clamp_min(1)
    else:
        between = (between / 2).clamp_min(1e-12)
    tail = torch.tensor([_spacing(bins) / (step or 1.0)], dtype=torch.float64)
    log_outside = math.log(max(outside_share, 1e-12) / 2)
    return torch.stack(
        [low, high, log_size, *(torch.cat(side).log() - log_outside for side in ((tail, between), (between, tail)))]
    )


def _spacing(bins: Bins) -> float:
    return max(1e-12, bins.high[-1] - bins.low[0]) / len(bins.low)


def _groups(counts: Sequence[int], alone: Sequence[bool], ranks: Sequence[int]) -> list[Group]:
    """Groups of columns, separate for those with and without a basis; numbers of bins differ by at most a factor of 2, except
    small ones.
    """
    groups: list[list[int]] = []
    for f in sorted(range(len(counts)), key=lambda f: (alone[f], counts[f])):
        first = groups[-1][0] if groups else f
        if groups and alone[f] == alone[first] and counts[f] <= max(FREE_BINS, 2 * counts[first]):
            groups[-1].append(f)
        else:
            groups.append([f])
    return [Group(tuple(fs), max(counts[f] for f in fs), max(ranks[f] for f in fs)) for fs in groups]


def _stacked(bases: Sequence[Tensor | None], group: Group) -> Tensor | None:
    """The bases of a group's columns, padded with 0: [columns, M, R]."""
    shape = (group.bins, group.rank)
    padded = [F.pad(b, (0, shape[1] - b.shape[1], 0, shape[0] - b.shape[0])) for b in bases if b is not None]
    return torch.stack(padded) if padded else None


def _described(basis: Tensor | None, group: Group) -> Tensor | None:
    """Rows of the basis for each bin, and for "missing" (see :meth:`BinTable.described`)."""
    if group.rank > (FEW_BINS if basis is None else FEW_NUMBERS):
        return None
    if basis is None:
        return torch.eye(group.bins + 1)
    described = F.pad(basis, (0, 1, 0, 1))
    described[:, -1, -1] = 1
    return described.flatten(0, 1)


def _basis(rows: Sequence[float], unordered: bool) -> Tensor | None:
    """Basis functions over a column's bins, [bins, rank]; None if each bin has a free parameter.

    Hat functions over the order of the bins (the piecewise-linear encoding of Gorishniy et al. 2022), and an indicator for each
    bin with enough rows: with indicators for all bins, a model overfits on 8,000 rows.

    Args:
        rows: number of rows in each bin.
        unordered: whether the bins are levels, which have no neighbours.
    """
    if unordered or len(rows) <= FREE_BINS:
        return None
    count = min(MAX_HATS, max(MIN_HATS, round(math.sqrt(sum(rows)) / 3)))  # as many as this number of rows can resolve
    place = torch.linspace(0, count - 1, len(rows)).unsqueeze(1)
    hats = F.relu(1 - (place - torch.arange(count)).abs())
    return torch.cat([hats, torch.eye(len(rows))[:, [place for place, n in enumerate(rows) if n >= OFTEN]]], 1)


class HistogramLikelihood(Likelihood):
    """Base: a distribution over the bins of each column.

    Args:
        shape: (F,).
        bins: of each column.
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
        steps: of the grid of each column, 0 for a continuous one; () if all are continuous.
    """

    takes_levels = True

    def __init__(
        self, shape: tuple[int, ...], bins: Sequence[Bins], levels: tuple[int, ...] = (), steps: tuple[float, ...] = ()
    ) -> None:
        super().__init__(shape)
        if len(bins) != self.size:
            raise ModelError(f"bins are needed for each of the {self.size} columns, not for {len(bins)}")
        self.nominal = [bool(count) for count in levels] or [False] * self.size
        self.bins = BinTable(bins, self.nominal, steps)
        parts = [*map(self.bins.by_group, ((self.bins.low + self.bins.high) / 2, torch.tensor(self.nominal)))]
        for g, (middles, nominal) in enumerate(zip(*parts, strict=True)):
            self.register_buffer(f"middles_{g}", middles[:, : self.bins.groups[g].bins], persistent=False)
            self.register_buffer(f"of_levels_{g}", nominal[:, None, None] if nominal.any() else None, persistent=False)

    @property
    def middles(self) -> list[Tensor]:
        """Of each group the middles of its columns' bins, [columns, M]."""
        return [getattr(self, f"middles_{g}") for g in range(len(self.bins.groups))]

    @property
    def of_levels(self) -> list[Tensor | None]:
        """Of each group which columns are of levels, bool [columns, 1, 1]; None where none is."""
        return [getattr(self, f"of_levels_{g}") for g in range(len(self.bins.groups))]

    def densities(self, x: Tensor) -> Tensor:
        return self.bins.densities(x.flatten(1))

    def baseline_log_prob(self, train: Rows, held_out: Rows) -> Tensor:
        """Log-probability under the frequencies of the bins, with a pseudo-count of one half."""
        index = self.bins.index(held_out.x)
        logs = [frequencies.log()[level] for frequencies, level in zip(self.frequencies(train), index.unbind(1), strict=True)]
        value = torch.stack(logs, 1) - self.bins.log_size_of(held_out.x, index)
        return (value if held_out.mask is None else value.masked_fill(~held_out.mask, 0.0)).sum(1)

    def frequencies(self, rows: Rows) -> list[Tensor]:
        """Relative frequencies of each column's bins among the observed values."""
        index = self.bins.index(rows.x)
        found = []
        for f, count in enumerate(self.bins.counts):
            observed = index[:, f] if rows.mask is None else index[rows.mask[:, f], f]
            counts = torch.bincount(observed, minlength=count).float() + 0.5
            found.append(counts / counts.sum())
        return found

    def empty(self) -> list[Tensor]:
        """For each group, initial logits of its columns' bins, [columns, M]: 0, and a very low logit for padding."""
        counts, groups = self.bins.counts, self.bins.groups
        there = [torch.arange(group.bins) < torch.tensor([counts[f] for f in group.columns]).unsqueeze(1) for group in groups]
        return [torch.zeros(each.shape).masked_fill(~each, NEVER) for each in there]

    @property
    def bases(self) -> list[Tensor]:
        """For each group, the constant part of its columns' logits, [columns, M]."""
        raise NotImplementedError

    def base_of(self, f: int) -> Tensor:
        """The constant part of a column's logits, [bins]."""
        return self.bins.column(f, self.bases)[: self.bins.counts[f]]

    @torch.no_grad()
    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Start at the frequencies of the bins."""
        for f, frequencies in enumerate(self.frequencies(rows)):
            self.base_of(f).copy_(frequencies.log())

    def expected(self, f: int, logits: Tensor) -> Tensor:
        """Mean of a column, or its most likely level."""
        if self.nominal[f]:
            return logits.argmax(-1).to(logits.dtype)
        return torch.softmax(logits, -1) @ self.bins.middle(f).to(logits.dtype)

    def average(self, values: Tensor, weights: Tensor) -> Tensor:
        """Weighted means over K of values [K, B, F]; for levels, the value with the largest weight. [B, F]."""
        mean = (weights.unsqueeze(-1) * values).sum(0)
        for f, count in enumerate(self.bins.counts):
            if self.nominal[f]:
                votes = weights.new_zeros(values.shape[1], count)
                votes.scatter_add_(1, values[..., f].long().T, weights.T)
                mean[:, f] = votes.argmax(1).to(mean.dtype)
        return mean


def log_softmax_at(logits: Tensor, index: Tensor) -> Tensor:
    """Log-probability of one bin each: logits [..., N, bins] and index [..., N] to [..., N]."""
    index = index.expand(logits.shape[:-1])
    if logits.shape[-1] > FEW_BINS:
        return torch.log_softmax(logits, -1).gather(-1, index.unsqueeze(-1)).squeeze(-1)
    # Along a short last axis, torch's CPU kernel is ten times slower for each number.
    return torch.log_softmax(logits.mT.contiguous(), -2).gather(-2, index.unsqueeze(-2)).squeeze(-2)


def grouped_log_prob(bins: BinTable, logits: Sequence[Tensor], index: Tensor) -> Tensor:
    """Log-probabilities of the columns' bins: logits [columns, K, B, M] per group, and bins [B, F], to [K, B, F]."""
    logs = [log_softmax_at(each, level.unsqueeze(1)) for each, level in zip(logits, bins.by_group(index.T), strict=True)]
    return torch.cat(logs).index_select(0, bins.back).movedim(0, -1)


def _squared_error(logits: Tensor, middles: Tensor, of_levels: Tensor | None, x: Tensor, index: Tensor) -> Tensor:
    """:meth:`HistogramFields.squared_error` of a group's columns, [columns, K, B], by logits [columns, K, B, M]."""
    p = torch.softmax(logits, -1)
    of_number = (x.unsqueeze(1) - (p @ middles.unsqueeze(-1)[:, None]).squeeze(-1)).square()
    if of_levels is None:
        return of_number
    own = p.gather(-1, index[:, None, :, None].expand(*p.shape[:-1], 1)).squeeze(-1)
    of_level = 0.5 * (p.square().sum(-1) - 2 * own + 1)
    return torch.where(of_levels, of_level, of_number)


class HistogramFields(FieldsDistribution):
    """Columns that are independent given a code; logits of their bins, one [columns, K, B, M] per group."""

    def __init__(self, part: HistogramLikelihood, grouped: Sequence[Tensor]) -> None:
        self.part, self.grouped = part, grouped

    @property
    def logits(self) -> list[Tensor]:
        """For each column, [K, B, bins]."""
        bins = self.part.bins
        return [bins.column(f, self.grouped)[..., :count] for f, count in enumerate(bins.counts)]

    def field_log_prob(self, x: Tensor) -> Tensor:
        bins = self.part.bins
        index = bins.index(x)
        return grouped_log_prob(bins, self.grouped, index) - bins.log_size_of(x, index)

    def squared_error(self, x: Tensor) -> Tensor:
        bins, values = self.part.bins, self.part.bins.by_group(x.T)
        index = bins.by_group(bins.index(x).T)
        groups = zip(self.grouped, self.part.middles, self.part.of_levels, values, index, strict=True)
        return torch.cat([_squared_error(*group) for group in groups]).index_select(0, bins.back).movedim(0, -1)

    def bin_probabilities(self, ends: Sequence[Tensor]) -> Tensor:
        """As in the base class, for the bins of this likelihood."""
        return torch.cat([torch.softmax(logits, -1) for logits in self.logits], -1).squeeze(1)

    def sample(self) -> Tensor:
        drawn = [self.part.bins.draw(f, each, torch.rand(each.shape[:-1])) for f, each in enumerate(self.logits)]
        return torch.stack(drawn, -1)

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """Means; for levels, the most likely one."""
        return torch.stack([self.part.expected(f, logits) for f, logits in enumerate(self.logits)], -1)

    def average(self, weights: Tensor) -> Tensor:
        mixed = [(weights.unsqueeze(-1) * torch.softmax(logits, -1)).sum(0).log() for logits in self.logits]
        return torch.stack([self.part.expected(f, logits) for f, logits in enumerate(mixed)], -1)


@register
class IndependentHistograms(HistogramLikelihood):
    """Columns cut into bins and independent given the code: one histogram for each column."""

    name = "histogram"
    starts_linear = True

    def __init__(
        self, shape: tuple[int, ...], bins: Sequence[Bins], levels: tuple[int, ...] = (), steps: tuple[float, ...] = ()
    ) -> None:
        super().__init__(shape, bins, levels, steps)
        for g, base in enumerate(self.empty()):
            self.register_buffer(f"base_{g}", base)

    @property
    def outputs(self) -> int:
        return sum(self.sizes)

    @property
    def sizes(self) -> list[int]:
        """How many numbers of theta each group has."""
        return [len(group.columns) * group.rank for group in self.bins.groups]

    def place(self, f: int) -> int:
        """Where a column begins in theta."""
        g, place = self.bins.where[f]
        return sum(self.sizes[:g]) + place * self.bins.groups[g].rank

    @property
    def bases(self) -> list[Tensor]:
        return [getattr(self, f"base_{g}") for g in range(len(self.bins.groups))]

    def linear_theta(self, weights: Tensor, mean: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """A column of variance s begins as N(0, s), tilted by m x / r - (1/r - 1/s) x² / 2: a normal of mean m and variance r.
        A level of frequency p has the logit (m - p) / p beside its own, to first order.
        """
        found, bias = weights.new_zeros(self.outputs, weights.shape[1]), weights.new_zeros(self.outputs)
        begin = 0
        for f, count in enumerate(self.bins.counts):
            width = count if self.nominal[f] else 1
            own, place = slice(begin, begin + width), self.place(f)
            theta = slice(place, place + self.bins.ranks[f])
            if self.nominal[f]:
                frequencies = torch.softmax(self.base_of(f), 0).double().clamp_min(RARE)
                found[theta] = math.sqrt(2) * weights[own] / frequencies.unsqueeze(1)
            else:
                found[theta], bias[theta] = self._tilted(f, weights[begin], mean[begin], residual[begin])
            begin += width
        return found, bias

    def _tilted(self, f: int, weights: Tensor, mean: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        x, p = self.bins.middle(f).double(), torch.softmax(self.base_of(f), 0).double()
        x = x - mean
        variance = (p * x.square()).sum().clamp_min(1e-6)
        r = torch.minimum(residual.clamp_min(BLUNT * variance), variance)
        tilt = torch.stack([x / r, -x.square() / 2 * (1 / r - 1 / variance)], 1)
        basis = self.bins.basis(f)
        tilt = tilt if basis is None else torch.linalg.pinv(basis.double()) @ tilt
        return tilt[:, :1] * weights, tilt[:, 1]

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, P]: coefficients of the logits, which are added to the logits of independent columns."""
        grouped = []
        for g, (part, base) in enumerate(zip(torch.split(theta, self.sizes, -1), self.bases, strict=True)):
            columns = part.reshape(-1, len(base), self.bins.groups[g].rank).transpose(0, 1)
            logits = self.bins.group_logits(g, columns, base)
            grouped.append(logits.view(len(base), *theta.shape[:-1], -1))
        return HistogramFields(self, grouped)
