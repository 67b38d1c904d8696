"""Columns whose values stand in bins: the bins side by side, and a law in which columns are independent given a code."""

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

FREE_BINS = 16  # as many are each by itself
FEW_BINS, FEW_NUMBERS = 16, 64  # up to which bins, or what describes them, are written out and not looked up
MIN_HATS, MAX_HATS = 6, 24
NEVER = -1e4  # a logit so low that its probability is 0, and so high that sums with it are numbers
SLACK = 1e-4  # of a mean bin's width, for rounding
RARE = 0.05  # a lower frequency of a level is taken for this where the linear model begins
BLUNT = 0.3  # of a column's variance at least is left where the linear model begins
OFTEN = 200.0  # rows of a bin that is by itself, however many there are


class Slices(NamedTuple):
    """What is left of a column's bins when only some values are allowed, all [slices].

    Attributes:
        bin: of which bin each is. log_share: of the bin's probability. low, high: its ends.
    """

    bin: Tensor
    log_share: Tensor
    low: Tensor
    high: Tensor


class Group(NamedTuple):
    """Columns with about as many bins each: what is computed of their bins is one product, and not one for each column.

    Attributes:
        columns: which they are.
        bins: M, of the column that has most; the others are padded.
        rank: R, how many numbers describe something of each bin (see :func:`_basis`); M where each is by itself.
    """

    columns: tuple[int, ...]
    bins: int
    rank: int


