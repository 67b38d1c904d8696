"""Causes of the gap between a model's bound and its likelihood (Cremer, Li and Duvenaud 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latente.certificate.estimates import Array
from latente.certificate.information import MAX_OPERATIONS, batch_size, operations
from latente.flat import FlatParameters, Group, adamw
from latente.model.codes import CodeDistribution
from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.training.schedules import cosine

MAX_ROWS, MIN_ROWS = 200, 20
STEPS = 80
LEARNING_RATE = 0.1
DRAWS = 4
JUDGED_BY = 200  # draws: near the best posterior the bound is tight by a few


@dataclass(frozen=True)
class Losses:
    """Losses of each row, nats, [N].

    Attributes:
        amortised: -ELBO with the encoder's posterior.
        refined: -ELBO with the row's best posterior of the same family.
        bound: the importance-weighted bound with the same draws, which is never above ``refined``.
    """

    amortised: Array
    refined: Array
    bound: Array


def affordable(model: LatentModel) -> int:
    """Number of rows to refine within some seconds; a step costs three decodings for each draw."""
    return int(min(MAX_ROWS, max(MIN_ROWS, MAX_OPERATIONS / (3 * STEPS * DRAWS * operations(model)))))


def refine(model: LatentModel, rows: Rows, K: int) -> Losses | None:
    """Fit the posterior of each row by gradient steps, with the model fixed; None if the family has constraints or no density.

    Args:
        model, rows: the model and the rows. K: number of draws for the resulting losses, from torch's generator.
    """
    with torch.no_grad():
        q = model.encode(rows)
    if not (q.is_free and model.has_rate):
        return None
    found = _best(model, rows, q)
    before, after = (_log_weights(model, rows, each, K) for each in (q, found))
    bound = math.log(K) - torch.logsumexp(after, 0)
    return Losses(*(loss.numpy() for loss in (-before.mean(0), -after.mean(0), bound)))


def _best(model: LatentModel, rows: Rows, q: CodeDistribution) -> CodeDistribution:
    family, found = type(q), nn.ParameterList([parameter.clone() for parameter in q.parameters])
    flat = FlatParameters(found)
    own = Group(flat.vector, flat.gradient, torch.zeros_like(flat.vector), torch.zeros_like(flat.vector))
    updates = torch.zeros(())
    with torch.enable_grad():
        for step in range(STEPS):
            z = family(*found).rsample((DRAWS,))
            # The parameters of the density are detached: this gradient has no variance at the optimum (Roeder et al. 2017).
            weights = _log_weight(model, rows, family(*(value.detach() for value in found)), z)
            for kept, gradient in zip(flat.gradients, flat.differentiate(-weights.mean(0)), strict=True):
                kept.copy_(gradient)
            adamw([own], updates, LEARNING_RATE * cosine(step / STEPS), beta2=0.999)
    return family(*(value.detach() for value in found))


def _log_weight(model: LatentModel, rows: Rows, q: CodeDistribution, z: Tensor) -> Tensor:
    """log p(x, z) - log q(z) of draws [K, N, d], nats, [K, N]."""
    p = model.p()
    assert p is not None
    value: Tensor = model.decode(z).row_log_prob(rows.x, rows.mask) + p.log_prob(z) - q.log_prob(z)
    return value


@torch.no_grad()
def _log_weights(model: LatentModel, rows: Rows, q: CodeDistribution, K: int) -> Tensor:
    """:func:`_log_weight` of K draws of q, in double precision, a few rows at a time."""
    size, parts = batch_size(model, K), []
    for start in range(0, len(rows), size):
        some = slice(start, start + size)
        parts.append(_log_weight(model, rows[some], q[some], q[some].rsample((K,))).double())
    return torch.cat(parts, 1)


@torch.no_grad()
def prior_mismatch(z: Tensor, prior: Callable[[Tensor], Tensor], fitted: Callable[[Tensor], Tensor]) -> Array:
    """log fitted(z) - log prior(z) of codes [N, d], [N]: reduction of the KL with the fitted prior."""
    return (fitted(z.double()) - prior(z).double()).numpy()
