"""Time stamps that run on with the rows, which later rows are all beyond, and dates that come as text or in another zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import latente as lt
from latente.data import fit_codec, read
from latente.errors import DataError

N = 200
R = np.random.default_rng(0)
RUNNING = pd.date_range("2024-03-01", periods=N, freq="7min")
SHUFFLED = pd.Series(R.permutation(pd.date_range("2024-01-01", periods=N)))


def kind_of(values: Any) -> str:
    return fit_codec(read(pd.DataFrame({"x": R.normal(size=len(values)), "t": values}))).kinds[1]  # type: ignore[union-attr]


def out_of_order() -> Any:
    """One line of 200 is written late."""
    order = np.arange(N)
    order[[50, 51]] = order[[51, 50]]
    return RUNNING[order]


@pytest.mark.parametrize(
    "values",
    [
        RUNNING,
        RUNNING[::-1],
        RUNNING.tz_localize("Europe/Madrid"),
        [day.date() for day in pd.date_range("2020-01-01", periods=N)],
        np.repeat(RUNNING[: N // 4], 4),
        np.concatenate([RUNNING[:100], RUNNING[:100]]),
        out_of_order(),
        pd.Series(RUNNING).where(R.random(N) < 0.8),
        RUNNING[:12],
        RUNNING.astype("int64").to_numpy() // 1000**2,
        1_704_067_200 + 300 * np.arange(N),
    ],
    ids=["up", "down", "zone", "days", "repeated", "two sensors", "late", "holes", "few", "epoch in ms", "epoch in s"],
)
def test_what_runs_on_with_the_rows_is_a_time_stamp(values: Any) -> None:
    assert kind_of(values) == "timestamp"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (SHUFFLED, "calendar"),
        (np.repeat(SHUFFLED[:40].to_numpy(), 5), "calendar"),
        (RUNNING[:9], "calendar"),
        (np.sort(R.integers(1, 10**7, N)), "count"),
        (R.permutation(1_704_067_200 + 301 * np.arange(N)), "count"),
        (pd.to_timedelta(np.arange(N), unit="min"), "duration"),
    ],
    ids=["birth dates", "births of customers", "nine rows", "sorted numbers", "epoch in no order", "duration"],
)
def test_what_does_not_stays_a_value(values: Any, kind: str) -> None:
    assert kind_of(values) == kind


def test_later_rows_are_no_anomalies_and_come_back_as_they_came() -> None:
    frame = pd.DataFrame({"t": RUNNING, "x": R.normal(size=N), "y": R.choice(["a", "b"], N)})
    vae = lt.VAE(max_epochs=5, random_state=0).fit(frame)
    later = frame.assign(t=frame["t"] + pd.Timedelta(days=30))
    assert (vae.score_samples(later) == vae.score_samples(frame)).all()
    pd.testing.assert_frame_equal(vae.impute(later), later)
    assert vae.sample(5)["t"].isna().all() and vae.sample(5)["t"].dtype == frame["t"].dtype
    assert any("kinds={'t': 'calendar'}" in note for note in vae.notes_)


def test_a_time_stamp_is_kept_as_a_value_where_that_is_asked_for() -> None:
    frame = pd.DataFrame({"t": RUNNING, "n": 1_704_067_200 + 300 * np.arange(N), "x": R.normal(size=N)})
    codec = fit_codec(read(frame), {"t": "calendar", "n": "integer"})
    assert codec.kinds == ("calendar", "integer", "real")  # type: ignore[union-attr]
    with pytest.raises(DataError, match="holds dates and can't be 'real'"):
        fit_codec(read(frame), {"t": "real"})


# -- dates as text ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["datetime", "date", "UTC", "Madrid"])
def dated(request: pytest.FixtureRequest) -> tuple[lt.VAE, pd.DataFrame]:
    when: Any = {
        "datetime": SHUFFLED,
        "date": [day.date() for day in SHUFFLED],
        "UTC": SHUFFLED.dt.tz_localize("UTC"),
        "Madrid": SHUFFLED.dt.tz_localize("Europe/Madrid"),
    }[request.param]
    frame = pd.DataFrame({"a": R.normal(size=N), "when": when})
    return lt.VAE(max_epochs=1, random_state=0).fit(frame), frame


def test_iso_texts_are_the_dates_that_they_say(dated: tuple[lt.VAE, pd.DataFrame]) -> None:
    vae, frame = dated
    texts = frame.assign(when=[value.isoformat() for value in frame["when"]])
    assert (vae.score_samples(texts) == vae.score_samples(frame)).all()
    assert (vae.score_samples(texts.to_dict("records")) == vae.score_samples(frame)).all()
    assert (vae.score_samples(texts.iloc[0].to_dict()) == vae.score_samples(frame)[:1]).all()
    completed = vae.impute(texts.assign(a=np.nan))
    assert (completed["when"] == frame["when"]).all()


def test_a_text_that_is_no_date_is_refused_with_its_row(dated: tuple[lt.VAE, pd.DataFrame]) -> None:
    vae, frame = dated
    texts = frame[:3].assign(when=["2024-02-01", "soon", None])
    with pytest.raises(DataError, match="column 'when' held dates .* and holds 'soon' in row 1"):
        vae.score_samples(texts)


def test_the_time_of_a_text_in_a_column_of_days_is_kept() -> None:
    frame = pd.DataFrame({"a": R.normal(size=N), "when": [day.date() for day in SHUFFLED]})
    vae = lt.VAE(max_epochs=1, random_state=0).fit(frame)
    rows = [{"a": None, "when": "2024-02-01T13:05:00"}, {"a": 1.0, "when": None}]
    found = vae.impute(rows).to_pylist()
    assert found[0]["when"] == datetime(2024, 2, 1, 13, 5) and found[1]["when"] is not None


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(("fitted", "now"), [(None, UTC), (UTC, None)])
def test_utc_and_no_zone_are_compared_with_a_warning(fitted: Any, now: Any, as_text: bool) -> None:
    days = [day.to_pydatetime() for day in SHUFFLED]
    numbers = R.normal(size=N)
    vae = lt.VAE(max_epochs=1, random_state=0).fit(
        pa.table({"a": numbers, "when": pa.array([day.replace(tzinfo=fitted) for day in days])})
    )
    known = vae.score_samples(pa.table({"a": numbers, "when": pa.array([day.replace(tzinfo=fitted) for day in days])}))
    other = [day.replace(tzinfo=now) for day in days]
    when = pa.array([day.isoformat() for day in other]) if as_text else pa.array(other)
    with pytest.warns(lt.LatenteWarning, match="as if both were in UTC: 'when'"):
        assert (vae.score_samples(pa.table({"a": numbers, "when": when})) == known).all()


def test_other_zones_than_utc_are_refused_where_the_fit_had_none() -> None:
    frame = pd.DataFrame({"a": R.normal(size=N), "when": SHUFFLED})
    vae = lt.VAE(max_epochs=1, random_state=0).fit(frame)
    for when in ("2024-02-01T00:00:00+02:00", pd.Timestamp("2024-02-01", tz="Europe/Madrid")):
        with pytest.raises(DataError, match="column 'when' held dates"):
            vae.score_samples(pd.DataFrame({"a": [0.1], "when": [when]}))


def test_a_decoded_date_is_the_nearest_day() -> None:
    days = pa.array([0, 1, 17_000], pa.date32())
    codec = fit_codec(read(pa.table({"day": pa.array(R.permutation(20_000)[:N].tolist(), pa.date32()), "x": R.normal(size=N)})))
    rows = codec.encode(read(pa.table({"day": days, "x": [0.0, 1.0, 2.0]}))).x
    assert all(codec.decode(rows * (1 + error))["day"].to_pylist() == days.to_pylist() for error in (-1e-7, 0.0, 1e-7))


def test_a_value_that_is_zero_but_for_rounding_is_told_as_zero() -> None:
    codec = fit_codec(read(pd.DataFrame({"x": R.normal(10.0, 3.0, N), "y": R.normal(size=N)})))
    zero = -codec.center[0] / codec.scale[0]  # type: ignore[union-attr]
    assert codec.told(float(zero) * (1 + 1e-8), 0) == "0"  # type: ignore[union-attr]
