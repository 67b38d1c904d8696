"""Whether columns depend on one another: found where they do, and not by chance, whatever the columns are like."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

import latente as lt
from latente.data import read
from latente.data.codecs import fit_codec
from latente.rows import Rows, levels_of
from latente.training.dependence import MIN_NATS, Dependence, dependence


def of(data: Any) -> Dependence:
    data = read(data)
    codec = fit_codec(data, None)
    return dependence(codec.encode(data), levels_of(codec.fields))


def test_the_nats_are_those_of_a_chain_of_normal_columns() -> None:
    rng, r = np.random.default_rng(0), 0.8
    x = [rng.normal(size=2000)]
    for _ in range(3):
        x.append(r * x[-1] + math.sqrt(1 - r * r) * rng.normal(size=2000))
    found = dependence(Rows(torch.from_numpy(np.stack(x, 1)).float()))
    assert found.nats == pytest.approx(3 * -0.5 * math.log(1 - r * r), rel=0.15), "three links, and no fourth for what follows"
    assert found.strongest == pytest.approx(r, abs=0.05)


def test_a_ring_is_seen_although_its_columns_do_not_correlate() -> None:
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 300)
    assert of(np.stack([np.cos(angle), np.sin(angle)], 1)).found


def test_holes_and_levels() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=300)
    frame = pd.DataFrame({"size": group + 0.3 * rng.normal(size=300), "kind": np.array(["a", "b", "c"])[group]})
    frame = frame.mask(rng.random(frame.shape) < 0.3)
    assert of(frame).found
    assert not of(frame.assign(kind=rng.permutation(frame["kind"].to_numpy()))).found


@pytest.mark.parametrize("n", [30, 200, 2000])
def test_independent_columns_of_all_kinds_are_hardly_ever_taken_for_dependent_ones(n: int) -> None:
    found = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        rare = [0.6, 0.3, 0.05, 0.03, 0.015, 0.005]
        columns: dict[str, NDArray[Any]] = {f"n{k}": rng.normal(size=n) for k in range(4)}
        columns |= {f"t{k}": rng.standard_cauchy(n) for k in range(3)}
        columns |= {f"z{k}": rng.exponential(size=n) * (rng.random(n) < 0.1) for k in range(3)}
        columns |= {f"c{k}": rng.choice([*"abcdef"], n, p=rare) for k in range(4)}
        frame = pd.DataFrame(columns)
        found.append(of(frame.mask(rng.random(frame.shape) < 0.1)))
    assert sum(each.strongest > 0 for each in found) <= 2
    assert max(each.nats for each in found) < MIN_NATS


def test_few_rows_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    assert not of(rng.normal(size=(12, 5))).excluded
    assert of(rng.normal(size=(300, 5))).excluded
    assert not dependence(Rows(torch.zeros(50, 3))).excluded, "no column varies"


def heard(vae: lt.VAE, data: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vae.fit(data)
    return [str(each.message) for each in caught]


@pytest.mark.parametrize("what", ["holes", "few rows", "levels"])
def test_a_code_that_collapsed_is_not_taken_for_want_of_structure(what: str, table: NDArray[np.float64]) -> None:
    rng = np.random.default_rng(0)
    if what == "holes":
        data: Any = np.where(rng.random(table.shape) < 0.15, np.nan, table)[:, :12]
    elif what == "few rows":
        data = table[:60, :6]
    else:
        group = rng.integers(3, size=400)
        data = pd.DataFrame({"size": group + 0.3 * rng.normal(size=400), "kind": np.array(["a", "b", "c"])[group]})
    said = " ".join(heard(lt.VAE(lt.recipe("beta-vae", beta=1e4), latent_dim=1, max_epochs=10, random_state=0), data))
    assert "collapsed: " in said or "the code collapsed (" in said
    assert "no structure found" not in said


def test_remedies_are_tried_where_there_is_no_linear_model_to_compare_with() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 1)) @ np.ones((1, 6)) + 0.05 * rng.normal(size=(600, 6))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    vae = lt.VAE(hidden=(16,), latent_dim=1, likelihood=lt.choose("normal", sigma=3.0), max_epochs=10, random_state=0)
    assert any("corrected by" in said or said.startswith("collapsed: ") for said in heard(vae, rows))


@pytest.mark.parametrize("model", [lt.VAE, lt.Autoencoder])
def test_noise_with_holes_has_no_structure(model: type[lt.VAE]) -> None:
    rng = np.random.default_rng(0)
    noise = np.where(rng.random((400, 4)) < 0.1, np.nan, rng.normal(size=(400, 4)))
    (said,) = heard(model(latent_dim=2, max_epochs=5, random_state=0), noise)
    assert said.startswith("no structure found: ")


def test_an_autoencoder_of_dependent_columns_is_not_told_so(table: NDArray[np.float64]) -> None:
    said = heard(lt.Autoencoder(latent_dim=2, max_epochs=2, random_state=0), table[:, :6])
    assert not any("no structure found" in sentence for sentence in said)
