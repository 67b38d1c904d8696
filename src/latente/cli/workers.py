"""A command in several processes that train together, as ``torchrun`` starts them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
        with _interrupting(running):
            while all(process.poll() is None for process in running):
                time.sleep(LOOK_EVERY)
        failed = next((code for process in running if (code := process.poll())), 0)
        return running[0].wait(TO_TELL if failed else None) or failed
    except subprocess.TimeoutExpired:
        return failed
    finally:
        for process in running:
            process.kill()


@contextmanager
def _interrupting(running: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Context in which the first Ctrl-C goes to the first process, which ends training in all of them, and the second one ends
    them at once, as the end of this process does.
    """
    asked = False

    def interrupt(*_: object) -> None:
        nonlocal asked
        if asked:
            raise SystemExit(128 + signal.SIGINT)
        asked = True
        running[0].send_signal(signal.SIGINT)

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    handlers: dict[int, Any] = {signal.SIGINT: interrupt, signal.SIGTERM: end, signal.SIGHUP: end}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _started(environment: dict[str, str], rank: int) -> subprocess.Popen[bytes]:
    """The same command in another process, which the terminal's Ctrl-C does not reach; all but the first are silent."""
    silent = subprocess.DEVNULL if rank else None
    words = [sys.executable, "-m", "latente", *sys.argv[1:]]
    return subprocess.Popen(words, env=environment, stdout=silent, stderr=silent, start_new_session=True)


def help_to_fit(vae: VAE, data: str, folder: Path, resume: bool, reading: Reading, **how: Any) -> None:
    """Train with the first process, and write nothing."""
    from latente.data import read_or_pieces
    from latente.parameters import text_columns
    from latente.report.run_folder import CHECKPOINT

    rows = read_or_pieces(data, texts=text_columns(vae.kinds), **reading)
    vae.fit(rows, checkpoint=folder / CHECKPOINT if resume else None, resume=resume, **how)
