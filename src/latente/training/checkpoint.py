"""Checkpoints: what a run needs to go on after a kill as if nothing had happened.

A fit is a sequence of stages (short trials with different seeds, the main run, a remedy). Each stage has a file; a fit that is
taken up again goes through the same sequence and finds every stage where it was left.
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

VERSION = 1
KIND = "checkpoint"


class Content(msgspec.Struct, forbid_unknown_fields=True):
    """The values of a file: of which data and settings it is, and where the run was."""

    identity: dict[str, str]
    run: dict[str, Any]


class Checkpoints:
    """The checkpoints of one fit in one folder.

    Args:
        folder: where they are; made when the first is written.
        identity: digest of data, recipe and settings (see :func:`identify`); a checkpoint of another is refused.
        every: seconds between two writes.
    """

    def __init__(self, folder: str | Path, identity: Mapping[str, str], every: float = 5.0) -> None:
        self.folder, self.identity, self.every = Path(folder), dict(identity), every
        self.written = time.monotonic()

    def begin(self) -> None:
        """Make the folder: from now on there is something to resume.

        Raises:
            StorageError: it can't be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"can't write {self.folder}: {error.strerror or error}") from error

    def clear(self) -> None:
        """Remove them all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def restore(self, training: Training) -> None:
        """Put a run where its stage was left, if it was ever begun.

        Raises:
            StorageError: the checkpoint is of other data or of another recipe, or damaged.
        """
        path = self._path(training)
        if not path.exists():
            return
        values, tensors = read_tensors(path, KIND, VERSION)
        try:
            content: Content = checked(values, Content, "the checkpoint")
            for what, digest in self.identity.items():
                if content.identity.get(what) != digest:
                    raise StorageError(f"it is of a run with other {what}, which can't go on with these")
            training.restore(content.run, tensors)
        except StorageError as error:
            raise StorageError(f"{path}: {error}; leave out --resume") from error

    def after_epoch(self, training: Training) -> None:
        """Write, if it is time or the run is over."""
        if training.status.finished or time.monotonic() - self.written >= self.every:
            self.write(training)

    def write(self, training: Training) -> None:
        """Write now."""
        values, tensors = training.state()
        write_tensors(self._path(training), KIND, VERSION, {"identity": self.identity, "run": values}, tensors)
        self.written = time.monotonic()

    def _path(self, training: Training) -> Path:
        return self.folder / f"stage-{training.stage}.safetensors"


def identify(rows: Rows, settings: Mapping[str, Any]) -> dict[str, str]:
    """Digests that tell whether a checkpoint belongs to these rows and these settings.

    Settings come first: another seed holds out other rows, and is not other data.
    """
    data = hashlib.sha256(rows.x.cpu().contiguous().numpy().data)
    for part in (rows.mask, rows.context):
        if part is not None:
            data.update(part.cpu().contiguous().numpy().data)
    text = json.dumps(settings, sort_keys=True, default=str)
    return {"settings": hashlib.sha256(text.encode()).hexdigest(), "data": data.hexdigest()}
