"""Copies of models in double precision, for results that must not depend on the other rows of a batch."""

from __future__ import annotations

import copy
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)

_MADE: WeakKeyDictionary[nn.Module, tuple[list[object], nn.Module, list[Tensor]]] = WeakKeyDictionary()


@torch.no_grad()
def in_double(model: Model) -> Model:
    """A copy in double precision, on the CPU. It is created once and its values are updated later, because copying a model
    takes longer than scoring a row with it.
    """
    tensors = _tensors(model)
    parts = [*map(id, model.modules()), *(tensor.shape for tensor in tensors), model.training]
    made_of, double, doubles = _MADE.get(model, (None, model, tensors))
    if parts != made_of:
        double = copy.deepcopy(model).to("cpu", torch.float64)
        doubles = _tensors(double)
        _MADE[model] = parts, double, doubles
    for own, other in zip(doubles, tensors, strict=True):
        own.copy_(other)
    return double  # type: ignore[return-value]


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
