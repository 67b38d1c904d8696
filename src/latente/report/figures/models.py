"""The figure of two models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from latente.errors import renamed
from latente.report.drawing import maps, sheets
from latente.report.drawing.style import MADE, WARM, Array, NormalMixture
from latente.report.figures.canvas import new_figure, styled

_STRIP, _MAP_SHAPE, _LOW_MAP_SHAPE = 8, 0.52, 0.36


@dataclass(frozen=True, eq=False)
class Side:
    """One model's half of :func:`ae_beside_vae`.

    Attributes:
        reconstructed: pictures, one for each of the originals.
        drawn: decoded random codes, as pictures; the first sixteen are shown.
        codes: ``[N, 2]``.
        captions: a short sentence above each panel.
        axis_names: of the two dimensions of ``codes``.
        hits: which of ``drawn`` are near to real pictures, bool; the others get a frame.
        fitted: decoded codes of a density that was fitted to the codes; the first eight are shown in a panel of their own.
        fitted_hits: as ``hits``, of ``fitted``.
    """

    reconstructed: Array
    drawn: Array
    codes: Array
    captions: Sequence[str]
    axis_names: tuple[str, str] = ("z₁", "z₂")
    hits: Array | None = None
    fitted: Array | None = None
    fitted_hits: Array | None = None


@styled
@renamed(law="density")
def ae_beside_vae(
    originals: Array,
    autoencoder: Side,
    vae: Side,
    classes: Array | None = None,
    *,
    density: NormalMixture | None = None,
    titles: tuple[str, str] = ("Autoencoder", "Variational autoencoder"),
) -> list[Axes]:
    """Both models on the same pictures: reconstructions, decoded random codes, and the map of their codes.

    Saved with :func:`save`, a PNG has 1600 × 1000 pixels.

    Args:
        originals: pictures; the first eight are shown.
        autoencoder: the half of the autoencoder.
        vae: the half of the VAE.
        classes: ``[N]``, the class of each row of ``codes``: its colour, and its name on the map.
        density: distribution of the random codes of both, as in :func:`latent_map`.
        titles: of the two halves.

    Returns:
        The panels of the first model, then of the second: reconstructions, samples, those of a fitted density if there are
        any, and map.

    Example:
        >>> import numpy as np
        >>> pictures, codes = np.random.default_rng(0).random((16, 8, 8)), np.random.default_rng(1).normal(size=(16, 2))
        >>> side = Side(pictures, pictures, codes, ("reconstructed", "sampled", "codes"))
        >>> len(ae_beside_vae(pictures, side, side))
        6
    """
    figure = new_figure(32 / 3, 20 / 3)
    halves: Any = figure.subfigures(1, 2, wspace=0.05)
    for half, title, side, colour in zip(halves, titles, (autoencoder, vae), (WARM, MADE), strict=True):
        half.suptitle(title, x=0.03, ha="left", fontsize=17, weight="bold", color=colour)
        _half(half, originals[:_STRIP], side, classes, density)
    return figure.axes


def _half(half: SubFigure, originals: Array, side: Side, classes: Array | None, density: NormalMixture | None) -> None:
    """One model: two rows of reconstructions, two rows of samples, one of a fitted density, and the map of its codes."""
    height, width = sheets.channels_last(originals).shape[1:3]
    strip, shape = height / (_STRIP * width), _MAP_SHAPE if side.fitted is None else _LOW_MAP_SHAPE
    strips = [2 * strip, 2 * strip, *[strip] * (side.fitted is not None)]
    panels = half.subplots(len(strips) + 1, 1, height_ratios=[*strips, shape])
    sheets.picture_pairs(panels[0], originals, side.reconstructed[: len(originals)])
    _strip(panels[1], side.drawn[: 2 * _STRIP], side.hits, originals)
    if side.fitted is not None:
        _strip(panels[2], side.fitted[:_STRIP], side.fitted_hits, originals)
    maps.frame_map(panels[-1], side.codes, density, side.axis_names, shape)
    kinds = None if classes is None else maps.as_classes(classes)
    if kinds is None:
        maps.points(panels[-1], side.codes, MADE)
    else:
        maps.by_class(panels[-1], side.codes, kinds[1])
        maps.name_classes(panels[-1], side.codes, *kinds)
    for panel, caption in zip(panels, side.captions, strict=True):
        panel.set_title(caption)
        panel.set_anchor("W")


def _strip(panel: Axes, pictures: Array, hits: Array | None, originals: Array) -> None:
    """Pictures with the brightness of the originals; those that are no hits get a frame."""
    sheets.sheet(panel, sheets.painted(pictures, sheets.value_range(originals)), _STRIP)
    if hits is not None:
        sheets.frame(panel, ~hits[: len(pictures)], sheets.channels_last(pictures).shape[1:3], _STRIP)
