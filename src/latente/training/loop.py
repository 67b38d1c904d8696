"""The training loop: one class whose state is that of the run, so that a run can be interrupted and resumed exactly."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import add
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from latente.errors import ModelError, StorageError, TrainingError
from latente.files import Count, checked, fitting
from latente.flat import FlatParameters, Group, adamw
from latente.model.latent_model import LatentModel
from latente.model.objectives import Strength, Terms
from latente.rows import Rows
from latente.seeding import generator_state, is_generator_state, reseed, seeded, set_generator_state
from latente.threads import ASKED_FOR, Pace, denormals_as_zero, on_one_thread, on_threads
from latente.training.learners import Learner, Named
from latente.training.recorded import NotRepeatable, Recording
from latente.training.schedules import cosine
from latente.training.workers import STOP, TRAINING, add_up, of_first, own_parts, rank, world

BLOCK = 250_000  # values gathered at once: few calls for small batches, and all values fit into the CPU's cache
AVERAGE_EVERY = 4  # steps between updates of the moving average: the same average to 1e-5, at a quarter of the cost
EVALUATION_BATCH = 2048
TOGETHER = 256  # batches whose terms are added up at once
MIN_PATIENCE = 5  # epochs, however short the run
MAX_RESTARTS = 3  # how often a diverged run continues from its best weights with a tenth of its learning rate
EXPLODED = 1e3  # times the lowest held-out objective so far; runs do not recover from this


@dataclass(frozen=True)
class Settings:
    """How to train. ``epochs`` and ``time_limit`` (seconds) both limit the run; one may be None.

    ``patience``: share of the run without a better held-out objective after which it stops; None never stops early.
    ``learning_rate``: with 4e-3 and Adam's second decay 0.995, tables and pictures reach a lower held-out loss in the same
    number of steps than with the usual 1e-3 and 0.999. ``average``: decay per step of the moving average of the weights.
    ``threads``: largest number of CPU threads (see :meth:`Training._paced`). ``workers``: parts of each batch, which processes
    share (:mod:`latente.training.workers`).
    """

    epochs: int | None
    batch_size: int
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    time_limit: float | None = None
    patience: float | None = 0.2
    device: str = "cpu"
    precision: str = "float32"
    average: float = 0.999
    threads: int = 1
    workers: int = 1
    seed: int = 0


@dataclass
class Progress:
    """The progress of a run; plain values only, for checkpoints.

    ``within``: steps of an epoch that is not finished; ``sums``, ``rows``, ``batches``: of the terms of these steps.
    """

    epoch: Count = 0
    step: Count = 0
    elapsed: float = 0.0
    best_value: float = math.inf
    best_epoch: Count = 0
    best_progress: float = 0.0
    slowdowns: Count = 0
    finished: Literal["", "interrupted", "time limit", "all epochs", "no better on held-out rows"] = ""
    limit: float = math.inf
    norms: list[float] = field(default_factory=list)
    within: Count = 0
    sums: dict[str, float] = field(default_factory=dict)
    rows: Count = 0
    batches: Count = 0
    history: list[dict[str, float | int]] = field(default_factory=list)


class Keeper(Protocol):
    """Keeps the state of a run from time to time."""

    def due(self) -> bool:
        """Whether it should be kept after this step."""

    def write(self, training: Training) -> None:
        """Keep it."""


class Training:
    """One run of one learner.

    Args:
        learner: what to train, on the CPU.
        train: rows to train on.
        held_out: rows to evaluate, or None.
        settings: how to train.
        stage: a different number for each run of a fit; part of the seed of every epoch.
    """

    def __init__(self, learner: Learner, train: Rows, held_out: Rows | None, settings: Settings, stage: int = 0) -> None:
        self.learner = learner.to(settings.device)
        self.train, self.held_out, self.settings, self.stage = train, held_out, settings, stage
        self.flat = FlatParameters(self.learner)
        self.average = self.flat.copy()
        self.best = self.flat.copy()
        self.moments = [torch.zeros_like(self.average), torch.zeros_like(self.average)]
        self.groups = list(self._groups())
        self.updates = torch.zeros((), device=self.average.device)
        self.recordings: dict[tuple[torch.Size, bool], Callable[[Rows], Named] | None] = {}
        self.evaluation: Callable[[Rows], Named] | None = None
        self.pace: Pace | None = None
        self.status = Progress()
        self.steps_per_epoch = max(1, math.ceil(len(train) / settings.batch_size))
        self.norms: deque[float] = deque(maxlen=64)
        self.sitting: float | None = None
        self.shared_seconds: float | None = None
        self.heeded = self.strength
        self.strengths = {name: torch.tensor(value) for name, value in self.heeded.items()}
        self.label = "training"
        self.means = _Means()
        self.generator = generator_state(settings.device)
        self.keeper: Keeper | None = None
        self.asked = [0.0, 0.0]

    # -- progress ---------------------------------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the end of the epochs or seconds."""
        limits = [0.0]
        if self.settings.epochs is not None:
            limits.append(self.status.step / (self.settings.epochs * self.steps_per_epoch))
        if self.settings.time_limit is not None:
            limits.append(self.seconds / self.settings.time_limit)
        return min(1.0, max(limits))

    @property
    def seconds(self) -> float:
        """Training time so far, over all sessions; the same in several processes: that of the first after the last step."""
        return self._seconds_now if self.shared_seconds is None else self.shared_seconds

    @property
    def _seconds_now(self) -> float:
        return self.status.elapsed + (0.0 if self.sitting is None else time.perf_counter() - self.sitting)

    def _clock(self, down: bool) -> None:
        """Store the time of the session that ends, and start another."""
        self.status.elapsed, self.sitting = self._seconds_now, time.perf_counter() if down else None

    @property
    def strength(self) -> Strength:
        """The current values of the schedule."""
        value: Strength = self.learner.schedule(self.progress, self.learner.followed)
        return value

    def _groups(self) -> Iterator[Group]:
        """The parameters in groups, as views."""
        start = 0
        for size, rate in self.learner.groups():
            own = slice(start, start + size)
            first, second = self.moments
            yield Group(self.flat.vector[own], self.flat.gradient[own], first[own], second[own], rate)
            start += size

    # -- the run ----------------------------------------------------------------------------------------------------

    def run(self, until: float = 1.0, after_epoch: Callable[[Training], None] = lambda training: None) -> Training:
        """Train until this share of the run, or until it is finished; Ctrl-C finishes it early."""
        self._clock(True)
        with seeded(self.settings.seed, device=self.settings.device), on_one_thread(), denormals_as_zero():
            try:
                TRAINING.set()
                while not self.status.finished and (self.status.within or self.progress < until):
                    self.epoch()
                    after_epoch(self)
            except KeyboardInterrupt:
                self.status.finished = "interrupted"
            finally:
                TRAINING.clear()
        self._clock(False)
        self.status.elapsed = of_first(self.status.elapsed)
        return self

    def use_best(self) -> Any:
        """Set the weights of the best epoch (the last average without held-out rows)."""
        self.flat.put(self.best if self.status.best_epoch else self.average)
        return self.learner.model

    def epoch(self) -> None:
        """One pass over the training rows (see :meth:`_batches`), then an evaluation of the held-out rows."""
        for batch in self._batches_left():
            self.means.add(self._step(batch))
            self.status.within += 1
            self._after_step()
        self._learns(False)
        self.means.share()
        skipped, self.status.within = self.steps_per_epoch - self.means.batches, 0
        self.status.epoch += 1
        record = {"epoch": self.status.epoch, **self.means.found("train"), **self._evaluated()}
        record |= {"progress": self.progress, "learning_rate": self._rate(), "seconds": self.seconds}
        record |= {f"{name}_weight": float(value) for name, value in self.strength.items()}
        self.means = _Means()
        self.status.history.append(record)
        self._judge(record, skipped)

    def _batches_left(self) -> Iterator[Rows]:
        """The batches of this epoch; after an interruption, those that are left."""
        reseed(self.settings.seed, self.stage, self.status.epoch, device=self.settings.device)
        batches = self._batches()
        for _ in range(self.status.within):
            next(batches)
        if self.status.within:
            set_generator_state(self.generator, self.settings.device)
        return batches

    def _after_step(self) -> None:
        """Keep the state if that is due, and stop if that was asked for: in all processes after the same step."""
        keeps, stops = self._asked_for() if self.settings.workers == 1 else self.asked
        if keeps:
            self.means.share(of_first_only=True)
            if self.keeper is not None:
                self.keeper.write(self)
        if stops:
            raise KeyboardInterrupt

    def _asked_for(self) -> list[float]:
        """Whether this process asks to keep the state, and to stop: above 0 if so."""
        return [float(self.keeper is not None and self.keeper.due()), float(STOP.is_set())]

    def _batches(self) -> Iterator[Rows]:
        """The training rows in a random order, in batches of one size, gathered in blocks. The last batch is filled up with
        rows of the first, because a step is recorded for each size.
        """
        size = math.ceil(len(self.train) / self.steps_per_epoch)
        size += -size % self.settings.workers
        together = size * max(1, BLOCK // (size * self.train[:1].x.numel()))
        for block in self.train.shuffled(size * self.steps_per_epoch, together):
            yield from block.to(self.settings.device).batches(size)

    def _step(self, batch: Rows) -> Named | None:
        """One update, and its terms; None if the gradient was not finite and the step was skipped."""
        terms = self._differentiated(batch) if self.settings.workers == 1 else self._shared(batch)
        self.status.step += 1
        if not self._clipped():
            return None
        self._update()
        self._take_into_average()
        return terms

    def _shared(self, batch: Rows) -> Named:
        """The same for a batch in parts. This process computes its own parts; the gradient is the mean of all parts."""
        workers, found = self.settings.workers, []
        before = None if self.status.step else [buffer.clone() for buffer in self.learner.buffers()]
        total, size = self.flat.gradient.new_zeros(len(self.flat.gradient) + 2), len(self.flat.gradient)
        parts = list(batch.batches(len(batch) // workers))
        for part in own_parts(workers):
            reseed(self.settings.seed, self.stage, self.status.epoch, self.status.step, part, device=self.settings.device)
            found.append(self._differentiated(parts[part]))
            total[:size] += self.flat.gradient
        total[size:] = torch.tensor(self._asked_for())
        self.flat.gradient.copy_(add_up(total)[:size] / workers)
        self.asked = total[size:].tolist()
        if self.settings.time_limit is not None:
            self.shared_seconds = of_first(self._seconds_now)
        if before and not all(map(torch.equal, before, self.learner.buffers())):
            raise ModelError("workers: a step of this recipe changes more than its gradient; train it with one worker")
        return {name: torch.cat([terms[name] for terms in found]) for name in found[0]}

    def _differentiated(self, batch: Rows) -> Named:
        """The terms of a batch; sets the gradient of its loss."""
        if self.strength != self.heeded:
            self._update_strengths(self.strength)
        kind = (batch.x.shape, batch.mask is not None)
        if kind not in self.recordings:
            self.recordings[kind] = self._recording(batch)
        step = partial(self._taken, self.recordings[kind], batch)
        self.pace = self.pace or self._paced(step, self.recordings[kind] is not None)
        return self.pace(step)

    def _paced(self, step: Callable[[int], Named], recorded: bool) -> Pace:
        """Number of threads for a step: the user's choice, or the fastest one, if the gradient is the same to the bit. Not
        measured for bfloat16, whose rounding hides differences, nor for steps that change more than the gradient (those are not
        recorded).
        """
        number = self.settings.threads
        if number == 1 or ASKED_FOR:
            return Pace(number, timed=False)
        told = recorded and self.settings.precision == "float32" and self.settings.device == "cpu"
        same = told and torch.equal(self._gradient(step, 1), self._gradient(step, number))
        return Pace(number if same else 1, timed=True)

    def _gradient(self, step: Callable[[int], Named], threads: int) -> Tensor:
        """The gradient of a step with this number of threads; without side effects."""
        with torch.random.fork_rng([]):
            step(threads)
        return self.flat.gradient.clone()

    def _taken(self, recording: Callable[[Rows], Named] | None, batch: Rows, threads: int) -> Named:
        """A step with this number of threads; returns its terms and sets the gradient."""
        with on_threads(threads):
            if recording is not None:
                return {name: value.clone() for name, value in recording(batch).items()}
            gradients, named = self._differentiate(batch, self.strength)
            for own, gradient in zip(self.flat.gradients, gradients, strict=True):
                own.copy_(gradient)
        return named

    def _update_strengths(self, strength: Strength) -> None:
        """Update the strengths of recordings, which read them as tensors."""
        self.heeded = strength
        for name, value in strength.items():
            self.strengths[name].fill_(value)

    def _learns(self, now: bool) -> None:
        """Switch between training and evaluation mode, only if it changes, because that takes as long as some small steps."""
        if self.learner.training != now:
            self.learner.train(now)

    def _differentiate(self, batch: Rows, strength: Strength) -> tuple[list[Tensor], Named]:
        """The gradient of the mean loss of a batch by each parameter, and its terms."""
        self._learns(True)
        with self._precision():
            terms = self.learner(batch, strength)
        return self.flat.differentiate(terms.total), {name: value.detach() for name, value in terms.named.items()}

    def _recording(self, batch: Rows) -> Callable[[Rows], Named] | None:
        """The step for batches like this one, in a form that is repeated at less cost; None if that is not possible."""
        return self._recorded(lambda rows: self._differentiate(rows, self.strengths), batch, self.flat.gradients)

    def _recorded(
        self, function: Callable[[Rows], tuple[list[Tensor], Named]], example: Rows, targets: Sequence[Tensor] = ()
    ) -> Callable[[Rows], Named] | None:
        """Record a function for rows like these; its first results are written to ``targets``."""
        if self.settings.device != "cpu" or not self.learner.recorded:
            return None
        names: list[str] = []

        def step(*rows: Tensor) -> list[Tensor]:
            made, named = function(rows_of(rows, example))
            names[:] = named
            return [*made, *named.values()]

        try:
            recording = Recording(step, tensors_of(example), targets)
        except (NotRepeatable, RuntimeError, TypeError):  # the original step raises the actual error
            return None
        return lambda rows: dict(zip(names, recording(*tensors_of(rows))[len(targets) :], strict=True))

    def _take_into_average(self) -> None:
        """Update the moving average of the weights, with a smaller decay in the first steps; later only every few steps."""
        since = 1 if self.status.step < 4 * AVERAGE_EVERY else AVERAGE_EVERY
        if self.status.step % since == 0:
            decay = min(self.settings.average, (1 + self.status.step) / (10 + self.status.step))
            self.average.lerp_(self.flat.vector, 1 - decay**since)

    def _update(self) -> None:
        adamw(self.groups, self.updates, self._rate(), self.settings.weight_decay)

    def _clipped(self) -> bool:
        """Clip the gradient to four times the running median of its norm; False if it is not finite. A critic's gradient is not
        part of the norm.
        """
        gradient = self.groups[0].gradient
        norm = math.sqrt(torch.dot(gradient, gradient))
        if not math.isfinite(norm):
            return False
        if self.status.step % 16 == 1 and len(self.norms) >= 16:
            self.limit = 4 * statistics.median(self.norms)
        self.norms.append(norm)
        if norm > self.limit:
            gradient.mul_(self.limit / norm)
        return True

    limit = math.inf

    def _rate(self) -> float:
        rate: float = self.settings.learning_rate * cosine(self.progress) / 10**self.status.slowdowns
        return rate

    def _precision(self) -> AbstractContextManager[Any]:
        # A penalty on derivatives with respect to the row would differentiate rounded values.
        if self.settings.precision == "float32" or self.learner.differentiates_input:
            return nullcontext()
        return torch.autocast(self.settings.device.split(":")[0], torch.bfloat16)

    # -- evaluation -------------------------------------------------------------------------------------------------

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Context in which the model has the averaged weights, which are evaluated and stored."""
        live = self.flat.copy()
        self.flat.put(self.average)
        try:
            yield
        finally:
            self.flat.put(live)

    @torch.no_grad()
    def _evaluated(self) -> dict[str, float]:
        """Distortion, rate and objective of the held-out rows under the averaged weights, with the same noise every time."""
        if self.held_out is None:
            return {}
        reseed(self.settings.seed, self.stage, device=self.settings.device)
        with self.averaged():
            return evaluate(self._judge_rows(self.held_out), self.held_out, self.settings.device)

    def _judge_rows(self, held_out: Rows) -> Callable[[Rows], Named]:
        """A function to the terms of the held-out rows; recorded if these are few."""
        few = len(held_out) <= EVALUATION_BATCH and held_out.x.numel() <= BLOCK
        if few and self.evaluation is None:
            self.evaluation = self._recorded(lambda rows: ([], self.learner.judge(rows)), held_out)
        return self.evaluation or self.learner.judge

    def _judge(self, record: dict[str, float], skipped: int) -> None:
        """Note the best epoch; stop if nothing improves; restart a diverged run."""
        value = record.get("held_out_objective", 0.0)
        lowest = min(abs(earlier.get("held_out_objective", 0.0)) for earlier in self.status.history)
        if skipped > self.steps_per_epoch / 2 or not value <= EXPLODED * (1 + lowest):
            self._restart()
        elif self.held_out is not None and self._at_full_strength() and value < self.status.best_value:
            self.status.best_value, self.status.best_epoch, self.status.best_progress = value, self.status.epoch, self.progress
            self.best.copy_(self.average)
        if self.progress >= 1:
            self.status.finished = "time limit" if self._out_of_time() else "all epochs"
        elif self._out_of_patience():
            self.status.finished = "no better on held-out rows"

    def _at_full_strength(self) -> bool:
        return all(value >= 1 for value in self.strength.values())

    def _out_of_time(self) -> bool:
        return self.settings.time_limit is not None and self.seconds >= self.settings.time_limit

    def _out_of_patience(self) -> bool:
        patience = self.settings.patience
        waited = self.status.epoch - self.status.best_epoch >= MIN_PATIENCE and self.status.best_epoch > 0
        return patience is not None and waited and self.progress - self.status.best_progress > patience

    def _restart(self) -> None:
        """Continue from the best weights so far with a tenth of the learning rate."""
        self.status.slowdowns += 1
        if self.status.slowdowns > MAX_RESTARTS:
            raise TrainingError(
                f"training diverged at epoch {self.status.epoch} and again after {MAX_RESTARTS} restarts at a tenth of the "
                "learning rate each; look for extreme values in the data, or set a smaller learning_rate than "
                f"{self.settings.learning_rate:g}"
            )
        self.flat.put(self.best)
        self.average.copy_(self.best)
        for moment in (*self.moments, self.updates):
            moment.zero_()
        self.norms.clear()
        self.limit = math.inf

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The complete state of the run: plain values, and tensors by name."""
        self._clock(self.sitting is not None)
        self.status.norms = list(self.norms)
        self.status.limit = self.limit
        self.status.sums, self.status.rows, self.status.batches = self.means.state()
        self.generator = generator_state(self.settings.device)
        return {**vars(self.status)}, self._tensors()

    def _tensors(self) -> dict[str, Tensor]:
        first, second = self.moments
        return {
            "weights": self.flat.vector, "average": self.average, "best": self.best,
            "first": first, "second": second, "updates": self.updates, "generator": self.generator,
        }  # fmt: skip

    def restore(self, values: dict[str, Any], tensors: dict[str, Tensor]) -> Training:
        """Restore the state that :meth:`state` returned.

        Raises:
            StorageError: it is not the state of such a run.
        """
        at: Progress = checked(values, Progress, "the checkpoint")
        steps = at.epoch * self.steps_per_epoch + at.within
        whole = at.epoch == len(at.history) and at.step == steps and at.best_epoch <= at.epoch
        known = (
            all("epoch" in record for record in at.history)
            and at.slowdowns <= MAX_RESTARTS
            and at.elapsed >= 0
            and at.limit > 0
            and at.within <= self.steps_per_epoch
            and at.batches <= at.within
        )
        held = fitting(tensors, self._tensors(), "the checkpoint")
        known = known and is_generator_state(held["generator"])
        if not (whole and known and bool((held["second"] >= 0).all() & (held["updates"] >= 0).all())):
            raise StorageError("the checkpoint is damaged or was altered: its progress does not fit its history")
        self.status, self.limit = at, at.limit
        self.norms.extend(at.norms)
        for name, tensor in self._tensors().items():
            tensor.copy_(held[name])
        self.means = _Means(at.sums, at.rows, at.batches)
        return self


@torch.no_grad()
def evaluate(judge: Callable[[Rows], Named], rows: Rows, device: str = "cpu") -> dict[str, float]:
    """Means over rows of the terms from ``judge``, and loss: distortion plus rate, the negative ELBO."""
    return _means("held_out", [judge(batch.to(device)) for batch in rows.batches(EVALUATION_BATCH)])


def costs_of(model: LatentModel, K: int = 1) -> Callable[[Rows], Named]:
    """A function to distortion and rate of rows, from K codes each, independent of the training objective."""

    def judge(rows: Rows) -> Named:
        trace = model.trace(rows, K)
        return Terms({"distortion": trace.distortion, "rate": trace.rate}, trace.distortion).weighted(rows.weight).named

    return judge


def tensors_of(rows: Rows) -> list[Tensor]:
    """Values, mask and context, as far as rows have them."""
    return [part for part in rows.parts if part is not None]


def rows_of(tensors: Sequence[Tensor], example: Rows) -> Rows:
    """Rows from tensors, like an example."""
    found = iter(tensors)
    return Rows(*(None if part is None else next(found) for part in example.parts))  # type: ignore[arg-type]


def _means(prefix: str, batches: list[Named]) -> dict[str, float]:
    """The mean of each term over the rows of all batches."""
    means = _Means()
    for batch in batches:
        means.add(batch)
    return means.found(prefix)


class _Means:
    """Means of terms over rows; only a few batches are in memory. Sums do not depend on when they are asked for.

    Attributes:
        sums: of each term over the rows of this process. rows: how many these are.
        batches: number of batches with terms.
    """

    def __init__(self, sums: Mapping[str, float] = MappingProxyType({}), rows: int = 0, batches: int = 0) -> None:
        self.kept: list[Named] = []
        first = rank() == 0
        self.sums = {name: value if first else 0.0 for name, value in sums.items()}
        self.rows, self.batches = rows if first else 0, batches

    def add(self, terms: Named | None) -> None:
        """Add the terms of a batch, [B] each, if there are any."""
        if terms is not None:
            self.kept.append(terms)
            self.batches += 1
        if len(self.kept) >= TOGETHER:
            self._add_up()

    def _add_up(self) -> None:
        if not self.kept:
            return
        sizes = [len(next(iter(batch.values()))) for batch in self.kept]
        starts = np.cumsum([0, *sizes[:-1]])
        for name in self.kept[0]:
            values = torch.cat([batch[name] for batch in self.kept]).cpu().double().numpy()
            self.sums[name] = reduce(add, np.add.reduceat(values, starts).tolist(), self.sums.get(name, 0.0))
        self.rows += sum(sizes)
        self.kept = []

    def share(self, of_first_only: bool = False) -> None:
        """Add up over all processes; then each has the sums, or the first one alone."""
        self._add_up()
        if world() > 1 and self.sums:
            *sums, rows = add_up(torch.tensor([*self.sums.values(), self.rows], dtype=torch.float64)).tolist()
            has = rank() == 0 or not of_first_only
            self.sums = {name: value if has else 0.0 for name, value in zip(self.sums, sums, strict=True)}
            self.rows = int(rows) if has else 0

    def state(self) -> tuple[dict[str, float], int, int]:
        """Sums, and numbers of rows and of batches."""
        self._add_up()
        return dict(self.sums), self.rows, self.batches

    def found(self, prefix: str) -> dict[str, float]:
        """The mean of each term, and of the loss: distortion plus rate."""
        self._add_up()
        means = {name: value / self.rows for name, value in self.sums.items()}
        if "distortion" in means:
            means["loss"] = means["distortion"] + means.get("rate", 0.0)
        return {f"{prefix}_{name}": mean for name, mean in means.items()}
