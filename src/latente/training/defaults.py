"""What "auto" means for those who choose nothing: batch, epochs, device and precision, from the data and the machine."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from latente.errors import ModelError
from latente.threads import ALL

# Batches, and what mixed tables are trained by, were chosen by held-out rows of fits: `python -m benchmarks.defaults` has what
# else was tried.
TRIALS = 3
EFFORTS = ("quick", "balanced", "best")
VERY_FEW_ROWS, FEW_ROWS = 500, 2000
ROW_MODEL_STEPS, MAX_ROW_MODEL_STEPS, ROW_MODEL_PATIENCE = 12, 4000, 0.15
MAX_STEPS, MIN_STEPS = 6000, 200
LARGEST_SMALL_BATCH = 256
ENOUGH_ROWS, LONGEST, WORK = 1000, 12.0, 6e10
FEW_ENOUGH_TO_START_AGAIN = 16_384
SHARED_FROM = 40_000_000  # multiply-adds of a step from which a second thread is worth its barriers (see :func:`threads`)
BFLOAT16_PAYS_FROM = 40_000_000  # multiply-adds of a step from which bfloat16 products are faster than float32, casts included


class Effort(NamedTuple):
    """How long a model of numbers is searched for.

    Attributes:
        compares: whether several starts are compared, by short trials and by a run of each.
        longer: whether a longer run is compared, too.
        steps: of a run, as a multiple of :func:`epochs`.
        rate: the learning rate of a model of numbers.
        mixed_steps: the same of models of mixed columns.
    """

    compares: bool
    longer: bool
    steps: float
    rate: float
    mixed_steps: float = 1.0


def effort(name: str) -> Effort:
    """What an effort asks for."""
    return {
        "quick": Effort(False, False, 0.4, 8e-3, 0.5),
        "balanced": Effort(True, False, 1.5, 6e-3),
        "best": Effort(True, True, 1.0, 4e-3),
    }[name]


def trials(mixed: bool) -> int:
    """Three short runs are compared on small data, but none where columns are mixed: there the best of three is no better than
    the first (``benchmarks.defaults``), and three times a start costs as much as the run.
    """
    return 1 if mixed else TRIALS


def starts(n: int, chosen: bool, holes: bool) -> int:
    """Two whole runs are compared where rows are few enough for seconds to do; not where the length of a run was ``chosen``.

    Nor where rows have ``holes``: there what is better by its bound fills them in worse (breast cancer, half of the values
    hidden, mean square error of one start and of the better of two: .279 and .317).
    """
    return 1 if chosen or holes or n >= FEW_ENOUGH_TO_START_AGAIN else 2


def batch_size(n: int, mixed: bool = False) -> int:
    """A power of two, from 32 to 1024: near N / 16 up to 256, for a step of a few small layers costs little more with more rows
    in it; then near N / 64, so that large data gets many steps. Where columns are mixed, N / 64 (see :func:`mixed_pace`).
    """
    wanted = n / 64 if mixed else max(n / 64, min(LARGEST_SMALL_BATCH, n / 16))
    return int(min(1024, max(32, 2 ** math.floor(math.log2(max(wanted, 1))))))


def epochs(n: int, batch: int) -> int:
    """As many as make 45 sqrt(n) steps, within 200 to 6,000 (2,000 rows: 2,000 steps), and at least 10."""
    steps = min(MAX_STEPS, max(MIN_STEPS, 45 * math.sqrt(n)))
    return max(10, round(steps / math.ceil(n / batch)))


def times_as_long(n: int, batch: int, work: int) -> float:
    """How many times as long small models of some thousand rows are trained a second time, from 1 (not) to 12: as long as it
    takes at most 6e10 multiply-adds. Many go on getting better for very long (``benchmarks.defaults``); where rows have holes,
    what is better by its bound need not fill them in better (see :func:`starts`), so they are not.
    """
    if not ENOUGH_ROWS <= n < FEW_ENOUGH_TO_START_AGAIN:
        return 1.0
    return min(LONGEST, max(1.0, WORK / (work * epochs(n, batch) * math.ceil(n / batch))))


class Pace(NamedTuple):
    """How models of mixed columns are trained: so many batches in one, the rate, and the share of the epochs that they need."""

    batches: int
    rate: float
    share: float


def pace(chosen: str, n: int, mixed: bool, convolves: bool = False) -> Pace:
    """How a model is trained with an effort."""
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
    """Twice the batch, for twice as many rows cost nearly the same, and four times where rows are so few that all of a step's
    time is overhead; from 2,000 rows on a rate at which 0.7 of the epochs do.
    """
    if n < VERY_FEW_ROWS:
        return Pace(4, 1e-2, 1.0)
    return Pace(2, 6e-3, 1.0) if n < FEW_ROWS else Pace(2, 1e-2, 0.7)


def row_model_pace(n: int) -> Pace:
    """How the law of rows is trained."""
    return Pace(2, 1e-2, 1.0) if n < FEW_ROWS else Pace(1, 8e-3, 1.0)


def row_model_epochs(n: int, batch: int, stops: bool, any_order: float) -> int:
    """As many as make 12 sqrt(n) steps of ``batch`` rows, and at most 4,000, but at least 5; up to twice as many where columns
    are to be told in any order; a third of them where no held-out rows tell when to stop, for most runs stop there.

    From 16,384 rows on steps are as the rows: what a classifier learns from new rows goes on getting better after held-out loss
    no longer does (MLE of Adult in ``benchmarks.generation``).
    """
    wanted = ROW_MODEL_STEPS * math.sqrt(n) * max(1.0, math.sqrt(n / FEW_ENOUGH_TO_START_AGAIN))
    steps = min(MAX_ROW_MODEL_STEPS, wanted) * (1 + min(1.0, max(0.0, 2 * any_order - 0.2)))
    epochs = max(5, round(steps / math.ceil(n / batch)))
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


def threads(multiply_adds: int) -> int:
    """As many threads as a step may be shared by: one where it is too small, so that it neither waits for others nor takes
    their processors (a grid search runs many); else all.
    """
    return 1 if multiply_adds < SHARED_FROM else ALL
