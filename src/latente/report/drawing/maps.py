"""Panels of the latent space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgb
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from latente.report.drawing.style import (
    CLASSES,
    INK,
    LINE,
    MADE,
    MAX_POINTS,
    MEASURE,
    REGIONS,
    WARM,
    Array,
    NormalMixture,
    dots,
    halo,
    limits,
    note,
    sampled,
    short,
)
from latente.words import word


def frame_map(
    panel: Axes, codes: Array, mixture: NormalMixture | None, axis_names: tuple[str, str], shape: float = 1.0
) -> None:
    """Axes of a latent map, ``shape`` times as high as wide, that show 99.8% of the codes and 95% of the fitted prior.

    If both dimensions have similar ranges, both axes have the same scale.
    """
    ends = np.array([limits(codes[:, k], 99.8) if len(codes) else (-3.0, 3.0) for k in (0, 1)])
    if mixture is not None:
        low, high = reach(mixture)
        ends = np.stack([np.minimum(ends[:, 0], low), np.maximum(ends[:, 1], high)], axis=1)
    spans = ends[:, 1] - ends[:, 0]
    if spans.max() < 3 * spans.min():
        width = max(spans[0], spans[1] / shape)
        ends = ends.mean(axis=1, keepdims=True) + np.array([[-0.5, 0.5]]) * np.array([[width], [width * shape]])
    panel.set(xlim=tuple(ends[0]), ylim=tuple(ends[1]), xlabel=axis_names[0], ylabel=axis_names[1], box_aspect=shape)
    panel.set_anchor("W")  # what tells its colours stands beside it
    if mixture is not None:
        contours(panel, mixture)


def reach(mixture: NormalMixture) -> tuple[Array, Array]:
    """Bounds of the 95% regions of a mixture's components in each dimension, with a margin, both [2]."""
    means, covariances, weights = mixture
    large = weights >= min(0.02, float(weights.max()))  # smaller components hardly affect the 95% region
    away = 1.04 * math.sqrt(5.991) * np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))[large]
    return (means[large] - away).min(0), (means[large] + away).max(0)


def contours(panel: Axes, mixture: NormalMixture) -> None:
    """The regions with 50, 80 and 95% of a Gaussian mixture below the points, and the border of the last above them."""
    x, y = np.linspace(*panel.get_xlim(), 150), np.linspace(*panel.get_ylim(), 150)
    density = mixture_density(mixture, np.stack(np.meshgrid(x, y), axis=-1))
    highest_first = np.sort(density, axis=None)[::-1]
    held = np.cumsum(highest_first) / max(float(highest_first.sum()), np.finfo(float).tiny)
    levels = np.unique(highest_first[np.searchsorted(held, (0.95, 0.8, 0.5)).clip(max=held.size - 1)])
    if np.isfinite(density).all() and levels[0] < levels[-1]:
        panel.contourf(x, y, density, levels=[*levels, math.inf], colors=REGIONS, zorder=0)
        panel.contour(x, y, density, levels=levels[:1], colors=[INK], linewidths=0.9, linestyles=[(0, (4, 3))], zorder=3)


def mixture_density(mixture: NormalMixture, points: Array) -> Array:
    """Density of a Gaussian mixture (means, covariances, weights) at ``points [..., 2]``."""
    density = np.zeros(points.shape[:-1])
    for mean, covariance, weight in zip(*mixture, strict=True):
        away = points - mean
        squared = np.einsum("...i,ij,...j->...", away, np.linalg.pinv(covariance), away)
        spread = math.sqrt(max(float(np.linalg.det(covariance)), np.finfo(float).tiny))
        density += weight * np.exp(-squared / 2) / (2 * math.pi * spread)
    return density


def as_classes(colours: Array, labels: Sequence[str] | None = None) -> tuple[list[str], Array] | None:
    """Names and indices of at most ten classes, with the rarest combined; ``None`` if the colours are numeric."""
    numbers = colours.dtype.kind in "iuf"
    kinds, index, counts = np.unique(colours if numbers else colours.astype(str), return_inverse=True, return_counts=True)
    if numbers and (len(kinds) > 10 or not np.isfinite(kinds).all() or (kinds % 1).any()):
        return None
    names = [labels[int(kind)] if numbers and labels else f"{kind:g}" if numbers else str(kind) for kind in kinds]
    if len(kinds) <= 10:
        return names, index
    place = np.full(len(kinds), 9)
    common = np.sort(np.argsort(-counts, kind="stable")[:9])
    place[common] = np.arange(9)
    return [*(names[k] for k in common), word("other")], place[index]


def points(panel: Axes, codes: Array, paint: str | Array) -> Axes:
    """Codes as dots of one or several colours, in random order, so that no class covers another."""
    shown = np.random.default_rng(0).permutation(sampled(np.arange(len(codes)), MAX_POINTS))
    if len(shown) < len(codes):
        note(panel, word("some_rows", shown=len(shown), all=len(codes)))
    look, whole = dots(len(shown)), not panel.get_autoscale_on()
    shown = shown[within(panel, codes[shown])] if whole else shown
    x, y = codes[shown].T
    panel.scatter(x, y, c=paint if isinstance(paint, str) else paint[shown], clip_on=not whole, **look)
    return panel


