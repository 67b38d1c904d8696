"""Laws over every recipe."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import latente as lt
from latente.catalogue import Recipe

NAMES = [recipe.name for recipe in lt.recipes()]
RANDOM = [
    name
    for name in NAMES
    if lt.recipe(name).posterior.name in ("diagonal-normal", "iaf", "power-spherical") and not lt.recipe(name).needs_context
]

DIGITS = NAMES[: NAMES.index("hi-vae")]


def test_the_table_has_all_of_them() -> None:
    expected = [
        "autoencoder",
        "denoising",
        "sparse",
        "contractive",
        "vae",
        "beta-vae",
        "capacity-vae",
        "sigma-vae",
        "iwae",
        "miwae",
        "hi-vae",
        "vamp-vae",
        "flow-prior-vae",
        "iaf-vae",
        "hyperspherical-vae",
        "cvae",
        "beta-tcvae",
        "factor-vae",
        "wae",
        "fsq",
        "vq-vae",
        "concrete-autoencoder",
    ]
    assert expected == NAMES
    assert len(lt.recipes()) == 22
    assert all(recipe.summary and recipe.reference and recipe.name in repr(lt.recipes()) for recipe in lt.recipes())


@pytest.mark.parametrize("name", NAMES)
def test_json_round_trip(name: str) -> None:
    recipe = lt.recipe(name)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_unknown_names_and_arguments_list_the_known() -> None:
    with pytest.raises(lt.ModelError, match="no recipe called 'bvae'; there are autoencoder, "):
        lt.recipe("bvae")
    with pytest.raises(lt.ModelError, match="does not take gamma; its arguments: beta"):
        lt.recipe("beta-vae", gamma=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_serves_every_use(name: str, table: NDArray[np.float64], tmp_path) -> None:
    rows = table.copy()
    rows[::7, 3] = np.nan
    given, one = ({"context": np.arange(569) % 2}, {"context": {"context": 1}}) if lt.recipe(name).needs_context else ({}, {})
    vae = lt.VAE(recipe=name, max_epochs=3, latent_dim=4, random_state=0).fit(rows, **given)
    z = vae.transform(rows, **given)
    assert z.shape == (569, 4)
    assert np.isfinite(z).all()
    rebuilt = vae.reconstruct(rows, **given), vae.denoise(rows, **given), vae.inverse_transform(z, **given)
    for result in (*rebuilt, vae.sample(569, **given)):
        assert result.shape == rows.shape
        assert np.isfinite(result).all()
    assert vae.interpolate(rows[0], rows[1], 5, **one).shape == (5, 30)
    scores = vae.score_samples(rows, **given)
    assert np.isfinite(scores).all()
    assert set(np.unique(vae.predict(rows, **given))) <= {-1, 1}
    again = lt.load(vae.save(tmp_path / "model.safetensors"))
    assert np.array_equal(again.transform(rows, **given), z)
    assert np.array_equal(again.score_samples(rows, **given), scores)
    assert np.array_equal(again.sample(10, **one), vae.sample(10, **one))
    assert again.recipe_ == vae.recipe_


@pytest.mark.parametrize("name", RANDOM)
def test_score_rises_with_importance_samples(name: str, table: NDArray[np.float64]) -> None:
    vae = lt.VAE(recipe=name, max_epochs=3, latent_dim=4, random_state=0).fit(table)
    bounds = [vae.score_samples(table[:150], importance_samples=k).mean() for k in (1, 20, 1000)]
    assert bounds == sorted(bounds)


def test_a_recipe_of_columns_can_be_fitted_on_pictures(digits: NDArray[np.uint8]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        vae = lt.VAE("hi-vae", random_state=0, max_epochs=2).fit(digits)
    assert np.isfinite(vae.score_samples(digits[:5])).all() and vae.sample(2).shape == (2, 8, 8)


def fitted(name: str, rows: NDArray[np.float64], **changes: object) -> lt.VAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        return lt.VAE(name, **{"max_epochs": 4, "latent_dim": 4, "random_state": 0, **changes}).fit(rows)


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
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", DIGITS)
def test_digits_without_a_warning(name: str, seed: int, digits: NDArray[np.uint8]) -> None:
    """But for that of a tenth of the gain and more that 1,600 pictures do not carry over to others."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="overfits: ")
        vae = lt.VAE(recipe=name, random_state=seed, max_epochs=8).fit(digits)
    values = [value for record in vae.history_ for value in record.values()]
    assert np.isfinite(values).all()
    assert vae.figures_["active_units"] >= 2
    assert vae.figures_["gain_over_independent_columns"] > 5
