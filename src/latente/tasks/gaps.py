"""Missing values of series: by the model, by linear interpolation, or by what is better on gaps made in observed values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latente.data import Series, SeriesCodec, filled
from latente.errors import ModelError
from latente.fitted import Fitted
from latente.rows import Rows
from latente.tasks.denoising import Denoiser, no_noise
from latente.training.split import parts

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
METHODS = ("auto", "model", "linear")
BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of the model
SHORT, MEDIUM = 2, 12  # steps of a gap, up to which it is in the first and the second class
CLASSES = 3
MAX_HIDDEN = 0.3  # share of the observed values of fresh steps that are hidden as well
MAX_TRIAL = 3000  # values of a channel
ENOUGH = 40  # hidden values of a channel, from which it has a choice of its own
MANY, QUARTER = 2000, 4  # more windows than that are thinned: they begin every quarter of a window
SURE = 1.0  # standard errors by which the model has to be better than interpolation


@dataclass(frozen=True)
class Gaps:
    """Filled series, and how well hidden values were filled.

    Attributes:
        values: [S, C]. observed: [S, C], bool.
        errors: of hidden values, for each class of gaps and channel, sorted; their absolute values are the width of intervals.
        share: of the model in each class and channel, [classes, C].
        mae: mean absolute errors of hidden values by "model", "linear" and "chosen", in standard deviations.
    """

    values: Values
    observed: Mask
    errors: list[list[Values]]
    share: Values
    mae: dict[str, float]

    def said(self, channels: tuple[str, ...]) -> dict[str, Any]:
        """Errors, and the share of the model by class of gaps and channel; plain values."""
        names = f"up to {SHORT} steps", f"up to {MEDIUM} steps", "longer"
        share = {name: dict(zip(channels, each.tolist(), strict=True)) for name, each in zip(names, self.share, strict=True)}
        return {"error": self.mae, "share_of_model": share}

    def bounds(self, share: float) -> tuple[Values, Values]:
        """Ends of intervals that hold this share of values like the hidden ones, [S, C] each; observed values are both ends."""
        kind = classes(self.observed)
        width = np.zeros_like(self.values)
        for k in range(CLASSES):
            for channel, found in enumerate(self.errors[k]):
                width[kind[:, channel] == k, channel] = _quantile(np.abs(found), share)
        return self.values - width, self.values + width

    def drawn(self, generator: np.random.Generator) -> Values:
        """A completion: filled values plus errors of hidden ones; those of a gap are the same multiple of their width."""
        found = self.values.copy()
        for channel in range(found.shape[1]):
            for begin, end in runs(~self.observed[:, channel]):
                errors = self.errors[class_of(end - begin)][channel]
                if len(errors):
                    found[begin:end, channel] += generator.choice(errors) * _arch(end - begin)
        return found


def _arch(length: int) -> Values:
    """How far values of a gap are from its ends, relative to the middle: errors grow like those of a bridge."""
    places = np.arange(1, length + 1) / (length + 1)
    return np.sqrt(4 * places * (1 - places))


def _quantile(errors: Values, share: float) -> float:
    return float(np.quantile(errors, min(1.0, share * (1 + 1 / len(errors))))) if len(errors) else 0.0


def fill(fitted: Fitted, series: Series, x: Values, observed: Mask, method: str) -> Gaps:
    """Fill missing values of channels on the steps of series, [S, C]; 0 in ``x`` where nothing is observed."""
    hidden = _hidden(observed, _fresh(fitted, series, x, observed), np.random.default_rng(fitted.seed % 2**32))
    estimate = partial(_estimates, fitted, series, x)
    trial, found = estimate(observed & ~hidden), estimate(observed)
    kind = np.where(hidden, classes(observed & ~hidden), -1)
    left = np.stack([x - each for each in trial])  # of linear interpolation and of the model
    share = _shares(left, kind) if method == "auto" else np.full((CLASSES, x.shape[1]), float(method == "model"))
    error = _blended(left, kind, share)
    errors = [[np.sort(error[kind[:, c] == k, c]) for c in range(x.shape[1])] for k in range(CLASSES)]
    values = _blended(np.stack(found), classes(observed), share)
    mae = {name: _mean_of(np.abs(each[hidden])) for name, each in (("linear", left[0]), ("model", left[1]), ("chosen", error))}
    return Gaps(np.where(observed, x, values), observed, errors, share, mae)


def _mean_of(values: Values) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _estimates(fitted: Fitted, series: Series, x: Values, observed: Mask) -> tuple[Values, Values]:
    """All values from the observed ones: by interpolation, and by the model with what it leaves at observed values
    interpolated, [S, C] each.
    """
    known, series = np.where(observed, x, np.nan), series if len(series) <= MANY else series.thinned(QUARTER)
    rows = replace(_windows(series, x, observed), context=fitted.context_of(series, None, len(series)))
    model = series.mean(_expected(fitted, rows).mT.numpy())
    return interpolated(known, series), model + interpolated(known - model, series)


def _windows(series: Series, x: Values, observed: Mask) -> Rows:
    """Windows of channels on the steps of series."""
    values, mask = (torch.from_numpy(part[series.indices]).mT.contiguous() for part in (np.where(observed, x, 0.0), observed))
    return Rows(values.float(), mask)


def _expected(fitted: Fitted, rows: Rows) -> torch.Tensor:
    """E[window | its observed values], [N, C, L]."""
    denoiser = Denoiser.of(fitted)
    return denoiser.denoise(rows, no_noise(rows)).view(rows.x.shape)


def interpolated(values: Values, series: Series) -> Values:
    """Channels [S, C] interpolated linearly within each series."""
    ends = np.append(series.grid.starts, series.grid.steps)
    parts = [values[begin:end] for begin, end in pairwise(ends)]
    return np.concatenate([np.stack([filled(channel) for channel in part.T], 1) for part in parts])


def _shares(left: Values, kind: NDArray[np.intp]) -> Values:
    """The share of the model in each class of gaps and channel, [classes, C]: that with the least error of hidden values, if it
    is surely below that of interpolation.
    """
    found = np.zeros((CLASSES, kind.shape[1]))
    for k in range(CLASSES):
        together = _best(*(each[kind == k] for each in left))
        for channel in range(kind.shape[1]):
            own = kind[:, channel] == k
            found[k, channel] = _best(*left[:, own, channel]) if own.sum() >= ENOUGH else together
    return found


def _best(linear: Values, model: Values) -> float:
    if len(linear) < 2:
        return 0.0
    errors = {blend: np.abs((1 - blend) * linear + blend * model) for blend in BLENDS}
    best = min(BLENDS, key=lambda blend: errors[blend].mean())
    gain = errors[0.0] - errors[best]
    return best if gain.mean() > SURE * gain.std() / len(gain) ** 0.5 else 0.0


def _blended(pair: Values, kind: NDArray[np.intp], share: Values) -> Values:
    """Both of a pair [2, S, C] in the shares of the classes; class -1 is any."""
    blend = np.take_along_axis(share, np.maximum(kind, 0), axis=0)
    return np.asarray((1 - blend) * pair[0] + blend * pair[1])


# -- gaps ---------------------------------------------------------------------------------------------------------------


def runs(missing: Mask) -> list[tuple[int, int]]:
    """Beginnings and ends of runs of missing steps.

    >>> import numpy as np
    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def class_of(length: int) -> int:
    """The class of a gap by its number of steps."""
    return int(length > SHORT) + int(length > MEDIUM)


