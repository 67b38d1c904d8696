"""The lesson's small models: what is measured and recorded of them, on one's own pictures and tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import latente as lt
from latente.certificate.verdicts import Verdict
from latente.explorer import lesson
from latente.explorer.block import Block
from latente.explorer.export import lesson_page, packed_model
from latente.explorer.pack import header_of, pack
from latente.explorer.recorder import stored
from tests.explorer.models import frame
from tests.explorer.test_pack import arrays_of


@pytest.fixture(scope="module")
def taught() -> tuple[lt.VAE, Any, dict[str, Any], bytes]:
    """A model, its rows, and the page of a lesson with fewer and shorter fits."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lesson, "SQUEEZED", (1, 2))
        patched.setattr(lesson, "BETAS", (1.0, 8.0))
        patched.setattr(lesson, "STEPS", 12)
        patched.setattr(lesson, "MIN_EPOCHS", 8)
        rows = frame()
        vae = lt.VAE("vae", latent_dim=2, hidden=(8,), max_epochs=2, effort="quick", random_state=0).fit(rows)
        vaes, content = lesson_page("own", rows, vae, vae.certificate())
    assert [each.recipe_.name for each in vaes] == ["vae", "autoencoder"]
    assert vaes[1].latent_dim_ == vae.latent_dim_
    return vae, rows, header_of(content), content


def test_the_page_has_what_the_six_steps_need(taught: tuple[lt.VAE, Any, dict[str, Any], bytes]) -> None:
    _, rows, header, _ = taught
    assert [model["stochastic"] for model in header["models"]] == [True, False]
    assert all(model["points"]["count"] == len(rows) for model in header["models"])
    assert [model["d"] for model in header["lesson"]["squeeze"]] == [1, 2]
    assert [model["beta"] for model in header["lesson"]["regularisation"]] == [0.0, 1.0, 8.0]
    assert all(model["computed"]["encoder"] for kind in ("squeeze", "regularisation") for model in header["lesson"][kind])
    assert len(header["lesson"]["curves"]) == 3 and set(header["lesson"]["curves"][0]) == {"completeness", "continuity"}


def test_the_last_snapshot_is_the_model_that_was_trained(taught: tuple[lt.VAE, Any, dict[str, Any], bytes]) -> None:
    _, rows, header, content = taught
    training = header["lesson"]["training"]
    codes = arrays_of(content)[training["codes"]]
    places = arrays_of(content)[training["rows"]]
    assert len(codes) == len(training["epochs"]) == len(training["kl"]) == len(training["reconstruction"])
    assert training["epochs"] == sorted(training["epochs"]) and training["epochs"][-1] == 8
    assert places[0] == 0 and places[-1] == len(rows) - 1 and len(set(places.tolist())) == len(places)
    assert np.isfinite([*training["kl"], *training["reconstruction"]]).all()
    assert np.ptp(codes[-1].astype(float)) > np.ptp(codes[0].astype(float)) * 0.1
    assert not np.array_equal(codes[0], codes[-1])


def test_small_models_are_of_half_precision(taught: tuple[lt.VAE, Any, dict[str, Any], bytes]) -> None:
    header = taught[2]
    kinds = {entry["type"] for entry in header["tensors"]}
    assert {"f2", "f4"} <= kinds  # the small models, and the others


@pytest.mark.parametrize(
    ("values", "kind"), [([0.5, -2.0, float("inf")], "f2"), ([0.1, 1e6], "f4"), ([1 / 3], "f8"), ([3], "i4")]
)
def test_a_constant_is_stored_in_the_smallest_type_that_is_exact(values: list[float], kind: str) -> None:
    value = torch.tensor(values, dtype=torch.int64 if kind == "i4" else torch.float32 if kind == "f4" else torch.float64)
    assert stored(value)[1] == kind
    block = Block()
    block.add(*stored(value))
    (array,) = arrays_of(block.bytes({}))
    assert np.array_equal(array.astype(float), np.array(values, dtype=float if kind != "f4" else np.float32))


def test_of_many_rows_some_are_taken_all_over_the_data() -> None:
    data = np.arange(5000.0)[:, None] * np.ones(2)
    some = lesson.some_of(data)
    assert len(some) == lesson.MAX_ROWS
    assert len(lesson.some_of(data[:1500])) == 1500


@pytest.mark.parametrize("n", [150, 303, 1000])
def test_few_rows_are_trained_on_for_as_many_steps(n: int) -> None:
    how = lesson._settings(n)
    taken = how["max_epochs"] * -(-n // how["batch_size"])
    assert lesson.STEPS <= taken <= 1.3 * lesson.STEPS


def test_a_page_says_the_verdicts_in_both_languages() -> None:
    data = np.random.default_rng(0).normal(size=(60, 1)) * np.ones(3)
    vae = lt.VAE(latent_dim=1, hidden=(4,), max_epochs=1, effort="quick", random_state=0).fit(data)
    certificate = vae.certificate()
    found = Verdict.of("collapsed.name", "collapsed.remedy", ["evidence"])
    object.__setattr__(certificate, "verdicts", (found,))
    (model,) = header_of(pack("judged", [packed_model(vae, certificate=certificate)]))["models"]
    assert model["verdicts"][0]["en"].startswith("collapsed") and model["verdicts"][0]["es"] != model["verdicts"][0]["en"]
    (bare,) = header_of(pack("not judged", [packed_model(vae)]))["models"]
    assert bare["verdicts"] is None
