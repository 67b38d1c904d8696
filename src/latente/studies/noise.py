"""The noise floor: the distortion below which a code stores the noise of single fields.

A code should represent what fields have in common. The part of a field that the other fields do not predict is noise in this
sense: a decoder that knew all structure would still have this error. It is measured by predicting each field from all others,
which gives an upper bound of the floor; with few fields, more structure counts as noise.
"""

from __future__ import annotations

import math

import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor

from latente.certificate.estimates import Estimate, unknown
from latente.certificate.subjects import column_means, observed_values, spread_out
from latente.model.distributions import LOG_2PI
from latente.rows import Rows
from latente.words import Message

MAX_FIELDS = 2000  # for inverting their covariance matrix
MAX_NEAR_FIELDS = 64  # for nearest neighbours, which are searched once for each field
MAX_ROWS, MAX_NEAR_ROWS, MAX_JUDGED = 4096, 1000, 500
NEIGHBOURS = 8
MIN_VARIANCE = 1e-8


def noise_floor(train: Rows, held_out: Rows, resolution: Tensor) -> Estimate:
    """Nats per held-out row of normal noise in each field, with the error of predicting it from the other fields.

    Args:
        train, held_out: encoded rows of numbers.
        resolution: smallest recorded step of each field, [F]; the noise includes rounding.
    """
    fields = train.x[:1].numel()
    if fields > MAX_FIELDS:
        return unknown(Message("study.floor_slow", n=fields))
    if fields < 2:
        return unknown(Message("study.floor_one"))
    middle = column_means(train, ())
    values, others = (
        spread_out(rows, (), middle).double() for rows in (train.subsample(MAX_ROWS), held_out.subsample(MAX_JUDGED))
    )
    observed = observed_values(held_out.subsample(MAX_JUDGED), ()).double()
    errors = [_linear(values, others)]
    if fields <= MAX_NEAR_FIELDS:
        errors.append(_near(values[:: max(1, len(values) // MAX_NEAR_ROWS)], others))
    counts = observed.sum(0).clamp_min(1)
    variance = torch.stack([(error.square() * observed).sum(0) / counts for error in errors]).min(0).values
    variance = torch.maximum(variance, resolution.double().square() / 12).clamp_min(MIN_VARIANCE)
    each = 0.5 * (1 + LOG_2PI + variance.log())
    return Estimate(float((observed * each).sum(1).mean()), reason=Message("study.floor_at_most"))


def _linear(train: Tensor, held_out: Tensor) -> Tensor:
    """Errors of a linear prediction of each field from all others, [N, F], from the inverse covariance."""
    fitted = LedoitWolf().fit(train.numpy())
    precision = torch.from_numpy(fitted.precision_)
    residuals: Tensor = (held_out - train.mean(0)) @ precision / precision.diagonal()
    return residuals


def _near(train: Tensor, held_out: Tensor) -> Tensor:
    """Errors of the mean of the nearest rows in all other fields, [N, F], corrected for the variance of this mean."""
    scale = train.std(0).clamp_min(1e-12)
    a, b = held_out / scale, train / scale
    distance = torch.cdist(a, b).square()
    k = min(NEIGHBOURS, len(b))
    columns = []
    for f in range(a.shape[1]):
        without = distance - (a[:, f, None] - b[None, :, f]).square()
        nearest = without.topk(k, largest=False).indices
        columns.append(held_out[:, f] - train[:, f][nearest].mean(1))
    return torch.stack(columns, 1) / math.sqrt(1 + 1 / k)
