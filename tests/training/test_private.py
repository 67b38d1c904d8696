"""Differentially private fits: the accounting against exact values, the bound on what one row does, and what a file holds."""

from __future__ import annotations

import math
import sys
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from scipy.optimize import brentq
from scipy.stats import norm

import latente as lt
from latente.blueprint import Blueprint
from latente.files import read_tensors
from latente.model.objectives import Objective
from latente.model.parts import PARTS, build, choose, names_of
from latente.model.penalties import Penalty
from latente.rows import Field, Rows
from latente.storage import KIND, VERSION
from latente.training import private
from latente.training.loop import Settings
from latente.training.private import Mechanism, Privacy, PrivateTraining, sum_of_clipped
from tests.laws.test_parts import model_of, rows_of

pytest.importorskip("opacus")
BOX = (-6.0, 6.0)
EXACT = lt.Recipe(posterior="fsq", prior="uniform-grid", privacy=Privacy())  # its codes have no noise


def gaussian_delta(epsilon: float, mu: float) -> float:
    """Of normals mu standard deviations apart (Balle and Wang 2018, theorem 8)."""
    return float(norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu))


def sampled_delta(epsilon: float, noise: float, q: float) -> float:
    """Of one step, in which a row is with probability q: the larger hockey-stick divergence of both directions."""
    x = np.linspace(-20 * noise, 20 * noise + 1, 400_001)
    without, there = norm.pdf(x, 0, noise), norm.pdf(x, 1, noise)
    mixed, step = (1 - q) * without + q * there, x[1] - x[0]
    return max(float(np.clip(a - np.exp(epsilon) * b, 0, None).sum() * step) for a, b in ((mixed, without), (without, mixed)))


@pytest.mark.parametrize(("noise", "steps"), [(1.0, 1), (4.0, 25), (10.0, 30)])
def test_epsilon_of_steps_with_all_rows_is_that_of_one_gaussian_mechanism(noise: float, steps: int) -> None:
    exact = brentq(lambda epsilon: gaussian_delta(epsilon, np.sqrt(steps) / noise) - 1e-5, 1e-6, 50)
    assert exact <= Mechanism(Privacy(10.0, 1e-5), noise, 1.0, steps).epsilon() <= exact + 0.05


@pytest.mark.parametrize(("noise", "q"), [(0.8, 0.1), (1.5, 0.5)])
def test_epsilon_of_a_step_with_a_sample_of_rows_is_the_exact_one(noise: float, q: float) -> None:
    exact = brentq(lambda epsilon: sampled_delta(epsilon, noise, q) - 1e-4, 1e-6, 50)
    assert exact <= Mechanism(Privacy(10.0, 1e-4), noise, q, 1).epsilon() <= exact + 0.03


@pytest.mark.parametrize("budget", [0.3, 3.0])
def test_the_least_noise_stays_within_the_budget(budget: float) -> None:
    within = Mechanism.within(Privacy(budget), 0.05, 100)
    assert 0.95 * budget < within.epsilon() <= budget
    assert Mechanism(within.privacy, 0.95 * within.noise, 0.05, 100).epsilon() > budget
    assert Mechanism(within.privacy, within.noise, 0.05, 0).epsilon() == 0.0


def training(rows: NDArray[np.float64], recipe: lt.Recipe = EXACT, clip: float = 1.0) -> PrivateTraining:
    fields = tuple(Field(f"x{f}") for f in range(rows.shape[1]))
    torch.manual_seed(0)
    learner = Blueprint(recipe, fields, len(rows), 2, (8,), False)().train()
    encoded = Rows(torch.from_numpy(rows).float())
    return PrivateTraining(learner, encoded, Settings(epochs=1, batch_size=8), Privacy(clip=clip))


def some(n: int = 40) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(n, 4))


def test_gradients_of_rows_are_those_of_each_alone() -> None:
    run = training(some())
    found = torch.cat(run.row_gradients(run.train), 1)
    for place in range(4):
        loss = run.learner(run.train[place : place + 1], run.strength).total
        alone = torch.autograd.grad(loss[0], run.flat.parameters)
        torch.testing.assert_close(found[place], torch.cat([part.flatten() for part in alone]), rtol=1e-4, atol=1e-5)


