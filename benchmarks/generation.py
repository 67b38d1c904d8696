"""New rows of mixed tables: how like the real rows they are, what they are good for, and whether they are copies.

Latente fits the training rows as they are read from the file, with no option but a seed (and ``--time-limit``), and draws as
many rows. Beside it, in the same run and judged by the same measures (``generated.py`` says what each is):

* **TVAE** of ``ctgan`` with its defaults, 300 epochs; about 20 minutes for Adult, so there is ``--no-peers``. It takes no
  holes: missing numbers become the column's mean, missing texts a level. It is told which numbers are codes, and is
  spared the identifiers, for which it would need an indicator each.
* **independent columns**, the control: each column of the training rows in an order of its own.
* **real rows**, the ceiling: held-out rows in the place of samples; under MLE, XGBoost trained on the training rows.

Columns that only name a row ("No", "UDI", "Product ID") are judged for nobody: models leave them empty. Every other column is
judged for all. Adult has test rows of its own; of the other tables a fifth of the rows, drawn by the seed, is held out before
anything is fitted. What is printed is the mean over seeds, with the standard deviation where there are several.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import pandas as pd

import latente as lt
from benchmarks import data, generated
from benchmarks.common import CONSOLE, Figure, options, report, show
from benchmarks.generated import Features, Kinds, sheet

LATENTE, TVAE, CONTROL, REAL = "Latente", "TVAE", "independent columns", "real rows"
NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """A table split in two by a seed; what is judged of it is known to the judge only."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    kinds: Kinds
    seed: int

    @property
    def judged(self) -> list[str]:
        """All columns but identifiers."""
        return [name for name in self.train if name in self.kinds.numbers + self.kinds.categories]


def case(name: str, seed: int, rows: int) -> Case:
    """A case, of at most ``rows`` training and test rows where that is not 0."""
    train, test = (frame.iloc[: rows or None] for frame in data.mixed(name, seed))
    what = data.MIXED[name]
    judged = [column for column in train if column not in what.identifiers]
    numbers = [column for column in judged if column not in what.codes and pd.api.types.is_numeric_dtype(train[column])]
    kinds = Kinds(tuple(numbers), tuple(column for column in judged if column not in numbers), what.target)
    return Case(name, train, test, kinds, seed)


@dataclass(frozen=True)
class Drawn:
    """As many rows as the training rows, and the seconds that it took to be able to draw them and to draw them."""

    rows: pd.DataFrame
    fit: float = NAN
    sample: float = NAN


@dataclass(frozen=True)
class Scores:
    """What is measured of a model on a table with a seed; NaN where it is not to be had."""

    shape: float = NAN
    trend: float = NAN
    mle: float = NAN
    c2st: float = NAN
    auc: float = NAN
    c2st_held_out: float = NAN
    auc_held_out: float = NAN
    copies: float = NAN
    nearer: float = NAN
    copying: float = NAN
    fit: float = NAN
    sample: float = NAN


# -- who draws rows -----------------------------------------------------------------------------------------------------


def by_latente(case: Case, time_limit: float = 0) -> Drawn:
    """With every choice left to the library; holes as often as there are in the training rows."""
    vae = lt.VAE(random_state=case.seed, time_limit=time_limit or None)
    return _timed(lambda: vae.fit(case.train), lambda: vae.sample(len(case.train), missing=True))


def by_tvae(case: Case, epochs: int = 300) -> Drawn:
    """ctgan's TVAE."""
    from ctgan import TVAE as Model

    numbers, categories = case.train[list(case.kinds.numbers)], sheet(case.train, case.kinds).categories
    train = pd.concat([numbers.fillna(numbers.mean()), categories], axis=1)  # whole numbers stay such: it gives them back so
    model = Model(epochs=epochs)
    model.set_random_state(case.seed)
    return _timed(lambda: model.fit(train, list(categories)), lambda: model.sample(len(train)))


