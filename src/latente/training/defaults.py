"""Values of settings that are "auto": batch size, epochs, device and precision, from the data and the machine."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from latente.errors import ModelError
from latente.threads import ALL

# Batch sizes and the settings for mixed tables were chosen by held-out loss: `python -m benchmarks.defaults` has the
# alternatives.
TRIALS = 3
EFFORTS = ("quick", "balanced", "best")
VERY_FEW_ROWS, FEW_ROWS = 500, 2000
ROW_MODEL_STEPS, MAX_ROW_MODEL_STEPS, ROW_MODEL_PATIENCE = 12, 4000, 0.15
MAX_STEPS, MIN_STEPS = 6000, 200
LARGEST_SMALL_BATCH = 256
ENOUGH_ROWS, LONGEST, WORK = 1000, 12.0, 6e10
FEW_ENOUGH_TO_START_AGAIN = 16_384
SHARED_FROM = 40_000_000  # multiply-adds per step above which a second thread is faster (see :func:`threads`)
BFLOAT16_PAYS_FROM = 40_000_000  # multiply-adds per step above which bfloat16 products are faster than float32, casts included


class Effort(NamedTuple):
    """How much a fit searches for a better model.

    Attributes:
        compares: whether short trials and runs from several initialisations are compared.
        longer: whether a longer run is compared as well.
        steps: factor on :func:`epochs`.
        rate: learning rate of models without mixed columns.
        mixed_steps: the same factor for models of mixed columns.
    """

    compares: bool
    longer: bool
    steps: float
    rate: float
    mixed_steps: float = 1.0


def effort(name: str) -> Effort:
    """The settings of an effort."""
    return {
        "quick": Effort(False, False, 0.4, 8e-3, 0.5),
        "balanced": Effort(True, False, 1.5, 6e-3),
        "best": Effort(True, True, 1.0, 4e-3),
    }[name]


def trials(mixed: bool) -> int:
    """Number of short trials: three on small data, none for mixed columns, where the best of three is no better than the first
    (``benchmarks.defaults``) and costs as much as the run.
    """
    return 1 if mixed else TRIALS


def starts(n: int, chosen: bool, missing: bool) -> int:
    """Number of complete runs to compare: two if the rows are few and the length of a run is not ``chosen`` by the user.

    One if values are ``missing``, because a better bound then imputes worse (breast cancer with half of the values hidden: mean
    squared error .279 for one run, .317 for the better of two).
    """
    return 1 if chosen or missing or n >= FEW_ENOUGH_TO_START_AGAIN else 2


def batch_size(n: int, mixed: bool = False) -> int:
    """A power of two, from 32 to 1024: about N / 16 up to 256, because small layers take about the same time for more rows;
    then about N / 64, so that large data gets many steps. N / 64 for mixed columns (see :func:`mixed_pace`).
    """
    wanted = n / 64 if mixed else max(n / 64, min(LARGEST_SMALL_BATCH, n / 16))
    return int(min(1024, max(32, 2 ** math.floor(math.log2(max(wanted, 1))))))


def epochs(n: int, batch: int) -> int:
    """Epochs with a total of 45 sqrt(n) steps, between 200 and 6,000 (2,000 rows: 2,000 steps), and at least 10."""
    steps = min(MAX_STEPS, max(MIN_STEPS, 45 * math.sqrt(n)))
    return max(10, round(steps / math.ceil(n / batch)))


def times_as_long(n: int, batch: int, work: int) -> float:
    """Length of a second run of small models, from 1 (none) to 12 times the first, and at most 6e10 multiply-adds. Many models
    improve for very long (``benchmarks.defaults``). Not used with missing values (see :func:`starts`).
    """
    if not ENOUGH_ROWS <= n < FEW_ENOUGH_TO_START_AGAIN:
        return 1.0
    return min(LONGEST, max(1.0, WORK / (work * epochs(n, batch) * math.ceil(n / batch))))


class Pace(NamedTuple):
    """Training of models of mixed columns: factors on batch size and epochs, and the learning rate."""

    batches: int
    rate: float
    share: float


def pace(chosen: str, n: int, mixed: bool, convolves: bool = False) -> Pace:
    """Factors for the training of a model with an effort."""
    asked = effort(chosen)
    if convolves and not asked.longer:
        return Pace(1, CONVOLUTIONS.rate, CONVOLUTIONS.share * asked.steps)
    if not mixed:
        return Pace(1, asked.rate, asked.steps) if asked.compares or n >= FEW_ROWS else ONE_RUN_OF_FEW_ROWS
    usual = mixed_pace(n)
    return usual._replace(share=asked.mixed_steps * usual.share)


# Few rows are soon learnt by heart at the rate of the other quick runs: breast cancer's loss is 28.5 so, and 25.6 here.
ONE_RUN_OF_FEW_ROWS = Pace(1, 3e-3, 0.8)
# Convolutions that begin at a linear model are at their best after 10 to 20 epochs; after that they overfit. On the first 3,000
# pictures of MNIST the loss is -559 nats after 220 steps; without the linear model it was -538 after 700.
CONVOLUTIONS = Pace(1, 6e-3, 0.15)


def mixed_pace(n: int) -> Pace:
    """Twice the batch, because twice as many rows take about the same time; four times the batch with so few rows that overhead
    dominates. From 2,000 rows, a learning rate at which 0.7 of the epochs are enough.
    """
    if n < VERY_FEW_ROWS:
        return Pace(4, 1e-2, 1.0)
    return Pace(2, 6e-3, 1.0) if n < FEW_ROWS else Pace(2, 1e-2, 0.7)


def row_model_pace(n: int) -> Pace:
    """Factors for the training of a row model."""
    return Pace(2, 1e-2, 1.0) if n < FEW_ROWS else Pace(1, 8e-3, 1.0)


def row_model_epochs(n: int, batch: int, stops: bool, any_order: float) -> int:
    """Epochs with a total of 12 sqrt(n) steps of ``batch`` rows, at most 4,000 steps, and at least 5 epochs; up to twice as
    many with columns in any order; a third of them without early stopping, because most runs stop before that.

    From 16,384 rows, steps are proportional to rows: classifiers trained on new rows improve after held-out loss has stopped to
    improve (MLE of Adult in ``benchmarks.generation``).
    """
    wanted = ROW_MODEL_STEPS * math.sqrt(n) * max(1.0, math.sqrt(n / FEW_ENOUGH_TO_START_AGAIN))
    steps = min(MAX_ROW_MODEL_STEPS, wanted) * (1 + min(1.0, max(0.0, 2 * any_order - 0.2)))
    epochs = max(5, round(steps / math.ceil(n / batch)))
    return epochs if stops else math.ceil(epochs / 3)


def decoding_epochs(epochs: int | None) -> int | None:
    """Epochs in which a row model learns to decode codes, if it was trained for so many."""
    return epochs and min(epochs, max(3, math.ceil(epochs / 5)))


def device(wanted: str) -> str:
    """The requested device; "auto": CUDA, then Apple's MPS, then the CPU."""
    if wanted != "auto":
        return _known_device(wanted)
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _known_device(wanted: str) -> str:
    """The name of an available device.

    Raises:
        ModelError: it is not available.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(str(wanted).partition(":")[0], False):
        found = ", ".join(name for name, is_there in there.items() if is_there)
        raise ModelError(f"device is {wanted!r}; this machine has: {found} (or 'auto')")
    return str(wanted)


def precision(wanted: str, device: str, multiply_adds: int) -> str:
    """The requested precision; "auto": bfloat16 if the hardware supports it and a step is large enough to be faster."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if multiply_adds >= BFLOAT16_PAYS_FROM and _has_bfloat16(device) else "float32"


def _has_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability()[0] >= 8
    there = torch.cpu.get_capabilities()
    return device == "cpu" and bool(there.get("amx_bf16") or there.get("avx512_bf16"))


def threads(multiply_adds: int) -> int:
    """Number of threads for a step: one for small steps, which neither wait for other threads nor take CPUs from other
    processes (a grid search runs many); otherwise all.
    """
    return 1 if multiply_adds < SHARED_FROM else ALL
