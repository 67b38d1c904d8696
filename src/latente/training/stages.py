"""The stages of a fit: names, durations, and the remaining time of a time limit."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from latente.words import Message

SHARE_FOR_TRAINING = 0.75  # of the remaining time when training begins; the rest is for the stages after it

READING, PREPARING, TRAINING, ROW_MODEL = "reading", "preparing", "training", "row model"
PRIOR, CALIBRATION, OVERFITTING = "latent distribution", "calibration", "overfitting"
INTERVALS, PRIVACY = "intervals", "privacy"


class Stages:
    """A stopwatch for each stage.

    Args:
        limit: seconds for all of them together, or None.
        on_start: called with the name of each stage that begins.
        seconds: of earlier stages, by name; new durations are added to it.

    >>> stages = Stages()
    >>> with stages("calibration"):
    ...     pass
    >>> list(stages.seconds)
    ['calibration']
    """

    def __init__(
        self,
        limit: float | None = None,
        on_start: Callable[[str], None] = lambda name: None,
        seconds: dict[str, float] | None = None,
    ) -> None:
        self.limit, self.on_start = limit, on_start
        self.began = time.perf_counter()
        self.seconds = {} if seconds is None else seconds

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Context for a stage; the durations of stages with the same name are added."""
        self.on_start(name)
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin

    def __str__(self) -> str:
        """The longest stages and the total, in a few words."""
        longest = sorted(self.seconds, key=lambda name: -self.seconds[name])[:4]
        parts = ", ".join(f"{name} {self.seconds[name]:.1f} s" for name in longest)
        return f"{sum(self.seconds.values()):.1f} s ({parts})"

    def for_training(self) -> float | None:
        """Seconds for training, or None; at least a quarter of the limit, however long the stages before it took."""
        if self.limit is None:
            return None
        left = self.limit - (time.perf_counter() - self.began)
        return max(self.limit / 4, SHARE_FOR_TRAINING * left)


class Figures(dict[str, Any]):
    """Measured figures by name; some are computed when they are first used.

    Args:
        values: figures that are known.
        pending: functions to compute the others.

    >>> figures = Figures({"loss": 1.0}, {"privacy": lambda: {"exact_copies": 0.0}})
    >>> "privacy" in figures, figures["privacy"], "privacy" in figures
    (False, {'exact_copies': 0.0}, True)
    """

    def __init__(self, values: Mapping[str, Any], pending: Mapping[str, Callable[[], Any]] | None = None) -> None:
        super().__init__(values)
        self.pending = dict(pending or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return Figures, (dict(self),)

    def __missing__(self, name: str) -> Any:
        if name == "row_law_loss":
            warnings.warn("the figure 'row_law_loss' is now 'row_model_loss'", FutureWarning, stacklevel=2)
            return self["row_model_loss"]
        if name not in self.pending:
            raise KeyError(name)
        self[name] = self.pending[name]()
        return self[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.pending.pop(name, None)
        super().__setitem__(name, value)

    def complete(self) -> None:
        """Compute all pending figures."""
        for name in list(self.pending):
            self[name]


def ended(finished: str) -> Message:
    """The reason why training ended, from ``figures_["finished"]``."""
    return Message(f"finished.{finished.replace(' ', '_').replace('-', '_')}")
