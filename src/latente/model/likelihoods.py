"""p(x | z): from the decoder's output theta [K, B, P] to a distribution over a row's fields.

Every likelihood has ``parameters_per_field`` (P is F times that) and can ``start`` from the data, so that the initial noise
level
does not hide the signal: with a fixed variance, a dimension of a linear VAE collapses if the variance exceeds its eigenvalue of
the covariance (Lucas et al. 2019). Therefore sigma starts at the residual of a PCA of the same size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.distributions import (
    BernoulliFields,
    ContinuousBernoulliFields,
    FieldsDistribution,
    NormalFields,
    NormalPerRow,
    SelfMaskedNormalFields,
    StudentTFields,
)
from latente.model.parts import Part, register
from latente.rows import Rows

LOG_SIGMA_FLOOR = -6.0
RARELY = -4.0  # where no value is missing, one is with the probability of a standard normal below this
# Adam's steps are about as large as the learning rate. Logarithms, which must change by whole units, have this factor, so that
# noise levels converge in hundreds of steps instead of thousands.
SPEED = 8.0


class Likelihood(Part):
    """Base: theta [K, B, P] to a distribution over F fields."""

    parameters_per_field = 1
    extra_multiply_adds = 0  # multiply-adds per row beyond those of its linear layers, each used once
    takes_levels = False
    starts_linear = False  # whether a linear model says where theta begins (see :meth:`linear_theta`)
    support: ClassVar[tuple[float, float] | None] = None  # of values in the units of the data; None for standardised values

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = math.prod(shape)

    @property
    def outputs(self) -> int:
        """P, the number of decoder outputs per row."""
        return self.size * self.parameters_per_field

    @property
    def footprint(self) -> int:
        """Number of values in memory per code of a row; determines the size of batches."""
        return max(self.size, self.outputs)

    def densities(self, x: Tensor) -> Tensor:
        """Which values [N, F] have a density per encoded unit, not a probability: bool, [N, F] or []."""
        return torch.tensor(True)

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Initialise from the data.

        Args:
            rows: the training rows.
            residual: variance of each field that remains after a PCA with as many components as the code, [F].
            resolution: smallest step between recorded values of each field, [F]; 0 for continuous ones.
        """

    def linear_theta(self, weights: Tensor, mean: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Theta as a linear map of a code, [P, d] and [P], with the means ``weights`` z + ``mean``, [F, d] and [F]; levels are
        indicators divided by √2, and ``residual`` is the variance that is left, [F].
        """
        return weights, mean

    def baseline_log_prob(self, train: Rows, held_out: Rows) -> Tensor:
        """Log-likelihood [B] of held-out rows under independent columns fitted to the training rows, which a collapsed model
        can reach. Normal columns here.
        """
        mean, variance = moments(train)
        return NormalFields(mean, 0.5 * torch.log(variance.clamp_min(math.exp(2 * LOG_SIGMA_FLOOR)))).row_log_prob(
            held_out.x, held_out.mask
        )


def moments(rows: Rows) -> tuple[Tensor, Tensor]:
    """Mean and variance of the observed values of each field, both [F]."""
    x = rows.x.flatten(1)
    if rows.mask is None:
        return x.mean(0), x.var(0, correction=0)
    observed = rows.mask.flatten(1)
    count = observed.sum(0).clamp_min(1)
    mean = x.sum(0) / count
    return mean, ((x - mean).square() * observed).sum(0) / count


class Scale(Likelihood):
    """A likelihood with a learned standard deviation: one per field, one shared, or a fixed number."""

    floor: Tensor
    starts_linear = True

    def __init__(self, shape: tuple[int, ...], sigma: str | float = "field") -> None:
        super().__init__(shape)
        if sigma not in ("field", "shared") and not (isinstance(sigma, (int, float)) and sigma > 0):
            raise ModelError(f"sigma is 'field', 'shared' or a positive number, not {sigma!r}")
        self.sigma = sigma
        width = (self.size,) if sigma == "field" else ()
        log_sigma = LOG_SIGMA_FLOOR if isinstance(sigma, str) else math.log(sigma)
        self.register_buffer("floor", torch.full(width, log_sigma))
        if isinstance(sigma, str):
            self.excess = nn.Parameter(torch.full(width, _inverse_softplus(-LOG_SIGMA_FLOOR) / SPEED))

    @property
    def log_sigma(self) -> Tensor:
        """Logarithm of the standard deviation, [F] or []; a soft lower bound keeps it above the resolution of the values."""
        if isinstance(self.sigma, str):
            return self.floor + F.softplus(SPEED * self.excess)
        return self.floor

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Sigma from the residual of a PCA; its lower bound from the resolution (a uniform error of that width)."""
        if not isinstance(self.sigma, str):
            return
        step = resolution.square() / 12
        if self.sigma == "shared":
            residual, step = residual.mean(), step.mean()
        floor = 0.5 * torch.log(step.clamp_min(math.exp(2 * LOG_SIGMA_FLOOR)))
        log_sigma = 0.5 * torch.log(residual.clamp_min(1e-12))
        with torch.no_grad():
            self.floor.copy_(floor)
            self.excess.copy_(inverse_softplus((log_sigma - floor).clamp_min(0.1)) / SPEED)


def inverse_softplus(value: Tensor) -> Tensor:
    """The inverse of softplus."""
    return value + torch.log(-torch.expm1(-value))


def _inverse_softplus(value: float) -> float:
    return value + math.log(-math.expm1(-value))


@register
class Normal(Scale):
    """Normal noise. ``sigma``: ``"field"`` (learned, one per field), ``"shared"`` (learned, one: the sigma-VAE of Rybkin et al.
    2021) or a fixed number.
    """

    name = "normal"

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, F] is the mean."""
        return NormalFields(theta, self.log_sigma)

    def baseline_log_prob(self, train: Rows, held_out: Rows) -> Tensor:
        """As in the base class; with one sigma for all columns if the model has one."""
        if self.sigma == "field":
            return super().baseline_log_prob(train, held_out)
        mean, variance = moments(train)
        log_sigma = 0.5 * torch.log(variance.mean()) if self.sigma == "shared" else self.log_sigma
        return NormalFields(mean, log_sigma).row_log_prob(held_out.x, held_out.mask)


@register
class SelfMaskedNormal(Normal):
    """Normal noise, and values that are missing by what they are: x with probability Phi(offset + slope x), learned for each
    column (not-MIWAE, Ipsen et al. 2021, with a probit, whose integral over x is exact).
    """

    name = "self-masked-normal"
    follows: ClassVar[Mapping[str, float]] = {"missingness": 0.5}  # slopes grow once columns explain each other

    def __init__(self, shape: tuple[int, ...], sigma: str | float = "field") -> None:
        super().__init__(shape, sigma)
        self.offset = nn.Parameter(torch.full((self.size,), RARELY / SPEED))
        self.slope = nn.Parameter(torch.zeros(self.size))

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, F] is the mean."""
        return SelfMaskedNormalFields(
            theta, self.log_sigma, SPEED * self.offset, self.strength["missingness"] * SPEED * self.slope
        )

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        super().start(rows, residual, resolution)
        with torch.no_grad():
            self.offset.copy_(torch.special.ndtri(_missing(rows)) / SPEED)

    def baseline_log_prob(self, train: Rows, held_out: Rows) -> Tensor:
        share, mask = _missing(train), held_out.mask
        seen = torch.ones_like(held_out.x.flatten(1)) if mask is None else mask.flatten(1).to(share)
        return super().baseline_log_prob(train, held_out) + (seen * torch.log1p(-share) + (1 - seen) * share.log()).sum(1)


