"""What is read comes back as it was written: dates, times, durations, ordered categories, and texts that look like numbers."""

from __future__ import annotations

import csv
import datetime
import math
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from polars.testing import assert_frame_equal

import latente as lt
from latente.cli.output import write_csv
from latente.data import Table, TableCodec, fit_codec, read, restricted_to
from latente.data.moments import seconds, told
from latente.errors import DataError

N = 120
MADRID = "Europe/Madrid"


def codec_of(source: Any, **kinds: str) -> TableCodec:
    codec = fit_codec(read(source), kinds)
    assert isinstance(codec, TableCodec)
    return codec


def back(source: Any) -> Any:
    data = read(source)
    codec = codec_of(source)
    return codec.decode(codec.encode(data).x, possible=True, source=data)


def kinds_of(source: Any) -> dict[str, str]:
    codec = codec_of(source)
    return dict(zip(codec.names, codec.kinds, strict=True))


def moments() -> dict[str, list[Any]]:
    generator = np.random.default_rng(0)
    minutes = [int(m) for m in generator.integers(0, 1440, N)]
    start = datetime.datetime(2021, 3, 1)
    return {
        "time": [datetime.time(m // 60, m % 60) for m in minutes],
        "wait": [datetime.timedelta(minutes=m, seconds=30) for m in minutes],
        "day": [(start + datetime.timedelta(days=m % 90)).date() for m in minutes],
        "at": [start + datetime.timedelta(minutes=m) for m in minutes],
        "sure": [bool(m % 3) for m in minutes],
    }


def same(a: Any, b: Any) -> None:
    a, b = (nw.from_native(frame, eager_only=True) for frame in (a, b))
    assert a.schema == b.schema
    for name in a.columns:
        assert a[name].to_list() == b[name].to_list(), name


SOURCES = {
    "polars": lambda: pl.DataFrame(moments()),
    "pyarrow": lambda: pa.table(moments()),
    "pyarrow, to the second": lambda: pa.table(
        {name: pa.array(moments()[name], kind) for name, kind in
         {"time": pa.time32("s"), "wait": pa.duration("s"), "day": pa.date32(), "at": pa.timestamp("s", MADRID)}.items()}
    ),
    "pandas, as objects": lambda: pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in moments().items()}),
    "pandas": lambda: pd.DataFrame({"wait": pd.to_timedelta(moments()["wait"]), "at": pd.to_datetime(moments()["at"])}),
    "pandas on Arrow": lambda: pa.table(moments()).to_pandas(types_mapper=pd.ArrowDtype),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_dates_times_and_durations_come_back_as_they_were(name: str) -> None:
    source = SOURCES[name]()
    found = kinds_of(source)
    expected = {"time": "time", "wait": "duration", "day": "calendar", "at": "calendar", "sure": "binary"}
    assert found == {column: kind for column, kind in expected.items() if column in found}
    same(back(source), source)
    if isinstance(source, pd.DataFrame):
        assert list(back(source).dtypes) == list(source.dtypes)
        for column in source:
            assert type(back(source)[column].iloc[0]) is type(source[column].iloc[0])


def test_what_is_missing_among_them_is_seen_so() -> None:
    holes = {name: [None if i % 5 == 0 else value for i, value in enumerate(values)] for name, values in moments().items()}
    for source in (pl.DataFrame(holes), pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in holes.items()})):
        codec = codec_of(source)
        mask = codec.encode(read(source)).mask
        assert mask is not None and not mask[::5].any() and mask[1::5].all()
        left = codec.decode(codec.encode(read(source)).x, mask=mask, possible=True)
        if isinstance(left, pd.DataFrame):
            assert all(list(left[n].dropna()) == list(source[n].dropna()) for n in holes) and left[::5].isna().all(axis=None)
        else:
            same(left, source)


def test_new_rows_have_them_too() -> None:
    drawn = lt.VAE(max_epochs=1, random_state=0).fit(pl.DataFrame(moments())).sample(50, missing=True)
    assert drawn.schema == pl.DataFrame(moments()).schema
    assert all(value.second == 0 for value in drawn["time"]) and all(w.seconds % 60 == 30 for w in drawn["wait"])


