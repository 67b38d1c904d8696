"""Distributions of rows given a code, with the interface of :mod:`torch.distributions`.

They replace torch's classes, which check arguments and broadcast at every construction, at a higher cost than the arithmetic of
a small model, and do not marginalise missing values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from latente.errors import ModelError
from latente.model.special import bin_probabilities, standard_gamma, student_cdf

Intervals = Sequence[tuple[float, float]]
LOG_2PI = math.log(2 * math.pi)


def full_precision(value: Tensor) -> Tensor:
    """Networks may run in bfloat16; densities are never computed in it."""
    return value.float() if value.dtype == torch.bfloat16 else value


@dataclass(frozen=True)
class Conditioned:
    """The distribution of missing fields given the observed ones.

    Attributes:
        log_weight: log-density of the observed fields, [K, B]: the weight of each code, apart from prior and posterior.
        sample: one completion for each code, [K, B, F].
        average: means of the mixture over K with weights [K, B], [B, F].
    """

    log_weight: Tensor
    sample: Callable[[], Tensor]
    average: Callable[[Tensor], Tensor]


class FieldsDistribution:
    """Distribution of a row's fields given a code: the F fields are independent, so everything is per field, [K, B, F].

    ``x`` is [B, *shape] or [B, F]; ``mask`` is True where a value is observed. Missing fields contribute 0: since the fields
    are independent given the code, this is the exact marginal of the observed ones.
    """

    mean: Tensor

    def field_log_prob(self, x: Tensor) -> Tensor:
        """Log-density of each field, [B, F] to [K, B, F]."""
        raise NotImplementedError

    def cdf(self, x: Tensor) -> Tensor:
        """Distribution function of each field, [B, F] to [K, B, F]."""
        raise NotImplementedError

    def bin_probabilities(self, ends: Sequence[Tensor]) -> Tensor:
        """Probability of each bin of each field, [K, bins], field after field; for codes [K, 1, d].

        Args:
            ends: upper ends of each field's bins, except the last bin, which is unbounded.
        """
        return bin_probabilities(self.cdf, ends)

    def sample(self) -> Tensor:
        """One draw for each code, [K, B, F]."""
        raise NotImplementedError

    def with_missing(self, missing: Tensor) -> tuple[Tensor, Tensor]:
        """One draw for each code, [K, B, F], and which of its values are observed, bool. Here values are missing at random with
        probability ``missing`` [F].
        """
        drawn = self.sample()
        return drawn, torch.rand_like(drawn) >= missing

    def power_mass(self, beta: float) -> Tensor:
        """The integral of the density of each field to the power 1 + beta, of a shape that broadcasts to [K, B, F]."""
        raise ModelError("the beta-divergence is defined here for a normal and a Bernoulli likelihood: choose one of these")

    def average(self, weights: Tensor) -> Tensor:
        """Means of the mixture over K with these ``weights`` [K, B], [B, F]."""
        return (weights.unsqueeze(-1) * self.mean).sum(0)

    def conditioned(self, x: Tensor, mask: Tensor | None, noise: Tensor | None = None) -> Conditioned:
        """The missing fields given the observed ones: since fields are independent given the code, only the codes' weights
        change.

        Args:
            x, mask: rows [B, F].
            noise: standard normal [K, B, F] for the draws of distributions in which one field depends on another.
        """
        return Conditioned(self.row_log_prob(x, mask), self.sample, self.average)

    def restricted(self, given: Mapping[int, Intervals]) -> tuple[Tensor, Tensor]:
        """A row for each code [K, B, F], and its log-weight [K, B]: the weighted rows have some fields in given intervals (ends
        included). Here draws, with weight 0 outside of the intervals.
        """
        drawn = self.sample()
        fits = torch.ones(drawn.shape[:-1], dtype=torch.bool, device=drawn.device)
        for field, intervals in given.items():
            value = drawn[..., field]
            fits &= torch.stack([(value >= low) & (value <= high) for low, high in intervals]).any(0)
        return drawn, fits.to(drawn.dtype).log()

    @property
    def missing_log_prob(self) -> Tensor | float:
        """Log-probability that a field is missing, which broadcasts to [K, B, F]; 0 where that is not modelled."""
        return 0.0

    def squared_error(self, x: Tensor) -> Tensor:
        """Squared distance of each field's value [B, F] to its mean, [K, B, F]; of levels, of indicators divided by √2."""
        return (x - self.mean).square()

    def log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log-density of each field in nats, [K, B, F]; ``missing_log_prob`` where it is missing."""
        value = self.field_log_prob(x.flatten(1))
        return value if mask is None else torch.where(mask.flatten(1), value, self.missing_log_prob)

    def row_log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log-density of the observed fields of each row together, [K, B]. Summed over fields, never averaged."""
        return self.log_prob(x, mask).sum(-1)


