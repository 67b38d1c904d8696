"""Distributions of codes: the posterior of each row, and priors.

A posterior has batch shape [B], a prior []; codes have d values. ``draw`` returns codes with their log-density, so that one
interface serves families whose density is known only at their own draws. Every draw is a function of standard normal noise: the
same noise gives the same codes (common random numbers), in every family.

They replace torch's classes, which check arguments and broadcast at every construction, at a higher cost than the arithmetic of
a small model. A prior may return any :class:`torch.distributions.Distribution`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor
from torch.distributions import Beta, Distribution, kl_divergence, register_kl

from latente.errors import ModelError
from latente.model.distributions import LOG_2PI, row_by_row
from latente.model.spaces import Ball, Grid, from_tangent, log_volume, moved, to_tangent
from latente.model.special import one_hot

SAME = 1e-4  # two different codes of a grid differ by more
ANGLES = 200  # steps of a tabulated angle
MANY = 64  # draws to estimate a standard deviation without a closed form


class Draw:
    """K codes for each of B rows.

    Attributes:
        z: the codes [K, B, d].
        aux: additional losses of the posterior, by name, [B] each; they are added to the objective's.
    """

    def __init__(self, z: Tensor, log_q: Callable[[], Tensor], aux: Mapping[str, Tensor] | None = None) -> None:
        self.z, self._log_q, self.aux = z, log_q, aux or {}

    @cached_property
    def log_q(self) -> Tensor:
        """Log-density of the codes, nats, [K, B]; computed when first used."""
        return self._log_q()


class CodeDistribution(Distribution):
    """Base class; a family defines ``code``, ``at`` and ``log_prob``.

    Attributes:
        parameters: its tensors, batch dimensions first.
        has_density: whether ``log_prob`` is defined; without a density there is no KL.
        is_free: whether any values of ``parameters`` are valid.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = True
    has_density = True
    is_free = False

    def __init__(self, *parameters: Tensor, event: int | None = None, batch: torch.Size | None = None) -> None:
        self.parameters = parameters
        shape = parameters[0].shape
        super().__init__(
            shape[:-1] if batch is None else batch, torch.Size((shape[-1] if event is None else event,)), validate_args=False
        )

    @property
    def code(self) -> Tensor:
        """The code of each row, [B, d]; deterministic."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The same as ``code``, for the interface of torch."""
        return self.code

    @property
    def noise_size(self) -> int:
        """Number of standard normal numbers per draw; 0 for a deterministic code."""
        return self.event_shape[0]

    @property
    def deviation(self) -> Tensor:
        """Standard deviations, [B, d]; without a closed form, estimated from draws with fixed noise."""
        noise = torch.randn(MANY, *self.batch_shape, self.noise_size, generator=torch.Generator().manual_seed(0))
        return self.at(noise.to(self.code)).std(0)

    def at(self, noise: Tensor) -> Tensor:
        """The codes [..., B, d] for standard normal ``noise`` [..., B, noise_size]."""
        raise NotImplementedError

    def draw(self, K: int = 1, noise: Tensor | None = None) -> Draw:
        """K codes for each row, from ``noise`` [K, B, noise_size] or from torch's generator."""
        z = self.rsample((K,)) if noise is None else self.at(noise)
        return Draw(z, lambda: self.log_prob(z))

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:  # type: ignore[override]
        """Reparametrised draws (Kingma and Welling 2014, eq. 4), [*sample_shape, B, d]."""
        like = self.parameters[0]
        shape = (*sample_shape, *self.batch_shape, self.noise_size)
        return self.at(torch.randn(shape, dtype=like.dtype, device=like.device))

    def pairs_log_prob(self, points: Tensor) -> Tensor:
        """Log-density of each point [M, d] under the distribution of each row, double precision, [M, B]."""
        return self.log_prob(points.unsqueeze(1)).double()

    def widened(self, observed: Tensor) -> Self:
        """The posterior widened for rows whose encoder input has only the share ``observed``, [B, 1]."""
        return self

    def detached(self) -> Self:
        """The same distributions; no gradient reaches their parameters."""
        return self._made(*(parameter.detach() for parameter in self.parameters))

    def __getitem__(self, rows: Tensor | slice) -> Self:
        """The distributions of some rows."""
        return self._made(*(parameter[rows] for parameter in self.parameters))

    def _made(self, *parameters: Tensor) -> Self:
        """Distributions of the same family."""
        return type(self)(*parameters)


