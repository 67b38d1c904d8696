"""Reconstructions of rows."""

from __future__ import annotations

import torch
from torch import Tensor

from latente.model.latent_model import LatentModel, Trace
from latente.model.row_models import RowModel
from latente.rows import Rows
from latente.tasks.draws import own_noise, shared_noise

BATCH = 8192
DRAWS = 32


@torch.no_grad()
def decode(model: RowModel, z: Tensor, context: Tensor | None = None, noise: bool = False) -> Tensor:
    """Mean of p(x|z) at codes [N, d], as [N, F]; with ``noise`` a draw."""
    parts = Rows(z, context=context).batches(min(BATCH, model.decoded_at_once))
    decoded = (model.decode(part.x.unsqueeze(0), part.context) for part in parts)
    return torch.cat([(px.sample() if noise else px.mean).squeeze(0) for px in decoded])


def reconstruct(model: LatentModel, rows: Rows, decoder: RowModel | None = None, noise: bool = False) -> Tensor:
    """Mean of p(x|z) at each row's code, [N, F]; with ``noise`` a draw. By default the model itself decodes."""
    return decode(decoder or model, model.codes(rows), rows.context, noise)


@torch.no_grad()
def denoise(model: LatentModel, rows: Rows, seed: int, draws: int = DRAWS) -> Tensor:
    """E[clean row | row]: decoded means, averaged over the posterior of the code, [N, F].

    The average is over ``draws`` codes of q(z|x) with the weights p(x, z) / q(z|x), normalised for each row, which converges to
    the mean under the model's true posterior (self-normalised importance sampling). With deterministic codes it is the decoded
    mean.
    """
    if not model.noise_size:
        return reconstruct(model, rows)
    noise = shared_noise(seed, draws, model.noise_size, torch.float32)
    batches = rows.batches(max(1, BATCH // draws))
    return torch.cat([expected(model, batch, noise[:, own_noise(batch)])[0] for batch in batches])


def expected(model: LatentModel, batch: Rows, noise: Tensor) -> tuple[Tensor, Tensor]:
    """E[clean row | observed values], [B, F], over the codes for ``noise`` [K, B, d], and the effective sample size of
    each row, [B] (Kong 1992).
    """
    trace = model.trace(batch, len(noise), noise=noise)
    weights = importance_weights(trace)
    return trace.px.average(weights), 1 / weights.square().sum(0)


def importance_weights(trace: Trace) -> Tensor:
    """p(x, z) / q(z|x), normalised over the K codes of each row, [K, B]."""
    return torch.softmax(trace.log_weights, 0)
