"""Scores of rows in the user's units: of whole rows, of their columns, and in comparison with held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latente.data import observed_rows, table_codec
from latente.errors import warn
from latente.fitted import Fitted
from latente.rows import SCALAR, Rows, layout_of
from latente.tasks.anomalies import IMPORTANCE_SAMPLES, blame, field_surprise, log_likelihood, log_likelihood_parts

SAME_SCORE = 1e-6  # two computations of the same score differ by less

Scores = NDArray[np.float64]


def scores(fitted: Fitted, rows: Rows, importance_samples: int = IMPORTANCE_SAMPLES) -> Scores:
    """Scores [N]; NaN for rows without any observed value, with a warning that counts them."""
    found = fitted.in_units(log_likelihood(fitted.row_model, rows, fitted.seed, importance_samples), rows)
    return np.where(_scored(rows), found, np.nan)


def parts(fitted: Fitted, rows: Rows, importance_samples: int = IMPORTANCE_SAMPLES) -> dict[str, Scores]:
    """Contribution of each column, and of the code, to a row's score, by name."""
    codec, model = table_codec(fitted.codec, "score_parts"), fitted.row_model
    found = log_likelihood_parts(model, rows, fitted.seed, importance_samples)
    found[~_scored(rows)] = np.nan
    densities = model.likelihood.densities(rows.x)
    found[:, :-1] += codec.log_jacobians(rows, densities).numpy()
    names = [field.name for field in codec.fields] + ["(code)"] * bool(model.noise_size)
    return dict(zip(names, found.T, strict=False))


def anomalies(fitted: Fitted, rows: Rows) -> dict[str, Any]:
    """The columns of :meth:`latente.VAE.anomalies`."""
    found = scores(fitted, rows)
    p_values = fitted.calibration.p_values(found)
    columns: dict[str, Any] = {"score": found, "anomaly": fitted.offset - found, "p_value": p_values}
    if layout_of(fitted.codec.fields) == SCALAR:
        names = tuple(field.name for field in fitted.codec.fields)
        told = blame(field_surprise(fitted.row_model, rows), fitted.calibration.surprise, names)
        columns["fields"] = [fields if p == p else "" for fields, p in zip(told, p_values.tolist(), strict=True)]
    return columns


def unusual(margin: Scores, offset: float) -> NDArray[np.bool_]:
    """Which rows are below the threshold, by their scores minus the offset."""
    least = -SAME_SCORE * max(1.0, abs(offset))  # the offset is the score of a row, rounded differently
    below: NDArray[np.bool_] = margin < least
    return below


def _scored(rows: Rows) -> NDArray[np.bool_]:
    """Which rows have a score, bool [N]: those with an observed value. A warning counts the others."""
    observed: NDArray[np.bool_] = observed_rows(rows).numpy()
    if not observed.all():
        told = f"rows without any observed value have no score: {int((~observed).sum()):,}, the first in row"
        warn(f"{told} {int(np.flatnonzero(~observed)[0])} (counted from 0)")
    return observed