class DiagonalNormal(CodeDistribution):
    """Normal distribution with independent dimensions, ``N(loc, diag(exp(log_variance)))``."""

    is_free = True

    def __init__(self, loc: Tensor, log_variance: Tensor) -> None:
        self.loc, self.log_variance = loc, log_variance
        super().__init__(loc, log_variance)

    @property
    def code(self) -> Tensor:
        return self.loc

    @property
    def deviation(self) -> Tensor:
        return torch.exp(0.5 * self.log_variance)

    def at(self, noise: Tensor) -> Tensor:
        loc, deviation = self.loc, self.deviation
        if noise.dim() > loc.dim():  # explicit, because otherwise autograd sums over K even if it is 1
            loc, deviation = loc.unsqueeze(0), deviation.unsqueeze(0)
        return loc + deviation * noise

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., B, d] to [..., B]."""
        return -0.5 * self._spread(value).sum(-1)

    def unit_log_prob(self, value: Tensor) -> Tensor:
        """Log-density of each dimension, [..., B, d]."""
        return -0.5 * self._spread(value)

    def _spread(self, value: Tensor) -> Tensor:
        standardised = (value - self.loc).square() * torch.exp(-self.log_variance)
        return standardised + self.log_variance + LOG_2PI

    def log_mixtures(self, z: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        """Mixtures over the rows of a batch, by matrix products.

        Args:
            z: codes [B, d]. log_weights: of each row in the mixture for each code, [B, B].

        Returns:
            log sum_j w_ij q(z_i|x_j), and sum_d log sum_j w_ij q(z_id|x_j), [B] each.
        """
        center = self.loc.detach().mean(0)
        loc, z, precision = self.loc - center, z - center, torch.exp(-self.log_variance)
        constant = -0.5 * (loc.square() * precision + self.log_variance + LOG_2PI)
        of_rows = torch.stack([constant, loc * precision, -0.5 * precision])
        of_codes = torch.stack([torch.ones_like(z), z, z.square()])
        joint = torch.addmm(log_weights, of_codes.transpose(0, 1).flatten(1), of_rows.transpose(0, 1).flatten(1).T)
        each = torch.baddbmm(log_weights.expand(z.shape[1], -1, -1), of_codes.permute(2, 1, 0), of_rows.permute(2, 0, 1))
        return torch.logsumexp(joint, 1), _log_sum_exp(each).sum(0)

    def pairs_log_prob(self, points: Tensor) -> Tensor:
        """As in the base class, by two matrix products."""
        center, log_variance = self.loc.double().mean(0), self.log_variance.double()
        loc, precision, z = self.loc.double() - center, (-log_variance).exp(), points.double() - center
        constant = (loc.square() * precision + log_variance + LOG_2PI).sum(1)
        return -0.5 * (z.square() @ precision.T - 2 * z @ (loc * precision).T + constant)

    def widened(self, observed: Tensor) -> DiagonalNormal:
        """Moved towards the prior's variance by the share of the row that is missing."""
        return DiagonalNormal(self.loc, self.log_variance * observed)


def _log_sum_exp(values: Tensor) -> Tensor:
    """Over the last dimension. Values far below the largest count as e^-80 of it: exp takes 50 times as long to give 0."""
    most = values.detach().amax(-1, keepdim=True)
    return (values - most).clamp_min(-80.0).exp().sum(-1).log() + most.squeeze(-1)


