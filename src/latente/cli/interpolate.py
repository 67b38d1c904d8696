"""``latente interpolate``."""

from __future__ import annotations

from typing import Annotated

import typer

from latente.cli.console import Console
from latente.cli.failures import Misused
from latente.cli.options import Data, Force, Json, OutRows, Quiet, Run, UnknownLevels
from latente.cli.reading import Reading, reads

RowA = Annotated[int, typer.Argument(metavar="A", min=0, help="Number of the row to start from; the first row is 0.")]
RowB = Annotated[int, typer.Argument(metavar="B", min=0, help="Number of the row to end at.")]
Steps = Annotated[int, typer.Option("--steps", min=2, help="How many rows, both ends included.")]


@reads
def interpolate(
    run: Run,
    data: Data,
    a: RowA,
    b: RowB,
    steps: Steps = 9,
    out: OutRows = "-",
    force: Force = False,
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Interpolate between rows A and B in the latent space.

    \b
    Example:
      latente interpolate faces-vae faces 0 17 --steps 9 -o way.npz
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading)
    rows = task.vae.fitted_.read(data)
    for name, number in (("A", a), ("B", b)):
        if number >= len(rows):
            raise Misused(f"{name} is {number}, and the rows of {data} are numbered from 0 to {len(rows) - 1}")
    task.finish(task.vae.interpolate(rows.take([a]), rows.take([b]), steps), a=a, b=b)
