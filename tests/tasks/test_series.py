"""Series through the estimator: codes per window, scores per step, gaps, new and continued series."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latente as lt
from latente.rows import Overlaps, Rows
from latente.tasks import gaps
from latente.tasks.steps import events
from latente.training.split import Split
from latente.training.usual import p_values, threshold

pytestmark = pytest.mark.filterwarnings("ignore::latente.errors.LatenteWarning")
QUICK: dict[str, Any] = {"max_epochs": 15, "effort": "quick", "random_state": 0}


def series(n: int = 1500, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    wave = np.sin(2 * np.pi * t / 24)
    return pd.DataFrame({
        "when": pd.date_range("2024-01-01", periods=n, freq="h"),
        "a": 10 + 2 * wave + 0.1 * rng.normal(size=n),
        "b": -3 * wave + 0.1 * rng.normal(size=n),
    })  # fmt: skip


@pytest.fixture(scope="module")
def vae() -> lt.VAE:
    return lt.VAE(time="when", window=24, stride=4, **QUICK).fit(series())


def test_windows_have_codes_and_know_their_rows(vae: lt.VAE) -> None:
    rows = series(100)
    z, windows = vae.transform(rows), vae.windows(rows)
    assert len(z) == len(windows) == len(vae.score_samples(rows)) == 20
    assert windows["first"].tolist() == list(range(0, 77, 4))
    assert (windows["last"] - windows["first"]).eq(23).all()
    shuffled = rows.sample(frac=1, random_state=1)
    assert np.array_equal(vae.transform(shuffled), z)
    with pytest.raises(lt.ModelError, match="windows are of series"):
        lt.VAE(max_epochs=1).fit(rows[["a", "b"]]).windows(rows)


def test_a_table_with_a_date_stays_a_table_and_is_told_of_series() -> None:
    rows = series(200)
    plain = lt.VAE(max_epochs=1, random_state=0).fit(rows)
    assert plain.transform(rows).shape[0] == 200
    assert any("time='when' (--time when)" in note for note in plain.notes_)
    with pytest.raises(lt.ModelError, match="window is for series"):
        lt.VAE(window=24).fit(rows)
    with pytest.raises(lt.DataError, match="'a' changes within a series"):
        lt.VAE(time="when").fit(rows, context=["a"])


def test_every_result_has_the_rows_of_the_input(vae: lt.VAE) -> None:
    rows = series(130).sample(frac=1, random_state=0)
    for result in (vae.reconstruct(rows), vae.denoise(rows), vae.impute(rows)):
        assert list(result.columns) == list(rows.columns)
        assert result.index.equals(rows.index)
        assert (result["when"] == rows["when"]).all()
    assert np.abs(vae.reconstruct(rows)["a"] - rows["a"]).mean() < 0.3
    assert vae.inverse_transform(vae.transform(rows)[:3]).shape == (72, 4)
    assert vae.interpolate(rows.sort_values("when")[:24], rows.sort_values("when")[50:74], steps=3).shape == (72, 4)


def test_an_event_is_found_with_its_channel_and_outside_its_band(vae: lt.VAE) -> None:
    rows = series(600, seed=1)
    rows.loc[300:330, "b"] = 0.0
    found = vae.anomalies(rows)
    assert list(found.columns[:5]) == ["when", "score", "anomaly", "p_value", "rank"]
    inside = np.zeros(600, bool)
    inside[290:341] = True
    assert inside[int(found["anomaly"].argmax())]
    worst = found.iloc[int(found["anomaly"].argmax())]
    assert worst["fields"].startswith("b ")
    assert not worst["b_low"] <= rows["b"].iloc[300:331].iloc[6] <= worst["b_high"] or worst["p_value"] < 0.1
    far = (rows["b"] < found["b_low"]) | (rows["b"] > found["b_high"])
    assert far[303:328].mean() > 0.7 > 0.3 > far[:250].mean()
    assert found["event"].nunique() >= 2 or found["anomalous"].sum() == 0


def test_events_are_runs_within_a_series(vae: lt.VAE) -> None:
    data = vae.codec_.like_fitted(lt.read(series(100)))
    selected = np.zeros(100, bool)
    selected[[3, 4, 6, 50, 99]] = True
    assert events(data, selected)[[3, 4, 6, 50, 99]].tolist() == [1, 1, 1, 2, 3]


def test_p_values_count_blocks() -> None:
    held_out = np.repeat(np.arange(10.0), 50)
    assert p_values(np.array([9.5, 9.0, -1.0]), held_out, 10).tolist() == pytest.approx([1 / 11, 2 / 11, 1.0])
    assert p_values(np.array([9.5]), held_out) == pytest.approx([1 / 501])
    limit = threshold(held_out, 0.2, 10)
    assert p_values(np.array([limit + 0.1]), held_out, 10) <= 0.2 < p_values(np.array([limit - 0.1]), held_out, 10)


@pytest.mark.parametrize("lengths", [[2000], [40] * 300])
def test_no_training_window_shares_a_step_with_a_held_out_one(lengths: list[int]) -> None:
    starts = np.cumsum([0, *lengths])[:-1]
    begins = np.concatenate([start + np.arange(0, length - 20 + 1, 5) for start, length in zip(starts, lengths, strict=True)])
    rows = Rows(__import__("torch").from_numpy(begins.astype(np.float32))[:, None, None].expand(-1, 1, 2).contiguous())
    split = Split.of(rows, 0.2, 0, Overlaps(begins, starts, 20))
    assert split.held_out is not None
    train, held = (part.x[:, 0, 0].numpy() for part in (split.train, split.held_out))
    assert np.abs(train[:, None] - held).min() >= 20
    assert 0.1 < len(held) / len(begins) < 0.3
    assert split.blocks is not None and split.blocks >= 10


def test_gaps_are_filled_never_worse_than_by_lines_and_observed_values_stay(vae: lt.VAE) -> None:
    rows, truth = series(800, seed=2), series(800, seed=2)
    rng = np.random.default_rng(0)
    for begin in rng.integers(0, 780, 20):
        rows.loc[begin : begin + 11, "a"] = np.nan
    hidden = rows["a"].isna()
    errors = {name: np.abs(vae.impute(rows, method=name)["a"] - truth["a"])[hidden].mean() for name in gaps.METHODS}
    lines = rows["a"].interpolate(limit_direction="both")
    assert np.abs(lines - truth["a"])[hidden].mean() == pytest.approx(errors["linear"], rel=1e-3)
    assert errors["auto"] < 0.5 * errors["linear"]
    filled = vae.impute(rows)
    assert filled["a"][~hidden].equals(truth["a"][~hidden])
    assert filled["b"].equals(truth["b"])
    assert vae.imputed_["error"]["chosen"] <= vae.imputed_["error"]["linear"]
    assert json.dumps(vae.imputed_)
    low, high = vae.impute(rows, intervals=0.9)
    inside = ((low["a"] <= truth["a"]) & (truth["a"] <= high["a"]))[hidden].mean()
    assert 0.8 <= inside <= 1.0
    draws = vae.impute(rows, draws=3)
    assert len(draws) == 3
    assert not draws[0]["a"].equals(draws[1]["a"])
    with pytest.raises(lt.ModelError, match="method is one of"):
        vae.impute(rows, method="spline")


def test_a_walk_is_filled_by_lines() -> None:
    x = np.random.default_rng(0).normal(size=(1500, 1)).cumsum(0)
    holed = x.copy()
    holed[np.random.default_rng(1).random(1500) < 0.1] = np.nan
    vae = lt.VAE(time="auto", window=16, **QUICK).fit(holed)
    error = np.abs(vae.impute(holed) - x)[np.isnan(holed)].mean()
    lines = pd.Series(holed[:, 0]).interpolate(limit_direction="both").to_numpy()
    assert error <= 1.02 * np.abs(lines - x[:, 0])[np.isnan(holed[:, 0])].mean()


def test_series_go_on_in_time_and_by_entity(vae: lt.VAE) -> None:
    more = vae.sample(2, after=series(200), steps=30)
    assert len(more) == 60
    assert more["when"].iloc[0] == pd.Timestamp("2024-01-01") + pd.Timedelta(hours=200)
    truth = series(230)["a"].to_numpy()[200:]
    assert np.abs(more["a"].to_numpy().reshape(2, 30).mean(0) - truth).mean() < 1.0
    with pytest.raises(lt.ModelError, match="continuation takes"):
        vae.sample(2, after=series(200), steps=0)
    with pytest.raises(lt.ModelError, match="pass the series to continue"):
        vae.sample(2, steps=3)


def test_new_windows_are_like_the_data(vae: lt.VAE) -> None:
    new = vae.sample(200)
    assert new["series"].nunique() == 200
    assert new["a"].mean() == pytest.approx(10, abs=0.5)
    assert np.corrcoef(new["a"], new["b"])[0, 1] < -0.9


def test_a_file_has_all_of_it(vae: lt.VAE, tmp_path: Any) -> None:
    again, rows = lt.load(vae.save(tmp_path / "series.safetensors")), series(150)
    assert np.array_equal(again.transform(rows), vae.transform(rows))
    assert again.anomalies(rows).equals(vae.anomalies(rows))
    assert again.sample(3).equals(vae.sample(3))
    assert again.sample(1, after=rows, steps=5).equals(vae.sample(1, after=rows, steps=5))
    assert again.certificate(series(400, seed=5), train=series()).figures


@pytest.mark.parametrize("recipe", ["timevae", "donut", "recurrent-vae"])
def test_recipes_of_series(recipe: str) -> None:
    rows = series(300)
    vae = lt.VAE(recipe, time="when", window=24, stride=12, max_epochs=2, random_state=0).fit(rows)
    assert np.isfinite(vae.score_samples(rows)).all()
    assert vae.sample(2).shape == (48, 4)
    assert len(vae.anomalies(rows)) == 300


def test_the_time_may_be_the_index() -> None:
    rows = series(300).set_index("when")
    vae = lt.VAE(time="auto", window=24, stride=12, **QUICK).fit(rows)
    assert vae.codec_.time == "when"
    for result in (vae.reconstruct(rows), vae.impute(rows.iloc[::-1])):
        assert list(result.columns) == ["a", "b"]
    assert vae.impute(rows.iloc[::-1]).index.equals(rows.index[::-1])
    several = pd.concat({"m1": rows, "m2": rows}, names=["machine"])
    vae = lt.VAE(time="when", entity="machine", window=24, stride=12, **QUICK).fit(several)
    assert vae.notes_[0].values["count"] == 2
    assert vae.reconstruct(several).index.equals(several.index)
    unnamed = rows.rename_axis(None)
    assert len(lt.VAE(time="auto", window=24, stride=12, **QUICK).fit(unnamed).anomalies(unnamed)) == 300


def test_lacking_steps_are_inserted_on_demand(vae: lt.VAE) -> None:
    rows = series(200)
    given = pd.concat([rows[:50], rows[60:]]).sample(frac=1, random_state=0)
    assert len(vae.impute(given)) == 190
    whole = vae.impute(given, insert=True)
    assert (whole["when"] == rows["when"]).all()
    assert whole.notna().all(axis=None)
    assert np.abs(whole["a"] - rows["a"]).max() < 1.5
    kept = np.r_[:50, 60:200]
    assert np.allclose(whole["a"].iloc[kept], rows["a"].iloc[kept])
    low, high = vae.impute(given, insert=True, intervals=0.9)
    assert (low["a"] < high["a"]).sum() == 10
    with pytest.raises(lt.ModelError, match="no time column"):
        lt.VAE(time="auto", window=8, **QUICK).fit(rows[["a"]].to_numpy()).impute(rows[["a"]].to_numpy(), insert=True)


def test_steps_of_entities_are_inserted_within_each() -> None:
    rows = pd.concat([series(120, k).assign(m=f"m{k}") for k in range(3)], ignore_index=True)
    rows.loc[0:118, "when"] -= pd.Timedelta(days=100)  # the first one has a gap before its last row
    given = rows.drop(index=[130, 131, 300])
    vae = lt.VAE(time="when", entity="m", window=12, **QUICK).fit(given.drop(index=119))
    whole = vae.impute(given.drop(index=119), insert=True)
    assert whole.groupby("m").size().tolist() == [119, 120, 120]
    assert whole.notna().all(axis=None)


def test_surprise_has_a_column_for_each_channel(vae: lt.VAE) -> None:
    rows = series(100)
    rows.loc[50, "b"] = 9.0
    found = vae.surprise(rows)
    assert list(found.columns) == ["when", "a", "b"]
    assert found["b"].idxmax() == 50


def test_an_event_in_the_rows_of_the_fit_is_not_compared_with_itself() -> None:
    rows = series(1200)
    rows.loc[600:640, "a"] = 10.0 + np.random.default_rng(5).normal(0, 2, 41)
    found = lt.VAE(time="when", window=24, stride=4, **QUICK).fit(rows).anomalies(rows, score="near-window")
    assert 590 <= int(found["anomaly"].argmax()) <= 650
    assert found["anomaly"][605:635].min() > np.quantile(found["anomaly"].drop(range(575, 666)), 0.95)


def daily(entities: int = 6, seed: int = 0) -> pd.DataFrame:
    """Series of two kinds that are high at noon, in windows that begin at any hour."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    wave = -np.cos(2 * np.pi * times.hour / 24)
    parts = [
        pd.DataFrame({"id": k, "when": times, "kind": "ab"[k % 2], "x": wave + 4 * (k % 2) + 0.1 * rng.normal(size=200)})
        for k in range(entities)
    ]
    return pd.concat(parts, ignore_index=True)