class StudentTCodes(CodeDistribution):
    """Multivariate Student-t: a normal with independent dimensions, whose scale is random and common to them.

    Args:
        loc, log_scale: [..., d]. df: degrees of freedom, a whole number from 3.
    """

    def __init__(self, loc: Tensor, log_scale: Tensor, df: int) -> None:
        self.loc, self.log_scale, self.df = loc, log_scale, df
        super().__init__(loc, log_scale)

    @property
    def code(self) -> Tensor:
        return self.loc

    @property
    def noise_size(self) -> int:
        return self.event_shape[0] + self.df

    @property
    def deviation(self) -> Tensor:
        return self.log_scale.exp() * math.sqrt(self.df / (self.df - 2))

    def at(self, noise: Tensor) -> Tensor:
        normal, others = torch.split(noise, [self.event_shape[0], self.df], -1)
        return self.loc + self.log_scale.exp() * normal * (self.df / others.square().sum(-1, keepdim=True)).sqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., B, d] to [..., B]."""
        d, df = self.event_shape[0], self.df
        squared = ((value - self.loc) * torch.exp(-self.log_scale)).square().sum(-1)
        constant = math.lgamma((df + d) / 2) - math.lgamma(df / 2) - d / 2 * math.log(math.pi * df)
        return constant - self.log_scale.sum(-1) - (df + d) / 2 * torch.log1p(squared / df)

    def widened(self, observed: Tensor) -> StudentTCodes:
        return self._made(self.loc, self.log_scale * observed)

    def _made(self, *parameters: Tensor) -> StudentTCodes:
        loc, log_scale = parameters
        return StudentTCodes(loc, log_scale, self.df)


class StandardNormal(CodeDistribution):
    """``N(0, I)`` over codes of ``d`` dimensions, in the precision and on the device of ``like``."""

    def __init__(self, like: Tensor, d: int) -> None:
        super().__init__(like, event=d, batch=torch.Size())

    def at(self, noise: Tensor) -> Tensor:
        return noise

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., d] to [...]."""
        return -0.5 * (value.square().sum(-1) + self.event_shape[0] * LOG_2PI)

    def unit_log_prob(self, value: Tensor) -> Tensor:
        """Log-density of each dimension, [..., d]."""
        return -0.5 * (value.square() + LOG_2PI)


class PointMass(CodeDistribution):
    """All mass on one code: the "posterior" of an autoencoder. It has no density."""

    has_density = False
    noise_size = 0

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(loc)

    @property
    def code(self) -> Tensor:
        return self.loc

    @property
    def deviation(self) -> Tensor:
        return torch.zeros_like(self.loc)

    def at(self, noise: Tensor) -> Tensor:
        return self.loc.expand(*noise.shape[:-2], *self.loc.shape)


class Mixture(CodeDistribution):
    """A mixture of S distributions of codes.

    Args:
        log_weights: of the components, [S].
        components: batch shape [S].
    """

    has_rsample = False

    def __init__(self, log_weights: Tensor, components: CodeDistribution) -> None:
        self.log_weights, self.components = log_weights, components
        super().__init__(log_weights, event=components.event_shape[0], batch=torch.Size())

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:  # type: ignore[override]
        """Draws, [*sample_shape, d]; no gradient goes through the choice of a component."""
        chosen = torch.multinomial(self.log_weights.exp(), math.prod(sample_shape), replacement=True)
        return self.components[chosen].rsample().view(*sample_shape, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., d] to [...]."""
        return torch.logsumexp(self.log_weights + self.components.log_prob(value.unsqueeze(-2)), -1)


class ChosenNormal(CodeDistribution):
    """For each row a component s by q(s|x), and a normal given it: ``logits`` [B, S], ``loc`` and ``log_variance`` [B, S, d].

    The component of a draw is the largest of the log-probabilities with Gumbel noise; its gradient is that of a softmax of them
    (Jang et al. 2017, straight through).
    """

    def __init__(self, logits: Tensor, loc: Tensor, log_variance: Tensor) -> None:
        self.log_weights, self.normals = torch.log_softmax(logits, -1), DiagonalNormal(loc, log_variance)
        super().__init__(logits, loc, log_variance, event=loc.shape[-1])

    @property
    def code(self) -> Tensor:
        return self._of(one_hot(self.log_weights.argmax(-1), self.log_weights.shape[-1], self.log_weights))

    def _of(self, chosen: Tensor, noise: Tensor | None = None) -> Tensor:
        """With the components that are ``chosen``, one-hot [..., B, S]."""
        each = self.normals.loc if noise is None else self.normals.loc + self.normals.deviation * noise.unsqueeze(-2)
        return (chosen.unsqueeze(-1) * each).sum(-2)

    @property
    def noise_size(self) -> int:
        return self.log_weights.shape[-1] + self.event_shape[0]

    def at(self, noise: Tensor) -> Tensor:
        count = self.log_weights.shape[-1]
        uniform = torch.special.ndtr(noise[..., :count]).clamp(1e-6, 1 - 1e-6)
        soft = torch.softmax(self.log_weights - torch.log(-torch.log(uniform)), -1)
        hard = one_hot(soft.argmax(-1), count, soft)
        return self._of(hard + soft - soft.detach(), noise[..., count:])

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., B, d] to [..., B]."""
        return torch.logsumexp(self.log_weights + self.normals.log_prob(value.unsqueeze(-2)), -1)


