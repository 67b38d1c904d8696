"""Networks along time, for windows of series [B, C, L]. A row of columns is one channel, and a picture a series of pixels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.networks.mlp import linear_in, with_mask
from latente.model.parts import Part, register
from latente.model.paths import processes_and_knots

KERNEL = 3


def channels_and_steps(shape: tuple[int, ...]) -> tuple[int, int]:
    """Channels and steps of a row.

    >>> channels_and_steps((3, 24)), channels_and_steps((12,)), channels_and_steps((1, 8, 8))
    ((3, 24), (1, 12), (1, 64))
    """
    return (1, shape[0]) if len(shape) == 1 else (shape[0], math.prod(shape[1:]))


def dilations(steps: int) -> tuple[int, ...]:
    """1, 2, 4, … until the last convolution sees all steps.

    >>> dilations(24)
    (1, 2, 4, 8)
    """
    return tuple(2**k for k in range(max(1, math.ceil(math.log2(max(2, steps) / (KERNEL - 1) + 1)))))


class Causal(nn.Module):
    """Convolutions with growing gaps between what they read, each added to its input: a step depends on itself and earlier ones
    (van den Oord et al. 2016).
    """

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        self.gaps = dilations(steps)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, KERNEL, dilation=gap) for gap in self.gaps)

    def forward(self, h: Tensor) -> Tensor:
        """[B, width, L] to the same."""
        for layer, gap in zip(self.layers, self.gaps, strict=True):
            h = h + torch.relu(layer(F.pad(h, ((KERNEL - 1) * gap, 0))))
        return h


class OfSteps(Part):
    """Base of encoders: what a network along time says at the last step and in the mean, and the row itself.

    Args:
        shape: of a row. width: of the network. masked: whether the mask is an additional input.
        linear: whether the row itself is appended to the features, so that a linear code is easy to learn.
    """

    def __init__(self, shape: tuple[int, ...], width: int, masked: bool, linear: bool) -> None:
        super().__init__()
        self.masked, self.linear = masked, linear
        self.channels, self.steps = channels_and_steps(shape)
        self.inputs = self.channels * (2 if masked else 1)
        self.width = 2 * width + (math.prod(shape) if linear else 0)

    def states(self, x: Tensor) -> Tensor:
        """States of each step, [B, inputs, L] to [B, width, L]."""
        raise NotImplementedError

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, *shape] to [B, H]; a missing value is 0 in ``x``."""
        row = x.flatten(1)
        read = with_mask(row, mask.flatten(1) if mask is not None else None) if self.masked else row
        h = self.states(read.view(len(x), self.inputs, self.steps))
        return torch.cat([h[..., -1], h.mean(-1), *([row] if self.linear else [])], 1)


@register
class DilatedEncoder(OfSteps):
    """Causal convolutions with growing gaps."""

    name = "dilated-encoder"

    def __init__(self, shape: tuple[int, ...], width: int = 64, masked: bool = False, linear: bool = False) -> None:
        super().__init__(shape, width, masked, linear)
        self.first = nn.Conv1d(self.inputs, width, 1)
        self.causal = Causal(width, self.steps)

    def states(self, x: Tensor) -> Tensor:
        return self.causal(self.first(x))  # type: ignore[no-any-return]


@register
class GRUEncoder(OfSteps):
    """A recurrent network (GRU) that reads the steps in order."""

    name = "gru-encoder"

    def __init__(self, shape: tuple[int, ...], width: int = 64, masked: bool = False, linear: bool = False) -> None:
        super().__init__(shape, width, masked, linear)
        self.recurrent = nn.GRU(self.inputs, width)

    def states(self, x: Tensor) -> Tensor:
        return self.recurrent(x.permute(2, 0, 1))[0].permute(1, 2, 0)  # type: ignore[no-any-return]


