"""The style of all figures: colours, sizes, texts in a panel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

Array = NDArray[Any]
NormalMixture = tuple[Array, Array, Array]

INK, MUTED, LINE, FAINT, PAPER = "#1f2933", "#66717e", "#c3cad2", "#eceff2", "#ffffff"
GIVEN, MADE, WARM = "#7d8894", "#0b6fb8", "#c8443c"
REGIONS = ("#f1f4f7", "#e6ebf0", "#dae1e8")
MEASURE = LinearSegmentedColormap.from_list("measure", ["#3466b0", "#3fa39b", "#e3b23c"])
"""A sequential colour map that is visible on white and on black."""
DIVERGING = LinearSegmentedColormap.from_list("diverging", ["#c8443c", "#f3f4f6", "#0b6fb8"])
STRENGTH = LinearSegmentedColormap.from_list("strength", ["#eceff2", "#e3b23c", "#bd1f01"])
UNSEEN = (0.96, 0.78, 0.76)
CLASSES = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
"""Petroff's ten colours (arXiv 2107.02270), which are distinct for the colour-blind too."""

FONT = "DejaVu Sans"
THEME = {
    **dict(zip((INK, MUTED, LINE, FAINT, PAPER), ("ink", "muted", "line", "faint", "paper"), strict=True)),
    **dict(zip((GIVEN, MADE, WARM), ("given", "made", "warm"), strict=True)),
    **{colour: f"law{k}" for k, colour in enumerate(REGIONS, 1)},
    f"'{FONT}'": "font",
}
"""Colours of a vector figure and their names on a page, which may have a dark theme."""

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
    "text.parse_math": False,  # a dollar sign in a column's name is not a formula
}
MAX_POINTS = 20_000
MAX_VECTOR_POINTS = 60  # more dots are rasterised in vector figures, because each takes 250 bytes


def say(panel: Axes, text: str) -> Axes:
    """A text in the middle of an empty panel."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", color=MUTED, fontsize=9)
    return panel


def note(panel: Axes, text: str) -> None:
    """A short text in the upper left corner with a halo."""
    panel.text(0.03, 0.97, text, transform=panel.transAxes, va="top", fontsize=8.5, path_effects=[halo()], zorder=5)


def halo() -> withStroke:
    """A white outline that keeps text readable over dots and lines."""
    return withStroke(linewidth=3, foreground=PAPER)


def short(name: str, most: int = 26) -> str:
    """A name, shortened to fit above a panel."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def sampled(rows: Array, most: int) -> Array:
    """The rows, or a fixed random subsample of ``most`` of them."""
    return rows if len(rows) <= most else np.random.default_rng(0).choice(rows, most, replace=False)


def dots(count: int) -> dict[str, Any]:
    """Size and opacity of ``count`` points; both decrease with the number."""
    size = float(np.clip(16000 / max(count, 1), 3.0, 26.0))
    opacity = float(np.clip(30 / math.sqrt(max(count, 1)), 0.4, 0.8))
    return {"s": size, "alpha": opacity, "linewidths": 0, "rasterized": count > MAX_VECTOR_POINTS}


def limits(values: Array, share: float = 98.0, margin: float = 0.08) -> tuple[float, float]:
    """Limits of an axis that show this share of the values, without outliers."""
    finite = values[np.isfinite(values)].astype(float)
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(end) for end in np.percentile(finite, (50 - share / 2, 50 + share / 2)))
    room = margin * (high - low) if high > low else 0.5 * abs(low) or 0.5
    return low - room, high + room
