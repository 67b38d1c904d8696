"""Convolutional networks, for pictures of any size."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from latente.model.networks.mlp import linear_in, with_mask
from latente.model.parts import Part, register

SMALLEST_SIDE = 4


def stages(shape: tuple[int, ...], channels: tuple[int, ...]) -> list[tuple[int, int]]:
    """Height and width of the picture before each halving and after the last."""
    sizes = [(shape[1], shape[2])]
    for _ in channels:
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


@register
class ConvEncoder(Part):
    """Convolutions that halve the picture, one per entry of ``channels``, then one linear layer to ``width`` features.

    Args:
        shape, channels: of a picture, and of each convolution.
        width: of the last layer.
        masked: the mask is an input too, for data with holes.
        linear: the picture itself stands beside the last layer's features, so that a linear code costs nothing to learn.
    """

    name = "conv-encoder"

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: tuple[int, ...],
        width: int = 256,
        masked: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.masked, self.linear = masked, linear
        self.width = width + (math.prod(shape) if linear else 0)
        depths = (shape[0] * (2 if masked else 1), *channels)
        self.layers = nn.ModuleList(nn.Conv2d(i, o, 3, stride=2, padding=1) for i, o in pairwise(depths))
        height, side = stages(shape, channels)[-1]
        self.last = nn.Linear(channels[-1] * height * side, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, C, H, W] to [B, width]; a pixel that was not seen is 0 in ``x``."""
        h = with_mask(x, mask) if self.masked else x
        for layer in self.layers:
            h = torch.relu(layer(h))
        h = torch.relu(self.last(h.flatten(1)))
        return torch.cat([h, x.flatten(1)], 1) if self.linear else h


@register
class ConvDecoder(Part):
    """The encoder's mirror: a linear layer, then transposed convolutions that double the picture, cut to size.

    Args:
        latent_dim, outputs: d and P.
        shape, channels, width: as of the encoder.
        skip: the second layer reads the code again.
        linear: a linear map of the code is added to what the convolutions give.
    """

    name = "conv-decoder"

    def __init__(
        self,
        latent_dim: int,
        outputs: int,
        shape: tuple[int, ...],
        channels: tuple[int, ...],
        width: int = 256,
        skip: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(latent_dim, outputs) if linear else None
        self.sizes = stages(shape, channels)[::-1]
        height, side = self.sizes[0]
        self.start = (channels[-1], height, side)
        self.first = nn.Linear(latent_dim, width)
        self.second = nn.Linear(width + (latent_dim if skip else 0), channels[-1] * height * side)
        self.skip = skip
        depths = (*channels[::-1], outputs // (shape[1] * shape[2]))
        self.layers = nn.ModuleList(nn.ConvTranspose2d(i, o, 4, stride=2, padding=1) for i, o in pairwise(depths))

    def forward(self, z: Tensor) -> Tensor:
        """[K, B, d] to theta [K, B, P]."""
        code = z.flatten(0, 1)
        h = torch.relu(self.first(code))
        h = self.second(torch.cat([h, code], -1) if self.skip else h).unflatten(1, self.start)
        for layer, (height, side) in zip(self.layers, self.sizes[1:], strict=True):
            h = layer(torch.relu(h))[..., :height, :side]
        theta: Tensor = h.flatten(1).unflatten(0, z.shape[:2])
        return theta if self.linear is None else theta + self.linear(z)

    def select_units(self, units: Tensor) -> None:
        """Read only these units of the code."""
        self.linear = self.linear and linear_in(self.linear, units)
        self.first = linear_in(self.first, units)
        if self.skip:
            before = torch.arange(self.second.in_features - self.arguments["latent_dim"], device=units.device)
            self.second = linear_in(self.second, torch.cat([before, units + len(before)]))
        self.arguments["latent_dim"] = len(units)
