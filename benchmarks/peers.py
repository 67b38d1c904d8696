"""PyOD's VAE, Pythae's VAE, a bare torch loop and the bare matrix products: same layers, batch, loss and optimiser.

All train ReLU layers ``F-hidden...-z-...hidden-F`` with Adam at 1e-3 on the ELBO of one draw, in float32. Only the training
loop is timed, epoch by epoch: neither construction, nor reading data, nor what a library does after its last epoch.

What each peer is given so that it stands at its best:

* **PyOD** (``pyod.models.vae.VAE``): ``preprocessing=False`` (the rows are prepared already), ``dropout_rate=0`` (its default,
  0.2, costs time and quality), no weight decay, no progress bar. Its loss is ``mean square + beta * clamp(KL, 0, capacity)``
  with ``capacity=0``: by default the KL is switched off. ``beta=2/F`` and ``capacity=inf`` make it 2/F times the -ELBO of
  normal(sigma=1), and Adam does not see the factor. It drops the last, short batch of each epoch (78 batches of 256 for
  20,000 rows where others do 79) and knows no other likelihood than that.
* **Pythae** (``pythae.models.VAE`` in ``BaseTrainer``): its own default, ``mse``, is the -ELBO of normal(sigma=1), and ``bce``
  that of Bernoulli. No worker processes, no evaluation set, no checkpoints, no log, and no progress bar (it has no switch for
  that: :func:`_quiet`). Its copy of the best model after each epoch can't be switched off either, and is part of its loop.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import Stopwatch
from benchmarks.data import Array

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
Decode = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Setting:
    """What is the same for every implementation; ``shape`` is that of a picture, which peers read as a flat row."""

    name: str
    hidden: tuple[int, ...]
    latent_dim: int
    batch_size: int
    likelihood: str = "normal"
    shape: tuple[int, ...] = ()
    learning_rate: float = 1e-3


def negative_elbo(encode: Encode, decode: Decode, x: Tensor, likelihood: str, draws: int = 4) -> float:
    """Held-out -ELBO in nats per row, the one evaluator for all: the same draws of the posterior, the same formula.

    ``encode(x [N, F])`` gives mean and log-variance ``[N, d]``; ``decode(z [N, d])`` the mean of the likelihood ``[N, F]``,
    which is normal with sigma 1, or Bernoulli.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        mu, log_var = (part.float() for part in encode(x))
        rate = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(-1)
        distortion = torch.zeros(len(x))
        for _ in range(draws):
            z = mu + torch.randn(mu.shape, generator=generator) * (0.5 * log_var).exp()
            distortion += _distortion(x, decode(z).float(), likelihood).sum(-1) / draws
        return float((distortion + rate).mean())


def _distortion(x: Tensor, mean: Tensor, likelihood: str) -> Tensor:
    if likelihood == "bernoulli":
        return functional.binary_cross_entropy(mean, x, reduction="none")
    return 0.5 * (x - mean).square() + 0.5 * math.log(2 * math.pi)


def train_pyod(x: Array, setting: Setting, epochs: int, held_out: Array | None = None) -> Stopwatch:
    """Train PyOD's VAE for exactly ``epochs``."""
    from pyod.models.vae import VAE

    class Timed(VAE):  # type: ignore[misc]
        def train(self, train_loader: object) -> None:
            watch.start()
            super().train(train_loader)

        def epoch_update(self) -> None:
            watch.lap()

        def decision_function(self, X: Array, batch_size: int | None = None) -> Array:
            return np.arange(len(X), dtype=np.float32)  # comes after the last epoch, and is not what is measured

    assert setting.likelihood == "normal", "PyOD's VAE has a squared loss only"
    model = Timed(
        encoder_neuron_list=list(setting.hidden), latent_dim=setting.latent_dim, decoder_neuron_list=list(setting.hidden[::-1]),
        beta=2 / x.shape[1], capacity=math.inf, dropout_rate=0.0, preprocessing=False, optimizer_params={}, verbose=0,
        lr=setting.learning_rate, epoch_num=epochs, batch_size=setting.batch_size, device=torch.device("cpu"), random_state=0,
    )  # fmt: skip
    watch = _watch(held_out, setting, lambda rows: model.model.encode(rows), lambda z: model.model.decode(z))
    model.fit(x)
    return watch


