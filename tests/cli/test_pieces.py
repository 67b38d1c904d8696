"""Commands over Parquet files: what is done a row group at a time is what is done with all rows at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import latente as lt
from latente.data import pieces, sql
from tests.cli.conftest import Latente
from tests.cli.helpers import QUICK

N = 300


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(N, 4))
    values[::17, 1] = np.nan
    kind = pa.array(rng.choice(["a", "b"], N))
    table = pa.table({**{f"x{i}": pa.array(values[:, i], from_pandas=True) for i in range(4)}, "kind": kind})
    path = tmp_path_factory.mktemp("pieces") / "rows.parquet"
    pq.write_table(table, path, row_group_size=80)
    return path


@pytest.fixture(scope="module")
def model(rows: Path) -> Path:
    vae = lt.VAE(latent_dim=2, max_epochs=2, effort="quick", random_state=0).fit(pq.read_table(rows))
    return vae.save(rows.with_name("model.safetensors"))


CASES = [("anomalies", "csv"), ("anomalies", "parquet"), ("encode", "parquet"), ("impute", "csv"), ("impute", "tsv.gz")]
CASES += [("denoise", "parquet"), ("reconstruct", "parquet")]


@pytest.mark.parametrize(("task", "suffix"), CASES)
def test_the_same_file(
    task: str, suffix: str, rows: Path, model: Path, latente: Latente, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {}
    for name in ("whole", "pieces"):
        monkeypatch.setattr(pieces, "ROWS_AT_ONCE", {"whole": 65_536, "pieces": 100}[name])
        ended = latente(task, model, rows, "-o", tmp_path / f"{name}.{suffix}", "--json")
        assert ended.code == 0, ended.err
        told[name] = {key: value for key, value in ended.json.items() if key not in ("out", "warnings")}
    whole, found = (lt.read(tmp_path / f"{name}.{suffix}") for name in ("whole", "pieces"))
    assert told["pieces"] == told["whole"]
    assert found.names == whole.names
    assert found.levels == whole.levels
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-5, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"pieces.{suffix}", f"whole.{suffix}"]


@pytest.mark.parametrize("task", ["anomalies", "impute"])
def test_a_large_text_file(task: str, rows: Path, latente: Latente, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from latente.data import spool

    vae = lt.VAE(latent_dim=2, max_epochs=2, effort="quick", random_state=0)
    table = pq.read_table(rows).set_column(0, "x0", pa.array([round(x, 2) for x in pq.read_table(rows)["x0"].to_pylist()]))
    pa.csv.write_csv(table, tmp_path / "rows.csv")
    vae.fit(tmp_path / "rows.csv").save(tmp_path / "model.safetensors")
    arguments = [task, tmp_path / "model.safetensors", tmp_path / "rows.csv", "-q", "-o"]
    assert latente(*arguments, tmp_path / "whole.csv").code == 0
    monkeypatch.setattr(sql, "max_bytes", lambda: 1000)
    monkeypatch.setattr(spool, "BLOCK", 4000)
    monkeypatch.setattr(pieces, "ROWS_AT_ONCE", 100)
    assert latente(*arguments, tmp_path / "pieces.csv").code == 0
    monkeypatch.undo()
    whole, found = (lt.read(tmp_path / f"{name}.csv") for name in ("whole", "pieces"))
    assert (found.names, found.levels) == (whole.names, whole.levels)
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_fit_of_more_than_fits(rows: Path, latente: Latente, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run of a file that is read in pieces, with its figures, is that of the same rows in memory."""
    monkeypatch.setattr(sql, "max_bytes", lambda: 1000)
    assert latente("fit", rows, "-o", tmp_path / "pieces", "--seed", 0, *QUICK[:2]).code == 0
    monkeypatch.undo()
    assert latente("fit", rows, "-o", tmp_path / "whole", "--seed", 0, *QUICK).code == 0
    one, other = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("pieces", "whole"))
    assert one["loss"] == pytest.approx(other["loss"], abs=1e-9)
    assert (tmp_path / "pieces" / "report.html").exists()
    assert one.get("missing", []) == []


def test_certify_of_more_than_fits(rows: Path, latente: Latente, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate of a file that is read in pieces is that of its rows in memory; of one context, too."""
    run, how = tmp_path / "run", ("--max-epochs", 1, "--latent-dim", 1, "--effort", "quick", "--no-figures", "--no-certificate")
    assert latente("fit", rows, "-r", "cvae", "--context", "kind", "-o", run, *how).code == 0
    whole = latente("certify", run, rows, "--context", "kind=a", "--json").json
    monkeypatch.setattr(sql, "max_bytes", lambda: 1000)
    assert latente("certify", run, rows, "--context", "kind=a", "--json").json == whole
    pieced = tmp_path / "pieces"
    assert latente("fit", rows, "-r", "cvae", "--context", "kind", "-o", pieced, *how).code == 0
    assert latente("certify", pieced, rows, "--context", "kind=a", "--json").json == whole
