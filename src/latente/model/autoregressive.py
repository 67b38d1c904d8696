"""Tables of mixed columns: each column's values stand in bins, and a row is said one column after the other.

p(x|z) = prod_f p(x_f | z, x_1 … x_(f-1)), each factor a law over the bins of one column. A decoder whose columns are
independent given z can't keep relations that are exact (an education and its number), however good the code is; this one can,
and leaves to the code what the columns have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.model.bins import BinEmbedding, HistogramLikelihood, grouped_log_prob, log_softmax_at
from latente.model.distributions import Conditioned, FieldsDistribution, Intervals, full_precision
from latente.model.parts import register
from latente.rows import Bins, Rows

Rule = Callable[[int, Tensor], Tensor]
TOGETHER = 16_000_000  # numbers of all columns' contexts, up to which they are held at once


class AutoregressiveFields(FieldsDistribution):
    """ColumnDistribution of rows whose columns follow one another, given a code.

    Args:
        part: the networks.
        theta: where the context of each row begins, [K, B, W].
    """

    def __init__(self, part: Autoregressive, theta: Tensor) -> None:
        self.part, self.theta = part, theta

    def log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log-probability of each column given the code and the columns before it, so far as they were seen, [K, B, F]."""
        x, mask = x.flatten(1), None if mask is None else mask.flatten(1)
        bins = self.part.bins
        index = bins.index(x)
        log_size = bins.log_size_of(x, index)
        return self.part.log_bins(self.theta, index, mask) - (log_size if mask is None else log_size.masked_fill(~mask, 0.0))

    def sample(self) -> Tensor:
        """Where rows may have holes, they are drawn with them, and then completed: what stands behind a column may depend on
        whether that was seen, and rows without holes are not like the others.
        """
        if not self.part.holed:
            return self.walk(self._drawn)
        values, seen = self.with_holes(self.theta.new_zeros(len(self.part.bins)))
        rows = AutoregressiveFields(self.part, self.theta.reshape(1, -1, self.theta.shape[-1]))
        return rows.completed(values.flatten(0, 1), seen.flatten(0, 1))[0].view(values.shape)

    def conditioned(self, x: Tensor, mask: Tensor | None, noise: Tensor | None = None) -> Conditioned:
        """All that was seen is told first, wherever it stands; then the columns that were not are drawn, one by one."""
        x = x.flatten(1)
        mask = torch.ones_like(x, dtype=torch.bool) if mask is None else mask.flatten(1)
        drawn, expected = self.completed(x, mask, noise)
        # Codes that are all the same one weigh the same: there is no need to look at each.
        codes = self.theta[:1] if not self.theta.stride(0) else self.theta
        log_weight = AutoregressiveFields(self.part, codes).row_log_prob(x, mask).expand(drawn.shape[:-1])
        return Conditioned(log_weight, lambda: drawn, lambda weights: self.part.average(expected, weights))

    def completed(self, x: Tensor, mask: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Rows [B, F] with draws where nothing was seen, and with what was expected at each draw, both [K, B, F]."""
        shape = (*self.theta.shape[:-1], x.shape[1])
        u = torch.rand(shape, dtype=x.dtype) if noise is None else torch.special.ndtr(noise)
        drawn = x.expand(shape).clone()
        expected = drawn.clone()
        context = self.theta + self.part.all_told(x, mask)
        for f in range(x.shape[1]):
            rows = torch.nonzero(~mask[:, f]).squeeze(1)
            if len(rows):
                logits = self.part.logits(f, self.part.features(f, context[:, rows]))
                value = self.part.bins.draw(f, logits, u[:, rows, f])
                drawn[:, rows, f] = value
                expected[:, rows, f] = value if self.part.nominal[f] else self.part.expected(f, logits)
                context[:, rows] = self.part.told(f, context[:, rows], value)
        return drawn, expected

    def restricted(self, given: Mapping[int, Intervals]) -> tuple[Tensor, Tensor]:
        """A row for each code [K, B, F] with some columns' values in given intervals, and its log-weight [K, B]: how probable
        those were when each column's turn came.
        """
        log_weight = self.theta.new_zeros(self.theta.shape[:-1])
        left = {f: self.part.bins.within(f, intervals) for f, intervals in given.items()}

        def within_or_free(f: int, logits: Tensor) -> Tensor:
            u = torch.rand(logits.shape[:-1])
            if f not in left:
                return self.part.bins.draw(f, logits, u)
            slices = left[f]
            logits = torch.log_softmax(logits, -1)[..., slices.bin] + slices.log_share
            log_weight.add_(torch.logsumexp(logits, -1))
            return self.part.bins.draw(f, logits.nan_to_num(neginf=-1e4), u, (slices.low, slices.high))

        return self.walk(within_or_free), log_weight

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """Each column's mean (of levels the most likely one), given those of the columns before it."""
        return self.walk(self.part.expected)

    def bin_probabilities(self, ends: Sequence[Tensor]) -> Tensor:
        """As in the base class; a field's bins are its bins, and the fields before it are at their means."""
        found: list[Tensor] = []

        def expected(f: int, logits: Tensor) -> Tensor:
            found.append(torch.softmax(logits, -1))
            return self.part.expected(f, logits)

        self.walk(expected)
        return torch.cat(found, -1).squeeze(1)

    def average(self, weights: Tensor) -> Tensor:
        return self.part.average(self.mean, weights)

    def with_holes(self, missing: Tensor) -> tuple[Tensor, Tensor]:
        context, values, seen = self.theta, [], []
        for f in range(len(self.part.bins)):
            h = self.part.features(f, context)
            values.append(self._drawn(f, self.part.logits(f, h)))
            there = torch.sigmoid(self.part.seen_logit(f, h)) if f in self.part.holed else torch.ones_like(values[-1])
            seen.append(torch.rand_like(there) < there)
            context = self.part.told(f, context, values[-1], seen[-1])
        return torch.stack(values, -1), torch.stack(seen, -1)

    def _drawn(self, f: int, logits: Tensor) -> Tensor:
        return self.part.bins.draw(f, logits, torch.rand(logits.shape[:-1]))

    def walk(self, rule: Rule) -> Tensor:
        """A row by a rule that gives a column's value [K, B] from its logits; the columns behind it are told."""
        context, values = self.theta, []
        for f in range(len(self.part.bins)):
            values.append(rule(f, self.part.logits(f, self.part.features(f, context))))
            context = self.part.told(f, context, values[-1])
        return torch.stack(values, -1)


class RowDropout(nn.Module):
    """Dropout of the same units for all columns of a row, as for all steps of a sequence (Gal and Ghahramani 2016).

    With units of its own for each column, to draw them took a third of a step on small tables.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, h: Tensor) -> Tensor:
        """Of [..., F, W], in training."""
        if not self.training or not self.share:
            return h
        kept = torch.rand(*h.shape[:-2], 1, h.shape[-1], dtype=h.dtype, device=h.device) >= self.share
        return h * (kept / (1 - self.share))


@register
class Autoregressive(HistogramLikelihood):
    """Columns of numbers and levels, cut into bins, one after the other.

    Args:
        shape: (F,).
        bins: of each column.
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
        steps: of the grid that each column's values are on, 0 where there is none; () where no column has one.
        holes: which columns are not always seen; () where all are. Whether a value is seen is learnt beside its law, so that
            new rows can have holes, too; it is no part of a row's likelihood.
        width: W, of the context and of the network between it and the bins' logits.
        blocks: residual blocks of that network, which all columns share.
        dropout: share of that network's units that is left out in training.
        any_order: share of the rows of which, in training, each column is told of any others: what is missing is then filled in
            from all that was seen, wherever it stands.
        least_told: the least share of the others that it is then told of.
    """

    name = "autoregressive"
    earlier: Tensor
    others: Tensor
    holes: Tensor
    holed_columns: Tensor
    holed_places: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        bins: Sequence[Bins],
        levels: tuple[int, ...] = (),
        steps: tuple[float, ...] = (),
        holes: tuple[bool, ...] = (),
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.1,
        any_order: float = 0.25,
        least_told: float = 0.0,
    ) -> None:
        super().__init__(shape, bins, levels, steps)
        self.width, self.any_order, self.least_told = width, any_order, least_told
        scale = 1 / math.sqrt(self.size)
        self.embedding = BinEmbedding(self.bins, width, scale)
        self.place = nn.Parameter(0.1 * torch.randn(self.size, width))
        self.dropped = RowDropout(dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), RowDropout(dropout), nn.Linear(width, width))
            for _ in range(blocks)
        )
        shapes = [(len(group.columns), width, group.rank) for group in self.bins.groups]
        self.heads = nn.ParameterList(torch.empty(shape).uniform_(-0.1, 0.1) / math.sqrt(width) for shape in shapes)
        self.base = nn.ParameterList(self.empty())
        self.holed = [f for f, hole in enumerate(holes) if hole]
        self.seen = nn.Linear(width, len(self.holed)) if self.holed else None
        # Of each column which others come before it, and which others there are, all in the order of the groups.
        column, others = self.bins.order.unsqueeze(1), self.bins.order
        places = {"earlier": others < column, "others": others != column, "holes": torch.eye(self.size)[self.holed]}
        for name, value in places.items():
            self.register_buffer(name, value.to(torch.get_default_dtype()), persistent=False)
        holed = torch.tensor(self.holed, dtype=torch.long)
        self.register_buffer("holed_columns", holed, persistent=False)
        self.register_buffer("holed_places", self.bins.back[holed], persistent=False)

    @torch.no_grad()
    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Each column begins at its own frequencies, and is missing as often as it is."""
        super().start(rows, residual, resolution)
        if self.seen is not None and rows.mask is not None:
            share = (rows.mask[:, self.holed].sum(0) + 0.5) / (len(rows) + 1)
            self.seen.weight.zero_()
            self.seen.bias.copy_(torch.logit(share))

    @property
    def outputs(self) -> int:
        return self.width

    @property
    def extra_multiply_adds(self) -> int:  # type: ignore[override]
        """The blocks run once for each column."""
        return (self.size - 1) * len(self.blocks) * 2 * self.width**2

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, W] is where each row's context begins."""
        return AutoregressiveFields(self, theta)

    @property
    def bases(self) -> list[Tensor]:
        return list(self.base)

    def log_bins(self, theta: Tensor, index: Tensor, mask: Tensor | None) -> Tensor:
        """Log-probability of the bins [B, F], each given those before it, [K, B, F].

        All columns at once where there are gradients; one after the other where there are none, which needs less memory. In
        training, that a value was seen, or not, counts too.
        """
        if torch.is_grad_enabled() or len(index) * self.size * self.width <= TOGETHER:
            return self._all_log_bins(theta, index, mask)
        logs = [log_softmax_at(self.logits(f, h), index[:, f]) for f, h in enumerate(self._each_features(theta, index, mask))]
        value = torch.stack(logs, -1)
        return value if mask is None else value.masked_fill(~mask, 0.0)

    def _all_log_bins(self, theta: Tensor, index: Tensor, mask: Tensor | None) -> Tensor:
        told = self.embedding.in_groups(index, mask)
        in_any = torch.rand(len(told), 1, device=told.device) < self.any_order if self._trains_any_order else None
        features = self._all_features(theta, told, self.earlier if in_any is None else self._before(told, mask, in_any))
        by_column = features.flatten(0, 1).transpose(0, 1).contiguous()
        in_groups = torch.split(by_column, [len(group.columns) for group in self.bins.groups])
        logits = [self._group_logits(g, h).view(len(h), *features.shape[:2], -1) for g, h in enumerate(in_groups)]
        value = grouped_log_prob(self.bins, logits, index)
        if mask is None:
            return value
        value = value.masked_fill(~mask, 0.0)
        if not (self.training and self.holed):
            return value
        # Columns in any order are told only of what was seen. To be told of nothing then means that much is missing, and where
        # a new row begins it means nothing; so holes are learnt in the one order in which they are drawn.
        seen = self._log_seen(features, mask)
        return value + (seen if in_any is None else seen.masked_fill(in_any, 0.0))

    def _all_features(self, theta: Tensor, told: Tensor, before: Tensor) -> Tensor:
        """What is known when it is each column's turn, in the order of the groups, [K, B, F, W]."""
        context = theta.unsqueeze(-2).expand(*theta.shape[:-1], self.size, self.width)
        return self._network(context + before @ told + self.place.index_select(0, self.bins.order))

    @property
    def _trains_any_order(self) -> bool:
        return self.training and self.any_order > 0

    def _before(self, told: Tensor, mask: Tensor | None, in_any: Tensor) -> Tensor:
        """Which columns each is told of, 0 or 1, [B, F, F], in the order of the groups: those before it, or in rows of which
        the columns stand ``in_any`` order, bool [B, 1], others.

        Of these as many as stand before a column in an order drawn at random (Uria et al. 2014), or more, and only such as were
        seen.
        """
        B, F = told.shape[:2]
        share = self.least_told + (1 - self.least_told) * torch.rand(B, F, 1, device=told.device)
        others = ((torch.rand(B, F, F, device=told.device) < share).to(told.dtype)) * self.others
        others = others if mask is None else others * mask.index_select(1, self.bins.order).unsqueeze(1)
        return torch.where(in_any.unsqueeze(-1), others, self.earlier)

    def all_told(self, x: Tensor, mask: Tensor) -> Tensor:
        """What all columns of rows say that were seen, [B, W]."""
        told: Tensor = self.embedding(self.bins.index(x))
        return (told * mask.unsqueeze(-1)).sum(1)

    def each_log_prob(self, theta: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
        """Log-density of each column's value [B, F] given the others that are seen, whatever their order, [B, F]."""
        index = self.bins.index(x)
        told = self.embedding(index)
        told = told if mask is None else told * mask.unsqueeze(-1)
        context = theta[0] + told.sum(1)
        columns = range(self.size)
        logits = (self.logits(f, self.features(f, context - told[:, f])) for f in columns)
        logs = [log_softmax_at(each, index[:, f]) for f, each in zip(columns, logits, strict=True)]
        return torch.stack(logs, -1) - self.bins.log_size_of(x, index)

    def _each_features(self, theta: Tensor, index: Tensor, mask: Tensor | None) -> Iterator[Tensor]:
        context = theta
        for f, count in enumerate(self.bins.counts):
            yield self.features(f, context)
            own = index[:, f] if mask is None else torch.where(mask[:, f], index[:, f], count)
            context = context + self.embedding.of(f, own)

    def features(self, f: int, context: Tensor) -> Tensor:
        """What is known when it is column ``f``'s turn, [K, B, W] to [K, B, W]."""
        return self._network(context + self.place[f])

    def logits(self, f: int, h: Tensor) -> Tensor:
        """Logits of one column's bins, [K, B, W] to [K, B, bins]."""
        return full_precision(self.bins.spread(f, h @ self.head(f))) + self.base_of(f)

    def head(self, f: int) -> Tensor:
        """What makes a column's logits of what is known, [W, rank]."""
        return self.bins.column(f, list(self.heads))[:, : self.bins.ranks[f]]

    def _group_logits(self, g: int, h: Tensor) -> Tensor:
        """The same of a group's columns, [columns, N, W] to [columns, N, M]."""
        return self.bins.group_logits(g, torch.bmm(h, self.heads[g]), self.base[g])

    def seen_logit(self, f: int, h: Tensor) -> Tensor:
        """Logit of that a value of the column is seen, [K, B, W] to [K, B]."""
        assert self.seen is not None
        place = self.holed.index(f)
        return full_precision(F.linear(h, self.seen.weight[place : place + 1], self.seen.bias[place : place + 1]).squeeze(-1))

    def _log_seen(self, features: Tensor, mask: Tensor) -> Tensor:
        """Log-probability of that each column's value was seen, or not, [K, B, F]; 0 where it always is."""
        assert self.seen is not None
        h = features.index_select(-2, self.holed_places)
        logit = full_precision((h * self.seen.weight).sum(-1) + self.seen.bias)
        logs = F.logsigmoid(torch.where(mask.index_select(1, self.holed_columns), logit, -logit))
        return full_precision(logs @ self.holes)

    def told(self, f: int, context: Tensor, value: Tensor, seen: Tensor | None = None) -> Tensor:
        """The context of the columns behind ``f``, which has this value, or where ``seen`` is False none."""
        index = self.bins.column_index(f, value)
        index = index if seen is None else torch.where(seen, index, self.bins.counts[f])
        return context + self.embedding.of(f, index)

    def _network(self, h: Tensor) -> Tensor:
        for block in self.blocks:
            h = h + block(h)
        value: Tensor = self.dropped(torch.relu(h))
        return value
