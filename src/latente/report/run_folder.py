"""The run folder: a trained model with its metrics and figures.

::

    RUN/model.safetensors    the model, which is all that the other commands need
        history.csv          one line for each epoch
        metrics.json         figures of the training, and notes
        certificate.json     the certificate of the latent space
        survey.safetensors   density of the codes and histograms, for a page of the explorer; it contains no row
        report.html          the report
        lesson.html          the lesson on these rows, if it was asked for; it contains rows
        figures/*.png        reconstructions, samples, latent_map, training_curve
        checkpoint/          while a fit runs: its state, from which it can be resumed

The files of a run are replaced together: an earlier run stays complete until then (:mod:`latente.folders`). Parts that could
not be written are listed in metrics.json under "missing".
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
from latente.report.report_data import ReportData
from latente.storage import identity_in
from latente.version import __version__

if TYPE_CHECKING:
    from latente.estimator import VAE

MODEL, HISTORY, METRICS, FIGURES, CHECKPOINT = "model.safetensors", "history.csv", "metrics.json", "figures", "checkpoint"
CERTIFICATE, REPORT, SURVEY, LESSON = "certificate.json", "report.html", "survey.safetensors", "lesson.html"
DRAWN = ("reconstructions", "samples", "latent_map", "training_curve")
PICTURES = tuple(f"{FIGURES}/{name}.png" for name in DRAWN)
FILES = (MODEL, HISTORY, METRICS, CERTIFICATE, REPORT, SURVEY, LESSON, *PICTURES)


def claim(folder: str | Path) -> Path:
    """Check that a run can be written to a folder: it is new, empty, or an earlier run. Creates nothing.

    Raises:
        StorageError: it contains other files, or can't be written to.
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
    """Whether a folder is a run folder, finished or not."""
    return (folder / MODEL).is_file() or (folder / CHECKPOINT).is_dir() or (folder / COMMITTED).is_dir()


def write_run(vae: VAE, data: Any, folder: str | Path, certificate: Certificate | None = None) -> dict[str, Path]:
    """Write the run folder of a fitted estimator, atomically; an earlier run is replaced.

    Args:
        vae: the fitted estimator.
        data: rows for its figures, as in :func:`write_parts`.
        folder: the run folder.
        certificate: of the model, if it was measured.

    Returns:
        Paths of ``model``, ``history``, ``metrics``, the figures by name and the ``certificate``.

    Raises:
        StorageError: the folder contains other files, can't be written to, or another process writes to it.
    """
    with hold(claim(folder)) as held, held.stage() as stage:
        paths = write_parts(vae, data, stage)
        if certificate is not None:
            paths["certificate"] = write_certificate(certificate, stage)
        return held.commit(paths, FILES)


def write_parts(vae: VAE, data: Any, folder: Path) -> dict[str, Path]:
    """Write model, history, metrics and figures of a fitted estimator to a folder that does not contain them yet.

    A figure that can't be drawn is a LatenteWarning.

    Args:
        vae: the fitted estimator.
        data: rows for its figures: the training data or similar rows, as for ``fit``, or :class:`ReportData`; None draws none.
        folder: the folder.

    Returns:
        Paths of ``model``, ``history``, ``metrics`` and the figures by name.
    """
    paths = {"model": vae.save(folder / MODEL), "history": write_text(folder / HISTORY, history_text(vae.history_))}
    paths["metrics"] = write_metrics(vae, folder)
    if data is None:
        return paths
    shown = data if isinstance(data, ReportData) else ReportData(vae, data)
    drawn = {name: folder / picture for name, picture in zip(DRAWN, PICTURES, strict=True)}
    return paths | {name: path for name, path in drawn.items() if _drawn(name, shown, path)}


def write_metrics(vae: VAE, folder: Path, missing: Sequence[str] = ()) -> Path:
    """Write the figures of the training to a run folder, and which parts of it are missing."""
    values = {**metrics(vae), "missing": list(missing)} if missing else metrics(vae)
    return write_text(folder / METRICS, json.dumps(values, indent=2) + "\n")


def missing_parts(folder: Path) -> list[str]:
    """Names of the parts of a run that could not be written, from metrics.json."""
    try:
        return [str(name) for name in json.loads((folder / METRICS).read_text(encoding="utf-8")).get("missing", [])]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def write_certificate(certificate: Certificate, folder: Path) -> Path:
    """Write a certificate to a run folder."""
    return write_text(folder / CERTIFICATE, certificate.to_json())


def read_certificate(folder: Path, model: Path | None = None) -> Certificate:
    """The certificate of a run folder.

    Args:
        folder: the run.
        model: the file of its model; by default that in the folder.

    Raises:
        StorageError: there is none, it can't be read, or it is of another or an unnamed model.
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


def _drawn(name: str, shown: ReportData, path: Path) -> bool:
    """Whether a figure could be drawn; if not, a warning is given."""
    from latente.report import figures, scenes  # here, so that other commands do not import matplotlib

    try:
        figures.save(scenes.scene(name, shown), path)
        return True
    except StorageError:
        raise
    except Exception as error:  # any error: the model is still useful
        why = str(error) if isinstance(error, LatenteError) else f"{type(error).__name__}: {error}"
        warnings.warn(f"the figure {path.name} could not be drawn ({why}); the model is saved", LatenteWarning, stacklevel=3)
        return False


def history_text(history: Sequence[Mapping[str, float]]) -> str:
    """The records of all epochs as CSV, with empty fields for values that a record lacks."""
    text = io.StringIO()
    names = dict.fromkeys(key for record in history for key in record)
    writer = csv.DictWriter(text, list(names) or ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def metrics(vae: VAE) -> dict[str, Any]:
    """Figures and notes as plain values, None for numbers that are not finite."""
    values = {"latente": __version__, "recipe": vae.recipe_.name, "seed": vae.seed_, **vae.figures_, "notes": list(vae.notes_)}
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()}
