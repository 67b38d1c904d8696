"""Text files as people have them: nothing is lost in silence, and what is read is written back as it stood."""

from __future__ import annotations

import datetime
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import latente as lt
from benchmarks.reading import compare, drawable
from latente.cli.output import Destination, as_table
from latente.data import Table, read, suspicious
from latente.data.text import Notation, read_text
from latente.errors import DataError, LatenteWarning

N = 60
R = np.random.default_rng(7)


def written(folder: Path, content: str | bytes, name: str = "data.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def lines(header: str, *rows: str, times: int = 1) -> str:
    return "\n".join([header, *rows * times]) + "\n"


def table(path: Any, **asked: Any) -> Table:
    data = read(path, **asked)
    assert isinstance(data, Table)
    return data


def column(data: Table, name: str) -> list[Any]:
    assert data.text is not None
    return data.text.table.column(name).to_pylist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_every_value_of_a_drawn_file_is_read_where_it_stands(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    drawn = drawable(seed)
    assert compare(drawn, tmp_path_factory.getbasetemp()) == "", drawn.about


# -- rows -------------------------------------------------------------------------------------------------------------


def test_a_line_that_begins_with_a_hash_is_a_row(tmp_path: Path) -> None:
    data = table(written(tmp_path, lines("a,b", "1.5,2", "#N/A,3", "#DIV/0!,4", "2.5,5")))
    assert column(data, "a") == [1.5, None, None, 2.5] and column(data, "b") == [2, 3, 4, 5]
    assert data.notes == ("read as missing values: '#DIV/0!' (1), '#N/A' (1)",)
    texts = table(written(tmp_path, lines("tag,b", "#1,2", "#2,3", "#1,4")))
    assert column(texts, "tag") == ["#1", "#2", "#1"]


def test_lines_that_gain_a_value_make_a_column(tmp_path: Path) -> None:
    path = written(tmp_path, lines("flow,pressure", *["3.9,1.6"] * 80, *["5.3,1.7,20.1"] * 120))
    with pytest.warns(
        LatenteWarning, match=r"lines have 3 values instead of 2, first line 82: the additional ones are 'column2'"
    ):
        data = table(path)
    assert len(data) == 200 and data.names == ("flow", "pressure", "column2")
    assert column(data, "column2") == [None] * 80 + [20.1] * 120


def test_a_line_with_a_value_too_many_or_too_few_is_named(tmp_path: Path) -> None:
    rows = [f"{k},{k / 2}" for k in range(200)]
    with pytest.warns(
        LatenteWarning, match=r"1 line \(202\) with more values than there are columns: these values are ignored: 'oops'"
    ):
        data = table(written(tmp_path, lines("a,b", *rows, "7,8,oops")))
    assert len(data) == 201 and column(data, "a")[-1] == 7
    short = table(written(tmp_path, lines("a,b", *rows[:100], "7", *rows[100:])))
    assert len(short) == 201 and column(short, "b")[100] is None
    assert short.notes == ("1 line (102) with fewer values than there are columns: the other values are missing",)
    comma = table(written(tmp_path, lines("a,b", "1,2,", "3,4,")))
    assert len(comma) == 2 and comma.names == ("a", "b") and comma.notes == ()


def test_line_ends_may_differ_and_blank_lines_are_told_of(tmp_path: Path) -> None:
    data = table(written(tmp_path, "a,b\r\n1,2\n3,4\r5,6\r\n\r\n7,8\n\n"))
    assert column(data, "a") == [1, 3, 5, 7] and "1 line (5) blank and skipped" in data.notes
    alone = table(written(tmp_path, "a\n1\n\n3\n"))
    assert column(alone, "a") == [1, None, 3]


def test_a_quotation_mark_that_stands_alone(tmp_path: Path) -> None:
    data = table(written(tmp_path, lines("size,n", '5" pipe,1', '6" pipe,2')))
    assert column(data, "size") == ['5" pipe', '6" pipe']
    several = table(written(tmp_path, lines("text,n", '"two\nlines",1', "one,2")))
    assert column(several, "text") == ["two\nlines", "one"]
    with pytest.raises(DataError, match="a quotation mark in line 2 is not closed"):
        table(written(tmp_path, lines("text,n", '"a,1', "b,2", "c,3")))


def test_what_spreadsheets_add_is_left_out_with_a_word(tmp_path: Path) -> None:
    content = "Sales 2023;;;\n;;;\nshop;north;south;\nA;10;1,5;\nB;20;2,5;\nC;30;3,5;\nTotal;60;7,5;\n;;;\n"
    with pytest.warns(LatenteWarning, match=r"the last row is a total \('Total'\) and is ignored"):
        data = table(written(tmp_path, content))
    assert data.names == ("shop", "north", "south") and column(data, "south") == [1.5, 2.5, 3.5]
    assert any("lines above the table are ignored: 'Sales 2023" in note for note in data.notes)
    assert any("1 column without a name and without a value is ignored" in note for note in data.notes)
    kept = table(written(tmp_path, lines("shop,north", "A,10", "B,20", "Total,99")))
    assert len(kept) == 3  # it is no sum


def test_the_separator_may_be_declared(tmp_path: Path) -> None:
    assert column(table(written(tmp_path, "sep=;\na;b\n1,5;2\n2,5;3\n")), "a") == [1.5, 2.5]


def test_columns_may_be_parted_by_blanks(tmp_path: Path) -> None:
    data = table(written(tmp_path, "  a   b\n 1.0  2\n 3.0 -4\n", "data.txt"))
    assert data.names == ("a", "b") and data.values.tolist() == [[1, 2], [3, -4]]


# -- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "rows", "names"),
    [
        ("2019,2020,2021", ["0.5,1.5,2.5", "1.0,0.2,0.1"], ("2019", "2020", "2021")),
        ("country,2019,2020", ["Peru,1.5,2.5", "Cuba,0.5,0.7"], ("country", "2019", "2020")),
        ("0,1,2,3", ["0.5,1.5,2.5,1.0", "1.0,0.2,0.1,3.0"], ("0", "1", "2", "3")),
        ("1,2,3", ["4,5,6", "2,3,4"], ("column0", "column1", "column2")),
        ("8,1,5", ["0.5,1.5,2.5", "1.0,0.2,0.1"], ("column0", "column1", "column2")),
        ("x,y", ["a,b", "b,a", "a,a"], ("x", "y")),
        ("a,b", ["b,a", "a,b", "a,a"], ("column0", "column1")),
    ],
)
def test_names_are_told_from_values(tmp_path: Path, header: str, rows: list[str], names: tuple[str, ...]) -> None:
    assert table(written(tmp_path, lines(header, *rows, times=3))).names == names


def test_what_is_found_can_be_overridden(tmp_path: Path) -> None:
    path = written(tmp_path, lines("2019,2020", *["0.5,1.5", "1.0,0.2"] * 3))
    assert any("--no-header" in note for note in table(path).notes)
    assert len(table(path, header=False)) == 7
    assert column(table(written(tmp_path, lines("a;b", "1.234;2", "5.678;3")), decimal=","), "a") == [1234, 5678]
    assert column(table(written(tmp_path, lines("# x,y", "a,b", "1,2")), skip_rows=1), "b") == [2]
    assert column(table(written(tmp_path, "a|b\n1,5|2\n"), delimiter="|", decimal=","), "a") == [1.5]
    assert table(written(tmp_path, "größe\n1\n", encoding="cp1252"), encoding="cp1252").names == ("größe",)
    with pytest.raises(DataError, match="not text in the encoding 'ascii'"):
        table(written(tmp_path, "größe\n1\n"), encoding="ascii")
    with pytest.raises(DataError, match="read: .*'encodin'.*there are 'encoding', 'delimiter'"):
        table(path, encodin="x")


# -- notation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"])
def test_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    euro = "" if encoding == "latin-1" else " €"
    data = table(written(tmp_path, lines("población,n", f"Málaga{euro},1", f"Jaén{euro},2", times=3), encoding=encoding))
    assert data.names == ("población", "n") and column(data, "población")[0] == f"Málaga{euro}"
    assert bool(data.notes) == (encoding not in ("utf-8", "utf-8-sig"))


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1.234,56", "7,00"], [1234.56, 7.0]),
        (["1 234,5", "-2,25"], [1234.5, -2.25]),
        (["1\u202f234,5", "2,0"], [1234.5, 2.0]),
        (["1'234.5", "2.0"], [1234.5, 2.0]),
        (["$1,234.50", "$7.00"], [1234.5, 7.0]),
        (["1.234,50 €", "2,00 €"], [1234.5, 2.0]),
        (["US$5", "US$1,000"], [5, 1000]),
        (["45.1%", "5.0%"], [45.1, 5.0]),
        (["(221.98)", "3.00"], [-221.98, 3.0]),
        (["221.98-", "3.00"], [-221.98, 3.0]),
        (["−3", "4"], [-3, 4]),
        (["-$3.50", "$4.00"], [-3.5, 4.0]),
        (["1,23,456", "7,890"], [123456, 7890]),
    ],
)
def test_numbers_are_read_as_they_are_written(tmp_path: Path, texts: list[str], values: list[float]) -> None:
    data = table(written(tmp_path, lines("x\ty", *[f"{text}\ta" for text in texts], times=4), "data.tsv"))
    assert column(data, "x")[:2] == values
    assert data.text is not None
    assert (
        data.text.notations["x"].write(pa.array(values)) == [text.replace("−", "-") for text in texts] or "23,456" in texts[0]
    )


