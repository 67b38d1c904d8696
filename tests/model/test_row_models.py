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
from latente.training.learners import DecodingLearner
from latente.training.loop import Settings, Training

FEW: dict[str, Any] = {"max_epochs": 4, "latent_dim": 2, "random_state": 0}


def fitted(*recipe: Any, rows: Any = None, **parameters: Any) -> lt.VAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        return lt.VAE(*recipe, **{**FEW, **parameters}).fit(mixed() if rows is None else rows)


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


# -- codes that a row model decodes -----------------------------------------------------------------------------------


def codes(vae: lt.VAE, n: int = 6) -> torch.Tensor:
    return torch.randn(2, n, vae.latent_dim_, generator=torch.Generator().manual_seed(0))


def test_rows_decoded_by_a_row_model_keep_relations() -> None:
    """Half-way between two rows, columns that are independent given the code contradict each other."""
    city = np.random.default_rng(0).integers(0, 4, 500)
    age = np.random.default_rng(1).normal(40 + 5 * city, 9).round()
    rows = pd.DataFrame({"city": np.array(list("abcd"))[city], "name": np.array(list("ABCD"))[city], "age": age})
    vae = fitted(rows=rows, max_epochs=25)
    z = vae.transform(rows)
    between = (z + z[::-1]) / 2
    for noise in (False, True):
        decoded = vae.inverse_transform(between, noise=noise)
        assert (decoded["city"].str.upper() == decoded["name"]).mean() > 0.95
    assert decoded["city"].nunique() == 4


def test_what_a_code_adds_is_nothing_before_it_is_trained(auto: lt.VAE) -> None:
    model = copy.deepcopy(auto.row_model_)
    assert isinstance(model, AutoregressiveModel)
    model.takes_codes(auto.latent_dim_)
    x, mask = torch.zeros(6, len(auto.codec_.fields)), torch.rand(6, len(auto.codec_.fields)) < 0.7
    with torch.no_grad():
        without = model.typical(Rows(x)).log_prob(x, mask)
        torch.testing.assert_close(model.decode(codes(auto)).log_prob(x, mask), without.expand(2, -1, -1))


def test_only_what_a_code_adds_is_trained(auto: lt.VAE) -> None:
    """So rows without a code, and the codes themselves, are those of before."""
    row_model, model = copy.deepcopy(auto.row_model_), copy.deepcopy(auto.model_)
    assert isinstance(row_model, AutoregressiveModel)
    learner = DecodingLearner(row_model, model)
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    rows = auto.fitted_.values(mixed())
    Training(learner, rows, rows, Settings(epochs=2, batch_size=32)).run()
    changed = {name for name, value in learner.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"model.code.{name}" for name in ("hidden.weight", "hidden.bias", "added.weight", "added.bias")}
    assert all(parameter.requires_grad for parameter in (*auto.row_model_.parameters(), *auto.model_.parameters()))


def test_columns_at_once_and_one_by_one_are_the_same_given_a_code(auto: lt.VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    x = auto.fitted_.values(mixed()).x[:6]
    with torch.no_grad():
        wanted = auto.row_model_.decode(codes(auto)).log_prob(x)
        monkeypatch.setattr("latente.model.autoregressive.TOGETHER", 0)
        torch.testing.assert_close(auto.row_model_.decode(codes(auto)).log_prob(x), wanted)
        torch.testing.assert_close(auto.row_model_.decode(codes(auto)[1:]).log_prob(x), wanted[1:])
    assert not torch.allclose(wanted[0], wanted[1])


def test_who_decodes(auto: lt.VAE, named: lt.VAE) -> None:
    assert auto.fitted_.decoder is auto.row_model_ and named.fitted_.decoder is named.model_
    former = lt.load(Path(__file__).parents[1] / "format-4.safetensors")
    assert former.fitted_.decoder is former.model_
    assert "decoded codes" in repr(auto) and "decoded codes" not in repr(former)


def test_draws_follow_their_seed(vae: lt.VAE) -> None:
    rows = mixed()
    z = vae.transform(rows)
    drawn = vae.inverse_transform(z, noise=True)
    rebuilt = vae.reconstruct(rows, noise=True)
    assert rebuilt["name"].equals(rows["name"])  # a code has no name
    assert drawn.drop(columns="name").equals(rebuilt.drop(columns="name")) and not drawn.equals(vae.inverse_transform(z))
    assert not drawn.equals(vae.inverse_transform(z, noise=True, random_state=1))
    ends = rows.iloc[[0]], rows.iloc[[1]]
    assert not vae.interpolate(*ends, noise=True).equals(vae.interpolate(*ends))
    assert vae.interpolate(*ends, noise=True).equals(vae.interpolate(*ends, noise=True, random_state=vae.seed_))


def test_a_decoder_survives_saving(auto: lt.VAE, tmp_path: Path) -> None:
    again = lt.load(auto.save(tmp_path / "model.safetensors"))
    assert again.fitted_.decoder is again.row_model_
    assert again.reconstruct(mixed()).equals(auto.reconstruct(mixed()))
