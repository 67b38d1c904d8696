"""A function of tensors as a graph of generic operations, which the page runs (``web/src/engine/graph.ts``).

The function runs on an example, and torch's operations are recorded. A value that does not depend on the input is a constant:
it is computed now if it is not larger than the constants that it is computed from, else by the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from latente.explorer.block import Block
from latente.explorer.operations import RULES
from latente.explorer.recorder import Recorder, Unknown, stored
from latente.seeding import seeded
from latente.words import Message


class Graph:
    """The recorded operations of one function."""

    def __init__(self, recorder: Recorder, out: Tensor) -> None:
        self.recorder, self.root = recorder, recorder.read(out)
        found, left = {i for i, step in enumerate(recorder.steps) if step.op == "input"}, [self.root]
        while left:
            place = left.pop()
            if place not in found:
                found.add(place)
                left += [] if recorder.is_stored(place) else recorder.steps[place].inputs
        self.needed = sorted(found)

    @property
    def multiply_adds(self) -> int:
        """Multiplications and additions of one run."""
        costs = (dict(self.recorder.steps[i].attributes).get("cost", 0) for i in self.needed if self.recorder.values[i] is None)
        return sum(costs)

    def write(self, block: Block) -> dict[str, Any]:
        """The graph as the page reads it; constants go into ``block``."""
        places = {place: number for number, place in enumerate(self.needed)}
        return {"steps": [self._step(place, places, block) for place in self.needed], "output": places[self.root]}

    def _step(self, place: int, places: dict[int, int], block: Block) -> dict[str, Any]:
        step, value = self.recorder.steps[place], self.recorder.values[place]
        if value is not None and self.recorder.is_stored(place):
            single = float(value) if value.numel() == 1 else math.nan
            return {
                "op": "constant",
                **({"value": single} if math.isfinite(single) else {"tensor": block.add(*stored(value))}),
            }
        inputs = {"in": [places[i] for i in step.inputs]} if step.inputs else {}
        return {"op": step.op, **inputs, "size": self.recorder.sizes[place], **dict(step.attributes)}


def recorded(function: Callable[..., Tensor], *examples: Sequence[Tensor]) -> Graph:
    """Record a function of tensors that returns one tensor.

    Args:
        function: the function.
        examples: two lists of arguments, of equal shapes. Both must give the same graph; a function whose operations depend
            on the values or on random numbers is refused.

    Raises:
        Unknown: the page can't compute it.
    """
    graph, other = (_run(function, example, seed) for seed, example in enumerate(examples))
    if graph.recorder.steps != other.recorder.steps:
        raise Unknown(Message("explorer.dynamic"))
    return graph


@torch.no_grad()
def _run(function: Callable[..., Tensor], example: Sequence[Tensor], seed: int) -> Graph:
    recorder, given = Recorder(RULES), [each.clone() for each in example]
    for each in given:
        recorder.given(each)
    with seeded(seed), recorder:
        out = function(*given)
    return Graph(recorder, out)
