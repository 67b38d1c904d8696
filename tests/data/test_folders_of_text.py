"""A folder of text files: one table, or a series in each file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latente as lt


def test_each_file_of_a_folder_may_be_a_series(tmp_path: Path) -> None:
    t = np.arange(60)
    for name, shift in (("north", 0), ("south", 2)):
        rows = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=60, freq="h"), "x": np.sin(t / 3 + shift)})
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    table = lt.read(tmp_path)
    assert table.names == ("file", "when", "x") and len(table) == 120
    assert table.levels[0] == ("north", "south")
    vae = lt.VAE(time="when", entity="file", window=12, max_epochs=1, random_state=0).fit(tmp_path)
    assert vae.notes_[0].values["count"] == 2  # type: ignore[attr-defined]
    found = vae.reconstruct(tmp_path)
    assert set(found["file"].to_pylist()) == {"north", "south"}


def test_series_are_told_apart_by_all_of_a_name_but_its_ending(tmp_path: Path) -> None:
    for name in ("plant.north.csv", "plant.south.csv", "plant.west.TSV"):
        (tmp_path / name).write_text("x\n1\n2\n")
    assert lt.read(tmp_path).levels[0] == ("plant.north", "plant.south", "plant.west")


@pytest.mark.parametrize(("path", "words"), [("", "the path of the data is empty"), ("x" * 300, "there is no file 'xxx")])
def test_a_path_that_can_be_none_is_refused(path: str, words: str) -> None:
    with pytest.raises(lt.DataError, match=words):
        lt.VAE().fit(path)


def test_columns_that_differ_between_files_are_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zip,x\n70123,1.5\n70124,2.5\n")
    (tmp_path / "b.csv").write_text("zip,x\nK1A 0B1,1\nK1A 0B2,2\n")
    with pytest.raises(
        lt.DataError, match=r"column 'zip' has other values in 'b.csv' \(.*string\) than in 'a.csv' .*in all files"
    ):
        lt.read(tmp_path)
    (tmp_path / "a.csv").unlink()
    (tmp_path / "b.csv").unlink()
    with pytest.raises(lt.DataError, match="no picture directly in this folder .*, and no table"):
        lt.read(tmp_path)


def test_a_single_file_has_no_further_column_and_pictures_come_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,5\n")
    assert lt.read(tmp_path).names == ("x", "y")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(lt.DataError, match="a.png"):
        lt.read(tmp_path)
