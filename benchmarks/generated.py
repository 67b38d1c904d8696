"""How good generated rows are, and whether they are copies: measures of one table of samples against real rows.

All take :class:`Sheet` s: numbers as float64 with NaN, categories as texts in which "(missing)" is a level like any other (so
does the literature; a model that leaves out the holes loses by it). What is compared with what:

* **Shape**, **Trend**: SDMetrics' quality report of samples against training rows: the mean over columns of
  1 - Kolmogorov-Smirnov or 1 - total variation, and the mean over pairs of columns of 1 - |difference of Pearson's r| / 2 (two
  numbers) or 1 - total variation of the joint table (else; numbers in ten equal bins from their smallest to their largest
  value, *each side its own*: one wild sample, or a maximum that is never reached, moves every bin). What can't be computed
  though the real rows have it, such as the correlation of a column that collapsed to one value, is 0 here; SDMetrics leaves
  it out.
* **MLE**: XGBoost trained on samples, judged on held-out rows: AUC (for more than two classes the mean of one against the
  rest), or R^2.
* **C2ST**: XGBoost with its default settings, told to tell samples from real rows, equally many of both, in three folds: the
  mean of 1 - (2 max(AUC, 1/2) - 1), and beside it the mean AUC. Against the training rows, as in the published tables, it
  rewards copying; so it stands beside that against held-out rows.
* **copies**: share of samples that equal a training row in every column, numbers to float32.
* **nearer**: share of samples nearer to a training row than to any held-out row, as many of the one as of the other; 1/2 is
  ideal.
* **C_T** (Meehan, Chaudhuri and Dasgupta 2020): distances to the nearest training row, of samples against those of held-out
  rows, by a z-scored Mann-Whitney test in each cell of a k-means of the training rows, weighted by the cells' held-out rows.
  Far below 0 is copying, far above 0 is underfitting. At most 2,000 rows a side, for z grows with their number.

Distances are in one feature map for all models, fitted on the training rows: normal scores of numbers, indicators / sqrt(2) of
levels and of what is missing, then as many principal components as hold 95% of the variance, at most 32, not whitened.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin_min, r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

Array = NDArray[np.float64]
Codes = NDArray[np.float32]

MISSING = "(missing)"
MAX_ROWS = 2000  # a side of C_T
ROWS_A_CELL = 40  # held-out rows for each cell of C_T, so that its test says something
MIN_IN_A_CELL = 10
MAX_CELLS = 10
MAX_BLOCKS = 4  # of training rows, for the share of nearer samples
DECIMALS = 5  # of a distance; brute force is not exact about 0
# One point of the grid that published tables search (on a part of the samples); a search would cost 36 fits for each figure.
LEARNER = {"n_estimators": 100, "max_depth": 5, "min_child_weight": 10}
THREADS = 1  # of XGBoost: its threads wait for one another by spinning, sixty times as long where the machine is not idle


@dataclass(frozen=True)
class Kinds:
    """Which columns are judged, as what, and which of them is to be predicted."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    target: str

    @property
    def regression(self) -> bool:
        """Whether what is predicted is a number."""
        return self.target in self.numbers


@dataclass(frozen=True)
class Sheet:
    """Rows ready to be judged: numbers ``[N, F]`` with NaN, and the text of every level."""

    numbers: pd.DataFrame
    categories: pd.DataFrame

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: Any) -> Sheet:
        return Sheet(*(part.iloc[rows].reset_index(drop=True) for part in (self.numbers, self.categories)))

    @property
    def frame(self) -> pd.DataFrame:
        """All columns."""
        return pd.concat([self.numbers, self.categories], axis=1)


def sheet(frame: pd.DataFrame, kinds: Kinds) -> Sheet:
    """A frame's rows by the kinds of its columns; a code that is a number reads the same whether it came as 1, 1.0 or True."""
    numbers = {name: pd.to_numeric(frame[name]).to_numpy(float, na_value=np.nan) for name in kinds.numbers}
    categories = {name: [_label(value) for value in frame[name]] for name in kinds.categories}
    index = range(len(frame))
    return Sheet(pd.DataFrame(numbers, index=index), pd.DataFrame(categories, index=index, dtype=object))


def _label(value: Any) -> str:
    if pd.isna(value):
        return MISSING
    return value if isinstance(value, str) else f"{value:g}"


# -- quality ------------------------------------------------------------------------------------------------------------


