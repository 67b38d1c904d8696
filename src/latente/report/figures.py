"""Figures: one function each, from plain NumPy arrays to matplotlib ``Axes``.

Nothing here touches pyplot or leaves a setting changed: each figure is an object of its own, drawn in one shared style
whatever the caller's ``rcParams`` are. A function that needs several panels returns the list of them. Values that were not
seen (NaN) are left out; where nothing is left to draw, the panel says so.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from latente.errors import StorageError
from latente.files import write_atomically
from latente.report import drawing
from latente.report.drawing import GIVEN, MADE, MUTED, STYLE, WARM, Array, Law

_styled = matplotlib.style.context(["default", STYLE])
_STRIP, _MAP_SHAPE = 8, 0.52
_METADATA: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}


@_styled
def reconstructions(
    originals: Array, reconstructed: Array, *, names: Sequence[str] | None = None, limit: int | None = None
) -> list[Axes]:
    """Originals beside what the model makes of them.

    Pictures are drawn as two rows, originals over reconstructions. A table is drawn as one small panel a column,
    reconstruction against original in the user's units, with R² in the corner; of a wide table, columns from the best to
    the worst reconstructed.

    Args:
        originals: pictures ``[N, H, W]``, ``[N, H, W, C]`` or ``[N, C, H, W]``, or a table ``[N, F]``.
        reconstructed: the same shape.
        names: of the columns.
        limit: the most pictures (10) or columns (12) shown.

    Returns:
        One panel for pictures, one a column for a table.

    Example:
        >>> import numpy as np
        >>> table = np.random.default_rng(0).normal(size=(50, 3))
        >>> len(reconstructions(table, 0.9 * table))
        3
    """
    if originals.ndim > 2:
        shown = slice(0, limit or 10)
        return [drawing.picture_pairs(_picture_panel(originals[shown], 2), originals[shown], reconstructed[shown])]
    fits = np.array([drawing.r_squared(*pair) for pair in zip(originals.T, reconstructed.T, strict=True)])
    figure, panels = _column_panels(fits, names, limit or 12, "best to worst reconstructed")
    for column, panel in panels.items():
        drawing.against(panel, originals[:, column], reconstructed[:, column], fits[column])
    figure.supxlabel("original", color=MUTED, fontsize=9)
    figure.supylabel("reconstruction", color=MUTED, fontsize=9)
    return figure.axes


@_styled
def samples(
    generated: Array, real: Array | None = None, *, names: Sequence[str] | None = None, limit: int | None = None
) -> list[Axes]:
    """What the model makes up: a sheet of pictures, or the distribution of each column over the real one.

    Each column of a table carries its Kolmogorov-Smirnov distance (0: alike, 1: apart); of a wide table, columns from the
    closest to the farthest are shown.

    Args:
        generated: pictures ``[N, H, W]``, ``[N, H, W, C]`` or ``[N, C, H, W]``, or a table ``[N, F]``.
        real: rows of the data: the areas of a table's panels, and the black and white of pictures.
        names: of the columns.
        limit: the most pictures (64) or columns (12) shown.

    Returns:
        One panel for pictures, one a column for a table.

    Example:
        >>> import numpy as np
        >>> len(samples(np.zeros((25, 8, 8))))
        1
    """
    if generated.ndim > 2:
        shown, across = generated[: limit or 64], _square(min(len(generated), limit or 64))
        tiles = drawing.painted(shown, drawing.value_range(generated if real is None else real))
        down = math.ceil(len(shown) / across)
        return [drawing.sheet(_picture_panel(shown[:across], down, width=6.0), tiles, across)]
    real = generated[:0] if real is None else real
    gaps = np.array([drawing.ks_distance(*pair) for pair in zip(real.T, generated.T, strict=True)])
    figure, panels = _column_panels(-gaps, names, limit or 12, "closest to farthest from the data")
    for column, panel in panels.items():
        drawing.distributions(panel, real[:, column], generated[:, column], gaps[column])
    data, made = (Line2D([], [], color=GIVEN, lw=7, alpha=0.4, label="data"), Line2D([], [], color=MADE, label="generated"))
    figure.legend(handles=[data, made] if len(real) else [made], loc="outside lower center", ncols=2)
    return figure.axes


@_styled
def latent_map(
    codes: Array,
    colours: Array | None = None,
    labels: Sequence[str] | None = None,
    *,
    law: Law | None = None,
    title: str = "",
    colour_name: str = "",
    axis_names: tuple[str, str] = ("z₁", "z₂"),
    ax: Axes | None = None,
) -> Axes:
    """The rows of a data set as points of a two-dimensional latent space.

    Of more than 20,000 rows, a sample is drawn where they are coloured, and their number in small cells where they are not.

    Args:
        codes: ``[N, 2]``: two dimensions of the latent space, or a projection of it.
        colours: ``[N]``: text or at most ten whole numbers are classes, with a legend; other numbers get a colour bar.
        labels: names of classes that are whole numbers: that of class ``k`` is ``labels[k]``.
        law: a Gaussian mixture ``(means [k, 2], covariances [k, 2, 2], weights [k])``, drawn as the regions that hold
            50, 80 and 95% of it.
        title: above the map.
        colour_name: what the colours are: title of the legend or the colour bar.
        axis_names: of the two dimensions.
        ax: where to draw; a new figure where none is given.

    Example:
        >>> import numpy as np
        >>> latent_map(np.eye(2), np.array(["a", "b"])).get_xlabel()
        'z₁'
    """
    ax = ax or _figure(6.8, 5.6).add_subplot()
    seen = np.isfinite(codes).all(axis=1)
    codes, colours = codes[seen], None if colours is None else np.asarray(colours)[seen]
    drawing.frame_map(ax, codes, law, axis_names)
    ax.set_title(title)
    if not len(codes):
        return drawing.say(ax, "no codes to show")
    if colours is not None:
        return _coloured(ax, codes, colours, labels, colour_name)
    return drawing.points(ax, codes, MADE) if len(codes) <= drawing.MOST_POINTS else drawing.hexagons(ax, codes)


@_styled
def training_curve(
    history: Sequence[Mapping[str, float]], best_epoch: int | None = None, *, loss_name: str = "−ELBO"
) -> list[Axes]:
    """How training went: the loss on training and on held-out rows, and below it the rate, where the model has one.

    The first epochs, which are far above the rest, are let run out of the panel.

    Args:
        history: an entry an epoch: ``epoch``, ``train_loss``, ``held_out_loss``, ``train_rate``, ``held_out_rate``, in
            nats per row. What an entry lacks is left out.
        best_epoch: the epoch whose weights were kept.
        loss_name: what the loss is called.

    Returns:
        The panel of the loss, then that of the rate, if any.

    Example:
        >>> len(training_curve([{"epoch": 1, "train_loss": 9.0, "held_out_loss": 9.5}]))
        1
    """
    has_rate = any(np.nan_to_num(drawing.series(history, f"{part}_rate")).any() for part in ("train", "held_out"))
    figure = _figure(7.6, 4.8 if has_rate else 3.4)
    panels = list(figure.subplots(1 + has_rate, 1, sharex=True, squeeze=False, height_ratios=[3, 1.4][: 1 + has_rate])[:, 0])
    for panel, quantity, name in zip(panels, ("loss", "rate"), (loss_name, "rate"), strict=False):
        drawing.curves(panel, history, quantity)
        panel.set_ylabel(f"{name} (nats per row)")
    _mark_best(panels, history, best_epoch, loss_name)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return panels


@dataclass(frozen=True, eq=False)
class Side:
    """One model's half of :func:`ae_beside_vae`.

    Attributes:
        reconstructed: pictures, one for each of the originals.
        drawn: decoded random codes, as pictures, of which the first sixteen are shown.
        codes: ``[N, 2]``.
        captions: a short sentence over the reconstructions, one over the random draws, one over the map.
        axis_names: of the two dimensions of ``codes``.
    """

    reconstructed: Array
    drawn: Array
    codes: Array
    captions: tuple[str, str, str]
    axis_names: tuple[str, str] = ("z₁", "z₂")


@_styled
def ae_beside_vae(
    originals: Array,
    autoencoder: Side,
    vae: Side,
    classes: Array | None = None,
    *,
    law: Law | None = None,
    titles: tuple[str, str] = ("Autoencoder", "Variational autoencoder"),
) -> list[Axes]:
    """Both models on the same pictures: reconstructions, decoded random codes, and the map of their codes.

    Saved with :func:`save` as it stands, a PNG is 1600 × 1000 pixels.

    Args:
        originals: pictures, of which the first eight are shown.
        autoencoder: what the plain autoencoder makes of them.
        vae: what the VAE makes of them.
        classes: ``[N]``, the class of each row of ``codes``: its colour, and its name on the map.
        law: where the random codes of both were drawn from, as in :func:`latent_map`.
        titles: of the two halves.

    Returns:
        Six panels: reconstructions, draws and map of the first model, then of the second.
    """
    figure = _figure(32 / 3, 20 / 3)
    halves: Any = figure.subfigures(1, 2, wspace=0.05)
    for half, title, side, colour in zip(halves, titles, (autoencoder, vae), (WARM, MADE), strict=True):
        half.suptitle(title, x=0.03, ha="left", fontsize=17, weight="bold", color=colour)
        _half(half, originals[:_STRIP], side, classes, law)
    return figure.axes


@_styled
def save(figure: Axes | Sequence[Axes] | Figure, path: str | os.PathLike[str], *, dpi: int = 150) -> Path:
    """Write a figure as PNG or SVG, by the suffix: whole or not at all, and the same bytes for the same figure.

    Args:
        figure: a figure, its panels, or one of them.
        path: ends in ``.png`` or ``.svg``; missing folders are made, and a file that is there already is replaced.
        dpi: pixels per inch of a PNG.

    Returns:
        The path.

    Raises:
        StorageError: the suffix is another, or the file can't be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _METADATA:
        raise StorageError(f"figures are saved as .png or .svg, and {path.name!r} is neither")
    whole = _whole(figure)
    return write_atomically(path, lambda file: whole.savefig(file, format=kind[1:], dpi=dpi, metadata=_METADATA[kind]))


