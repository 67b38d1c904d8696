"""A measured figure with its interval, or the reason why it is unknown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latente.words import Message

Array = NDArray[np.float64]

REPEATS = 200
INTERVAL = (2.5, 97.5)  # percentiles
MIN_ROWS = 20
MIN_CONTRAST = 0.1
NOT_FINITE, NO_DENSITY = Message("reason.not_finite"), Message("reason.no_density")
NOT_REFINED, NOT_STANDARD = Message("reason.not_refined"), Message("reason.not_standard")


@dataclass(frozen=True)
class Estimate:
    """A figure.

    Attributes:
        value: the figure; NaN if unknown.
        low, high: ends of its 95% interval; NaN if there is none.
        reason: why it is NaN, or a remark.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    reason: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return math.isfinite(self.value)

    def clipped(self) -> Estimate:
        """The figure clipped to the interval from 0 to 1."""
        value, low, high = (float(np.clip(number, 0.0, 1.0)) for number in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, None for a number that is not finite; the reason in English and, if possible, as a message."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        found = {name: float(number) if math.isfinite(number) else None for name, number in numbers.items()}
        return {**found, **as_plain(reason=self.reason)}


def as_plain(**sentences: str) -> dict[str, Any]:
    """Sentences in English; under ``messages``, the key and values of those that are messages."""
    messages = {name: text.to_json() for name, text in sentences.items() if isinstance(text, Message)}
    return {**{name: str(text) for name, text in sentences.items()}, **({"messages": messages} if messages else {})}


def as_said(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`as_plain`; other values are kept.

    Raises:
        ValueError: a stored message is not valid.
    """
    messages = {name: Message.from_json(message) for name, message in stored["messages"].items()}
    if strange := messages.keys() - stored.keys():
        raise ValueError(f"there is no {min(strange)!r}")
    return {name: value for name, value in stored.items() if name != "messages"} | messages


def unknown(reason: str) -> Estimate:
    """An unknown figure with the reason.

    >>> unknown("there are too few rows").known
    False
    """
    return Estimate(math.nan, reason=reason)


def measured(names: Iterable[str], measure: Callable[[], Mapping[str, Estimate]]) -> dict[str, Estimate]:
    """Compute figures. If this fails, all ``names`` are unknown; figures that are not finite are unknown too. A failure does
    not affect the figures of other measures.
    """
    try:
        with np.errstate(all="ignore"):
            found = dict(measure())
    except (ArithmeticError, ValueError, RuntimeError, IndexError, np.linalg.LinAlgError) as error:
        # from linear algebra, neighbours, or overflow
        return {name: unknown(Message("reason.not_computable", error=str(error))) for name in names}
    return {
        name: figure if figure.known or figure.reason else replace(figure, reason=NOT_FINITE) for name, figure in found.items()
    }


def too_few(n: int, least: int = MIN_ROWS) -> Estimate:
    """An unknown figure, because there are too few validation rows."""
    return unknown(Message("reason.too_few", n=n, least=least))


def mean_of(values: Array) -> Estimate:
    """The mean of independent values [N] with its normal 95% interval."""
    if not len(values):
        return unknown(Message("reason.no_rows"))
    if not np.isfinite(values).all():
        return unknown(Message("reason.rows_not_finite", n=len(values), bad=int((~np.isfinite(values)).sum())))
    mean, error = float(values.mean()), standard_error(values)
    return Estimate(mean, mean - 1.96 * error, mean + 1.96 * error)


def standard_error(values: Array) -> float:
    """Standard error of the mean of values [N]; NaN for a single value."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def bootstrapped(statistic: Callable[..., Any], *samples: Array, seed: int = 0) -> Estimate:
    """A statistic of the means of samples, with a bootstrap interval (Efron 1979).

    Args:
        statistic: takes one array of means for each sample; it must broadcast over a last dimension of repeats.
        samples: arrays ``[..., n]``; the columns of one sample are resampled together, different samples independently.
        seed: of the bootstrap.
    """
    generator = np.random.default_rng(seed)
    means = [sample.mean(-1) for sample in samples]
    repeats = [_resampled(sample, generator) for sample in samples]
    with np.errstate(divide="ignore", invalid="ignore"):
        value, values = float(statistic(*means)), np.asarray(statistic(*repeats), float)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, INTERVAL) if len(values) else (math.nan, math.nan)
    return Estimate(value, float(low), float(high))


def _resampled(sample: Array, generator: np.random.Generator) -> Array:
    """Means of ``REPEATS`` bootstrap samples, [..., REPEATS]."""
    n = sample.shape[-1]
    weights = generator.multinomial(n, np.full(n, 1 / n), REPEATS)
    return np.asarray(sample @ weights.T / n)
