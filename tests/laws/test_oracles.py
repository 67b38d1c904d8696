"""Exact cases: a linear VAE is probabilistic PCA, whose likelihood, noise and number of used dimensions have closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, norm

import latente as lt
from latente.seeding import seeded

F, D, N = 8, 3, 4000
EIGENVALUES = np.array([3.6, 2.0, 1.0, 0.28, 0.28, 0.28, 0.28, 0.28])


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float64]:
    """Gaussian rows whose covariance has exactly the eigenvalues above, and columns of variance 1, so that z-scores keep
    them.
    """
    generator = np.random.default_rng(0)
    signs = np.sign(np.array([[(-1) ** bin(i & j).count("1") for j in range(F)] for i in range(F)]))
    rotation = signs / np.sqrt(F)
    covariance = rotation @ np.diag(EIGENVALUES) @ rotation.T
    exact = generator.normal(size=(N, F))
    exact -= exact.mean(0)
    exact @= np.linalg.inv(np.linalg.cholesky(np.cov(exact.T, bias=True))).T
    return exact @ np.linalg.cholesky(covariance).T


def linear_vae(rows: NDArray[np.float64], sigma: str | float, d: int = D, epochs: int = 60) -> lt.VAE:
    """Without hidden layers, encoder and decoder are linear maps."""
    return lt.VAE(
        hidden=(), likelihood=lt.choose("normal", sigma=sigma), latent_dim=d,
        max_epochs=epochs, batch_size=200, learning_rate=0.01, validation_fraction=0.0, random_state=0,
    ).fit(rows)  # fmt: skip


@pytest.fixture(scope="module")
def fitted(rows: NDArray[np.float64]) -> lt.VAE:
    return linear_vae(rows, "shared", epochs=200)


def covariance_of(vae: lt.VAE) -> NDArray[np.float64]:
    """W W' + sigma^2 I of a linear decoder, in the user's units."""
    codec, decoder = vae.codec_, vae.model_.decoder
    weights = decoder.layers[0].weight.detach().double().numpy()
    noise = np.exp(2 * float(vae.model_.likelihood.log_sigma.detach()))
    scale = np.diag(codec.scale)
    return scale @ (weights @ weights.T + noise * np.eye(F)) @ scale


def test_elbo_is_the_exact_likelihood_of_probabilistic_pca(fitted: lt.VAE, rows: NDArray[np.float64]) -> None:
    noise = EIGENVALUES[D:].mean()
    log_determinant = np.log(EIGENVALUES[:D]).sum() + (F - D) * np.log(noise)
    exact = -0.5 * (F * np.log(2 * np.pi) + log_determinant + F)
    encoded = fitted.fitted_.rows(rows)
    with seeded(0), torch.no_grad():
        trace = fitted.model_.trace(encoded, 16)
        elbo = float((fitted.codec_.log_jacobian(encoded) - trace.distortion - trace.rate).mean())
    assert elbo == pytest.approx(exact, abs=0.05)


def test_noise_is_the_mean_discarded_eigenvalue(fitted: lt.VAE) -> None:
    noise = np.exp(2 * float(fitted.model_.likelihood.log_sigma.detach())) * np.mean(fitted.codec_.scale**2)
    assert noise == pytest.approx(EIGENVALUES[D:].mean(), rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("variance", "active"), [(0.15, 8), (0.5, 3), (1.4, 2), (2.7, 1)])
def test_a_unit_lives_while_its_eigenvalue_is_above_the_noise(rows: NDArray[np.float64], variance: float, active: int) -> None:
    vae = linear_vae(rows, float(np.sqrt(variance)), d=F, epochs=200)
    assert vae.figures_["active_units"] == active == int((variance < EIGENVALUES).sum())


def test_importance_weighted_bound_rises_to_the_exact_value(fitted: lt.VAE, rows: NDArray[np.float64]) -> None:
    exact = multivariate_normal(rows.mean(0), covariance_of(fitted))
    bounds = [fitted.score_samples(rows, importance_samples=k).mean() for k in (1, 5, 50)]
    assert all(after >= before - 0.003 for before, after in pairwise(bounds))
    assert bounds[0] < exact.logpdf(rows).mean() + 0.003  # of one draw for each row
    few = fitted.score_samples(rows[:100], importance_samples=5000)
    assert few.mean() == pytest.approx(exact.logpdf(rows[:100]).mean(), abs=0.003)


def test_fields_that_were_not_seen_are_marginalised(rows: NDArray[np.float64]) -> None:
    generator = np.random.default_rng(1)
    holes = np.where(generator.random(rows.shape) < 0.2, np.nan, rows)
    vae = linear_vae(holes, "shared", epochs=20)
    covariance, center = covariance_of(vae), vae.inverse_transform(np.zeros((1, D)))[0]
    some = holes[:60]
    exact = []
    for row in some:
        seen = ~np.isnan(row)
        exact.append(multivariate_normal(center[seen], covariance[np.ix_(seen, seen)]).logpdf(row[seen]))
    bound = vae.score_samples(some, importance_samples=5000)
    np.testing.assert_allclose(bound, exact, atol=0.15)
    assert bound.mean() == pytest.approx(np.mean(exact), abs=0.02)


def test_training_starts_at_the_linear_model(rows: NDArray[np.float64]) -> None:
    """With linear paths, the bound before the first step is already that of probabilistic PCA."""
    from latente.blueprint import Blueprint
    from latente.model.linear_start import start
    from latente.rows import Field, Rows

    x = Rows(torch.tensor((rows - rows.mean(0)) / rows.std(0), dtype=torch.float32))
    fields = tuple(Field(str(f)) for f in range(F))
    blueprint = Blueprint(lt.recipe("sigma-vae"), fields, N, D, None, False)
    with seeded(0), torch.no_grad():
        learner = blueprint()
        start(learner.model, x, torch.zeros(F))
        trace = learner.model.trace(x, 8)
        elbo = -float((trace.distortion + trace.rate).mean())
    from sklearn.decomposition import PCA

    exact = PCA(D).fit(x.x.numpy()).score(x.x.numpy())
    assert exact - 0.5 < elbo <= exact + 0.02


def test_convolutions_start_at_the_linear_model() -> None:
    """What is added to the linear paths is small at first, so that the bound is close to that of probabilistic PCA."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    from latente.blueprint import Blueprint
    from latente.model.linear_start import start, starts_linear
    from latente.rows import Field, Rows

    pixels = np.kron(load_digits().images[:600] / 16, np.ones((2, 2)))[:, None]
    rows, fields = Rows(torch.tensor(pixels, dtype=torch.float32)), (Field("pixels", shape=(1, 16, 16)),)
    with seeded(0), torch.no_grad():
        model = Blueprint(lt.recipe("vae"), fields, len(pixels), 6, None, False)().model.eval()
        start(model, rows, torch.zeros(1))
        rebuilt = model.typical(rows).mean[0].numpy()
    assert model.encoder.name == "conv-encoder" and starts_linear(model)
    flat = pixels.reshape(len(pixels), -1)
    pca = PCA(6).fit(flat)
    left = np.square(pca.inverse_transform(pca.transform(flat)) - flat).sum()
    assert np.square(rebuilt - flat).sum() == pytest.approx(left, rel=0.05)


def test_intervals_are_those_of_the_exact_conditional_law(fitted: lt.VAE, rows: NDArray[np.float64]) -> None:
    """One column hidden: given the others it is normal, with a known mean and standard deviation."""
    covariance, holed = covariance_of(fitted), rows[:300].copy()
    holed[:, 2] = np.nan
    seen = np.arange(F) != 2
    slopes = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[seen, 2])
    center = rows[:, 2].mean() + (rows[:300, seen] - rows[:, seen].mean(0)) @ slopes
    deviation = np.sqrt(covariance[2, 2] - covariance[2, seen] @ slopes)
    low, high = (ends[:, 2] for ends in fitted.impute(holed, intervals=0.9))
    held = norm.cdf((high - center) / deviation) - norm.cdf((low - center) / deviation)
    assert held.mean() == pytest.approx(0.9, abs=0.02)
    assert (high - low).mean() / deviation == pytest.approx(2 * norm.ppf(0.95), rel=0.05)