def test_windows_depend_on_the_calendar_and_on_constant_columns() -> None:
    rows = daily()
    vae = lt.VAE(time="when", entity="id", window=6, stride=1, latent_dim=2, **QUICK).fit(rows, context=["kind", "calendar"])
    assert vae.fitted_.context is not None
    assert vae.fitted_.context.names == ("kind", "calendar_day_sin", "calendar_day_cos")
    noon, night = (
        vae.sample(40, context={"kind": kind, "calendar": f"2024-03-05 {hour}:00"})["x"].mean()
        for kind, hour in (("a", "09"), ("b", "21"))
    )
    assert abs(noon - 0.9) < 0.4 and abs(night - 3.1) < 0.4
    with pytest.raises(lt.DataError, match="calendar=…"):
        vae.sample(1, context={"kind": "a"})
    with pytest.raises(lt.DataError, match="calendar=…"):
        vae.sample(1)
    with pytest.raises(lt.DataError, match="--context kind=… --context calendar=…"):
        vae.certificate()
    hand = vae.in_context({"kind": "a", "calendar": "2025-07-09 09:00"}).fitted_.at_hand
    assert hand is not None and len(hand.train) > 1, "the windows that begin at nine on any day"
    begins = vae.sample(2, context={"kind": "a", "calendar": "2024-03-05 09:00"})["when"][0]
    assert str(begins) == "2024-03-05 09:00:00"
    assert len(vae.transform(rows)) == len(vae.windows(rows))
    ahead = vae.sample(1, after=rows, steps=12)
    assert (ahead.groupby("id")["x"].mean() > 2).tolist() == [False, True] * 3
    rows.loc[20:25, "x"] = None
    assert vae.impute(rows)["x"].notna().all()


def test_context_of_series_is_constant_in_each() -> None:
    rows = daily(4)
    rows["changing"] = np.arange(len(rows)) % 3
    how: dict[str, Any] = {"time": "when", "entity": "id", "max_epochs": 1, "random_state": 0}
    with pytest.raises(lt.DataError, match="'changing' changes within a series"):
        lt.VAE(**how).fit(rows, context=["changing"])
    with pytest.raises(lt.DataError, match="no day, week or year matters"):
        lt.VAE(**how).fit(rows[["id", "when"]][:60].assign(x=np.random.default_rng(0).normal(size=60)), context="calendar")


@pytest.mark.parametrize("recipe", ["gp-vae", "vrnn"])
def test_codes_along_time_begin_at_components_of_the_channels(recipe: str) -> None:
    rows = series(600)
    vae = lt.VAE(recipe, time="when", window=24, stride=12, latent_dim=8, max_epochs=2, random_state=0).fit(rows)
    error = (vae.reconstruct(rows)[["a", "b"]] - rows[["a", "b"]]).abs().mean() / rows[["a", "b"]].std()
    assert (error < 0.75).all()  # of the mean of a channel it is .9
    assert vae.latent_dim_ == 8 and vae.sample(2).shape == (48, 4)