@matplotlib.style.context(["default", STYLE, {"svg.fonttype": "none"}])
def vector(figure: Axes | Sequence[Axes] | Figure, dpi: int = 150) -> tuple[str, float]:
    """A figure as the text of an SVG file without a background, its words as words; and its width in inches.

    Args:
        figure: as in :func:`save`.
        dpi: pixels per inch of what is drawn as pixels within it.
    """
    file, whole = io.StringIO(), _whole(figure)
    whole.savefig(file, format="svg", dpi=dpi, transparent=True, metadata=_METADATA[".svg"])
    return file.getvalue(), float(whole.get_figwidth())


def _whole(figure: Axes | Sequence[Axes] | Figure) -> Any:
    """The figure that panels are part of."""
    first = figure if isinstance(figure, (Figure, Axes)) else figure[0]
    return first.get_figure(root=True)


def _square(count: int) -> int:
    """Columns of the squarest sheet of ``count`` pictures."""
    return max(1, math.ceil(math.sqrt(count)))


def _figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, whose panels make room for their own words."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))


def _picture_panel(across: Array, down: int, width: float = 10.0) -> Axes:
    """A panel as tall as ``down`` rows of these pictures, side by side, are at that width."""
    height, breadth = drawing.channels_last(across).shape[1:3]
    tall = width * down * height / max(1, len(across) * breadth)
    return _figure(width, float(np.clip(tall, 1.0, 12.0))).add_subplot()


