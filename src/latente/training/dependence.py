"""Tests whether columns depend on one another: if they do not, a code without information is correct, not collapsed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray

from latente.rows import Rows

Array = NDArray[np.float64]
Places = NDArray[np.intp]

MAX_ROWS = 2000
MAX_FIELDS = 128  # for pictures; neighbouring pixels are similar
LEVEL = 0.01  # probability of a false positive for independent columns, over all pairs together
MIN_TOGETHER = 5.0  # expected rows with both levels, above which a correlation is about normal (Cochran 1954)
MIN_NATS = 0.1
MOST = 1 - 1e-9  # largest correlation, so that its nats are finite
TELLING = 0.5  # with fewer rows than needed to detect this correlation, nothing is concluded


@dataclass(frozen=True)
class Dependence:
    """Dependence of pairs of columns.

    Attributes:
        nats: lower bound of the information between columns, from significant pairs.
        strongest: the largest significant correlation; 0 if there is none.
        threshold: correlation above which a pair is significant; above 1, or infinite, if no pair can be.
    """

    nats: float
    strongest: float
    threshold: float

    @property
    def found(self) -> bool:
        """Whether there is dependence that a code can describe."""
        return self.nats >= MIN_NATS

    @property
    def excluded(self) -> bool:
        """Whether there is no dependence between pairs of columns, and enough rows to conclude that."""
        return not self.found and self.threshold <= TELLING


def dependence(rows: Rows, levels: tuple[int, ...] = ()) -> Dependence:
    """Correlations of pairs of columns, over the rows in which both are observed.

    For numbers: of ranks, and of the distance of ranks from the middle (which tells a ring from a disc). For levels: of
        indicators.
    A pair counts if its correlation is significant over all pairs (Fisher 1915, Bonferroni), with -log(1 - r²) / 2 nats, as for
    normal columns. The sum over the best tree of pairs is a lower bound of the information between all columns (Chow and Liu
    1968).

    Args:
        rows: at most 2,000 are used, and at most 128 fields.
        levels: number of levels of each column, 0 for numbers; () if there are no levels.
    """
    rows = rows.subsample(MAX_ROWS)
    values, observed = rows.x.flatten(1), None if rows.mask is None else rows.mask.flatten(1)
    chosen = torch.linspace(0, values.shape[1] - 1, min(values.shape[1], MAX_FIELDS)).round().long()
    counts = [levels[int(f)] if levels else 0 for f in chosen]
    features, weight, owner, usual = _features(values[:, chosen], None if observed is None else observed[:, chosen], counts)
    r, n = _correlations(features, weight)
    comparable = (owner[:, None] < owner[None]) & (n * usual[:, None] * usual[None] >= MIN_TOGETHER) & (n > 3)
    if not comparable.any():
        return Dependence(0.0, 0.0, math.inf)
    z = -NormalDist().inv_cdf(LEVEL / (2 * int(comparable.sum())))
    counted = comparable & (np.sqrt(np.maximum(n - 3, 0)) * np.arctanh(np.minimum(np.abs(r), MOST)) > z)
    threshold = math.tanh(z / math.sqrt(float(np.median(n[comparable])) - 3))
    strength = _by_field(np.where(counted, np.abs(r), 0.0), owner, len(chosen))
    return Dependence(_on_best_tree(-0.5 * np.log1p(-np.square(np.minimum(strength, MOST)))), float(strength.max()), threshold)


def _features(x: torch.Tensor, observed: torch.Tensor | None, counts: list[int]) -> tuple[Array, Array, Places, Array]:
    """Features of columns [N, P], where they are observed [N, P], their columns [P], and the share of rows that differ from the
    most frequent value [P], at most a half.
    """
    values = x.double().numpy()
    known = np.ones(values.shape, bool) if observed is None else observed.numpy()
    found, owner = [], []
    for f, count in enumerate(counts):
        own = _indicators(values[:, f], count) if count else _ranks(values[:, f], known[:, f])
        found.append(own)
        owner += [f] * own.shape[1]
    features, place = np.concatenate(found, 1), np.array(owner, np.intp)
    weight = known[:, place].astype(float)
    return features * weight, weight, place, _unlike(features, weight)


def _indicators(values: Array, count: int) -> Array:
    return np.asarray(values.round()[:, None] == np.arange(count), float)


def _ranks(values: Array, known: NDArray[np.bool_]) -> Array:
    """Ranks from -1 to 1 and their distance from the middle, [N, 2]."""
    ranks = np.zeros(len(values))
    _, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    ranks[known] = ((2 * counts.cumsum() - counts) / max(1, len(place)) - 1)[place]
    return np.stack([ranks, np.abs(ranks)], 1)


def _unlike(features: Array, weight: Array) -> Array:
    """Share of the observed rows that differ from the most frequent value of a feature, at most a half, [P]."""
    shares = []
    for values, observed in zip(features.T, weight.T > 0, strict=True):
        most = np.unique(values[observed], return_counts=True)[1].max(initial=0)
        shares.append(min(0.5, 1 - most / max(1, observed.sum())))
    return np.array(shares)


def _correlations(features: Array, weight: Array) -> tuple[Array, Array]:
    """Correlations over the rows in which both are observed, and the number of these rows, both [P, P]; 0 for constant ones."""
    n = weight.T @ weight
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (features.T @ weight) / n
        variance = (np.square(features).T @ weight) / n - np.square(mean)
        r = ((features.T @ features) / n - mean * mean.T) / np.sqrt(variance * variance.T)
    alike = ~(np.minimum(variance, variance.T) > 1e-12)
    return np.where(alike, 0.0, np.nan_to_num(r)), n


def _by_field(strength: Array, owner: Places, fields: int) -> Array:
    """The largest correlation between features of each pair of fields, [F, F]."""
    found = np.zeros((fields, fields))
    np.maximum.at(found, np.ix_(owner, owner), strength)
    return found


def _on_best_tree(nats: Array) -> float:
    """Sum over the edges of the maximum spanning tree (Prim 1957); ``nats`` is symmetric, [F, F]."""
    nats = np.maximum(nats, nats.T)
    total, reached, left = 0.0, nats[0].copy(), np.arange(len(nats)) > 0
    while left.any():
        nearest = int(np.where(left, reached, -1.0).argmax())
        total, left[nearest] = total + float(reached[nearest]), False
        reached = np.maximum(reached, nats[nearest])
    return total
