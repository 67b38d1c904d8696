"""Reproducible random numbers, which depend only on seeds and do not affect the state of torch's generators outside."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from latente.errors import ModelError

# torch has one generator for each process. It is locked while it is used, so that fits in two threads do not interfere.
_GENERATOR = threading.RLock()


def mixed(*numbers: int) -> int:
    """A 63-bit seed from several numbers that depends on each bit of each number."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def number_of(name: str) -> int:
    """A number for a name, the same in every process, which gives random numbers of its own."""
    return zlib.crc32(name.encode())


@contextmanager
def seeded(*numbers: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """A context in which torch's generator starts from these numbers; its state is restored at the end."""
    cuda = torch.device(device).type == "cuda"
    with _GENERATOR, torch.random.fork_rng([torch.cuda.current_device()] if cuda else [], enabled=True):
        reseed(*numbers, device=device)
        yield


def reseed(*numbers: int, device: torch.device | str = "cpu") -> None:
    """Restart torch's generator of ``device`` from these numbers; only within :func:`seeded`."""
    torch.default_generator.manual_seed(mixed(*numbers))
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.manual_seed(mixed(*numbers))
    elif kind == "mps":
        torch.mps.manual_seed(mixed(*numbers))


def seed_of(random_state: Any) -> int:
    """A seed from a random state as in scikit-learn: a number, a ``RandomState``, or ``None`` for a random seed."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, (int, np.integer)) and random_state >= 0:
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    raise ModelError(f"random_state is {random_state!r}; it must be None, a whole number from 0, or a generator of NumPy")
