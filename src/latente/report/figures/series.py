"""Figures of series: windows beside their reconstructions or new ones, and a series with its band and events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from latente.report.drawing.style import GIVEN, MADE, WARM, Array
from latente.report.figures.canvas import new_figure, short, styled
from latente.words import word

MAX_PANELS = 9
MAX_CHANNELS = 4


@styled
def windows(
    first: Array,
    second: Array,
    names: Sequence[str],
    labels: tuple[str, str] | None = None,
    *,
    together: bool = True,
) -> list[Axes]:
    """Windows of series as lines: each panel has one channel of an original window and of its reconstruction.

    Args:
        first, second: windows [N, L, F]. names: of the F channels. labels: of both.
        together: whether the windows belong to each other; otherwise the second ones are in panels below the first.

    Returns:
        A panel for each window, at most nine; or for each channel, at most four of both.

    Example:
        >>> import numpy as np
        >>> len(windows(np.zeros((2, 10, 1)), np.zeros((2, 10, 1)), ["x"]))
        2
    """
    labels = labels or (word("original"), word("rebuilt"))
    if not together:
        return _apart(first, second, names, labels)
    count, across = min(MAX_PANELS, len(first)), 3
    figure = new_figure(10.0, 1.9 * -(-count // across) + 0.5)
    panels = [figure.add_subplot(-(-count // across), min(count, across), k + 1) for k in range(count)]
    for k, panel in enumerate(panels):
        channel = k % first.shape[2]
        panel.plot(first[k, :, channel], color=GIVEN, lw=1.6)
        panel.plot(second[k, :, channel], color=MADE, lw=1.2)
        panel.set_title(short(names[channel], 30))
    _legend(panels[0], labels)
    return panels


def _apart(real: Array, new: Array, names: Sequence[str], labels: tuple[str, str]) -> list[Axes]:
    chosen = range(min(MAX_CHANNELS, real.shape[2]))
    figure = new_figure(10.0, 1.7 * len(chosen) + 0.5)
    panels = []
    for channel in chosen:
        pair = [figure.add_subplot(len(chosen), 2, 2 * channel + side + 1) for side in (0, 1)]
        for panel, some, colour, label in zip(pair, (real, new), (GIVEN, MADE), labels, strict=True):
            panel.plot(some[:12, :, channel].T, color=colour, lw=0.9, alpha=0.7)
            panel.set_title(f"{short(names[channel], 24)}: {label}")
        low, high = np.nanmin(real[..., channel]), np.nanmax(real[..., channel])
        for panel in pair:
            panel.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.1 * (high - low) + 1e-9)
        panels += pair
    return panels


@styled
def path(start: Array, way: Array, end: Array, names: Sequence[str]) -> list[Axes]:
    """An interpolation between two windows: a panel for each channel, at most four, with a line for each step.

    Args:
        start, end: [L, F]. way: [steps, L, F].

    Example:
        >>> import numpy as np
        >>> len(path(np.zeros((9, 1)), np.zeros((5, 9, 1)), np.ones((9, 1)), ["x"]))
        1
    """
    count = min(MAX_CHANNELS, start.shape[1])
    figure = new_figure(10.0, 2.0 * count + 0.4)
    panels = [figure.add_subplot(count, 1, k + 1) for k in range(count)]
    for channel, panel in enumerate(panels):
        for k, step in enumerate(way):
            panel.plot(step[:, channel], color=MADE, lw=1.0, alpha=0.25 + 0.6 * k / max(1, len(way) - 1))
        panel.plot(start[:, channel], color=GIVEN, lw=1.6)
        panel.plot(end[:, channel], color=GIVEN, lw=1.6, ls="--")
        panel.set_title(short(names[channel], 30))
    _legend(panels[0], (word("original"), word("decoded_between")))
    return panels


@styled
def timeline(
    times: Array,
    values: Array,
    band: tuple[Array, Array],
    anomaly: Array,
    selected: Array,
    names: Sequence[str],
) -> list[Axes]:
    """A series with the band that the model expects, and below it how far each step is above the threshold.

    Args:
        times: [T], numbers or datetime64. values: of channels, [T, F]. band: its lower and upper ends, [T, F] each.
        anomaly: [T], above 0 where it is one. selected: which steps are anomalous, bool [T]. names: of the channels.

    Returns:
        A panel for each channel, at most four, and one for the score.

    Example:
        >>> import numpy as np
        >>> x = np.zeros((9, 1))
        >>> len(timeline(np.arange(9), x, (x - 1, x + 1), np.zeros(9), np.zeros(9, bool), ["x"]))
        2
    """
    count = min(MAX_CHANNELS, values.shape[1])
    figure = new_figure(10.0, 1.7 * count + 1.9)
    panels = list(np.atleast_1d(figure.subplots(count + 1, 1, sharex=True)))
    for channel, panel in enumerate(panels[:count]):
        panel.fill_between(times, band[0][:, channel], band[1][:, channel], color=MADE, alpha=0.25, lw=0, rasterized=True)
        panel.plot(times, values[:, channel], color=GIVEN, lw=0.8, rasterized=True)
        panel.plot(times, np.where(selected, values[:, channel], np.nan), color=WARM, lw=1.4, rasterized=True)
        panel.set_title(short(names[channel], 40))
    panels[-1].plot(times, anomaly, color=MADE, lw=0.9, rasterized=True)
    panels[-1].axhline(0.0, color=WARM, lw=0.8, ls=(0, (4, 3)))
    panels[-1].set_title(word("anomaly"))
    return panels


def _legend(panel: Axes, labels: tuple[str, str]) -> None:
    handles = [Line2D([], [], color=colour, label=label) for colour, label in zip((GIVEN, MADE), labels, strict=True)]
    panel.get_figure(root=True).legend(handles=handles, loc="outside lower center", ncols=2)  # type: ignore[union-attr]
