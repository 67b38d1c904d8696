"""A step recorded once and repeated on fixed memory.

Small models spend most of a step not on arithmetic, but on Python code, autograd's graph and memory allocation, which are the
same in every step. Therefore the kernel calls of one step, including its backward pass, are recorded; afterwards only these
calls are repeated, with the same memory (as CUDA graphs do on a GPU). Kernels, their order and their random draws are those of
the original step, and so are the results.

A step whose calls depend on values, not only on shapes, can't be repeated; this is detected and refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

ALIGNMENT = 64  # bytes, as in torch's allocator: with other alignment kernels may sum in another order
TOLERANCE = 1e-3  # between a step and its repetition, relative to the largest value

aten = torch.ops.aten
UNFILLED = {aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty, aten.new_empty_strided}
COPIES = {aten._to_copy, aten.clone}
ZEROS = {aten.zeros, aten.zeros_like, aten.new_zeros}  # their variants with ``out`` would allocate memory first

# Kernels that are frequent in small models, and for which torch has functions with the same arguments.
QUICK = {
    f"aten::{name}"
    for name in ("mm", "bmm", "addmm", "add", "sub", "mul", "div", "neg", "exp", "tanh", "cat", "gather", "scatter_add")
}

Function = Callable[..., Sequence[Tensor]]


class NotRepeatable(Exception):
    """The calls of the step depend on values."""


@dataclass(frozen=True)
class Place:
    """A tensor as a view into a storage."""

    storage: int
    dtype: torch.dtype
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, tensor: Tensor) -> Place:
        """The place of a tensor."""
        storage = tensor.untyped_storage()._cdata
        return cls(storage, tensor.dtype, tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset()))


@dataclass(frozen=True)
class Call:
    """One kernel call; tensors are places. ``out`` are its new results, or () if it writes into its arguments."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: tuple[Place, ...] = ()
    out_names: tuple[str, ...] = ()
    fixed: bool = False

    @property
    def places(self) -> list[Place]:
        """All tensors in it."""
        return _leaves(Place, (*self.args, *self.kwargs.values(), *self.out))


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records every kernel call, and keeps every tensor alive, so that no storage is reused."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing here is compiled; this avoids the import of torch's compiler, which takes over a second."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self.kept: dict[int, Tensor] = {}
        self.made: set[int] = set()
        self.varying: set[int] = set()

    def __torch_dispatch__(
        self, func: OpOverload, types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.data_dependent_output in func.tags or torch.Tag.dynamic_output_shape in func.tags:
            raise NotRepeatable(str(func))
        result = func(*args, **kwargs)
        results = result if isinstance(result, (tuple, list)) else (result,)
        if not all(isinstance(one, Tensor) for one in results):
            raise NotRepeatable(str(func))
        read = _leaves(Tensor, (args, *kwargs.values()))
        for tensor in (*read, *results):
            self.kept.setdefault(tensor.untyped_storage()._cdata, tensor.detach())
        self._note(func, args, kwargs, [Place.of(tensor) for tensor in read], tuple(map(Place.of, results)))
        return result

    def _note(self, func: OpOverload, args: Any, kwargs: dict[str, Any], read: list[Place], results: tuple[Place, ...]) -> None:
        before = {place.storage for place in read}
        args, kwargs = _mapped(Tensor, Place.of, args), {name: _mapped(Tensor, Place.of, v) for name, v in kwargs.items()}
        new = {place.storage for place in results} - before
        self.made |= new
        # Results without inputs that are never written to again are computed only once.
        external = before - self.made
        fixed = not (external or before & self.varying or torch.Tag.nondeterministic_seeded in func.tags)
        if func._schema.is_mutable:
            self.varying |= before
            self.calls.append(Call(func._op, args, kwargs))
        elif new:
            self.varying |= set() if fixed else new
            if func.overloadpacket not in UNFILLED:
                self.calls.append(_into(func, args, kwargs, results, fixed))


# Arguments of kernels are values, or lists of them; torch's general pytrees take six times as long.


def _leaves(kind: type, value: Any) -> list[Any]:
    """All values of a type in an argument."""
    if isinstance(value, kind):
        return [value]
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in _leaves(kind, each)]
    return []


