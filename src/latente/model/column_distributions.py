"""Distributions of the columns of a table, one class for each kind, that a decoder's output theta shifts.

Real numbers are normal, positive numbers log-normal, counts negative binomial; ordered levels have a cumulative logit, levels a
softmax, binary columns a Bernoulli distribution. On a grid the normal distributions are those of rounded values, so that each
value has a probability. A value that often repeats has its own probability, and the other values a distribution that excludes
it (a hurdle). theta = 0 gives each column its marginal distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.special import log_ndtr

from latente.model.distributions import LOG_2PI
from latente.model.likelihoods import LOG_SIGMA_FLOOR, SPEED, inverse_softplus
from latente.model.special import betainc, standard_gamma
from latente.rows import BINARY, CATEGORICAL, Field, ValueGrid

FINE = 0.01  # relative to the standard deviation; a finer grid is treated as continuous
MAX_ORDERED = 64
ATTEMPTS = 64  # attempts to draw a value other than the repeated one
TINY = 1e-30
NAMES = {"positive": "log-normal", "count": "count"}


class Column(NamedTuple):
    """The distribution of a column by name, its values where these are few, and how its numbers are recorded."""

    family: str = "normal"
    values: Sequence[float] = ()
    resolution: float = 0.0
    grid: Sequence[float | None] = ValueGrid()


def columns_of(fields: Sequence[Field]) -> tuple[Column, ...]:
    """The distribution of each column (or pixel), chosen by its kind."""
    return tuple(column for field in fields for column in [_column_of(field)] * max(1, field.size))


def _column_of(field: Field) -> Column:
    if field.kind == BINARY:
        return Column("binary", (0.0, 1.0))
    if field.kind == CATEGORICAL:
        return Column("ordered-levels" if field.ordered else "levels", tuple(map(float, range(field.levels))))
    if field.kind == "ordinal" and (values := _ordered_values(field)):
        return Column("ordered", values)
    name = NAMES.get(field.kind, "normal")
    grid = field.grid
    if grid.atom is not None and grid.atom == grid.low and grid.zero <= grid.low and name == "normal":
        name = "log-normal"  # all other values are above it
    name = "normal" if name == "count" and not grid.step else name
    rounded = grid.step >= FINE and name != "count"
    return Column(f"rounded-{name}" if rounded else name, (), field.resolution, grid)


def _ordered_values(field: Field) -> tuple[float, ...]:
    """The values of an ordinal column: the observed ones if each has its own bin, otherwise all values of its grid."""
    if field.bins and field.bins.low == field.bins.high:
        return field.bins.low
    _, _, step, low, high, _ = field.grid
    if not step or low is None or high is None or (high - low) / step > MAX_ORDERED:
        return ()
    return tuple(low + step * i for i in range(round((high - low) / step) + 1))


# -- distributions of groups of columns: x [B, G] and theta [K, B, P] to [K, B, G] ----------------------------------------


def some(values: Tensor) -> Tensor:
    """The values, or a single 0 if there are none."""
    return values if len(values) else values.new_zeros(1)


class ColumnDistribution(nn.Module):
    """Base: the distribution of G columns, with the first ``outputs`` numbers of theta as its parameters."""

    density = False

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self.size = self.outputs = len(columns)

    def start(self, values: Sequence[Tensor], residual: Tensor) -> None:
        """Initialise with the marginal distributions; ``residual`` [G] is the share of the variance that is noise."""

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log-probability or log-density of values."""
        raise NotImplementedError

    def sample(self, theta: Tensor) -> Tensor:
        """One draw for each code."""
        raise NotImplementedError

    def cdf(self, theta: Tensor, x: Tensor) -> Tensor:
        """Probability of a value up to and including x."""
        raise NotImplementedError

    def mean(self, theta: Tensor) -> Tensor:
        """Mean; for levels, the most likely one."""
        raise NotImplementedError

    def average(self, theta: Tensor, weights: Tensor) -> Tensor:
        """Mean of the mixture over K with weights [K, B]; for levels, the most likely one. [B, G]."""
        return (weights.unsqueeze(-1) * self.mean(theta)).sum(0)