def test_what_one_column_does_not_tell_the_others_do(tmp_path: Path) -> None:
    assert column(table(written(tmp_path, lines("a;b", "1.234;5,6", "7.890;7,8"))), "a") == [1234, 7890]
    assert column(table(written(tmp_path, lines("a;b", "1.234;5.6", "7.890;7.8"))), "a") == [1.234, 7.89]
    assert column(table(written(tmp_path, lines("a,b", '"5,500",5.6', '"7,000",7.8'))), "a") == [5500, 7000]


@pytest.mark.parametrize(
    ("texts", "first", "note"),
    [
        (["09/11/2021", "28/08/2023"], datetime.date(2021, 11, 9), ""),
        (["11/09/2021", "08/28/2023"], datetime.date(2021, 11, 9), "month/day/year"),
        (["9-Nov-21", "28-Aug-23"], datetime.date(2021, 11, 9), ""),
        (["20211109", "20230828", "20220101"], datetime.date(2021, 11, 9), ""),
        (["01/02/2021", "03/04/2022"], datetime.date(2021, 2, 1), "no date excludes month/day/year"),
        (["2021-11-09", "28/08/2023"], datetime.date(2021, 11, 9), "2 notations"),
        (["9 November 2021", "28 August 2023"], datetime.date(2021, 11, 9), ""),
        (["2021-11-09T10:30:00Z", "2023-08-28T11:00:00Z"], datetime.datetime(2021, 11, 9, 10, 30), ""),
        (["11/9/2021 10:30 AM", "8/28/2023 1:00 PM"], datetime.datetime(2021, 11, 9, 10, 30), "month/day/year"),
    ],
)
def test_dates_are_read_by_the_whole_column(tmp_path: Path, texts: list[str], first: Any, note: str) -> None:
    data = table(written(tmp_path, lines("when;x", *[f"{text};a" for text in texts], times=3)))
    found = column(data, "when")[0]
    assert (found.replace(tzinfo=None) if isinstance(found, datetime.datetime) else found) == first
    assert (note in " ".join(data.notes)) if note else not data.notes
    if "notations" not in note:
        assert data.text is not None
        assert data.text.notations["when"].write(data.text.table.column("when").combine_chunks())[: len(texts)] == texts


