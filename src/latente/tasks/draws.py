"""Draws that belong to a row: chosen by its own values, so that no answer depends on a row's neighbours or its place."""

from __future__ import annotations

import torch
from torch import Tensor

from latente.rows import Rows
from latente.seeding import seeded

NOISES = 256  # sets of draws that rows choose from, so that the errors of a mean over rows cancel


def shared_noise(seed: int, K: int, d: int, dtype: torch.dtype) -> Tensor:
    """Standard normal draws [K, 256, d]."""
    with seeded(seed):
        return torch.randn((K, NOISES, d), dtype=dtype)


def own_noise(rows: Rows) -> Tensor:
    """Which of the shared draws each row uses, [N]: a hash of its values, in whole numbers so that it is exact."""
    bits = rows.x.flatten(1).contiguous().view(torch.int32).long()
    factors = torch.arange(1, bits.shape[1] + 1) * 2654435761 + 1
    return ((bits * factors).sum(1) >> 20) % NOISES
