"""Laws of posteriors, priors and spaces, each over its registry: draws, densities, rates, ways between codes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import latente.blueprint  # noqa: F401  (registers every part)
from latente.errors import ModelError
from latente.model.codes import CodeDistribution, DiagonalNormal, rate
from latente.model.latent_model import LatentModel, compose
from latente.model.parts import PARTS, Choice, build, choose
from latente.model.posteriors import Posterior
from latente.model.priors import NoPrior, OwnPrior, Prior
from latente.rows import Rows
from latente.seeding import seeded
from latente.training.ex_post import fit_prior, names_for

D, B = 3, 12
SIZES = {"shape": (5,), "latent_dim": D, "hidden": (16,), "masked": False}
POSTERIORS = sorted(name for name, cls in PARTS.items() if issubclass(cls, Posterior) and not cls.needs_context)
PRIORS = sorted(
    name
    for name, cls in PARTS.items()
    if issubclass(cls, Prior) and not issubclass(cls, (NoPrior, OwnPrior)) and not cls.needs_context  # see test_context
)


def model_of(posterior: str, prior: str | None = None) -> LatentModel:
    """A model with this posterior, and this prior or the first that lies in the posterior's space."""
    space = build(choose(posterior), width=16, **SIZES).space
    own = prior or next(name for name in PRIORS if space.kind in PARTS[name].spaces)
    parts = {"encoder": "mlp-encoder", "posterior": posterior, "prior": own, "decoder": "mlp-decoder", "likelihood": "normal"}
    with seeded(1):
        model = compose({role: choose(part) for role, part in parts.items()}, **SIZES)
        for parameter in model.posterior.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def posterior_of(prior: str) -> str:
    """A posterior in whose space a prior is a density."""
    return next(
        name
        for name in ("diagonal-normal", *POSTERIORS)
        if build(choose(name), width=16, **SIZES).space.kind in PARTS[prior].spaces
    )


def rows_of(n: int = B) -> Rows:
    with seeded(2):
        return Rows(torch.randn(n, 5))


def q_of(posterior: str, n: int = B) -> CodeDistribution:
    return model_of(posterior).encode(rows_of(n))


@pytest.mark.parametrize("name", POSTERIORS)
@torch.no_grad()
def test_the_same_noise_gives_the_same_codes(name: str) -> None:
    model = model_of(name)
    noise = torch.randn(4, B, model.noise_size)
    one, other = (model.trace(rows_of(), 4, noise=noise) for _ in range(2))
    assert one.z.shape == (4, B, model.latent_dim) and torch.equal(one.z, other.z)
    assert torch.equal(one.log_weights, other.log_weights)
    assert bool((one.z[0] != one.z[1]).any()) == (model.noise_size > 0)
    assert torch.equal(model.codes(rows_of()), model.codes(rows_of())), "a code is never a random draw"


@pytest.mark.parametrize("name", POSTERIORS)
@torch.no_grad()
def test_noise_and_the_generator_draw_from_the_same_distribution(name: str) -> None:
    q = q_of(name, 3)
    with seeded(3):
        by_noise, free = q.at(torch.randn(20_000, 3, q.noise_size)), q.draw(20_000).z
    spread = free.std(0) / 20_000**0.5
    assert bool(((by_noise.mean(0) - free.mean(0)).abs() < 7 * spread + 1e-6).all())
    torch.testing.assert_close(by_noise.std(0), free.std(0), rtol=0.05, atol=1e-6)
    torch.testing.assert_close(q.deviation, free.std(0), rtol=0.5, atol=1e-6)