def test_dates_of_both_orders_are_refused_with_the_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'02/13/2021' in row 1 \(counted from 0\) has day and month in another order"):
        table(written(tmp_path, lines("d,x", "13/02/2021,1", "02/13/2021,2", "14/02/2021,3")))


def test_a_later_file_is_read_in_the_notation_of_the_fit(tmp_path: Path) -> None:
    rows = [f"{k % 12 + 1:02d}/{k % 28 + 1:02d}/2021,{k},{'Yes' if k % 3 else 'no'}" for k in range(N)]
    vae = lt.VAE(max_epochs=1, random_state=0).fit(written(tmp_path, lines("d,x,y", *rows, "05/06/2021,1,YES")))
    later = vae.fitted_.read(written(tmp_path, lines("d,x,y", "02/03/2021,4,YES"), "later.csv"))
    assert isinstance(later, Table) and column(later, "d") == [datetime.date(2021, 2, 3)] and column(later, "y") == ["Yes"]
    assert vae.transform(later).shape[0] == 1
    vae.save(tmp_path / "m.safetensors")
    again = lt.load(tmp_path / "m.safetensors")
    assert (again.codec_.notations, again.codec_.file_layout) == (vae.codec_.notations, vae.codec_.file_layout)


@pytest.mark.parametrize(
    ("texts", "levels"),
    [
        (["yes", "No", "YES", "No", "yes", "no"], {"yes", "No"}),
        (["TRUE", "False", "true", "TRUE", "False"], {True, False}),
        (["m", "M", "f", "m", "f"], {"m", "f"}),
        (["a", "A", "b", "c", "d"], {"a", "A", "b", "c", "d"}),
    ],
)
def test_two_words_in_any_case_are_binary(tmp_path: Path, texts: list[str], levels: set[Any]) -> None:
    data = table(written(tmp_path, lines("w,x", *[f"{text},{k}" for k, text in enumerate(texts)])))
    assert set(column(data, "w")) == levels


