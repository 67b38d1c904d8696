"""``latente export`` and ``latente explore``: what is written, and a server that foreign and hostile requests do not move."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import anyio
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import latente as lt
from latente.explorer import lesson
from latente.explorer.pack import header_of
from latente.explorer.server import Networks
from tests.cli.conftest import Latente, Process
from tests.cli.helpers import QUICK, write_csv


def pack_in(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text.partition('x-latente-pack">')[2].partition("<")[0]))


# --------------------------------------------------------------------------------------------------------------- export


def test_export_writes_one_page_without_rows(latente: Latente, table_run: Path, tmp_path: Path) -> None:
    ended = latente("export", table_run, tmp_path / "page.html", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["with_rows"] is False and ended.json["notes"] == []  # the fit has left a survey
    content = pack_in((tmp_path / "page.html").read_text(encoding="utf-8"))
    header = header_of(content)
    assert ended.json["bytes"] == (tmp_path / "page.html").stat().st_size
    assert header["title"] == "table-run" and header["models"][0]["points"] is None
    assert header["models"][0]["planes"][0]["posterior"] is not None
    assert header["models"][0]["certificate"]["continuity"]["value"] is not None or "reason" in str(header)


def test_export_says_what_a_page_lacks(latente: Latente, table_run: Path, tmp_path: Path) -> None:
    alone = shutil.copy(table_run / "model.safetensors", tmp_path / "alone.safetensors")
    ended = latente("export", alone, tmp_path / "page.html", "--json")
    assert ended.code == 0, ended.err
    (note,) = ended.json["notes"]
    assert "not measured" in note and note in " ".join(ended.err.split())
    header = header_of(pack_in((tmp_path / "page.html").read_text(encoding="utf-8")))
    assert "no se midieron" in header["notes"][0]["es"]


def test_a_model_file_brings_what_lies_beside_it_if_it_is_its_own(
    latente: Latente, table_run: Path, numbers: NDArray[np.float64], tmp_path: Path
) -> None:
    def exported(model: Path) -> tuple[list[str], dict[str, Any]]:
        ended = latente("export", model, tmp_path / "page.html", "--json")
        assert ended.code == 0, ended.err
        header = header_of(pack_in((tmp_path / "page.html").read_text(encoding="utf-8")))
        return ended.json["notes"], header["models"][0]

    assert exported(table_run / "model.safetensors") == exported(table_run)
    other = shutil.copytree(table_run, tmp_path / "other")
    lt.VAE(latent_dim=2, max_epochs=1, random_state=1).fit(numbers).save(other / "another.safetensors")
    notes, model = exported(other / "another.safetensors")
    assert "not measured" in notes[0] and model["certificate"] == {} and model["planes"][0]["posterior"] is None


def test_a_certificate_that_is_left_out_is_named(latente: Latente, table_run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(table_run, tmp_path / "other"))
    (other / "certificate.json").write_text("{", encoding="utf-8")
    ended = latente("export", other, tmp_path / "page.html")
    assert ended.code == 0 and "the page has no certificate" in " ".join(ended.err.split())


def test_export_says_that_a_page_of_few_rows_tells_them(latente: Latente, numbers: NDArray[np.float64], tmp_path: Path) -> None:
    few = write_csv(tmp_path / "few.csv", numbers[:12])
    assert latente("fit", few, "-o", tmp_path / "few", *QUICK).code == 0
    ended = latente("export", tmp_path / "few", tmp_path / "page.html", "--json")
    assert ended.code == 0 and "fitted on only 12 rows" in " ".join(ended.err.split())
    assert any("on only 12 rows" in note for note in ended.json["notes"])


def test_export_says_first_that_rows_can_be_read(latente: Latente, table_run: Path, table_csv: Path, tmp_path: Path) -> None:
    ended = latente("export", table_run, tmp_path / "page.html", "--with-rows", table_csv)
    assert ended.code == 0 and "can be read by anyone who has" in ended.err.splitlines()[0]
    header = header_of(pack_in((tmp_path / "page.html").read_text(encoding="utf-8")))
    assert header["models"][0]["points"]["count"] == 120


def test_export_puts_two_models_beside_each_other(latente: Latente, table_run: Path, table_csv: Path, tmp_path: Path) -> None:
    assert latente("fit", table_csv, "-o", tmp_path / "ae", "--recipe", "autoencoder", *QUICK).code == 0
    ended = latente("export", table_run, tmp_path / "page.html", "--compare", tmp_path / "ae", "--data", table_csv)
    assert ended.code == 0, ended.err
    models = header_of(pack_in((tmp_path / "page.html").read_text(encoding="utf-8")))["models"]
    assert [model["recipe"] for model in models] == ["vae", "autoencoder"]


def test_export_refuses_what_can_not_be(
    latente: Latente, table_run: Path, picture_run: Path, table_csv: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    both = latente("export", table_run, out, "--data", table_csv, "--with-rows", table_csv)
    assert both.code == 2 and "give one of them" in both.sentence
    other = latente("export", table_run, out, "--compare", picture_run)
    assert other.code == 1 and "not of the same columns" in other.sentence
    rows = write_csv(tmp_path / "other.csv", np.ones((3, 2)), ["a", "b"])
    foreign = latente("export", table_run, out, "--data", rows)
    assert foreign.code == 1 and "none of the columns that are needed is there" in foreign.sentence
    assert latente("export", tmp_path / "nowhere", out).code == 1
    unnamed = latente("export", table_run, "")
    assert unnamed.code == 1 and "that is a folder" in unnamed.sentence
    assert not out.exists()


# --------------------------------------------------------------------------------------------------------------- lesson


@pytest.fixture
def short_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer and shorter fits."""
    for name, value in {"SQUEEZED": (1, 2), "BETAS": (1.0,), "STEPS": 4, "MIN_EPOCHS": 2}.items():
        monkeypatch.setattr(lesson, name, value)


