"""The stages of a fit, in order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from latente.blueprint import RowBlueprint
from latente.errors import ModelError, StorageError
from latente.fitted import Fitted
from latente.fitting.beside import ROW_MODEL_STAGE, Beside, worth_it
from latente.fitting.finish import finished
from latente.fitting.prepare import Prepared, read_to_fit
from latente.fitting.private import private_fit
from latente.fitting.sequences import made
from latente.model.latent_model import LatentModel
from latente.model.row_models import AutoregressiveModel
from latente.parameters import Parameters
from latente.rows import levels_of
from latente.threads import on_one_thread
from latente.training import defaults
from latente.training.checkpoint import Checkpoints, identify
from latente.training.fit import Fit, MakesLearners, Outcome, Remedy
from latente.training.learners import DecodingLearner, Learner
from latente.training.loop import Settings, Training
from latente.training.plan import Search, Work
from latente.training.progress import plan, progress_bar
from latente.training.stages import CALIBRATION, PREPARING, PRIOR, READING, ROW_MODEL, TRAINING, Stages
from latente.training.workers import join_workers, of_first, rank

DECODING_STAGE, SEQUENCES_STAGE = 101, 102  # of a fit, after that of its row model

Observer = Callable[[Training], None]


class Checkpointing(NamedTuple):
    """Where and how often checkpoints are written; arguments of :meth:`latente.VAE.fit`."""

    folder: str | Path | None
    resume: bool
    every: float
    keep: bool

    def of(self, prepared: Prepared, parameters: Parameters, workers: int = 1) -> Checkpoints | None:
        """The checkpoints of a fit, new or resumed; None without a folder. Of several processes only the first writes them."""
        if self.folder is None or (rank() and not self.resume):
            return None
        identity = parameters.identity(prepared.blueprint.recipe, prepared.plan.seed)
        identity |= {"workers": workers} if workers > 1 else {}
        checkpoints = Checkpoints(self.folder, identify(prepared.split.train, identity), self.every, writes=not rank())
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
    workers: int = 1,
    init: Fitted | None = None,
    sample_weight: Any = None,
    public: Any = None,
) -> Learnt:
    """Read rows, train a model (and a separate row model, if there is one), and measure figures.

    Args:
        X: the rows. parameters: of the estimator; settings: the same in stored form, with the seed.
        checkpointing: where checkpoints are written. observer: called after each epoch.
        context: what the model is conditioned on.
        workers: parts of each batch, and processes where ``torchrun`` started several.
        init: a trained model to continue with.
        sample_weight: what each row counts in the loss.
        public: what is public of the rows of a private fit.
    """
    private = parameters.chosen_recipe().privacy is not None
    _check_private(
        private,
        public,
        checkpointing,
        context=context is not None,
        workers=workers > 1,
        sample_weight=sample_weight is not None,
    )
    join_workers(workers)
    seed, stages = settings["seed"], Stages(parameters.time_limit)
    with stages(READING):
        data = read_to_fit(X, parameters, init)
    if private:
        with progress_bar(parameters.verbose > 0) as shown:
            stages.on_start = shown.stage
            fitted, found = private_fit(data, public, parameters, settings, stages, _both(shown, observer), init)
        return Learnt(fitted, found, lambda: None)
    with stages(PREPARING):
        if init is None:
            prepared = Prepared.of(data, parameters, seed, context, workers, sample_weight)
        else:
            prepared = Prepared.to_continue(data, parameters, seed, init, workers, sample_weight)
        limit = stages.for_training()
        run_settings = prepared.settings(limit and of_first(limit))
        checkpoints = checkpointing.of(prepared, parameters, workers)
    with progress_bar(parameters.verbose > 0) as shown:
        stages.on_start = shown.stage
        if parameters.verbose > 0:
            shown.say(_announced(prepared, run_settings))
        fit = _fit(prepared, run_settings, checkpoints, _both(shown, observer))
        outcome = _trained(prepared, fit, stages, shrinks=parameters.latent_dim == "auto" and init is None)
        outcome.warnings += prepared.doubts
        fitted = finished(prepared, outcome, fit.settings, stages, settings)
    keeps = checkpoints is None or checkpointing.keep
    return Learnt(fitted, outcome.warnings, (lambda: None) if keeps or checkpoints is None else checkpoints.clear)


def _check_private(private: bool, public: Any, checkpointing: Checkpointing, **asked: bool) -> None:
    """Refuse what a private fit can't take, and what only it takes."""
    if public is not None and not private:
        raise ModelError("public=… is for private fits, such as the recipe 'dp-vae'")
    refused = [name for name, given in {**asked, "checkpoint": checkpointing.folder is not None}.items() if given]
    if private and refused:
        raise ModelError(f"a private fit can't take {refused[0]}=…: it is in one run, of rows without context; leave it out")


def _announced(prepared: Prepared, settings: Settings) -> str:
    then = (*([ROW_MODEL] if prepared.row_blueprint else []), PRIOR, CALIBRATION)
    step = settings.batch_size * prepared.blueprint.multiply_adds()
    return plan(len(prepared.split.train), settings, step, then)


