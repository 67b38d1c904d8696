"""Drawing: what goes inside one panel, and the choices that several figures share.

Each function that takes a panel draws into it; :mod:`latente.report.figures` puts panels together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

Array = NDArray[Any]
Law = tuple[Array, Array, Array]

INK, MUTED, LINE, FAINT, PAPER = "#1f2933", "#66717e", "#c3cad2", "#eceff2", "#ffffff"
GIVEN, MADE, WARM = "#7d8894", "#0b6fb8", "#c8443c"
REGIONS = ("#f1f4f7", "#e6ebf0", "#dae1e8")
UNSEEN = (0.96, 0.78, 0.76)
CLASSES = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
"""Petroff's ten colours (arXiv 2107.02270), which stay apart for the colour-blind too."""

FONT = "DejaVu Sans"
THEME = {
    **dict(zip((INK, MUTED, LINE, FAINT, PAPER), ("ink", "muted", "line", "faint", "paper"), strict=True)),
    **dict(zip((GIVEN, MADE, WARM), ("given", "made", "warm"), strict=True)),
    **{colour: f"law{k}" for k, colour in enumerate(REGIONS, 1)},
    f"'{FONT}'": "font",
}
"""What stands in a vector figure, and the name that a page knows it by, which may be dark."""

STYLE: dict[str, Any] = {
    "font.family": FONT,
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "latente",
    "text.parse_math": False,  # a dollar in the name of a column is a dollar
}
MOST_POINTS = 20_000
MOST_VECTOR_POINTS = 300  # beyond them, dots are pixels in vector figures: 80 bytes a dot add up


def say(panel: Axes, text: str) -> Axes:
    """Words in the middle of a panel that has nothing to show."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", color=MUTED, fontsize=9)
    return panel


def note(panel: Axes, text: str) -> None:
    """A short figure in the upper left corner, readable over what is drawn there."""
    panel.text(0.03, 0.97, text, transform=panel.transAxes, va="top", fontsize=8.5, path_effects=[halo()], zorder=5)


def halo() -> withStroke:
    """A white rim that keeps text readable over dots and lines."""
    return withStroke(linewidth=3, foreground=PAPER)


# ------------------------------------------------------------------------------------------------------------ pictures


def channels_last(pictures: Array) -> Array:
    """``[N, H, W, C]`` of any of ``[N, H, W]``, ``[N, H, W, C]`` and ``[N, C, H, W]``."""
    if pictures.ndim == 3:
        return pictures[..., None]
    first_only = pictures.shape[1] in (1, 3, 4) and pictures.shape[-1] not in (1, 3, 4)
    return np.moveaxis(pictures, 1, -1) if first_only else pictures


def value_range(pictures: Array) -> tuple[float, float]:
    """The values that stand for black and white: the type's for bytes, 0 and 1 if all lie between, else the extremes."""
    if pictures.dtype == np.uint8:
        return 0.0, 255.0
    seen = pictures[np.isfinite(pictures)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def painted(pictures: Array, black_to_white: tuple[float, float]) -> Array:
    """Pictures as RGB ``[N, H, W, 3]``; what was not seen is pink, which no grey picture holds."""
    low, high = black_to_white
    values = (channels_last(pictures).astype(float) - low) / ((high - low) or 1.0)
    colours = values[..., :3] if values.shape[-1] >= 3 else values.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    seen = np.isfinite(colours).all(axis=-1, keepdims=True)
    return np.where(seen, colours, UNSEEN).clip(0, 1)


def sheet(panel: Axes, tiles: Array, columns: int) -> Axes:
    """Painted pictures side by side in ``columns`` columns, with a gap between them."""
    panel.set_axis_off()
    if not tiles.size:
        return say(panel, "no pictures to show")
    (count, height, width, _), rows = tiles.shape, math.ceil(len(tiles) / columns)
    gap = max(1, round(0.08 * min(height, width)))
    canvas = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for k in range(count):
        top, left = (height + gap) * (k // columns), (width + gap) * (k % columns)
        canvas[top : top + height, left : left + width] = tiles[k]
    panel.imshow(canvas, interpolation="nearest" if max(height, width) < 64 else "antialiased")
    return panel


def picture_pairs(panel: Axes, originals: Array, reconstructed: Array) -> Axes:
    """Originals over their reconstructions, with one scale of brightness for both."""
    both = [painted(pictures, value_range(originals)) for pictures in (originals, reconstructed)]
    sheet(panel, np.concatenate(both), max(1, len(originals)))
    for name, height in zip(("original", "rebuilt"), (0.75, 0.25), strict=True) if len(originals) else ():
        look: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "center", "fontsize": 8.5, "color": MUTED}
        panel.text(-0.008, height, name, transform=panel.transAxes, **look)
    return panel


# -------------------------------------------------------------------------------------------------------------- tables


def r_squared(original: Array, reconstructed: Array) -> float:
    """Share of the variance that the reconstruction explains; NaN where there is none, or fewer than two rows."""
    seen = np.isfinite(original) & np.isfinite(reconstructed)
    original, reconstructed = original[seen].astype(float), reconstructed[seen].astype(float)
    total = float(((original - original.mean()) ** 2).sum()) if seen.any() else 0.0
    return 1 - float(((original - reconstructed) ** 2).sum()) / total if total > 0 else math.nan


def ks_distance(real: Array, generated: Array) -> float:
    """Kolmogorov-Smirnov: the largest gap between the two cumulative distributions; NaN where one has no values."""
    real, generated = np.sort(real[np.isfinite(real)]), np.sort(generated[np.isfinite(generated)])
    if not len(real) or not len(generated):
        return math.nan
    points = np.concatenate([real, generated])
    shares = [np.searchsorted(values, points, side="right") / len(values) for values in (real, generated)]
    return float(np.abs(shares[0] - shares[1]).max())


def ranked(scores: Array, limit: int) -> list[int]:
    """All columns in their order, or of too many, ``limit`` at even steps from the highest score to the lowest."""
    if len(scores) <= limit:
        return list(range(len(scores)))
    best_first = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    return [int(k) for k in best_first[np.linspace(0, len(scores) - 1, limit).round().astype(int)]]


def limits(values: Array, share: float = 98.0, margin: float = 0.08) -> tuple[float, float]:
    """Ends of an axis that shows this share of the values: a few far ones do not flatten the rest."""
    finite = values[np.isfinite(values)].astype(float)
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(end) for end in np.percentile(finite, (50 - share / 2, 50 + share / 2)))
    room = margin * (high - low) if high > low else 0.5 * abs(low) or 0.5
    return low - room, high + room


