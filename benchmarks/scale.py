"""Rows that do not fit into memory, and several processes: the bars of issue 21.

    python -m benchmarks.scale                      # 1,000,000 × 30 in memory, as Parquet, and in two processes
    python -m benchmarks.scale --sizes 1 8          # Parquet of 1 and of 8 GB, within `ulimit -v` 4 GB
    python -m benchmarks.scale --adult 2000000      # Adult, repeated to so many rows, as Parquet within 4 GB
    python -m benchmarks.scale --no-base --sizes 8  # without the fits in memory and in two processes

Fits run in processes of their own, so that a peak is that of one fit. Layers 64-32-z8, batch 4096.
"""

from __future__ import annotations

import csv
import json
import math
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
import pandas as pd

import latente as lt
from benchmarks.common import Figure, options, report

LIMIT = 4 << 30  # bytes of address space
SIZES = ("--latent-dim", "8", "--hidden", "64,32", "--batch-size", "4096", "--effort", "quick")
OF_FIT = (*SIZES, "--no-figures", "--no-certificate", "--json")
ROWS_OF_A_GROUP = 200_000
SECONDS_OF_ADULT = 180


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
    """Training rows per second within an epoch, the median of all but the first, if there are more."""
    with open(run / "history.csv", newline="") as file:
        ends = [float(record["seconds"]) for record in csv.DictReader(file)]
    seconds = np.diff(ends) if len(ends) > 1 else ends
    return float(json.loads((run / "metrics.json").read_text())["rows"] / median(seconds))


def fit(data: Path, run: Path, epochs: int, *more: Any, **how: Any) -> tuple[float, float, float]:
    """Rows per second within an epoch, seconds in all, and peak memory in MB of a fit."""
    _, seconds, peak = command("fit", data, *OF_FIT, "--max-epochs", epochs, "-o", run, *more, **how)
    return epoch_rows(run), seconds, peak


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__ or "", rows=1_000_000, columns=30, epochs=4, sizes=(0.0,), adult=0, base=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        memory = in_memory(base, asked, figures) if asked.base else math.nan
        for gigabytes in filter(None, asked.sizes):
            figures += of_size(base, gigabytes, asked.columns, asked.epochs, memory)
        figures += of_adult(base, asked.adult) if asked.adult else []
    report(f"{asked.rows:,} × {asked.columns} rows, and more than memory holds", figures, asked)


def in_memory(base: Path, asked: Any, figures: list[Figure]) -> float:
    """Fits in memory and in two processes; the rows a second of one."""
    write_rows(base / "rows.parquet", asked.rows, asked.columns)
    memory, whole, peak = fit(base / "rows.parquet", base / "memory", asked.epochs)
    size, told = 8 * asked.rows * asked.columns / 1e6, f"{whole:.0f} s in all"
    figures.append(Figure("fit in memory, rows a second within an epoch", memory, "", 300_000, reference=told))
    figures.append(Figure("fit in memory, peak", peak, "MB", 3 * size + 600, at_most=True))
    shared, whole, _ = fit(base / "rows.parquet", base / "two", asked.epochs, "--workers", 2)
    told = f"{whole:.0f} s in all"
    figures.append(Figure("2 workers, times the rows a second of 1", shared / memory, "", 1.7, reference=told))
    return memory


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
    found += scored(name, run, data, out)
    data.unlink()
    return found


def scored(name: str, run: Path, data: Path, out: Path) -> list[Figure]:
    """Codes and anomalies of a Parquet file, within the limit."""
    found = []
    for task in ("encode", "anomalies"):
        told, seconds, peak = command(task, run, data, "-o", out, "--json", limit=LIMIT)
        found.append(Figure(f"{name}: {task}, rows a second", told["rows"] / seconds, reference=f"{seconds:.0f} s in all"))
        found.append(Figure(f"{name}: {task}, peak", peak, "MB"))
        out.unlink()
    return found


def of_adult(base: Path, rows: int) -> list[Figure]:
    """Adult repeated to so many rows, within the limit, beside Adult in memory: fits of as many seconds, and how good new rows
    of each are (Trend against training rows, C2ST against test rows).
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    from benchmarks.generation import case

    adult = case("adult", 0, 0)
    table = pa.Table.from_pandas(adult.train, preserve_index=False)
    for name, times in (("once", 1), ("repeated", math.ceil(rows / len(table)))):
        with ParquetWriter(base / f"{name}.parquet", table.schema) as writer:
            for _ in range(times):
                writer.write_table(table)
    found = [*of_run("Adult in memory", base / "once.parquet", adult)]
    name = f"Adult, {rows:,} rows, ulimit -v 4 GB"
    found += of_run(name, base / "repeated.parquet", adult, limit=LIMIT, TMPDIR=str(base))
    return [*found, *scored(name, base / "run-repeated", base / "repeated.parquet", base / "out.parquet")]


def of_run(name: str, source: Path, adult: Any, **how: Any) -> list[Figure]:
    """A fit, and its new rows."""
    from benchmarks.generated import shape_and_trend, sheet, two_samples

    run = source.with_name(f"run-{source.stem}")
    limits = ("--time-limit", SECONDS_OF_ADULT, "--no-figures", "--no-certificate", "--json")
    _, seconds, peak = command("fit", source, *limits, "-o", run, **how)
    drawn = lt.open_run(run).model.sample(len(adult.train), missing=True)
    drawn, train, test = (sheet(pd.DataFrame(frame), adult.kinds) for frame in (drawn.to_pandas(), adult.train, adult.test))
    _, trend = shape_and_trend(train, drawn)
    c2st, _ = two_samples(test, drawn, 0)
    shown = {"fit": (seconds, "s"), "fit, peak": (peak, "MB"), "Trend": (trend, ""), "C2ST against test rows": (c2st, "")}
    return [Figure(f"{name}: {what}", value, unit) for what, (value, unit) in shown.items()]


if __name__ == "__main__":
    main()