def _fit(prepared: Prepared, settings: Settings, checkpoints: Checkpoints | None, observer: Observer) -> Fit:
    split, search = prepared.split, prepared.plan.search(prepared.work()) if prepared.init is None else Search()
    return Fit(
        prepared.learners(prepared.blueprint),
        prepared.to_learn,
        split.held_out,
        prepared.resolution,
        settings,
        checkpoints,
        observer,
        *search,
        levels_of(prepared.codec.fields),
    )


def _trained(prepared: Prepared, fit: Fit, stages: Stages, shrinks: bool) -> Outcome:
    """The model, and then a separate row model for a mixed table; each has half of the time. ``shrinks``: whether unused
    dimensions of the code are dropped.
    """
    own, limit = prepared.row_blueprint, fit.settings.time_limit
    if own is not None or prepared.sequences is not None:
        fit.settings = replace(fit.settings, time_limit=limit and limit / 2)
    with ExitStack() as open_:
        beside = _begun(prepared, fit, own)
        if beside is not None:
            open_.enter_context(beside)
        with stages(TRAINING):
            outcome = fit.run()
        if shrinks and bool(outcome.diagnosis.active.any()):
            outcome.model.drop_units(torch.nonzero(outcome.diagnosis.active).squeeze(1))
        if own is not None and not fit.interrupted:
            with stages(ROW_MODEL):
                _fit_row_model(prepared, fit, own, outcome, beside)
    if prepared.sequences is not None and not fit.interrupted:
        with stages(ROW_MODEL):
            _fit_sequences(prepared, fit, outcome)
    return outcome


def _fit_sequences(prepared: Prepared, fit: Fit, outcome: Outcome) -> None:
    """Train the two models of sequences, each for half of the time."""
    assert prepared.sequences is not None
    models, parts, limit = [], prepared.sequences.parts, fit.settings.time_limit
    for number, (blueprint, train, held_out) in enumerate(parts):
        work = Work(len(train), True, blueprint.multiply_adds(), train[:1].mask is not None)
        settings = prepared.plan.of_row_model(fit.settings, work, held_out is not None, 0.0)
        settings = replace(settings, time_limit=limit and limit / 2)
        own = replace(fit, train=train, held_out=held_out, resolution=torch.zeros(train.x.shape[1]))
        models.append(_plain(own, outcome, blueprint, settings, SEQUENCES_STAGE + number, "sequences"))
        models[-1].requires_grad_(True)
    outcome.sequences = made(prepared.sequences, models[0], models[1], parts)


def _begun(prepared: Prepared, fit: Fit, own: RowBlueprint | None) -> Beside | None:
    """The process that trains the row model at the same time, where that takes long; None where this process does it."""
    if own is None or prepared.init is not None:
        return None
    settings = _of_row_model(prepared, fit, own)
    try:
        return Beside(fit, own, settings) if worth_it(fit, own, settings) else None
    except (OSError, StorageError):  # no process, or no temporary file, can be made
        return None


def _of_row_model(prepared: Prepared, fit: Fit, own: RowBlueprint) -> Settings:
    any_order = own.likelihood.arguments["any_order"]
    return prepared.plan.of_row_model(fit.settings, prepared.work(own), fit.held_out is not None, any_order)


def _fit_row_model(prepared: Prepared, fit: Fit, own: RowBlueprint, outcome: Outcome, beside: Beside | None) -> None:
    """Train the row model without codes, or continue where the process beside has got to; and then, for a fifth of the time,
    to decode the codes of the model.
    """
    settings, limit = _of_row_model(prepared, fit, own), fit.settings.time_limit
    if beside is not None and not beside.ended():
        outcome.training.status.finished = "interrupted"
        return
    trained = fit if beside is None else replace(fit, checkpoints=beside.checkpoints)
    row_model = _plain(
        trained,
        outcome,
        prepared.learners(own),
        replace(settings, time_limit=limit and 0.8 * limit),
        ROW_MODEL_STAGE,
        "row model",
    )
    outcome.row_model = row_model
    if outcome.training.status.finished == "interrupted":
        return
    learner = partial(_decoding, row_model, outcome.model, prepared.blueprint.recipe.recorded)
    settings = replace(settings, epochs=defaults.decoding_epochs(settings.epochs), time_limit=limit and 0.2 * limit)
    _plain(fit, outcome, learner, settings, DECODING_STAGE, "decoder")
    for model in (row_model, outcome.model):
        model.cpu().requires_grad_(True)


def _decoding(row_model: AutoregressiveModel, codes: LatentModel, recorded: bool, remedy: Remedy) -> Learner:
    return DecodingLearner(row_model, codes, recorded)


def _plain(fit: Fit, outcome: Outcome, make: MakesLearners, settings: Settings, stage: int, label: str) -> Any:
    """Train once, and add the seconds to the outcome."""
    run = replace(fit, make=make, settings=settings).plain(stage, label)
    outcome.training.status.elapsed += run.status.elapsed
    if run.status.finished == "interrupted":
        outcome.training.status.finished = run.status.finished
    return run.learner.model


def _both(first: Observer, second: Observer | None) -> Observer:
    def tell(training: Training) -> None:
        first(training)
        if second is not None:
            second(training)

    return tell
