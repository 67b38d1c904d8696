"""The command line, called as a person would: in this process, or in one of its own where that makes a difference."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from latente.cli import main
from tests.cli.helpers import QUICK, write_csv


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """What stderr says, which must be one sentence on one line, and no traceback."""
        lines = [line for line in self.err.splitlines() if line and not line.startswith(("Usage:", "Try '"))]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("Error: "), self.err
        assert "unexpected" not in lines[0], self.err
        return lines[0]


Latente = Callable[..., Ended]


def in_this_process(*arguments: object) -> Ended:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    assert isinstance(end.value.code, int)
    return Ended(end.value.code, *texts)


@pytest.fixture(scope="session")
def latente() -> Latente:
    """Runs a command in this process."""
    return in_this_process


Process = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def process() -> Iterator[Process]:
    """Starts a command in a process of its own, which ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
        command = [sys.executable, "-m", "latente", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        started.append(subprocess.Popen(command, text=True, env=environment, **pipes))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()
        for pipe in (each.stdout, each.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what the whole session needs."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def numbers() -> NDArray[np.float64]:
    """120 rows of four columns that depend on two."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(120, 4))


@pytest.fixture(scope="session")
def table_csv(folder: Path, numbers: NDArray[np.float64]) -> Path:
    return write_csv(folder / "table.csv", numbers)


@pytest.fixture(scope="session")
def pictures_npz(folder: Path, digits: NDArray[np.uint8]) -> Path:
    np.savez(folder / "pictures.npz", x=digits[:100])
    return folder / "pictures.npz"


def fitted(data: Path, run: Path) -> Path:
    ended = in_this_process("fit", data, "-o", run, *QUICK)
    assert ended.code == 0, ended.err
    return run


@pytest.fixture(scope="session")
def table_run(folder: Path, table_csv: Path) -> Path:
    """A run of the table. Tests read it and leave it as it is."""
    return fitted(table_csv, folder / "table-run")


@pytest.fixture(scope="session")
def picture_run(folder: Path, pictures_npz: Path) -> Path:
    """A run of the pictures."""
    return fitted(pictures_npz, folder / "picture-run")