class BinTable(nn.Module):
    """The bins of F columns side by side, padded to the M of the column that has most.

    Attributes:
        counts: how many each column has. ranks: how many numbers describe something of each of them (see :func:`_basis`).
        groups: the columns in groups of about as many bins. where: of each column its group, and its place in there.
        order: the columns as the groups have them, one group after the other, [F]. back: the inverse of that, [F].
        edges: between neighbouring bins, [F, M - 1]. low, high, density (whether it is a continuous stretch): [F, M].
        log_size: what is subtracted from the logarithm of a bin's probability to have that of a value in it, [F, M].
        log_below, log_above: the same for a value that is in no bin, below or above its nearest one, [F, M].
        spacing: mean width of a bin, [F]. step: of the grid; 0 where there is none, [F].
        tolerance: by how much a value in a bin may seem to be outside, [F].
        starts, unseen: in the order of the groups, where each column begins in the table of its group, and where in it is a
            value that was not seen, [F, 1]. That table has M + 1 rows for each column, or for all of them together where these
            are a few bins by themselves (see :meth:`described`).
        highest: the end of the last bin of each column, [F].
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
    unseen: Tensor
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
        """Put the columns in groups, and keep what each group has in common."""
        self.ranks = [count if basis is None else basis.shape[1] for count, basis in zip(self.counts, bases, strict=True)]
        self.groups = _groups(self.counts, [basis is None for basis in bases], self.ranks)
        self.where = {f: (g, place) for g, group in enumerate(self.groups) for place, f in enumerate(group.columns)}
        starts, unseen = [], []
        for g, group in enumerate(self.groups):
            basis = _stacked([bases[f] for f in group.columns], group)
            described = _described(basis, group)
            alike = basis is None and described is not None
            self.register_buffer(f"basis_{g}", basis, persistent=False)
            self.register_buffer(f"described_{g}", described, persistent=False)
            begin = [0 if alike else place * (group.bins + 1) for place in range(len(group.columns))]
            starts += begin
            unseen += [start + group.bins for start in begin]
        order = torch.tensor([f for group in self.groups for f in group.columns])
        places = {"starts": torch.tensor(starts).unsqueeze(1), "unseen": torch.tensor(unseen).unsqueeze(1)}
        for name, value in {"order": order, "back": torch.argsort(order), **places}.items():
            self.register_buffer(name, value, persistent=False)

    def __len__(self) -> int:
        return len(self.counts)

    def basis(self, f: int) -> Tensor | None:
        """What a column's bins have in common, [bins, rank]; None where each is by itself."""
        g, place = self.where[f]
        basis = self._basis_of(g)
        return None if basis is None else basis[place, : self.counts[f], : self.ranks[f]]

    def _basis_of(self, g: int) -> Tensor | None:
        basis: Tensor | None = getattr(self, f"basis_{g}")
        return basis

    def spread(self, f: int, coefficients: Tensor) -> Tensor:
        """What each of a column's bins has, [..., bins], by what its basis has, [..., rank]."""
        basis = self.basis(f)
        return coefficients if basis is None else coefficients @ basis.T

    def spread_group(self, g: int, vectors: Tensor) -> Tensor:
        """The vectors of the bins of a group's columns, [columns, M, W], by those of its basis, [columns, R, W]."""
        basis = self._basis_of(g)
        return vectors if basis is None else torch.bmm(basis, vectors)

    def group_logits(self, g: int, coefficients: Tensor, base: Tensor) -> Tensor:
        """Logits of a group's columns' bins, [columns, N, R] to [columns, N, M], beside those in ``base`` [columns, M]."""
        basis = self._basis_of(g)
        coefficients, base = full_precision(coefficients), base.unsqueeze(1)
        if basis is None:
            return coefficients + base
        with torch.autocast(base.device.type, enabled=False):  # in it, product and sum would both be bfloat16
            return torch.baddbmm(base, coefficients, basis.mT)

    def described(self, g: int) -> Tensor | None:
        """What stands for each bin of a group's columns, and behind all bins of a column for "not seen": [rows, R + 1].

        Bins that have something in common are described by their basis, and a few that have not by a 1 in a place of their
        own; None where that is many numbers, for then to look each bin up takes less time and memory.
        """
        described: Tensor | None = getattr(self, f"described_{g}")
        return described

    def column(self, f: int, values: Sequence[Tensor] | Sequence[tuple[Tensor, ...]]) -> Tensor:
        """Of something that each group has of its columns, [columns, ...], a column's."""
        g, place = self.where[f]
        return values[g][place]

    def index(self, x: Tensor) -> Tensor:
        """In which bin each value is, [B, F] to [B, F]."""
        return torch.searchsorted(self.edges, x.T.contiguous(), right=True).T

    def column_index(self, f: int, value: Tensor) -> Tensor:
        """As :meth:`index`, of one column's values of any shape."""
        return torch.searchsorted(self.edges[f], value.contiguous(), right=True)

    def by_group(self, values: Tensor) -> tuple[Tensor, ...]:
        """Of each group its columns' values: [F, ...], in the order of the columns, to [columns, ...]."""
        return self._split(values.index_select(0, self.order))

    def places(self, index: Tensor, mask: Tensor | None) -> tuple[Tensor, ...]:
        """Where the bins [B, F] are in the tables of their groups (see :meth:`described`), of each group [columns, B]."""
        places = index.T.index_select(0, self.order) + self.starts
        return self._split(places if mask is None else torch.where(mask.T.index_select(0, self.order), places, self.unseen))

    def _split(self, values: Tensor) -> tuple[Tensor, ...]:
        return torch.split(values, [len(group.columns) for group in self.groups])

    def log_size_of(self, x: Tensor, index: Tensor) -> Tensor:
        """What is subtracted from the logarithms of the probabilities of the values' bins, [B, F].

        Of a value in a bin it is the logarithm of the bin's size. What is in none was never seen: of n + 1 values each is as
        likely to be the smallest, so that all such values have 2 / (n + 1) of a bin's probability, one half those below it and
        one half those above. There they share alike, up to the next bin; beyond the last one their law falls as the square of
        the distance. So probabilities over all values still sum to at most 1.

        In training a value in no bin counts as one in the nearest. To the gradient all this is constant, and there are few
        such values: the bins were made from these rows, or of very many from a part of them.
        """
        if self.training:
            return self.log_size.gather(1, index.T).T
        outside, far = self._outside(x, index)
        tables = (self.log_size, self.log_below, self.log_above)
        inside, below, above = (table.gather(1, index.T).T for table in tables)
        beyond = (x - x.clamp(self.low[:, 0], self.highest)).abs()
        never = torch.add(torch.where(outside < 0, below, above), torch.log1p(beyond / self.spacing), alpha=2)
        return torch.where(far, never, inside)

    def densities(self, x: Tensor) -> Tensor:
        """Which values [B, F] have a density, and not a probability: those of continuous stretches, and without a grid those
        that are in no bin.
        """
        index = self.index(x)
        return self.density.gather(1, index.T).T | (self._outside(x, index)[1] & (self.step == 0))

    def _outside(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """How far values are from their nearest bins, with a sign, and whether they are in none, [B, F]."""
        low, high = (table.gather(1, index.T).T for table in (self.low, self.high))
        outside = x - x.clamp(low, high)
        return outside, outside.abs() > self.tolerance

    def draw(self, f: int, logits: Tensor, u: Tensor, ends: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """The values at which the distribution functions of [..., bins] are ``u``, uniform in [0, 1): inverse sampling.

        ``ends``: of what the logits are of, where that is not the column's own bins.
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
        """What is left of a column's bins where its value must lie in one of these intervals, ends included."""
        every = [self._sliced(f, bottom, top) for bottom, top in intervals]
        return Slices(*(torch.cat(parts) for parts in zip(*every, strict=True)))

    def _sliced(self, f: int, bottom: float, top: float) -> Slices:
        count = self.counts[f]
        low, high, density = (table[f, :count] for table in (self.low, self.high, self.density))
        slack = (
            2 * (1 - SLACK) * self.tolerance[f] if self.step[f] else self.tolerance[f]
        )  # a value is half a step wide each way
        first, last = low.clamp_min(bottom - slack), high.clamp_max(top + slack)
        share = torch.where(high > low, (last - first) / (high - low), 1.0)
        # Of a run on a grid not less than one of its values is asked for; of a continuous stretch it may be less and less.
        share = torch.where(density, share, share.maximum((-self.log_size[f, :count]).exp())).masked_fill(last < first, 0.0)
        return Slices(torch.arange(count), share.log(), first, last)

    def middle(self, f: int) -> Tensor:
        """Middles of one column's bins."""
        count = self.counts[f]
        return (self.low[f, :count] + self.high[f, :count]) / 2


class BinEmbedding(nn.Module):
    """A vector for each bin, alike for neighbours, and for each column's "not seen", which begins at 0.

    Args:
        bins: of the columns.
        width: of the vectors. scale: their standard deviation at the start.
    """

    def __init__(self, bins: BinTable, width: int, scale: float) -> None:
        super().__init__()
        self.bins = bins
        shapes = [(len(group.columns), group.rank, width) for group in bins.groups]
        self.vectors = nn.ParameterList(scale * torch.randn(shape) for shape in shapes)
        self.unseen = nn.Parameter(torch.zeros(len(bins), width))

    def coefficients(self, f: int) -> Tensor:
        """What one column's vectors are made of, [rank, W]."""
        return self.bins.column(f, list(self.vectors))[: self.bins.ranks[f]]

    def of(self, f: int, index: Tensor) -> Tensor:
        """The vectors of one column's bins of any shape, [..., W]; beyond the last bin is "not seen"."""
        of_bins = self.bins.spread(f, self.coefficients(f).mT).mT
        return F.embedding(index, torch.cat([of_bins, self.unseen[f : f + 1]]))

    def in_groups(self, index: Tensor, mask: Tensor | None) -> Tensor:
        """The vectors of rows' bins [B, F], and of "not seen" where ``mask`` is False, with the columns in the order of the
        groups, [B, F, W].
        """
        return torch.cat(self._of_groups(index, mask)).transpose(0, 1)

    def forward(self, index: Tensor, mask: Tensor | None = None) -> Tensor:
        """The vectors of rows' bins, and of "not seen" where ``mask`` is False, [B, F] to [B, F, W]."""
        columns = [each.unbind(0) for each in self._of_groups(index, mask)]
        return torch.stack([self.bins.column(f, columns) for f in range(len(self.bins))], 1)

    def _of_groups(self, index: Tensor, mask: Tensor | None) -> list[Tensor]:
        """Of each group the vectors of its columns' bins, [columns, B, W]."""
        places, unseen = self.bins.places(index, mask), self.bins.by_group(self.unseen)
        return [self._of_group(*each) for each in zip(range(len(places)), places, unseen, strict=True)]

    def _of_group(self, g: int, places: Tensor, unseen: Tensor) -> Tensor:
        described = self.bins.described(g)
        if described is None:
            vectors = self.bins.spread_group(g, self.vectors[g])
            return F.embedding(places, torch.cat([vectors, unseen.unsqueeze(1)], 1).flatten(0, 1))
        said = described.index_select(0, places.flatten()).view(*places.shape, -1)
        return torch.bmm(said, torch.cat([self.vectors[g], unseen.unsqueeze(1)], 1))


def _table(bins: Bins, unordered: bool, step: float) -> Tensor:
    """A column's bins as :class:`BinTable` has them: low, high, log_size, log_below and log_above, [5, bins]."""
    low, high, size, rows = torch.tensor(bins, dtype=torch.float64)
    seen = float(rows.sum())
    never = 0.0 if unordered or not seen else min(0.5, 2 / (seen + 1))  # of levels there are no others
    log_size = torch.where(size > 0, size, high - low).clamp_min(1e-12).log() - math.log1p(-never)
    between = low[1:] - high[:-1]
    if step:  # the ends of a run are half a step outside it already
        alone = (low == high).double() / 2
        between = ((between / step - alone[1:] - alone[:-1]).round() / 2).ceil().clamp_min(1)
    else:
        between = (between / 2).clamp_min(1e-12)
    tail = torch.tensor([_spacing(bins) / (step or 1.0)], dtype=torch.float64)
    log_never = math.log(max(never, 1e-12) / 2)
    return torch.stack(
        [low, high, log_size, *(torch.cat(side).log() - log_never for side in ((tail, between), (between, tail)))]
    )


def _spacing(bins: Bins) -> float:
    return max(1e-12, bins.high[-1] - bins.low[0]) / len(bins.low)


def _groups(counts: Sequence[int], alone: Sequence[bool], ranks: Sequence[int]) -> list[Group]:
    """Columns with a basis, or without one, of which none has more than twice the bins of another, but for small ones."""
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
    """What stands for each bin, and for "not seen" (see :meth:`BinTable.described`)."""
    if group.rank > (FEW_BINS if basis is None else FEW_NUMBERS):
        return None
    if basis is None:
        return torch.eye(group.bins + 1)
    described = F.pad(basis, (0, 1, 0, 1))
    described[:, -1, -1] = 1
    return described.flatten(0, 1)


def _basis(rows: Sequence[float], unordered: bool) -> Tensor | None:
    """What bins that are neighbours have in common, [bins, rank]; None where each is by itself.

    Hat functions over the bins' order (the piecewise-linear encoding of Gorishniy et al. 2022), and an indicator of its own
    for each bin that was seen often enough to tell: with one for every bin, a model of 8,000 rows learns them by heart.

    Args:
        rows: from how many rows each bin was made.
        unordered: the bins are levels, of which no two are neighbours.
    """
    if unordered or len(rows) <= FREE_BINS:
        return None
    count = min(MAX_HATS, max(MIN_HATS, round(math.sqrt(sum(rows)) / 3)))  # by what so many rows can tell
    place = torch.linspace(0, count - 1, len(rows)).unsqueeze(1)
    hats = F.relu(1 - (place - torch.arange(count)).abs())
    return torch.cat([hats, torch.eye(len(rows))[:, [place for place, n in enumerate(rows) if n >= OFTEN]]], 1)


class HistogramLikelihood(Likelihood):
    """Base: a law over the bins of each column.

    Args:
        shape: (F,).
        bins: of each column.
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
        steps: of the grid that each column's values are on, 0 where there is none; () where no column has one.
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

    def independent(self, train: Rows, held_out: Rows) -> Tensor:
        """Frequencies of the bins, each counted as if seen half a time more than it was."""
        index = self.bins.index(held_out.x)
        logs = [frequencies.log()[level] for frequencies, level in zip(self.frequencies(train), index.unbind(1), strict=True)]
        value = torch.stack(logs, 1) - self.bins.log_size_of(held_out.x, index)
        return (value if held_out.mask is None else value.masked_fill(~held_out.mask, 0.0)).sum(1)

    def frequencies(self, rows: Rows) -> list[Tensor]:
        """How often each column's bins occur among what was seen."""
        index = self.bins.index(rows.x)
        found = []
        for f, count in enumerate(self.bins.counts):
            seen = index[:, f] if rows.mask is None else index[rows.mask[:, f], f]
            counts = torch.bincount(seen, minlength=count).float() + 0.5
            found.append(counts / counts.sum())
        return found

    def empty(self) -> list[Tensor]:
        """Of each group logits of its columns' bins, [columns, M]: 0, and where a column has no bin what is never drawn."""
        counts, groups = self.bins.counts, self.bins.groups
        there = [torch.arange(group.bins) < torch.tensor([counts[f] for f in group.columns]).unsqueeze(1) for group in groups]
        return [torch.zeros(each.shape).masked_fill(~each, NEVER) for each in there]

    @property
    def bases(self) -> list[Tensor]:
        """Of each group, what stands beside its columns' logits, [columns, M]."""
        raise NotImplementedError

    def base_of(self, f: int) -> Tensor:
        """What stands beside a column's logits, [bins]."""
        return self.bins.column(f, self.bases)[: self.bins.counts[f]]

    @torch.no_grad()
    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Each column begins at its own frequencies."""
        for f, frequencies in enumerate(self.frequencies(rows)):
            self.base_of(f).copy_(frequencies.log())

    def expected(self, f: int, logits: Tensor) -> Tensor:
        """A column's mean, or its most likely level."""
        if self.nominal[f]:
            return logits.argmax(-1).to(logits.dtype)
        return torch.softmax(logits, -1) @ self.bins.middle(f).to(logits.dtype)

    def average(self, values: Tensor, weights: Tensor) -> Tensor:
        """Weighted means over K of values [K, B, F]; of levels, what has most of the weight. [B, F]."""
        mean = (weights.unsqueeze(-1) * values).sum(0)
        for f, count in enumerate(self.bins.counts):
            if self.nominal[f]:
                votes = weights.new_zeros(values.shape[1], count)
                votes.scatter_add_(1, values[..., f].long().T, weights.T)
                mean[:, f] = votes.argmax(1).to(mean.dtype)
        return mean


def log_softmax_at(logits: Tensor, index: Tensor) -> Tensor:
    """Logarithms of the probabilities of one bin each: logits [..., N, bins] and index [..., N] to [..., N]."""
    index = index.expand(logits.shape[:-1])
    if logits.shape[-1] > FEW_BINS:
        return torch.log_softmax(logits, -1).gather(-1, index.unsqueeze(-1)).squeeze(-1)
    # Along a last axis of a few numbers, torch's kernel for processors takes ten times as long for each of them.
    return torch.log_softmax(logits.mT.contiguous(), -2).gather(-2, index.unsqueeze(-2)).squeeze(-2)


def grouped_log_prob(bins: BinTable, logits: Sequence[Tensor], index: Tensor) -> Tensor:
    """Logarithms of the probabilities of each column's bin: by group the logits [columns, K, B, M], and the bins [B, F], to
    [K, B, F].
    """
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
    """Columns that are independent given a code, by the logits of their bins: of each group [columns, K, B, M]."""

    def __init__(self, part: HistogramLikelihood, grouped: Sequence[Tensor]) -> None:
        self.part, self.grouped = part, grouped

    @property
    def logits(self) -> list[Tensor]:
        """Of each column, [K, B, bins]."""
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
        """As in the base class; a field's bins are its bins."""
        return torch.cat([torch.softmax(logits, -1) for logits in self.logits], -1).squeeze(1)

    def sample(self) -> Tensor:
        drawn = [self.part.bins.draw(f, each, torch.rand(each.shape[:-1])) for f, each in enumerate(self.logits)]
        return torch.stack(drawn, -1)

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """Means; of levels the most likely one."""
        return torch.stack([self.part.expected(f, logits) for f, logits in enumerate(self.logits)], -1)

    def average(self, weights: Tensor) -> Tensor:
        mixed = [(weights.unsqueeze(-1) * torch.softmax(logits, -1)).sum(0).log() for logits in self.logits]
        return torch.stack([self.part.expected(f, logits) for f, logits in enumerate(mixed)], -1)


@register
class IndependentHistograms(HistogramLikelihood):
    """Columns cut into bins, independent given the code: a histogram of each."""

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
        """Where in theta a column begins."""
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
                found[theta] = math.sqrt(2) * weights[own] / torch.softmax(self.base_of(f), 0).double().clamp_min(RARE).unsqueeze(1)
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
        """theta [K, B, P]: what makes the logits of every column's bins, beside those of independent columns."""
        grouped = []
        for g, (part, base) in enumerate(zip(torch.split(theta, self.sizes, -1), self.bases, strict=True)):
            columns = part.reshape(-1, len(base), self.bins.groups[g].rank).transpose(0, 1)
            logits = self.bins.group_logits(g, columns, base)
            grouped.append(logits.view(len(base), *theta.shape[:-1], -1))
        return HistogramFields(self, grouped)
