"""The same places in the latent spaces of several models.

Codes have no fixed scale or direction: equally good models may have scaled and rotated codes. A place is therefore given in
coordinates in which the codes of each model have mean 0 and covariance I, rotated so that the codes of the same rows are as
close as possible (orthogonal Procrustes, Schönemann 1966), with the most informative two directions first.
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
USUAL = 0.99  # share of held-out codes that are not in holes


@dataclass(frozen=True)
class Places:
    """Converts between the codes of one model and places that are the same in all.

    Attributes:
        moments: of the model's codes. turn: a rotation, [d, d].
    """

    moments: Moments
    turn: Tensor

    def of(self, z: Tensor) -> Tensor:
        """The places of codes [N, d], [N, d]."""
        placed: Tensor = self.moments.whitened(z) @ self.turn
        return placed

    def codes(self, places: Tensor) -> Tensor:
        """The codes at places [N, d], [N, d]."""
        return self.moments.placed(places.double() @ self.turn.T)


def aligned(drawn: Sequence[Tensor], means: Sequence[Tensor], rows: Tensor, spaces: Sequence[LatentSpace] = ()) -> list[Places]:
    """Places for several models, rotated to the codes of the first.

    Args:
        drawn: for each model, a sample of q(z|x) for each of some rows, [N, d], which gives the moments.
        means: for each model, posterior means of the same rows, [N, d], which give the rotation.
        rows: the values of these rows, [N, P].
        spaces: the latent space of each model; Euclidean by default.
    """
    spaces = spaces or [Euclidean(z.shape[1]) for z in drawn]
    moments = [space.moments(z) for space, z in zip(spaces, drawn, strict=True)]
    plain = [Places(each, torch.eye(len(each.mean), dtype=torch.float64)) for each in moments]
    white = [places.of(z) for places, z in zip(plain, means, strict=True)]
    forward = _telling(white[0], rows)
    return [Places(p.moments, _towards(w, white[0]) @ forward) for p, w in zip(plain, white, strict=True)]


def _towards(own: Tensor, reference: Tensor) -> Tensor:
    """The rotation that brings the rows' codes closest to those of the reference."""
    left, _, right = torch.linalg.svd(own.T @ reference)
    turn: Tensor = left @ right
    return turn


def _telling(white: Tensor, rows: Tensor) -> Tensor:
    """The rotation to the directions with the most information about the rows, in decreasing order."""
    values = (rows - rows.mean(0)).double()
    turn: Tensor = torch.linalg.svd(white.T @ values, full_matrices=True)[0]
    return turn


def emptiness(places: Tensor, train: Tensor, held_out: Tensor) -> tuple[Tensor, Estimate]:
    """Which places are in holes, bool [n], and their share, with an interval as in
    :func:`latente.certificate.information.prior_holes`.

    A place is in a hole if the distance to its fifth neighbour among the codes of training rows is larger than for 99% of
    held-out codes. Without holes, this holds for 1% of random places.

    Args:
        places: [n, d]. train, held_out: places of rows' codes, sampled from q(z|x).
    """
    k = min(NEIGHBOURS, len(train))
    known = NearestNeighbors(n_neighbors=k).fit(train.numpy())
    far, usual = (known.kneighbors(points.numpy())[0][:, -1] for points in (places, held_out))
    empty = far > np.quantile(usual, USUAL)
    return torch.from_numpy(empty), prior_holes(-far, -usual)
