"""Continuations of series: windows are completed step by step, each given the steps before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from latente.data import Series, SeriesCodec, last_steps, of_windows
from latente.errors import ModelError
from latente.fitted import Fitted
from latente.parameters import is_whole
from latente.rows import Rows
from latente.tasks import imputation
from latente.tasks.new_rows import Request

AHEAD = 4  # a quarter of a window is completed at once


def after(fitted: Fitted, X: Any, request: Request, steps: int | None, seed: int) -> Any:
    """Continuations of series in the user's units; arguments as of :meth:`latente.VAE.sample`.

    Raises:
        ModelError: the model is not one of series, or something else is asked for as well.
    """
    codec = fitted.codec
    if not isinstance(codec, SeriesCodec) or X is None:
        raise ModelError("after and steps are for series: fit with time=…, and pass the series to continue as after=…")
    if request.given or request.missing or request.identifiers or not (steps is None or is_whole(steps, 1)):
        raise ModelError("a continuation takes n, after, steps (a whole number from 1) and random_state alone")
    series = codec.like_fitted(fitted.read(X))
    found = continued(fitted, series, steps or codec.window, request.n, seed)
    return codec.after(found.numpy(), series, last_steps(series.grid), series.container)


def continued(fitted: Fitted, series: Series, steps: int, n: int, seed: int) -> Tensor:
    """``n`` continuations of each series, [n E, steps, C]: a draw of the next steps given the last ones, again and again."""
    x, observed = (part.repeat(n, 1, 1) for part in last_windows(fitted, series))
    ahead, parts = max(1, x.shape[2] // AHEAD), []
    for turn in range(0, steps, ahead):
        x, observed = (torch.cat([part[..., ahead:], torch.zeros_like(part[..., :ahead])], -1) for part in (x, observed))
        context = _context(fitted, series, turn + ahead, n)
        drawn = imputation.drawn(fitted.row_model, Rows(x, observed, context), 1, seed + turn)[0]
        x = drawn.view_as(x)
        observed = torch.ones_like(observed)
        parts.append(x[..., -ahead:])
    return torch.cat(parts, -1)[..., :steps].mT


def _context(fitted: Fitted, series: Series, ahead: int, n: int) -> Tensor | None:
    """The context of the windows that end some steps after the last row of each series, [n E, C]."""
    codec = fitted.codec
    if fitted.context is None:
        return None
    assert isinstance(codec, SeriesCodec)
    begins = last_steps(series.grid) + ahead + 1 - codec.window
    table = of_windows(series, codec.clock, fitted.context.names, begins)
    return fitted.context.encode(table).repeat(n, 1)


def last_windows(fitted: Fitted, series: Series) -> tuple[Tensor, Tensor]:
    """The last window of each series that ends at its last row, and what is observed in it, [E, C, L] each."""
    codec = fitted.codec
    assert isinstance(codec, SeriesCodec)
    x, observed = codec.on_grid(codec.table.encode(series.table), series.grid)
    at = last_steps(series.grid)[:, None] + np.arange(1 - codec.window, 1)
    inside = torch.from_numpy(at >= series.grid.starts[:, None])
    places = torch.from_numpy(np.maximum(at, 0))
    return (x[places] * inside.unsqueeze(-1)).mT.contiguous(), (observed[places] & inside.unsqueeze(-1)).mT.contiguous()
