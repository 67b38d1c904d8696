"""Where usual rows lie: a summary of the training rows, of their codes and of what the model leaves unexplained.

It holds no row: only means of groups of at least five rows, and the covariance of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

TRIMMED = 0.2  # share of the strangest rows that is left out, so that anomalies among the training rows do not count as usual
MIN_GROUP = 5  # rows
MAX_VALUES = 250_000  # of all group means: 1 MB of a model file
MAX_AXES = 128  # of the covariance
NEIGHBOURS = 20  # to one of so many, the distance tells a small group of strange rows from the others
RIDGE = 0.05  # added to the variance of each direction
MIN_SPREAD = 0.05  # of a value of the rows that are kept, beside that of all rows
TINY = 1e-3  # spread of a value that does not vary


@dataclass(frozen=True)
class Surroundings:
    """A summary of rows ``[N, P]``: each row is its values, its code and its residuals, side by side.

    Attributes:
        center, scale: of each value, [P]: all below is of standardised values.
        spread: of each standardised value of the rows that are kept, [P].
        groups: means of groups of rows, [G, P].
        axes: directions of the largest variance, [A, P]; variance: along each, and last in all other directions, [A + 1].
    """

    center: Tensor
    scale: Tensor
    spread: Tensor
    groups: Tensor
    axes: Tensor
    variance: Tensor

    @classmethod
    def of(cls, parts: Sequence[Tensor]) -> Self:
        """From values, codes and residuals of rows, [N, ·] each."""
        space = torch.cat(list(parts), 1).double()
        center, scale = space.mean(0), space.std(0).clamp_min(TINY)
        space = (space - center) / scale
        kept = space[_usual(space, [part.shape[1] for part in parts])]
        spread = kept.std(0).nan_to_num(1.0).clamp_min(MIN_SPREAD)
        middle = spread.sqrt()  # between the spread of all rows and that of those that are kept
        center, scale, kept = center + scale * kept.mean(0), scale * middle, (kept - kept.mean(0)) / middle
        axes, variance = _covariance(kept / middle)
        return cls(*(value.float() for value in (center, scale, middle, _means(kept), axes, variance)))

    @classmethod
    def shapes(cls, tensors: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """What shapes the tensors of a file must have, by the number of groups, values and axes that they hold."""
        (G, P), A = tensors["groups"].shape, len(tensors["axes"])
        return {"center": (P,), "scale": (P,), "spread": (P,), "groups": (G, P), "axes": (A, P), "variance": (A + 1,)}

    def tensors(self) -> dict[str, Tensor]:
        """What a file stores of it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def standardised(self, parts: Sequence[Tensor]) -> Tensor:
        """Values, codes and residuals of rows side by side, [N, P], in the units in which all are compared."""
        return (torch.cat(list(parts), 1).double() - self.center) / self.scale

    def nearness(self, place: Tensor, columns: slice = slice(None)) -> Tensor:
        """Distance of standardised rows to the nearest group, [N]; of some columns of them alone, where ``place`` has these."""
        groups = self.groups.double()[:, columns].contiguous()
        how = "donot_use_mm_for_euclid_dist"  # products of matrices round otherwise in other batches
        return torch.cat([torch.cdist(part, groups, compute_mode=how).amin(1) for part in torch.split(place.contiguous(), 256)])

    def distance(self, place: Tensor) -> Tensor:
        """Squared Mahalanobis distance of standardised rows to the mean, [N]."""
        place = place / self.spread
        along = (place @ self.axes.T.double()).square()
        rest = (place.square().sum(1) - along.sum(1)).clamp_min(0.0)
        variance = self.variance.double() + RIDGE
        return (along / variance[:-1]).sum(1) + rest / variance[-1]


def tail(values: Tensor) -> Tensor:
    """What :func:`surprise` needs of usual values: quantiles up to .9, and the mean excess above it, [92]."""
    levels = torch.linspace(0.0, 0.9, 91, dtype=torch.float64)
    quantiles = torch.quantile(values.double(), levels)
    above = values[values >= quantiles[-1]].double() - quantiles[-1]
    return torch.cat([quantiles, above.mean().clamp_min(1e-9 * (1 + quantiles[-1].abs())).unsqueeze(0)])


def surprise(values: Tensor, usual: Tensor) -> Tensor:
    """-log of the share of usual values that are as high: counted up to the quantile .9, and exponential above it."""
    quantiles, excess = usual[:-1], usual[-1]
    place = (values.unsqueeze(-1) >= quantiles).sum(-1).clamp(1, len(quantiles) - 1)
    low, high = quantiles[place - 1], quantiles[place]
    inside = ((values - low) / (high - low).clamp_min(1e-12)).clamp(0.0, 1.0)
    below = (place - 1 + inside) / 100
    return -torch.log1p(-below) + (values - quantiles[-1]).clamp_min(0.0) / excess


def _usual(space: Tensor, sizes: Sequence[int]) -> Tensor:
    """Which rows are kept, bool [N]: all but those that are strangest by their values, by their codes, and by how far their
    neighbours are.
    """
    neighbours = min(NEIGHBOURS + 1, len(space))
    far = torch.cat([torch.cdist(part, space).kthvalue(neighbours, 1).values for part in torch.split(space, 512)])
    values, codes = (part.square().sum(1) for part in torch.split(space, list(sizes), 1)[:2])
    strange = sum(surprise(each, tail(each)) for each in (far, values, codes))
    assert isinstance(strange, Tensor)
    return strange <= torch.quantile(strange, 1 - TRIMMED)


def _covariance(space: Tensor) -> tuple[Tensor, Tensor]:
    """Principal axes of centred rows, [A, P], and the variance along each, and last the mean of it in all other directions."""
    values, vectors = torch.linalg.eigh(space.T @ space / max(1, len(space) - 1))
    count = min(MAX_AXES, len(values))
    others = values[: len(values) - count]
    rest = others.mean() if len(others) else values.new_zeros(())
    order = torch.arange(len(values) - 1, len(values) - 1 - count, -1)
    return vectors[:, order].T.contiguous(), torch.cat([values[order], rest.unsqueeze(0)]).clamp_min(0.0)


def _means(space: Tensor) -> Tensor:
    """Means of groups of near rows, [G, P]."""
    size = max(MIN_GROUP, -(-space.numel() // MAX_VALUES))
    return torch.stack([space[group].mean(0) for group in _groups(space, torch.arange(len(space)), size)])


def _groups(space: Tensor, rows: Tensor, size: int) -> list[Tensor]:
    """Rows halved again and again across the direction in which they differ most, while halves have ``size`` rows or more."""
    if len(rows) < 2 * size:
        return [rows]
    own = space[rows] - space[rows].mean(0)
    direction = own[own.square().sum(1).argmax()]
    for _ in range(3):
        direction = torch.nn.functional.normalize(own.T @ (own @ direction), dim=0)
    order = rows[torch.argsort(own @ direction, stable=True)]
    half = len(rows) // 2
    return _groups(space, order[:half], size) + _groups(space, order[half:], size)
