"""The rows of a fit, after the fit: training rows and held-out rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from latente.certificate.features import learnt_before
from latente.data import Census, Pieces, Series, TableCodec, observed_rows
from latente.data.stored import StoredRows
from latente.errors import DataError
from latente.fitted import Fitted
from latente.fitting.prepare import stored_split
from latente.rows import Overlaps, Rows, spaced
from latente.tasks.scores import SAME_SCORE, scores
from latente.training.split import MAX_HELD_OUT, MAX_ROWS_AT_HAND, Split

MAX_CHECKED = 32  # held-out rows whose scores identify the rows of the fit


def learnt_and_others(fitted: Fitted, train: Any, held_out: Any, unknown: str = "error") -> tuple[Rows, Rows]:
    """Training rows and other rows; arguments as in :meth:`latente.VAE.certificate`.

    Raises:
        DataError: rows are missing, or are not those of the fit.
    """
    split = rows_of_fit(fitted, train, unknown, whole=held_out is None)
    split = split.at_hand() if isinstance(split.train, StoredRows) else split
    others = split.held_out
    if held_out is not None:
        pieces = fitted.pieces(held_out) or fitted.album(held_out)
        others = fitted.rows(
            held_out if pieces is None else pieces.take(spaced(len(pieces), MAX_ROWS_AT_HAND).numpy()), unknown
        )
        _check_held_out(fitted, others, split.train)
    if others is None:
        raise DataError("the fit held out no rows: pass rows that the model was not trained on as held_out=…")
    return split.train, others[observed_rows(others)]


def rows_of_fit(fitted: Fitted, train: Any = None, unknown: str = "error", whole: bool = True) -> Split:
    """The rows in memory; or ``train``, split again if it is the ``whole`` data of the fit.

    Raises:
        DataError: there are none, or ``train`` is not the data of the fit.
    """
    split, pieces = fitted.at_hand, None if train is None else fitted.pieces(train) or fitted.album(train)
    if pieces is not None:
        source = _census(fitted, pieces, unknown) if isinstance(pieces, Pieces) else pieces
        again = stored_split(source, fitted.codec, fitted.settings["validation_fraction"] if whole else 0.0, fitted.seed)
        return _checked(fitted, again) if whole else again
    if train is not None:
        data, rows = fitted.read_rows(train, unknown)
        overlaps = data.overlaps if isinstance(data, Series) else None
        split = _split_again(fitted, rows, overlaps) if whole else Split(rows, None)
    if split is None:
        raise DataError("the rows of the fit are no longer in memory: pass the data of the fit as train=…")
    return Split(split.train[observed_rows(split.train)], split.held_out)


def _census(fitted: Fitted, pieces: Pieces, unknown: str) -> Census:
    """Rows that do not fit into memory, as the fit reads them."""
    codec = fitted.codec
    assert isinstance(codec, TableCodec)

    def census(names: Sequence[str], texts: Collection[str]) -> Census:
        return Census(pieces, {}, texts, fitted.settings.get("missing") or (), names, unknown)

    rows = census([name for name in pieces.schema.names if name in codec.feature_names], codec.text_names)
    if fitted.context is not None:
        rows.beside = census(fitted.context.names, fitted.context.codec.text_names), fitted.context
    return rows


def _check_held_out(fitted: Fitted, held_out: Rows, learnt: Rows) -> None:
    """Refuse training rows as held-out rows: their figures would be too good."""
    share = len(learnt) / fitted.figures["rows"]
    repeated = learnt_before(held_out[observed_rows(held_out)], learnt, min(1.0, share))
    if repeated:
        raise DataError(
            f"the held-out rows contain training rows: {repeated:.0%} of the {len(held_out):,} rows are among those that the "
            "model was trained on; pass other rows as held_out=…, or leave it out to use the rows that the fit held out"
        )


def _split_again(fitted: Fitted, rows: Rows, overlaps: Overlaps | None) -> Split:
    """The rows of the fit, split as in the fit."""
    most = max(MAX_HELD_OUT, fitted.figures["held_out_rows"])  # earlier versions held out more
    return _checked(fitted, Split.of(rows, fitted.settings["validation_fraction"], fitted.seed, overlaps, most))


def _checked(fitted: Fitted, split: Split) -> Split:
    """The split, if it is that of the fit."""
    counts = (fitted.figures["rows"], fitted.figures["held_out_rows"])
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
