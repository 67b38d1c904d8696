"""Parts of a model without a code (d = 0): what is left is the law of a row as the likelihood alone has it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latente.model.codes import DiagonalNormal
from latente.model.parts import Part, register
from latente.model.posteriors import Posterior


@register
class NoEncoder(Part):
    """Looks at nothing."""

    name = "no-encoder"
    masked = True
    width = 0

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, *shape] to [B, 0]."""
        return x.new_zeros(len(x), 0)


@register
class NoCode(Posterior):
    """A code of no dimensions: its rate is 0."""

    name = "no-code"
    latent_dim = 0

    def forward(self, h: Tensor) -> DiagonalNormal:
        """[B, 0] to q(z | x)."""
        return DiagonalNormal(h, h)


@register
class ConstantDecoder(Part):
    """The same theta for every code, learned."""

    name = "constant-decoder"

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(outputs))

    def forward(self, z: Tensor) -> Tensor:
        """[K, B, d] to theta [K, B, P]."""
        return self.theta.expand(*z.shape[:-1], -1)
