"""Learners: a model with its loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn

from latente.model import linear_start
from latente.model.corruptions import Corruption
from latente.model.latent_model import LatentModel, Trace
from latente.model.objectives import Objective, Strength, Terms
from latente.model.parts import FULL, Part
from latente.model.penalties import Penalty
from latente.model.row_models import AutoregressiveModel, RowModel
from latente.rows import Rows
from latente.training.schedules import LinearSchedule

Named = dict[str, Tensor]


class Learner(nn.Module):
    """A row model that is trained by maximum likelihood: the loss is -log p(row).

    Attributes:
        recorded: whether a step may be recorded once and repeated.
        of_bound: whether the loss has no constraint that the bound has to give way to.
        begun: whether the model is trained already, and continues where it is.
    """

    begun = False
    model: Any
    settles: Mapping[str, float] = {"row_model": 0.2}  # the best epoch is not in the first fifth of the run
    differentiates_input = False
    of_bound = True

    def __init__(self, model: RowModel, schedule: LinearSchedule | None = None, recorded: bool = True) -> None:
        super().__init__()
        self.model, self.schedule, self.recorded = model, schedule or LinearSchedule(), recorded

    def start(self, rows: Rows, resolution: Tensor) -> None:
        """Begin from the training rows; ``resolution`` is the smallest recorded step of each field, [F]."""
        if not self.begun:
            self.model.likelihood.start(rows, torch.ones_like(resolution), resolution)

    @property
    def K(self) -> int:
        """Number of codes drawn for each row."""
        return 1

    @cached_property
    def followers(self) -> list[Part]:
        """The parts that use strengths."""
        return [part for part in self.modules() if isinstance(part, Part) and part.follows]

    @cached_property
    def followed(self) -> dict[str, float]:
        """The names of strengths, and the share of the run over which each grows."""
        return {**self.settles, **{name: share for part in self.followers for name, share in part.follows.items()}}

    def forward(self, rows: Rows, strength: Strength = FULL) -> Terms:
        """The terms of each row's loss."""
        for part in self.followers:
            part.strength = strength
        return self.terms(rows, strength).weighted(rows.weight)

    def terms(self, rows: Rows, strength: Strength) -> Terms:
        """The same, after the strengths have been set in all parts."""
        loss = -self.model.log_prob(rows, rows.x.new_zeros(1, len(rows), 0))
        return Terms({"loss": loss}, loss)

    def judge(self, rows: Rows) -> Named:
        """The terms of each row at full strength, and ``objective``, the criterion for the best epoch, [B] each."""
        with torch.set_grad_enabled(self.differentiates_input):
            terms = self(rows)
        return {name: value.detach() for name, value in {**terms.named, "objective": terms.judged}.items()}

    def groups(self) -> list[tuple[int, float]]:
        """Number of parameters of each group, in their order, and the factor on its learning rate."""
        return [(sum(p.numel() for p in self.parameters()), 1.0)]


class DecodingLearner(Learner):
    """Trains a row model to decode the codes of another model: the loss is -log p(row|z) for a sample of q(z|row).

    Only the input for codes is trained; all other weights are frozen.
    """

    def __init__(self, row_model: AutoregressiveModel, codes: LatentModel, recorded: bool = True) -> None:
        super().__init__(row_model, recorded=recorded)
        self.codes = codes
        row_model.takes_codes(codes.latent_dim)
        self.requires_grad_(False)
        row_model.code.requires_grad_(True)  # type: ignore[union-attr]

    def start(self, rows: Rows, resolution: Tensor) -> None:
        """Nothing to do: the contribution of a code is initially zero."""

    @cached_property
    def followers(self) -> list[Part]:
        """None: all parts are frozen."""
        return []

    def train(self, mode: bool = True) -> Self:
        """Dropout of the row model remains off."""
        super().train(False)
        self.training = mode
        return self

    def terms(self, rows: Rows, strength: Strength) -> Terms:
        with torch.no_grad():
            z = self.codes.encode(rows).draw(1).z
        loss = -self.model.decode(z).row_log_prob(rows.x, rows.mask)[0]
        return Terms({"loss": loss}, loss)

    def groups(self) -> list[tuple[int, float]]:
        return [(sum(p.numel() for p in self.model.code.parameters()), 1.0)]


class LatentLearner(Learner):
    """A model with codes, its objective, penalties, corruption and schedule."""

    settles: Mapping[str, float] = {}

    def __init__(
        self,
        model: LatentModel,
        objective: Objective,
        schedule: LinearSchedule,
        penalties: tuple[Penalty, ...] = (),
        corruption: Corruption | None = None,
        recorded: bool = True,
    ) -> None:
        super().__init__(model, schedule, recorded)
        self.objective, self.penalties, self.corruption = objective, nn.ModuleList(penalties), corruption
        self.of_bound = not any(penalty.is_constraint for penalty in penalties)
        self.differentiates_input = any(penalty.needs_input_gradient for penalty in penalties)

    @property
    def K(self) -> int:
        return int(self.objective.K)

    def start(self, rows: Rows, resolution: Tensor) -> None:
        if not self.begun:
            linear_start.start(self.model, rows, resolution)
        for penalty in self.penalties:
            penalty.start(rows)  # type: ignore[operator]

    def trace(self, rows: Rows) -> Trace:
        """A pass over rows; in training the encoder reads corrupted ones, which may be the target, too."""
        if self.differentiates_input:
            rows = replace(rows, x=rows.x.detach().requires_grad_())
        observed = self.corruption(rows) if self.corruption is not None and self.training else None
        if observed is not None and self.corruption is not None and self.corruption.of_target:
            rows, observed = observed, None
        trace: Trace = self.model.trace(rows, self.K, encoder_rows=observed)
        return trace

    def terms(self, rows: Rows, strength: Strength) -> Terms:
        trace = self.trace(rows)
        terms: Terms = self.objective(trace, strength)
        for name, loss in trace.draw.aux.items():
            terms = terms + Terms({name: loss}, loss, torch.zeros_like(loss))
        for penalty in self.penalties:
            terms = terms + penalty(trace, strength)
        return terms

    def groups(self) -> list[tuple[int, float]]:
        """Adds a group for each part with its own learning rate (a critic), after all others."""
        own = [part for part in self.penalties if part.own_rate is not None]
        sizes = [(sum(p.numel() for p in part.parameters()), float(part.own_rate)) for part in own]  # type: ignore[arg-type]
        return [(sum(p.numel() for p in self.parameters()) - sum(size for size, _ in sizes), 1.0), *sizes]