class NumberDistribution(ColumnDistribution):
    """Base of distributions of numbers, with the code of 0, the unit, and the smallest and largest value of each column."""

    zero: Tensor
    unit: Tensor
    step: Tensor
    low: Tensor
    high: Tensor
    atom: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        ends = {"low": -math.inf, "high": math.inf}
        for place, name in enumerate(ValueGrid._fields):
            values = [column.grid[place] for column in columns]
            filled = [ends.get(name, 0.0) if value is None else value for value in values]
            self.register_buffer(name, torch.tensor(filled), persistent=False)

    def within(self, value: Tensor) -> Tensor:
        """Values, clamped to the smallest and largest value of the column."""
        return torch.minimum(torch.maximum(value, self.low), self.high)


class NormalDistribution(NumberDistribution):
    """Normal with a learned standard deviation per column; theta is the shift of the mean, in standard deviations."""

    density = True
    center: Tensor
    spread: Tensor
    floor: Tensor
    resolution: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self.register_buffer("center", torch.zeros(self.size))
        self.register_buffer("spread", torch.ones(self.size))
        self.register_buffer("floor", torch.full((self.size,), LOG_SIGMA_FLOOR))
        self.register_buffer("resolution", torch.tensor([column.resolution for column in columns]), persistent=False)
        self.excess = nn.Parameter(inverse_softplus(torch.full((self.size,), -LOG_SIGMA_FLOOR)) / SPEED)

    def start(self, values: Sequence[Tensor], residual: Tensor) -> None:
        moved = [self.moved(each, f) for f, each in enumerate(values)]
        self.center.copy_(torch.stack([each.mean() for each in moved]))
        self.spread.copy_(torch.stack([each.std(correction=0) for each in moved]).clamp_min(1e-6))
        # No density is narrower than the recorded resolution; rounded values have probabilities, which are bounded.
        step = self.resolution * self._slope(values) / (self.spread * math.sqrt(12)) if self.density else 0 * self.spread
        self.floor.copy_(step.clamp_min(math.exp(LOG_SIGMA_FLOOR)).log())
        with torch.no_grad():
            log_sigma = 0.5 * residual.clamp(1e-8, 1.0).log()
            self.excess.copy_(inverse_softplus((log_sigma - self.floor).clamp_min(0.1)) / SPEED)

    def moved(self, x: Tensor, f: int | slice = slice(None)) -> Tensor:
        """Values on the scale where they are normal (here unchanged)."""
        return x

    def back(self, y: Tensor) -> Tensor:
        """The inverse of :meth:`moved`."""
        return y

    def _slope(self, values: Sequence[Tensor]) -> Tensor:
        """The derivative of :meth:`moved` at the median."""
        return torch.ones(self.size)

    @property
    def log_sigma(self) -> Tensor:
        """Logarithms of the standard deviations on the normal scale, [G]."""
        return self.spread.log() + self.floor + F.softplus(SPEED * self.excess)

    def loc(self, theta: Tensor) -> Tensor:
        """Means on the normal scale, [K, B, G]."""
        return self.center + self.spread * theta

    def standardised(self, theta: Tensor, y: Tensor) -> Tensor:
        """(y - mean) / sigma."""
        return (y - self.loc(theta)) * torch.exp(-self.log_sigma)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        return -0.5 * (self.standardised(theta, self.moved(x)).square() + LOG_2PI) - self.log_sigma

    def cdf(self, theta: Tensor, x: Tensor) -> Tensor:
        value: Tensor = torch.special.ndtr(self.standardised(theta, self.moved(x)))
        return value

    def sample(self, theta: Tensor) -> Tensor:
        loc = self.loc(theta)
        return self.within(self.back(loc + torch.exp(self.log_sigma) * torch.randn_like(loc)))

    def mean(self, theta: Tensor) -> Tensor:
        return self.within(self.loc(theta))


