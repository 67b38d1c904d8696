"""Fully connected networks, for tables and small pictures."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from latente.model.parts import Part, register


def linear_in(layer: nn.Linear, units: Tensor) -> nn.Linear:
    """A copy of ``layer`` that reads only the given inputs."""
    kept = nn.Linear(len(units), layer.out_features, device=layer.weight.device, dtype=layer.weight.dtype)
    kept.load_state_dict({"weight": layer.weight.detach()[:, units], "bias": layer.bias.detach()})
    return kept


@register
class MLPEncoder(Part):
    """Linear layers with ReLU between them.

    Args:
        shape: of a row.
        hidden: widths; with ``()`` the features are the row itself, so that the posterior's head is a linear encoder.
        masked: whether the mask is an additional input, for data with missing values.
        dropout: share of each layer's units dropped in training.
        linear: whether the row itself is appended to the last layer's features, so that a linear code is easy to learn.
    """

    name = "mlp-encoder"

    def __init__(
        self,
        shape: tuple[int, ...],
        hidden: tuple[int, ...],
        masked: bool = False,
        dropout: float = 0.0,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.masked, self.linear = masked, linear
        sizes = (math.prod(shape) * (2 if masked else 1), *hidden)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.width = sizes[-1] + (math.prod(shape) if linear else 0)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, *shape] to [B, H]; a missing field is 0 in ``x``."""
        h = with_mask(x.flatten(1), mask) if self.masked else x.flatten(1)
        for layer in self.layers:
            h = torch.relu(layer(h))
            h = self.dropout(h) if self.dropout else h
        return torch.cat([h, x.flatten(1)], 1) if self.linear else h


def with_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """A row and, appended along dimension 1, which of its values are observed."""
    return torch.cat([x, torch.ones_like(x) if mask is None else mask.view(x.shape).to(x.dtype)], 1)


@register
class MLPDecoder(Part):
    """Linear layers with ReLU between them, of the encoder's widths ``hidden`` in reverse.

    Args:
        latent_dim, outputs: d and P.
        hidden: the encoder's widths.
        skip: every layer reads the code, which makes it harder to ignore (Dieng et al. 2019).
        linear: whether a linear map of the code is added to the output of the layers.
    """

    name = "mlp-decoder"

    def __init__(
        self, latent_dim: int, outputs: int, hidden: tuple[int, ...], skip: bool = False, linear: bool = False
    ) -> None:
        super().__init__()
        self.skip = skip
        self.linear = nn.Linear(latent_dim, outputs) if linear else None
        sizes = (0 if skip else latent_dim, *reversed(hidden), outputs)
        again = latent_dim if skip else 0
        self.layers = nn.ModuleList(nn.Linear(i + again, o) for i, o in pairwise(sizes))

    def forward(self, z: Tensor) -> Tensor:
        """[K, B, d] to theta [K, B, P]."""
        h = z
        for index, layer in enumerate(self.layers):
            h = torch.relu(h) if index else h
            h = layer(torch.cat([h, z], -1) if self.skip and index else h)
        return h if self.linear is None else h + self.linear(z)

    def select_units(self, units: Tensor) -> None:
        """Read only these units of the code."""
        self.linear = self.linear and linear_in(self.linear, units)
        d = self.arguments["latent_dim"]
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            if index == 0 or self.skip:
                before = torch.arange(layer.in_features - d, device=units.device)
                self.layers[index] = linear_in(layer, torch.cat([before, units + len(before)]))
        self.arguments["latent_dim"] = len(units)
