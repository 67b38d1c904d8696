"""Whether generated rows reveal training rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latente.certificate import overfitting
from latente.certificate.features import Features
from latente.rows import Field, Rows
from latente.seeding import seeded
from latente.words import Message

M = 2000  # rows of each kind
M_OF_CODES, CODES = 500, 8  # rows, and codes of each, if the score of a row is a mean over codes
NOT_MEASURED, IN_CONTEXT = Message("privacy.not_measured"), Message("privacy.in_context")


def privacy(
    fields: tuple[Field, ...],
    train: Rows,
    held_out: Rows,
    fake: Rows,
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
    seed: int,
) -> dict[str, float | None]:
    """Shares from 0 to 1; None if there are too few held-out rows.

    Args:
        fields, train, held_out: fields, training rows and validation rows, encoded.
        fake: generated rows, as many as held-out rows, rounded and within bounds as in the output.
        scores: log-density of training and of held-out rows.

    Returns:
        ``exact_copies``: share of generated rows that are training rows. ``exact_copies_held_out``: the same for held-out rows.
        ``nearer_to_training``: share of generated rows closer to a training row than to any of as many held-out rows (0.5
        without copies). ``membership``: area under the ROC curve with which the score separates training rows from others.
    """
    with seeded(seed):
        phi = Features.fit(train, fields)
        some = train.subsample(min(M, len(held_out)))
        real, drawn, alike = phi(held_out), phi(fake), phi(some)
    found = {
        "exact_copies": overfitting.exact_copies(train, fake),
        "exact_copies_held_out": overfitting.exact_copies(train, held_out),
        "nearer_to_training": overfitting.nearer_to_training(alike, real, drawn),
        "membership": overfitting.membership(-scores[0], -scores[1])[0],
    }
    return {name: estimate.value if estimate.known else None for name, estimate in found.items()}


def told(figures: dict[str, float | None]) -> str:
    """The figures in one sentence."""
    copies, usual, nearer, membership = (figures[name] for name in ("exact_copies", "exact_copies_held_out", *_REST))
    if copies is None or usual is None or nearer is None or membership is None:
        return Message("privacy.too_few")
    return Message("privacy.measured", copies=copies, usual=usual, nearer=nearer, membership=membership)


_REST = ("nearer_to_training", "membership")