def against(panel: Axes, original: Array, reconstructed: Array, fit: float) -> Axes:
    """Reconstruction against original: on the diagonal where they agree, at the frame where they lie outside it."""
    seen = np.flatnonzero(np.isfinite(original) & np.isfinite(reconstructed))
    if not len(seen):
        return say(panel, "no values seen")
    shown = sampled(seen, 1500)
    x, y = spread(original[shown].astype(float)), reconstructed[shown].astype(float)
    low, high = limits(x)
    panel.plot([low, high], [low, high], color=LINE, lw=1, zorder=1)
    panel.scatter(x.clip(low, high), y.clip(low, high), color=MADE, zorder=2, clip_on=False, **dots(3 * len(shown)))
    panel.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
    panel.locator_params(nbins=4)
    note(panel, "one value" if math.isnan(fit) else f"R² {fit:.2f}")
    return panel


def few(values: Array, most: int = 12) -> Array:
    """The distinct values of a column that has few of them, sorted; of any other, none."""
    distinct = np.unique(values[:MOST_POINTS])
    return distinct if 1 < len(distinct) <= most else distinct[:0]


def spread(values: Array) -> Array:
    """Values a little apart where a column has few of them, so that dots do not hide one another."""
    if not len(distinct := few(values)):
        return values
    away: Array = np.random.default_rng(0).uniform(-0.15, 0.15, len(values))
    return np.asarray(values + np.diff(distinct).min() * away)


def distributions(panel: Axes, real: Array, generated: Array, gap: float) -> Axes:
    """Histogram of the generated values as a line, over that of the real ones as an area."""
    real, generated = real[np.isfinite(real)].astype(float), generated[np.isfinite(generated)].astype(float)
    if not len(real) and not len(generated):
        return say(panel, "no values seen")
    edges = bins(real, generated)
    areas, line = (np.histogram(v, edges)[0] / max(len(v), 1) / np.diff(edges) for v in (real, generated))
    panel.stairs(areas, edges, fill=True, color=GIVEN, alpha=0.4)
    panel.stairs(line, edges, color=MADE, lw=1.6)
    panel.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.22 * max(areas.max(), line.max()) or 1.0), yticks=[])
    panel.locator_params(axis="x", nbins=4)
    if len(distinct := few(real, 6)):
        panel.set_xticks(distinct)
    panel.spines["left"].set_visible(False)
    if not math.isnan(gap):
        note(panel, f"KS {gap:.2f}")
    return panel


