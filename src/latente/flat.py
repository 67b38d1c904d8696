"""All parameters of a module in one vector, and their gradients in another, so that an update, a norm or an average is a single
kernel instead of one for each layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw as fused_adamw


class FlatParameters:
    """Makes every parameter of ``module`` that has a gradient a view into one vector; the module works as before.

    Attributes:
        vector: the values [n].
        gradient: the gradient [n], once it was computed.
        parameters: the module's, in the vector's order.
        gradients: the gradient in pieces of the parameters' shapes.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
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
        # The gradient of a scalar: for one of a vector with weights, torch imports a computer algebra system (0.5 s).
        found = torch.autograd.grad(losses.mean(), self.parameters, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, found, strict=True)]

    def copy(self) -> Tensor:
        """The values now."""
        return self.vector.clone()

    def put(self, values: Tensor) -> None:
        """Set all parameters."""
        self.vector.copy_(values)


class Group(NamedTuple):
    """Some parameters with a factor on the learning rate of their own.

    Attributes:
        values, gradient, first, second: the parameters, their gradient and its moments, [n]; the moments change, too.
        rate: the factor.
    """

    values: Tensor
    gradient: Tensor
    first: Tensor
    second: Tensor
    rate: float = 1.0


def adamw(
    groups: Sequence[Group],
    updates: Tensor,
    rate: float,
    weight_decay: float = 0.0,
    beta2: float = 0.995,
) -> None:
    """One update of AdamW (Loshchilov and Hutter 2019), a kernel for each group.

    The function, not torch.optim's class: on a small model the class's bookkeeping costs ten times the update.

    Args:
        groups: what to update.
        updates: number of earlier updates, []; it is increased.
        rate: learning rate. weight_decay: as in torch.optim.AdamW. beta2: decay of the second moment.
    """
    for group in groups:
        fused_adamw(  # it increases the number of updates that it is given
            [group.values], [group.gradient], [group.first], [group.second], [], [updates.clone()],
            lr=rate * group.rate, beta1=0.9, beta2=beta2, weight_decay=weight_decay, eps=1e-8,
            amsgrad=False, maximize=False, fused=True,
        )  # fmt: skip
    updates.add_(1)
