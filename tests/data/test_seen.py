"""What was seen comes back to the bit from ``impute``, whatever its type; what is filled in is of the step of the record."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import latente as lt
from latente.data import TableCodec, fit_codec, read
from latente.errors import DataError

N = 60
R = np.random.default_rng(0)
NS = pd.Series(pd.to_datetime(1_700_000_000_000_000_000 + R.integers(0, 2**50, N) * 1009, unit="ns"))
SIZES = ["small", "middle", "large"]


def completed(fitted_on: Any, used: Any, **kinds: str) -> Any:
    """Rows whose holes are filled with what a model that knows nothing would say: the mean."""
    codec = fit_codec(read(fitted_on), kinds)
    assert isinstance(codec, TableCodec)
    data = read(used, codec.names if codec.named else None, codec.text_names)
    return codec.decode(torch.zeros(len(data), len(codec.fields)), data.container, source=data)


def whole(values: Any) -> Any:
    return pd.Series(values).reset_index(drop=True)


COLUMNS: dict[str, Any] = {
    **{name: whole(R.integers(0, 2 if name == "bool" else 99, N).astype(name)) for name in
       ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")},
    **{name: pd.array(R.integers(0, 2 if name == "boolean" else 99, N), dtype=name) for name in
       ("boolean", "Int8", "UInt8", "Int64", "UInt64", "Float32", "int8[pyarrow]", "uint64[pyarrow]", "double[pyarrow]")},
    "large": whole(2**60 + R.integers(0, 5, N)),
    "text": whole(R.choice(SIZES, N)),
    "category": pd.Categorical(R.choice(SIZES, N)),
    "ordered": pd.Categorical(R.choice(SIZES, N), SIZES, ordered=True),
    "datetime64[ns]": NS,
    "datetime64[ns], in a zone": NS.dt.tz_localize("UTC").dt.tz_convert("Europe/Madrid"),
    "datetime64[us]": NS.astype("datetime64[us]"),
    "datetime64[us], far away": whole(np.array(R.integers(2**55, 2**56, N), "datetime64[us]")),
    "timestamp[ns][pyarrow]": NS.astype("timestamp[ns][pyarrow]"),
    "timedelta64[ns]": NS - NS.min(),
    "days": whole([datetime.date(2020, 1, 1 + int(k)) for k in R.integers(0, 30, N)]),
    "times": whole([datetime.time(int(k), 30, microsecond=123457) for k in R.integers(0, 24, N)]),
    "decimals": whole([Decimal(int(k)) / 100 for k in R.integers(0, 10_000, N)]),
    "decimal128[pyarrow]": pd.array([Decimal(int(k)) / 100 for k in R.integers(0, 99, N)], pd.ArrowDtype(pa.decimal128(9, 2))),
}  # fmt: skip


def frame_of(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": R.normal(size=N), "v": pd.Series(values).copy(deep=True)})


@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("name", COLUMNS)
def test_what_was_seen_is_never_changed(name: str, container: str) -> None:
    frame, holes = frame_of(COLUMNS[name]), frame_of(COLUMNS[name])
    holes.loc[:9, "a"] = np.nan
    holes["v"] = holes["v"].astype(object) if name == "bool" else holes["v"]
    holes.loc[5:14, "v"] = None
    if container != "pandas":
        turn: Any = pa.Table.from_pandas if container == "pyarrow" else pl.from_pandas
        if container == "polars" and name in ("float16", "ordered"):
            pytest.skip("polars has no such type of pandas")
        frame, holes = turn(frame), turn(holes)
    for used in (frame, holes):
        before = nw.from_native(used, eager_only=True)["v"].to_list()
        after = nw.from_native(completed(frame, used), eager_only=True)["v"].to_list()
        assert [b for a, b in zip(before, after, strict=True) if not pd.isna(a)] == [a for a in before if not pd.isna(a)]
        assert not any(map(pd.isna, after))


@pytest.mark.parametrize(
    ("own", "values"),
    [
        ("uint8", [-3, 5]),
        ("int8", [300, 5]),
        ("int64", [30.5, 2.5]),
        ("UInt8", [-3, 5]),
        ("float32", [1e200, 0.1]),
        ("bool", [7, 1]),
        ("int64", [2**60 + 1, 5]),
        ("uint8", [2**62 + 1, 5]),
        ("float32", [2**60 + 1, 5]),
        ("decimals", [0.123456, 1.5]),
        ("int8", [Decimal("9.94"), Decimal("1.00")]),
        ("datetime64[us]", [pd.Timestamp("2023-01-05 10:00:00.000000123"), pd.Timestamp("2023-01-05")]),
        ("days", [datetime.datetime(2023, 1, 5, 10), datetime.datetime(2023, 1, 5)]),
    ],
)
def test_what_the_type_of_the_fit_does_not_hold_widens_it(own: str, values: list[Any]) -> None:
    used = pd.DataFrame({"a": [np.nan, 1.0], "v": values})
    assert completed(frame_of(COLUMNS[own]), used)["v"].tolist() == values
    used = pd.DataFrame({"a": [0.5, 1.0, 2.0], "v": pd.Series([*values, None], dtype=object)})
    assert completed(frame_of(COLUMNS[own]), used)["v"].tolist()[:2] == values


def test_arrays_are_widened_too() -> None:
    fitted_on = R.integers(0, 50, (N, 2)).astype("int8")
    for used in ([[300, 5], [3, 4]], [[30.5, np.nan], [np.nan, 2.0]], [[2**60 + 1, 5], [7, 2**60]]):
        array = np.array(used)
        back = completed(fitted_on, array)
        there = ~np.isnan(array.astype(float))
        assert (back[there] == array[there]).all() and not np.isnan(back).any()


def test_files_keep_what_they_hold(tmp_path: Path) -> None:
    days = [f"2023-01-{k % 28 + 1:02d}" for k in range(N)]
    pd.DataFrame({"n": R.integers(0, 9, N), "day": days, "x": R.normal(size=N)}).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.csv").write_text("n,day,x\n2.5,2023-01-05 10:00:00,\n3,,1\n")
    found = completed(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    assert found["n"].to_pylist() == [2.5, 3.0] and found["day"].to_pylist()[0] == datetime.datetime(2023, 1, 5, 10)


def test_a_number_that_no_type_holds_is_named() -> None:
    used = pd.DataFrame({"a": [0.5, 1.0], "v": ["7", "123456789012345678901234567890"]})
    with pytest.raises(
        DataError, match=r"column 'v' holds 1234567890\d+ in row 1 .*, which no type of number holds.*correct it"
    ):
        completed(frame_of(COLUMNS["int64"]), used)


def test_dates_with_and_without_a_zone_are_not_mixed() -> None:
    plain, aware = frame_of(COLUMNS["datetime64[us]"]), frame_of(COLUMNS["datetime64[ns], in a zone"])
    with pytest.raises(DataError, match="'v' held dates without a time zone .* holds dates in the time zone Europe/Madrid now"):
        completed(plain, aware)
    with pytest.raises(DataError, match="'v' held dates in the time zone Europe/Madrid .* convert them to Europe/Madrid"):
        completed(aware, plain)
    other = aware.assign(v=aware["v"].dt.tz_convert(ZoneInfo("America/Mexico_City")))
    assert (completed(aware, other)["v"] == aware["v"]).all()


@pytest.mark.parametrize("kind", ["pandas", "csv"])
def test_what_is_filled_in_has_the_step_of_the_record(kind: str, tmp_path: Path) -> None:
    day = pd.Timestamp("2020-12-13") + pd.to_timedelta(R.integers(0, 300, N), unit="D")
    frame = pd.DataFrame(
        {"cents": np.round(R.normal(30, 9, N), 2), "day": day, "n": R.integers(0, 99, N).astype(float), "s": ["a", "b"] * 30}
    )
    holes = frame.copy()
    holes.loc[3, :] = None
    source: Any = frame
    if kind == "csv":
        frame.to_csv(tmp_path / "a.csv", index=False)
        holes.to_csv(tmp_path / "b.csv", index=False)
        source, holes = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    vae = lt.VAE(max_epochs=1, random_state=0).fit(source)
    row = nw.from_native(vae.impute(holes), eager_only=True).row(3)
    assert row[0] == round(row[0], 2) and pd.Timestamp(row[1]) == pd.Timestamp(row[1]).normalize()
