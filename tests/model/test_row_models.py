"""Which model scores, samples and completes rows."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

import latente as lt
from benchmarks.hostile import mixed
from latente.model.latent_model import LatentModel
from latente.model.row_models import AutoregressiveModel
from latente.rows import Rows

FEW: dict[str, Any] = {"max_epochs": 4, "latent_dim": 2, "random_state": 0}


def fitted(*recipe: Any, rows: Any = None, **parameters: Any) -> lt.VAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        return lt.VAE(*recipe, **FEW, **parameters).fit(mixed() if rows is None else rows)


@pytest.fixture(scope="module")
def auto() -> lt.VAE:
    return fitted()


@pytest.fixture(scope="module")
def named() -> lt.VAE:
    return fitted("vae")


def answers(vae: lt.VAE, rows: pd.DataFrame) -> tuple[float, pd.DataFrame, pd.DataFrame]:
    incomplete = rows[:40].astype(object)
    for place, name in enumerate(rows.columns):
        incomplete.loc[incomplete.index[place::3], name] = None
    return vae.score(rows), vae.sample(40), vae.impute(incomplete)


def test_a_recipe_that_is_named_answers_everything_itself(named: lt.VAE) -> None:
    assert named.row_model_ is named.model_ and "row model" not in repr(named)
    age = np.random.default_rng(0).integers(18, 80, 400)
    pay = age * 100.0 + np.random.default_rng(1).normal(0, 100, 400)
    rows = pd.DataFrame({"age": age, "old": np.where(age > 50, "yes", "no"), "pay": pay})
    few: dict[str, Any] = {**FEW, "max_epochs": 15}
    models = [lt.VAE(recipe, **few).fit(rows) for recipe in ("vae", lt.recipe("beta-vae", beta=1e4))]
    (score, drawn, filled), (other_score, other_drawn, other_filled) = (answers(model, rows) for model in models)
    assert score > other_score + 0.5
    assert not drawn.equals(other_drawn) and not filled.equals(other_filled)


def test_auto_has_a_row_model_for_a_mixed_table_only(auto: lt.VAE) -> None:
    assert isinstance(auto.row_model_, AutoregressiveModel) and auto.recipe_.name == "vae"
    assert "autoregressive row model" in repr(auto) and "row model" not in repr(clone(auto))
    numbers = np.random.default_rng(0).normal(size=(60, 3))
    assert isinstance(fitted(rows=numbers).row_model_, LatentModel)


@pytest.mark.parametrize(
    ("parameters", "separate"),
    [
        ({"row_model": "latent"}, False),
        ({"recipe": "beta-vae", "row_model": "autoregressive"}, True),
        ({"recipe": "autoencoder", "row_model": "autoregressive"}, True),
        ({"likelihood": "histogram"}, False),
        ({"likelihood": "histogram", "row_model": "autoregressive"}, True),
    ],
)
def test_row_model_overrides(parameters: dict[str, str], separate: bool) -> None:
    vae = fitted(**parameters)
    assert (vae.row_model_ is not vae.model_) == separate
    assert np.isfinite(vae.score(mixed()))


def test_a_row_model_is_not_for_pictures_nor_for_measures_alone() -> None:
    numbers = np.random.default_rng(0).normal(size=(60, 3))
    for rows in (numbers, np.random.default_rng(0).random((20, 4, 4))):
        with pytest.raises(lt.ModelError, match="row_model='autoregressive' is for mixed tables"):
            fitted(rows=rows, row_model="autoregressive")
    with pytest.raises(lt.ModelError, match="row_model is 'law'; it must be 'auto', 'latent' or 'autoregressive'"):
        fitted(row_model="law")


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
@pytest.mark.parametrize("which", ["auto", "named"])
def test_what_answers_survives_saving(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    vae = request.getfixturevalue(which)
    again = lt.load(vae.save(tmp_path / "model.safetensors"))
    assert type(again.row_model_) is type(vae.row_model_)
    np.testing.assert_array_equal(again.score_samples(mixed()), vae.score_samples(mixed()))
    assert again.sample(5).equals(vae.sample(5))
    refitted = clone(again).set_params(max_epochs=1).fit(mixed())
    assert type(refitted.row_model_) is type(vae.row_model_)


def test_the_old_name_of_the_row_model(auto: lt.VAE) -> None:
    with pytest.warns(FutureWarning, match="row_model_"):
        assert auto.generator_ is auto.row_model_


# -- the interface ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["auto", "named"])
def vae(request: pytest.FixtureRequest) -> lt.VAE:
    found: lt.VAE = request.getfixturevalue(request.param)
    return found


def test_parts_add_up_and_missing_values_are_marginalised_out(vae: lt.VAE) -> None:
    model, x = copy.deepcopy(vae.row_model_).double(), torch.zeros(7, len(vae.codec_.fields), dtype=torch.float64)
    noise = torch.randn(5, 7, model.noise_size, dtype=torch.float64)
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, 1] = False
    for rows in (Rows(x), Rows(x, mask)):
        with torch.no_grad():
            torch.testing.assert_close(model.log_prob_parts(rows, noise).sum(1), model.log_prob(rows, noise))
    with torch.no_grad():
        assert (model.log_prob_parts(Rows(x, mask), noise)[:, 1] == 0).all()
        assert (model.field_log_prob(Rows(x, mask))[:, 1] == 0).all()


def test_completions_weigh_one_together(vae: lt.VAE) -> None:
    model, x = vae.row_model_, torch.zeros(3, len(vae.codec_.fields))
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, 0] = False
    with torch.no_grad():
        fields, weights = model.complete(Rows(x, mask), torch.randn(16, 3, model.noise_size + x.shape[1]))
        torch.testing.assert_close(weights.sum(0), torch.ones(3))
        assert fields.average(weights).shape == x.shape


def test_restricted_rows_are_within_and_weigh_as_the_probability(vae: lt.VAE) -> None:
    """Of rows that are drawn freely, the share in an interval is the mean weight of rows restricted to it."""
    f, given = 1, [(-0.5, 0.5)]
    torch.manual_seed(0)
    with torch.no_grad():
        free = vae.row_model_.sample(4000, vae.fitted_prior_)[:, f]
        rows, log_weights = vae.row_model_.restrict(4000, {f: given}, vae.fitted_prior_)
    within = (free >= -0.5) & (free <= 0.5)
    inside = rows[log_weights > -np.inf][:, f]
    assert ((inside >= -0.51) & (inside <= 0.51)).all()  # half a step of how the column is recorded
    assert float(log_weights.exp().mean()) == pytest.approx(float(within.float().mean()), abs=0.05)
