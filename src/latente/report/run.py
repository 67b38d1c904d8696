"""A run in Python: what a run folder holds, read when it is first asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latente.certificate import Certificate
from latente.errors import StorageError
from latente.folders import finish
from latente.model.parts import Part
from latente.report.run_folder import (
    CERTIFICATE,
    CHECKPOINT,
    DRAWN,
    HISTORY,
    METRICS,
    MODEL,
    PICTURES,
    REPORT,
    SURVEY,
    missing_parts,
    read_certificate,
)

if TYPE_CHECKING:
    from latente.estimator import VAE

DATA_FILES = r"\.(csv|tsv|txt|parquet|npy|npz)(\.gz)?$"
PARTS = {"history": HISTORY, "metrics": METRICS, "certificate": CERTIFICATE, "report": REPORT, "survey": SURVEY}


class Run:
    """What ``latente fit`` leaves in a folder; made by :func:`open_run`.

    Args:
        path: the model file.
        parts: the user's own part classes in the model.
    """

    def __init__(self, path: Path, parts: Iterable[type[Part]] = ()) -> None:
        self.path, self._parts = path, tuple(parts)

    @property
    def folder(self) -> Path:
        """Where the run is."""
        return self.path.parent

    @cached_property
    def model(self) -> VAE:
        """The fitted estimator. Change it and save it elsewhere: the run stays as it is."""
        from latente.estimator import load

        return load(self.path, self._parts)

    @cached_property
    def certificate(self) -> Certificate | None:
        """The certificate of this model; None where none was made.

        Raises:
            StorageError: it can't be read, or is of another model.
        """
        return read_certificate(self.folder, self.path) if (self.folder / CERTIFICATE).exists() else None

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What was measured in training, and the notes, plain values only; empty where there is no metrics.json.

        Raises:
            StorageError: it can't be read.
        """
        path = self.folder / METRICS
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except (OSError, ValueError, RecursionError) as error:
            raise StorageError(f"{path} can't be read: {error}") from error
        if not isinstance(found, dict):
            raise StorageError(f"{path} holds no record of what was measured")
        return found

    @property
    def history(self) -> list[dict[str, float]]:
        """A record for each epoch."""
        return self.model.history_

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters of the fit, with the seed that was used."""
        return {**self.model.get_params(deep=False), "recipe": self.model.recipe_.name, "random_state": self.model.seed_}

    @property
    def notes(self) -> list[str]:
        """Sentences on data and fit."""
        return self.model.notes_

    @property
    def paths(self) -> dict[str, Path]:
        """Where the parts that exist are: "model", "history", "metrics", "certificate", "report", "survey", and the figures."""
        places = PARTS | dict(zip(DRAWN, PICTURES, strict=True))
        found = {name: self.folder / place for name, place in places.items()}
        return {"model": self.path} | {name: path for name, path in found.items() if path.exists()}

    @property
    def missing(self) -> list[str]:
        """Names of the parts that could not be made."""
        return missing_parts(self.folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {', '.join(self.paths)})"


def open_run(folder: str | Path, parts: Iterable[type[Part]] = ()) -> Run:
    """The run in a folder: its model, certificate, history, settings, and where its report and figures are.

    Args:
        folder: of the run, as ``latente fit`` wrote it; or a model file, beside which the other parts are looked for.
        parts: the user's own part classes in the model.

    Raises:
        StorageError: there is no run.

    >>> import tempfile
    >>> import numpy as np
    >>> from latente import VAE
    >>> vae = VAE(max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(50, 3)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = vae.save(f"{folder}/model.safetensors")
    ...     run = open_run(folder)
    ...     sorted(run.paths), run.model.latent_dim_ == vae.latent_dim_, run.certificate
    (['model'], True, None)
    """
    return Run(model_file(folder), parts)


def model_file(run: str | Path) -> Path:
    """Where the model of a run is.

    Raises:
        StorageError: there is none.
    """
    path, told = Path(run), str(run)
    finish(path)
    if not path.exists():
        raise StorageError(f"there is no run folder and no model file {told!r}; 'latente fit DATA -o {run}' makes one")
    if not path.is_dir():
        if re.search(DATA_FILES, path.name, re.IGNORECASE):
            raise StorageError(
                f"{told!r} is data, and no run: name here the folder of a run, such as 'latente fit {run}' makes"
            )
        return path
    if not (path / MODEL).exists():
        unfinished = (path / CHECKPOINT).is_dir()
        hint = "its fit was not finished: go on with 'latente fit … --resume'" if unfinished else f"there is no {MODEL} in it"
        raise StorageError(f"{told!r} is not a run folder with a model: {hint}")
    return path / MODEL
