"""Continuity K: whether a point near a row's code decodes as close to the row as the nearest real row is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from latente.certificate.estimates import LEAST_CONTRAST, LEAST_ROWS, Array, Estimate, bootstrapped, too_few, unknown
from latente.model.laws import factor, whitened
from latente.words import Message

RHO = 0.9
CURVE = (0.95, 0.8)  # beside it


@dataclass(frozen=True)
class Moments:
    """Mean [d] and Cholesky factor [d, d] of the covariance of codes, in double precision."""

    mean: Tensor
    cholesky: Tensor

    @classmethod
    def of(cls, z: Tensor) -> Moments:
        """Of codes [N, d], N from 2."""
        z = z.double()
        return cls(z.mean(0), factor(z))

    def draw(self, n: int) -> Tensor:
        """Codes [n, d] of the normal law with these moments: the simple law that is the same for every model."""
        return self._placed(torch.randn(n, len(self.mean), dtype=torch.float64))

    def whitened(self, z: Tensor) -> Tensor:
        """Codes [N, d] as they are where these moments are 0 and I."""
        return whitened(z, self.mean, self.cholesky)

    def neighbours(self, z: Tensor, rho: float = RHO) -> Tensor:
        """z' = m + L (rho L^-1 (z - m) + sqrt(1 - rho^2) eps), [N, d]: as the moments stay, "near" has no scale."""
        white = self.whitened(z)
        return self._placed(rho * white + math.sqrt(1 - rho * rho) * torch.randn_like(white))

    def _placed(self, white: Tensor) -> Tensor:
        placed: Tensor = self.mean + white @ self.cholesky.T
        return placed.float()


def squared(a: Array, b: Array) -> Array:
    """Squared distances of rows in φ, [N, p] to [N]."""
    return np.asarray(np.square(a - b).sum(1))


@dataclass(frozen=True)
class Closeness:
    """How close real rows come to held-out ones: squared distances to the nearest, and to any, both [n]."""

    nearest: Array
    other: Array

    @classmethod
    def between(cls, held_out: Array, train: Array) -> Closeness:
        """From rows in φ, [n, p] and [m, p]. "Any" is the mean over all: the expectation, without a draw."""
        nearest = NearestNeighbors(n_neighbors=1).fit(train).kneighbors(held_out)[0][:, 0]
        other = squared(held_out, train.mean(0)[None]) + train.var(0).sum()
        return cls(np.square(nearest), other)

    @property
    def share(self) -> float:
        """1 - E nearest / E other: how much closer the nearest row is than any."""
        other = float(self.other.mean())
        return 1 - float(self.nearest.mean()) / other if other > 0 else 0.0


def continuity(near: Array, far: Array, real: Closeness, seed: int = 0) -> Estimate:
    """K = clip{[1 - E near / E far] / [1 - E nearest / E other], 0, 1}, with a bootstrap interval over rows.

    Args:
        near: squared distance in φ of each held-out row to what a neighbour of its code decodes to, [n].
        far: the same for another row's code.
        real: what real rows reach.
        seed: of the bootstrap.
    """
    if len(near) < LEAST_ROWS:
        return too_few(len(near))
    if real.share < LEAST_CONTRAST:
        return unknown(Message("reason.no_neighbours", contrast=real.share))

    def ratio(means: Array) -> Array:
        return np.asarray((1 - means[0] / means[1]) / (1 - means[2] / means[3]))

    return bootstrapped(ratio, np.stack([near, far, real.nearest, real.other]), seed=seed).clipped()