def test_marks_among_numbers_are_missing_and_counted(tmp_path: Path) -> None:
    marks = ["N/A", "-", "null", ".", "NaN", "none", "#N/A", "n.d.", "?", "", "--", "s/d"]
    data = table(
        written(tmp_path, lines("t,g", *[f"{m},{'-' if k else 'C'}" for k, m in enumerate(marks)], "1.5,B", "2.5,none"))
    )
    assert column(data, "t") == [None] * 12 + [1.5, 2.5] and column(data, "g")[-3:] == [None, "B", "none"]
    assert "'-' (12)" in data.notes[0] and "'n.d.' (1)" in data.notes[0]
    signs = table(written(tmp_path, lines("charge,x", "+,1", "-,2", "+,3")))
    assert column(signs, "charge") == ["+", "-", "+"]


# -- marks that are named, and such as ought to be ---------------------------------------------------------------------


def test_further_marks_are_missing_in_data_of_any_kind(tmp_path: Path) -> None:
    assert column(table(written(tmp_path, lines("t,g", "1,x", "absent,y", "-999,x")), missing=["absent"]), "t") == [
        1,
        None,
        -999,
    ]
    frame = pd.DataFrame(
        {"n": [1, -999, 3], "k": ["a", "-999", "b"], "d": pd.to_datetime(["1900-01-01", "2001-01-01", "2002-01-01"])}
    )
    data = table(frame, missing=[-999, "1900-01-01"])
    assert np.isnan(data.values).tolist() == [[False, False, True], [True, True, False], [False, False, False]]
    values = R.normal(size=(N, 3)) @ R.normal(size=(3, 3))
    values[::7, 1] = -999
    vae = lt.VAE(max_epochs=2, random_state=0, missing=[-999]).fit(values)
    assert vae.codec_.missing[1] == pytest.approx(9 / N) and vae.impute(values)[0, 1] != -999
    vae.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(lt.load(tmp_path / "m.safetensors").transform(values), vae.transform(values))
    with pytest.raises(lt.ModelError, match="missing is 'x'"):
        lt.VAE(missing="x").fit(values)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ([21.0, 19.5, -999.0, 20.0, -9999.0], ["-9999", "-999"]),
        ([1.0, 2.0, 3.0, 9999.0], ["9999"]),
        ([30.0, 99.0, 45.0, 61.0], []),
        ([1.0, 2.0, 99.0, 99.0, 3.0], ["99"]),
        ([500.0, 999.0, 700.0, 1500.0], []),
        ([-999.0, -999.0], []),
    ],
)
def test_values_that_look_like_marks_are_named(values: list[float], named: list[str]) -> None:
    found = suspicious(table(pa.table({"t": values})))
    assert bool(found) == bool(named) and all(f"--missing {mark}" in found[0] for mark in named)