def shape_and_trend(real: Sheet, samples: Sheet) -> tuple[float, float]:
    """Column shapes and column pair trends of SDMetrics' quality report."""
    from sdmetrics.reports.single_table import QualityReport

    kinds = dict.fromkeys(real.numbers, "numerical") | dict.fromkeys(real.categories, "categorical")
    report = QualityReport()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        columns = {name: {"sdtype": kind} for name, kind in kinds.items()}
        report.generate(real.frame, samples.frame, {"columns": columns}, verbose=False)
    varies = real.frame.nunique() > 1
    return _mean(report.get_details("Column Shapes"), ["Column"], varies), _mean(
        report.get_details("Column Pair Trends"), ["Column 1", "Column 2"], varies
    )


def _mean(details: pd.DataFrame, names: list[str], varies: pd.Series) -> float:
    """Mean score; 0 for what samples leave undefined, nothing for what the real rows do."""
    defined = np.all([varies[details[name]].to_numpy() for name in names], axis=0)
    return float(details["Score"].where(details["Score"].notna() | ~defined, 0.0).mean())


def two_samples(real: Sheet, samples: Sheet, seed: int) -> tuple[float, float]:
    """C2ST's score, 1 where samples can't be told from real rows, and its AUC; of equally many rows of both."""
    from xgboost import XGBClassifier

    rng, size = np.random.default_rng(seed), min(len(real), len(samples))
    both = [part[rng.permutation(len(part))[:size]] for part in (real, samples)]
    x, y = np.concatenate(indicators(both)), np.repeat([1, 0], size)
    aucs = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=seed).split(x, y):
        learner = XGBClassifier(random_state=seed, n_jobs=THREADS).fit(x[train], y[train])
        aucs.append(roc_auc_score(y[test], learner.predict_proba(x[test])[:, 1]))
    return float(np.mean([2 - 2 * max(auc, 0.5) for auc in aucs])), float(np.mean(aucs))


def usefulness(samples: Sheet, test: Sheet, kinds: Kinds, seed: int) -> float:
    """MLE: how well XGBoost predicts the target of real rows, having seen samples; rows without the target are left out."""
    samples, test = (part[_has(part, kinds)] for part in (samples, test))
    x, y = zip(*(_apart(part, kinds) for part in (samples, test)), strict=True)
    seen, unseen = indicators(x)
    return _r2(seen, y[0], unseen, y[1], seed) if kinds.regression else _auc(seen, y[0], unseen, y[1], seed)


def _has(rows: Sheet, kinds: Kinds) -> NDArray[np.bool_]:
    column = rows.frame[kinds.target]
    return np.asarray(column.notna() & (column != MISSING))


def _apart(rows: Sheet, kinds: Kinds) -> tuple[Sheet, NDArray[Any]]:
    """Columns to predict from, and the target."""
    numbers, categories = (part.drop(columns=kinds.target, errors="ignore") for part in (rows.numbers, rows.categories))
    return Sheet(numbers, categories), rows.frame[kinds.target].to_numpy()


def _r2(x: Codes, y: NDArray[Any], unseen: Codes, truth: NDArray[Any], seed: int) -> float:
    from xgboost import XGBRegressor

    learner = XGBRegressor(**LEARNER, random_state=seed, n_jobs=THREADS).fit(x, y.astype(float))
    return float(r2_score(truth.astype(float), learner.predict(unseen)))


def _auc(x: Codes, y: NDArray[Any], unseen: Codes, truth: NDArray[Any], seed: int) -> float:
    from xgboost import XGBClassifier

    classes, codes = np.unique(y.astype(str), return_inverse=True)
    if len(classes) < 2:
        return 0.5
    found = XGBClassifier(**LEARNER, random_state=seed, n_jobs=THREADS).fit(x, codes).predict_proba(unseen)
    chance = dict(zip(classes, found.T, strict=True))
    never = np.zeros(len(truth))
    return float(np.mean([roc_auc_score(truth == name, chance.get(name, never)) for name in np.unique(truth.astype(str))]))


def indicators(sheets: Sequence[Sheet]) -> list[Codes]:
    """Numbers as they are and an indicator for each level, the same columns for all: ``[N, F]`` each."""
    whole = pd.get_dummies(pd.concat([part.frame for part in sheets]), columns=list(sheets[0].categories))
    return np.split(whole.to_numpy(np.float32), np.cumsum([len(part) for part in sheets])[:-1])


# -- copying ------------------------------------------------------------------------------------------------------------


