"""New rows."""

from __future__ import annotations

import torch
from torch import Tensor

from latente.model.latent_model import LatentModel
from latente.model.laws import LatentLaw
from latente.seeding import seeded

BATCH = 8192


@torch.no_grad()
def sample(model: LatentModel, law: LatentLaw | None, n: int, seed: int, noise: bool) -> Tensor:
    """Draw codes and decode them, [n, F].

    Args:
        model: the trained model.
        law: fitted law of the codes; None draws from the model's prior.
        n: how many.
        seed: of the draws.
        noise: draw each field from p(x|z); otherwise its mean.
    """
    with seeded(seed):
        z = model.prior(torch.zeros(())).rsample((n,)) if law is None else law.sample(n).float()
        decoded = [model.decode(part.unsqueeze(0)) for part in torch.split(z, BATCH)]
        return torch.cat([(px.sample() if noise else px.mean).squeeze(0) for px in decoded])
