"""Adapters to other tools give what Python gives. Each test needs its package: ``make test-scale`` installs them all."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

import latente as lt
from latente import shards
from latente.errors import DataError, ModelError


@pytest.fixture(scope="module")
def iris():
    return load_iris(as_frame=True).data


@pytest.fixture(scope="module")
def vae(iris):
    return lt.VAE(latent_dim=2, max_epochs=20, effort="quick", random_state=0).fit(iris)


def test_plain_modules_share_the_weights(vae, iris):
    x = vae.codec_.encode(vae.fitted_.read(iris)).x
    z = vae.module_.encoder(x)
    np.testing.assert_allclose(z.detach(), vae.transform(iris), atol=1e-6)
    assert torch.equal(vae.module_(x), vae.module_.decoder(z))
    vae.module_(x).sum().backward()
    assert all(own is other for own, other in zip(vae.module_.encoder.parameters(), vae.model_.parameters(), strict=True))


@pytest.mark.scale
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("with_missing", [False, True])
def test_onnx_equals_python(with_missing, iris, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from latente.integrations.onnx import to_onnx

    rows = iris.copy()
    if with_missing:
        rows.iloc[::7, 1] = np.nan
    vae = lt.VAE(latent_dim=2, max_epochs=20, effort="quick", random_state=0).fit(rows)
    paths = to_onnx(vae, tmp_path)
    session = {part: runtime.InferenceSession(str(paths[part])) for part in ("encoder", "decoder", "score")}
    values = rows.to_numpy(np.float64)
    (z,) = session["encoder"].run(None, {"rows": values})
    np.testing.assert_allclose(z, vae.transform(rows), atol=1e-5)
    (decoded,) = session["decoder"].run(None, {"z": z})
    np.testing.assert_allclose(decoded, vae.inverse_transform(z), atol=1e-5)
    (score,) = session["score"].run(None, {"rows": values})
    np.testing.assert_allclose(score, vae.anomalies(rows)["score"], rtol=1e-5, atol=1e-5)
    (one,) = session["score"].run(None, {"rows": values[:1]})
    np.testing.assert_allclose(one, score[:1], rtol=1e-5)
    assert [column["name"] for column in json.loads(paths["columns"].read_text())["columns"]] == list(iris.columns)


def test_a_score_of_log_prob_is_not_exported(iris, tmp_path):
    pytest.importorskip("onnxscript")
    from latente.integrations.onnx import to_onnx

    vae = lt.VAE(latent_dim=2, max_epochs=1, effort="quick", random_state=0).fit(iris)
    vae.fitted_.usual = type(vae.fitted_.usual).of_log_prob(vae.calibration_.scores)
    with pytest.raises(ModelError, match="can't be exported"):
        to_onnx(vae, tmp_path / "onnx")


def test_the_card_is_filled(vae, iris, tmp_path):
    from latente.integrations.hub import from_hub, save_for_hub

    save_for_hub(vae, tmp_path, "me/iris", "mit")
    card = (tmp_path / "README.md").read_text()
    assert "more information needed" not in card.lower()
    assert 'license: "mit"' in card
    assert "| sepal length (cm) | positive |" in card
    assert str(vae.certificate()).splitlines()[2] in card
    np.testing.assert_array_equal(from_hub(tmp_path).transform(iris), vae.transform(iris))


@pytest.mark.scale
@pytest.mark.filterwarnings("ignore")
def test_push_to_the_hub(vae, iris, monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    from latente.integrations.hub import from_hub, push_to_hub

    sent = {}

    class Api:
        def __init__(self, **how):
            sent.update(how)

        def create_repo(self, name, exist_ok):
            sent["repo"] = (name, exist_ok)

        def upload_folder(self, *, repo_id, folder_path, commit_message):
            for path in type(tmp_path)(folder_path).iterdir():
                (tmp_path / path.name).write_bytes(path.read_bytes())
            return "https://hub/commit"

    monkeypatch.setattr(hub, "HfApi", Api)
    assert push_to_hub(vae, "me/iris", token="t") == "https://hub/commit"
    assert sent == {"token": "t", "repo": ("me/iris", True)}
    monkeypatch.setattr(hub, "hf_hub_download", lambda name, file, **how: str(tmp_path / file))
    np.testing.assert_array_equal(from_hub("me/iris").transform(iris), vae.transform(iris))
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(DataError, match="no network"):
        from_hub("me/other")


@pytest.mark.scale
@pytest.mark.filterwarnings("ignore")
def test_mlflow(vae, iris, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")
    from latente.integrations.mlflow import log_model, logs_terms

    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("iris", artifact_location=(tmp_path / "artifacts").as_uri()))
    with mlflow.start_run() as run:
        lt.VAE(latent_dim=2, max_epochs=2, effort="quick", random_state=0).fit(iris, observer=logs_terms)
        logged = log_model(vae)
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "held_out_loss")
    assert [entry.step for entry in history] == [1, 2]
    found = mlflow.pyfunc.load_model(logged.model_uri).predict(iris)
    np.testing.assert_allclose(found["score"], vae.anomalies(iris)["score"])


@pytest.mark.scale
@pytest.mark.filterwarnings("ignore")
def test_pyod(iris):
    pytest.importorskip("pyod")
    from pyod.utils.utility import check_detector
    from sklearn.base import clone

    from latente.integrations.pyod import LatenteDetector

    X = iris.to_numpy().copy()
    X[3] *= 3
    detector = LatenteDetector(contamination=0.1, latent_dim=2, max_epochs=20, effort="quick", random_state=0).fit(X)
    check_detector(detector)
    assert detector.labels_.sum() == 15
    assert detector.decision_scores_.argmax() == 3
    assert detector.predict(X)[3] == 1
    assert detector.predict_proba(X).shape == (150, 2)
    np.testing.assert_allclose(detector.decision_function(X), detector.decision_scores_)
    assert clone(detector).get_params() == detector.get_params()


@pytest.mark.scale
@pytest.mark.filterwarnings("ignore")
def test_ray(vae, iris, tmp_path):
    ray = pytest.importorskip("ray")
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pandas(iris), tmp_path / "rows.parquet", row_group_size=40)
    job = shards.Job(str(vae.save(tmp_path / "model.safetensors")), "score", (str(tmp_path / "rows.parquet"),))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        there = shards.run(job, tmp_path / "ray", shards.on_ray)
    finally:
        ray.shutdown()
    here = shards.run(job, tmp_path / "here")
    assert [piece.file.read_bytes() for piece in there.pieces] == [piece.file.read_bytes() for piece in here.pieces]


@pytest.mark.scale
@pytest.mark.filterwarnings("ignore")
def test_spark(vae, iris, tmp_path, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("there is no Java")
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    pq.write_table(pa.Table.from_pandas(iris), tmp_path / "rows.parquet", row_group_size=80)
    job = shards.Job(str(vae.save(tmp_path / "model.safetensors")), "score", (str(tmp_path / "rows.parquet"),))
    session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        there = shards.run(job, tmp_path / "spark", shards.on_spark(session))
    finally:
        session.stop()
    here = shards.run(job, tmp_path / "here")
    assert [piece.file.read_bytes() for piece in there.pieces] == [piece.file.read_bytes() for piece in here.pieces]
