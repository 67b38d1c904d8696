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

from latente.model.distributions import LOG_2PI
from latente.model.spaces import Grid

SAME = 1e-4  # two different codes of a grid differ by more
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

    def __getitem__(self, rows: Tensor | slice) -> Self:
        """The distributions of some rows."""
        return type(self)(*(parameter[rows] for parameter in self.parameters))


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

    def pairs_log_prob(self, points: Tensor) -> Tensor:
        """As in the base class, by two matrix products."""
        center, log_variance = self.loc.double().mean(0), self.log_variance.double()
        loc, precision, z = self.loc.double() - center, (-log_variance).exp(), points.double() - center
        constant = (loc.square() * precision + log_variance + LOG_2PI).sum(1)
        return -0.5 * (z.square() @ precision.T - 2 * z @ (loc * precision).T + constant)

    def widened(self, observed: Tensor) -> DiagonalNormal:
        """Moved towards the prior's variance by the share of the row that is missing."""
        return DiagonalNormal(self.loc, self.log_variance * observed)


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
        return PowerSpherical(self.loc, self.scale * observed)


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
        log_q = value.new_zeros(())
        for transform in reversed(self.transforms):
            value, log_scale = transform(self.context).inv.call_and_ladj(value)
            log_q = log_q + log_scale
        return log_q + self.base.log_prob(value)

    def widened(self, observed: Tensor) -> Flowed:
        return Flowed(self.base.widened(observed), self.context, self.transforms)

    def __getitem__(self, rows: Tensor | slice) -> Flowed:
        return Flowed(self.base[rows], self.context[rows], self.transforms)


def rate(q: CodeDistribution, p: Distribution | None, draw: Draw) -> Tensor:
    """KL(q || p) in nats, [B]: in closed form if torch's registry has one, otherwise the mean of log q - log p over a draw.
    0 if codes have no density or there is no prior.
    """
    if p is None or not q.has_density:
        return draw.z.new_zeros(draw.z.shape[1])
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
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