def _missing(rows: Rows) -> Tensor:
    """The share of missing values in each field, not below that of :data:`RARELY`, [F]."""
    x = rows.x.flatten(1)
    share = torch.zeros_like(x[0]) if rows.mask is None else 1 - rows.mask.flatten(1).to(x.dtype).mean(0)
    return share.clamp(float(torch.special.ndtr(torch.tensor(RARELY))), 0.99)


@register
class HeteroscedasticNormal(Likelihood):
    """Normal noise whose standard deviation follows from the code, field by field (Kingma and Welling 2014, appendix C.2). It
    begins at the residual of a PCA, and stays above the values' resolution.
    """

    name = "heteroscedastic-normal"
    parameters_per_field = 2
    floor: Tensor
    log_sigma: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.register_buffer("floor", torch.full((self.size,), LOG_SIGMA_FLOOR))
        self.register_buffer("log_sigma", torch.zeros(self.size))

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        self.floor.copy_(0.5 * torch.log((resolution.square() / 12).clamp_min(math.exp(2 * LOG_SIGMA_FLOOR))))
        self.log_sigma.copy_(torch.maximum(0.5 * torch.log(residual.clamp_min(1e-12)), self.floor + 0.1))

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, 2 F]: means, and logarithms of standard deviations relative to where they begin."""
        mean, raw = theta.chunk(2, -1)
        return NormalPerRow(mean, self.floor + F.softplus(inverse_softplus(self.log_sigma - self.floor) + raw))


@register
class StudentT(Scale):
    """Student-t noise, for heavy tails; degrees of freedom are learned per field, above ``lowest_df`` (so that the variance
    exists).
    """

    name = "student-t"

    def __init__(self, shape: tuple[int, ...], sigma: str | float = "field", lowest_df: float = 3.0) -> None:
        super().__init__(shape, sigma)
        self.lowest_df = lowest_df
        self.excess_df = nn.Parameter(torch.full((self.size,), _inverse_softplus(7.0)))

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, F] is the centre."""
        return StudentTFields(theta, self.log_sigma, self.lowest_df + F.softplus(self.excess_df))


@register
class Bernoulli(Likelihood):
    """For fields of 0 and 1 (values in between are taken as probabilities of 1)."""

    name = "bernoulli"
    support = (0.0, 1.0)

    def densities(self, x: Tensor) -> Tensor:
        return torch.tensor(False)

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, F] is the logit."""
        return BernoulliFields(theta)

    def baseline_log_prob(self, train: Rows, held_out: Rows) -> Tensor:
        mean = moments(train)[0].clamp(1e-4, 1 - 1e-4)
        return BernoulliFields(torch.logit(mean).unsqueeze(0)).row_log_prob(held_out.x, held_out.mask).squeeze(0)


@register
class ContinuousBernoulli(Likelihood):
    """For fields anywhere in [0, 1]; a density (Loaiza-Ganem and Cunningham 2019)."""

    name = "continuous-bernoulli"
    support = (0.0, 1.0)

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, F] is the logit of the parameter lambda."""
        return ContinuousBernoulliFields(theta)
