"""Objectives: named loss terms in nats per row, computed from a trace.

``strength`` contains the current values of the schedules by name: ``kl`` and ``capacity``, from 0 to 1. In training they are
tensors, so that a recorded step can change them: use them in computations, but not in Python conditions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from latente.errors import ModelError
from latente.model.codes import Draw, unit_rate
from latente.model.latent_model import Trace
from latente.model.parts import FULL, Part, register

NEGLIGIBLE, TINY = 1e-6, 1e-30  # weights of draws

UNLABELLED = 0.1  # weight of the ELBO of rows whose label is missing
Strength = Mapping[str, float] | Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Terms:
    """The parts of a loss.

    Attributes:
        named: each term by name, [B], nats per row; all are logged.
        total: the loss, [B].
        selects: criterion for the best epoch, [B]; None for the total.
    """

    named: dict[str, Tensor]
    total: Tensor
    selects: Tensor | None = None

    @property
    def judged(self) -> Tensor:
        """The criterion for the best epoch, [B]."""
        return self.total if self.selects is None else self.selects

    def weighted(self, weight: Tensor | None) -> Terms:
        """The same with weights of rows, [B]; as they are without weights. Terms of a batch as a whole count with each row."""
        if weight is None:
            return self
        named = {name: value * weight for name, value in self.named.items()}
        return Terms(named, self.total * weight, None if self.selects is None else self.selects * weight)

    def __add__(self, other: Terms) -> Terms:
        return Terms({**self.named, **other.named}, self.total + other.total, self.judged + other.judged)


def not_negative(**values: float) -> None:
    """Refuse negative weights."""
    for name, value in values.items():
        if value < 0:
            raise ModelError(f"{name} can't be negative; it is {value}")


class Objective(Part):
    """Computes terms from a trace. ``K`` is the number of codes for each row; ``needs_rate``, whether the model must have a KL;
    ``needs_labels``, whether the posterior must have labels.

    Properties of the data that it depends on (``n_rows``, ``latent_dim``, ...) are arguments of its constructor.
    """

    K: int = 1
    needs_rate = True
    needs_labels = False
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

    ``free_bits``: nats per unit without loss in training (Kingma et al. 2016); the reported rate includes them.
    """

    name = "elbo"

    def __init__(self, beta: float = 1.0, free_bits: float = 0.0) -> None:
        super().__init__()
        not_negative(beta=beta, free_bits=free_bits)
        self.beta, self.free_bits, self.couples_rows = beta, free_bits, free_bits > 0

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        rate = self._priced_rate(trace)
        total = trace.distortion + rate * (self.beta * strength["kl"])
        return Terms({"distortion": trace.distortion, "rate": trace.rate}, total)

    def _priced_rate(self, trace: Trace) -> Tensor:
        per_unit = unit_rate(trace.q, trace.p) if self.free_bits else None
        if per_unit is None:
            return trace.rate
        # For each unit over the batch, as in the paper: single rows may have less.
        return per_unit.mean(0).clamp_min(self.free_bits).sum().expand(len(trace.rows))


@register
class RobustELBO(ELBO):
    """The ELBO with the beta-divergence of each field instead of -log p(x|z); values that p hardly explains
    contribute little (Akrami et al. 2022; density power divergence, Basu et al. 1998). With power 0 the ELBO.
    """

    name = "robust-elbo"

    def __init__(self, power: float = 0.2, beta: float = 1.0) -> None:
        super().__init__(beta)
        if power <= 0:
            raise ModelError(f"power must be above 0, not {power}")
        self.power = power

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        density = torch.exp(self.power * trace.px.log_prob(trace.rows.x))
        each = (1 - density) * (1 + 1 / self.power) + trace.px.power_mass(self.power) - 1
        mask = trace.rows.mask
        robust = (each if mask is None else each * mask.flatten(1)).sum(-1).mean(0)
        total = robust + trace.rate * (self.beta * strength["kl"])
        return Terms({"distortion": trace.distortion, "rate": trace.rate, "robust_distortion": robust}, total)