class LogNormalDistribution(NormalDistribution):
    """Positive numbers whose logarithms are normal."""

    def moved(self, x: Tensor, f: int | slice = slice(None)) -> Tensor:
        return ((x - self.zero[f]) / self.unit[f]).clamp_min(TINY).log()

    def back(self, y: Tensor) -> Tensor:
        return self.zero + self.unit * torch.exp(y.clamp_max(80.0))

    def _slope(self, values: Sequence[Tensor]) -> Tensor:
        medians = torch.stack([each.median() for each in values])
        return 1 / (medians - self.zero).clamp_min(1e-6)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        return super().log_prob(theta, x) - self.moved(x) - self.unit.log()

    def mean(self, theta: Tensor) -> Tensor:
        return self.within(self.back(self.loc(theta) + 0.5 * torch.exp(2 * self.log_sigma)))


class _Rounded(NormalDistribution):
    """Mixin: values on a grid; each has the probability of the interval that is rounded to it."""

    density = False

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        below, above = self.moved(self._edge_below(x)), self.moved(x + self.step / 2)
        return log_between(self.standardised(theta, below), self.standardised(theta, above))

    def _edge_below(self, x: Tensor) -> Tensor:
        return x - self.step / 2

    def sample(self, theta: Tensor) -> Tensor:
        return self.within(self.low + self.step * torch.round((super().sample(theta) - self.low) / self.step))


class RoundedNormalDistribution(_Rounded):
    """Numbers on a grid."""


class RoundedLogNormalDistribution(_Rounded, LogNormalDistribution):
    """Positive numbers on a grid; the smallest value also has the probability between 0 and it."""

    def _edge_below(self, x: Tensor) -> Tensor:
        first = self.low - self.step * torch.floor((self.low - self.zero - TINY) / self.step - 1e-3)
        return torch.where(x < first + self.step / 2, self.zero, x - self.step / 2)


def log_between(low: Tensor, high: Tensor) -> Tensor:
    """Logarithm of the probability that a standard normal variable lies between two points.

    >>> [round(value, 2) for value in log_between(torch.tensor([-1.0, 40.0]), torch.tensor([1.0, 41.0])).tolist()]
    [-0.38, -804.61]
    """
    turned = low > 0
    low, high = torch.where(turned, -high, low), torch.where(turned, -low, high)
    upper: Tensor = log_ndtr(high)
    return upper + torch.log1p(-torch.exp((log_ndtr(low) - upper).clamp_max(-1e-6)))


class CountDistribution(NumberDistribution):
    """Negative binomial, with a learned dispersion per column; theta is added to the logarithm of the mean.
    Computed in double precision, because in single precision the gamma function of large counts is wrong by whole nats.
    """

    base: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self.register_buffer("base", torch.zeros(self.size))
        self.raw = nn.Parameter(torch.zeros(self.size))

    @property
    def first(self) -> Tensor:
        """The smallest possible count on the grid of the column, [G]."""
        return self.low - self.step * torch.floor((self.low - self.zero) / self.step + 1e-3)

    def index(self, x: Tensor) -> Tensor:
        """Number of grid steps between ``first`` and each value."""
        return torch.round((x - self.first) / self.step)

    @property
    def dispersion(self) -> Tensor:
        """r: the variance is m + m² / r, [G]."""
        return torch.exp((SPEED * self.raw).clamp(-8.0, 16.0))

    def start(self, values: Sequence[Tensor], residual: Tensor) -> None:
        with torch.no_grad():
            for f, each in enumerate(values):
                n = torch.round((each - self.first[f]) / self.step[f])
                mean, variance = n.mean().clamp_min(1e-3), n.var(correction=0)
                self.base[f] = mean.log()
                self.raw[f] = (mean.square() / (variance - mean).clamp_min(1e-4 * mean)).log() / SPEED

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        n, r = self.index(x).double(), self.dispersion.double()
        possible = n.clamp_min(0.0)
        log_mean = self.log_mean(theta).double()
        chosen = torch.lgamma(possible + r) - torch.lgamma(possible + 1) - torch.lgamma(r)
        log_total = torch.logaddexp(log_mean, r.log())
        value: Tensor = chosen + r * (r.log() - log_total) + possible * (log_mean - log_total)
        return torch.as_tensor(value - 100 * (possible - n)).to(theta.dtype)  # the probability falls for counts below the first

    def log_mean(self, theta: Tensor) -> Tensor:
        """Logarithm of the mean number of steps, [K, B, G]."""
        return (self.base + theta).clamp(-20.0, 30.0)

    def cdf(self, theta: Tensor, x: Tensor) -> Tensor:
        n, r = torch.floor((x - self.first) / self.step + 1e-6), self.dispersion
        value = betainc(r, n.clamp_min(0.0) + 1, r / (r + torch.exp(self.log_mean(theta))))
        return torch.where(n < 0, 0.0, value)

    def sample(self, theta: Tensor) -> Tensor:
        mean, r = torch.exp(self.log_mean(theta)), self.dispersion
        rate = standard_gamma(r.expand_as(mean)) / r * mean
        return self.within(self.first + self.step * torch.poisson(rate))

    def mean(self, theta: Tensor) -> Tensor:
        return self.within(self.first + self.step * torch.exp(self.log_mean(theta)))


