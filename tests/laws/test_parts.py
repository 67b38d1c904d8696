"""Laws that every part must obey, whichever it is: found in the closed table, so that a new part is tested by being
registered.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import latente.blueprint  # noqa: F401  (registers every part)
from latente.errors import ModelError
from latente.model.corruptions import Corruption
from latente.model.latent_model import LatentModel, compose
from latente.model.likelihoods import Likelihood
from latente.model.objectives import FULL, Objective
from latente.model.parts import PARTS, Choice, Part, build, choose, constructor_arguments, register
from latente.model.penalties import Penalty
from latente.model.posteriors import Posterior
from latente.model.priors import Prior
from latente.rows import Bins, Rows
from latente.seeding import seeded
from latente.training.ex_post import fit_prior, names_for
from latente.training.schedules import LinearSchedule

SHAPES = [(5,), (1, 8, 8), (3, 17, 19)]
SIZES = {
    "hidden": (16, 8),
    "channels": (8, 16),
    "latent_dim": 3,
    "masked": True,
    "outputs": 5,
    "width": 6,
    "codes": 4,
    "size": 1,
    "n_rows": 100,
    "labels": ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0)),
}


def names(base: type[Part]) -> list[str]:
    return sorted(name for name, cls in PARTS.items() if issubclass(cls, base))


def of_numbers() -> list[str]:
    """The likelihoods of columns as they are; those of bins have laws of their own, in test_cells."""
    return [name for name in names(Likelihood) if "bins" not in constructor_arguments(PARTS[name])]


def model_of(shape: tuple[int, ...], **changes: str | Choice) -> LatentModel:
    kind = "conv" if min(shape[1:], default=0) >= 16 else "mlp"
    chosen = {
        "encoder": f"{kind}-encoder", "decoder": f"{kind}-decoder", "posterior": "diagonal-normal",
        "prior": "standard-normal", "likelihood": "normal", **changes,
    }  # fmt: skip
    choices = {role: choose(part) if isinstance(part, str) else part for role, part in chosen.items()}
    sizes = {key: value for key, value in SIZES.items() if key not in ("outputs", "width")}
    with seeded(1):
        return compose(choices, shape=shape, **sizes)


def rows_of(shape: tuple[int, ...], n: int = 12, holes: bool = True) -> Rows:
    with seeded(2):
        x = torch.rand(n, *shape)
        mask = torch.rand(n, *shape) > 0.3 if holes else None
    return Rows(x if mask is None else x * mask, mask)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_arguments_are_the_whole_configuration(name: str) -> None:
    of_bins = "bins" in constructor_arguments(PARTS[name])
    sizes = (
        {"shape": (2,), "bins": (Bins((0.0, 1.0), (0.0, 1.0), (1.0, 1.0), (9.0, 9.0)),) * 2}
        if of_bins
        else {"shape": (3, 17, 19)}
    )
    part = build(choose(name), **{**SIZES, "context_size": 2, "latent_dim": 50, "outputs": 3 * 17 * 19, **sizes})
    again = build(Choice.from_json(json.loads(json.dumps(part.choice().to_json()))))
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in part.state_dict().items()}
    again.load_state_dict(part.state_dict())


def test_every_part_is_of_a_kind_that_has_laws() -> None:
    """Encoders and decoders, which have no base class, by their names."""
    kinds = (Posterior, Prior, Likelihood, Objective, Penalty, Corruption, LinearSchedule)
    others = [name for name, cls in PARTS.items() if not issubclass(cls, kinds)]
    assert all(name in ("context", "earlier-rows") or name.endswith(("-encoder", "-decoder")) for name in others), others


def test_names_are_closed() -> None:
    with pytest.raises(ModelError, match="no part called 'os.system'; there are"):
        build(choose("os.system"))
    with pytest.raises(ModelError, match="has no argument 'gama'; it has: gamma, capacity"):
        build(choose("capacity", gama=1))
    with pytest.raises(ModelError, match="taken"):
        register(PARTS["elbo"])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("posterior", ["diagonal-normal", "point-mass"])
def test_shapes_and_gradients(shape: tuple[int, ...], posterior: str) -> None:
    model, rows = model_of(shape, posterior=posterior), rows_of(shape)
    trace = model.trace(rows, 4)
    size = rows.x[0].numel()
    assert trace.z.shape == (4, 12, 3)
    assert trace.px.log_prob(rows.x, rows.mask).shape == (4, 12, size)
    assert trace.distortion.shape == trace.rate.shape == (12,)
    (trace.distortion + trace.rate).mean().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().any()]
    assert not without


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", of_numbers())
def test_likelihood_counts_seen_fields_only(name: str, shape: tuple[int, ...]) -> None:
    model, rows = model_of(shape, likelihood=name), rows_of(shape)
    theta = torch.randn(2, 12, model.likelihood.outputs)
    full, masked = (model.likelihood(theta).log_prob(rows.x, mask) for mask in (None, rows.mask))
    seen = rows.mask.flatten(1).expand_as(full)
    assert torch.equal(masked[seen], full[seen])
    modelled = torch.as_tensor(model.likelihood(theta).missing_log_prob, dtype=masked.dtype).expand_as(masked)
    assert torch.equal(masked[~seen], modelled[~seen])
    for mask, value in ((None, full), (rows.mask, masked)):
        torch.testing.assert_close(model.likelihood(theta).row_log_prob(rows.x, mask), value.sum(-1))


@pytest.mark.parametrize("name", of_numbers())
def test_row_log_prob_has_the_gradient_of_log_prob(name: str) -> None:
    likelihood = build(choose(name), shape=(5,)).double()
    x = torch.rand(4, 5, dtype=torch.float64)
    theta = torch.randn(3, 4, likelihood.outputs, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(3, 4, dtype=torch.float64)
    inputs = [theta, *likelihood.parameters()]
    quick = torch.autograd.grad((likelihood(theta).row_log_prob(x) * weights).sum(), inputs)
    plain = torch.autograd.grad((likelihood(theta).log_prob(x).sum(-1) * weights).sum(), inputs)
    for a, b in zip(quick, plain, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("logit", [-3.0, -0.01, 0.4, 2.5])
@pytest.mark.parametrize("name", of_numbers())
def test_density_integrates_to_one_with_its_mean(name: str, logit: float) -> None:
    likelihood = build(choose(name), shape=(1,)).double()
    low, high, count = {"bernoulli": (0, 1, 2), "continuous-bernoulli": (0, 1, 20_001)}.get(name, (-400, 400, 800_001))
    x = torch.linspace(low, high, count, dtype=torch.float64)
    step = 1.0 if name == "bernoulli" else float(x[1] - x[0])
    px = likelihood(torch.full((1, count, likelihood.outputs), logit, dtype=torch.float64))
    density = px.log_prob(x.reshape(-1, 1))[0, :, 0].exp().detach()
    assert float(density.sum() * step) == pytest.approx(1.0, abs=2e-3)
    assert float((density * x).sum() * step) == pytest.approx(float(px.mean[0, 0, 0]), abs=1e-2)


@pytest.mark.parametrize("name", of_numbers())
def test_samples_have_the_mean(name: str) -> None:
    likelihood = build(choose(name), shape=(4,))
    theta = torch.tensor([-2.0, -0.02, 0.5, 3.0]).repeat(likelihood.parameters_per_field)
    with seeded(0), torch.no_grad():
        px = likelihood(theta.expand(1, 40_000, -1))
        drawn = px.sample()[0]
    spread = drawn.std(0) / 200
    assert torch.all((drawn.mean(0) - px.mean[0, 0]).abs() < 5 * spread + 1e-6)


@pytest.mark.parametrize("name", [name for name in names(Objective) if not PARTS[name].needs_labels])
@pytest.mark.parametrize("posterior", ["diagonal-normal", "point-mass"])
def test_objective_gives_a_number_for_each_row(name: str, posterior: str) -> None:
    model, rows = model_of((5,), posterior=posterior), rows_of((5,))
    objective = build(choose(name), n_rows=100)
    if posterior == "point-mass" and objective.needs_rate:
        pytest.skip("a point mass has no rate to weigh")
    terms = objective(model.trace(rows, objective.K), FULL)
    assert terms.total.shape == (12,)
    assert torch.isfinite(terms.total).all()
    assert all(value.shape == (12,) for value in terms.named.values())


def test_objectives_are_what_their_formulas_say() -> None:
    model, rows = model_of((5,)), rows_of((5,))
    trace = model.trace(rows, 7)
    distortion, rate = trace.distortion, trace.rate
    total = lambda name, strength=FULL, **arguments: build(choose(name, **arguments))(trace, strength).total  # noqa: E731
    torch.testing.assert_close(total("elbo"), distortion + rate)
    torch.testing.assert_close(total("elbo", beta=3.0), distortion + 3 * rate)
    torch.testing.assert_close(total("elbo", {"kl": 0.5}, beta=3.0), distortion + 1.5 * rate)
    torch.testing.assert_close(total("capacity", gamma=2.0, capacity=4.0), distortion + 2 * (rate.mean() - 4).abs())
    weights = trace.log_likelihood + trace.p.log_prob(trace.z) - trace.q.log_prob(trace.z)
    torch.testing.assert_close(total("importance-weighted", samples=7), -(torch.logsumexp(weights, 0) - np.log(7)))
    # Free bits: units that say less than the allowance cost the allowance.
    assert float((total("elbo", free_bits=50.0)[0] - distortion[0]).detach()) == pytest.approx(150.0)


def gradients(**arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
    """Of encoder and decoder, by an importance-weighted bound of 6 draws, which are the same each time."""
    model, rows = model_of((5,)), rows_of((5,))
    objective = build(choose("importance-weighted", **arguments))
    with seeded(4):
        objective(model.trace(rows, 6), FULL).total.mean().backward()
    parts = ((model.encoder, model.posterior), (model.decoder, model.likelihood))
    encoder, decoder = (torch.cat([p.grad.flatten() for part in both for p in part.parameters()]) for both in parts)
    return encoder, decoder


def test_estimators_change_the_gradient_of_the_encoder_only() -> None:
    encoder, decoder = gradients(samples=6)
    by_groups, _ = gradients(samples=3, groups=2)
    partial, of_all = gradients(samples=3, groups=2, gradient="partial")
    torch.testing.assert_close(partial, by_groups)
    torch.testing.assert_close(of_all, decoder)
    for estimator in ("stl", "dreg"):
        other, same = gradients(samples=6, gradient=estimator)
        torch.testing.assert_close(same, decoder)
        assert not torch.allclose(other, encoder)
    alone, _ = gradients(samples=6, elbo=1.0)
    mixed, _ = gradients(samples=6, elbo=0.25)
    torch.testing.assert_close(mixed, 0.25 * alone + 0.75 * encoder)


def test_doubly_reparametrised_gradients_have_the_same_mean_and_vary_less() -> None:
    model, rows = model_of((5,)), rows_of((5,), 1)
    head = model.posterior.head.bias

    def drawn(gradient: str) -> torch.Tensor:
        objective = build(choose("importance-weighted", samples=4, gradient=gradient))
        with seeded(5):
            made = [torch.autograd.grad(objective(model.trace(rows, 4), FULL).total.mean(), head)[0] for _ in range(400)]
        return torch.stack(made)

    standard, doubly = drawn("standard"), drawn("dreg")
    assert bool((doubly.std(0) < standard.std(0)).all())
    assert bool(((doubly.mean(0) - standard.mean(0)).abs() < 5 * standard.std(0) / 400**0.5).all())


def test_bounds_do_not_fall_with_k() -> None:
    model, rows = model_of((5,)), rows_of((5,), 200)
    with seeded(3), torch.no_grad():
        trace = model.trace(rows, 4096)
        weights = trace.log_likelihood + trace.log_prior_ratio
    bounds = [float((torch.logsumexp(weights.reshape(-1, k, 200), 1) - np.log(k)).mean()) for k in (1, 4, 16, 64, 256, 4096)]
    assert bounds == sorted(bounds)


@pytest.mark.parametrize("name", names(Penalty))
def test_penalties_are_not_negative_and_have_gradients(name: str) -> None:
    model, rows = model_of((5,), posterior="point-mass"), rows_of((5,))
    rows = Rows(rows.x.requires_grad_(), rows.mask)
    terms = build(choose(name), latent_dim=3, n_rows=100)(model.trace(rows))
    assert all(value.shape == (12,) for value in (terms.total, *terms.named.values()))
    assert (terms.total >= 0).all() or PARTS[name].own_rate, "what a critic says may be below 0"
    terms.total.sum().backward()
    assert model.posterior.head.weight.grad.abs().sum() > 0


def test_contraction_is_the_norm_of_the_jacobian() -> None:
    model, rows = model_of((5,), posterior="point-mass"), rows_of((5,), 3, holes=False)
    rows = Rows(rows.x.requires_grad_())
    penalty = build(choose("contraction", weight=1.0))
    with seeded(5):
        estimate = torch.stack([penalty(model.trace(rows)).total.detach() for _ in range(4000)]).mean(0)
    exact = torch.autograd.functional.jacobian(lambda x: model.encode(Rows(x)).code.sum(0), rows.x).square().sum((0, 2))
    torch.testing.assert_close(estimate, exact, rtol=0.1, atol=1e-6)


@pytest.mark.parametrize("name", names(Corruption))
@pytest.mark.parametrize("holes", [True, False])
def test_corruptions_change_seen_values_only(name: str, holes: bool) -> None:
    rows = rows_of((50,), 40, holes)
    before = rows.x.clone()
    with seeded(1):
        noisy = build(choose(name))(rows)
    assert torch.equal(rows.x, before)
    assert noisy.x.shape == rows.x.shape
    assert (noisy.x != rows.x).float().mean() > 0.05
    if rows.mask is not None:
        assert not noisy.x[~rows.mask].any()


@pytest.mark.parametrize("name", names_for("euclidean")[2:])
def test_fitted_priors_recover_what_they_were_fitted_to(name: str) -> None:
    with seeded(0):
        z = torch.randn(4000, 2) @ torch.tensor([[2.0, 0.5], [0.0, 0.3]]) + torch.tensor([1.0, -3.0])
        law = build(choose(name), latent_dim=2).fit(z)
        drawn = law.sample(20_000).double()
    torch.testing.assert_close(drawn.mean(0), z.double().mean(0), atol=0.08, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(z.double().T), atol=0.12, rtol=0)
    assert torch.isfinite(law.log_prob(z.double())).all()


def test_a_flow_is_a_density_and_bends() -> None:
    """Against what it was fitted to, a ring; and its density adds up to one."""
    with seeded(0):
        angle = torch.rand(4000) * 6.2832
        ring = torch.stack([angle.cos(), angle.sin()], 1) * (3 + 0.2 * torch.randn(4000, 1))
        law = build(choose("flow"), latent_dim=2).fit(ring)
        radius = law.sample(2000).norm(dim=1)
    assert float(((radius > 2) & (radius < 4)).float().mean()) > 0.9
    grid = torch.cartesian_prod(torch.linspace(-6, 6, 241), torch.linspace(-6, 6, 241))
    assert float(law.log_prob(grid).exp().sum() * 0.05**2) == pytest.approx(1.0, abs=0.02)


def test_the_nearest_law_is_a_density_that_follows_what_it_stores() -> None:
    with seeded(0):
        angle = torch.rand(1500) * 6.2832
        ring = torch.stack([angle.cos(), angle.sin()], 1) * (3 + 0.2 * torch.randn(1500, 1))
        law = build(choose("nearest", codes=1000), latent_dim=2).fit(ring[:1000])
        radius = law.sample(2000).norm(dim=1)
    assert float(((radius > 2) & (radius < 4)).float().mean()) > 0.95
    grid = torch.cartesian_prod(torch.linspace(-6, 6, 241), torch.linspace(-6, 6, 241))
    assert float(law.log_prob(grid).exp().sum() * 0.05**2) == pytest.approx(1.0, abs=0.02)
    gaussian = build(choose("gaussian"), latent_dim=2).fit(ring[:1000])
    assert law.log_prob(ring[1000:]).mean() > gaussian.log_prob(ring[1000:].double()).mean() + 0.5


def test_the_nearest_law_stores_as_many_codes_as_there_are() -> None:
    law = build(choose("nearest"), latent_dim=2).fit(torch.tensor([[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]]))
    assert law.choice().arguments["codes"] == 3
    assert torch.isfinite(law.log_prob(torch.zeros(1, 2))).all()
    again = build(Choice.from_json(json.loads(json.dumps(law.choice().to_json()))))
    again.load_state_dict(law.state_dict())


def test_a_fitted_prior_of_ones_own_choice() -> None:
    model = model_of((5,), posterior=choose("diagonal-normal", latent_dim=2))
    with seeded(0):
        z = torch.randn(400, 2)
    assert fit_prior("prior", z, model).log_prob(torch.zeros(1, 2)).item() == pytest.approx(-np.log(2 * np.pi))
    assert fit_prior(choose("mixture", components=3), z, model).arguments["components"] == 3
    assert fit_prior("mixture", torch.cat([z, z * 0.2 + 5]), model).arguments["components"] == 2
    with pytest.raises(ModelError, match="no prior for these codes called 'elbo'; there are auto, prior, "):
        fit_prior("elbo", z, model)
    with pytest.raises(ModelError, match="a flow needs codes of at least 2 dimensions"):
        fit_prior("flow", z[:, :1], model_of((5,), posterior=choose("diagonal-normal", latent_dim=1)))
    with pytest.raises(ModelError, match="can only be learned together with a model"):
        build(choose("standard-normal"), latent_dim=2).fit(z)


def test_the_fitted_prior_is_chosen_by_evidence() -> None:
    model = model_of((5,))
    with seeded(0):
        one = torch.randn(3000, 2)
        two = torch.cat([one[:1500] * 0.2 + 3, one[1500:] * 0.2 - 3])
    assert fit_prior("auto", one, model).name == "gaussian"
    assert fit_prior("auto", two, model).name == "mixture"


@pytest.mark.parametrize("likelihood", ["normal", "student-t"])
def test_dropping_units_leaves_the_rest(likelihood: str) -> None:
    for shape in SHAPES:
        model, rows = model_of(shape, likelihood=likelihood), rows_of(shape)
        kept = torch.tensor([0, 2])
        before, z = model.encode(rows), torch.randn(1, 12, 3)
        z[..., 1] = 0.0
        decoded = model.decode(z).mean
        model.drop_units(kept)
        torch.testing.assert_close(model.encode(rows).loc, before.loc[:, kept])
        torch.testing.assert_close(model.encode(rows).log_variance, before.log_variance[:, kept])
        torch.testing.assert_close(model.decode(z[..., kept]).mean, decoded)
        again = LatentModel.from_config(json.loads(json.dumps(model.config())))
        again.load_state_dict(model.state_dict())
        assert again.latent_dim == 2


@settings(max_examples=25, deadline=None)
@given(st.floats(-60, 60), st.floats(0, 1))
def test_continuous_bernoulli_agrees_with_torch(logit: float, x: float) -> None:
    ours = build(choose("continuous-bernoulli"), shape=(1,))(torch.tensor([[[logit]]], dtype=torch.float64))
    value = ours.log_prob(torch.tensor([[x]], dtype=torch.float64))
    assert torch.isfinite(value).all()
    assert 0 <= float(ours.mean) <= 1
    if abs(logit) < 12:
        theirs = torch.distributions.ContinuousBernoulli(logits=torch.tensor(logit, dtype=torch.float64))
        assert float(value) == pytest.approx(float(theirs.log_prob(torch.tensor(x, dtype=torch.float64))), abs=1e-4)
        assert float(ours.mean) == pytest.approx(float(theirs.mean), abs=1e-3)


def test_student_t_and_normal_agree_with_torch() -> None:
    x = torch.randn(3, 5, dtype=torch.float64)
    theta = torch.randn(2, 3, 5, dtype=torch.float64)
    student, normal = (build(choose(name), shape=(5,)).double() for name in ("student-t", "normal"))
    px = student(theta)
    theirs = torch.distributions.StudentT(px.df, theta, px.log_sigma.exp()).log_prob(x)
    torch.testing.assert_close(px.log_prob(x), theirs)
    theirs = torch.distributions.Normal(theta, normal.log_sigma.exp()).log_prob(x)
    torch.testing.assert_close(normal(theta).log_prob(x), theirs)


def test_numbers_take_no_levels() -> None:
    with pytest.raises(ModelError, match="'normal' is for numbers"):
        compose({"likelihood": choose("normal")}, shape=(2,), levels=(0, 3))


@pytest.mark.parametrize("name", [name for name in names(Corruption) if "share" in constructor_arguments(PARTS[name])])
@pytest.mark.parametrize("holes", [True, False])
def test_levels_that_are_corrupted_are_not_seen(name: str, holes: bool) -> None:
    rows = rows_of((3,), 400, holes)
    rows.x[:, 1] = (torch.arange(400) % 4 + 1.0) * (1.0 if rows.mask is None else rows.mask[:, 1])
    with seeded(1):
        noisy = build(choose(name, share=0.4), levels=(0, 5, 0))(rows)
    assert noisy.mask is not None
    seen = noisy.mask[:, 1]
    assert 0.5 < float(seen[rows.mask[:, 1] if rows.mask is not None else slice(None)].float().mean()) < 0.7
    assert torch.equal(noisy.x[seen, 1], rows.x[seen, 1]) and not noisy.x[~seen, 1].any()
    others = [0, 2]
    assert torch.equal(
        noisy.mask[:, others], torch.ones(400, 2, dtype=torch.bool) if rows.mask is None else rows.mask[:, others]
    )
    assert float(noisy.x[:, others].max()) <= float(rows.x[:, others].max())