def _mapped(kind: type, function: Callable[[Any], Any], value: Any) -> Any:
    """An argument, with ``function`` applied to all values of a type."""
    if isinstance(value, kind):
        return function(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_mapped(kind, function, each) for each in value)
    return value


def _into(func: OpOverload, args: Any, kwargs: dict[str, Any], out: tuple[Place, ...], fixed: bool) -> Call:
    """The call that writes to the places of its first results."""
    if func.overloadpacket in COPIES:
        return Call(Tensor.copy_, (out[0], args[0]), {}, out, (), fixed)
    if func.overloadpacket in ZEROS:
        return Call(Tensor.zero_, (out[0],), {}, out, (), fixed)
    there = _out_variant(func)
    if there is None:
        return Call(partial(_copied, func), (out, args, kwargs), {}, out, (), fixed)
    variant, names = there
    return Call(_quick(variant, names), args, _accepted(variant, kwargs), out, names, fixed)


def _quick(variant: OpOverload, names: tuple[str, ...]) -> Callable[..., Any]:
    """The function of the same name in torch, if there is one: it reaches the kernel in half of the time."""
    own = getattr(torch, variant._schema.name.split("::")[1], None)
    return own if callable(own) and names == ("out",) and variant._schema.name in QUICK else variant._op


def _copied(func: OpOverload, out: Sequence[Tensor], args: Any, kwargs: dict[str, Any]) -> None:
    results = func(*args, **kwargs)
    for place, value in zip(out, results if isinstance(results, (tuple, list)) else (results,), strict=True):
        place.copy_(value)


@cache
def _out_variant(func: OpOverload) -> tuple[OpOverload, tuple[str, ...]] | None:
    """The overload with the same arguments and tensors to write to, and the names of these."""
    wanted = {argument.name for argument in func._schema.arguments} - {"dtype", "layout", "device", "pin_memory"}
    for name in func.overloadpacket.overloads():
        variant = getattr(func.overloadpacket, name)
        outs = tuple(argument.name for argument in variant._schema.arguments if argument.is_out)
        others = {argument.name for argument in variant._schema.arguments} - set(outs)
        if len(outs) == len(func._schema.returns) and others - {"dtype"} == wanted and _same_kinds(func, variant):
            return variant, outs
    return None


def _same_kinds(func: OpOverload, variant: OpOverload) -> bool:
    kinds = {argument.name: str(argument.type) for argument in variant._schema.arguments}
    return all(kinds.get(argument.name, str(argument.type)) == str(argument.type) for argument in func._schema.arguments)


def _accepted(variant: OpOverload, kwargs: dict[str, Any]) -> dict[str, Any]:
    names = {argument.name for argument in variant._schema.arguments}
    return {name: value for name, value in kwargs.items() if name in names}


