"""Columns of several kinds, each with a distribution of its kind, independent given the code (Nazábal et al. 2020, HI-VAE).

Real numbers are normal, positive numbers log-normal, counts negative binomial; ordered levels have a cumulative logit, levels a
softmax, binary columns a Bernoulli distribution. On a grid the normal distributions are those of rounded values, so that each
value has a probability. A value that often repeats has its own probability, and the other values a distribution that excludes
it (a hurdle). Training starts at independent columns: theta = 0 gives each column its marginal distribution.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.special import log_ndtr

from latente.errors import ModelError
from latente.model.distributions import LOG_2PI, FieldsDistribution
from latente.model.likelihoods import LOG_SIGMA_FLOOR, SPEED, Likelihood, inverse_softplus
from latente.model.parts import register
from latente.model.special import betainc, bin_probabilities
from latente.rows import BINARY, CATEGORICAL, Field, Rows, ValueGrid

FINE = 0.01  # relative to the standard deviation; a finer grid is treated as continuous
MAX_ORDERED = 64
MAX_ROWS = 2048  # to balance the gradients with
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
        rate = torch._standard_gamma(r.expand_as(mean).contiguous()) / r * mean
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
        self.rest.start([_some(each[~atom]) for each, atom in zip(values, atoms, strict=True)], residual)

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


def _some(values: Tensor) -> Tensor:
    """The values, or a single 0 if there are none."""
    return values if len(values) else values.new_zeros(1)


class HeterogeneousFields(FieldsDistribution):
    """Columns that are independent given a code, each with its distribution; theta [K, B, P]."""

    def __init__(self, part: Heterogeneous, theta: Tensor) -> None:
        self.part, self.thetas = part, torch.split(theta, [each.outputs for each in part.each], -1)

    def field_log_prob(self, x: Tensor) -> Tensor:
        columns = torch.split(x.index_select(1, self.part.places), [each.size for each in self.part.each], 1)
        pairs = zip(self.part.each, self.thetas, columns, strict=True)
        return self._in_order([each.log_prob(theta, values) for each, theta, values in pairs])

    def sample(self) -> Tensor:
        return self._in_order([each.sample(theta) for each, theta in zip(self.part.each, self.thetas, strict=True)])

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """Means; for levels, the most likely one."""
        return self._in_order([each.mean(theta) for each, theta in zip(self.part.each, self.thetas, strict=True)])

    def bin_probabilities(self, ends: Sequence[Tensor]) -> Tensor:
        places, found = self.part.places.tolist(), list[Tensor]()
        for each, theta in zip(self.part.each, self.thetas, strict=True):
            own, places = [ends[f] for f in places[: each.size]], places[each.size :]
            found += torch.split(bin_probabilities(partial(each.cdf, theta), own), [len(end) + 1 for end in own], -1)
        return torch.cat([found[f] for f in self.part.order.tolist()], -1)

    def average(self, weights: Tensor) -> Tensor:
        pairs = zip(self.part.each, self.thetas, strict=True)
        return self._in_order([each.average(theta, weights) for each, theta in pairs])

    def _in_order(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts), -1).index_select(-1, self.part.order)


def _family(name: str, atom: bool) -> type[ColumnDistribution]:
    """The class for a group of columns; numbers with a value that often repeats get a hurdle."""
    family = DISTRIBUTIONS[name]
    return Hurdle if atom and not issubclass(family, LevelsDistribution) else family


def _check(column: Column) -> None:
    """Refuse a distribution without values, or one that does not fit how the column is recorded."""
    grid = ValueGrid(*column.grid)  # type: ignore[arg-type]
    of_levels = issubclass(DISTRIBUTIONS[column.family], LevelsDistribution)
    on_grid = column.family == "count" or column.family.startswith("rounded")
    ends = (-math.inf if grid.low is None else grid.low, math.inf if grid.high is None else grid.high)
    if of_levels and (not column.values or any(a >= b for a, b in pairwise(column.values))):
        raise ModelError(f"the distribution {column.family!r} needs values in rising order, not {column.values!r:.80}")
    if grid.unit <= 0 or grid.step < 0 or ends[0] > ends[1] or (on_grid and not (grid.step and math.isfinite(ends[0]))):
        raise ModelError(f"the distribution {column.family!r} does not fit a column with the grid {grid}")


@register
class Heterogeneous(Likelihood):
    """Each column with a distribution of its kind, independent given the code.

    The gradients with respect to theta are scaled to the same size for all columns at the start, so that no column dominates
    the networks (Javaloy et al. 2022).

    Args:
        shape: of a row.
        columns: the distribution of each; () for normal ones.
    """

    name = "heterogeneous"
    takes_levels = True
    gain: Tensor
    places: Tensor
    order: Tensor
    owner: Tensor

    def __init__(self, shape: tuple[int, ...], columns: Sequence[Column] = ()) -> None:
        super().__init__(shape)
        known = [Column(*column) for column in columns] or [Column()] * self.size
        if len(known) != self.size or any(column.family not in DISTRIBUTIONS for column in known):
            raise ModelError(f"each of the {self.size} columns needs a distribution: {', '.join(DISTRIBUTIONS)}")
        for column in known:
            _check(column)
        groups: dict[tuple[object, ...], list[int]] = {}
        for f, column in enumerate(known):
            alone, atom = issubclass(DISTRIBUTIONS[column.family], LevelsDistribution), column.grid[-1] is not None
            groups.setdefault((column.family, atom, f if alone else None), []).append(f)
        self.distributions = nn.ModuleList(
            _family(str(name), bool(atom))([known[f] for f in group]) for (name, atom, _), group in groups.items()
        )
        places = torch.tensor([f for group in groups.values() for f in group])
        owners = (group * (each.outputs // len(group)) if len(group) > 1 else group * each.outputs
                  for each, group in zip(self.each, groups.values(), strict=True))  # fmt: skip
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("order", places.argsort(), persistent=False)
        self.register_buffer("owner", torch.tensor([f for group in owners for f in group]), persistent=False)
        self.register_buffer("gain", torch.ones(self.outputs))

    @property
    def each(self) -> list[ColumnDistribution]:
        """The distributions of the groups of columns."""
        return list(self.distributions)  # type: ignore[arg-type]

    @property
    def outputs(self) -> int:
        return sum(each.outputs for each in self.each)

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, P]: shifts of the parameters; 0 gives the marginal distribution of each column."""
        return HeterogeneousFields(self, theta * self.gain)

    def densities(self, x: Tensor) -> Tensor:
        columns = torch.split(x.flatten(1).index_select(1, self.places), [each.size for each in self.each], 1)
        dense = [
            ~each.is_atom(values) & each.density if isinstance(each, Hurdle) else torch.full_like(values, each.density).bool()
            for each, values in zip(self.each, columns, strict=True)
        ]
        return torch.cat(dense, 1).index_select(1, self.order)

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Start at the marginal distributions, with the noise that a PCA leaves; balance the gradients of the columns."""
        x = rows.x.flatten(1)
        observed = None if rows.mask is None else rows.mask.flatten(1)
        groups = torch.split(self.places, [each.size for each in self.each])
        for each, group in zip(self.each, groups, strict=True):
            values = [_some(x[:, f] if observed is None else x[observed[:, f], f]) for f in group.tolist()]
            each.start(values, residual[group])
        self._balance(rows.subsample(MAX_ROWS))

    def _balance(self, rows: Rows) -> None:
        with torch.enable_grad():
            theta = torch.zeros(1, len(rows), self.outputs, requires_grad=True)
            (gradient,) = torch.autograd.grad(self(theta).row_log_prob(rows.x, rows.mask).sum(), theta)
        squared = torch.zeros(self.size).index_add(0, self.owner, gradient[0].square().mean(0))
        self.gain.mul_(squared.clamp(1e-4, 1e4).rsqrt()[self.owner])

    def baseline_log_prob(self, train: Rows, held_out: Rows) -> Tensor:
        """Log-probability of rows under the marginal distributions."""
        fresh = copy.deepcopy(self)
        fresh.start(train, torch.ones(self.size), torch.zeros(self.size))
        with torch.no_grad():
            value: Tensor = fresh(torch.zeros(1, len(held_out), self.outputs)).row_log_prob(held_out.x, held_out.mask)[0]
            return value
