"""The service with models of series: rows with their time in and out, an answer for each window, and continuations."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latente as lt
from latente.service.app import Service
from latente.service.models import served
from latente.service.schema import schema_of

pytestmark = pytest.mark.filterwarnings("ignore::latente.errors.LatenteWarning")


def waves(n: int = 120) -> pd.DataFrame:
    t = np.arange(n)
    return pd.DataFrame({"when": pd.date_range("2024-01-01", periods=n, freq="h"), "x": np.sin(t / 3), "y": np.cos(t / 3)})


@pytest.fixture(scope="module")
def vae() -> lt.VAE:
    how: dict[str, Any] = {"window": 12, "stride": 6, "max_epochs": 2, "random_state": 0}
    return lt.VAE(time="when", **how).fit(waves())


@pytest.fixture(scope="module")
def client(vae, running, tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    whole = lt.VAE(time="auto", max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(30, 8, 2)))
    paths = [vae.save(folder / "waves.safetensors"), whole.save(folder / "arrays.safetensors")]
    with running(Service(served(paths))) as client:
        yield client


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", date_format="iso"))
    return found


def test_answers_are_those_of_the_library(client, vae: lt.VAE) -> None:
    rows = waves(40)
    rows.loc[5:7, "x"] = None
    status, found, _ = client.post("/models/waves/impute", {"rows": records(rows)})
    assert status == 200, found
    assert [row["x"] for row in found["rows"]] == pytest.approx(vae.impute(rows)["x"].tolist(), abs=1e-5)
    assert found["rows"][3]["when"].startswith("2024-01-01T03:00")
    _, found, _ = client.post("/models/waves/anomalies", {"rows": records(rows)})
    assert len(found["rows"]) == 40 and {"event", "p_value", "x_low"} <= found["rows"][0].keys()


def test_a_window_has_its_rows_beside_its_code(client, vae: lt.VAE) -> None:
    rows = waves(40)
    _, found, _ = client.post("/models/waves/encode", {"rows": records(rows)})
    codes = np.array([list(row.values()) for row in found["rows"]])
    assert codes[:, :2].tolist() == vae.windows(rows).to_numpy().tolist()
    assert codes[:, 2:] == pytest.approx(vae.transform(rows), abs=1e-5)
    _, found, _ = client.post("/models/waves/score", {"rows": records(rows)})
    assert found["rows"][0].keys() == {"first", "last", "score"}


def test_series_go_on(client) -> None:
    status, found, _ = client.post("/models/waves/sample", {"after": records(waves(40)), "steps": 5, "seed": 1})
    assert status == 200, found
    assert [row["when"][:13] for row in found["rows"]] == [f"2024-01-02T{hour}" for hour in range(16, 21)]
    status, found, _ = client.post("/models/waves/sample", {"steps": 5})
    assert status == 422


def test_arrays_of_series_are_nested_lists(client) -> None:
    values = np.random.default_rng(1).normal(size=(2, 8, 2)).tolist()
    status, found, _ = client.post("/models/arrays/reconstruct", {"rows": values})
    assert status == 200, found
    assert np.shape(found["rows"]) == (2, 8, 2)


def test_the_schema_has_the_columns_of_series(vae: lt.VAE) -> None:
    row = schema_of({"waves": vae})["components"]["schemas"]["waves-row"]
    assert row["properties"].keys() == {"when", "x", "y"}