@register
class SemiSupervised(ELBO):
    """The ELBO of partly labelled rows, with labels y (M2, Kingma et al. 2014), with a uniform p(y).

    A row with a label adds -log q(y|x), times ``weight`` and the number of rows for each labelled one. A row without one adds
    sum_y q(y|x) (-ELBO(x, y) + log q(y|x)) - log p(y), and a tenth of its ELBO with the label missing, so that the model
    describes such rows, too. In the paper ``weight`` is 0.1, for a network that only classifies; here q(y|x) reads the features
    of the encoder. On digits with 100 labels 48% are wrong with a weight of 1, and 35% with 5; 31% with a tenth of the ELBO
    of the last term, and 35% with all of it.
    """

    name = "semi-supervised"
    needs_labels = True
    couples_rows = True  # the weight of a label depends on how many a batch has

    def __init__(self, beta: float = 1.0, weight: float = 5.0) -> None:
        super().__init__(beta)
        not_negative(weight=weight)
        self.weight, self.couples_rows = weight, type(self).couples_rows

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        posterior, rows = trace.model.posterior, trace.rows
        if rows.context is None or not isinstance(contexts := getattr(posterior, "contexts", None), Tensor):
            raise ModelError(f"{self.name!r} needs labels: choose the posterior 'labelled-normal'")
        *each_label, missing = contexts.unsqueeze(1)
        log_q = posterior.log_labels(trace.model.features(rows.x, rows.mask, missing))  # type: ignore[operator]
        losses = torch.stack([self._loss(trace, context, strength) for context in each_label], 1)
        is_label = (rows.context.unsqueeze(1) == contexts[:-1]).all(-1).to(log_q)
        known = is_label.sum(1)
        any_label = (log_q.exp() * (losses + log_q)).sum(1) + math.log(len(each_label))
        label_loss = -(is_label * log_q).sum(1)
        weight = self.weight * len(known) / known.sum().clamp_min(1.0)
        elbo = super().forward(trace, strength)
        missing_label = UNLABELLED * elbo.total + any_label
        total = known * (elbo.total + weight * label_loss) + (1 - known) * missing_label
        return Terms({**elbo.named, "label_loss": label_loss}, total)

    def _loss(self, trace: Trace, context: Tensor, strength: Strength) -> Tensor:
        """-ELBO of all rows with one label, [B]."""
        rows = replace(trace.rows, context=context.expand(len(trace.rows), -1))
        return super().forward(trace.model.trace(rows), strength).total


@register
class Capacity(Objective):
    """Distortion + gamma |rate - C|, C growing to ``capacity`` nats (Burgess et al. 2018)."""

    name = "capacity"
    couples_rows = True
    follows: ClassVar[Mapping[str, float]] = {"capacity": 0.6}

    def __init__(self, gamma: float = 10.0, capacity: float = 25.0) -> None:
        super().__init__()
        not_negative(gamma=gamma, capacity=capacity)
        self.gamma, self.capacity = gamma, capacity

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        # The mean rate is held at C, not the rate of each row, because rows differ in their information.
        excess = (trace.rate.mean() - self.capacity * strength["capacity"]).abs()
        total = trace.distortion + self.gamma * excess
        return Terms({"distortion": trace.distortion, "rate": trace.rate}, total)


