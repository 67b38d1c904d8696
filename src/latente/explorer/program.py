"""Parts of a model as operations that the page knows: numbers and their order, no class and no code.

The page keeps one vector ``h`` (of pictures with its shape), the input, and which of its values were seen. What each operation
does is written in ``web/src/engine/network.ts``; a part that is none of ours has no operations, and is left to the server.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from latente.errors import ModelError
from latente.explorer.block import Block
from latente.model.autoregressive import Autoregressive
from latente.model.cells import CellEmbedding, CellsLikelihood, CellTable, OfCells
from latente.model.fitted_priors import FlowPrior, MixturePrior
from latente.model.heterogeneous import (
    BinaryLaw,
    CountLaw,
    Heterogeneous,
    Hurdle,
    Law,
    LevelsLaw,
    LogNormalLaw,
    NormalLaw,
    NumberLaw,
    OrderedLevelsLaw,
)
from latente.model.likelihoods import Bernoulli, ContinuousBernoulli, Normal, StudentT
from latente.model.networks.cells import CellsEncoder
from latente.model.networks.conv import ConvDecoder, ConvEncoder
from latente.model.networks.mlp import MLPDecoder, MLPEncoder
from latente.model.parts import Part
from latente.model.posteriors import DiagonalNormalPosterior, PointMassPosterior
from latente.model.priors import NormalMixturePrior, OwnPrior, Prior, StandardNormalPrior

Op = dict[str, Any]
RELU: Op = {"op": "relu"}
AGAIN: Op = {"op": "concat-input"}


class Unknown(ModelError):
    """The page can't compute this part."""


@singledispatch
def operations(part: Part, block: Block) -> list[Op]:
    """What an encoder does to a row, or a decoder to a code.

    Raises:
        Unknown: the page can't do it.
    """
    raise Unknown(f"the page can't compute the part {part.name!r}")


@singledispatch
def description(part: Part, block: Block) -> dict[str, Any]:
    """A posterior, a likelihood or a law: its name and its numbers.

    Raises:
        Unknown: the page can't compute it.
    """
    raise Unknown(f"the page can't compute the part {part.name!r}")


def multiply_adds(ops: Iterable[Op]) -> int:
    """Of one pass through some operations."""
    return sum(op.get("cost", 0) for op in ops)


def _dense(layer: nn.Linear, block: Block, op: str = "dense") -> Op:
    return {"op": op, "weight": block.add(layer.weight), "bias": block.add(layer.bias), "cost": layer.weight.numel()}


# ------------------------------------------------------------------------------------------------------------ networks


@operations.register
def _(part: MLPEncoder, block: Block) -> list[Op]:
    ops: list[Op] = [{"op": "concat-mask"}] if part.masked else []
    for layer in part.layers:
        ops += [_dense(layer, block), RELU]  # type: ignore[arg-type]
    return [*ops, AGAIN] if part.linear else ops


@operations.register
def _(part: MLPDecoder, block: Block) -> list[Op]:
    ops: list[Op] = []
    for index, layer in enumerate(part.layers):
        ops += [*([RELU] if index else []), *([AGAIN] if index and part.skip else []), _dense(layer, block)]  # type: ignore[arg-type]
    return ops if part.linear is None else [*ops, _dense(part.linear, block, "add-linear")]


@operations.register
def _(part: ConvEncoder, block: Block) -> list[Op]:
    channels, height, width = part.arguments["shape"]
    ops: list[Op] = [{"op": "concat-mask"}] if part.masked else []
    ops.append({"op": "picture", "shape": [channels * (2 if part.masked else 1), height, width]})
    for layer in part.layers:
        height, width = (height + 1) // 2, (width + 1) // 2
        ops += [_conv(layer, block, "conv", height * width), RELU]
    return [*ops, {"op": "flatten"}, _dense(part.last, block), RELU]


@operations.register
def _(part: ConvDecoder, block: Block) -> list[Op]:
    ops = [_dense(part.first, block), RELU, *([AGAIN] if part.skip else []), _dense(part.second, block)]
    ops.append({"op": "picture", "shape": list(part.start)})
    for layer, before, after in zip(part.layers, part.sizes, part.sizes[1:], strict=False):
        ops += [RELU, {**_conv(layer, block, "conv-transpose", math.prod(before)), "crop": list(after)}]
    return [*ops, {"op": "flatten"}]


