"""Time per epoch: Latente, PyOD, Pythae, a bare torch loop and the bare matrix products, in one run, alternating.

Each round trains every contender anew for one epoch that is not counted and ``--epochs`` that are; the figure is the median
over the rounds of the mean of those. The order turns by one from round to round, so that nobody always runs after the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import fmean, median

import torch

from benchmarks import data, ours, peers
from benchmarks.common import Figure, Stopwatch, options, report, show
from benchmarks.peers import Setting

Contender = Callable[[data.Array, Setting, int], Stopwatch]
Rounds = dict[str, list[float]]

TABLE = Setting("table 20k × 9, 64-32-z4, batch 256", (64, 32), 4, 256)
MNIST = Setting("MNIST 10k, 784-400-z20, batch 128", (400,), 20, 128, shape=(28, 28))
PEERS: dict[str, Contender] = {"PyOD": peers.train_pyod, "Pythae": peers.train_pythae}
OURS: dict[str, Contender] = {"Latente": ours.train, "Latente, precision='auto'": partial(ours.train, precision="auto")}
CONTROLS: dict[str, Contender] = {
    "bare torch loop": peers.train_bare,
    "bare torch loop, fused Adam": partial(peers.train_bare, fused=True),
    "bare torch loop, fused Adam, bfloat16": partial(peers.train_bare, fused=True, half=True),
    "matrix products": peers.matrix_products,
    "matrix products, bfloat16": partial(peers.matrix_products, dtype=torch.bfloat16),
}


def measure(setting: Setting, x: data.Array, contenders: dict[str, Contender], rounds: int, epochs: int) -> Rounds:
    """Milliseconds per epoch of every contender, one value a round."""
    names, taken = list(contenders), {name: [] for name in contenders}
    for turn in range(rounds):
        for i in range(len(names)):
            name = names[(i + turn) % len(names)]
            taken[name].append(1000 * fmean(contenders[name](x, setting, epochs + 1).seconds[1:]))
    return taken


def board(setting: Setting, taken: Rounds) -> dict[str, float]:
    """Print one setting's table; the medians."""
    medians = {name: median(values) for name, values in taken.items()}
    peer, limit = min(medians[name] for name in PEERS), medians["matrix products"]
    rows = [
        (name, ms, f"{min(taken[name]):,.4g} to {max(taken[name]):,.4g}", f"{peer / ms:.2f}", f"{limit / ms:.2f}")
        for name, ms in medians.items()
    ]
    show(setting.name, ("", "ms per epoch", "range", "× faster peer", "of the limit"), rows)
    return medians


def against_peers(what: str, medians: dict[str, float], bar: float, how: str = "", control: str = "") -> Figure:
    """How many times faster than the faster peer Latente is, beside the bare loop."""
    peer = min(medians[peer] for peer in PEERS)
    bare = f"bare torch loop{control}"
    return Figure(what, peer / medians[f"Latente{how}"], "×", bar, reference=f"{bare} {peer / medians[bare]:.2f}")


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, rounds=5, epochs=4)
    contenders = PEERS | OURS | CONTROLS
    table, mnist = (
        board(setting, measure(setting, split.train, contenders, asked.rounds, asked.epochs))
        for setting, split in ((TABLE, data.table()), (MNIST, data.mnist()))
    )

    figures = [
        against_peers("table, against the faster peer (aim: 5)", table, 3),
        against_peers("MNIST, against the faster peer", mnist, 1.2),
        against_peers("MNIST, the same with precision='auto'", mnist, 1.6, ", precision='auto'", ", fused Adam, bfloat16"),
        Figure("MNIST, share of the bare matrix products' speed", mnist["matrix products"] / mnist["Latente"], "", 0.75),
    ]
    report("Time per epoch", figures, asked)


if __name__ == "__main__":
    main()
