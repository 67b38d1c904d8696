"""Laws of the codes, fitted after training: what new codes are drawn from.

The aggregated posterior (all rows' codes together) is never quite the prior; drawing from a law that was fitted to it costs
nothing and decodes to better rows.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from latente.model.parts import Part, register

CANDIDATES = (1, 2, 5, 10, 20, 30)
MOST_CODES = 10_000


class LatentLaw(Part):
    """A law over codes: ``fit``, ``sample``, ``log_prob``; what is fitted is in buffers."""

    def fit(self, z: Tensor, seed: int = 0) -> LatentLaw:
        """Fit to codes [N, d]; returns itself."""
        raise NotImplementedError

    def distribution(self) -> torch.distributions.Distribution:
        """The fitted law as a torch distribution over [d]."""
        raise NotImplementedError

    def sample(self, n: int) -> Tensor:
        """Draws [n, d], from torch's generator."""
        return self.distribution().sample((n,))

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, [..., d] to [...]."""
        value: Tensor = self.distribution().log_prob(z)
        return value


@register
class MixtureLaw(LatentLaw):
    """Mixture of normals with full covariances; with one component the Gaussian with the moments of the aggregated
    posterior.
    """

    name = "mixture"
    weights: Tensor
    means: Tensor
    cholesky: Tensor

    def __init__(self, latent_dim: int, components: int = 10) -> None:
        super().__init__()
        self.components = components
        self.register_buffer("weights", torch.full((components,), 1 / components, dtype=torch.float64))
        self.register_buffer("means", torch.zeros(components, latent_dim, dtype=torch.float64))
        self.register_buffer("cholesky", torch.eye(latent_dim, dtype=torch.float64).repeat(components, 1, 1))

    def fit(self, z: Tensor, seed: int = 0) -> MixtureLaw:
        self._take(_mixture(z.double().cpu().numpy(), self.components, seed))
        return self

    def _take(self, fitted: GaussianMixture) -> None:
        self.weights.copy_(torch.as_tensor(fitted.weights_))
        self.means.copy_(torch.as_tensor(fitted.means_))
        self.cholesky.copy_(torch.linalg.cholesky(torch.as_tensor(fitted.covariances_)))

    def distribution(self) -> torch.distributions.Distribution:
        normals = MultivariateNormal(self.means, scale_tril=self.cholesky, validate_args=False)
        return MixtureSameFamily(Categorical(self.weights, validate_args=False), normals, validate_args=False)


@register
class GaussianLaw(MixtureLaw):
    """One normal with full covariance."""

    name = "gaussian"

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim, 1)


def _mixture(codes: NDArray[np.float64], components: int, seed: int) -> GaussianMixture:
    ridge = 1e-6 * max(float(codes.var(0).mean()), 1e-12)
    return GaussianMixture(components, reg_covar=ridge, random_state=seed, max_iter=60, tol=1e-2).fit(codes)


def fit_law(z: Tensor, seed: int = 0) -> MixtureLaw:
    """The law with the lowest Bayesian information criterion, from one normal to a mixture of 30, on at most 10,000 codes.

    More components are tried until they twice did not help, and only where the codes are enough to tell.
    """
    codes = z.double().cpu().numpy()[:MOST_CODES]
    d = codes.shape[1]
    best: tuple[float, GaussianMixture] | None = None
    worse = 0
    for components in CANDIDATES:
        if components > 1 and len(codes) < 10 * components * (d + 1):
            break
        fitted = _mixture(codes, components, seed)
        criterion = float(fitted.bic(codes))
        worse = 0 if best is None or criterion < best[0] else worse + 1
        if worse == 2:
            break
        best = best if worse else (criterion, fitted)
    assert best is not None
    law = GaussianLaw(d) if best[1].n_components == 1 else MixtureLaw(d, best[1].n_components)
    law._take(best[1])
    return law
