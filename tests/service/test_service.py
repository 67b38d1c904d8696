"""The service against the library: the same answers, and one clear error for each kind of bad request."""

from __future__ import annotations

import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import latente as lt
from latente.service.app import Limits, Service
from latente.service.batching import Batches, Busy, Job
from latente.service.formats import ARROW, joined, split
from latente.service.models import Served, served
from latente.service.schema import schema_of
from latente.service.tasks import TASKS

ROW = {"height": 180.0, "weight": 79.5, "colour": "red", "when": "2024-03-01"}
WITH_MISSING = {"weight": 79.5, "colour": None}


@pytest.fixture(scope="module")
def service(model_file):
    return Service(served([model_file]))


@pytest.fixture(scope="module")
def client(service, running):
    with running(service) as client:
        yield client


@pytest.fixture(scope="module")
def vae(model_file):
    return lt.load(model_file)


def rows_of(answer):
    status, body, _ = answer
    assert status == 200, body
    return body["rows"]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_answers(client, name):
    rows = rows_of(client.post(f"/{name}", {"rows": [ROW]} if TASKS[name].takes_rows else {}))
    assert len(rows) == 1
    assert rows[0].keys() == {"height", "weight", "colour", "when"} if TASKS[name].gives_rows else rows[0]


def test_answers_are_those_of_the_library(client, vae, people):
    frame = people(20)
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    codes = rows_of(client.post("/encode", {"rows": rows}))
    assert np.array([list(row.values()) for row in codes]) == pytest.approx(vae.transform(frame), abs=1e-6)
    scores = rows_of(client.post("/models/people/score", {"rows": rows}))
    assert [row["score"] for row in scores] == pytest.approx(vae.score_samples(frame).tolist(), rel=1e-6)
    whole = rows_of(client.post("/impute", {"rows": rows}))
    assert [row["height"] for row in whole] == pytest.approx(vae.impute(frame)["height"].tolist(), rel=1e-5)
    assert whole[0]["when"].startswith(str(frame["when"][0])[:10])


def test_arrow_in_and_out(client, vae, people):
    frame = pa.Table.from_pandas(people(20), preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, frame.schema) as writer:
        writer.write_table(frame)
    status, body, _ = client.post("/impute", bytes(sink.getvalue()), Content_Type=ARROW)
    assert status == 200
    found = pa.ipc.open_stream(io.BytesIO(body)).read_all()
    assert found.equals(vae.impute(frame))
    as_json = rows_of(client.post("/impute", bytes(sink.getvalue()), Content_Type=ARROW, Accept="application/json"))
    assert as_json[3]["colour"] == found.to_pylist()[3]["colour"]


def test_rows_may_be_lists(client):
    assert rows_of(client.post("/score", {"rows": [list(ROW.values())]})) == rows_of(client.post("/score", {"rows": [ROW]}))


def test_a_row_without_any_value_has_no_score(client):
    assert rows_of(client.post("/score", {"rows": [{}]})) == [{"score": None}]


def test_samples_keep_to_conditions_and_seeds(client):
    request = {"n": 5, "given": {"height": {"low": 175, "high": None}, "colour": ["red", "blue"]}, "seed": 3}
    first, second = (rows_of(client.post("/sample", request)) for _ in range(2))
    assert first == second
    assert all(row["height"] >= 175 and row["colour"] in ("red", "blue") for row in first)
    assert rows_of(client.post("/sample", {"n": 5})) != rows_of(client.post("/sample", {"n": 5}))


