"""Callbacks of scikit-learn (from 1.9): each epoch is a task of the fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latente.training.loop import Training

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method: Any) -> Any:
        """The method itself."""
        return method


__all__ = ["CallbackSupportMixin", "Callbacks", "with_callbacks"]


class Callbacks:
    """The callbacks of an estimator during a fit; without any, it does nothing.

    Args:
        estimator: what is fitted. X, y: as passed to its fit.
        observer: called after each epoch, too.
        sample_weight: what each row counts.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, observer: Callable[[Training], None] | None, sample_weight: Any) -> None:
        self.estimator, self.X, self.observer = estimator, X, observer
        self.context: Any = None
        self.weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.of_all = {"estimator": estimator, "X": X, "y": y}

    def begin(self) -> None:
        """Report the beginning of the fit."""
        if hasattr(self.estimator, "_skl_callbacks"):
            self.context = self.estimator._init_callback_context(max_subtasks=None)
            self.context.call_on_fit_task_begin(**self.of_all, metadata=self.weights)

    def after_epoch(self, training: Training) -> None:
        """Report an epoch, with its record as metadata; a callback that returns True ends training."""
        if self.observer is not None:
            self.observer(training)
        if self.context is None:
            return
        epoch, record = self.context.subcontext(training.label), dict(training.status.history[-1])
        epoch.call_on_fit_task_begin(**self.of_all, metadata=record)
        if epoch.call_on_fit_task_end(**self.of_all, metadata=record):
            training.status.finished = training.status.finished or "interrupted"

    def finished(self) -> None:
        """Report the end of the fit; the estimator is fitted."""
        if self.context is not None:
            fitted = {"fitted_": self.estimator.fitted_}
            self.context.call_on_fit_task_end(**self.of_all, metadata=self.weights, reconstruction_attributes=fitted)