class ToSteps(Part):
    """Base of decoders: a code becomes states of each step, which a last convolution turns into theta.

    Args:
        latent_dim, outputs: d and P. shape: of a row. width: of the network.
        linear: whether a linear map of the code is added to the output.
    """

    def __init__(self, latent_dim: int, outputs: int, shape: tuple[int, ...], width: int, linear: bool) -> None:
        super().__init__()
        self.steps = channels_and_steps(shape)[1]
        self.per_step, rest = divmod(outputs, self.steps)
        if rest:
            raise ModelError(f"{self.name!r} is for series and rows of numbers, not for mixed columns: choose 'mlp-decoder'")
        self.linear = nn.Linear(latent_dim, outputs) if linear else None
        self.first = nn.Linear(latent_dim, width)
        self.layers = nn.ModuleList([nn.Conv1d(width, self.per_step, 1)])

    def states(self, code: Tensor) -> Tensor:
        """[B, d] to [B, width, L]."""
        raise NotImplementedError

    def forward(self, z: Tensor) -> Tensor:
        """[K, B, d] to theta [K, B, P]."""
        theta: Tensor = self.layers[-1](self.states(z.flatten(0, 1))).flatten(1).view(*z.shape[:2], -1)
        return theta if self.linear is None else theta + self.linear(z)

    def select_units(self, units: Tensor) -> None:
        """Read only these units of the code."""
        self.linear = self.linear and linear_in(self.linear, units)
        self.first = linear_in(self.first, units)
        self.arguments["latent_dim"] = len(units)


@register
class DilatedDecoder(ToSteps):
    """A learned state for each step plus the code, then causal convolutions with growing gaps."""

    name = "dilated-decoder"

    def __init__(self, latent_dim: int, outputs: int, shape: tuple[int, ...], width: int = 64, linear: bool = False) -> None:
        super().__init__(latent_dim, outputs, shape, width, linear)
        self.places = nn.Parameter(torch.randn(width, self.steps) / width**0.5)
        self.gains = nn.Parameter(torch.randn(width, self.steps) / width**0.5)
        self.causal = Causal(width, self.steps)

    def states(self, code: Tensor) -> Tensor:
        h = self.first(code).unsqueeze(-1)
        return self.causal(self.places + h * (1 + self.gains))  # type: ignore[no-any-return]


@register
class GRUDecoder(ToSteps):
    """A recurrent network (GRU) that begins at the code and reads it at every step."""

    name = "gru-decoder"

    def __init__(self, latent_dim: int, outputs: int, shape: tuple[int, ...], width: int = 64, linear: bool = False) -> None:
        super().__init__(latent_dim, outputs, shape, width, linear)
        self.recurrent = nn.GRU(width, width)

    def states(self, code: Tensor) -> Tensor:
        h = torch.tanh(self.first(code))
        states: Tensor = self.recurrent(h.expand(self.steps, -1, -1), h.unsqueeze(0).contiguous())[0]
        return states.permute(1, 2, 0)


