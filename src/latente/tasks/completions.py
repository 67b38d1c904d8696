"""Imputed rows in the user's units, and the calibration of intervals."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.errors import ModelError
from latente.fitted import Fitted
from latente.parameters import is_share, is_whole
from latente.rows import BINARY, CATEGORICAL, Rows
from latente.tasks import imputation
from latente.training.calibration import ENOUGH_TO_COVER, SHARES
from latente.training.stages import INTERVALS

MAX_TO_COVER = 500
SAME_VALUE = 1e-5  # difference of equal numbers in the model's units


def check_impute(draws: int | None, intervals: float | None) -> None:
    """Refuse impossible arguments of :meth:`latente.VAE.impute`.

    Raises:
        ModelError: an argument is impossible.
    """
    if draws is not None and not is_whole(draws, 1):
        raise ModelError(f"draws must be None or a whole number from 1, not {draws!r}")
    if intervals is not None and (draws is not None or not is_share(intervals) or not intervals):
        raise ModelError(f"intervals must be None or a share between 0 and 1, without draws, not {intervals!r}")


def completions(fitted: Fitted, rows: Rows, draws: int | None, intervals: float | None, seed: int) -> list[Tensor]:
    """``draws`` completions of rows, or the ends of their intervals, [N, F] each."""
    if intervals is None:
        assert draws is not None
        return imputation.drawn(fitted.row_model, rows, draws, seed)
    calibrate_intervals(fitted)
    return list(imputation.bounds(fitted.row_model, rows, [fitted.calibration.share_for(intervals)], seed)[0])


def calibrate_intervals(fitted: Fitted) -> None:
    """Calibrate the widths of intervals, if the fit had missing values and held-out rows."""
    missing = fitted.at_hand is not None and fitted.at_hand.train.mask is not None
    if missing and not len(fitted.calibration.covered) and fitted.unlearnt is not None:
        with fitted.stages(INTERVALS):
            within = _within(fitted, fitted.unlearnt.subsample(MAX_TO_COVER))
        fitted.calibration = fitted.calibration.with_covered(within)


def _within(fitted: Fitted, rows: Rows) -> NDArray[np.bool_]:
    """Hides the numbers of some rows in turn: whether each is in the model's interval of each share, [SHARES, values]."""
    numbers = torch.tensor([field.kind not in (BINARY, CATEGORICAL) for field in fitted.codec.fields])
    left, hidden = imputation.some_hidden(rows, numbers, fitted.seed, ENOUGH_TO_COVER)
    ends = imputation.bounds(fitted.row_model, left, SHARES, fitted.seed).flatten(0, 1)
    # Numbers as they are in the data: rounded to possible values.
    given = [fitted.values(fitted.decode(each, possible=True)).x[hidden] for each in ends]
    low, high = torch.stack(given).view(len(SHARES), 2, -1).unbind(1)
    truth = rows.x.repeat(len(hidden) // len(rows), 1)[hidden]
    within: NDArray[np.bool_] = ((low <= truth + SAME_VALUE) & (high >= truth - SAME_VALUE)).numpy()
    return within
