"""What "auto" means for those who choose nothing: batch, epochs, device and precision, from the data and the machine."""

from __future__ import annotations

import math

import torch

from latente.errors import ModelError

ROW_LAW_RATE, ROW_LAW_PATIENCE, MOST_ROW_LAW_STEPS = 5e-3, 0.15, 3000
# Of columns in cells, whose steps cost the same for twice as many rows, almost: twice the batch, as many epochs, a higher rate.
# Held-out loss, 4e-3 and one batch against this: heart 27.1, 26.7; German credit 32.1, 31.8; Adult 28.5, 28.4; dry bean 35.6,
# 34.8; in 0.6 to 0.8 of the time.
CELLS_RATE, CELLS_BATCHES = 6e-3, 2
MOST_STEPS, LEAST_STEPS = 6000, 200
SHARED_FROM = 5_000_000  # multiply-adds of a step from which a second thread is worth its barriers
BFLOAT16_PAYS_FROM = 10_000_000  # multiply-adds of a step from which bfloat16 products are faster than float32, casts included


def batch_size(n: int) -> int:
    """A power of two near N / 64, from 32 to 1024: many steps on small data, few slow ones on large."""
    return int(min(1024, max(32, 2 ** math.floor(math.log2(max(n, 1) / 64)))) if n >= 64 else 32)


def epochs(n: int, batch: int) -> int:
    """As many as make 45 sqrt(n) steps, within 200 to 6,000 (2,000 rows: 2,000 steps), and at least 10."""
    steps = min(MOST_STEPS, max(LEAST_STEPS, 45 * math.sqrt(n)))
    return max(10, round(steps / math.ceil(n / batch)))


def row_law_epochs(n: int, batch: int, stops: bool, any_order: float) -> int:
    """As many as make 16 sqrt(n) steps, and at most 3,000, but at least 10; up to twice as many where columns are to be told in
    any order; a third of them where no held-out rows tell when to stop, for most runs stop there.

    Twice as many at 3e-3 give the same held-out loss (dry bean 26.11 and 26.15, Adult 27.560 and 27.561, AI4I 30.99 and 30.94).
    """
    steps = min(MOST_ROW_LAW_STEPS, 16 * math.sqrt(n)) * (1 + min(1.0, max(0.0, 2 * any_order - 0.2)))
    epochs = max(10, round(steps / math.ceil(n / batch)))
    return epochs if stops else math.ceil(epochs / 3)


def device(wanted: str) -> str:
    """What is wanted, or CUDA, then Apple's MPS, then the processor."""
    if wanted != "auto":
        return _known_device(wanted)
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _known_device(wanted: str) -> str:
    """The name of a device that is there.

    Raises:
        ModelError: it is not.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(str(wanted).partition(":")[0], False):
        found = ", ".join(name for name, is_there in there.items() if is_there)
        raise ModelError(f"device is {wanted!r}; this machine has: {found} (or 'auto')")
    return str(wanted)


def precision(wanted: str, device: str, multiply_adds: int) -> str:
    """What is wanted, or bfloat16 where the machine has it in hardware and a step is large enough to gain by it."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if multiply_adds >= BFLOAT16_PAYS_FROM and _has_bfloat16(device) else "float32"


def _has_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability()[0] >= 8
    there = torch.cpu.get_capabilities()
    return device == "cpu" and bool(there.get("amx_bf16") or there.get("avx512_bf16"))


def threads(multiply_adds: int) -> int | None:
    """One thread where a step is too small to be shared, so that it neither waits for others nor takes their processors (a grid
    search runs many); None leaves torch's number.
    """
    return 1 if multiply_adds < SHARED_FROM else None
