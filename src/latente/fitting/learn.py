"""The stages of a fit, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from latente.blueprint import RowBlueprint
from latente.data import Table, suspicious
from latente.fitted import Fitted
from latente.fitting.finish import finished
from latente.fitting.prepare import Prepared, read_to_fit
from latente.parameters import Parameters
from latente.rows import levels_of
from latente.threads import on_one_thread
from latente.training.checkpoint import Checkpoints, identify
from latente.training.fit import Fit, Outcome
from latente.training.loop import Settings, Training
from latente.training.progress import plan, progress_bar
from latente.training.stages import CALIBRATION, PREPARING, PRIOR, READING, ROW_MODEL, TRAINING, Stages

ROW_MODEL_STAGE = 100  # of a fit, after all stages of its model

Observer = Callable[[Training], None]


class Checkpointing(NamedTuple):
    """Where and how often checkpoints are written; arguments of :meth:`latente.VAE.fit`."""

    folder: str | Path | None
    resume: bool
    every: float
    keep: bool

    def of(self, prepared: Prepared, parameters: Parameters) -> Checkpoints | None:
        """The checkpoints of a fit, new or resumed; None without a folder."""
        if self.folder is None:
            return None
        identity = parameters.identity(prepared.blueprint.recipe, prepared.plan.seed)
        checkpoints = Checkpoints(self.folder, identify(prepared.split.train, identity), self.every)
        if not self.resume:
            checkpoints.clear()
        checkpoints.begin()
        return checkpoints


class Learnt(NamedTuple):
    """The result of a fit, its messages, and a function to remove its checkpoints."""

    fitted: Fitted
    warnings: list[str]
    clean_up: Callable[[], None]


@on_one_thread()
def learn(
    X: Any,
    parameters: Parameters,
    settings: dict[str, Any],
    checkpointing: Checkpointing,
    observer: Observer | None,
    context: Any = None,
) -> Learnt:
    """Read rows, train a model (and a separate row model, if there is one), and measure figures.

    Args:
        X: the rows. parameters: of the estimator; settings: the same in stored form, with the seed.
        checkpointing: where checkpoints are written. observer: called after each epoch.
        context: what the model is conditioned on.
    """
    seed, stages = settings["seed"], Stages(parameters.time_limit)
    with stages(READING):
        data = read_to_fit(X, parameters)
        doubts = suspicious(data) if isinstance(data, Table) else []
    with stages(PREPARING):
        prepared = Prepared.of(data, parameters, seed, context)
        run_settings = prepared.settings(stages.for_training())
        checkpoints = checkpointing.of(prepared, parameters)
    with progress_bar(parameters.verbose > 0) as shown:
        stages.on_start = shown.stage
        if parameters.verbose > 0:
            shown.say(_announced(prepared, run_settings))
        fit = _fit(prepared, run_settings, checkpoints, _both(shown, observer))
        outcome = _trained(prepared, fit, stages)
        outcome.warnings += doubts
        shrinks = parameters.latent_dim == "auto"
        fitted = finished(prepared, outcome, fit.settings, stages, shrinks, settings)
    keeps = checkpoints is None or checkpointing.keep
    return Learnt(fitted, outcome.warnings, (lambda: None) if keeps or checkpoints is None else checkpoints.clear)


def _announced(prepared: Prepared, settings: Settings) -> str:
    then = (*([ROW_MODEL] if prepared.row_blueprint else []), PRIOR, CALIBRATION)
    step = settings.batch_size * prepared.blueprint.multiply_adds()
    return plan(len(prepared.split.train), settings, step, then)


def _fit(prepared: Prepared, settings: Settings, checkpoints: Checkpoints | None, observer: Observer) -> Fit:
    split, search = prepared.split, prepared.plan.search(prepared.work())
    return Fit(
        prepared.blueprint,
        split.train,
        split.held_out,
        prepared.resolution,
        settings,
        checkpoints,
        observer,
        *search,
        levels_of(prepared.codec.fields),
    )


def _trained(prepared: Prepared, fit: Fit, stages: Stages) -> Outcome:
    """The model, and then a separate row model for a mixed table; each has half of the time."""
    own = prepared.row_blueprint
    if own is not None:
        limit = fit.settings.time_limit
        fit.settings = replace(fit.settings, time_limit=limit and limit / 2)
    with stages(TRAINING):
        outcome = fit.run()
    if own is not None and not fit.interrupted:
        with stages(ROW_MODEL):
            _fit_row_model(prepared, fit, own, outcome)
    return outcome


def _fit_row_model(prepared: Prepared, fit: Fit, own: RowBlueprint, outcome: Outcome) -> None:
    any_order = own.likelihood.arguments["any_order"]
    settings = prepared.plan.of_row_model(fit.settings, prepared.work(own), fit.held_out is not None, any_order)
    run = replace(fit, make=own, settings=settings).plain(ROW_MODEL_STAGE, "row model")
    outcome.row_model = run.learner.model
    outcome.training.status.elapsed += run.status.elapsed
    if run.status.finished == "interrupted":
        outcome.training.status.finished = run.status.finished


def _both(first: Observer, second: Observer | None) -> Observer:
    def tell(training: Training) -> None:
        first(training)
        if second is not None:
            second(training)

    return tell
