"""Figures of a table as a whole: how its columns depend on one another, and rows by columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from latente.report.drawing import labels, style
from latente.report.drawing.associations import associations
from latente.report.drawing.style import DIVERGING, FAINT, GIVEN, MADE, MUTED, STRENGTH, WARM, Array
from latente.report.figures.canvas import new_figure, plain_figure, short, styled
from latente.words import amount, word

MAX_COLUMNS, MAX_WIDE, MAX_ROWS = 20, 40, 16


@styled
def correlations(real: Mapping[str, Array], generated: Mapping[str, Array], *, limit: int = MAX_COLUMNS) -> list[Axes]:
    """Associations of each pair of columns in real and in generated rows, and their difference, as heat maps.

    Rank correlations of numbers, the correlation ratio of a number and levels, Cramér's V of levels.

    Args:
        real, generated: the columns of both tables by name, as in :func:`reconstructions`.
        limit: the most columns shown, the first ones.

    Returns:
        Three panels: real, generated, difference.

    Example:
        >>> import numpy as np
        >>> table = {"a": np.arange(9.0), "b": np.arange(9.0) ** 2}
        >>> len(correlations(table, table))
        3
    """
    names = [*real][:limit]
    first, second = (associations({name: table[name] for name in names}) for table in (real, generated))
    side = 0.6 + 0.17 * max(6, len(names))
    figure = plain_figure(3 * side + 2.6, side + 1.6, left=1.3, right=1.0, bottom=1.2, top=0.35)
    panels = list(figure.subplots(1, 3, sharey=True))
    titles = (word("real"), word("generated"), word("difference"))
    for panel, values, title in zip(panels, (first, second, second - first), titles, strict=True):
        image = _heat(panel, values, names, names, DIVERGING, (-1.0, 1.0))
        panel.set(title=title, box_aspect=1)
    bar: Any = figure.colorbar(image, cax=panels[-1].inset_axes((1.08, 0.1, 0.05, 0.8)))
    bar.outline.set_visible(False)
    return panels


@styled
def errors_by_column(errors: Array, names: Sequence[str], rows: Sequence[str], *, limit: int = MAX_ROWS) -> Axes:
    """Errors of reconstructions from the worst to the best row, as a heat map of rows by columns.

    Args:
        errors: absolute errors of each value, in standard deviations of its column, ``[N, F]``; NaN where it is missing.
        names: of the columns; the 40 with the largest errors are shown. rows: names of the rows.
        limit: the most rows shown, at equal steps from the worst to the best.

    Example:
        >>> import numpy as np
        >>> errors_by_column(np.eye(3), ["a", "b", "c"], ["x", "y", "z"]).get_yticklabels()[0].get_text()
        'x'
    """
    order = np.argsort(-np.nan_to_num(np.square(errors)).sum(1), kind="stable")
    order = order[np.linspace(0, len(order) - 1, min(limit, len(order))).round().astype(int)]
    columns = np.sort(np.argsort(-np.nan_to_num(errors).sum(0), kind="stable")[:MAX_WIDE])
    shown, of_rows, of_columns = errors[np.ix_(order, columns)], [rows[k] for k in order], [names[k] for k in columns]
    panel = _rows_panel(len(order), len(columns))
    image = _heat(panel, shown, of_rows, of_columns, STRENGTH, (0.0, max(1.0, _most(errors))))
    _tips(panel, shown, of_rows, of_columns)
    _key(panel, image, word("error_in_deviations"))
    return panel


@styled
def all_columns(scores: Mapping[str, tuple[float, float]], *, limit: int = MAX_WIDE) -> list[Axes]:
    """How well each column of a table is reconstructed and generated, beside each other, from the worst generated one.

    Args:
        scores: by the name of the column, the share that reconstructions explain (R², or the reduction of errors of levels) and
            the distance of generated rows to real ones, from 0 to 1.
        limit: the most columns shown, at equal steps.

    Returns:
        The panel of reconstructions and that of distances.

    Example:
        >>> left, right = all_columns({"a": (0.9, 0.05), "b": (0.4, 0.2)})
        >>> [text.get_text() for text in left.get_yticklabels()]
        ['b', 'a']
    """
    values = np.array([*scores.values()], float).reshape(-1, 2)
    order = np.argsort(-np.nan_to_num(values[:, 1]), kind="stable")
    order = order[np.linspace(0, len(order) - 1, min(limit, len(order))).round().astype(int)]
    figure = new_figure(8.4, 0.9 + 0.19 * max(4, len(order)))
    if len(order) < len(scores):
        some = word("some_of_columns", shown=len(order), all=len(scores))
        figure.suptitle(some, x=0.01, ha="left", fontsize=10, color=MUTED)
    panels = list(figure.subplots(1, 2, sharey=True))
    for panel, column, title in zip(panels, (0, 1), (word("explained"), word("distance")), strict=True):
        shown = np.clip(np.nan_to_num(values[order, column]), 0.0, 1.0)
        panel.hlines(np.arange(len(order)), 0, shown, color=GIVEN, lw=1.2)
        panel.plot(shown, np.arange(len(order)), "o", color=MADE, ms=4)
        panel.set(title=title, xlim=(-0.02, 1.02), ylim=(len(order) - 0.4, -0.6))
        panel.grid(axis="x", color=FAINT, lw=0.8)
        panel.tick_params(axis="y", length=0)
    panels[0].set_yticks(np.arange(len(order)), [short([*scores][k], 24) for k in order], fontsize=7.5)
    return panels


@styled
def anomalies(
    scores: Array,
    surprise: Array,
    names: Sequence[str],
    rows: Sequence[str],
    *,
    threshold: float = float("nan"),
    limit: int = 10,
) -> list[Axes]:
    """Histogram of the anomaly scores, and what makes the strangest rows strange, as a heat map of rows by columns.

    Args:
        scores: of each row, ``[N]``; higher is stranger.
        surprise: contribution of each value, in nats above the usual, ``[N, F]``.
        names: of the columns. rows: names of the rows.
        threshold: the score from which a row counts as anomalous.
        limit: the most rows shown, the strangest ones.

    Returns:
        The histogram and the heat map.

    Example:
        >>> import numpy as np
        >>> [len(panel.get_yticks()) for panel in anomalies(np.arange(3.0), np.eye(3), ["a", "b", "c"], ["x", "y", "z"])][1]
        3
    """
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:limit]
    figure = new_figure(4.0 + 1.6 + 0.32 * max(6, min(len(names), MAX_COLUMNS)), 0.8 + 0.26 * max(6, len(order)))
    left, right = figure.subplots(1, 2, width_ratios=[3.2, 0.4 + 0.32 * max(6, min(len(names), MAX_COLUMNS))])
    _scores(left, scores, threshold)
    columns = np.argsort(-np.nan_to_num(surprise[order]).max(0), kind="stable")[:MAX_COLUMNS] if len(order) else np.arange(0)
    columns = np.sort(columns)
    shown = surprise[np.ix_(order, columns)]
    image = _heat(right, shown, [rows[k] for k in order], [names[k] for k in columns], STRENGTH, (0.0, max(1.0, _most(shown))))
    _tips(right, shown, [rows[k] for k in order], [names[k] for k in columns])
    right.set_title(word("strangest_rows"))
    _key(right, image, word("nats_above_usual"))
    return [left, right]


def _scores(panel: Axes, scores: Array, threshold: float) -> None:
    """A histogram of scores, with the threshold."""
    known = scores[np.isfinite(scores)]
    panel.set(xlabel=word("score"), ylabel=word("rows"))
    if not len(known):
        style.say(panel, word("no_values"))
        return
    low, high = float(known.min()), float(np.quantile(known, 0.995))
    panel.hist(known.clip(low, high), bins=30, color=GIVEN, alpha=0.6)
    if np.isfinite(threshold):
        panel.axvline(threshold, color=WARM, lw=1.2, ls=(0, (4, 3)))
        panel.set_title(word("above_threshold", n=int((known >= threshold).sum()), all=len(known)))
    panel.grid(axis="y", color=FAINT, lw=0.8)
    panel.set_axisbelow(True)


def _rows_panel(rows: int, columns: int) -> Axes:
    return new_figure(2.6 + 0.32 * max(8, min(columns, 30)), 1.2 + 0.24 * max(9, rows)).add_subplot()


def _heat(
    panel: Axes, values: Array, rows: Sequence[str], columns: Sequence[str], colours: Any, ends: tuple[float, float]
) -> Any:
    """Values [rows, columns] as a heat map with names."""
    if not values.size:
        style.say(panel, word("no_values"))
    panel.tick_params(length=0, labelsize=7.5)
    image = panel.pcolormesh(np.nan_to_num(values), cmap=colours, vmin=ends[0], vmax=ends[1], edgecolors="face", linewidth=0.2)
    panel.set_yticks(np.arange(len(rows)) + 0.5, [short(name, 16) for name in rows])
    panel.set_xticks(np.arange(len(columns)) + 0.5, [short(name, 14) for name in columns], rotation=90)
    panel.invert_yaxis()
    for spine in panel.spines.values():
        spine.set_visible(False)
    return image


def _tips(panel: Axes, values: Array, rows: Sequence[str], columns: Sequence[str]) -> None:
    """What a page shows where the pointer is over a value."""
    places = [(j + 0.5, i + 0.5) for i in range(len(rows)) for j in range(len(columns))]
    texts = [f"{row}, {column}: {amount(f'{value:.2f}')}" for row, line in zip(rows, values, strict=True)
             for column, value in zip(columns, line, strict=True)]  # fmt: skip
    if places:
        labels.tips(panel, np.array(places), texts, size=150.0)


def _key(panel: Axes, image: Any, name: str) -> None:
    bar: Any = panel.figure.colorbar(image, ax=panel, shrink=0.8, fraction=0.05, pad=0.02)
    bar.set_label(name, fontsize=8, color=MUTED)
    bar.outline.set_visible(False)


def _most(values: Array) -> float:
    """The upper end of a colour scale: the 98% quantile."""
    known = values[np.isfinite(values)]
    return float(np.quantile(known, 0.98)) if known.size else 1.0
