"""Completeness C: whether a code drawn at random decodes to a row like the real ones.

Two samples of one law can't be told apart: among the nearest neighbours of a point, both are met in proportion. How far this
is so is the Henze-Penrose affinity (Friedman and Rafsky 1979; Schilling 1986; Henze and Penrose 1999).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from latente.certificate.estimates import MIN_CONTRAST, MIN_ROWS, Array, Estimate, bootstrapped, too_few, unknown
from latente.words import Message

NEIGHBOURS = 5
CANDIDATES = 20  # neighbours that are kept, so that those within a half of the points are among them
HALVES = 50
ALIKE = "reason.alike"  # key of what is said where no model could be complete


@dataclass(frozen=True)
class Affinity:
    """S(A, B): share of cross-label pairs among nearest neighbours over what two samples of one law would have.

    Attributes:
        neighbours: places of the nearest among the m points of A and then the m of B, nearest first, [R, 2m, k]; R samples A
            are compared with one B, and averaged.
        paired: whether the i-th points of A and B belong together (a row and its reconstruction) and are no neighbours.
    """

    neighbours: NDArray[np.intp]
    paired: bool = False

    @classmethod
    def between(cls, a: Array, b: Array, paired: bool = False) -> Affinity:
        """From points in φ, [m, p]; where one sample is larger, its first rows count."""
        m = min(len(a), len(b))
        return cls(_neighbours(np.concatenate([a[:m], b[:m]]), m if paired else 0)[None], paired)

    @classmethod
    def together(cls, parts: list[Affinity]) -> Affinity:
        """Several samples A against the same B."""
        return cls(np.concatenate([part.neighbours for part in parts]), parts[0].paired)

    @property
    def m(self) -> int:
        """Points of each sample."""
        return int(self.neighbours.shape[1]) // 2

    @cached_property
    def value(self) -> float:
        """S: 1 where the two laws are equal, 0 where they share nothing."""
        return self._among(np.ones(2 * self.m, bool))

    @cached_property
    def halves(self) -> Array:
        """S of random halves of both samples, [HALVES]; of B the same halves whatever the A.

        As neighbours depend on each other, a bootstrap of points would promise too much.
        """
        chosen = np.random.default_rng(0)
        others = np.random.default_rng(self.neighbours[0, :, 0].astype(np.uint32))
        return np.array([self._among(np.concatenate([_half(self.m, others), _half(self.m, chosen)])) for _ in range(HALVES)])

    def _among(self, kept: NDArray[np.bool_]) -> float:
        """S among some of the points."""
        there = kept[self.neighbours]
        counted = there & (there.cumsum(-1, dtype=np.uint8) <= NEIGHBOURS)
        shares = (self._cross & counted).sum(-1) / np.maximum(counted.sum(-1), 1)
        m = kept.sum() / 2
        return float(shares[:, kept].mean() / ((m - 1) / (2 * m - 2) if self.paired else m / (2 * m - 1)))

    @cached_property
    def _cross(self) -> NDArray[np.bool_]:
        """Which neighbours are of the other sample, [R, 2m, k]."""
        crossing: NDArray[np.bool_] = (self.neighbours >= self.m) != (np.arange(2 * self.m) >= self.m)[:, None]
        return crossing


def _half(m: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    return generator.permutation(m) < m / 2


def _neighbours(points: Array, partner: int) -> NDArray[np.intp]:
    """Places of the nearest neighbours of each point, [n, k]; neither itself nor (where ``partner`` > 0) its partner."""
    n = len(points)
    k = min(CANDIDATES, n - 2)
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

    @property
    def contrast_error(self) -> float:
        """Standard error of the contrast, as if both affinities were of held-out rows of their own: these are a sample, too."""
        return math.hypot(_standard_error(self.null.halves), _standard_error(self.real.halves))

    def refused(self) -> str:
        """Why the data can't support a figure; empty where it can."""
        if self.real.m < MIN_ROWS:
            return too_few(self.real.m).reason
        return self.alike()

    def alike(self) -> str:
        """Why rows can't be told from rows of shuffled columns: there is no structure, or (where the interval of the contrast
        reaches what it takes) there are too few rows to see it. Empty where they can, or where it was not looked at.
        """
        if self.real.m < MIN_ROWS or self.contrast >= MIN_CONTRAST:
            return ""
        error, found = 1.96 * self.contrast_error, {"contrast": self.contrast, "least": MIN_CONTRAST}
        if max(0.0, self.contrast) + error < MIN_CONTRAST:  # by its nature a contrast is not below 0
            return Message(ALIKE, **found)
        return Message("reason.few_to_contrast", n=self.real.m, error=error, **found)


def completeness(fake: Affinity, scale: Scale) -> Estimate:
    """C = clip[(S_fake - S_null) / (S_real - S_null), 0, 1], with an interval from half-samples."""
    refused = scale.refused()
    if refused:
        return unknown(refused)
    value = (fake.value - scale.null.value) / scale.contrast
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = (fake.halves - scale.null.halves) / (scale.real.halves - scale.null.halves)
    return _with_interval(value, halves).clipped()


def beyond(own: Affinity, other: Affinity, scale: Scale) -> Estimate:
    """C of one sample minus that of another, with the same held-out rows: in half-samples these are the same for both, so that
    the interval is that of the difference.
    """
    refused = scale.refused()
    if refused:
        return unknown(refused)
    value = completeness(own, scale).value - completeness(other, scale).value
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = (own.halves - other.halves) / (scale.real.halves - scale.null.halves)
    found = _with_interval(value, halves)
    return replace(found, low=max(-1.0, found.low), high=min(1.0, found.high))


def affinity_of(affinity: Affinity) -> Estimate:
    """S itself, with its interval."""
    return _with_interval(affinity.value, affinity.halves) if affinity.m >= MIN_ROWS else Estimate(affinity.value)


def _with_interval(value: float, halves: Array) -> Estimate:
    """Normal, by the spread of half-samples."""
    error = _standard_error(halves)
    return Estimate(value, value - 1.96 * error, value + 1.96 * error)


def _standard_error(halves: Array) -> float:
    """Of the whole, by the spread of half-samples.

    Of a mean, that spread is the standard error of the whole (Politis and Romano 1994). Here the variance is about twice as
    large: each half draws its graph of neighbours anew. Hence the √2, which simulation bears out (see the tests).
    """
    return float(halves.std(ddof=1)) / math.sqrt(2) if np.isfinite(halves).all() else math.nan


def density_and_coverage(real: Array, fake: Array, reference: Array) -> tuple[Estimate, Estimate]:
    """How many generated rows lie where real ones do, and how many places of real rows are reached.

    The clipped versions of Salvy et al. 2025 (no point counts more than once; for density no ball is wider than the median
    one), divided by what other real rows reach, so that 1 is as good as real rows.

    Args:
        real: held-out rows in φ, [m, p], around which the balls to the fifth neighbour are.
        fake: generated rows, [m, p]. reference: other real rows, [m, p].
    """
    if len(real) < MIN_ROWS:
        return too_few(len(real)), too_few(len(real))
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
