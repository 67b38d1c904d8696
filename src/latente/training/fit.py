"""From rows to a trained model: trials, the main run, the diagnosis, and remedies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import torch

from latente.model.latent_model import LatentModel
from latente.model.linear_start import starts_linear
from latente.model.row_models import RowModel
from latente.model.sequences import SequenceModel
from latente.rows import Rows
from latente.seeding import seeded
from latente.training.checkpoint import Checkpoints
from latente.training.defaults import TRIALS
from latente.training.dependence import Dependence, dependence
from latente.training.diagnosis import (
    COLLAPSED,
    FREE_THE_CODE,
    NO_STRUCTURE,
    ONE_BY_ONE,
    SMALL_DATA,
    TRAIN_THE_CODE,
    Diagnosis,
    beyond_context,
    diagnose,
    finding,
    has_residuals,
    linear_baseline,
)
from latente.training.learners import Learner
from latente.training.loop import Settings, Training, costs_of, evaluate
from latente.words import Message

TRIAL_SHARE = 0.2
MIN_OF_A_START, LOOKED_BACK, CAUTION = 0.25, 0.1, 0.5  # shares of a run, and of its pace (see :func:`hopeless`)
MIN_TO_CHOOSE_BY = 20
MIN_STRUCTURE = 0.1  # nats per row by which a linear model must exceed independent columns


@dataclass(frozen=True)
class Remedy:
    """Changes of a learner whose code collapsed, or that starts from another initialisation."""

    words: str = ""  # a key of the catalogue
    warm_up: float = 1.0
    free_bits: float = 0.0
    skip: bool = False
    linear: bool = True


REMEDIES = (
    Remedy("fit.warm_up", warm_up=4.0),
    Remedy("fit.free_bits", warm_up=4.0, free_bits=0.1),
    Remedy("fit.skip", warm_up=4.0, free_bits=0.1, skip=True),
)
NOT_LINEAR = Remedy(linear=False)
NOT_LINEAR_STAGE, LONGER_STAGE = 200, 210


class MakesLearners(Protocol):
    """A recipe and the sizes of the data, from which learners are made."""

    def __call__(self, remedy: Remedy) -> Learner:
        """A new learner; weights are drawn from torch's generator."""


@dataclass
class Outcome:
    """The result of a fit.

    Attributes:
        model: the trained model, with the weights of the best epoch.
        training: the run in which it was trained.
        evaluated: means over the held-out rows (the training rows if none are held out).
        row_model: scores, generates and completes rows, if the model itself does not.
        sequences: generates whole series, if there is such a model.
        without_code: whether the code has no information about rows, or there is none to have; the warnings say so.
        warnings: problems; ``notes``: other remarks.
    """

    model: LatentModel
    training: Training
    evaluated: dict[str, float]
    diagnosis: Diagnosis
    linear: float
    row_model: RowModel | None = None
    sequences: SequenceModel | None = None
    without_code: bool = False
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Observer = Callable[[Training], None]


def hopeless(history: Sequence[Mapping[str, float]], to_beat: float) -> bool:
    """Whether a run whose held-out objective falls from now on at half the pace of its last tenth ends above ``to_beat``.

    Of six tables, the starts that lost are stopped at 0.3 to 0.5 of their run; the one that won is behind until 0.6 of it.

    >>> [hopeless([{"progress": p, "held_out_objective": end + 4 * (1 - p)} for p in (0.1, 0.2, 0.3)], 5) for end in (3, 4, 8)]
    [False, True, True]
    """
    progress = history[-1]["progress"]
    before = [record for record in history if record["progress"] <= progress - LOOKED_BACK]
    if math.isinf(to_beat) or progress < MIN_OF_A_START or not before:
        return False
    now = min(record["held_out_objective"] for record in history)
    pace = (before[-1]["held_out_objective"] - now) / (progress - before[-1]["progress"])
    return now - CAUTION * pace * (1 - progress) > to_beat


