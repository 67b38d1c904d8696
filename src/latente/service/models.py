"""The models of a service, read again where their files are replaced."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latente.errors import LatenteError, ModelError
from latente.model.doubles import freeze
from latente.report.run import model_file

if TYPE_CHECKING:
    from latente.estimator import VAE

log = logging.getLogger("latente.service")

Stamp = tuple[int, int, int]


class Served:
    """One model and its file.

    Attributes:
        name: in addresses.
        path: of the model file.
        vae: the model, as the file was when it was last read.
        failed: how often a replaced file could not be read.
        read: how often it was read.
    """

    def __init__(self, name: str, path: Path) -> None:
        from latente.estimator import load

        self.name, self.path = name, path
        self._stamp = self._now()
        self.vae: VAE = _frozen(load(path))
        self.read, self.failed = 1, 0

    def refresh(self) -> bool:
        """Read the file again if it was replaced; a file that can't be read leaves the model as it is."""
        from latente.estimator import load

        stamp = self._now()
        if stamp in (self._stamp, None):
            return False
        self._stamp = stamp
        try:
            self.vae = _frozen(load(self.path))
        except LatenteError as error:
            self.failed += 1
            log.warning("%s: the new file was not taken, and the model before it stays: %s", self.name, error)
            return False
        self.read += 1
        log.info("%s: the new file was taken", self.name)
        return True

    def _now(self) -> Stamp | None:
        """What changes when the file is replaced; None while it is not there."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _frozen(vae: VAE) -> VAE:
    """A model that no longer changes."""
    for model in (vae.model_, vae.row_model_):
        freeze(model)
    return vae


def served(runs: Sequence[str | Path]) -> dict[str, Served]:
    """The models of run folders or model files, by name: ``name=path``, or the name of the folder (of a file, its stem).

    Raises:
        StorageError: there is none. ModelError: two have the same name.
    """
    models: dict[str, Served] = {}
    for run in runs:
        name, path = _named(str(run))
        if name in models:
            raise ModelError(f"two models are called {name!r}; name them: latente serve a={models[name].path} b={path}")
        models[name] = Served(name, path)
    return models


def _named(run: str) -> tuple[str, Path]:
    name, equals, rest = run.partition("=")
    path = Path(rest if equals and not Path(run).exists() else run)
    file = model_file(path)
    own = path.resolve().name if path.is_dir() else path.stem
    return (name if str(path) == rest else own), file
