"""What training minimises: named terms in nats per row, from a trace.

``strength`` holds what the schedule says at this moment, by name: ``kl`` and ``capacity``, both from 0 to 1. In training they
are tensors, so that a recorded step follows them: compute with them, but don't let Python decide by them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from latente.errors import ModelError
from latente.model.codes import unit_rate
from latente.model.latent_model import Trace
from latente.model.parts import FULL, Part, register

Strength = Mapping[str, float] | Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Terms:
    """The parts of a loss.

    Attributes:
        named: each term by name, [B], nats per row; all are logged.
        total: what is minimised, [B].
        selects: what the best epoch is chosen by, [B]; None for the total.
    """

    named: dict[str, Tensor]
    total: Tensor
    selects: Tensor | None = None

    @property
    def judged(self) -> Tensor:
        """What the best epoch is chosen by, [B]."""
        return self.total if self.selects is None else self.selects

    def __add__(self, other: Terms) -> Terms:
        return Terms({**self.named, **other.named}, self.total + other.total, self.judged + other.judged)


class Objective(Part):
    """Trace to terms. ``K`` is the number of codes that it wants for each row; ``needs_rate``, whether codes must cost one.

    What it needs to know of the data (``n_rows``, ``latent_dim``, ...) it asks for in its constructor.
    """

    K: int = 1
    needs_rate = True
    follows: ClassVar[Mapping[str, float]] = {"kl": 0.2}

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        """The terms of each row."""
        raise NotImplementedError


@register
class Reconstruction(Objective):
    """-log p(x|z): an autoencoder."""

    name = "reconstruction"
    needs_rate = False
    follows: ClassVar[Mapping[str, float]] = {}

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        return Terms({"distortion": trace.distortion}, trace.distortion)


@register
class ELBO(Objective):
    """Distortion + beta x rate: the negative evidence lower bound (Kingma and Welling 2014); beta-VAE (Higgins et al. 2017).

    ``free_bits``: nats per unit that cost nothing in training (Kingma et al. 2016); the reported rate is the true one.
    """

    name = "elbo"

    def __init__(self, beta: float = 1.0, free_bits: float = 0.0) -> None:
        super().__init__()
        if beta < 0 or free_bits < 0:
            raise ModelError(f"beta and free_bits can't be negative; they are {beta} and {free_bits}")
        self.beta, self.free_bits = beta, free_bits

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        rate = self._priced_rate(trace)
        total = trace.distortion + rate * (self.beta * strength["kl"])
        return Terms({"distortion": trace.distortion, "rate": trace.rate}, total)

    def _priced_rate(self, trace: Trace) -> Tensor:
        per_unit = unit_rate(trace.q, trace.p) if self.free_bits else None
        if per_unit is None:
            return trace.rate
        # Per unit over the batch, as the paper has it: single rows may still say nothing of a unit.
        return per_unit.mean(0).clamp_min(self.free_bits).sum().expand(len(trace.rows))


@register
class Capacity(Objective):
    """Distortion + gamma |rate - C|, C growing to ``capacity`` nats (Burgess et al. 2018)."""

    name = "capacity"
    follows: ClassVar[Mapping[str, float]] = {"capacity": 0.6}

    def __init__(self, gamma: float = 10.0, capacity: float = 25.0) -> None:
        super().__init__()
        if gamma < 0 or capacity < 0:
            raise ModelError(f"gamma and capacity can't be negative; they are {gamma} and {capacity}")
        self.gamma, self.capacity = gamma, capacity

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        # The mean rate is held at C, not that of every row: rows differ in how much there is to say of them.
        excess = (trace.rate.mean() - self.capacity * strength["capacity"]).abs()
        total = trace.distortion + self.gamma * excess
        return Terms({"distortion": trace.distortion, "rate": trace.rate}, total)


@register
class ImportanceWeighted(Objective):
    """-log (1/K) sum_k p(x, z_k) / q(z_k|x): the importance-weighted bound (Burda et al. 2016). No analytic KL in it."""

    name = "importance-weighted"

    def __init__(self, samples: int = 5) -> None:
        super().__init__()
        if not isinstance(samples, int) or samples < 1:
            raise ModelError(f"an importance-weighted bound needs a whole number of samples from 1, not {samples}")
        self.K = samples

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        log_weights = trace.log_likelihood + strength["kl"] * trace.log_prior_ratio
        bound = torch.logsumexp(log_weights, 0) - math.log(len(log_weights))
        return Terms({"distortion": trace.distortion, "rate": trace.rate}, -bound)
