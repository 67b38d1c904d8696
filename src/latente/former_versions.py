"""Updates of model files of earlier versions: things that were renamed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from latente.files import Content
from latente.model.parts import FORMER_NAMES

ARGUMENTS = {"cells": "bins", "holes": "missing", "least_told": "min_context"}  # former names
TENSORS = {
    "generator.decoder.theta": "row_model.start",
    "generator.likelihood.": "row_model.likelihood.",
    "codec.cell_": "codec.bin_",
    "likelihood.seen.": "likelihood.observed.",
    "likelihood.laws.": "likelihood.distributions.",
    "embedding.unseen": "embedding.missing",
}


def _renamed_parts(value: Any) -> Any:
    """Plain values with the present names of parts and arguments."""
    if isinstance(value, list):
        return [_renamed_parts(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"name", "arguments"} and isinstance(value["arguments"], Mapping):
        arguments = {ARGUMENTS.get(key, key): each for key, each in value["arguments"].items()}
        name = value["name"]
        return {"name": FORMER_NAMES.get(name, name) if isinstance(name, str) else name, "arguments": arguments}
    return {key: _renamed_parts(each) for key, each in value.items()}


def _renamed_tensor(name: str) -> str:
    for former, present in TENSORS.items():
        name = name.replace(former, present, 1)
    return name


def _row_model(content: Content) -> Content:
    """Up to version 4 a row model was a model without a code, called the generator; "auto" was what every recipe did."""
    values, tensors = content
    if not isinstance(values, dict):
        return content
    generator, settings = values.pop("generator", None), values.get("settings")
    own = isinstance(generator, Mapping)
    if own and isinstance(settings, dict):
        settings.setdefault("row_model", "autoregressive")
    return {**values, "row_model": generator.get("likelihood") if own else None}, tensors


def _renamed(content: Content) -> Content:
    """Up to version 4, parts, their arguments and tensors had the former names above."""
    values, tensors = content
    return _renamed_parts(values), {_renamed_tensor(name): value for name, value in tensors.items()}


def _fitted_prior(content: Content) -> Content:
    """Up to version 4 the fitted prior was called ``law``, and the loss of the row model ``row_law_loss``."""
    values, tensors = content
    if not isinstance(values, dict):
        return content
    if isinstance(figures := values.get("figures"), dict) and "row_law_loss" in figures:
        figures["row_model_loss"] = figures.pop("row_law_loss")
    values = {"fitted_prior" if key == "law" else key: value for key, value in values.items()}
    return values, {re.sub(r"^law\.", "fitted_prior.", name): tensor for name, tensor in tensors.items()}


UPDATES: dict[int, Callable[[Content], Content]] = {4: lambda content: _fitted_prior(_row_model(_renamed(content)))}
"""From the content of a version to that of the next one."""
