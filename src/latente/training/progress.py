"""What a person sees while a model trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from latente.training.loop import Training

NOT_SHOWN = ("distortion", "objective")  # what follows from the rest


@contextmanager
def progress_bar(shown: bool) -> Iterator[Callable[[Training], None]]:
    """A bar with the time left on a terminal, a line every tenth of the run in a pipe; nothing where not ``shown``."""
    if not shown:
        yield lambda training: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console.print)
        return
    columns = (BarColumn(14), "{task.percentage:>3.0f}%", TimeRemainingColumn(compact=True), "left")  # fits into 80 columns
    with Progress(*columns, TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda training: bar.update(task, completed=training.progress, description=describe(training))


def describe(training: Training) -> str:
    """The last epoch in a few words."""
    record, prefix = training.at.history[-1], "" if training.label == "training" else f"{training.label}, "
    which = "held_out" if "held_out_loss" in record else "train"
    if f"{which}_loss" not in record:
        return f"{prefix}epoch {training.at.epoch}"
    shown = {name.removeprefix(f"{which}_"): value for name, value in record.items() if name.startswith(f"{which}_")}
    loss = shown.pop("loss")
    terms = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in shown.items() if name not in NOT_SHOWN)
    of_terms = f" ({terms})" if terms and training.learner.model.latent_dim else ""
    return f"{prefix}epoch {training.at.epoch}  {which.replace('_', '-')} {loss:.2f} nats{of_terms}"


def _lines(write: Callable[[str], object]) -> Callable[[Training], None]:
    told = -1

    def tell(training: Training) -> None:
        nonlocal told
        tenth = int(10 * training.progress)
        if tenth != told or training.at.finished:
            told = tenth
            write(f"{100 * training.progress:3.0f}%  {describe(training)}")

    return tell
