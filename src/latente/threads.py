"""How many threads a computation runs on, and whether it computes with denormal numbers.

Threads meet after every kernel. Where each has a processor to itself, more of them take up to 40% off a large step; where two
fits of two threads each shared two processors, steps took 13 to 140 times as long as on one thread. Other numbers of threads
also sum in another order, so that the last digits of a result depend on them. Hence there is one thread, unless the same bits
come out of more (see :class:`Pace`), or the environment variable ``OMP_NUM_THREADS`` says how many there are to be.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

ALL = torch.get_num_threads()
ASKED_FOR = os.environ.get("OMP_NUM_THREADS", "").isdigit()  # whether the user has said how many
USUAL = ALL if ASKED_FOR else 1  # threads, where nothing is timed
LOOK_EVERY = 64  # steps, after which one and all threads are timed again
MAX_SLOWDOWN = 1.2  # of a step on all threads against one thread, from which on it is one thread

Result = TypeVar("Result")


@contextmanager
def on_threads(number: int) -> Iterator[None]:
    """Run torch on so many threads; afterwards it is as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Run torch, NumPy, SciPy and scikit-learn on one thread; afterwards it is as it was."""
    with ThreadpoolController().limit(limits=1), on_threads(1):
        yield


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Treat denormal numbers (below 1e-38 in single precision) as zero in this thread; afterwards it is as it was.

    The processor computes with them many times more slowly. In training they are common, because the moments of parameters
    without a gradient decay to them: an epoch of a table of 17 columns (dry bean) took 2.2 times as long after 15 epochs.
    """
    before = float(torch.tensor([1e-40]) * 1) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


class Pace:
    """On how many threads each step runs: on one or on all, whichever was faster when both were last timed. A step that is
    slower than on one thread ends the sharing until both are timed again.

    Args:
        number: all threads.
        timed: whether one thread may do; otherwise it is always ``number``.
        clock: tells seconds.

    >>> times = iter([0.0, 2.0, 2.0, 3.0, 3.0, 12.0])  # begin and end of three steps
    >>> pace = Pace(2, True, clock=lambda: next(times))
    >>> [pace(lambda number: number) for _ in range(3)], pace.number
    ([1, 2, 2], 1)
    """

    def __init__(self, number: int, timed: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        self.all, self.timed, self.clock = number, timed and number > 1, clock
        self.step, self.seconds = 0, {1: math.inf, number: math.inf}

    @property
    def number(self) -> int:
        """Of threads of the next step."""
        look = self.step % LOOK_EVERY
        if not self.timed or look < 2:
            return 1 if self.timed and not look else self.all
        return self.all if self.seconds[self.all] < self.seconds[1] else 1

    def __call__(self, step: Callable[[int], Result]) -> Result:
        """What a step gives, which is called with its number of threads."""
        if not self.timed:
            return step(self.all)
        number, begin = self.number, self.clock()
        found = step(number)
        taken = self.clock() - begin
        if self.step % LOOK_EVERY < 2 or taken > MAX_SLOWDOWN * self.seconds[1]:
            self.seconds[number] = taken
        self.step += 1
        return found
