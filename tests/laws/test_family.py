"""What single parts of published models say, against exact values and other libraries."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import multivariate_t, norm, vonmises_fisher

import latente as lt
from latente.composition import Recipe
from latente.model.codes import (
    ChosenNormal,
    DiagonalNormal,
    NormalMixture,
    StandardNormal,
    StudentTCodes,
    VonMisesFisher,
    WrappedNormal,
    rate,
)
from latente.model.distributions import NormalFields, SelfMaskedNormalFields
from latente.model.latent_model import LatentModel
from latente.model.parts import build, choose
from latente.model.spaces import Ball, from_tangent, log_volume, moved, to_tangent
from latente.rows import Rows
from latente.seeding import seeded


@pytest.mark.parametrize(("d", "scale"), [(2, 0.5), (3, 4.0), (8, 30.0), (8, 300.0)])
def test_von_mises_fisher_agrees_with_scipy(d: int, scale: float) -> None:
    loc = torch.nn.functional.normalize(torch.randn(1, d, dtype=torch.float64), dim=1)
    theirs, ours = vonmises_fisher(loc[0].numpy(), scale), VonMisesFisher(loc, torch.full((1, 1), scale, dtype=torch.float64))
    z = theirs.rvs(2000, random_state=0)
    np.testing.assert_allclose(ours.log_prob(torch.as_tensor(z).unsqueeze(1))[:, 0], theirs.logpdf(z), rtol=1e-3, atol=1e-3)
    assert float(ours.negative_entropy) == pytest.approx(-theirs.entropy(), abs=1e-3)
    with seeded(0):
        drawn = ours.rsample((20_000,))[:, 0] @ loc[0]
    assert float(drawn.mean()) == pytest.approx(float((z @ loc[0].numpy()).mean()), abs=0.03)


def test_codes_of_von_mises_fisher_have_the_gradient_of_their_scale() -> None:
    loc, scale = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[5.0]], requires_grad=True)
    noise = torch.randn(50_000, 1, 3, generator=torch.Generator().manual_seed(0))
    VonMisesFisher(loc, scale).at(noise)[..., 0].mean().backward()
    exact = 1 / 25 - 1 / math.sinh(5.0) ** 2  # of coth k - 1 / k
    assert float(scale.grad) == pytest.approx(exact, rel=0.05)


def test_multivariate_student_t_agrees_with_scipy() -> None:
    loc, log_scale = torch.tensor([[0.3, -1.0]], dtype=torch.float64), torch.tensor([[0.1, -0.5]], dtype=torch.float64)
    theirs = multivariate_t(loc[0], np.diag(np.exp(2 * log_scale[0].numpy())), df=5, seed=0)
    z = theirs.rvs(200)
    ours = StudentTCodes(loc, log_scale, 5).log_prob(torch.as_tensor(z).unsqueeze(1))[:, 0]
    np.testing.assert_allclose(ours, theirs.logpdf(z))
    with pytest.raises(lt.ModelError, match="df must be a whole number from 3"):
        build(choose("student-t-posterior", df=2), width=4, latent_dim=2)


def test_a_wrapped_normal_is_a_density_of_the_ball() -> None:
    q = WrappedNormal(torch.tensor([0.3, -0.2], dtype=torch.float64), torch.tensor([-0.7, -0.2], dtype=torch.float64))
    side = torch.linspace(-0.9999, 0.9999, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    grid = grid[grid.norm(dim=1) < 0.9999]
    volume = 4 / (1 - grid.square().sum(1)).square()  # of the metric of curvature -1
    assert float((q.log_prob(grid).exp() * volume).sum() * (side[1] - side[0]) ** 2) == pytest.approx(1.0, abs=0.01)
    v = to_tangent(grid)
    torch.testing.assert_close(from_tangent(v), grid)
    jacobian = torch.func.vmap(torch.func.jacrev(from_tangent))(v[::5000]).det().log()
    torch.testing.assert_close(log_volume(v[::5000]), jacobian + volume[::5000].log(), rtol=1e-3, atol=1e-3)


def test_ways_of_the_ball_are_geodesics() -> None:
    a, b = torch.tensor([[0.5, 0.1]], dtype=torch.float64), torch.tensor([[-0.6, 0.6]], dtype=torch.float64)
    way = Ball(2).path(a, b, 5)
    steps = [2 * torch.atanh(moved(-x, y).norm()) for x, y in pairwise(way)]
    assert np.ptp(steps) < 1e-5
    assert float(sum(steps)) == pytest.approx(float(2 * torch.atanh(moved(-a, b).norm())), abs=1e-5)


def test_the_rate_of_a_chosen_component_is_that_of_choice_and_code() -> None:
    with seeded(0):
        q = ChosenNormal(torch.randn(4, 3), torch.randn(4, 3, 2), torch.randn(4, 3, 2))
        p = NormalMixture(torch.randn(3), torch.randn(3, 2), torch.zeros(3, 2))
        draw = q.draw(20_000)
        marginal = (draw.log_q - p.log_prob(draw.z)).mean(0)
    assert bool((rate(q, p, draw) >= marginal - 0.02).all()), "to say both costs more than to say the code"
    one = ChosenNormal(torch.tensor([[50.0, 0.0, 0.0]]), *q[:1].parameters[1:])
    exact = float(torch.distributions.kl_divergence(one.normals[:, 0], p.components[0:1])) - float(p.log_weights[0])
    assert float(rate(one, p, one.draw())) == pytest.approx(exact, abs=1e-4)


def test_values_that_are_missing_by_what_they_are() -> None:
    """Density of observed values, probability and mean of missing ones, against their integrals."""
    mean, log_sigma, offset, slope = (torch.tensor([[[value]]], dtype=torch.float64) for value in (0.4, -0.2, -0.5, 1.7))
    px, sigma = SelfMaskedNormalFields(mean, log_sigma, offset, slope), math.exp(-0.2)
    missing = lambda x: norm.pdf(x, 0.4, sigma) * norm.cdf(-0.5 + 1.7 * x)  # noqa: E731
    share = quad(missing, -9, 9)[0]
    assert float(px.missing_log_prob) == pytest.approx(math.log(share), abs=1e-6)
    observed = quad(lambda x: math.exp(px.log_prob(torch.tensor([[x]], dtype=torch.float64))), -9, 9)[0]
    assert observed + share == pytest.approx(1.0, abs=1e-6)
    found = px.conditioned(torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.bool))
    expected = quad(lambda x: x * missing(x), -9, 9)[0] / share
    assert float(found.average(torch.ones(1, 1, dtype=torch.float64))) == pytest.approx(expected, abs=1e-6)
    many = SelfMaskedNormalFields(mean.expand(1, 20_000, 1), log_sigma, offset, slope)
    with seeded(0):
        drawn = many.conditioned(torch.zeros(20_000, 1), torch.zeros(20_000, 1, dtype=torch.bool)).sample()
    assert float(drawn.mean()) == pytest.approx(expected, abs=0.02)


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_large_values_that_are_missing_are_imputed_as_large() -> None:
    generator = np.random.default_rng(0)
    whole = generator.normal(size=(300, 1)) @ np.ones((1, 4)) + 0.3 * generator.normal(size=(300, 4))
    rows = np.where((whole > 0.7) & (np.arange(4) < 1), np.nan, whole)
    mean = {}
    for name in ("miwae", "not-miwae"):
        vae = lt.VAE(name, latent_dim=1, hidden=(), max_epochs=60, batch_size=50, random_state=0).fit(rows)
        mean[name] = vae.impute(rows)[np.isnan(rows)].mean()
    assert mean["miwae"] < mean["not-miwae"] < whole[np.isnan(rows)].mean()
    slope = vae.model_.likelihood.slope.detach()
    assert float(slope[0]) > 0.05 > float(slope[1:].abs().max())


def exemplar_model() -> tuple[LatentModel, Rows]:
    from latente.model.latent_model import compose

    parts = {"encoder": "mlp-encoder", "posterior": "diagonal-normal", "decoder": "mlp-decoder", "likelihood": "normal"}
    choices = {role: choose(name) for role, name in parts.items()} | {"prior": choose("exemplar", components=6)}
    with seeded(0):
        model = compose(choices, shape=(3,), hidden=(), latent_dim=2, masked=False)
        rows = Rows(torch.randn(6, 3))
        model.prior.start(rows)
    return model, rows


def test_an_exemplar_is_left_out_of_its_own_prior() -> None:
    model, rows = exemplar_model()
    p, stored = model.prior.of_rows(model, rows), model.prior.exemplars
    same = (rows.x.unsqueeze(1) == stored).all(-1)
    assert same.any() and not p.log_weights.exp()[same].any()
    torch.testing.assert_close(p.log_weights.exp().sum(1), torch.ones(6))
    assert model.eval().prior.of_rows(model, rows).log_weights.shape == (6,)


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_who_stores_rows_says_so() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    vae = lt.VAE("exemplar-vae", latent_dim=1, hidden=(4,), max_epochs=1, random_state=0).fit(rows)
    assert any("stores training rows" in note for note in vae.notes_)


def test_the_beta_divergence_is_the_likelihood_in_the_limit_and_bounds_outliers() -> None:
    x, px = torch.tensor([[0.3, -1.0]]), NormalFields(torch.zeros(1, 1, 2), torch.tensor([0.2, -0.3]))

    def robust(power: float, x: torch.Tensor) -> torch.Tensor:
        return (1 - torch.exp(power * px.log_prob(x))) * (1 + 1 / power) + px.power_mass(power) - 1

    torch.testing.assert_close(robust(1e-4, x), -px.log_prob(x), rtol=1e-2, atol=1e-3)
    assert bool((robust(0.5, 1e3 * x) < 3.5).all())
    with pytest.raises(lt.ModelError, match="power must be above 0"):
        build(choose("robust-elbo", power=0.0))


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_a_fitted_prior_of_the_recipe_is_the_one_that_is_fitted() -> None:
    rows = np.random.default_rng(0).normal(size=(80, 3))
    recipe = replace(lt.recipe("vae"), fitted_prior=choose("mixture", components=2))
    vae = lt.VAE(recipe, latent_dim=2, hidden=(4,), max_epochs=1, random_state=0).fit(rows)
    assert vae.fitted_prior_.arguments["components"] == 2
    assert Recipe.from_json(recipe.to_json()).fitted_prior == recipe.fitted_prior


def test_the_rate_of_levels_is_the_mean_of_log_q_minus_log_p() -> None:
    with seeded(0):
        posterior = build(choose("top-down", levels=3), width=4, latent_dim=5).double()
        for parameter in posterior.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        q, p = posterior(torch.randn(3, 4, dtype=torch.float64)), StandardNormal(torch.zeros((), dtype=torch.float64), 5)
        draw = q.draw(20_000)
        by_draws = draw.log_q - p.log_prob(draw.z)
        torch.testing.assert_close(rate(q, p, draw), by_draws.mean(0), rtol=0.02, atol=0.02)
        few = torch.stack([rate(q, p, q.draw(1)) for _ in range(200)])
    assert bool((few.var(0) < by_draws[:200].var(0)).all()), "it varies less"


def test_the_rate_with_a_flow_varies_less_than_the_mean_of_log_q_minus_log_p() -> None:
    with seeded(0):
        prior = build(choose("flow"), latent_dim=4)
        q = DiagonalNormal(torch.randn(3, 4), torch.full((3, 4), -3.0))
        p, draw = prior(None), q.draw(20_000)
        by_draws = draw.log_q - p.log_prob(draw.z)
        torch.testing.assert_close(rate(q, p, draw), by_draws.mean(0), rtol=0.02, atol=0.02)
        few = torch.stack([rate(q, p, q.draw(1)) for _ in range(200)])
    assert bool((few.var(0) < 0.5 * by_draws[:200].var(0)).all())
