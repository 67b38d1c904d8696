"""How unlikely a row is, how that compares with rows the model did not learn from, and which fields make it so."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.tasks.draws import own_noise, shared_noise

IMPORTANCE_SAMPLES = 100
VALUES_AT_ONCE = 500_000


@torch.no_grad()
def log_likelihood(model: LatentModel, rows: Rows, seed: int, K: int = IMPORTANCE_SAMPLES) -> NDArray[np.float64]:
    """Importance-weighted lower bound of log p(x), nats per row, [N] (Burda et al. 2016, eq. 8).

    Fields that were not seen are marginalised out. A row's score depends neither on its neighbours nor on its place: its draws
    are chosen by its own values, and computing is in double precision. For an autoencoder, which has no density over codes,
    it is
    log p(x|z) at the row's code: not a bound of log p(x).
    """
    return _in_batches(_bound, model, rows, seed, K)


@torch.no_grad()
def log_likelihood_parts(model: LatentModel, rows: Rows, seed: int, K: int = IMPORTANCE_SAMPLES) -> NDArray[np.float64]:
    """What each field has of :func:`log_likelihood`, and last what the code has, nats, [N, F + 1]: they add up to it.

    log p(x) = E[log p(x|z)] - KL(p(z|x) || p(z)), the mean over p(z|x), for which weighted draws of q(z|x) stand: a field's
    part is its share of the mean, the code's is the divergence. Without a code the parts are the terms of the chain rule.
    """
    return _in_batches(_parts, model, rows, seed, K)


def _in_batches(
    measured: Callable[[LatentModel, Rows, Tensor], NDArray[np.float64]], model: LatentModel, rows: Rows, seed: int, K: int
) -> NDArray[np.float64]:
    model = copy.deepcopy(model).double()
    K = K if model.noise_size else 1
    noise = shared_noise(seed, K, model.noise_size, torch.float64)
    size = max(1, VALUES_AT_ONCE // (K * model.footprint))
    return np.concatenate([measured(model, batch, noise[:, own_noise(batch)]) for batch in rows.batches(size)])


def _bound(model: LatentModel, batch: Rows, noise: Tensor) -> NDArray[np.float64]:
    log_weights = model.trace(batch.to("cpu", torch.float64), len(noise), noise=noise).log_weights
    result: NDArray[np.float64] = (torch.logsumexp(log_weights, 0) - math.log(len(noise))).numpy()
    return result


def _parts(model: LatentModel, batch: Rows, noise: Tensor) -> NDArray[np.float64]:
    trace = model.trace(batch.to("cpu", torch.float64), len(noise), noise=noise)
    log_weights = trace.log_weights
    fields = (torch.softmax(log_weights, 0).unsqueeze(-1) * trace.px.log_prob(trace.rows.x, trace.rows.mask)).sum(0)
    bound = torch.logsumexp(log_weights, 0) - math.log(len(noise))
    result: NDArray[np.float64] = torch.cat([fields, (bound - fields.sum(1)).unsqueeze(1)], 1).numpy()
    return result


@torch.no_grad()
def field_surprise(model: LatentModel, rows: Rows) -> Tensor:
    """-log p(x_f|z) of each field at the row's code, nats, [N, F]; 0 where it was not seen."""
    parts = [
        model.decode(model.encode(batch).code.unsqueeze(0), batch.context).log_prob(batch.x, batch.mask)[0]
        for batch in rows.batches(8192)
    ]
    return -torch.cat(parts)


def blame(surprise: Tensor, usual: NDArray[np.float64], names: tuple[str, ...], most: int = 3) -> list[str]:
    """For each row the fields that say most against it, with the nats by which they exceed what is usual."""
    excess = surprise.double().numpy() - usual
    order = np.argsort(-excess, axis=1)[:, :most]
    return [", ".join(f"{names[f]} ({row[f]:+.1f})" for f in top if row[f] > 0) for row, top in zip(excess, order, strict=True)]
