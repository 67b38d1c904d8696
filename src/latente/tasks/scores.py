"""Scores of rows in the user's units: of whole rows, of their columns, and in comparison with held-out rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latente.data import observed_rows, table_codec
from latente.errors import ModelError, warn
from latente.fitted import Fitted
from latente.parameters import is_share
from latente.rows import IMAGE, SCALAR, Rows, layout_of
from latente.tasks.anomalies import IMPORTANCE_SAMPLES, field_surprise, log_likelihood, log_likelihood_parts
from latente.tasks.detectors import chosen, combined, rank, strangeness
from latente.tasks.reasons import explanations, fields, spread_out, to_explain
from latente.training.calibration import LEVEL
from latente.training.usual import discoveries, p_values, threshold

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


@dataclass(frozen=True)
class Asked:
    """What is asked of anomalies; arguments as of :meth:`latente.VAE.anomalies`.

    Raises:
        ModelError: it can't be asked for.
    """

    score: str | Sequence[str] = "auto"
    fdr: float | None = None
    false_alarm_rate: float | None = None

    def __post_init__(self) -> None:
        for name in ("fdr", "false_alarm_rate"):
            value = getattr(self, name)
            if value is not None and not (is_share(value) and value > 0):
                raise ModelError(f"{name} is None or a share above 0 and below 1, not {value!r}")
        if self.fdr is not None and self.false_alarm_rate is not None:
            raise ModelError("rows are selected by fdr or by false_alarm_rate, not by both")

    @property
    def rate(self) -> float:
        """Share of usual rows above the threshold."""
        return LEVEL if self.false_alarm_rate is None else self.false_alarm_rate

    def selected(self, p: Scores, held_out: int) -> NDArray[np.bool_]:
        """Which rows are anomalies, by their p-values; a warning where held-out rows are too few for any to be one."""
        found = p <= self.rate if self.fdr is None else discoveries(p, self.fdr)
        least = self.false_alarm_rate if self.fdr is None else self.fdr / max(1, len(p))
        if least and not found.any() and 1 / (held_out + 1) > least:
            needed = math.ceil(1 / least) - 1
            few = f"{held_out:,} held-out rows are few: no p-value is below 1/{held_out + 1}"
            warn(f"{few}, and one anomaly by itself would need {needed:,} (see validation_fraction)")
        return found


def anomalies(fitted: Fitted, rows: Rows, asked: Asked = Asked()) -> dict[str, Any]:
    """The columns of :meth:`latente.VAE.anomalies`."""
    columns = by_row(fitted, rows, asked)
    strange = -columns["score"]
    tell_unscored(~np.isnan(strange))
    columns["rank"] = rank(strange)
    columns["anomalous"] = selected = asked.selected(columns["p_value"], len(fitted.usual.held_out[0]))
    if "fields" in columns:
        explained = to_explain(strange, selected)
        columns["expected"] = spread_out(explanations(fitted, rows[torch.from_numpy(explained)]), explained, len(rows))
    return columns


def by_row(fitted: Fitted, rows: Rows, asked: Asked = Asked()) -> dict[str, Any]:
    """The same columns, as far as they do not depend on other rows: without ``expected``, and with None as ``rank`` and
    ``anomalous``.
    """
    weights, scored = chosen(fitted, asked.score), observed_rows(rows).numpy()
    each = strangeness(fitted, rows, tuple(weights))
    of_usual = {name: torch.from_numpy(fitted.usual.of(name)) for name in weights}
    usual, found = (combined(fitted.usual, weights, values) for values in (of_usual, each))
    strange = np.where(scored, found, np.nan)
    margin = strange - threshold(usual, asked.rate)
    columns: dict[str, Any] = {"score": -strange, "anomaly": margin, "p_value": p_values(strange, usual)}
    columns |= {"rank": None, "anomalous": None}
    if not isinstance(asked.score, str):
        columns |= {name: np.where(scored, values.numpy(), np.nan) for name, values in each.items()}
    if layout_of(fitted.codec.fields) == SCALAR:
        columns["fields"] = fields(fitted, rows, scored)
    return columns


def surprise(fitted: Fitted, rows: Rows, framed: Callable[[dict[str, Any]], Any]) -> Any:
    """What :meth:`latente.VAE.surprise` returns; ``framed`` makes a frame of columns."""
    found, fields = excess(fitted, rows), fitted.codec.fields
    if layout_of(fields) == IMAGE:
        return found.reshape(len(rows), *fields[0].shape).sum(1)
    return framed({field.name: column for field, column in zip(fields, found.T, strict=True)})


def excess(fitted: Fitted, rows: Rows) -> Scores:
    """Nats by which -log p of each value exceeds what is usual there, [N, F]; 0 where it is missing."""
    found: Scores = field_surprise(fitted.row_model, rows).double().numpy() - fitted.calibration.surprise
    return found if rows.mask is None else np.where(rows.mask.flatten(1).numpy(), found, 0.0)


def unusual(margin: Scores, offset: float) -> NDArray[np.bool_]:
    """Which rows are below the threshold, by their scores minus the offset."""
    least = -SAME_SCORE * max(1.0, abs(offset))  # the offset is the score of a row, rounded differently
    below: NDArray[np.bool_] = margin < least
    return below


def _scored(rows: Rows) -> NDArray[np.bool_]:
    """Which rows have a score, bool [N]: those with an observed value. A warning counts the others."""
    observed: NDArray[np.bool_] = observed_rows(rows).numpy()
    tell_unscored(observed)
    return observed


def tell_unscored(scored: NDArray[np.bool_]) -> None:
    """Warn of rows without a score, if there are any."""
    if not scored.all():
        told = f"rows without any observed value have no score: {int((~scored).sum()):,}, the first in row"
        warn(f"{told} {int(np.flatnonzero(~scored)[0])} (counted from 0)")
