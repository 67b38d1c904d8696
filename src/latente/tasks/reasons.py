"""Why a row is called strange: its fields, what they hold, and what the model expects of them given the others."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.fitted import Fitted
from latente.rows import CATEGORICAL, Rows
from latente.seeding import seeded
from latente.tasks import imputation
from latente.tasks.anomalies import blame, field_surprise
from latente.threads import USUAL, on_threads

SHARE = 0.9  # of the values that are expected
MAX_EXPLAINED = 200  # rows, the strangest ones
FIELDS = 3
DRAWS = 64  # of completions: the ends of an interval to a few percent of its width


def fields(fitted: Fitted, surprise: Tensor, scored: NDArray[np.bool_]) -> list[str]:
    """The column ``fields``, of rows that have a score, by the surprise of each field, [N, F]."""
    names = tuple(field.name for field in fitted.codec.fields)
    told = blame(surprise, fitted.calibration.surprise, names, FIELDS)
    return [text if has else "" for text, has in zip(told, scored.tolist(), strict=True)]


def to_explain(strange: NDArray[np.float64], selected: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Which rows are explained: the strangest ones of those that are selected, in the order of the rows."""
    chosen = np.flatnonzero(selected)
    return np.sort(chosen[np.argsort(-strange[chosen], kind="stable")][:MAX_EXPLAINED])


def explanations(fitted: Fitted, rows: Rows) -> list[str]:
    """The column ``expected`` of some rows."""
    if not len(rows):
        return []
    excess = field_surprise(fitted.row_model, rows).double() - torch.from_numpy(fitted.calibration.surprise)
    return [_expected(fitted, rows[row : row + 1], excess[row]) for row in range(len(rows))]


def spread_out(texts: list[str], places: NDArray[np.intp], n: int) -> list[str]:
    """``n`` texts, empty but at some places."""
    found = [""] * n
    for place, text in zip(places.tolist(), texts, strict=True):
        found[place] = text
    return found


@torch.no_grad()
@on_threads(USUAL)
def _expected(fitted: Fitted, row: Rows, excess: Tensor) -> str:
    """The strangest fields of one row, each hidden in turn, and what the model expects of it given the others."""
    mask = torch.ones_like(row.x, dtype=torch.bool) if row.mask is None else row.mask
    fields = [f for f in excess.argsort(descending=True)[:FIELDS].tolist() if mask[0, f] and excess[f] > 0]
    if not fields:
        return ""
    turns = torch.arange(len(fields))
    observed = mask.repeat(len(fields), 1)
    observed[turns, fields] = False
    context = None if row.context is None else row.context.repeat(len(fields), 1)
    hidden = Rows(torch.where(observed, row.x, 0.0), observed, context)
    low, high, likely = (values[turns, fields].tolist() for values in _completed(fitted, hidden))
    texts = [_one(fitted.codec, *each) for each in zip(fields, row.x[0, fields].tolist(), low, high, likely, strict=True)]
    return "; ".join(filter(None, texts))


def _completed(fitted: Fitted, hidden: Rows) -> Tensor:
    """Both ends of an interval, and what is expected, of each field of rows, [3, B, F]."""
    model = fitted.row_model
    with seeded(fitted.seed):
        noise = torch.randn(DRAWS, 1, model.noise_size + hidden.x.shape[1]).expand(-1, len(hidden), -1)
        fields, weights = model.complete(hidden, noise)
        ends = imputation.narrowest(fields.sample(), weights, fitted.calibration.share_for(SHARE))
    return torch.cat([ends, fields.average(weights).unsqueeze(0)])


def _one(codec: Any, field: int, value: float, low: float, high: float, likely: float) -> str:
    """One field in words; nothing where its value is what is expected."""
    name, told = codec.fields[field].name, partial(codec.told, place=field)
    if codec.fields[field].kind == CATEGORICAL:
        return "" if round(value) == round(likely) else f"{name} {told(value)}, expected {told(likely)}"
    return "" if low <= value <= high else f"{name} {told(value)}, expected {told(low)} to {told(high)}"
