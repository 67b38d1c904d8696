"""What held-out rows say of a model: what a new row's score is compared with, and how often intervals hold what they should."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

LEVEL = 0.05
SHARES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
ENOUGH_TO_COVER = 400  # hidden numbers, to tell a share of .9 within .015
PRIOR_OF_COVER = 36.0  # hidden numbers that the model's own word is worth: of .9 it is, by experience, true within .05


@dataclass(frozen=True)
class Calibration:
    """Scores of rows the model did not learn from, to which new scores are compared.

    Attributes:
        scores: in rising order, [n].
        surprise: mean surprise of each field, nats, [F].
        covered: how often numbers that were hidden lie in the model's own intervals of the shares :data:`SHARES`, as estimated;
            empty where that was not looked at.
    """

    scores: NDArray[np.float64]
    surprise: NDArray[np.float64]
    covered: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, scores: NDArray[np.float64], surprise: Tensor) -> Calibration:
        """From held-out rows' scores and surprises."""
        return cls(np.sort(scores), surprise.double().mean(0).numpy())

    def with_covered(self, within: NDArray[np.bool_]) -> Self:
        """With how often hidden numbers were within, [shares, values]; where they are few, the model's own word counts."""
        count = within.shape[1]
        return replace(self, covered=(within.sum(1) + PRIOR_OF_COVER * np.array(SHARES)) / (count + PRIOR_OF_COVER))

    def share_for(self, wanted: float) -> float:
        """The share that the model's own intervals must have for this share of hidden numbers to lie in them."""
        if not len(self.covered):
            return wanted
        reached = np.maximum.accumulate([0.0, *self.covered, 1.0])
        return float(np.interp(wanted, reached, [0.0, *SHARES, 1.0]))

    @property
    def offset(self) -> float:
        """The score below which the p-value is at most 0.05, or the least there is where that takes more rows than there are
        (19).
        """
        rank = math.floor(LEVEL * (len(self.scores) + 1)) - 1
        return float(self.scores[max(rank, 0)])
