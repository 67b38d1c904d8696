"""Latente in the same setting as its peers."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

import latente as lt
from benchmarks.common import Stopwatch
from benchmarks.data import Array
from benchmarks.peers import Setting, negative_elbo
from latente.fitting.learn import Observer
from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.training.loop import Training

LIKELIHOODS = {"normal": lt.choose("normal", sigma=1.0)}


def fit(x: Array, setting: Setting, epochs: int, observer: Observer | None = None, **changes: Any) -> tuple[lt.VAE, float]:
    """A fitted VAE and the seconds that the whole of ``fit`` took."""
    shared = {name: getattr(setting, name) for name in ("hidden", "latent_dim", "batch_size")}
    ours = {"early_stopping": False, "validation_fraction": 0.0, "precision": "float32", "device": "cpu", "random_state": 0}
    likelihood = LIKELIHOODS.get(setting.likelihood, setting.likelihood)
    begin = time.perf_counter()
    vae = lt.VAE(likelihood=likelihood, max_epochs=epochs, **(shared | ours | changes)).fit(
        _shaped(x, setting), observer=observer
    )
    return vae, time.perf_counter() - begin


def epoch_seconds(vae: lt.VAE) -> list[float]:
    """Seconds of each epoch, from the history's running total."""
    return [b - a for a, b in pairwise([0.0, *(row["seconds"] for row in vae.history_)])]


def train(x: Array, setting: Setting, epochs: int, precision: str = "float32") -> Stopwatch:
    """Train Latente's VAE for exactly ``epochs``."""
    vae, _ = fit(x, setting, epochs, precision=precision)
    return Stopwatch(seconds=epoch_seconds(vae))


def trajectory(x: Array, setting: Setting, epochs: int, held_out: Array) -> Stopwatch:
    """One run, with the held-out -ELBO of its averaged weights after every epoch; evaluation is not timed."""
    watch, spent = Stopwatch(), [0.0]
    rows = torch.from_numpy(held_out)

    def look(training: Training) -> None:
        watch.seconds.append(training.seconds - spent[0] - sum(watch.seconds))
        begin = time.perf_counter()
        with training.averaged():
            watch.held_out.append(model_quality(training.learner.model.eval(), rows, setting))
        spent[0] += time.perf_counter() - begin

    fit(x, setting, epochs, observer=look, precision="auto")
    return watch


def model_quality(model: LatentModel, x: Tensor, setting: Setting) -> float:
    """Held-out -ELBO in nats per row, by the evaluator of all; the rows are scaled already, so the codec leaves them be."""

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        q = model.encode(Rows(x.reshape(len(x), 1, *setting.shape) if setting.shape else x))
        return q.mean, q.log_variance

    def decode(z: Tensor) -> Tensor:
        mean: Tensor = model.decode(z.unsqueeze(0)).mean
        return mean.squeeze(0)

    return negative_elbo(encode, decode, x, setting.likelihood)


def _shaped(x: Array, setting: Setting) -> Array:
    return x.reshape(len(x), *setting.shape) if setting.shape else x
