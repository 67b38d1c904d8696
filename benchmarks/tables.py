"""Every table in the data folder, from its raw file and with no option: fitted, drawn from, filled in and encoded.

What is printed beside the seconds is how many drawn or filled-in values can't be: a text that the column never had, a number
beyond its smallest and largest, a fraction where all were whole.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import latente as lt
from benchmarks import data
from benchmarks.common import CONSOLE, Figure, options, report, show
from latente.data import Table, read


def impossible(table: Table, found: pd.DataFrame) -> int:
    """How many values of ``found`` no row of the table could have."""
    count = 0
    for place, name in enumerate(table.names):
        if name not in found:
            continue
        values, seen = found[name].dropna(), table.values[:, place]
        if place in table.levels:
            count += int((~values.astype(str).isin([str(level) for level in table.levels[place]])).sum())
            continue
        numbers, seen = pd.to_numeric(values, errors="coerce").to_numpy(float), seen[~np.isnan(seen)]
        if len(seen):
            wrong = ~((numbers >= seen.min()) & (numbers <= seen.max()))
            whole = bool((seen == np.rint(seen)).all())
            count += int((wrong | (whole & (numbers != np.rint(numbers)))).sum())
    return count


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and its seconds."""
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def measured(path: Path, rows: int) -> tuple[int, list[float], int]:
    """Rows of a table, seconds of the four tasks, and values that can't be."""
    table = read(str(path))
    assert isinstance(table, Table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae, fit = timed(lambda: lt.VAE(random_state=0).fit(str(path)))
        drawn, sample = timed(lambda: vae.sample(rows))
        filled, impute = timed(lambda: vae.impute(str(path)))
        codes, encode = timed(lambda: vae.transform(str(path)))
    assert np.isfinite(codes).all() and len(codes) == len(table.values)
    known = [field.name for field in vae.codec_.fields]
    frames = [each.to_pandas()[known] for each in (drawn, filled)]
    assert not frames[1].isna().any().any()
    return len(table.values), [fit, sample, impute, encode], sum(impossible(table, frame) for frame in frames)


def main() -> None:
    """Run and print."""
    asked = options(__doc__, rows=5000, names=("all",))
    lines, wrong = [], 0
    for path in sorted(data.path("tables").glob("*.csv.gz")):
        if asked.names != ("all",) and path.name.removesuffix(".csv.gz") not in asked.names:
            continue
        n, seconds, count = measured(path, asked.rows)
        wrong += count
        lines.append((path.name.removesuffix(".csv.gz"), n, *seconds, count))
        CONSOLE.print(*lines[-1])
    show("From the raw file", ("", "rows", "fit s", "sample s", "impute s", "encode s", "impossible values"), lines)
    report("Tables", [Figure("values that can't be", float(wrong), "", 0.0, at_most=True)], asked)


if __name__ == "__main__":
    main()