class Recording:
    """A function of tensors that repeats its kernel calls.

    Args:
        function: maps ``inputs`` to tensors.
        inputs: an example; all later inputs have the same shapes.
        targets: memory for the first results; the others get their own memory.
        drawing: makes a context that restores the state of random generators.

    Raises:
        NotRepeatable: the calls depend on values.
    """

    def __init__(
        self,
        function: Function,
        inputs: Sequence[Tensor],
        targets: Sequence[Tensor] = (),
        drawing: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.inputs = [tensor.detach().clone() for tensor in inputs]
        recorder = _Recorder()
        with drawing(), recorder:
            results = [result.detach() for result in function(*self.inputs)]
        self._bind(recorder, [Place.of(result) for result in results], list(targets))
        self._compare(function, [tensor.flip(0) for tensor in inputs], drawing)

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Repeat the calls; the results are in the same memory each time."""
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        with torch.no_grad():
            for call in self.calls:
                call()
        return self.results

    def _bind(self, recorder: _Recorder, results: list[Place], targets: list[Tensor]) -> None:
        """Allocate memory for every storage, and bind the tensors of every call."""
        constant = recorder.made - recorder.varying
        given = {key: tensor for key, tensor in recorder.kept.items() if key in constant or key not in recorder.made}
        calls = [call for call in recorder.calls if not (call.fixed and {place.storage for place in call.out} <= constant)]
        sizes = {key: recorder.kept[key].untyped_storage().nbytes() for key in recorder.made - constant}
        for place, target in zip(results, targets, strict=False):
            if place.storage in sizes and _fills(place, sizes[place.storage], target):
                given[place.storage] = target
                del sizes[place.storage]
        memory = _Memory(_lifetimes(calls, sizes, {place.storage for place in results}), sizes)

        @cache
        def tensor(place: Place) -> Tensor:
            if place.storage in sizes:
                return memory.at(place)
            whole = given[place.storage]
            begin = 0 if place.storage not in recorder.made else whole.storage_offset()
            return whole.as_strided(place.size, place.stride, begin + place.offset)

        self.calls = [_bound(call, tensor) for call in calls]
        for place, target in zip(results, targets, strict=False):
            if tensor(place).data_ptr() != target.data_ptr():
                self.calls.append(partial(target.copy_, tensor(place)))
        self.results = [*targets, *(tensor(place) for place in results[len(targets) :])]

    def _compare(self, function: Function, inputs: list[Tensor], drawing: Callable[[], AbstractContextManager[Any]]) -> None:
        """Compare with ``function`` for other inputs: this detects calls that contain values computed in Python."""
        with drawing():
            wanted = [result.detach().clone() for result in function(*inputs)]
        with drawing():
            found = self(*inputs)
        for one, other in zip(found, wanted, strict=True):
            if not torch.allclose(one, other, TOLERANCE, TOLERANCE * float(other.abs().max()) if other.numel() else 0, True):
                raise NotRepeatable("the step does something other than call kernels")


def _fills(place: Place, nbytes: int, target: Tensor) -> bool:
    """Whether a storage consists only of a tensor like ``target``, which can then replace it."""
    alike = (place.dtype, place.size, place.stride) == (target.dtype, tuple(target.shape), target.stride())
    return alike and place.offset == 0 and target.nbytes == nbytes


def _bound(call: Call, tensor: Callable[[Place], Tensor]) -> Callable[[], Any]:
    args = _mapped(Place, tensor, call.args)
    kwargs = {name: _mapped(Place, tensor, value) for name, value in call.kwargs.items()}
    outs = {name: tensor(place) for name, place in zip(call.out_names, call.out, strict=False)}
    return partial(call.function, *args, **kwargs, **outs)


def _lifetimes(calls: list[Call], sizes: dict[int, int], results: set[int]) -> list[tuple[int, int, int]]:
    """First call, last call and storage, for each storage; results outlive the last call."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, call in enumerate(calls):
        for key in {place.storage for place in call.places} & sizes.keys():
            first.setdefault(key, number)
            last[key] = len(calls) if key in results else number
    return sorted((first[key], last[key], key) for key in first)


class _Memory:
    """One block of memory for all storages; storages share memory if they are not alive at the same time."""

    def __init__(self, lifetimes: list[tuple[int, int, int]], sizes: dict[int, int]) -> None:
        self.begin: dict[int, int] = {}
        alive: list[tuple[int, int, int]] = []  # begin, end, last call
        total = 0
        for first, last, key in lifetimes:
            alive = sorted(block for block in alive if block[2] >= first)
            size = -(-sizes[key] // ALIGNMENT) * ALIGNMENT
            at = 0
            for begin, end, _ in alive:
                if begin - at >= size:
                    break
                at = max(at, end)
            self.begin[key] = at
            alive.append((at, at + size, last))
            total = max(total, at + size)
        self.bytes = torch.zeros(total, dtype=torch.uint8)

    def at(self, place: Place) -> Tensor:
        """The tensor at a place."""
        typed = self.bytes[self.begin[place.storage] :].view(place.dtype)
        return typed.as_strided(place.size, place.stride, typed.storage_offset() + place.offset)
