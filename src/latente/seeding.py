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


Key = int | str


def derive_seed(seed: int, *keys: Key) -> int:
    """A 63-bit seed from a seed and the names (or numbers) of what is drawn.

    Every bit counts, and a name gives the same seed in every process: draws of different names are independent of each other.

    >>> derive_seed(0, "held-out rows") == derive_seed(0, "held-out rows"), derive_seed(0, "a") == derive_seed(0, "b")
    (True, False)
    """
    numbers = [zlib.crc32(key.encode()) if isinstance(key, str) else key for key in (seed, *keys)]
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def seeded(seed: int, *keys: Key, device: torch.device | str = "cpu") -> Iterator[None]:
    """Inside, torch's generator starts from :func:`derive_seed`; outside, it is as if nothing had been drawn."""
    cuda = torch.device(device).type == "cuda"
    with _GENERATOR, torch.random.fork_rng([torch.cuda.current_device()] if cuda else [], enabled=True):
        reseed(seed, *keys, device=device)
        yield


def reseed(seed: int, *keys: Key, device: torch.device | str = "cpu") -> None:
    """Start torch's generator of ``device`` again from :func:`derive_seed`; only within :func:`seeded`."""
    derived = derive_seed(seed, *keys)
    torch.default_generator.manual_seed(derived)
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.manual_seed(derived)
    elif kind == "mps":
        torch.mps.manual_seed(derived)


def generator_state(device: torch.device | str = "cpu") -> torch.Tensor:
    """The state of torch's generators, of the CPU and of ``device``, uint8 [n]."""
    kind = torch.device(device).type
    of_device = {"cuda": torch.cuda.get_rng_state, "mps": torch.mps.get_rng_state}
    return torch.cat([torch.get_rng_state(), *([of_device[kind]()] if kind in of_device else [])])


def is_generator_state(state: torch.Tensor) -> bool:
    """Whether torch takes this as the state of its generator."""
    try:
        torch.Generator().set_state(state[: len(torch.get_rng_state())])
    except (RuntimeError, TypeError):
        return False
    return True


def set_generator_state(state: torch.Tensor, device: torch.device | str = "cpu") -> None:
    """Continue from a state of :func:`generator_state`; only within :func:`seeded`."""
    kind, size = torch.device(device).type, len(torch.get_rng_state())
    torch.set_rng_state(state[:size])
    if kind == "cuda":
        torch.cuda.set_rng_state(state[size:])
    elif kind == "mps":
        torch.mps.set_rng_state(state[size:])


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
