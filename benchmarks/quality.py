"""Time to quality: training seconds until the best held-out -ELBO that the faster peer reaches in 100 epochs.

One evaluator for all (:func:`benchmarks.peers.negative_elbo`), the same likelihood and the same held-out rows; evaluation is
not timed. A peer's time runs to its best epoch, not to its last. Latente's is one run of ``LENGTH`` epochs, the same for every
race and fixed before these held-out rows were looked at (see ``data.LOOKED_AT``), with default settings otherwise; what counts
is the training time until its averaged weights are first as good.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from statistics import median

from benchmarks import data, ours
from benchmarks.common import Figure, Stopwatch, options, report, show
from benchmarks.peers import Setting
from benchmarks.speed import MNIST, PEERS, TABLE

LENGTH = 45
BERNOULLI = replace(MNIST, name=f"{MNIST.name}, Bernoulli", likelihood="bernoulli")


def best(watch: Stopwatch) -> tuple[float, float, int]:
    """The best held-out -ELBO, the seconds and the epochs until then."""
    value, epoch = min((value, epoch) for epoch, value in enumerate(watch.held_out))
    return value, list(accumulate(watch.seconds))[epoch], epoch + 1


def race(setting: Setting, split: data.Split, epochs: int) -> Figure:
    """Print one setting's table; Latente's share of the faster peer's time."""
    names = [name for name in PEERS if setting.likelihood == "normal" or name != "PyOD"]
    runs = {name: PEERS[name](split.train, setting, epochs, split.held_out) for name in names}
    faster = min(runs, key=lambda name: median(runs[name].seconds))
    target, peer_seconds, _ = best(runs[faster])
    rows = [(name, *best(run), sum(run.seconds)) for name, run in runs.items()]
    run = ours.trajectory(split.train, setting, LENGTH, split.held_out)
    rows.append((f"Latente, {LENGTH} epochs", *best(run), sum(run.seconds)))
    reached = [passed for value, passed in zip(run.held_out, accumulate(run.seconds), strict=True) if value <= target]
    seconds = reached[0] if reached else float("inf")
    show(setting.name, ("", "held-out -ELBO, nats", "seconds to it", "epochs", "seconds in all"), rows)
    what = f"{setting.name}: share of {faster}'s time to {target:.2f} nats"
    return Figure(what, seconds / peer_seconds, "", 0.2, at_most=True)


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, epochs=100)
    races = ((TABLE, data.table()), (MNIST, data.mnist()), (BERNOULLI, data.mnist()))
    report("Time to quality", [race(setting, split, asked.epochs) for setting, split in races], asked)


if __name__ == "__main__":
    main()
