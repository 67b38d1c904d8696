"""Where the nats between a model's bound and the likelihood go (Cremer, Li and Duvenaud 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latente.certificate.estimates import Array
from latente.certificate.information import MAX_OPERATIONS, batch_size, operations
from latente.flat import FlatParameters, adamw
from latente.model.distributions import DiagonalNormal
from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.training.schedules import cosine

MOST_ROWS, LEAST_ROWS = 200, 20
STEPS = 80
LEARNING_RATE = 0.1
DRAWS = 4


@dataclass(frozen=True)
class Losses:
    """Of each row, nats, [N].

    Attributes:
        amortised: -ELBO with the encoder's posterior.
        refined: -ELBO with the row's best diagonal normal.
        bound: the importance-weighted bound with the same draws of that, which is never above it.
    """

    amortised: Array
    refined: Array
    bound: Array


def affordable(model: LatentModel) -> int:
    """For how many rows posteriors are refined, so that it takes some seconds: a step costs three decodings a draw."""
    return int(min(MOST_ROWS, max(LEAST_ROWS, MAX_OPERATIONS / (3 * STEPS * DRAWS * operations(model)))))


def refine(model: LatentModel, rows: Rows, K: int) -> Losses | None:
    """Fit mean and variances of each row's posterior by gradient, with the model as it is; None where they are no normals.

    Args:
        model, rows: of which. K: draws by which the result is judged, from torch's generator.
    """
    with torch.no_grad():
        q = model.encode(rows)
    if not isinstance(q, DiagonalNormal):
        return None
    found = _best(model, rows, q)
    before, after = (_log_weights(model, rows, law, K) for law in (q, found))
    bound = math.log(K) - torch.logsumexp(after, 0)
    return Losses(*(loss.numpy() for loss in (-before.mean(0), -after.mean(0), bound)))


def _best(model: LatentModel, rows: Rows, q: DiagonalNormal) -> DiagonalNormal:
    found = nn.ParameterList([q.loc.clone(), q.log_variance.clone()])
    flat = FlatParameters(found)
    moments, updates = [torch.zeros_like(flat.vector), torch.zeros_like(flat.vector)], torch.zeros(())
    with torch.enable_grad():
        for step in range(STEPS):
            z = DiagonalNormal(*found).rsample((DRAWS,))
            # The density's own parameters stay as they are: at the optimum this gradient has no variance (Roeder et al. 2017).
            weights = _log_weight(model, rows, DiagonalNormal(*(value.detach() for value in found)), z)
            for own, gradient in zip(flat.gradients, flat.differentiate(-weights.mean(0)), strict=True):
                own.copy_(gradient)
            adamw(flat, moments, updates, LEARNING_RATE * cosine(step / STEPS), beta2=0.999)
    return DiagonalNormal(*(value.detach() for value in found))


def _log_weight(model: LatentModel, rows: Rows, q: DiagonalNormal, z: Tensor) -> Tensor:
    """log p(x, z) - log q(z) of draws [K, N, d], nats, [K, N]."""
    value: Tensor = model.decode(z).row_log_prob(rows.x, rows.mask) + model.prior(z).log_prob(z) - q.log_prob(z)
    return value


@torch.no_grad()
def _log_weights(model: LatentModel, rows: Rows, q: DiagonalNormal, K: int) -> Tensor:
    """The same for K draws of q, in double precision, a few rows at a time."""
    size, parts = batch_size(model, K), []
    for start in range(0, len(rows), size):
        own = DiagonalNormal(q.loc[start : start + size], q.log_variance[start : start + size])
        parts.append(_log_weight(model, rows[start : start + size], own, own.rsample((K,))).double())
    return torch.cat(parts, 1)


@torch.no_grad()
def prior_mismatch(z: Tensor, prior: Callable[[Tensor], Tensor], law: Callable[[Tensor], Tensor]) -> Array:
    """log law(z) - log prior(z) of codes [N, d], [N]: nats that a row would save under the law fitted to the codes."""
    return (law(z.double()) - prior(z).double()).numpy()