BAD = {
    "no JSON": ("/score", b"{rows", 400, "JSON"),
    "nested without end": ("/score", b"[" * 100_000, 400, "JSON"),
    "no object": ("/score", [ROW], 400, "object"),
    "no rows": ("/score", {}, 422, "rows"),
    "an empty list": ("/score", {"rows": []}, 422, "rows"),
    "an unknown column": ("/score", {"rows": [ROW, {"heigth": 3}]}, 422, "'heigth'"),
    "a row that is a text": ("/score", {"rows": ["x"]}, 422, "row 0"),
    "a value that is a list": ("/score", {"rows": [{"height": [1, 2]}]}, 422, "'height'"),
    "text for a number": ("/score", {"rows": [{"height": "tall"}]}, 422, "'height'"),
    "a new level": ("/score", {"rows": [{"colour": "pink"}]}, 422, "pink"),
    "an unknown option": ("/score", {"rows": [ROW], "seed": 1}, 422, "'seed'"),
    "no number of rows": ("/sample", {"n": "many"}, 422, "n is"),
    "too many rows": ("/sample", {"n": 10**9}, 422, "n is"),
    "a condition that can't be": ("/sample", {"given": {"size": 3}}, 422, "size"),
    "context of a model without": ("/score", {"rows": [ROW], "context": {"colour": "red"}}, 422, "context"),
    "an unknown task": ("/guess", {"rows": [ROW]}, 404, "guess"),
    "an unknown model": ("/models/dogs/score", {"rows": [ROW]}, 404, "dogs"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_requests_are_answered_with_what_is_wrong(client, case):
    path, body, status, word = BAD[case]
    found, answer, _ = client.post(path, body)
    assert found == status
    assert word in answer["error"]
    assert rows_of(client.post("/encode", {"rows": [ROW]})), "the service goes on"


def test_bodies_of_other_types_and_sizes_are_refused(model_file, running):
    with running(Service(served([model_file]), Limits(body=1000))) as client:
        assert client.post("/score", "x", Content_Type="text/csv")[0] == 415
        assert client.post("/score", b"x" * 1001)[0] == 413
        assert client.post("/score", iter([b"x" * 600] * 2))[0] == 413  # chunked, without a length
        assert client.post("/score", b"damaged", Content_Type=ARROW)[0] == 400
        assert rows_of(client.post("/score", {"rows": [ROW]}))


def test_a_token_is_asked_for(model_file, running):
    with running(Service(served([model_file]), token="secret")) as client:
        assert client("GET", "/health")[0] == 200
        for path in ("/models", "/metrics", "/openapi.json"):
            assert client("GET", path)[0] == 401
        assert client.post("/score", {"rows": [ROW]}, Authorization="Bearer other")[0] == 401
        assert rows_of(client.post("/score", {"rows": [ROW]}, Authorization="Bearer secret"))


def test_requests_that_come_together_get_their_own_answers(client, vae, people):
    frame = people(60)
    expected = vae.score_samples(frame)
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    rows[7]["colour"] = "pink"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda row: client.post("/score", {"rows": [row]}), rows))
    assert answers[7][0] == 422
    found = [answer[1]["rows"][0]["score"] for i, answer in enumerate(answers) if i != 7]
    assert found == pytest.approx(np.delete(expected, 7).tolist(), rel=1e-6)


def test_what_is_measured(client):
    client.post("/encode", {"rows": [ROW, ROW]})
    text = client("GET", "/metrics")[1].decode()
    assert 'latente_requests_total{model="people",status="200",task="encode"}' in text
    assert 'latente_model_reads{model="people"} 1.0' in text


def test_the_schema_has_every_task_and_column(client, vae):
    schema = client("GET", "/openapi.json")[1]
    assert schema == json.loads(json.dumps(schema_of({"people": vae})))
    assert {f"/models/people/{name}" for name in TASKS} <= schema["paths"].keys()
    row = schema["components"]["schemas"]["people-row"]["properties"]
    assert row["colour"]["enum"] == ["blue", "green", "red", None]
    assert row["height"]["type"] == ["number", "null"]
    assert row["when"]["type"] == ["string", "null"]


def test_a_replaced_file_is_read_and_a_damaged_one_is_not(model_file, tmp_path, people):
    path = tmp_path / "people.safetensors"
    path.write_bytes(model_file.read_bytes())
    model = Served("people", path)
    before = model.vae
    assert not model.refresh()
    (tmp_path / "new").write_bytes(b"damaged")
    (tmp_path / "new").replace(path)
    assert not model.refresh()
    assert model.vae is before and model.failed == 1
    lt.VAE(max_epochs=1, random_state=1).fit(people()).save(path)
    assert model.refresh()
    assert model.vae.seed_ == 1 and model.read == 2
    path.unlink()
    assert not model.refresh()


def test_names_of_models(model_file):
    assert list(served([f"a={model_file}", model_file])) == ["a", "people"]
    with pytest.raises(lt.LatenteError, match="two models are called 'people'"):
        served([model_file, model_file])


