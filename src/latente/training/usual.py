"""Scores of usual rows by each detector, with which scores of other rows are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
QUANTILES = 92


@dataclass(frozen=True)
class Usual:
    """Scores of usual rows by each detector; higher is stranger.

    Attributes:
        names: of the detectors, D of them.
        tails: of training rows, as :func:`latente.training.surroundings.tail` makes them, [D, 92].
        held_out: of rows that were not trained on, [D, n]: the same rows for all.
    """

    names: tuple[str, ...]
    tails: Values
    held_out: Values

    @classmethod
    def of_log_prob(cls, scores: Values) -> Self:
        """Of a model whose file has only log p of held-out rows."""
        return cls(("log-prob",), np.zeros((1, QUANTILES)), -scores[None])

    def tail(self, name: str) -> Values:
        """Of one detector."""
        tail: Values = self.tails[self.names.index(name)]
        return tail

    def of(self, name: str) -> Values:
        """Scores of the held-out rows by one detector, [n]."""
        strange: Values = self.held_out[self.names.index(name)]
        return strange


def p_values(strange: Values, held_out: Values, blocks: int | None = None) -> Values:
    """Conformal p-values: the share of held-out rows that are as strange, the row itself counted (Vovk et al. 2005; Bates et
    al. 2023). A row like the held-out ones has a p-value below alpha with probability at most alpha, whatever the model.
    NaN where there is none.

    Args:
        blocks: how many of the held-out rows do not depend on each other; None for all. Blocks of dependent rows count as one
            row each, in which the share of rows that are as strange counts (Lee, Barber and Willett 2023).
    """
    ordered, count = np.sort(held_out), blocks or len(held_out)
    above = len(ordered) - np.searchsorted(ordered, strange, side="left")
    return np.where(np.isnan(strange), np.nan, (1 + count * above / len(ordered)) / (count + 1))


def threshold(held_out: Values, rate: float, blocks: int | None = None) -> float:
    """The strangeness from which a p-value is at most ``rate``, or the least that there is; ``blocks`` as of
    :func:`p_values`.
    """
    count = blocks or len(held_out)
    rank = math.floor((rate * (count + 1) - 1) * len(held_out) / count)
    return float(np.sort(held_out)[::-1][max(rank, 0)])


def discoveries(p: Values, fdr: float) -> NDArray[np.bool_]:
    """Which rows to select so that the expected share of usual ones among them is at most ``fdr`` (Benjamini and Hochberg
    1995; with conformal p-values: Bates et al. 2023).
    """
    known = np.sort(p[~np.isnan(p)])
    passes = known <= fdr * np.arange(1, len(known) + 1) / max(1, len(known))
    limit = known[np.flatnonzero(passes)[-1]] if passes.any() else -1.0
    selected: NDArray[np.bool_] = p <= limit
    return selected
