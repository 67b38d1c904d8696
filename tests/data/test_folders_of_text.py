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


def test_a_single_file_has_no_further_column_and_pictures_come_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,5\n")
    assert lt.read(tmp_path).names == ("x", "y")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(lt.DataError, match="a.png"):
        lt.read(tmp_path)