@register
class PathDecoder(ToSteps):
    """A code along time (:mod:`latente.model.paths`): its processes, drawn through their knots, and at each step the sum of a
    linear map and a network of them.

    Args:
        processes: how many share the code, at most.
    """

    name = "path-decoder"

    def __init__(self, latent_dim: int, outputs: int, shape: tuple[int, ...], width: int = 64, processes: int = 2) -> None:
        super().__init__(latent_dim, outputs, shape, width, linear=False)
        self.paths = processes_and_knots(latent_dim, processes)
        self.first = nn.Linear(self.paths[0], width)
        self.hidden = nn.Linear(width, width)
        self.direct = nn.Linear(self.paths[0], self.per_step)

    def forward(self, z: Tensor) -> Tensor:
        """[K, B, d] to theta [K, B, P]."""
        linear: Tensor = self.direct(self.along_time(z.flatten(0, 1))).permute(1, 2, 0)
        return super().forward(z) + linear.flatten(1).view(*z.shape[:2], -1)

    select_units = None  # type: ignore[assignment]  # a unit is a moment of a process

    def along_time(self, code: Tensor) -> Tensor:
        """Values of the processes at each step, [B, d] to [L, B, processes]."""
        return F.interpolate(code.view(len(code), *self.paths), self.steps, mode="linear", align_corners=True).permute(2, 0, 1)

    def states(self, code: Tensor) -> Tensor:
        return torch.relu(self.hidden(torch.relu(self.first(self.along_time(code))))).permute(1, 2, 0)

    @torch.no_grad()
    def start_linear(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Begin where processes are the principal components of the channels, at the knots.

        Args:
            x: windows, [N, C, L].

        Returns:
            The linear map from windows to codes, [d, C L], and what it leaves, [N, C, L].
        """
        m, k = self.paths
        centre = x.mean((0, 2))
        away = (x - centre.unsqueeze(1)).double()
        _, vectors = torch.linalg.eigh(torch.einsum("ncl,nel->ce", away, away))
        across = F.pad(vectors.flip(1)[:, :m], (0, max(0, m - len(centre))))
        between = F.interpolate(torch.eye(k).unsqueeze(0), self.steps, mode="linear", align_corners=True)[0]  # knots, steps
        knots = torch.linalg.pinv(between.double())
        scale = torch.einsum("cm,ncl,lk->nmk", across, away, knots).std((0, 2)).clamp_min(1e-6)
        down = torch.einsum("cm,lk->mkcl", across / scale, knots).flatten(2).flatten(0, 1).float()
        self.direct.weight.copy_(across * scale)
        self.direct.bias.copy_(centre)
        last = self.layers[-1]
        assert isinstance(last, nn.Conv1d)
        last.weight.mul_(0.1)
        codes = away.float().flatten(1) @ down.T
        return down, x - self(codes.unsqueeze(0))[0].view_as(x)


@register
class RecurrentPathDecoder(PathDecoder):
    """The same, with a recurrent network (GRU) along the steps."""

    name = "recurrent-path-decoder"

    def __init__(self, latent_dim: int, outputs: int, shape: tuple[int, ...], width: int = 64, processes: int = 2) -> None:
        super().__init__(latent_dim, outputs, shape, width, processes)
        self.recurrent = nn.GRU(width, width)

    def states(self, code: Tensor) -> Tensor:
        states: Tensor = self.recurrent(torch.relu(self.first(self.along_time(code))))[0]
        return torch.relu(self.hidden(states)).permute(1, 2, 0)


@register
class TrendSeasonDecoder(DilatedDecoder):
    """The sum of a polynomial trend, seasons and the rest (TimeVAE, Desai et al. 2021): coefficients of the trend, and the
    values of each season, are linear in the code; the rest is a :class:`DilatedDecoder`.

    Args:
        degree: of the trend.
        seasons: numbers of steps after which a season repeats; () for a half and a quarter of the window.
    """

    name = "trend-season-decoder"

    def __init__(
        self,
        latent_dim: int,
        outputs: int,
        shape: tuple[int, ...],
        width: int = 64,
        linear: bool = False,
        degree: int = 2,
        seasons: tuple[int, ...] = (),
    ) -> None:
        super().__init__(latent_dim, outputs, shape, width, linear)
        periods = seasons or tuple(sorted({max(2, self.steps // 2), max(2, self.steps // 4)}))
        if any(period < 2 for period in periods):
            raise ModelError(f"a season has at least 2 steps, and these have {', '.join(map(str, periods))}")
        time = torch.linspace(0, 1, self.steps)
        repeats = [F.one_hot(torch.arange(self.steps) % period, period).float().T for period in periods]
        basis = torch.cat([torch.stack([time**power for power in range(degree + 1)]), *repeats])
        self.register_buffer("basis", basis, persistent=False)
        self.coefficients = nn.Linear(latent_dim, self.per_step * len(basis))

    basis: Tensor

    def forward(self, z: Tensor) -> Tensor:
        weights: Tensor = self.coefficients(z).view(*z.shape[:2], self.per_step, -1)
        return super().forward(z) + (weights @ self.basis).flatten(2)

    def select_units(self, units: Tensor) -> None:
        super().select_units(units)
        self.coefficients = linear_in(self.coefficients, units)
