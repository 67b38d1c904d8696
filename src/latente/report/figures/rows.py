"""Figures of rows: reconstructions, generated rows and interpolations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from latente.report.drawing import sheets, style, tables
from latente.report.drawing.style import GIVEN, MADE, MUTED, Array
from latente.report.figures.canvas import new_figure, short, styled
from latente.words import word

Columns = Array | Mapping[str, Array]


@styled
def reconstructions(
    originals: Columns, reconstructed: Columns, *, names: Sequence[str] | None = None, limit: int | None = None
) -> list[Axes]:
    """Originals and their reconstructions.

    Pictures are drawn as two rows, originals above reconstructions. A table is drawn as one small panel for each column: for
    numbers and dates, reconstruction against original in the user's units, with R²; for texts, the share of each level that is
    reconstructed. For a wide table, a selection from the best to the worst reconstructed column is shown.

    Args:
        originals: pictures ``[N, H, W]``, ``[N, H, W, C]`` or ``[N, C, H, W]``, a table of numbers ``[N, F]``, or its columns
            by name: numbers, dates (datetime64), or texts with None if missing.
        reconstructed: the same, of the same rows.
        names: of the columns of an array.
        limit: the most pictures (10) or columns (12) shown.

    Returns:
        One panel for pictures, one for each column of a table.

    Example:
        >>> import numpy as np
        >>> table = np.random.default_rng(0).normal(size=(50, 3))
        >>> len(reconstructions(table, 0.9 * table))
        3
    """
    if isinstance(originals, np.ndarray) and originals.ndim > 2:
        shown = originals[: limit or 10], np.asarray(reconstructed)[: limit or 10]
        return [sheets.picture_pairs(_picture_panel(shown[0], 2), *shown)]
    columns = _paired(originals, reconstructed, names)
    fits = np.array([tables.fit(*pair) for pair in columns.values()])
    figure, panels = _column_panels(fits, _titles(columns), limit or 12, word("best_first"))
    for column, panel in panels.items():
        _rebuilt_column(panel, *[*columns.values()][column], fits[column])
    if any(not tables.is_levels(original) for original, _ in columns.values()):
        figure.supxlabel(word("original"), color=MUTED, fontsize=9)
        figure.supylabel(word("rebuilt"), color=MUTED, fontsize=9)
    return figure.axes


@styled
def samples(
    generated: Columns, real: Columns | None = None, *, names: Sequence[str] | None = None, limit: int | None = None
) -> list[Axes]:
    """Generated pictures, or the distribution of each generated column over the real one.

    Each column of a table is shown with its distance to the real one, from 0 (equal) to 1 (disjoint): Kolmogorov-Smirnov for
    numbers and dates, total variation for texts. For a wide table, a selection from the closest to the farthest is shown.

    Args:
        generated: pictures or a table, as in :func:`reconstructions`.
        real: rows of the data: the areas of a table's panels, and the black and white of pictures.
        names: of the columns of an array.
        limit: the most pictures (64) or columns (12) shown.

    Returns:
        One panel for pictures, one for each column of a table.

    Example:
        >>> import numpy as np
        >>> len(samples(np.zeros((25, 8, 8))))
        1
    """
    if isinstance(generated, np.ndarray) and generated.ndim > 2:
        shown, across = generated[: limit or 64], _square(min(len(generated), limit or 64))
        tiles = sheets.painted(shown, sheets.value_range(generated if real is None else np.asarray(real)))
        down = math.ceil(len(shown) / across)
        return [sheets.sheet(_picture_panel(shown[:across], down, width=6.0), tiles, across)]
    columns = _paired(_empty(generated) if real is None else real, generated, names)
    gaps = np.array([tables.gap(*pair) for pair in columns.values()])
    figure, panels = _column_panels(-gaps, _titles(columns), limit or 12, word("closest_first"))
    for column, panel in panels.items():
        _generated_column(panel, *[*columns.values()][column], gaps[column])
    areas, lines = (
        Line2D([], [], color=GIVEN, lw=7, alpha=0.4, label=word("data")),
        Line2D([], [], color=MADE, label=word("generated")),
    )
    figure.legend(handles=[lines] if real is None else [areas, lines], loc="outside lower center", ncols=2)
    return figure.axes


@styled
def worst_to_best(originals: Array, reconstructed: Array, errors: Array, limit: int = 10) -> Axes:
    """Pictures above their reconstructions, from the worst to the best, at equal steps of the rank.

    Args:
        originals, reconstructed: pictures as in :func:`reconstructions`.
        errors: of each picture, ``[N]``.
        limit: the most shown.

    Example:
        >>> import numpy as np
        >>> pictures = np.random.default_rng(0).random((9, 8, 8))
        >>> worst_to_best(pictures, 0 * pictures, np.arange(9.0)).get_title(loc="left")
        'largest error … smallest error'
    """
    order = np.argsort(-errors, kind="stable")
    order = order[np.linspace(0, len(order) - 1, min(limit, len(order))).round().astype(int)]
    panel = sheets.picture_pairs(_picture_panel(originals[order], 2), originals[order], np.asarray(reconstructed)[order])
    panel.set_title(word("worst_to_best"))
    return panel


@styled
def heat_maps(pictures: Array, surprise: Array, anomaly: Array, limit: int = 10) -> list[Axes]:
    """The strangest pictures, and below each where it is strange.

    Args:
        pictures: as in :func:`reconstructions`.
        surprise: nats of each pixel above the usual, ``[N, H, W]``.
        anomaly: of each picture, ``[N]``; above 0 where it is anomalous.
        limit: the most shown.

    Returns:
        The panels of the pictures and those of the heat maps, in turn.

    Example:
        >>> import numpy as np
        >>> pictures = np.random.default_rng(0).random((9, 8, 8))
        >>> [panel.get_title("left") for panel in heat_maps(pictures, pictures, np.arange(9.0), limit=2)]
        ['8.0', '', '7.0', '']
    """
    order = np.argsort(-np.nan_to_num(anomaly, nan=-np.inf), kind="stable")[:limit]
    height, breadth = surprise.shape[1:]
    each = 10.0 / max(6, len(order))
    figure = new_figure(10.0, float(np.clip(2 * each * height / breadth, 1.0, 8.0)) + 0.6)
    panels = figure.subplots(2, max(1, len(order)), squeeze=False)
    tiles = sheets.painted(pictures[order], sheets.value_range(pictures))
    most = max(1.0, float(np.quantile(surprise[order], 0.995))) if len(order) else 1.0
    for panel in panels.flat:
        panel.set_axis_off()
    for k, place in enumerate(order):
        panels[0, k].imshow(tiles[k])
        panels[0, k].set_title(f"{anomaly[place]:.1f}", fontsize=8)
        image = panels[1, k].imshow(surprise[place], cmap=style.STRENGTH, vmin=0.0, vmax=most)
    if len(order):
        bar = figure.colorbar(image, ax=list(panels.flat), shrink=0.6, aspect=30, pad=0.01)
        bar.set_label(word("nats_above_usual"), fontsize=8, color=MUTED)
        bar.outline.set_visible(False)
    return [panel for pair in panels.T for panel in pair]


@styled
def real_beside_generated(real: Array, generated: Array, limit: int = 48) -> list[Axes]:
    """Real pictures beside generated ones, with one scale of brightness for both.

    Args:
        real, generated: pictures as in :func:`reconstructions`.
        limit: the most shown of each.

    Example:
        >>> import numpy as np
        >>> len(real_beside_generated(np.zeros((9, 8, 8)), np.ones((9, 8, 8))))
        2
    """
    count, scale = min(limit, len(real), len(generated)), sheets.value_range(real)
    across = _square(count)
    height, breadth = sheets.channels_last(real).shape[1:3]
    tall = 4.9 * math.ceil(count / across) * height / max(1, across * breadth)
    figure = new_figure(10.0, float(np.clip(tall, 1.0, 10.0)) + 0.4)
    panels = list(figure.subplots(1, 2))
    for panel, pictures, name in zip(panels, (real, generated), (word("real"), word("new")), strict=True):
        sheets.sheet(panel, sheets.painted(pictures[:count], scale), across)
        panel.set_title(name)
    return panels


@styled
def walk(start: Array, way: Array, end: Array) -> Axes:
    """An interpolation between two pictures, with the originals at both ends.

    Args:
        start, end: the two pictures, ``[H, W]`` or ``[H, W, C]``.
        way: pictures decoded between their codes, ``[steps, H, W]`` or ``[steps, H, W, C]``.

    Example:
        >>> import numpy as np
        >>> walk(np.zeros((8, 8)), np.zeros((5, 8, 8)), np.ones((8, 8))).get_title(loc="left")
        'original'
    """
    ends = np.stack([start, end])
    tiles = sheets.painted(np.concatenate([ends[:1], way, ends[1:]]), sheets.value_range(ends))
    panel = sheets.sheet(_picture_panel(tiles, 1), tiles, len(tiles))
    panel.set_anchor("W")
    panel.set_title(word("original"), loc="left", fontsize=8.5, color=MUTED)
    panel.set_title(word("decoded_between"), loc="center", fontsize=8.5, color=MUTED)
    panel.set_title(word("original"), loc="right", fontsize=8.5, color=MUTED)
    return panel


def _by_name(table: Columns, names: Sequence[str] | None) -> dict[str, Array]:
    """The columns of a table by their names."""
    if isinstance(table, Mapping):
        return dict(table)
    return {
        word("column", number=k) if names is None else str(names[k]): np.asarray(column) for k, column in enumerate(table.T)
    }


def _empty(table: Columns) -> Columns:
    """The same columns without rows."""
    return {name: column[:0] for name, column in table.items()} if isinstance(table, Mapping) else table[:0]


def _paired(first: Columns, second: Columns, names: Sequence[str] | None) -> dict[str, tuple[Array, Array]]:
    """Both of each column."""
    return {
        f"{name} (h)" if column.dtype.kind == "m" else name: (column, other)
        for (name, column), other in zip(_by_name(first, names).items(), _by_name(second, names).values(), strict=True)
    }


def _rebuilt_column(panel: Axes, original: Array, reconstructed: Array, fit: float) -> None:
    if tables.is_levels(original):
        tables.levels_rebuilt(panel, original, reconstructed)
    else:
        dates = original.dtype.kind == "M"
        tables.against(panel, tables.numbers(original), tables.numbers(reconstructed), fit, dates)


def _generated_column(panel: Axes, real: Array, generated: Array, gap: float) -> None:
    if tables.is_levels(real):
        tables.level_shares(panel, real, generated, gap)
    else:
        tables.distributions(panel, tables.numbers(real), tables.numbers(generated), gap, real.dtype.kind == "M")


def _square(count: int) -> int:
    """Number of columns for a nearly square sheet of ``count`` pictures."""
    return max(1, math.ceil(math.sqrt(count)))


def _picture_panel(across: Array, down: int, width: float = 10.0) -> Axes:
    """A panel with the height of ``down`` rows of these pictures at that width."""
    height, breadth = sheets.channels_last(across).shape[1:3]
    tall = width * down * height / max(1, len(across) * breadth)
    return new_figure(width, float(np.clip(tall, 1.0, 12.0))).add_subplot()


def _titles(columns: Mapping[str, tuple[Array, Array]]) -> list[str]:
    """Names of columns that fit above their panels, which are narrower if some have the names of levels beside them."""
    slim = any(tables.is_levels(column) for column, _ in columns.values())
    return [short(name, 18 if slim else 26) for name in columns]


def _column_panels(scores: Array, names: Sequence[str], limit: int, order: str) -> tuple[Figure, dict[int, Axes]]:
    """A small panel for each column; if there are too many, for a selection from the highest to the lowest score."""
    columns = tables.ranked(scores, limit)
    count = max(1, len(columns))
    across = min(count, 4) if count < 5 else min((4, 3), key=lambda wide: -count % wide)
    down = math.ceil(count / across)
    figure = new_figure(2.6 * across + 0.4, 2.55 * down + 0.5)
    panels = [figure.add_subplot(down, across, k + 1) for k in range(count)]
    if not columns:
        style.say(panels[0], word("no_columns"))
    if len(columns) < len(scores):
        some = word("some_columns", shown=len(columns), all=len(scores), order=order)
        figure.suptitle(some, x=0.01, ha="left", fontsize=10, color=MUTED)
    for column, panel in zip(columns, panels, strict=False):
        panel.set_title(names[column])
    return figure, dict(zip(columns, panels, strict=False))
