"""Missing values given the observed ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from latente.model.distributions import Conditioned
from latente.model.row_models import RowModel
from latente.rows import Rows
from latente.seeding import seeded
from latente.tasks.draws import own_noise, shared_noise
from latente.threads import USUAL, on_threads

MORE_SAMPLES = 2048  # for rows where a few codes have all the weight
MIN_EFFECTIVE = 50.0
DRAWS = 128  # smallest number of draws to choose completions from
DRAWS_OF_BOUNDS = 256  # the ends of an interval depend on the few draws near them
VALUES_AT_ONCE = 1_000_000
PARTS = 10  # parts of the held-out values; intervals are calibrated on one hidden part at a time
ROUNDING = 1e-6  # error of sums and differences in single precision

# Maps distributions of the fields of B rows, weights [K, B] of their codes, and which values are missing, bool [B, F], to R
# values for each field, [R, B, F]; those of other fields are not used.
Finish = Callable[[Conditioned, Tensor, Tensor], Tensor]


@torch.no_grad()
def expected(model: RowModel, rows: Rows, seed: int) -> Tensor:
    """Rows [N, F] with missing values replaced by E[missing | observed] (for levels, the most likely one).

    The expectation is over codes from q(z|observed), weighted by p(observed, z) / q(z|observed) (Mattei and Frellsen 2019, eq.
    12): 256 codes, or 2,048 if their effective sample size (Kong 1992) is below 50. A row's result depends neither on other
    rows nor on its position. With deterministic codes it is the decoded mean.
    """
    return _filled(model, rows, seed, model.draws, 1, lambda law, weights, _: law.average(weights).unsqueeze(0))[0]


@torch.no_grad()
def drawn(model: RowModel, rows: Rows, draws: int, seed: int) -> list[Tensor]:
    """``draws`` completions of rows, [N, F] each: draws from p(missing | observed), by sampling codes in proportion to the same
    weights, and fields from the decoder (Mattei and Frellsen 2019, section 4).
    """

    def resampled(law: Conditioned, weights: Tensor, _: Tensor) -> Tensor:
        values = law.sample()
        chosen = torch.multinomial(weights.T, draws, replacement=True).T
        return values.gather(0, chosen.unsqueeze(-1).expand(-1, -1, values.shape[-1]))

    return list(_filled(model, rows, seed, max(DRAWS, model.draws), draws, resampled))


@torch.no_grad()
def bounds(model: RowModel, rows: Rows, shares: Sequence[float], seed: int) -> Tensor:
    """Rows with missing values replaced by the lower and upper ends of the narrowest intervals with given shares of
    p(missing | observed), as in :func:`narrowest`, [shares, 2, N, F].
    """

    def ends(law: Conditioned, weights: Tensor, missing: Tensor) -> Tensor:
        values = law.sample()
        found = narrowest(values[:, missing].unsqueeze(-1), weights[:, missing.nonzero()[:, 0]], *shares)
        whole = values.new_zeros(2 * len(shares), *missing.shape)
        whole[:, missing] = found.squeeze(-1)
        return whole

    found = _filled(model, rows, seed, max(DRAWS_OF_BOUNDS, model.draws), 2 * len(shares), ends)
    return found.view(len(shares), 2, *found.shape[1:])


def some_hidden(rows: Rows, which: Tensor, seed: int, enough: int) -> tuple[Rows, Tensor]:
    """Rows with a tenth of the observed values of some fields ([F], bool) hidden as well, and where these are, bool.

    The rows are repeated, [M N, F], each time with another tenth hidden, until ``enough`` or all values were hidden.
    """
    observed = torch.ones_like(rows.x, dtype=torch.bool) if rows.mask is None else rows.mask
    with seeded(seed):
        part = torch.randint(PARTS, observed.shape).masked_fill(~(observed & which), PARTS)
    counts = torch.bincount(part.flatten(), minlength=PARTS)[:PARTS].cumsum(0)
    times = int((counts < min(enough, int(counts[-1]))).sum()) + 1
    hidden = torch.cat([part == k for k in range(times)])
    context = None if rows.context is None else rows.context.repeat(times, 1)
    return Rows(rows.x.repeat(times, 1).masked_fill(hidden, 0.0), observed.repeat(times, 1) & ~hidden, context), hidden


def narrowest(values: Tensor, weights: Tensor, *shares: float) -> Tensor:
    """The lower and upper ends of the narrowest intervals with at least given shares of the weighted draws (Chen and Shao
    1999), [2 S, B, F]; among equally narrow ones, the one with the largest share.

    The tails need not have the same probability. On few values, equal tails would be rounded to whole values: for a column of 0
    and 1 with 93% of 0, [0, 0] has 93%, but the interval between the 5% tails is [0, 1].

    Args:
        values: [K, B, F].
        weights: of the draws, [K, B]; they sum to 1 for each row.
        shares: probabilities of the intervals, S of them.
    """
    x, order = values.permute(1, 2, 0).contiguous().sort(-1)
    reached = weights.T.unsqueeze(1).expand_as(x).gather(-1, order).cumsum(-1)
    return torch.cat([_narrowest(x, reached, weights, share) for share in shares])


def _narrowest(x: Tensor, reached: Tensor, weights: Tensor, share: float) -> Tensor:
    """The ends for one share, [2, B, F], from draws in rising order and the probability up to each, [B, F, K]."""
    # On average, 1 / (n + 1) of the probability lies between neighbours of n draws: the draw at the lower end adds nothing, the
    # others a little less than 1 / n each. Without this correction, intervals from few draws would be too narrow.
    needed = share * (1 + weights.square().sum(0)).view(-1, 1, 1)  # n is the effective sample size
    last = torch.searchsorted(reached, reached + needed - ROUNDING)
    whole = torch.arange(x.shape[-1]) == 0  # from the lowest to the highest draw, if no narrower interval has the share
    possible, last = (last < x.shape[-1]) | whole, last.clamp(max=x.shape[-1] - 1)
    width = torch.where(possible, x.gather(-1, last) - x, math.inf)
    as_narrow = width <= width.amin(-1, keepdim=True) + ROUNDING * (x.abs() + x.gather(-1, last).abs())
    last = torch.searchsorted(x, x.gather(-1, last), right=True) - 1  # draws of the same value are included
    held = (reached.gather(-1, last) - reached).masked_fill(~as_narrow, -1.0)
    first = held.argmax(-1, keepdim=True)
    return torch.cat([x.gather(-1, first), x.gather(-1, last.gather(-1, first))], -1).permute(2, 0, 1)


@on_threads(USUAL)
def _filled(model: RowModel, rows: Rows, seed: int, draws: int, results: int, finish: Finish) -> Tensor:
    """A number of results for each row, [results, N, F], by ``finish`` from ``draws`` completions if values are missing."""
    filled = rows.x.flatten(1).repeat(results, 1, 1)
    lacking = torch.nonzero(_lacking(rows)).squeeze(1)
    if len(lacking):
        some = rows[lacking]
        filled[:, lacking] = _completed(some, _finished(model, some, seed, draws, finish))
    return filled


def _finished(model: RowModel, rows: Rows, seed: int, draws: int, finish: Finish) -> Tensor:
    """Results of ``finish`` for completions of each row; from more completions if few have all the weight."""
    wide = model.noise_size + rows.x[:1].numel()
    noise = shared_noise(seed, draws, wide, torch.float32)
    with seeded(seed):
        parts, sizes = zip(
            *(_pass(model, batch, noise[:, own_noise(batch)], finish) for batch in _batches(model, rows, draws)), strict=True
        )
        values, hard = torch.cat(parts, 1), torch.nonzero(torch.cat(sizes) < min(MIN_EFFECTIVE, draws)).squeeze(1)
        if len(hard):
            more = torch.randn(MORE_SAMPLES, 1, wide)
            batches = _batches(model, rows[hard], len(more))
            again = [_pass(model, batch, more.expand(-1, len(batch), -1), finish)[0] for batch in batches]
            values[:, hard] = torch.cat(again, 1)
    return values


def _pass(model: RowModel, batch: Rows, noise: Tensor, finish: Finish) -> tuple[Tensor, Tensor]:
    """Results of ``finish`` for K completions of each row, and their effective sample size, [B]."""
    fields, weights = model.complete(batch, noise)
    assert batch.mask is not None  # these are rows with missing values
    return finish(fields, weights, ~batch.mask.flatten(1)), 1 / weights.square().sum(0)


def _lacking(rows: Rows) -> Tensor:
    """Which rows have missing values, bool [N]."""
    return torch.zeros(len(rows), dtype=torch.bool) if rows.mask is None else ~rows.mask.flatten(1).all(1)


def _batches(model: RowModel, rows: Rows, K: int) -> list[Rows]:
    return list(rows.batches(max(1, VALUES_AT_ONCE // (K * model.footprint))))


def _completed(rows: Rows, values: Tensor) -> Tensor:
    """Rows with missing values replaced by ``values`` [..., N, F]."""
    return rows.x.flatten(1) if rows.mask is None else torch.where(rows.mask.flatten(1), rows.x.flatten(1), values)
