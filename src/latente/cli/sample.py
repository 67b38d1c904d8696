"""``latente sample``."""

from __future__ import annotations

from typing import Annotated

import typer

from latente.cli.console import Console
from latente.cli.options import Json, OutRows, Quiet, Run, Seed

Count = Annotated[int, typer.Option("--number", "-n", min=1, help="How many rows.")]


def sample(
    run: Run, number: Count = 1000, out: OutRows = "-", seed: Seed = 0, json: Json = False, quiet: Quiet = False
) -> None:
    """New rows like those that the model was trained on.

    \b
    Example:
      latente sample wine-vae -n 1000 -o more_wine.csv
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet))
    task.finish(task.vae.sample(number, random_state=seed), seed=seed)
