"""The rate-distortion trade-off of a model, by the size of its code and by beta.

One fit for each size of the code with beta = 1, and for the chosen size one fit for each beta (the rate-distortion curve of
Alemi et al. 2018). All fits have the same training rows, and are evaluated on rows used neither for training nor for early
stopping.
"""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import torch

from latente.blueprint import Blueprint
from latente.catalogue import Recipe
from latente.certificate.estimates import Array, Estimate, standard_error, unknown
from latente.certificate.information import RateDistortion
from latente.data import frame, read
from latente.errors import DataError, ModelError, entry, renamed
from latente.estimator import VAE
from latente.fitting.prepare import Prepared
from latente.model.likelihoods import LOG_SIGMA_FLOOR, Likelihood
from latente.parameters import Parameters, text_columns
from latente.rows import Rows
from latente.seeding import seed_of, seeded
from latente.studies.linear import ProbabilisticPCA
from latente.studies.noise import noise_floor
from latente.studies.setup import held_out_share, silent
from latente.studies.words import as_html, as_text, number, plain
from latente.training.diagnosis import active_units
from latente.training.fit import Fit
from latente.training.loop import Settings
from latente.training.progress import progress_bar
from latente.words import Message

BETAS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
SIZES, MORE_SIZES = 5, 2
WIDER = 1.5  # largest size, relative to the estimated one, or to the largest tried if that is the best
MIN_ROWS = 20
MAX_JUDGED = 5000
JUDGED_AND_STOPPED = 400  # rows held out, where there are enough: half stop the fits, the others judge them
LINEAR, COLUMNS = Message("figure.pca"), Message("figure.columns_alone")


@dataclass(frozen=True)
class Point:
    """Rate and distortion of one code, nats per held-out row.

    Attributes:
        model: recipe, "probabilistic PCA" or "independent columns".
        latent_dim: d. beta: weight of the KL in training; NaN if there was none.
        rate, distortion: their sum is ``loss``, the negative ELBO, with standard error ``error``.
        active_units: dimensions that vary with the row; NaN for the references.
        seconds: of training.
    """

    model: str
    latent_dim: int
    beta: float
    rate: float
    distortion: float
    error: float
    active_units: float = math.nan
    seconds: float = math.nan

    @property
    def loss(self) -> float:
        """rate + distortion."""
        return self.rate + self.distortion

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        values = {"model": self.model, "latent_dim": self.latent_dim, "beta": self.beta, "rate": self.rate,
                  "distortion": self.distortion, "loss": self.loss, "error": self.error, "active_units": self.active_units,
                  "seconds": self.seconds}  # fmt: skip
        return {name: plain(value) if isinstance(value, float) else value for name, value in values.items()}