class LevelsDistribution(ColumnDistribution):
    """One column of levels: softmax; theta is added to the logarithms of the frequencies."""

    nominal = True
    values: Tensor
    edges: Tensor
    base: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        values = torch.tensor(list(columns[0].values))
        self.outputs = len(values)
        self.register_buffer("values", values, persistent=False)
        self.register_buffer("edges", (values[1:] + values[:-1]) / 2, persistent=False)
        self.register_buffer("base", torch.zeros(len(values)))

    def index(self, x: Tensor) -> Tensor:
        """Index of the nearest value."""
        return torch.bucketize(x.contiguous(), self.edges)

    def frequencies(self, values: Tensor) -> Tensor:
        """Frequencies of the values, with one pseudo-count each, [L]."""
        counts = torch.bincount(self.index(values), minlength=len(self.values)).to(self.values.dtype) + 1
        return counts / counts.sum()

    def start(self, values: Sequence[Tensor], residual: Tensor) -> None:
        self.base.copy_(self.frequencies(values[0]).log())

    def log_probabilities(self, theta: Tensor) -> Tensor:
        """Log-probabilities of all values, [K, B, L]."""
        return torch.log_softmax(self.base + theta, -1)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        logs = self.log_probabilities(theta)
        return logs.gather(-1, self.index(x).expand(*logs.shape[:-1], 1))

    def cdf(self, theta: Tensor, x: Tensor) -> Tensor:
        p = self.log_probabilities(theta).exp()
        reached = torch.cat([torch.zeros_like(p[..., :1]), p.cumsum(-1)], -1).squeeze(1)
        return reached[:, torch.searchsorted(self.values.to(x.dtype), x.contiguous(), right=True)]

    def sample(self, theta: Tensor) -> Tensor:
        reached = self.log_probabilities(theta).exp().cumsum(-1)
        u = torch.rand(*reached.shape[:-1], 1, dtype=reached.dtype) * reached[..., -1:]
        return self.values[torch.searchsorted(reached, u, right=True).clamp(max=len(self.values) - 1)]

    def mean(self, theta: Tensor) -> Tensor:
        return self._expected(self.log_probabilities(theta).exp())

    def average(self, theta: Tensor, weights: Tensor) -> Tensor:
        return self._expected((weights.unsqueeze(-1) * self.log_probabilities(theta).exp()).sum(0))

    def _expected(self, probabilities: Tensor) -> Tensor:
        if self.nominal:
            return self.values[probabilities.argmax(-1, keepdim=True)]
        return (probabilities @ self.values).unsqueeze(-1)


