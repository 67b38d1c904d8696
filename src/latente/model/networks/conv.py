"""Convolutional networks, for pictures of any size."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from latente.errors import ModelError
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


def positions_of(shape: tuple[int, ...], channels: tuple[int, ...]) -> int:
    """Number of positions of the last map."""
    return math.prod(stages(shape, channels)[-1])


def doubled(h: Tensor, layers: nn.ModuleList, sizes: list[tuple[int, int]]) -> Tensor:
    """Transposed convolutions of a map, cut to size, [B, C, h, w] to [B, P]."""
    for layer, (height, side) in zip(layers, sizes, strict=True):
        h = layer(torch.relu(h))[..., :height, :side]
    return h.flatten(1)


class Halving(Part):
    """Base: convolutions that halve the picture, one per entry of ``channels``."""

    def __init__(self, shape: tuple[int, ...], channels: tuple[int, ...], masked: bool = False) -> None:
        super().__init__()
        self.masked, self.width = masked, positions_of(shape, channels) * channels[-1]
        depths = (shape[0] * (2 if masked else 1), *channels)
        self.layers = nn.ModuleList(nn.Conv2d(i, o, 3, stride=2, padding=1) for i, o in pairwise(depths))

    def last_map(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """[B, C, H, W] to [B, channels, h, w]; a pixel that was not observed is 0 in ``x``."""
        h = with_mask(x, mask) if self.masked else x
        for layer in self.layers:
            h = torch.relu(layer(h))
        return h


@register
class ConvEncoder(Halving):
    """Convolutions that halve the picture, then one linear layer to ``width`` features.

    Args:
        linear: the picture itself is appended to the features of the last layer, so that the encoder can be linear.
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
        super().__init__(shape, channels, masked)
        self.linear, self.last = linear, nn.Linear(self.width, width)
        self.width = width + (math.prod(shape) if linear else 0)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, C, H, W] to [B, width]."""
        h = torch.relu(self.last(self.last_map(x, mask).flatten(1)))
        return torch.cat([h, x.flatten(1)], 1) if self.linear else h


@register
class ConvMapEncoder(Halving):
    """Convolutions that halve the picture; the features are those of each position of the last map, one after the other.

    Attributes:
        positions: how many there are.
    """

    name = "conv-map-encoder"

    def __init__(self, shape: tuple[int, ...], channels: tuple[int, ...], masked: bool = False) -> None:
        super().__init__(shape, channels, masked)
        self.positions = positions_of(shape, channels)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, C, H, W] to [B, positions * channels]."""
        return self.last_map(x, mask).flatten(2).mT.flatten(1)


@register
class ConvMapDecoder(Part):
    """Codes as a map with some numbers at each position, a convolution, then transposed convolutions that double it."""

    name = "conv-map-decoder"

    def __init__(self, latent_dim: int, outputs: int, shape: tuple[int, ...], channels: tuple[int, ...]) -> None:
        super().__init__()
        positions = positions_of(shape, channels)
        if latent_dim < positions or latent_dim % positions:
            raise ModelError(f"a map of {positions} positions has a multiple of so many numbers, not {latent_dim}")
        self.sizes = stages(shape, channels)[::-1]
        depths = (*channels[::-1], outputs // (shape[1] * shape[2]))
        self.first = nn.Conv2d(latent_dim // positions, channels[-1], 3, padding=1)
        self.layers = nn.ModuleList(nn.ConvTranspose2d(i, o, 4, stride=2, padding=1) for i, o in pairwise(depths))

    def forward(self, z: Tensor) -> Tensor:
        """[K, B, positions * s] to theta [K, B, P]."""
        code = z.reshape(-1, math.prod(self.sizes[0]), self.first.in_channels).mT
        h = self.first(code.reshape(*code.shape[:2], *self.sizes[0]))
        return doubled(h, self.layers, self.sizes[1:]).reshape(*z.shape[:2], -1)


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
        theta = doubled(h, self.layers, self.sizes[1:]).reshape(*z.shape[:2], -1)
        return theta if self.linear is None else theta + self.linear(z)

    def select_units(self, units: Tensor) -> None:
        """Read only these units of the code."""
        self.linear = self.linear and linear_in(self.linear, units)
        self.first = linear_in(self.first, units)
        if self.skip:
            before = torch.arange(self.second.in_features - self.arguments["latent_dim"], device=units.device)
            self.second = linear_in(self.second, torch.cat([before, units + len(before)]))
        self.arguments["latent_dim"] = len(units)
