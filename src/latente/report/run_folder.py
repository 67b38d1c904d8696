"""The run folder: a trained model with what was measured while it trained, and pictures of what it does.

::

    RUN/model.safetensors    the model, all that the other commands need
        history.csv          a line an epoch
        metrics.json         what was measured in training, and remarks
        certificate.json     what was measured of the latent space
        survey.safetensors   where codes lie and how columns are spread, for a page of the explorer; no row is in it
        report.html          all of it on one page, with pictures and words
        figures/*.png        reconstructions, samples, latent_map, training_curve
        checkpoint/          while a fit runs: what it needs to go on after a kill

The files of a run are replaced together: an earlier run stays whole until the next one is (:mod:`latente.folders`). Where a
part could not be made, metrics.json says so under "missing".
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latente.certificate import Certificate
from latente.errors import LatenteError, LatenteWarning, StorageError
from latente.files import write_text
from latente.folders import COMMITTED, LOCK, STAGE, hold
from latente.report.shown import Shown
from latente.storage import identity_in
from latente.version import __version__

if TYPE_CHECKING:
    from latente.estimator import VAE

MODEL, HISTORY, METRICS, FIGURES, CHECKPOINT = "model.safetensors", "history.csv", "metrics.json", "figures", "checkpoint"
CERTIFICATE, REPORT, SURVEY = "certificate.json", "report.html", "survey.safetensors"
DRAWN = ("reconstructions", "samples", "latent_map", "training_curve")
PICTURES = tuple(f"{FIGURES}/{name}.png" for name in DRAWN)
FILES = (MODEL, HISTORY, METRICS, CERTIFICATE, REPORT, SURVEY, *PICTURES)


def claim(folder: str | Path) -> Path:
    """A folder that a run can be written to: new, empty, or that of an earlier run. Makes nothing.

    Raises:
        StorageError: it holds other things, or can't be written to.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file; a run needs a folder of its own")
    if folder.is_dir() and any(entry.name not in (LOCK, STAGE) for entry in folder.iterdir()) and not is_run(folder):
        raise StorageError(f"{folder} is neither empty nor a run folder, and nothing in it is touched; name another with -o")
    parent = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not parent.is_dir():
        raise StorageError(f"can't write {folder}: {parent} is a file, not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StorageError(f"can't write {folder}: nothing can be written in the folder {parent}")
    return folder


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, finished or not."""
    return (folder / MODEL).is_file() or (folder / CHECKPOINT).is_dir() or (folder / COMMITTED).is_dir()


def write_run(vae: VAE, data: Any, folder: str | Path, certificate: Certificate | None = None) -> dict[str, Path]:
    """Write the run folder of a fitted estimator; that of an earlier run is replaced whole, or left as it is.

    Args:
        vae: the fitted estimator.
        data: what its figures show, as in :func:`write_parts`.
        folder: where to.
        certificate: of the model, if it was measured.

    Returns:
        Where everything is: ``model``, ``history``, ``metrics``, the figures by their names and the ``certificate``.

    Raises:
        StorageError: the folder holds other things, can't be written to, or another process writes to it.
    """
    with hold(claim(folder)) as held, held.stage() as stage:
        paths = write_parts(vae, data, stage)
        if certificate is not None:
            paths["certificate"] = write_certificate(certificate, stage)
        return held.commit(paths, FILES)


def write_parts(vae: VAE, data: Any, folder: Path) -> dict[str, Path]:
    """Write model, history, metrics and figures of a fitted estimator into a folder that holds none of them.

    A figure that can't be drawn is a LatenteWarning.

    Args:
        vae: the fitted estimator.
        data: what its figures show: what it was fitted on, or more of its kind, whatever ``fit`` takes, or a :class:`Shown`;
            None draws none.
        folder: where to.

    Returns:
        Where everything is: ``model``, ``history``, ``metrics`` and the figures by their names.
    """
    paths = {"model": vae.save(folder / MODEL), "history": write_text(folder / HISTORY, history_text(vae.history_))}
    paths["metrics"] = write_metrics(vae, folder)
    if data is None:
        return paths
    shown = data if isinstance(data, Shown) else Shown(vae, data)
    drawn = {name: folder / picture for name, picture in zip(DRAWN, PICTURES, strict=True)}
    return paths | {name: path for name, path in drawn.items() if _drawn(name, shown, path)}


def write_metrics(vae: VAE, folder: Path, missing: Sequence[str] = ()) -> Path:
    """Write what was measured in training into a run folder, and which parts of it could not be made."""
    values = {**metrics(vae), "missing": list(missing)} if missing else metrics(vae)
    return write_text(folder / METRICS, json.dumps(values, indent=2) + "\n")


def missing_parts(folder: Path) -> list[str]:
    """Names of the parts of a run that could not be made, as its metrics.json says."""
    try:
        return [str(name) for name in json.loads((folder / METRICS).read_text(encoding="utf-8")).get("missing", [])]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def write_certificate(certificate: Certificate, folder: Path) -> Path:
    """Write a certificate into a run folder."""
    return write_text(folder / CERTIFICATE, certificate.to_json())


def read_certificate(folder: Path, model: Path | None = None) -> Certificate:
    """The certificate of a run folder.

    Args:
        folder: the run.
        model: the file of the model that it is to be of; by default that in the folder.

    Raises:
        StorageError: there is none, it can't be read, or it is of another model or does not say of which.
    """
    path = folder / CERTIFICATE
    try:
        found = Certificate.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise StorageError(f"there is no {CERTIFICATE} in {folder}: name the data that the model was fitted on") from error
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{path} can't be read: {error}; name the data that the model was fitted on") from error
    model = model or folder / MODEL
    if found.about.get("model") != identity_in(model):
        raise StorageError(f"{path} is of another model than {model}: name the data that this one was fitted on")
    return found


def _drawn(name: str, shown: Shown, path: Path) -> bool:
    """Whether a figure could be drawn; where not, a warning says why."""
    from latente.report import figures, scenes  # here, for no other command waits for matplotlib

    try:
        figures.save(scenes.scene(name, shown), path)
        return True
    except StorageError:
        raise
    except Exception as error:  # whatever a figure stumbles over, the model is there and of use
        why = str(error) if isinstance(error, LatenteError) else f"{type(error).__name__}: {error}"
        warnings.warn(f"the figure {path.name} could not be drawn ({why}); the model is saved", LatenteWarning, stacklevel=3)
        return False


def history_text(history: Sequence[Mapping[str, float]]) -> str:
    """The records of all epochs as CSV; what a record lacks is left empty."""
    text = io.StringIO()
    names = dict.fromkeys(key for record in history for key in record)
    writer = csv.DictWriter(text, list(names) or ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def metrics(vae: VAE) -> dict[str, Any]:
    """What was measured, and remarks; plain values, None for numbers that are not finite."""
    values = {"latente": __version__, "recipe": vae.recipe_.name, "seed": vae.seed_, **vae.figures_, "notes": list(vae.notes_)}
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()}