def by_permutation(case: Case) -> Drawn:
    """Each column of the training rows in an order of its own."""
    rng = np.random.default_rng(case.seed)
    return Drawn(pd.DataFrame({name: rng.permutation(case.train[name].to_numpy()) for name in case.judged}))


def _timed(fit: Callable[[], object], sample: Callable[[], pd.DataFrame]) -> Drawn:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin = time.perf_counter()
        fit()
        fitted = time.perf_counter()
        rows = sample()
        return Drawn(rows, fitted - begin, time.perf_counter() - fitted)


# -- how they are judged ------------------------------------------------------------------------------------------------


class Judge:
    """The measures on one case; what only the real rows decide is prepared once."""

    def __init__(self, case: Case) -> None:
        self.seed, self.kinds = case.seed, case.kinds
        self.train, self.test = sheet(case.train, case.kinds), sheet(case.test, case.kinds)
        self.features = Features(self.train)
        self.near, self.far = self.features(self.train), self.features(self.test)

    def __call__(self, drawn: Drawn) -> Scores:
        """Of a model's rows."""
        rows, seed = sheet(drawn.rows, self.kinds), self.seed
        placed = self.features(rows)
        return Scores(
            *generated.shape_and_trend(self.train, rows),
            generated.usefulness(rows, self.test, self.kinds, seed),
            *generated.two_samples(self.train, rows, seed),
            *generated.two_samples(self.test, rows, seed),
            generated.copies(rows, self.train),
            generated.nearer(placed, self.near, self.far, seed),
            generated.copying(placed, self.near, self.far, seed),
            drawn.fit,
            drawn.sample,
        )

    def real(self) -> Scores:
        """Of the held-out rows; MLE of the training rows."""
        return Scores(
            *generated.shape_and_trend(self.train, self.test),
            generated.usefulness(self.train, self.test, self.kinds, self.seed),
            *generated.two_samples(self.train, self.test, self.seed),
            copies=generated.copies(self.test, self.train),
        )


def measure(case: Case, models: dict[str, Callable[[Case], Drawn]]) -> Iterator[tuple[str, Scores]]:
    """The scores of each model, and of the real rows."""
    judge = Judge(case)
    for name, draw in models.items():
        try:
            yield name, judge(draw(case))
        except lt.LatenteError as error:
            CONSOLE.print(f"{case.name}: {name} refuses: {error}", markup=False)
            yield name, Scores()
    yield REAL, judge.real()


# -- what is printed ----------------------------------------------------------------------------------------------------

# Published figures of Adult: Shape, Trend, MLE, C2ST against training rows, seconds to train (SDMetrics, XGBoost).
PUBLISHED = {
    "shape": "TabSyn .992 · CTGAN .809 · TVAE .762 · independent .996",
    "trend": "TabSyn .980 · CTGAN .758 · TVAE .666 · independent .925",
    "mle": "TabPC .916 · TabSyn .910 · TVAE .871 · CTGAN .862",
    "c2st": "TabPC .855 · TabSyn .794 · TVAE .000",
    "fit": "TabPC 273 · TVAE 1310 · TabSyn 3083",
}
ADULT_BARS = {"shape": None, "trend": 0.98, "mle": 0.915, "c2st": 0.90, "fit": 180.0}
NAMES = {
    "shape": "Shape",
    "trend": "Trend",
    "mle": "MLE",
    "c2st": "C2ST against training rows",
    "c2st_held_out": "C2ST against held-out rows",
    "nearer": "samples nearer to training than to held-out rows (1/2: no copying)",
    "copying": "C_T (far below 0: copying)",
    "fit": "seconds to train",
}
BESIDE = ("c2st_held_out", "nearer", "copying")  # without which C2ST against training rows says little: copies pass it, too
SHARE_OF_TIME = 0.2

Results = dict[tuple[str, str], list[Scores]]


