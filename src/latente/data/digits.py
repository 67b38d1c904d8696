"""Pictures of digits, drawn from the fonts that matplotlib ships: data for the demo and for tests, without a download."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 14  # pixels
MARGIN = 0.5  # pixels that stay free on each side
HEIGHT, SHEAR, SHIFT = (8.0, 11.5), 0.35, 1.25  # ranges of the random changes, in pixels; shear: of the height
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif", "DejaVuSerif-Bold"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmss10", "cmtt10", "cmti10"),
)
ACROSS = 50  # pictures in a row of the sheet on which all are drawn


def drawn_digits(n: int = 2000, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw digits in random fonts, with random shear, height and shift.

    Args:
        n: how many; each class has the same share.
        seed: the same seed draws the same pictures with the same version of matplotlib.

    Returns:
        Pictures ``[n, 14, 14]`` with values from 0 to 255, white on black, and their classes ``[n]`` from 0 to 9.

    >>> pictures, classes = drawn_digits(20, seed=0)
    >>> pictures.shape, sorted(set(classes.tolist()))
    ((20, 14, 14), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.arange(n) % 10)
    fonts = rng.integers(len(FONTS), size=n)
    outlines = {pair: _outline(*pair) for pair in {*zip(fonts.tolist(), classes.tolist(), strict=True)}}
    paths = [
        _placed(outlines[font, digit], rng, SIDE * np.array([k % ACROSS, k // ACROSS]))
        for k, (font, digit) in enumerate(zip(fonts.tolist(), classes.tolist(), strict=True))
    ]
    return _cut(_drawn(paths, -(-n // ACROSS)))[:n], classes


def _outline(font: int, digit: int) -> Any:
    """The outline of a digit, centred, with height 1."""
    from matplotlib import get_data_path
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    file = f"{get_data_path()}/fonts/ttf/{FONTS[font]}.ttf"
    path = TextPath((0, 0), str(digit), prop=FontProperties(fname=file))
    box = path.get_extents()
    middle = (box.p0 + box.p1) / 2
    return Path((path.vertices - middle) / box.height, path.codes)


def _placed(outline: Any, rng: np.random.Generator, corner: NDArray[Any]) -> Any:
    """An outline with random changes, within the picture whose lower left corner is given."""
    from matplotlib.path import Path

    height, shear, shift = rng.uniform(*HEIGHT), rng.uniform(-SHEAR, SHEAR), rng.uniform(-SHIFT, SHIFT, 2)
    points = outline.vertices @ np.array([[height, 0.0], [shear * height, height]])
    room, half = SIDE / 2 - MARGIN, np.abs(points).max(0)
    points = points * min(1.0, room / half.max())
    free = np.maximum(room - half, 0.0)
    return Path(points + np.clip(shift, -free, free) + corner + SIDE / 2, outline.codes)


def _drawn(paths: list[Any], rows: int) -> NDArray[np.uint8]:
    """All outlines on one sheet of ``rows`` rows of pictures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from matplotlib.transforms import IdentityTransform

    figure = Figure(figsize=(ACROSS * SIDE / 100, rows * SIDE / 100), dpi=100, facecolor="black")
    figure.add_artist(PathCollection(paths, facecolors="white", linewidths=0, transform=IdentityTransform()))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[::-1, :, 0]


def _cut(sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures of a sheet, row by row from below, each with its first row on top."""
    rows = len(sheet) // SIDE
    pictures = sheet.reshape(rows, SIDE, ACROSS, SIDE).swapaxes(1, 2)[:, :, ::-1]
    return np.ascontiguousarray(pictures.reshape(-1, SIDE, SIDE))
