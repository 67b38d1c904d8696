"""What was not seen, given what was."""

from __future__ import annotations

import torch
from torch import Tensor

from latente.model.latent_model import LatentModel, Trace
from latente.rows import Rows
from latente.seeding import seeded
from latente.tasks import reconstruct
from latente.tasks.draws import own_noise, shared_noise

IMPORTANCE_SAMPLES = 256
MORE_SAMPLES = 2048  # for rows of which a few codes have all the weight
LEAST_EFFECTIVE = 50.0
VALUES_AT_ONCE = 1_000_000


@torch.no_grad()
def expected(model: LatentModel, rows: Rows, seed: int) -> Tensor:
    """Rows [N, F] whose holes hold E[missing | seen] (of levels, the most likely one); what was seen stays.

    The expectation is over codes of q(z|seen), in proportion to p(seen, z) / q(z|seen) (Mattei and Frellsen 2019, eq. 12): 256
    of them, and 2,048 where the effective sample size (Kong 1992) of these is below 50. A row's answer depends neither on its
    neighbours nor on its place. An autoencoder has one code.
    """
    if not model.is_stochastic:
        return _completed(rows, reconstruct.reconstruct(model, rows))
    filled = rows.x.flatten(1).clone()
    holed = torch.nonzero(_lacking(rows)).squeeze(1)
    if len(holed):
        filled[holed] = _completed(rows[holed], _filled(model, rows[holed], seed))
    return filled


def _filled(model: LatentModel, rows: Rows, seed: int) -> Tensor:
    noise = shared_noise(seed, IMPORTANCE_SAMPLES, model.latent_dim, torch.float32)
    parts, sizes = [], []
    for batch in _batches(rows, len(noise)):
        values, effective = reconstruct.expected(model, batch, noise[:, own_noise(batch)])
        parts.append(values)
        sizes.append(effective)
    filled, hard = torch.cat(parts), torch.nonzero(torch.cat(sizes) < LEAST_EFFECTIVE).squeeze(1)
    if len(hard):
        with seeded(seed, MORE_SAMPLES):
            more = torch.randn(MORE_SAMPLES, 1, model.latent_dim)
        again = [
            reconstruct.expected(model, batch, more.expand(-1, len(batch), -1))[0]
            for batch in _batches(rows[hard], MORE_SAMPLES)
        ]
        filled[hard] = torch.cat(again)
    return filled


def _lacking(rows: Rows) -> Tensor:
    """Which rows have holes, bool [N]."""
    return torch.zeros(len(rows), dtype=torch.bool) if rows.mask is None else ~rows.mask.flatten(1).all(1)


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
    """The importance weights of K codes, [K, B]; an autoencoder's one code has no density, and all the weight."""
    return torch.ones_like(trace.log_likelihood) if len(trace.z) == 1 else reconstruct.importance_weights(trace)


def _completed(rows: Rows, values: Tensor) -> Tensor:
    """Rows [N, F] with ``values`` where nothing was seen."""
    return rows.x.flatten(1) if rows.mask is None else torch.where(rows.mask.flatten(1), rows.x.flatten(1), values)
