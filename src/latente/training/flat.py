"""All parameters of a module in one vector.

Averages and snapshots are then one kernel each, in place of one per layer. Gradients stay apart: autograd hands each over as it
was computed, and a common vector would cost a pass to clear and a pass to add.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FlatParameters:
    """Makes every parameter of ``module`` a view into one vector; the module works as before.

    Attributes:
        vector: the values [n].
        parameters: the module's, in the vector's order.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters = list(module.parameters())
        self.vector = torch.cat([parameter.detach().reshape(-1) for parameter in self.parameters])
        for parameter, view in zip(self.parameters, self.views(self.vector), strict=True):
            parameter.data = view

    def views(self, vector: Tensor) -> list[Tensor]:
        """A vector of the same size in pieces of the parameters' shapes."""
        pieces = torch.split(vector, [parameter.numel() for parameter in self.parameters])
        return [piece.view_as(parameter) for piece, parameter in zip(pieces, self.parameters, strict=True)]

    def gradients(self, loss: Tensor) -> list[Tensor]:
        """Of each parameter; zero for one that the loss does not depend on."""
        found = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, found, strict=True)]

    def copy(self) -> Tensor:
        """The values now."""
        return self.vector.clone()

    def put(self, values: Tensor) -> None:
        """Set all parameters."""
        self.vector.copy_(values)
