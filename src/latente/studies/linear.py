"""Rate and distortion of probabilistic PCA in nats: the baseline of a rate-distortion curve.

Its posterior is exact, so that rate + distortion is -log p(x) (Tipping and Bishop 1999), the minimum for a linear code with one
noise variance for all fields.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from latente.certificate.information import RateDistortion
from latente.model.distributions import LOG_2PI
from latente.rows import Rows

MAX_ROWS = 4096
EM_STEPS = 30  # if values are missing
MIN_VARIANCE = 1e-8


@dataclass(frozen=True)
class ProbabilisticPCA:
    """x = mean + weights z + noise, z ~ N(0, I); double precision.

    Attributes:
        mean: [F]. weights: [F, d]. variance: variance of the noise, the same for each field.
    """

    mean: Tensor
    weights: Tensor
    variance: float

    @classmethod
    def fit(cls, rows: Rows, d: int, least: float = MIN_VARIANCE) -> ProbabilisticPCA:
        """Maximum likelihood of the observed values, from at most 4,096 rows.

        Args:
            rows: encoded. d: components, below the number of fields and of rows.
            least: minimum variance of the noise, as in a model's likelihood, because values may be rounded.
        """
        rows = rows.subsample(MAX_ROWS)
        x, seen = _flat(rows)
        mean = (x * seen).sum(0) / seen.sum(0).clamp_min(1)
        pca = PCA(d, random_state=0).fit(torch.where(seen > 0, x, mean).numpy())
        noise = max(float(pca.noise_variance_), least)
        eigenvalues, axes = torch.from_numpy(pca.explained_variance_), torch.from_numpy(pca.components_)
        model = cls(mean, axes.T * (eigenvalues - noise).clamp_min(0).sqrt(), noise)
        for _ in range(EM_STEPS if rows.mask is not None else 0):
            model = model._nearer(x, seen, least)
        return model

    def losses(self, rows: Rows) -> RateDistortion:
        """Rate and distortion of each row over its observed values, nats, both [N]."""
        x, seen = _flat(rows)
        mean, covariance = self._posterior(x, seen)
        _, log_det = torch.linalg.slogdet(covariance)
        trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
        rate = 0.5 * (trace + mean.square().sum(1) - mean.shape[1] - log_det)
        error = (seen * self._squared_error(x, mean, covariance)).sum(1) / self.variance
        distortion = 0.5 * (error + seen.sum(1) * (LOG_2PI + math.log(self.variance)))
        return RateDistortion(rate.numpy(), distortion.numpy())

    def _posterior(self, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [N, d] and covariance [N, d, d] of z given the observed values of each row."""
        d = self.weights.shape[1]
        products = (self.weights.unsqueeze(2) * self.weights.unsqueeze(1)).flatten(1)
        sums = (seen @ products if bool((seen == 0).any()) else products.sum(0, keepdim=True)).view(-1, d, d)
        covariance = torch.linalg.inv(torch.eye(d, dtype=x.dtype) + sums / self.variance).expand(len(x), d, d)
        pulled = (seen * (x - self.mean)) @ self.weights / self.variance
        return (covariance @ pulled.unsqueeze(2)).squeeze(2), covariance

    def _squared_error(self, x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
        """E (x - mean - weights z)² of each field, [N, F]."""
        spread = torch.einsum("fd,nde,fe->nf", self.weights, covariance, self.weights)
        return (x - self.mean - mean @ self.weights.T).square() + spread

    def _nearer(self, x: Tensor, seen: Tensor, least: float) -> ProbabilisticPCA:
        """One step of expectation and maximisation; the mean is the weight of a component that is always 1."""
        z, covariance = self._posterior(x, seen)
        d = z.shape[1]
        ones = torch.cat([z, torch.ones(len(z), 1, dtype=z.dtype)], 1)
        second = torch.zeros(len(z), d + 1, d + 1, dtype=z.dtype)
        second[:, :d, :d] = covariance
        second += ones.unsqueeze(2) * ones.unsqueeze(1)
        left = (seen.T @ second.flatten(1)).view(-1, d + 1, d + 1) + 1e-9 * torch.eye(d + 1, dtype=z.dtype)
        solved = torch.linalg.solve(left, ((seen * x).T @ ones).unsqueeze(2)).squeeze(2)
        found = ProbabilisticPCA(solved[:, d], solved[:, :d], self.variance)
        error = (seen * found._squared_error(x, z, covariance)).sum() / seen.sum()
        return ProbabilisticPCA(found.mean, found.weights, max(float(error), least))


def _flat(rows: Rows) -> tuple[Tensor, Tensor]:
    """Values [N, F] in double precision, and which are observed, as 0 and 1."""
    x = rows.x.flatten(1).double()
    return x, torch.ones_like(x) if rows.mask is None else rows.mask.flatten(1).double()
