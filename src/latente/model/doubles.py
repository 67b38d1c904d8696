"""Copies of models in double precision, for results that must not depend on the other rows of a batch."""

from __future__ import annotations

import copy
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)

_MADE: WeakKeyDictionary[nn.Module, tuple[list[object], nn.Module, list[Tensor]]] = WeakKeyDictionary()


FROZEN = "values_are_final"


def freeze(model: nn.Module) -> None:
    """Say that the values of a model no longer change, so that they are copied once."""
    object.__setattr__(model, FROZEN, True)


@torch.no_grad()
def in_double(model: Model) -> Model:
    """A copy in double precision, on the CPU. It is created once and its values are updated later, because copying a model
    takes longer than scoring a row with it.
    """
    if getattr(model, FROZEN, False) and model in _MADE:
        return _MADE[model][1]  # type: ignore[return-value]
    modules, tensors = _parts(model)
    if tensors and tensors[0].dtype == torch.float64:
        return model
    parts = [*map(id, modules), *(tensor.shape for tensor in tensors), model.training]
    made_of, double, doubles = _MADE.get(model, (None, model, tensors))
    if parts != made_of:
        double = copy.deepcopy(model).to("cpu", torch.float64)
        doubles = _parts(double)[1]
        _MADE[model] = parts, double, doubles
    if tensors:
        torch._foreach_copy_(doubles, tensors)
    return double  # type: ignore[return-value]


def _parts(model: nn.Module) -> tuple[list[nn.Module], list[Tensor]]:
    """Modules, and their parameters and buffers. Torch's own methods take longer than copying them."""
    modules = list(model.modules())
    own = (tensor for module in modules for tensor in (*module._parameters.values(), *module._buffers.values()))
    return modules, [tensor for tensor in own if tensor is not None]
