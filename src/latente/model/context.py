"""How a model reads its context: a vector per row, in addition to the encoder's features and to the code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latente.errors import DataError
from latente.model.parts import Part, register


@register
class Context(Part):
    """Joins context c [B, C] to the features of the encoder and to the code that the decoder reads (Sohn et al. 2015).

    Additional units that read both features and context are appended to the encoder's features, so that the code can depend on
    the context in any way; the decoder reads the context as additional dimensions of the code.

    Args:
        width: H, of the encoder's features. size: C. units: how many read both.
    """

    name = "context"
    fixed: Tensor | None = None  # [1, C], for rows without their own

    def __init__(self, width: int, size: int, units: int = 64) -> None:
        super().__init__()
        self.size, self.width = size, width + units
        self.joint = nn.Linear(width + size, units)

    def forward(self, h: Tensor, context: Tensor | None) -> Tensor:
        """Features [B, H] and context [B, C] to [B, units + H]."""
        both = torch.cat([self.checked(context).to(h.dtype).expand(len(h), -1), h], 1)
        return torch.cat([torch.relu(self.joint(both)), h], 1)

    def beside(self, z: Tensor, context: Tensor | None) -> Tensor:
        """Codes [K, B, d] to inputs of the decoder, [K, B, d + C]."""
        return torch.cat([z, self.checked(context).to(z.dtype).expand(*z.shape[:2], -1)], -1)

    def checked(self, context: Tensor | None) -> Tensor:
        """The context, or the fixed one.

        Raises:
            DataError: there is neither.
        """
        context = self.fixed if context is None else context
        if context is None:
            raise DataError("the model was fitted with a context: pass the context of the rows as context=…")
        return context
