"""The split of rows into training rows and held-out rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from latente.data import observed_rows
from latente.errors import DataError
from latente.rows import Rows, random_places
from latente.seeding import seeded

MIN_ROWS = 2
MIN_TO_HOLD_OUT = 5
MAX_HELD_OUT = 100_000  # rows: more of them cost time, and tell no more
MAX_ROWS_AT_HAND = 10_000  # of each kind; they stay in memory after a fit for its certificate
MAX_VALUES_AT_HAND = 20_000_000
HELD_OUT = 1_000_003  # the key of this random split; stored models find their held-out rows with it, so it must not change


@dataclass(frozen=True)
class Split:
    """The two parts of the rows of a fit.

    Attributes:
        train: training rows.
        held_out: rows for evaluation; None if there are none.
    """

    train: Rows
    held_out: Rows | None

    @classmethod
    def of(cls, rows: Rows, fraction: float, seed: int, most: int = MAX_HELD_OUT) -> Split:
        """Hold out a random share of the rows, at most ``most``; rows without any observed value are in neither part.

        Raises:
            DataError: there are too few rows.
        """
        observed = torch.nonzero(observed_rows(rows)).squeeze(1)
        held = observed[held_out_places(len(observed), fraction, seed, most)]
        train = torch.zeros(len(rows), dtype=torch.bool)
        train[observed] = True
        train[held] = False
        return cls(rows if bool(train.all()) else rows[torch.nonzero(train).squeeze(1)], rows[held] if len(held) else None)

    @property
    def counts(self) -> tuple[int, int]:
        """Rows of each part."""
        return len(self.train), 0 if self.held_out is None else len(self.held_out)

    @property
    def judged(self) -> Rows:
        """The held-out rows, or the training rows if none are held out."""
        return self.train if self.held_out is None else self.held_out

    def where(self, context: torch.Tensor) -> Split | None:
        """The rows in one context, [1, C], without it; None if there are no such training rows."""
        train, held_out = (rows and _in_context(rows, context) for rows in (self.train, self.held_out))
        return Split(train, held_out or None) if train else None

    def at_hand(self) -> Split:
        """At most ``MAX_ROWS_AT_HAND`` rows of each part."""
        return Split(_few(self.train), None if self.held_out is None else _few(self.held_out))


def held_out_places(n: int, fraction: float, seed: int, most: int = MAX_HELD_OUT) -> torch.Tensor:
    """Which of ``n`` rows are held out.

    Raises:
        DataError: there are too few rows.
    """
    if n < MIN_ROWS:
        raise DataError(f"a model can't be fitted on n_samples={n} row(s) with values; it needs at least {MIN_ROWS}")
    held = min(n - MIN_ROWS, max(1, round(fraction * n)), most) if fraction and n >= MIN_TO_HOLD_OUT else 0
    with seeded(seed, HELD_OUT):
        return torch.randperm(n)[:held] if most > MAX_HELD_OUT else random_places(n, held)


def _in_context(rows: Rows, context: torch.Tensor) -> Rows:
    assert rows.context is not None
    return replace(rows[(rows.context == context).all(1)], context=None)


def _few(rows: Rows) -> Rows:
    return rows.subsample(min(MAX_ROWS_AT_HAND, max(1, MAX_VALUES_AT_HAND // rows[:1].x.numel())))