def within(panel: Axes, codes: Array) -> Array:
    """Which codes are inside a panel; these are drawn without clipping."""
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    x, y = codes.T
    return np.asarray((left <= x) & (x <= right) & (bottom <= y) & (y <= top))


def by_class(panel: Axes, codes: Array, index: Array) -> Axes:
    """Codes in the colours of their classes."""
    return points(panel, codes, ListedColormap(CLASSES)(index % len(CLASSES)))


def by_measure(panel: Axes, codes: Array, measure: Array, name: str) -> Axes:
    """Codes coloured by a numeric value (98% of its range; grey if missing), with a colour bar."""
    scale = _scale(measure)
    bar(panel, scale, name)
    return points(panel, codes, painted(measure, scale))


def _scale(measure: Array) -> ScalarMappable:
    return ScalarMappable(Normalize(*limits(measure, margin=0.0)), MEASURE.with_extremes(bad=LINE))


def painted(measure: Array, scale: ScalarMappable | None = None) -> Array:
    """The colours of a numeric value, [N, 4]."""
    return np.asarray((scale or _scale(measure)).to_rgba(np.ma.masked_invalid(measure.astype(float))))


def hexagons(panel: Axes, codes: Array) -> Axes:
    """Very many codes as counts in hexagonal bins."""
    ends = (*panel.get_xlim(), *panel.get_ylim())
    cells = panel.hexbin(*codes.T, gridsize=80, bins="log", cmap="Blues", mincnt=1, linewidths=0.1, extent=ends)
    bar(panel, cells, word("rows_in_bin"))
    return panel


def bar(panel: Axes, scale: ScalarMappable, name: str) -> None:
    """A slim colour bar beside the panel."""
    drawn = cast(FigureBase, panel.figure).colorbar(scale, cax=panel.inset_axes((1.04, 0.2, 0.022, 0.6)), label=short(name, 30))
    drawn.outline.set_visible(False)


def name_classes(panel: Axes, codes: Array, names: Sequence[str], index: Array) -> None:
    """Each class's name at the median of its codes."""
    for k, name in enumerate(names):
        if (index == k).any():
            x, y = np.median(codes[index == k], axis=0)
            panel.text(x, y, name, ha="center", va="center", fontsize=11, weight="bold", path_effects=[halo()])


def class_legend(panel: Axes, names: Sequence[str], title: str) -> None:
    """Legend of the classes, to the right of the panel."""
    handles = [Line2D([], [], ls="", marker="o", color=CLASSES[k], label=short(name, 22)) for k, name in enumerate(names)]
    panel.legend(
        handles=handles, title=short(title, 22) or None, loc="center left", bbox_to_anchor=(1.0, 0.5), alignment="left"
    )


def cloud(panel: Axes, means: Array, deviations: Array) -> Axes:
    """The mean density of many normals ``[N, 2]`` as a shading of the panel."""
    x, y = (np.linspace(*ends, 120) for ends in (panel.get_xlim(), panel.get_ylim()))
    density = normals(y, means[:, 1], deviations[:, 1]).T @ normals(x, means[:, 0], deviations[:, 0])
    shade = np.empty((*density.shape, 4))
    shade[..., :3] = to_rgb(MADE)
    shade[..., 3] = 0.85 * np.sqrt(density / max(float(density.max()), np.finfo(float).tiny))
    panel.imshow(shade, extent=(x[0], x[-1], y[0], y[-1]), origin="lower", aspect="auto", interpolation="none", zorder=1)
    return panel


def normals(points: Array, means: Array, deviations: Array) -> Array:
    """Densities [N, P] of normals [N] at points [P]."""
    width = np.maximum(deviations, 0.006 * np.ptp(points))[:, None]  # at least the visible width
    density: Array = np.exp(-(((points - means[:, None]) / width) ** 2) / 2) / (width * math.sqrt(2 * math.pi))
    return density


def density_line(panel: Axes, means: Array, deviations: Array, drawn: Array) -> Axes:
    """The mean density of many normals ``[N]`` as an area, and a histogram of samples ``drawn [M]`` as a line."""
    ends = limits(np.concatenate([means - 2 * deviations, means + 2 * deviations, drawn]), 99.8)
    x = np.linspace(*ends, 300)
    panel.fill_between(x, normals(x, means, deviations).mean(0), color=MADE, alpha=0.4, lw=0)
    edges = np.linspace(*ends, 41)
    panel.stairs(np.histogram(drawn, edges)[0] / max(len(drawn), 1) / np.diff(edges), edges, color=INK, lw=1, ls=(0, (4, 3)))
    panel.set(xlim=ends, yticks=[])
    panel.set_ylim(bottom=0)
    return panel


def marked_holes(panel: Axes, drawn: Array, in_hole: Array) -> Axes:
    """Sampled codes ``[M, 2]`` as dots, and those in holes as crosses."""
    inside = within(panel, drawn)
    (x, y), (lost_x, lost_y) = drawn[inside & ~in_hole].T, drawn[inside & in_hole].T
    panel.scatter(x, y, s=5, color=INK, alpha=0.35, linewidths=0, zorder=3, clip_on=False)
    panel.scatter(lost_x, lost_y, s=16, marker="x", color=WARM, linewidths=1.1, zorder=4, clip_on=False)
    return panel
