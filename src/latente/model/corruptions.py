"""What is done to rows before the encoder sees them, so that it learns to undo it (Vincent et al. 2008)."""

from __future__ import annotations

import torch

from latente.errors import ModelError
from latente.model.parts import Part, register
from latente.rows import Rows


class Corruption(Part):
    """Rows to rows of the same shape and mask; draws from torch's generator."""

    def forward(self, rows: Rows) -> Rows:
        """A corrupted copy."""
        raise NotImplementedError


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ModelError(f"{name} is a share between 0 and 1, not {value}")
    return value


@register
class GaussianNoise(Corruption):
    """Adds N(0, sigma^2), in encoded units: standard deviations of a column, or the full range of a pixel."""

    name = "gaussian-noise"

    def __init__(self, sigma: float = 0.3) -> None:
        super().__init__()
        if sigma < 0:
            raise ModelError(f"sigma can't be negative; it is {sigma}")
        self.sigma = sigma

    def forward(self, rows: Rows) -> Rows:
        noisy = torch.add(rows.x, torch.randn_like(rows.x), alpha=self.sigma)
        return Rows(noisy if rows.mask is None else noisy * rows.mask, rows.mask)


@register
class Masking(Corruption):
    """Sets a share of the values to 0, which is the mean of a column."""

    name = "masking"

    def __init__(self, share: float = 0.3) -> None:
        super().__init__()
        self.share = _share("share", share)

    def forward(self, rows: Rows) -> Rows:
        return Rows(rows.x * (torch.rand_like(rows.x) >= self.share), rows.mask)


@register
class SaltAndPepper(Corruption):
    """Sets a share of the values to the smallest or the largest value of the batch."""

    name = "salt-and-pepper"

    def __init__(self, share: float = 0.2) -> None:
        super().__init__()
        self.share = _share("share", share)

    def forward(self, rows: Rows) -> Rows:
        draw = torch.rand_like(rows.x)
        low, high = rows.x.aminmax()
        noisy = torch.where(draw < self.share / 2, low, torch.where(draw > 1 - self.share / 2, high, rows.x))
        return Rows(noisy if rows.mask is None else noisy * rows.mask, rows.mask)
