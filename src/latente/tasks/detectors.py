"""Scores of how strange rows are: a closed table of them, and ensembles.

A detector gives each row a number in which higher is stranger. An ensemble adds up, over its detectors, -log of the share of
training rows that are as strange, so that detectors in different units count alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.data import SeriesCodec
from latente.errors import ModelError
from latente.fitted import Fitted, in_units
from latente.model.codes import CodeDistribution
from latente.model.codes import rate as rate_of
from latente.model.distributions import FieldsDistribution
from latente.model.doubles import in_double
from latente.model.latent_model import LatentModel
from latente.rows import SERIES, Rows, expanded, layout_of, levels_of
from latente.tasks.anomalies import field_surprise, log_likelihood
from latente.threads import USUAL, on_threads
from latente.training.split import Split
from latente.training.surroundings import Surroundings, surprise, tail
from latente.training.usual import Usual

ENSEMBLE = {"near": 3.0, "covariance": 1.0}
"""What ``score="auto"`` combines, and what each counts: chosen once by the means over sets of ``benchmarks.anomalies``."""
WITH_ROW_MODEL = ENSEMBLE | {"log-prob": 1.0}
"""The same for mixed tables, where a row model sees what the code does not."""
OF_WINDOWS = {"near-window": 3.0, "near": 1.0}
"""The same for series, by the means of ``benchmarks.series``."""
LOG_PROB = {"log-prob": 1.0}
OF_LOG_PROB = ("log-prob", "typicality")  # detectors that compute it
MAX_TO_SUMMARISE, MAX_VALUES = 3000, 1_000_000  # training rows, and values of them
BATCH = 2048

SAME_CODE, MOSTLY = 1e-4, 0.5  # distance of two codes of the same window; share of windows
MAX_PATCHES, MAX_PATCH_VALUES = 8000, 4_000_000  # training windows whose codes are kept, and values that they decode to

DETECTORS: dict[str, Callable[[Batch], Tensor]] = {}
SERIES_DETECTORS: dict[str, Callable[[Batch], Tensor]] = {}
Measure = Callable[["Batch"], Tensor]


def detectors() -> dict[str, str]:
    """The scores of :meth:`latente.VAE.anomalies`, each with what it measures.

    >>> detectors()["rate"]
    'KL(q(z|row) || p(z)); 0 of a model without a prior.'
    """
    every = {**DETECTORS, **SERIES_DETECTORS}
    return {name: (measure.__doc__ or "").partition("\n")[0] for name, measure in every.items()}


def possible(fitted: Fitted) -> dict[str, Measure]:
    """The detectors for a model, by name."""
    return DETECTORS if fitted.patches is None else {**DETECTORS, **SERIES_DETECTORS}


def detector(measure: Measure) -> Measure:
    """Enter a detector into the table, by the name of its function; a name can be taken once."""
    name = measure.__name__.replace("_", "-")
    if name in DETECTORS:
        raise ModelError(f"a detector needs a name of its own; {name!r} is taken")
    DETECTORS[name] = measure
    return measure


class Batch:
    """A batch of rows, and what a model makes of it; each computed once, in double precision, when a detector asks for it.

    Args:
        fitted: the model. rows: the rows. patches: of training windows, for series. model: the same in double
            precision, if there is one already.
    """

    def __init__(self, fitted: Fitted, rows: Rows, patches: Tensor | None = None, model: LatentModel | None = None) -> None:
        self.fitted, self.given, self.patches = fitted, rows, patches
        self.rows = rows.to("cpu", torch.float64)
        self.model = in_double(fitted.model) if model is None else model
        self.row_model = self.model if fitted.row_model is fitted.model else in_double(fitted.row_model)

    @property
    def is_exact(self) -> bool:
        """Whether log p of a row is the sum of those of its fields, because a separate row model has no codes."""
        return self.row_model is not self.model

    among_training = False  # whether most of the rows that are scored are training rows

    @cached_property
    def nearest_patch(self) -> tuple[Tensor, Tensor]:
        """Distance of the code to the nearest one of a training window, and the index of that, [B] each."""
        assert self.fitted.patches is not None
        found = torch.cdist(self.parts[1], self.fitted.patches.double()).min(1)
        return found.values, found.indices

    @cached_property
    def posterior(self) -> CodeDistribution:
        """q(z|x) of each row."""
        return self.model.encode(self.rows)

    @property
    def code(self) -> Tensor:
        """Posterior means, [B, d]."""
        return self.posterior.code

    @cached_property
    def px(self) -> FieldsDistribution:
        """p(x|z) at the code of each row, [1, B, F]."""
        return self.model.decode(self.code.unsqueeze(0), self.rows.context)

    @cached_property
    def surprise(self) -> Tensor:
        """-log p of each field by the row model, at the code where it has one, nats, [B, F]; 0 where it is missing."""
        return -self.row_model.field_log_prob(self.rows)

    @cached_property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Values, code and residuals, [B, ·] each. A missing value is what the model expects, and has no residual; nor has a
        column with levels, which is an indicator for each.
        """
        levels = levels_of(self.fitted.codec.fields)
        expected = self.px.mean[0]
        x = self.rows.x.flatten(1)
        if self.rows.mask is not None:
            x = torch.where(self.rows.mask.flatten(1), x, expected)
        residual = (x - expected)[:, [not count for count in levels]] if levels else x - expected
        return expanded(x, levels), self.code.flatten(1), residual

    @cached_property
    def place(self) -> Tensor:
        """The same, as :class:`latente.training.surroundings.Surroundings` standardises them, [B, P]."""
        return self.surroundings.standardised(self.parts)

    @property
    def code_columns(self) -> slice:
        """Where the code stands in a place."""
        start = self.parts[0].shape[1]
        return slice(start, start + self.parts[1].shape[1])

    @property
    def code_place(self) -> Tensor:
        """The code alone, standardised, [B, d]."""
        return self.place[:, self.code_columns]

    @property
    def surroundings(self) -> Surroundings:
        """Where usual rows lie."""
        assert self.fitted.surroundings is not None
        return self.fitted.surroundings

    @cached_property
    def log_prob(self) -> Tensor:
        """log p of each row in the user's units, nats, [B]."""
        found = -self.surprise.sum(1).numpy() if self.is_exact else log_likelihood(self.model, self.given, self.fitted.seed)
        return torch.from_numpy(in_units(self.fitted.codec, self.fitted.row_model, found, self.given))