class Features:
    """The map in which rows are near or far, fitted on training rows; ``features(sheet)`` is ``[N, at most 32]``."""

    def __init__(self, train: Sheet) -> None:
        self.sorted = {name: np.sort(values.dropna().to_numpy()) for name, values in train.numbers.items()}
        self.levels = {name: sorted(set(values)) for name, values in train.categories.items()}
        plain = self._plain(train)
        found = PCA().fit(plain)
        held = np.cumsum(found.explained_variance_ratio_)
        self.mean, self.axes = found.mean_, found.components_[: min(32, 1 + int(np.searchsorted(held, 0.95)))]

    def __call__(self, rows: Sheet) -> Array:
        return np.asarray((self._plain(rows) - self.mean) @ self.axes.T)

    def _plain(self, rows: Sheet) -> Array:
        columns = []
        for name, seen in self.sorted.items():
            values = rows.numbers[name].to_numpy()
            columns += [normal_scores(values, seen), np.isnan(values) / np.sqrt(2)]
        for name, levels in self.levels.items():
            texts = rows.categories[name].to_numpy()
            columns += [(texts == level) / np.sqrt(2) for level in levels]
        return np.stack(columns, axis=1)


def normal_scores(values: Array, seen: Array) -> Array:
    """Normal quantiles of the values' mid-ranks among those ``seen`` (sorted); 0 for what is missing."""
    if not len(seen):
        return np.zeros(len(values))
    ranks = (np.searchsorted(seen, values) + np.searchsorted(seen, values, side="right")) / 2
    share = np.clip(ranks / len(seen), 0.5 / len(seen), 1 - 0.5 / len(seen))
    return np.where(np.isnan(values), 0.0, norm.ppf(share))


def nearest(x: Array, among: Array) -> Array:
    """Distance of each row to the nearest of others."""
    return np.asarray(np.round(pairwise_distances_argmin_min(x, among)[1], DECIMALS))


def copies(samples: Sheet, train: Sheet) -> float:
    """Share of samples that are training rows."""
    return float(np.isin(_hashes(samples), _hashes(train)).mean())


def _hashes(rows: Sheet) -> NDArray[np.uint64]:
    frame = pd.concat([rows.numbers.astype(np.float32) + 0, rows.categories], axis=1)  # + 0: -0 is 0
    return np.asarray(pd.util.hash_pandas_object(frame, index=False))


def nearer(samples: Array, train: Array, test: Array, seed: int) -> float:
    """Share of samples nearer to a training row than to a held-out row, half of the ties; features ``[N, d]``.

    As many training as held-out rows at a time: the mean over up to four blocks of the training rows.
    """
    rng = np.random.default_rng(seed)
    size = min(len(train), len(test))
    far = nearest(samples, test[rng.permutation(len(test))[:size]])
    order, shares = rng.permutation(len(train)), []
    for begin in range(0, min(len(train) - size, (MAX_BLOCKS - 1) * size) + 1, size):
        near = nearest(samples, train[order[begin : begin + size]])
        shares.append((near < far).mean() + (near == far).mean() / 2)
    return float(np.mean(shares))


def copying(samples: Array, train: Array, test: Array, seed: int) -> float:
    """C_T of features ``[N, d]``; cells with too few rows of either side are left out."""
    rng = np.random.default_rng(seed)
    samples, test = (part[rng.permutation(len(part))[:MAX_ROWS]] for part in (samples, test))
    cells = KMeans(int(np.clip(len(test) // ROWS_A_CELL, 1, MAX_CELLS)), n_init=3, random_state=seed).fit(train)
    (near, near_cell), (far, far_cell) = ((nearest(part, train), cells.predict(part)) for part in (samples, test))
    scores, weights = [], []
    for cell in range(cells.n_clusters):
        generated, held_out = near[near_cell == cell], far[far_cell == cell]
        if min(len(generated), len(held_out)) >= MIN_IN_A_CELL:
            scores.append(mann_whitney(generated, held_out))
            weights.append(len(held_out))
    return float(np.average(scores, weights=weights)) if scores else float("nan")


def mann_whitney(a: Array, b: Array) -> float:
    """z of the Mann-Whitney statistic, corrected for ties: below 0 where ``a`` tends to be the smaller."""
    n, m = len(a), len(b)
    ranks = rankdata(np.concatenate([a, b]))
    ties = np.unique(ranks, return_counts=True)[1].astype(float)
    variance = n * m / 12 * (n + m + 1 - (ties**3 - ties).sum() / ((n + m) * (n + m - 1)))
    wins = ranks[:n].sum() - n * (n + 1) / 2
    return float((wins - n * m / 2) / np.sqrt(variance)) if variance > 0 else 0.0
