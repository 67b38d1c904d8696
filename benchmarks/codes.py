"""What codes are worth: explained variance beside PCA of as many dimensions, C and K, and linear probes of a column left out.

Each table is split in two, by a seed. The first part is fitted with every choice left to the library; the second is what the
certificate measures. The probe is of another fit, of the table without one column: a linear (or logistic) regression of that
column on the codes of the first part, judged on the second, beside the same of the scores on as many principal components.
Tables of scikit-learn are without their target, so one fit does for both.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine, make_swiss_roll
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import latente as lt
from benchmarks import data
from benchmarks.common import Figure, options, report, show
from latente.certificate.subjects import Linear

LETTER = "tables/letter.csv.gz"


@dataclass(frozen=True)
class Set:
    """A table, the column that is left out for the probe, and the columns of numbers that are categories.

    Attributes:
        by_itself: whether ``target`` is a column of the table.
    """

    table: pd.DataFrame
    target: pd.Series
    codes: tuple[str, ...] = ()
    by_itself: bool = False

    @property
    def whole(self) -> pd.DataFrame:
        """All that is measured."""
        return self.table if self.by_itself else self.table.assign(**{str(self.target.name): self.target})


def of_scikit_learn(load: Callable[..., Any]) -> Set:
    """The columns of measurements; the target is beside them."""
    loaded = load(as_frame=True)
    return Set(loaded.data, loaded.target, by_itself=True)


def of_folder(name: str) -> Set:
    """A table of the data folder, without the columns that only name rows."""
    what = data.MIXED[name]
    table = data.mixed(name, 0, 0.0)[0].drop(columns=list(what.identifiers))
    table = table.assign(**{code: table[code].map(str, na_action="ignore") for code in what.codes})
    table = table.dropna(subset=[what.target])
    return Set(table.drop(columns=what.target), table[what.target])


def letter() -> Set:
    table = pd.read_csv(data.path(LETTER))
    return Set(table.iloc[:, :-1], table.iloc[:, -1])


def swiss_roll() -> Set:
    x, t = make_swiss_roll(1500, noise=0.05, random_state=0)
    return Set(pd.DataFrame(x, columns=list("abc")), pd.Series(t, name="t"), by_itself=True)


SETS: dict[str, Callable[[], Set]] = {
    **{name: lambda name=name: of_folder(name) for name in data.MIXED},  # type: ignore[misc]
    "letter": letter,
    "iris": lambda: of_scikit_learn(load_iris),
    "wine": lambda: of_scikit_learn(load_wine),
    "breast cancer": lambda: of_scikit_learn(load_breast_cancer),
    "diabetes": lambda: of_scikit_learn(load_diabetes),
    "digits": lambda: of_scikit_learn(load_digits),
    "swiss roll": swiss_roll,
}


def measured(each: Set, seed: int, rows: int) -> dict[str, float]:
    """The figures of one set and split."""
    order = np.random.default_rng(seed).permutation(len(each.table))[: 2 * rows]
    test, train = np.split(order, [len(order) // 4])
    begin = time.perf_counter()
    vae = _fitted(each.whole.iloc[train], seed)
    seconds = time.perf_counter() - begin
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = vae.certificate(each.whole.iloc[test]).to_dict()
    probed = vae if each.by_itself else _fitted(each.table.iloc[train], seed)
    parts = [each.table.iloc[place] for place in (train, test)]
    ours = [probed.transform(part) for part in parts]
    pca = [_linear(probed, part) for part in parts]
    targets = [each.target.iloc[place] for place in (train, test)]
    values = {name: found[name]["value"] for name in ("information_kept", "information_kept_pca", "completeness", "continuity")}
    values |= {"d": float(vae.latent_dim_), "rate": vae.figures_["rate"], "holes": found["prior_holes"]["value"] or np.nan}
    return values | {"probe": probe(ours, targets), "probe_pca": probe(pca, targets), "seconds": seconds}


def _fitted(table: pd.DataFrame, seed: int) -> lt.VAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lt.VAE(random_state=seed, unknown="missing").fit(table)


def _linear(vae: lt.VAE, part: pd.DataFrame) -> NDArray[Any]:
    """Scores of rows on as many principal components as the code has dimensions."""
    train, fields = vae.fitted_.at_hand.train, vae.codec_.fields  # type: ignore[union-attr]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = vae.fitted_.rows(part, "missing")
    codes: NDArray[Any] = Linear(train, train, fields, vae.latent_dim_).codes(rows).numpy()
    return codes


def probe(codes: list[NDArray[Any]], targets: list[pd.Series]) -> float:
    """R² of a ridge regression, or balanced accuracy of a logistic one, on the second part."""
    numbers = pd.api.types.is_numeric_dtype(targets[0]) and targets[0].nunique() > 10
    head = RidgeCV(np.logspace(-3, 3, 13)) if numbers else LogisticRegression(max_iter=2000, class_weight="balanced")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = make_pipeline(StandardScaler(), head).fit(codes[0], targets[0]).predict(codes[1])
    return float((r2_score if numbers else balanced_accuracy_score)(targets[1], found))


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, seeds=3, sets=tuple(SETS), rows=2000)
    lines, means = [], []
    for name in asked.sets:
        each = SETS[name]()
        found = pd.DataFrame([measured(each, seed, asked.rows) for seed in range(asked.seeds)]).mean()
        means.append(found)
        lines.append((name, *map(float, found)))
        print(name, found.round(3).to_dict(), flush=True)
    show("Codes", ("", *means[0].index), lines)
    table = pd.DataFrame(means)
    figures = [
        Figure("least of kept − PCA", float((table.information_kept - table.information_kept_pca).min()), "", -0.02),
        Figure("share of probes at or above PCA's", float((table.probe >= table.probe_pca).mean()), "", 0.7),
    ]
    report("Codes", figures, asked, sets={line[0]: line[1:] for line in lines})


if __name__ == "__main__":
    main()
