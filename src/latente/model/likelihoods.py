"""p(x | z): from the decoder's output theta [K, B, P] to a distribution over a row's fields.

Every likelihood has ``parameters_per_field`` (P = that many times F) and can ``start`` from the data, so that training does not
begin with a noise level that drowns the signal: with a fixed variance a dimension of a linear VAE dies when the variance
exceeds
its covariance eigenvalue (Lucas et al. 2019), hence sigma starts at the residual that a PCA of the same size leaves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.errors import DataError, ModelError
from latente.model.distributions import (
    BernoulliFields,
    CategoricalFields,
    ContinuousBernoulliFields,
    FieldsDistribution,
    MixedFields,
    NormalFields,
    StudentTFields,
)
from latente.model.parts import Part, register
from latente.rows import Rows

LOG_SIGMA_FLOOR = -6.0
# Adam moves every parameter by about the learning rate a step: a logarithm that must move by units is stretched, so that noise
# levels settle in hundreds of steps and not in thousands.
SPEED = 8.0


class Likelihood(Part):
    """Base: theta [K, B, P] to a distribution over F fields."""

    parameters_per_field = 1
    repeated = 0  # multiply-adds of a row beyond those of its linear layers, each used once
    is_density = True
    takes_levels = False

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = math.prod(shape)

    @property
    def outputs(self) -> int:
        """P, how many numbers the decoder is to give for a row."""
        return self.size * self.parameters_per_field

    @property
    def footprint(self) -> int:
        """How many numbers are held at once for each code of a row: by it, rows are taken in batches."""
        return max(self.size, self.outputs)

    def densities(self, x: Tensor) -> Tensor:
        """Which values [N, F] have a density per encoded unit, and not a probability: bool, [N, F] or []."""
        return torch.tensor(self.is_density)

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Begin from the data.

        Args:
            rows: the training rows.
            residual: variance that a PCA with as many components as the code leaves in each field, [F].
            resolution: smallest step between recorded values of each field, [F]; 0 where they are continuous.
        """

    def check(self, rows: Rows) -> None:
        """Refuse rows that the likelihood does not describe.

        Raises:
            DataError: there are such values.
        """

    def independent(self, train: Rows, held_out: Rows) -> Tensor:
        """Log-likelihood [B] of held-out rows under independent columns fitted to the training rows: what a collapsed
        model can reach. Normal columns here.
        """
        mean, variance = moments(train)
        return NormalFields(mean, 0.5 * torch.log(variance.clamp_min(math.exp(2 * LOG_SIGMA_FLOOR)))).row_log_prob(
            held_out.x, held_out.mask
        )


def moments(rows: Rows) -> tuple[Tensor, Tensor]:
    """Mean and variance of the seen values of each field, both [F]."""
    x = rows.x.flatten(1)
    if rows.mask is None:
        return x.mean(0), x.var(0, correction=0)
    seen = rows.mask.flatten(1)
    count = seen.sum(0).clamp_min(1)
    mean = x.sum(0) / count
    return mean, ((x - mean).square() * seen).sum(0) / count


class Scale(Likelihood):
    """A likelihood with a learned standard deviation: one per field, one shared, or a fixed number."""

    floor: Tensor

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
        """Logarithm of the standard deviation, [F] or []; a soft floor keeps it above the values' resolution."""
        if isinstance(self.sigma, str):
            return self.floor + F.softplus(SPEED * self.excess)
        return self.floor

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Sigma from the residual of a PCA; its floor from the resolution (a uniform error of that width)."""
        if not isinstance(self.sigma, str):
            return
        step = resolution.square() / 12
        if self.sigma == "shared":
            residual, step = residual.mean(), step.mean()
        floor = 0.5 * torch.log(step.clamp_min(math.exp(2 * LOG_SIGMA_FLOOR)))
        log_sigma = 0.5 * torch.log(residual.clamp_min(1e-12))
        with torch.no_grad():
            self.floor.copy_(floor)
            self.excess.copy_(_inverse_softplus_of((log_sigma - floor).clamp_min(0.1)) / SPEED)


def _inverse_softplus_of(value: Tensor) -> Tensor:
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

    def independent(self, train: Rows, held_out: Rows) -> Tensor:
        """Where the model has one sigma for all fields, learned or fixed, so have the independent columns."""
        if self.sigma == "field":
            return super().independent(train, held_out)
        mean, variance = moments(train)
        log_sigma = 0.5 * torch.log(variance.mean()) if self.sigma == "shared" else self.log_sigma
        return NormalFields(mean, log_sigma).row_log_prob(held_out.x, held_out.mask)


@register
class StudentT(Scale):
    """Student-t noise, for heavy tails; degrees of freedom are learned per field and stay above ``lowest_df`` (so that the
    variance exists).
    """

    name = "student-t"

    def __init__(self, shape: tuple[int, ...], sigma: str | float = "field", lowest_df: float = 3.0) -> None:
        super().__init__(shape, sigma)
        self.lowest_df = lowest_df
        self.excess_df = nn.Parameter(torch.full((self.size,), _inverse_softplus(7.0)))

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, F] is the centre."""
        return StudentTFields(theta, self.log_sigma, self.lowest_df + F.softplus(self.excess_df))