@detector
def log_prob(batch: Batch) -> Tensor:
    """-log p(row) of the row model: by importance weighting where rows have codes."""
    return -batch.log_prob


@detector
def typicality(batch: Batch) -> Tensor:
    """How far log p(row) is from its mean over usual rows, on either side (Nalisnick et al. 2019)."""
    return (batch.log_prob - float(batch.fitted.calibration.scores.mean())).abs()


@detector
def reconstruction(batch: Batch) -> Tensor:
    """-log p(row | its code) of the model (An and Cho 2015, at the posterior mean)."""
    return -batch.px.log_prob(batch.rows.x, batch.rows.mask)[0].sum(1)


@detector
def rate(batch: Batch) -> Tensor:
    """KL(q(z|row) || p(z)); 0 of a model without a prior."""
    q, p = batch.posterior, batch.model.p(batch.rows.context)
    return rate_of(q, p, q.draw(1, q.code.new_zeros(1, len(batch.rows), batch.model.noise_size)))


@detector
def code_distance(batch: Batch) -> Tensor:
    """Squared distance of the code to the mean code, each dimension by its spread over the aggregated posterior."""
    return (batch.code_place / batch.surroundings.spread[batch.code_columns]).square().sum(1)


@detector
def near_code(batch: Batch) -> Tensor:
    """Distance of the code to the nearest mean of a group of training codes."""
    return batch.surroundings.nearness(batch.code_place, batch.code_columns)


