"""Sequences of rows, one for each entity: a model of the first row, and one of each further row given those before it.

p(sequence) = p(constant columns, first row) prod_t p(row_t | row_(t-1), row_(t-2), means of rows before t, t, constant columns)

Both factors are autoregressive over columns (:mod:`latente.model.autoregressive`). The last column of a row says whether the
sequence ends there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.autoregressive import Autoregressive, AutoregressiveFields, Rule
from latente.model.bins import NEVER, BinEmbedding, BinTable
from latente.model.distributions import FieldsDistribution, full_precision
from latente.model.parts import Part, register
from latente.model.priors import Prior
from latente.model.row_models import AutoregressiveModel, Explanations
from latente.rows import Bins, Rows, expanded, of_indicators

MAX_LEVELS = 64  # of columns whose pairs of values are counted
EXPECTED = 5.0  # a pair of values that never occurs is barred if this many are expected by chance,
OFTEN = 100.0  # or, for a column's value and its next one, if the first occurs in this many rows
COUNTED = 65_536  # rows that are counted at once


@dataclass(frozen=True)
class SequencePlan:
    """Which columns the rows of sequences have.

    Attributes:
        constant: which columns of the table are constant in each sequence.
        changes: which of the others only rise or fall: they are modelled by their difference from the row before.
        levels: number of levels of each of the others, 0 for numbers.
        starts: whether sequences begin at different times. gaps: whether steps of time are left out.
        shortest, longest: lengths.
    """

    constant: tuple[bool, ...]
    changes: tuple[bool, ...]
    levels: tuple[int, ...]
    starts: bool
    gaps: bool
    shortest: int
    longest: int

    def __post_init__(self) -> None:
        D = len(self.varying)
        if not D == len(self.changes) == len(self.levels) or not 0 < self.shortest <= self.longest or min(self.levels) < 0:
            raise ModelError("the columns and lengths of sequences do not fit each other")

    @property
    def varying(self) -> list[int]:
        """Indices of the columns that vary in a sequence."""
        return [f for f, constant in enumerate(self.constant) if not constant]

    @property
    def means(self) -> int:
        """Number of means of earlier rows."""
        return sum(max(1, count) for count in self.levels)

    @property
    def first_columns(self) -> list[int]:
        """Columns of the table in the order of a first row."""
        return [f for f, constant in enumerate(self.constant) if constant] + self.varying


class State(NamedTuple):
    """What is known of B sequences before their next row; NaN where a value is missing.

    Attributes:
        constant: [B, S]. previous, before: the last row and the one before it, [B, D].
        total, counted: sums over all rows, of indicators for levels, and numbers of observed values, [B, M].
        position: number of rows, [B].
    """

    constant: Tensor
    previous: Tensor
    before: Tensor
    total: Tensor
    counted: Tensor
    position: Tensor

    @classmethod
    def empty(cls, constant: Tensor, plan: SequencePlan) -> State:
        """Before the first row."""
        B, D = len(constant), len(plan.varying)
        nothing, none = constant.new_full((B, D), torch.nan), constant.new_zeros(B, plan.means)
        return cls(constant, nothing, nothing, none, none, constant.new_zeros(B))

    def after(self, row: Tensor, plan: SequencePlan) -> State:
        """After a row [B, D]; the last observed value of a column of changes stays where it is missing."""
        seen = ~row.isnan()
        x, observed = expanded(row.nan_to_num(), plan.levels), of_indicators(seen.to(row.dtype), plan.levels)
        kept = torch.where(~seen & torch.tensor(plan.changes, dtype=torch.bool), self.previous, row)
        return State(self.constant, kept, self.previous, self.total + x * observed, self.counted + observed, self.position + 1)

    def take(self, some: Tensor) -> State:
        """Some of the sequences."""
        return State(*(part[some] for part in self))

    def context(self) -> Tensor:
        """All of it as the context of the next row: values, whether they are observed, and means, [B, 2 V + M]."""
        values = torch.cat([self.constant, self.previous, self.before, self.position.unsqueeze(1)], 1)
        return torch.cat([values.nan_to_num(), (~values.isnan()).to(values.dtype), self.total / self.counted.clamp_min(1)], 1)


def replayed(plan: SequencePlan, x: Tensor, begins: Tensor, constant: Tensor) -> tuple[Tensor, State]:
    """The context of each row of known sequences, and their states after the last one.

    Args:
        plan: which columns they have.
        x: varying columns of all rows, one sequence after the other, [T, D]; NaN where missing.
        begins: the first row of each sequence, [E]. constant: its constant columns, [E, S].

    Returns:
        Contexts, [T, C]; 0 for first rows.
    """
    lengths = torch.diff(begins, append=torch.tensor([len(x)]))
    state, going, ends = State.empty(constant, plan), torch.arange(len(begins)), []
    contexts = x.new_zeros(len(x), state.context().shape[1])
    for t in range(int(lengths.max())):
        rows = begins[going] + t
        if t:
            contexts[rows] = state.context()
        state = state.after(x[rows], plan)
        on = lengths[going] > t + 1
        ends.append((going[~on], state.take(~on)))
        going, state = going[on], state.take(on)
    order = torch.argsort(torch.cat([sequences for sequences, _ in ends]))
    return contexts, State(*(torch.cat(part)[order] for part in zip(*(state for _, state in ends), strict=True)))


@register
class EarlierRows(Part):
    """The contribution of earlier rows to the initial context of a row.

    Args:
        bins, levels, steps: of V values, as of columns. means: M. width: of the result.
    """

    name = "earlier-rows"

    def __init__(
        self,
        bins: Sequence[Bins],
        levels: tuple[int, ...] = (),
        steps: tuple[float, ...] = (),
        means: int = 1,
        width: int = 128,
    ) -> None:
        super().__init__()
        self.sizes, self.levels = [len(bins), len(bins), means], tuple(levels) or (0,) * len(bins)
        self.embedding = BinEmbedding(
            BinTable(bins, [bool(count) for count in levels] or [False] * len(bins), steps), width, len(bins) ** -0.5
        )
        self.linear = nn.Linear(means, width)

    def forward(self, context: Tensor) -> Tensor:
        """:meth:`State.context` [B, 2 V + M] to [B, width]."""
        values, observed, means = torch.split(context, self.sizes, 1)
        embedded: Tensor = self.embedding(self.embedding.bins.index(values), observed > 0)
        found: Tensor = embedded.sum(1) + self.linear(means)
        return found

    @property
    def design(self) -> int:
        """Number of columns of :meth:`linear_features`."""
        return sum(max(1, count) for count in self.levels) + self.sizes[2] + 1

    def linear_features(self, context: Tensor) -> Tensor:
        """Of a context [B, C] what linear predictions use: indicators of levels, numbers, means and 1, [B, P]."""
        values, observed, means = torch.split(context, self.sizes, 1)
        shown = expanded(values, self.levels) * of_indicators(observed, self.levels)
        return torch.cat([shown, means, torch.ones_like(means[:, :1])], 1)


class FollowingRows(AutoregressiveModel):
    """p(row | earlier rows); the context of a row is :meth:`State.context`."""

    def __init__(self, likelihood: Autoregressive, earlier: EarlierRows) -> None:
        super().__init__(likelihood)
        self.earlier = earlier

    def given(self, context: Tensor, K: int = 1) -> AutoregressiveFields:
        """The distribution of rows in their contexts [B, C]."""
        theta = full_precision(self.start + self.earlier(context))
        return AutoregressiveFields(self.likelihood, theta.expand(K, *theta.shape))

    def explain(self, rows: Rows, noise: Tensor) -> Explanations:
        return Explanations(self.typical(rows), self.start.new_zeros(len(noise), len(rows)))

    def typical(self, rows: Rows) -> FieldsDistribution:
        assert rows.context is not None
        return self.given(rows.context)

    def new(self, n: int, prior: Prior | None = None, context: Tensor | None = None) -> FieldsDistribution:
        assert context is not None
        return self.given(context.expand(n, -1))


class Drawn(NamedTuple):
    """Rows of sequences, in the order of steps.

    Attributes:
        sequence: the number of the sequence of each row, [T]. step: its step of time, [T].
        x: its columns in the order of the table, [T, F].
    """

    sequence: Tensor
    step: Tensor
    x: Tensor

    @classmethod
    def joined(cls, parts: Sequence[Drawn]) -> Drawn:
        """All rows of parts that follow one another, by sequence and step."""
        found = cls(*(torch.cat(each) for each in zip(*parts, strict=True)))
        order = torch.argsort(found.sequence, stable=True)
        return cls(*(part[order] for part in found))


class SequenceModel(nn.Module):
    """A model of sequences. What a row has beyond its linear prediction from those before it is drawn.

    Args:
        plan: which columns rows have.
        first: of the first row: constant columns, when it starts, the others, whether it is the last row.
        following: of further rows: varying columns or their changes, steps of time since the row before, whether it is the
            last.

    Attributes:
        regression: weights of the linear predictions of varying columns, [D, P]; 0 for columns without one.
        never_first, never_with, never_after: pairs of values that do not occur: both in a first row, both in a further row, and
            the second in the row after the first, bool.
    """

    regression: Tensor
    never_first: Tensor
    never_with: Tensor
    never_after: Tensor

    def __init__(
        self, plan: SequencePlan, first: AutoregressiveModel, following: FollowingRows, weights: Tensor | None = None
    ) -> None:
        super().__init__()
        none = torch.zeros(len(plan.varying), following.earlier.design)
        self.register_buffer("regression", none if weights is None else weights)
        self.plan, self.first, self.following = plan, first, following
        self.of_first, self.of_following, self.of_context = (
            _Discrete(bins) for bins in (first.likelihood.bins, following.likelihood.bins, following.earlier.embedding.bins)
        )
        sizes = {
            "never_first": (self.of_first.size, self.of_first.size),
            "never_with": (self.of_following.size, self.of_following.size),
            "never_after": (self.of_context.size, self.of_following.size),
        }
        for name, shape in sizes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.bool))

    @torch.no_grad()
    def learn_pairs(self, first: Rows, following: Rows) -> None:
        """Count pairs of values in training rows, and note those that do not occur although they are to be expected.

        A softmax gives every value some probability; in many steps, impossible ones would be drawn.
        """
        assert following.context is not None
        indices = [self.of_first(first), self.of_following(following), self.of_context(self._values(following.context))]
        self.never_first = _never(indices[0], indices[0], self.of_first, self.of_first)[0]
        self.never_with = _never(indices[1], indices[1], self.of_following, self.of_following)[0]
        self.never_after, unseen = _never(indices[2], indices[1], self.of_context, self.of_following)
        S = len(self.plan.constant) - len(self.plan.varying)
        for f in range(len(self.plan.varying)):
            if f in self.of_following.places and not self.plan.changes[f]:
                own = self.of_context.places[S + f], self.of_following.places[f]
                rows, columns = (slice(place, place + self.of_following.bins.counts[f]) for place in own)
                self.never_after[rows, columns] |= unseen[rows, columns]

    def _values(self, context: Tensor) -> Rows:
        values, observed, _ = torch.split(context, self.following.earlier.sizes, 1)
        return Rows(values, observed > 0)

    @torch.no_grad()
    def draw_first(self, n: int) -> Tensor:
        """First rows, [n, F1]."""
        fields = AutoregressiveFields(self.first.likelihood, full_precision(self.first.start.expand(1, n, -1)))
        barred = torch.zeros(n, self.of_first.size, dtype=torch.bool)
        return fields.walk(self._rule(self.of_first, self.never_first, barred, early=self.plan.shortest > 1))[0]

    @torch.no_grad()
    def draw(self, first: Tensor) -> Drawn:
        """Sequences that begin with first rows [n, F1]."""
        plan = self.plan
        S, D = len(plan.constant) - len(plan.varying), len(plan.varying)
        row = first[:, S + plan.starts :][:, :D]
        state = State.empty(first[:, :S], plan).after(row, plan)
        start = first[:, S].round() if plan.starts else first.new_zeros(len(first))
        begun = Drawn(torch.arange(len(first)), start, self._in_table(state))
        going = first[:, -1] < 0.5
        return Drawn.joined([begun, *self.continued(state.take(going), begun.sequence[going], start[going])])

    @torch.no_grad()
    def continued(self, state: State, sequence: Tensor, step: Tensor, most: int | None = None) -> Iterator[Drawn]:
        """Further rows of sequences, each until its end, until the longest length or for ``most`` rows."""
        D, number = len(self.plan.varying), 0
        while len(sequence) and (most is None or number < most):
            context = state.context()
            drawn = self.following.given(context).walk(self._rule_after(state, context))[0]
            row = drawn[:, :D] + self.following.earlier.linear_features(context) @ self.regression.T
            step = step + (drawn[:, D].round() if self.plan.gaps else 1)
            state, number = state.after(row, self.plan), number + 1
            yield Drawn(sequence, step, self._in_table(state))
            going = (drawn[:, -1] < 0.5) & (state.position < self.plan.longest) if most is None else drawn[:, -1] > -1
            state, sequence, step = state.take(going), sequence[going], step[going]

    def _rule_after(self, state: State, context: Tensor) -> Rule:
        barred = self.of_context.pairs(self.of_context(self._values(context)), self.never_after)
        early = bool((state.position + 1 < self.plan.shortest).all())
        return self._rule(self.of_following, self.never_with, barred, early)

    def _in_table(self, state: State) -> Tensor:
        """The last row of each sequence in the order of the table's columns, [B, F]."""
        found = torch.empty(len(state.constant), len(self.plan.constant))
        found[:, self.plan.first_columns] = torch.cat([state.constant, state.previous], 1)
        return found

    def _rule(self, discrete: _Discrete, never: Tensor, barred: Tensor, early: bool) -> Rule:
        """Draws values that are not barred by earlier ones; a sequence does not end where it is ``early``."""
        last = len(discrete.bins) - 1

        def draw(f: int, logits: Tensor) -> Tensor:
            place = discrete.places.get(f)
            if place is not None:
                logits = logits + NEVER * barred[:, place : place + logits.shape[-1]]
            if f == last and early:
                logits = logits + torch.tensor([0.0, NEVER])
            value = discrete.bins.draw(f, logits, torch.rand(logits.shape[:-1]))
            if place is not None:
                barred.logical_or_(never[place + discrete.bins.column_index(f, value[0])])
            return value

        return draw


