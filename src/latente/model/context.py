"""How a model is told its context: a vector for each row, beside what the encoder makes of it and beside the code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latente.errors import DataError
from latente.model.parts import Part, register


@register
class Context(Part):
    """Joins context c [B, C] to the features of the encoder and to the code that the decoder reads (Sohn et al. 2015).

    The features of the encoder are joined by further units that see both, so that what a row's code says may depend on its
    context in any way; the decoder reads context as further dimensions of the code.

    Args:
        width: H, of the encoder's features. size: C. units: how many see both.
    """

    name = "context"
    fixed: Tensor | None = None  # [1, C], of rows that come without one

    def __init__(self, width: int, size: int, units: int = 64) -> None:
        super().__init__()
        self.size, self.width = size, width + units
        self.joint = nn.Linear(width + size, units)

    def forward(self, h: Tensor, context: Tensor | None) -> Tensor:
        """Features [B, H] and context [B, C] to [B, units + H]."""
        both = torch.cat([self.checked(context).to(h.dtype).expand(len(h), -1), h], 1)
        return torch.cat([torch.relu(self.joint(both)), h], 1)

    def beside(self, z: Tensor, context: Tensor | None) -> Tensor:
        """Codes [K, B, d] to what the decoder reads, [K, B, d + C]."""
        return torch.cat([z, self.checked(context).to(z.dtype).expand(*z.shape[:2], -1)], -1)

    def checked(self, context: Tensor | None) -> Tensor:
        """The context, which must be there.

        Raises:
            DataError: it is not, and no context is fixed.
        """
        context = self.fixed if context is None else context
        if context is None:
            raise DataError("the model was fitted with a context: pass the context of the rows as context=…")
        return context
