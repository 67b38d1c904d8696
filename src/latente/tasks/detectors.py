"""Scores of how strange rows are: a closed table of them, and ensembles.

A detector gives each row a number in which higher is stranger. An ensemble adds up, over its detectors, -log of the share of
training rows that are as strange, so that detectors in different units count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.errors import ModelError
from latente.fitted import Fitted, in_units
from latente.model.codes import CodeDistribution
from latente.model.codes import rate as rate_of
from latente.model.doubles import in_double
from latente.rows import Rows, expanded, levels_of
from latente.tasks.anomalies import log_likelihood
from latente.threads import USUAL, on_threads
from latente.training.split import Split
from latente.training.surroundings import Surroundings, surprise, tail
from latente.training.usual import Usual

ENSEMBLE = {"near": 3.0, "covariance": 1.0}
"""What ``score="auto"`` combines, and what each counts: chosen once by the means over sets of ``benchmarks.anomalies``."""
WITH_ROW_MODEL = {"near": 1.0, "covariance": 1.0, "log-prob": 1.0}
"""The same of mixed tables, of which a row model sees what the code does not."""
LOG_PROB = {"log-prob": 1.0}
MAX_TO_SUMMARISE = 3000  # training rows
MAX_USUAL = 5000  # rows of each kind that scores are compared with
BATCH = 2048

DETECTORS: dict[str, Callable[[Seen], Tensor]] = {}
Measure = Callable[["Seen"], Tensor]


def detectors() -> dict[str, str]:
    """The scores of :meth:`latente.VAE.anomalies`, each with what it measures.

    >>> detectors()["rate"]
    'KL(q(z|row) || p(z)); 0 of a model without a prior.'
    """
    return {name: (measure.__doc__ or "").partition("\n")[0] for name, measure in DETECTORS.items()}


def detector(measure: Measure) -> Measure:
    """Enter a detector into the table, by the name of its function; a name can be taken once."""
    name = measure.__name__.replace("_", "-")
    if name in DETECTORS:
        raise ModelError(f"a detector needs a name of its own; {name!r} is taken")
    DETECTORS[name] = measure
    return measure


class Seen:
    """A batch of rows, and what a model makes of it; each computed once, in double precision, when a detector asks for it."""

    def __init__(self, fitted: Fitted, rows: Rows) -> None:
        self.fitted, self.given = fitted, rows
        self.rows = rows.to("cpu", torch.float64)
        self.model = in_double(fitted.model)
        self.row_model = self.model if fitted.row_model is fitted.model else in_double(fitted.row_model)

    @cached_property
    def posterior(self) -> CodeDistribution:
        """q(z|x) of each row."""
        return self.model.encode(self.rows)

    @property
    def code(self) -> Tensor:
        """Posterior means, [B, d]."""
        return self.posterior.code

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
        expected = self.model.decode(self.code.unsqueeze(0), self.rows.context).mean[0]
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
        found = log_likelihood(self.fitted.row_model, self.given, self.fitted.seed)
        return torch.from_numpy(in_units(self.fitted.codec, self.fitted.row_model, found, self.given))


@detector
def log_prob(seen: Seen) -> Tensor:
    """-log p(row) of the row model: by importance weighting where rows have codes."""
    return -seen.log_prob


@detector
def typicality(seen: Seen) -> Tensor:
    """How far log p(row) is from its mean over usual rows, on either side (Nalisnick et al. 2019)."""
    return (seen.log_prob - float(seen.fitted.calibration.scores.mean())).abs()


@detector
def reconstruction(seen: Seen) -> Tensor:
    """-log p(row | its code) of the model (An and Cho 2015, at the posterior mean)."""
    return -seen.model.field_log_prob(seen.rows).sum(1)


@detector
def rate(seen: Seen) -> Tensor:
    """KL(q(z|row) || p(z)); 0 of a model without a prior."""
    q, p = seen.posterior, seen.model.p(seen.rows.context)
    return rate_of(q, p, q.draw(1, q.code.new_zeros(1, len(seen.rows), seen.model.noise_size)))


@detector
def code_distance(seen: Seen) -> Tensor:
    """Squared distance of the code to the mean code, each dimension by its spread over the aggregated posterior."""
    return (seen.code_place / seen.surroundings.spread[seen.code_columns]).square().sum(1)


@detector
def near_code(seen: Seen) -> Tensor:
    """Distance of the code to the nearest mean of a group of training codes."""
    return seen.surroundings.nearness(seen.code_place, seen.code_columns)


@detector
def near(seen: Seen) -> Tensor:
    """Distance of values, code and residuals together to the nearest mean of a group of training rows."""
    return seen.surroundings.nearness(seen.place)


@detector
def covariance(seen: Seen) -> Tensor:
    """Squared Mahalanobis distance of values, code and residuals together, the strangest training rows left out."""
    return seen.surroundings.distance(seen.place)


@torch.no_grad()
@on_threads(USUAL)
def strangeness(fitted: Fitted, rows: Rows, names: Sequence[str]) -> dict[str, Tensor]:
    """Scores of rows by several detectors, [N] each."""
    seen = [Seen(fitted, batch) for batch in rows.batches(BATCH)]
    return {name: torch.cat([DETECTORS[name](each) for each in seen]) for name in names}


def summarise(fitted: Fitted, split: Split) -> None:
    """Learn where usual rows lie, and their scores by each detector.

    Held-out rows are compared with training rows alone; then they join the summary, for there may be few rows. Other rows are
    then a little less strange than held-out ones were, so p-values are right or a little too high.
    """
    fitted.surroundings = _surroundings(fitted, split.train)
    of_judged = strangeness(fitted, split.judged.subsample(MAX_USUAL), tuple(DETECTORS))
    if split.held_out is not None:
        fitted.surroundings = _surroundings(fitted, split.train, split.held_out)
    of_train = strangeness(fitted, split.train.subsample(MAX_TO_SUMMARISE), tuple(DETECTORS))
    names = tuple(name for name in DETECTORS if all(bool(found[name].isfinite().all()) for found in (of_train, of_judged)))
    if not names:
        fitted.surroundings = None
        return
    tails, held_out = ([of(found[name]) for name in names] for of, found in ((tail, of_train), (Tensor.double, of_judged)))
    fitted.usual = Usual(names, torch.stack(tails).numpy(), torch.stack(held_out).numpy())


@torch.no_grad()
@on_threads(USUAL)
def _surroundings(fitted: Fitted, *parts: Rows) -> Surroundings:
    """Where some rows lie, as many of each part as its share."""
    n = sum(map(len, parts))
    some = [part.subsample(max(1, MAX_TO_SUMMARISE * len(part) // max(n, MAX_TO_SUMMARISE))) for part in parts]
    places = [Seen(fitted, batch).parts for rows in some for batch in rows.batches(BATCH)]
    return Surroundings.of([torch.cat(each) for each in zip(*places, strict=True)])


def chosen(fitted: Fitted, score: str | Sequence[str]) -> dict[str, float]:
    """The detectors behind a score, and what each counts: one, several, or those of "auto".

    Raises:
        ModelError: there is none of this name, or the model has no figures for it.
    """
    if score == "auto":
        ensemble = ENSEMBLE if fitted.row_model is fitted.model else WITH_ROW_MODEL
        return ensemble if ensemble.keys() <= {*fitted.usual.names} else LOG_PROB
    names = (score,) if isinstance(score, str) else tuple(score)
    unknown = [name for name in names if name not in DETECTORS] if names else ["no name"]
    if unknown:
        raise ModelError(f"there is no score {unknown[0]!r}; there are auto, {', '.join(DETECTORS)}, or a list of them")
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
