"""Sequences of rows, one for each entity: lengths, order, transitions, constant columns, and what a file keeps of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import latente as lt
from latente.data import Sequences
from latente.model.sequences import SequencePlan, replayed

pytestmark = pytest.mark.filterwarnings("ignore::latente.errors.LatenteWarning")
NEXT = np.array([[0.7, 0.3, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])


def patients(n: int = 150, seed: int = 0) -> pd.DataFrame:
    rng, rows = np.random.default_rng(seed), []
    for entity in range(n):
        group, state, visits = rng.integers(2), 0, 0
        begin = rng.integers(100)
        for step in range(rng.integers(3, 9)):
            level = 5 * group + step + rng.normal()
            rows.append((f"p{entity}", begin + step, "ab"[group], "xyz"[state], visits, level))
            state, visits = rng.choice(3, p=NEXT[state]), visits + rng.poisson(0.5)
    return pd.DataFrame(rows, columns=["id", "week", "group", "state", "visits", "level"])


@pytest.fixture(scope="module")
def vae() -> lt.VAE:
    return lt.VAE(time="week", entity="id", effort="quick", max_epochs=20, random_state=0).fit(patients())


def test_new_sequences_are_like_those_of_the_fit(vae: lt.VAE) -> None:
    rows, new = patients(), vae.sample(300)
    assert list(new.columns) == list(rows.columns)
    lengths = new.groupby("id").size()
    assert len(lengths) == 300 and lengths.min() >= 3 and lengths.max() <= 8
    assert abs(lengths.mean() - rows.groupby("id").size().mean()) < 0.6
    assert (new.groupby("id")["group"].nunique() == 1).all()
    assert (new.groupby("id")["week"].diff().dropna() == 1).all()
    assert new.groupby("id")["week"].first().std() > 20
    assert (new.groupby("id")["visits"].diff().dropna() >= 0).all()
    assert abs(new.groupby("group")["level"].mean().diff().iloc[1] - 5) < 1.5


def test_no_impossible_transition_is_drawn(vae: lt.VAE) -> None:
    new = vae.sample(300)
    pairs = pd.crosstab(new["state"], new.groupby("id")["state"].shift(-1)).reindex(index=[*"xyz"], columns=[*"xyz"])
    assert (pairs.to_numpy()[NEXT == 0] == 0).all()
    assert abs(pairs.loc["x", "x"] / pairs.loc["x"].sum() - 0.7) < 0.12
    assert (new.groupby("id")["state"].first() == "x").all()


def test_conditions_are_on_constant_columns(vae: lt.VAE) -> None:
    new = vae.sample(20, given={"group": "b"})
    assert new["id"].nunique() == 20 and (new["group"] == "b").all()
    assert abs(vae.given_["probability"] - 0.5) < 0.2
    with pytest.raises(lt.DataError, match="'state' changes within a series"):
        vae.sample(2, given={"state": "x"})


def test_a_series_goes_on_where_it_is(vae: lt.VAE) -> None:
    rows = patients(5, seed=1)
    ahead = vae.sample(2, after=rows, steps=3)
    assert len(ahead) == 2 * 5 * 3 and set(ahead["series"]) == {0, 1}
    last = rows.groupby("id").last()
    first = ahead.groupby(["series", "id"]).first().reset_index().set_index("id")
    assert (first["week"] == last["week"].reindex(first.index) + 1).all()
    assert (first["group"] == last["group"].reindex(first.index)).all()
    assert (first["visits"] >= last["visits"].reindex(first.index)).all()
    until_end = vae.sample(1, after=rows)
    assert set(until_end["id"]) <= set(rows["id"])


def test_a_file_keeps_the_model_of_sequences(vae: lt.VAE, tmp_path: Path) -> None:
    again = lt.load(vae.save(tmp_path / "model.safetensors"))
    pd.testing.assert_frame_equal(again.sample(20, random_state=3), vae.sample(20, random_state=3))


def test_who_asks_for_windows_gets_windows() -> None:
    how: dict[str, Any] = {"time": "week", "entity": "id", "effort": "quick", "max_epochs": 1, "random_state": 0}
    latent = lt.VAE(row_model="latent", **how).fit(patients(30))
    assert latent.fitted_.sequences is None
    assert (latent.sample(3).groupby("id").size() == latent.codec_.window).all()
    numbers = patients(30)[["id", "week", "level"]]
    assert lt.VAE(**how).fit(numbers).fitted_.sequences is None
    assert lt.VAE(row_model="autoregressive", **how).fit(numbers).fitted_.sequences is not None
    with pytest.raises(lt.ModelError, match="at least 20"):
        lt.VAE(row_model="autoregressive", **how).fit(patients(5))


def test_missing_values_and_gaps_of_time_are_read() -> None:
    rows = patients(40).drop(index=[4, 9, 30])
    rows.loc[rows.index[::7], "level"] = None
    rows.loc[rows.index[::11], "state"] = None
    vae = lt.VAE(time="week", entity="id", effort="quick", max_epochs=2, random_state=0).fit(rows)
    assert vae.fitted_.sequences is not None and vae.fitted_.sequences.plan.gaps
    new = vae.sample(20)
    assert new.notna().all(axis=None)
    assert len(vae.sample(1, after=rows, steps=2)) == 80


def test_rows_are_in_order_and_constant_columns_are_found(vae: lt.VAE) -> None:
    rows = patients(20).sample(frac=1, random_state=0)
    found = Sequences.of(vae.codec_, vae.codec_.like_fitted(lt.read(rows)))  # type: ignore[arg-type]
    assert found.lengths.sum() == len(rows) and found.is_last.sum() == 20
    assert [field.name for field, each in zip(found.fields, found.constant(), strict=True) if each] == ["group"]
    assert (found.gaps[~found.is_first] == 1).all()
    assert found.goes_one_way([field.name for field in found.fields].index("visits"))


def test_the_context_of_a_row_is_what_was_before_it() -> None:
    plan = SequencePlan((True, False, False), (False, False), (3, 0), False, False, 1, 4)
    x = torch.tensor([[0.0, 1.0], [2.0, 3.0], [1.0, torch.nan], [1.0, 5.0], [0.0, 7.0]])
    contexts, state = replayed(plan, x, torch.tensor([0, 3]), torch.tensor([[9.0], [8.0]]))
    # constant, previous, the one before, position; whether each is observed; shares of levels and a mean
    assert contexts[2].tolist() == [9, 2, 3, 0, 1, 2, 1, 1, 1, 1, 1, 1, 0.5, 0, 0.5, 2]
    assert contexts[1].tolist() == [9, 0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1]
    assert contexts[4][:6].tolist() == [8, 1, 5, 0, 0, 1]
    assert state.position.tolist() == [3, 2] and state.previous[1].tolist() == [0, 7]
