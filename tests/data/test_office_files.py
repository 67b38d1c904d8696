"""Text files of offices and loggers: what stands around a table, and how people write amounts, codes and flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from latente.data.text import TextTable, read_text
from latente.errors import DataError


def found(folder: Path, *rows: str) -> TextTable:
    path = folder / "data.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return read_text(path)


def column(folder: Path, *texts: str) -> list[Any]:
    """The values of a column beside another."""
    return found(folder, "value\tother", *(f"{text}\tx" for text in texts)).table.column("value").to_pylist()


# -- around the table -------------------------------------------------------------------------------------------------


def test_remarks_under_a_table_and_a_total_are_left_out_with_a_word(tmp_path: Path) -> None:
    rows = ["shop;sold;due", "A;1;1,5", "B;2;2,5", "C;3;3,5"]
    for end in (["", "Source: office"], [";;", "Source: office;;"], [";;", "Total;6;7,5", ";;", "Source: office;;", "Draft;;"]):
        data = found(tmp_path, *rows, *end)
        assert data.table.column("sold").to_pylist() == [1, 2, 3], end
        assert data.warnings[0].startswith("lines below the table are ignored: 'Source: office'")
    assert found(tmp_path, *rows, "D;;").table.num_rows == 4  # no line is blank: it is a row without values


def test_settings_above_a_table_are_titles(tmp_path: Path) -> None:
    data = found(
        tmp_path, "Serial,123", "Firmware,1.2.3", "", "day,time,temp", *["2024-01-02,10:00,1.5", "2024-01-03,11:00,2.5"] * 3
    )
    assert data.table.column_names == ["day", "time", "temp"] and data.table.num_rows == 6
    assert data.notes[0] == "lines above the table are ignored: 'Serial,123'"
    assert found(tmp_path, "a,b", "1,2,", "3,4,").table.column_names == ["a", "b"]
    assert found(tmp_path, "n,a", "0,1.5", *["1,2.5,3.5"] * 6).table.column_names == ["n", "a", "column2"]


def test_names_of_rows_need_no_name(tmp_path: Path) -> None:
    data = found(tmp_path, "x,y", "first,1,2.5", "second,2,3.5")
    assert data.table.column_names == ["column0", "x", "y"] and data.table.column("y").to_pylist() == [2.5, 3.5]
    assert "the first column has no name" in data.notes[0]


@pytest.mark.parametrize("header", ["2023,2022,2021", "2024-01-01,2024-01-02,2024-01-03", "01/02/2024,02/02/2024,03/02/2024"])
def test_years_and_days_over_numbers_are_names(tmp_path: Path, header: str) -> None:
    data = found(tmp_path, header, "101,250,387", "407,501,112", "250,333,421")
    assert data.table.column_names == header.split(",") and data.table.num_rows == 3


def test_a_value_may_be_longer_than_a_page(tmp_path: Path) -> None:
    data = found(tmp_path, "a,b", "1,x", f"2,{'z' * 200_000}", "3,y", "", "4,y")
    assert data.table.column("a").to_pylist() == [1, 2, 3, 4]


def test_the_line_of_a_quotation_mark_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a quotation mark in line 4 is not closed"):
        found(tmp_path, "text,n", "a,1", "b,2", '"c,3', "d,4", "e,5")


# -- amounts and codes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["$5,185.00", "($2,670.00)", "$ -"], [5185.0, -2670.0, 0.0]),
        (["$ 5,080.00", "$ (1,475.00)", "$ -"], [5080.0, -1475.0, 0.0]),
        (["1.100,00 €", "-   €", "-2,50 €"], [1100.0, 0.0, -2.5]),
        (["CHF 6'814.-", "CHF 9'029.50", "CHF -3.-"], [6814.0, 9029.5, -3.0]),
        (["638,32 zł", "12,00 zł"], [638.32, 12.0]),
        (["0,261", "5,606", "8,482"], [0.261, 5.606, 8.482]),
        (["0.261", "5.606", "8.482"], [0.261, 5.606, 8.482]),
        (["6,2e-08", "3,1e-07"], [6.2e-08, 3.1e-07]),
    ],
)
def test_amounts(tmp_path: Path, texts: list[str], values: list[float]) -> None:
    assert column(tmp_path, *texts) == values


def test_in_a_file_with_semicolons_commas_are_decimal(tmp_path: Path) -> None:
    data = found(tmp_path, "flow;people", "5,606;1.250", "8,482;3.400", "1,261;2.125")
    assert data.table.column("flow").to_pylist() == [5.606, 8.482, 1.261]
    assert data.table.column("people").to_pylist() == [1250, 3400, 2125]


def test_powers_of_ten_are_not_rounded_away(tmp_path: Path) -> None:
    data = found(tmp_path, "a;b", *["6,229e-08;1", "7,952e-08;2"])
    assert data.notations["a"].write(pa.array([6.229e-08])) == ["6,229e-08"]


@pytest.mark.parametrize(
    "texts",
    [
        ["600 123 456", "611 222 333", "955 100 200"],
        ["+34 600 123 456", "+34 611 222 333", "+34 955 100 200"],
        ["192.168.100.101", "192.168.100.102", "192.168.101.103"],
        ["837.461.6874", "455.864.1849", "756.304.5085"],
        ["1.2.3", "1.10.0", "2.0.1"],
    ],
)
def test_telephones_addresses_and_versions_are_texts(tmp_path: Path, texts: list[str]) -> None:
    assert column(tmp_path, *texts) == texts


@pytest.mark.parametrize("texts", [["45:10:00", "99:05:30", "24:00:01"], ["3-gen-23", "4-ago-23", "5-dic-23"]])
def test_what_is_no_date_for_a_reason_is_text(tmp_path: Path, texts: list[str]) -> None:
    assert column(tmp_path, *texts) == texts


@pytest.mark.parametrize("mark", ["#¡DIV/0!", "#¿NOMBRE?", "#N/D", "#NV", "#BEZUG!", "#VALEUR!", "####", "sin dato", "<null>"])
def test_errors_of_spreadsheets_in_any_language_are_missing(tmp_path: Path, mark: str) -> None:
    assert column(tmp_path, "1.5", mark, "2.5") == [1.5, None, 2.5]


def test_spellings_of_yes_and_of_a_flag(tmp_path: Path) -> None:
    assert set(column(tmp_path, "Sí", "si", "SI", "No", "Sí")) == {"Sí", "No"}
    assert column(tmp_path, "X", "", "x", "X") == ["X", None, "X", "X"]
    assert set(column(tmp_path, "A", "a", "A", "A")) == {"A", "a"}  # nothing is empty: they may be two things