def test_pictures_and_their_joined_answers(running, tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.random((30, 6, 6)).astype(np.float32)
    vae = lt.VAE("vae", max_epochs=1, random_state=0).fit(pictures)
    vae.save(tmp_path / "p.safetensors")
    with running(Service(served([tmp_path / "p.safetensors"]))) as client:
        rows = rows_of(client.post("/reconstruct", {"rows": pictures[:2].tolist()}))
        assert np.array(rows) == pytest.approx(vae.reconstruct(pictures[:2]), abs=1e-5)
        assert client.post("/score", {"rows": [[[1, 2], [3]]]})[0] == 422
        assert len(rows_of(client.post("/sample", {"n": 2}))) == 2


class TestBatches:
    def test_what_waits_together_is_computed_together_and_split(self):
        begun, go, calls = threading.Event(), threading.Event(), []

        def compute(rows, sizes):
            begun.set()
            go.wait(10)
            calls.append(len(rows))
            return split(np.array(rows), sizes)

        batches = Batches(joined, 10, 1000)
        first = batches.put(Job("a", [0], 1, compute))
        begun.wait(10)
        others = [batches.put(Job("a", [i] * i, i, compute)) for i in (1, 2, 3)]
        apart = batches.put(Job("b", [9], 1, compute))
        go.set()
        assert first.result(10).tolist() == [0]
        assert [found.result(10).tolist() for found in others] == [[1], [2, 2], [3, 3, 3]]
        assert apart.result(10).tolist() == [9]
        batches.close()
        assert calls == [1, 6, 1]

    def test_limits_and_the_end(self):
        begun, go = threading.Event(), threading.Event()

        def compute(rows, sizes):
            begun.set()
            go.wait(10)
            return [rows]

        batches = Batches(joined, max_jobs=2, max_rows=5)
        batches.put(Job(None, [0], 1, compute))
        begun.wait(10)
        batches.put(Job(None, [0] * 4, 4, compute))
        with pytest.raises(Busy):
            batches.put(Job(None, [0] * 2, 2, compute))
        last = batches.put(Job(None, [0], 1, compute))
        with pytest.raises(Busy):
            batches.put(Job(None, [], 0, compute))
        go.set()
        batches.close()
        assert last.result(0) == [0]
        with pytest.raises(Busy, match="stopped"):
            batches.put(Job(None, [0], 1, compute))

    def test_one_bad_request_does_not_spoil_others(self):
        begun, go = threading.Event(), threading.Event()

        def compute(rows, sizes):
            begun.set()
            go.wait(10)
            return split(np.array([1 / row for row in rows]), sizes)

        batches = Batches(joined, 10, 100)
        batches.put(Job("a", [1], 1, compute))
        begun.wait(10)
        good, bad = batches.put(Job("a", [2], 1, compute)), batches.put(Job("a", [0], 1, compute))
        cancelled = batches.put(Job("a", [0], 1, compute))
        assert cancelled.cancel()
        go.set()
        assert good.result(10).tolist() == [0.5]
        with pytest.raises(ZeroDivisionError):
            bad.result(10)
        batches.close()


def test_the_container_is_built_of_files_that_exist():
    root = Path(__file__).parents[2]
    copied = [line.split()[1:-1] for line in (root / "Dockerfile").read_text().splitlines() if line.startswith("COPY")]
    own = [name for names in copied for name in names if not name.startswith(("--from", "/"))]
    assert own and all((root / name).exists() for name in own)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.takes_rows])
def test_answers_do_not_depend_on_other_requests(client, service, people, name):
    """Ranks and an estimated noise are of the rows of one request."""
    rows = json.loads(people(24).to_json(orient="records", date_format="iso"))
    alone = [rows_of(client.post(f"/{name}", {"rows": rows[i : i + 4]})) for i in range(0, 24, 4)]
    service.batches.put(Job(None, None, 1, lambda *_: [time.sleep(0.3)]))  # so that all wait at the same time
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda i: rows_of(client.post(f"/{name}", {"rows": rows[i : i + 4]})), range(0, 24, 4)))
    for left, right in zip(chain(*alone), chain(*together), strict=True):
        assert left == {key: pytest.approx(v, abs=1e-4) if isinstance(v, float) else v for key, v in right.items()}


def test_anomalies_are_selected_as_asked(client):
    found = rows_of(
        client.post("/anomalies", {"rows": [ROW, {**ROW, "height": 900.0}], "false_alarm_rate": 0.3, "score": "near"})
    )
    assert [row["rank"] for row in found] == [2, 1]
    assert client.post("/anomalies", {"rows": [ROW], "fdr": 2})[0] == 422
