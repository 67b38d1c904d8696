"""Reproductions: the frame by values that are known, and every reproduction on a few pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import latente as lt
from latente.catalogue import PUBLISHED
from latente.data.mnist import binarised, mnist
from latente.model.corruptions import Binarisation
from latente.rows import Rows
from latente.seeding import seeded
from latente.studies.reproductions import REPRODUCTIONS, Claim, Reproduction, Scale
from latente.studies.reproductions.frame import Sample, run
from latente.studies.reproductions.measures import by_pca, from_columns

pytestmark = pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
NOISE = np.random.default_rng(0).normal(size=200)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file like that of MNIST: bars, 28 x 28."""
    rng = np.random.default_rng(0)
    x = np.zeros((200, 28, 28), np.uint8)
    for picture, place in zip(x, rng.integers(4, 22, 200), strict=True):
        picture[6:22, place : place + 3] = rng.integers(100, 255)
    np.savez(tmp_path / "mnist.npz", x_train=x[:120], x_test=x[120:])
    monkeypatch.setenv("LATENTE_DATA", str(tmp_path))
    return tmp_path


def of(smaller: bool = True, **changes: object) -> Reproduction:
    """Three entries that are 1, 2 and 2.1 with the same noise of rows."""
    entries = {"one": lambda s: 1 + NOISE, "two": lambda s: 2 + NOISE, "more": lambda s: 2.1 + NOISE[::-1] + 0 * NOISE}
    scale = Scale(1, 1, seeds=2)
    claims = (Claim("one", "two", 1.0), Claim("one", "more"), Claim("two", "more"))
    made = Reproduction(
        "known", "", "", "", (), lambda scale, seed: Sample(None, None), entries, claims, scale, scale, "nats", smaller
    )
    return replace(made, **changes)


def test_claims_are_paired_and_need_their_margin_and_two_standard_errors() -> None:
    found = run(of(), quick=True)
    assert [round(verdict.difference, 9) for verdict in found.verdicts[:1]] == [1.0]
    assert [verdict.reached for verdict in found.verdicts] == [True, True, False], (
        "0.1 is within the error of what is not paired"
    )
    assert not found.passed and "Not passed" in str(found) and "no" in found.lines_of_claims()[2]
    assert run(of(claims=(Claim("one", "two", 1.1),)), quick=True).verdicts[0].reached is False
    larger = run(of(smaller=False, claims=(Claim("two", "one"),)), quick=True)
    assert larger.passed and larger.to_dict()["claims"][0]["difference"] == pytest.approx(1.0)


def test_the_full_form_compares_with_published_values() -> None:
    near, far = of(published={"one": 1.1, "two": 1.0}, tolerance=0.5, claims=()), []
    found = run(near)
    assert [verdict.reached for verdict in found.verdicts] == [True, False], "two is worse than published by more than .5"
    assert run(near, quick=True).verdicts == tuple(far)
    assert found.lines()[0][1] == "1.10" and found.to_dict()["entries"]["more"]["published"] is None


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_a_reproduction_names_recipes_and_entries_that_there_are(name: str) -> None:
    each = REPRODUCTIONS[name]
    assert each.recipes and set(each.recipes) <= PUBLISHED.keys()
    assert {side for claim in each.claims for side in (claim.better, claim.worse)} <= each.entries.keys()
    assert set(each.published or {}) <= each.entries.keys() and each.claims
    assert each.quick.epochs * each.quick.rows < each.full.epochs * each.full.rows


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flow-prior", "beta-tcvae", "rae", "m2", "concrete-autoencoder"])
def test_what_is_measured_is_measured_on_a_few_pictures(name: str, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reproduction of each kind, with its last two entries."""
    each = REPRODUCTIONS[name]
    entries = dict([*each.entries.items()][-2:])
    claims = (Claim(*entries),)
    monkeypatch.setitem(REPRODUCTIONS, name, replace(each, entries=entries, claims=claims, quick=Scale(100, 1, 60, 5)))
    found = lt.reproduce(name, quick=True, device="cpu")
    assert list(found.entries) == list(entries) and len(found.verdicts) == 1
    assert all(np.isfinite(entry.values).all() for entry in found.entries.values())


def test_mnist_says_where_it_has_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATENTE_DATA", raising=False)
    with pytest.raises(lt.DataError, match=r"LATENTE_DATA is not set: set LATENTE_DATA to a folder with mnist\.npz"):
        lt.reproduce("iwae", quick=True)
    with pytest.raises(lt.DataError, match="there is no .*mnist.npz"):
        mnist(tmp_path)
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros((3, 784)), x_test=np.zeros((3, 784)))
    with pytest.raises(lt.DataError, match="does not hold x_train and x_test of 28 x 28 pixels"):
        mnist(tmp_path)


def test_pixels_are_drawn_with_their_value_as_probability() -> None:
    grey = np.full((200, 28, 28), 0.3, np.float32)
    assert binarised(grey, 0).mean() == pytest.approx(0.3, abs=0.01) and set(np.unique(binarised(grey, 0))) == {0.0, 1.0}
    rows = Rows(torch.from_numpy(grey).flatten(1))
    with seeded(0):
        first, second = (Binarisation()(rows).x for _ in range(2))
    assert float(first.mean()) == pytest.approx(0.3, abs=0.01) and not torch.equal(first, second)


def test_binarised_rows_are_what_is_encoded_and_what_is_explained() -> None:
    from latente.blueprint import Blueprint
    from latente.rows import Field

    recipe = replace(lt.recipe("vae"), corruption=lt.choose("binarisation"), likelihood=lt.choose("bernoulli"))
    learner = Blueprint(recipe, (Field("picture", "real", shape=(1, 4, 4)),), 50, 2, (8,), False)()
    rows = Rows(torch.full((5, 1, 4, 4), 0.5))
    trained, judged = learner.train().trace(rows), learner.eval().trace(rows)
    assert set(trained.rows.x.unique().tolist()) == {0.0, 1.0} and torch.equal(judged.rows.x, rows.x)


def test_columns_with_large_loadings_reconstruct_what_depends_on_them() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 2))
    x = np.stack([5 * z[:, 0], z[:, 0], 3 * z[:, 1], z[:, 1]], 1)
    from latente.studies.reproductions.frame import Setting

    setting = Setting(Sample(x[:200], x[200:]), Scale(200, 1), 0, "cpu")
    assert by_pca(2)(setting)[0].tolist() == [0, 2]
    assert from_columns(by_pca(2))(setting).max() < 1e-9 < from_columns(by_pca(1))(setting).mean()
