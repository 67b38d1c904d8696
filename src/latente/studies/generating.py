"""What random codes decode to, by the distribution that they are drawn from: N(0, I), the codes' box, or a fitted Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from latente.certificate.completeness import density_and_coverage
from latente.certificate.estimates import Array, Estimate, unknown
from latente.certificate.subjects import Modelled, indicators
from latente.data import PlainRows, decoded
from latente.rows import Rows, levels_of
from latente.seeding import seeded
from latente.words import Message

if TYPE_CHECKING:
    from latente.estimator import VAE

STANDARD, BOX, GAUSSIAN = PLACES = ("standard", "box", "gaussian")
"""N(0, I); uniform between the smallest and the largest code in each dimension; the Gaussian with the moments of the codes."""
AS_NEAR = 0.95  # share of other rows that are near
DRAWS = 1000
Z = 1.96


@dataclass(frozen=True, eq=False)
class Nearness:
    """Whether rows are as near to a training row as 95% of other rows are.

    Attributes:
        train: values of the training rows, [N, P].
        limit: the distance to the nearest training row within which 95% of other rows are.
    """

    train: Array
    limit: float

    @classmethod
    def of(cls, train: Array, others: Array) -> Nearness:
        """From values of training rows [N, P] and of other rows [M, P].

        >>> near = Nearness.of(np.zeros((3, 1)), np.array([[1.0], [2.0]]))
        >>> near(np.array([[0.5], [3.0]])).tolist()
        [True, False]
        """
        return cls(train, float(np.quantile(_nearest(train, others), AS_NEAR, method="higher")))

    def __call__(self, values: Array) -> NDArray[np.bool_]:
        """Which of some rows [M, P] are near, bool [M]."""
        return np.asarray(_nearest(self.train, values) <= self.limit)


def _nearest(train: Array, values: Array) -> Array:
    """Distance of each row to the nearest training row."""
    found: Array = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(train).kneighbors(values)[0][:, 0]
    return found


@dataclass(frozen=True, eq=False)
class Decoded:
    """Rows decoded from random codes of one distribution.

    Attributes:
        rows: means of p(x|z), in the user's units.
        hits: which of them are near to a training row, see :class:`Nearness`, bool [n].
        near: their share. Blurred rows are near, too; hence the other figures.
        density, coverage: see :func:`latente.certificate.completeness.density_and_coverage`; of the means, without noise.
    """

    rows: PlainRows
    hits: NDArray[np.bool_]
    near: Estimate
    density: Estimate
    coverage: Estimate

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {name: getattr(self, name).to_dict() for name in ("near", "density", "coverage")}


@torch.no_grad()
def decoded_codes(vae: VAE, others: Any, n: int = DRAWS, seed: int = 0) -> dict[str, Decoded]:
    """Decode random codes of each of :data:`PLACES`. Models of equal size get the same random numbers.

    Args:
        vae: a fitted estimator whose training rows are still in memory.
        others: rows that took no part in the fit, as ``fit`` takes them.
        n: codes of each distribution. seed: of the draws.
    """
    fitted, hand = vae.fitted_, vae.fitted_.at_hand
    assert hand is not None
    levels, encoded = levels_of(vae.codec_.fields), fitted.values(others)
    train, real = (_values(rows, levels) for rows in (hand.train, encoded))
    near = Nearness.of(train, real)
    with seeded(seed, "codes of rows"):
        subject = Modelled(vae.model_, vae.codec_.fields, encoded)
        codes = subject.codes(hand.train)
    with seeded(seed, "generating"):
        drawn = codes_of(codes, subject, n)
        reference = train[torch.randperm(len(train))[: len(real)].numpy()]
    found = {}
    for place, z in drawn.items():
        x = subject.means(z)
        values = _values(Rows(x), levels)
        hits = near(values)
        pair = density_and_coverage(real, values[: len(real)], reference)
        found[place] = Decoded(decoded(vae.codec_, x), hits, share_of(hits), *pair)
    return found


def codes_of(codes: Tensor, subject: Modelled, n: int) -> dict[str, Tensor]:
    """Random codes of each of :data:`PLACES`, [n, d], from the codes of training rows [N, d]."""
    space = subject.model.space
    normal, uniform = torch.randn(n, codes.shape[1]), torch.rand(n, codes.shape[1])
    low, high = codes.amin(0), codes.amax(0)
    return {
        STANDARD: space.project(normal),
        BOX: space.project(low + (high - low) * uniform),
        GAUSSIAN: space.moments(codes).placed(normal.double()),
    }


def _values(rows: Rows, levels: tuple[int, ...]) -> Array:
    return indicators(rows, levels).double().numpy()


def share_of(hits: NDArray[np.bool_]) -> Estimate:
    """A share with its 95% interval (Wilson 1927), which is not empty if the share is 0 or 1.

    >>> found = share_of(np.ones(100, bool))
    >>> found.value, round(found.low, 2), round(found.high, 2)
    (1.0, 0.96, 1.0)
    """
    n = len(hits)
    if not n:
        return unknown(Message("reason.no_rows"))
    share, weight = float(hits.mean()), Z * Z / n
    middle, half = share + weight / 2, Z * math.sqrt(share * (1 - share) / n + weight / (4 * n))
    return Estimate(share, max(0.0, (middle - half) / (1 + weight)), min(1.0, (middle + half) / (1 + weight)))
