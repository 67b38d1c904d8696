"""A row model that a process of its own trains, beside the model with the code: on two idle processors in the same time.

The process gets plain values and tensors in a file, and writes checkpoints. The fit then goes on from the last of them: what
the process has not done, the fit does itself, with the same result to the bit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from torch import Tensor

from latente.blueprint import RowBlueprint
from latente.files import checked, read_tensors, write_tensors
from latente.model.parts import Choice
from latente.rows import Field, Rows
from latente.threads import ALL
from latente.training.checkpoint import Checkpoints
from latente.training.fit import Fit
from latente.training.loop import Settings
from latente.training.progress import predicted

ROW_MODEL_STAGE = 100  # of a fit, after all stages of its model
MIN_SECONDS = 5.0  # that training is expected to take, from which a process is worth its start (about 3 s of processor time)
LOOKED_FOR = 0.1  # seconds in which idle processors are counted
IDLE = 1.7  # processors that are idle meanwhile, from which there is one for this process and one for another
MAX_VALUES = 100_000_000  # of the rows, which the process holds, too
KIND, VERSION = "row-model-to-train", 1
COMMAND = "from latente.fitting.beside import main; main()"


class Task(msgspec.Struct, forbid_unknown_fields=True):
    """What to train, and where checkpoints are written."""

    fields: tuple[Field, ...]
    n_rows: int
    likelihood: Choice
    settings: Settings
    folder: str
    identity: dict[str, str]
    every: float


def worth_it(fit: Fit, own: RowBlueprint, settings: Settings) -> bool:
    """Whether training takes so long that a process is worth its start, a processor is idle, and the memory suffices."""
    if not sys.executable or getattr(sys, "frozen", False):  # within another program, which takes no -c
        return False
    if ALL < 2 or settings.workers > 1 or settings.time_limit is not None or settings.device != "cpu":
        return False
    in_memory = type(fit.train) is Rows and fit.train.x.numel() <= MAX_VALUES
    if not in_memory or fit.train.context is not None or own.likelihood.own is not None:
        return False
    seconds = predicted(len(fit.train), settings, settings.batch_size * own.multiply_adds())
    return seconds >= MIN_SECONDS and idle() >= IDLE


def idle() -> float:
    """Number of processors that do nothing while this process waits; all where that is not known."""
    try:
        before = _ticks()
        time.sleep(LOOKED_FOR)
        after = _ticks()
    except (OSError, ValueError):
        return float(os.cpu_count() or 1)
    passed = [end - begin for begin, end in zip(before, after, strict=True)]
    return (os.cpu_count() or 1) * sum(passed[3:5]) / max(1, sum(passed))


def _ticks() -> list[int]:
    """Time of all processors so far, by what it was used for (proc(5)); the fourth and fifth are idle."""
    return [int(ticks) for ticks in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]


class Beside:
    """A process that trains the row model of a fit; a context manager, which ends it.

    Attributes:
        checkpoints: those that the process writes: of the fit, or in a temporary folder.
    """

    def __init__(self, fit: Fit, own: RowBlueprint, settings: Settings) -> None:
        self.scratch = tempfile.TemporaryDirectory(prefix="latente-")
        try:
            self._begin(fit, own, settings)
        except BaseException:
            self.scratch.cleanup()
            raise

    def _begin(self, fit: Fit, own: RowBlueprint, settings: Settings) -> None:
        folder = Path(self.scratch.name)
        self.checkpoints = fit.checkpoints or Checkpoints(folder / "checkpoints", {})
        self.checkpoints.begin()
        package = str(Path(__file__).parents[2])
        found = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(_written(folder / "task", fit, own, settings, self.checkpoints))],
            stdin=subprocess.PIPE,  # which it reads, to end when this process does
            env={**os.environ, "PYTHONPATH": found},
            **silent,  # type: ignore[call-overload]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()
        self.scratch.cleanup()

    def ended(self) -> bool:
        """Wait until the process has ended; False if Ctrl-C ended the wait."""
        try:
            self.process.wait()
        except KeyboardInterrupt:
            return False
        return True


def _written(path: Path, fit: Fit, own: RowBlueprint, settings: Settings, checkpoints: Checkpoints) -> Path:
    """The file with the task."""
    where = str(checkpoints.folder.absolute()), checkpoints.identity, checkpoints.every
    task = Task(own.fields, own.n_rows, own.likelihood, settings, *where)
    tensors = {"resolution": fit.resolution, **_tensors("train", fit.train)}
    tensors |= _tensors("held_out", fit.held_out) if fit.held_out is not None else {}
    return write_tensors(path, KIND, VERSION, msgspec.to_builtins(task), tensors)


def _tensors(prefix: str, rows: Rows) -> dict[str, Tensor]:
    parts = {field.name: getattr(rows, field.name) for field in fields(Rows)}
    return {f"{prefix}.{name}": part for name, part in parts.items() if part is not None}


def _rows(prefix: str, tensors: dict[str, Tensor]) -> Rows:
    start = f"{prefix}."
    return Rows(**{name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)})


def train(path: Path) -> None:
    """Do the task in a file: train the row model, and write its checkpoints."""
    values, tensors = read_tensors(path, KIND, VERSION)
    task: Task = checked(values, Task, "the task")
    held_out = _rows("held_out", tensors) if "held_out.x" in tensors else None
    make = RowBlueprint(task.fields, task.n_rows, task.likelihood)
    checkpoints = Checkpoints(task.folder, task.identity, task.every)
    fit = Fit(make, _rows("train", tensors), held_out, tensors["resolution"], task.settings, checkpoints)
    fit.plain(ROW_MODEL_STAGE, "row model")


def main() -> None:
    """Of the process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    train(Path(sys.argv[1]))


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the other end is closed
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)  # rows of the user, which nobody else would remove now
    os._exit(1)