class _Discrete:
    """Columns of few values, which have one place for each value.

    Attributes:
        places: of the first value of each such column. size: number of places.
    """

    def __init__(self, bins: BinTable) -> None:
        self.bins, self.places, self.size = bins, {}, 0
        for f, count in enumerate(bins.counts):
            if count <= MAX_LEVELS and bool((bins.low[f, :count] == bins.high[f, :count]).all()):
                self.places[f], self.size = self.size, self.size + count

    def __call__(self, rows: Rows) -> Tensor:
        """The place of each value of such columns, [N, columns]; -1 where it is missing."""
        columns = [*self.places]
        index = self.bins.index(rows.x)[:, columns] + torch.tensor([*self.places.values()], dtype=torch.long)
        return index if rows.mask is None else index.masked_fill(~rows.mask[:, columns], -1)

    def one_hot(self, places: Tensor) -> Tensor:
        """[N, size]."""
        found = torch.zeros(len(places), self.size + 1)
        return found.scatter_(1, torch.where(places < 0, self.size, places), 1.0)[:, : self.size]

    def pairs(self, places: Tensor, never: Tensor) -> Tensor:
        """Which values are barred by those at some places, bool [N, size of the other columns]."""
        return self.one_hot(places) @ never.float() > 0


def _never(a: Tensor, b: Tensor, of_a: _Discrete, of_b: _Discrete) -> tuple[Tensor, Tensor]:
    """Pairs that do not occur although they are expected by chance, and although the first value is frequent.

    Returns:
        Both, bool [size of a, size of b].
    """
    together = torch.zeros(of_a.size, of_b.size)
    for begin in range(0, len(a), COUNTED):
        part = slice(begin, begin + COUNTED)
        together += of_a.one_hot(a[part]).T @ of_b.one_hot(b[part])
    alone = [torch.bincount(each[each >= 0], minlength=of.size).float() for each, of in ((a, of_a), (b, of_b))]
    expected = alone[0].unsqueeze(1) * alone[1] / max(1, len(a))
    return (together == 0) & (expected >= EXPECTED), (together == 0) & (alone[0] >= OFTEN).unsqueeze(1)
