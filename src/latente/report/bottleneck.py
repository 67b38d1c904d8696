"""What a code costs and what it loses, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from latente.report.drawing.style import GIVEN, INK, LINE, MADE, MUTED, PAPER, WARM, halo
from latente.report.figures.canvas import new_figure, styled
from latente.report.texts import word
from latente.studies.tradeoff import COLUMNS, LINEAR, Point, Tradeoff


@styled
def rate_distortion(found: Tradeoff, *, ax: Axes | None = None) -> Axes:
    """What codes cost (rate, to the right) and what they lose (distortion, upwards), nats per held-out row.

    The model by size at beta = 1, and by beta at the size chosen; probabilistic PCA and independent columns; the noise floor.
    Along the thin line the loss is that of the code chosen: what lies below it loses less.

    Args:
        found: what :func:`latente.tradeoff` gives.
        ax: where to draw; a new figure where none is given.
    """
    ax = ax or new_figure(7.6, 5.2).add_subplot()
    name, chosen = found.about["recipe"], next(point for point in found.sizes if point.latent_dim == found.chosen)
    _line(ax, found.of(LINEAR), color=GIVEN, marker="s", label=word("by_size", model=word("pca")))
    _line(ax, found.sizes, color=MADE, marker="o", label=word("by_size_at_1", model=name))
    _line(ax, found.curve, color=MADE, marker="D", ls="--", ms=4, mfc=PAPER, label=word("by_beta", model=name, d=found.chosen))
    for point in found.of(COLUMNS):
        ax.plot(point.rate, point.distortion, "x", color=INK, ms=7, mew=1.6, label=word("columns_alone"), clip_on=False)
    if found.floor.known:
        ax.axhline(found.floor.value, color=MUTED, lw=1, ls=":", label=word("noise_floor"))
    ax.plot(chosen.rate, chosen.distortion, "o", ms=13, mfc="none", mec=WARM, mew=2, label=word("chosen"))
    _frame(ax, found)
    _equal_loss(ax, chosen)
    _name_points(ax, found)
    ax.set(xlabel=word("rate_axis"), ylabel=word("distortion_axis"))
    ax.legend(loc="upper right")
    return ax


def _line(ax: Axes, points: Sequence[Point], **look: Any) -> None:
    look = {"lw": 1.6, "ms": 5, **look}
    ax.plot([point.rate for point in points], [point.distortion for point in points], **look)


def _equal_loss(ax: Axes, chosen: Point) -> None:
    """The codes that lose as much as the one chosen, across the panel as it is."""
    low, high = ax.get_ylim()
    ax.plot([0, chosen.loss - low], [chosen.loss, low], color=LINE, lw=1, zorder=0, scalex=False)
    ax.set_ylim(low, high)


def _frame(ax: Axes, found: Tradeoff) -> None:
    """Axes for what is worth seeing: codes that lose more than independent columns, and linear ones that cost more than any of
    the model's, may lie outside.
    """
    alone = max(point.loss for point in found.of(COLUMNS))
    own = [point for point in found.of(found.about["recipe"]) if point.loss <= alone or point.latent_dim == found.chosen]
    end = 1.12 * max(point.rate for point in own)
    seen = [*own, *found.of(COLUMNS), *(point for point in found.of(LINEAR) if point.rate <= end)]
    heights = [point.distortion for point in seen] + [found.floor.value] * found.floor.known
    room = 0.08 * (max(heights) - min(heights))
    ax.set(xlim=(0, end), ylim=(min(heights) - room, max(heights) + room))


def _name_points(ax: Axes, found: Tradeoff) -> None:
    """What each of the model's points is of, beside it."""
    look: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "annotation_clip": True, "path_effects": [halo()]}
    for point in found.sizes:
        ax.annotate(f"d={point.latent_dim}", (point.rate, point.distortion), xytext=(6, 5), color=MADE, **look)
    for point in found.curve:
        if point.beta != 1.0:
            ax.annotate(f"β={point.beta:g}", (point.rate, point.distortion), xytext=(-6, -5), ha="right", color=MUTED, **look)
