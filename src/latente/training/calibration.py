"""Scores of rows that the model did not learn from: what a new row's score is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

LEVEL = 0.05


@dataclass(frozen=True)
class Calibration:
    """Scores of rows the model did not learn from, to which new scores are compared.

    Attributes:
        scores: in rising order, [n].
        surprise: mean surprise of each field, nats, [F].
    """

    scores: NDArray[np.float64]
    surprise: NDArray[np.float64]

    @classmethod
    def of(cls, scores: NDArray[np.float64], surprise: Tensor) -> Calibration:
        """From held-out rows' scores and surprises."""
        return cls(np.sort(scores), surprise.double().mean(0).numpy())

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Conformal p-values: the share of calibration rows that are as unlikely, the row itself counted (Vovk et al. 2005;
        Bates et
        al. 2023). A row from the same law has a p-value below alpha with probability at most alpha, whatever the model.
        """
        below = np.searchsorted(self.scores, scores, side="right")
        return (1 + below) / (len(self.scores) + 1)

    @property
    def offset(self) -> float:
        """The score below which the p-value is at most 0.05, or the least there is where that takes more rows than there are
        (19).
        """
        rank = math.floor(LEVEL * (len(self.scores) + 1)) - 1
        return float(self.scores[max(rank, 0)])
