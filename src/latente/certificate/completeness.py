"""Completeness C: whether a code drawn at random decodes to a row like the real ones.

Two samples of one law can't be told apart: among the nearest neighbours of a point, both are met in proportion. How far this
is so is the Henze-Penrose affinity (Friedman and Rafsky 1979; Schilling 1986; Henze and Penrose 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from latente.certificate.estimates import LEAST_CONTRAST, LEAST_ROWS, Array, Estimate, bootstrapped, unknown

NEIGHBOURS = 5


@dataclass(frozen=True)
class Affinity:
    """S(A, B): share of cross-label pairs among nearest neighbours over what two samples of one law would have.

    Attributes:
        a, b: what each point of either sample adds, [R, m] averaged to [m]: their means' mean is S.
    """

    a: Array
    b: Array

    @property
    def value(self) -> float:
        """S: 1 where the two laws are equal, 0 where they share nothing."""
        return float(self.a.mean() + self.b.mean()) / 2

    @classmethod
    def between(cls, a: Array, b: Array, paired: bool = False) -> Affinity:
        """From m points of each sample in φ, both [m, p].

        Args:
            a, b: the samples; where one is larger, its first rows count.
            paired: the i-th rows belong together (a row and its reconstruction), and are not counted as neighbours.
        """
        m = min(len(a), len(b))
        neighbours = _neighbours(np.concatenate([a[:m], b[:m]]), m if paired else 0)
        cross = (neighbours >= m) != (np.arange(2 * m) >= m)[:, None]
        shares = cross.mean(1) / ((m - 1) / (2 * m - 2) if paired else m / (2 * m - 1))
        return cls(shares[:m], shares[m:])

    @classmethod
    def together(cls, parts: list[Affinity]) -> Affinity:
        """Several samples a against the same b: those points' shares are averaged."""
        return cls(np.concatenate([part.a for part in parts]), np.mean([part.b for part in parts], 0))


def _neighbours(points: Array, partner: int) -> NDArray[np.intp]:
    """Places of the nearest neighbours of each point, [n, k]; neither itself nor (where ``partner`` > 0) its partner."""
    n = len(points)
    k = min(NEIGHBOURS, n - 2)
    places = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(points).kneighbors(return_distance=False)
    if partner:
        is_partner = places == ((np.arange(n) + partner) % n)[:, None]
        places = np.take_along_axis(places, np.argsort(is_partner, 1, kind="stable"), 1)
    return np.asarray(places[:, :k])


@dataclass(frozen=True)
class Scale:
    """What models are put on: S_null of rows whose columns were shuffled, and S_real of other real rows."""

    null: Affinity
    real: Affinity

    @property
    def contrast(self) -> float:
        """S_real - S_null: how much there is to tell."""
        return self.real.value - self.null.value

    def refused(self) -> str:
        """Why the data can't support a figure; empty where it can."""
        if len(self.real.b) < LEAST_ROWS:
            return f"{len(self.real.b)} held-out rows are too few to compare with; it takes {LEAST_ROWS}"
        if self.contrast < LEAST_CONTRAST:
            return (
                f"rows and rows of shuffled columns are nearly alike (contrast {self.contrast:.2f}, of which it takes "
                f"{LEAST_CONTRAST}): there is no structure to be complete in"
            )
        return ""


def completeness(fake: Affinity, scale: Scale, seed: int = 0) -> Estimate:
    """C = clip[(S_fake - S_null) / (S_real - S_null), 0, 1] with a bootstrap interval over points."""
    refused = scale.refused()
    if refused:
        return unknown(refused)

    def share(held_out: Array, of_fake: Array, of_null: Array, of_real: Array) -> Array:
        s_fake, s_null, s_real = held_out[0] + of_fake, held_out[1] + of_null, held_out[2] + of_real
        return np.asarray((s_fake - s_null) / (s_real - s_null))

    held_out = np.stack([fake.b, scale.null.b, scale.real.b])
    return bootstrapped(share, held_out, fake.a, scale.null.a, scale.real.a, seed=seed).clipped()


def affinity_of(affinity: Affinity) -> Estimate:
    """S itself, with its interval."""
    return bootstrapped(lambda a, b: (a + b) / 2, affinity.a, affinity.b)


def density_and_coverage(real: Array, fake: Array, reference: Array) -> tuple[Estimate, Estimate]:
    """How many generated rows lie where real ones do, and how many places of real rows are reached.

    The clipped versions of Salvy et al. 2025 (no point counts more than once; for density no ball is wider than the median
    one), divided by what other real rows reach, so that 1 is as good as real rows.

    Args:
        real: held-out rows in φ, [m, p], around which the balls to the fifth neighbour are.
        fake: generated rows, [m, p]. reference: other real rows, [m, p].
    """
    if len(real) < LEAST_ROWS:
        few = unknown(f"{len(real)} held-out rows are too few; it takes {LEAST_ROWS}")
        return few, few
    radii = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(real).kneighbors()[0][:, -1]
    of_fake, of_real = _shares(real, fake, radii), _shares(real, reference, radii)
    density, coverage = (bootstrapped(lambda a, b: a / b, a, b) for a, b in zip(of_fake, of_real, strict=True))
    return density, coverage


def _shares(real: Array, sample: Array, radii: Array) -> tuple[Array, Array]:
    """What each point of a sample adds to density, and each real row to coverage."""
    distance = pairwise_distances(real, sample)
    density = (distance <= np.minimum(radii, np.median(radii))[:, None]).sum(0) / NEIGHBOURS
    coverage = (distance <= radii[:, None]).sum(1) / NEIGHBOURS
    return np.minimum(density, 1.0), np.minimum(coverage, 1.0)
