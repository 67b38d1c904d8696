"""Random draws for rows: determined by the row's values, so that results do not depend on other rows or on positions."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from latente.rows import Rows
from latente.seeding import seeded

NOISES = 256  # sets of draws from which rows choose, so that the errors of a mean over rows cancel
MAX_KEPT = 3_000_000  # values: 12 MB in single precision


def shared_noise(seed: int, K: int, d: int, dtype: torch.dtype) -> Tensor:
    """Standard normal draws [K, 256, d]; a few are cached, because drawing them takes longer than scoring one row."""
    return (_kept if K * NOISES * d <= MAX_KEPT else _drawn)(seed, K, d, dtype)


def _drawn(seed: int, K: int, d: int, dtype: torch.dtype) -> Tensor:
    with seeded(seed):
        return torch.randn((K, NOISES, d), dtype=dtype)


_kept = lru_cache(4)(_drawn)


def own_noise(rows: Rows) -> Tensor:
    """Index of the shared draws for each row, [N]: a hash of its values in exact integer arithmetic."""
    bits = rows.x.flatten(1).contiguous().view(torch.int32).long()
    factors = torch.arange(1, bits.shape[1] + 1) * 2654435761 + 1
    return ((bits * factors).sum(1) >> 20) % NOISES
