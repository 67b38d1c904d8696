"""The number of dimensions of a code, estimated from the data before training."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from latente.rows import MANY, Rows, expanded

MAX_DIMENSIONS = 64
MAX_ROWS = 2000


def intrinsic_dimension(x: NDArray[np.float32], discard: float = 0.1) -> float:
    """TwoNN (Facco et al. 2017): the dimension that fits the ratios of second to first neighbour distances.

    Args:
        x: rows [N, F].
        discard: share of the largest ratios to leave out, as in the paper; they belong to isolated rows.

    Returns:
        The estimate; 1 with too few distinct rows.
    """
    x = np.unique(x, axis=0)
    if len(x) < 5:
        return 1.0
    distance, _ = NearestNeighbors(n_neighbors=3).fit(x).kneighbors(x)
    ratios = np.sort(np.log(distance[:, 2] / distance[:, 1]))
    kept = ratios[: int(len(ratios) * (1 - discard))]
    # Maximum likelihood of a Pareto distribution; discarded ratios are only known to be larger than the others.
    total = kept.sum() + (len(ratios) - len(kept)) * kept[-1]
    return float(len(kept) / total) if total > 0 else 1.0


def latent_dimension(rows: Rows, seed: int, levels: tuple[int, ...] = ()) -> int:
    """min(64, 2 x intrinsic dimension, F / 2, N / 4), at least 1.

    ``levels``: number of levels of each column, 0 for numbers; two different levels have distance 1. Enough for the structure
    of the data, and not more than the rows can determine; unused dimensions are dropped after training.
    """
    n, fields, generator = len(rows), rows[:1].x.numel(), np.random.default_rng(seed)
    order = generator.permutation(n)[:MAX_ROWS] if n <= MANY else generator.choice(n, MAX_ROWS, replace=False)
    chosen = np.sort(order)
    x = rows[torch.from_numpy(chosen)].x.flatten(1).cpu()
    scale = torch.tensor([0.5**0.5 if count else 1.0 for count in levels for _ in range(max(1, count))])
    x = expanded(x, levels) * scale if levels else x
    estimate = math.ceil(2 * intrinsic_dimension(x.numpy()))
    return max(1, min(MAX_DIMENSIONS, estimate, math.ceil(fields / 2), n // 4))
