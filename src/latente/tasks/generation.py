"""New rows."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latente.model.distributions import Intervals
from latente.model.latent_model import LatentModel
from latente.model.laws import LatentLaw
from latente.seeding import seeded

BATCH = 8192
MOST_ROUNDS = 64


@torch.no_grad()
def sample(
    model: LatentModel, law: LatentLaw | None, n: int, seed: int, noise: bool, missing: Tensor | None = None
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


@torch.no_grad()
def sample_given(
    model: LatentModel, law: LatentLaw | None, n: int, seed: int, given: Mapping[int, Intervals]
) -> tuple[Tensor, float]:
    """Rows [n, F] of which some fields lie in given intervals, by importance resampling: codes are drawn, decoded within what
    is given, and chosen in proportion to how probable that was. More codes are drawn until they are worth n rows.

    Returns:
        The rows, and the effective sample size behind them (Kong 1992); 0 where nothing fitted.
    """
    rows, logs = [], []
    with seeded(seed):
        for _ in range(MOST_ROUNDS):
            px = model.decode(_codes(model, law, min(BATCH, max(1024, 2 * n))).unsqueeze(0))
            drawn, log_weight = px.restricted(given)
            rows.append(drawn[0])
            logs.append(log_weight[0])
            weights = torch.cat(logs).double().exp()
            if (effective := _effective(weights)) >= n:
                break
        if not effective:
            return rows[0][:0], 0.0
        return torch.cat(rows)[torch.multinomial(weights, n, replacement=effective < n)], effective


def _effective(weights: Tensor) -> float:
    total = float(weights.sum())
    return total**2 / float(weights.square().sum()) if total > 0 else 0.0


def _codes(model: LatentModel, law: LatentLaw | None, n: int) -> Tensor:
    return model.prior(torch.zeros(())).rsample((n,)) if law is None else law.sample(n).float()
