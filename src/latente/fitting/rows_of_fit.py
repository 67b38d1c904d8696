"""The rows of a fit found again afterwards: those that were learnt from, and those that were not."""

from __future__ import annotations

from typing import Any

import numpy as np

from latente.certificate.features import learnt_before
from latente.data import seen_rows
from latente.errors import DataError
from latente.fitted import Fitted
from latente.rows import Rows
from latente.tasks.scores import SAME_SCORE, scores
from latente.training.split import Split

MAX_CHECKED = 32  # held-out rows, whose scores show that they are the same


def learnt_and_others(fitted: Fitted, train: Any, held_out: Any, unknown: str = "error") -> tuple[Rows, Rows]:
    """Rows that were learnt from and rows that were not; arguments as of :meth:`latente.VAE.certificate`.

    Raises:
        DataError: rows are missing, or are not what they are said to be.
    """
    split = rows_of_fit(fitted, train, unknown, whole=held_out is None)
    others = split.held_out
    if held_out is not None:
        others = fitted.rows(held_out, unknown)
        _check_unseen(fitted, others, split.train, at_hand=train is None)
    if others is None:
        raise DataError("no rows were held out in the fit: pass rows that the model has not seen as held_out=…")
    return split.train, others[seen_rows(others)]


def rows_of_fit(fitted: Fitted, train: Any = None, unknown: str = "error", whole: bool = True) -> Split:
    """The rows at hand; or ``train``, split again where it is the ``whole`` data of the fit.

    Raises:
        DataError: there are none, or ``train`` is not what the model was fitted on.
    """
    split = fitted.at_hand
    if train is not None:
        rows = fitted.rows(train, unknown)
        split = _split_again(fitted, rows) if whole else Split(rows, None)
    if split is None:
        raise DataError("the rows of the fit are no longer at hand: pass what the model was fitted on as train=…")
    return Split(split.train[seen_rows(split.train)], split.held_out)


def _check_unseen(fitted: Fitted, held_out: Rows, learnt: Rows, at_hand: bool) -> None:
    """Figures of rows that were learnt from look good and say nothing."""
    share = len(learnt) / fitted.figures["rows"] if at_hand else 1.0
    seen = learnt_before(held_out[seen_rows(held_out)], learnt, min(1.0, share))
    if seen:
        raise DataError(
            f"the model learnt from the rows that are given as held-out ones: of {len(held_out):,} rows {seen:.0%} are "
            "among those that it was fitted on; pass rows that it has not seen as held_out=…, or leave that out, which "
            "takes the rows that the fit held out"
        )


def _split_again(fitted: Fitted, rows: Rows) -> Split:
    """The rows of the fit in the two parts that it made of them."""
    split = Split.of(rows, fitted.settings["validation_fraction"], fitted.seed)
    told = (fitted.figures["rows"], fitted.figures["held_out_rows"])
    if split.counts != told or not _has_known_scores(fitted, split.held_out):
        raise DataError(
            f"these are not the {sum(told):,} rows that the model was fitted on, in their order: which of them it has seen "
            "can't be told; pass rows that it has not seen as held_out=…"
        )
    return split


def _has_known_scores(fitted: Fitted, held_out: Rows | None) -> bool:
    """Whether the scores of held-out rows are those that the fit found."""
    if held_out is None:
        return True
    found = scores(fitted, held_out.subsample(len(fitted.calibration.scores)).subsample(MAX_CHECKED))
    distance = np.abs(found[:, None] - fitted.calibration.scores).min(1)
    return bool((distance <= SAME_SCORE * np.maximum(1.0, np.abs(found))).all())
