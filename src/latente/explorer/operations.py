"""Rules that translate torch's operations to those of the page, or to several simpler ones.

A rule gets the recorder, the operation and its arguments, and returns the result. If a model needs an operation without a rule,
the server decodes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from latente.explorer.recorder import Recorder, Rule, Unknown
from latente.words import Message

RULES: dict[str, Rule] = {}

ALIKE = (  # the page uses the same names
    "abs add betainc cos div eq exp expm1 floor ge gt le lgamma log log1p logaddexp logical_and logical_not logical_or lt "
    "maximum minimum mul ne neg pow relu round sigmoid sin special_log_ndtr special_ndtr sqrt sub tanh trunc where"
)
OTHERWISE = {"bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_not": "logical_not"}  # of truth values


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for some operations."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def composed(*names: str) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Register a function that computes some operations from others."""

    def enter(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def apart(recorder: Recorder, _: Any, *args: Any, **kwargs: Any) -> Tensor:
            with recorder:
                return function(*args, **kwargs)

        RULES.update(dict.fromkeys(names, apart))
        return function

    return enter


# ------------------------------------------------------------------------------------------------------ value by value


@rule(*ALIKE.split(), *OTHERWISE)
def _each(recorder: Recorder, func: Any, *args: Any, alpha: float = 1, **kwargs: Any) -> Tensor:
    name = func.overloadpacket.__name__
    if kwargs:
        raise Unknown(Message("explorer.operation_with", name=repr(name), arguments=[*kwargs]))
    if alpha != 1:
        with recorder:
            args = (args[0], args[1] * alpha)
    out = func(*args)
    return recorder.made(out, OTHERWISE.get(name, name), [recorder.spread(each, out.shape) for each in args])


@rule("log_sigmoid_forward")
def _log_sigmoid(recorder: Recorder, func: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    out, buffer = func(x)
    return recorder.made(out, "log_sigmoid", [recorder.read(x)]), buffer


@rule("clone", "copy", "_to_copy")
def _copied(recorder: Recorder, func: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    out = func(x, *args, **kwargs)
    if x.is_floating_point() and not out.is_floating_point():
        return recorder.made(out, "trunc", [recorder.read(x)])
    return recorder.same(out, x)


composed("rsub")(lambda x, other, alpha=1: torch.add(x.neg() * alpha if alpha != 1 else x.neg(), other))
composed("reciprocal")(lambda x: torch.ones((), dtype=x.dtype) / x)
composed("rsqrt")(lambda x: 1 / x.sqrt())
composed("silu")(lambda x: x * torch.sigmoid(x))
composed("gelu")(lambda x: x * torch.special.ndtr(x))
composed("erf")(lambda x: 2 * torch.special.ndtr(x * math.sqrt(2)) - 1)
composed("softplus")(lambda x, beta=1, threshold=20: -torch.nn.functional.logsigmoid(-beta * x) / beta)
composed("leaky_relu")(lambda x, slope=0.01: torch.where(x > 0, x, slope * x))
composed("elu")(lambda x, alpha=1, *_: torch.where(x > 0, x, alpha * torch.expm1(x)))
composed("lerp")(lambda x, end, weight: x + weight * (end - x))
composed("masked_fill")(lambda x, mask, value: torch.where(mask, value, x))
composed("clamp_min")(lambda x, low: torch.maximum(x, torch.as_tensor(low, dtype=x.dtype)))
composed("clamp_max")(lambda x, high: torch.minimum(x, torch.as_tensor(high, dtype=x.dtype)))


@composed("clamp")
def _clamp(x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    x = x if low is None else x.clamp_min(low)
    return x if high is None else x.clamp_max(high)


@rule("randn", "randn_like")
def _random(recorder: Recorder, func: Any, *args: Any, **kwargs: Any) -> Tensor:
    out = func(*args, **kwargs)
    return out if kwargs.get("generator") else recorder.made(out, "randn", [])


# ------------------------------------------------------------------------------------------------------------- products


@rule("mm", "bmm")
def _product(recorder: Recorder, func: Any, a: Tensor, b: Tensor) -> Tensor:
    """a [..., rows, inner] times b [..., inner, columns]; the page stores b as [..., columns, inner]."""
    (rows, inner), columns = a.shape[-2:], b.shape[-1]
    sizes = {"rows": rows, "inner": inner, "columns": columns}
    out = func(a, b)
    return recorder.made(out, "matmul", [recorder.read(a), recorder.read(b.mT)], **sizes, cost=out.numel() * inner)


composed("addmm", "baddbmm")(lambda bias, a, b: a @ b + bias)
composed("mv")(lambda a, v: torch.mm(a, v.unsqueeze(1)).squeeze(1))
composed("dot")(lambda a, v: torch.mm(a.unsqueeze(0), v.unsqueeze(1)).squeeze())


@rule("convolution")
def _convolution(recorder: Recorder, func: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *how: Any) -> Tensor:
    """A convolution of one picture; a series is a picture of height 1."""
    stride, padding, dilation, transposed, _, groups = how
    if groups != 1 or max(dilation) > 1 or len(x) != 1 or x.dim() > 4 or recorder.depends(weight):
        raise Unknown(Message("explorer.convolution"))
    out = func(x, weight, bias, *how)
    flat = [1] * (4 - x.dim())
    sides = {"given": (x.shape[1], *flat, *x.shape[2:]), "result": (out.shape[1], *flat, *out.shape[2:])}
    sides |= {"kernel": (*flat, *weight.shape[2:]), "stride": (*flat, *stride), "padding": (*([0] * len(flat)), *padding)}
    cost = weight.numel() * math.prod((x if transposed else out).shape[2:])
    parts = [recorder.read(each) for each in (x, weight, bias) if each is not None]
    return recorder.made(out, "conv_transpose" if transposed else "conv", parts, **sides, cost=cost)


# ------------------------------------------------------------------------------------------------------- along an axis


@rule("_softmax", "_log_softmax", "cumsum")
def _along(recorder: Recorder, func: Any, x: Tensor, dim: int, *args: Any, **kwargs: Any) -> Tensor:
    out = func(x, dim, *args, **kwargs).movedim(dim, -1)
    name = func.overloadpacket.__name__.removeprefix("_")
    return recorder.made(out, name, [recorder.read(x.movedim(dim, -1))], along=out.shape[-1]).movedim(-1, dim)


@rule("sum", "amax", "argmax")
def _reduced(recorder: Recorder, func: Any, x: Tensor, dims: Any = None, keepdim: bool = False, **kwargs: Any) -> Tensor:
    out = func(x, *(() if dims is None else (dims, keepdim)), **kwargs)
    dims = [dims] if isinstance(dims, int) else list(dims or range(x.dim()))
    moved = x.movedim(dims, list(range(-len(dims), 0)))
    return recorder.made(out, func.overloadpacket.__name__, [recorder.read(moved)], along=x.numel() // max(1, out.numel()))


@composed("mean")
def _mean(x: Tensor, dims: Any = None, keepdim: bool = False, **_: Any) -> Tensor:
    total = x.sum() if dims is None else x.sum(dims, keepdim)
    return total / (x.numel() // total.numel())


@composed("logsumexp")
def _log_sum_exp(x: Tensor, dims: Any, keepdim: bool = False) -> Tensor:
    top = x.amax(dims, True)
    value = (x - top).exp().sum(dims, True).log() + top
    return value if keepdim else value.sum(dims)


# ---------------------------------------------------------------------------------------------------- places and pieces


@rule("cat")
def _cat(recorder: Recorder, func: Any, tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    out = func(tensors, dim)
    outer = math.prod(out.shape[: dim % out.dim()])
    return recorder.made(out, "concat", [recorder.read(each) for each in tensors if each.numel()], outer=outer)


composed("stack")(lambda tensors, dim=0: torch.cat([each.unsqueeze(dim) for each in tensors], dim))


@rule("searchsorted")
def _searchsorted(recorder: Recorder, func: Any, edges: Tensor, values: Any, **kwargs: Any) -> Tensor:
    out = func(edges, values, **kwargs)
    right = bool(kwargs.get("right")) or kwargs.get("side") == "right"
    return recorder.made(out, "searchsorted", [recorder.read(edges), recorder.read(values)], along=edges.shape[-1], right=right)


composed("bucketize")(lambda values, edges, **kwargs: torch.searchsorted(edges, values, **kwargs))


@rule("index", "index_select", "gather", "embedding", "take", "repeat", "flip", "roll")
def _moved(recorder: Recorder, func: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Values selected by their indices, which are constant or computed."""
    out = func(x, *args, **kwargs)
    every = torch.arange(x.numel()).view(x.shape)
    index = next((each for each in _indices(args) if recorder.depends(each)), None)
    if index is None:
        return recorder.made(out, "take", [recorder.read(x), recorder.read(func(every, *args, **kwargs))])
    name = func.overloadpacket.__name__
    if name not in LOOKED_UP or index.dtype == torch.bool or len(_indices(args)) > 1:
        raise Unknown(Message("explorer.operation", name=repr(name)))
    with recorder:
        places = LOOKED_UP[name](every, *args)
    return recorder.made(out, "take", [recorder.read(x), recorder.read(places)])


def _indices(args: Sequence[Any]) -> list[Tensor]:
    return [
        each for value in args for each in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(each, Tensor)
    ]


def _selected(every: Tensor, dim: int, index: Tensor) -> Tensor:
    first, shape = every.narrow(dim, 0, 1), [1] * every.dim()
    shape[dim] = -1
    return first + index.reshape(shape) * every.stride(dim)


def _indexed(every: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    dim = next(d for d, index in enumerate(indices) if index is not None)
    index = indices[dim]
    assert index is not None
    places = _selected(every, dim, index.flatten())
    return places.view(*places.shape[:dim], *index.shape, *places.shape[dim + 1 :])


LOOKED_UP: dict[str, Callable[..., Tensor]] = {
    "index": _indexed,
    "index_select": _selected,
    "embedding": lambda every, index, *_: _selected(every, 0, index.flatten()),
}


@rule("index_copy")
def _index_copy(recorder: Recorder, func: Any, x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    every = torch.arange(x.numel() + source.numel())
    places = func(every[: x.numel()].view(x.shape), dim, index, every[x.numel() :].view(source.shape))
    with recorder:
        return torch.cat([x.flatten(), source.flatten()])[places]
