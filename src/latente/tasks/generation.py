"""New rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from latente.errors import ModelError
from latente.model.distributions import Intervals
from latente.model.latent_model import LatentModel
from latente.model.priors import Prior
from latente.seeding import seeded

BATCH = 8192
MAX_ROUNDS = 64
TRIED = 4096  # rows, to tell how probable something is


@torch.no_grad()
def sample(
    model: LatentModel, law: Prior | None, n: int, seed: int, noise: bool, missing: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Draw codes and decode them, [n, F]; with ``missing``, also which values are seen, bool [n, F].

    Args:
        model: the trained model.
        law: fitted law of the codes; None draws from the model's prior.
        n: how many.
        seed: of the draws.
        noise: draw each field from p(x|z); otherwise its mean.
        missing: share of each field that is not seen, [F], where rows are to have holes.
    """
    with seeded(seed):
        laws = (model.decode(part.unsqueeze(0)) for part in torch.split(_codes(model, law, n), BATCH))
        if missing is None:
            return torch.cat([(px.sample() if noise else px.mean).squeeze(0) for px in laws]), None
        values, seen = zip(*(px.with_holes(missing) for px in laws), strict=True)
        return torch.cat(values, 1)[0], torch.cat(seen, 1)[0]


class Given(NamedTuple):
    """Rows that hold what was asked for, and what stands behind them.

    Attributes:
        rows: [n, F]; [0, F] where nothing fitted.
        effective: effective sample size (Kong 1992).
        probability: of what was asked for, by the model.
    """

    rows: Tensor
    effective: float
    probability: float


@torch.no_grad()
def sample_given(model: LatentModel, law: Prior | None, n: int, seed: int, given: Mapping[int, Intervals]) -> Given:
    """Rows of which some fields lie in given intervals, by importance resampling: codes are drawn, decoded within what is
    given, and chosen in proportion to how probable that was. More codes are drawn until they are worth n rows.
    """
    rows, logs = [], []
    with seeded(seed):
        for _ in range(MAX_ROUNDS):
            drawn, log_weight = _restricted(model, law, min(BATCH, max(1024, 2 * n)), given)
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
    model: LatentModel, law: Prior | None, seed: int, given: Mapping[int, Intervals], probability: float
) -> tuple[float, tuple[int, ...]]:
    """How probable it is that fields lie in given intervals, against what it were if they had nothing to do with one another;
    and those that go together least: a pair where one explains it, or all. 1 where less than two are given.

    Args:
        given: for fields, by their places, what they are to hold. probability: of all of it.
    """
    single = {f: probability_of(model, law, seed, {f: intervals}) for f, intervals in given.items()}
    by_chance = math.prod(single.values())
    lift = probability / by_chance if len(given) > 1 and by_chance else 1.0
    if lift >= 1 or len(given) == 2:
        return lift, tuple(given)

    def of_pair(pair: tuple[int, ...]) -> float:
        both = probability_of(model, law, seed, {f: given[f] for f in pair})
        return both / max(math.prod(single[f] for f in pair), 1e-300)

    pairs = {pair: of_pair(pair) for pair in combinations(given, 2)}
    worst = min(pairs, key=lambda pair: pairs[pair])
    return lift, worst if pairs[worst] < math.sqrt(lift) else tuple(given)


@torch.no_grad()
def probability_of(model: LatentModel, law: Prior | None, seed: int, given: Mapping[int, Intervals]) -> float:
    """How probable it is that fields lie in given intervals, from 4,096 draws."""
    with seeded(seed):
        log_weights = _restricted(model, law, TRIED, given)[1].double()
    return float((torch.logsumexp(log_weights, 0) - math.log(len(log_weights))).exp())


def _restricted(model: LatentModel, law: Prior | None, n: int, given: Mapping[int, Intervals]) -> tuple[Tensor, Tensor]:
    """Rows [n, F] within what is given, and their log-weights [n]."""
    drawn, log_weight = model.decode(_codes(model, law, n).unsqueeze(0)).restricted(given)
    return drawn[0], log_weight[0]


def _effective(weights: Tensor) -> float:
    total = float(weights.sum())
    return total**2 / float(weights.square().sum()) if total > 0 else 0.0


def _codes(model: LatentModel, law: Prior | None, n: int) -> Tensor:
    if law is not None:
        return law.sample(n).float()
    p = model.p()
    if p is None:
        raise ModelError("an autoencoder has no prior to draw codes from: draw them from the fitted one (prior='fitted')")
    return p.sample((n,)).float()
