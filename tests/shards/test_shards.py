"""Tasks in shards equal the same tasks in memory, whatever stops them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import latente as lt
from latente import shards
from latente.data import pieces_of
from latente.errors import DataError

N = 1200
KILLS = int(os.environ.get("LATENTE_KILLS", "3"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shards")


@pytest.fixture(scope="module")
def table(folder):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(N, 2)) @ rng.normal(size=(2, 4))
    columns = {f"x{i}": base[:, i] + 0.1 * rng.normal(size=N) for i in range(4)}
    columns["x1"][::17] = np.nan
    columns["x0"][5] = 40.0
    kind = rng.choice(["a", "b"], N).astype(object)
    kind[3] = None
    columns |= {"kind": kind, "id": np.array([f"r{number:05}" for number in rng.permutation(N)], dtype=object)}
    found = pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
    pq.write_table(found, folder / "rows.parquet", row_group_size=250)
    return found


@pytest.fixture(scope="module")
def model(folder, table):
    vae = lt.VAE(latent_dim=2, max_epochs=3, effort="quick", random_state=0).fit(table)
    return vae.save(folder / "model.safetensors")


def job(folder, model, task, **options):
    return shards.Job(str(model), task, (str(folder / "rows.parquet"),), options)


def done(job, folder, mapped=map):
    return pa.concat_tables(shards.results(job, shards.run(job, folder, mapped)), promote_options="permissive")


def alike(found, wanted):
    assert found.column_names == wanted.column_names
    for name in wanted.column_names:
        one, other = found[name].combine_chunks(), wanted[name].combine_chunks()
        assert one.is_null().equals(other.is_null()), name
        if pa.types.is_floating(other.type):
            np.testing.assert_allclose(one.to_numpy(False), other.to_numpy(False), rtol=1e-5, atol=1e-6)
        else:
            assert one.cast(other.type).to_pylist() == other.to_pylist(), name


CASES = {
    "encode": ({}, lambda vae, rows: pa.table(dict(zip(vae.get_feature_names_out(), vae.transform(rows).T, strict=True)))),
    "score": ({}, lambda vae, rows: pa.table({"score": vae.score_samples(rows)})),
    "impute": ({}, lambda vae, rows: vae.impute(rows)),
    "reconstruct": ({}, lambda vae, rows: vae.reconstruct(rows)),
    "anomalies": ({}, lambda vae, rows: vae.anomalies(rows)),
}


@pytest.mark.parametrize("task", CASES)
def test_shards_equal_memory(task, folder, table, model, tmp_path):
    options, in_memory = CASES[task]
    alike(done(job(folder, model, task, **options), tmp_path), in_memory(lt.load(model), table))


@pytest.mark.parametrize("options", [{"fdr": 0.2}, {"score": ["near", "rate"], "false_alarm_rate": 0.1}])
def test_anomalies_with_options(options, folder, table, model, tmp_path):
    alike(done(job(folder, model, "anomalies", **options), tmp_path), lt.load(model).anomalies(table, **options))


@pytest.mark.parametrize("noise", [None, 0.3])
def test_noise_is_that_of_all_rows(noise, table, model, tmp_path):
    table = table.slice(0, 160)
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=100)
    denoised, assumed = lt.load(model).denoise(table, noise=noise, return_noise=True)
    planned, found = shards.with_noise(job(tmp_path, model, "denoise"), noise)
    assert found == pytest.approx(assumed) if "sigma" not in assumed else found["sigma"] == pytest.approx(assumed["sigma"])
    alike(done(planned, tmp_path / "parts"), denoised)


def test_a_job_continues_where_it_was_stopped(folder, table, model, tmp_path):
    wanted = job(folder, model, "score")

    def stopped(function, numbers):
        yield function(numbers[0])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shards.run(wanted, tmp_path, stopped)
    assert not (tmp_path / shards.MANIFEST).exists()
    first = shards.part_of(tmp_path, 0).stat().st_mtime_ns
    computed = []
    shards.run(wanted, tmp_path, lambda function, numbers: [computed.append(n) or function(n) for n in numbers])
    assert computed == [1, 2, 3, 4]
    assert shards.part_of(tmp_path, 0).stat().st_mtime_ns == first
    manifest = json.loads((tmp_path / shards.MANIFEST).read_text())
    assert (manifest["rows"], [part["rows"] for part in manifest["parts"]]) == (N, [250, 250, 250, 250, 200])


def test_parts_of_another_job_are_removed(folder, table, model, tmp_path):
    shards.run(job(folder, model, "score"), tmp_path)
    before = shards.part_of(tmp_path, 0).stat().st_mtime_ns
    shards.run(job(folder, model, "encode"), tmp_path)
    assert shards.part_of(tmp_path, 0).stat().st_mtime_ns != before
    assert pq.read_table(shards.part_of(tmp_path, 0)).column_names == ["vae0", "vae1"]


def test_a_folder_with_other_files_is_refused(folder, model, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"other files, such as 'thesis\.txt'"):
        shards.run(job(folder, model, "encode"), tmp_path)
    shards.remove(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_pieces_are_the_rows(folder, table):
    pieces = pieces_of(folder / "rows.parquet")
    assert len(pieces) == N
    assert pieces.read().equals(table)
    rows = np.array([0, 3, 249, 250, 777, 1199])
    assert pieces.take(rows).equals(table.take(rows))


def test_a_folder_of_files_is_one_table(tmp_path):
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"b": ["z"], "a": [0.5]}), tmp_path / "2.parquet")
    wanted = {"a": [1.0, 2.0, 0.5], "b": ["x", "y", "z"]}
    assert pieces_of(tmp_path).read().to_pydict() == wanted
    assert lt.read(tmp_path).values[:, 0].tolist() == wanted["a"]
    pq.write_table(pa.table({"c": [1]}), tmp_path / "3.parquet")
    with pytest.raises(DataError, match=r"'3.parquet'\] and '1.parquet' have no column in common|'3.parquet' and '1.parquet'"):
        pieces_of(tmp_path)


def command(*arguments, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    return subprocess.Popen([sys.executable, "-m", "latente", *map(str, arguments)], env=environment, **options)


@pytest.mark.slow
def test_command_in_processes(folder, table, model, tmp_path):
    out, arguments = tmp_path / "out.parquet", ["anomalies", model, folder / "rows.parquet", "--json", "-o"]
    run = command(*arguments, out, "--workers", 2, stdout=subprocess.PIPE)
    told = json.loads(run.communicate(timeout=120)[0])
    found = pq.read_table(out)
    assert told["rows"] == N
    assert told["anomalous"] == sum(found["anomalous"].to_pylist())
    alike(found, lt.load(model).anomalies(table))
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.slow
def test_killed_at_random_moments(folder, table, model, tmp_path):
    """SIGKILL of the driver: no row is lost or doubled, and the result is the same to the byte."""
    rows = tmp_path / "many.parquet"
    pq.write_table(table, rows, row_group_size=20)
    arguments = ["anomalies", model, rows, "-q", "--workers", 2, "-o"]
    assert command(*arguments, tmp_path / "whole.parquet").wait(300) == 0
    rng, out, kills = np.random.default_rng(0), tmp_path / "killed.parquet", 0
    while not out.exists() and kills < KILLS:
        run = command(*arguments, out)
        time.sleep(rng.uniform(2.0, 8.0))
        os.kill(run.pid, signal.SIGKILL) if run.poll() is None else None
        kills += run.wait() == -signal.SIGKILL
    assert command(*arguments, out).wait(300) == 0
    assert kills
    assert out.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert not Path(f"{out}.parts").exists()


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from latente.integrations import ray
    from latente.shards import on_ray

    for name in ("ray", "ray.train"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(lt.ModelError, match=r"pip install 'latente\[ray\]'"):
        next(on_ray(str, [0]))
    with pytest.raises(lt.ModelError, match=r"pip install 'latente\[ray\]'"):
        ray.fit(lt.VAE(), "rows.parquet", tmp_path)


def test_an_error_that_would_come_again_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from latente.integrations import ray

    def wrong(*_: object, **__: object) -> None:
        raise TypeError("no such thing")

    monkeypatch.setattr(lt.VAE, "fit", wrong)
    ray._train({"folder": str(tmp_path), "estimator": lt.VAE(), "data": None, "how": {}})
    assert json.loads((tmp_path / ray.FAILED).read_text())["message"] == "TypeError: no such thing"
