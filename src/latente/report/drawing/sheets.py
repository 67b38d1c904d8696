"""Panels of pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from latente.report.drawing.style import MUTED, UNSEEN, WARM, Array, say
from latente.words import word


def channels_last(pictures: Array) -> Array:
    """``[N, H, W, C]`` of any of ``[N, H, W]``, ``[N, H, W, C]`` and ``[N, C, H, W]``."""
    if pictures.ndim == 3:
        return pictures[..., None]
    first_only = pictures.shape[1] in (1, 3, 4) and pictures.shape[-1] not in (1, 3, 4)
    return np.moveaxis(pictures, 1, -1) if first_only else pictures


def value_range(pictures: Array) -> tuple[float, float]:
    """The values of black and white: those of the type for bytes, 0 and 1 if all values are between them, else the extremes."""
    if pictures.dtype == np.uint8:
        return 0.0, 255.0
    observed = pictures[np.isfinite(pictures)]
    low, high = (float(observed.min()), float(observed.max())) if observed.size else (0.0, 1.0)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def painted(pictures: Array, black_to_white: tuple[float, float]) -> Array:
    """Pictures as RGB ``[N, H, W, 3]``; missing pixels are pink."""
    low, high = black_to_white
    values = (channels_last(pictures).astype(float) - low) / ((high - low) or 1.0)
    colours = values[..., :3] if values.shape[-1] >= 3 else values.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    observed = np.isfinite(colours).all(axis=-1, keepdims=True)
    return np.where(observed, colours, UNSEEN).clip(0, 1)


def sheet(panel: Axes, tiles: Array, columns: int) -> Axes:
    """Pictures in ``columns`` columns, with transparent gaps."""
    panel.set_axis_off()
    if not tiles.size:
        return say(panel, word("no_pictures"))
    (count, height, width, _), rows = tiles.shape, math.ceil(len(tiles) / columns)
    gap = _gap(height, width)
    canvas = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4))
    for k in range(count):
        top, left = (height + gap) * (k // columns), (width + gap) * (k % columns)
        canvas[top : top + height, left : left + width] = np.concatenate([tiles[k], np.ones((height, width, 1))], axis=-1)
    panel.imshow(canvas, interpolation="nearest" if max(height, width) < 64 else "antialiased")
    return panel


def _gap(height: int, width: int) -> int:
    return max(1, round(0.08 * min(height, width)))


def frame(panel: Axes, which: Array, size: tuple[int, int], columns: int) -> None:
    """Frames around some pictures of a :func:`sheet`: ``which`` of them, bool [N], of height and width ``size``."""
    (height, width), gap = size, _gap(*size)
    for k in np.flatnonzero(which):
        corner = (width + gap) * (k % columns) - 0.5, (height + gap) * (k // columns) - 0.5
        panel.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=WARM, linewidth=1.6, clip_on=False))


def picture_pairs(panel: Axes, originals: Array, reconstructed: Array) -> Axes:
    """Originals over their reconstructions, with one scale of brightness for both."""
    both = [painted(pictures, value_range(originals)) for pictures in (originals, reconstructed)]
    sheet(panel, np.concatenate(both), max(1, len(originals)))
    for name, height in zip((word("original"), word("rebuilt")), (0.75, 0.25), strict=True) if len(originals) else ():
        look: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "center", "fontsize": 6.5, "color": MUTED}
        panel.text(-0.008, height, name, transform=panel.transAxes, **look)
    return panel