@pytest.mark.parametrize(
    ("column", "wanted", "seconds"),
    [
        ("time", ("08:30", datetime.time(9)), (30600, 32400)),
        ("wait", ("1:00:30", np.timedelta64(2, "h")), (3630, 7170)),  # it goes in minutes and a half
        ("wait", (datetime.timedelta(hours=1), 7200), (3630, 7170)),
        ("at", ("2021-03-01", "2021-03-01 12:00"), (1614553200, 1614596400)),
        ("at", ("2021-03-01T00:00Z", datetime.datetime(2021, 3, 1, 12)), (1614556800, 1614596400)),
        ("at", ("2021-03-01 0:00", "2021-03-01T9:30:15"), (1614553200, 1614587415)),
        ("time", ("9:00", "10:00"), (32400, 36000)),
        ("day", (datetime.date(2021, 3, 2), "2021-02"), None),
    ],
)
def test_what_is_given_is_understood_in_the_time_zone_of_the_column(
    column: str, wanted: Any, seconds: tuple[float, float] | None
) -> None:
    source = pl.DataFrame(moments()).with_columns(pl.col("at").dt.replace_time_zone(MADRID))
    codec = codec_of(source)
    place = [field.name for field in codec.fields].index(column)
    if seconds is None:
        with pytest.raises(DataError, match="'day' can't be from 2021-03-02 to 2021-02-28.*: the first is the larger one"):
            restricted_to(codec, {column: wanted})
        return
    (found,) = restricted_to(codec, {column: wanted})[place]
    own = codec.names.index(column)
    np.testing.assert_allclose(np.array(found) * codec.scale[own] + codec.center[own], seconds)


def test_what_can_not_be_given_is_told_in_dates() -> None:
    codec = codec_of(pl.DataFrame(moments()))
    with pytest.raises(DataError, match="from 2030-01-01 to 2030-01-01, and was only ever from 2021-03-01 to 2021-05-28"):
        restricted_to(codec, {"day": "2030-01-01"})
    with pytest.raises(DataError, match="'time' holds times of day, such as 09:30, and 'noon' is none: ask for one"):
        restricted_to(codec, {"time": "noon"})
    with pytest.raises(DataError, match="'wait' held durations when the model was fitted, and holds something else now"):
        codec.encode(read(pl.DataFrame(moments()).with_columns(wait=pl.lit(3.0))))


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        ("size", "nan"),
        ("size", (1.0, math.nan)),
        ("size", [[1.0]]),
        ("day", np.datetime64("NaT")),
        ("wait", pd.NaT),
        ("time", "9:0"),
    ],
)
def test_a_hole_can_not_be_asked_for(column: str, wanted: Any) -> None:
    codec = codec_of(pl.DataFrame({**moments(), "size": np.linspace(0.0, 1.0, len(moments()["day"]))}))
    with pytest.raises(DataError, match=f"given: '{column}' holds .* is none: ask for one, for a list of them, or for"):
        restricted_to(codec, {column: wanted})


def test_a_constant_date_is_told_as_one() -> None:
    codec = codec_of(pl.DataFrame({"day": [datetime.date(2024, 5, 17)] * 4, "x": [1.0, 2.5, 3.0, 4.0]}))
    assert codec.reasons[0] == "always 2024-05-17" and "'day' (2024-05-17)" in codec.notes[0]
    assert restricted_to(codec, {"day": "2024-05-17"}) == {}
    with pytest.raises(DataError, match="'day' is always 2024-05-17"):
        restricted_to(codec, {"day": "2024-05-18"})


# -- ordered categories -----------------------------------------------------------------------------------------------

SIZES = ["small", "middle", "large", "huge"]


def sizes() -> list[str]:
    return [SIZES[i % 3] for i in range(N)]


ORDERED = {
    "pandas": lambda: pd.DataFrame({"size": pd.Categorical(sizes(), SIZES, ordered=True), "x": np.arange(N) % 7 + 0.5}),
    "polars": lambda: pl.DataFrame({"size": pl.Series(sizes(), dtype=pl.Enum(SIZES)), "x": np.arange(N) % 7 + 0.5}),
    "pyarrow": lambda: pa.table(
        {
            "size": pa.DictionaryArray.from_arrays(pa.array(np.arange(N) % 3, pa.int32()), pa.array(SIZES), ordered=True),
            "x": np.arange(N) % 7 + 0.5,
        }
    ),
}


