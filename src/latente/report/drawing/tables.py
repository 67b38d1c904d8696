"""Panels of a table's columns: numbers, dates and levels."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator, PercentFormatter

from latente.report.drawing.style import GIVEN, LINE, MADE, MAX_POINTS, Array, dots, limits, note, sampled, say, short
from latente.words import amount, word

MAX_LEVELS = 8
STEPS = [1, 2, 2.5, 5, 10]  # between ticks, so that 1 and 100% have one
ROOM = 21  # characters of the tick labels below a small panel


def is_levels(values: Array) -> bool:
    """Whether a column contains texts, and not numbers or dates."""
    return values.dtype.kind in "OUS"


def numbers(values: Array) -> Array:
    """A column as floats: dates in days since 1970, as in matplotlib, times and durations in hours."""
    if values.dtype.kind == "M":
        days = values.astype("datetime64[s]").astype(float) / 86400
        return np.where(np.isnat(values), np.nan, days)
    if values.dtype.kind == "m":
        return np.where(np.isnat(values), np.nan, values.astype("timedelta64[s]").astype(float) / 3600)
    return values.astype(float)


def ticks(axis: Axis, dates: bool, few_values: Array | None = None) -> None:
    """At most four ticks on an axis of numbers or dates, fewer if their labels are long; if there are few distinct values, one
    tick at each if they fit.
    """
    if dates:
        locator = AutoDateLocator(minticks=2, maxticks=4)  # type: ignore[no-untyped-call]
        axis.set_major_locator(locator)
        axis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
        return
    if few_values is not None and len(few_values) and _fit(axis, few_values):
        ends = axis.get_view_interval()
        axis.set_ticks(few_values)
        axis.set_view_interval(*ends, ignore=True)  # matplotlib widens it for ticks
        return
    locators = [MaxNLocator(most, steps=STEPS) for most in (4, 3, 2)]
    low, high = axis.get_view_interval()
    fitting = (locator for locator in locators if _fit(axis, np.asarray(locator.tick_values(low, high))))
    axis.set_major_locator(next(fitting, MaxNLocator(1)))


def _fit(axis: Axis, places: Array) -> bool:
    """Whether tick labels at these positions fit below a small panel."""
    (low, high), letters = axis.get_view_interval(), max(map(len, axis.get_major_formatter().format_ticks(places.tolist())))
    return len(places) < 2 or bool(np.diff(places).min() / (high - low) * ROOM >= letters + 1)


def r_squared(original: Array, reconstructed: Array) -> float:
    """Share of the variance that the reconstruction explains; NaN if there is none, or fewer than two rows."""
    observed = np.isfinite(original) & np.isfinite(reconstructed)
    original, reconstructed = original[observed].astype(float), reconstructed[observed].astype(float)
    total = float(((original - original.mean()) ** 2).sum()) if observed.any() else 0.0
    return 1 - float(((original - reconstructed) ** 2).sum()) / total if total > 0 else math.nan


def ks_distance(real: Array, generated: Array) -> float:
    """Kolmogorov-Smirnov: the largest gap between the two cumulative distributions; NaN if one has no values."""
    real, generated = np.sort(real[np.isfinite(real)]), np.sort(generated[np.isfinite(generated)])
    if not len(real) or not len(generated):
        return math.nan
    points = np.concatenate([real, generated])
    shares = [np.searchsorted(values, points, side="right") / len(values) for values in (real, generated)]
    return float(np.abs(shares[0] - shares[1]).max())


def ranked(scores: Array, limit: int) -> list[int]:
    """All columns in order; if they are too many, ``limit`` at equal steps from the highest to the lowest score."""
    if len(scores) <= limit:
        return list(range(len(scores)))
    best_first = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    return [int(k) for k in best_first[np.linspace(0, len(scores) - 1, limit).round().astype(int)]]


def against(panel: Axes, original: Array, reconstructed: Array, fit: float, dates: bool = False) -> Axes:
    """Reconstruction against original; points outside the panel are drawn at its frame."""
    observed = np.flatnonzero(np.isfinite(original) & np.isfinite(reconstructed))
    if not len(observed):
        return say(panel, word("no_values"))
    shown = sampled(observed, 1500)
    x, y = jittered(original[shown].astype(float)), reconstructed[shown].astype(float)
    distinct = few(original[observed], 6)
    low, high = around(distinct) if len(distinct) else limits(x)
    panel.plot([low, high], [low, high], color=LINE, lw=1, zorder=1)
    panel.scatter(x.clip(low, high), y.clip(low, high), color=MADE, zorder=2, clip_on=False, **dots(3 * len(shown)))
    panel.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
    for axis in (panel.xaxis, panel.yaxis):
        ticks(axis, dates, distinct)
    caption(panel, word("one_value") if math.isnan(fit) else f"R² {amount(f'{fit:.2f}')}")
    return panel


def few(values: Array, most: int = 12) -> Array:
    """The sorted distinct values of a column if they are few, else none."""
    distinct = np.unique(values[:MAX_POINTS])
    return distinct if 1 < len(distinct) <= most else distinct[:0]


def around(distinct: Array) -> tuple[float, float]:
    """Limits of an axis that show all of few distinct values, with room for :func:`jittered`."""
    room = max(0.08 * float(np.ptp(distinct)), 0.25 * float(np.diff(distinct).min()))
    return float(distinct[0]) - room, float(distinct[-1]) + room


def caption(panel: Axes, text: str) -> None:
    """A text below a panel."""
    panel.set_xlabel(text, fontsize=8, loc="left")


def jittered(values: Array) -> Array:
    """Values with a small jitter if a column has few distinct ones, so that dots do not cover one another."""
    if not len(distinct := few(values)):
        return values
    away: Array = np.random.default_rng(0).uniform(-0.15, 0.15, len(values))
    return np.asarray(values + np.diff(distinct).min() * away)


def distributions(panel: Axes, real: Array, generated: Array, gap: float, dates: bool = False) -> Axes:
    """Histogram of the generated values as a line, over that of the real ones as an area."""
    real, generated = real[np.isfinite(real)].astype(float), generated[np.isfinite(generated)].astype(float)
    if not len(real) and not len(generated):
        return say(panel, word("no_values"))
    edges = bins(real, generated)
    areas, line = (np.histogram(v, edges)[0] / max(len(v), 1) / np.diff(edges) for v in (real, generated))
    panel.stairs(areas, edges, fill=True, color=GIVEN, alpha=0.4)
    panel.stairs(line, edges, color=MADE, lw=1.6)
    panel.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.22 * max(areas.max(), line.max()) or 1.0), yticks=[])
    ticks(panel.xaxis, dates, few(real, 6))
    panel.spines["left"].set_visible(False)
    if not math.isnan(gap):
        note(panel, f"KS {amount(f'{gap:.2f}')}")
    return panel


def bins(real: Array, generated: Array) -> Array:
    """Edges of a histogram: a bin for each distinct value if they are few, else 30 bins without outliers.

    Generated values far outside the data widen the range by at most half.
    """
    if len(distinct := few(real)):
        between = (distinct[1:] + distinct[:-1]) / 2
        return np.concatenate([[2 * distinct[0] - between[0]], between, [2 * distinct[-1] - between[-1]]])
    (low, high), (lowest, highest) = limits(real if len(real) else generated), limits(generated if len(generated) else real)
    room = (high - low) / 2
    return np.linspace(min(low, max(lowest, low - room)), max(high, min(highest, high + room)), 31)


def counts(values: Array, names: list[str]) -> Array:
    """Count of each level in a column; the last one is for all other levels."""
    place = {name: k for k, name in enumerate(names)}
    found = [place.get(str(value), len(names)) for value in values if value is not None]
    return np.bincount(np.array(found, dtype=np.intp), minlength=len(names) + 1).astype(float)


def common(values: Array, most: int = MAX_LEVELS) -> list[str]:
    """The most common levels of a column, the first one first."""
    kinds, index = np.unique([str(value) for value in values if value is not None], return_inverse=True)
    order = np.argsort(-np.bincount(index, minlength=len(kinds)), kind="stable")
    return [str(kinds[k]) for k in order[:most]]


def level_gap(real: Array, generated: Array) -> float:
    """Total variation: the share of generated rows that would have to change their level; NaN if a column is empty."""
    names = common(np.concatenate([real.astype(object), generated.astype(object)]), len(real) + len(generated))
    both = [counts(values, names) for values in (real, generated)]
    if not all(part.sum() for part in both):
        return math.nan
    return float(np.abs(both[0] / both[0].sum() - both[1] / both[1].sum()).sum() / 2)


def level_shares(panel: Axes, real: Array, generated: Array, gap: float) -> Axes:
    """Share of each level among the generated rows as a slim bar, over that among the real ones as a wide one."""
    names = common(real if any(value is not None for value in real) else generated)
    wide, slim = (counts(values, names) for values in (real, generated))
    if not wide.sum() + slim.sum():
        return say(panel, word("no_values"))
    rows = np.arange(len(names) + bool(wide[-1] + slim[-1]))
    for part, height, look in ((wide, 0.78, {"color": GIVEN, "alpha": 0.4}), (slim, 0.34, {"color": MADE})):
        panel.barh(rows, (part / max(part.sum(), 1))[: len(rows)], height, **look)
    _named(panel, [*names, word("other")][: len(rows)])
    caption(panel, "" if math.isnan(gap) else word("total_variation", gap=float(gap)))
    return panel


def rebuilt_right(original: Array, reconstructed: Array) -> tuple[float, float]:
    """Share of rows whose level is reconstructed, and share of the most common level; NaN without rows."""
    observed = np.array([value is not None for value in original], dtype=bool)
    if not observed.any():
        return math.nan, math.nan
    right = original[observed].astype(str) == reconstructed[observed].astype(str)
    return float(right.mean()), float(np.unique(original[observed].astype(str), return_counts=True)[1].max() / observed.sum())


def levels_rebuilt(panel: Axes, original: Array, reconstructed: Array) -> Axes:
    """For each level, the share of its rows that are reconstructed."""
    names, (right, most) = common(original), rebuilt_right(original, reconstructed)
    if not names:
        return say(panel, word("no_values"))
    shares = [rebuilt_right(*(column[original == name] for column in (original, reconstructed)))[0] for name in names]
    panel.barh(np.arange(len(names)), np.ones(len(names)), 0.78, color=GIVEN, alpha=0.18)
    panel.barh(np.arange(len(names)), shares, 0.5, color=MADE)
    _named(panel, names)
    panel.set_xlim(0, 1)
    caption(panel, word("rebuilt_right", right=right, most=most))
    return panel


def _named(panel: Axes, names: list[str]) -> None:
    """Horizontal bars with their names, the first one on top, and an axis of shares."""
    panel.set_yticks(np.arange(len(names)), [short(name, 14) for name in names])
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.xaxis.set_major_locator(MaxNLocator(3, steps=STEPS))
    panel.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    panel.tick_params(axis="y", length=0)


def gap(real: Array, generated: Array) -> float:
    """Distance of two columns, from 0 (equal) to 1 (disjoint): Kolmogorov-Smirnov, or total variation of levels."""
    return level_gap(real, generated) if is_levels(real) else ks_distance(numbers(real), numbers(generated))


def fit(original: Array, reconstructed: Array) -> float:
    """R² for numbers; for texts, the reduction of errors relative to always predicting the most common level."""
    if not is_levels(original):
        return r_squared(numbers(original), numbers(reconstructed))
    right, most = rebuilt_right(original, reconstructed)
    return (right - most) / (1 - most) if most < 1 else math.nan
