"""The run folder: a trained model with what was measured while it trained, and pictures of what it does.

::

    RUN/model.safetensors    the model, all that the other commands need
        history.csv          a line an epoch
        metrics.json         what was measured in training, and remarks
        certificate.json     what was measured of the latent space
        figures/*.png        reconstructions, samples, latent_map, training_curve
        checkpoint/          while a fit runs: what it needs to go on after a kill
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latente.certificate import Certificate
from latente.data import Images, Table, read
from latente.data.sources import to_channels_first
from latente.errors import DataError, LatenteError, LatenteWarning, StorageError
from latente.files import write_text
from latente.rows import expanded, levels_of
from latente.version import __version__

if TYPE_CHECKING:
    from latente.estimator import VAE

Array = NDArray[Any]

MODEL, HISTORY, METRICS, FIGURES, CHECKPOINT = "model.safetensors", "history.csv", "metrics.json", "figures", "checkpoint"
CERTIFICATE = "certificate.json"
DRAWN_ROWS = 2000
SHOWN_PICTURES, DRAWN_PICTURES = 10, 64
WORTH_A_COLOUR = 0.25


def claim(folder: str | Path) -> Path:
    """A folder that a run can be written to: new, empty, or that of an earlier run. Makes nothing.

    Raises:
        StorageError: it holds other things, or can't be written to.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file; a run needs a folder of its own")
    if folder.is_dir() and any(folder.iterdir()) and not is_run(folder):
        raise StorageError(f"{folder} is neither empty nor a run folder, and nothing in it is touched; name another with -o")
    parent = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not parent.is_dir():
        raise StorageError(f"can't write {folder}: {parent} is a file, not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StorageError(f"can't write {folder}: nothing can be written in the folder {parent}")
    return folder


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, finished or not."""
    return (folder / MODEL).is_file() or (folder / CHECKPOINT).is_dir()


def write_run(vae: VAE, data: Any, folder: str | Path, figures: bool = True) -> dict[str, Path]:
    """Write the run folder of a fitted estimator.

    The model is written first; a figure that can't be drawn is a LatenteWarning, and the model stays.

    Args:
        vae: the fitted estimator.
        data: what it was fitted on, or more of its kind: whatever ``fit`` takes.
        folder: where to; that of an earlier run is written over, file by file.
        figures: whether to draw them.

    Returns:
        Where everything is: ``model``, ``history``, ``metrics`` and the figures by their names.

    Raises:
        StorageError: the folder holds other things, or can't be written to.
    """
    folder = claim(folder)
    paths = {"model": vae.save(folder / MODEL)}
    paths["history"] = write_text(folder / HISTORY, history_text(vae.history_))
    paths["metrics"] = write_text(folder / METRICS, json.dumps(metrics(vae), indent=2) + "\n")
    (folder / CERTIFICATE).unlink(missing_ok=True)  # that of an earlier model
    drawn = some_rows(read(data), vae.seed_) if figures else None
    for name, draw in DRAWINGS.items():
        path = folder / FIGURES / f"{name}.png"
        if drawn is not None and _drawn(draw, vae, drawn, path):
            paths[name] = path
        else:
            path.unlink(missing_ok=True)  # that of an earlier model
    return paths


def write_certificate(certificate: Certificate, folder: Path) -> Path:
    """Write a certificate into a run folder."""
    return write_text(folder / CERTIFICATE, certificate.to_json())


def read_certificate(folder: Path) -> Certificate:
    """The certificate of a run folder.

    Raises:
        StorageError: there is none, or it can't be read.
    """
    path = folder / CERTIFICATE
    try:
        return Certificate.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise StorageError(f"there is no {CERTIFICATE} in {folder}: name the data that the model was fitted on") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} can't be read: {error}; name the data that the model was fitted on") from error


def _drawn(draw: Drawing, vae: VAE, data: Table | Images, path: Path) -> bool:
    """Whether a figure could be drawn; where not, a warning says why."""
    from latente.report import figures

    try:
        figures.save(draw(vae, data), path)
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


# ------------------------------------------------------------------------------------------------------------- figures


def some_rows(data: Table | Images, seed: int, most: int = DRAWN_ROWS) -> Table | Images:
    """At most so many rows, drawn at random, in a random order."""
    return taken(data, np.random.default_rng(seed).permutation(len(data))[:most])


def taken(data: Table | Images, rows: Array | Sequence[int]) -> Table | Images:
    """Some rows, by their numbers."""
    if isinstance(data, Table):
        return replace(data, values=data.values[np.asarray(rows)])
    return replace(data, pixels=data.pixels[np.asarray(rows)])


def values_of(data: Any, names: Sequence[str] | None = None) -> Array:
    """A table's columns of these ``names`` as ``[N, F]``, or pictures as ``[N, H, W]`` or ``[N, H, W, C]``; in user's units."""
    data = read(data)
    if isinstance(data, Table):
        return data.values[:, [data.names.index(name) for name in names or data.names]]
    return channels_last(data.pixels)


def channels_last(pixels: Array) -> Array:
    """``[N, C, H, W]`` as ``[N, H, W]`` where there is one channel, else as ``[N, H, W, C]``."""
    return pixels[:, 0] if pixels.shape[1] == 1 else np.moveaxis(pixels, 1, -1)


def made_of(vae: VAE, result: Any, names: Sequence[str] | None = None) -> Array:
    """What the estimator gave back, as :func:`values_of` has the data."""
    codec: Any = vae.codec_
    return (
        values_of(result, names)
        if codec.kind == "table"
        else channels_last(to_channels_first(np.asarray(result), codec.layout))
    )


def drawn_columns(vae: VAE, data: Table | Images) -> tuple[str, ...] | None:
    """Names of a table's columns of numbers that the model knows.

    Raises:
        LatenteError: there are none.
    """
    if not isinstance(data, Table):
        return None
    codec: Any = vae.codec_
    drawn = {
        name
        for name, center, count in zip(codec.names, codec.center, codec.counts, strict=True)
        if not math.isnan(center) and not count
    }
    names = tuple(name for column, name in enumerate(data.names) if column not in data.levels and name in drawn)
    if not names:
        raise DataError("there is no column of numbers to draw")
    return names


def draw_reconstructions(vae: VAE, data: Table | Images) -> Any:
    """Originals beside what the model makes of them."""
    from latente.report import figures

    names = drawn_columns(vae, data)
    data = data if isinstance(data, Table) else taken(data, range(min(SHOWN_PICTURES, len(data))))
    return figures.reconstructions(values_of(data, names), made_of(vae, vae.reconstruct(data), names), names=names)


def draw_samples(vae: VAE, data: Table | Images) -> Any:
    """New rows, and how they compare with the data."""
    from latente.report import figures

    names = drawn_columns(vae, data)
    generated = made_of(vae, vae.sample(len(data) if isinstance(data, Table) else DRAWN_PICTURES), names)
    return figures.samples(generated, values_of(data, names), names=names)


def draw_training_curve(vae: VAE, data: Table | Images) -> Any:
    """How training went."""
    from latente.report import figures

    loss = "−ELBO" if vae.model_.is_stochastic else "−log p(x|z)"
    return figures.training_curve(vae.history_, vae.figures_["best_epoch"] or None, loss_name=loss)


def draw_latent_map(vae: VAE, data: Table | Images) -> Any:
    """The codes of the data in the two dimensions that say most of a row, coloured by what follows the map."""
    from latente.report import figures

    codes, names, measures = vae.transform(data), list(vae.get_feature_names_out()), measures_of(vae, data)
    if codes.shape[1] == 1:
        name = best_explained(codes, measures)[0]
        return figures.latent_map(np.column_stack([codes, measures[name]]), axis_names=(names[0], name))
    fields = vae.codec_.fields
    pair = most_telling(codes, expanded(vae.codec_.encode(data).x.flatten(1), levels_of(fields)).numpy())
    name, share = best_explained(codes[:, pair], measures)
    return figures.latent_map(
        codes[:, pair],
        measures[name] if share > WORTH_A_COLOUR else None,
        law=law_on(vae.law_, pair),
        title="" if codes.shape[1] == 2 else f"2 of the code's {codes.shape[1]} dimensions: those that say most of a row",
        colour_name=name,
        axis_names=(names[pair[0]], names[pair[1]]),
    )


def most_telling(codes: Array, rows: Array) -> list[int]:
    """The two dimensions of codes ``[N, d]`` that explain most of the variance of encoded rows ``[N, F]``, each by itself.

    The variance of a code says nothing here: all dimensions that a VAE uses have about that of the prior.
    """
    z = codes - codes.mean(axis=0)
    shared = z.T @ (rows - rows.mean(axis=0)) / np.maximum(np.linalg.norm(z, axis=0), 1e-12)[:, None]
    return [int(k) for k in np.argsort(-np.square(shared).sum(axis=1), kind="stable")[:2]]


def law_on(law: Any, dimensions: Sequence[int]) -> tuple[Array, Array, Array]:
    """Means, covariances and weights of a fitted mixture in some of its dimensions."""
    pair = list(dimensions)
    covariances = (law.cholesky @ law.cholesky.mT).numpy()
    return law.means.numpy()[:, pair], covariances[:, pair][:, :, pair], law.weights.numpy()


def measures_of(vae: VAE, data: Table | Images) -> dict[str, Array]:
    """What a map can be coloured by: each column of numbers of a table, the brightness of pictures."""
    if isinstance(data, Table):
        names = drawn_columns(vae, data)
        return dict(zip(names or (), values_of(data, names).T.astype(float), strict=True))
    pixels = data.pixels.reshape(len(data), -1).astype(float)
    seen = np.isfinite(pixels)
    return {"mean brightness": np.where(seen, pixels, 0.0).sum(1) / np.maximum(seen.sum(1), 1)}


def best_explained(codes: Array, measures: Mapping[str, Array]) -> tuple[str, float]:
    """The measure of whose variance a straight line through the codes explains the largest share, and that share."""
    shares = {name: _explained(codes, measure) for name, measure in measures.items()}
    name = max(shares, key=lambda name: shares[name])
    return name, shares[name]


def _explained(codes: Array, measure: Array) -> float:
    seen = np.isfinite(measure)
    if seen.sum() < 3 or not np.ptp(measure[seen]) > 0:
        return -math.inf
    known = np.column_stack([codes[seen], np.ones(int(seen.sum()))]).astype(float)
    scaled = (measure[seen] - measure[seen].mean()) / measure[seen].std()
    left = scaled - known @ np.linalg.lstsq(known, scaled, rcond=None)[0]
    return float(1 - left.var())


Drawing = Callable[["VAE", "Table | Images"], Any]
DRAWINGS: dict[str, Drawing] = {
    "reconstructions": draw_reconstructions,
    "samples": draw_samples,
    "latent_map": draw_latent_map,
    "training_curve": draw_training_curve,
}