class NormalMixture(Mixture):
    """A mixture of S normals with independent dimensions: ``logits`` [S], ``loc`` and ``log_variance`` [S, d]."""

    components: DiagonalNormal

    def __init__(self, logits: Tensor, loc: Tensor, log_variance: Tensor) -> None:
        super().__init__(torch.log_softmax(logits, 0), DiagonalNormal(loc, log_variance))


class PowerSpherical(CodeDistribution):
    """Density on the unit sphere proportional to (1 + loc'z)^scale (De Cao and Aziz 2020); ``loc`` [B, d], ``scale`` [B, 1]."""

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale
        super().__init__(loc, scale)

    @property
    def code(self) -> Tensor:
        return self.loc

    @property
    def _shape(self) -> tuple[Tensor, Tensor]:
        """alpha and beta of the beta distribution of (1 + loc'z) / 2, both [B, 1]."""
        beta = torch.full_like(self.scale, (self.loc.shape[-1] - 1) / 2)
        return self.scale + beta, beta

    def at(self, noise: Tensor) -> Tensor:
        """The first number of the noise decides the distance of the code from ``loc``, the others the direction."""
        alpha, beta = (value.detach().double().numpy() for value in self._shape)
        uniform = torch.special.ndtr(noise[..., :1].double()).clamp(1e-9, 1 - 1e-9)
        quantile = betaincinv(alpha, beta, uniform.numpy())
        return self._placed(torch.as_tensor(quantile).to(self.loc), noise[..., 1:])

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:  # type: ignore[override]
        """Reparametrised draws, [*sample_shape, B, d]."""
        near = Beta(*self._shape, validate_args=False).rsample(torch.Size(sample_shape))
        return self._placed(near, torch.randn(*near.shape[:-1], self.loc.shape[-1] - 1, dtype=near.dtype, device=near.device))

    def _placed(self, near: Tensor, direction: Tensor) -> Tensor:
        """Codes with (1 + loc'z) / 2 equal to ``near`` [..., B, 1]: around the first axis, then reflected to ``loc``."""
        cosine = 2 * near - 1
        about = torch.cat([cosine, (1 - cosine.square()).clamp_min(1e-12).sqrt() * F.normalize(direction, dim=-1)], -1)
        first = torch.zeros_like(self.loc).index_fill(-1, torch.zeros(1, dtype=torch.long, device=self.loc.device), 1.0)
        mirror = F.normalize(first - self.loc, dim=-1)
        return about - 2 * (about * mirror).sum(-1, keepdim=True) * mirror

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density on the sphere in nats, [..., B, d] to [..., B]."""
        near = torch.log1p((value * self.loc).sum(-1).clamp_min(-1 + 1e-6))
        return self.scale.squeeze(-1) * near + self._log_normaliser

    @property
    def _log_normaliser(self) -> Tensor:
        alpha, beta = (value.squeeze(-1) for value in self._shape)
        log_two_pi = (alpha + beta) * math.log(2.0) + beta * math.log(math.pi)
        return torch.lgamma(alpha + beta) - torch.lgamma(alpha) - log_two_pi

    @property
    def negative_entropy(self) -> Tensor:
        """E log q, [B]."""
        alpha, beta = (value.squeeze(-1) for value in self._shape)
        near = math.log(2.0) + torch.digamma(alpha) - torch.digamma(alpha + beta)
        return self._log_normaliser + self.scale.squeeze(-1) * near

    def widened(self, observed: Tensor) -> PowerSpherical:
        return self._made(self.loc, self.scale * observed)


class VonMisesFisher(PowerSpherical):
    """Density on the unit sphere proportional to exp(scale loc'z) (Davidson et al. 2018); ``loc`` [B, d], ``scale`` [B, 1].

    The angle a between z and loc has a density proportional to exp(scale cos a) sin^(d-2) a. It is tabulated, so that neither
    Bessel functions nor rejections are needed, and draws have gradients.
    """

    @cached_property
    def _table(self) -> tuple[Tensor, Tensor, Tensor]:
        """Width of a step of the angle [B, 1], logarithm of the integral over all [B], and probability of each step [B, G]."""
        d = self.loc.shape[-1]
        reach = 0.5 * math.pi * ((d + 10 * math.sqrt(2 * d) + 40) / self.scale.detach()).sqrt()
        step = reach.clamp_max(math.pi) / ANGLES
        angle = step * self._middles
        log_mass = self.scale * torch.cos(angle) + (d - 2) * torch.log(torch.sin(angle)) + step.log()
        return step, torch.logsumexp(log_mass, 1), torch.softmax(log_mass, 1)

    @property
    def _middles(self) -> Tensor:
        return torch.arange(ANGLES, dtype=self.loc.dtype, device=self.loc.device) + 0.5

    def at(self, noise: Tensor) -> Tensor:
        """The first number of the noise decides the angle to ``loc``, the others the direction."""
        step, _, mass = self._table
        u = torch.special.ndtr(noise[..., 0]).flatten(0, -2).T if noise.dim() > 2 else torch.special.ndtr(noise[..., :1])
        below = mass.cumsum(1)
        place = torch.searchsorted(below.detach(), u.contiguous()).clamp_max(ANGLES - 1)
        own = mass.gather(1, place)
        share = ((u - below.gather(1, place) + own) / own.clamp_min(1e-30)).clamp(0, 1)
        angle = (step * (place + share)).T.reshape(*noise.shape[:-1], 1)
        return self._placed(0.5 * (1 + torch.cos(angle)), noise[..., 1:])

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:  # type: ignore[override]
        """Reparametrised draws, [*sample_shape, B, d]."""
        return CodeDistribution.rsample(self, sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density on the sphere in nats, [..., B, d] to [..., B]."""
        return self.scale.squeeze(-1) * (value * self.loc).sum(-1) + self._log_normaliser

    @property
    def _log_normaliser(self) -> Tensor:
        half = (self.loc.shape[-1] - 1) / 2
        return -self._table[1] - math.log(2.0) - half * math.log(math.pi) + math.lgamma(half)

    @property
    def negative_entropy(self) -> Tensor:
        step, _, mass = self._table
        return self.scale.squeeze(-1) * (mass * torch.cos(step * self._middles)).sum(1) + self._log_normaliser


class WrappedNormal(CodeDistribution):
    """A normal of the tangent space at the centre of a ball, wrapped onto it and moved to ``loc`` (Nagano et al. 2019; Mathieu
    et al. 2019); ``loc`` and ``log_scale`` [..., d]. Densities are by hyperbolic volume.
    """

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        self.loc, self.log_scale = loc, log_scale
        super().__init__(loc, log_scale)

    @property
    def code(self) -> Tensor:
        return self.loc

    def at(self, noise: Tensor) -> Tensor:
        return Ball(self.event_shape[0]).project(moved(self.loc, from_tangent(self.log_scale.exp() * noise)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., B, d] to [..., B]."""
        v = to_tangent(moved(-self.loc, value))
        normal = -0.5 * (v * torch.exp(-self.log_scale)).square() - self.log_scale - 0.5 * LOG_2PI
        return normal.sum(-1) - log_volume(v)

    def widened(self, observed: Tensor) -> WrappedNormal:
        return WrappedNormal(self.loc, self.log_scale * observed)


class UniformSphere(CodeDistribution):
    """The uniform distribution on the unit sphere of ``R^d``."""

    def __init__(self, like: Tensor, d: int) -> None:
        super().__init__(like, event=d, batch=torch.Size())

    def at(self, noise: Tensor) -> Tensor:
        return F.normalize(noise, dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., d] to [...]: minus the logarithm of the surface."""
        half = self.event_shape[0] / 2
        return value.new_full(value.shape[:-1], math.lgamma(half) - math.log(2.0) - half * math.log(math.pi))


class GridPoint(PointMass):
    """All mass on one of finitely many codes; probabilities instead of densities.

    Args:
        loc: the codes, [B, d]. losses: returned by draws as ``aux``.
    """

    has_density = True

    def __init__(self, loc: Tensor, losses: Mapping[str, Tensor] | None = None) -> None:
        super().__init__(loc)
        self.losses = losses

    def draw(self, K: int = 1, noise: Tensor | None = None) -> Draw:
        z = self.loc.expand(K, *self.loc.shape)
        return Draw(z, lambda: z.new_zeros(z.shape[:-1]), self.losses)

    def log_prob(self, value: Tensor) -> Tensor:
        """0 at the code and -inf elsewhere, [..., B, d] to [..., B]."""
        here = (value - self.loc).abs().amax(-1) < SAME
        return torch.zeros_like(here, dtype=self.loc.dtype).masked_fill(~here, -math.inf)


class UniformGrid(CodeDistribution):
    """The uniform distribution over the codes of a grid."""

    def __init__(self, space: Grid) -> None:
        self.space = space
        super().__init__(space.points, event=space.d, batch=torch.Size())

    def rsample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:  # type: ignore[override]
        """Draws, [*sample_shape, d]."""
        codes, size = self.space.points.shape
        return self.space.of_symbols(torch.randint(codes, (*sample_shape, self.space.d // size)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability in nats, [..., d] to [...]."""
        return value.new_full(value.shape[:-1], -self.space.log_count)


def _for_each_row(value: Tensor, batch: torch.Size) -> Tensor:
    """Codes [..., B, d] of points that may stand for all B rows."""
    return value + value.new_zeros(*batch, 1)


class Flowed(CodeDistribution):
    """A normal followed by autoregressive transforms that depend on a context: a draw takes one pass, the density of any other
    code d passes (inverse autoregressive flow, Kingma et al. 2016).

    Args:
        base: the normal. context: for each row, [B, c]. transforms: lazy transforms of :mod:`zuko`.
    """

    def __init__(self, base: DiagonalNormal, context: Tensor, transforms: Sequence[Any]) -> None:
        self.base, self.context, self.transforms = base, context, transforms
        super().__init__(*base.parameters)

    @property
    def code(self) -> Tensor:
        return self.at(torch.zeros_like(self.base.loc))

    def at(self, noise: Tensor) -> Tensor:
        return self._pushed(noise)[0]

    def draw(self, K: int = 1, noise: Tensor | None = None) -> Draw:
        like = self.base.loc
        noise = torch.randn(K, *like.shape, dtype=like.dtype, device=like.device) if noise is None else noise
        z, log_q = self._pushed(noise)
        return Draw(z, lambda: log_q)

    def _pushed(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        z = self.base.at(noise)
        log_q = self.base.log_prob(z)
        for transform in self.transforms:
            z, log_scale = transform(self.context).call_and_ladj(z)
            log_q = log_q - log_scale
        return z, log_q

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., B, d] to [..., B]."""
        log_q, value = value.new_zeros(()), _for_each_row(value, self.base.loc.shape[:-1])
        for transform in reversed(self.transforms):
            value, log_scale = transform(self.context).inv.call_and_ladj(value)
            log_q = log_q + log_scale
        return log_q + self.base.log_prob(value)

    def detached(self) -> Flowed:
        raise ModelError("the density of a flow has parameters beside those of each row: choose gradient='standard'")

    def widened(self, observed: Tensor) -> Flowed:
        return Flowed(self.base.widened(observed), self.context, self.transforms)

    def __getitem__(self, rows: Tensor | slice) -> Flowed:
        return Flowed(self.base[rows], self.context[rows], self.transforms)


class TopDown(CodeDistribution):
    """Groups of dimensions, each a normal given the row and the groups above it.

    Args:
        h: features, [B, H]. levels: networks from features and the codes above, one for each group of ``sizes`` dimensions.
    """

    def __init__(self, h: Tensor, levels: Sequence[Callable[[Tensor], DiagonalNormal]], sizes: Sequence[int]) -> None:
        self.h, self.levels, self.sizes = h, levels, sizes
        super().__init__(h, event=sum(sizes))

    @property
    def code(self) -> Tensor:
        return self.at(torch.zeros_like(self.h[:, :1]).expand(-1, self.noise_size))

    def _level(self, number: int, above: Tensor) -> DiagonalNormal:
        """Given codes above it, [..., B, a]."""
        return self.levels[number](torch.cat([self.h.expand(*above.shape[:-2], *self.h.shape), above], -1))

    def at(self, noise: Tensor) -> Tensor:
        z = noise[..., :0]
        for number, own in enumerate(torch.split(noise, list(self.sizes), -1)):
            z = torch.cat([z, self._level(number, z).at(own)], -1)
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., B, d] to [..., B]."""
        value = _for_each_row(value, self.batch_shape)
        each, above = [], 0
        for number, own in enumerate(torch.split(value, list(self.sizes), -1)):
            each.append(self._level(number, value[..., :above]).log_prob(own))
            above += own.shape[-1]
        return torch.stack(each).sum(0)

    def rate_of_levels(self, z: Tensor) -> Tensor:
        """KL to N(0, I) in closed form level by level, given draws [K, B, d] of the levels above, [B]: it varies less than the
        mean of log q - log p.
        """
        rates, above = [], 0
        for number, size in enumerate(self.sizes):
            level = self._level(number, z[..., :above])
            rates.append(0.5 * (level.loc.square() + level.log_variance.exp() - level.log_variance - 1).sum(-1).mean(0))
            above += size
        return torch.stack(rates).sum(0)

    def detached(self) -> TopDown:
        raise ModelError("the levels of a posterior have parameters beside those of each row: choose gradient='standard'")

    def _made(self, *parameters: Tensor) -> TopDown:
        return TopDown(parameters[0], self.levels, self.sizes)


def rate(q: CodeDistribution, p: Distribution | None, draw: Draw) -> Tensor:
    """KL(q || p) in nats, [B]: in closed form if torch's registry has one, otherwise the mean of log q - log p over a draw.
    0 if codes have no density or there is no prior.

    Near N(0, I), such as with a flow as the prior, the part of the KL that N(0, I) has is in closed form: after 3,000 steps on
    binarised MNIST -log p is 124.7 nats so. A mixture of posteriors (VampPrior) is nearer to q itself: it has 128.6 nats with
    the plain mean, and 139.6 with that part in closed form.
    """
    if p is None or not q.has_density:
        return draw.z.new_zeros(draw.z.shape[1])
    if isinstance(q, TopDown) and isinstance(p, StandardNormal):
        return q.rate_of_levels(draw.z)
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        pass
    if isinstance(q, DiagonalNormal) and getattr(p, "near_standard", False):  # the rest varies less than log q - log p
        standard = StandardNormal(q.loc, q.event_shape[0])
        return kl_divergence(q, standard) + (standard.log_prob(draw.z) - p.log_prob(draw.z)).mean(0)
    return (draw.log_q - p.log_prob(draw.z)).mean(0)


def unit_rate(q: CodeDistribution, p: Distribution | None) -> Tensor | None:
    """KL(q || p) of each dimension, [B, d]; None if dimensions are not independent in both."""
    if not (isinstance(q, DiagonalNormal) and isinstance(p, StandardNormal)):
        return None
    return 0.5 * (q.loc.square() + q.log_variance.exp() - q.log_variance - 1)


@register_kl(DiagonalNormal, NormalMixture)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_diagonal_mixture(q: DiagonalNormal, p: NormalMixture) -> Tensor:
    """-log sum_s p(s) exp(-KL(q || p_s)), [B]: an upper bound of KL(q || p) (Hershey and Olsen 2007), and the exact rate of
    q(z|x) with the best q(s|x) if the component s is a part of the code.
    """
    loc, log_variance = q.loc.unsqueeze(1), q.log_variance.unsqueeze(1)
    difference = log_variance - p.components.log_variance
    distance = (loc - p.components.loc).square() * torch.exp(-p.components.log_variance)
    each = 0.5 * (difference.exp() - difference - 1 + distance).sum(-1)
    return -torch.logsumexp(p.log_weights - each, 1)


@register_kl(ChosenNormal, NormalMixture)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_chosen_mixture(q: ChosenNormal, p: NormalMixture) -> Tensor:
    """KL(q(s|x) || p(s)) + sum_s q(s|x) KL(q(z|x, s) || p(z|s)), [B] (Nazábal et al. 2020, eq. 8)."""
    if q.log_weights.shape[-1] != len(p.log_weights):
        raise NotImplementedError
    each = q.log_weights - p.log_weights + kl_divergence(q.normals, p.components)
    return (q.log_weights.exp() * each).sum(-1)


@register_kl(PowerSpherical, UniformSphere)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_power_spherical(q: PowerSpherical, p: UniformSphere) -> Tensor:
    """KL to the uniform distribution, whose density is constant, [B]."""
    return q.negative_entropy - p.log_prob(q.loc)


@register_kl(GridPoint, UniformGrid)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_grid(q: GridPoint, p: UniformGrid) -> Tensor:
    """The logarithm of the number of codes, [B]: the upper bound of their information."""
    return -p.log_prob(q.loc)


@register_kl(DiagonalNormal, DiagonalNormal)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_diagonal_diagonal(q: DiagonalNormal, p: DiagonalNormal) -> Tensor:
    """KL between two normals with independent dimensions, [B]."""
    difference = q.log_variance - p.log_variance
    distance = (q.loc - p.loc).square() * torch.exp(-p.log_variance)
    return 0.5 * (difference.exp() - difference - 1 + distance).sum(-1)


@register_kl(DiagonalNormal, StandardNormal)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_diagonal_standard(q: DiagonalNormal, p: StandardNormal) -> Tensor:
    """KL(q || N(0, I)) in closed form (Kingma and Welling 2014, appendix B), [B]."""
    if row_by_row():
        return 0.5 * (q.loc.square() + torch.expm1(q.log_variance) - q.log_variance).sum(-1)
    return _RateOfNormal.apply(q.loc, q.log_variance)  # type: ignore[no-any-return, no-untyped-call]


class _RateOfNormal(torch.autograd.Function):
    """KL(N(mu, v) || N(0, I)), with derivatives mu and (v - 1) / 2 (in log v): fewer operations than autograd needs."""

    @staticmethod
    def forward(ctx: Any, loc: Tensor, log_variance: Tensor) -> Tensor:
        excess = torch.expm1(log_variance)
        ctx.save_for_backward(loc, excess)
        return (loc * loc).add_(excess).sub_(log_variance).sum(-1).mul_(0.5)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        loc, excess = ctx.saved_tensors
        g = gradient.unsqueeze(-1)
        return loc * g, excess * (0.5 * g)
