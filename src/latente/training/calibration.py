"""Calibration on held-out rows: usual scores of rows, and the coverage of intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

LEVEL = 0.05
MIN_TO_CALIBRATE, MAX_TO_CALIBRATE = 100, 5000  # rows: p-values to 0.01, and to 0.0002
FREE, SHARE = 5e9, 0.25  # multiply-adds of scores: .4 s, or a share of the forward passes of training
SHARES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
ENOUGH_TO_COVER = 400  # hidden numbers; enough to estimate a coverage of .9 within .015
PRIOR_OF_COVER = 36.0  # weight of the model's own intervals, in hidden numbers; they are typically correct within .05


def rows_to_score(each: int, trained: int) -> int:
    """How many held-out rows are scored, so that this takes about a quarter of the time of training: a multiply-add in double
    precision takes three times as long as one of a training step.

    Args:
        each: multiply-adds of a row's score.
        trained: multiply-adds of the forward passes of training.

    >>> rows_to_score(10**5, 0), rows_to_score(10**9, 4 * 10**11)
    (5000, 100)
    """
    return int(min(MAX_TO_CALIBRATE, max(MIN_TO_CALIBRATE, max(FREE, SHARE * trained) / max(1, each))))


@dataclass(frozen=True)
class Calibration:
    """Scores of held-out rows, with which new scores are compared.

    Attributes:
        scores: in rising order, [n].
        surprise: mean surprise of each field, nats, [F].
        covered: how often hidden numbers lie in the model's own intervals with the shares :data:`SHARES`; empty if not
            measured.
    """

    scores: NDArray[np.float64]
    surprise: NDArray[np.float64]
    covered: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, scores: NDArray[np.float64], surprise: Tensor) -> Calibration:
        """From scores and surprises of held-out rows."""
        return cls(np.sort(scores), surprise.double().mean(0).numpy())

    def with_covered(self, within: NDArray[np.bool_]) -> Self:
        """With the coverage of hidden numbers, [shares, values]; with few numbers, the model's own intervals
        are trusted more.
        """
        count = within.shape[1]
        return replace(self, covered=(within.sum(1) + PRIOR_OF_COVER * np.array(SHARES)) / (count + PRIOR_OF_COVER))

    def share_for(self, wanted: float) -> float:
        """The share of the model's own intervals that contain this share of hidden numbers."""
        if not len(self.covered):
            return wanted
        reached = np.maximum.accumulate([0.0, *self.covered, 1.0])
        return float(np.interp(wanted, reached, [0.0, *SHARES, 1.0]))

    @property
    def offset(self) -> float:
        """The score below which the p-value is at most 0.05, or the smallest possible p-value with fewer than 19 rows."""
        rank = math.floor(LEVEL * (len(self.scores) + 1)) - 1
        return float(self.scores[max(rank, 0)])
