"""What the figures of a report show besides the rows: dimensions of the code, errors of reconstructions, strange rows."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.decomposition import PCA

from latente.certificate import information
from latente.certificate.subjects import column_means, spread_out
from latente.data import decoded
from latente.model.posteriors import DiagonalNormalPosterior
from latente.model.priors import StandardNormalPrior
from latente.report.report_data import Array, ReportData
from latente.rows import IMAGE, SCALAR, levels_of
from latente.tasks.anomalies import IMPORTANCE_SAMPLES
from latente.tasks.detectors import OF_LOG_PROB, chosen
from latente.tasks.reconstruct import decode, reconstruct
from latente.tasks.scores import by_row, excess
from latente.words import word

MAX_TRAVERSED, STEPS = 8, np.linspace(-2.0, 2.0, 7)
MAX_JUDGED, MIN_JUDGED = 500, 50  # rows with errors and anomaly scores
MAX_OPERATIONS = 2e9  # multiply-adds of all scores: half a second


def kl(shown: ReportData) -> Array | None:
    """Mean KL of each dimension of the code, [d]; None unless posteriors are diagonal normals and the prior is N(0, I)."""
    model = shown.vae.model_
    if model.posterior.name != DiagonalNormalPosterior.name or model.prior.name != StandardNormalPrior.name:
        return None
    q = shown.posterior
    mean, variance = q.code.double().numpy(), np.square(q.deviation.double().numpy())
    return np.asarray(0.5 * (np.square(mean) + variance - 1 - np.log(variance)).mean(0))


def traversed(shown: ReportData) -> Any:
    """Decoded rows along each of the most informative dimensions, for :func:`latente.report.figures.traversal`."""
    dimensions, codec = shown.order[:MAX_TRAVERSED], shown.vae.codec_
    middle, spread = shown.codes.mean(0), shown.codes.std(0)
    steps = np.eye(len(middle))[dimensions][:, None, :] * STEPS[None, :, None] * spread
    z = torch.from_numpy((middle + steps).reshape(-1, len(middle))).float()
    model = shown.vae.model_
    x = decode(model, model.space.project(z))
    if shown.layout == IMAGE:
        pictures = np.asarray(decoded(codec, x))
        return pictures.reshape(len(dimensions), len(STEPS), *pictures.shape[1:])
    away = x.reshape(len(dimensions), len(STEPS), -1).double().numpy() / deviations(shown)
    away = away - away.mean(1, keepdims=True)
    levels = levels_of(codec.fields) or (0,) * len(shown.names)
    numbers = [f for f, count in enumerate(levels) if not count]
    return [{shown.names[f]: one[:, f] for f in numbers} for one in away]


def deviations(shown: ReportData) -> Array:
    """Standard deviation of each encoded value, [F]; 1 if it does not vary, or is a level."""
    x, mask = shown.encoded.x.flatten(1).double(), shown.encoded.mask
    values = x.numpy() if mask is None else x.masked_fill(~mask.flatten(1), np.nan).numpy()
    with np.errstate(invalid="ignore"):
        found = np.nan_to_num(np.nanstd(values, axis=0) if len(values) else np.ones(values.shape[1]))
    levels = np.array(levels_of(shown.vae.codec_.fields) or [0] * len(found)) > 0
    return np.where((found > 0) & ~levels, found, 1.0)


class Rebuilt(NamedTuple):
    """Reconstructions of some rows: encoded, [n, F], and their absolute errors in standard deviations, [n, F]."""

    x: torch.Tensor
    errors: Array

    @property
    def of_rows(self) -> Array:
        """Root mean square error of each row, [n]."""
        return np.asarray(np.sqrt(np.square(np.nan_to_num(self.errors)).mean(1)))


def rebuilt(shown: ReportData) -> Rebuilt:
    """Of at most 500 rows. The error of a level is 0 or 1; that of a missing value NaN."""
    rows = shown.encoded[:MAX_JUDGED]
    if shown.layout != SCALAR:
        x = reconstruct(shown.vae.model_, rows)
    else:
        x = shown.vae.fitted_.values(shown.reconstructed).x[:MAX_JUDGED]  # decoded once, for the other figures too
    errors = np.abs((x - rows.x.flatten(1)).double().numpy()) / deviations(shown)
    levels = levels_of(shown.vae.codec_.fields)
    if levels:
        errors = np.where(np.array(levels) > 0, errors > 0.5, errors)
    return Rebuilt(x, errors if rows.mask is None else np.where(rows.mask.flatten(1).numpy(), errors, np.nan))


class Strange(NamedTuple):
    """``anomaly`` of some rows, [n], above 0 where they are anomalous, and nats of each value above the usual, [n, F]."""

    scores: Array
    surprise: Array


def strange(shown: ReportData) -> Strange | None:
    """Of at most 500 rows; None if scores would take too long."""
    fitted = shown.vae.fitted_
    draws = IMPORTANCE_SAMPLES if {*OF_LOG_PROB} & {*chosen(fitted, "auto")} and fitted.row_model.noise_size else 1
    count = int(min(MAX_JUDGED, len(shown.data), MAX_OPERATIONS / (draws * information.operations(fitted.model))))
    if count < min(MIN_JUDGED, len(shown.data)):
        return None
    rows = shown.encoded[:count]
    return Strange(by_row(fitted, rows)["anomaly"], np.maximum(excess(fitted, rows), 0.0))


def maps(shown: ReportData) -> dict[str, Array]:
    """Positions of the rows by their codes, by PCA, and by UMAP where umap-learn is installed, [N, 2]."""
    levels = levels_of(shown.vae.codec_.fields)
    values = spread_out(shown.encoded, levels, column_means(shown.encoded, levels)).double().numpy()
    found = {word("codes_map"): shown.codes[:, shown.pair], "PCA": PCA(2, random_state=0).fit_transform(values)}
    if find_spec("umap") is not None:
        found["UMAP"] = import_module("umap").UMAP(random_state=0, n_jobs=1).fit_transform(values)
    return found
