"""The way from one row to another through the latent space."""

from __future__ import annotations

from torch import Tensor

from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.tasks.reconstruct import decode


def interpolate(model: LatentModel, start: Rows, end: Rows, steps: int) -> Tensor:
    """Decoded means along the shortest way between two rows' codes, both ends included, [steps, F]."""
    return decode(model, model.space.path(model.codes(start), model.codes(end), steps))