@pytest.mark.parametrize("name", ORDERED)
def test_ordered_categories_come_back_in_their_order(name: str) -> None:
    source = ORDERED[name]()
    codec = codec_of(source)
    assert codec.kinds[0] == "ordinal" and codec.levels(0) == ("small", "middle", "large")
    same(back(source), source)
    if name == "pandas":
        assert back(source)["size"].dtype == source["size"].dtype
    if name == "pyarrow":
        assert back(source).schema == source.schema
    again = codec.decode(codec.encode(read(source)).x, "pandas")
    assert list(again["size"].cat.categories) == SIZES and again["size"].cat.ordered


# -- texts that look like numbers, in files ---------------------------------------------------------------------------


def written(folder: Path, columns: dict[str, list[str]], name: str = "data.csv") -> Path:
    with (folder / name).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return folder / name


def test_a_file_comes_back_to_the_letter(tmp_path: Path) -> None:
    columns = {
        "zip": [f"{i % 20 + 1:05d}" for i in range(N)],
        "vote": [("yes", "no")[i % 2] for i in range(N)],
        "letter": [("T", "F")[i % 2] for i in range(N)],
        "truth": [("true", "false")[i % 2] for i in range(N)],
        "time": [f"{i % 24:02d}:{i % 60:02d}:{i % 50:02d}" for i in range(N)],
        "day": [f"2023-02-{i % 28 + 1:02d}" for i in range(N)],
        "at": [f"2023-02-{i % 28 + 1:02d} {i % 24:02d}:00:00" for i in range(N)],
        "number": [str(i % 13) for i in range(N)],
    }
    path = written(tmp_path, columns)
    found = kinds_of(path)
    assert [found[name] for name in ("zip", "time", "day", "truth")] == ["categorical", "time", "calendar", "binary"]
    with (tmp_path / "out.csv").open("wb") as file:
        write_csv(back(path), file)
    with path.open() as before, (tmp_path / "out.csv").open() as after:
        assert list(csv.reader(after)) == list(csv.reader(before))


def test_zeros_in_front_that_come_late_count_too(tmp_path: Path) -> None:
    codes = [str(10000 + i % 50) for i in range(30_000)] + ["00123"]
    data = read(written(tmp_path, {"zip": codes, "x": [str(i % 7) for i in range(len(codes))]}))
    assert isinstance(data, Table) and data.dtypes == ("String", "Int64") and "00123" in data.levels[0]


