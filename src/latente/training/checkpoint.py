"""Checkpoints, from which an interrupted fit continues with the same result.

A fit is a sequence of runs (short trials with different seeds, the main run, a remedy). Each run has a file; a resumed fit goes
through the same sequence and restores every run.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from latente.errors import StorageError
from latente.files import checked, read_tensors, write_tensors
from latente.rows import Rows
from latente.training.loop import Training

VERSION = 2
KIND = "checkpoint"
VALUES = 4_000_000  # that are read at once
MAX_SHARE = 0.05  # of the time, for checkpoints within an epoch


class Content(msgspec.Struct, forbid_unknown_fields=True):
    """The values of a file: digests of data and settings, and the state of the run."""

    identity: dict[str, str]
    run: dict[str, Any]


class Checkpoints:
    """The checkpoints of one fit in one folder.

    Args:
        folder: where they are written; created with the first.
        identity: digests of data, recipe and settings (see :func:`identify`); other checkpoints are refused.
        every: seconds between two checkpoints.
        writes: whether this process writes them, and does not only read them.
    """

    def __init__(self, folder: str | Path, identity: Mapping[str, str], every: float = 5.0, writes: bool = True) -> None:
        self.folder, self.identity, self.every, self.writes = Path(folder), dict(identity), every, writes
        self.written, self.took = time.monotonic(), 0.0

    def begin(self) -> None:
        """Create the folder, so that the fit can be resumed.

        Raises:
            StorageError: it can't be created.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"can't write {self.folder}: {error.strerror or error}") from error

    def clear(self) -> None:
        """Remove them all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def restore(self, training: Training) -> None:
        """Restore the state of a run, if it has a checkpoint.

        Raises:
            StorageError: the checkpoint is damaged, or has other data or settings.
        """
        path = self._path(training)
        if not path.exists():
            return
        values, tensors = read_tensors(path, KIND, VERSION)
        try:
            content: Content = checked(values, Content, "the checkpoint")
            for what, digest in self.identity.items():
                if content.identity.get(what) != digest:
                    raise StorageError(f"it belongs to a fit with other {what}")
            training.restore(content.run, tensors)
        except StorageError as error:
            raise StorageError(f"{path}: {error}; leave out --resume") from error

    def after_epoch(self, training: Training) -> None:
        """Write a checkpoint, if it is due or the run has ended."""
        if self.writes and (training.status.finished or time.monotonic() - self.written >= self.every):
            self.write(training)

    def due(self) -> bool:
        """Whether a checkpoint should be written within an epoch: writing takes a small share of the time at most."""
        return self.writes and time.monotonic() - self.written >= max(self.every, self.took / MAX_SHARE)

    def write(self, training: Training) -> None:
        """Write now."""
        if not self.writes:
            return
        begin = time.monotonic()
        values, tensors = training.state()
        write_tensors(self._path(training), KIND, VERSION, {"identity": self.identity, "run": values}, tensors)
        self.written = time.monotonic()
        self.took = self.written - begin

    def _path(self, training: Training) -> Path:
        return self.folder / f"stage-{training.stage}.safetensors"


def identify(rows: Rows, settings: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the rows and settings that a checkpoint belongs to.

    Settings come first, because another seed changes the split, which is not other data.
    """
    data = hashlib.sha256()
    for part in range(4):
        for batch in rows.batches(max(1, VALUES // max(1, rows[:1].x.numel()))):
            if (values := batch.parts[part]) is not None:
                data.update(values.cpu().contiguous().numpy().data)
    text = json.dumps(settings, sort_keys=True, default=str)
    return {"settings": hashlib.sha256(text.encode()).hexdigest(), "data": data.hexdigest()}