def bins(real: Array, generated: Array) -> Array:
    """Edges of a histogram: a bin for each value of the data where they are few, else 30 over most of what there is.

    Values generated far outside the data widen it by half at most: beyond that they are off the panel.
    """
    if len(distinct := few(real)):
        between = (distinct[1:] + distinct[:-1]) / 2
        return np.concatenate([[2 * distinct[0] - between[0]], between, [2 * distinct[-1] - between[-1]]])
    (low, high), (lowest, highest) = limits(real if len(real) else generated), limits(generated if len(generated) else real)
    room = (high - low) / 2
    return np.linspace(min(low, max(lowest, low - room)), max(high, min(highest, high + room)), 31)


# ---------------------------------------------------------------------------------------------------------- latent map


def sampled(rows: Array, most: int) -> Array:
    """The rows, or a random choice of ``most`` of them that is the same each time."""
    return rows if len(rows) <= most else np.random.default_rng(0).choice(rows, most, replace=False)


def dots(count: int) -> dict[str, Any]:
    """Size and opacity of ``count`` points: the more there are, the smaller and fainter each."""
    size = float(np.clip(16000 / max(count, 1), 3.0, 26.0))
    opacity = float(np.clip(30 / math.sqrt(max(count, 1)), 0.4, 0.8))
    return {"s": size, "alpha": opacity, "linewidths": 0, "rasterized": count > MOST_VECTOR_POINTS}


def frame_map(panel: Axes, codes: Array, law: Law | None, axis_names: tuple[str, str], shape: float = 1.0) -> None:
    """Axes of a latent map, ``shape`` times as high as wide, over the law: all codes but two in a thousand.

    Where the codes spread alike in both dimensions, a unit is as long on one axis as on the other.
    """
    ends = np.array([limits(codes[:, k], 99.8) if len(codes) else (-3.0, 3.0) for k in (0, 1)])
    spans = ends[:, 1] - ends[:, 0]
    if spans.max() < 3 * spans.min():
        width = max(spans[0], spans[1] / shape)
        ends = ends.mean(axis=1, keepdims=True) + np.array([[-0.5, 0.5]]) * np.array([[width], [width * shape]])
    panel.set(xlim=tuple(ends[0]), ylim=tuple(ends[1]), xlabel=axis_names[0], ylabel=axis_names[1], box_aspect=shape)
    if law is not None:
        contours(panel, law)


def contours(panel: Axes, law: Law) -> None:
    """The regions that hold 50, 80 and 95% of a Gaussian mixture, faint, under the points; the edge of the last, over them."""
    x, y = np.linspace(*panel.get_xlim(), 300), np.linspace(*panel.get_ylim(), 300)
    density = mixture_density(law, np.stack(np.meshgrid(x, y), axis=-1))
    highest_first = np.sort(density, axis=None)[::-1]
    held = np.cumsum(highest_first) / max(float(highest_first.sum()), np.finfo(float).tiny)
    levels = np.unique(highest_first[np.searchsorted(held, (0.95, 0.8, 0.5)).clip(max=held.size - 1)])
    if np.isfinite(density).all() and levels[0] < levels[-1]:
        panel.contourf(x, y, density, levels=[*levels, math.inf], colors=REGIONS, zorder=0)
        panel.contour(x, y, density, levels=levels[:1], colors=[INK], linewidths=0.9, linestyles=[(0, (4, 3))], zorder=3)


def mixture_density(law: Law, points: Array) -> Array:
    """Density of a Gaussian mixture (means, covariances, weights) at ``points [..., 2]``."""
    density = np.zeros(points.shape[:-1])
    for mean, covariance, weight in zip(*law, strict=True):
        away = points - mean
        squared = np.einsum("...i,ij,...j->...", away, np.linalg.pinv(covariance), away)
        spread = math.sqrt(max(float(np.linalg.det(covariance)), np.finfo(float).tiny))
        density += weight * np.exp(-squared / 2) / (2 * math.pi * spread)
    return density


