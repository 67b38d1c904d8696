"""New rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from latente.model.distributions import Intervals
from latente.model.priors import Prior
from latente.model.row_models import RowModel
from latente.seeding import seeded
from latente.threads import USUAL, on_threads

BATCH = 8192
MAX_ROUNDS = 64
TRIED = 4096  # rows to estimate a probability with


@torch.no_grad()
@on_threads(USUAL)
def sample(model: RowModel, prior: Prior | None, n: int, seed: int, noise: bool, context: Tensor | None = None) -> Tensor:
    """New rows, [n, F].

    Args:
        model: the trained model.
        prior: distribution of codes, if rows have codes; None for the model's own prior.
        n: how many.
        seed: of the draws.
        noise: draw each field from p(x|z); otherwise its mean.
        context: of each row, [n, C], if the model has one.
    """
    with seeded(seed):
        return torch.cat([model.sample(size, prior, context=part, noise=noise) for size, part in _batches(n, context)])


@torch.no_grad()
def sample_incomplete(
    model: RowModel, prior: Prior | None, n: int, seed: int, missing: Tensor, context: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """New rows, and which of their values are observed, both [n, F]; ``missing``: share of missing values per field, [F]."""
    with seeded(seed):
        batches = (model.sample_incomplete(size, missing, prior, part) for size, part in _batches(n, context))
        values, observed = zip(*batches, strict=True)
        return torch.cat(values), torch.cat(observed)


def _batches(n: int, context: Tensor | None) -> Iterator[tuple[int, Tensor | None]]:
    """Number of rows and context of each batch."""
    for start in range(0, n, BATCH):
        yield min(BATCH, n - start), None if context is None else context[start : start + BATCH]


class Given(NamedTuple):
    """Rows that fulfil conditions.

    Attributes:
        rows: [n, F]; [0, F] if no draw fulfils them.
        effective: effective sample size (Kong 1992).
        probability: of the conditions under the model.
    """

    rows: Tensor
    effective: float
    probability: float


@torch.no_grad()
def sample_given(model: RowModel, prior: Prior | None, n: int, seed: int, given: Mapping[int, Intervals]) -> Given:
    """Rows with some fields in given intervals, by importance resampling: codes are drawn, decoded within the intervals, and
    chosen in proportion to the probability of the intervals. Draws continue until their effective sample size is n.
    """
    rows, logs = [], []
    with seeded(seed):
        for _ in range(MAX_ROUNDS):
            drawn, log_weight = model.restrict(min(BATCH, max(1024, 2 * n)), given, prior)
            rows.append(drawn)
            logs.append(log_weight)
            log_weights = torch.cat(logs).double()
            most = float(log_weights.max())
            weights = (log_weights - most).exp() if most > -math.inf else torch.zeros_like(log_weights)
            if (effective := _effective(weights)) >= n:
                break
        if not effective:
            return Given(rows[0][:0], 0.0, 0.0)
        chosen = torch.multinomial(weights, n, replacement=effective < n)
    return Given(torch.cat(rows)[chosen], effective, float(weights.mean()) * math.exp(most))


@torch.no_grad()
def togetherness(
    model: RowModel, prior: Prior | None, seed: int, given: Mapping[int, Intervals], probability: float
) -> tuple[float, tuple[int, ...]]:
    """Probability that fields lie in given intervals, relative to that of independent fields, and the fields that exclude one
    another most: a pair if one explains it, or all. 1 with fewer than two conditions.

    Args:
        given: intervals of fields, by their indices. probability: of all conditions.
    """
    single = {f: probability_of(model, prior, seed, {f: intervals}) for f, intervals in given.items()}
    by_chance = math.prod(single.values())
    lift = probability / by_chance if len(given) > 1 and by_chance else 1.0
    if lift >= 1 or len(given) == 2:
        return lift, tuple(given)

    def of_pair(pair: tuple[int, ...]) -> float:
        both = probability_of(model, prior, seed, {f: given[f] for f in pair})
        return both / max(math.prod(single[f] for f in pair), 1e-300)

    pairs = {pair: of_pair(pair) for pair in combinations(given, 2)}
    worst = min(pairs, key=lambda pair: pairs[pair])
    return lift, worst if pairs[worst] < math.sqrt(lift) else tuple(given)


@torch.no_grad()
def probability_of(model: RowModel, prior: Prior | None, seed: int, given: Mapping[int, Intervals]) -> float:
    """Probability that fields lie in given intervals, from 4,096 draws."""
    with seeded(seed):
        log_weights = model.restrict(TRIED, given, prior)[1].double()
    return float((torch.logsumexp(log_weights, 0) - math.log(len(log_weights))).exp())


def _effective(weights: Tensor) -> float:
    total = float(weights.sum())
    return total**2 / float(weights.square().sum()) if total > 0 else 0.0
