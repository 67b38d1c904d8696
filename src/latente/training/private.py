"""Differentially private training: DP-SGD (Abadi et al. 2016).

Each step draws rows at random, clips the gradient of each row to a norm, adds them, and adds normal noise. The model and all
that is computed from it are then (epsilon, delta)-differentially private: with one row more or less, the probability of any
result changes at most by the factor e^epsilon, apart from delta. Opacus does the accounting.

Limits: noise is drawn in float32, whose rounding an attack could use (Mironov 2012), from NumPy's generator, which is seeded by
the system but is no cryptographic one.
"""

from __future__ import annotations

import math
import secrets
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from latente.errors import ModelError
from latente.rows import Rows
from latente.training.learners import LatentLearner
from latente.training.loop import Settings, Training, rows_of, tensors_of

AT_ONCE = 2**22  # gradient values in memory: as many as a cache holds
LEAST = 0.1  # epsilon, below which it is not computed more exactly: that would take minutes and gigabytes
STEPS, MIN_BATCH, SHARE = 500, 64, 0.02  # of a run: its steps, and the rows of each


@dataclass(frozen=True)
class Privacy:
    """Asks for a differentially private fit.

    >>> Privacy(epsilon=1.0).delta
    1e-05

    Attributes:
        epsilon, delta: the budget of the whole fit. ``delta`` must be below 1 / rows.
        clip: largest norm of the gradient of one row, nats.

    Raises:
        ModelError: a value is impossible.
    """

    epsilon: float = 3.0
    delta: float = 1e-5
    clip: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.epsilon < math.inf and 0 < self.delta < 1 and 0 < self.clip < math.inf):
            raise ModelError(
                f"epsilon={self.epsilon!r}, delta={self.delta!r}, clip={self.clip!r}: epsilon and clip are positive "
                "numbers, and delta is a probability below 1 / rows, such as 1e-5"
            )

    def to_json(self) -> dict[str, float]:
        """Plain values only."""
        return dict(vars(self))


@dataclass(frozen=True)
class Mechanism:
    """A number of steps of the sampled Gaussian mechanism.

    Attributes:
        privacy: the budget.
        noise: standard deviation of the noise, in units of the largest norm of a row's gradient.
        sampling: probability of each row to be in a step.
        steps: how many.
    """

    privacy: Privacy
    noise: float
    sampling: float
    steps: int

    @classmethod
    def within(cls, privacy: Privacy, sampling: float, steps: int) -> Mechanism:
        """The least noise with which so many steps stay within a budget.

        Raises:
            ModelError: Opacus is missing, or no noise is enough.
        """
        return cls(privacy, _least_noise(privacy, sampling, steps), sampling, steps)

    def epsilon(self) -> float:
        """What the steps spend, an upper bound; 0 without a step."""
        if not self.steps:
            return 0.0
        accountant = _opacus().PRVAccountant()
        accountant.history = [(self.noise, self.sampling, self.steps)]
        with _quiet():
            return float(accountant.get_epsilon(self.privacy.delta, eps_error=_error(self.privacy)))

    def to_json(self) -> dict[str, float]:
        """Plain values, with the spent epsilon."""
        spent = {**self.privacy.to_json(), "epsilon": self.epsilon()}
        return {**spent, "noise": self.noise, "sampling": self.sampling, "steps": self.steps}


@lru_cache(maxsize=64)  # it takes a second
def _least_noise(privacy: Privacy, sampling: float, steps: int) -> float:
    least = _opacus().utils.get_noise_multiplier
    asked = {"target_epsilon": privacy.epsilon, "target_delta": privacy.delta, "sample_rate": sampling, "steps": steps}
    with _quiet():
        try:
            return float(least(**asked, accountant="prv", epsilon_tolerance=_error(privacy), eps_error=_error(privacy)))
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"no noise keeps {steps} steps within epsilon={privacy.epsilon:g}: {error}") from error


