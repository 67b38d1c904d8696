"""``latente impute``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

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


class Method(StrEnum):
    """How gaps of series are filled."""

    auto = "auto"
    model = "model"
    linear = "linear"


MethodName = Annotated[
    Method,
    typer.Option("--method", help="Of series: the model, linear interpolation, or what is better on gaps made for a trial."),
]

Insert = Annotated[bool, typer.Option("--insert", help="Of series: also rows for steps of time that DATA lacks.")]


@reads
def impute(
    run: Run,
    data: Data,
    out: OutRows = "-",
    draws: Draws = None,
    intervals: Intervals = None,
    method: MethodName = Method.auto,
    insert: Insert = False,
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
    how: dict[str, Any] = {"method": str(method), "insert": insert, "random_state": seed}
    if draws:
        written = task.beside(others, task.vae.impute(rows, draws=draws, **how), rows)
        task.console.report({"out": written, "seed": seed})
        return
    whole = task.vae.impute(rows, **how)
    ends = task.vae.impute(rows, intervals=intervals, **how) if intervals else ()
    filled = getattr(task.vae, "imputed_", {})
    task.finish(whole, source=rows, ends=task.beside(others, ends, rows), intervals=intervals, **filled)
    if filled:
        said = ", ".join(f"{name} {error:.3f}" for name, error in filled["error"].items())
        task.console.remark(f"mean absolute error on gaps made for a trial, in standard deviations: {said}")
