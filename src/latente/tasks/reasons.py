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
ROWS_AT_ONCE = 16  # that are explained together
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
    """The column ``expected`` of some rows. Draws of a separate row model do not depend on other rows."""
    together = ROWS_AT_ONCE if fitted.row_model is not fitted.model else 1
    return [text for batch in rows.batches(together) for text in _expected(fitted, batch)]


def spread_out(texts: list[str], places: NDArray[np.intp], n: int) -> list[str]:
    """``n`` texts, empty but at some places."""
    found = [""] * n
    for place, text in zip(places.tolist(), texts, strict=True):
        found[place] = text
    return found


@torch.no_grad()
@on_threads(USUAL)
def _expected(fitted: Fitted, rows: Rows) -> list[str]:
    """The strangest fields of rows, each hidden in turn, and what the model expects of it given the others."""
    mask = torch.ones_like(rows.x, dtype=torch.bool) if rows.mask is None else rows.mask
    excess = field_surprise(fitted.row_model, rows).double() - torch.from_numpy(fitted.calibration.surprise)
    order = excess.argsort(1, descending=True)[:, :FIELDS]
    chosen = (mask & (excess > 0)).gather(1, order)
    if not chosen.any():
        return [""] * len(rows)
    places, fields = torch.nonzero(chosen)[:, 0], order[chosen]
    turns = torch.arange(len(fields))
    observed = mask[places]
    observed[turns, fields] = False
    x = rows.x[places]
    hidden = Rows(torch.where(observed, x, 0.0), observed, None if rows.context is None else rows.context[places])
    low, high, likely = _completed(fitted, hidden, fields).tolist()
    found: list[list[str]] = [[] for _ in range(len(rows))]
    for place, *told in zip(places.tolist(), fields.tolist(), x[turns, fields].tolist(), low, high, likely, strict=True):
        found[place].append(_one(fitted.codec, *told))
    return ["; ".join(filter(None, texts)) for texts in found]


def _completed(fitted: Fitted, hidden: Rows, field: Tensor) -> Tensor:
    """Both ends of an interval, and what is expected, of one field of each row, [3, B]."""
    model, row = fitted.row_model, torch.arange(len(hidden))
    with seeded(fitted.seed):
        noise = torch.randn(DRAWS, 1, model.noise_size + hidden.x.shape[1]).expand(-1, len(hidden), -1)
        fields, weights = model.complete(hidden, noise)
        drawn = fields.sample()[:, row, field].unsqueeze(-1)
    ends = imputation.narrowest(drawn, weights, fitted.calibration.share_for(SHARE))
    return torch.cat([ends.squeeze(-1), fields.average(weights)[row, field].unsqueeze(0)])


def _one(codec: Any, field: int, value: float, low: float, high: float, likely: float) -> str:
    """One field in words; nothing where its value is what is expected."""
    name, told = codec.fields[field].name, partial(codec.told, place=field)
    if codec.fields[field].kind == CATEGORICAL:
        return "" if round(value) == round(likely) else f"{name} {told(value)}, expected {told(likely)}"
    return "" if low <= value <= high else f"{name} {told(value)}, expected {told(low)} to {told(high)}"
