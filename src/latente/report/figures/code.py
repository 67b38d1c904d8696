"""Figures of the dimensions of a code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from latente.report.drawing import maps, sheets, style
from latente.report.drawing.style import CLASSES, FAINT, GIVEN, INK, LINE, MADE, Array
from latente.report.figures.canvas import new_figure, plain_figure, short, styled
from latente.report.figures.space import latent_map
from latente.words import word

MAX_DIMENSIONS, CURVES = 8, 4


@styled
def kl_by_dimension(kl: Array, names: Sequence[str] | None = None) -> Axes:
    """The KL of each dimension of the code, from the largest to the smallest.

    Args:
        kl: mean KL divergence from the posterior to the prior, in nats, ``[d]``.
        names: of the dimensions.

    Example:
        >>> import numpy as np
        >>> [text.get_text() for text in kl_by_dimension(np.array([0.1, 2.0])).get_xticklabels()]
        ['z2', 'z1']
    """
    order = np.argsort(-kl, kind="stable")
    panel = new_figure(7.6, 2.4).add_subplot()
    panel.bar(np.arange(len(kl)), kl[order], color=MADE, width=0.7)
    labels = [names[k] if names else f"z{k + 1}" for k in order]
    panel.set_xticks(np.arange(len(kl)), labels, fontsize=8 if len(kl) < 25 else 6)
    panel.set_ylabel(word("kl_nats"), fontsize=8.5)
    panel.grid(axis="y", color=FAINT, lw=0.8)
    panel.set_axisbelow(True)
    return panel


@styled
def corner(codes: Array, names: Sequence[str] | None = None, *, standard: bool = True, limit: int = 5) -> list[Axes]:
    """Each dimension of the code, and each pair of them.

    Args:
        codes: ``[N, d]``, the most important dimensions first.
        names: of the dimensions.
        standard: whether N(0, 1) is drawn over the histograms.
        limit: the most dimensions shown.

    Returns:
        The panels of the lower triangle, row by row.

    Example:
        >>> import numpy as np
        >>> len(corner(np.random.default_rng(0).normal(size=(50, 3))))
        6
    """
    d = min(limit, codes.shape[1])
    figure = plain_figure(1.5 * d + 0.8, 1.5 * d + 0.7, left=0.6, right=0.1, bottom=0.5, top=0.1)
    ends = [style.limits(codes[:, k], 99.5) for k in range(d)]
    labels = [names[k] if names else f"z{k + 1}" for k in range(d)]
    panels = []
    for i in range(d):
        for j in range(i + 1):
            panel = figure.add_subplot(d, d, i * d + j + 1)
            _histogram(panel, codes[:, i], ends[i], standard) if i == j else _scatter(panel, codes[:, [j, i]], ends[i])
            panel.xaxis.set_major_locator(MaxNLocator(3))
            panel.yaxis.set_major_locator(MaxNLocator(3) if i > j else NullLocator())
            panel.set_xlim(ends[j])
            panel.tick_params(labelsize=6.5, labelbottom=i == d - 1, labelleft=j == 0 and i > 0)
            panel.set_xlabel(labels[j] if i == d - 1 else "")
            panel.set_ylabel(labels[i] if j == 0 and i > 0 else "")
            panels.append(panel)
    return panels


def _histogram(panel: Axes, values: Array, ends: tuple[float, float], standard: bool) -> None:
    panel.hist(values, bins=24, range=ends, density=True, color=GIVEN, alpha=0.5)
    if standard:
        x = np.linspace(*ends, 80)
        panel.plot(x, np.exp(-x * x / 2) / np.sqrt(2 * np.pi), color=INK, lw=1, ls=(0, (4, 3)))


def _scatter(panel: Axes, codes: Array, height: tuple[float, float]) -> None:
    x, y = style.sampled(codes, 1000).T
    panel.scatter(x, y, color=MADE, s=3, alpha=0.4, linewidths=0, rasterized=True)
    panel.set_ylim(height)


@styled
def traversal(decoded: Array | Sequence[Mapping[str, Array]], steps: Array, names: Sequence[str] | None = None) -> list[Axes]:
    """What changes along each dimension of the code, while the others stay at their mean.

    Args:
        decoded: pictures ``[d, S, H, W]`` or ``[d, S, H, W, C]``; or for each dimension the decoded columns by name, ``[S]``,
            in standard deviations.
        steps: positions along each dimension, in standard deviations of the codes, ``[S]``.
        names: of the dimensions.

    Returns:
        One panel for pictures, with a row for each dimension; else one for each dimension, with the columns that change most.

    Example:
        >>> import numpy as np
        >>> steps = np.linspace(-2, 2, 5)
        >>> len(traversal([{"a": steps, "b": 0 * steps}], steps))
        1
    """
    labels = [names[k] if names else f"z{k + 1}" for k in range(len(decoded))]
    if isinstance(decoded, np.ndarray):
        return [_traversed_pictures(decoded, steps, labels)]
    across = min(4, len(decoded))
    down = -(-len(decoded) // across)
    figure = plain_figure(2.6 * across + 0.4, 2.3 * down + 0.4, left=0.4, right=0.1, bottom=0.3, top=0.3)
    figure.subplots_adjust(hspace=0.35)
    panels = [figure.add_subplot(down, across, k + 1) for k in range(len(decoded))]
    for panel, columns, name in zip(panels, decoded, labels, strict=True):
        _traversed_columns(panel, columns, steps)
        panel.set_title(name)
    return panels


def _traversed_pictures(decoded: Array, steps: Array, names: Sequence[str]) -> Axes:
    d, count = decoded.shape[:2]
    pictures = sheets.channels_last(decoded.reshape(d * count, *decoded.shape[2:]))
    height, width = pictures.shape[1:3]
    panel = new_figure(7.0, min(12.0, 0.4 + 6.4 * d * height / (count * width))).add_subplot()
    sheets.sheet(panel, sheets.painted(pictures, sheets.value_range(pictures)), count)
    for k, name in enumerate(names):
        panel.text(-0.01, 1 - (k + 0.5) / d, name, transform=panel.transAxes, ha="right", va="center", fontsize=8)
    ends = f"{steps[0]:+.0f}σ … {steps[-1]:+.0f}σ".replace("-", "−")
    panel.set_title(ends, fontsize=8.5)
    return panel


def _traversed_columns(panel: Axes, columns: Mapping[str, Array], steps: Array) -> None:
    """The columns that change most along one dimension."""
    change = {name: float(np.ptp(values)) for name, values in columns.items() if np.isfinite(values).all()}
    most = sorted(change, key=lambda name: -change[name])[:CURVES]
    panel.axhline(0, color=LINE, lw=0.8)
    for name, colour in zip(most, CLASSES, strict=False):
        panel.plot(steps, columns[name], color=colour, lw=1.6, label=short(name, 16))
    panel.tick_params(labelsize=7)
    panel.xaxis.set_major_locator(FixedLocator([-2, 0, 2]))
    panel.yaxis.set_major_locator(MaxNLocator(4))
    if most:
        panel.legend(fontsize=7, handlelength=1.0, loc="best")
    else:
        style.say(panel, word("no_columns"))


@styled
def beside_pca(maps_: Mapping[str, Array], colours: Array | None = None, *, colour_name: str = "") -> list[Axes]:
    """The same rows in several maps, such as the codes and the first principal components.

    Args:
        maps_: positions of the rows by the title of the map, ``[N, 2]``.
        colours: of the rows, as in :func:`latent_map`.
        colour_name: title of the legend or the colour bar, which is beside the last map.

    Example:
        >>> import numpy as np
        >>> len(beside_pca({"codes": np.eye(2), "PCA": -np.eye(2)}))
        2
    """
    figure = new_figure(3.4 * len(maps_) + 1.4 * (colours is not None), 3.5)
    panels = list(figure.subplots(1, len(maps_), squeeze=False)[0])
    for k, (panel, (title, places)) in enumerate(zip(panels, maps_.items(), strict=True)):
        last = k == len(panels) - 1
        kinds = None if colours is None else maps.as_classes(np.asarray(colours))
        if colours is None or last:
            latent_map(places, colours, title=title, colour_name=colour_name, axis_names=("", ""), ax=panel)
            continue
        maps.frame_map(panel, places, None, ("", ""))
        panel.set_title(title)
        maps.by_class(panel, places, kinds[1]) if kinds else maps.points(panel, places, maps.painted(np.asarray(colours)))
    return panels
