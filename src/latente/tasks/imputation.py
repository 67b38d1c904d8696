"""What was not seen, given what was."""

from __future__ import annotations

import torch
from torch import Tensor

from latente.model.latent_model import LatentModel, Trace
from latente.rows import Rows
from latente.seeding import seeded
from latente.tasks.draws import own_noise, shared_noise
from latente.tasks.reconstruct import reconstruct

IMPORTANCE_SAMPLES = 256
VALUES_AT_ONCE = 1_000_000


@torch.no_grad()
def expected(model: LatentModel, rows: Rows, seed: int, K: int = IMPORTANCE_SAMPLES) -> Tensor:
    """Rows [N, F] whose holes hold E[missing | seen] (of levels, the most likely one); what was seen stays.

    The expectation is over ``K`` codes of q(z|seen), in proportion to p(seen, z) / q(z|seen) (Mattei and Frellsen 2019,
    eq. 12). A row's answer depends neither on its neighbours nor on its place. An autoencoder has one code.
    """
    if not model.is_stochastic:
        return _completed(rows, reconstruct(model, rows))
    noise = shared_noise(seed, K, model.latent_dim, torch.float32)
    parts = []
    for batch in _batches(rows, K):
        trace = model.trace(batch, K, noise=noise[:, own_noise(batch)])
        parts.append(_completed(batch, trace.px.average(_weights(trace))))
    return torch.cat(parts)


@torch.no_grad()
def drawn(model: LatentModel, rows: Rows, draws: int, seed: int, K: int = IMPORTANCE_SAMPLES) -> list[Tensor]:
    """``draws`` completions of rows, [N, F] each: holes are drawn from p(missing | seen), by sampling codes in proportion to
    the same weights and then each field from the decoder (Mattei and Frellsen 2019, section 4).
    """
    completions: list[list[Tensor]] = [[] for _ in range(draws)]
    with seeded(seed):
        for batch in _batches(rows, K):
            trace = model.trace(batch, K if model.is_stochastic else 1)
            chosen = torch.multinomial(_weights(trace).T, draws, replacement=True)
            for parts, pick in zip(completions, chosen.unbind(1), strict=True):
                z = trace.z[pick, torch.arange(len(batch))]
                parts.append(_completed(batch, model.decode(z.unsqueeze(0)).sample().squeeze(0)))
    return [torch.cat(parts) for parts in completions]


def _batches(rows: Rows, K: int) -> list[Rows]:
    return list(rows.batches(max(1, VALUES_AT_ONCE // (K * rows.x[:1].numel()))))


def _weights(trace: Trace) -> Tensor:
    """Self-normalised importance weights, [K, B]."""
    if len(trace.z) == 1:
        return torch.ones_like(trace.log_likelihood)
    return torch.softmax(trace.log_likelihood + trace.log_prior_ratio, 0)


def _completed(rows: Rows, values: Tensor) -> Tensor:
    """Rows [N, F] with ``values`` where nothing was seen."""
    return rows.x.flatten(1) if rows.mask is None else torch.where(rows.mask.flatten(1), rows.x.flatten(1), values)
