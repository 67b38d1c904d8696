"""Labels of rows by a model that was fitted with some (M2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latente.errors import ModelError
from latente.fitted import Fitted
from latente.rows import Rows

BATCH = 2048


@torch.no_grad()
def probabilities(fitted: Fitted, rows: Rows) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """q(y|x) of rows without context, [N, L], and the labels in the user's units, [L].

    Raises:
        ModelError: the model has no labels.
    """
    model, posterior = fitted.model, fitted.model.posterior
    contexts = getattr(posterior, "contexts", None)
    if contexts is None or fitted.context is None:
        raise ModelError(f"{fitted.recipe.name!r} does not classify rows; the recipe 'm2' does, fitted with labels as context")
    features = (model.features(batch.x, batch.mask, contexts[-1:]) for batch in rows.batches(BATCH))
    found = torch.cat([posterior.log_labels(h).exp() for h in features])  # type: ignore[operator]
    labels = fitted.context.codec.decode(torch.arange(float(found.shape[1])).unsqueeze(1), "pyarrow")
    return found.double().numpy(), np.array(labels.column(0).to_pylist())
