"""Linear models against exact answers: what a linear VAE must reach on Gaussian data is known in closed form.

The rows have unit columns, so that the codec leaves them as they are. The exact maximum is that of probabilistic PCA (Tipping
and Bishop 1999), and a linear VAE reaches it (Lucas et al. 2019).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import random_correlation
from torch import Tensor
from torch.distributions import MultivariateNormal

import latente as lt
from benchmarks.common import Figure, options, report, show
from benchmarks.data import Array
from latente.rows import Rows

FIELDS, LATENT = 8, 3
DRAWS = (1, 5, 50, 5000)


def gaussian_rows(n: int, seed: int = 0) -> Array:
    """Rows ``[n, FIELDS]`` of a normal law whose eigenvalues halve one after the other; columns of mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    eigenvalues = 2.0 ** -np.arange(FIELDS)
    covariance = random_correlation.rvs(FIELDS * eigenvalues / eigenvalues.sum(), random_state=rng)
    x = rng.multivariate_normal(np.zeros(FIELDS), covariance, n)
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32)


def linear(x: Array, epochs: int, latent_dim: int = LATENT, sigma: str | float = "shared") -> lt.VAE:
    """A fitted VAE without hidden layers."""
    return lt.VAE(
        hidden=(), latent_dim=latent_dim, likelihood=lt.choose("normal", sigma=sigma), max_epochs=epochs, batch_size=256,
        learning_rate=1e-2, early_stopping=False, validation_fraction=0.0, precision="float32", device="cpu", random_state=0,
    ).fit(x)  # fmt: skip


def spectrum(x: Array) -> NDArray[np.float64]:
    """Eigenvalues of the covariance, largest first."""
    return np.linalg.eigvalsh(np.cov(x.T.astype(np.float64), bias=True))[::-1]


def best_log_likelihood(eigenvalues: NDArray[np.float64], latent_dim: int) -> float:
    """Nats per row of the best probabilistic PCA, on the rows whose eigenvalues these are."""
    noise = eigenvalues[latent_dim:].mean()
    log_determinant = np.log(eigenvalues[:latent_dim]).sum() + (len(eigenvalues) - latent_dim) * math.log(noise)
    return float(-0.5 * (len(eigenvalues) * (1 + math.log(2 * math.pi)) + log_determinant))


@torch.no_grad()
def log_density(vae: lt.VAE, x: Array) -> Tensor:
    """The exact log p of the seen fields of each row under the fitted linear decoder, [N]."""
    axes = torch.cat([torch.zeros(1, vae.latent_dim_), torch.eye(vae.latent_dim_)])
    offset, *columns = vae.model_.decode(axes.unsqueeze(0)).mean.squeeze(0).double()
    weight = torch.stack(columns, 1) - offset.unsqueeze(1)
    noise = vae.model_.likelihood.log_sigma.double().mul(2).exp() * torch.eye(len(offset))
    covariance, rows = weight @ weight.T + noise, torch.from_numpy(x).double()
    seen = [torch.nonzero(~row.isnan()).squeeze(1) for row in rows]
    laws = (MultivariateNormal(offset[s], covariance[s][:, s]) for s in seen)
    return torch.stack([law.log_prob(row[s]) for law, row, s in zip(laws, rows, seen, strict=True)])


def maximum(x: Array, epochs: int) -> list[Figure]:
    """The linear VAE's ELBO and sigma against probabilistic PCA's."""
    vae, eigenvalues = linear(x, epochs), spectrum(x)
    with torch.no_grad():
        trace = vae.model_.trace(Rows(torch.from_numpy(x)), K=64)
    elbo, exact = -float((trace.distortion + trace.rate).mean()), best_log_likelihood(eigenvalues, LATENT)
    noise, expected = math.exp(2 * float(vae.model_.likelihood.log_sigma.detach())), float(eigenvalues[LATENT:].mean())
    return [
        Figure("ELBO below the maximum", exact - elbo, "nats", 0.05, at_most=True, reference=f"{elbo:.3f} of {exact:.3f}"),
        Figure("sigma² off the mean discarded eigenvalue", 100 * abs(noise / expected - 1), "%", 3, at_most=True,
               reference=f"{noise:.4f} of {expected:.4f}"),
    ]  # fmt: skip


def sweep(x: Array, epochs: int) -> Figure:
    """Fixed sigma² between each two eigenvalues: as many active units as there are eigenvalues above it."""
    counts = []
    for expected, pair in enumerate(pairwise(spectrum(x)), 1):
        vae = linear(x, epochs, latent_dim=FIELDS, sigma=float(np.prod(pair) ** 0.25))
        counts.append((expected, int((vae.transform(x).var(0) > 0.01).sum())))
    reference = ", ".join(f"{active} of {expected}" for expected, active in counts)
    return Figure("wrong counts of active units", sum(a != b for a, b in counts), "", 0, at_most=True, reference=reference)


@torch.no_grad()
def importance_bound(vae: lt.VAE, x: Array, draws: int) -> float:
    """The bound in nats per row, with draws of its own for each row: its mean's error falls with the rows."""
    torch.manual_seed(0)
    trace = vae.model_.trace(Rows(torch.from_numpy(x)), draws)
    return float((torch.logsumexp(trace.log_likelihood + trace.log_prior_ratio, 0) - math.log(draws)).mean())


def bound(x: Array) -> list[Figure]:
    """The importance-weighted bound of a model that is not trained to its end, against its exact likelihood."""
    vae = linear(x, epochs=20)
    scores = [float(vae.score_samples(x, importance_samples=k).mean()) for k in DRAWS]
    bounds = [importance_bound(vae, x, k) for k in DRAWS]
    exact = float(log_density(vae, x).mean())
    rows = [("draws of its own for each row", *bounds, exact), ("score_samples: the same for all rows", *scores, exact)]
    show("Importance-weighted bound, nats per row", ("draws", *map(str, DRAWS), "exact"), rows)
    return [
        Figure("least step of the bound from K to the next", min(b - a for a, b in pairwise(bounds)), "nats", 0),
        Figure(f"K = {DRAWS[-1]} off the exact value", abs(exact - bounds[-1]), "nats", 0.01, at_most=True),
    ]


def masked(x: Array, epochs: int) -> Figure:
    """Half of the values not seen, in training and after: log p of the others against the exact marginal."""
    holes = np.where(np.random.default_rng(1).random(x.shape) < 0.5, np.nan, x).astype(np.float32)
    holes = holes[~np.isnan(holes).all(1)]
    vae = linear(holes, epochs)
    judged = holes[:1000]
    gap = log_density(vae, judged).numpy() - vae.score_samples(judged, importance_samples=DRAWS[-1])
    return Figure("log p of the seen fields off the marginal", abs(float(gap.mean())), "nats", 0.01, at_most=True)


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, rows=5_000, epochs=500)
    x = gaussian_rows(asked.rows)
    figures = [*maximum(x, asked.epochs), sweep(x, asked.epochs), *bound(x[:2000]), masked(x, asked.epochs // 10)]
    report("Linear oracles", figures, asked)


if __name__ == "__main__":
    main()