def _conv(layer: Any, block: Block, op: str, visits: int) -> Op:
    """A convolution; a transposed one visits each pixel that comes in, another each that goes out."""
    numbers = {"weight": block.add(layer.weight), "bias": block.add(layer.bias)}
    return {"op": op, **numbers, "stride": layer.stride[0], "padding": layer.padding[0], "cost": layer.weight.numel() * visits}


@operations.register
def _(part: CellsEncoder, block: Block) -> list[Op]:
    embed = {"op": "embed-cells", "cells": _cells(part.cells, block), **_embedding(part.embedding, block)}
    ops: list[Op] = [{**embed, "numbers": part.numbers.tolist()}]
    for layer in part.layers:
        ops += [_dense(layer, block), RELU]  # type: ignore[arg-type]
    return ops


def _cells(table: CellTable, block: Block) -> list[dict[str, Any]]:
    """For each column the edges between its cells, their middles, and what neighbours have in common (null: nothing)."""
    columns = []
    for f, count in enumerate(table.counts):
        basis = table.basis(f)
        edges, middles = block.add(table.edges[f, : count - 1]), block.add(table.middle(f))
        columns.append({"edges": edges, "middle": middles, "basis": None if basis is None else block.add(basis)})
    return columns


def _embedding(embedding: CellEmbedding, block: Block) -> dict[str, Any]:
    vectors = [block.add(embedding.coefficients(f).T) for f in range(len(embedding.cells))]
    return {"vectors": vectors, "unseen": block.add(embedding.unseen)}


# ------------------------------------------------------------------------------------------- posteriors and likelihoods


@description.register
def _(part: DiagonalNormalPosterior, block: Block) -> dict[str, Any]:
    numbers = {"middle": float(part.middle), "reach": part.reach}
    return {"type": "normal", "head": _dense(part.head, block), **numbers}


@description.register
def _(part: PointMassPosterior, block: Block) -> dict[str, Any]:
    return {"type": "point", "head": _dense(part.head, block)}


@description.register
def _(part: Normal, block: Block) -> dict[str, Any]:
    return {"type": "normal", "sigma": block.add(part.log_sigma.exp().expand(part.size))}


@description.register
def _(part: StudentT, block: Block) -> dict[str, Any]:
    df = part.lowest_df + nn.functional.softplus(part.excess_df)
    return {"type": "student-t", "sigma": block.add(part.log_sigma.exp().expand(part.size)), "df": block.add(df)}


@description.register
def _(part: Bernoulli, block: Block) -> dict[str, Any]:
    return {"type": "bernoulli"}


@description.register
def _(part: ContinuousBernoulli, block: Block) -> dict[str, Any]:
    return {"type": "continuous-bernoulli"}


def _of_cells(part: OfCells, block: Block) -> dict[str, Any]:
    bases = [block.add(part.base_of(f)) for f in range(part.size)]
    return {"type": part.name, "cells": _cells(part.cells, block), "nominal": part.nominal, "base": bases}


@description.register
def _(part: CellsLikelihood, block: Block) -> dict[str, Any]:
    return {**_of_cells(part, block), "theta": [part.place(f) for f in range(part.size)]}


@description.register
def _(part: Autoregressive, block: Block) -> dict[str, Any]:
    layers = [[_dense(layer, block) for layer in _linear(each)] for each in part.blocks]
    heads = [block.add(part.head(f).T) for f in range(part.size)]
    own = {"place": block.add(part.place), "blocks": layers, "heads": heads, "cost": part.repeated}
    return {**_of_cells(part, block), **_embedding(part.embedding, block), **own}


# -------------------------------------------------------------------------------------------- columns of several kinds


@description.register
def _(part: Heterogeneous, block: Block) -> dict[str, Any]:
    part = copy.deepcopy(part).double()  # what follows from its numbers is not rounded twice
    columns: dict[int, dict[str, Any]] = {}
    begin, places = 0, iter(part.places.tolist())
    for law in part.each:
        for g in range(law.size):
            columns[next(places)] = _column(law, g, begin, block)
        begin += law.outputs
    return {"type": part.name, "gain": block.add(part.gain), "columns": [columns[f] for f in range(part.size)]}