@dataclass
class Fit:
    """One fit, with what its runs share.

    Attributes:
        make: makes a new learner.
        train, held_out: the rows; ``held_out`` may be None.
        resolution: smallest recorded step of each field, [F].
        settings: of each run.
        checkpoints: where to write them, or None.
        observer: called after each epoch.
        trials: how many short runs are compared on small data.
        starts: 2 to compare a run that does not start from the linear model, if the first one does.
        longer: factor on the epochs of another run from each start; 1 for none.
        levels: number of levels of each column, 0 for numbers; () if there are no levels.
    """

    make: MakesLearners
    train: Rows
    held_out: Rows | None
    resolution: torch.Tensor
    settings: Settings
    checkpoints: Checkpoints | None = None
    observer: Observer = lambda training: None
    trials: int = TRIALS
    starts: int = 1
    longer: float = 1.0
    levels: tuple[int, ...] = ()
    interrupted: bool = False

    def run(self) -> Outcome:
        """Train, diagnose, and apply remedies."""
        outcome = self._examined(self._best(self._main_run()))
        if outcome.diagnosis.collapsed:
            outcome = self._mended(outcome)
        elif self._gained_by_chance(outcome) and self.dependence.excluded:
            outcome.without_code = True
            outcome.warnings.append(finding(NO_STRUCTURE, self._unrelated, ONE_BY_ONE))
        if outcome.training.status.slowdowns:
            rate = self.settings.learning_rate / 10**outcome.training.status.slowdowns
            outcome.warnings.append(Message("fit.slowed", rate=rate))
        if len(self.train) < SMALL_DATA and outcome.linear >= -outcome.evaluated["held_out_loss"]:
            outcome.notes.append(Message("fit.pca", pca=outcome.linear, own=-outcome.evaluated["held_out_loss"]))
        return outcome

    def plain(self, stage: int, label: str) -> Training:
        """Train once, without trials, diagnosis or remedies: for a row model, which has no code that could collapse."""
        run = self._training(stage, self.settings)
        run.label = label
        self._run(run).use_best().cpu().eval()
        return run

    def _main_run(self) -> Training:
        """On small data, continue the best of some short trials, if enough rows are held out to choose."""
        held_out = 0 if self.held_out is None else len(self.held_out)
        trials = self.trials if len(self.train) < SMALL_DATA and held_out >= MIN_TO_CHOOSE_BY else 1
        runs = [self._training(stage, self._share(trials)) for stage in range(trials)]
        if trials == 1:
            return self._run(runs[0])
        for number, run in enumerate(runs, 1):
            run.label = f"trial {number} of {trials}"
        values = {run: self._after_trial(run) for run in runs}
        best = min(runs, key=lambda run: values[run])
        best.label = "training"
        if any(run.status.finished == "interrupted" for run in runs):
            best.status.finished = "interrupted"
        return self._run(best)

    def _best(self, run: Training) -> Training:
        """This run or another one, whichever is better on held-out rows.

        The linear model is a good start, but runs can get stuck near it: nonlinear structure of two or three degrees of freedom
        stays encoded in eight dimensions. Short trials can't tell, because a linear start is better at first. A longer run
        improves further; on rows that are soon overfitted, a short one is better, with an earlier low learning rate
        (``benchmarks.defaults``).
        """
        chosen_by = 0 if self.held_out is None else len(self.held_out)
        for other in self._others(run) if chosen_by >= MIN_TO_CHOOSE_BY else ():
            if self.interrupted:
                break
            self._run(other, to_beat=run.status.best_value if self.longer == 1 else math.inf)
            better = other if other.status.best_value < run.status.best_value else run
            better.status.elapsed = run.status.elapsed + other.status.elapsed
            better.status.finished = "interrupted" if self.interrupted else better.status.finished
            run = better
        return run

    def _others(self, run: Training) -> Iterator[Training]:
        """Runs to compare with, each made when the previous one has ended."""
        starts = [Remedy(), NOT_LINEAR] if self.starts == 2 and starts_linear(run.learner.model) else [Remedy()]
        if len(starts) == 2:
            yield self._labelled("another start", NOT_LINEAR_STAGE, self._after(run), NOT_LINEAR)
        if self.longer > 1 and self.settings.epochs is not None:
            settings = replace(self.settings, epochs=round(self.longer * self.settings.epochs))
            for number, start_from in enumerate(starts):
                label = ("a longer run", "a longer run from another start")[number]
                yield self._labelled(label, LONGER_STAGE + number, settings, start_from)

    def _labelled(self, label: str, stage: int, settings: Settings, remedy: Remedy) -> Training:
        training = self._training(stage, settings, remedy)
        training.label = label
        return training

    def _after(self, run: Training) -> Settings:
        """Settings with the remaining time."""
        limit = self.settings.time_limit
        return replace(self.settings, time_limit=limit and max(0.0, limit - run.seconds))

    def _share(self, trials: int) -> Settings:
        """Settings of one run, such that the trials and all runs together stay within the time limit."""
        limit = self.settings.time_limit
        return replace(self.settings, time_limit=limit and limit / (self.starts + TRIAL_SHARE * (trials - 1)))

    def _after_trial(self, run: Training) -> float:
        if not self.interrupted:
            self._run(run, TRIAL_SHARE)
        if not run.status.history:  # Ctrl-C in its first epoch
            return math.inf
        at_end = next((record for record in run.status.history if record["progress"] >= TRIAL_SHARE), run.status.history[-1])
        return at_end["held_out_objective"]

    def _training(self, stage: int, settings: Settings, remedy: Remedy = Remedy()) -> Training:
        with seeded(settings.seed, stage):
            learner = self.make(remedy)
            learner.start(self.train.some(), self.resolution)
        training = Training(learner, self.train, self.held_out, settings, stage)
        if self.checkpoints:
            self.checkpoints.restore(training)
        training.keeper = self.checkpoints
        return training

    def _run(self, training: Training, until: float = 1.0, to_beat: float = math.inf) -> Training:
        """Train until this share of the run, or until it is plain that it will end above a held-out objective ``to_beat``."""

        def after_epoch(training: Training) -> None:
            if not training.status.finished and hopeless(training.status.history, to_beat):
                training.status.finished = "no better on held-out rows"
            if self.checkpoints:
                self.checkpoints.after_epoch(training)
            self.observer(training)

        training.run(until, after_epoch)
        self.interrupted = self.interrupted or training.status.finished == "interrupted"
        return training

    def _examined(self, training: Training) -> Outcome:
        """Set the best weights, and diagnose the model."""
        model = training.use_best().cpu().eval()
        held_out = self.held_out if self.held_out is not None else self.train.subsample(SMALL_DATA)
        with seeded(self.settings.seed):
            evaluated = evaluate(costs_of(model, training.learner.K), held_out)
            diagnosis = diagnose(model, self.train.some(), held_out, training.learner.of_bound)
        # With much data and an informative code, the linear baseline is not needed, and would take seconds.
        some, likelihood = self.train.subsample(SMALL_DATA), model.likelihood
        possible = has_residuals(likelihood, some) if some.context is not None else not likelihood.takes_levels
        asked = possible and (diagnosis.collapsed or len(self.train) < SMALL_DATA)
        linear = linear_baseline(*beyond_context(likelihood, some, held_out), model.latent_dim) if asked else math.nan
        return Outcome(model, training, evaluated, diagnosis, linear)

    def _mended(self, outcome: Outcome) -> Outcome:
        """If there may be structure that the model missed, train again with each remedy in turn."""
        reason = outcome.diagnosis.collapsed
        interrupted = outcome.training.status.finished == "interrupted"
        found, none = self._structure(outcome)
        for number, remedy in enumerate(REMEDIES if outcome.model.has_rate and not none and not interrupted else ()):
            if self._seconds_left(outcome) <= 0:
                break
            settings = replace(self.settings, time_limit=self.settings.time_limit and self._seconds_left(outcome))
            mended = self._examined(self._run(self._training(TRIALS + number, settings, remedy)))
            outcome.training.status.elapsed += mended.training.status.elapsed
            if not mended.diagnosis.collapsed:
                mended.warnings.append(Message("fit.mended", reason=reason, remedy=Message(remedy.words)))
                return mended
        outcome.without_code = True
        if self.train.context is not None and not found:
            outcome.notes.append(Message("fit.context_suffices", reason=reason))
            return outcome
        advice = FREE_THE_CODE if outcome.model.has_rate else TRAIN_THE_CODE
        name, advice = (NO_STRUCTURE, ONE_BY_ONE) if none else (COLLAPSED, advice)
        outcome.warnings.append(finding(name, Message("list.semicolons", parts=[reason, none or found]), advice))
        return outcome

    def _structure(self, outcome: Outcome) -> tuple[str, str]:
        """Evidence for structure in the rows, and against it: one of the texts is empty.

        A linear model measures linear dependence between all columns; pairs of columns measure nonlinear dependence, and
        dependence where the linear model is undefined. With a context, only dependence given the context counts
        (:func:`latente.training.diagnosis.beyond_context`); both texts are empty where it can't be measured.
        """
        if outcome.linear > outcome.diagnosis.baseline_log_prob + MIN_STRUCTURE:
            return Message("fit.linear"), ""
        if self.train.context is not None:  # what pairs of columns tell of one another may all follow from it
            return "", Message("fit.not_linear") if math.isfinite(outcome.linear) else ""
        if self.dependence.found:
            return Message("fit.dependent"), ""
        if math.isfinite(outcome.linear):
            return "", Message("fit.not_linear")
        if self.dependence.excluded:
            return "", self._unrelated
        return Message("fit.too_few", rows=len(self.train)), ""

    def _gained_by_chance(self, outcome: Outcome) -> bool:
        """Whether the gain over independent columns may be due to chance; always for an autoencoder, whose loss has no rate."""
        diagnosis = outcome.diagnosis
        return not outcome.model.has_rate or diagnosis.gain - 1.96 * diagnosis.gain_error <= 0

    @cached_property
    def dependence(self) -> Dependence:
        """Dependence between columns of the training rows."""
        return dependence(self.train, self.levels)

    @property
    def _unrelated(self) -> str:
        return Message("fit.unrelated", threshold=self.dependence.threshold)

    def _seconds_left(self, outcome: Outcome) -> float:
        limit = self.settings.time_limit
        return math.inf if limit is None else limit - outcome.training.status.elapsed
