"""A table of 1,000,000 × 30 float32: rows per second of `fit` and `transform`, and the peak memory of the whole process.

Layers 64-32-z8, batch 4096. The peak counts everything from nothing: Python, torch, the data and the model.
"""

from __future__ import annotations

import resource
import sys
import time
from statistics import median

from benchmarks import data, ours
from benchmarks.common import Figure, options, report
from benchmarks.peers import Setting


def peak_megabytes(who: int = resource.RUSAGE_SELF) -> float:
    """Largest resident memory so far, in MB; Linux counts it in KiB, macOS in bytes."""
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, rows=1_000_000, columns=30, epochs=3)
    x = data.wide(asked.rows, asked.columns)
    vae, whole = ours.fit(x, Setting("scale", (64, 32), 8, 4096, likelihood="auto"), asked.epochs)
    seconds = ours.epoch_seconds(vae)
    begin = time.perf_counter()
    vae.transform(x)
    transform = time.perf_counter() - begin
    size = x.nbytes / 1e6
    figures = [
        Figure("fit, rows a second within an epoch", len(x) / median(seconds), "", 300_000),
        Figure(f"fit, {asked.epochs} epochs in all", whole, "s", reference=f"{whole - sum(seconds):.1f} s outside the epochs"),
        Figure("transform, rows a second", len(x) / transform, "", 1_000_000),
        Figure("peak memory", peak_megabytes(), "MB", 3 * size + 600, at_most=True, reference=f"the data: {size:,.0f} MB"),
    ]
    report(f"{asked.rows:,} × {asked.columns} table", figures, asked)


if __name__ == "__main__":
    main()
