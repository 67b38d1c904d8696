"""The rows of a fit, after the fit: training rows and held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from latente.certificate.features import learnt_before
from latente.data import Series, observed_rows
from latente.errors import DataError
from latente.fitted import Fitted
from latente.rows import Overlaps, Rows
from latente.tasks.scores import SAME_SCORE, scores
from latente.training.split import MAX_HELD_OUT, Split

MAX_CHECKED = 32  # held-out rows whose scores identify the rows of the fit


def learnt_and_others(fitted: Fitted, train: Any, held_out: Any, unknown: str = "error") -> tuple[Rows, Rows]:
    """Training rows and other rows; arguments as in :meth:`latente.VAE.certificate`.

    Raises:
        DataError: rows are missing, or are not those of the fit.
    """
    split = rows_of_fit(fitted, train, unknown, whole=held_out is None)
    others = split.held_out
    if held_out is not None:
        others = fitted.rows(held_out, unknown)
        _check_held_out(fitted, others, split.train, at_hand=train is None)
    if others is None:
        raise DataError("the fit held out no rows: pass rows that the model was not trained on as held_out=…")
    return split.train, others[observed_rows(others)]


def rows_of_fit(fitted: Fitted, train: Any = None, unknown: str = "error", whole: bool = True) -> Split:
    """The rows in memory; or ``train``, split again if it is the ``whole`` data of the fit.

    Raises:
        DataError: there are none, or ``train`` is not the data of the fit.
    """
    split = fitted.at_hand
    if train is not None:
        data, rows = fitted.read_rows(train, unknown)
        overlaps = data.overlaps if isinstance(data, Series) else None
        split = _split_again(fitted, rows, overlaps) if whole else Split(rows, None)
    if split is None:
        raise DataError("the rows of the fit are no longer in memory: pass the data of the fit as train=…")
    return Split(split.train[observed_rows(split.train)], split.held_out)


def _check_held_out(fitted: Fitted, held_out: Rows, learnt: Rows, at_hand: bool) -> None:
    """Refuse training rows as held-out rows: their figures would be too good."""
    share = len(learnt) / fitted.figures["rows"] if at_hand else 1.0
    repeated = learnt_before(held_out[observed_rows(held_out)], learnt, min(1.0, share))
    if repeated:
        raise DataError(
            f"the held-out rows contain training rows: {repeated:.0%} of the {len(held_out):,} rows are among those that the "
            "model was trained on; pass other rows as held_out=…, or leave it out to use the rows that the fit held out"
        )


def _split_again(fitted: Fitted, rows: Rows, overlaps: Overlaps | None) -> Split:
    """The rows of the fit, split as in the fit."""
    counts = (fitted.figures["rows"], fitted.figures["held_out_rows"])
    most = max(MAX_HELD_OUT, counts[1])  # earlier versions held out more
    split = Split.of(rows, fitted.settings["validation_fraction"], fitted.seed, overlaps, most)
    if split.counts != counts or not _has_known_scores(fitted, split.held_out):
        raise DataError(
            f"these are not the {sum(counts):,} rows of the fit in their order, so the training rows among them are unknown; "
            "pass rows that the model was not trained on as held_out=…"
        )
    return split


def _has_known_scores(fitted: Fitted, held_out: Rows | None) -> bool:
    """Whether held-out rows have the scores that the fit measured."""
    if held_out is None:
        return True
    found = scores(fitted, held_out.subsample(len(fitted.calibration.scores)).subsample(MAX_CHECKED))
    distance = np.abs(found[:, None] - fitted.calibration.scores).min(1)
    return bool((distance <= SAME_SCORE * np.maximum(1.0, np.abs(found))).all())
