"""What "auto" means for training, against what else was tried: held-out loss of the fits, and processor seconds.

Judged by the rows that `fit` holds out, of splits by seeds that no other benchmark uses, so that defaults can be chosen here
and be judged elsewhere. Loss is that of the VAE (−ELBO) or of the law of the rows, nats per row; a variant's difference from
the defaults is a mean over seeds with its standard error.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, make_s_curve, make_swiss_roll

import latente as lt
from benchmarks import data
from benchmarks.certificate import blobs, digits, sines
from benchmarks.common import options, show
from latente.blueprint import Blueprint
from latente.training import defaults

FIRST_SEED = 20
Variant = dict[str, Any]  # what stands in `latente.training.defaults` in the place of what is there

VAE: dict[str, Variant] = {
    "defaults": {},
    "one batch, 4e-3": {"mixed_pace": lambda n: defaults.Pace(1, 4e-3, 1.0)},
    "two batches, 6e-3": {"mixed_pace": lambda n: defaults.Pace(2, 6e-3, 1.0)},
    "four batches, 1e-2": {"mixed_pace": lambda n: defaults.Pace(4, 1e-2, 1.0)},
    "two batches, 1e-2, half of the epochs": {"mixed_pace": lambda n: defaults.Pace(2, 1e-2, 0.5)},
    "three trials": {"trials": lambda mixed: 3},
}
ROW_MODEL: dict[str, Variant] = {
    "defaults": {},
    "one batch, 5e-3": {"row_model_pace": lambda n: defaults.Pace(1, 5e-3, 1.0)},
    "two batches, 1e-2": {"row_model_pace": lambda n: defaults.Pace(2, 1e-2, 1.0)},
    "four batches, 1e-2": {"row_model_pace": lambda n: defaults.Pace(4, 1e-2, 1.0)},
}
SMALL: dict[str, Variant] = {
    "defaults": {},
    "one start": {"starts": lambda n, chosen, holes: 1},
    "as long as fewer rows": {"times_as_long": lambda n, batch, work: 1.0},
    "three times as long as these": {"times_as_long": lambda n, batch, work: 3.0},
    "batches of N / 64": {"batch_size": lambda n, mixed=False, size=defaults.batch_size: size(n, True)},
}
TRIALS: dict[str, Variant] = {"defaults": {}, "one trial": {"trials": lambda mixed: 1}}


def fitted(rows: Any, seed: int, variant: Variant, recipe: Any = "vae") -> tuple[lt.VAE, float]:
    """A fit with some defaults exchanged, and its processor seconds."""
    with warnings.catch_warnings(), ExitStack() as exchanged:
        warnings.simplefilter("ignore")
        for name, value in variant.items():
            exchanged.enter_context(mock.patch.object(defaults, name, value))
        begin = time.process_time()
        vae = lt.VAE(recipe, random_state=seed).fit(rows)
        return vae, time.process_time() - begin


def compared(name: str, rows: Callable[[int], Any], variants: dict[str, Variant], figure: str, seeds: int) -> None:
    """Print a line for each variant."""
    losses: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        train = rows(seed)
        for words, variant in variants.items():
            vae, took = fitted(train, seed, variant)
            losses.setdefault(words, []).append(float(vae.figures_[figure]))
            seconds.setdefault(words, []).append(took)
    lines = []
    for words, found in losses.items():
        difference = np.subtract(found, losses["defaults"])
        error = difference.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else float("nan")
        lines.append((words, np.mean(found), difference.mean(), error, np.mean(seconds[words])))
    show(f"{name}: {figure}", ("", "nats per row", "above the defaults", "standard error", "processor seconds"), lines)


def table(name: str) -> Callable[[int], Any]:
    """The training rows of a table's split by a seed."""
    return lambda seed: data.mixed(name, seed)[0]


def standardised(x: NDArray[Any]) -> Callable[[int], NDArray[Any]]:
    """Measures, four fifths of them drawn by a seed."""
    x = (x - x.mean(0)) / x.std(0)
    return lambda seed: x[np.random.default_rng(seed).permutation(len(x))[: 4 * len(x) // 5]]


def anomalies(name: str) -> Callable[[int], NDArray[Any]]:
    """The measures of a set of ADBench, at most 6,000 rows of it."""
    x = np.load(data.path(f"adbench/{name}.npz"))["X"].astype(float)
    x = x[:, x.std(0) > 0]
    return lambda seed: standardised(x)(seed)[:6000]


def manifolds(seeds: int) -> None:
    """What a code of two dimensions keeps of surfaces in space, as it is and with a noise level for each column."""
    surfaces = {"swiss roll": partial(make_swiss_roll, noise=0.5), "S": partial(make_s_curve, noise=0.05)}
    elsewhere = {"overcomplete": property(lambda blueprint: False)}
    lines = []
    for recipe in ("autoencoder", "vae"):
        each = replace(lt.recipe(recipe), least_squares=False)
        for name, surface in surfaces.items():
            for words, chosen, changes in (("defaults", recipe, {}), ("a noise level for each column", each, elsewhere)):
                kept = [_kept(surface, chosen, changes, seed) for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
                lines.append((f"{name}, {recipe}, {words}", np.mean(kept), min(kept)))
    show("Codes of two dimensions: share of the variance kept", ("", "mean", "least"), lines)


def _kept(surface: Callable[..., Any], recipe: Any, changes: dict[str, Any], seed: int) -> float:
    x, other = (surface(3000, random_state=seed + some)[0] for some in (0, 1000))
    with warnings.catch_warnings(), mock.patch.multiple(Blueprint, **changes) if changes else nullcontext():
        warnings.simplefilter("ignore")
        rebuilt = lt.VAE(recipe, latent_dim=2, random_state=seed).fit(x).reconstruct(other)
    return float(1 - np.square(rebuilt - other).sum() / np.square(other - other.mean(0)).sum())


def main() -> None:
    """Compare and print."""
    asked = options(__doc__, tables=("heart", "german", "ai4i"), seeds=4)
    for name in asked.tables:
        compared(name, table(name), VAE, "loss", asked.seeds)
        compared(name, table(name), ROW_MODEL, "row_model_loss", asked.seeds)
    for name, load in (("breast cancer", load_breast_cancer), ("diabetes", load_diabetes)):
        compared(name, standardised(load().data), TRIALS, "loss", asked.seeds)
    for name in ("annthyroid", "mammography", "satellite", "shuttle"):
        compared(name, anomalies(name), SMALL, "loss", asked.seeds)
    for name, made in (("digits", digits), ("waves", sines), ("blobs", blobs)):
        compared(name, made, SMALL, "loss", asked.seeds)
    manifolds(asked.seeds)


if __name__ == "__main__":
    main()
