"""New series of rows, and continuations of series, by a model of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from latente.data import Sequences, SeriesCodec, restricted_to
from latente.errors import DataError, ModelError
from latente.fitted import Fitted
from latente.model.sequences import Drawn, replayed
from latente.parameters import is_whole
from latente.seeding import seeded
from latente.tasks import generation
from latente.tasks.new_rows import Request
from latente.threads import USUAL, on_threads


@on_threads(USUAL)
def sample(fitted: Fitted, request: Request, after: Any, steps: int | None, seed: int) -> tuple[Any, dict[str, float]]:
    """New series, or continuations of series, in the user's units, and the probability of the conditions.

    Raises:
        ModelError: something else is asked for as well.
    """
    if request.missing or request.identifiers:
        raise ModelError("new series are complete, and their entities are numbers: leave out missing and identifiers")
    if after is not None:
        if request.given or not (steps is None or is_whole(steps, 1)):
            raise ModelError("a continuation takes n, after, steps (a whole number from 1) and random_state alone")
        return _continued(fitted, after, request.n, steps, seed), {}
    if steps is not None:
        raise ModelError("new series end by themselves; steps is for a continuation, after=…")
    return _new(fitted, request, seed)


def _new(fitted: Fitted, request: Request, seed: int) -> tuple[Any, dict[str, float]]:
    model, codec = fitted.sequences, fitted.codec
    assert model is not None
    assert isinstance(codec, SeriesCodec)
    with seeded(seed):
        first, told = _first_given(fitted, request, seed) if request.given else (model.draw_first(request.n), {})
        drawn = model.draw(first)
    texts = tuple(map(str, range(request.n))) if codec.entity in codec.text_names else ()
    entities = drawn.sequence.numpy()
    return codec.rows(drawn.x, codec.clock.times(codec.first, drawn.step.numpy()), entities, texts), told


def _first_given(fitted: Fitted, request: Request, seed: int) -> tuple[torch.Tensor, dict[str, float]]:
    """First rows of series that fulfil conditions on columns that are constant in each series."""
    model, codec = fitted.sequences, fitted.codec
    assert model is not None
    assert isinstance(codec, SeriesCodec)
    intervals, constant = restricted_to(codec.table, request.given or {}), [*np.flatnonzero(model.plan.constant)]
    if changing := [codec.table.fields[f].name for f in intervals if f not in constant]:
        names = ", ".join(repr(codec.table.fields[f].name) for f in constant) or "none here"
        raise DataError(f"given: {changing[0]!r} changes within a series; conditions are on columns that do not: {names}")
    found = generation.sample_given(
        model.first, None, request.n, seed, {constant.index(f): each for f, each in intervals.items()}
    )
    if not found.effective:
        raise DataError(f"no series with {dict(request.given or {})} was found: under the model there are none")
    return found.rows, {"probability": found.probability, "effective_sample_size": found.effective}


def _continued(fitted: Fitted, X: Any, n: int, steps: int | None, seed: int) -> Any:
    """``n`` continuations of each series, of as many rows, or until they end."""
    model, codec = fitted.sequences, fitted.codec
    assert model is not None
    assert isinstance(codec, SeriesCodec)
    series = codec.like_fitted(fitted.read(X))
    known = Sequences.of(codec, series)
    constant = known.of_series([*np.flatnonzero(model.plan.constant)])
    _, state = replayed(model.plan, known.x[:, model.plan.varying], torch.from_numpy(known.begins), constant)
    E = len(known.begins)
    of, last = torch.arange(n * E), known.steps[known.begins + known.lengths - 1]
    with seeded(seed), torch.no_grad():
        parts = [*model.continued(state.take(of % E), of, torch.from_numpy(last).float()[of % E], steps)]
    drawn = Drawn.joined(parts)
    place = series.table.names.index(codec.entity)
    entities = np.unique(series.table.values[:, place])
    of_rows = drawn.sequence.numpy() % E
    times = codec.clock.times(series.grid.first[of_rows], drawn.step.numpy())
    numbers = drawn.sequence.numpy() // E
    return codec.rows(drawn.x, times, entities[of_rows], series.table.levels.get(place, ()), numbers)