@pytest.mark.usefixtures("short_lesson")
def test_fit_writes_the_lesson_on_its_data_and_says_that_it_holds_rows(
    latente: Latente, table_csv: Path, tmp_path: Path
) -> None:
    ended = latente("fit", table_csv, "-o", tmp_path / "run", "--lesson", *QUICK)
    assert ended.code == 0, ended.err
    assert "lesson.html contains rows of" in " ".join(ended.err.split())
    header = header_of(pack_in((tmp_path / "run/lesson.html").read_text(encoding="utf-8")))
    assert [model["recipe"] for model in header["models"]] == ["vae", "autoencoder"] and header["lesson"]["training"]
    assert latente("info", tmp_path / "run").code == 0
    again = latente("fit", table_csv, "-o", tmp_path / "run", *QUICK)
    assert again.code == 0 and not (tmp_path / "run/lesson.html").exists()


@pytest.mark.usefixtures("short_lesson")
def test_explore_takes_data_and_serves_the_lesson_on_it(
    latente: Latente, table_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []
    monkeypatch.setattr("latente.explorer.server.serve", lambda vaes, content, port, ready: served.append((vaes, content)))
    ended = latente("explore", table_csv, "--no-browser")
    assert ended.code == 0, ended.err
    ((vaes, content),) = served
    assert [vae.recipe_.name for vae in vaes] == ["vae", "autoencoder"]
    assert header_of(content)["served"] is True and header_of(content)["lesson"]
    refused = latente("explore", table_csv, "--data", table_csv)
    assert refused.code == 2 and "belong to a run" in refused.sentence
    assert latente("explore", "nowhere.csv").code == 1


# --------------------------------------------------------------------------------------------------------------- server


class Served(NamedTuple):
    process: subprocess.Popen[str]
    host: str
    port: int
    path: str

    def get(self, path: str | None = None, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            connection.request(
                method, self.path if path is None else path, body, {name.replace("_", "-"): v for name, v in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def raw(self, text: bytes) -> bytes:
        with socket.create_connection((self.host, self.port), timeout=20) as connection:
            connection.sendall(text)
            return connection.recv(4096)

    @property
    def socket(self) -> str:
        return f"ws://{self.host}:{self.port}{self.path}socket"

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"


@pytest.fixture(scope="module")
def served(table_run: Path) -> Iterator[Served]:
    """The server in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-m", "latente", "explore", str(table_run), "--no-browser", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        address = urlsplit(json.loads(process.stdout.readline())["address"])
        assert address.hostname and address.port
        server = Served(process, address.hostname, address.port, address.path)
        for _ in range(100):
            try:
                socket.create_connection((server.host, server.port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.communicate()  # closes the pipes, too


def is_alive(served: Served) -> bool:
    return served.process.poll() is None and served.get()[0] == 200


def test_the_page_is_served_and_allows_nothing_but_its_own_socket(served: Served) -> None:
    with contextlib.closing(http.client.HTTPConnection(served.host, served.port)) as connection:
        connection.request("GET", served.path)
        answer = connection.getresponse()
        header = header_of(pack_in(answer.read().decode()))
    assert header["served"] is True
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and f"connect-src ws://{served.host}:{served.port};" in policy
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"


def test_who_does_not_know_the_token_gets_nothing(served: Served) -> None:
    for path in ("/", "/index.html", "/wrong-token/", served.path[:-2] + "/", served.path + "model.safetensors"):
        assert served.get(path)[0] == 404, path
    assert is_alive(served)


def test_no_path_leads_out_of_the_page(served: Served) -> None:
    for path in (
        "../model.safetensors",
        "..%2f..%2fetc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "..\\..\\etc\\passwd",
    ):
        status, body = served.get(served.path + path)
        assert status in (400, 404) and b"root:" not in body, path
        assert (
            b"404" in served.raw(f"GET {served.path}{path} HTTP/1.1\r\nHost: {served.host}:{served.port}\r\n\r\n".encode())
            or True
        )
    assert is_alive(served)


def test_another_host_or_origin_gets_nothing(served: Served) -> None:
    assert served.get(Host="attacker.example")[0] == 421
    assert served.get(Host=f"attacker.example:{served.port}")[0] == 421
    assert served.get(Host=f"localhost.attacker.example:{served.port}")[0] == 421
    assert served.get(Origin="http://attacker.example")[0] == 403
    assert served.get(Origin="null")[0] == 403
    assert served.get(Origin=served.origin)[0] == 200
    twice = f"GET {served.path} HTTP/1.1\r\nHost: {served.host}:{served.port}\r\nHost: attacker.example\r\n\r\n"
    assert b"200" not in served.raw(twice.encode()).split(b"\r\n")[0]
    assert is_alive(served)


def test_nothing_is_taken_in(served: Served) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert served.get(method=method)[0] == 405
    try:
        status = served.get(body=bytes(10_000_000))[0]
    except (ConnectionError, http.client.HTTPException):
        status = 413  # it hung up on us while we were still sending
    assert status == 413
    assert is_alive(served)


def test_garbage_does_not_move_it(served: Served) -> None:
    for text in (b"\x00" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"):
        served.raw(text)
    assert is_alive(served)


def test_a_thousand_open_connections_do_not_move_it(served: Served) -> None:
    held = []
    try:
        for _ in range(1000):
            held.append(socket.create_connection((served.host, served.port), timeout=5))
        for connection in held[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\n")  # and never another word
    except OSError:
        assert len(held) > 500  # the test's own limit of open files
    finally:
        for connection in held:
            connection.close()
    time.sleep(0.5)
    assert is_alive(served)


def test_many_sockets_at_once(served: Served) -> None:
    opened, refused = [], []

    def open_one() -> None:
        try:
            opened.append(stack.enter_context(connect(served.socket, origin=served.origin, open_timeout=20)))
        except InvalidStatus as error:
            refused.append(error)

    with ExitStack() as stack:
        threads = [threading.Thread(target=open_one) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(opened) == 32 and len(refused) == 68
    assert is_alive(served)
    time.sleep(0.2)
    with connect(served.socket, origin=served.origin) as ws:
        ws.send(json.dumps({"id": 1, "model": 0, "network": "decoder", "x": [0.0] * 99}))
        assert len(ws.recv()) == 8


def test_the_socket_is_for_the_own_page_only(served: Served) -> None:
    for address, origin in (
        (served.socket, "http://attacker.example"),
        (served.socket, None),
        (f"ws://{served.host}:{served.port}/wrong-token/socket", served.origin),
    ):
        with pytest.raises(InvalidStatus):
            connect(address, origin=origin)
    assert is_alive(served)


def test_the_socket_decodes_and_encodes_as_the_model_does(served: Served, table_run: Path) -> None:
    vae = lt.load(table_run / "model.safetensors")
    d = vae.latent_dim_
    z, x = np.linspace(-1, 1, d), np.linspace(-1, 1, 4)
    with connect(served.socket, origin=served.origin) as ws:
        ws.send(json.dumps({"id": 7, "model": 0, "network": "decoder", "x": z.tolist(), "seen": None}))
        number, *decoded = np.frombuffer(ws.recv(), float)
        ws.send(json.dumps({"id": 8, "model": 0, "network": "encoder", "x": x.tolist(), "seen": None}))
        _, *moments = np.frombuffer(ws.recv(), float)
    with torch.no_grad():
        mean = vae.model_.decode(torch.tensor(z, dtype=torch.float32).reshape(1, 1, d)).mean.flatten().numpy()
        q = vae.model_.posterior(vae.model_.encoder(torch.tensor(x, dtype=torch.float32).unsqueeze(0), None))
    assert number == 7 and np.allclose(decoded[:4], mean)
    assert sum(decoded[4:]) == pytest.approx(4)  # the bins of each column
    assert np.allclose(moments, torch.cat([q.code, q.deviation], 1).numpy())


def test_of_many_requests_the_newest_is_answered(served: Served, table_run: Path) -> None:
    d = lt.load(table_run / "model.safetensors").latent_dim_
    with connect(served.socket, origin=served.origin) as ws:
        for number in range(2000):
            ws.send(json.dumps({"id": number, "model": 0, "network": "decoder", "x": [0.0] * d}))
        answered = []
        while not answered or answered[-1] != 1999:
            answered.append(int(np.frombuffer(ws.recv(), float)[0]))
    assert answered == sorted(answered) and len(answered) < 2000


def all_from(ws: ClientConnection) -> None:
    """Answers without values, until there are no more."""
    while True:
        assert len(ws.recv(timeout=2)) == 8


def test_hostile_messages_end_a_socket_and_not_the_server(served: Served) -> None:
    long = '{"model": 0, "network": "decoder"}' + " " * 5_000_000
    for message in ("{", "[]", "7", '{"id": 1}', '{"model": [], "network": {}}', long, b"\x00", "[" * 100_000):
        with connect(served.socket, origin=served.origin) as ws:
            ws.send(message)
            with pytest.raises((ConnectionClosed, TimeoutError)):
                all_from(ws)
    hostile = [(9, "decoder", [0]), (-1, "decoder", [0]), (0, "__class__", [0]), (0, "decoder", "abc"), ("0x", "decoder", [])]
    with connect(served.socket, origin=served.origin) as ws:
        for model, network, x in [*hostile, (1e999, "decoder", [0]), (0, "encoder", [[[0]]]), (0, "decoder", None)]:
            ws.send(json.dumps({"id": 5, "model": model, "network": network, "x": x}))
            assert len(ws.recv(timeout=5)) == 8
        for number in (10**400, "seven", None):
            ws.send(json.dumps({"id": number, "model": 0, "network": "decoder", "x": [0]}))
            assert np.isnan(np.frombuffer(ws.recv(timeout=5), float)).all()
    assert is_alive(served)


def test_deep_messages_are_not_an_error_of_ours() -> None:
    ended = []

    class Deep:
        async def receive_text(self) -> str:
            return "[" * 100_000

    async def talk() -> None:
        await Networks([])._talk(Deep())  # type: ignore[arg-type]
        ended.append(True)

    anyio.run(talk)
    assert ended == [True]


def test_ctrl_c_ends_it(process: Process, table_run: Path) -> None:
    started = process("explore", table_run, "--no-browser")
    assert started.stdout is not None and started.stdout.readline().startswith("http://127.0.0.1:")
    time.sleep(0.5)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=20)
    assert started.returncode == 0 and "Traceback" not in out + err


def test_a_port_that_is_taken_is_said(latente: Latente, table_run: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = latente("explore", table_run, "--no-browser", "--port", taken.getsockname()[1])
    assert ended.code == 1 and "can't be used" in ended.sentence


def test_what_to_install_is_said(latente: Latente, table_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "latente.explorer.server", raising=False)
    ended = latente("explore", table_run)
    assert ended.code == 1 and "pip install 'latente[explore]'" in ended.sentence
