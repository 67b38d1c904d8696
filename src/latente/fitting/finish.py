"""The results of a fit: the fitted prior, the calibration of scores, and figures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latente.certificate import privacy
from latente.certificate.certify import overfitting_of
from latente.data import SeriesCodec, TableCodec
from latente.fitted import Fitted, in_units, prior_of_codes
from latente.fitting.prepare import Prepared
from latente.model.parts import Choice
from latente.model.row_models import RowModel
from latente.rows import Rows
from latente.seeding import seeded
from latente.tasks import generation
from latente.tasks.anomalies import IMPORTANCE_SAMPLES, field_surprise, log_likelihood
from latente.tasks.completions import calibrate_intervals
from latente.tasks.denoising import know_residuals
from latente.tasks.detectors import summarise
from latente.training.calibration import MAX_TO_CALIBRATE, Calibration, rows_to_score
from latente.training.fit import Outcome
from latente.training.loop import Settings, costs_of, evaluate
from latente.training.split import Split
from latente.training.stages import CALIBRATION, OVERFITTING, PRIOR, PRIVACY, Figures, Stages
from latente.words import Message


def finished(prepared: Prepared, outcome: Outcome, run: Settings, stages: Stages, settings: dict[str, Any]) -> Fitted:
    """All results of the fit; problems are added to the warnings of the outcome.

    Args:
        prepared, outcome: rows and trained models. run: settings of the training.
        stages: of the fit. settings: the stored settings of the estimator.
    """
    model, row_model = outcome.model, outcome.row_model or outcome.model
    split, seed = prepared.split, prepared.plan.seed
    with stages(PRIOR):
        prior = prior_of_codes(model, split.train, seed, _asked_prior(prepared))
    with stages(CALIBRATION):
        scored, encoded = _scored(prepared, outcome, row_model)
        log_prob = in_units(prepared.codec, row_model, encoded, scored)
        calibration = Calibration.of(log_prob, field_surprise(row_model, _judged(split)))
    parts = prepared.blueprint.recipe, prepared.codec, model, row_model, prior, calibration
    history = outcome.training.status.history
    fitted = Fitted(*parts, Figures({}), history, settings, at_hand=split.at_hand(), context=prepared.context)
    fitted.sequences = outcome.sequences
    with stages(CALIBRATION):
        summarise(fitted, split, scored, torch.from_numpy(log_prob))
    with stages(OVERFITTING):
        outcome.warnings += _overfitting(fitted, outcome)
    fitted.figures = Figures(_figures(outcome, run, model.latent_dim, split), _pending(fitted))
    row_model_loss = None if row_model is model else -float(encoded.mean())
    fitted.figures |= {"row_model_loss": row_model_loss, "time": stages.seconds}
    fitted.notes = [*_of_codec(fitted), *outcome.notes, *outcome.warnings, *_notes(fitted, split, len(prepared.to_learn))]
    return fitted


def _asked_prior(prepared: Prepared) -> str | Choice:
    """The recipe's fitted prior; codes of all contexts together say nothing of those in one; a private model has its own."""
    if prepared.blueprint.recipe.privacy is not None:
        return "prior"
    return "auto" if prepared.context is not None else prepared.blueprint.recipe.fitted_prior or "auto"


def complete(fitted: Fitted) -> None:
    """Compute what is otherwise computed when it is first used."""
    calibrate_intervals(fitted)
    know_residuals(fitted)
    fitted.figures.complete()


def _judged(split: Split) -> Rows:
    """The held-out rows that calibration uses."""
    return split.judged.subsample(MAX_TO_CALIBRATE)


def _scored(prepared: Prepared, outcome: Outcome, row_model: RowModel) -> tuple[Rows, NDArray[np.float64]]:
    """Held-out rows, as many as training pays for, and log p of each, encoded; also evaluates the model on held-out rows."""
    judged, seed = _judged(prepared.split), prepared.plan.seed
    scored = judged.subsample(_rows_to_score(prepared, outcome, row_model))
    with seeded(seed):
        outcome.evaluated = evaluate(costs_of(outcome.model, outcome.training.learner.K), judged)
    return scored, log_likelihood(row_model, scored, seed)