@detector
def near(batch: Batch) -> Tensor:
    """Distance of values, code and residuals together to the nearest mean of a group of training rows."""
    return batch.surroundings.nearness(batch.place)


@detector
def covariance(batch: Batch) -> Tensor:
    """Squared Mahalanobis distance of values, code and residuals together, the strangest training rows left out."""
    return batch.surroundings.distance(batch.place)


def near_window(batch: Batch) -> Tensor:
    """Of series: distance of a window to the nearest one that the code of a training window decodes to.

    If most of the windows are training windows, each is compared with the others that do not overlap it.
    """
    assert batch.patches is not None
    distance = torch.cdist(batch.parts[0], batch.patches)
    if not batch.among_training:
        return distance.amin(1)
    near, place = batch.nearest_patch
    away = (torch.arange(distance.shape[1]) - place.unsqueeze(1)).abs()
    itself = (near < SAME_CODE).unsqueeze(1) & (away <= _overlapping(batch.fitted))
    return distance.masked_fill(itself & ~itself.all(1, keepdim=True), math.inf).amin(1)


def _overlapping(fitted: Fitted) -> int:
    """How many patches on either side of one overlap it."""
    assert fitted.patches is not None
    if not isinstance(fitted.codec, SeriesCodec) or "held_out_blocks" not in fitted.figures:
        return 0
    thinned: float = max(1.0, fitted.figures["rows"] / len(fitted.patches))
    return math.ceil(fitted.codec.window / fitted.codec.stride / thinned)


SERIES_DETECTORS["near-window"] = near_window


