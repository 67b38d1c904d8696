"""Scores of rows in the user's units: of whole rows, of their columns, and in comparison with held-out rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
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
from latente.tasks.detectors import batches_of, chosen, combined, field_surprise_of, rank, scores_of
from latente.tasks.reasons import explanations, fields, spread_out, to_explain
from latente.threads import USUAL, on_threads
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
    return anomalies_of_each(fitted, rows, asked, (len(rows),))[0]


def anomalies_of_each(fitted: Fitted, rows: Rows, asked: Asked, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """The same of several requests for so many rows each, which are computed together: ranks, and the rows that are selected,
    are of one request.
    """
    columns = by_row(fitted, rows, asked)
    tell_unscored(~np.isnan(columns["score"]))
    starts = np.cumsum([0, *sizes])
    found = [_of_request(fitted, columns, slice(*ends), asked) for ends in pairwise(starts.tolist())]
    if "fields" in columns:
        explained = [to_explain(-each["score"], each["anomalous"]) for each in found]
        chosen_rows = np.concatenate([start + places for start, places in zip(starts, explained, strict=False)])
        texts = iter(explanations(fitted, rows[torch.from_numpy(chosen_rows)]))
        for each, places in zip(found, explained, strict=True):
            each["expected"] = spread_out(list(islice(texts, len(places))), places, len(each["score"]))
    return found


def anomalies_of_parts(fitted: Fitted, parts: Iterable[Rows], asked: Asked) -> dict[str, Any]:
    """The columns of :meth:`latente.VAE.anomalies` of pictures that are read a few at a time."""
    each = [by_row(fitted, rows, asked) for rows in parts]
    columns: dict[str, Any] = {
        name: None if one is None else np.concatenate([part[name] for part in each]) for name, one in each[0].items()
    }
    tell_unscored(~np.isnan(columns["score"]))
    return _of_request(fitted, columns, slice(None), asked)


def _of_request(fitted: Fitted, columns: Mapping[str, Any], own: slice, asked: Asked) -> dict[str, Any]:
    """The columns of some rows, with their ranks and selection."""
    found: dict[str, Any] = {name: None if values is None else values[own] for name, values in columns.items()}
    found["rank"] = rank(-found["score"])
    found["anomalous"] = asked.selected(found["p_value"], len(fitted.usual.held_out[0]))
    return found


@torch.no_grad()
@on_threads(USUAL)
def by_row(fitted: Fitted, rows: Rows, asked: Asked = Asked()) -> dict[str, Any]:
    """The same columns, as far as they do not depend on other rows: without ``expected``, and with None as ``rank`` and
    ``anomalous``.
    """
    weights, scored = chosen(fitted, asked.score), observed_rows(rows).numpy()
    batches = batches_of(fitted, rows)
    each = scores_of(batches, tuple(weights))
    of_usual = {name: torch.from_numpy(fitted.usual.of(name)) for name in weights}
    usual, found = (combined(fitted.usual, weights, values) for values in (of_usual, each))
    strange = np.where(scored, found, np.nan)
    margin = strange - threshold(usual, asked.rate)
    columns: dict[str, Any] = {"score": -strange, "anomaly": margin, "p_value": p_values(strange, usual)}
    columns |= {"rank": None, "anomalous": None}
    if not isinstance(asked.score, str):
        columns |= {name: np.where(scored, values.numpy(), np.nan) for name, values in each.items()}
    if layout_of(fitted.codec.fields) == SCALAR:
        columns["fields"] = fields(fitted, field_surprise_of(batches), scored)
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
