"""Panels of training curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from latente.report.drawing.style import FAINT, GIVEN, MADE, Array, limits, say
from latente.words import word


def series(history: Sequence[Mapping[str, float]], key: str) -> Array:
    """One figure of each epoch; NaN if an entry lacks it."""
    return np.array([entry.get(key, math.nan) for entry in history], dtype=float)


def curves(panel: Axes, history: Sequence[Mapping[str, float]], quantity: str) -> Axes:
    """A quantity of training and held-out rows by epoch; very large initial values are outside the panel."""
    values = [series(history, f"{part}_{quantity}") for part in ("train", "held_out")]
    if not np.isfinite(values).any():
        return say(panel, word("no_values"))
    mark = "o" if len(history) < 12 else None
    for line, name, colour in zip(values, (word("training"), word("held_out")), (GIVEN, MADE), strict=True):
        panel.plot(series(history, "epoch"), line, color=colour, lw=1.8, marker=mark, ms=4, label=name)
    late = np.concatenate([line[len(line) // 6 :] for line in values])
    low, high = limits(late if np.isfinite(late).any() else np.concatenate(values), 99.0)
    panel.set_ylim(0 if quantity == "rate" else low, high)
    panel.margins(x=0.02)
    if quantity == "loss":
        panel.legend()
    panel.grid(axis="y", color=FAINT, lw=0.8)
    return panel
