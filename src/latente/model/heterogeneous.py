"""Columns of several kinds, each with a distribution of its kind, independent given the code (Nazábal et al. 2020, HI-VAE).

Training starts at independent columns: theta = 0 gives each column its marginal distribution.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.column_distributions import DISTRIBUTIONS, Column, ColumnDistribution, Hurdle, LevelsDistribution, some
from latente.model.distributions import FieldsDistribution
from latente.model.likelihoods import Likelihood
from latente.model.parts import register
from latente.model.special import bin_probabilities
from latente.rows import Rows, ValueGrid

MAX_ROWS = 2048  # to balance the gradients with


class HeterogeneousFields(FieldsDistribution):
    """Columns that are independent given a code, each with its distribution; theta [K, B, P]."""

    def __init__(self, part: Heterogeneous, theta: Tensor) -> None:
        self.part, self.thetas = part, torch.split(theta, [each.outputs for each in part.each], -1)

    def field_log_prob(self, x: Tensor) -> Tensor:
        columns = torch.split(x.index_select(1, self.part.places), [each.size for each in self.part.each], 1)
        pairs = zip(self.part.each, self.thetas, columns, strict=True)
        return self._in_order([each.log_prob(theta, values) for each, theta, values in pairs])

    def sample(self) -> Tensor:
        return self._in_order([each.sample(theta) for each, theta in zip(self.part.each, self.thetas, strict=True)])

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """Means; for levels, the most likely one."""
        return self._in_order([each.mean(theta) for each, theta in zip(self.part.each, self.thetas, strict=True)])

    def bin_probabilities(self, ends: Sequence[Tensor]) -> Tensor:
        places, found = self.part.places.tolist(), list[Tensor]()
        for each, theta in zip(self.part.each, self.thetas, strict=True):
            own, places = [ends[f] for f in places[: each.size]], places[each.size :]
            found += torch.split(bin_probabilities(partial(each.cdf, theta), own), [len(end) + 1 for end in own], -1)
        return torch.cat([found[f] for f in self.part.order.tolist()], -1)

    def average(self, weights: Tensor) -> Tensor:
        pairs = zip(self.part.each, self.thetas, strict=True)
        return self._in_order([each.average(theta, weights) for each, theta in pairs])

    def _in_order(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts), -1).index_select(-1, self.part.order)


def _family(name: str, atom: bool) -> type[ColumnDistribution]:
    """The class for a group of columns; numbers with a value that often repeats get a hurdle."""
    family = DISTRIBUTIONS[name]
    return Hurdle if atom and not issubclass(family, LevelsDistribution) else family


def _check(column: Column) -> None:
    """Refuse a distribution without values, or one that does not fit how the column is recorded."""
    grid = ValueGrid(*column.grid)  # type: ignore[arg-type]
    of_levels = issubclass(DISTRIBUTIONS[column.family], LevelsDistribution)
    on_grid = column.family == "count" or column.family.startswith("rounded")
    ends = (-math.inf if grid.low is None else grid.low, math.inf if grid.high is None else grid.high)
    if of_levels and (not column.values or any(a >= b for a, b in pairwise(column.values))):
        raise ModelError(f"the distribution {column.family!r} needs values in rising order, not {column.values!r:.80}")
    if grid.unit <= 0 or grid.step < 0 or ends[0] > ends[1] or (on_grid and not (grid.step and math.isfinite(ends[0]))):
        raise ModelError(f"the distribution {column.family!r} does not fit a column with the grid {grid}")


@register
class Heterogeneous(Likelihood):
    """Each column with a distribution of its kind, independent given the code.

    The gradients with respect to theta are scaled to the same size for all columns at the start, so that no column dominates
    the networks (Javaloy et al. 2022).

    Args:
        shape: of a row.
        columns: the distribution of each; () for normal ones.
    """

    name = "heterogeneous"
    takes_levels = True
    gain: Tensor
    places: Tensor
    order: Tensor
    owner: Tensor

    def __init__(self, shape: tuple[int, ...], columns: Sequence[Column] = ()) -> None:
        super().__init__(shape)
        known = [Column(*column) for column in columns] or [Column()] * self.size
        if len(known) != self.size or any(column.family not in DISTRIBUTIONS for column in known):
            raise ModelError(f"each of the {self.size} columns needs a distribution: {', '.join(DISTRIBUTIONS)}")
        for column in known:
            _check(column)
        groups: dict[tuple[object, ...], list[int]] = {}
        for f, column in enumerate(known):
            alone, atom = issubclass(DISTRIBUTIONS[column.family], LevelsDistribution), column.grid[-1] is not None
            groups.setdefault((column.family, atom, f if alone else None), []).append(f)
        self.distributions = nn.ModuleList(
            _family(str(name), bool(atom))([known[f] for f in group]) for (name, atom, _), group in groups.items()
        )
        places = torch.tensor([f for group in groups.values() for f in group])
        owners = (group * (each.outputs // len(group)) if len(group) > 1 else group * each.outputs
                  for each, group in zip(self.each, groups.values(), strict=True))  # fmt: skip
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("order", places.argsort(), persistent=False)
        self.register_buffer("owner", torch.tensor([f for group in owners for f in group]), persistent=False)
        self.register_buffer("gain", torch.ones(self.outputs))

    @property
    def each(self) -> list[ColumnDistribution]:
        """The distributions of the groups of columns."""
        return list(self.distributions)  # type: ignore[arg-type]

    @property
    def outputs(self) -> int:
        return sum(each.outputs for each in self.each)

    def forward(self, theta: Tensor) -> FieldsDistribution:
        """theta [K, B, P]: shifts of the parameters; 0 gives the marginal distribution of each column."""
        return HeterogeneousFields(self, theta * self.gain)

    def densities(self, x: Tensor) -> Tensor:
        columns = torch.split(x.flatten(1).index_select(1, self.places), [each.size for each in self.each], 1)
        dense = [
            ~each.is_atom(values) & each.density if isinstance(each, Hurdle) else torch.full_like(values, each.density).bool()
            for each, values in zip(self.each, columns, strict=True)
        ]
        return torch.cat(dense, 1).index_select(1, self.order)

    def start(self, rows: Rows, residual: Tensor, resolution: Tensor) -> None:
        """Start at the marginal distributions, with the noise that a PCA leaves; balance the gradients of the columns."""
        x = rows.x.flatten(1)
        observed = None if rows.mask is None else rows.mask.flatten(1)
        groups = torch.split(self.places, [each.size for each in self.each])
        for each, group in zip(self.each, groups, strict=True):
            values = [some(x[:, f] if observed is None else x[observed[:, f], f]) for f in group.tolist()]
            each.start(values, residual[group])
        self._balance(rows.subsample(MAX_ROWS))

    def _balance(self, rows: Rows) -> None:
        with torch.enable_grad():
            theta = torch.zeros(1, len(rows), self.outputs, requires_grad=True)
            (gradient,) = torch.autograd.grad(self(theta).row_log_prob(rows.x, rows.mask).sum(), theta)
        squared = torch.zeros(self.size).index_add(0, self.owner, gradient[0].square().mean(0))
        self.gain.mul_(squared.clamp(1e-4, 1e4).rsqrt()[self.owner])

    def baseline_log_prob(self, train: Rows, held_out: Rows) -> Tensor:
        """Log-probability of rows under the marginal distributions."""
        fresh = copy.deepcopy(self)
        fresh.start(train, torch.ones(self.size), torch.zeros(self.size))
        with torch.no_grad():
            value: Tensor = fresh(torch.zeros(1, len(held_out), self.outputs)).row_log_prob(held_out.x, held_out.mask)[0]
            return value
