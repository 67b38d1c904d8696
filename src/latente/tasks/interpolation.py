"""The way from one row to another through the latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.tasks.reconstruct import decode


def interpolate(model: LatentModel, start: Rows, end: Rows, steps: int) -> Tensor:
    """Decoded means along the straight line between two rows' codes, both ends included, [steps, F]."""
    a, b = model.codes(start), model.codes(end)
    share = torch.linspace(0, 1, steps).unsqueeze(1)
    return decode(model, torch.lerp(a, b, share))
