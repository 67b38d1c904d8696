"""What a model that is conditioned on a context does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import latente as lt
from latente.files import read_tensors, write_tensors
from latente.model.parts import build, choose
from latente.rows import Rows
from latente.storage import VERSION
from latente.training.diagnosis import beyond_context


def clusters() -> pd.DataFrame:
    random = np.random.default_rng(0)
    label = random.choice(["a", "b"], 300)
    x = random.normal(size=(300, 3)) + np.where(label == "a", 4.0, -4.0)[:, None]
    return pd.DataFrame(x, columns=list("uvw")).assign(label=label)


@pytest.fixture(scope="module", params=["vae", "cvae"])
def vae(request: pytest.FixtureRequest) -> Any:
    return lt.VAE(request.param, latent_dim=2, max_epochs=20, random_state=0).fit(clusters(), context=["label"])


ONE = pytest.mark.parametrize("vae", ["cvae"], indirect=True)


def test_rows_are_those_of_their_context(vae: Any) -> None:
    assert (vae.sample(50, context={"label": "a"}).mean() > 1).all()
    assert (vae.sample(50, context={"label": "b"}).mean() < -1).all()
    data = clusters()
    assert vae.score(data) > vae.score(data, context=data[["label"]][::-1])


def test_a_loaded_model_gives_the_same(vae: Any, tmp_path: Path) -> None:
    loaded, data = lt.load(vae.save(tmp_path / "m.safetensors")), clusters()
    contexts = {"label": ["a", "b"] * 5}
    pd.testing.assert_frame_equal(loaded.sample(10, context=contexts), vae.sample(10, context=contexts))
    assert (loaded.transform(data) == vae.transform(data)).all()
    assert (vae.transform(data[["u", "v", "w"]], context=data.label) == vae.transform(data)).all()


def test_missing_values_are_those_of_the_context(vae: Any) -> None:
    data = clusters()[:40].assign(u=np.nan, v=np.nan, w=np.nan)
    found = vae.impute(data)
    assert (np.sign(found.u) == np.where(data.label == "a", 1, -1)).mean() > 0.9


def test_context_is_named_where_it_is_wrong(vae: Any) -> None:
    for wrong in (None, {"label": "c"}, {"name": "a"}, {"label": None}):
        with pytest.raises(lt.DataError, match="label"):
            vae.sample(3, context=wrong)
    for columns in (["zzz"], list(clusters())):
        with pytest.raises(lt.DataError, match="context"):
            lt.VAE().fit(clusters(), context=columns)


def test_a_model_in_one_context(vae: Any) -> None:
    assert (vae.in_context({"label": "a"}).sample(50).mean() > 1).all()


@ONE
def test_what_is_of_one_context_says_how_to_choose_it(vae: Any, tmp_path: Path) -> None:
    data = clusters()
    for call in (
        vae.certificate,
        lambda: lt.explore(vae),
        lambda: lt.write_report(vae, data, tmp_path / "report.html"),
        lambda: lt.compare_priors(vae),
    ):
        with pytest.raises(
            lt.DataError, match=r"describes one context: use vae\.in_context\({'label': …}\) \(--context label=…\)"
        ):
            call()


@ONE
def test_a_loaded_model_in_one_context_needs_the_data_for_what_is_measured_on_it(vae: Any, tmp_path: Path) -> None:
    loaded, data = lt.load(vae.save(tmp_path / "m.safetensors")), clusters()
    one, fitted = loaded.in_context({"label": "a"}, data), vae.in_context({"label": "a"})
    assert one.certificate().to_dict() == fitted.certificate().to_dict()
    assert loaded.in_context({"label": "a"}, data).sample(20, random_state=0).equals(fitted.sample(20, random_state=0))
    path = lt.write_report(one, data[data.label == "a"][:50], tmp_path / "report.html", certificate=None)
    assert "could not be made" not in path.read_text(encoding="utf-8")
    assert "<iframe" in lt.explore(one)._repr_html_()
    with pytest.raises(lt.DataError, match="no longer in memory"):
        loaded.in_context({"label": "a"}).certificate()
    with pytest.raises(lt.DataError, match="not the 300 rows"):
        loaded.in_context({"label": "a"}, data[:-1])
    chosen = vae.fitted_.rows_in(data, {"label": "b"})
    assert len(chosen) == (data.label == "b").sum()


def test_a_resumed_fit_knows_its_context(tmp_path: Path) -> None:
    class _Stop(Exception):
        pass

    def stop(training: Any) -> None:
        if training.status.epoch == 2:
            raise _Stop

    def fit(data: pd.DataFrame, **how: Any) -> Any:
        return lt.VAE("cvae", latent_dim=2, max_epochs=4, random_state=0).fit(data, context=["label"], **how)

    data = clusters()
    with pytest.raises(_Stop):
        fit(data, checkpoint=tmp_path, checkpoint_every=0.0, observer=stop)
    other = data.assign(label=data.label[::-1].to_numpy())
    with pytest.raises(lt.StorageError, match="other data"):
        fit(other, checkpoint=tmp_path, resume=True)
    resumed, whole = fit(data, checkpoint=tmp_path, resume=True), fit(data)
    assert (resumed.transform(data) == whole.transform(data)).all()


@ONE
@pytest.mark.parametrize("value", [None, -1, ["x", "y", "z"]], ids=repr)
def test_an_altered_context_in_a_file_is_refused_or_harmless(vae: Any, tmp_path: Path, value: Any) -> None:
    path = vae.save(tmp_path / "m.safetensors")
    values, _ = read_tensors(path, "model", VERSION)
    for place in _places(values["context"]):
        altered, tensors = read_tensors(path, "model", VERSION)
        inside = altered["context"]
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = value
        write_tensors(path.with_name("other.safetensors"), "model", VERSION, altered, tensors)
        _use(path.with_name("other.safetensors"))


@ONE
def test_altered_tensors_of_a_context_are_refused_or_harmless(vae: Any, tmp_path: Path) -> None:
    path = vae.save(tmp_path / "m.safetensors")
    _, whole = read_tensors(path, "model", VERSION)
    names = [name for name in whole if "context" in name]
    assert {name.split(".")[0] for name in names} == {"context", "model"}
    for name in names:
        for change in (None, lambda t: t[:0], lambda t: t.repeat(2, *[1] * (t.dim() - 1)), lambda t: t.double() * np.nan):
            values, tensors = read_tensors(path, "model", VERSION)
            changed = tensors.pop(name) if change is None else change(tensors[name])
            tensors |= {} if change is None else {name: changed}
            write_tensors(path.with_name("other.safetensors"), "model", VERSION, values, tensors)
            _use(path.with_name("other.safetensors"))


def _places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside plain values."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in pairs:
        yield (*before, key)
        yield from _places(inside, (*before, key))


def _use(path: Path) -> None:
    with contextlib.suppress(lt.LatenteError):
        vae = lt.load(path)
        vae.sample(2, context={"label": "a"})
        vae.transform(clusters()[:2])


def test_digits_are_those_that_are_asked_for() -> None:
    x, y = load_digits(return_X_y=True)
    vae = lt.VAE("cvae", max_epochs=20, latent_dim=6, effort="quick", random_state=0).fit(x.reshape(-1, 8, 8), context=y)
    asked = np.repeat(np.arange(10), 10)
    drawn = vae.sample(100, context={"context": asked}).reshape(100, 64)
    assert (LogisticRegression(max_iter=100).fit(x / 16, y).predict(drawn / 16) == asked).mean() > 0.8


def test_what_needs_a_context_is_not_fitted_without() -> None:
    with pytest.raises(lt.ModelError, match="context="):
        lt.VAE("cvae", random_state=0).fit(clusters()[["u", "v", "w"]])


def test_an_autoencoder_draws_codes_of_one_context_only() -> None:
    vae = lt.Autoencoder(latent_dim=2, max_epochs=20, random_state=0).fit(clusters(), context=["label"])
    with pytest.raises(lt.ModelError, match="in_context"):
        vae.sample(5, context={"label": "a"})
    assert (vae.in_context({"label": "a"}).sample(50).mean() > 1).all()


def related(n: int = 300) -> pd.DataFrame:
    """Columns that say something of one another beyond their context."""
    random = np.random.default_rng(0)
    label, size = random.choice(["a", "b"], n), random.normal(size=(n, 1))
    x = 2 * size + 0.5 * random.normal(size=(n, 3)) + np.where(label == "a", 4.0, -4.0)[:, None]
    return pd.DataFrame(x, columns=list("uvw")).assign(label=label)


def verdicts(vae: Any) -> list[str]:
    return [note for note in vae.notes_ if note.startswith(("collapsed: ", "no structure: "))]


@pytest.mark.parametrize("make", [lt.VAE, lt.Autoencoder])
def test_what_the_context_explains_is_no_collapse(make: Any) -> None:
    vae = make(latent_dim=2, max_epochs=10, random_state=0).fit(clusters(), context=["label"])
    assert not verdicts(vae)
    assert [note for note in vae.notes_ if "the context may explain" in note]


def test_a_code_that_misses_what_the_context_leaves_has_collapsed() -> None:
    vae = lt.VAE(lt.recipe("beta-vae", beta=1e4), latent_dim=2, max_epochs=5, random_state=0).fit(related(), context=["label"])
    assert verdicts(vae)


def test_what_is_left_of_rows_is_what_the_context_does_not_tell() -> None:
    context = torch.randn(500, 2)
    rows = Rows(context @ torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]) + 0.1 * torch.randn(500, 3), context=context)
    likelihood = build(choose("normal", sigma="field"), shape=(3,))
    left, held_out = beyond_context(likelihood, rows, rows[:100])
    assert left.context is None
    assert left.x.std() == pytest.approx(0.1, rel=0.1)
    assert torch.equal(held_out.x, left.x[:100])
    assert beyond_context(build(choose("bernoulli"), shape=(3,)), rows, rows)[0] is rows
