"""Continuity K: whether codes near the code of a row decode to rows as close to it as the nearest real row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from latente.certificate.estimates import MIN_CONTRAST, MIN_ROWS, Array, Estimate, bootstrapped, too_few, unknown
from latente.words import Message

RHO = 0.9
CURVE = (0.95, 0.8)  # further values of rho that are reported


def squared(a: Array, b: Array) -> Array:
    """Squared distances of rows in φ, [N, p] to [N]."""
    return np.asarray(np.square(a - b).sum(1))


@dataclass(frozen=True)
class Closeness:
    """Squared distances of held-out rows to the nearest real row, and to a random one, both [n]."""

    nearest: Array
    other: Array

    @classmethod
    def between(cls, held_out: Array, train: Array) -> Closeness:
        """From rows in φ, [n, p] and [m, p]. For a random row, the expectation is computed exactly."""
        nearest = NearestNeighbors(n_neighbors=1).fit(train).kneighbors(held_out)[0][:, 0]
        other = squared(held_out, train.mean(0)[None]) + train.var(0).sum()
        return cls(np.square(nearest), other)

    @property
    def share(self) -> float:
        """1 - E nearest / E other: how much closer the nearest row is than a random one."""
        other = float(self.other.mean())
        return 1 - float(self.nearest.mean()) / other if other > 0 else 0.0


def continuity(near: Array, far: Array, real: Closeness, seed: int = 0) -> Estimate:
    """K = clip{[1 - E near / E far] / [1 - E nearest / E other], 0, 1}, with a bootstrap interval over rows.

    Args:
        near: squared distance in φ of each held-out row to the row decoded from a neighbour of its code, [n].
        far: the same for the code of another row.
        real: the same for real rows.
        seed: of the bootstrap.
    """
    if len(near) < MIN_ROWS:
        return too_few(len(near))
    if real.share < MIN_CONTRAST:
        return unknown(Message("reason.no_neighbours", contrast=real.share))

    def ratio(means: Array) -> Array:
        return np.asarray((1 - means[0] / means[1]) / (1 - means[2] / means[3]))

    return bootstrapped(ratio, np.stack([near, far, real.nearest, real.other]), seed=seed).clipped()
