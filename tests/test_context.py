"""What a model that is conditioned on a context does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import latente as lt


def clusters() -> pd.DataFrame:
    random = np.random.default_rng(0)
    label = random.choice(["a", "b"], 300)
    x = random.normal(size=(300, 3)) + np.where(label == "a", 4.0, -4.0)[:, None]
    return pd.DataFrame(x, columns=list("uvw")).assign(label=label)


@pytest.fixture(scope="module", params=["vae", "cvae"])
def vae(request: pytest.FixtureRequest) -> Any:
    return lt.VAE(request.param, latent_dim=2, max_epochs=20, random_state=0).fit(clusters(), context=["label"])


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
    with pytest.raises(lt.DataError, match="in_context"):
        vae.certificate()
    for columns in (["zzz"], list(clusters())):
        with pytest.raises(lt.DataError, match="context"):
            lt.VAE().fit(clusters(), context=columns)


def test_a_model_in_one_context(vae: Any) -> None:
    assert (vae.in_context({"label": "a"}).sample(50).mean() > 1).all()


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


def test_what_the_context_explains_is_no_collapse() -> None:
    vae = lt.VAE(latent_dim=2, max_epochs=10, random_state=0).fit(clusters(), context=["label"])
    assert not [note for note in vae.notes_ if note.startswith("collapsed: ")]
