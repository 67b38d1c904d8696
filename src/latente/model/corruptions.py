"""Corruptions of the encoder's input, which the model learns to remove (Vincent et al. 2008)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from latente.errors import ModelError
from latente.model.parts import Part, register
from latente.rows import Rows


class Corruption(Part):
    """Corrupts rows without changing their shape and mask; uses torch's generator.

    Attributes:
        of_target: whether the model also reconstructs the corrupted rows, and not the clean ones.
    """

    of_target = False

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
        return replace(rows, x=noisy if rows.mask is None else noisy * rows.mask)


class _OfShare(Corruption):
    """Base: corrupts a share of the values; corrupted levels become missing."""

    def __init__(self, share: float, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.share, self.of_levels = _share("share", share), any(levels)
        self.register_buffer("nominal", torch.tensor([count > 0 for count in levels]), persistent=False)

    nominal: Tensor

    def hidden(self, rows: Rows, done: Tensor) -> Rows:
        """Rows whose levels are missing if they are ``done`` (corrupted)."""
        if not self.of_levels:
            return rows
        observed = ~(done & self.nominal)
        return replace(rows, x=rows.x * observed, mask=observed if rows.mask is None else rows.mask & observed)


@register
class Masking(_OfShare):
    """Sets a share of the values to 0, which is the mean of a column; levels become missing.

    Args:
        share: of the values.
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
    """

    name = "masking"

    def __init__(self, share: float = 0.3, levels: tuple[int, ...] = ()) -> None:
        super().__init__(share, levels)

    def forward(self, rows: Rows) -> Rows:
        done = torch.rand_like(rows.x) < self.share
        return self.hidden(replace(rows, x=rows.x * ~done), done)


@register
class SaltAndPepper(_OfShare):
    """Sets a share of the values to the smallest or the largest value of the batch; levels become missing.

    Args:
        share: of the values.
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
    """

    name = "salt-and-pepper"
    couples_rows = True

    def __init__(self, share: float = 0.2, levels: tuple[int, ...] = ()) -> None:
        super().__init__(share, levels)

    def forward(self, rows: Rows) -> Rows:
        draw = torch.rand_like(rows.x)
        low, high = (rows.x * ~self.nominal if self.of_levels else rows.x).aminmax()
        salt, pepper = draw < self.share / 2, draw > 1 - self.share / 2
        noisy = torch.where(salt, low, torch.where(pepper, high, rows.x))
        return self.hidden(replace(rows, x=noisy if rows.mask is None else noisy * rows.mask), salt | pepper)


@register
class Binarisation(Corruption):
    """Draws each value as 0 or 1, with itself as the probability of 1, anew in each step and for the target, too (dynamic
    binarisation, Salakhutdinov and Murray 2008). For values from 0 to 1 as they are recorded, and the likelihood "bernoulli".
    """

    name = "binarisation"
    of_target = True

    def forward(self, rows: Rows) -> Rows:
        return replace(rows, x=(torch.rand_like(rows.x) < rows.x).to(rows.x.dtype))