class _WithinOne(Likelihood):
    """A likelihood of values from 0 to 1."""

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Nothing to set; training rows are checked."""
        try:
            self.check(rows)
        except DataError as error:
            raise ModelError(f"{error} (columns other than 0/1 are standardised): choose 'normal' or 'student-t'") from error

    def check(self, rows: Rows) -> None:
        if not len(rows):
            return
        low, high = rows.x.aminmax()
        if low < 0 or high > 1:
            raise DataError(
                f"{self.name!r} is a likelihood of values from 0 to 1; these, once encoded, go from {low:.3g} to {high:.3g}"
            )


@register
class Bernoulli(_WithinOne):
    """For fields of 0 and 1 (values between are taken as probabilities of a 1)."""

    name = "bernoulli"
    is_density = False

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, F] is the logit."""
        return BernoulliFields(theta)

    def independent(self, train: Rows, held_out: Rows) -> Tensor:
        mean = moments(train)[0].clamp(1e-4, 1 - 1e-4)
        return BernoulliFields(torch.logit(mean).unsqueeze(0)).row_log_prob(held_out.x, held_out.mask).squeeze(0)


@register
class ContinuousBernoulli(_WithinOne):
    """For fields anywhere in [0, 1], a density in its own right (Loaiza-Ganem and Cunningham 2019)."""

    name = "continuous-bernoulli"

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, F] is the logit of the parameter lambda."""
        return ContinuousBernoulliFields(theta)


@register
class Mixed(Likelihood):
    """A law for each kind of column: normal for numbers, Bernoulli for 0 and 1, categorical for levels (Nazabal et al. 2020).

    Args:
        shape: (F,).
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
        binary: which columns hold 0 and 1 only; () where none does.
    """

    name = "mixed"
    takes_levels = True
    order: Tensor

    def __init__(self, shape: tuple[int, ...], levels: tuple[int, ...] = (), binary: tuple[bool, ...] = ()) -> None:
        super().__init__(shape)
        levels, binary = levels or (0,) * self.size, binary or (False,) * self.size
        if not len(levels) == len(binary) == self.size:
            raise ModelError(f"levels and binary say something of each of the {self.size} columns, not of {len(levels)}")
        kinds = [
            "categorical" if count else "binary" if tossed else "real" for count, tossed in zip(levels, binary, strict=True)
        ]
        of_kind = [[f for f, kind in enumerate(kinds) if kind == wanted] for wanted in ("real", "binary", "categorical")]
        for name, fields in zip(("real", "binary", "categorical"), of_kind, strict=True):
            self.register_buffer(f"{name}_fields", torch.tensor(fields, dtype=torch.long), persistent=False)
        self.register_buffer("order", torch.argsort(torch.tensor([*of_kind[0], *of_kind[1], *of_kind[2]])), persistent=False)
        self.widths = [len(of_kind[0]), len(of_kind[1]), *(levels[f] for f in of_kind[2])]
        self.noise = Normal((len(of_kind[0]),)) if of_kind[0] else None

    @property
    def outputs(self) -> int:
        return sum(self.widths)

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, P]: means, then logits of the 0/1 columns, then those of each column's levels."""
        real, binary, *levels = torch.split(theta, self.widths, -1)
        log_sigma = self.noise.log_sigma if self.noise is not None else theta.new_zeros(())
        return self._law(real, log_sigma, binary, levels)

    def _law(self, real: Tensor, log_sigma: Tensor, binary: Tensor, levels: Sequence[Tensor]) -> MixedFields:
        laws: dict[str, FieldsDistribution] = {
            "real": NormalFields(real, log_sigma),
            "binary": BernoulliFields(binary),
            "categorical": CategoricalFields(levels),
        }
        parts = [(law, self._fields(kind)) for kind, law in laws.items() if len(self._fields(kind))]
        return MixedFields(parts, self.order)

    def _fields(self, kind: str) -> Tensor:
        fields: Tensor = getattr(self, f"{kind}_fields")
        return fields

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Sigma of the numbers from their residual, which levels, being no numbers, may have made too large."""
        if self.noise is not None:
            fields = self._fields("real")
            variance = moments(rows)[1]
            self.noise.start(rows, torch.minimum(residual, variance)[fields], resolution[fields])

    def independent(self, train: Rows, held_out: Rows) -> Tensor:
        """Normal numbers, and the frequencies of levels, each counted as if seen once more than it was."""
        mean, variance = moments(train)
        real, binary = self._fields("real"), self._fields("binary")
        log_sigma = 0.5 * torch.log(variance[real].clamp_min(math.exp(2 * LOG_SIGMA_FLOOR)))
        logits = torch.logit(mean[binary].clamp(1e-4, 1 - 1e-4))
        frequencies = [
            _frequencies(train, int(field), width).log().view(1, 1, -1).expand(1, len(held_out), -1)
            for field, width in zip(self._fields("categorical"), self.widths[2:], strict=True)
        ]
        like = held_out.x.new_zeros(1, len(held_out), 1)
        law = self._law(mean[real] + like, log_sigma, logits + like, frequencies)
        return law.row_log_prob(held_out.x, held_out.mask).squeeze(0)


def _frequencies(rows: Rows, field: int, levels: int) -> Tensor:
    seen = rows.x[:, field] if rows.mask is None else rows.x[rows.mask[:, field], field]
    counts = torch.bincount(seen.long(), minlength=levels).float() + 1
    return counts / counts.sum()
