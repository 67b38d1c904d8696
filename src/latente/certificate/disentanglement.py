"""Disentanglement: whether each factor of variation has its own dimension of the code. The measures are functions of arrays.

Factors are arrays [N] by name. Numbers are numbers, and texts and booleans are levels. All measures are 1 at best, and 0 where
codes and factors are independent; but modularity and compactness then compare noise, so that they only count beside
explicitness. A measure that is not defined, as for a single factor, is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss, mutual_info_score
from sklearn.tree import DecisionTreeClassifier

from latente.certificate.estimates import Array

BINS = 20  # of a number, with equal counts
NEIGHBOURS = 10  # of the estimate of information in InfoMEC
ACTIVE = 1 / 20  # range of an active dimension, of the largest range
TREES, MIN_LEAF = 50, 5  # of the forests of DCI

Factors = Mapping[str, NDArray[Any]]


def are_levels(values: NDArray[Any]) -> bool:
    """Whether a factor has levels and no numbers."""
    return values.dtype.kind in "OUSb"


def symbols(values: NDArray[Any]) -> NDArray[np.int64]:
    """Whole numbers for the levels of a factor; numbers with more than 20 values are binned, with equal counts."""
    known, index = np.unique(values, return_inverse=True)
    if are_levels(values) or len(known) <= BINS:
        return np.asarray(index, np.int64)
    inner = np.quantile(values, np.arange(1, BINS) / BINS)
    return np.asarray(np.searchsorted(inner, values, side="right"), np.int64)


def information(codes: Array, factors: Factors) -> Array:
    """I(z_j; v_k) / H(v_k) of each factor and dimension, [K, d], from histograms.

    Args:
        codes: [N, d]. factors: K arrays [N] by name.
    """
    binned = [symbols(code) for code in codes.T]
    each = [symbols(values) for values in factors.values()]
    return np.array([[mutual_info_score(own, code) / mutual_info_score(own, own) for code in binned] for own in each])


def gaps(scores: Array) -> Array:
    """Difference of the two largest scores of each factor, [K, d] to [K]; the second of a single dimension is 0."""
    ordered = np.sort(np.pad(scores, ((0, 0), (1, 0))), axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def mig(codes: Array, factors: Factors) -> float:
    """Mutual information gap (Chen et al. 2018): mean over factors of (I(z_j; v) - I(z_l; v)) / H(v), where j is the dimension
    with the most information about v and l the next one. ``codes`` are draws of q(z|x), as in the paper.

    >>> rng = np.random.default_rng(0)
    >>> v = rng.uniform(size=(4000, 2))
    >>> turned = v @ np.array([[1.0, -1.0], [1.0, 1.0]])
    >>> [round(mig(z, {"a": v[:, 0], "b": v[:, 1]}), 1) for z in (v, turned, rng.uniform(size=(4000, 2)))]
    [1.0, 0.0, 0.0]
    """
    return float(gaps(information(codes, factors)).mean())


def sap(codes: Array, factors: Factors) -> float:
    """Separated attribute predictability (Kumar et al. 2018): mean over factors of the difference between the two dimensions
    that predict it best.

    Of a number the score is the squared correlation; of L levels the balanced accuracy of L - 1 thresholds, scaled so that
    guessing has 0 (in the paper it has 1/L, so that 1 is out of reach).
    """
    scores = [[_predictability(code, values) for code in codes.T] for values in factors.values()]
    return float(gaps(np.array(scores)).mean())


def _predictability(code: Array, values: NDArray[Any]) -> float:
    if np.ptp(code) == 0:
        return 0.0
    if not are_levels(values):
        return float(np.corrcoef(code, values)[0, 1] ** 2)
    levels = len(np.unique(values))
    thresholds = DecisionTreeClassifier(max_leaf_nodes=max(2, levels), class_weight="balanced", random_state=0)
    found = thresholds.fit(code[:, None], values).predict(code[:, None])
    return _above_chance(values, found)


def _above_chance(values: NDArray[Any], found: NDArray[Any]) -> float:
    chance = 1 / len(np.unique(values))
    return float((balanced_accuracy_score(values, found) - chance) / (1 - chance))


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness (Eastwood and Williams 2018).

    Attributes:
        disentanglement: whether a dimension matters for one factor only: mean of 1 - H_K(P_j), weighted by importance.
        completeness: whether a factor needs one dimension only: mean of 1 - H_d(P_k).
        informativeness: how well codes predict factors of other rows: R^2 of numbers, balanced accuracy of levels (0 for
            guessing).
    """

    disentanglement: float
    completeness: float
    informativeness: float


def dci(codes: Array, factors: Factors, seed: int = 0) -> DCI:
    """DCI with random forests: their importances [K, d], normalised over factors and over dimensions, are the P above.

    Args:
        codes: [N, d]; forests learn from one half of the rows. factors: K arrays [N] by name. seed: of halves and forests.
    """
    half = np.random.default_rng(seed).permutation(len(codes)) < len(codes) / 2
    fits = [_forest(codes, values, half, seed) for values in factors.values()]
    importance = np.array([importances for importances, _ in fits])
    weights = importance.sum(0) / max(importance.sum(), 1e-12)
    apart = float(weights @ _concentration(importance.T))
    return DCI(apart, float(_concentration(importance).mean()), float(np.mean([score for _, score in fits])))