def patches_of(fitted: Fitted, train: Rows) -> Tensor:
    """Codes of some training windows, [M, d]."""
    return fitted.model.codes(train.subsample(min(MAX_PATCHES, max(1, MAX_PATCH_VALUES // train.x[:1].numel()))))


def _decoded_patches(fitted: Fitted) -> Tensor | None:
    """What the codes of training windows decode to, [M, F], in double precision."""
    if fitted.patches is None:
        return None
    codes = torch.split(fitted.patches.double(), BATCH)
    return torch.cat([in_double(fitted.model).decode(z.unsqueeze(0)).mean[0].flatten(1) for z in codes])


@torch.no_grad()
@on_threads(USUAL)
def strangeness(fitted: Fitted, rows: Rows, names: Sequence[str]) -> dict[str, Tensor]:
    """Scores of rows by several detectors, [N] each."""
    return scores_of(batches_of(fitted, rows), names)


def field_surprise_of(batches: Sequence[Batch]) -> Tensor:
    """-log p of each field of rows in batches (see :func:`latente.tasks.anomalies.field_surprise`), nats, [N, F]."""
    return torch.cat(
        [batch.surprise if batch.is_exact else field_surprise(batch.fitted.model, batch.given) for batch in batches]
    )


def batches_of(fitted: Fitted, rows: Rows) -> list[Batch]:
    """Rows in batches, for detectors."""
    patches = _decoded_patches(fitted)
    batches = [Batch(fitted, batch, patches) for batch in rows.batches(BATCH)]
    if patches is not None:
        known = torch.cat([batch.nearest_patch[0] < SAME_CODE for batch in batches])
        for batch in batches:
            batch.among_training = bool(known.double().mean() > MOSTLY)
    return batches


def scores_of(batches: Sequence[Batch], names: Sequence[str]) -> dict[str, Tensor]:
    """Scores of rows in batches by several detectors, [N] each."""
    every = {**DETECTORS, **SERIES_DETECTORS}
    return {name: torch.cat([every[name](batch) for batch in batches]) for name in names}


@torch.no_grad()
@on_threads(USUAL)
def summarise(fitted: Fitted, split: Split, scored: Rows, log_prob: Tensor) -> None:
    """Learn where usual rows lie, and their scores by each detector.

    Held-out rows are compared with training rows alone; then they join the summary, for there may be few rows. Other rows are
    then a little less strange than held-out ones were, so p-values are right or a little too high.

    log p of a model with codes takes many draws for each row, so it is not computed for training rows. The held-out rows,
    whose log p is known, stand for them.

    Args:
        fitted: the model. split: its rows.
        scored, log_prob: the held-out rows of its calibration, and log p of them, [n].
    """
    if layout_of(fitted.codec.fields) == SERIES and fitted.context is None:
        fitted.patches = patches_of(fitted, split.train)
    few = split.train.subsample(min(MAX_TO_SUMMARISE, max(1, MAX_VALUES // split.train[:1].x.numel())))
    train, judged = batches_of(fitted, few), batches_of(fitted, scored)
    for batch, known in zip(judged, torch.split(log_prob, BATCH), strict=True):
        batch.log_prob = known
    fitted.surroundings = _surroundings(train)
    every = tuple(possible(fitted))
    of_judged = scores_of(judged, every)
    if split.held_out is not None:
        share = len(few) / len(split.train)
        others = split.held_out.subsample(max(1, round(share * len(split.held_out))))
        fitted.surroundings = _surroundings([*train, *batches_of(fitted, others)])
    # A training window lies beside itself, and its neighbours in time.
    dear = (*(OF_LOG_PROB if fitted.row_model.noise_size else ()), *(SERIES_DETECTORS if fitted.patches is not None else ()))
    of_train = scores_of(train, [name for name in every if name not in dear])
    of_train |= {name: of_judged[name] for name in dear}
    names = tuple(name for name in every if all(bool(found[name].isfinite().all()) for found in (of_train, of_judged)))
    if not names:
        fitted.surroundings = None
        return
    tails, held_out = ([of(found[name]) for name in names] for of, found in ((tail, of_train), (Tensor.double, of_judged)))
    fitted.usual = Usual(names, torch.stack(tails).numpy(), torch.stack(held_out).numpy())


def _surroundings(batches: Sequence[Batch]) -> Surroundings:
    """Where some rows lie."""
    return Surroundings.of([torch.cat(each) for each in zip(*(batch.parts for batch in batches), strict=True)])


def chosen(fitted: Fitted, score: str | Sequence[str]) -> dict[str, float]:
    """The detectors behind a score, and what each counts: one, several, or those of "auto".

    Raises:
        ModelError: there is none of this name, or the model has no figures for it.
    """
    if score == "auto":
        ensemble = ENSEMBLE if fitted.row_model is fitted.model else WITH_ROW_MODEL
        ensemble = ensemble if fitted.patches is None else OF_WINDOWS
        return ensemble if ensemble.keys() <= {*fitted.usual.names} else LOG_PROB
    names = (score,) if isinstance(score, str) else tuple(score)
    known = possible(fitted)
    unknown = [name for name in names if name not in known] if names else ["no name"]
    if unknown:
        raise ModelError(f"there is no score {unknown[0]!r}; there are auto, {', '.join(known)}, or a list of them")
    lacking = [name for name in names if name not in fitted.usual.names]
    if lacking:
        raise ModelError(
            f"this model has no {lacking[0]!r}: it was not finite for usual rows, or the model was saved by an earlier version"
        )
    return dict.fromkeys(names, 1.0)


def combined(usual: Usual, weights: Mapping[str, float], found: Mapping[str, Tensor]) -> NDArray[np.float64]:
    """One strangeness for each row, [N]: that of a single detector, or the weighted sum of surprises of several."""
    if len(weights) == 1:
        total = found[next(iter(weights))]
    else:
        parts = [weight * surprise(found[name], torch.from_numpy(usual.tail(name))) for name, weight in weights.items()]
        total = torch.stack(parts).sum(0)
    return total.double().numpy()


def rank(strange: NDArray[np.float64]) -> NDArray[Any]:
    """1 for the strangest row, equal ones alike; NaN where there is no score."""
    scored = ~np.isnan(strange)
    place = 1 + np.searchsorted(np.sort(-strange[scored]), -strange)
    return place if scored.all() else np.where(scored, place, np.nan)
