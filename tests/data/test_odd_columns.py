"""Columns of odd types, and files that hold less in a column than that of the fit did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latente as lt

N = 90
R = np.random.default_rng(0)


def fitted(**columns: Any) -> tuple[lt.VAE, pd.DataFrame]:
    kinds = columns.pop("kinds", None)
    frame = pd.DataFrame({"a": R.normal(size=N), **columns})
    return lt.VAE(max_epochs=1, random_state=0, kinds=kinds).fit(frame), frame


CATEGORIES = {
    "whole numbers in an order": pd.Categorical(R.integers(1, 4, N), [1, 2, 3], ordered=True),
    "numbers in an order": pd.Categorical(R.choice([0.5, 1.5], N), ordered=True),
    "intervals": pd.cut(R.normal(size=N), [-9, -1, 0, 1, 9]),
    "dates in an order": pd.Categorical(pd.Timestamp("2020") + pd.to_timedelta(R.integers(0, 3, N), "D"), ordered=True),
    "dates": pd.Categorical(pd.Timestamp("2020") + pd.to_timedelta(R.integers(0, 3, N), "D")),
    "booleans": pd.Categorical(R.random(N) < 0.5),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_that_are_no_text_are_kept_by_their_texts(name: str, tmp_path: Path) -> None:
    vae, frame = fitted(v=CATEGORIES[name])
    vae.save(tmp_path / "m.safetensors")
    loaded = lt.load(tmp_path / "m.safetensors")
    assert list(loaded.impute(frame)["v"]) == list(frame["v"].astype(str))
    assert set(loaded.sample(20)["v"]) <= set(frame["v"].astype(str))


@pytest.mark.parametrize("zone", ["+05:30", "-03:00", "Europe/Madrid"])
def test_time_zones_by_name_or_by_distance(zone: str, tmp_path: Path) -> None:
    vae, frame = fitted(t=pd.Series(R.permutation(pd.date_range("2020-01-01", periods=N))).dt.tz_localize(zone))
    vae.save(tmp_path / "m.safetensors")
    loaded = lt.load(tmp_path / "m.safetensors")
    assert loaded.fields_[1]["reason"].startswith("from 2020-01-01 to 2020-03-30")
    assert (loaded.impute(frame)["t"] == frame["t"]).all()
    drawn = loaded.sample(5, given={"t": ("2020-01-02", "2020-02-01")})["t"]
    assert drawn.dtype == frame["t"].dtype
    assert drawn.dt.tz_localize(None).between("2020-01-02", "2020-02-01").all()


@pytest.mark.parametrize(
    ("levels", "later"),
    [
        (["true", "false", "maybe"], ["true", "false"]),
        (["True", "False", "no idea"], ["True"]),
        (["2023-01-05", "2023-02-07", "to be set"], ["2023-01-05", "2023-02-07"]),
        (["8:30", "9:45", "closed"], ["8:30", "9:45"]),
    ],
)
def test_a_later_file_is_read_as_that_of_the_fit(levels: list[str], later: list[str], tmp_path: Path) -> None:
    whole = pd.DataFrame({"a": R.normal(size=N), "k": R.choice(levels, N)})
    part = whole[whole["k"].isin(later)].reset_index(drop=True)
    part.loc[:2, "a"] = np.nan
    whole.to_csv(tmp_path / "fit.csv", index=False)
    part.to_csv(tmp_path / "later.csv", index=False)
    vae = lt.VAE(max_epochs=1, random_state=0).fit(str(tmp_path / "fit.csv"))
    filled = vae.impute(str(tmp_path / "later.csv"))
    assert filled["k"].to_pylist() == list(part["k"])


def test_numbers_and_texts_among_objects_are_told_by_the_text_and_may_be_codes() -> None:
    mixed = pd.Series([1, 2] * (N // 2 - 1) + [3, "oops"], dtype=object)
    with pytest.raises(lt.DataError, match="'m' .such as 'oops'.*kinds={'m': 'categorical'}"):
        fitted(m=mixed)
    vae, _ = fitted(m=mixed, kinds={"m": "categorical"})
    assert set(vae.sample(20)["m"].astype(str)) <= {"1", "2", "3", "oops"}


def test_whole_numbers_of_any_size_are_kept_or_refused() -> None:
    vae, _ = fitted(n=pd.Series([2**70 + k for k in range(N)], dtype=object))
    assert vae.fields_[1]["kind"] == "identifier"
    with pytest.raises(lt.DataError, match="beyond 2..53 neighbouring whole numbers can't be told apart"):
        fitted(n=2**60 + np.arange(N), kinds={"n": "count"})


def test_hexadecimal_codes_are_text_and_infinite_dates_are_told(tmp_path: Path) -> None:
    pd.DataFrame({"a": R.normal(size=N), "h": [f"0x{k % 5:02x}" for k in range(N)]}).to_csv(tmp_path / "h.csv", index=False)
    vae = lt.VAE(max_epochs=1, random_state=0).fit(str(tmp_path / "h.csv"))
    assert set(vae.sample(20)["h"].to_pylist()) <= {f"0x{k:02x}" for k in range(5)}
    dates = [f"2023-01-{1 + k % 28:02}" for k in range(N - 1)] + ["infinity"]
    pd.DataFrame({"a": R.normal(size=N), "d": dates}).to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(lt.DataError, match=f"'d' holds dates, and 'infinity' in row {N - 1} .counted from 0. is none"):
        lt.VAE(max_epochs=1, random_state=0).fit(str(tmp_path / "d.csv"))


def test_numbers_with_commas_are_left_out_with_a_word_on_how_to_write_them() -> None:
    vae, _ = fitted(price=[f"{1 + k},{k:03}" for k in range(N)])
    assert vae.fields_[1]["kind"] == "identifier"
    assert vae.fields_[1]["reason"].endswith("that look like numbers with commas: write them as 1234.5 to use them as numbers")