def test_a_gradient_is_cut_to_its_largest_norm_and_no_further() -> None:
    gradients = torch.tensor([[3.0, 4.0], [0.3, 0.4], [torch.inf, 0.0], [torch.nan, 1.0], [0.0, 0.0]])
    for rows, expected in (([0], [1.2, 1.6]), ([1], [0.3, 0.4]), ([2], [0.0, 0.0]), ([0, 1, 2, 3, 4], [1.5, 2.0])):
        torch.testing.assert_close(sum_of_clipped([gradients[rows, :1], gradients[rows, 1:]], 2.0), torch.tensor(expected))


@pytest.mark.parametrize("size", [1.0, 1e6, np.nan])
def test_a_row_more_moves_a_step_by_its_clip_at_most(size: float) -> None:
    run = training(np.concatenate([some(39), size * np.ones((1, 4))]), clip=0.7)
    together, without = run.clipped_sum(run.train), run.clipped_sum(run.train[:-1])
    assert float((together - without).double().norm()) <= 0.7 * (1 + 1e-4)
    assert bool(together.isfinite().all())
    assert float(torch.cat(run.row_gradients(run.train[:-1]), 1).norm(dim=1).max()) > 0.7, "so that something is cut"


def test_the_noise_has_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    run = training(some(400), clip=0.5)
    monkeypatch.setattr(run, "clipped_sum", lambda rows: torch.zeros_like(run.flat.gradient))
    found = []
    for _ in range(20):
        run._noisy_step(run.train[:8])
        found.append(run.flat.gradient.clone())
    assert float(torch.cat(found).std()) == pytest.approx(run.mechanism.noise * 0.5 / 8, rel=0.05)


def test_each_row_is_in_a_step_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    run, sizes = training(some(400)), []
    monkeypatch.setattr(run, "_noisy_step", lambda rows: sizes.append(len(rows)))
    for _ in range(10):
        run.epoch()
    assert np.mean(sizes) == pytest.approx(8, abs=0.6) and np.var(sizes) == pytest.approx(8, rel=0.4)  # 500 draws


TERMS = [*names_of(Objective), *names_of(Penalty)]


def fitted(rows: Any, public: Any = BOX, **changes: Any) -> lt.VAE:
    asked = {"latent_dim": 2, "hidden": (8,), "max_epochs": 2, "random_state": 0, **changes}
    return lt.VAE(lt.recipe("dp-vae", epsilon=8.0, delta=1e-4), **asked).fit(rows, public=public)


pytestmark = pytest.mark.filterwarnings("ignore::latente.LatenteWarning")