class NormalFields(FieldsDistribution):
    """Independent normals; ``log_sigma`` is [] (shared) or [F]."""

    def __init__(self, mean: Tensor, log_sigma: Tensor) -> None:
        self.mean, self.log_sigma = mean, log_sigma

    def field_log_prob(self, x: Tensor) -> Tensor:
        residual = (x - self.mean) * torch.exp(-self.log_sigma)
        return -0.5 * residual.square() - (self.log_sigma + 0.5 * LOG_2PI)

    def row_log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """As in the base class; if every field is observed, with fewer passes over the fields."""
        if mask is not None or row_by_row():
            return super().row_log_prob(x, mask)
        return _NormalLogProb.apply(x.flatten(1), self.mean, self.log_sigma)  # type: ignore[no-any-return, no-untyped-call]

    def power_mass(self, beta: float) -> Tensor:
        return torch.exp(-beta * (self.log_sigma + 0.5 * LOG_2PI)) / math.sqrt(1 + beta)

    def cdf(self, x: Tensor) -> Tensor:
        value: Tensor = torch.special.ndtr((x - self.mean) * torch.exp(-self.log_sigma))
        return value

    def sample(self) -> Tensor:
        return self.mean + torch.exp(self.log_sigma) * torch.randn_like(self.mean)


class NormalPerRow(NormalFields):
    """Independent normals; ``log_sigma`` is [K, B, F]."""

    def row_log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.log_prob(x, mask).sum(-1)


class SelfMaskedNormalFields(NormalPerRow):
    """Independent normals whose value x is missing with probability Phi(offset + slope x), all [F] but the mean.

    A value is missing if e = offset + slope x + N(0, 1) is above 0, so that everything follows from two normals.
    """

    def __init__(self, mean: Tensor, log_sigma: Tensor, offset: Tensor, slope: Tensor) -> None:
        super().__init__(mean, log_sigma)
        self.offset, self.slope = offset, slope

    def field_log_prob(self, x: Tensor) -> Tensor:
        observed: Tensor = torch.special.log_ndtr(-self.offset - self.slope * x)
        return super().field_log_prob(x) + observed

    @property
    def _signal(self) -> Tensor:
        """Standard deviation of e."""
        return (1 + (self.slope * self.log_sigma.exp()).square()).sqrt()

    @property
    def _threshold(self) -> Tensor:
        """Mean of e in its standard deviations."""
        return (self.offset + self.slope * self.mean) / self._signal

    @property
    def missing_log_prob(self) -> Tensor:
        value: Tensor = torch.special.log_ndtr(self._threshold)
        return value

    def conditioned(self, x: Tensor, mask: Tensor | None, noise: Tensor | None = None) -> Conditioned:
        """As in the base class; missing values are drawn as those that are missing."""
        gain = self.slope * torch.exp(2 * self.log_sigma) / self._signal  # of x by standardised e
        excess = torch.exp(-0.5 * self._threshold.square() - 0.5 * LOG_2PI - self.missing_log_prob)
        mean = self.mean + gain * excess

        def sample() -> Tensor:
            upper: Tensor = torch.exp(self.missing_log_prob) * torch.rand_like(self.mean)
            e: Tensor = -torch.special.ndtri(upper.clamp(1e-30, 1 - 1e-7))  # above -threshold
            rest = torch.exp(self.log_sigma) / self._signal
            return self.mean + gain * e + rest * torch.randn_like(self.mean)

        return Conditioned(self.row_log_prob(x, mask), sample, lambda weights: (weights.unsqueeze(-1) * mean).sum(0))


class StudentTFields(FieldsDistribution):
    """Independent Student-t distributions with ``df`` degrees of freedom, [F] or []."""

    def __init__(self, mean: Tensor, log_sigma: Tensor, df: Tensor) -> None:
        self.mean, self.log_sigma, self.df = mean, log_sigma, df

    def field_log_prob(self, x: Tensor) -> Tensor:
        residual = (x - self.mean) * torch.exp(-self.log_sigma)
        half = 0.5 * (self.df + 1)
        normaliser = torch.lgamma(half) - torch.lgamma(0.5 * self.df) - 0.5 * torch.log(math.pi * self.df) - self.log_sigma
        return normaliser - half * torch.log1p(residual.square() / self.df)

    def cdf(self, x: Tensor) -> Tensor:
        return student_cdf((x - self.mean) * torch.exp(-self.log_sigma), self.df)

    def sample(self) -> Tensor:
        chi2 = 2 * standard_gamma((0.5 * self.df).expand_as(self.mean))
        return self.mean + torch.exp(self.log_sigma) * torch.randn_like(self.mean) * torch.sqrt(self.df / chi2)