def _column(law: Law, g: int, begin: int, block: Block) -> dict[str, Any]:
    """The law of one column of a group; ``begin`` is where the group's part of theta is."""
    if isinstance(law, Hurdle):
        atom = {"value": float(law.rest.atom[g]), "base": float(law.base[g]), "theta": begin + law.size + g}
        return {**_column(law.rest, g, begin, block), "atom": atom}
    if isinstance(law, OrderedLevelsLaw):
        thresholds = torch.cat([law.lowest, law.lowest + nn.functional.softplus(law.gaps).cumsum(0)])
        own = {"law": "ordered", "values": block.add(law.values, "f8"), "thresholds": block.add(thresholds, "f8")}
        return {**own, "theta": begin, "nominal": law.nominal}
    if isinstance(law, BinaryLaw):
        return {"law": "binary", "theta": begin, "base": float(law.base[1] - law.base[0])}
    if isinstance(law, LevelsLaw):
        return {"law": "levels", "theta": begin, "base": block.add(law.base, "f8")}
    if isinstance(law, NumberLaw):
        return {**_of_numbers(law, g), "theta": begin + g, "atom": None}
    raise Unknown(f"the page can't compute the law {type(law).__name__!r}")


def _of_numbers(law: NumberLaw, g: int) -> dict[str, Any]:
    ends = {name: float(value) if math.isfinite(value := getattr(law, name)[g]) else None for name in ("low", "high")}
    recorded = {**ends, **_floats(law, g, "zero", "unit", "step")}
    if isinstance(law, CountLaw):
        return {"law": "count", **recorded, **_floats(law, g, "base", "first", "dispersion")}
    if not isinstance(law, NormalLaw):
        raise Unknown(f"the page can't compute the law {type(law).__name__!r}")
    moved = "log-normal" if isinstance(law, LogNormalLaw) else "normal"
    return {"law": moved, "rounded": not law.density, **recorded, **_floats(law, g, "center", "spread", "log_sigma")}


def _floats(law: NumberLaw, g: int, *names: str) -> dict[str, float]:
    """Some numbers of one column."""
    return {name: float(getattr(law, name)[g].detach()) for name in names}


# ------------------------------------------------------------------------------------------------------ laws of the codes


@description.register
def _(prior: StandardNormalPrior, block: Block) -> dict[str, Any]:
    d = prior.latent_dim
    return _mixture(torch.ones(1), torch.zeros(1, d), torch.eye(d).unsqueeze(0), block)


@description.register
def _(prior: NormalMixturePrior, block: Block) -> dict[str, Any]:
    p = prior()
    return _mixture(p.log_weights.exp(), p.components.loc, torch.diag_embed(p.components.deviation), block)


def _mixture(weights: Tensor, means: Tensor, cholesky: Tensor, block: Block) -> dict[str, Any]:
    numbers = {"weights": weights, "means": means, "cholesky": cholesky}
    return {"type": "mixture", **{name: block.add(values, "f8") for name, values in numbers.items()}}


@description.register
def _(prior: OwnPrior, block: Block) -> dict[str, Any]:
    return description(prior.model.prior, block)


@description.register
def _(law: MixturePrior, block: Block) -> dict[str, Any]:
    return _mixture(law.weights, law.means, law.cholesky, block)


@description.register
def _(law: FlowPrior, block: Block) -> dict[str, Any]:
    couplings = [
        {"kept": kept.tolist(), "moved": moved.tolist(), "layers": [_dense(layer, block) for layer in _linear(net)]}
        for (kept, moved), net in zip(law.halves, law.nets, strict=True)
    ]
    return {"type": "flow", "center": block.add(law.center), "cholesky": block.add(law.cholesky), "couplings": couplings}


def _linear(layers: Any) -> list[nn.Linear]:
    """Of some layers those that have weights."""
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


def is_exact(law: Prior) -> bool:
    """Whether a law's density in any plane is known, and need not be approximated."""
    return isinstance(
        law.model.prior if isinstance(law, OwnPrior) else law, (MixturePrior, StandardNormalPrior, NormalMixturePrior)
    )