def as_classes(colours: Array, labels: Sequence[str] | None = None) -> tuple[list[str], Array] | None:
    """Names and index of at most ten classes, the rarest under one name; ``None`` where the colours are a measure."""
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
    return [*(names[k] for k in common), "other"], place[index]


def points(panel: Axes, codes: Array, paint: str | Array) -> Axes:
    """Codes as dots of one colour or of one each, in a random order, so that no class hides another."""
    shown = np.random.default_rng(0).permutation(sampled(np.arange(len(codes)), MOST_POINTS))
    x, y = codes[shown].T
    panel.scatter(x, y, c=paint if isinstance(paint, str) else paint[shown], **dots(len(shown)))
    if len(shown) < len(codes):
        note(panel, f"{len(shown):,} of {len(codes):,} rows")
    return panel


def by_class(panel: Axes, codes: Array, index: Array) -> Axes:
    """Codes in the colours of their classes."""
    return points(panel, codes, ListedColormap(CLASSES)(index % len(CLASSES)))


def by_measure(panel: Axes, codes: Array, measure: Array, name: str) -> Axes:
    """Codes from dark to light over 98% of a measure, grey where it was not seen, with a bar beside the panel."""
    scale = ScalarMappable(Normalize(*limits(measure, margin=0.0)), colormaps["viridis"].with_extremes(bad=LINE))
    bar(panel, scale, name)
    return points(panel, codes, scale.to_rgba(np.ma.masked_invalid(measure.astype(float))))


def hexagons(panel: Axes, codes: Array) -> Axes:
    """Very many codes as the number of them in each small cell."""
    ends = (*panel.get_xlim(), *panel.get_ylim())
    cells = panel.hexbin(*codes.T, gridsize=80, bins="log", cmap="Blues", mincnt=1, linewidths=0.1, extent=ends)
    bar(panel, cells, "rows in a cell")
    return panel


def bar(panel: Axes, scale: ScalarMappable, name: str) -> None:
    """A slim colour bar beside the panel."""
    drawn = cast(FigureBase, panel.figure).colorbar(scale, ax=panel, label=name, shrink=0.6, aspect=30)
    drawn.outline.set_visible(False)


def name_classes(panel: Axes, codes: Array, names: Sequence[str], index: Array) -> None:
    """Each class's name at the median of its codes."""
    for k, name in enumerate(names):
        if (index == k).any():
            x, y = np.median(codes[index == k], axis=0)
            panel.text(x, y, name, ha="center", va="center", fontsize=11, weight="bold", path_effects=[halo()])


def class_legend(panel: Axes, names: Sequence[str], title: str) -> None:
    """Legend of the classes, to the right of the panel."""
    handles = [Line2D([], [], ls="", marker="o", color=CLASSES[k], label=name) for k, name in enumerate(names)]
    panel.legend(handles=handles, title=title or None, loc="center left", bbox_to_anchor=(1.0, 0.5), alignment="left")


# ------------------------------------------------------------------------------------------------------------ training


def series(history: Sequence[Mapping[str, float]], key: str) -> Array:
    """One figure of each epoch; NaN where the entry lacks it."""
    return np.array([entry.get(key, math.nan) for entry in history], dtype=float)


def curves(panel: Axes, history: Sequence[Mapping[str, float]], quantity: str) -> Axes:
    """A quantity on training and on held-out rows, epoch by epoch; the first, far values run out of the panel."""
    values = [series(history, f"{part}_{quantity}") for part in ("train", "held_out")]
    if not np.isfinite(values).any():
        return say(panel, f"no {quantity} to show")
    mark = "o" if len(history) < 12 else None
    for line, name, colour in zip(values, ("training", "held out"), (GIVEN, MADE), strict=True):
        panel.plot(series(history, "epoch"), line, color=colour, lw=1.8, marker=mark, ms=4, label=name)
    late = np.concatenate([line[len(line) // 6 :] for line in values])
    low, high = limits(late if np.isfinite(late).any() else np.concatenate(values), 99.0)
    panel.set_ylim(0 if quantity == "rate" else low, high)
    panel.margins(x=0.02)
    if quantity == "loss":
        panel.legend()
    panel.grid(axis="y", color=FAINT, lw=0.8)
    return panel
