"""A command in several processes that train together, as ``torchrun`` starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latente.cli.reading import Reading
    from latente.estimator import VAE

LOOK_EVERY = 0.2  # seconds
TO_TELL = 5.0  # seconds for the first process to tell what went wrong, if another has failed


def is_first() -> bool:
    """Whether this process writes and prints: it is the only one, or the first."""
    return os.environ.get("RANK", "0") == "0"


def in_processes(workers: int) -> int | None:
    """Run this command once in each of several processes; returns the exit code, or None in these processes."""
    if workers == 1 or "RANK" in os.environ:
        return None
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(workers), "OMP_NUM_THREADS": "1"}
    running = [_started({**os.environ, **place, "RANK": str(rank)}, rank) for rank in range(workers)]
    try:
        while all(process.poll() is None for process in running):
            time.sleep(LOOK_EVERY)
        failed = next((code for process in running if (code := process.poll())), 0)
        return running[0].wait(TO_TELL if failed else None) or failed
    except subprocess.TimeoutExpired:
        return failed
    finally:
        for process in running:
            process.kill()


def _started(environment: dict[str, str], rank: int) -> subprocess.Popen[bytes]:
    """The same command in another process; all but the first are silent."""
    silent = subprocess.DEVNULL if rank else None
    return subprocess.Popen([sys.executable, "-m", "latente", *sys.argv[1:]], env=environment, stdout=silent, stderr=silent)


def help_to_fit(vae: VAE, data: str, folder: Path, resume: bool, reading: Reading, **how: Any) -> None:
    """Train with the first process, and write nothing."""
    from latente.data import read_or_pieces
    from latente.parameters import text_columns
    from latente.report.run_folder import CHECKPOINT

    rows = read_or_pieces(data, texts=text_columns(vae.kinds), **reading)
    vae.fit(rows, checkpoint=folder / CHECKPOINT if resume else None, resume=resume, **how)
