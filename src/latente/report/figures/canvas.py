"""Creates figures and writes them to files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import ScalarFormatter

from latente.errors import StorageError
from latente.files import write_atomically
from latente.report.drawing.style import STYLE
from latente.report.drawing.style import short as short
from latente.words import amount

styled = matplotlib.style.context(["default", STYLE])
_METADATA: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, with automatic layout."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))


def plain_figure(width: float, height: float, *, left: float, right: float, bottom: float, top: float) -> Figure:
    """An empty figure with margins in inches: for a grid of panels of known sizes, whose automatic layout takes long."""
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
    return figure


@styled
def save(figure: Axes | Sequence[Axes] | Figure, path: str | os.PathLike[str], *, dpi: int = 150) -> Path:
    """Write a figure as PNG or SVG, by the suffix, atomically and deterministically.

    Args:
        figure: a figure, its panels, or one of them.
        path: ends in ``.png`` or ``.svg``; missing folders are created, and an existing file is replaced.
        dpi: pixels per inch of a PNG.

    Returns:
        The path.

    Raises:
        StorageError: the suffix is not supported, or the file can't be written.

    Example:
        >>> import tempfile
        >>> panel = Figure().subplots()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(panel, f"{folder}/empty.png").name
        'empty.png'
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _METADATA:
        raise StorageError(f"figures are saved as .png or .svg, and {path.name!r} is neither")
    with _laid_out(figure) as whole:
        return write_atomically(path, lambda file: whole.savefig(file, format=kind[1:], dpi=dpi, metadata=_METADATA[kind]))


@matplotlib.style.context(["default", STYLE, {"svg.fonttype": "none"}])
def vector(figure: Axes | Sequence[Axes] | Figure, dpi: int = 150) -> tuple[str, float]:
    """A figure as the text of an SVG file without background, with text elements; and its width in inches.

    Args:
        figure: as in :func:`save`.
        dpi: pixels per inch of rasterised parts.

    Example:
        >>> text, width = vector(Figure(figsize=(2, 1)).subplots())
        >>> "<svg" in text, width
        (True, 2.0)
    """
    file = io.StringIO()
    with _laid_out(figure) as whole:
        whole.savefig(file, format="svg", dpi=dpi, transparent=True, metadata=_METADATA[".svg"])
        return file.getvalue(), float(whole.get_figwidth())


class _Numbers(ScalarFormatter):
    """Formats tick labels in the current language."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return amount(super().__call__(x, pos))


@contextmanager
def _laid_out(figure: Axes | Sequence[Axes] | Figure) -> Iterator[Figure]:
    """The figure of some panels, with numbers in the current language and its layout computed, which saves matplotlib one
    drawing.
    """
    first = figure if isinstance(figure, (Figure, Axes)) else figure[0]
    whole: Any = first.get_figure(root=True)
    panels = [panel for outer in whole.axes for panel in (outer, *outer.child_axes)]
    for axis in (axis for panel in panels for axis in (panel.xaxis, panel.yaxis)):
        if type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(_Numbers())
    engine = whole.get_layout_engine()
    if engine is not None:
        engine.execute(whole)
    whole.set_layout_engine(None)
    try:
        yield whole
    finally:
        whole.set_layout_engine(engine)
