"""Everything that data may come in, and what is said when it can't be read."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.sparse import csr_matrix

from latente.data import Images, Table, fit_codec, read
from latente.errors import DataError

SHARED = Path(os.environ.get("LATENTE_DATA", Path(__file__).parents[2] / "../shared/data"))
NAN = float("nan")


def table(source: Any, columns: Any = None) -> Table:
    data = read(source, columns)
    assert isinstance(data, Table)
    return data


def images(source: Any) -> Images:
    data = read(source)
    assert isinstance(data, Images)
    return data


def written(folder: Path, content: str | bytes, name: str = "data.csv") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def shared(name: str) -> str:
    if not (SHARED / name).exists():
        pytest.skip(f"the data set {name} is not in {SHARED}")
    return str(SHARED / name)


# -- arrays ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_a_float32_array_is_not_copied(layout: str) -> None:
    array = np.arange(24, dtype=np.float32).reshape(6, 4)
    array = {"C": array, "F": np.asfortranarray(array), "strided": array[::-2, 1:]}[layout]
    data = table(array)
    assert np.shares_memory(data.values, array)
    assert (data.container, data.named, data.names[:2], data.dtypes[0]) == ("numpy", False, ("x0", "x1"), "float32")


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "uint16", "float16", "float32"])
def test_small_types_become_float32(dtype: str) -> None:
    data = table(np.array([[1, 0], [0, 1]], dtype))
    assert data.values.dtype == np.float32 and set(data.dtypes) == {dtype}


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint64", "float64"])
def test_large_types_become_float64(dtype: str) -> None:
    data = table(np.array([[1, 0], [0, 1]], dtype))
    assert data.values.dtype == np.float64 and set(data.dtypes) == {dtype}


def test_a_tensor_shares_its_memory() -> None:
    tensor = torch.ones(3, 2, requires_grad=True)
    data = table(tensor)
    assert data.container == "torch" and np.shares_memory(data.values, tensor.detach().numpy())
    assert table(torch.ones(3, 2, dtype=torch.bfloat16)).values.dtype == np.float32


def test_lists_object_arrays_and_masked_arrays_are_read() -> None:
    assert table([[1, 2.5], [3, NAN]]).values[0, 1] == 2.5
    assert table(np.array([[1, 2.5]], dtype=object)).dtypes == ("float64", "float64")
    masked = table(np.ma.masked_array(np.eye(2), mask=np.eye(2, dtype=bool)))
    np.testing.assert_array_equal(masked.values, [[NAN, 0], [0, NAN]])


def test_what_was_read_is_given_back() -> None:
    data = read(np.eye(3))
    assert read(data) is data


@pytest.mark.parametrize(
    ("shape", "layout", "channels"),
    [
        ((5, 8, 6), "NHW", 1),
        ((5, 8, 6, 1), "NHWC", 1),
        ((5, 8, 6, 3), "NHWC", 3),
        ((5, 8, 6, 4), "NHWC", 4),
        ((5, 3, 8, 6), "NCHW", 3),
        ((5, 2, 8, 6), "NCHW", 2),
        ((5, 13, 64, 64), "NCHW", 13),
    ],
)
def test_layouts_of_pictures(shape: tuple[int, ...], layout: str, channels: int) -> None:
    array = np.zeros(shape, np.uint8)
    data = images(array)
    assert (data.layout, data.pixels.shape[1], data.dtype, len(data)) == (layout, channels, "uint8", 5)
    assert np.shares_memory(data.pixels, array)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.ones((0, 3)), r"0 sample\(s\)"),
        (np.ones((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required"),
        (np.ones(3), r"Expected 2D array, got 1D array instead[\s\S]*Reshape your data"),
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
        (np.array([["a"], ["b"]]), "numeric"),
        (np.array([["a"], ["b"]], dtype=object), "could not convert string to float"),
        (np.array([["2020"]], dtype="datetime64[D]"), "holds datetime64"),
        (np.ones((2, 30, 30, 30)), r"neither a table nor pictures"),
        (np.ones((2, 0, 3)), "holds no pixel"),
        (np.array([[1.0, 2.0], [3.0, np.inf], [-np.inf, 0.0]]), r"infinite values: 2, the first in row 1 .*column 'x1'.*NaN"),
        (np.full((2, 3, 3), np.inf, np.float32), r"infinite values: 18, the first in row 0 .*pixel"),
        (pd.Series([1, 2]), "2-dimensional container"),
    ],
)
def test_bad_arrays_are_refused(source: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(source)


def test_what_is_no_array_of_numbers_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        read(csr_matrix(np.eye(3)))
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        read(np.array([[{}], [{}]], dtype=object))


def test_infinity_is_found_in_any_block() -> None:
    values = np.zeros((5000, 60), np.float32)
    values[4321, 7] = np.inf
    with pytest.raises(DataError, match=r"row 4321 .*'x7'"):
        read(values)


# -- frames ---------------------------------------------------------------------------------------------------------

COLUMNS = {"a": [1, 2, 3], "b": [0.5, None, 2.5], "c": [True, False, True]}


@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow"])
def test_frames(container: str) -> None:
    source = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[container](COLUMNS)
    data = table(source)
    np.testing.assert_array_equal(data.values, [[1, 0.5, 1], [2, NAN, 0], [3, 2.5, 1]])
    assert (data.names, data.container, data.named) == (("a", "b", "c"), container, True)
    assert data.dtypes == ("Int64", "Float64", "Boolean")


def test_a_lazy_frame_is_collected() -> None:
    assert len(table(pl.DataFrame(COLUMNS).lazy())) == 3


def test_nullable_and_large_numbers() -> None:
    nullable = pd.DataFrame({"i": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")})
    np.testing.assert_array_equal(table(nullable).values, [[1, 1], [NAN, NAN]])
    assert table(pa.table({"big": [2**53, None]})).values[0, 0] == 2.0**53
    for large in (pa.table({"big": [2**53 + 1, None]}), pd.DataFrame({"big": [-(2**60)]}), pl.DataFrame({"big": [2**62]})):
        data = table(large)
        assert data.dtypes == ("Int64",) and int(data.levels[0][0]) in (2**53 + 1, -(2**60), 2**62)
    from decimal import Decimal

    assert table(pl.DataFrame({"d": [Decimal("1.25"), None]})).values[0, 0] == 1.25


def test_float32_frames_stay_float32() -> None:
    assert table(pd.DataFrame(np.eye(3, dtype=np.float32))).values.dtype == np.float32


def test_columns_without_a_value_are_numbers_of_any_type() -> None:
    data = table(pl.DataFrame({"a": [1, 2], "nothing": [None, None], "text": pl.Series([None, None], dtype=pl.String)}))
    assert np.isnan(data.values[:, 1:]).all() and data.dtypes[1:] == ("Float64", "Float64")


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_what_is_neither_number_nor_text_is_named_with_an_example(kind: Any) -> None:
    source = kind({"n": [1, 2], "city": [None, "Rome"], "wait": [b"3", b"4"]})
    with pytest.raises(DataError, match=r"'wait' \(such as .*3.*drop them"):
        read(source)
    assert table(source, columns=["n"]).names == ("n",)
    with pytest.raises(DataError, match="none of the columns that are needed is there: 'x', 'y'"):
        read(source, columns=["x", "y"])


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_text_is_read_as_levels_in_order(kind: Any) -> None:
    data = table(kind({"n": [1, 2, 3, 4], "city": ["Rome", None, "Bonn", "Rome"]}))
    assert data.levels == {1: ("Bonn", "Rome")}
    assert data.dtypes == ("Int64", "String")
    np.testing.assert_array_equal(data.values[:, 1], [1, np.nan, 0, 1])


def test_categories_keep_only_what_occurs() -> None:
    data = table(pd.DataFrame({"c": pd.Categorical(["b", "a", None], categories=["z", "b", "a"])}))
    assert data.levels == {0: ("a", "b")} and data.dtypes == ("Categorical",)
    np.testing.assert_array_equal(data.values[:, 0], [1, 0, np.nan])


def test_a_text_among_numbers_is_a_slip_and_is_named() -> None:
    with pytest.raises(DataError, match=r"columns of numbers that hold text, too: 'a' \(such as '4O'\)"):
        read(pd.DataFrame({"a": ["1", "2", "3", "4O"]}))
    with pytest.raises(DataError, match=r"kinds=\{'my a': 'categorical'\} \(--kinds 'my a=categorical'\)"):
        read(pd.DataFrame({"my a": ["1", "2", "3", "4O"]}))


def test_text_in_files_has_no_blanks_around_it(tmp_path: Path) -> None:
    data = table(written(tmp_path, "a,b\n1, x\n2, ?\n3, y \n"))
    assert data.levels == {1: ("x", "y")}
    np.testing.assert_array_equal(data.values[:, 1], [0, np.nan, 1])


def test_repeated_names_are_refused() -> None:
    with pytest.raises(DataError, match="more than one column is called 'a'"):
        read(pd.DataFrame(np.eye(2), columns=["a", "a"]))
    with pytest.raises(DataError, match="more than one column is called 'a'"):
        read(pa.table([[1], [2]], names=["a", "a"]))
    with pytest.raises(DataError, match="more than one column is called '1'"):
        read(pd.DataFrame(np.eye(2), columns=[1, "1"]))


@pytest.mark.parametrize("source", [pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}), pd.DataFrame({"a": [0.0]})[:0]])
def test_a_frame_without_rows_is_refused(source: Any) -> None:
    with pytest.raises(DataError, match="no row"):
        read(source)


def test_infinity_in_a_frame_names_the_column() -> None:
    with pytest.raises(DataError, match=r"infinite values: 1, the first in row 1 .*column 'b'"):
        read(pd.DataFrame({"a": [1, 2], "b": [1.0, np.inf]}))


# -- text files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,\n",
        "\ufeffa,b\r\n1,2\r\n3,?\r\n",
        "a, b\n1, 2\n3, ?\n",
        "a;b\n1;2\n3;NA\n",
        "a\tb\n1\t2\n3\tNULL\n",
        '"a","b"\n"1","2"\n"3","nan"\n',
        "# made today\na,b\n1,2\n3,  ?\n",
        "a,b\n1,2 \n3,\n",
    ],
    ids=["plain", "BOM and CRLF", "blanks", "semicolons", "tabs", "quotes", "comment", "more blanks"],
)
def test_dialects(tmp_path: Path, content: str) -> None:
    data = table(written(tmp_path, content))
    np.testing.assert_array_equal(data.values, [[1, 2], [3, NAN]])
    assert (data.names, data.container, data.named) == (("a", "b"), "pyarrow", True)


def test_without_a_header(tmp_path: Path) -> None:
    data = table(written(tmp_path, "?, 2\n3, 4\n" + "5, 6\n" * 3))
    assert data.names == ("column0", "column1") and data.dtypes == ("Int64", "Int64")
    np.testing.assert_array_equal(data.values[:2], [[NAN, 2], [3, 4]])
    wide = table(written(tmp_path, ",".join("123456789012") + "\n"))
    assert wide.names[9:] == ("column9", "column10", "column11")


@pytest.mark.parametrize("marker", ["", "?", "NA", "N/A", "nan", "NaN", "NULL", "null", " ?", " NA", " "])
def test_markers_of_missing_values(tmp_path: Path, marker: str) -> None:
    data = table(written(tmp_path, f"a,b\n1,{marker}\n2,7\n3,{marker}\n"))
    np.testing.assert_array_equal(data.values, [[1, NAN], [2, 7], [3, NAN]])


def test_names_are_those_of_the_file(tmp_path: Path) -> None:
    assert table(written(tmp_path, "a,A,NA,,Cat 2 \n1,2,3,4,5\n")).names == ("a", "A", "NA", "column3", "Cat 2")


@pytest.mark.parametrize("header", ["a,b,a", "a,a ,b", "a,a_1,a"])
def test_repeated_names_in_a_header(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataError, match=r"data\.csv: more than one column is called 'a'"):
        read(written(tmp_path, f"{header}\n1,2,3\n4,5,6\n"))


def test_what_comes_late_in_a_long_file_counts(tmp_path: Path) -> None:
    start = "a,b\n" + "1,2\n" * 30_000
    late = table(written(tmp_path, start + "1,2.5\n"))
    assert late.values[-1, 1] == 2.5 and late.dtypes == ("Int64", "Float64")
    assert np.isnan(table(written(tmp_path, start + "1,  ? \n")).values[-1, 1])
    with pytest.raises(DataError, match=r"'b' \(such as 'x'\)"):
        read(written(tmp_path, start + "1,x\n"))
    short = table(written(tmp_path, start + "1\n"))
    assert len(short) == 30_001 and np.isnan(short.values[-1, 1]) and "1 line (30002) with fewer values" in short.notes[0]


def test_kinds_of_numbers(tmp_path: Path) -> None:
    data = table(written(tmp_path, "i,f,b,e,s\n-1,.5,true,1e30,+2\n2,5.0,,12345678901234567890,3\n"))
    assert data.dtypes == ("Int64", "Float64", "Boolean", "Float64", "Float64")
    np.testing.assert_array_equal(data.values, [[-1, 0.5, 1, 1e30, 2], [2, 5, NAN, 12345678901234567890, 3]])


@pytest.mark.parametrize(
    "name", ["data.csv.gz", "data.tsv", "data.tsv.gz", "DATA.CSV", "seed=1/data.csv", "data [1].csv", "it's.csv"]
)
def test_names_of_text_files(tmp_path: Path, name: str) -> None:
    content = b"a\tb\n1\t2\n3\t4\n" if "tsv" in name else b"a,b\n1,2\n3,4\n"
    data = table(written(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name))
    assert data.names == ("a", "b") and data.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("a,b\n", "it holds no row"),
        ("a,b\n1,5\n2,6\n3,x\n", r"'b' \(such as 'x'\)"),
        ("a,b\n?,?\n1,inf\n2,3\n", "infinite values: 1, the first in row 1 .*'b'"),
        ("a,b\n1,2\0\n", "it holds zero bytes, so it is not a text file"),
        ('a,b\n1,"x\n2,"y"\n3,z\n', "a quotation mark in line 2 is not closed"),
    ],
)
def test_bad_text_files(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=rf"data\.csv.*{words}") as caught:
        read(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_what_its_name_says(tmp_path: Path) -> None:
    for name in ("data.csv.gz", "data.parquet", "data.npy", "data.npz"):
        with pytest.raises(DataError, match=name):
            read(written(tmp_path, b"a,b\n1,2\n", name))


# -- other files ----------------------------------------------------------------------------------------------------


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "seed=1"
    path.mkdir()
    pl.DataFrame({"a": [1, None], "A": [0.5, 1.5]}).write_parquet(path / "data.parquet")
    data = table(path / "data.parquet")
    assert data.names == ("a", "A") and data.dtypes == ("Int64", "Float64") and data.container == "pyarrow"


def test_npy_and_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(3))
    assert table(str(tmp_path / "a.npy")).container == "numpy"
    np.savez(tmp_path / "b.npz", y=np.zeros(3), X=np.eye(3), data=np.ones((2, 2)))
    assert len(table(tmp_path / "b.npz")) == 3
    assert len(table(f"{tmp_path}/b.npz:data")) == 2
    np.savez(tmp_path / "c.npz", only=np.zeros((4, 5, 5), np.uint8))
    assert images(tmp_path / "c.npz").pixels.shape == (4, 1, 5, 5)
    np.savez(tmp_path / "d.npz", one=np.eye(2), two=np.eye(2))
    with pytest.raises(DataError, match=r"'one', 'two'.*d\.npz:one"):
        read(tmp_path / "d.npz")
    with pytest.raises(DataError, match=r"b\.npz.*'y', 'X', 'data'"):
        read(f"{tmp_path}/b.npz:z")


class Unpickled:
    """Would leave a trace if it were ever unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("unpickled"),)