@register
class ImportanceWeighted(Objective):
    """-log (1/K) sum_k p(x, z_k) / q(z_k|x): the importance-weighted bound (Burda et al. 2016). No analytic KL in it.

    Args:
        samples: K.
        groups: bounds of K draws each, whose mean is taken (multiply-IWAE, Rainforth et al. 2018).
        elbo: weight of the ELBO in the bound (CIWAE, the same).
        gradient: "standard"; "stl", without the score of q (Roeder et al. 2017); "dreg", doubly reparametrised, without its
            bias (Tucker et al. 2019); "partial", the encoder's by groups and the decoder's by all draws as one (PIWAE).
    """

    name = "importance-weighted"

    def __init__(self, samples: int = 5, groups: int = 1, elbo: float = 0.0, gradient: str = "standard") -> None:
        super().__init__()
        if not (isinstance(samples, int) and isinstance(groups, int)) or min(samples, groups) < 1:
            raise ModelError(f"samples and groups are whole numbers from 1, not {samples} and {groups}")
        if gradient not in ("standard", "stl", "dreg", "partial") or not 0 <= elbo <= 1:
            raise ModelError(f"gradient is 'standard', 'stl', 'dreg' or 'partial' (here {gradient!r}), elbo a share ({elbo})")
        if (elbo and gradient in ("dreg", "partial")) or (groups > 1 and gradient in ("dreg", "stl")):
            raise ModelError(f"the gradient {gradient!r} is that of another bound: groups=1, elbo=0 (groups with 'partial')")
        self.K, self.groups, self.elbo, self.gradient = samples * groups, groups, elbo, gradient

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        kl = strength["kl"]
        trace = trace.with_codes(trace.z) if self.gradient in ("stl", "dreg") else trace
        if self.gradient in ("dreg", "partial"):
            return self._two_gradients(trace, kl)
        log_weights = trace.log_likelihood + kl * trace.log_prior_ratio
        bound = (1 - self.elbo) * self._bound(log_weights, self.groups) + self.elbo * log_weights.mean(0)
        return Terms({"distortion": trace.distortion, "rate": trace.rate}, -bound)

    @staticmethod
    def _bound(log_weights: Tensor, groups: int) -> Tensor:
        """The mean over groups of the bound of each, [K, B] to [B]."""
        each = log_weights.view(groups, -1, log_weights.shape[-1])
        return (torch.logsumexp(each, 1) - math.log(each.shape[1])).mean(0)

    def _two_gradients(self, trace: Trace, kl: float | Tensor) -> Terms:
        """The terms with a bound whose gradient goes to codes by other weights than to decoder and prior.

        One pass serves both: decoder and prior read a view of the codes, whose gradient is scaled, on its way back, from the
        weights of the decoder to those of the encoder.
        """
        z, log_q = trace.z.view_as(trace.z), kl * trace.draw.log_q
        read = replace(trace, draw=Draw(z, lambda: trace.draw.log_q))
        assert read.p is not None
        joint = read.log_likelihood + kl * read.p.log_prob(z)
        encoder, decoder = self._weights((joint - log_q).detach())
        if z.requires_grad:
            scale = (encoder / decoder).unsqueeze(-1)
            z.register_hook(lambda gradient: gradient * scale)  # type: ignore[no-untyped-call]
        surrogate = (decoder * joint - encoder * log_q).sum(0)
        bound = self._bound((joint - log_q).detach(), 1) + surrogate - surrogate.detach()
        return Terms({"distortion": read.distortion, "rate": trace.rate}, -bound)

    def _weights(self, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        """The weights of draws in the gradients of the encoder and of the decoder, [K, B]; the latter above 0."""
        decoder = torch.softmax(log_weights, 0)
        if self.gradient == "dreg":
            return decoder.square(), decoder.clamp_min(TINY)
        each = log_weights.view(self.groups, -1, log_weights.shape[-1])
        encoder = torch.softmax(each, 1).flatten(0, 1) / self.groups
        return encoder, torch.maximum(decoder, NEGLIGIBLE * encoder).clamp_min(TINY)


@register
class TotalCorrelation(Objective):
    """Distortion + alpha I(x;z) + beta TC(z) + gamma sum_d KL(q(z_d) || p(z_d)): the rate in three parts (beta-TCVAE, Chen et
    al. 2018). The aggregated posterior of all ``n_rows`` rows is estimated from a batch: the row itself has weight 1 / N, the
    others share the rest, so that the estimate is unbiased (stratified sampling as in the paper, averaged over the choice of
    the others).
    """

    name = "total-correlation"
    couples_rows = True

    def __init__(self, n_rows: int, alpha: float = 1.0, beta: float = 6.0, gamma: float = 1.0) -> None:
        super().__init__()
        not_negative(alpha=alpha, beta=beta, gamma=gamma)
        self.n_rows, self.alpha, self.beta, self.gamma = n_rows, alpha, beta, gamma

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        z, q, p = trace.z[0], trace.q, trace.p
        if not (hasattr(q, "log_mixtures") and hasattr(p, "unit_log_prob")):
            raise ModelError(f"{self.name!r} needs a posterior and a prior with independent dimensions")
        joint, product = q.log_mixtures(z, self._log_weights(len(z)).to(z))
        parts = {
            "mutual_information": trace.draw.log_q[0] - joint,
            "total_correlation": joint - product,
            "dimension_kl": product - p.unit_log_prob(z).sum(-1),  # type: ignore[union-attr]
        }
        prices = (self.alpha, self.beta, self.gamma)
        priced = torch.stack([price * part for price, part in zip(prices, parts.values(), strict=True)]).sum(0)
        total = trace.distortion + strength["kl"] * priced
        return Terms({"distortion": trace.distortion, "rate": trace.rate, **parts}, total)

    def _log_weights(self, B: int) -> Tensor:
        """Log-weight of each row of a batch in the estimate for each other, [B, B]."""
        others = math.log((1 - 1 / self.n_rows) / (B - 1)) if B > 1 and self.n_rows > 1 else 0.0
        own = torch.eye(B, dtype=torch.bool)
        return torch.full((B, B), others).masked_fill(own, -math.log(self.n_rows) if B > 1 else 0.0)
