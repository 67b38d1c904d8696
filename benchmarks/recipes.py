"""Time per step of every recipe that Pythae has, too: the same layers, batch and optimiser, in one run, alternating.

The layers of encoder and decoder are those of :mod:`benchmarks.speed`, a critic has two hidden layers of 128 units, a flow two
transforms with a hidden layer of 64. Only the training loop is timed, without the first epoch, by the processor's time of one
thread; the figure is the median over the rounds of the mean time of a step. Quality is not compared. Pythae's FactorVAE
reconstructs half of each batch only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import fmean, median
from typing import Any

import torch

import latente as lt
from benchmarks import data, peers
from benchmarks.common import Figure, options, report, show
from benchmarks.data import Array
from benchmarks.peers import Setting
from benchmarks.speed import MNIST, TABLE
from latente.blueprint import Blueprint
from latente.rows import Field, Rows
from latente.training.loop import Settings, Training

STEPS = 20  # of an epoch
SAME: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "AE": ({}, "autoencoder", {}),
    "VAE": ({}, "vae", {}),
    "BetaVAE": ({"beta": 4.0}, "beta-vae", {"beta": 4.0}),
    "DisentangledBetaVAE": ({"beta": 10.0, "C": 25.0}, "capacity-vae", {}),
    "BetaTCVAE": ({"beta": 6.0}, "beta-tcvae", {}),
    "FactorVAE": ({"gamma": 10.0}, "factor-vae", {}),
    "INFOVAE_MMD": ({}, "info-vae", {}),
    "IWAE": ({"number_samples": 5}, "iwae", {"samples": 5}),
    "CIWAE": ({"number_samples": 5}, "ciwae", {"samples": 5}),
    "MIWAE": ({"number_gradient_estimates": 4, "number_samples": 4}, "multiply-iwae", {"samples": 4, "groups": 4}),
    "PIWAE": ({"number_gradient_estimates": 4, "number_samples": 4}, "piwae", {"samples": 4, "groups": 4}),
    "VAE_IAF": ({"n_made_blocks": 2, "n_hidden_in_made": 1, "hidden_size": 64}, "iaf-vae", {"transforms": 2}),
    "VAMP": ({"number_components": 50}, "vamp-vae", {"components": 50}),
    "SVAE": ({}, "vmf-vae", {}),
    "PoincareVAE": ({}, "poincare-vae", {}),
    "WAE_MMD": ({}, "wae", {}),
    "Adversarial_AE": ({}, "aae", {}),
    "VQVAE": ({"num_embeddings": 64}, "vq-vae", {"entries": 64}),
    "RAE_L2": ({}, "rae-l2", {}),
    "RAE_GP": ({}, "rae-gp", {}),
}
"""Models of Pythae with their arguments, and the same of Latente."""


def ours(x: Array, setting: Setting, epochs: int, recipe: lt.Recipe) -> list[float]:
    """Seconds of each epoch of a recipe."""
    torch.manual_seed(0)
    fields = tuple(Field(f"x{f}") for f in range(x.shape[1]))
    blueprint = Blueprint(recipe, fields, len(x), setting.latent_dim, setting.hidden, False)
    rows, learner = Rows(torch.from_numpy(x)), blueprint()
    learner.start(rows, torch.zeros(x.shape[1]))
    settings = Settings(epochs, setting.batch_size, setting.learning_rate, patience=None)
    history = Training(learner, rows, None, settings).run().status.history
    return [b - a for a, b in pairwise([0.0, *(record["seconds"] for record in history)])]


def theirs(x: Array, setting: Setting, epochs: int, name: str, arguments: dict[str, Any]) -> list[float]:
    """Seconds of each epoch of a model of Pythae."""
    return peers.train_pythae(x, setting, epochs, model_name=name, **arguments).seconds


def measure(setting: Setting, x: Array, name: str, rounds: int, epochs: int) -> tuple[float, float]:
    """Milliseconds of a step in Pythae and in Latente."""
    own, recipe, changes = SAME[name]
    x, settings = x[: STEPS * setting.batch_size], setting
    runs: list[Callable[[], list[float]]] = [
        partial(theirs, x, settings, epochs + 1, name, own),
        partial(ours, x, settings, epochs + 1, lt.recipe(recipe, **changes | _of_code(name, setting))),
    ]
    taken: list[list[float]] = [[], []]
    for turn in range(rounds):
        for place in (0, 1) if turn % 2 else (1, 0):
            taken[place].append(1000 * fmean(runs[place]()[1:]) / STEPS)
    return median(taken[0]), median(taken[1])


def _of_code(name: str, setting: Setting) -> dict[str, Any]:
    """One symbol for the whole code, as Pythae has for a row without a map."""
    return {"size": setting.latent_dim} if name == "VQVAE" else {}


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__ or "", rounds=3, epochs=3, only=("",))
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # of one thread, whatever else the machine does
    names = [name for name in SAME if not any(asked.only) or name in asked.only]
    figures = []
    for setting, split in ((TABLE, data.table()), (MNIST, data.mnist())):
        rows = []
        for name in names:
            peer, own = measure(setting, split.train, name, asked.rounds, asked.epochs)
            rows.append((name, SAME[name][1], peer, own, peer / own))
        show(setting.name, ("Pythae", "recipe", "ms per step", "Latente", "× faster"), rows)
        slowest = min(rows, key=lambda row: row[-1])
        kind = setting.name.partition(" ")[0]
        figures += [
            Figure(f"{kind}: least ratio ({slowest[1]})", slowest[-1], "×", bar=1.0),
            Figure(f"{kind}: geometric mean of the ratios", math.exp(fmean(math.log(row[-1]) for row in rows)), "×"),
        ]
    report("Time per step against Pythae", figures, asked)


if __name__ == "__main__":
    main()
