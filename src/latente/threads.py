"""The number of threads of a computation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def on_threads(number: int | None) -> Iterator[None]:
    """A context with this number of threads (None: torch's own); the former number is restored at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
