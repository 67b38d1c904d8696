"""Completeness C: whether random codes decode to rows like real ones.

If two samples have the same distribution, the nearest neighbours of each point come from both in proportion. The Henze-Penrose
affinity measures this (Friedman and Rafsky 1979; Schilling 1986; Henze and Penrose 1999).
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
CANDIDATES = 20  # neighbours that are stored, enough to find the nearest ones within half of the points
HALVES = 50
ALIKE = "reason.alike"  # key of the reason if the columns are independent


@dataclass(frozen=True)
class Affinity:
    """S(A, B): share of cross-label pairs among nearest neighbours, divided by that of two samples of one distribution.

    Attributes:
        neighbours: indices of the nearest neighbours among the m points of A, then the m of B, nearest first, [R, 2m, k];
            R samples A are compared with one B, and averaged.
        paired: whether the i-th points of A and B are a row and its reconstruction, which do not count as neighbours.
    """

    neighbours: NDArray[np.intp]
    paired: bool = False

    @classmethod
    def between(cls, a: Array, b: Array, paired: bool = False) -> Affinity:
        """From points in φ, [m, p]; of a larger sample, the first rows are used."""
        m = min(len(a), len(b))
        return cls(_neighbours(np.concatenate([a[:m], b[:m]]), m if paired else 0)[None], paired)

    @classmethod
    def together(cls, parts: list[Affinity]) -> Affinity:
        """The affinity of several samples A with the same B."""
        return cls(np.concatenate([part.neighbours for part in parts]), parts[0].paired)

    @property
    def m(self) -> int:
        """Number of points of each sample."""
        return int(self.neighbours.shape[1]) // 2

    @cached_property
    def value(self) -> float:
        """S: 1 if both distributions are equal, 0 if they do not overlap."""
        return self._among(np.ones(2 * self.m, bool))

    @cached_property
    def halves(self) -> Array:
        """S of random halves of both samples, [HALVES]; the halves of B are the same for every A.

        Neighbours depend on one another, so that the interval of a bootstrap over points would be too narrow.
        """
        chosen = np.random.default_rng(0)
        others = np.random.default_rng(self.neighbours[0, :, 0].astype(np.uint32))
        return np.array([self._among(np.concatenate([_half(self.m, others), _half(self.m, chosen)])) for _ in range(HALVES)])

    def _among(self, kept: NDArray[np.bool_]) -> float:
        """S of a subset of the points."""
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
    """Indices of the nearest neighbours of each point, [n, k], without itself and (if ``partner`` > 0) its partner."""
    n = len(points)
    k = min(CANDIDATES, n - 2)
    places = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(points).kneighbors(return_distance=False)
    if partner:
        is_partner = places == ((np.arange(n) + partner) % n)[:, None]
        places = np.take_along_axis(places, np.argsort(is_partner, 1, kind="stable"), 1)
    return np.asarray(places[:, :k])


@dataclass(frozen=True)
class Scale:
    """The reference values of C: S_null of rows with shuffled columns, and S_real of other real rows."""

    null: Affinity
    real: Affinity

    @property
    def contrast(self) -> float:
        """S_real - S_null: the range in which models can differ."""
        return self.real.value - self.null.value

    @property
    def contrast_error(self) -> float:
        """Standard error of the contrast, as for independent held-out rows, because these are a sample too."""
        return math.hypot(_standard_error(self.null.halves), _standard_error(self.real.halves))

    def refused(self) -> str:
        """Why the data does not allow a figure; empty if it does."""
        if self.real.m < MIN_ROWS:
            return too_few(self.real.m).reason
        return self.alike()

    def alike(self) -> str:
        """Why rows can't be distinguished from rows with shuffled columns: there is no structure, or (if the interval of the
        contrast contains the required value) too few rows. Empty if they can, or if there are too few rows to test.
        """
        if self.real.m < MIN_ROWS or self.contrast >= MIN_CONTRAST:
            return ""
        error, found = 1.96 * self.contrast_error, {"contrast": self.contrast, "least": MIN_CONTRAST}
        if max(0.0, self.contrast) + error < MIN_CONTRAST:  # the true contrast is not negative
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


def share(fake: Affinity, bound: Affinity, scale: Scale) -> Estimate:
    """C divided by its upper bound, in [0, 1]: what the latent space loses, apart from the blur of the decoder.

    Args:
        fake, bound: of rows decoded from random codes, and from the codes of held-out rows.
        scale: the reference values.
    """
    if (refused := scale.refused()) or completeness(bound, scale).value < MIN_CONTRAST:
        return unknown(refused or Message("reason.no_bound", least=MIN_CONTRAST))
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = (fake.halves - scale.null.halves) / (bound.halves - scale.null.halves)
    value = (fake.value - scale.null.value) / (bound.value - scale.null.value)
    return _with_interval(value, halves).clipped()


def beyond(own: Affinity, other: Affinity, scale: Scale) -> Estimate:
    """C of one sample minus that of another with the same held-out rows. The half-samples of these are the same for both, which
    gives an interval of the difference.
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
    """A normal interval, from the variance of half-samples."""
    error = _standard_error(halves)
    return Estimate(value, value - 1.96 * error, value + 1.96 * error)


def _standard_error(halves: Array) -> float:
    """Standard error of the whole sample, from the standard deviation of half-samples.

    For a mean both are equal (Politis and Romano 1994). Here the variance of half-samples is about twice as large, because each
    half has its own neighbour graph. Hence the √2, which simulations confirm (see the tests).
    """
    return float(halves.std(ddof=1)) / math.sqrt(2) if np.isfinite(halves).all() else math.nan


def density_and_coverage(real: Array, fake: Array, reference: Array) -> tuple[Estimate, Estimate]:
    """Share of generated rows close to real ones, and share of real rows with a generated row close to them.

    The clipped versions of Salvy et al. 2025 (each point counts at most once; for density, radii are at most the median),
    divided by the values of other real rows, so that 1 is as good as real rows.

    Args:
        real: held-out rows in φ, [m, p]; the radius of each is the distance to its fifth neighbour.
        fake: generated rows, [m, p]. reference: other real rows, [m, p].
    """
    if len(real) < MIN_ROWS:
        return too_few(len(real)), too_few(len(real))
    radii = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(real).kneighbors()[0][:, -1]
    of_fake, of_real = _shares(real, fake, radii), _shares(real, reference, radii)
    density, coverage = (bootstrapped(lambda a, b: a / b, a, b) for a, b in zip(of_fake, of_real, strict=True))
    return density, coverage


def _shares(real: Array, sample: Array, radii: Array) -> tuple[Array, Array]:
    """Contribution of each sample point to density, and of each real row to coverage."""
    distance = pairwise_distances(real, sample)
    density = (distance <= np.minimum(radii, np.median(radii))[:, None]).sum(0) / NEIGHBOURS
    coverage = (distance <= radii[:, None]).sum(1) / NEIGHBOURS
    return np.minimum(density, 1.0), np.minimum(coverage, 1.0)
