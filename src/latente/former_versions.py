"""Model files of earlier versions, brought to the present one: what was renamed since."""

from __future__ import annotations

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


UPDATES: dict[int, Callable[[Content], Content]] = {4: _bins}
"""From the content of a version to that of the next one."""
