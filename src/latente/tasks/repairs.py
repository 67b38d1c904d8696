"""Wrong values in rows of a table: found by what the other columns say, and replaced by what they let expect."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.data import Data, Table, TableCodec
from latente.errors import ModelError
from latente.fitted import Fitted
from latente.model.priors import Prior
from latente.model.row_models import RowModel
from latente.rows import CATEGORICAL, Field, Rows
from latente.tasks import imputation
from latente.tasks.draws import own_noise, shared_noise

WRONG = 0.01  # share of values that are wrong, before any is looked at
MAX_WRONG = 1 / 3  # share of a row's values
BATCH, DRAWS = 1024, 64
RANGES = 3.0  # times the range of a column in which a value from anywhere lies


class Found(NamedTuple):
    """Log-odds of each value to be one drawn from its column alone, and not with the others, and which are wrong, [N, F]."""

    odds: Tensor
    wrong: Tensor


@torch.no_grad()
def find(model: RowModel, rows: Rows, fields: tuple[Field, ...], seed: int, prior: Prior | None = None) -> Found:
    """Wrong values: of each row the one with the highest odds goes first, and the others are judged without it."""
    anywhere = _anywhere(model, rows, fields)
    noise = shared_noise(seed, DRAWS if model.noise_size else 1, model.noise_size, torch.float32)
    batches = zip(rows.batches(BATCH), torch.split(anywhere, BATCH), strict=True)
    found = [_found(model, batch, noise[:, own_noise(batch)], each, prior) for batch, each in batches]
    return Found(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _anywhere(model: RowModel, rows: Rows, fields: tuple[Field, ...]) -> Tensor:
    """Log-density of each value if it is uniform over some times the range of its column, [N, F]; for levels -inf. Infinite for
    values outside of that: they are wrong, whatever a model that never saw such values makes of them.
    """
    grids = [field.grid for field in fields]
    known = [
        field.kind != CATEGORICAL and grid.low is not None and grid.high is not None
        for field, grid in zip(fields, grids, strict=True)
    ]
    steps = torch.tensor([grid.step for grid in grids])
    ends = [(grid.low, grid.high) if there else (0.0, 1.0) for grid, there in zip(grids, known, strict=True)]
    low, high = torch.tensor(ends).unbind(1)
    size = torch.where(steps > 0, steps, 1.0).log() - (RANGES * (high - low)).clamp_min(1e-6).log()
    possible = torch.tensor(known) & ((steps > 0) | model.likelihood.densities(rows.x))
    margin = (RANGES - 1) / 2 * (high - low)
    beyond = torch.tensor(known) & ((rows.x < low - margin) | (rows.x > high + margin))
    return torch.where(beyond, math.inf, torch.where(possible, size, -math.inf).expand_as(rows.x))


def _found(model: RowModel, rows: Rows, noise: Tensor, anywhere: Tensor, prior: Prior | None) -> Found:
    seen = torch.ones_like(rows.x, dtype=torch.bool) if rows.mask is None else rows.mask
    least = math.log((1 - WRONG) / WRONG)
    left, odds = seen.clone(), _odds(model, rows, seen, noise, anywhere, prior)
    for _ in range(max(1, int(MAX_WRONG * rows.x.shape[1]))):
        worst, place = odds.masked_fill(~left, -math.inf).max(1)
        doubtful = torch.nonzero(worst > least).squeeze(1)
        if not len(doubtful):
            break
        left[doubtful, place[doubtful]] = False
        odds[doubtful] = _odds(model, rows[doubtful], left[doubtful], noise[:, doubtful], anywhere[doubtful], prior)
    return Found(odds.masked_fill(~seen, 0.0), seen & ~left & (odds > least))


def _odds(model: RowModel, rows: Rows, left: Tensor, noise: Tensor, anywhere: Tensor, prior: Prior | None) -> Tensor:
    """A wrong value is one of its column, or one from anywhere, with the same probability."""
    given, alone = model.evidence(replace(rows, x=rows.x * left, mask=left), rows.x, noise, prior)
    return torch.where(anywhere > -math.inf, torch.logaddexp(alone, anywhere) - math.log(2), alone) - given


def repair(fitted: Fitted, data: Data, rows: Rows) -> tuple[Any, NDArray[np.bool_]]:
    """Rows in the user's units with wrong values replaced, and which values were changed, [N, columns].

    Raises:
        ModelError: these are pictures or series.
    """
    codec = fitted.codec
    if not isinstance(data, Table) or not isinstance(codec, TableCodec):
        raise ModelError("repair is for columns of a table, and these are pictures or series: use denoise")
    prior = None if fitted.row_model is not fitted.model or fitted.model.has_prior else fitted.fitted_prior
    wrong = find(fitted.row_model, rows, codec.fields, fitted.seed, prior).wrong
    seen = ~wrong if rows.mask is None else rows.mask & ~wrong
    places = [data.names.index(field.name) for field in codec.fields]
    changed = np.zeros(data.values.shape, bool)
    changed[:, places] = wrong.numpy()
    expected = imputation.expected(fitted.row_model, replace(rows, x=rows.x * seen, mask=seen), fitted.seed)
    repaired = fitted.decode(expected, data.container, source=_without(data, changed), possible=True)
    changed[:, places] |= ~seen.numpy()
    return repaired, changed


def _without(data: Table, wrong: NDArray[np.bool_]) -> Table:
    """A table in which some values are missing."""
    exact = {place: pc.if_else(pa.array(wrong[:, place]), None, values) for place, values in data.exact.items()}
    return replace(data, values=np.where(wrong, np.nan, data.values), exact=exact, text=None)
