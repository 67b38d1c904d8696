"""A detector of PyOD (extra ``pyod``)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from pyod.models.base import BaseDetector

from latente.estimator import VAE


class LatenteDetector(BaseDetector):  # type: ignore[misc]
    """:meth:`latente.VAE.anomalies` as a detector of PyOD: higher scores are stranger.

    Args:
        contamination: share of anomalies among the training rows.
        score: as of :meth:`latente.VAE.anomalies`.
        parameters: of :class:`latente.VAE`.
    """

    def __init__(self, contamination: float = 0.1, score: str = "auto", **parameters: Any) -> None:
        super().__init__(contamination=contamination)
        self.score, self.parameters = score, parameters

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the model to rows; ``y`` is ignored."""
        self._set_n_classes(y)
        self.vae_ = VAE(**self.parameters).fit(X)
        self.decision_scores_ = self.decision_function(X)
        self._process_decision_scores()
        return self

    def decision_function(self, X: Any) -> Any:
        """Strangeness of rows, [N]."""
        found = self.vae_.anomalies(X, score=self.score)
        return -np.asarray(found["score"].to_numpy(), float)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"contamination": self.contamination, "score": self.score, **self.parameters}

    def set_params(self, **changed: Any) -> Self:
        """Set arguments of the constructor."""
        for name in ("contamination", "score"):
            setattr(self, name, changed.pop(name, getattr(self, name)))
        self.parameters = {**self.parameters, **changed}
        return self