class BernoulliFields(FieldsDistribution):
    """Independent Bernoulli distributions, by their logits."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """Probability of a 1."""
        return torch.sigmoid(self.logits)

    def field_log_prob(self, x: Tensor) -> Tensor:
        return x * self.logits - F.softplus(self.logits)

    def row_log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """As in the base class; if every field is observed, with fewer passes over the fields."""
        return super().row_log_prob(x, mask) if mask is not None else bernoulli_log_prob(x.flatten(1), self.logits)

    def power_mass(self, beta: float) -> Tensor:
        return self.mean ** (1 + beta) + (1 - self.mean) ** (1 + beta)

    def cdf(self, x: Tensor) -> Tensor:
        return torch.where(x < 0, 0.0, torch.where(x < 1, 1 - self.mean, 1.0))

    def sample(self) -> Tensor:
        return torch.bernoulli(self.mean)


class ContinuousBernoulliFields(BernoulliFields):
    """The distribution on [0, 1] with density ``C(l) l^x (1-l)^(1-x)`` (Loaiza-Ganem and Cunningham 2019)."""

    # Near l = 1/2 the normaliser and the mean are 0/0, so a Taylor series in the logit is used there.
    NEAR = 0.05

    def field_log_prob(self, x: Tensor) -> Tensor:
        return x * self.logits - F.softplus(self.logits) + self._log_normaliser()

    def row_log_prob(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.log_prob(x, mask).sum(-1)

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """E x = 1/(1 - exp(-t)) - 1/t in the logit t, with the sign of t handled apart, because exp(-t) overflows."""
        t, near = self._safe_logits()
        magnitude = t.abs()
        value = 1 / -torch.expm1(-magnitude) - 1 / magnitude
        return torch.where(near, 0.5 + self.logits / 12, torch.where(t > 0, value, 1 - value))

    def cdf(self, x: Tensor) -> Tensor:
        """(e^(t x) - 1) / (e^t - 1); for t > 0 by its complement, so that it can't overflow."""
        t, near = self._safe_logits()
        x = x.clamp(0, 1)
        within = torch.where(t > 0, 1 - x, x)
        value = torch.expm1(-t.abs() * within) / torch.expm1(-t.abs())
        return torch.where(near, x + 0.5 * self.logits * x * (x - 1), torch.where(t > 0, 1 - value, value))

    def sample(self) -> Tensor:
        """Inverse of the distribution function, log(1 + u (e^t - 1)) / t, written so that it can't overflow."""
        t, near = self._safe_logits()
        u = torch.rand_like(t)
        magnitude = t.abs()
        value = 1 + torch.log(u + (1 - u) * torch.exp(-magnitude)) / magnitude
        return torch.where(near, u, torch.where(t > 0, value, 1 - value)).clamp(0, 1)

    def _safe_logits(self) -> tuple[Tensor, Tensor]:
        near = self.logits.abs() < self.NEAR
        return torch.where(near, torch.full_like(self.logits, self.NEAR), self.logits), near

    def _log_normaliser(self) -> Tensor:
        """log C: with t the logit, C = t coth(t/2) rearranged; 2 at t = 0."""
        t, near = self._safe_logits()
        magnitude = t.abs()
        far = torch.log(magnitude) + torch.log1p(torch.exp(-magnitude)) - torch.log(-torch.expm1(-magnitude))
        result: Tensor = torch.where(near, math.log(2.0) + self.logits.square() / 12, far)
        return result


# The two functions below have hand-written derivatives, which are cheaper than autograd's. Most of the time outside of matrix
# products is spent here: in passes over the pixels of pictures, in the number of operations for small tables.


def row_by_row() -> bool:
    """Whether torch.func differentiates row by row: then functions with derivatives of their own can't be used."""
    return bool(torch._C._are_functorch_transforms_active())


class _NormalLogProb(torch.autograd.Function):
    """sum_f log N(x_f; mu_f, sigma_f^2), with r = (x - mu) / sigma: derivatives r / sigma in mu and r^2 - 1 in log sigma."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
        precision = torch.exp(log_sigma * (-1 if log_sigma.dim() else -2))
        residual = (x - mean).mul_(precision) if log_sigma.dim() else x - mean
        squared = torch.linalg.vector_norm(residual, dim=-1).square_()
        if log_sigma.dim():
            log_normaliser = (log_sigma + 0.5 * LOG_2PI).sum()
        else:
            squared.mul_(precision)
            log_normaliser = (log_sigma + 0.5 * LOG_2PI) * mean.shape[-1]
        ctx.save_for_backward(residual, precision, squared)
        return torch.add(log_normaliser, squared, alpha=0.5).neg_()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        residual, precision, squared = ctx.saved_tensors
        g = gradient.unsqueeze(-1)
        if not precision.dim():
            to_mean = residual * (g * precision)
            return None, to_mean, (gradient * (squared - residual.shape[-1])).sum() if ctx.needs_input_grad[2] else None
        weighted = residual * g
        to_sigma = (weighted * residual).sum((0, 1)) - gradient.sum() if ctx.needs_input_grad[2] else None
        return None, weighted * precision, to_sigma


class _BernoulliLogProb(torch.autograd.Function):
    """sum_f x t - softplus(t), whose gradient in t is x - sigmoid(t)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:
        ctx.save_for_backward(x, logits)
        return (x * logits - F.softplus(logits)).sum(-1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        x, logits = ctx.saved_tensors
        return None, (x - torch.sigmoid(logits)) * gradient.unsqueeze(-1)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Log-probability of each row, ``x`` [B, F] and ``logits`` [K, B, F] to [K, B]."""
    if row_by_row():
        return (x * logits - F.softplus(logits)).sum(-1)
    return _BernoulliLogProb.apply(x, logits)  # type: ignore[no-any-return, no-untyped-call]
