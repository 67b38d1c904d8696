"""p(z): what is assumed of codes before any row is seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.distributions import NormalMixture, StandardNormal
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


@register
class NormalMixturePrior(Part):
    """A mixture of normals with independent dimensions, learned with the rest (Dilokthanakul et al. 2016).

    The rate of a code is what it takes to say it together with the component that it belongs to, chosen as well as can be: the
    bound of the model in which the component is a part of the code (HI-VAE).

    Args:
        latent_dim: d.
        components: how many.
    """

    name = "normal-mixture"

    def __init__(self, latent_dim: int, components: int = 10) -> None:
        super().__init__()
        if components < 1:
            raise ModelError(f"a mixture needs at least one component, not {components}")
        self.latent_dim = latent_dim
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(torch.randn(components, latent_dim))
        self.log_variance = nn.Parameter(torch.zeros(components, latent_dim))

    def forward(self, like: Tensor) -> NormalMixture:
        """p(z), in the precision and on the device of the parameters."""
        return NormalMixture(self.logits, self.loc, self.log_variance.clamp(-12.0, 4.0))

    def keep(self, units: Tensor) -> None:
        """The same law over fewer dimensions."""
        self.loc, self.log_variance = (nn.Parameter(part.detach()[:, units]) for part in (self.loc, self.log_variance))
        self.latent_dim = self.arguments["latent_dim"] = len(units)
