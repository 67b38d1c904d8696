"""Draws that belong to a row: chosen by its own values, so that no answer depends on a row's neighbours or its place."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from latente.rows import Rows
from latente.seeding import seeded

NOISES = 256  # sets of draws that rows choose from, so that the errors of a mean over rows cancel
MAX_KEPT = 1_000_000  # values


def shared_noise(seed: int, K: int, d: int, dtype: torch.dtype) -> Tensor:
    """Standard normal draws [K, 256, d]; few are kept for the next call, for they take longer than the score of one row."""
    return (_kept if K * NOISES * d <= MAX_KEPT else _drawn)(seed, K, d, dtype)


def _drawn(seed: int, K: int, d: int, dtype: torch.dtype) -> Tensor:
    with seeded(seed):
        return torch.randn((K, NOISES, d), dtype=dtype)


_kept = lru_cache(4)(_drawn)


def own_noise(rows: Rows) -> Tensor:
    """Which of the shared draws each row uses, [N]: a hash of its values, in whole numbers so that it is exact."""
    bits = rows.x.flatten(1).contiguous().view(torch.int32).long()
    factors = torch.arange(1, bits.shape[1] + 1) * 2654435761 + 1
    return ((bits * factors).sum(1) >> 20) % NOISES
