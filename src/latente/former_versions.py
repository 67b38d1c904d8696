"""Model files of earlier versions, brought to the present one: what was renamed since."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from latente.files import Content
from latente.model.parts import FORMER_NAMES


def _renamed_parts(value: Any) -> Any:
    """Plain values in which parts that are called by a former name have the present one."""
    if isinstance(value, list):
        return [_renamed_parts(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"name", "arguments"} and isinstance(value["arguments"], Mapping):
        arguments = {"bins" if key == "cells" else key: each for key, each in value["arguments"].items()}
        name = value["name"]
        return {"name": FORMER_NAMES.get(name, name) if isinstance(name, str) else name, "arguments": arguments}
    return {key: _renamed_parts(each) for key, each in value.items()}


def _bins(content: Content) -> Content:
    """Up to version 4 bins were called cells."""
    values, tensors = content
    named = {name.replace("codec.cell_", "codec.bin_", 1): value for name, value in tensors.items()}
    return _renamed_parts(values), named


ROW_MODEL = {"generator.decoder.theta": "row_model.start", "generator.likelihood.": "row_model.likelihood."}  # of tensors


def _row_model(content: Content) -> Content:
    """Up to version 4 a row model was a model without a code, called the generator; "auto" was what every recipe did."""
    values, tensors = content
    if not isinstance(values, dict):
        return content
    generator, settings = values.pop("generator", None), values.get("settings")
    own = isinstance(generator, Mapping)
    if own and isinstance(settings, dict):
        settings.setdefault("row_model", "autoregressive")
    for former, name in ROW_MODEL.items():
        tensors = {each.replace(former, name, 1): value for each, value in tensors.items()}
    return {**values, "row_model": generator.get("likelihood") if own else None}, tensors


def _fitted_prior(content: Content) -> Content:
    """Up to version 4 the fitted prior was called the law of the codes, and the row model that of the rows."""
    values, tensors = content
    if not isinstance(values, dict):
        return content
    if isinstance(figures := values.get("figures"), dict) and "row_law_loss" in figures:
        figures["row_model_loss"] = figures.pop("row_law_loss")
    values = {"fitted_prior" if key == "law" else key: value for key, value in values.items()}
    return values, {re.sub(r"^law\.", "fitted_prior.", name): tensor for name, tensor in tensors.items()}


UPDATES: dict[int, Callable[[Content], Content]] = {4: lambda content: _fitted_prior(_row_model(_bins(content)))}
"""From the content of a version to that of the next one."""
