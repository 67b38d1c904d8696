"""Imputation: values hidden completely at random, filled in by Latente, by columns' means and modes, by near rows, by forests.

Every method sees the same rows with the same holes, and fills in those rows (the protocol of MIWAE's own notebook; Mattei and
Frellsen 2019). Numbers are judged by their root mean square error in standard deviations of their column, categories by the
share of holes that got another value; Latente's intervals by how often a hidden number lies in those of 90%. Numbers that are
codes (``data.MIXED`` knows which) are categories, and given to all methods as text. Holes are made with seeds 0 to 2; what is
printed is the mean over them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (makes the next import possible)
from sklearn.impute import IterativeImputer, KNNImputer

import latente as lt
from benchmarks import data
from benchmarks.common import Figure, options, report, show
from latente.data import Table, read

TABLES = {
    "letter": "tables/letter.csv.gz",
    "Adult": "tables/adult_train.csv.gz",
    "heart": "tables/heart.csv.gz",
    "dry bean": "tables/dry_bean.csv.gz",
}
MIWAE_BAR = 0.287  # mean square error, author's notebook


@dataclass(frozen=True)
class Holed:
    """A table with values hidden: the truth, what is left, and where, by columns of numbers and of text."""

    truth: pd.DataFrame
    left: pd.DataFrame
    hidden: NDArray[np.bool_]

    @property
    def numbers(self) -> list[str]:
        """Names of the columns of numbers."""
        return list(self.truth.select_dtypes("number").columns)


def holed(table: pd.DataFrame, share: float, seed: int) -> Holed:
    """Hide a share of the values that are there."""
    generator = np.random.default_rng(seed)
    hidden = (generator.random(table.shape) < share) & table.notna().to_numpy()
    return Holed(table, table.mask(hidden), hidden)


@dataclass(frozen=True)
class Filled:
    """Rows filled in, and where a method gives them, the ends of intervals that hold the value with 90%."""

    rows: pd.DataFrame
    low: pd.DataFrame | None = None
    high: pd.DataFrame | None = None


def errors(case: Holed, filled: Filled) -> tuple[float, float, float]:
    """Root mean square error of numbers in standard deviations, the share of wrong categories, and that of numbers within their
    intervals; NaN where there are none.
    """
    squares, wrong, within = [], [], []
    for place, name in enumerate(case.truth.columns):
        rows = case.hidden[:, place]
        truth, found = case.truth[name][rows], filled.rows[name][rows]
        if name in case.numbers:
            if filled.low is not None and filled.high is not None:
                within.append(truth.between(filled.low[name][rows].astype(float), filled.high[name][rows].astype(float)))
            squares.append(((found.astype(float) - truth) / case.truth[name].std()) ** 2)
        else:
            wrong.append(found.to_numpy() != truth.to_numpy())
    rmse = float(np.sqrt(np.concatenate(squares).mean())) if squares else float("nan")
    return rmse, *(float(np.concatenate(each).mean()) if each else float("nan") for each in (wrong, within))


def by_latente(case: Holed, seed: int, recipe: str = "vae") -> Filled:
    """With every choice left to the library, but for the recipe."""
    vae = lt.VAE(recipe, random_state=seed).fit(case.left)
    return Filled(vae.impute(case.left), *vae.impute(case.left, intervals=0.9))


def by_means(case: Holed, seed: int) -> Filled:
    """The mean of a column of numbers, the most frequent text."""
    return Filled(case.left.fillna({name: _usual(case.left[name]) for name in case.left}))


def _usual(column: pd.Series) -> object:
    return column.mean() if pd.api.types.is_numeric_dtype(column) else column.mode()[0]


def by_neighbours(case: Holed, seed: int) -> Filled:
    """Five nearest rows, texts as indicators; on at most 3,000 rows to look among, for it compares all with all."""
    return _through_indicators(case, lambda x: _in_blocks(KNNImputer().fit(x[:3000]), x))


def by_forests(case: Holed, seed: int) -> Filled:
    """Columns in turns by extremely random trees, as in missForest (Stekhoven and Buehlmann 2012); texts as indicators."""
    trees = ExtraTreesRegressor(n_estimators=10, max_depth=16, min_samples_leaf=3, n_jobs=2, random_state=seed)
    return _through_indicators(case, IterativeImputer(trees, max_iter=3, random_state=seed).fit_transform)


def _in_blocks(imputer: KNNImputer, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([imputer.transform(block) for block in np.array_split(x, max(1, len(x) // 2000))])


def _through_indicators(case: Holed, impute: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Filled:
    """Standardised numbers and an indicator for each text to a method of numbers, and back."""
    blocks, widths = [], []
    for name in case.left:
        column = case.left[name]
        if name in case.numbers:
            block = ((column - column.mean()) / (column.std() or 1)).to_numpy(float)[:, None]
        else:
            block = np.array(pd.get_dummies(column), float)
            block[column.isna()] = np.nan
        blocks.append(block)
        widths.append(block.shape[1])
    found = np.split(impute(np.hstack(blocks)), np.cumsum(widths)[:-1], axis=1)
    filled = case.left.copy()
    for place, name in enumerate(case.left):
        column, values = case.left[name], found[place]
        if name in case.numbers:
            value = values[:, 0] * (column.std() or 1) + column.mean()
        else:
            value = np.array(sorted(column.dropna().unique()), dtype=object)[values.argmax(1)]
        filled[name] = column.where(column.notna(), pd.Series(value, index=column.index))
    return Filled(filled)


METHODS: dict[str, Callable[[Holed, int], Filled]] = {
    "Latente": by_latente,
    "mean / mode": by_means,
    "5 near rows": by_neighbours,
    "forests": by_forests,
}


def miwae_protocol(seed: int, recipe: str) -> float:
    """Mean square error of a recipe on scikit-learn's breast cancer, standardised, half of the values hidden."""
    x = load_breast_cancer().data
    case = holed(pd.DataFrame((x - x.mean(0)) / x.std(0)), 0.5, seed)
    filled = by_latente(case, seed, recipe).rows.to_numpy()
    return float(np.square(filled - case.truth.to_numpy())[case.hidden].mean())


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, seeds=3, tables=tuple(TABLES), shares=(0.2, 0.5), rows=20_000)
    figures = []
    for name in asked.tables:
        table = read(str(data.path(TABLES[name])))
        frame = _frame(table, asked.rows, data.MIXED[name].codes if name in data.MIXED else ())
        for share in asked.shares:
            rows = []
            for method, impute in METHODS.items():
                begin = time.perf_counter()
                found = [
                    errors(case, impute(case, seed)) for seed in range(asked.seeds) for case in [holed(frame, share, seed)]
                ]
                seconds = (time.perf_counter() - begin) / asked.seeds
                rows.append((method, *map(float, np.mean(found, axis=0)), seconds))
            show(
                f"{name}, {share:.0%} hidden",
                ("", "RMSE, standard deviations", "wrong categories", "in 90% intervals", "seconds"),
                rows,
            )
    for recipe in ("auto", "vae", "miwae"):
        mse = float(np.mean([miwae_protocol(seed, recipe) for seed in range(asked.seeds)]))
        what = f"breast cancer, 50% hidden, {recipe}: mean square error"
        figures.append(Figure(what, mse, "", MIWAE_BAR, at_most=True, reference="MIWAE .280"))
    report("Imputation", figures, asked)


def _frame(table: Table, most: int, codes: tuple[str, ...]) -> pd.DataFrame:
    """A table that was read, as pandas has it, ``codes`` as text; without columns of one value, and of as many rows at most."""
    columns = {}
    for place, name in enumerate(table.names):
        values = table.values[:most, place]
        texts = table.levels.get(place)
        columns[name] = values if texts is None else [None if code != code else texts[int(code)] for code in values]
        if name in codes:
            columns[name] = [None if code != code else f"{code:g}" for code in values]
    frame = pd.DataFrame(columns)
    return frame.loc[:, frame.nunique() > 1]


if __name__ == "__main__":
    main()
