"""A limit on what may be built from a file, in proportion to its size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from latente.errors import ModelError

SIZED = ("empty", "zeros", "ones", "full", "rand", "randn", "arange", "linspace", "eye", "repeat", "new_zeros")
CALL = 256  # cost of a call, however small its result, because a file may request a million layers


class Budget(TorchFunctionMode):
    """Context in which torch creates at most the allowed number of values; sizes are checked before allocation.

    torch's "meta" device would count likewise, but takes a second to import and has no values.
    """

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.left = numbers

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in SIZED:
            self._spend(_asked(name, args))
        result = func(*args, **(kwargs or {}))
        grown = isinstance(result, Tensor) and not name.endswith("_") and name not in SIZED
        self._spend(CALL + (result.numel() if grown else 0))
        return result

    def _spend(self, numbers: int) -> None:
        self.left -= numbers
        if self.left < 0:
            raise ModelError("it describes a far larger model than it holds weights for")


def _asked(name: str, args: Iterable[Any]) -> int:
    """Number of values that a call will create."""
    sizes = math.prod(_sizes(args))
    return sizes * sizes if name == "eye" else sizes


def _sizes(args: Iterable[Any]) -> Iterator[int]:
    for value in args:
        if isinstance(value, (tuple, list, torch.Size)):
            yield from _sizes(value)
        elif isinstance(value, Tensor):
            yield value.numel()
        elif isinstance(value, int):
            yield abs(value)
