"""``latente impute``."""

from __future__ import annotations

from latente.cli.console import Console
from latente.cli.options import Data, Json, OutRows, Quiet, Run, UnknownLevels


def impute(
    run: Run,
    data: Data,
    out: OutRows = "-",
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What is missing in each row, filled in from the rest.

    A hole gets the value that is expected there, or the most likely one of a column of text. What was seen stays.

    \b
    Example:
      latente impute people people_with_holes.csv -o people_whole.csv
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet), unknown=unknown)
    task.finish(task.vae.impute(data))
