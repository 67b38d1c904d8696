"""Figures of several models of the same rows, side by side: their codes, and rows decoded from the same random codes.

As in :mod:`latente.report.figures`, each is a function that returns ``Axes``, independent of the caller's style.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from latente.data import Columns
from latente.report.drawing import maps, sheets, tables
from latente.report.drawing.style import (
    CLASSES,
    GIVEN,
    INK,
    LINE,
    MADE,
    MEASURE,
    MUTED,
    WARM,
    Array,
    limits,
    say,
)
from latente.report.figures.canvas import new_figure, short, styled
from latente.report.report_data import SHOWN, explained
from latente.rows import IMAGE, SCALAR, SERIES
from latente.studies.comparison import Comparison
from latente.words import word

MAX_PANELS = 12
ACROSS = 10
CIRCLE = math.sqrt(5.991)  # radius of the circle with 95% of N(0, I) in two dimensions
WORTH_A_COLOUR = 0.25
SHOWN_PLACES = 400


def colour_of(k: int) -> str:
    """The colour of the k-th model: red, blue, then others that are distinct for the colour-blind.

    >>> colour_of(0) == WARM, colour_of(1) == MADE
    (True, True)
    """
    colours = (WARM, MADE, CLASSES[1], *CLASSES[4:])
    return colours[k % len(colours)]


@styled
def latent_maps(found: Comparison) -> list[Axes]:
    """The codes of the same rows in each model, and the same random codes: red if they are in holes.

    The two directions, which are the same in all models, have the most information about a row. The codes have mean 0 and
    covariance I, and 95% of random codes are within the dashed circle.

    Returns:
        A panel for each model.
    """
    views, (colours, name) = found.scene.views, _measure(found)
    down, across = math.ceil(len(views) / 3), min(3, len(views))
    figure = new_figure(4.3 * across, 4.7 * down + 0.3)
    panels = [figure.add_subplot(down, across, k + 1) for k in range(len(views))]
    ends = [np.abs(np.percentile(_two(view.places.numpy()), (0.5, 99.5))).max() for view in views.values()]
    reach = 1.05 * float(max(3.0, *ends))
    random = _two(found.scene.places.numpy())[:SHOWN_PLACES]
    for panel, (model, view) in zip(panels, views.items(), strict=True):
        holes = word("in_holes", share=view.holes.value) if view.holes.known else word("no_holes_known")
        panel.set(xlim=(-reach, reach), ylim=(-reach, reach), box_aspect=1, title=f"{short(model, 40)}\n{holes}")
        maps.points(panel, _two(view.places.numpy()), MADE if colours is None else colours)
        _mark_places(panel, random, view.empty.numpy()[: len(random)])
    _legend_of_map(figure, name)
    return panels


def _mark_places(panel: Axes, places: Array, empty: Array) -> None:
    """Random codes as rings, those in holes as crosses, and the circle that contains 95% of them."""
    inside = maps.within(panel, places)
    (x, y), (lost_x, lost_y) = places[inside & ~empty].T, places[inside & empty].T
    panel.scatter(x, y, s=9, facecolors="none", edgecolors=MUTED, linewidths=0.6, rasterized=True, clip_on=False)
    panel.scatter(lost_x, lost_y, s=22, marker="x", color=WARM, linewidths=1.2, clip_on=False)
    angle = np.linspace(0, 2 * np.pi, 200)
    panel.plot(CIRCLE * np.cos(angle), CIRCLE * np.sin(angle), color=INK, lw=0.9, ls=(0, (4, 3)))


def _two(places: Array) -> Array:
    """The first two directions; a single one is completed by zeros."""
    return np.asarray(places[:, :2] if places.shape[1] > 1 else np.column_stack([places, np.zeros(len(places))]))


def _measure(found: Comparison) -> tuple[Array | None, str]:
    """A colour for each row, by the measure that the first map explains best; None if it explains none."""
    places = _two(next(iter(found.scene.views.values())).places.numpy())
    every = SHOWN[found.scene.layout].measures(found.scene.rows)
    measures = {name: values for name, values in every.items() if values.dtype.kind == "f"}
    shares = {name: explained(places, values) for name, values in measures.items()}
    name = max(shares, key=lambda name: shares[name], default="")
    if not name or shares[name] < WORTH_A_COLOUR:
        return None, ""
    scale = ScalarMappable(Normalize(*limits(measures[name], margin=0.0)), MEASURE.with_extremes(bad=LINE))
    return np.asarray(scale.to_rgba(np.ma.masked_invalid(measures[name]))), name


def _legend_of_map(figure: Figure, name: str) -> None:
    rows = word("rows_by", name=short(name)) if name else word("rows")
    look: dict[str, Any] = {"ls": "", "marker": "o"}
    handles = [
        Line2D([], [], color=MEASURE(0.5) if name else MADE, label=rows, **look),
        Line2D([], [], mfc="none", mec=MUTED, label=word("random_places"), **look),
        Line2D([], [], ls="", marker="x", color=WARM, label=word("places_in_holes")),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


@styled
def random_places(found: Comparison) -> list[Axes]:
    """Rows decoded from the same random codes in each model.

    Pictures: a sheet for each model, with the same code in the same position, and a red frame if it is in a hole. A table: a
    panel for each column, with its real distribution as an area, and that of the decoded rows as a line for each model.

    Returns:
        A panel for each model, or for each column of a table.
    """
    return SIDES[found.scene.layout].random_places(found, found.scene.rows)


def _sheets(found: Comparison, real: Array) -> list[Axes]:
    scale, views = sheets.value_range(real), found.scene.views
    count = len(next(iter(views.values())).decoded)
    height, width = sheets.channels_last(real).shape[1:3]
    across, down = min(2, len(views)), math.ceil(len(views) / 2)
    figure = new_figure(5.2 * across, down * (0.5 + 5.2 * math.ceil(count / ACROSS) * height / (ACROSS * width)))
    panels = [figure.add_subplot(down, across, k + 1) for k in range(len(views))]
    for panel, (name, view) in zip(panels, views.items(), strict=True):
        empty = view.empty.numpy()[:count]
        sheets.sheet(panel, sheets.painted(np.asarray(view.decoded), scale), ACROSS)
        _frame_empty(panel, empty, (height, width))
        panel.set_title(f"{short(name, 30)}: {word('some_in_holes', some=int(empty.sum()), all=count)}")
    return panels


def _frame_empty(panel: Axes, empty: Array, size: tuple[int, int]) -> None:
    """A red frame around the pictures whose codes are in holes."""
    height, width = size
    gap = max(1, round(0.08 * min(size)))
    for k in np.flatnonzero(empty):
        corner = ((width + gap) * (k % ACROSS) - 0.5, (height + gap) * (k // ACROSS) - 0.5)
        panel.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=WARM, lw=1.4, clip_on=False))


def _columns(found: Comparison, rows: Columns) -> list[Axes]:
    emitted: list[Any] = [view.emitted for view in found.scene.views.values()]
    names = [name for name, column in rows.items() if len(tables.common(column, 2)) > 1]
    chosen = [names[k] for k in np.linspace(0, len(names) - 1, min(MAX_PANELS, len(names))).round().astype(int)]
    figure, panels = _panels(chosen, 2.3)
    for panel, name in zip(panels, chosen, strict=True):
        draw = _level_shares if tables.is_levels(rows[name]) else _histograms
        draw(panel, rows[name], [part[name] for part in emitted])
    _legend_of_models(figure, found, Line2D([], [], color=GIVEN, lw=7, alpha=0.4, label=word("real_rows")))
    if len(chosen) < len(names):
        some = word("some_of_columns", shown=len(chosen), all=len(names))
        figure.suptitle(some, x=0.01, ha="left", fontsize=10, color=MUTED)
    return panels


def _panels(names: Sequence[str], height: float) -> tuple[Figure, list[Axes]]:
    """A small panel for each column."""
    across = max(1, min(4, len(names)))
    down = math.ceil(len(names) / across)
    figure = new_figure(2.6 * across + 0.4, height * down + 0.6)
    panels = [figure.add_subplot(down, across, k + 1) for k in range(len(names))]
    for panel, name in zip(panels, names, strict=True):
        panel.set_title(short(name))
    return figure, panels


def _legend_of_models(figure: Figure, found: Comparison, first: Line2D) -> None:
    handles = [first, *(Line2D([], [], color=colour_of(k), label=name) for k, name in enumerate(found.models))]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(handles)))


def _histograms(panel: Axes, real: Array, made: Sequence[Array]) -> None:
    """A column of numbers: the real values as an area, a line for each model."""
    dates = real.dtype.kind == "M"
    columns = [tables.numbers(values) for values in (real, *made)]
    columns = [values[np.isfinite(values)] for values in columns]
    edges = tables.bins(columns[0], np.concatenate(columns[1:]))
    heights = [np.histogram(values, edges)[0] / max(len(values), 1) / np.diff(edges) for values in columns]
    panel.stairs(heights[0], edges, fill=True, color=GIVEN, alpha=0.4)
    for k, height in enumerate(heights[1:]):
        panel.stairs(height, edges, color=colour_of(k), lw=1.5)
    panel.set(yticks=[], xlim=(edges[0], edges[-1]), ylim=(0, None))
    tables.ticks(panel.xaxis, dates)
    if len(distinct := tables.few(columns[0], 6)):
        panel.set_xticks(distinct)
    panel.spines["left"].set_visible(False)


def _level_shares(panel: Axes, real: Array, made: Sequence[Array]) -> None:
    """A column of text: the share of each level in real rows as a wide bar, and in each model's rows as a line across it."""
    names = tables.common(real)
    shares = [tables.counts(values, names) for values in (real, *made)]
    shares = [(part / max(part.sum(), 1))[: len(names)] for part in shares]
    edges = np.arange(len(names) + 1) - 0.5
    panel.stairs(shares[0], edges, fill=True, color=GIVEN, alpha=0.4)
    for k, share in enumerate(shares[1:]):
        panel.hlines(share, edges[:-1] + 0.06, edges[1:] - 0.06, color=colour_of(k), lw=1.8)
    panel.set_xticks(range(len(names)), [short(name, 11) for name in names], rotation=35, ha="right")
    panel.set(yticks=[], ylim=(0, None))
    panel.spines["left"].set_visible(False)


