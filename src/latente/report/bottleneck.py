"""The figure of a rate-distortion trade-off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from latente.report.drawing.labels import name_points
from latente.report.drawing.style import GIVEN, INK, LINE, MADE, MUTED, PAPER, WARM, Array
from latente.report.figures.canvas import new_figure, styled
from latente.studies.tradeoff import COLUMNS, LINEAR, Point, Tradeoff
from latente.words import amount, word


@styled
def rate_distortion(found: Tradeoff, *, ax: Axes | None = None) -> Axes:
    """Rate (horizontal) and distortion (vertical), nats per held-out row.

    Shows the model by size with beta = 1 and by beta with the chosen size, probabilistic PCA, independent columns and the noise
    floor. Along the thin line the loss is that of the chosen code; points below it have a lower loss.

    Args:
        found: result of :func:`latente.tradeoff`.
        ax: axes to draw on; by default those of a new figure.
    """
    ax = ax or new_figure(7.6, 5.9).add_subplot()
    name, chosen = found.about["recipe"], next(point for point in found.sizes if point.latent_dim == found.chosen)
    _frame(ax, found)
    linear = found.of(LINEAR)
    if any(_within(ax, point) for point in linear):
        _line(ax, linear, color=GIVEN, marker="s", label=word("by_size", model=word("pca")))
    _line(ax, found.sizes, color=MADE, marker="o", label=word("by_size_at_1", model=name))
    _line(ax, found.curve, color=MADE, marker="D", ls="--", ms=4, mfc=PAPER, label=word("by_beta", model=name, d=found.chosen))
    for point in found.of(COLUMNS):
        ax.plot(point.rate, point.distortion, "x", color=INK, ms=7, mew=1.6, label=word("columns_alone"))
    if found.floor.known:
        ax.axhline(found.floor.value, color=MUTED, lw=1, ls=":", label=word("noise_floor"))
    ax.plot(chosen.rate, chosen.distortion, "o", ms=13, mfc="none", mec=WARM, mew=2, label=word("chosen"))
    _equal_loss(ax, chosen)
    _name_points(ax, found, chosen)
    ax.set(xlabel=word("rate_axis"), ylabel=word("distortion_axis"))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
    return ax


def _line(ax: Axes, points: Sequence[Point], **look: Any) -> None:
    look = {"lw": 1.6, "ms": 5, **look}
    ax.plot([point.rate for point in points], [point.distortion for point in points], **look)


def _equal_loss(ax: Axes, chosen: Point) -> None:
    """The line of equal loss through the chosen code."""
    low, high = ax.get_ylim()
    ax.plot([0, chosen.loss - low], [chosen.loss, low], color=LINE, lw=1, zorder=0, scalex=False)
    ax.set_ylim(low, high)


def _frame(ax: Axes, found: Tradeoff) -> None:
    """Limits of the axes that show all of the model's points and independent columns; PCA may be outside."""
    own = [*found.of(found.about["recipe"]), *found.of(COLUMNS)]
    end, most = 1.12 * max(point.rate for point in own) or 1.0, max(point.distortion for point in own)
    seen = [*own, *(point for point in found.of(LINEAR) if point.rate <= end and point.distortion <= most)]
    heights = [point.distortion for point in seen] + [found.floor.value] * found.floor.known
    room = 0.08 * (max(heights) - min(heights)) or 1.0
    ax.set(xlim=(-0.03 * end, end), ylim=(min(heights) - room, max(heights) + room))


def _within(ax: Axes, point: Point) -> bool:
    """Whether a point lies within the frame."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    return left <= point.rate <= right and low <= point.distortion <= high


def _name_points(ax: Axes, found: Tradeoff, chosen: Point) -> None:
    """Labels beside the model's points."""
    named = [(point.rate, point.distortion, f"d={point.latent_dim}", MADE) for point in found.sizes]
    named += [
        (point.rate, point.distortion, f"β={amount(f'{point.beta:g}')}", MUTED) for point in found.curve if point.beta != 1.0
    ]
    marks = [(point.rate, point.distortion, 4.0) for point in found.points if _within(ax, point)]
    lines = [_places(points) for points in (found.of(LINEAR), found.sizes, found.curve)]
    if found.floor.known:
        lines.append(np.array([(end, found.floor.value) for end in ax.get_xlim()]))
    name_points(ax, named, [*marks, (chosen.rate, chosen.distortion, 8.0)], lines)


def _places(points: Sequence[Point]) -> Array:
    return np.array([(point.rate, point.distortion) for point in points])
