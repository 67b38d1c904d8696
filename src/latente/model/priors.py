"""p(z): what is assumed of codes before any row is seen."""

from __future__ import annotations

from torch import Tensor

from latente.model.distributions import StandardNormal
from latente.model.parts import Part, register


@register
class StandardNormalPrior(Part):
    """``N(0, I)``."""

    name = "standard-normal"

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def forward(self, like: Tensor) -> StandardNormal:
        """p(z), in the precision and on the device of ``like``."""
        return StandardNormal(like, self.latent_dim)

    def keep(self, units: Tensor) -> None:
        """The same law over fewer dimensions."""
        self.latent_dim = self.arguments["latent_dim"] = len(units)
