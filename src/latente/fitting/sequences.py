"""The training of a model of sequences: its rows, its sizes, and two runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from latente.blueprint import SMALL_DATA, RowBlueprint, is_mixed_table
from latente.data import Sequences, SeriesCodec, bins_of
from latente.errors import ModelError
from latente.model.parts import Choice, build, choose
from latente.model.row_models import AutoregressiveModel
from latente.model.sequences import FollowingRows, SequenceModel, SequencePlan, replayed
from latente.rows import Bins, Field, Rows, ValueGrid
from latente.training.fit import Remedy
from latente.training.learners import Learner
from latente.training.split import held_out_places

EXPLAINED = 0.25  # of the variance is left at most where a linear prediction is used
RIDGE = 1e-6
MIN_SERIES = 20  # fewer have no model of sequences of their own
ENDS = Field("(last)", levels=2, bins=Bins((0.0, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)))


class Part(NamedTuple):
    """Rows of one of the two models, and its blueprint."""

    blueprint: RowBlueprint | FollowingBlueprint
    train: Rows
    held_out: Rows | None


@dataclass(frozen=True)
class FollowingBlueprint(RowBlueprint):
    """Of the model of further rows; ``earlier`` describes those before them."""

    earlier: Choice = Choice("earlier-rows")

    def __call__(self, remedy: Remedy = Remedy()) -> Learner:
        """A new learner."""
        return Learner(FollowingRows(super().__call__(remedy).model.likelihood, build(self.earlier)))


@dataclass(frozen=True, eq=False)
class SequencesToFit:
    """Sequences, and what to learn of them.

    Attributes:
        data: the rows. fraction: share of held-out sequences. seed: of the fit.
    """

    data: Sequences
    fraction: float
    seed: int

    @cached_property
    def plan(self) -> SequencePlan:
        """Which columns rows have."""
        data, constant = self.data, self.data.constant()
        varying = [f for f, each in enumerate(constant) if not each]
        return SequencePlan(
            constant,
            tuple(data.goes_one_way(f) for f in varying),
            tuple(data.fields[f].levels for f in varying),
            bool(data.starts.any()),
            bool((data.gaps[~data.is_first] != 1).any()),
            int(data.lengths.min()),
            int(data.lengths.max()),
        )

    @property
    def parts(self) -> tuple[Part, Part]:
        """Of the model of first rows, and of that of further ones."""
        held = torch.zeros(len(self.data.begins), dtype=torch.bool)
        held[held_out_places(len(held), self.fraction, self.seed)] = True
        of_following = held[torch.from_numpy(self.data.entity[~self.data.is_first])]
        columns = _columns(len(self.data.x))
        following = FollowingBlueprint(self._following_fields, len(self.data.x), columns, self._earlier)
        return (
            Part(RowBlueprint(self._first_fields, len(held), _columns(len(held))), *_split(self._first, held)),
            Part(following, *_split(self._following, of_following)),
        )

    @property
    def _first_fields(self) -> tuple[Field, ...]:
        fields, constant = self.data.fields, [f for f, each in enumerate(self.plan.constant) if each]
        start = [_counted("(start)", self.data.starts)] * self.plan.starts
        return (*(fields[f] for f in constant), *start, *(fields[f] for f in self.plan.varying), ENDS)

    @property
    def _following_fields(self) -> tuple[Field, ...]:
        gap = [_counted("(gap)", self.data.gaps[~self.data.is_first])] * self.plan.gaps
        return (*(self._beyond(place, f) for place, f in enumerate(self.plan.varying)), *gap, ENDS)

    def _beyond(self, place: int, f: int) -> Field:
        """What a varying column has beyond its linear prediction, if there is one."""
        field, predicted = self.data.fields[f], bool(self.weights[place].any())
        if not predicted:
            return field
        step = field.grid.step if self.plan.changes[place] else 0.0
        left = self._left[:, place]
        bins = bins_of(left[~left.isnan()].double().numpy(), step)
        return Field(field.name, missing=field.missing, bins=bins, grid=ValueGrid(step=step))

    @cached_property
    def weights(self) -> Tensor:
        """Of the linear predictions of varying columns, [D, P]: the row before for those that only rise or fall, least squares
        for numbers that it explains, and 0 for others.
        """
        earlier, D = build(self._earlier), len(self.plan.varying)
        features, x = earlier.linear_features(self._contexts), self._further
        found, S = torch.zeros(D, features.shape[1]), len(self.plan.constant) - D
        begins = np.cumsum([0, *(max(1, count) for count in earlier.levels)])
        for place, f in enumerate(self.plan.varying):
            if self.plan.changes[place]:
                found[place, begins[S + place]] = 1.0
            elif self.data.has_many_values(f):
                found[place] = _regressed(features, x[:, place])
        return found

    @cached_property
    def _left(self) -> Tensor:
        """Varying columns of further rows beyond their linear predictions, [T - E, D]; NaN where missing."""
        predicted: Tensor = build(self._earlier).linear_features(self._contexts) @ self.weights.T
        return self._further - predicted

    @property
    def _further(self) -> Tensor:
        return self.data.x[torch.from_numpy(~self.data.is_first)][:, self.plan.varying]

    @cached_property
    def _contexts(self) -> Tensor:
        """What was before each further row, [T - E, C]."""
        data, plan = self.data, self.plan
        constant = data.of_series([f for f, each in enumerate(plan.constant) if each])
        contexts, _ = replayed(plan, data.x[:, plan.varying], torch.from_numpy(data.begins), constant)
        return contexts[torch.from_numpy(~data.is_first)]

    @property
    def _earlier(self) -> Choice:
        """What further rows depend on."""
        fields, plan = self.data.fields, self.plan
        position = np.arange(len(self.data.x)) - np.repeat(self.data.begins, self.data.lengths)
        shown = [*(fields[f] for f in plan.first_columns), *(fields[f] for f in plan.varying)]
        shown.append(_counted("(position)", position[~self.data.is_first]))
        width = _columns(len(self.data.x)).arguments["width"]
        return choose(
            "earlier-rows",
            bins=tuple(field.bins for field in shown),
            levels=tuple(field.levels for field in shown),
            steps=tuple(field.grid.step for field in shown),
            means=plan.means,
            width=width,
        )

    @property
    def _ends(self) -> Tensor:
        return torch.from_numpy(self.data.is_last).float().unsqueeze(1)

    @property
    def _first(self) -> Rows:
        """First rows."""
        data, plan = self.data, self.plan
        constant = data.of_series([f for f, each in enumerate(plan.constant) if each])
        start = torch.from_numpy(data.starts).float().unsqueeze(1)[:, : int(plan.starts)]
        varying = data.x[data.begins][:, plan.varying]
        return _rows(torch.cat([constant, start, varying, self._ends[data.begins]], 1))

    @property
    def _following(self) -> Rows:
        """Further rows, with what was before them as their context."""
        data, further = self.data, torch.from_numpy(~self.data.is_first)
        gap = torch.from_numpy(data.gaps).float().unsqueeze(1)[:, : int(self.plan.gaps)]
        return _rows(torch.cat([self._left, gap[further], self._ends[further]], 1), self._contexts)


def to_fit(codec: SeriesCodec, series: Any, asked: str, fraction: float, seed: int) -> SequencesToFit | None:
    """Sequences to learn: at least 20 series, with levels or counts unless "autoregressive" is asked for; otherwise None.

    Raises:
        ModelError: "autoregressive" is asked for, and is not possible.
    """
    possible = bool(codec.entity) and len(series.grid.starts) >= MIN_SERIES
    if asked == "autoregressive" and not possible:
        raise ModelError(
            f"row_model='autoregressive' is for series of an entity, at least {MIN_SERIES} of them: name its column, as in "
            "entity='machine' (--entity machine), or choose 'latent'"
        )
    if not possible or asked == "latent" or not (asked == "autoregressive" or is_mixed_table(codec.table.fields)):
        return None
    found = SequencesToFit(Sequences.of(codec, series), fraction, seed)
    return found if found.plan.varying and found.plan.longest > 1 else None


def made(fit: SequencesToFit, first: AutoregressiveModel, following: FollowingRows, parts: tuple[Part, Part]) -> SequenceModel:
    """The model of sequences of its trained parts."""
    model = SequenceModel(fit.plan, first, following, fit.weights).eval()
    model.learn_pairs(parts[0].train, parts[1].train)
    return model


def _regressed(features: Tensor, y: Tensor) -> Tensor:
    """Weights of least squares, [P]; 0 if they explain too little."""
    seen = ~y.isnan()
    x, y = features[seen].double(), y[seen].double()
    gram = x.T @ x + RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    weights: Tensor = torch.linalg.solve(gram, x.T @ y)
    return (weights if (y - x @ weights).var() < EXPLAINED * y.var() else 0 * weights).float()


def _columns(n: int) -> Choice:
    """The networks of rows, each column given those before it, for n rows."""
    few = n < SMALL_DATA
    return choose("autoregressive", width=64 if few else 128, dropout=0.3 if few else 0.0, any_order=0.0)


def _rows(x: Tensor, context: Tensor | None = None) -> Rows:
    """Rows of values that are NaN where they are missing."""
    seen = ~x.isnan()
    return Rows(x.nan_to_num(), None if bool(seen.all()) else seen, context)


def _split(rows: Rows, held: Tensor) -> tuple[Rows, Rows | None]:
    return rows[~held], rows[held] if bool(held.any()) else None


def _counted(name: str, values: Any) -> Field:
    """A field of whole numbers."""
    return Field(name, bins=bins_of(np.asarray(values), 1.0), grid=ValueGrid(step=1.0))
