"""Figures of the latent space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from latente.errors import renamed
from latente.report.drawing import labels, maps, style, tables
from latente.report.drawing.style import FAINT, GIVEN, MADE, WARM, Array, NormalMixture
from latente.report.figures.canvas import new_figure, short, styled
from latente.words import amount, word

_KEY = 1.9  # inches for a legend or a bar beside a map


@styled
@renamed(law="density")
def latent_map(
    codes: Array,
    colours: Array | None = None,
    labels: Sequence[str] | None = None,
    *,
    density: NormalMixture | None = None,
    title: str = "",
    colour_name: str = "",
    axis_names: tuple[str, str] = ("z₁", "z₂"),
    ax: Axes | None = None,
) -> Axes:
    """The rows of a data set as points of a two-dimensional latent space.

    Of more than 20,000 rows, a subsample is drawn if they are coloured, else counts in hexagonal bins.

    Args:
        codes: ``[N, 2]``: two dimensions of the latent space, or a projection of it.
        colours: ``[N]``: text or at most ten whole numbers are classes, with a legend; other numbers get a colour bar.
        labels: names of classes that are whole numbers: that of class ``k`` is ``labels[k]``.
        density: a Gaussian mixture ``(means [k, 2], covariances [k, 2, 2], weights [k])``, drawn as the regions with
            50, 80 and 95% of its mass.
        title: above the map.
        colour_name: title of the legend or the colour bar.
        axis_names: of the two dimensions.
        ax: axes to draw on; by default those of a new figure.

    Example:
        >>> import numpy as np
        >>> latent_map(np.eye(2), np.array(["a", "b"])).get_xlabel()
        'z₁'
    """
    if ax is None:
        ax = _places(1, 4.9, has_key=colours is not None or len(codes) > style.MAX_POINTS)[0]
        latent_map(codes, colours, labels, density=density, title=title, colour_name=colour_name, axis_names=axis_names, ax=ax)
        return _beside(ax)
    observed = np.isfinite(codes).all(axis=1)
    codes, colours = codes[observed], None if colours is None else np.asarray(colours)[observed]
    maps.frame_map(ax, codes, density, axis_names)
    ax.set_title(title)
    if not len(codes):
        return style.say(ax, word("no_codes"))
    if colours is not None:
        return _coloured(ax, codes, colours, labels, colour_name)
    return maps.points(ax, codes, MADE) if len(codes) <= style.MAX_POINTS else maps.hexagons(ax, codes)


@styled
@renamed(law="density")
def latent_maps(
    codes: Array,
    colours: Mapping[str, Array],
    *,
    density: NormalMixture | None = None,
    axis_names: tuple[str, str] = ("z₁", "z₂"),
    rows: Sequence[str] = (),
) -> list[Axes]:
    """The same map in several colourings, one small panel each.

    Args:
        codes: as in :func:`latent_map`.
        colours: the colours of each panel by its title; as in :func:`latent_map`.
        density, axis_names: as in :func:`latent_map`.
        rows: what a page shows of a row where the pointer is over its dot; of at most 400 rows, in the first panel.

    Example:
        >>> import numpy as np
        >>> len(latent_maps(np.eye(2), {"a": np.arange(2.5, 4), "b": np.array(["x", "y"])}))
        2
    """
    panels = _places(max(1, len(colours)), 3.0)
    for panel, (name, colour) in zip(panels, colours.items(), strict=False):
        latent_map(codes, colour, density=density, title=short(name, 44), axis_names=axis_names, ax=panel)
        _beside(panel)
        if len(rows) and panel is panels[0]:
            labels.tips(panel, codes, [f"{row}: {name} {value_text(value)}" for row, value in zip(rows, colour, strict=True)])
    return panels


@styled
def code_line(codes: Array, column: Array, *, axis_names: tuple[str, str] = ("z₁", "")) -> Axes:
    """A code of one dimension against a column.

    Args:
        codes: ``[N]``.
        column: numbers, or texts, which are sorted by their mean code, ``[N]``.
        axis_names: of the code and of the column.

    Example:
        >>> import numpy as np
        >>> [text.get_text() for text in code_line(np.arange(3), np.array(["b", "b", "a"])).get_yticklabels()]
        ['b', 'a']
    """
    panel = new_figure(7.6, 3.6).add_subplot()
    panel.set(xlabel=axis_names[0], ylabel=axis_names[1])
    if is_levels := tables.is_levels(column):
        kinds, index = np.unique(column.astype(str), return_inverse=True)
        order = np.argsort([codes[index == k].mean() for k in range(len(kinds))])
        column = np.argsort(order)[index].astype(float)
        panel.set_yticks(range(len(kinds)), [short(str(kinds[k]), 20) for k in order])
    panel.scatter(codes, tables.jittered(column.astype(float)), color=MADE, **style.dots(len(codes)))
    panel.margins(0.04)
    if not is_levels and len(distinct := tables.few(column, 6)):
        panel.set_yticks(distinct)
    return panel


@styled
def posterior_against_samples(
    means: Array,
    deviations: Array,
    drawn: Mapping[str, tuple[Array, Array]],
    *,
    axis_names: tuple[str, str] = ("z₁", "z₂"),
) -> list[Axes]:
    """The density of the codes of all rows, with sampled codes; one panel for each prior.

    Args:
        means: of the posteriors of the rows, ``[N, 2]``, or ``[N, 1]`` for a code of one dimension.
        deviations: their standard deviations, of the same shape.
        drawn: by the title of the panel, sampled codes, ``[M, 2]`` or ``[M, 1]``, and which of them are in holes, bool ``[M]``.
        axis_names: of the dimensions.

    Example:
        >>> import numpy as np
        >>> codes = np.random.default_rng(0).normal(size=(50, 2))
        >>> len(posterior_against_samples(codes, 0.1 + 0 * codes, {"N(0, I)": (codes, codes[:, 0] > 2)}))
        1
    """
    count = max(1, len(drawn))
    figure = new_figure(*((4.6 * count, 4.2) if means.shape[1] > 1 else (5.1 * count, 2.8)))
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    everywhere = np.concatenate([means, *(codes for codes, _ in drawn.values())])
    for panel, (name, (codes, in_hole)) in zip(panels, drawn.items(), strict=True):
        if means.shape[1] > 1:
            maps.frame_map(panel, everywhere, None, axis_names)
        _against_samples(panel, means, deviations, codes, in_hole, axis_names)
        panel.set_title(short(name, 50))
    return panels


@styled
def space_measures(measures: Sequence[tuple[str, float, float, float]]) -> Axes:
    """Figures between 0 and 1 with their intervals, one below the other.

    Args:
        measures: name, value, and both ends of the interval (NaN if there is none); a name that begins with a space is a
            reference for the one above. Values that are NaN are left out.

    Example:
        >>> len(space_measures([("C", 0.6, 0.5, 0.7), (" PCA", 0.4, 0.3, 0.5)]).get_yticks())
        2
    """
    known = [measure for measure in measures if np.isfinite(measure[1])]
    panel = new_figure(7.6, 0.34 * max(2, len(known)) + 0.7).add_subplot()
    if not known:
        return style.say(panel, word("no_values"))
    for row, (name, value, low, high) in enumerate(known):
        colour = GIVEN if name.startswith(" ") else MADE
        if np.isfinite([low, high]).all():
            panel.plot([low, high], [row, row], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        panel.plot([value], [row], "o", color=colour, ms=7)
        panel.text(1.03, row, amount(f"{value:.2f}"), va="center", fontsize=9)
    panel.set_yticks(range(len(known)), [name.strip() for name, *_ in known])
    panel.set(xlim=(-0.02, 1.02), ylim=(len(known) - 0.4, -0.6))
    panel.grid(axis="x", color=FAINT, lw=0.8)
    panel.tick_params(axis="y", length=0, labelsize=9)
    return panel


def value_text(value: Any) -> str:
    """A value in a few letters."""
    return str(value) if isinstance(value, str) else amount(f"{float(value):.4g}")


def _places(count: int, side: float, has_key: bool = True) -> list[Axes]:
    """Panels for maps, two in a row, of about this size in inches, each with room for a legend or a colour bar.

    The layout of matplotlib can't reserve this room, because it does not know the width of a square panel in advance.
    """
    across, down = min(2, count), -(-count // 2)
    figure = new_figure(across * (side + 0.5 + _KEY * has_key), down * (side + 0.7))
    figure.add_artist(Rectangle((0, 0), 1, 1, fill=False, lw=0))  # Jupyter cuts off what is beside the artists in the layout
    places = figure.add_gridspec(down, across * (1 + has_key), width_ratios=[side, *[_KEY] * has_key] * across)
    return [figure.add_subplot(places[k // across, k % across * (1 + has_key)]) for k in range(count)]


def _beside(panel: Axes) -> Axes:
    """Put the legend or colour bar of a map into the room reserved by :func:`_places`."""
    for key in (panel.get_legend(), *panel.child_axes):
        if key is not None:
            key.set_in_layout(False)
    return panel


def _against_samples(
    panel: Axes, means: Array, deviations: Array, drawn: Array, in_hole: Array, axis_names: tuple[str, str]
) -> None:
    """One panel of :func:`posterior_against_samples`."""
    if means.shape[1] == 1:
        maps.density_line(panel, means[:, 0], deviations[:, 0], drawn[:, 0])
        panel.vlines(drawn[in_hole, 0], 0, 0.06, color=WARM, lw=1, transform=panel.get_xaxis_transform())
        panel.set_xlabel(axis_names[0])
        return
    maps.cloud(panel, means, deviations)
    maps.marked_holes(panel, drawn, in_hole)


def _coloured(panel: Axes, codes: Array, colours: Array, labels: Sequence[str] | None, name: str) -> Axes:
    """Codes coloured by class, with a legend, or by a number, with a colour bar."""
    classes = maps.as_classes(colours, labels)
    if classes is None:
        return maps.by_measure(panel, codes, colours, name)
    maps.class_legend(panel, classes[0], name)
    return maps.by_class(panel, codes, classes[1])
