"""The split of rows into training rows and held-out rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from latente.data import observed_rows
from latente.errors import DataError
from latente.rows import Overlaps, Rows, random_places
from latente.seeding import seeded

MIN_ROWS = 2
MIN_TO_HOLD_OUT = 5
MAX_HELD_OUT = 100_000  # rows: more of them cost time, and tell no more
MAX_ROWS_AT_HAND = 10_000  # of each kind; they stay in memory after a fit for its certificate
MAX_VALUES_AT_HAND = 20_000_000
ENOUGH_SERIES, MAX_RUNS, RUN = 20, 10, 4  # held-out series; else held-out runs of time, and the least windows of each
HELD_OUT = 1_000_003  # the key of this random split; stored models find their held-out rows with it, so it must not change


@dataclass(frozen=True)
class Split:
    """The two parts of the rows of a fit.

    Attributes:
        train: training rows.
        held_out: rows for evaluation; None if there are none.
        blocks: how many held-out rows do not depend on each other; None for all of them.
    """

    train: Rows
    held_out: Rows | None
    blocks: int | None = None

    @classmethod
    def of(cls, rows: Rows, fraction: float, seed: int, overlaps: Overlaps | None = None, most: int = MAX_HELD_OUT) -> Split:
        """Hold out a random share of the rows, at most ``most``; rows without any observed value are in neither part.
        Of windows that overlap, whole series or runs of time are held out; training windows share no step with them.

        Raises:
            DataError: there are too few rows.
        """
        chosen, held, blocks = parts(rows, fraction, seed, overlaps, most)
        return cls(rows if len(chosen) == len(rows) else rows[chosen], rows[held] if len(held) else None, blocks)

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

    def weighted_alike(self) -> Split:
        """The same with weights whose mean is 1 in each part.

        Raises:
            DataError: all rows of a part have the weight 0.
        """
        return Split(_of_mean_one(self.train), self.held_out and _of_mean_one(self.held_out), self.blocks)

    def at_hand(self) -> Split:
        """At most ``MAX_ROWS_AT_HAND`` rows of each part."""
        return Split(_few(self.train), None if self.held_out is None else _few(self.held_out))


Parts = tuple[torch.Tensor, torch.Tensor, int | None]


def parts(rows: Rows, fraction: float, seed: int, overlaps: Overlaps | None = None, most: int = MAX_HELD_OUT) -> Parts:
    """Indices of training rows and of held-out rows, and how many of these do not depend on each other; as :meth:`Split.of`."""
    observed = torch.nonzero(observed_rows(rows)).squeeze(1)
    overlap = overlaps is not None and len(overlaps.begins) > len(overlaps.starts)
    if overlap and fraction and len(observed) >= MIN_TO_HOLD_OUT:
        assert overlaps is not None
        with seeded(seed, HELD_OUT):
            return _without_overlap(observed, overlaps, fraction)
    held = observed[held_out_places(len(observed), fraction, seed, most)]
    train = torch.zeros(len(rows), dtype=torch.bool)
    train[observed] = True
    train[held] = False
    return torch.nonzero(train).squeeze(1), held, None


def _without_overlap(observed: torch.Tensor, overlaps: Overlaps, fraction: float) -> Parts:
    series = round(fraction * len(overlaps.starts))
    chosen, blocks = _series(overlaps, series) if series >= ENOUGH_SERIES else _runs(overlaps, fraction)
    begins = torch.from_numpy(overlaps.begins)
    held = torch.stack([(begins >= low) & (begins + overlaps.window <= high) for low, high in chosen]).any(0)
    near = torch.stack([(begins + overlaps.window > low) & (begins < high) for low, high in chosen]).any(0)
    train, held_out = (observed[part[observed]] for part in (~near, held))
    if len(train) < MIN_ROWS or not len(held_out):
        return observed, observed[:0], None
    return train, held_out, blocks


Runs = list[tuple[int, int]]


def _series(overlaps: Overlaps, count: int) -> tuple[Runs, int]:
    """Some series, as runs of steps, and how many they are."""
    ends = np.append(overlaps.starts[1:], overlaps.begins.max() + overlaps.window)
    some = torch.sort(torch.randperm(len(ends))[:count]).values.numpy()
    return [(int(overlaps.starts[e]), int(ends[e])) for e in some], count


def _runs(overlaps: Overlaps, fraction: float) -> tuple[Runs, int]:
    """Runs of time, one at a random place in each of as many equal parts, and how many windows fit into them side by side."""
    window, steps = overlaps.window, int(overlaps.begins.max()) + overlaps.window
    count = int(np.clip(fraction * steps / (RUN * window), 1, MAX_RUNS))
    length = max(2 * window, round(fraction * steps / count))
    room = max(1, steps // count - length)
    lows = [int(part * (steps / count) + torch.randint(room, ())) for part in range(count)]
    return [(low, low + length) for low in lows], max(1, round(count * length / window))


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


def _of_mean_one(rows: Rows) -> Rows:
    if rows.weight is None:
        return rows
    mean = float(rows.weight.double().mean())
    if not mean:
        raise DataError("sample_weight is zero for all rows that are held out, or for all others: leave these rows out")
    return replace(rows, weight=rows.weight / mean)


def _few(rows: Rows) -> Rows:
    return rows.subsample(min(MAX_ROWS_AT_HAND, max(1, MAX_VALUES_AT_HAND // rows[:1].x.numel())))
