"""How many threads a computation runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def on_threads(number: int | None) -> Iterator[None]:
    """Run on so many threads (None leaves torch's number); afterwards it is as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