def _forest(codes: Array, values: NDArray[Any], half: NDArray[np.bool_], seed: int) -> tuple[Array, float]:
    """Importance of each dimension for a factor, [d], and how well it is predicted on the other half."""
    nominal = are_levels(values)
    kind = RandomForestClassifier if nominal else RandomForestRegressor
    forest = kind(TREES, min_samples_leaf=MIN_LEAF, max_features=None, random_state=seed % 2**32).fit(codes[half], values[half])
    found, others = forest.predict(codes[~half]), values[~half]
    score = _above_chance(others, found) if nominal else 1 - np.square(others - found).mean() / np.var(others)
    return np.asarray(forest.feature_importances_), max(0.0, float(score))


def _concentration(weights: Array) -> Array:
    """1 - entropy of each row, [A, B] to [A], in units of log B: 1 if all weight is in one place; NaN if there is one only."""
    if weights.shape[1] < 2:
        return np.full(len(weights), math.nan)
    share = weights / np.maximum(weights.sum(1, keepdims=True), 1e-12)
    return np.asarray(1 + (share * np.log(np.maximum(share, 1e-12))).sum(1) / math.log(weights.shape[1]))


class InfoMEC(NamedTuple):
    """Modularity, explicitness and compactness (Hsu et al. 2023), from N_kj = I(v_k; z_j) / H(v_k) of the active dimensions.

    Attributes:
        modularity: whether a dimension informs about one factor: mean over j of max_k N_kj / sum_k N_kj, scaled to [0, 1].
        explicitness: share of the log loss of factors that a linear model of the code removes; of numbers, of the variance.
        compactness: whether a factor is in one dimension: mean over k of max_j N_kj / sum_j N_kj, scaled to [0, 1].
    """

    modularity: float
    explicitness: float
    compactness: float


def infomec(codes: Array, factors: Factors) -> InfoMEC:
    """InfoMEC. Information is estimated by nearest neighbours (Ross 2014), of numbers after binning; a dimension is active if
    its range exceeds a twentieth of the largest one.

    Args:
        codes: [N, d]. factors: K arrays [N] by name.
    """
    ranges = np.ptp(codes, axis=0)
    active = codes[:, ranges > ACTIVE * ranges.max()]
    shares = np.array([_neighbour_information(active, symbols(values)) for values in factors.values()])
    explicit = [_linear_share(_standard(codes), values) for values in factors.values()]
    return InfoMEC(_largest_share(shares.T), float(np.mean(explicit)), _largest_share(shares))


def _neighbour_information(codes: Array, own: NDArray[np.int64]) -> Array:
    found = mutual_info_classif(codes, own, discrete_features=False, n_neighbors=NEIGHBOURS, random_state=0)
    return np.asarray(found / mutual_info_score(own, own))


def _largest_share(shares: Array) -> float:
    """Mean over rows of the largest value's share, scaled so that equal values have 0; NaN if there is a single one."""
    n = shares.shape[1]
    if n < 2:
        return math.nan
    total = shares.sum(1)
    largest = np.where(total > 0, shares.max(1) / np.maximum(total, 1e-12), 1 / n)
    return float((largest.mean() - 1 / n) / (1 - 1 / n))


def _standard(codes: Array) -> Array:
    return np.asarray((codes - codes.mean(0)) / np.maximum(codes.std(0), 1e-12))


def _linear_share(codes: Array, values: NDArray[Any]) -> float:
    if not are_levels(values):
        return float(LinearRegression().fit(codes, values).score(codes, values))
    own = symbols(values)
    model = LogisticRegression(C=1e3, class_weight="balanced", max_iter=1000).fit(codes, own)
    weights = 1 / np.bincount(own)[own]
    return float(1 - log_loss(own, model.predict_proba(codes), sample_weight=weights) / math.log(len(np.unique(own))))


MEASURES: Mapping[str, tuple[str, str]] = {
    "mig": ("MIG", "gap of information between the two best dimensions"),
    "sap": ("SAP", "gap of predictability between the two best dimensions"),
    "disentanglement": ("DCI D", "a dimension matters for one factor"),
    "completeness": ("DCI C", "a factor needs one dimension"),
    "informativeness": ("DCI I", "the code predicts factors"),
    "modularity": ("InfoM", "a dimension informs about one factor"),
    "explicitness": ("InfoE", "a linear model of the code predicts factors"),
    "compactness": ("InfoC", "a factor is in one dimension"),
}
"""By name, what a measure is called in the papers, and what it says."""


def measures(draws: Array, means: Array, factors: Factors, seed: int = 0) -> dict[str, float]:
    """All of :data:`MEASURES`: those of information from draws of q(z|x), the others from the means of codes, [N, d] both."""
    found = [mig(draws, factors), sap(means, factors), *dci(means, factors, seed), *infomec(draws, factors)]
    return dict(zip(MEASURES, found, strict=True))


def best_dimensions(shares: Array, names: Sequence[str]) -> list[tuple[str, int, float, float]]:
    """Of each factor the dimension with the most information, the share of its entropy, and the gap to the next one."""
    places, apart = shares.argmax(1), gaps(shares)
    return [
        (name, int(place), float(own[place]), float(gap))
        for name, place, own, gap in zip(names, places, shares, apart, strict=True)
    ]
