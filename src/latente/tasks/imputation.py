"""What was not seen, given what was."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from latente.model.distributions import Conditioned
from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.seeding import seeded
from latente.tasks import reconstruct
from latente.tasks.draws import own_noise, shared_noise

IMPORTANCE_SAMPLES = 256
MORE_SAMPLES = 2048  # for rows of which a few codes have all the weight
LEAST_EFFECTIVE = 50.0
PLAIN_SAMPLES = 128  # of a model without a code: all weigh the same
VALUES_AT_ONCE = 1_000_000

# From a law over the fields of B rows and the weights [K, B] of its codes to some number R of values for each field, [R, B, F].
Finish = Callable[[Conditioned, Tensor], Tensor]


@torch.no_grad()
def expected(model: LatentModel, rows: Rows, seed: int) -> Tensor:
    """Rows [N, F] whose holes hold E[missing | seen] (of levels, the most likely one); what was seen stays.

    The expectation is over codes of q(z|seen), in proportion to p(seen, z) / q(z|seen) (Mattei and Frellsen 2019, eq. 12): 256
    of them, and 2,048 where the effective sample size (Kong 1992) of these is below 50. A row's answer depends neither on its
    neighbours nor on its place. An autoencoder has one code.
    """
    if not model.is_stochastic:
        return _completed(rows, reconstruct.reconstruct(model, rows))
    return _filled(model, rows, seed, 1, lambda law, weights: law.average(weights).unsqueeze(0))[0]


@torch.no_grad()
def drawn(model: LatentModel, rows: Rows, draws: int, seed: int) -> list[Tensor]:
    """``draws`` completions of rows, [N, F] each: holes are drawn from p(missing | seen), by sampling codes in proportion to
    the same weights, each with what the decoder then draws (Mattei and Frellsen 2019, section 4).
    """

    def resampled(law: Conditioned, weights: Tensor) -> Tensor:
        values = law.sample()
        chosen = torch.multinomial(weights.T, draws, replacement=True).T
        return values.gather(0, chosen.unsqueeze(-1).expand(-1, -1, values.shape[-1]))

    return list(_filled(model, rows, seed, draws, resampled))


@torch.no_grad()
def bounds(model: LatentModel, rows: Rows, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows [N, F] whose holes hold the lower, and the upper, end of the interval in the middle of p(missing | seen) that holds
    this share of it.
    """

    def quantiles(law: Conditioned, weights: Tensor) -> Tensor:
        values, order = law.sample().sort(0)
        reached = weights.unsqueeze(-1).expand_as(values).gather(0, order).cumsum(0)
        levels = ((1 - share) / 2, (1 + share) / 2)
        places = torch.stack([(reached < level).sum(0) for level in levels]).clamp(max=len(values) - 1)
        return values.gather(0, places)

    low, high = _filled(model, rows, seed, 2, quantiles)
    return low, high


def _filled(model: LatentModel, rows: Rows, seed: int, results: int, finish: Finish) -> Tensor:
    """So many results for each row, [results, N, F], by ``finish`` where the row has a hole."""
    filled = rows.x.flatten(1).repeat(results, 1, 1)
    holed = torch.nonzero(_lacking(rows)).squeeze(1)
    if len(holed):
        some = rows[holed]
        filled[:, holed] = _completed(some, _finished(model, some, seed, finish))
    return filled


def _finished(model: LatentModel, rows: Rows, seed: int, finish: Finish) -> Tensor:
    """What ``finish`` makes of each row's codes; of more codes where few have all the weight."""
    wide = model.latent_dim + rows.x[:1].numel()
    samples = IMPORTANCE_SAMPLES if model.latent_dim else PLAIN_SAMPLES
    noise = shared_noise(seed, samples, wide, torch.float32)
    with seeded(seed):
        parts, sizes = zip(
            *(_pass(model, batch, noise[:, own_noise(batch)], finish) for batch in _batches(model, rows, len(noise))),
            strict=True,
        )
        values, hard = torch.cat(parts, 1), torch.nonzero(torch.cat(sizes) < LEAST_EFFECTIVE).squeeze(1)
        if len(hard):
            more = torch.randn(MORE_SAMPLES, 1, wide)
            values[:, hard] = torch.cat(
                [
                    _pass(model, batch, more.expand(-1, len(batch), -1), finish)[0]
                    for batch in _batches(model, rows[hard], len(more))
                ],
                1,
            )
    return values


def _pass(model: LatentModel, batch: Rows, noise: Tensor, finish: Finish) -> tuple[Tensor, Tensor]:
    """What ``finish`` makes of K codes for each row, and their effective sample size, [B]."""
    d = model.latent_dim
    trace = model.trace(batch, len(noise), noise=noise[..., :d])
    law = trace.px.conditioned(batch.x, batch.mask, noise[..., d:])
    weights = torch.softmax(law.log_weight + trace.log_prior_ratio, 0) if model.is_stochastic else _equal(law.log_weight)
    return finish(law, weights), 1 / weights.square().sum(0)


def _equal(log_weight: Tensor) -> Tensor:
    """The weights of codes that are all the same one: an autoencoder's."""
    return torch.full_like(log_weight, 1 / len(log_weight))


def _lacking(rows: Rows) -> Tensor:
    """Which rows have holes, bool [N]."""
    return torch.zeros(len(rows), dtype=torch.bool) if rows.mask is None else ~rows.mask.flatten(1).all(1)


def _batches(model: LatentModel, rows: Rows, K: int) -> list[Rows]:
    return list(rows.batches(max(1, VALUES_AT_ONCE // (K * model.footprint))))


def _completed(rows: Rows, values: Tensor) -> Tensor:
    """Rows with ``values`` [..., N, F] where nothing was seen."""
    return rows.x.flatten(1) if rows.mask is None else torch.where(rows.mask.flatten(1), rows.x.flatten(1), values)
