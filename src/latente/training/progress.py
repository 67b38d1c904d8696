"""Progress of training, for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latente.training.loop import Settings, Training

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_OF_STEP, SECONDS_OF_MULTIPLY_ADD = 5e-4, 1.2e-10  # of a step, and of each multiply-add of its forward pass; one thread


class Display:
    """Shows the progress of a fit; this base class shows nothing."""

    def __call__(self, training: Training) -> None:
        """After each epoch."""

    def stage(self, name: str) -> None:
        """At the start of a stage."""

    def say(self, text: str) -> None:
        """A line that stays visible."""


@dataclass
class Lines(Display):
    """A line after every tenth of a run, and for each stage."""

    write: Callable[[str], object]
    last_tenth: int = -1

    def __call__(self, training: Training) -> None:
        tenth = int(10 * training.progress)
        if tenth != self.last_tenth or training.status.finished:
            self.last_tenth = tenth
            self.write(f"{100 * training.progress:3.0f}%  {describe(training)}")

    def stage(self, name: str) -> None:
        self.write(f"      {name}")

    def say(self, text: str) -> None:
        self.write(text)


@dataclass
class Bar(Display):
    """A bar with the remaining time."""

    bar: Progress
    task: TaskID

    def __call__(self, training: Training) -> None:
        self.bar.update(self.task, completed=training.progress, description=describe(training))

    def stage(self, name: str) -> None:
        self.bar.update(self.task, description=name)

    def say(self, text: str) -> None:
        self.bar.console.print(text, highlight=False, soft_wrap=True)


NOT_SHOWN = ("distortion", "objective")  # follow from the others


@contextmanager
def progress_bar(shown: bool) -> Iterator[Display]:
    """A plan and a bar with the remaining time on a terminal, lines in a pipe; nothing if not ``shown``."""
    if not shown:
        yield Display()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(console.print)
        return
    columns = (BarColumn(14), "{task.percentage:>3.0f}%", TimeRemainingColumn(compact=True), "left")  # fits into 80 columns
    with Progress(*columns, TextColumn("{task.description}"), console=console, transient=True) as bar:
        yield Bar(bar, bar.add_task("", total=1.0))


def plan(rows: int, settings: Settings, work: int, then: Sequence[str]) -> str:
    """Description of a fit and its approximate duration on an idle CPU.

    Args:
        rows: number of training rows.
        settings: of the training.
        work: multiply-adds of a forward pass of a batch.
        then: the later stages.

    >>> plan(1080, Settings(epochs=100, batch_size=64), 10**6, ("calibration",))
    'plan: train on 1,080 rows for at most 100 epochs of 17 steps, about 1 s; then calibration'
    """
    parts = []
    if settings.epochs is not None:
        steps, seconds = math.ceil(rows / settings.batch_size), predicted(rows, settings, work)
        parts.append(f"at most {settings.epochs:,} epochs of {steps:,} steps, about {in_words(seconds)}")
    if settings.time_limit is not None:
        parts.append(f"{in_words(settings.time_limit)}")
    return f"plan: train on {rows:,} rows for {', or '.join(parts)}; then {', '.join(then)}"


def predicted(rows: int, settings: Settings, work: int) -> float:
    """Seconds of all epochs on an idle CPU, roughly; infinite without a number of epochs. Arguments as of :func:`plan`."""
    if settings.epochs is None:
        return math.inf
    return settings.epochs * math.ceil(rows / settings.batch_size) * (SECONDS_OF_STEP + work * SECONDS_OF_MULTIPLY_ADD)


def in_words(seconds: float) -> str:
    """A duration for people.

    >>> in_words(0.3), in_words(42.0), in_words(200.0)
    ('1 s', '42 s', '3 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 120 else f"{round(seconds / 60)} min"


def describe(training: Training) -> str:
    """A short description of the last epoch."""
    record, prefix = training.status.history[-1], "" if training.label == "training" else f"{training.label}, "
    which = "held_out" if "held_out_loss" in record else "train"
    if f"{which}_loss" not in record:
        return f"{prefix}epoch {training.status.epoch}"
    shown = {name.removeprefix(f"{which}_"): value for name, value in record.items() if name.startswith(f"{which}_")}
    loss = shown.pop("loss")
    terms = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in shown.items() if name not in NOT_SHOWN)
    of_terms = f" ({terms})" if terms else ""
    return f"{prefix}epoch {training.status.epoch}  {which.replace('_', '-')} {loss:.2f} nats{of_terms}"