def test_such_a_column_is_one_of_numbers_on_request_and_where_it_was_one(tmp_path: Path) -> None:
    path = written(tmp_path, {"code": [f"{i % 40:03d}" for i in range(N)], "kind": ["a", "b"] * (N // 2)})
    codec, numbers = codec_of(path, code="count"), [i % 40 for i in range(N)]
    assert codec.kinds[0] == "count" and codec.decode(codec.encode(read(path)).x)["code"].to_pylist() == numbers
    plain = codec_of(pl.DataFrame({"code": numbers, "kind": ["a", "b"] * (N // 2)}))
    np.testing.assert_allclose(plain.encode(read(path)).x, codec.encode(read(path)).x)
    assert fit_codec(read(path)).encode(read(written(tmp_path, {"code": ["017"], "kind": ["a"]}, "n.csv"))).x[0, 0] == 17


@pytest.mark.parametrize(
    "days", [["2023-02-28", "2023-02-30"], ["28/02/2023", "30/02/2023"], ["2023-02-28 10:00:00", "2023-13-01"]]
)
def test_an_impossible_date_is_named_with_its_row(tmp_path: Path, days: list[str]) -> None:
    path = written(tmp_path, {"x": [str(i) for i in range(10)], "day, said": [days[0]] * 7 + [days[1]] + [days[0]] * 2})
    with pytest.raises(DataError, match=rf"data\.csv: column 'day, said' holds dates, and '{days[1]}' in row 7 .* is none"):
        read(path)


# -- kinds that are asked for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("integer", [1.0, 2.5, 3.5], r"'x' can't be 'integer': 2\.5 in row 1 .* is no whole number, and 1 more"),
        ("count", [1.0, -2.0, 3.0], "'x' can't be 'count': -2 in row 1 .* is no count"),
        ("ordinal", [0.1, 2.0, 3.0], r"'x' can't be 'ordinal': 0\.1 in row 0"),
        ("positive", [0.0, 2.0, 3.5], "'x' can't be 'positive': 0 in row 0 .* is no positive number"),
    ],
)
def test_a_kind_that_the_values_are_not(kind: str, values: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        codec_of(pl.DataFrame({"x": values}), x=kind)


@pytest.mark.parametrize("kind", ["integer", "count", "ordinal", "real", "positive"])
def test_a_kind_that_is_asked_for_holds(kind: str) -> None:
    frame = pl.DataFrame({"x": [float(i % 30 * 10 + 10) for i in range(N)], "kind": ["a", "b"] * (N // 2)})
    codec = codec_of(frame, x=kind)
    assert (codec.kinds[0], codec.reasons[0]) == (kind, "set by the user")
    assert codec.grid[0] == (1.0 if kind in ("integer", "count", "ordinal") else 10.0)


# -- whole numbers that a double can't hold, and codes of digits and letters -------------------------------------------


@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow", "csv"])
def test_large_whole_numbers_come_back_exactly(container: str, tmp_path: Path) -> None:
    columns = {"big": [2**60 + i % 7 for i in range(N)], "x": [i % 5 + 0.5 for i in range(N)]}
    source: Any = {"pandas": pd.DataFrame, "polars": pl.DataFrame}.get(container, pa.table)(columns)
    if container == "csv":
        source = written(tmp_path, {name: list(map(str, values)) for name, values in columns.items()})
    codec = codec_of(source)
    decoded = nw.from_native(codec.decode(codec.encode(read(source)).x), eager_only=True)
    assert decoded["big"].to_list() == columns["big"] and str(decoded["big"].dtype) == "Int64"
    assert (codec.kinds[0], codec.reasons[0]) == ("categorical", "7 different numbers")
    kept = nw.from_native(back(source), eager_only=True)
    assert kept["big"].to_list() == columns["big"]


def test_large_whole_numbers_that_differ_name_rows(tmp_path: Path) -> None:
    path = written(tmp_path, {"id": [str(2**60 + 3 * i) for i in range(N)], "long": [f"{10**25 + i}" for i in range(N)],
                              "x": [str(i % 5) for i in range(N)]})  # fmt: skip
    codec = codec_of(path)
    assert codec.kinds[:2] == ("identifier", "identifier") and codec.dtypes[:2] == ("Int64", "String")
    assert back(path)["id"].to_pylist() == [2**60 + 3 * i for i in range(N)]
    drawn = codec.decode(codec.encode(read(path)).x[:2], names_from=0)
    assert drawn["id"].to_pylist() == [2**60 + 3 * N - 2, 2**60 + 3 * N - 1] and drawn["long"].to_pylist()[0] == f"{10**25 + N}"


def test_codes_of_digits_and_letters_are_taken_when_said_to_be_codes(tmp_path: Path) -> None:
    path = written(
        tmp_path, {"icd": [("250", "276", "414", "V57")[i % 4] for i in range(N)], "x": [str(i % 7) for i in range(N)]}
    )
    with pytest.raises(DataError, match=r"'icd' \(such as 'V57'\); .* kinds=\{'icd': 'categorical'\}"):
        read(path)
    vae = lt.VAE(max_epochs=1, random_state=0, kinds={"icd": "categorical"}).fit(path)
    assert set(vae.sample(50)["icd"].to_pylist()) <= {"250", "276", "414", "V57"}
    assert vae.transform(path).shape[0] == N


@pytest.mark.parametrize(("value", "words"), [(-600.0, "-0:10:00"), (-93600.0, "-1 day, 2:00:00"), (93600.0, "1 day, 2:00:00")])
def test_durations_are_told_as_they_are_read(value: float, words: str) -> None:
    assert told(value, "Duration(us)") == words
    assert seconds(words, "Duration(us)") == value


# -- values of a grid, and columns of which nothing is filled in --------------------------------------------------------


@pytest.mark.parametrize("power", [-14, -9, -3, -2, -1, 0, 2, 8])
def test_values_of_a_grid_are_what_would_be_written(power: int) -> None:
    """Neither 86.8399999999, nor 101500000000.00002, nor three values of a column whose unit is tiny."""
    written_as = [float(f"{k}e{power}") for k in np.random.default_rng(0).gamma(2, 3000, 2000).astype(int)]
    table = read(pl.DataFrame({"x": written_as, "kind": ["a", "b"] * 1000}))
    codec = fit_codec(table)
    near = codec.encode(table).x + torch.tensor([0.2, 0.0]) * codec.grid[0] / codec.scale[0]
    assert codec.decode(near, possible=True)["x"].to_list() == written_as


def test_steps_that_are_no_decimals_are_kept() -> None:
    thirds = [k / 3 for k in range(0, 900, 7)] * 2
    table = read(pl.DataFrame({"x": thirds, "kind": ["a", "b"] * 129}))
    codec = fit_codec(table)
    np.testing.assert_allclose(codec.decode(codec.encode(table).x, possible=True)["x"], thirds, rtol=1e-15, atol=1e-15)


CONTAINERS = {
    "pandas": lambda columns: pd.DataFrame({**columns, "big": pd.array(columns["big"], dtype="Int64")}),
    "pandas on pyarrow": lambda columns: pd.DataFrame({**columns, "big": pd.array(columns["big"], dtype="int64[pyarrow]")}),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("different", [7, N])
def test_large_whole_numbers_with_holes_stay_what_they_are(container: str, different: int) -> None:
    """As categories, and as names of rows, of which nothing is filled in."""
    big = [None if i % 11 == 0 else 2**60 + 3 * (i % different) for i in range(N)]
    source = CONTAINERS[container]({"big": big, "x": [i % 5 + 0.5 for i in range(N)]})
    vae = lt.VAE(max_epochs=1, random_state=0).fit(source)
    whole, drawn = (nw.from_native(rows, eager_only=True)["big"] for rows in (vae.impute(source), vae.sample(99, missing=True)))
    kept = [found for found, seen in zip(whole.to_list(), big, strict=True) if seen is not None]
    assert kept == [seen for seen in big if seen is not None] and str(whole.dtype) == str(drawn.dtype) == "Int64"
    assert whole.null_count() == (0 if different == 7 else big.count(None))
    assert {value for value in drawn.to_list() if isinstance(value, int)} <= set(big)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_names_of_new_rows_come_back_as_they_came(kind: Any) -> None:
    columns = {"id": list(range(N)), "name": [f"A-{i}" for i in range(N)], "x": [i % 5 + 0.5 for i in range(N)]}
    vae = lt.VAE(max_epochs=1, random_state=0).fit(kind({**columns, "kind": ["a", "b"] * (N // 2)}))
    for own in ({"id": ["p", "q"], "name": [7, 8]}, {"id": [0.5, 2.0], "name": ["A", None]}, {"id": [3, 4], "name": ["", "B"]}):
        new = kind({**own, "x": [0.5, None], "kind": ["a", None]})
        found = vae.impute(new)
        assert_frame_equal(pl.DataFrame(found)[:, :2], pl.DataFrame(new)[:, :2])


def test_a_column_of_one_value_that_holds_others_now() -> None:
    columns = {"five": [5, None] * (N // 2), "word": ["x"] * N, "x": [i % 5 + 0.5 for i in range(N)]}
    vae = lt.VAE(max_epochs=1, random_state=0).fit(pl.DataFrame(columns))
    new = pl.DataFrame({"five": [7, None], "word": [1.5, None], "x": [0.5, None]})
    assert vae.impute(new)[:, :2].to_dict(as_series=False) == {"five": [7, None], "word": ["1.5", "x"]}
    with pytest.raises(DataError, match=r"hold text now: 'five' \(such as 'so'\)"):
        vae.impute(new.with_columns(five=pl.Series(["so", None])))
