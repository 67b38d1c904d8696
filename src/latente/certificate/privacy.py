"""What generated rows give away of the rows that a model learnt from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latente.certificate import overfitting
from latente.certificate.features import Features
from latente.rows import Field, Rows
from latente.seeding import seeded
from latente.words import Message

M = 2000  # rows of each kind
M_OF_CODES, CODES = 500, 8  # where a row's score is a mean over codes: how many rows, and codes of each
NOT_MEASURED = Message("privacy.not_measured")


def privacy(
    fields: tuple[Field, ...],
    train: Rows,
    held_out: Rows,
    fake: Rows,
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
    seed: int,
) -> dict[str, float | None]:
    """Shares from 0 to 1; None where there are too few held-out rows.

    Args:
        fields, train, held_out: what the model learnt from and what it did not, encoded.
        fake: generated rows, as many as are held out, as they are when they come out: rounded and within bounds.
        scores: log-density of training and of held-out rows.

    Returns:
        ``exact_copies``: of generated rows that are training rows; ``exact_copies_held_out``: of held-out rows that are.
        ``nearer_to_training``: of generated rows nearer to a training row than to any of as many held-out rows (.5 where
        nothing is copied). ``membership``: how well a row's score tells whether it was learnt from, as an area under the curve.
    """
    with seeded(seed):
        phi = Features.fit(train, fields)
        some = train.spread(min(M, len(held_out)))
        learnt, real, drawn, alike = phi(train), phi(held_out), phi(fake), phi(some)
    found = {
        "exact_copies": overfitting.exact_copies(learnt, drawn, phi.spread),
        "exact_copies_held_out": overfitting.exact_copies(learnt, real, phi.spread),
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