OF_POINTS = ("AE", "RAE_L2", "RAE_GP", "WAE_MMD", "VQVAE")  # models of Pythae whose encoder has one head
ADVERSARIAL, COUPLED = ("FactorVAE", "Adversarial_AE"), ("RAE_L2", "PIWAE")  # by the trainer that they need
CRITIC = (128, 128)


def train_pythae(
    x: Array, setting: Setting, epochs: int, held_out: Array | None = None, model_name: str = "VAE", **arguments: Any
) -> Stopwatch:
    """Train a model of Pythae, by default its VAE, for exactly ``epochs``; ``arguments`` are those of its configuration."""
    from pythae import models
    from pythae.data.preprocessors import DataProcessor
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers.training_callbacks import TrainingCallback

    _quiet()

    class Encoder(BaseEncoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(mlp([x.shape[1], *setting.hidden]), nn.ReLU())
            self.mean = nn.Linear(setting.hidden[-1], setting.latent_dim)
            spread = 1 if model_name == "SVAE" else setting.latent_dim
            self.spread = None if model_name in OF_POINTS else nn.Linear(setting.hidden[-1], spread)

        def forward(self, x: Tensor) -> ModelOutput:
            h = self.body(x)
            if self.spread is None:
                return ModelOutput(embedding=self.mean(h))
            name = "log_concentration" if model_name == "SVAE" else "log_covariance"
            return ModelOutput(embedding=self.mean(h), **{name: self.spread(h)})

    class Decoder(BaseDecoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            end = [nn.Sigmoid()] if setting.likelihood == "bernoulli" else []
            self.body = nn.Sequential(mlp([setting.latent_dim, *setting.hidden[::-1], x.shape[1]]), *end)

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.body(z))

    class Laps(TrainingCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: object, **__: object) -> None:
            watch.start()

        def on_epoch_end(self, *_: object, **__: object) -> None:
            watch.lap()

    torch.manual_seed(0)
    model = getattr(models, model_name)(_config(model_name, x, setting, arguments), encoder=Encoder(), decoder=Decoder())
    _set_critic(model, model_name, setting)
    watch = _watch(
        held_out, setting, lambda rows: tuple(model.encoder(rows).values()), lambda z: model.decoder(z).reconstruction
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer, planned, rates = _trainer(model_name, setting)
        plan = planned(output_dir=folder, per_device_train_batch_size=setting.batch_size, num_epochs=epochs, no_cuda=True,
                       seed=0, **rates)  # fmt: skip
        processor = DataProcessor()
        trainer(model, processor.to_dataset(processor.process_data(x)), training_config=plan, callbacks=[Laps()]).train()
    return watch


def _config(model_name: str, x: Array, setting: Setting, arguments: dict[str, Any]) -> Any:
    """The configuration of a model of Pythae; some classes have an underscore in their name."""
    from pythae import models

    loss = "bce" if setting.likelihood == "bernoulli" else "mse"
    made = getattr(models, f"{model_name}Config", None) or getattr(models, f"{model_name}_Config")
    return made(input_dim=(x.shape[1],), latent_dim=setting.latent_dim, reconstruction_loss=loss, **arguments)


def _trainer(model_name: str, setting: Setting) -> tuple[Any, Any, dict[str, float]]:
    """Pythae's trainer for a model, the class of its configuration, and the learning rates by their names there."""
    from pythae import trainers

    kind = "Adversarial" if model_name in ADVERSARIAL else "CoupledOptimizer" if model_name in COUPLED else "Base"
    parts = {"Adversarial": ("autoencoder_", "discriminator_"), "CoupledOptimizer": ("encoder_", "decoder_"), "Base": ("",)}
    rates = {f"{part}learning_rate": setting.learning_rate for part in parts[kind]}
    return getattr(trainers, f"{kind}Trainer"), getattr(trainers, f"{kind}TrainerConfig"), rates


def _set_critic(model: nn.Module, model_name: str, setting: Setting) -> None:
    """Give a model a critic with the layers of Latente's: FactorVAE asks for two logits, the adversarial autoencoder for a
    probability.
    """
    from pythae.models.base.base_utils import ModelOutput

    class Probability(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(mlp([setting.latent_dim, *CRITIC, 1]), nn.Sigmoid())

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(embedding=self.body(z))

    if model_name in ADVERSARIAL:
        model.discriminator = mlp([setting.latent_dim, *CRITIC, 2]) if model_name == "FactorVAE" else Probability()


class Bare(nn.Module):
    """The VAE that one writes by hand."""

    def __init__(self, fields: int, setting: Setting) -> None:
        super().__init__()
        self.likelihood = setting.likelihood
        self.encoder = mlp([fields, *setting.hidden, 2 * setting.latent_dim])
        self.decoder = mlp([setting.latent_dim, *setting.hidden[::-1], fields])

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance ``[B, d]``."""
        mu, log_var = self.encoder(x).chunk(2, -1)
        return mu, log_var

    def decode(self, z: Tensor) -> Tensor:
        """Mean of the likelihood ``[B, F]``."""
        out: Tensor = self.decoder(z)
        return out.sigmoid() if self.likelihood == "bernoulli" else out

    def forward(self, x: Tensor) -> Tensor:
        """-ELBO, up to a constant, in nats per row."""
        mu, log_var = (part.float() for part in self.encode(x))
        out = self.decoder(mu + torch.randn_like(mu) * (0.5 * log_var).exp()).float()
        if self.likelihood == "bernoulli":
            distortion = functional.binary_cross_entropy_with_logits(out, x, reduction="sum")
        else:
            distortion = 0.5 * functional.mse_loss(out, x, reduction="sum")
        return (distortion + 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum()) / len(x)


def _quiet() -> None:
    """Keep Pythae's loggers and its progress bar silent: neither has a switch, and drawing a bar costs time."""
    from pythae.trainers.base_trainer import base_trainer
    from pythae.trainers.training_callbacks import TrainingCallback

    base_trainer.ProgressBarCallback = TrainingCallback
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("pythae")]:
        logging.getLogger(name).setLevel(logging.ERROR)


def train_bare(
    x: Array, setting: Setting, epochs: int, held_out: Array | None = None, fused: bool = False, half: bool = False
) -> Stopwatch:
    """The control: a hand-written loop over shuffled indices; Adam as it comes or ``fused``, in bfloat16 with ``half``."""
    torch.manual_seed(0)
    rows, model = torch.from_numpy(x), Bare(x.shape[1], setting)
    optimiser = torch.optim.Adam(model.parameters(), lr=setting.learning_rate, fused=fused)
    watch = _watch(held_out, setting, model.encode, model.decode)
    watch.start()
    for _ in range(epochs):
        for index in torch.randperm(len(rows)).split(setting.batch_size):
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = model(rows[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        watch.lap()
    return watch


def matrix_products(x: Array, setting: Setting, epochs: int, dtype: torch.dtype = torch.float32) -> Stopwatch:
    """The limit: an epoch's matrix products and nothing else, into memory that is there already.

    For each layer the forward product, the weight's gradient and, but for the first layer, the input's gradient.
    """
    batch, fields = setting.batch_size, x.shape[1]
    encoder, decoder = [fields, *setting.hidden, 2 * setting.latent_dim], [setting.latent_dim, *setting.hidden[::-1], fields]
    layers = [*pairwise(encoder), *pairwise(decoder)]
    jobs = [job for i, (a, b) in enumerate(layers) for job in _products(batch, a, b, dtype, first=i == 0)]
    watch = Stopwatch()
    watch.start()
    for _ in range(epochs):
        for _ in range(math.ceil(len(x) / batch)):
            for left, right, out in jobs:
                torch.mm(left, right, out=out)
        watch.lap()
    return watch


def _products(batch: int, fan_in: int, fan_out: int, dtype: torch.dtype, first: bool) -> list[tuple[Tensor, Tensor, Tensor]]:
    h, weight, gradient = (torch.randn(shape, dtype=dtype) for shape in ((batch, fan_in), (fan_out, fan_in), (batch, fan_out)))
    pairs = [(h, weight.T), (gradient.T, h)] + ([] if first else [(gradient, weight)])
    return [(left, right, torch.empty(left.shape[0], right.shape[1], dtype=dtype)) for left, right in pairs]


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers of these widths with ReLU between them."""
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def _watch(held_out: Array | None, setting: Setting, encode: Encode, decode: Decode) -> Stopwatch:
    if held_out is None:
        return Stopwatch()
    rows = torch.from_numpy(held_out)
    return Stopwatch(lambda: negative_elbo(encode, decode, rows, setting.likelihood))
