"""``latente impute``."""

from __future__ import annotations

from typing import Annotated

import typer

from latente.cli.console import Console
from latente.cli.failures import Misused
from latente.cli.options import Data, Force, Json, OutRows, Quiet, Run, Seed, UnknownLevels, Workers
from latente.cli.reading import Reading, reads

Draws = Annotated[
    int | None,
    typer.Option("--draws", min=1, metavar="M", help="M plausible completions, each a file beside OUT: OUT-1, OUT-2, …"),
]
Intervals = Annotated[
    float | None,
    typer.Option(
        "--intervals", metavar="SHARE", help="Also the ends of intervals that hold this share, beside OUT: OUT-low, OUT-high."
    ),
]


@reads
def impute(
    run: Run,
    data: Data,
    out: OutRows = "-",
    draws: Draws = None,
    intervals: Intervals = None,
    force: Force = False,
    unknown: UnknownLevels = None,
    seed: Seed = 0,
    workers: Workers = 1,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Impute missing values from the other values of each row.

    A missing value is replaced by its expected value, or by the most likely level of a text column. Observed values are kept.

    \b
    Example:
      latente impute people people_with_holes.csv -o people_whole.csv
      latente impute people people_with_holes.csv -o people_whole.csv --intervals .9
    """
    from latente.cli.tasks import Task

    if draws is not None and intervals is not None:
        raise Misused("--draws and --intervals both describe uncertainty: use one of them")
    if intervals is not None and not 0 < intervals < 1:
        raise Misused(f"--intervals must be a share between 0 and 1, such as .9, not {intervals:g}")
    task = Task(run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading)
    marks = [str(k + 1) for k in range(draws)] if draws else ["low", "high"] if intervals else []
    others = task.others(marks)
    if not marks and task.in_shards("impute", workers) is not None:
        task.console.report({"ends": [], "intervals": None})
        return
    rows = task.vae.fitted_.read(data)
    if draws:
        written = task.beside(others, task.vae.impute(rows, draws=draws, random_state=seed), rows)
        task.console.report({"out": written, "seed": seed})
        return
    whole = task.vae.impute(rows)
    ends = task.vae.impute(rows, intervals=intervals, random_state=seed) if intervals else ()
    task.finish(whole, source=rows, ends=task.beside(others, ends, rows), intervals=intervals)
