"""Likelihoods of values from 0 to 1 take numbers as they are recorded, and say which value is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import latente as lt
from latente.data import fit_codec, read
from latente.model.likelihoods import Likelihood
from latente.model.parts import PARTS

SHARES: NDArray[np.float64] = load_digits().data[:300] / 16
NAMES = [f"p{column}" for column in range(64)]
OF_SHARES = [name for name, part in PARTS.items() if issubclass(part, Likelihood) and part.support == (0.0, 1.0)]
CONTAINERS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "array": lambda x: x,
    "float32": lambda x: x.astype(np.float32),
    "tensor": lambda x: torch.tensor(x, dtype=torch.float32),
    "numbered frame": pd.DataFrame,
    "named frame": lambda x: pd.DataFrame(x, columns=NAMES),
}


def fitted(likelihood: str, rows: Any) -> lt.VAE:
    return lt.VAE(likelihood=likelihood, latent_dim=4, max_epochs=3, random_state=0).fit(rows)


def test_there_are_such_likelihoods() -> None:
    assert {"bernoulli", "continuous-bernoulli"} <= set(OF_SHARES)


@pytest.mark.parametrize("likelihood", OF_SHARES)
@pytest.mark.parametrize("container", CONTAINERS)
def test_flattened_pictures_simply_work(likelihood: str, container: str, tmp_path: Path) -> None:
    rows = CONTAINERS[container](SHARES)
    vae = fitted(likelihood, rows)
    varying = np.ptp(SHARES, axis=0) > 0
    assert vae.codec_.encode(read(rows)).x.numpy() == pytest.approx(SHARES[:, varying], abs=1e-6)
    rebuilt, drawn = np.asarray(vae.reconstruct(rows)), np.asarray(vae.sample(50))
    assert type(vae.reconstruct(rows)) is type(rows) and rebuilt.min() >= 0 and rebuilt.max() <= 1
    assert drawn.min() >= 0 and drawn.max() <= 1
    assert np.square(rebuilt - SHARES).mean() < np.square(SHARES - 0.5).mean()
    loaded = lt.load(vae.save(tmp_path / "m.safetensors"))
    assert (loaded.score_samples(rows) == vae.score_samples(rows)).all()
    assert (np.asarray(loaded.reconstruct(rows)) == rebuilt).all()


@pytest.mark.parametrize("likelihood", OF_SHARES)
def test_bytes_are_divided_by_255_and_come_back_as_bytes(likelihood: str) -> None:
    rows = (SHARES * 255).astype(np.uint8)
    vae = fitted(likelihood, rows)
    assert float(vae.codec_.encode(read(rows)).x.max()) == 1.0
    rebuilt = vae.reconstruct(rows)
    assert rebuilt.dtype == np.uint8 and rebuilt.max() > 100
    coins = fit_codec(read((SHARES > 0.5).astype(np.uint8)), as_recorded=True)
    assert float(coins.encode(read((SHARES > 0.5).astype(np.uint8))).x.max()) == 1.0


@pytest.mark.parametrize("value", [-0.25, 3.5])
@pytest.mark.parametrize("container", ["array", "named frame"])
def test_a_value_outside_is_refused_with_its_column_and_row(container: str, value: float, tmp_path: Path) -> None:
    bad = SHARES.copy()
    bad[[7, 9], 20] = value
    where = f"column '{'x' if container == 'array' else 'p'}20' holds {value:g} in row 7 .*so do 1 rows more: 'bernoulli'"
    with pytest.raises(lt.ModelError, match=where):
        fitted("bernoulli", CONTAINERS[container](bad))
    vae = fitted("bernoulli", CONTAINERS[container](SHARES))
    for model in (vae, lt.load(vae.save(tmp_path / "m.safetensors"))):
        with pytest.raises(lt.DataError, match=where):
            model.score_samples(CONTAINERS[container](bad))


def test_levels_and_pictures_outside_are_named_too() -> None:
    frame = pd.DataFrame({"a": SHARES[:, 20], "city": np.resize(["Burgos", "Cuenca", "Soria"], 300)})
    with pytest.raises(lt.ModelError, match="column 'city' holds 'Soria' in row 2"):
        fitted("bernoulli", frame)
    vae = fitted("bernoulli", SHARES.reshape(-1, 8, 8))
    bad = SHARES.reshape(-1, 8, 8).copy()
    bad[0, 0, 2] = 1.5
    with pytest.raises(lt.DataError, match=r"pixel \(0, 0, 2\) holds 1.5 in row 0"):
        vae.score_samples(bad)


def test_missing_values_flags_and_two_texts_go_with_them() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(SHARES[:, 20:24], columns=list("abcd")).where(rng.random((300, 4)) < 0.8)
    frame = frame.assign(two=np.where(SHARES[:, 30] > 0.5, "yes", "no"), flag=np.where(SHARES[:, 40] > 0.5, "x", None))
    vae = fitted("bernoulli", frame)
    whole = vae.impute(frame)
    assert whole.drop(columns="flag").notna().all().all() and (whole["flag"].isna() == frame["flag"].isna()).all()
    assert whole[list("abcd")].stack().between(0, 1).all()


def test_other_likelihoods_have_standardised_numbers() -> None:
    for likelihood in ("normal", "auto"):
        at_hand = fitted(likelihood, SHARES).fitted_.at_hand
        assert at_hand is not None
        x = at_hand.train.x
        assert float(x.mean(0).abs().max()) < 1e-5 and float(x.min()) < 0
