"""Series on the command line: from a file to codes, scores, filled gaps and continuations."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def series_csv(folder):
    t = np.arange(400)
    values = np.sin(2 * np.pi * t / 24) + 0.1 * np.random.default_rng(0).normal(size=400)
    data = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=400, freq="h"), "value": values.round(3)})
    data.loc[100:104, "value"] = np.nan
    data.to_csv(folder / "series.csv", index=False)
    return folder / "series.csv"


@pytest.fixture(scope="module")
def series_run(latente, folder, series_csv):
    ended = latente("fit", series_csv, "--time", "auto", "--max-epochs", "2", "-o", folder / "series-run")
    assert ended.code == 0, ended.err
    assert "the time is the column 'when', with a step of 1:00:00; 1 series with 400 steps" in ended.err
    return folder / "series-run"


def test_a_run_of_series_is_whole(series_run):
    names = {path.name for path in series_run.rglob("*")}
    assert {"model.safetensors", "report.html", "certificate.json", "reconstructions.png", "samples.png"} <= names
    page = (series_run / "report.html").read_text()
    assert "less usual than 95% of validation windows" in page
    assert "nearest neighbours" in page


def test_tasks_of_series(latente, series_run, series_csv, tmp_path):
    sizes = {
        ("anomalies", series_run, series_csv): 400,
        ("reconstruct", series_run, series_csv): 400,
        ("impute", series_run, series_csv): 400,
        ("sample", series_run, "-n", 3): 3 * 24,
        ("sample", series_run, "-n", 2, "--after", series_csv, "--steps", 7): 14,
        ("sample", series_run, "--after", series_csv, "--steps", 7): 7,
    }
    for command, rows in sizes.items():
        out = tmp_path / f"{command[0]}{len(command)}.csv"
        ended = latente(*command, "-o", out)
        assert ended.code == 0, ended.err
        found = pd.read_csv(out, parse_dates=["when"])
        assert len(found) == rows
        assert found["when"].notna().all()
    filled = pd.read_csv(tmp_path / "impute3.csv")
    assert filled["value"].notna().all()
    given = pd.read_csv(series_csv)
    seen = given["value"].notna()
    assert (filled["value"][seen] == given["value"][seen]).all()


def test_wrong_use_is_answered(latente, series_csv, tmp_path):
    run = tmp_path / "run"
    assert "no column 'hour'" in latente("fit", series_csv, "--time", "hour", "-o", run).sentence
    assert "window is for series" in latente("fit", series_csv, "--window", "5", "-o", run).sentence
    assert not run.exists()
