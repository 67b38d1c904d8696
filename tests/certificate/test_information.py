"""Exact cases: a linear-Gaussian model whose rate, I(x;z), bound, density of codes and Jacobian have closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.stats import multivariate_normal

from latente.certificate import information
from latente.certificate.estimates import Estimate
from latente.model.latent_model import LatentModel, compose
from latente.model.networks.mlp import MLPDecoder, MLPEncoder
from latente.model.parts import choose
from latente.model.priors import StandardNormalPrior
from latente.rows import Rows
from latente.seeding import seeded

SIGMA = 0.5
LOADINGS = torch.tensor([[1.0, 0.5], [1.0, -0.5], [0.0, 0.0], [0.7, 0.35], [0.7, -0.35]])  # orthogonal columns
F, D = LOADINGS.shape
ROLES = {
    "encoder": choose(MLPEncoder), "posterior": choose("diagonal-normal"), "prior": choose(StandardNormalPrior),
    "decoder": choose(MLPDecoder), "likelihood": choose("normal", sigma=SIGMA),
}  # fmt: skip


def exact_model() -> LatentModel:
    """x = W z + noise with its true posterior N(V W'x / s², V), V = (I + W'W / s²)^-1, diagonal here."""
    model = compose(ROLES, shape=(F,), latent_dim=D, hidden=())
    variance = 1 / (1 + LOADINGS.square().sum(0) / SIGMA**2)
    with torch.no_grad():
        layer = model.decoder.layers[0]
        layer.weight.copy_(LOADINGS)
        layer.bias.zero_()
        model.posterior.start(variance)
        model.posterior.head.weight[:D] = variance[:, None] * LOADINGS.T / SIGMA**2
        model.posterior.head.bias[:D] = 0
    return model.eval()


COVARIANCE = (LOADINGS @ LOADINGS.T + SIGMA**2 * torch.eye(F)).double().numpy()
INFORMATION = 0.5 * float(torch.log1p(LOADINGS.square().sum(0) / SIGMA**2).sum())  # ½ log det(I + W'W / s²)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return Rows(torch.from_numpy(np.random.default_rng(0).multivariate_normal(np.zeros(F), COVARIANCE, 2000)).float())


@pytest.fixture(scope="module")
def model() -> LatentModel:
    return exact_model()


def test_the_rate_is_the_information_where_codes_follow_the_prior(model: LatentModel, rows: Rows) -> None:
    with seeded(0):
        costs = information.RateDistortion.of(model, rows)
    assert costs.rate.mean() == pytest.approx(INFORMATION, abs=0.05)


def test_information_is_that_of_the_gaussian_channel_and_the_marginal_kl_is_nothing(model: LatentModel, rows: Rows) -> None:
    with seeded(0), torch.no_grad():
        q = model.encode(rows)
        found = information.mutual_information(information.information_terms(q, q.rsample()))
    assert found.value == pytest.approx(INFORMATION, abs=0.1)
    assert found.low < INFORMATION < found.high
    assert not found.reason


def test_the_bound_is_the_exact_likelihood_under_the_true_posterior(model: LatentModel, rows: Rows) -> None:
    exact = -multivariate_normal(np.zeros(F), COVARIANCE).logpdf(rows.x.double().numpy())
    with seeded(0):
        bound, effective = information.importance_bound(model, rows[:100], K=50)
        loss = information.RateDistortion.of(model, rows, draws=64).loss
    np.testing.assert_allclose(bound, exact[:100], atol=1e-3)
    np.testing.assert_allclose(effective, 50, rtol=1e-3)
    assert loss.mean() == pytest.approx(exact.mean(), abs=0.02), "the ELBO is tight"


def test_few_effective_samples_where_the_posterior_is_wrong(rows: Rows) -> None:
    wrong = exact_model()
    with torch.no_grad():
        wrong.posterior.head.bias[:D] = 1.5
    exact = -multivariate_normal(np.zeros(F), COVARIANCE).logpdf(rows[:50].x.double().numpy())
    with seeded(0):
        bound, effective = information.importance_bound(wrong, rows[:50], K=200)
    assert bound.mean() > exact.mean()
    assert effective.mean() < 20


def test_information_says_where_it_is_near_its_cap() -> None:
    found = information.mutual_information(np.full(100, math.log(100)))
    assert "at least: with 100 rows" in found.reason


def test_the_aggregated_density_is_the_mean_of_the_rows(model: LatentModel, rows: Rows) -> None:
    with torch.no_grad():
        q = model.encode(rows[:7])
        z = torch.randn(5, D)
        each = torch.stack([model.encode(rows[k : k + 1]).log_prob(z) for k in range(7)])
    np.testing.assert_allclose(information.aggregated_log_density(q, z), torch.logsumexp(each, 0) - math.log(7), rtol=1e-4)


def test_holes_of_a_prior() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=5000)
    assert information.prior_holes(rng.normal(size=5000), codes).value == pytest.approx(0.01, abs=0.006)
    assert information.prior_holes(rng.normal(size=5000) - 9, codes).value == 1
    assert "99 validation rows are too few" in information.prior_holes(codes, codes[:99]).reason


def test_the_interval_of_holes_is_as_wide_as_few_held_out_rows_make_it() -> None:
    """Standard normal codes by their log-density, and a prior twice as wide: the limit is that of a chi-square."""
    limit = stats.chi2(2).ppf(0.99)
    true = stats.chi2(2).sf(limit / 4)
    inside, widths = [], []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        held_out = -0.5 * rng.normal(size=(150, 1, 2)) ** 2
        prior = -0.5 * (2 * rng.normal(size=(2000, 2))) ** 2
        found = information.prior_holes(prior.sum(1), held_out.sum(2))
        inside.append(found.low <= true <= found.high)
        widths.append(found.high - found.low)
    assert np.mean(inside) > 0.9
    assert np.mean(widths) > 0.1, "by the prior's draws alone it is 0.04"


def test_what_is_kept_below_nothing_is_explained() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 2))).float()
    worse = information.information_kept(x, -x, torch.zeros(2))
    assert worse.value == pytest.approx(-3)
    assert worse.reason == information.WORSE_THAN_MEAN
    assert not math.isfinite(information.information_kept(x[:5], -x[:5], torch.zeros(2)).low)


def test_what_is_kept_beyond_another_has_the_interval_of_the_difference() -> None:
    """Two reconstructions that are off by nearly the same: each share varies far more than the difference."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_t(3, size=(200, 4))).float()
    better, worse = 0.8 * x, 0.75 * x
    lead = information.kept_beyond(x, better, worse, torch.zeros(4))
    kept = [information.information_kept(x, each, torch.zeros(4)) for each in (better, worse)]
    assert lead.value == pytest.approx(kept[0].value - kept[1].value, abs=1e-6)
    assert lead.low > 0
    assert not information.kept_beyond(x[:19], better[:19], worse[:19], torch.zeros(4)).known


