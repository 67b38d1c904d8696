"""The same places in the latent spaces of several models.

A code has no scale and no direction of its own: two models that are as good as each other may have theirs turned and stretched.
So a place is given in coordinates in which the codes of each model have mean 0 and covariance I, turned so that the codes of
the same rows lie as near one another as they can (orthogonal Procrustes, Schönemann 1966), and so that the first two directions
are those that say most of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from latente.certificate.estimates import Estimate
from latente.certificate.information import prior_holes
from latente.model.spaces import Euclidean, LatentSpace, Moments

NEIGHBOURS = 5
USUAL = 0.99  # of held-out codes lie where codes are


@dataclass(frozen=True)
class Places:
    """Between the codes of one model and places that are the same in all.

    Attributes:
        moments: of the model's codes. turn: orthogonal, [d, d].
    """

    moments: Moments
    turn: Tensor

    def of(self, z: Tensor) -> Tensor:
        """Where codes [N, d] are, [N, d]."""
        placed: Tensor = self.moments.whitened(z) @ self.turn
        return placed

    def codes(self, places: Tensor) -> Tensor:
        """The codes at places [N, d], [N, d]."""
        return self.moments.placed(places.double() @ self.turn.T)


def aligned(drawn: Sequence[Tensor], means: Sequence[Tensor], rows: Tensor, spaces: Sequence[LatentSpace] = ()) -> list[Places]:
    """Places for several models; the first is the one that the others are turned to.

    Args:
        drawn: of each model, a code for each of some rows, drawn from q(z|x), [N, d]: their moments count.
        means: of each model, posterior means of the same rows, [N, d]: by them, models are turned.
        rows: these rows as values, [N, P].
        spaces: of each model's codes; Euclidean by default.
    """
    spaces = spaces or [Euclidean(z.shape[1]) for z in drawn]
    moments = [space.moments(z) for space, z in zip(spaces, drawn, strict=True)]
    plain = [Places(each, torch.eye(len(each.mean), dtype=torch.float64)) for each in moments]
    white = [places.of(z) for places, z in zip(plain, means, strict=True)]
    forward = _telling(white[0], rows)
    return [Places(p.moments, _towards(w, white[0]) @ forward) for p, w in zip(plain, white, strict=True)]


def _towards(own: Tensor, reference: Tensor) -> Tensor:
    """The turn that brings rows' codes nearest to the reference's."""
    left, _, right = torch.linalg.svd(own.T @ reference)
    turn: Tensor = left @ right
    return turn


def _telling(white: Tensor, rows: Tensor) -> Tensor:
    """The turn to directions that say most of the rows, the most telling first."""
    values = (rows - rows.mean(0)).double()
    turn: Tensor = torch.linalg.svd(white.T @ values, full_matrices=True)[0]
    return turn


def emptiness(places: Tensor, train: Tensor, held_out: Tensor) -> tuple[Tensor, Estimate]:
    """Which places lie where codes hardly ever are, bool [n], and their share, with an interval by both (see
    :func:`latente.certificate.information.prior_holes`).

    A place is empty where its fifth neighbour among the codes of training rows is farther than that of 99 in 100 held-out
    codes is from them: without holes, 1% of random places are.

    Args:
        places: [n, d]. train, held_out: places of rows' codes, drawn from q(z|x).
    """
    k = min(NEIGHBOURS, len(train))
    known = NearestNeighbors(n_neighbors=k).fit(train.numpy())
    far, usual = (known.kneighbors(points.numpy())[0][:, -1] for points in (places, held_out))
    empty = far > np.quantile(usual, USUAL)
    return torch.from_numpy(empty), prior_holes(-far, -usual)
