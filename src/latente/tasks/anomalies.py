"""How unlikely a row is, compared with held-out rows, and the fields that contribute most."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.model.doubles import in_double
from latente.model.row_models import RowModel
from latente.rows import Rows
from latente.tasks.draws import own_noise, shared_noise
from latente.threads import USUAL, on_threads

IMPORTANCE_SAMPLES = 100
VALUES_AT_ONCE = 500_000


@torch.no_grad()
def log_likelihood(model: RowModel, rows: Rows, seed: int, K: int = IMPORTANCE_SAMPLES) -> NDArray[np.float64]:
    """log p(x), nats per row, [N]; with a code, the importance-weighted lower bound (Burda et al. 2016, eq. 8).

    Missing fields are marginalised out. A row's score depends neither on other rows nor on its position: its random draws
    are determined by its values, and computed in double precision. For an autoencoder, which has no density over codes,
    it is log p(x|z) at the row's code: not a bound of log p(x).
    """
    return _in_batches(lambda model: model.log_prob, model, rows, seed, K)


@torch.no_grad()
def log_likelihood_parts(model: RowModel, rows: Rows, seed: int, K: int = IMPORTANCE_SAMPLES) -> NDArray[np.float64]:
    """Contribution of each field to :func:`log_likelihood`, and last that of the code, nats, [N, F + 1]; their sum is the
    score.

    log p(x) = E[log p(x|z)] - KL(p(z|x) || p(z)), the mean over p(z|x), approximated by weighted draws of q(z|x): a field's
    part is its term in the mean, the code's is minus the KL. For an autoregressive model the parts are the terms of the
    chain rule.
    """
    return _in_batches(lambda model: model.log_prob_parts, model, rows, seed, K)


Measure = Callable[[Rows, Tensor], Tensor]


@on_threads(USUAL)
def _in_batches(measure: Callable[[RowModel], Measure], model: RowModel, rows: Rows, seed: int, K: int) -> NDArray[np.float64]:
    model = in_double(model)
    K = K if model.noise_size else 1
    noise = shared_noise(seed, K, model.noise_size, torch.float64)
    batches = rows.batches(max(1, VALUES_AT_ONCE // (K * model.footprint)))
    parts = [measure(model)(batch.to("cpu", torch.float64), noise[:, own_noise(batch)]) for batch in batches]
    values: NDArray[np.float64] = torch.cat(parts).numpy()
    return values


@torch.no_grad()
@on_threads(USUAL)
def field_surprise(model: RowModel, rows: Rows) -> Tensor:
    """-log p of each field given the row's code, nats, [N, F]; 0 where it is missing."""
    return -torch.cat([model.field_log_prob(batch) for batch in rows.batches(8192)])


def blame(surprise: Tensor, usual: NDArray[np.float64], names: tuple[str, ...], most: int = 3) -> list[str]:
    """For each row, the fields with the largest excess over their usual surprise, with this excess in nats."""
    excess = surprise.double().numpy() - usual
    order = np.argsort(-excess, axis=1)[:, :most]
    return [", ".join(f"{names[f]} ({row[f]:+.1f})" for f in top if row[f] > 0) for row, top in zip(excess, order, strict=True)]
