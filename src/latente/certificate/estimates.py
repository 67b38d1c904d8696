"""A measured figure with its interval, or the reason why there is none."""

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
NOT_REFINED = Message("reason.not_refined")


@dataclass(frozen=True)
class Estimate:
    """A figure.

    Attributes:
        value: NaN where the data can't support it.
        low, high: ends of its 95% interval; NaN where there is none.
        reason: why it is NaN, or what is to be known of it.
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
        """The same figure kept within 0 and 1."""
        value, low, high = (float(np.clip(number, 0.0, 1.0)) for number in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, None for a number that is not finite; the reason in English and, where there is one, as a message."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        found = {name: float(number) if math.isfinite(number) else None for name, number in numbers.items()}
        return {**found, **as_plain(reason=self.reason)}


def as_plain(**sentences: str) -> dict[str, Any]:
    """Sentences in English and, under ``messages``, those that have one as key and values."""
    messages = {name: text.to_json() for name, text in sentences.items() if isinstance(text, Message)}
    return {**{name: str(text) for name, text in sentences.items()}, **({"messages": messages} if messages else {})}


def as_said(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`as_plain`, among other values.

    Raises:
        ValueError: what is stored is no message.
    """
    messages = {name: Message.from_json(message) for name, message in stored["messages"].items()}
    if strange := messages.keys() - stored.keys():
        raise ValueError(f"there is no {min(strange)!r}")
    return {name: value for name, value in stored.items() if name != "messages"} | messages


def unknown(reason: str) -> Estimate:
    """No figure, and why.

    >>> unknown("there are too few rows").known
    False
    """
    return Estimate(math.nan, reason=reason)


def measured(names: Iterable[str], measure: Callable[[], Mapping[str, Estimate]]) -> dict[str, Estimate]:
    """Figures by their names; those that can't be computed of what a model gives are unknown, and so are those that are not
    finite: no figure takes the others with it.
    """
    try:
        with np.errstate(all="ignore"):
            found = dict(measure())
    except (ArithmeticError, ValueError, RuntimeError) as error:  # of linear algebra, of neighbours, of sums that overflow
        return {name: unknown(Message("reason.not_computable", error=str(error))) for name in names}
    return {
        name: figure if figure.known or figure.reason else replace(figure, reason=NOT_FINITE) for name, figure in found.items()
    }


def too_few(n: int, least: int = MIN_ROWS) -> Estimate:
    """No figure, because it takes more validation rows."""
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
    """Of the mean of values [N]; NaN for a single one."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def bootstrapped(statistic: Callable[..., Any], *samples: Array, seed: int = 0) -> Estimate:
    """A statistic of the means of samples, with the interval of its bootstrap (Efron 1979).

    Args:
        statistic: of one array of means for each sample; it must broadcast over a last dimension of repeats.
        samples: arrays ``[..., n]``; rows of one sample are drawn together, rows of different samples apart.
        seed: of the draws.
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
    """Means of ``REPEATS`` samples of a sample, [..., REPEATS]."""
    n = sample.shape[-1]
    weights = generator.multinomial(n, np.full(n, 1 / n), REPEATS)
    return np.asarray(sample @ weights.T / n)
