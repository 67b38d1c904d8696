"""Several processes that train one model, each with a part of every batch (torch.distributed, on processors).

A batch is cut into as many parts as there are workers, and each part has random numbers of its own. So the result depends on
the number of parts, not on whether one process computes them one after the other, or several at the same time.
"""

from __future__ import annotations

import os
from datetime import timedelta
from threading import Event

import torch
from torch import Tensor, distributed

from latente.errors import ModelError

TRAINING = Event()  # set while a model is trained
STOP = Event()  # set in a process that is asked to stop; then all processes stop training after the same step
WAIT = timedelta(hours=12)  # for another process, whose evaluation may take long


def join_workers(workers: int) -> None:
    """Join the processes of ``torchrun``, if this is one of them.

    Raises:
        ModelError: they are more than the workers.
    """
    if workers == 1 or not distributed.is_available():
        return
    if not distributed.is_initialized() and "WORLD_SIZE" in os.environ:
        distributed.init_process_group("gloo", timeout=WAIT)
    if world() > workers:
        raise ModelError(f"workers={workers}, and torchrun started {world()} processes: they must not be more than the workers")


def world() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if world() > 1 else 0


def own_parts(parts: int) -> range:
    """Which parts of a batch this process computes."""
    return range(rank(), parts, world())


def add_up(values: Tensor) -> Tensor:
    """The sum of the values of all processes, in place; the same to the bit in each."""
    if world() > 1:
        distributed.all_reduce(values)
    return values


def of_first(value: float) -> float:
    """The value that the first process has."""
    if world() == 1:
        return value
    return float(add_up(torch.tensor(value if rank() == 0 else 0.0, dtype=torch.float64)))
