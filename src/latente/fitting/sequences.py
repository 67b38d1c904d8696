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
            tuple(data.by_changes(f) for f in varying),
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
        following = FollowingBlueprint(self._following_fields, len(self.data.x), self._likelihood, self._earlier)
        return (
            Part(RowBlueprint(self._first_fields, len(self.data.begins), self._likelihood), *_split(self._first, held)),
            Part(following, *_split(self._following, of_following)),
        )

    @property
    def _likelihood(self) -> Choice:
        few = len(self.data.x) < SMALL_DATA
        return choose("autoregressive", width=64 if few else 128, dropout=0.3 if few else 0.0, any_order=0.0)

    @property
    def _first_fields(self) -> tuple[Field, ...]:
        fields, constant = self.data.fields, [f for f, each in enumerate(self.plan.constant) if each]
        start = [_counted("(start)", self.data.starts)] * self.plan.starts
        return (*(fields[f] for f in constant), *start, *(fields[f] for f in self.plan.varying), ENDS)

    @property
    def _following_fields(self) -> tuple[Field, ...]:
        gap = [_counted("(gap)", self.data.gaps[~self.data.is_first])] * self.plan.gaps
        varying = zip(self.plan.varying, self.plan.changes, strict=True)
        return (*(self._change(f) if changes else self.data.fields[f] for f, changes in varying), *gap, ENDS)

    def _change(self, f: int) -> Field:
        field = self.data.fields[f]
        return Field(field.name, missing=field.missing, bins=self.data.bins_of_changes(f), grid=field.grid)

    @property
    def _earlier(self) -> Choice:
        """What further rows depend on."""
        fields, plan = self.data.fields, self.plan
        position = np.arange(len(self.data.x)) - np.repeat(self.data.begins, self.data.lengths)
        shown = [*(fields[f] for f in plan.first_columns), *(fields[f] for f in plan.varying)]
        shown.append(_counted("(position)", position[~self.data.is_first]))
        width = self._likelihood.arguments["width"]
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
        data, plan = self.data, self.plan
        constant = data.of_series([f for f, each in enumerate(plan.constant) if each])
        varying, (S, D) = data.x[:, plan.varying], (constant.shape[1], len(plan.varying))
        contexts, _ = replayed(plan, varying, torch.from_numpy(data.begins), constant)
        before = contexts[:, S : S + D].masked_fill(~_observed(contexts, S, D), torch.nan)
        x = torch.where(torch.tensor(plan.changes, dtype=torch.bool), varying - before, varying)
        gap = torch.from_numpy(data.gaps).float().unsqueeze(1)[:, : int(plan.gaps)]
        return _rows(torch.cat([x, gap, self._ends], 1)[~data.is_first], contexts[~data.is_first])


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


def made(plan: SequencePlan, first: AutoregressiveModel, following: FollowingRows, parts: tuple[Part, Part]) -> SequenceModel:
    """The model of sequences of its trained parts."""
    model = SequenceModel(plan, first, following).eval()
    model.learn_pairs(parts[0].train, parts[1].train)
    return model


def _observed(contexts: Tensor, S: int, D: int) -> Tensor:
    """Whether the values of the row before are observed, bool [T, D]."""
    values = S + 2 * D + 1
    return contexts[:, values + S : values + S + D] > 0


def _rows(x: Tensor, context: Tensor | None = None) -> Rows:
    """Rows of values that are NaN where they are missing."""
    seen = ~x.isnan()
    return Rows(x.nan_to_num(), None if bool(seen.all()) else seen, context)


def _split(rows: Rows, held: Tensor) -> tuple[Rows, Rows | None]:
    return rows[~held], rows[held] if bool(held.any()) else None


def _counted(name: str, values: Any) -> Field:
    """A field of whole numbers."""
    return Field(name, bins=bins_of(np.asarray(values), 1.0), grid=ValueGrid(step=1.0))
