"""Records torch's operations on arrays (``TorchDispatchMode``, see "Extending PyTorch" in torch's manual).

``torch.export`` records the same operations, but takes seconds to import. A view is not an operation: it is identified by the
storage that it shares with a result.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from latente.errors import ModelError
from latente.words import Message

Rule = Callable[..., Any]
MADE = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")  # their values do not depend on the input
SMALL = 256  # bytes of a constant that is always computed now


class Unknown(ModelError):
    """The page can't compute this."""


class Step(NamedTuple):
    """An operation on the results of earlier ones."""

    op: str
    inputs: tuple[int, ...]
    attributes: tuple[tuple[str, Any], ...]


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records operations; a result is a contiguous array, and tensors are views of results, found by their storage."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rules = rules
        self.steps: list[Step] = []
        self.sizes: list[int] = []
        self.values: list[Tensor | None] = []  # of constants
        self._places: dict[Any, int] = {}
        self._homes: dict[int, int] = {}
        self._alive: list[Tensor] = []  # keeps the storage from being reused by another tensor
        self._made_of: dict[int, dict[int, int]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, which takes two seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        tensors = [each for each in _flat((*args, *kwargs.values())) if isinstance(each, Tensor)]
        if func._schema.is_mutable:
            return self._changed(func, name, tensors, args, kwargs)
        if name in self.rules:
            return self._by_rule(name, func, args, kwargs)
        with self:
            apart = func.decompose(*args, **kwargs)
        if apart is not NotImplemented:
            return apart
        out = func(*args, **kwargs)
        if name not in MADE and any(map(self.depends, tensors)) and not _is_view(out, tensors):
            raise Unknown(Message("explorer.operation", name=repr(name)))
        return out

    def _by_rule(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        try:
            return self.rules[name](self, func, *args, **kwargs)
        except TypeError as error:  # the rule does not support an argument
            raise Unknown(Message("explorer.operation", name=repr(name))) from error

    def _changed(self, func: Any, name: str, tensors: list[Tensor], args: Any, kwargs: Any) -> Any:
        """In-place operations: recorded as ordinary ones whose result replaces the whole tensor."""
        if any(map(self.depends, tensors)):
            base = name.removesuffix("_")
            if base not in self.rules or not (args[0].is_contiguous() and args[0].numel() == self.sizes[self.read(args[0])]):
                raise Unknown(Message("explorer.operation", name=repr(name)))
            with self:
                new = getattr(torch.ops.aten, base)(*args, **kwargs)
            self._homes[_storage(args[0])] = self.read(new)
        elif args:
            self._homes.pop(_storage(args[0]), None)  # a constant that changed: forget the old value
        return func(*args, **kwargs)

    def depends(self, value: Tensor) -> bool:
        """Whether a tensor depends on the input."""
        home = self._homes.get(_storage(value))
        return home is not None and self.values[home] is None

    def given(self, example: Tensor) -> None:
        """Add an input."""
        self._keep(example, self.add("input", size=example.numel(), place=len(self.steps)))

    def made(self, out: Tensor, op: str, inputs: Sequence[int], **attributes: Any) -> Tensor:
        """Add the result of an operation."""
        out = out.contiguous()
        self._keep(out, self.add(op, inputs, value=out, size=out.numel(), **attributes))
        return out

    def same(self, out: Tensor, value: Tensor) -> Tensor:
        """Copy a tensor."""
        out = out.contiguous()
        self._keep(out, self.read(value))
        return out

    def _keep(self, out: Tensor, step: int) -> None:
        if out.numel():
            self._homes[_storage(out)] = step
            self._alive.append(out)

    def add(self, op: str, inputs: Sequence[int] = (), value: Tensor | None = None, size: int = 1, **attributes: Any) -> int:
        """The index of an operation; equal operations are added once."""
        step = Step(op, tuple(inputs), tuple(attributes.items()))
        key = (step, len(self.steps)) if op == "randn" else step
        if key not in self._places:
            constant = op != "randn" and all(self.values[i] is not None for i in inputs)
            self.steps.append(step)
            self.sizes.append(size)
            self.values.append(value.detach().clone() if constant and value is not None else None)
            self._places[key] = len(self.steps) - 1
        return self._places[key]

    def read(self, value: Tensor | float) -> int:
        """The index of a result that holds the values of a tensor in order."""
        home = self._homes.get(_storage(value)) if isinstance(value, Tensor) and value.numel() else None
        if not isinstance(value, Tensor) or (home is None and value.dim() == 0):
            return self.add("constant", value=torch.tensor(float(value), dtype=torch.float64), number=float(value))
        if home is None:
            digest = hashlib.sha256(value.detach().contiguous().numpy().tobytes()).hexdigest()
            return self.add("constant", value=value, size=value.numel(), digest=digest, type=str(value.dtype))
        return self.strided(home, value.shape, value.stride(), int(value.storage_offset()))

    def strided(self, place: int, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> int:
        """The index of a view of a result."""
        sides = _merged([side for side in zip(shape, strides, strict=True) if side[0] != 1])
        size = math.prod(shape)
        if offset == 0 and size == self.sizes[place] and sides in ((), ((size, 1),)):
            return place
        value = self.values[place]
        view = None if value is None else value.flatten().as_strided(list(shape), list(strides), offset)
        return self.add("strided", [place], view, size, sides=sides, offset=offset)

    def spread(self, value: Tensor | float, shape: Sequence[int]) -> int:
        """The index of a tensor that broadcasts to a shape; a single value is not expanded."""
        place = self.read(value)
        if not isinstance(value, Tensor) or value.numel() in (1, math.prod(shape)):
            return place
        own = [1] * (len(shape) - value.dim()) + list(value.shape)
        strides = [0 if side == 1 else math.prod(own[i + 1 :]) for i, side in enumerate(own)]
        return self.strided(place, shape, strides)

    def _leaves(self, place: int) -> dict[int, int]:
        """The constants that a constant is computed from, and their size."""
        if place not in self._made_of:
            step, value = self.steps[place], self.values[place]
            own = {place: room(value)} if value is not None and not step.inputs else {}
            self._made_of[place] = own | {k: room for i in step.inputs for k, room in self._leaves(i).items()}
        return self._made_of[place]

    def is_stored(self, place: int) -> bool:
        """Whether a constant is stored itself: if it is not larger than the constants that it is computed from."""
        value = self.values[place]
        return value is not None and room(value) <= max(SMALL, sum(self._leaves(place).values()))


def _flat(values: Any) -> list[Any]:
    return [each for value in values for each in (value if isinstance(value, (list, tuple)) else [value])]


def _storage(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


def _is_view(out: Any, tensors: Sequence[Tensor]) -> bool:
    own = set(map(_storage, tensors))
    return all(isinstance(each, Tensor) and _storage(each) in own for each in _flat([out]))


def _merged(sides: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sizes and strides, with contiguous neighbouring dimensions merged."""
    found: list[tuple[int, int]] = []
    for size, stride in sides:
        if found and found[-1][1] == size * stride:
            found[-1] = (found[-1][0] * size, stride)
        else:
            found.append((size, stride))
    return tuple(found)


def stored(value: Tensor) -> tuple[Tensor, str]:
    """A constant and the type that holds it exactly."""
    if not value.is_floating_point():
        return value, "i4"
    exact = value.double().nan_to_num()
    kinds = {"f2": value.half(), "f4": value.float()}
    return value, next((kind for kind, rounded in kinds.items() if torch.equal(rounded.double().nan_to_num(), exact)), "f8")


def room(value: Tensor) -> int:
    """Bytes that a constant takes."""
    return value.numel() * int(stored(value)[1][1])
