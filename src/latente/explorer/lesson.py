"""The lesson's own models: small, quickly trained and rounded to half precision, so that a page can contain many of them."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from latente.certificate.certify import Setting
from latente.certificate.estimates import Estimate
from latente.certificate.information import RateDistortion
from latente.certificate.subjects import Modelled
from latente.data import Images, Table, read
from latente.errors import LatenteWarning
from latente.explorer.pack import Curve, Lesson, PackedModel, Snapshots, rows_of
from latente.explorer.survey import Survey, posterior_moments, rows_at_hand
from latente.seeding import seeded

if TYPE_CHECKING:
    from latente.estimator import VAE
    from latente.training.loop import Training

SQUEEZED = (1, 2, 4, 8)  # dimensions of the autoencoders
BETAS = (0.1, 0.5, 1.0, 4.0, 100.0)  # from nearly an autoencoder to a collapsed code
RECORDED = 1.0  # the beta of the model whose training is recorded
MAX_ROWS = 2000
MAX_TRAINED, TRAINED = 1000, 0.85  # rows, and their share: the others measure C and K
STEPS, MIN_EPOCHS = 600, 40
BATCH, SMALL_BATCH, FEW_ROWS = 128, 32, 800
SMALL: dict[str, Any] = {
    "hidden": (32,),
    "learning_rate": 1e-2,
    "early_stopping": False,
    "effort": "quick",
    "validation_fraction": 0.0,
}
SNAPSHOTS, FOLLOWED = 30, 250  # moments of the training, and rows whose codes are recorded
SIDE = 32


def some_of(data: Any) -> Table | Images:
    """At most 2,000 rows of whatever ``fit`` takes, in their order and all over the data."""
    source: Table | Images = read(data)
    n = len(source)
    return source if n <= MAX_ROWS else source.take(np.linspace(0, n - 1, MAX_ROWS).astype(int))


def lesson_models(data: Any, seed: int = 0, progress: Callable[[str], None] = lambda what: None) -> Lesson:
    """Small models of pictures or of a table: autoencoders of increasing size, and models of two dimensions with increasing
    beta. This takes some seconds for thousands of rows.

    Args:
        data: whatever ``fit`` takes; the rows that the page contains.
        seed: the same seed gives the same models.
        progress: called with a description of each fit before it begins.
    """
    from latente.catalogue import recipe
    from latente.estimator import VAE, Autoencoder

    trained, others = _split(read(data), seed)
    how = {**SMALL, **_settings(len(trained)), "random_state": seed}
    film = Film()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LatenteWarning)  # the lesson shows a collapsed code on purpose
        squeeze = {}
        for d in SQUEEZED:
            progress(f"small autoencoder, d = {d}")
            squeeze[d] = _fitted(Autoencoder(latent_dim=d, **how), trained)
        by_beta = []
        for beta in BETAS:
            progress(f"small model, beta = {beta:g}")
            vae = VAE(recipe("beta-vae", beta=beta), latent_dim=2, **how)
            by_beta.append(_fitted(vae, trained, film if beta == RECORDED else _left_as_it_is))
    regularisation = (squeeze[2], *by_beta)
    recorded = by_beta[BETAS.index(RECORDED)].vae
    found = curves(regularisation, others, seed)
    return Lesson(tuple(squeeze.values()), regularisation, found, film.snapshots(recorded, data))


def _split(data: Table | Images, seed: int) -> tuple[Table | Images, Table | Images]:
    """Rows to train on, and rows to measure C and K with."""
    order = np.random.default_rng(seed).permutation(len(data))
    count = min(MAX_TRAINED, math.ceil(TRAINED * len(data)))
    return data.take(np.sort(order[:count])), data.take(np.sort(order[count:]))


def _settings(n: int) -> dict[str, int]:
    """Batch size and epochs, so that few rows are trained on for as many steps."""
    batch = BATCH if n >= FEW_ROWS else SMALL_BATCH
    return {"batch_size": batch, "max_epochs": max(MIN_EPOCHS, math.ceil(STEPS / math.ceil(n / batch)))}


def _left_as_it_is(training: Training) -> None:
    """Ends a fit after its last epoch, so that a collapsed code is not corrected."""
    if training.progress >= 1.0:
        raise KeyboardInterrupt


def _fitted(vae: VAE, data: Any, observer: Callable[[Training], None] = _left_as_it_is) -> PackedModel:
    small = rounded(vae.fit(data, observer=observer))
    return PackedModel(small, Survey.of(small, side=SIDE))


@torch.no_grad()
def rounded(vae: VAE) -> VAE:
    """A copy of an estimator whose weights are rounded to half precision, which a page stores in half of the bytes."""
    small, small_model = copy.copy(vae), copy.deepcopy(vae.model_)
    for parameter in small_model.parameters():
        parameter.copy_(parameter.half().float())
    small.fitted_ = replace(vae.fitted_, model=small_model)
    return small


# ------------------------------------------------------------------------------------------------------------ snapshots


@dataclass
class Film:
    """Records the weights of a model at some moments of its training, more often at its beginning.

    Attributes:
        states: epoch and weights.
    """

    states: list[tuple[int, dict[str, Tensor]]] = field(default_factory=list)

    def __call__(self, training: Training) -> None:
        """Called after each epoch."""
        if len(self.states) < math.sqrt(training.progress) * (SNAPSHOTS - 1):
            weights = training.learner.model.state_dict()
            self.states.append((training.status.epoch, {name: value.clone() for name, value in weights.items()}))
        _left_as_it_is(training)

    def snapshots(self, vae: VAE, data: Any) -> Snapshots:
        """The codes of some rows at each moment; the last one is the finished model."""
        rows = rows_of(vae, data)
        places = np.linspace(0, len(rows) - 1, min(FOLLOWED, len(rows))).astype(int)
        some, model, last = rows[torch.from_numpy(places)], copy.deepcopy(vae.model_), int(vae.figures_["epochs"])
        found = []
        for epoch, weights in [*self.states, (last, vae.model_.state_dict())]:
            model.load_state_dict(weights)
            with seeded(vae.seed_):
                losses = RateDistortion.of(model, some, draws=1)
            found.append((epoch, posterior_moments(model, some)[0], losses.distortion.mean(), losses.rate.mean()))
        epochs, codes, distortion, rate = zip(*found, strict=True)
        return Snapshots(places, np.stack(codes), epochs, [*map(float, distortion)], [*map(float, rate)])


# ----------------------------------------------------------------------------------------------------------- figures


def curves(models: Sequence[PackedModel], others: Table | Images, seed: int) -> tuple[Curve, ...]:
    """C of rows decoded from N(0, I), and K, of models of the same rows, measured with other rows."""
    first, train = models[0].vae, rows_at_hand(models[0].vae)
    if train is None or not len(others):
        return ()
    setting = Setting(train, rows_of(first, others), first.codec_.fields, seed)
    setting.repeats = 1
    return tuple(_measured(model.vae, setting) for model in models)


def _measured(vae: VAE, setting: Setting) -> Curve:
    subject = Modelled(vae.model_, vae.codec_.fields, setting.held_out)
    with setting.drawing("moments"):
        moments = vae.model_.space.moments(subject.codes(setting.train))
    reached = setting.completeness(subject, lambda n: torch.randn(n, vae.latent_dim_), "completeness_prior")[1]
    return Curve(_value(reached), _value(setting.continuity(subject, moments, "continuity")))


def _value(figure: Estimate) -> float | None:
    return figure.value if figure.known else None


# --------------------------------------------------------------------------------------------------- one's own data


def companion(vae: VAE, data: Any, seed: int = 0) -> VAE:
    """An autoencoder of the same rows with as many dimensions, to stand beside a VAE."""
    from latente.estimator import Autoencoder

    same = {name: getattr(vae, name) for name in ("hidden", "max_epochs", "batch_size", "learning_rate", "kinds")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LatenteWarning)
        fitted: VAE = Autoencoder(latent_dim=vae.latent_dim_, effort="quick", random_state=seed, **same).fit(data)
        return fitted
