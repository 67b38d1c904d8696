"""The training curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from latente.report.drawing import curves
from latente.report.drawing.style import WARM
from latente.report.figures.canvas import new_figure, styled
from latente.words import word

PARTS = ("train", "held_out")


@styled
def training_curve(
    history: Sequence[Mapping[str, float]], best_epoch: int | None = None, *, loss_name: str = "−ELBO"
) -> list[Axes]:
    """The loss of training and held-out rows by epoch, and below it its two terms, if the model has a rate.

    The first epochs, whose loss is much higher, are outside the panel.

    Args:
        history: an entry for each epoch: ``epoch``, ``train_loss``, ``held_out_loss``, ``train_rate``, ``held_out_rate``, in
            nats per row. Missing values are left out.
        best_epoch: the epoch whose weights were kept.
        loss_name: name of the loss.

    Returns:
        The panel of the loss, then those of reconstruction and KL, if the model has a rate.

    Example:
        >>> len(training_curve([{"epoch": 1, "train_loss": 9.0, "held_out_loss": 9.5}]))
        1
    """
    has_rate = any(np.nan_to_num(curves.series(history, f"{part}_rate")).any() for part in PARTS)
    history = [_with_distortion(entry) for entry in history] if has_rate else history
    count = 3 if has_rate else 1
    figure = new_figure(7.6, 6.0 if has_rate else 3.4)
    panels = list(figure.subplots(count, 1, sharex=True, squeeze=False, height_ratios=[3, 1.7, 1.7][:count])[:, 0])
    names = (loss_name, word("distortion"), word("rate"))
    for panel, quantity, name in zip(panels, ("loss", "distortion", "rate"), names, strict=False):
        curves.curves(panel, history, quantity)
        panel.set_ylabel(word("nats_per_row", name=name) if quantity == "loss" else name, fontsize=8.5)
    _mark_best(panels, history, best_epoch, loss_name)
    panels[-1].set_xlabel(word("epoch"))
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return panels


def _with_distortion(entry: Mapping[str, float]) -> dict[str, float]:
    """An entry with the reconstruction loss: the loss without the rate."""
    parts = {f"{part}_distortion": entry.get(f"{part}_loss", math.nan) - entry.get(f"{part}_rate", math.nan) for part in PARTS}
    return {**parts, **entry}


def _mark_best(panels: Sequence[Axes], history: Sequence[Mapping[str, float]], epoch: int | None, loss_name: str) -> None:
    """A line at the epoch whose weights were kept, and its figures above the first panel."""
    best = next((entry for entry in history if entry.get("epoch") == epoch), None)
    if best is None:
        return
    for panel in panels:
        panel.axvline(best["epoch"], color=WARM, lw=1, ls=(0, (4, 3)))
    held_out = best.get("held_out_loss", math.nan)
    panels[0].set_title(word("kept", epoch=best["epoch"], name=loss_name, loss=float(held_out)))
