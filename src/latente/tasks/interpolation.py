"""The path between two rows in the latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from latente.model.latent_model import LatentModel
from latente.model.row_models import RowModel
from latente.rows import Rows
from latente.tasks.reconstruct import decode


def interpolate(
    model: LatentModel, start: Rows, end: Rows, steps: int, decoder: RowModel | None = None, noise: bool = False
) -> Tensor:
    """Decoded means along the shortest path between the codes of two rows, both included, [steps, F]; context is linear."""
    context = None
    if start.context is not None and end.context is not None:
        context = torch.lerp(start.context, end.context, torch.linspace(0, 1, steps).unsqueeze(1))
    return decode(decoder or model, model.space.path(model.codes(start), model.codes(end), steps), context, noise)
