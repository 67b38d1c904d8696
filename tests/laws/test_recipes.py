"""Laws over every recipe."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

import latente as lt
from latente.recipes import Recipe

NAMES = [recipe.name for recipe in lt.recipes()]
STOCHASTIC = [name for name in NAMES if lt.recipe(name).posterior.name == "diagonal-normal"]


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
    ]
    assert expected == NAMES
    assert len(lt.recipes()) == 11
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
    vae = lt.VAE(recipe=name, max_epochs=3, latent_dim=4, random_state=0).fit(rows)
    z = vae.transform(rows)
    assert z.shape == (569, 4)
    assert np.isfinite(z).all()
    for result in (vae.reconstruct(rows), vae.denoise(rows), vae.inverse_transform(z), vae.sample(569)):
        assert result.shape == rows.shape
        assert np.isfinite(result).all()
    assert vae.interpolate(rows[0], rows[1], 5).shape == (5, 30)
    scores = vae.score_samples(rows)
    assert np.isfinite(scores).all()
    assert set(np.unique(vae.predict(rows))) <= {-1, 1}
    again = lt.load(vae.save(tmp_path / "model.safetensors"))
    assert np.array_equal(again.transform(rows), z)
    assert np.array_equal(again.score_samples(rows), scores)
    assert np.array_equal(again.sample(10), vae.sample(10))
    assert again.recipe_ == vae.recipe_


@pytest.mark.parametrize("name", STOCHASTIC)
def test_score_rises_with_importance_samples(name: str, table: NDArray[np.float64]) -> None:
    vae = lt.VAE(recipe=name, max_epochs=3, latent_dim=4, random_state=0).fit(table)
    bounds = [vae.score_samples(table[:150], importance_samples=k).mean() for k in (1, 20, 1000)]
    assert bounds == sorted(bounds)


def test_a_recipe_of_columns_can_be_fitted_on_pictures(digits: NDArray[np.uint8]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        vae = lt.VAE("hi-vae", random_state=0, max_epochs=2).fit(digits)
    assert np.isfinite(vae.score_samples(digits[:5])).all() and vae.sample(2).shape == (2, 8, 8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [name for name in NAMES if name != "hi-vae"])  # which has a law for each column of a table
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