def test_a_file_holds_nothing_of_the_rows_but_what_the_noisy_sums_tell(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two data sets, whose noisy sums are the same, give the same file."""
    monkeypatch.setattr(PrivateTraining, "clipped_sum", lambda self, rows: torch.zeros_like(self.flat.gradient))
    monkeypatch.setattr(private.secrets, "randbits", lambda bits: 1)
    made = np.random.default_rng
    one, other = some(200), 3 * some(200) ** 2 + 1
    monkeypatch.setattr(private.np.random, "default_rng", lambda *seed: made(*(seed or (1,))))
    files = []
    for name, rows in (("one", one), ("other", other)):
        vae = fitted(rows)
        vae.figures_["time"], vae.figures_["seconds"] = {}, 0.0
        vae.history_[:] = [{**record, "seconds": 0.0} for record in vae.history_]
        files.append(vae.save(tmp_path / f"{name}.safetensors"))
        assert vae.fitted_.at_hand is None
        assert set(vae.history_[0]) == {"epoch", "progress", "learning_rate", "seconds"}
    (said, tensors), (other_said, other_tensors) = (read_tensors(path, KIND, VERSION) for path in files)
    assert said == other_said
    assert tensors.keys() == other_tensors.keys() and all(torch.equal(tensors[name], other_tensors[name]) for name in tensors)


def test_noise_does_not_come_from_the_seed(tmp_path) -> None:
    paths = [fitted(some(200)).save(tmp_path / f"{name}.safetensors") for name in "ab"]
    one, other = (load_file(path)["model.encoder.layers.0.weight"] for path in paths)
    assert not torch.equal(one, other)


def test_the_budget_is_in_the_file_and_in_the_certificate(tmp_path) -> None:
    rows = some(200)
    vae = lt.load(fitted(rows).save(tmp_path / "model.safetensors"))
    spent = vae.figures_["differential_privacy"]
    assert 0 < spent["epsilon"] <= 8.0 and spent["delta"] == 1e-4 and spent["steps"] == 8
    assert vae.recipe_.privacy == Privacy(8.0, 1e-4)
    assert "differentially private: ε = " in vae.notes_[0]
    certificate = vae.certificate(some(300)[200:] + 0.1, train=rows)
    assert certificate.about["epsilon"] == spent["epsilon"] and "was measured on real rows" in str(certificate)
    with pytest.raises(lt.DataError, match="no longer in memory"):
        fitted(rows).certificate()
    with pytest.raises(lt.ModelError, match="would end the privacy"):
        vae.refit_prior("gaussian", train=rows)


def test_units_and_levels_are_those_that_are_public() -> None:
    rng = np.random.default_rng(0)
    frame = {"age": rng.integers(18, 90, 120), "sex": rng.choice(["f", "m"], 120), "income": rng.normal(3e3, 900, 120)}
    frame["income"][::9] = np.nan
    told = {"age": (0, 120), "sex": ["f", "m", "x"], "income": (0.0, 1e4, None)}
    pandas = pytest.importorskip("pandas")
    vae = fitted(pandas.DataFrame(frame), told)
    age, sex, income = vae.codec_.columns
    assert (age.low, age.high, income.low, income.high) == (0.0, 120.0, 0.0, 1e4)
    assert sex.levels == ("f", "m", "x") and income.missing == pytest.approx(0.1)
    assert list(vae.sample(5).columns) == ["age", "sex", "income"]
    shown = pandas.DataFrame(frame)[:60].assign(sex="x")
    shown.loc[::2, "sex"] = "f"
    of_public = fitted(pandas.DataFrame(frame).assign(sex="f"), shown)
    assert of_public.codec_.columns[1].levels == ("f", "x") and of_public.codec_.columns[0].high == shown["age"].max()
    with pytest.raises(lt.DataError, match="values are missing, and no public value is"):
        fitted(pandas.DataFrame(frame), {**told, "income": (0.0, 1e4)})
    fewer = fitted(pandas.DataFrame(frame), {name: told[name] for name in ("age", "income")})
    assert list(fewer.sample(2).columns) == ["age", "income"]
    assert "columns without public bounds or values are not part of the model: 'sex'" in fewer.notes_
    assert not any("public bounds" in note for note in vae.notes_)


def test_pictures_need_nothing_public(digits: NDArray[np.uint8]) -> None:
    vae = fitted(digits[:200], None)
    assert (vae.codec_.low, vae.codec_.high) == (0.0, 255.0) and vae.sample(2).shape == (2, 8, 8)


def test_training_goes_on_from_public_rows() -> None:
    public = lt.VAE(latent_dim=2, hidden=(8,), max_epochs=2, random_state=0).fit(some(200))
    found = lt.VAE("dp-vae", max_epochs=1, random_state=0).fit(some(300), init=public)
    assert np.array_equal(found.codec_.center, public.codec_.center) and found.recipe_.privacy == Privacy()


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"objective": "total-correlation"}, "'total-correlation', which makes the loss of a row depend on the other rows"),
        ({"penalties": "mmd"}, "'mmd', which makes the loss"),
        ({"objective": lt.choose("elbo", free_bits=0.1)}, "'elbo', which makes the loss"),
        ({"prior": "exemplar"}, "'exemplar', which stores codes of rows"),
        ({"penalties": "contraction"}, "can't be differentiated row by row"),
    ],
)
def test_parts_that_couple_rows_are_refused(parts: dict[str, Any], reason: str) -> None:
    vae = lt.VAE(lt.Recipe(privacy=Privacy(delta=1e-4), **parts), latent_dim=2, hidden=(8,), max_epochs=1)
    with pytest.raises(lt.ModelError, match=reason):
        vae.fit(some(200), public=BOX)


@pytest.mark.parametrize(
    ("options", "given", "reason"),
    [
        ({}, {}, "takes units, kinds and levels from what is public"),
        ({"trim": 0.1}, {"public": BOX}, "can't take trim=…"),
        ({"keep": 0.9}, {"public": BOX}, "can't take keep=…"),
        ({"row_model": "autoregressive"}, {"public": BOX}, "can't take row_model=…"),
        ({"time": "auto"}, {"public": BOX}, "can't take time=…"),
        ({}, {"public": BOX, "context": np.arange(200) % 2}, "can't take context=…"),
        ({}, {"public": BOX, "checkpoint": "x"}, "can't take checkpoint=…"),
        ({}, {"public": {"x0": (0, 1)}}, "lacks 'x1'"),
        ({}, {"public": {f"x{f}": 3 for f in range(4)}}, "must be bounds"),
        ({}, {"public": {**dict.fromkeys(["x0", "x1", "x2", "x3"], (0, 1)), "y": (0, 1)}}, "there is no column 'y'"),
        ({}, {"public": (3, -3)}, "the lower one first"),
        ({}, {"public": (3, 3)}, "two different values"),
        ({}, {"public": (0, math.nan)}, "it must be a finite number"),
        ({}, {"public": {"x0": [], "x1": (0, 1), "x2": (0, 1), "x3": (0, 1)}}, "two different values"),
    ],
)
def test_what_can_not_be_private_is_refused(options: dict[str, Any], given: dict[str, Any], reason: str) -> None:
    with pytest.raises(lt.LatenteError, match=reason):
        lt.VAE("dp-vae", max_epochs=1, **options).fit(some(200), **given)


def test_what_is_public_is_refused_where_nothing_is_private() -> None:
    with pytest.raises(lt.ModelError, match="public=… is for private fits"):
        lt.VAE(max_epochs=1).fit(some(), public=BOX)
    with pytest.raises(lt.ModelError, match="draws codes from the prior that it learns"):
        lt.Recipe(privacy=Privacy(), fitted_prior="gaussian")
    with pytest.raises(lt.ModelError, match="delta is a probability below 1 / rows"):
        Privacy(delta=0.0)
    with pytest.raises(lt.ModelError, match=r"delta=0.01 must be below 1 / rows, here 0.005"):
        lt.VAE(lt.recipe("dp-vae", delta=0.01), max_epochs=1).fit(some(200), public=BOX)


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_bounds_of_dates_are_dates() -> None:
    days = pd.date_range("2024-01-01", periods=200)
    rows = pd.DataFrame({"x": np.linspace(0, 1, 200), "day": days, "wait": pd.to_timedelta(np.arange(200) % 90, unit="s")})
    public = {"x": (0, 1), "day": ("2024-01-01", date(2024, 12, 31)), "wait": (pd.Timedelta(0), pd.Timedelta("90s"))}
    vae = lt.VAE("dp-vae", max_epochs=1, random_state=0).fit(rows, public=public)
    assert [field["kind"] for field in vae.fields_] == ["real", "calendar", "duration"]
    new = vae.sample(50)
    assert new["day"].between("2024-01-01", "2024-12-31").all() and (new["day"].dt.normalize() == new["day"]).all()
    with pytest.raises(lt.DataError, match="holds dates, such as 2024-05-01"):
        lt.VAE("dp-vae", max_epochs=1).fit(rows, public={**public, "day": ("soon", "later")})


def test_a_tiny_budget_is_computed_in_seconds() -> None:
    found = Mechanism.within(Privacy(epsilon=0.001), 0.2, 100)
    assert 0 < found.epsilon() <= 0.001


def test_without_opacus_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opacus.accountants", None)
    monkeypatch.setitem(sys.modules, "opacus", None)
    with pytest.raises(lt.ModelError, match=r"needs opacus: pip install 'latente\[privacy\]'"):
        fitted(some(200))


@pytest.mark.parametrize("name", [name for name in TERMS if not getattr(PARTS[name], "needs_labels", False)])
def test_a_part_couples_rows_if_it_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of each row alone is its loss within a batch, but for parts that say otherwise."""
    monkeypatch.setattr(torch, "randn_like", torch.ones_like)
    monkeypatch.setattr("latente.model.penalties._of_prior", lambda trace: torch.ones_like(trace.z[0]))
    model, rows = model_of((5,)), rows_of((5,), holes=False)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.posterior.head.weight)
    part = build(choose(name), latent_dim=3, n_rows=100)
    noise = torch.randn(part.K if isinstance(part, Objective) else 1, len(rows), model.noise_size)
    rows = Rows(rows.x.requires_grad_())
    strength = {"kl": 0.7, "capacity": 0.5}

    def losses(rows: Rows, noise: torch.Tensor) -> torch.Tensor:
        terms = part(model.trace(rows, len(noise), noise=noise), strength)
        return terms.total + terms.judged

    together = losses(rows, noise)
    alone = torch.cat([losses(rows[i : i + 1], noise[:, i : i + 1]) for i in range(len(rows))])
    assert torch.allclose(together, alone.expand_as(together), rtol=1e-4) != PARTS[name].couples_rows
