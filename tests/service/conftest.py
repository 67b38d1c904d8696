from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latente as lt

pytest.importorskip("uvicorn")
import uvicorn

from latente.service.app import Service


def table(n: int = 80) -> pd.DataFrame:
    """A mixed table with missing values and a date."""
    rng = np.random.default_rng(0)
    height = rng.normal(170, 10, n)
    return pd.DataFrame(
        {
            "height": np.where(rng.random(n) < 0.1, np.nan, height),
            "weight": height - 100 + rng.normal(0, 5, n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
        }
    )


@pytest.fixture(scope="session")
def people() -> Callable[..., pd.DataFrame]:
    """Rows of that table."""
    return table


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model of that table."""
    return lt.VAE(max_epochs=2, random_state=0).fit(table()).save(tmp_path_factory.mktemp("service") / "people.safetensors")


class Client:
    """Requests to a service that runs in this process."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        data = json.dumps(body) if isinstance(body, (dict, list)) else body
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, data, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            content, kind = response.read(), response.headers.get("content-type", "")
            return (
                response.status,
                json.loads(content) if kind.startswith("application/json") else content,
                dict(response.headers),
            )
        finally:
            connection.close()

    def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        return self("POST", path, body, **headers)


@pytest.fixture(scope="session")
def running() -> Callable[[Service], Any]:
    @contextmanager
    def run(service: Service) -> Iterator[Client]:
        server = uvicorn.Server(uvicorn.Config(service.application(), port=0, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield Client(server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()

    return run
