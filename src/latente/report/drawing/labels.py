"""Places labels beside points, so that they do not overlap with points, lines or each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from matplotlib.axes import Axes

from latente.report.drawing.style import INK, Array, halo

SIZE, LETTER, STEP = 8.0, 0.64, 3.0  # points of the letters; their width by it; points between places looked at on a line
SIDES = [(1, 1), (-1, -1), (1, -1), (-1, 1), (1, 0), (-1, 0), (0, 1), (0, -1)]
MAX_TIPS, TIP = 400, "tip:"


def name_points(
    panel: Axes,
    named: Sequence[tuple[float, float, str, str]],
    marks: Sequence[tuple[float, float, float]],
    lines: Sequence[Array],
) -> None:
    """Draw labels beside points, each on the side with the least overlap. The limits of the panel must be set.

    Args:
        named: position, text and colour of each label.
        marks: position and radius of each marker, in points.
        lines: vertices ``[K, 2]`` of each line.
    """
    away = 72 / panel.figure.dpi
    to_points = panel.transData.transform
    centres = to_points(np.array([mark[:2] for mark in marks])) * away
    radii = np.array([mark[2] for mark in marks])
    ways = np.concatenate([np.zeros((0, 2)), *(_along(to_points(line) * away) for line in lines if len(line) > 1)])
    frame = panel.bbox.get_points() * away
    taken: list[Array] = []
    for x, y, text, colour in named:
        centre = to_points((x, y)) * away
        reach = float(radii[np.linalg.norm(centres - centre, axis=1) < 0.5].max(initial=3.0))
        boxes = [_box(centre, text, side, reach + more) for more in (2.0, 7.0, 13.0, 20.0) for side in SIDES]
        best = min(range(len(boxes)), key=lambda k: (_hidden(boxes[k], centres, radii, ways, taken, frame), k))
        taken.append(boxes[best])
        middle = boxes[best].mean(0) - centre
        look: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center", "path_effects": [halo()]}
        panel.annotate(text, (x, y), xytext=tuple(middle), color=colour, fontsize=SIZE, annotation_clip=True, **look)


def _along(corners: Array) -> Array:
    """Positions on a line, a few points apart."""
    lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    counts = np.clip(lengths / STEP, 1, 500).astype(int)
    parts = [np.linspace(a, b, n + 1) for a, b, n in zip(corners[:-1], corners[1:], counts, strict=True)]
    return np.concatenate(parts)


def _box(centre: Array, text: str, side: tuple[int, int], gap: float) -> Array:
    """Lower left and upper right corner of a text on one side of a point."""
    half = np.array([LETTER * len(text) * SIZE / 2, 0.62 * SIZE])
    near = gap if 0 in side else 0.7 * gap
    middle = centre + np.array(side) * (half + near)
    return np.stack([middle - half, middle + half])


def _hidden(box: Array, centres: Array, radii: Array, ways: Array, taken: list[Array], frame: Array) -> float:
    """Overlap of a text with the rest: labels and markers count more than lines, and the frame most."""
    (left, low), (right, high) = box
    outside = bool(left < frame[0, 0] or low < frame[0, 1] or right > frame[1, 0] or high > frame[1, 1])
    names = sum(bool((box[0] < other[1] + 1).all() and (box[1] > other[0] - 1).all()) for other in taken)
    nearest = np.clip(centres, box[0], box[1])
    marks = int((np.linalg.norm(centres - nearest, axis=1) < radii + 1).sum())
    crossed = int(((ways > box[0] - 1.5) & (ways < box[1] + 1.5)).all(axis=1).sum())
    return 1000.0 * outside + 100.0 * names + 30.0 * marks + crossed


def tips(panel: Axes, places: Array, texts: Sequence[str], size: float = 40.0) -> None:
    """Texts that a page shows where the pointer is over one of some places [N, 2]; of more than 400, the first ones."""
    count = min(MAX_TIPS, len(places))
    addresses = [TIP + quote(text) for text in texts[:count]]
    x, y = np.asarray(places[:count], float).T
    panel.scatter(x, y, s=size, color=INK, alpha=0.005, linewidths=0, urls=addresses, zorder=6, gid="tips")
