"""Rows of mixed tables decoded from codes: how like real rows they are, and whether relations between columns survive.

A table's VAE decodes columns that are independent given the code; the row model beside it decodes one column after the other,
and is also given the code (what the code adds is trained after the row model, which stays as it is: new rows are the same with
and without it). Both decode the same codes: those of one half of the test rows, and the codes half-way between two rows.

* **C2ST**: XGBoost is told to tell decoded rows from the other half of the test rows (``generated.two_samples``); 1 where it
  can't. Means are not like real rows, whoever decodes; draws may be.
* **relations**: share of decoded rows that keep the exact relations of the training rows (columns of which one follows from
  the other, such as an education and its number).
* **levels**, **error**: of reconstructions, the share of texts that are those of the row, and the absolute error of numbers
  in standard deviations.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import permutations

import numpy as np
import pandas as pd
import torch

import latente as lt
from benchmarks import generated
from benchmarks.common import CONSOLE, Figure, options, report, show
from benchmarks.generated import sheet
from benchmarks.generation import Case, case
from latente.model.row_models import RowModel
from latente.seeding import seeded
from latente.tasks.reconstruct import decode

FEW = 100  # values of a column from which another one may follow
NAMES = {"model": "columns independent given the code", "row model": "row model given the code"}
Relations = list[tuple[str, str, set[tuple[object, object]]]]


@dataclass(frozen=True)
class Scores:
    """What is measured of a decoder."""

    c2st: float
    relations: float
    levels: float
    error: float
    c2st_between: float
    relations_between: float


def relations(train: pd.DataFrame, columns: list[str]) -> Relations:
    """Pairs of columns of which the second follows from the first, and the pairs of values that there are."""
    few = [name for name in columns if 1 < train[name].nunique() <= FEW]
    pairs = ((a, b, train[[a, b]].dropna()) for a, b in permutations(few, 2))
    return [(a, b, set(map(tuple, both.to_numpy()))) for a, b, both in pairs if both.groupby(a)[b].nunique().max() == 1]


def kept(rows: pd.DataFrame, known: Relations) -> float:
    """Share of rows that keep all relations; NaN where there are none."""
    if not known:
        return float("nan")
    keeps = [[pair in values for pair in zip(rows[a], rows[b], strict=True)] for a, b, values in known]
    return float(np.all(keeps, axis=0).mean())


class Judge:
    """The decoders of a fitted estimator, on the codes of one half of the test rows."""

    def __init__(self, case: Case, vae: lt.VAE) -> None:
        self.case, self.vae, self.known = case, vae, relations(case.train, case.judged)
        order = np.random.default_rng(case.seed).permutation(len(case.test))
        self.rows, self.others = (case.test.iloc[half].reset_index(drop=True) for half in np.array_split(order, 2))
        self.z = torch.from_numpy(vae.transform(self.rows))
        self.between = (self.z + self.z.flip(0)) / 2

    def __call__(self, decoder: RowModel, noise: bool) -> Scores:
        """Of one decoder."""
        rows, between = (self._decoded(decoder, z, noise) for z in (self.z, self.between))
        return Scores(
            self._c2st(rows), kept(rows, self.known), *self._near(rows), self._c2st(between), kept(between, self.known)
        )

    def real(self) -> float:
        """C2ST of the one half of the real rows against the other."""
        return self._c2st(self.rows)

    def _decoded(self, decoder: RowModel, z: torch.Tensor, noise: bool) -> pd.DataFrame:
        with seeded(self.case.seed):
            return self.vae.fitted_.decode(decode(decoder, z, noise=noise), "pandas", possible=noise)

    def _c2st(self, rows: pd.DataFrame) -> float:
        sheets = [sheet(frame, self.case.kinds) for frame in (self.others, rows)]
        return generated.two_samples(*sheets, self.case.seed)[0]

    def _near(self, rows: pd.DataFrame) -> tuple[float, float]:
        real, found = sheet(self.rows, self.case.kinds), sheet(rows, self.case.kinds)
        observed = real.categories != generated.MISSING
        right = (found.categories == real.categories).where(observed).stack().mean()
        error = (found.numbers - real.numbers).abs() / real.numbers.std()
        return float(right), float(error.stack().mean())


def measure(case: Case) -> Iterator[tuple[str, Scores]]:
    """Scores of both decoders, by their means and by draws."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae = lt.VAE(random_state=case.seed).fit(case.train)
    seconds = vae.figures_["time"]
    CONSOLE.print(f"{case.name}, seed {case.seed}: {', '.join(f'{name} {value:.1f} s' for name, value in seconds.items())}")
    judge = Judge(case, vae)
    CONSOLE.print(f"{case.name}, seed {case.seed}: real rows, C2ST {judge.real():.3f}")
    for name, decoder in (("model", vae.model_), ("row model", vae.fitted_.decoder)):
        for noise in (False, True):
            yield f"{NAMES[name]}, {'draws' if noise else 'means'}", judge(decoder, noise)


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, tables=("adult", "german", "beijing", "ai4i"), seeds=1, rows=0)
    results: dict[tuple[str, str], list[Scores]] = {}
    for table in asked.tables:
        for seed in range(asked.seeds):
            for name, scores in measure(case(table, seed, asked.rows)):
                results.setdefault((table, name), []).append(scores)
    means = {
        key: [float(np.mean([getattr(score, field.name) for score in scores])) for field in fields(Scores)]
        for key, scores in results.items()
    }
    header = ("", "C2ST", "relations", "levels", "error", "C2ST half-way", "relations half-way")
    show("Rows decoded from codes", header, [(f"{table} · {name}", *found) for (table, name), found in means.items()])
    every = [(f"{table}: {name}: {field.name}", value) for (table, name), found in means.items()
             for field, value in zip(fields(Scores), found, strict=True)]  # fmt: skip
    report("Decoding", [Figure(what, value) for what, value in every], asked)


if __name__ == "__main__":
    main()