@pytest.mark.parametrize("name", POSTERIORS)
@torch.no_grad()
def test_a_draw_carries_its_density(name: str) -> None:
    q = q_of(name)
    if not q.has_density:
        assert not model_of(name).has_rate
        return
    draw = q.draw(6)
    torch.testing.assert_close(draw.log_q, q.log_prob(draw.z), rtol=1e-4, atol=1e-4)
    pairs = q.log_prob(draw.z[0].unsqueeze(1))
    torch.testing.assert_close(q.pairs_log_prob(draw.z[0]), pairs.double(), rtol=1e-4, atol=1e-4)
    some = torch.tensor([4, 1])
    torch.testing.assert_close(q[some].log_prob(draw.z[:, some]), draw.log_q[:, some], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", POSTERIORS)
@torch.no_grad()
def test_the_rate_is_the_mean_of_its_draws(name: str) -> None:
    model = model_of(name)
    if not model.has_rate:
        assert not model.trace(rows_of()).rate.any()
        return
    with seeded(4):
        trace = model.trace(rows_of(), 4000)
        many = -trace.log_prior_ratio
    assert trace.p is not None
    closed = rate(trace.q, trace.p, trace.draw)
    error = 5 * many.std(0) / 4000**0.5 + 1e-3
    assert bool(((closed - many.mean(0)).abs() < error).all())
    assert bool((closed >= -1e-4).all())


@pytest.mark.parametrize("name", POSTERIORS)
def test_codes_have_gradients(name: str) -> None:
    model = model_of(name).train()
    trace = model.trace(rows_of(), 2)
    (trace.distortion.sum() + trace.rate.sum()).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.encoder.parameters())
    assert any(bool(p.grad.any()) for p in model.encoder.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", PRIORS)
@torch.no_grad()
def test_a_prior_draws_what_it_scores(name: str) -> None:
    """Among its own draws no other point of the space is more likely on average (Gibbs' inequality), and all are finite."""
    model = model_of(posterior_of(name), name)
    p = model.p()
    assert p is not None
    with seeded(5):
        z = p.sample((500,))
        elsewhere = model.space.project(z * 0.3 + 1.5 * torch.randn(500, model.latent_dim))
    assert z.shape == (500, model.latent_dim) and bool(p.log_prob(z).isfinite().all())
    torch.testing.assert_close(model.space.project(z), z, rtol=1e-4, atol=1e-5)
    assert float(p.log_prob(z).mean()) >= float(p.log_prob(elsewhere).mean()) - 1e-4
    own = OwnPrior().bind(model)
    torch.testing.assert_close(own.log_prob(z), p.log_prob(z))


@pytest.mark.parametrize("name", PRIORS)
def test_a_prior_is_stored_by_its_arguments_and_its_tensors(name: str) -> None:
    model = model_of(posterior_of(name), name)
    again = LatentModel.from_config(json.loads(json.dumps(model.config())))
    again.load_state_dict(model.state_dict())
    z = model.codes(rows_of())
    with torch.no_grad():
        torch.testing.assert_close(again.eval().p().log_prob(z), model.p().log_prob(z))  # type: ignore[union-attr]


@pytest.mark.parametrize("name", POSTERIORS)
@torch.no_grad()
def test_spaces_have_ways_and_neighbours(name: str) -> None:
    model = model_of(name)
    space, z = model.space, model.codes(rows_of(200))
    torch.testing.assert_close(space.project(z), z, rtol=1e-4, atol=1e-5)
    way = space.path(z[:1], z[1:2], 7)
    assert way.shape == (7, model.latent_dim)
    torch.testing.assert_close(way[[0, -1]], z[:2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(space.project(way), way, rtol=1e-4, atol=1e-5)
    moments = space.moments(z)
    with seeded(6):
        near, drawn = moments.neighbours(z, 0.99), moments.draw(500)
    for made in (near, drawn):
        torch.testing.assert_close(space.project(made), made, rtol=1e-4, atol=1e-5)
    if not space.not_continuous:
        assert float((near - z).norm(dim=1).mean()) < float((z.roll(1, 0) - z).norm(dim=1).mean())


@pytest.mark.parametrize("name", {PARTS[name].space_type.kind: name for name in POSTERIORS}.values())
def test_fitted_priors_of_each_space_beat_none_at_all(name: str) -> None:
    """Each density that a space allows finds codes of the model more likely than codes drawn at random from it."""
    model = model_of(name)
    with seeded(7), torch.no_grad():
        z = model.encode(rows_of(400)).draw().z[0]
    assert names_for(model.space.kind)[:2] == ("auto", "prior")
    for prior in names_for(model.space.kind)[2:]:
        with seeded(8):
            fitted = fit_prior(prior, z, model, 0)
            drawn = fitted.sample(300).float()
        assert bool(fitted.log_prob(z).isfinite().all()) and drawn.shape == (300, model.latent_dim)
        torch.testing.assert_close(model.space.project(drawn), drawn, rtol=1e-4, atol=1e-5)
        assert np.allclose(drawn.median(0).values, z.median(0).values, atol=0.5 * float(z.std()) + 0.05)
        again: Prior = build(Choice.from_json(json.loads(json.dumps(fitted.choice().to_json())))).bind(model)
        again.load_state_dict(fitted.state_dict())
        torch.testing.assert_close(again.log_prob(z), fitted.log_prob(z))


def test_what_can_not_drop_units_keeps_them() -> None:
    class Own(PARTS["mlp-decoder"]):  # type: ignore[misc, valid-type]
        name = "own-decoder"
        select_units = None

    sizes = {"latent_dim": D, "outputs": 5, "hidden": (16,)}
    model = model_of("diagonal-normal")
    model.decoder = build(choose(Own), **sizes)
    model.drop_units(torch.tensor([0]))
    assert model.latent_dim == D and model.decode(torch.zeros(1, 1, D)).mean.shape == (1, 1, 5)


def test_an_autoencoder_has_no_prior_and_no_rate() -> None:
    model = model_of("point-mass", "no-prior")
    assert not model.has_prior and not model.has_rate and model.p() is None
    with pytest.raises(ModelError, match="no prior"):
        OwnPrior().bind(model)


@pytest.mark.parametrize("log_variance", [0.0, -8.0])
def test_mixtures_over_the_rows_of_a_batch_are_those_of_normals(log_variance: float) -> None:
    with seeded(0):
        q = DiagonalNormal(3.0 + torch.randn(6, 4), log_variance + torch.randn(6, 4))
        z, weights = q.rsample(), torch.randn(6, 6)
    each = torch.distributions.Normal(q.loc.double(), q.log_variance.double().mul(0.5).exp()).log_prob(z.double().unsqueeze(1))
    joint, product = q.log_mixtures(z, weights)
    torch.testing.assert_close(joint.double(), torch.logsumexp(each.sum(-1) + weights, 1), rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(product.double(), torch.logsumexp(each + weights.unsqueeze(-1), 1).sum(-1), rtol=1e-3, atol=1e-2)