def _column_panels(scores: Array, names: Sequence[str] | None, limit: int, order: str) -> tuple[Figure, dict[int, Axes]]:
    """A small panel for each column; of too many, for some from the highest score to the lowest."""
    columns = drawing.ranked(scores, limit)
    count = max(1, len(columns))
    across = min(count, 4) if count < 5 else min((4, 3), key=lambda wide: -count % wide)
    down = math.ceil(count / across)
    figure = _figure(2.5 * across + 0.4, 2.4 * down + 0.5)
    panels = [figure.add_subplot(down, across, k + 1) for k in range(count)]
    if not columns:
        drawing.say(panels[0], "no columns to show")
    if len(columns) < len(scores):
        figure.suptitle(f"{len(columns)} of {len(scores)} columns, {order}", x=0.01, ha="left", fontsize=10, color=MUTED)
    for column, panel in zip(columns, panels, strict=False):
        panel.set_title(_short(str(names[column]) if names is not None else f"column {column}"))
    return figure, dict(zip(columns, panels, strict=False))


def _short(name: str, most: int = 26) -> str:
    """A name that fits over a small panel."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _coloured(panel: Axes, codes: Array, colours: Array, labels: Sequence[str] | None, name: str) -> Axes:
    """Codes in the colours of their classes, with a legend, or of a measure, with a bar."""
    classes = drawing.as_classes(colours, labels)
    if classes is None:
        return drawing.by_measure(panel, codes, colours, name)
    drawing.class_legend(panel, classes[0], name)
    return drawing.by_class(panel, codes, classes[1])


def _mark_best(panels: Sequence[Axes], history: Sequence[Mapping[str, float]], epoch: int | None, loss_name: str) -> None:
    """A line at the epoch whose weights were kept, and its figures over the first panel."""
    best = next((entry for entry in history if entry.get("epoch") == epoch), None)
    if best is None:
        return
    for panel in panels:
        panel.axvline(best["epoch"], color=WARM, lw=1, ls=(0, (4, 3)))
    held_out = best.get("held_out_loss", math.nan)
    panels[0].set_title(f"kept: epoch {best['epoch']:g}, {loss_name} {held_out:.2f} nats per held-out row")


def _half(half: SubFigure, originals: Array, side: Side, classes: Array | None, law: Law | None) -> None:
    """One model: two rows of reconstructions, two of random draws, and the map of its codes."""
    height, width = drawing.channels_last(originals).shape[1:3]
    strip = 2 * height / (_STRIP * width)
    panels = half.subplots(3, 1, height_ratios=[strip, strip, _MAP_SHAPE])
    drawing.picture_pairs(panels[0], originals, side.reconstructed[: len(originals)])
    drawing.sheet(panels[1], drawing.painted(side.drawn[: 2 * _STRIP], drawing.value_range(originals)), _STRIP)
    drawing.frame_map(panels[2], side.codes, law, side.axis_names, _MAP_SHAPE)
    kinds = None if classes is None else drawing.as_classes(classes)
    if kinds is None:
        drawing.points(panels[2], side.codes, MADE)
    else:
        drawing.by_class(panels[2], side.codes, kinds[1])
        drawing.name_classes(panels[2], side.codes, *kinds)
    for panel, caption in zip(panels, side.captions, strict=True):
        panel.set_title(caption)
        panel.set_anchor("W")