def classes(observed: Mask) -> NDArray[np.intp]:
    """The class of the gap of each missing value, [S, C]; -1 for observed ones."""
    found = np.full(observed.shape, -1)
    for channel in range(observed.shape[1]):
        for begin, end in runs(~observed[:, channel]):
            found[begin:end, channel] = class_of(end - begin)
    return found


def _fresh(fitted: Fitted, series: Series, x: Values, observed: Mask) -> Mask:
    """Steps that the model was not trained on, bool [S]: of the rows of the fit those that it held out, of others all."""
    known, seed = fitted.figures, fitted.seed
    rows = _windows(series, x, observed)
    train, held_out, _ = parts(rows, fitted.settings["validation_fraction"], seed, series.overlaps)
    if (len(train), len(held_out)) != (known["rows"], known["held_out_rows"]):
        return np.ones(len(x), bool)
    found = np.zeros(len(x), bool)
    found[series.indices[held_out.numpy()]] = True
    return found


def _hidden(observed: Mask, fresh: Mask, generator: np.random.Generator) -> Mask:
    """Observed values that are hidden for a trial: gaps as long as the missing ones, at random places among the fresh steps."""
    channels = observed.shape[1]
    lengths = np.array([end - begin for c in range(channels) for begin, end in runs(~observed[:, c])])
    hidden = np.zeros_like(observed)
    if not len(lengths):
        return hidden
    places = np.flatnonzero(fresh)
    for channel in range(channels):
        left = min(MAX_TRIAL, MAX_HIDDEN * observed[fresh, channel].sum())
        for length in generator.permutation(np.resize(lengths, max(len(lengths), 2 * len(places)))):
            if left <= 0:
                break
            begin = int(generator.choice(places)) - int(generator.integers(length))
            hidden[max(0, begin) : begin + length, channel] = True
            left -= length
    if _are_together(observed):
        hidden[:] = hidden[:, :1]
    return hidden & observed & fresh[:, None]


def _are_together(observed: Mask) -> bool:
    """Whether all channels are missing at the same steps."""
    missing = ~observed
    return bool((missing.any(1) == missing.all(1)).mean() > 0.99)


@dataclass(frozen=True)
class Asked:
    """What is asked of imputed series; arguments as of :meth:`latente.VAE.impute`.

    Raises:
        ModelError: it can't be asked for.
    """

    method: str
    draws: int | None
    intervals: float | None
    insert: bool

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ModelError(f"method is one of {', '.join(map(repr, METHODS))}, not {self.method!r}")


def impute(fitted: Fitted, series: Series, asked: Asked, seed: int) -> tuple[list[Any], dict[str, Any]]:
    """Series without missing values in the user's units: one, several draws, or both ends of intervals; and the errors of the
    trial.

    Raises:
        ModelError: steps can't be inserted.
    """
    codec = fitted.codec
    assert isinstance(codec, SeriesCodec)
    if asked.insert and not codec.time:
        raise ModelError("insert=True adds rows with their time, and these series have no time column: leave it out")
    x, observed = (part.numpy() for part in codec.on_grid(codec.table.encode(series.table), series.grid))
    found = fill(fitted, series, x.astype(float), observed, asked.method)
    several = asked.draws is not None or asked.intervals is not None
    each = [codec.decode_steps(values, series, possible=several) for values in _completions(found, asked, seed)]
    if asked.insert:
        each = [
            codec.with_gaps(values, series, rows) for values, rows in zip(_completions(found, asked, seed), each, strict=True)
        ]
    return each, found.said(codec.channels)


def _completions(found: Gaps, asked: Asked, seed: int) -> list[Values]:
    """Filled channels on the steps of series, [S, C] each."""
    if asked.intervals is not None:
        return list(found.bounds(asked.intervals))
    generator = np.random.default_rng(seed % 2**32)
    return [found.values] if asked.draws is None else [found.drawn(generator) for _ in range(asked.draws)]
