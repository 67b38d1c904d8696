"""Latent spaces: the shape of a code, paths, neighbours, and the operations that a space supports.

A code is passed as d values, [..., d]; the space defines which points are codes (``project``), the path between two codes
(``path``), which priors can be fitted (``kind``), and which measures are defined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.words import Message


def factor(z: Tensor) -> Tensor:
    """Cholesky factor [d, d] of the covariance of codes [N, d], N at least 2; a small ridge avoids divisions by 0 for unused
    directions.
    """
    covariance = torch.cov(z.T).reshape(z.shape[1], z.shape[1])
    ridge = 1e-9 * covariance.diagonal().mean().clamp_min(1e-12)
    lower: Tensor = torch.linalg.cholesky(covariance + ridge * torch.eye(z.shape[1], dtype=z.dtype))
    return lower


def whitened(z: Tensor, center: Tensor, cholesky: Tensor) -> Tensor:
    """L^-1 (z - m) of codes [N, d]; mean 0 and covariance I if ``center`` and ``cholesky`` are those of z."""
    white: Tensor = torch.linalg.solve_triangular(cholesky, (z.to(cholesky.dtype) - center).T, upper=False).T
    return white


@dataclass(frozen=True)
class LatentSpace:
    """Base class, with the properties of a Euclidean space.

    Attributes:
        d: number of values of a code.
        kind: kind of space, for the priors that can be fitted (``Prior.spaces``).
        not_continuous: why there are no codes between two others; empty for a continuous space.
        not_explored: why the explorer can't show it; empty if it can.
    """

    d: int
    kind: ClassVar[str] = "euclidean"
    not_continuous: ClassVar[str] = ""
    not_explored: ClassVar[str] = ""

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes for constructors of priors."""
        return {"latent_dim": self.d}

    @property
    def dimensions(self) -> int:
        """Dimension of the space, which is less than d if codes lie on a surface."""
        return self.d

    def project(self, z: Tensor) -> Tensor:
        """The codes nearest to points [..., d]."""
        return z

    def path(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """The shortest path between two codes [1, d], both ends included, [steps, d]."""
        return self.project(torch.lerp(a, b, torch.linspace(0, 1, steps).unsqueeze(1)))

    def moments(self, z: Tensor) -> Moments:
        """A simple distribution with the moments of codes [N, d], of the same family for every model."""
        z = z.double()
        return Moments(self, z.mean(0), factor(z))

    def drop_units(self, model: nn.Module, units: Tensor) -> bool:
        """Drop all units of a model's code but these; False if its parts or the space do not allow it."""
        return False


class Euclidean(LatentSpace):
    """R^d."""

    def drop_units(self, model: nn.Module, units: Tensor) -> bool:
        parts = [getattr(model, role) for role in ("posterior", "prior", "decoder")]
        selects = [getattr(part, "select_units", None) for part in parts]
        if not all(selects):
            return False
        of_context = torch.arange(self.d, self.d + int(getattr(model, "context_size", 0)), device=units.device)
        for part, select in zip(parts, selects, strict=True):
            select(torch.cat([units, of_context]) if part is model.decoder else units)  # type: ignore[misc]
        return True


class Sphere(LatentSpace):
    """The unit sphere of R^d."""

    kind = "sphere"
    not_explored = "the explorer shows planes of codes, and these codes lie on a sphere"

    @property
    def dimensions(self) -> int:
        return self.d - 1

    def project(self, z: Tensor) -> Tensor:
        return F.normalize(z, dim=-1)

    def path(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """Along the great circle, at constant speed (Shoemake 1985)."""
        angle = torch.arccos((a * b).sum(-1, keepdim=True).clamp(-1, 1)).clamp(1e-3, math.pi - 1e-3)
        share = torch.linspace(0, 1, steps).unsqueeze(1)
        return self.project((torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle))


@dataclass(frozen=True, eq=False)
class Grid(LatentSpace):
    """Codes of d / s symbols, each one of ``points`` [C, s]."""

    points: Tensor
    kind = "grid"
    not_continuous = Message("reason.not_continuous")
    not_explored = "the explorer shows planes of codes, and these codes are symbols"

    @property
    def sizes(self) -> dict[str, int]:
        codes, size = self.points.shape
        return {"latent_dim": self.d, "codes": codes, "size": size}

    @property
    def log_count(self) -> float:
        """Logarithm of the number of codes: the upper bound of the information in one, nats."""
        codes, size = self.points.shape
        return self.d // size * math.log(codes)

    def symbols(self, z: Tensor) -> Tensor:
        """Index of the nearest point for each symbol, [..., d] to [..., d / s]."""
        parts = z.reshape(-1, self.points.shape[1])
        return torch.cdist(parts, self.points.to(z)).argmin(-1).view(*z.shape[:-1], -1)

    def of_symbols(self, symbols: Tensor) -> Tensor:
        """The inverse of :meth:`symbols`."""
        return self.points.index_select(0, symbols.flatten()).view(*symbols.shape[:-1], -1)

    def project(self, z: Tensor) -> Tensor:
        return self.of_symbols(self.symbols(z)).to(z)


@dataclass(frozen=True)
class Moments:
    """The normal distribution with the moments of codes, projected on their space: mean [d] and Cholesky factor [d, d] of the
    covariance, in double precision.
    """

    space: LatentSpace
    mean: Tensor
    cholesky: Tensor

    def draw(self, n: int) -> Tensor:
        """Codes [n, d]."""
        return self.placed(torch.randn(n, len(self.mean), dtype=torch.float64))

    def whitened(self, z: Tensor) -> Tensor:
        """Codes [N, d] transformed so that these moments become 0 and I."""
        return whitened(z, self.mean, self.cholesky)

    def neighbours(self, z: Tensor, rho: float = 0.9) -> Tensor:
        """z' = m + L (rho L^-1 (z - m) + sqrt(1 - rho^2) eps), [N, d]: keeps the moments, so that distances are relative to
        them.
        """
        white = self.whitened(z)
        return self.placed(rho * white + math.sqrt(1 - rho * rho) * torch.randn_like(white))

    def placed(self, white: Tensor) -> Tensor:
        """The inverse of :meth:`whitened`, [N, d]."""
        return self.space.project((self.mean + white @ self.cholesky.T).float())
