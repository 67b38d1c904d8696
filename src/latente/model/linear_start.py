"""Initialisation at a linear model of the same size.

Probabilistic PCA (Tipping and Bishop 1999) has a closed form. Its residual is the initial noise level of the likelihood. If
encoder and decoder have a linear path, that path starts as its solution, so training starts at the bound of the linear model,
and the layers improve on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from latente.model.latent_model import LatentModel
from latente.model.networks.conv import ConvDecoder
from latente.model.networks.mlp import MLPDecoder
from latente.model.networks.series import PathDecoder, ToSteps
from latente.model.posteriors import Posterior
from latente.rows import Rows, indicators

MAX_ROWS = 4096
MIN_SHARE_OF_VARIANCE = 1e-4
STARTING_VARIANCE = 0.05  # of posteriors of codes along time


@dataclass(frozen=True)
class LinearModel:
    """x = mean + weights z + noise, with z ~ N(0, I); double precision.

    Attributes:
        mean: [F]. weights: [F, d]. residual: variance of the noise in each field, [F].
    """

    mean: Tensor
    weights: Tensor
    residual: Tensor

    def posterior(self) -> tuple[Tensor, Tensor, Tensor]:
        """E[z|x] = A x + b and the variances of z given x: A [d, F], b [d], variance [d]."""
        weighted = self.weights / self.residual.unsqueeze(1)
        precision = torch.eye(weighted.shape[1], dtype=weighted.dtype) + self.weights.T @ weighted
        A = torch.linalg.solve(precision, weighted.T)
        return A, -A @ self.mean, 1 / precision.diagonal()


@torch.no_grad()
def linear_model(rows: Rows, d: int) -> LinearModel:
    """PCA with ``d`` components; a missing value counts as 0, the mean of a standardised column."""
    x = rows.x.flatten(1).double().cpu()
    mean = x.mean(0)
    x = x - mean
    rank = max(1, min(d, (len(x) - 1) // 2, x.shape[1]))
    _, s, v = torch.svd_lowrank(x, q=min(rank + 8, *x.shape), niter=4)
    eigenvalues, v = s[:rank].square() / len(x), v[:, :rank]
    # The discarded variance lies in F - d directions (Tipping and Bishop 1999, eq. 8); a share of (F - d) / F of it falls on
    # each field. The components were fitted to these n rows, which leaves n - 1 - d degrees of freedom.
    directions, rows_left = max(1, x.shape[1] - rank), max(1, len(x) - 1 - rank)
    residual = (x - (x @ v) @ v.T).square().sum(0) * x.shape[1] / directions / rows_left
    residual = torch.maximum(residual, MIN_SHARE_OF_VARIANCE * x.square().mean(0)).clamp_min(1e-8)
    weights = torch.zeros(x.shape[1], d, dtype=x.dtype)
    weights[:, :rank] = v * (eigenvalues - residual.mean()).clamp_min(1e-8).sqrt()
    return LinearModel(mean, weights, residual)


@torch.no_grad()
def start(model: LatentModel, rows: Rows, resolution: Tensor) -> None:
    """Initialise at the linear model: the noise of the likelihood, and the linear paths if both networks have one.

    Args:
        model: untrained.
        rows: the training rows.
        resolution: smallest step between recorded values of each field, [F].
    """
    some = rows.subsample(MAX_ROWS)
    linear = linear_model(some, max(1, model.latent_dim))
    if starts_along_time(model):
        linear = replace(linear, residual=_start_along_time(model, some))
    model.likelihood.start(rows, linear.residual.float(), resolution)
    model.prior.start(some)  # type: ignore[operator]
    model.posterior.start_codes(lambda: model.features(some.x, some.mask, some.context))  # type: ignore[operator]
    if starts_linear(model):
        levels = model.encoder.arguments.get("levels", ())
        if levels:
            linear = linear_model(replace(some, x=indicators(some.x, levels)), model.latent_dim)
        _start_paths(model, linear)
    model.prior.start_codes(lambda: model.encode(some).code)  # type: ignore[operator]


def starts_linear(model: LatentModel) -> bool:
    """Whether both networks can represent a linear model without layers, and the likelihood its noise."""
    paths = model.posterior.starts_linear, getattr(model.encoder, "linear", False), getattr(model.decoder, "linear", None)
    return all(paths) and bool(model.likelihood.starts_linear)


def starts_along_time(model: LatentModel) -> bool:
    """Whether codes are paths along time, and both networks have a linear path."""
    possible = isinstance(model.decoder, PathDecoder) and bool(getattr(model.encoder, "linear", False))
    return possible and model.posterior.starts_linear and model.likelihood.outputs == model.likelihood.size  # type: ignore[return-value]


def _start_along_time(model: LatentModel, rows: Rows) -> Tensor:
    """Begin at principal components of the channels; returns what these leave, the variance of each field, [F]."""
    posterior, decoder = model.posterior, model.decoder
    assert isinstance(posterior, Posterior)
    assert isinstance(decoder, PathDecoder)
    x = rows.x.view(len(rows), -1, decoder.steps)
    down, left = decoder.start_linear(x)
    d, F = down.shape
    posterior.head.weight[:d, :-F].mul_(0.1)
    posterior.head.weight[:d, -F:] = down
    posterior.head.bias[:d] = -down @ x.mean((0, 2)).repeat_interleave(decoder.steps)
    posterior.start(torch.full((d,), STARTING_VARIANCE))
    return left.square().mean(0).flatten().double().clamp_min(1e-6)


def _start_paths(model: LatentModel, linear: LinearModel) -> None:
    """The linear paths; the other layers start at a tenth of their usual size, so that they do not dominate."""
    A, b, variance = linear.posterior()
    d, F = A.shape
    posterior, decoder = model.posterior, model.decoder
    assert isinstance(posterior, Posterior)
    assert isinstance(decoder, (MLPDecoder, ConvDecoder, ToSteps))
    posterior.head.weight[:d, :-F].mul_(0.1)
    posterior.head.weight[:d, -F:] = A.float()
    posterior.head.bias[:d] = b.float()
    posterior.start(variance.float())
    assert decoder.linear is not None
    weights, bias = model.likelihood.linear_theta(linear.weights, linear.mean, linear.residual)
    decoder.linear.weight.zero_()[:, :d] = weights.float()
    decoder.linear.bias.copy_(bias)
    last = decoder.layers[-1]
    assert isinstance(last, (nn.Linear, nn.Conv1d, nn.ConvTranspose2d))
    last.weight.mul_(0.1)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
