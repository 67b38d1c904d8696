"""``latente serve`` as a process."""

from __future__ import annotations

import json
import signal
import socket
from http.client import HTTPConnection

import pytest

pytest.importorskip("uvicorn")

ROW = {"rows": [{"x0": 1.0}]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    import numpy as np

    import latente as lt

    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    return lt.VAE(max_epochs=1, random_state=0).fit(rows).save(tmp_path_factory.mktemp("serve") / "model.safetensors")


def test_it_answers_until_it_is_stopped(process, run):
    server = process("serve", f"numbers={run}", "--port", "0", "--json")
    address = json.loads(server.stdout.readline())["address"]
    connection = HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.request("POST", "/score", json.dumps(ROW), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    assert answer["model"] == "numbers" and len(answer["rows"]) == 1
    server.send_signal(signal.SIGTERM)
    connection.close()
    server.wait(30)
    assert server.returncode in (0, -signal.SIGTERM, 143)
    assert "Traceback" not in server.stderr.read()


def test_what_can_not_be_served_is_said(latente, run, tmp_path):
    assert "no run folder" in latente("serve", tmp_path / "none").sentence
    assert "two models" in latente("serve", run, run).sentence
    (tmp_path / "empty").write_text("\n")
    assert "holds no token" in latente("serve", str(run), "--token-file", tmp_path / "empty").sentence
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = latente("serve", run, "--port", str(taken.getsockname()[1]))
    assert found.code == 1 and "can't be used" in found.sentence