@dataclass(frozen=True, repr=False)
class Tradeoff:
    """A rate-distortion curve and the recommended size of the code. Prints as a table.

    Attributes:
        about: recipe, seed and numbers of rows (all, and for training, early stopping and evaluation); plain values.
        points: sizes with beta = 1, betas with the chosen size, probabilistic PCA, independent columns.
        chosen: the recommended size. reasons: why, as sentences.
        floor: the noise floor; NaN with its reason if it is not defined.
        notes: further remarks.
    """

    about: dict[str, Any]
    points: tuple[Point, ...]
    chosen: int
    reasons: tuple[str, ...]
    floor: Estimate
    notes: tuple[str, ...] = ()
    container: str = field(default="pyarrow", repr=False)

    def of(self, model: str) -> tuple[Point, ...]:
        """The points of a model: the recipe, "probabilistic PCA" (none if it is not defined) or "independent columns"."""
        entry(dict.fromkeys((self.about["recipe"], LINEAR, COLUMNS)), model, "model here")
        return tuple(point for point in self.points if point.model == model)

    @property
    def sizes(self) -> tuple[Point, ...]:
        """The model's points with beta = 1, by size."""
        return tuple(point for point in self.of(self.about["recipe"]) if point.beta == 1.0)

    @property
    def curve(self) -> tuple[Point, ...]:
        """The model's points with the chosen size, by beta."""
        found = (point for point in self.of(self.about["recipe"]) if point.latent_dim == self.chosen)
        return tuple(sorted(found, key=lambda point: point.beta))

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        points = [point.to_dict() for point in self.points]
        return {"about": self.about, "chosen": self.chosen, "reason": self.reason, "floor": self.floor.to_dict(),
                "points": points, "notes": list(self.notes)}  # fmt: skip

    def to_frame(self) -> Any:
        """A row for each point, as the kind of data frame that was passed (pyarrow for arrays)."""
        records = [point.to_dict() for point in self.points]
        return frame({name: [record[name] for record in records] for name in records[0]}, self.container)

    def lines(self) -> list[tuple[str, ...]]:
        """The cells of the table, below :data:`HEADER`."""
        return [_line(point, point.latent_dim == self.chosen and point.beta == 1.0) for point in self.points]

    def __str__(self) -> str:
        return "\n".join([self.title, "", as_text(HEADER, self.lines()), "", *self.sentences()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(text)}</p>" for text in self.sentences())
        return f"<h4>{html.escape(self.title)}</h4>{as_html(HEADER, self.lines())}{said}"

    @property
    def reason(self) -> str:
        """The reasons for this size as one text."""
        return (
            ". ".join(f"{sentence[0].upper()}{sentence[1:]}" if k else sentence for k, sentence in enumerate(self.reasons))
            + "."
        )

    def sentences(self) -> tuple[str, ...]:
        """The reasons for this size, the noise floor, and the notes."""
        floor = {"value": self.floor.value} if self.floor.known else {}
        key = "study.floor" if self.floor.known else "study.floor_unknown"
        return (self.reason, Message(key, reason=self.floor.reason, **floor), *self.notes)

    @property
    def title(self) -> str:
        """Title of the trade-off."""
        about = self.about
        judged = f"{about['judged_rows']:,} of {about['rows']:,}"
        return f"Rate and distortion of {about['recipe']}, nats per held-out row ({judged})"


HEADER = ("model", "d", "beta", "rate", "distortion", "loss", "±", "active", "seconds", "")


def _line(point: Point, chosen: bool) -> tuple[str, ...]:
    numbers = (point.rate, point.distortion, point.loss, point.error)
    beta = "" if math.isnan(point.beta) else f"{point.beta:g}"
    active = "" if math.isnan(point.active_units) else f"{point.active_units:.0f}"
    spent = "" if math.isnan(point.seconds) else f"{point.seconds:.1f}"
    return (point.model, str(point.latent_dim), beta, *map(number, numbers), active, spent, "← chosen" if chosen else "")


@renamed(told="progress")
def tradeoff(
    data: Any,
    recipe: str | Recipe = "vae",
    *,
    dims: Sequence[int] | str = "auto",
    betas: Sequence[float] = BETAS,
    time_limit: float | None = None,
    random_state: Any = None,
    verbose: int = 0,
    progress: Callable[[str], None] = silent,
    **parameters: Any,
) -> Tradeoff:
    """Measure rate and distortion by the size of the code and by beta, compare with probabilistic PCA, and recommend a size.

    Args:
        data: rows, whatever :meth:`latente.VAE.fit` takes.
        recipe: a model whose objective is the ELBO, so that beta is defined.
        dims: sizes of the code; "auto" takes five, from 1 to 1.5 times the estimated size, and up to two more if the largest
            is the best.
        betas: weights of the KL, tried with the chosen size.
        time_limit: seconds for all fits together; the remaining time is divided equally.
        random_state: a seed. verbose: 1 shows a progress bar.
        progress: called with a description of each fit before it begins.
        parameters: further parameters of :class:`latente.VAE`, such as ``hidden``, ``likelihood``, ``max_epochs``, ``kinds``.

    Raises:
        DataError: a model can't be fitted to the rows, or there are fewer than 20.
        ModelError: a size above the number of fields, a beta that is not positive, an objective without a rate.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 2)) @ np.array([[1, 2, 0.5, 1], [0, 1, -1, 1]])
    >>> found = tradeoff(rows, dims=[1, 2], betas=[1, 4], max_epochs=5, random_state=0)
    >>> [(point.latent_dim, point.beta) for point in found.of("vae")]
    [(1, 1.0), (2, 1.0), (2, 4.0)]
    """
    begin = time.perf_counter()
    setup = Setup.prepare(data, recipe, progress, random_state=random_state, verbose=verbose, **parameters)
    if time_limit is not None and not (isinstance(time_limit, Real) and 0 < time_limit < math.inf):
        raise ModelError(f"time_limit is {time_limit!r}; it must be None or a positive number of seconds")
    sizes, tried = setup.sizes(dims), _betas(betas)
    clock = Clock(time_limit, len(sizes) + len(tried))
    found = {d: setup.fitted(d, 1.0, clock) for d in sizes}
    chosen, reasons = choose({d: fit.losses for d, fit in found.items()}, setup.alone, setup.fields)
    while isinstance(dims, str) and (wider := setup.wider(chosen, sizes)) is not None:
        sizes, found[wider] = (*sizes, wider), setup.fitted(wider, 1.0, clock)
        chosen, reasons = choose({d: fit.losses for d, fit in found.items()}, setup.alone, setup.fields)
    at_chosen = [setup.fitted(chosen, beta, clock) for beta in tried if beta != 1.0]
    fits, linear = [*found.values(), *at_chosen], setup.linear(sizes)
    about = {
        "recipe": setup.recipe.name, "rows": setup.count, "training_rows": len(setup.train),
        "stopping_rows": len(setup.stop), "judged_rows": len(setup.judged), "seed": setup.seed,
        "seconds": time.perf_counter() - begin,
    }  # fmt: skip
    points = (*(fit.point for fit in fits), *linear, setup.reference())
    reasons = (*reasons, *_more(found[chosen].point, {point.latent_dim: point for point in linear}))
    return Tradeoff(about, points, chosen, reasons, setup.floor(), setup.notes(sizes), setup.container)


@dataclass(frozen=True)
class Fitted:
    """A fit, and its losses on the evaluation rows."""

    point: Point
    losses: RateDistortion


@dataclass
class Clock:
    """Divides the remaining time among the remaining fits."""

    limit: float | None
    fits: int
    begin: float = field(default_factory=time.perf_counter)

    def share(self) -> float | None:
        """Seconds for the next fit; at least 0.01, because a fit runs at least one epoch."""
        self.fits -= 1
        if self.limit is None:
            return None
        return max(0.01, (self.limit - (time.perf_counter() - self.begin)) / (self.fits + 1))


@dataclass
class Setup:
    """Shared by all fits of a trade-off.

    Attributes:
        seed: of all that is drawn. shows: whether progress is shown. blueprint, settings: of a fit with the estimated size.
        train, stop, judged: rows to learn from, rows that say when to stop, rows to judge by, at most 5,000.
        count: rows that were divided.
        resolution: smallest recorded step of each field, [F].
    """

    seed: int
    shows: bool
    blueprint: Blueprint
    settings: Settings
    train: Rows
    stop: Rows
    judged: Rows
    count: int
    resolution: torch.Tensor
    container: str
    data_notes: tuple[str, ...]
    progress: Callable[[str], None]

    @classmethod
    def prepare(cls, data: Any, recipe: str | Recipe, progress: Callable[[str], None], **parameters: Any) -> Setup:
        """Read, encode and split the rows."""
        rows = read(data, texts=text_columns(parameters.get("kinds")))
        vae = VAE(recipe, **{"validation_fraction": held_out_share(len(rows), JUDGED_AND_STOPPED), **parameters})
        seed = seed_of(vae.random_state)
        prepared = Prepared.of(rows, Parameters.of(vae), seed)
        blueprint, train, held_out = prepared.blueprint, prepared.split.train, prepared.split.held_out
        if held_out is None or len(train) + len(held_out) < MIN_ROWS:
            few = f"{len(rows)} rows are too few, it takes {MIN_ROWS}"
            raise DataError(f"a trade-off needs held-out rows for its evaluation, and {few}")
        if blueprint.recipe.objective.name != "elbo":
            raise ModelError(f"a trade-off varies beta, the weight of the KL; {blueprint.recipe.name!r} has none: use 'vae'")
        half = len(held_out) // 2
        stop, judged = held_out[:half], held_out[half:].subsample(MAX_JUDGED)
        parts, count = (train, stop, judged), len(train) + len(held_out)
        settings, notes = prepared.settings(), tuple(prepared.codec.notes)
        return cls(
            seed, vae.verbose > 0, blueprint, settings, *parts, count, prepared.resolution, rows.container, notes, progress
        )

    @property
    def recipe(self) -> Recipe:
        """The recipe of the models."""
        return self.blueprint.recipe

    @property
    def fields(self) -> int:
        """Number of fields, the maximum size of a code."""
        return self.train.x[:1].numel()

    def sizes(self, dims: Sequence[int] | str) -> tuple[int, ...]:
        """The sizes to try, in increasing order.

        Raises:
            ModelError: a size is not a whole number, or above the number of fields.
        """
        fields = self.fields
        if isinstance(dims, str):
            if dims != "auto":
                raise ModelError(f"dims is {dims!r}; it must be 'auto' or a list of sizes of the code")
            top = max(1, min(fields, len(self.train) // 4, math.ceil(WIDER * self.blueprint.latent_dim)))
            return tuple(sorted({round(float(size)) for size in np.geomspace(1, top, SIZES)}))
        wrong = [d for d in dims if isinstance(d, bool) or not isinstance(d, (int, np.integer)) or not 1 <= d <= fields]
        if wrong or not len(dims):
            asked = f"d = {wrong[0]!r}" if wrong else "no size"
            raise ModelError(f"{asked} was asked for; a code has from 1 to {fields} dimensions, one for each field that varies")
        return tuple(sorted({int(d) for d in dims}))

    def wider(self, chosen: int, sizes: Sequence[int]) -> int | None:
        """A larger size to try, if the largest of ``sizes`` was chosen; else None."""
        most = min(self.fields, len(self.train) // 4)
        if chosen < sizes[-1] or len(sizes) >= SIZES + MORE_SIZES or sizes[-1] >= most:
            return None
        return min(most, math.ceil(WIDER * sizes[-1]))

    def fitted(self, d: int, beta: float, clock: Clock) -> Fitted:
        """One fit without trials or corrections, so that points differ only in d and beta."""
        objective = replace(self.recipe.objective, arguments={**self.recipe.objective.arguments, "beta": beta})
        blueprint = replace(self.blueprint, recipe=replace(self.recipe, objective=objective), latent_dim=d)
        settings, what = replace(self.settings, time_limit=clock.share()), f"d = {d}, beta = {beta:g}"
        self.progress(what)
        with progress_bar(self.shows) as shown:
            fit = Fit(blueprint, self.train, self.stop, self.resolution, settings, observer=shown)
            run = fit.plain(0, what)
        if fit.interrupted:
            raise KeyboardInterrupt
        model = run.learner.model
        active = float(active_units(model, self.train).sum())
        with seeded(self.seed, "tradeoff"):
            losses = RateDistortion.of(model, self.judged)
        return Fitted(_point(self.recipe.name, d, losses, beta, active_units=active, seconds=run.status.elapsed), losses)

    @cached_property
    def alone(self) -> Array:
        """-log p of each judged row under independent columns, nats, [N]."""
        return np.asarray(-self.likelihood.baseline_log_prob(self.train, self.judged).double().numpy())

    @cached_property
    def likelihood(self) -> Likelihood:
        """The likelihood of each model before training."""
        with seeded(self.seed):
            found = self.blueprint().model.likelihood
        assert isinstance(found, Likelihood)
        return found

    @property
    def is_density(self) -> bool:
        """Whether all values have a density, as in PCA."""
        return bool(self.likelihood.densities(self.judged.x).all())

    def linear(self, sizes: Sequence[int]) -> list[Point]:
        """Probabilistic PCA with the sizes for which it is defined: below the number of fields and of rows."""
        if not self.is_density:
            return []
        most, rounding = min(self.train.x[:1].numel(), len(self.train)) - 1, float(self.resolution.square().mean()) / 12
        least = max(rounding, math.exp(2 * LOG_SIGMA_FLOOR))
        fits = {d: ProbabilisticPCA.fit(self.train, d, least) for d in sizes if d <= most}
        return [_point(LINEAR, d, fit.losses(self.judged)) for d, fit in fits.items()]

    def reference(self) -> Point:
        """Independent columns: no code, rate 0."""
        return _point(COLUMNS, 0, RateDistortion(np.zeros(len(self.judged)), self.alone))

    def floor(self) -> Estimate:
        """The noise floor."""
        return (
            noise_floor(self.train, self.judged, self.resolution)
            if self.is_density
            else unknown(Message("study.floor_probabilities"))
        )

    def notes(self, sizes: Sequence[int]) -> tuple[str, ...]:
        """Further remarks."""
        most = min(self.train.x[:1].numel(), len(self.train)) - 1
        found = [] if self.is_density else [Message("study.no_pca")]
        if self.is_density and sizes[-1] > most:
            found.append(Message("study.pca_up_to", d=most))
        return (*self.data_notes, *found)


def _point(model: str, d: int, losses: RateDistortion, beta: float = math.nan, **more: float) -> Point:
    means = float(losses.rate.mean()), float(losses.distortion.mean())
    return Point(model, d, beta, *means, standard_error(losses.loss), **more)


def _betas(betas: Sequence[float]) -> tuple[float, ...]:
    wrong = [beta for beta in betas if isinstance(beta, (bool, str)) or not isinstance(beta, Real) or not 0 < beta < math.inf]
    if wrong:
        raise ModelError(f"beta = {wrong[0]!r} was passed; it is the weight of the KL, a positive number")
    return tuple(sorted({float(beta) for beta in betas}))


def choose(found: dict[int, RateDistortion], alone: Array, most: float = math.inf) -> tuple[int, tuple[str, ...]]:
    """The smallest size whose loss is within one standard error of the best (of paired differences), and the reasons.

    Args:
        found: losses of the same rows by size. alone: the loss of independent columns, [N]. most: the largest possible size.
    """
    best = min(found, key=lambda d: float(found[d].loss.mean()))
    gain = float((alone - found[best].loss).mean())
    if not gain > 0:
        return min(found), (Message("study.no_structure", d=min(found), best=best, lost=-gain),)
    behind = {d: found[d].loss - found[best].loss for d in found}
    chosen = min(d for d in found if behind[d].mean() <= standard_error(behind[d]) or d == best)
    wider = (Message("study.wider"),) if chosen == max(found) < most and len(found) > 1 else ()
    return chosen, (_why(chosen, best, found, behind), *wider)


def _why(chosen: int, best: int, found: dict[int, RateDistortion], behind: dict[int, Array]) -> str:
    loss = float(found[best].loss.mean())
    if len(found) == 1:
        return Message("study.only", d=chosen)
    if chosen == best:
        return Message("study.best" if best > min(found) else "study.smallest", d=chosen, loss=loss)
    more, error = float(behind[chosen].mean()), standard_error(behind[chosen])
    return Message("study.close", d=chosen, best=best, loss=loss, more=more, error=error)


def _more(point: Point, linear: dict[int, Point]) -> tuple[str, ...]:
    """Further remarks about the chosen size."""
    found = []
    if point.active_units < point.latent_dim:
        found.append(Message("study.active", n=point.active_units, d=point.latent_dim))
    if point.latent_dim in linear:
        ahead = linear[point.latent_dim].loss - point.loss
        found.append(Message("study.pca_higher" if ahead > 0 else "study.pca_lower", nats=abs(ahead)))
    if linear and (best := min(linear.values(), key=lambda other: other.loss)).loss + best.error < point.loss:
        found.append(Message("study.pca_ahead", d=best.latent_dim, nats=point.loss - best.loss))
    return tuple(found)
