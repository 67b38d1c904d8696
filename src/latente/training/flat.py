"""All parameters of a module in one vector, and their gradients in another: an update, a norm or an average is then one kernel,
in place of one per layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FlatParameters:
    """Makes every parameter of ``module`` a view into one vector; the module works as before.

    Attributes:
        vector: the values [n].
        gradient: the gradient [n], once it was computed.
        parameters: the module's, in the vector's order.
        gradients: the gradient in pieces of the parameters' shapes.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters = list(module.parameters())
        self.vector = torch.cat([parameter.detach().reshape(-1) for parameter in self.parameters])
        self.gradient = torch.zeros_like(self.vector)
        self.gradients = self._views(self.gradient)
        for parameter, view in zip(self.parameters, self._views(self.vector), strict=True):
            parameter.data = view

    def _views(self, vector: Tensor) -> list[Tensor]:
        pieces = torch.split(vector, [parameter.numel() for parameter in self.parameters])
        return [piece.view_as(parameter) for piece, parameter in zip(pieces, self.parameters, strict=True)]

    def differentiate(self, losses: Tensor) -> list[Tensor]:
        """The gradient of the mean of ``losses`` [B] by each parameter, computed anew; zero where there is no dependence."""
        weights = torch.full(losses.shape, 1 / len(losses), dtype=losses.dtype, device=losses.device)
        found = torch.autograd.grad(losses, self.parameters, weights, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, found, strict=True)]

    def copy(self) -> Tensor:
        """The values now."""
        return self.vector.clone()

    def put(self, values: Tensor) -> None:
        """Set all parameters."""
        self.vector.copy_(values)
