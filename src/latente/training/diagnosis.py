"""Diagnosis of a trained model: measures of the code, and their interpretation."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor

from latente.model.latent_model import LatentModel
from latente.model.likelihoods import Likelihood
from latente.rows import Rows
from latente.words import Message

POINTS_AT_ONCE = 64  # codes that are compared with all rows
ACTIVE_VARIANCE = 0.01
MIN_INFORMATION = 0.1
MIN_ACTIVE_SHARE = 0.1
SMALL_DATA = 2000
BATCH = 2048

# The same texts as in certificates.
COLLAPSED, NO_STRUCTURE = Message("verdict.collapsed.name"), Message("verdict.no_structure.name")
FREE_THE_CODE, ONE_BY_ONE = Message("verdict.collapsed.remedy"), Message("verdict.no_structure.remedy")
TRAIN_THE_CODE = Message("verdict.collapsed.remedy_autoencoder")  # an autoencoder has no rate to reduce


def finding(name: str, evidence: str, remedy: str) -> Message:
    """A verdict as one sentence."""
    return Message("verdict.line", name=name, evidence=evidence, remedy=remedy)


@dataclass(frozen=True)
class Diagnosis:
    """How a trained model uses its code.

    Attributes:
        active: which units have information about rows, [d] (Burda et al. 2016: Var_x E[z_u|x] > 0.01).
        information: estimate of I(x; z) in nats; at most the logarithm of the number of rows in the estimate. NaN
            if codes have no density.
        gain: held-out bound minus that of independent columns, nats per row, and its standard error ``gain_error``.
        baseline_log_prob: log-likelihood of the held-out rows under independent columns (given their context, if it is known),
            nats per row.
        of_bound: whether the model was trained for the bound alone.
    """

    active: Tensor
    information: float
    gain: float
    gain_error: float
    baseline_log_prob: float
    of_bound: bool = True

    @property
    def collapsed(self) -> str:
        """Why the code is considered collapsed; empty if it is not."""
        if self.information < MIN_INFORMATION:
            return Message("fit.no_information", nats=self.information)
        if self.active.float().mean() < MIN_ACTIVE_SHARE:
            return Message("fit.few_active", n=int(self.active.sum()), d=len(self.active))
        if self.of_bound and self.gain <= self.gain_error:
            return Message("fit.no_gain", gain=self.gain, error=self.gain_error)
        return ""


@torch.no_grad()
def diagnose(model: LatentModel, train: Rows, held_out: Rows, of_bound: bool = True) -> Diagnosis:
    """Diagnose a trained model."""
    baseline = model.likelihood.baseline_log_prob(*beyond_context(model.likelihood, train, held_out)).double()
    traces = (model.trace(batch) for batch in held_out.batches(BATCH))
    gains = -torch.cat([trace.distortion + trace.rate for trace in traces]).double() - baseline
    error = float(gains.std() / math.sqrt(len(gains))) if len(gains) > 1 else 0.0
    found = active_units(model, train), information(model, train)
    return Diagnosis(*found, float(gains.mean()), error, float(baseline.mean()), of_bound)


def active_units(model: LatentModel, rows: Rows, most: int = 10_000) -> Tensor:
    """Units whose means vary between rows, bool [d]. Without a KL the scale of codes is arbitrary, and variances are relative
    to the largest.
    """
    return active_of(model, model.codes(rows.subsample(most)))


def active_of(model: LatentModel, codes: Tensor | NDArray[Any]) -> Tensor:
    """The same from the posterior means of rows, [N, d]."""
    variance = torch.as_tensor(codes).var(0, correction=0)
    return variance > (ACTIVE_VARIANCE if model.has_rate else ACTIVE_VARIANCE * variance.max())


@torch.no_grad()
def information(model: LatentModel, rows: Rows, most: int = 1000) -> float:
    """I(x; z) = E log q(z_i|x_i) - log (1/N) sum_j q(z_i|x_j) (Hoffman and Johnson 2016), nats."""
    q = model.encode(rows.subsample(most))
    if not q.has_density:
        return math.nan
    z = q.rsample()
    own = q.log_prob(z)
    every = torch.cat([q.pairs_log_prob(points) for points in torch.split(z, POINTS_AT_ONCE)])
    return float((own - (torch.logsumexp(every, 1) - math.log(len(z)))).mean())


def beyond_context(likelihood: Likelihood, train: Rows, held_out: Rows) -> tuple[Rows, Rows]:
    """Rows minus what follows linearly from their context (ridge regression on the training rows): what is left to a code.

    Densities of the residuals are densities of the rows given their context. The rows themselves where they have no context, or
    where a value minus something is no value (:func:`has_residuals`).
    """
    if not has_residuals(likelihood, train):
        return train, held_out
    context = _with_one(train)
    weights = torch.linalg.solve(context.T @ context + torch.eye(context.shape[1]), context.T @ train.x.flatten(1).double())

    def residual(rows: Rows) -> Rows:
        return Rows((rows.x.flatten(1) - _with_one(rows) @ weights).float().view_as(rows.x))

    return residual(train), residual(held_out)


def has_residuals(likelihood: Likelihood, rows: Rows) -> bool:
    """Whether rows have a context and hold only numbers of any size, none of them missing."""
    if rows.context is None or rows.mask is not None or likelihood.support:
        return False
    return bool(likelihood.densities(rows.x).all())


def _with_one(rows: Rows) -> Tensor:
    assert rows.context is not None
    return torch.cat([torch.ones(len(rows), 1), rows.context], 1).double()


def linear_baseline(train: Rows, held_out: Rows, components: int) -> float:
    """Held-out log-likelihood of probabilistic PCA (Tipping and Bishop 1999), nats per row; NaN if it is undefined."""
    x, y = (rows.x.flatten(1).double().cpu().numpy() for rows in (train, held_out))
    if train.mask is not None or x.shape[1] < 2 or len(x) <= x.shape[1] or not len(y):
        return math.nan
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # an ill-conditioned matrix: almost linearly dependent columns
            return float(PCA(min(components, x.shape[1] - 1), svd_solver="covariance_eigh").fit(x).score(y))
    except np.linalg.LinAlgError:  # linearly dependent columns have no joint density
        return math.nan
