"""q(z | x): what the encoder's features say of the code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.codes import DiagonalNormal, PointMass
from latente.model.distributions import full_precision
from latente.model.parts import Part, register
from latente.model.spaces import Euclidean, LatentSpace


class Posterior(Part):
    """Features [B, H] to a :class:`latente.model.codes.CodeDistribution` over codes [d].

    Attributes:
        latent_dim: d.
        noise_size: how many standard normal numbers one draw takes; 0 where a row has one code.
        has_density: whether its distributions have one, without which there is no rate and no bound.
        starts_linear: whether ``head`` begins with a linear map to the code, at which training may start (PCA).
    """

    head: nn.Linear
    latent_dim: int
    has_density = True
    starts_linear = False

    @property
    def noise_size(self) -> int:
        return self.latent_dim

    @property
    def space(self) -> LatentSpace:
        """Where its codes lie."""
        return Euclidean(self.latent_dim)

    def start(self, variance: Tensor) -> None:
        """Give every row these variances, [d]; nothing to do where there are none."""


def _rows_of(layer: nn.Linear, index: Tensor) -> nn.Linear:
    kept = nn.Linear(layer.in_features, len(index), device=layer.weight.device, dtype=layer.weight.dtype)
    kept.load_state_dict({"weight": layer.weight.detach()[index], "bias": layer.bias.detach()[index]})
    return kept


@register
class DiagonalNormalPosterior(Posterior):
    """Independent normal dimensions (Kingma and Welling 2014).

    The log-variance is kept within ``log_variance_bounds`` by a tanh, which has a gradient everywhere (a clamp has none at its
    ends, and an unbounded one gives NaN sooner or later). Its half of the head starts at zero: all rows alike.
    """

    name = "diagonal-normal"
    starts_linear = True
    middle: Tensor

    def __init__(self, width: int, latent_dim: int, log_variance_bounds: tuple[float, float] = (-12.0, 4.0)) -> None:
        super().__init__()
        low, high = log_variance_bounds
        if not low < 0 < high:
            raise ModelError(f"log_variance_bounds must enclose 0, not {log_variance_bounds}")
        self.latent_dim = latent_dim
        self.reach = (high - low) / 2
        self.register_buffer("middle", torch.tensor((low + high) / 2), persistent=False)
        self.head = nn.Linear(width, 2 * latent_dim)
        self.start(torch.ones(latent_dim))

    def forward(self, h: Tensor) -> DiagonalNormal:
        """[B, H] to q(z | x)."""
        loc, raw = full_precision(self.head(h)).chunk(2, -1)
        return DiagonalNormal(loc, torch.add(self.middle, torch.tanh(raw), alpha=self.reach))

    @torch.no_grad()
    def start(self, variance: Tensor) -> None:
        """Give every row these variances, [d]."""
        share = ((variance.log() - self.middle) / self.reach).clamp(-0.95, 0.95)
        self.head.weight[self.latent_dim :] = 0.0
        self.head.bias[self.latent_dim :] = torch.atanh(share)

    def select_units(self, units: Tensor) -> None:
        """Drop all units of the code but these."""
        self.head = _rows_of(self.head, torch.cat([units, units + self.latent_dim]))
        self.latent_dim = self.arguments["latent_dim"] = len(units)


@register
class PointMassPosterior(Posterior):
    """One code for each row: an autoencoder."""

    name = "point-mass"
    has_density = False
    starts_linear = True
    noise_size = 0

    def __init__(self, width: int, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.head = nn.Linear(width, latent_dim)

    def forward(self, h: Tensor) -> PointMass:
        """[B, H] to the code."""
        return PointMass(full_precision(self.head(h)))

    def select_units(self, units: Tensor) -> None:
        """Drop all units of the code but these."""
        self.head = _rows_of(self.head, units)
        self.latent_dim = self.arguments["latent_dim"] = len(units)