def _error(privacy: Privacy) -> float:
    """How exactly epsilon is computed: an upper bound of that precision."""
    return 0.01 * min(1.0, max(LEAST, privacy.epsilon))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings of logarithms of 0, which the accountant expects, and of how torch.func lays out rows."""
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", UserWarning)
        yield


def _opacus() -> Any:
    """The accountants of Opacus."""
    try:
        import opacus.accountants  # type: ignore[import-untyped]
        import opacus.accountants.utils  # type: ignore[import-untyped]
    except ImportError as error:
        raise ModelError("a private fit needs opacus: pip install 'latente[privacy]'") from error
    return opacus.accountants


def private_settings(settings: Settings, n: int, epochs_asked: bool, batch_asked: bool) -> Settings:
    """Settings of a private run of n rows: noise costs less with large batches and few steps."""
    batch = settings.batch_size if batch_asked else max(MIN_BATCH, round(SHARE * n))
    batch = min(batch, n)
    steps_per_epoch = max(1, math.ceil(n / batch))
    epochs = settings.epochs if epochs_asked else max(1, STEPS // steps_per_epoch)
    return replace(settings, batch_size=batch, epochs=epochs, patience=None, precision="float32", threads=1)


class PrivateTraining(Training):
    """One private run. Its history holds no figure of the rows, and no row is held out.

    Args:
        learner: what to train; no part may couple rows.
        train: the rows. settings: how to train.
        privacy: the budget, which all epochs of the settings together spend.
    """

    def __init__(self, learner: LatentLearner, train: Rows, settings: Settings, privacy: Privacy) -> None:
        super().__init__(learner, train, None, settings)
        if not privacy.delta < 1 / len(train):
            raise ModelError(f"delta={privacy.delta:g} must be below 1 / rows, here {1 / len(train):.1g}: pass a smaller one")
        refuse_coupled(learner)
        assert settings.epochs is not None
        sampling = min(1.0, settings.batch_size / len(train))
        self.mechanism = Mechanism.within(privacy, sampling, settings.epochs * self.steps_per_epoch)
        # Not from the seed of the fit, which the file holds: who knows it could take the noise off again.
        self.chance = np.random.default_rng()

    @property
    def spent(self) -> Mechanism:
        """The steps so far."""
        return replace(self.mechanism, steps=self.status.step)

    def epoch(self) -> None:
        """As many steps as rows are in an epoch of batches, each with rows of its own draw."""
        torch.manual_seed(secrets.randbits(63))  # draws of codes stay unknown, too
        self._learns(True)
        for _ in range(self.steps_per_epoch):
            drawn = np.flatnonzero(self.chance.random(len(self.train)) < self.mechanism.sampling)
            self._noisy_step(self.train[torch.from_numpy(drawn)])
            self._after_step()
        self._learns(False)
        self.status.epoch += 1
        record = {"epoch": self.status.epoch, "progress": self.progress, "learning_rate": self._rate(), "seconds": self.seconds}
        self.status.history.append(record)
        self._judge(record, skipped=0)

    def _noisy_step(self, rows: Rows) -> None:
        total, of = self.clipped_sum(rows), self.mechanism
        noise = torch.from_numpy(self.chance.standard_normal(len(total), dtype=np.float32)).to(total.device)
        self.flat.gradient.copy_((total + of.noise * of.privacy.clip * noise) / (of.sampling * len(self.train)))
        self.status.step += 1
        self._update()
        self._take_into_average()

    def clipped_sum(self, rows: Rows) -> Tensor:
        """The sum of the clipped gradients of rows, [n]."""
        total = torch.zeros_like(self.flat.gradient)
        for part in rows.batches(max(1, AT_ONCE // len(total))) if len(rows) else ():
            total += sum_of_clipped(self.row_gradients(part.to(self.settings.device)), self.mechanism.privacy.clip)
        return total

    def row_gradients(self, rows: Rows) -> list[Tensor]:
        """The gradient of the loss of each row by each parameter, [B, n_k] each.

        Raises:
            ModelError: the model can't be differentiated row by row.
        """
        names = [name for name, parameter in self.learner.named_parameters() if parameter.requires_grad]
        parameters = {name: value.detach() for name, value in zip(names, self.flat.parameters, strict=True)}
        strength = {name: torch.tensor(value) for name, value in self.strength.items()}

        def loss(parameters: dict[str, Tensor], *of_row: Tensor) -> Any:
            one = rows_of([part.unsqueeze(0) for part in of_row], rows)
            return functional_call(self.learner, parameters, (one, strength)).total[0]

        parts = tensors_of(rows)
        try:
            with _quiet():
                each = vmap(grad(loss), (None, *(0 for _ in parts)), randomness="different")(parameters, *parts)
        except RuntimeError as error:
            raise ModelError(
                f"the loss of this recipe can't be differentiated row by row, as a private fit needs: {error}"
            ) from error
        return [each[name].reshape(len(rows), -1) for name in names]


def sum_of_clipped(gradients: Sequence[Tensor], clip: float) -> Tensor:
    """The sum over rows of gradients, in parts [B, n_k], each cut to the norm ``clip``; one that is not finite is zero."""
    norms = torch.stack([torch.linalg.vector_norm(part, dim=1) for part in gradients]).norm(dim=0)
    finite = norms.isfinite()
    if not bool(finite.all()):
        gradients = [part[finite] for part in gradients]
    scale = clip / norms[finite].clamp_min(clip)
    return torch.cat([scale @ part for part in gradients])


def refuse_coupled(learner: LatentLearner) -> None:
    """Refuse parts with which the loss of a row depends on other rows, or that store codes of rows.

    Raises:
        ModelError: it names the part.
    """
    for part in (learner.objective, *learner.penalties, learner.corruption, learner.model.prior):
        coupled, stores = (getattr(part, name, False) for name in ("couples_rows", "stores_codes"))
        if coupled or stores:
            why = "stores codes of rows" if stores else "makes the loss of a row depend on the other rows of its batch"
            raise ModelError(f"a private fit can't have the part {part.name!r}, which {why}")