def test_pickles_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    objects = np.array([[Unpickled()]], dtype=object)
    np.savez("a.npz", x=objects)
    np.save("a.npy", objects)
    Path("b.npy").write_bytes(pickle.dumps(Unpickled()))
    for name in ("a.npz", "a.npy", "b.npy"):
        with pytest.raises(DataError, match=rf"{name}.*pickled objects are never loaded"):
            read(name)
    assert not Path("unpickled").exists()


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    written(tmp_path, "a\n1\n", "adult.csv")
    with pytest.raises(DataError, match=r"there is no file .*adlt\.csv'; did you mean 'adult\.csv'\?"):
        read(tmp_path / "adlt.csv")
    with pytest.raises(DataError, match="there is no file"):
        read("values from a survey.csv")
    with pytest.raises(DataError, match="nor a folder"):
        read(tmp_path / "nowhere" / "adult.csv")
    with pytest.raises(DataError, match=r"data\.docx: unknown type of file; known are \.csv"):
        read(written(tmp_path, "x", "data.docx"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture directly in this folder"):
        read(tmp_path / "empty")


def test_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "a,b\n1,x\n2,y\n")
    data = table(f"select a, 1.5 as c from '{path}' order by a desc")
    assert data.names == ("a", "c") and data.values.tolist() == [[2, 1.5], [1, 1.5]] and data.dtypes == ("Int64", "Float64")
    assert table("WITH t AS (SELECT 1 AS a) FROM t").values.tolist() == [[1]]
    monkeypatch.chdir(tmp_path)
    assert table(written(tmp_path, "a\n1\n", "select from.csv").rpartition("/")[2]).values.tolist() == [[1]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select * from nope", "the SQL query can't be read: .*nope"),
        ("select 1 as a, 2 as a", "more than one column is called 'a'"),
        ("select 1 as a; select 2 as a", "it must be one statement"),
        ("select interval 3 days as a", r"'a' \(such as "),
        ("select 1 as a limit 0", "it holds no row"),
        ("from query", "query"),
    ],
)
def test_bad_sql(query: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(query)


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for row, value in enumerate((10, 20, 30)):
        Image.new("L", (6, 4), value).save(tmp_path / f"{row}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    grey = images(tmp_path)
    assert grey.pixels.shape == (3, 1, 4, 6) and grey.pixels[:, 0, 0, 0].tolist() == [10, 20, 30] and grey.layout == "NHW"
    Image.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "3.png")
    colour = images(str(tmp_path))
    assert colour.pixels.shape == (4, 3, 4, 6) and colour.pixels[3, :, 0, 0].tolist() == [1, 2, 3]
    Image.new("L", (6, 5)).save(tmp_path / "4.png")
    with pytest.raises(DataError, match=r"'4\.png' is 6 x 5 pixels"):
        read(tmp_path)
    (tmp_path / "4.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"'4\.png' can't be read"):
        read(tmp_path)


def test_deep_grey_pictures_keep_their_depth(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "a.png")
    assert images(tmp_path).pixels.max() == 40_000


# -- real data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("beijing_pm25", {"cbwd": 4}),
        ("dry_bean", {"Class": 7}),
        ("german_credit", {"column0": 4, "column3": 10, "column19": 2}),
        ("adult_train", {"column1": 8, "column13": 41, "column14": 2}),
    ],
)
def test_real_tables_with_text(name: str, texts: dict[str, int]) -> None:
    data = table(shared(f"tables/{name}.csv.gz"))
    levels = {data.names[column]: len(found) for column, found in data.levels.items()}
    assert texts.items() <= levels.items()