def test_information_kept_is_the_share_of_the_variance() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(500, 4))).float()
    mean = torch.zeros(4)
    assert information.information_kept(x, x, mean).value == 1
    assert information.information_kept(x, mean.expand_as(x), mean).value == 0
    half = x.clone()
    half[:, :2] = 0
    assert information.information_kept(x, half, mean).value == pytest.approx(0.5, abs=0.05)
    seen = torch.ones_like(x, dtype=torch.bool)
    seen[:, :2] = False
    assert information.information_kept(x, half, mean, seen).value == 1, "what was not seen does not count"


def test_the_jacobian_of_a_linear_decoder_is_its_weights() -> None:
    weights, scale = torch.tensor([[3.0, 0.0, 7.0], [0.0, 0.5, 7.0]]), torch.tensor([1.0, 2.0, 0.0])
    norm, condition = information.geometry(lambda z: z @ weights.T, torch.randn(10, 3), scale)
    np.testing.assert_allclose(norm, 3)
    np.testing.assert_allclose(condition, 3, rtol=1e-6, err_msg="0.5 times a standard deviation of 2; the last is left out")


def test_the_jacobian_of_a_bent_decoder_by_differences() -> None:
    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.sin(z[:, 0]) * z[:, 1], z[:, 1] ** 2, z[:, 0]], 1)

    z, step = torch.randn(6, 2, dtype=torch.float64), 1e-6
    shifts = torch.eye(2, dtype=torch.float64) * step
    numeric = torch.stack([(decode(z + shift) - decode(z - shift)) / (2 * step) for shift in shifts], -1)
    norm, condition = information.geometry(decode, z, torch.ones(2, dtype=torch.float64))
    singular = torch.linalg.svdvals(numeric).numpy()
    np.testing.assert_allclose(norm, singular[:, 0], rtol=1e-6)
    np.testing.assert_allclose(condition, singular[:, 0] / singular[:, -1], rtol=1e-5)


def test_a_decoder_that_does_nothing_has_no_condition() -> None:
    norm, condition = information.geometry(lambda z: z, torch.randn(4, 2), torch.zeros(2))
    assert not norm.any()
    assert not information.median_of(condition).known
    assert information.median_of(np.arange(101.0)) == Estimate(50.0, high=95.0, reason="upper end: the 95% quantile")


def test_a_slow_decoder_is_asked_less(model: LatentModel, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = information.operations(model)
    assert operations == 2 * F * D + model.footprint
    assert information.affordable(model) == (500, 1000)
    monkeypatch.setattr(information, "MAX_OPERATIONS", operations * 200_000)
    assert information.affordable(model) == (200, 1000)
    monkeypatch.setattr(information, "MAX_OPERATIONS", operations * 20_000)
    assert information.affordable(model) == (100, 200)