def mean(scores: list[Scores], measure: str) -> float:
    """Over seeds; NaN where one is."""
    return float(np.mean([getattr(score, measure) for score in scores]))


def board(results: Results) -> None:
    """Print the table of tables and models."""
    c2st = ("C2ST train", "AUC", "C2ST held out", "AUC")
    header = ("", "Shape", "Trend", "MLE", *c2st, "copies", "nearer", "C_T", "fit s", "sample s")
    decimals = (3, 3, 3, 3, 3, 3, 3, 4, 3, 1, 1, 1)
    rows = []
    for (table, model), scores in results.items():
        columns = zip((field.name for field in fields(Scores)), decimals, strict=True)
        rows.append((f"{table} · {model}", *(_cell([getattr(score, name) for score in scores], n) for name, n in columns)))
    show("Generated rows", header, rows)


def _cell(values: list[float], decimals: int) -> str:
    if np.isnan(values).any():
        return "–"
    spread = f"\n±{_short(float(np.std(values, ddof=1)), decimals)}" if len(values) > 1 else ""
    return _short(float(np.mean(values)), decimals) + spread


def _short(value: float, decimals: int) -> str:
    """As published tables have it, .123 for 0.123."""
    text = f"{value:.{decimals}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) and decimals > 1 else text


def _line(scores: Scores) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in vars(scores).items() if value == value)


def against_published(results: Results) -> list[Figure]:
    """Latente on Adult beside the published figures and the bars."""
    found = results["adult", LATENTE]
    return [
        Figure(f"adult: {NAMES[name]}", mean(found, name), "", bar, name == "fit", PUBLISHED.get(name, ""))
        for name, bar in ADULT_BARS.items()
    ]


def against_peer(table: str, results: Results) -> list[Figure]:
    """Latente beside TVAE, above which it must be, in a fifth of its time; no bar where TVAE did not run."""
    found, peer = results[table, LATENTE], results.get((table, TVAE))
    figures = []
    for name in ("trend", "c2st", "mle"):
        bar = None if peer is None else float(np.nextafter(mean(peer, name), np.inf))  # as good is not above
        reference = f"real rows {mean(results[table, REAL], name):.3f}"
        figures.append(Figure(f"{table}: {NAMES[name]}", mean(found, name), "", bar, reference=reference))
    bar = None if peer is None else SHARE_OF_TIME * mean(peer, "fit")
    return [*figures, Figure(f"{table}: {NAMES['fit']}", mean(found, "fit"), "", bar, at_most=True)]


def beside(table: str, results: Results) -> list[Figure]:
    """What says whether Latente's rows are new ones."""
    return [Figure(f"{table}: {NAMES[name]}", mean(results[table, LATENTE], name)) for name in BESIDE]


def models_of(asked: argparse.Namespace) -> dict[str, Callable[[Case], Drawn]]:
    """Who draws rows in this run."""
    peers = {TVAE: partial(by_tvae, epochs=asked.peer_epochs)} if asked.peers else {}
    return {LATENTE: partial(by_latente, time_limit=asked.time_limit), **peers, CONTROL: by_permutation}


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, tables=tuple(data.MIXED), seeds=3, peers=True, peer_epochs=300, time_limit=0.0, rows=0)
    results: Results = {}
    for table in asked.tables:
        for seed in range(asked.seeds):
            for model, scores in measure(case(table, seed, asked.rows), models_of(asked)):
                results.setdefault((table, model), []).append(scores)
                CONSOLE.print(f"{table}, seed {seed}, {model}: {_line(scores)}", highlight=False, soft_wrap=True)
    board(results)
    figures = []
    for table in asked.tables:
        figures += against_published(results) if table == "adult" else against_peer(table, results)
        figures += beside(table, results)
    every = {f"{table} · {model}": [vars(score) for score in scores] for (table, model), scores in results.items()}
    report("Generation", figures, asked, scores=every)


if __name__ == "__main__":
    main()
