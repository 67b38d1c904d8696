"""Save and load a fitted model: one safetensors file, no code in it.

The JSON in its metadata names parts by their registered names; the tensors are the weights and what was fitted. Loading builds
the parts from the closed table, checks every tensor, and refuses what it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from latente.catalogue import Recipe
from latente.data import Codec, codec_from_state
from latente.errors import ModelError, StorageError
from latente.files import digest, read_tensors, write_tensors
from latente.model.latent_model import LatentModel
from latente.model.parts import Choice, Part, build
from latente.model.priors import Prior
from latente.training.calibration import Calibration
from latente.version import __version__

KIND = "model"
VERSION = 4
WEIGHTS = ("model.", "generator.", "law.")  # what the names of tensors of trained parts begin with


@dataclass
class Fitted:
    """Everything that a fit leaves behind.

    Attributes:
        recipe: what was asked for.
        codec: between the user's units and encoded rows.
        model, fitted_prior: the trained parts, and the density fitted to the codes.
        generator: what new rows are drawn from; ``model`` itself, where that is it.
        calibration: what held-out rows say of it.
        figures: what was measured, plain values only.
        history: a record for each epoch.
        settings: the estimator's parameters and the seed that was used, plain values only.
    """

    recipe: Recipe
    codec: Codec
    model: LatentModel
    generator: LatentModel
    fitted_prior: Prior
    calibration: Calibration
    figures: dict[str, Any]
    history: list[dict[str, float]]
    settings: dict[str, Any]


def save(fitted: Fitted, path: str | Path) -> Path:
    """Write a model, whole or not at all.

    Raises:
        StorageError: it can't be written there.
    """
    codec, arrays = fitted.codec.to_state()
    values = {
        "latente": __version__,
        "recipe": fitted.recipe.to_json(),
        "parts": fitted.model.config(),
        "generator": None if fitted.generator is fitted.model else fitted.generator.config(),
        "law": fitted.fitted_prior.choice().to_json(),
        "codec": codec,
        "figures": fitted.figures,
        "history": fitted.history,
        "settings": fitted.settings,
    }
    tensors = {
        **_weights(fitted.model, fitted.fitted_prior, fitted.generator),
        **{f"codec.{name}": torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()},
        "calibration.scores": torch.from_numpy(fitted.calibration.scores),
        "calibration.surprise": torch.from_numpy(fitted.calibration.surprise),
        "calibration.covered": torch.from_numpy(fitted.calibration.covered),
    }
    return write_tensors(path, KIND, VERSION, values, tensors)


def load(path: str | Path, parts: Iterable[type[Part]] = ()) -> Fitted:
    """Read a model.

    Args:
        path: the file.
        parts: classes of one's own that the model is made of.

    Raises:
        StorageError: missing, damaged, of a newer version, with an unknown part or with weights that are not finite.
    """
    values, tensors = read_tensors(path, KIND, VERSION)
    _refuse_not_finite(tensors, path)
    try:
        model = LatentModel.from_config(_present(values), parts)
        prior: Prior = build(Choice.from_json(values["law"]), parts).bind(model)
        _fill(model, _below("model", tensors))
        _fill(prior, _below("law", tensors))
        generator = model if values["generator"] is None else LatentModel.from_config(values["generator"], parts)
        if generator is not model:
            _fill(generator, _below("generator", tensors))
        return Fitted(
            recipe=Recipe.from_json(values["recipe"]),
            codec=codec_from_state(values["codec"], {key: value.numpy() for key, value in _below("codec", tensors).items()}),
            model=model.eval(),
            generator=generator.eval(),
            fitted_prior=prior,
            calibration=Calibration(*(tensors[f"calibration.{name}"].numpy() for name in ("scores", "surprise", "covered"))),
            figures=dict(values["figures"]),
            history=list(values["history"]),
            settings=dict(values["settings"]),
        )
    except (ModelError, KeyError, TypeError, RuntimeError, ValueError) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{path} does not describe a model that this Latente ({__version__}) can make: {error}") from error


def identity(model: LatentModel, prior: Prior, generator: LatentModel) -> str:
    """By what it is told whether something was measured of a model: a digest of its weights and of those of its priors."""
    return digest("", {name: value.detach().cpu().contiguous() for name, value in _weights(model, prior, generator).items()})


def identity_in(path: str | Path) -> str:
    """:func:`identity` of the model in a file.

    Raises:
        StorageError: there is none, or it is damaged.
    """
    _, tensors = read_tensors(path, KIND, VERSION)
    return digest("", {name: value for name, value in tensors.items() if name.startswith(WEIGHTS)})


def _present(values: dict[str, Any]) -> dict[str, Any]:
    """Parts as this version names them: up to version 3, which did not store the kind of estimator, an autoencoder had a prior
    that nothing drew its codes to.
    """
    parts: dict[str, Any] = values["parts"]
    if "estimator" in values["settings"] or parts["posterior"]["name"] != "point-mass":
        return parts
    return {**parts, "prior": {"name": "no-prior", "arguments": {}}}


def _weights(model: LatentModel, prior: Prior, generator: LatentModel) -> dict[str, Tensor]:
    own = {} if generator is model else _named("generator", generator)
    return {**_named("model", model), **own, **_named("law", prior)}


def _named(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in module.state_dict().items()}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{prefix}.")}


def _fill(module: nn.Module, state: dict[str, Tensor]) -> None:
    module.load_state_dict(state, strict=True)


def _refuse_not_finite(tensors: dict[str, Tensor], path: str | Path) -> None:
    for name, value in tensors.items():
        weights = name.startswith(WEIGHTS) and value.is_floating_point()
        if weights and not bool(torch.isfinite(value).all()):
            raise StorageError(
                f"{path}: {name.partition('.')[2]} holds values that are not finite; the model would answer nothing else"
            )