def _rows_to_score(prepared: Prepared, outcome: Outcome, row_model: RowModel) -> int:
    run, codes = outcome.training, IMPORTANCE_SAMPLES if row_model.noise_size else 1
    trained = run.status.step * run.settings.batch_size * prepared.blueprint.multiply_adds()
    return rows_to_score(codes * (prepared.row_blueprint or prepared.blueprint).multiply_adds(), trained)


def _overfitting(fitted: Fitted, outcome: Outcome) -> list[str]:
    """The verdict of the certificate about overfitting, for the same rows: two passes, much faster than a fit."""
    assert fitted.at_hand is not None
    train, held_out = fitted.at_hand.train, fitted.at_hand.held_out
    if held_out is None or outcome.without_code:
        return []
    found = overfitting_of(fitted.model, train, held_out, fitted.seed)
    return [] if found is None else [found.message]


def _pending(fitted: Fitted) -> dict[str, Any]:
    return {} if fitted.unlearnt is None or fitted.context is not None else {PRIVACY: lambda: _privacy(fitted)}


def _privacy(fitted: Fitted) -> dict[str, float | None]:
    """How much new rows reveal about training rows, measured on the rows in memory."""
    assert fitted.at_hand is not None
    assert fitted.unlearnt is not None
    with fitted.stages(PRIVACY):
        return _given_away(fitted, fitted.at_hand.train, fitted.unlearnt)


def _given_away(fitted: Fitted, train: Rows, held_out: Rows) -> dict[str, float | None]:
    row_model, seed = fitted.row_model, fitted.seed
    held_out = held_out.subsample(privacy.M_OF_CODES if row_model.noise_size else privacy.M)
    drawn = generation.sample(row_model, fitted.fitted_prior, len(held_out), seed, True)
    as_given = fitted.values(fitted.decode(drawn, possible=True))
    some = train.subsample(len(held_out))
    scores = [log_likelihood(row_model, rows, seed, privacy.CODES) for rows in (some, held_out)]
    return privacy.privacy(fitted.codec.fields, train, held_out, as_given, (scores[0], scores[1]), seed)


def _of_codec(fitted: Fitted) -> list[Message]:
    """Remarks on the data, without that on new series if a model of sequences draws these."""
    return [note for note in fitted.codec.notes if fitted.sequences is None or note.key != "series.levels"]


def _notes(fitted: Fitted, split: Split, learned: int) -> list[str]:
    notes: list[str] = []
    if fitted.sequences is not None and isinstance(fitted.codec, SeriesCodec):
        constant = [fitted.codec.table.fields[f].name for f in np.flatnonzero(fitted.sequences.plan.constant)]
        notes.append(Message("series.constant", names=constant) if constant else Message("series.sequences"))
    if learned < len(split.train):
        trimmed = len(split.train) - learned
        notes.append(Message("fit.trimmed", n=trimmed, share=trimmed / len(split.train)))
    if hasattr(fitted.model.posterior, "chosen") and isinstance(fitted.codec, TableCodec):
        names = [fitted.codec.names[place] for place in np.flatnonzero(fitted.support())]
        notes.append(Message("fit.chosen_columns", names=names))
    if fitted.model.prior.stores_codes:
        notes.append(Message("fit.stores_rows"))
    if split.held_out is None:
        notes.append(Message("fit.no_held_out"))
    return notes


def _figures(outcome: Outcome, settings: Settings, latent_dim: int, split: Split) -> dict[str, Any]:
    """The measured figures, plain values only; nats per row of encoded data."""
    at, (rows, held_out) = outcome.training.status, split.counts
    return {
        **({} if split.blocks is None else {"held_out_blocks": split.blocks}),
        "rows": rows,
        "held_out_rows": held_out,
        "latent_dim": latent_dim,
        "active_units": int(outcome.diagnosis.active.sum()),
        "distortion": outcome.evaluated["held_out_distortion"],
        "rate": outcome.evaluated["held_out_rate"],
        "loss": outcome.evaluated["held_out_loss"],
        "mutual_information": _or_none(outcome.diagnosis.information),
        "gain_over_independent_columns": outcome.diagnosis.gain,
        "probabilistic_pca": _or_none(outcome.linear),
        "epochs": at.epoch,
        "best_epoch": at.best_epoch,
        "seconds": at.elapsed,
        "finished": at.finished,
        "device": settings.device,
        "precision": settings.precision,
        "batch_size": settings.batch_size,
    }


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