def test_real_numeric_tables() -> None:
    letter, heart = table(shared("tables/letter.csv.gz")), table(shared("tables/heart.csv.gz"))
    assert letter.values.shape == (20000, 16) and letter.names[:2] == ("Cat 1", "Cat 2")
    assert heart.values.shape == (303, 14) and heart.names[0] == "age" and "Float64" in heart.dtypes
    air = table(shared("tables/beijing_pm25.csv.gz"), columns=["pm2.5", "TEMP", "PRES"])
    assert len(air) == 43824 and np.isnan(air.values[:, 0]).sum() == 2067


def test_real_pictures() -> None:
    assert images(shared("freyfaces.npz")).pixels.shape == (1965, 1, 28, 20)


# -- the room as a whole --------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.integers(-999, 999)), min_size=3, max_size=3), min_size=1, max_size=6))
def test_a_file_reads_as_the_frame_that_wrote_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int | None]]
) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b", "c"], dtype="Int64")
    frame.loc[len(frame)] = [1, 2, 3]
    path = tmp_path_factory.getbasetemp() / "frame.csv"
    frame.to_csv(path, index=False)
    np.testing.assert_array_equal(table(path).values, table(frame).values)


def test_importing_the_room_is_light() -> None:
    heavy = "[m for m in ('duckdb', 'pyarrow', 'pandas', 'polars', 'narwhals', 'PIL', 'sklearn') if m in sys.modules]"
    code = f"import sys, latente.data; print({heavy})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment).stdout.strip() == "[]"


def test_the_demo_data_can_be_fitted() -> None:
    from sklearn.datasets import load_diabetes, load_digits

    assert len(fit_codec(read(load_diabetes(as_frame=True).data)).fields) == 10
    assert fit_codec(read(load_digits().images)).fields[0].resolution == 1 / 16