class OrderedLevelsDistribution(LevelsDistribution):
    """One column of ordered levels: cumulative logit (McCullagh 1980); theta, one number, shifts all thresholds."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self.outputs = 1
        self.gaps = nn.Parameter(torch.ones(max(0, len(self.values) - 2)))
        self.lowest = nn.Parameter(torch.zeros(1))

    def start(self, values: Sequence[Tensor], residual: Tensor) -> None:
        thresholds = torch.logit(self.frequencies(values[0]).cumsum(0)[:-1].clamp(1e-6, 1 - 1e-6))
        with torch.no_grad():
            self.lowest.copy_(thresholds[:1])
            self.gaps.copy_(inverse_softplus(thresholds.diff().clamp_min(1e-3)))

    def log_probabilities(self, theta: Tensor) -> Tensor:
        thresholds = torch.cat([self.lowest, self.lowest + F.softplus(self.gaps).cumsum(0)]) - theta
        far = torch.full_like(thresholds[..., :1], 1e4)
        low, high = torch.cat([-far, thresholds], -1), torch.cat([thresholds, far], -1)
        return F.logsigmoid(high) + F.logsigmoid(-low) + torch.log1p(-torch.exp(low - high))


class OrderedDistribution(OrderedLevelsDistribution):
    """One column with few whole numbers: as ordered levels, with a mean."""

    nominal = False


class BinaryDistribution(LevelsDistribution):
    """One column of 0 and 1; theta, one number, is added to the logit."""

    nominal = False

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self.outputs = 1

    def log_probabilities(self, theta: Tensor) -> Tensor:
        logit = self.base[1] - self.base[0] + theta
        return F.logsigmoid(torch.cat([-logit, logit], -1))


DISTRIBUTIONS: dict[str, type[ColumnDistribution]] = {
    "normal": NormalDistribution,
    "log-normal": LogNormalDistribution,
    "rounded-normal": RoundedNormalDistribution,
    "rounded-log-normal": RoundedLogNormalDistribution,
    "count": CountDistribution,
    "levels": LevelsDistribution,
    "ordered-levels": OrderedLevelsDistribution,
    "ordered": OrderedDistribution,
    "binary": BinaryDistribution,
}


class Hurdle(ColumnDistribution):
    """Columns with a value that often repeats: a Bernoulli variable for that value, and a distribution of the other values."""

    base: Tensor
    rest: NumberDistribution

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        rest = DISTRIBUTIONS[columns[0].family](columns)
        assert isinstance(rest, NumberDistribution)
        self.rest, self.density = rest, rest.density
        self.outputs = 2 * self.size
        self.register_buffer("base", torch.zeros(self.size))

    def is_atom(self, x: Tensor) -> Tensor:
        """Where a value is the repeated one."""
        return (x - self.rest.atom).abs() < torch.where(self.rest.step > 0, self.rest.step / 2, 1e-5 * (1 + x.abs()))

    def start(self, values: Sequence[Tensor], residual: Tensor) -> None:
        spread = [each.unsqueeze(1).expand(-1, self.size) for each in values]
        atoms = [self.is_atom(each)[:, f] for f, each in enumerate(spread)]
        self.base.copy_(torch.logit(torch.stack([(each.sum() + 1) / (len(each) + 2) for each in atoms])))
        self.rest.start([some(each[~atom]) for each, atom in zip(values, atoms, strict=True)], residual)

    def _split(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Theta of the other values, the logit of the repeated value, and its probability among the others."""
        rest, logit = torch.split(theta, self.size, -1)
        if self.density:
            return rest, logit + self.base, torch.zeros_like(rest)
        at = self.rest.log_prob(rest, self.rest.atom.unsqueeze(0)).clamp_max(-1e-6).exp()
        return rest, logit + self.base, at

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        rest, logit, at = self._split(theta)
        others = F.logsigmoid(-logit) + self.rest.log_prob(rest, x) - torch.log1p(-at)
        return torch.where(self.is_atom(x), F.logsigmoid(logit), others)

    def cdf(self, theta: Tensor, x: Tensor) -> Tensor:
        rest, logit, at = self._split(theta)
        p, reached = torch.sigmoid(logit), (x >= self.rest.atom - 1e-9).to(theta.dtype)
        return p * reached + (1 - p) * (self.rest.cdf(rest, x) - at * reached) / (1 - at)

    def sample(self, theta: Tensor) -> Tensor:
        rest, logit, _ = self._split(theta)
        drawn = self.rest.sample(rest)
        for _ in range(0 if self.density else ATTEMPTS):
            again = self.is_atom(drawn)
            if not bool(again.any()):
                break
            drawn = torch.where(again, self.rest.sample(rest), drawn)
        return torch.where(torch.rand_like(logit) < torch.sigmoid(logit), self.rest.atom, drawn)

    def mean(self, theta: Tensor) -> Tensor:
        rest, logit, at = self._split(theta)
        others = (self.rest.mean(rest) - at * self.rest.atom) / (1 - at)
        return self.rest.within(torch.lerp(others, self.rest.atom.expand_as(others), torch.sigmoid(logit)))
