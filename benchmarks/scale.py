"""Rows that do not fit into memory, and several processes: the bars of issue 21.

    python -m benchmarks.scale                      # 1,000,000 × 30 in memory, as Parquet, and in two processes
    python -m benchmarks.scale --sizes 1 8          # Parquet of 1 and of 8 GB, within `ulimit -v` 4 GB

Fits run in processes of their own, so that a peak is that of one fit. Layers 64-32-z8, batch 4096.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.common import Figure, options, report

LIMIT = 4 << 30  # bytes of address space
SIZES = ("--latent-dim", "8", "--hidden", "64,32", "--batch-size", "4096", "--effort", "quick")
OF_FIT = (*SIZES, "--no-figures", "--no-certificate", "--json")
ROWS_OF_A_GROUP = 200_000


def write_rows(path: Path, rows: int, columns: int) -> None:
    """Dependent measures as a Parquet file of doubles, a row group at a time."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    weights = np.random.default_rng(0).normal(size=(5, columns))
    schema = pa.schema([(f"x{i}", pa.float64()) for i in range(columns)])
    with ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, rows, ROWS_OF_A_GROUP):
            rng = np.random.default_rng(start)
            n = min(ROWS_OF_A_GROUP, rows - start)
            values = np.tanh(rng.normal(size=(n, 5)) @ weights) + 0.1 * rng.normal(size=(n, columns))
            writer.write_table(pa.table(list(values.T), schema=schema))


def command(*arguments: Any, limit: int = 0, **environment: str) -> tuple[dict[str, Any], float, float]:
    """Run a command of Latente: what it says as JSON, its seconds and its peak memory in MB."""

    def limited() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    words, begin = [sys.executable, "-m", "latente", *map(str, arguments)], time.perf_counter()
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, preexec_fn=limited, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}
    )
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(words)} ended with {status}")
    return json.loads(told), time.perf_counter() - begin, usage.ru_maxrss * 1024 / 1e6


def epoch_rows(run: Path) -> float:
    """Training rows per second within an epoch, the median of all but the first."""
    with open(run / "history.csv", newline="") as file:
        seconds = np.diff([float(record["seconds"]) for record in csv.DictReader(file)])
    return float(json.loads((run / "metrics.json").read_text())["rows"] / median(seconds))


def fit(data: Path, run: Path, epochs: int, *more: Any, **how: Any) -> tuple[float, float, float]:
    """Rows per second within an epoch, seconds in all, and peak memory in MB of a fit."""
    _, seconds, peak = command("fit", data, *OF_FIT, "--max-epochs", epochs, "-o", run, *more, **how)
    return epoch_rows(run), seconds, peak


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__ or "", rows=1_000_000, columns=30, epochs=4, sizes=(0.0,))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        write_rows(base / "rows.parquet", asked.rows, asked.columns)
        memory, whole, peak = fit(base / "rows.parquet", base / "memory", asked.epochs)
        size, told = 8 * asked.rows * asked.columns / 1e6, f"{whole:.0f} s in all"
        figures.append(Figure("fit in memory, rows a second within an epoch", memory, "", 300_000, reference=told))
        figures.append(Figure("fit in memory, peak", peak, "MB", 3 * size + 600, at_most=True))
        shared, whole, _ = fit(base / "rows.parquet", base / "two", asked.epochs, "--workers", 2)
        told = f"{whole:.0f} s in all"
        figures.append(Figure("2 workers, times the rows a second of 1", shared / memory, "", 1.7, reference=told))
        for gigabytes in filter(None, asked.sizes):
            figures += of_size(base, gigabytes, asked.columns, asked.epochs, memory)
    report(f"{asked.rows:,} × {asked.columns} rows, and more than memory holds", figures, asked)


def of_size(base: Path, gigabytes: float, columns: int, epochs: int, memory: float) -> list[Figure]:
    """Fit and anomalies of a Parquet file of this size, within the limit."""
    data, run, out = base / "large.parquet", base / "large", base / "out.parquet"
    write_rows(data, round(gigabytes * 1e9 / 8 / columns), columns)
    speed, seconds, peak = fit(data, run, epochs, limit=LIMIT, TMPDIR=str(base))
    name = f"{gigabytes:g} GB, ulimit -v 4 GB"
    found = [
        Figure(f"{name}: fit, epoch, times the speed in memory", speed / memory, "", 0.7, reference=f"{seconds:.0f} s in all"),
        Figure(f"{name}: fit, peak", peak, "MB"),
    ]
    told, seconds, peak = command("encode", run, data, "-o", out, "--json", limit=LIMIT)
    found.append(Figure(f"{name}: encode, rows a second", told["rows"] / seconds))
    found.append(Figure(f"{name}: encode, peak", peak, "MB"))
    for path in (data, out):
        path.unlink()
    return found


if __name__ == "__main__":
    main()
