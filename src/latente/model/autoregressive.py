"""Tables of mixed columns: the values are cut into bins, and columns are generated one after the other.

p(x|z) = prod_f p(x_f | z, x_1 … x_(f-1)), where each factor is a distribution over the bins of one column. A decoder with
columns independent given z can't reproduce exact relations (an education and its number), however good the code is. This one
can; the code then only has to describe what the columns share.
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
TOGETHER = 16_000_000  # up to this size the contexts of all columns are in memory at once
CODE_WIDTH = 32  # hidden units between a code and its contribution


class AutoregressiveFields(FieldsDistribution):
    """Distribution of rows given a code; each column depends on the columns before it.

    Args:
        part: the networks.
        theta: the initial context of each row, [K, B, W].
        added: the contribution of a code to each column, [2, K, B, F, W]; see :class:`CodeInput`.
    """

    def __init__(self, part: Autoregressive, theta: Tensor, added: Tensor | None = None) -> None:
        self.part, self.theta, self.added = part, theta, added

    def log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log-probability of each column given the code and the observed columns before it, [K, B, F]."""
        x, mask = x.flatten(1), None if mask is None else mask.flatten(1)
        bins = self.part.bins
        index = bins.index(x)
        log_size = bins.log_size_of(x, index)
        log_size = log_size if mask is None else log_size.masked_fill(~mask, 0.0)
        return self.part.log_bins(self.theta, index, mask, self.added) - log_size

    def sample(self) -> Tensor:
        """If columns have missing values, rows are drawn with missing values and then completed: a column may depend on whether
        others are missing, and complete rows differ from the rest.
        """
        if not self.part.incomplete:
            return self.walk(self._drawn)
        values, observed = self.with_missing(self.theta.new_zeros(len(self.part.bins)))
        added = None if self.added is None else self.added.flatten(1, 2).unsqueeze(1)
        rows = AutoregressiveFields(self.part, self.theta.reshape(1, -1, self.theta.shape[-1]), added)
        return rows.completed(values.flatten(0, 1), observed.flatten(0, 1))[0].view(values.shape)

    def conditioned(self, x: Tensor, mask: Tensor | None, noise: Tensor | None = None) -> Conditioned:
        """Reads all observed columns first, whatever their place; then draws the missing ones, one by one."""
        x = x.flatten(1)
        mask = torch.ones_like(x, dtype=torch.bool) if mask is None else mask.flatten(1)
        drawn, expected = self.completed(x, mask, noise)
        # If all codes are the same, they have the same weight, and one evaluation is enough.
        codes = self.theta[:1] if not self.theta.stride(0) else self.theta
        log_weight = AutoregressiveFields(self.part, codes, self.added).row_log_prob(x, mask).expand(drawn.shape[:-1])
        return Conditioned(log_weight, lambda: drawn, lambda weights: self.part.average(expected, weights))

    def completed(self, x: Tensor, mask: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Rows [B, F] with missing values drawn, and with the expected value at each draw, both [K, B, F]."""
        shape = (*self.theta.shape[:-1], x.shape[1])
        u = torch.rand(shape, dtype=x.dtype) if noise is None else torch.special.ndtr(noise)
        drawn = x.expand(shape).clone()
        expected = drawn.clone()
        context = self.theta + self.part.embedded(x, mask)
        for f in range(x.shape[1]):
            rows = torch.nonzero(~mask[:, f]).squeeze(1)
            if len(rows):
                added = None if self.added is None else self.added[:, :, rows]
                logits = self.part.logits(f, self.part.features(f, context[:, rows], added))
                value = self.part.bins.draw(f, logits, u[:, rows, f])
                drawn[:, rows, f] = value
                expected[:, rows, f] = value if self.part.nominal[f] else self.part.expected(f, logits)
                context[:, rows] = self.part.extended(f, context[:, rows], value)
        return drawn, expected

    def restricted(self, given: Mapping[int, Intervals]) -> tuple[Tensor, Tensor]:
        """A row for each code [K, B, F] with some columns in given intervals, and its log-weight [K, B]: the log-probability of
        these intervals given the columns before them.
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
        """Mean of each column (for levels, the most likely one), given the means of the columns before it."""
        return self.walk(self.part.expected)

    def bin_probabilities(self, ends: Sequence[Tensor]) -> Tensor:
        """As in the base class, for the bins of this likelihood; the columns before a field have their means."""
        found: list[Tensor] = []

        def expected(f: int, logits: Tensor) -> Tensor:
            found.append(torch.softmax(logits, -1))
            return self.part.expected(f, logits)

        self.walk(expected)
        return torch.cat(found, -1).squeeze(1)

    def average(self, weights: Tensor) -> Tensor:
        return self.part.average(self.mean, weights)

    def with_missing(self, missing: Tensor) -> tuple[Tensor, Tensor]:
        context, values, observed = self.theta, [], []
        for f in range(len(self.part.bins)):
            h = self.part.features(f, context, self.added)
            values.append(self._drawn(f, self.part.logits(f, h)))
            h = h if self.added is None else self.part.features(f, context)  # missingness is not conditioned on the code
            share = torch.sigmoid(self.part.observed_logit(f, h)) if f in self.part.incomplete else torch.ones_like(values[-1])
            observed.append(torch.rand_like(share) < share)
            context = self.part.extended(f, context, values[-1], observed[-1])
        return torch.stack(values, -1), torch.stack(observed, -1)

    def _drawn(self, f: int, logits: Tensor) -> Tensor:
        return self.part.bins.draw(f, logits, torch.rand(logits.shape[:-1]))

    def walk(self, rule: Rule) -> Tensor:
        """Generates rows: ``rule`` maps a column's logits to its value [K, B], which then enters the context."""
        context, values = self.theta, []
        for f in range(len(self.part.bins)):
            values.append(rule(f, self.part.logits(f, self.part.features(f, context, self.added))))
            context = self.part.extended(f, context, values[-1])
        return torch.stack(values, -1)


class RowDropout(nn.Module):
    """Dropout of the same units for all columns of a row, as over the steps of a sequence (Gal and Ghahramani 2016).

    Drawing different units for each column took a third of a step on small tables.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, h: Tensor) -> Tensor:
        """For [..., F, W], in training."""
        if not self.training or not self.share:
            return h
        kept = torch.rand(*h.shape[:-2], 1, h.shape[-1], dtype=h.dtype, device=h.device) >= self.share
        return h * (kept / (1 - self.share))


class CodeInput(nn.Module):
    """The contribution of a code to the input and the output of each column's network, initially zero.

    The network is trained without codes and then frozen, so that new rows do not change (adapters, Houlsby et al. 2019).

    Args:
        latent_dim: dimensions of the code. columns, width: of the network.
    """

    def __init__(self, latent_dim: int, columns: int, width: int) -> None:
        super().__init__()
        self.columns, self.width = columns, width
        self.hidden = nn.Linear(latent_dim, CODE_WIDTH)
        self.added = nn.Linear(CODE_WIDTH, 2 * columns * width)
        nn.init.zeros_(self.added.weight)
        nn.init.zeros_(self.added.bias)

    def forward(self, z: Tensor) -> Tensor:
        """Codes [K, B, d] to [2, K, B, F, W]."""
        added: Tensor = self.added(torch.relu(self.hidden(z)))
        return full_precision(added.view(*z.shape[:-1], 2, self.columns, self.width).movedim(-3, 0))


@register
class Autoregressive(HistogramLikelihood):
    """Columns of numbers and levels, cut into bins and generated one after the other.

    Args:
        shape: (F,).
        bins: of each column.
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
        steps: of the grid of each column, 0 for a continuous one; () if all are continuous.
        missing: which columns have missing values; () if none have. Whether a value is observed is learned as well, so that new
            rows can have missing values; it is not part of a row's likelihood.
        width: W, of the context and of the network from it to the logits.
        blocks: number of residual blocks of that network, which all columns share.
        dropout: share of that network's units dropped in training.
        any_order: share of the training rows in which each column is predicted from a random subset of the others, so that
            missing values can be imputed from all observed ones, whatever their place.
        min_context: smallest share of the other columns in such a subset.
    """

    name = "autoregressive"
    earlier: Tensor
    others: Tensor
    scatter: Tensor
    incomplete_columns: Tensor
    incomplete_places: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        bins: Sequence[Bins],
        levels: tuple[int, ...] = (),
        steps: tuple[float, ...] = (),
        missing: tuple[bool, ...] = (),
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.1,
        any_order: float = 0.25,
        min_context: float = 0.0,
    ) -> None:
        super().__init__(shape, bins, levels, steps)
        self.width, self.any_order, self.min_context = width, any_order, min_context
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
        self.incomplete = [f for f, some in enumerate(missing) if some]
        self.observed = nn.Linear(width, len(self.incomplete)) if self.incomplete else None
        # For each column, the columns before it and all others, in the order of the groups.
        column, others = self.bins.order.unsqueeze(1), self.bins.order
        tables = {"earlier": others < column, "others": others != column, "scatter": torch.eye(self.size)[self.incomplete]}
        for name, value in tables.items():
            self.register_buffer(name, value.to(torch.get_default_dtype()), persistent=False)
        columns = torch.tensor(self.incomplete, dtype=torch.long)
        self.register_buffer("incomplete_columns", columns, persistent=False)
        self.register_buffer("incomplete_places", self.bins.back[columns], persistent=False)

    @torch.no_grad()
    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Start at the frequencies of the bins and of missing values."""
        super().start(rows, residual, resolution)
        if self.observed is not None and rows.mask is not None:
            share = (rows.mask[:, self.incomplete].sum(0) + 0.5) / (len(rows) + 1)
            self.observed.weight.zero_()
            self.observed.bias.copy_(torch.logit(share))

    @property
    def outputs(self) -> int:
        return self.width

    @property
    def extra_multiply_adds(self) -> int:  # type: ignore[override]
        """The blocks run once per column."""
        return (self.size - 1) * len(self.blocks) * 2 * self.width**2

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, W] is the initial context of each row."""
        return AutoregressiveFields(self, theta)

    @property
    def bases(self) -> list[Tensor]:
        return list(self.base)

    def log_bins(self, theta: Tensor, index: Tensor, mask: Tensor | None, added: Tensor | None = None) -> Tensor:
        """Log-probability of the bins [B, F], each given those before it, [K, B, F].

        Computed for all columns at once if gradients are needed, otherwise one by one, which needs less memory. In training it
        includes the log-probability that the value is observed or missing.
        """
        if torch.is_grad_enabled() or len(index) * self.size * self.width <= TOGETHER:
            return self._all_log_bins(theta, index, mask, added)
        each = enumerate(self._each_features(theta, index, mask, added))
        logs = [log_softmax_at(self.logits(f, h), index[:, f]) for f, h in each]
        value = torch.stack(logs, -1)
        return value if mask is None else value.masked_fill(~mask, 0.0)

    def _all_log_bins(self, theta: Tensor, index: Tensor, mask: Tensor | None, added: Tensor | None) -> Tensor:
        embedded = self.embedding.in_groups(index, mask)
        in_any = torch.rand(len(embedded), 1, device=embedded.device) < self.any_order if self._trains_any_order else None
        before = self.earlier if in_any is None else self._before(embedded, mask, in_any)
        features = self._all_features(theta, embedded, before, added)
        by_column = features.flatten(0, 1).transpose(0, 1).contiguous()
        in_groups = torch.split(by_column, [len(group.columns) for group in self.bins.groups])
        logits = [self._group_logits(g, h).view(len(h), *features.shape[:2], -1) for g, h in enumerate(in_groups)]
        value = grouped_log_prob(self.bins, logits, index)
        if mask is None:
            return value
        value = value.masked_fill(~mask, 0.0)
        if not (self.training and self.incomplete):
            return value
        # Rows in any order have a context of observed columns only. There, an empty context means that much is missing, but at
        # the start of a new row it means nothing. Therefore missingness is learned only from rows in the order of generation.
        observed = self._log_observed(features, mask)
        return value + (observed if in_any is None else observed.masked_fill(in_any, 0.0))

    def _all_features(self, theta: Tensor, embedded: Tensor, before: Tensor, added: Tensor | None) -> Tensor:
        """Features to predict each column from, in the order of the groups, [K, B, F, W]."""
        context = theta.unsqueeze(-2).expand(*theta.shape[:-1], self.size, self.width)
        context = context + before @ embedded + self.place.index_select(0, self.bins.order)
        return self._network(context, None if added is None else added.index_select(-2, self.bins.order))

    @property
    def _trains_any_order(self) -> bool:
        return self.training and self.any_order > 0

    def _before(self, embedded: Tensor, mask: Tensor | None, in_any: Tensor) -> Tensor:
        """Context of each column as weights 0 or 1, [B, F, F], in the order of the groups: the columns before it or, in rows
        where ``in_any`` (bool, [B, 1]) is True, a random subset of the observed others.

        The size of the subset is uniform, as in a random order (Uria et al. 2014), above ``min_context``.
        """
        B, F = embedded.shape[:2]
        share = self.min_context + (1 - self.min_context) * torch.rand(B, F, 1, device=embedded.device)
        others = ((torch.rand(B, F, F, device=embedded.device) < share).to(embedded.dtype)) * self.others
        others = others if mask is None else others * mask.index_select(1, self.bins.order).unsqueeze(1)
        return torch.where(in_any.unsqueeze(-1), others, self.earlier)

    def embedded(self, x: Tensor, mask: Tensor) -> Tensor:
        """Sum of the embeddings of the observed columns, [B, W]."""
        embedded: Tensor = self.embedding(self.bins.index(x))
        return (embedded * mask.unsqueeze(-1)).sum(1)

    def each_log_prob(self, theta: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
        """Log-density of each column's value [B, F] given the other observed ones, whatever their order, [B, F]."""
        index = self.bins.index(x)
        embedded = self.embedding(index)
        embedded = embedded if mask is None else embedded * mask.unsqueeze(-1)
        context = theta[0] + embedded.sum(1)
        columns = range(self.size)
        logits = (self.logits(f, self.features(f, context - embedded[:, f])) for f in columns)
        logs = [log_softmax_at(each, index[:, f]) for f, each in zip(columns, logits, strict=True)]
        return torch.stack(logs, -1) - self.bins.log_size_of(x, index)

    def _each_features(self, theta: Tensor, index: Tensor, mask: Tensor | None, added: Tensor | None) -> Iterator[Tensor]:
        context = theta
        for f, count in enumerate(self.bins.counts):
            yield self.features(f, context, added)
            own = index[:, f] if mask is None else torch.where(mask[:, f], index[:, f], count)
            context = context + self.embedding.of(f, own)

    def features(self, f: int, context: Tensor, added: Tensor | None = None) -> Tensor:
        """Features to predict column ``f`` from, [K, B, W] to [K, B, W]."""
        return self._network(context + self.place[f], None if added is None else added[..., f, :])

    def logits(self, f: int, h: Tensor) -> Tensor:
        """Logits of one column's bins, [K, B, W] to [K, B, bins]."""
        return full_precision(self.bins.expand(f, h @ self.head(f))) + self.base_of(f)

    def head(self, f: int) -> Tensor:
        """Weights from features to coefficients of a column's logits, [W, rank]."""
        return self.bins.column(f, list(self.heads))[:, : self.bins.ranks[f]]

    def _group_logits(self, g: int, h: Tensor) -> Tensor:
        """The same for the columns of a group, [columns, N, W] to [columns, N, M]."""
        return self.bins.group_logits(g, torch.bmm(h, self.heads[g]), self.base[g])

    def observed_logit(self, f: int, h: Tensor) -> Tensor:
        """Logit of the probability that a column is observed, [K, B, W] to [K, B]."""
        assert self.observed is not None
        place = self.incomplete.index(f)
        weight, bias = self.observed.weight[place : place + 1], self.observed.bias[place : place + 1]
        return full_precision(F.linear(h, weight, bias).squeeze(-1))

    def _log_observed(self, features: Tensor, mask: Tensor) -> Tensor:
        """Log-probability that each column is observed or missing, as in ``mask``, [K, B, F]; 0 if it never is missing."""
        assert self.observed is not None
        h = features.index_select(-2, self.incomplete_places)
        logit = full_precision((h * self.observed.weight).sum(-1) + self.observed.bias)
        logs = F.logsigmoid(torch.where(mask.index_select(1, self.incomplete_columns), logit, -logit))
        return full_precision(logs @ self.scatter)

    def extended(self, f: int, context: Tensor, value: Tensor, observed: Tensor | None = None) -> Tensor:
        """The context after column ``f`` with this value, which is missing where ``observed`` is False."""
        index = self.bins.column_index(f, value)
        index = index if observed is None else torch.where(observed, index, self.bins.counts[f])
        return context + self.embedding.of(f, index)

    def _network(self, h: Tensor, added: Tensor | None = None) -> Tensor:
        """The blocks; ``added`` [2, ...] is added to their input and to their output."""
        h = h if added is None else h + added[0]
        for block in self.blocks:
            h = h + block(h)
        value: Tensor = self.dropped(torch.relu(h))
        return value if added is None else value + added[1]
