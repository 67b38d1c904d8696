"""Anomalies of series: a score for each step from the windows that hold it, events, and what was expected."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.data import Series, SeriesCodec
from latente.errors import warn
from latente.fitted import Fitted
from latente.rows import Rows
from latente.seeding import seeded
from latente.tasks.anomalies import blame, field_surprise
from latente.tasks.detectors import chosen, combined, rank, strangeness
from latente.tasks.scores import Asked
from latente.threads import USUAL, on_threads
from latente.training.usual import p_values, threshold

Values = NDArray[np.float64]
DRAWS = 32  # of p(x|z), for the width of a band
BAND = 1.645  # standard deviations that hold 90% of normal values
TINY = 1e-9
TOGETHER = 4  # events that are less than a quarter of a window apart are one


def anomalies(fitted: Fitted, series: Series, rows: Rows, asked: Asked) -> dict[str, Any]:
    """The columns of :meth:`latente.VAE.anomalies` for the rows of a table of series."""
    assert isinstance(fitted.codec, SeriesCodec)
    weights = chosen(fitted, asked.score)
    each = strangeness(fitted, rows, tuple(weights))
    usual = combined(fitted.usual, weights, {name: torch.from_numpy(fitted.usual.of(name)) for name in weights})
    on_steps = of_steps(series, combined(fitted.usual, weights, each))
    blocks: int | None = fitted.figures.get("held_out_blocks")
    strange = on_steps[series.grid.places]
    p = p_values(strange, usual, blocks)
    columns = fitted.codec.labels(series)
    columns |= {"score": -strange, "anomaly": strange - threshold(usual, asked.rate, blocks), "p_value": p}
    columns["rank"] = rank(strange)
    columns["anomalous"] = selected = _selected(asked, p, blocks or len(usual))
    columns["event"] = events(series, selected)
    if not isinstance(asked.score, str):
        columns |= {name: of_steps(series, values.numpy())[series.grid.places] for name, values in each.items()}
    columns["fields"] = _fields(fitted, series, rows)
    return columns | expected(fitted, series, rows)


def _selected(asked: Asked, p: Values, count: int) -> NDArray[np.bool_]:
    """Which steps are anomalous; if no p-value can be low enough, those that are stranger than all held-out windows."""
    least = 1 / (count + 1)
    if asked.fdr is not None or least <= asked.rate:
        return asked.selected(p, count)
    few = f"the fit held out {count} windows without overlap, so no p-value is below 1/{count + 1}"
    warn(f"{few}: steps that are stranger than all of them are selected (see validation_fraction and window)")
    return p <= least + TINY


def of_steps(series: Series, scores: Values) -> Values:
    """Scores of windows [N] averaged over the windows that hold a step, [S]."""
    return series.mean(np.broadcast_to(scores[:, None], series.indices.shape))


def events(series: Series, selected: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The number of the event of each row, in order of time; 0 for none. Neighbouring selected steps are one event."""
    grid = series.grid
    steps = np.flatnonzero(np.bincount(grid.places[selected], minlength=grid.steps))
    entity = np.searchsorted(grid.starts, steps, side="right")
    apart = (np.diff(steps, prepend=-series.window) > max(1, series.window // TOGETHER)) | (np.diff(entity, prepend=0) > 0)
    numbers = np.zeros(grid.steps, np.intp)
    numbers[steps] = np.cumsum(apart)
    return np.where(selected, numbers[grid.places], 0)


def surprise(fitted: Fitted, series: Series, rows: Rows) -> dict[str, Any]:
    """By how many nats -log p of each channel exceeds what is usual at a step, for each row; 0 where it is missing."""
    assert isinstance(fitted.codec, SeriesCodec)
    excess, usual = _surprise(fitted, series, rows)
    observed = fitted.codec.on_grid(fitted.codec.table.encode(series.table), series.grid)[1].numpy()
    found = np.where(observed[series.grid.places], excess - usual, 0.0)
    return fitted.codec.labels(series) | dict(zip(fitted.codec.channels, found.T, strict=True))


def _surprise(fitted: Fitted, series: Series, rows: Rows) -> tuple[Values, Values]:
    """-log p of each channel at the steps of rows, [T, C], and its usual value, [C]."""
    found = field_surprise(fitted.row_model, rows).view(rows.x.shape).mT.double().numpy()
    return series.mean(found)[series.grid.places], fitted.calibration.surprise.reshape(rows.x.shape[1:]).mean(1)


def _fields(fitted: Fitted, series: Series, rows: Rows) -> list[str]:
    """For each row the channels with the largest surprise beyond what is usual at a step."""
    assert isinstance(fitted.codec, SeriesCodec)
    found, usual = _surprise(fitted, series, rows)
    return blame(torch.from_numpy(found), usual, fitted.codec.channels)


def expected(fitted: Fitted, series: Series, rows: Rows) -> dict[str, Values]:
    """What the model expects of the numbers of each row, and a band that holds 90% of usual values, by name."""
    assert isinstance(fitted.codec, SeriesCodec)
    mean, spread = (series.mean(values.mT.numpy())[series.grid.places] for values in _band(fitted, rows))
    ends = {"expected": mean, "low": mean - BAND * spread, "high": mean + BAND * spread}
    found = {end: fitted.codec.numbers(values) for end, values in ends.items()}
    return {f"{name}_{end}": found[end][name] for name in found["expected"] for end in ends}


@torch.no_grad()
@on_threads(USUAL)
def _band(fitted: Fitted, rows: Rows) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of p(x|z) at the code of each window, [N, C, L] each."""
    means, spreads = [], []
    with seeded(fitted.seed):
        for batch in rows.batches(2048):
            px = fitted.model.typical(batch)
            drawn = torch.stack([px.sample()[0] for _ in range(DRAWS)])
            means.append(px.mean[0].view_as(batch.x))
            spreads.append(drawn.std(0).view_as(batch.x))
    return torch.cat(means), torch.cat(spreads)
