"""Series: rows in any order become windows on a grid of steps, and come back as they were."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latente as lt
from latente.data import SeriesCodec, TimeAsked, read
from latente.data.series.clock import Clock, grid_of
from latente.data.series.windows import period

CONTAINERS = ["pandas", "polars", "pyarrow"]


def frame(n: int = 200, freq: str = "h", tz: str | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    t = np.arange(n)
    return pd.DataFrame({
        "when": pd.date_range("2024-03-01", periods=n, freq=freq, tz=tz),
        "x": np.sin(2 * np.pi * t / 24) + 0.1 * rng.normal(size=n),
        "count": rng.integers(0, 9, n),
        "state": rng.choice(["on", "off", "idle"], n),
    })  # fmt: skip


def fitted(data: Any, **asked: Any) -> SeriesCodec:
    return SeriesCodec.fit(read(data), TimeAsked(**asked))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("tz", [None, "Europe/Madrid"])
def test_what_is_encoded_comes_back_in_its_rows_types_and_order(container: str, tz: str | None) -> None:
    pandas = frame(tz=tz).drop(index=[50, 51]).sample(frac=1, random_state=0).reset_index(drop=True)
    data = (
        pandas if container == "pandas" else pytest.importorskip(container).DataFrame(pandas) if container == "polars" else None
    )
    data = __import__("pyarrow").Table.from_pandas(pandas) if data is None else data
    codec = fitted(data, time="when")
    series = codec.like_fitted(read(data))
    rows = codec.encode(series)
    assert rows.mask is not None
    for back in (codec.decode(rows.x, source=series), codec.decode(rows.x, steps=series)):
        plain = back if container == "pandas" else back.to_pandas()
        assert list(plain.columns) == list(pandas.columns)
        assert (pd.to_datetime(plain["when"]).to_numpy() == pandas["when"].to_numpy()).all()
        assert np.allclose(plain["x"], pandas["x"], atol=1e-5)
        assert (plain["count"] == pandas["count"]).all()
        assert (plain["state"].astype(str) == pandas["state"]).all()


def test_state_round_trip_and_damage() -> None:
    codec = fitted(frame(), time="when")
    json_, arrays = codec.to_state()
    again = SeriesCodec.from_state(json.loads(json.dumps(json_)), arrays)
    assert again.channels == codec.channels == ("x", "count", "state=idle", "state=off", "state=on")
    assert again.notes == codec.notes
    assert again.clock == Clock("seconds", 3600.0)
    for wrong in ({"time": "nowhere"}, {"window": 0}, {"clock": {"unit": "moons", "step": 1.0}}, {"stride": "x"}):
        with pytest.raises(lt.StorageError):
            SeriesCodec.from_state({**json.loads(json.dumps(json_)), **wrong}, arrays)


def test_a_gap_is_missing_and_rows_that_share_a_step_are_their_mean() -> None:
    data = frame().drop(index=range(100, 110))
    twice = data.iloc[[5]].assign(x=data["x"].iloc[5] + 2.0)
    codec = fitted(pd.concat([data, twice]), time="when", window=24, stride=1)
    keys = ["series.read", "series.windows", "series.levels", "series.gaps", "series.twice"]
    assert [note.key for note in codec.notes][:5] == keys
    series = codec.like_fitted(read(pd.concat([data, twice])))
    x, observed = codec.on_grid(codec.table.encode(series.table), series.grid)
    assert not observed[100:110].any()
    assert observed[:100].all()
    assert codec.numbers(x.numpy())["x"][5] == pytest.approx(data["x"].iloc[5] + 1.0, abs=1e-5)


def test_local_time_of_a_change_to_summer_time_has_a_gap_and_utc_has_none() -> None:
    local = pd.date_range("2024-03-30", periods=48, freq="h", tz="Europe/Madrid")
    rows = pd.DataFrame({"when": local, "x": np.arange(48.0)})
    assert fitted(rows, time="when").notes[0].values["steps"] == 48
    naive = rows.assign(when=local.tz_localize(None))
    assert fitted(naive, time="when").notes[0].values["steps"] == 49


@pytest.mark.parametrize(
    ("freq", "unit", "step"), [("MS", "months", 1), ("ME", "months", 1), ("QS", "months", 3), ("D", "seconds", 86400)]
)
def test_months_are_steps_of_the_calendar(freq: str, unit: str, step: float) -> None:
    times = pd.date_range("2019-01-01", periods=40, freq=freq)
    seconds = times.as_unit("s").astype("int64").to_numpy().astype(float)
    clock = Clock.of(seconds, np.zeros(40, int), moments=True)
    assert (clock.unit, clock.step) == (unit, step)
    grid = grid_of(seconds, np.zeros(40, int), clock)
    assert (grid.places == np.arange(40)).all()
    assert (clock.times(seconds[0], np.arange(40)) == seconds).all()


def test_series_of_an_entity_never_share_a_window() -> None:
    data = pd.concat([frame(n).assign(machine=name) for name, n in (("b", 60), ("a", 30), ("c", 5))])
    codec = fitted(data, time="when", entity="machine", window=24)
    series = codec.like_fitted(read(data))
    entity = np.full(series.grid.steps, -1)
    entity[series.grid.places] = data["machine"].factorize(sort=True)[0]
    assert series.grid.lengths.tolist() == [30, 60, 24]
    for window in series.indices:
        assert len({*entity[window]} - {-1}) == 1
    assert np.isin(np.arange(series.grid.steps), series.indices).all()


def test_arrays_of_series_and_of_steps() -> None:
    x = np.random.default_rng(0).normal(size=(6, 20, 3))
    codec = fitted(x)
    assert codec.shape == (3, 20)
    series = codec.like_fitted(read(x))
    rows = codec.encode(series)
    assert np.allclose(codec.decode(rows.x, steps=series), x, atol=1e-5)
    assert np.allclose(codec.decode(rows.x), x, atol=1e-5)
    assert fitted(x[0], window=10).shape == (3, 10)
    with pytest.raises(lt.DataError, match="four dimensions"):
        fitted(np.zeros((2, 8, 8, 3)))


def test_the_window_is_a_period() -> None:
    t = np.arange(2000)
    waves = np.sin(2 * np.pi * t / 48) + 0.3 * np.random.default_rng(0).normal(size=2000)
    assert period(waves[:, None], 300) == pytest.approx(48, abs=2)
    assert period(np.random.default_rng(0).normal(size=(2000, 1)), 300) == 0


@pytest.mark.parametrize(
    ("change", "asked", "message"),
    [
        ({}, {"time": "date"}, "no column 'date'; there are 'when'"),
        ({}, {"time": "state"}, "'state' holds text that is no date, such as 'idle'"),
        ({}, {"time": "when", "entity": "when"}, "tells series apart"),
        ({}, {"time": "when", "window": 999}, "longer than the longest series, 200 steps"),
        ({"when": None}, {"time": "when"}, "empty in 1 rows, the first in row 3"),
        ({"when": "2024-03-01"}, {"time": "when"}, "no series has rows at two different times"),
        ({"when": "2099-03-01"}, {"time": "when"}, "these are events and no series"),
        ({"other": "2024-03-01"}, {}, "several columns hold dates: 'when', 'other'; name one"),
    ],
)
def test_errors_for_people(change: dict[str, Any], asked: dict[str, Any], message: str) -> None:
    data = frame()
    if change.get("when", 0) is None or change.get("when") == "2099-03-01":
        data.loc[3, "when"] = pd.NaT if change["when"] is None else pd.Timestamp("2099-03-01")
    elif change:
        data = data.assign(**{name: pd.Timestamp(value) for name, value in change.items()})
        if "other" in change:
            data["other"] = data["other"] + pd.to_timedelta(np.random.default_rng(0).permutation(200), "D")
            data["when"] = data["when"].sample(frac=1, random_state=0).to_numpy()
    with pytest.raises(lt.DataError, match=message):
        fitted(data, **asked)


def test_times_of_new_steps_are_exact_whatever_the_type_of_their_numbers() -> None:
    first = np.datetime64("2024-02-09", "s").astype(float)
    found = Clock("seconds", 86400.0).times(float(first), np.arange(5, dtype=np.float32))
    assert found.dtype == np.float64 and list(found - first) == [86400.0 * day for day in range(5)]


def test_a_step_of_days_is_said_in_both_languages() -> None:
    said = [Clock("seconds", 86400.0 * days).said for days in (1, 7)]
    assert [str(each) for each in said] == ["1 day", "7 days"]
    assert [each.said("es") for each in said] == ["1 día", "7 días"]
    assert str(Clock("seconds", 3600.0).said) == "1:00:00"
