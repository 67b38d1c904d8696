"""``latente anomalies``."""

from __future__ import annotations

from latente.cli.console import Console
from latente.cli.options import Data, Force, Json, OutTable, Quiet, Run, UnknownLevels


def anomalies(
    run: Run,
    data: Data,
    out: OutTable = "-",
    force: Force = False,
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """How unlikely each row is, and the columns that make it so.

    The score is log p(x) in nats; the p-value compares it with rows that were held out of training.

    Rows like those of the training data have a p-value of at most 0.05 in 5 of 100 cases, whatever the model.

    \b
    Example:
      latente anomalies wine-vae new_wine.csv -o suspects.csv
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet), data=data, force=force, unknown=unknown, numbers=True, text=True)
    found = task.vae.anomalies(data)
    from latente.cli.output import as_table

    below = sum(p <= 0.05 for p in as_table(found, ())["p_value"].to_pylist())
    task.finish(found, anomalous=below)
    if task.destination.path is not None:
        task.console.say(f"{below:,} of them have a p-value of at most 0.05")
