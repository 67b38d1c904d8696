"""Priors of codes along time: d numbers are the values of some processes at equally spaced times of a window (its knots)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, register_kl

from latente.model.codes import CodeDistribution, DiagonalNormal
from latente.model.distributions import LOG_2PI
from latente.model.parts import register
from latente.model.priors import Prior

JITTER = 1e-2  # added to the variance of a process, so that its covariance can be inverted
SHORTEST, LONGEST = 0.1, 0.5  # of the initial length scales, in windows


def processes_and_knots(latent_dim: int, processes: int) -> tuple[int, int]:
    """How many processes share a code, at most as many as asked for, and how many knots each has.

    >>> processes_and_knots(12, 2), processes_and_knots(7, 2)
    ((2, 6), (1, 7))
    """
    found = next(number for number in range(max(1, processes), 0, -1) if latent_dim % number == 0)
    return found, latent_dim // found


class NormalPaths(CodeDistribution):
    """Independent processes of zero mean, each a multivariate normal over its knots.

    Args:
        factor: lower triangular factors of their covariances, [m, k, k].
    """

    def __init__(self, factor: Tensor) -> None:
        super().__init__(factor, event=factor.shape[0] * factor.shape[1], batch=torch.Size())
        self.factor = factor

    def at(self, noise: Tensor) -> Tensor:
        return (self.factor @ self._paths(noise)).squeeze(-1).flatten(-2)

    def _paths(self, codes: Tensor) -> Tensor:
        """Codes [..., d] as processes, [..., m, k, 1]."""
        return codes.reshape(*codes.shape[:-1], *self.factor.shape[:2], 1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., d] to [...]."""
        white = torch.linalg.solve_triangular(self.factor.to(value.dtype), self._paths(value), upper=False)
        squares: Tensor = white.square().sum((-3, -2, -1))
        return -0.5 * (squares + value.shape[-1] * LOG_2PI) - self.log_volume

    @property
    def log_volume(self) -> Tensor:
        """Half of the log-determinant of all covariances."""
        return self.factor.diagonal(dim1=-2, dim2=-1).log().sum()


@register_kl(DiagonalNormal, NormalPaths)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_diagonal_paths(q: DiagonalNormal, p: NormalPaths) -> Tensor:
    """KL of a normal with independent dimensions, [B]."""
    precision = torch.cholesky_inverse(p.factor).diagonal(dim1=-2, dim2=-1).flatten()
    spread = 0.5 * (precision * q.log_variance.exp() - q.log_variance - 1 - LOG_2PI).sum(-1)
    return spread - p.log_prob(q.loc)


@register
class GaussianProcessPrior(Prior):
    """Gaussian processes with a Cauchy kernel, whose length scales are learned (Fortuin et al. 2020).

    Args:
        latent_dim: d. processes: how many share the code, at most.
    """

    name = "gaussian-process"
    distance: Tensor

    def __init__(self, latent_dim: int, processes: int = 2) -> None:
        super().__init__()
        found, knots = processes_and_knots(latent_dim, processes)
        times = torch.linspace(0, 1, knots)
        self.register_buffer("distance", (times - times.unsqueeze(1)).square(), persistent=False)
        self.log_scale = nn.Parameter(torch.linspace(SHORTEST, LONGEST, found).log())

    def forward(self, model: object, context: Tensor | None = None) -> Distribution:
        scale = self.log_scale.clamp(-4.0, 2.0).exp().view(-1, 1, 1)
        covariance = 1 / (1 + self.distance / scale.square()) + JITTER * torch.eye(len(self.distance)).to(scale)
        return NormalPaths(torch.linalg.cholesky(covariance))

    def sample(self, n: int) -> Tensor:
        drawn: Tensor = self(None).sample((n,))
        return drawn

    def log_prob(self, z: Tensor) -> Tensor:
        value: Tensor = self(None).log_prob(z)
        return value


@register
class RecurrentPrior(Prior):
    """p(z) = prod_t p(z_t | z_1 … z_(t-1)): normals whose mean and variance a GRU gives (Chung et al. 2015).

    Args:
        latent_dim: d. processes: numbers of a step of the code, at most. width: of the network.
    """

    name = "recurrent-normal"

    def __init__(self, latent_dim: int, processes: int = 2, width: int = 32) -> None:
        super().__init__()
        self.shape = processes_and_knots(latent_dim, processes)
        self.recurrent, self.head = nn.GRU(self.shape[0], width), nn.Linear(width, 2 * self.shape[0])
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def _moments(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the next step."""
        loc, log_variance = self.head(states).chunk(2, -1)
        return loc, log_variance.clamp(-12.0, 4.0)

    def log_prob(self, z: Tensor) -> Tensor:
        paths = z.reshape(-1, *self.shape).permute(2, 0, 1).to(self.head.weight.dtype)  # knots, N, processes
        before = torch.cat([torch.zeros_like(paths[:1]), paths[:-1]])
        loc, log_variance = self._moments(self.recurrent(before)[0])
        each = (paths - loc).square() * torch.exp(-log_variance) + log_variance + LOG_2PI
        return -0.5 * each.sum((0, 2)).view(z.shape[:-1])

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        weight = self.head.weight
        step, state, found = weight.new_zeros(1, n, self.shape[0]), None, []
        for _ in range(self.shape[1]):
            states, state = self.recurrent(step, state)
            loc, log_variance = self._moments(states)
            step = loc + torch.exp(log_variance / 2) * torch.randn_like(loc)
            found.append(step[0])
        return torch.stack(found, -1).flatten(1)