@styled
def walks(found: Comparison) -> list[Axes]:
    """Interpolations between two rows in each model, on a straight line between their codes.

    Pictures: a strip for each pair and model, with the two real pictures at its ends. A table: the columns that change most
    between the first pair, with a line for each model and the real rows' values as dots.

    Returns:
        A panel for each pair, or for each column of a table.
    """
    if not found.scene.ends:
        return [say(new_figure(6, 1.5).add_subplot(), word("no_walk"))]
    return SIDES[found.scene.layout].walks(found, found.scene.rows)


def _strips(found: Comparison, real: Array) -> list[Axes]:
    scale, ends = sheets.value_range(real), [np.asarray(pair) for pair in found.scene.ends]
    ways = [[np.asarray(way) for way in view.walks] for view in found.scene.views.values()]
    height, width = sheets.channels_last(real).shape[1:3]
    steps, models = len(ways[0][0]) + 2, len(ways)
    figure = new_figure(8.0, 0.3 + len(ends) * (0.25 + 7.0 * models * height / (steps * width)))
    panels = [figure.add_subplot(len(ends), 1, k + 1) for k in range(len(ends))]
    for number, (panel, pair) in enumerate(zip(panels, ends, strict=True)):
        tiles = np.concatenate([part for of in ways for part in (pair[:1], of[number], pair[1:])])
        sheets.sheet(panel, sheets.painted(tiles, scale), steps)
        for k, name in enumerate(found.models):
            look: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 8.5, "color": colour_of(k)}
            panel.text(-0.01, 1 - (k + 0.5) / models, name, transform=panel.transAxes, **look)
    panels[0].set_title(word("walk"))
    return panels


