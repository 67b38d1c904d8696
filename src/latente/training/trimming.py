"""Training rows without the strangest: these are not learned where somebody says that there are anomalies among the rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from latente.rows import Rows, expanded
from latente.training.surroundings import Surroundings

AUTO = "auto"
MAX_TRIMMED = 0.2  # share of the rows
MAX_AXES = 8  # of the linear model that stands for a code
MAX_TO_SUMMARISE = 3000
FALSE_ALARMS = 0.001  # share of rows that "auto" leaves out where distances have an exponential tail and none is an anomaly
MIN_ROWS = 20


def kept(rows: Rows, levels: tuple[int, ...], share: float | str) -> Tensor:
    """Which rows are learned, bool [N].

    A row is as strange as it is far from groups of others, by its values, its principal components and what these leave
    unexplained: no model is trained for it. "auto" leaves out rows that are farther than the body of the distances (its
    quantiles .5 and .8, with an exponential tail) lets expect of one row in a thousand; at most a fifth.

    Args:
        rows: encoded rows. levels: of each column, 0 for one of numbers; () where none has any.
        share: share of anomalies, or "auto".
    """
    everything = torch.ones(len(rows), dtype=torch.bool)
    if not share or len(rows) < MIN_ROWS:
        return everything
    strange = _strangeness(expanded(rows.x.flatten(1), levels).double())
    if share != AUTO:
        limit = torch.quantile(strange, 1 - float(share))
    else:
        middle, high = torch.quantile(strange, torch.tensor([0.5, 0.8], dtype=torch.float64))
        per_nat = (high - middle).clamp_min(1e-9) / math.log(0.5 / 0.2)
        expected = middle + per_nat * math.log(0.5 / FALSE_ALARMS)
        limit = torch.maximum(expected, torch.quantile(strange, 1 - MAX_TRIMMED))
    few: Tensor = strange <= limit
    return few


def _strangeness(x: Tensor) -> Tensor:
    """Distance of each row to the nearest group of others, [N]."""
    centred = x - x.mean(0)
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -min(MAX_AXES, max(1, x.shape[1] // 2)) :]
    codes = centred @ axes
    parts = (x, codes, centred - codes @ axes.T)
    some = torch.linspace(0, len(x) - 1, min(len(x), MAX_TO_SUMMARISE), dtype=torch.float64).round().long()
    where = Surroundings.of([part[some] for part in parts])
    return where.nearness(where.standardised(parts))
