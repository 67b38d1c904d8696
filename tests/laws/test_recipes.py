"""Laws over every recipe."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

import latente as lt
from latente.blueprint import Blueprint
from latente.composition import Recipe
from latente.explorer.survey import Survey
from latente.model.corruptions import Corruption
from latente.model.objectives import Objective
from latente.model.parts import PARTS, names_of, part_class
from latente.model.penalties import Penalty
from latente.model.posteriors import OneCode, Posterior
from latente.model.priors import Prior
from latente.rows import SERIES, Field, Rows, row_shape

NAMES = [recipe.name for recipe in lt.recipes()]


def public_of(recipe: Recipe) -> dict[str, Any]:
    """What a fit needs to know of the columns of a test, if the recipe is private."""
    return {} if recipe.privacy is None else {"public": (-50.0, 50.0, None)}


def is_random(name: str) -> bool:
    posterior = part_class(lt.recipe(name).posterior.name)
    return posterior.has_density and not issubclass(posterior, OneCode) and not lt.recipe(name).needs_context


DIGITS = NAMES[: NAMES.index("hi-vae")]


def test_the_table_has_all_of_them() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 40
    assert all(recipe.summary and recipe.reference and recipe.name in repr(lt.recipes()) for recipe in lt.recipes())


@pytest.mark.parametrize("name", NAMES)
def test_json_round_trip(name: str) -> None:
    recipe = lt.recipe(name)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_unknown_names_and_arguments_are_answered_with_known_ones() -> None:
    with pytest.raises(lt.ModelError, match="no recipe called 'bvae'; is .*'vae'.* meant.* there are [0-9]+"):
        lt.recipe("bvae")
    with pytest.raises(lt.ModelError, match="does not take gamma; its arguments: beta"):
        lt.recipe("beta-vae", gamma=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_serves_every_use(name: str, table: NDArray[np.float64], tmp_path) -> None:
    rows = table[:160, :12].copy()
    rows[::7, 3] = np.nan
    given, one = ({"context": np.arange(160) % 2}, {"context": {"context": 1}}) if lt.recipe(name).needs_context else ({}, {})
    vae = lt.VAE(recipe=name, max_epochs=3, latent_dim=4, hidden=(16,), random_state=0)
    vae.fit(rows, **given, **public_of(lt.recipe(name)))
    z = vae.transform(rows, **given)
    assert z.shape == (160, 4)
    assert np.isfinite(z).all()
    rebuilt = vae.reconstruct(rows, **given), vae.denoise(rows, **given), vae.inverse_transform(z, **given)
    for result in (*rebuilt, vae.sample(160, **given)):
        assert result.shape == rows.shape
        assert np.isfinite(result).all()
    assert vae.interpolate(rows[0], rows[1], 5, **one).shape == (5, 12)
    scores = vae.score_samples(rows, **given)
    assert np.isfinite(scores).all()
    assert set(np.unique(vae.predict(rows, **given))) <= {-1, 1}
    again = lt.load(vae.save(tmp_path / "model.safetensors"))
    assert np.array_equal(again.transform(rows, **given), z)
    assert np.array_equal(again.score_samples(rows, **given), scores)
    assert np.array_equal(again.sample(10, **one), vae.sample(10, **one))
    assert again.recipe_ == vae.recipe_
    if is_random(name):
        some = {key: value[:60] for key, value in given.items()}
        bounds = [vae.score_samples(rows[:60], importance_samples=k, **some).mean() for k in (1, 20, 400)]
        assert bounds == sorted(bounds)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    recipe = lt.recipe(name)
    series = recipe.decoder is not None and part_class(recipe.decoder.name).__module__.endswith(".series")
    fields = (Field("window", SERIES, (2, 16)),) if series else tuple(Field(f"x{f}") for f in range(6))
    torch.manual_seed(0)
    labels = torch.eye(3)
    of_context = {"context_size": 3, "labels": tuple(map(tuple, labels.tolist()))} if recipe.needs_context else {}
    learner = Blueprint(recipe, fields, 100, 4, (16,), False, **of_context)()
    rows = Rows(torch.randn(32, *row_shape(fields)), context=labels[torch.arange(32) % 3] if of_context else None)
    learner.train().start(rows, torch.zeros(rows.x[0].numel()))
    half = dict.fromkeys(learner.followed, 0.5)
    parameters = [(name, parameter) for name, parameter in learner.named_parameters() if parameter.requires_grad]
    total = learner(rows, half).total.mean()
    found = torch.autograd.grad(total, [parameter for _, parameter in parameters], allow_unused=True)
    assert [name for (name, _), gradient in zip(parameters, found, strict=True) if gradient is None] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_every_recipe_has_a_certificate_and_a_page_or_the_reason(name: str, table: NDArray[np.float64], tmp_path) -> None:
    recipe, rows = lt.recipe(name), table[:, :8]
    context = np.arange(len(rows)) % 2 if recipe.needs_context else None
    vae = lt.VAE(name, max_epochs=1, latent_dim=4, hidden=(16,), random_state=0).fit(rows, context=context, **public_of(recipe))
    try:
        given = {"held_out": rows[:100] + 0.01, "train": rows} if recipe.privacy else {}
        certificate = vae.certificate(**given)
    except lt.DataError as error:
        assert recipe.needs_context and "describes one context" in str(error)  # noqa: PT017
        return
    for figure in certificate.figures.values():
        assert np.isfinite(figure.value) or figure.reason
    try:
        assert Survey.of(vae).active
    except lt.DataError as error:
        assert name in str(error)  # noqa: PT017


def is_linear_gaussian(name: str) -> bool:
    """Whether p(x) is normal, once the decoder is linear and the noise one normal: its prior is N(0, I)."""
    recipe = lt.recipe(name)
    connected = recipe.decoder is None or recipe.decoder.name == "mlp-decoder"
    return connected and recipe.prior.name == "standard-normal" and is_random(name) and recipe.likelihood in (None, SHARED)


SHARED = lt.choose("normal", sigma="shared")


@pytest.mark.parametrize("name", [name for name in NAMES if is_linear_gaussian(name)])
def test_elbo_importance_weighted_bound_and_likelihood_are_in_this_order(name: str) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(100, 2)) @ generator.normal(size=(2, 4)) + 0.5 * generator.normal(size=(100, 4))
    vae = fitted(name, rows, hidden=(), likelihood=SHARED, max_epochs=3, latent_dim=2)
    weights = vae.model_.decoder.layers[0].weight.detach().double().numpy()
    noise = np.exp(2 * float(vae.model_.likelihood.log_sigma.detach()))
    scale = np.diag(vae.codec_.scale)
    covariance = scale @ (weights @ weights.T + noise * np.eye(4)) @ scale
    exact = multivariate_normal(vae.inverse_transform(np.zeros((1, 2)))[0], covariance).logpdf(rows)
    elbo, bound = (vae.score_samples(rows, importance_samples=k).mean() for k in (1, 100))
    assert elbo <= bound <= exact.mean() + 0.01


LIKELIHOODS = ["student-t", "heteroscedastic-normal", "self-masked-normal"]


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_parts_go_together_or_are_refused_with_the_reason(data: st.DataObject) -> None:
    """Any parts, on rows with and without missing values: refused by name, or fitted, stored and loaded."""
    draw = lambda kind: data.draw(st.sampled_from(names_of(kind)))  # noqa: E731
    posterior, penalties = draw(Posterior), data.draw(st.lists(st.sampled_from(names_of(Penalty)), max_size=2, unique=True))
    priors = [name for name in names_of(Prior) if not PARTS[name].needs_context]
    rows = np.random.default_rng(0).normal(size=(60, 2)) @ np.ones((2, 4)) + np.random.default_rng(1).normal(size=(60, 4))
    rows[::7, 2] = np.nan if data.draw(st.booleans()) else 0.0
    try:
        recipe = lt.Recipe(
            posterior=posterior, prior=data.draw(st.sampled_from(priors)), objective=draw(Objective),
            penalties=tuple(penalties), corruption=data.draw(st.sampled_from([None, *names_of(Corruption)])),
            schedule=lt.choose("linear", warm_up=data.draw(st.sampled_from([0.0, 0.5]))),
            likelihood=data.draw(st.sampled_from([None, *LIKELIHOODS])),
        )  # fmt: skip
        vae = fitted(recipe, rows, latent_dim=2, max_epochs=1, hidden=(8,))
    except lt.ModelError as refusal:
        assert "can't be made" not in str(refusal)  # noqa: PT017
        return
    scores = vae.score_samples(rows)
    assert np.isfinite(scores).all() and np.isfinite(vae.sample(5)).all()
    with tempfile.TemporaryDirectory() as folder:
        again = lt.load(vae.save(Path(folder) / "model.safetensors"))
    assert np.array_equal(again.score_samples(rows), scores)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (
            {"posterior": "fsq"},
            "codes of the posterior 'fsq' lie in a space of the kind 'grid', and the prior 'standard",
        ),
        ({"posterior": "point-mass"}, "'elbo' weighs the rate of codes, and .* have none: choose 'reconstruction'"),
        ({"posterior": "elbo"}, "posterior: the part 'elbo' is no posterior"),
        ({"prior": "flow-prior"}, "no part called 'flow-prior'; is .*there are"),
        ({"posterior": "concrete-selector"}, "chooses values of the row itself: choose the encoder"),
        ({"fitted_prior": "symbols"}, "the prior 'symbols' is one of the kind 'grid'"),
        ({"posterior": "point-mass", "prior": "no-prior", "objective": "reconstruction", "penalties": ("mmd",)}, "has none"),
    ],
)
def test_what_can_not_go_together_is_refused_at_construction(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(lt.ModelError, match=reason):
        lt.Recipe(**parts)


def test_a_recipe_of_columns_can_be_fitted_on_pictures(digits: NDArray[np.uint8]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        vae = lt.VAE("hi-vae", random_state=0, max_epochs=2).fit(digits)
    assert np.isfinite(vae.score_samples(digits[:5])).all() and vae.sample(2).shape == (2, 8, 8)


def fitted(name: str | Recipe, rows: NDArray[np.float64], **changes: object) -> lt.VAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        return lt.VAE(name, **{"max_epochs": 4, "latent_dim": 4, "random_state": 0, **changes}).fit(
            rows, **public_of(name if isinstance(name, Recipe) else lt.recipe(name))
        )


def test_the_code_of_a_quantiser_costs_the_logarithm_of_their_number(table: NDArray[np.float64]) -> None:
    for name, count in (("fsq", 8**4), ("vq-vae", 64**2)):
        vae = fitted(name, table)
        assert vae.figures_["rate"] == pytest.approx(np.log(count))
        certificate = vae.certificate()
        assert not certificate["continuity"].known and "discrete" in certificate["continuity"].reason
        assert 0 < certificate["mutual_information"].value <= certificate["rate"].value
        assert vae.fitted_prior_.name == "symbols"
        with pytest.raises(lt.DataError, match="explorer shows planes of codes, and these codes are symbols"):
            lt.explore(vae)


def test_codes_on_a_sphere_stay_there(table: NDArray[np.float64]) -> None:
    vae = fitted("hyperspherical-vae", table)
    assert np.linalg.norm(vae.transform(table), axis=1) == pytest.approx(1.0, abs=1e-5)
    drawn = vae.fitted_prior_.sample(50)
    assert drawn.norm(dim=1).numpy() == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(lt.DataError, match="lie on a sphere"):
        lt.explore(vae)
    with pytest.raises(lt.ModelError, match="at least 2 dimensions"):
        fitted("hyperspherical-vae", table, latent_dim=1)


def test_the_columns_that_are_chosen_are_told_and_are_the_code(table: NDArray[np.float64], tmp_path) -> None:
    """Of three columns and noisy copies of them, one of each kind is enough."""
    rng = np.random.default_rng(0)
    three = rng.normal(size=(600, 3))
    frame = pd.DataFrame(np.concatenate([three, three @ rng.normal(size=(3, 5))], 1), columns=[*"abcdefgh"]).assign(
        constant=1.0
    )
    vae = fitted("concrete-autoencoder", frame, latent_dim=3, max_epochs=40)
    support = vae.get_support()
    assert support.shape == (9,) and 1 <= support.sum() <= 3 and not support[8]
    assert [*vae.get_support(indices=True)] == [*np.flatnonzero(support)]
    assert any(f"chosen columns: {', '.join(frame.columns[support])}" in note for note in vae.notes_)
    codes, chosen = vae.transform(frame), frame.columns[support][0]
    others = frame.assign(**{name: rng.normal(size=600) for name in frame.columns[:8][~support[:8]]})
    assert np.array_equal(vae.transform(others), codes), "the other columns do not matter"
    assert not np.array_equal(vae.transform(frame.assign(**{chosen: 0.0})), codes)
    assert np.array_equal(lt.load(vae.save(tmp_path / "m.safetensors")).get_support(), support)
    assert fitted("concrete-autoencoder", table).history_[-1]["temperature_weight"] == 1.0
    with pytest.raises(lt.ModelError, match="'vae' chooses no columns"):
        fitted("vae", table).get_support()


def test_the_parts_of_the_rate_add_up(table: NDArray[np.float64]) -> None:
    """Information, total correlation and what single dimensions cost are the rate, but for the error of a batch."""
    last = fitted("beta-tcvae", table, max_epochs=20).history_[-1]
    parts = sum(last[f"train_{name}"] for name in ("mutual_information", "total_correlation", "dimension_kl"))
    assert parts == pytest.approx(last["train_rate"], abs=0.3)


def test_a_critic_learns_and_does_not_choose_the_epoch(table: NDArray[np.float64]) -> None:
    history = fitted("factor-vae", table, max_epochs=20).history_
    assert min(record["train_critic"] for record in history) < 0.99 * np.log(2)
    last = history[-1]
    assert last["held_out_objective"] == pytest.approx(last["held_out_loss"] + last["held_out_total_correlation"], abs=1e-3)


def test_codes_of_a_wae_are_drawn_to_the_prior(table: NDArray[np.float64], tmp_path) -> None:
    near, far = (fitted(lt.recipe("wae", weight=weight), table, max_epochs=20, effort="best") for weight in (1000.0, 0.0))
    spread = [np.abs(np.cov(vae.transform(table).T) - np.eye(4)).max() for vae in (near, far)]
    assert spread[0] < spread[1]
    again = lt.load(near.save(tmp_path / "m.safetensors"))
    assert again.model_.has_prior and np.array_equal(again.sample(3, prior="prior"), near.sample(3, prior="prior"))


@pytest.mark.parametrize("loaded", ["Autoencoder", "VAE"])
def test_a_file_remembers_which_estimator_it_was(loaded: str, table: NDArray[np.float64], tmp_path) -> None:
    vae = getattr(lt, loaded)("denoising", latent_dim=2, max_epochs=1, random_state=0).fit(table)
    assert type(lt.load(vae.save(tmp_path / "m.safetensors"))).__name__ == loaded


@pytest.mark.slow
@pytest.mark.parametrize("name", DIGITS)
def test_digits_without_a_warning(name: str, digits: NDArray[np.uint8]) -> None:
    """But for that of a tenth of the gain and more that 1,600 pictures do not carry over to others."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="overfits: ")
        vae = lt.VAE(recipe=name, random_state=0, max_epochs=8).fit(digits)
    values = [value for record in vae.history_ for value in record.values()]
    assert np.isfinite(values).all()
    assert vae.figures_["active_units"] >= 2
    assert vae.figures_["gain_over_independent_columns"] > 5
