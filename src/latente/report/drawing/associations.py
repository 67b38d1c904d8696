"""How the columns of a table depend on one another, in pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import rankdata

from latente.report.drawing.style import Array
from latente.report.drawing.tables import common, is_levels, numbers

MAX_LEVELS = 20


def associations(columns: Mapping[str, Array]) -> Array:
    """Association of each pair of columns, [F, F].

    Rank correlation of two numbers or dates, from -1 to 1; correlation ratio of a number and a column of levels, and Cramér's V
    of two columns of levels, both from 0 to 1. A missing number has the mean rank.
    """
    blocks = [_block(column) for column in columns.values()]
    n, widths = max(1, len(blocks[0])), [block.shape[1] for block in blocks]
    products = (np.concatenate(blocks, 1).T @ np.concatenate(blocks, 1)) / n
    starts = np.cumsum([0, *widths])[:-1]
    levels = [is_levels(column) for column in columns.values()]
    found = np.eye(len(blocks))
    for i, j in zip(*np.triu_indices(len(blocks), 1), strict=True):
        block = products[starts[i] : starts[i] + widths[i], starts[j] : starts[j] + widths[j]]
        found[i, j] = found[j, i] = _strength(block, levels[i], levels[j])
    return found


def _strength(block: Array, first: bool, second: bool) -> float:
    """Association from the products of two columns' blocks."""
    if not block.size:
        return 0.0
    if not first and not second:
        return float(block[0, 0])
    fewer = min(block.shape) - 1 if first and second else 1
    return float(np.sqrt(np.square(block).sum() / max(1, fewer)).clip(0, 1))


def _block(column: Array) -> Array:
    """A number as standardised ranks, [N, 1]; levels as centred indicators, each divided by the root of its share."""
    if not is_levels(column):
        values = numbers(column)
        observed = np.isfinite(values)
        ranks = np.zeros(len(values))
        ranks[observed] = rankdata(values[observed]) - (observed.sum() + 1) / 2
        scale = np.sqrt(np.square(ranks).mean()) if len(ranks) else 0.0
        return np.asarray(ranks / scale if scale > 0 else ranks)[:, None]
    texts = np.array(["" if value is None else str(value) for value in column])
    indicators = (texts[:, None] == np.array(common(column, MAX_LEVELS))[None, :]).astype(float)
    shares = indicators.mean(0) if len(texts) else np.ones(indicators.shape[1])
    return np.asarray((indicators - shares) / np.sqrt(np.maximum(shares, 1e-12)))
