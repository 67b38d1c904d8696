"""Where the nats between a model's bound and the likelihood go (Cremer, Li and Duvenaud 2018)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latente.certificate.estimates import Array
from latente.certificate.information import MOST_OPERATIONS, operations
from latente.model.distributions import DiagonalNormal
from latente.model.latent_model import LatentModel
from latente.rows import Rows

MOST_ROWS, LEAST_ROWS = 200, 20
STEPS = 80
LEARNING_RATE = 0.1
DRAWS = 4
DRAWS_TO_JUDGE = 64


@dataclass(frozen=True)
class Losses:
    """-ELBO of each row, nats, [N], with the same draws.

    Attributes:
        amortised: with the encoder's posterior.
        refined: with the best diagonal normal of each row.
    """

    amortised: Array
    refined: Array


def affordable(model: LatentModel) -> int:
    """For how many rows posteriors are refined, so that it takes some seconds: a step costs three decodings a draw."""
    return int(min(MOST_ROWS, max(LEAST_ROWS, MOST_OPERATIONS / (3 * STEPS * DRAWS * operations(model)))))


def refine(model: LatentModel, rows: Rows) -> Losses | None:
    """Fit mean and variances of each row's posterior by gradient, with the model as it is; None where they are no normals.

    Draws from torch's generator.
    """
    with torch.no_grad():
        q = model.encode(rows)
    if not isinstance(q, DiagonalNormal):
        return None
    found = DiagonalNormal(q.loc.clone().requires_grad_(), q.log_variance.clone().requires_grad_())
    optimiser = torch.optim.Adam([found.loc, found.log_variance], LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    with torch.enable_grad():
        for _ in range(STEPS):
            z = found.at(torch.randn(DRAWS, *q.loc.shape))
            # The density's own parameters stay as they are: at the optimum this gradient has no variance (Roeder et al. 2017).
            loss = _loss(model, rows, DiagonalNormal(found.loc.detach(), found.log_variance.detach()), z).sum()
            found.loc.grad, found.log_variance.grad = torch.autograd.grad(loss, [found.loc, found.log_variance])
            optimiser.step()
            schedule.step()
    noise = torch.randn(DRAWS_TO_JUDGE, *q.loc.shape)
    with torch.no_grad():
        before, after = (_loss(model, rows, law, law.at(noise)).double().numpy() for law in (q, found))
    return Losses(before, after)


def _loss(model: LatentModel, rows: Rows, q: DiagonalNormal, z: Tensor) -> Tensor:
    """-ELBO of each row over draws [K, N, d] of q, nats, [N]."""
    log_weights = model.decode(z).row_log_prob(rows.x, rows.mask) + model.prior(z).log_prob(z) - q.log_prob(z)
    loss: Tensor = -log_weights.mean(0)
    return loss


@torch.no_grad()
def prior_mismatch(z: Tensor, prior: Callable[[Tensor], Tensor], law: Callable[[Tensor], Tensor]) -> Array:
    """log law(z) - log prior(z) of codes [N, d], [N]: nats that a row would save under the law fitted to the codes."""
    return (law(z.double()) - prior(z).double()).numpy()