def test_they_are_named_in_a_warning_and_not_changed() -> None:
    values = R.normal(20, 3, (N, 2))
    values[::9, 0] = -999
    with pytest.warns(LatenteWarning, match=r"column 'x0' holds -999 \(7 of 60 rows, 11\.7%\), far from its other values"):
        vae = lt.VAE(max_epochs=1, random_state=0).fit(values)
    assert any("-999" in note for note in vae.notes_) and not vae.codec_.missing.any()
    dates = pd.to_datetime(["1900-01-01"] * 3 + ["1991-04-05", "2001-03-04"] * 9).date
    assert "1900-01-01" in suspicious(table(pd.DataFrame({"born": dates})))[0]


# -- other files ------------------------------------------------------------------------------------------------------


def test_workbooks_feather_and_json(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [
        ["Report"],
        [],
        ["day", "n", "w"],
        [datetime.datetime(2021, 3, 1), 1.5, "a"],
        [datetime.datetime(2021, 3, 2), None, "b"],
    ]:
        sheet.append(row)
    book.create_sheet("more").append(["q"])
    book.save(tmp_path / "b.xlsx")
    data = table(tmp_path / "b.xlsx")
    assert data.names == ("day", "n", "w") and data.dtypes == ("Date", "Float64", "String") and np.isnan(data.values[1, 1])
    with pytest.raises(DataError, match="it has the sheets 'Sheet', 'more'"):
        table(f"{tmp_path}/b.xlsx:nope")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame.to_feather(tmp_path / "f.feather")
    frame.to_json(tmp_path / "f.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "f.json", orient="records")
    for name in ("f.feather", "f.jsonl", "f.json"):
        assert table(tmp_path / name).names == ("a", "b")
    with pytest.raises(DataError, match=r"broken\.json: it is no list of records"):
        table(written(tmp_path, "[1, 2]", "broken.json"))


# -- and back ---------------------------------------------------------------------------------------------------------

OFFICE = [
    f"C{k:03d};{k % 7 + 1}.{k * 7 % 1000:03d},{k % 90 + 10};{k % 28 + 1:02d}/{k % 12 + 1:02d}/2021;{('NO', 'Sí')[k % 3 > 0]}"
    for k in range(N)
]
LATIN = [f"{('uno', 'dós')[k % 2]}\t{k * 37 % 11}.50" for k in range(N)]
BARE = [f"{k % 40}, {('Private', 'State')[k % 2]}, {k * 7 % 13}.0" for k in range(N)]
FILES = {
    "office": ("\ufeff" + lines("id;saldo;alta;activo", *OFFICE).replace("\n", "\r\n"), "utf-8"),
    "latin-1": (lines("año\tx", *LATIN), "latin-1"),
    "no header": (lines("39, State, 7.0", *BARE), "utf-8"),
    "titles": ("Report\n\n" + lines("a,b,c", *[f"{k % 9},{k * 5 % 7},-0.{k % 3}0" for k in range(N)]), "utf-16"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_missing_values_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    text, encoding = FILES[name]
    path = written(tmp_path, text, "d.tsv" if "\t" in text else "d.csv", encoding)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LatenteWarning)
        vae = lt.VAE(max_epochs=1, random_state=0).fit(path)
        rows = vae.fitted_.read(path)
        out = tmp_path / f"out{path.suffix}"
        Destination.of(str(out)).write(as_table(vae.impute(rows), vae.codec_.feature_names), vae, rows)
        assert out.read_bytes() == path.read_bytes()
        Destination.of(str(out)).write(as_table(vae.sample(5), vae.codec_.feature_names), vae)
    new, old = read_text(out), read_text(path)
    assert new.table.schema.names == old.table.schema.names and len(new.table) == 5
    assert new.table.schema.types[1:] == old.table.schema.types[1:]


def test_numbers_are_rounded_to_what_a_file_shows() -> None:
    notation = Notation("number", decimal=",", thousands=".", suffix=" €", places=2)
    assert notation.write(pa.array([1234.5, None, -0.001])) == ["1.234,50 €", None, "0,00 €"]
    assert Notation("number", up_to=2).write(pa.array([1 / 3, 2.5])) == ["0.33", "2.5"]


# -- a law of all readers ---------------------------------------------------------------------------------------------


def _pictures(folder: Path, frame: pd.DataFrame) -> Path:
    from PIL import Image

    (folder / "pictures").mkdir()
    for row, value in enumerate(frame["a"]):
        Image.fromarray(np.full((4, 4), value % 256, np.uint8)).save(folder / "pictures" / f"{row:03}.png")
    return folder / "pictures"


def _text(suffix: str, **how: Any) -> Any:
    def write(folder: Path, frame: pd.DataFrame) -> Path:
        frame.to_csv(folder / f"t{suffix}", index=False, **how)
        return folder / f"t{suffix}"

    return write


def _saved(name: str) -> Any:
    def write(folder: Path, frame: pd.DataFrame) -> Path:
        path = folder / name
        {
            "t.parquet": lambda: frame.to_parquet(path),
            "t.feather": lambda: frame.to_feather(path),
            "t.jsonl": lambda: frame.to_json(path, orient="records", lines=True),
            "t.json": lambda: frame.to_json(path, orient="records"),
            "t.xlsx": lambda: frame.to_excel(path, index=False),
            "t.npy": lambda: np.save(path, frame[["a", "b"]].to_numpy()),
            "t.npz": lambda: np.savez(path, x=frame[["a", "b"]].to_numpy()),
        }[name]()
        return path

    return write


WRITTEN: dict[str, Any] = {
    **{suffix: _text(suffix) for suffix in (".csv", ".csv.gz", ".txt", ".txt.gz")},
    **{suffix: _text(suffix, sep="\t") for suffix in (".tsv", ".tsv.gz")},
    **{kind: _saved(f"t{kind}") for kind in (".parquet", ".feather", ".jsonl", ".json", ".xlsx", ".npy", ".npz")},
}


def test_each_kind_of_file_is_tried() -> None:
    from latente.data.files import KINDS

    assert set(WRITTEN) == set(KINDS) - {".ndjson", ".tar"}  # as .jsonl; shards of pictures are in test_album.py


@pytest.mark.parametrize("kind", [*WRITTEN, "pictures"])
def test_as_many_rows_come_out_as_are_there(tmp_path: Path, kind: str) -> None:
    numbers = [None if k % 5 == 0 else k / 4 for k in range(31)]
    frame = pd.DataFrame({"a": np.arange(31), "b": numbers, "c": ["#x", "", 'y"', "z,"] * 7 + ["#"] * 3})
    path = _pictures(tmp_path, frame) if kind == "pictures" else WRITTEN[kind](tmp_path, frame)
    data = read(path)
    assert len(data) == 31
    if isinstance(data, Table):
        np.testing.assert_array_equal(data.values[:, 0], frame["a"])
        assert np.isnan(data.values[:, 1]).sum() == 7