def _profiles(found: Comparison, rows: Columns) -> list[Axes]:
    ends: Any = found.scene.ends[0]
    ways: list[Any] = [view.walks[0] for view in found.scene.views.values()]
    numbers = {name: tables.numbers(values) for name, values in rows.items() if not tables.is_levels(values)}
    change = {name: float(np.ptp(tables.numbers(ends[name])) / (np.nanstd(values) or 1.0)) for name, values in numbers.items()}
    most = sorted(numbers, key=lambda name: -np.nan_to_num(change[name]))[:MAX_PANELS]
    if not most:
        return [say(new_figure(6, 1.5).add_subplot(), word("no_columns"))]
    chosen = [name for name in numbers if name in most]
    figure, panels = _panels(chosen, 2.0)
    for panel, name in zip(panels, chosen, strict=True):
        for k, way in enumerate(ways):
            values = tables.numbers(way[name])
            panel.plot(values, color=colour_of(k), lw=1.6, marker="o", ms=2.5)
        panel.plot([0, len(values) - 1], tables.numbers(ends[name]), ls="", marker="o", ms=6, color=INK, clip_on=False)
        panel.set_xticks([])
        tables.ticks(panel.yaxis, rows[name].dtype.kind == "M")
    _legend_of_models(figure, found, Line2D([], [], color=INK, ls="", marker="o", label=word("two_real_rows")))
    return panels


class Sides(NamedTuple):
    """How models of rows of a layout are shown side by side.

    Attributes:
        random_places, walks: see the functions of these names.
    """

    random_places: Callable[[Comparison, Any], list[Axes]]
    walks: Callable[[Comparison, Any], list[Axes]]


def _windows(found: Comparison, real: Array) -> list[Axes]:
    """A panel for each model with the first channel of windows decoded from the same codes."""
    return _lines(found, {model: np.asarray(view.decoded)[:ACROSS, :, 0] for model, view in found.scene.views.items()})


def _paths(found: Comparison, real: Array) -> list[Axes]:
    """A panel for each model with the first channel of the windows of its first interpolation."""
    return _lines(found, {model: np.asarray(view.walks[0])[..., 0] for model, view in found.scene.views.items()})


def _lines(found: Comparison, windows: dict[str, Array]) -> list[Axes]:
    figure = new_figure(10.0, 2.0 * len(windows) + 0.3)
    panels = list(np.atleast_1d(figure.subplots(len(windows), 1, sharex=True)))
    for k, (panel, (model, lines)) in enumerate(zip(panels, windows.items(), strict=True)):
        panel.plot(lines.T, color=colour_of(k), lw=1.0, alpha=0.7)
        panel.set_title(short(model, 60))
    return panels


SIDES = {SCALAR: Sides(_columns, _profiles), IMAGE: Sides(_sheets, _strips), SERIES: Sides(_windows, _paths)}
