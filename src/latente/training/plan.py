"""The settings of a fit: the user's values, and for each "auto" a value from the data and the machine."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from latente.training import defaults
from latente.training.loop import Settings


class Search(NamedTuple):
    """Numbers of trials and starts to compare, and the factor on the epochs of another run."""

    trials: int = 1
    starts: int = 1
    longer: float = 1.0


class Work(NamedTuple):
    """Properties of rows and model that determine how long training takes.

    Attributes:
        n: training rows.
        mixed: whether the columns of their table are mixed.
        multiply_adds: of one row's forward pass.
        missing: whether values are missing.
        convolves: whether it has convolutions beside a linear model, at which they begin.
    """

    n: int
    mixed: bool
    multiply_adds: int
    missing: bool = False
    convolves: bool = False


@dataclass(frozen=True)
class Plan:
    """The training parameters of the user; names and values are those of :class:`latente.VAE`."""

    effort: str
    max_epochs: int | str
    time_limit: float | None
    batch_size: int | str
    learning_rate: float | str
    early_stopping: bool
    device: str
    precision: str
    seed: int
    workers: int = 1

    def settings(self, work: Work, time_limit: float | None) -> Settings:
        """Settings of the training of the model, which may take ``time_limit`` seconds."""
        batch, pace = self.batch(work), defaults.pace(self.effort, work.n, work.mixed, work.convolves)
        epochs: int | None = None if self.max_epochs == "auto" else int(self.max_epochs)
        if epochs is None and self.time_limit is None:
            epochs = round(pace.share * defaults.epochs(work.n, batch))
        settings = Settings(
            epochs=epochs,
            batch_size=batch,
            learning_rate=pace.rate if self.learning_rate == "auto" else float(self.learning_rate),
            patience=Settings.patience if self.early_stopping else None,
            time_limit=time_limit,
            device=defaults.device(self.device),
            seed=self.seed,
            workers=self.workers,
        )
        return self._sized(settings, work, pace.batches)

    def of_row_model(self, settings: Settings, work: Work, stops: bool, any_order: float) -> Settings:
        """Settings for a row model beside a model with these settings.

        Args:
            stops: whether there are held-out rows for early stopping.
            any_order: share of the rows with columns in any order.
        """
        batch, pace = self.batch(work), defaults.row_model_pace(work.n)
        epochs = defaults.row_model_epochs(work.n, batch, stops, any_order)
        epochs = math.ceil(defaults.effort(self.effort).mixed_steps * epochs)
        epochs = epochs if self.max_epochs == "auto" else min(epochs, int(self.max_epochs))
        patience = settings.patience and defaults.ROW_MODEL_PATIENCE
        settings = replace(settings, batch_size=batch, epochs=epochs, learning_rate=pace.rate, patience=patience)
        return self._sized(settings, work, pace.batches)

    def search(self, work: Work) -> Search:
        """What to compare."""
        asked = defaults.effort(self.effort)
        if not asked.compares:
            return Search()
        chosen = self.max_epochs != "auto" or self.time_limit is not None
        longer = asked.longer and not (chosen or work.missing or work.mixed)
        again = asked.longer or not work.convolves
        batch = self.batch(work)
        return Search(
            defaults.trials(work.mixed),
            defaults.starts(work.n, chosen, work.missing) if again and not work.mixed else 1,
            defaults.times_as_long(work.n, batch, batch * work.multiply_adds) if longer else 1.0,
        )

    def batch(self, work: Work) -> int:
        """Rows per batch."""
        return defaults.batch_size(work.n, work.mixed) if self.batch_size == "auto" else int(self.batch_size)

    def _sized(self, settings: Settings, work: Work, batches: int) -> Settings:
        """With larger batches, and the settings that depend on the size of a step."""
        batch = settings.batch_size * (batches if self.batch_size == "auto" else 1)
        step = batch * work.multiply_adds
        precision = defaults.precision(self.precision, settings.device, step)
        threads = defaults.threads(step) if self.workers == 1 else 1
        return replace(settings, batch_size=batch, precision=precision, threads=threads)
