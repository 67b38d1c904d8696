"""Anomalies: scores of `anomalies` beside five baselines, on the 22 development sets, AUROC and AUPR times 100.

Two protocols: "half" trains on half of the normal rows and judges all others; "all" trains on all rows, unlabelled, and judges
the same rows. A third, "classes", is of mixed tables: half of the rows of all classes but one (the rarest, where there are two)
are trained on, without the class, and the class left out is what must be found; for baselines levels are indicators. Baselines
are fitted to the same training rows, each column standardised by them. Labels only judge. The default combination was chosen by
the means over these sets (about 250 configurations of parts, of their combination, and of how many training rows are trimmed,
on seeds 0 and 1); no choice depends on a single set.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import betabinom
from sklearn.covariance import MinCovDet
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

import latente as lt
from benchmarks import data
from benchmarks.common import Figure, options, report, show
from latente.training.usual import discoveries

Array = NDArray[np.float64]
PROTOCOLS = ("half", "all")
MIXED = ("heart", "german", "ai4i", "dry_bean")
BARS = {"half": (86.5, 67.0), "all": (79.5, 43.5)}
RIVAL = {"half": "5-NN", "all": "isolation forest"}
FOLLOWS = "TWF", "HDF", "PWF", "OSF", "RNF"  # kinds of failure of AI4I, beside its column of failures
MAX_MCD = 40  # columns, above which it takes minutes
RATES = ".05", ".01"


class Task(NamedTuple):
    """Rows to train on, rows to judge by, and which of those are anomalies."""

    train: Any
    test: Any
    strange: NDArray[np.int64]


def task(name: str, protocol: str, seed: int, most: int) -> Task:
    """At most so many rows of a set, divided as the protocol says."""
    stored = np.load(data.path(f"adbench/{name}.npz"))
    chosen = np.random.default_rng(seed).permutation(len(stored["X"]))[:most]
    x, y = stored["X"][chosen].astype(float), stored["y"][chosen].astype(int)
    if protocol == "all":
        return Task(x, x, y)
    usual = np.flatnonzero(y == 0)
    learnt = usual[: len(usual) // 2]
    others = np.setdiff1d(np.arange(len(x)), learnt)
    return Task(x[learnt], x[others], y[others])


def left_out(name: str, seed: int, most: int) -> Iterator[tuple[str, Task]]:
    """A task for each class of a mixed table that is left out; columns that only name rows, or that follow from the class, are
    not part of it.
    """
    what = data.MIXED[name]
    table = data.mixed(name, seed, 0.0)[0].drop(columns=list(what.identifiers)).dropna(subset=[what.target])
    table = table.iloc[np.random.default_rng(seed).permutation(len(table))[:most]].reset_index(drop=True)
    classes = table.pop(what.target)
    table = table.drop(columns=[column for column in FOLLOWS if column in table])
    table = table.assign(**{code: table[code].map(str, na_action="ignore") for code in what.codes if code in table})
    counts = classes.value_counts()
    for strange in counts.index[-1:] if len(counts) == 2 else counts.index:
        usual = np.flatnonzero(classes != strange)
        learnt = usual[: len(usual) // 2]
        others = np.setdiff1d(np.arange(len(table)), learnt)
        yield str(strange), Task(table.iloc[learnt], table.iloc[others], (classes.iloc[others] == strange).to_numpy(np.int64))


def as_numbers(of: Task) -> Task:
    """Levels as indicators, and missing numbers as means of the training rows."""
    both = pd.get_dummies(pd.concat([of.train, of.test]), dtype=float)
    both = both.fillna(both.iloc[: len(of.train)].mean()).fillna(0.0).to_numpy(float)
    return Task(both[: len(of.train)], both[len(of.train) :], of.strange)


def classes_found(asked: Any) -> list[Figure]:
    """AUROC for each mixed table, in the mean over classes and seeds, beside baselines."""
    lines, above = [], []
    for name in asked.mixed:
        found = []
        for seed in asked.seeds:
            for strange, of in left_out(name, seed, asked.rows):
                numbers = as_numbers(of)
                scores = ours(of, seed, asked.effort, tuple(asked.scores))[0]
                values = judged(of, {**scores, **baselines(numbers.train, numbers.test, seed)})
                found.append({key: roc for key, (roc, _) in values.items()})
                told = ", ".join(f"{key} {roc:.1f}" for key, roc in found[-1].items())
                print(f"classes {name} {strange} {seed}: {told}", flush=True)
        means = pd.DataFrame(found).mean()
        lines.append((name, *(float(means[key]) for key in ("latente", "5-NN", "isolation forest", "Σz²", "PCA"))))
        above.append(means["latente"] > max(means["5-NN"], means["isolation forest"]))
    show("AUROC, a class left out", ("set", "latente", "5-NN", "isolation forest", "Σz²", "PCA"), lines)
    return [Figure("classes: sets above 5-NN and isolation forest", float(sum(above)), f"of {len(above)}", bar=3.0)]


def baselines(train: Array, test: Array, seed: int) -> dict[str, Array]:
    """Higher is stranger."""
    spread = np.where(train.std(0) > 0, train.std(0), 1.0)
    kept = train.std(0) > 0
    train, test = (((x - train.mean(0)) / spread)[:, kept] for x in (train, test))
    pca = PCA(0.9, random_state=seed).fit(train)
    found = {
        "Σz²": np.square(test).sum(1),
        "5-NN": NearestNeighbors(n_neighbors=5).fit(train).kneighbors(test)[0][:, -1],
        "isolation forest": -IsolationForest(random_state=seed).fit(train).score_samples(test),
        "PCA": np.square(test - pca.inverse_transform(pca.transform(test))).sum(1),
    }
    if train.shape[1] <= MAX_MCD and len(train) > 2 * train.shape[1]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found["MCD"] = MinCovDet(random_state=seed).fit(train).mahalanobis(test)
    return found


def ours(of: Task, seed: int, effort: str, scores: tuple[str, ...]) -> tuple[dict[str, Array], Array, float, int]:
    """The scores of a model, p-values of the default one, the seconds that the fit and the default score took, and the number
    of held-out rows behind the p-values.
    """
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae = lt.VAE(effort=effort, random_state=seed, unknown="missing").fit(of.train)
        found = vae.anomalies(of.test)
        seconds = time.perf_counter() - begin
        each = {f"latente {name}": -np.asarray(vae.anomalies(of.test, score=name)["score"]) for name in scores}
    held_out = len(vae.fitted_.usual.held_out[0])
    return {"latente": -np.asarray(found["score"]), **each}, np.asarray(found["p_value"]), seconds, held_out


def judged(of: Task, found: dict[str, Array]) -> dict[str, tuple[float, float]]:
    """AUROC and AUPR, times 100."""
    return {
        name: (100 * roc_auc_score(of.strange, score), 100 * average_precision_score(of.strange, score))
        for name, score in found.items()
    }


def false_alarms(of: Task, p: Array) -> dict[str, float]:
    """Shares of normal rows with small p-values, and the share of normal rows among those that FDR .1 selects."""
    usual = p[of.strange == 0]
    selected = discoveries(p, 0.1)
    wrong = float((of.strange[selected] == 0).mean()) if selected.any() else 0.0
    return {"at .05": float((usual <= 0.05).mean()), "at .01": float((usual <= 0.01).mean()), "FDR": wrong}


def as_told(share: float, rate: float, rows: int, held_out: int) -> bool:
    """Whether a share of usual rows with p-values up to a rate is within 20% of it, or within the 95% interval that the number
    of rows and of held-out rows allows: p-values of exchangeable rows give a beta-binomial count.
    """
    below = math.floor(rate * (held_out + 1) + 1e-9)
    low, high = betabinom.interval(0.95, rows, below, held_out + 1 - below) if below else (0.0, 0.0)
    return bool(abs(share - rate) <= 0.2 * rate + 1e-12 or low <= share * rows <= high)


def run(protocol: str, asked: Any) -> tuple[list[dict[str, Any]], float]:
    """A record for each set and seed, and the seconds of Latente for all sets of one seed."""
    records, seconds = [], 0.0
    for seed in asked.seeds:
        for name in asked.sets:
            of = task(name, protocol, seed, asked.rows)
            found, p, took, held_out = ours(of, seed, asked.effort, tuple(asked.scores))
            values = judged(of, {**found, **baselines(of.train, of.test, seed)})
            alarms = false_alarms(of, p)
            usual = int((of.strange == 0).sum())
            told_right = {f"as told {rate}": as_told(alarms[f"at {rate}"], float(rate), usual, held_out) for rate in RATES}
            records.append({"set": name, "seed": seed, "seconds": took, **alarms, **told_right, "values": values})
            seconds += took / len(asked.seeds)
            told = ", ".join(f"{key} {roc:.1f} / {pr:.1f}" for key, (roc, pr) in values.items())
            print(f"{protocol} {name} {seed}: {took:.1f} s; {told}; {alarms}", flush=True)
    return records, seconds


def names_in(records: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record["values"]))


def mean(records: list[dict[str, Any]], name: str, which: int) -> float:
    """Over all sets and seeds that have this score."""
    return float(np.mean([record["values"][name][which] for record in records if name in record["values"]]))


def shown(protocol: str, records: list[dict[str, Any]]) -> None:
    """All rows, and the means."""
    names = names_in(records)
    for which, measure in enumerate(("AUROC", "AUPR")):
        sets = list(dict.fromkeys(record["set"] for record in records))
        lines = []
        for each in [*sets, "mean"]:
            of = [record for record in records if each in ("mean", record["set"])]
            lines.append((each, *(mean(of, name, which) if any(name in r["values"] for r in of) else "" for name in names)))
        show(f"{measure}, {protocol}", ("set", *names), lines)


def figures(protocol: str, records: list[dict[str, Any]], seconds: float) -> list[Figure]:
    """The means beside their bars."""
    roc, pr = BARS[protocol]
    rival = mean(records, RIVAL[protocol], 0)
    keys = *(f"{of} {rate}" for of in ("at", "as told") for rate in RATES), "FDR"
    alarms = {key: float(np.mean([record[key] for record in records])) for key in keys}
    made = [
        Figure(f"{protocol}: AUROC", mean(records, "latente", 0), bar=roc, reference="DTE-NP 84.8, MCD 79.0 (published)"),
        Figure(f"{protocol}: AUROC against {RIVAL[protocol]}", mean(records, "latente", 0), bar=rival),
        Figure(f"{protocol}: AUPR", mean(records, "latente", 1), bar=pr, reference="DTE-NP 65.6, MCD 43.3 (published)"),
        Figure(f"{protocol}: fit and score", seconds, "s a seed", bar=600.0, at_most=True),
    ]
    if protocol == "half":
        made += [Figure(f"false alarms at {rate}", alarms[f"at {rate}"]) for rate in RATES]
        made += [Figure(f"share of sets with as many as at {rate}", alarms[f"as told {rate}"], bar=1.0) for rate in RATES]
        made.append(Figure("false discoveries at q = .1", alarms["FDR"], bar=0.12, at_most=True))
    return made


def main() -> None:
    """Measure and print."""
    every = tuple(sorted(path.stem for path in data.path("adbench/wine.npz").parent.glob("*.npz")))
    asked = options(
        __doc__,
        sets=every,
        protocols=PROTOCOLS,
        mixed=MIXED,
        seeds=(0,),
        rows=2000,
        effort="balanced",
        scores=("log-prob", "near", "covariance"),
    )
    made: list[Figure] = []
    made += classes_found(asked) if "classes" in asked.protocols else []
    for protocol in (each for each in asked.protocols if each in PROTOCOLS):
        records, seconds = run(protocol, asked)
        shown(protocol, records)
        made += figures(protocol, records, seconds)
    report("Anomalies", made, asked)


if __name__ == "__main__":
    main()
