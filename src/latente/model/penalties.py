"""What is added to an objective so that codes have a property: [B], nats per row."""

from __future__ import annotations

import torch
from torch import Tensor

from latente.errors import ModelError
from latente.model.latent_model import Trace
from latente.model.objectives import Strength, Terms
from latente.model.parts import FULL, Part, register


class Penalty(Part):
    """Trace to terms that are added to those of the objective, and choose the best epoch with them.

    ``needs_input_gradient`` where it differentiates the code by the row.
    """

    needs_input_gradient = False

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        """By default the one term :meth:`penalty`, by the part's name."""
        value = self.penalty(trace)
        return Terms({self.name.replace("-", "_"): value}, value)

    def penalty(self, trace: Trace) -> Tensor:
        """The penalty of each row, [B]."""
        raise NotImplementedError


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        if value < 0:
            raise ModelError(f"{name} can't be negative; it is {value}")


@register
class L1Sparsity(Penalty):
    """weight x sum |z|: few units say something of each row."""

    name = "l1-sparsity"

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        _not_negative(weight=weight)
        self.weight = weight

    def penalty(self, trace: Trace) -> Tensor:
        return self.weight * trace.q.code.abs().sum(-1)


@register
class ActivationSparsity(Penalty):
    """weight x sum_u KL(rho || mean activation of u), activation = sigmoid(z_u) (Ng 2011, lecture notes on sparse
    autoencoders).
    """

    name = "activation-sparsity"

    def __init__(self, weight: float = 1.0, rho: float = 0.05) -> None:
        super().__init__()
        _not_negative(weight=weight)
        if not 0 < rho < 1:
            raise ModelError(f"rho is a mean activation between 0 and 1, not {rho}")
        self.weight, self.rho = weight, rho

    def penalty(self, trace: Trace) -> Tensor:
        mean = torch.sigmoid(trace.q.code).mean(0).clamp(1e-6, 1 - 1e-6)
        rho = torch.full_like(mean, self.rho)
        divergence = rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))
        return self.weight * divergence.sum().expand(len(trace.rows))


@register
class Contraction(Penalty):
    """weight x ||d mu / d x||_F^2 (Rifai et al. 2011).

    The norm of the whole Jacobian costs d backward passes; E ||v' J||^2 over v ~ N(0, I) is the same number for one
    (Hutchinson's estimator), so one v is drawn for each row and step.
    """

    name = "contraction"
    needs_input_gradient = True

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__()
        _not_negative(weight=weight)
        self.weight = weight

    def penalty(self, trace: Trace) -> Tensor:
        code = trace.q.code
        (row,) = torch.autograd.grad((code * torch.randn_like(code)).sum(), trace.rows.x, create_graph=True)
        return self.weight * row.flatten(1).square().sum(-1)
