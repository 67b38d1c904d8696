"""``latente anomalies``."""

from __future__ import annotations

from latente.cli.console import Console
from latente.cli.options import Data, Force, Json, OutTable, Quiet, Run, UnknownLevels
from latente.cli.reading import Reading, reads


@reads
def anomalies(
    run: Run,
    data: Data,
    out: OutTable = "-",
    force: Force = False,
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Anomaly score of each row, and the columns that cause it.

    score: log p(x) in nats, LOWER is more unusual. anomaly: how far the score is below the threshold, in nats, HIGHER is more
    unusual, and above 0 is an anomaly. p_value: share of held-out rows with at most this score, LOWER is more unusual.
    fields: the columns with the largest contribution.

    Rows like those of the training data have a p-value of at most 0.05 in 5 of 100 cases, whatever the model. A row without
    any value has no score, and these columns are empty.

    \b
    Example:
      latente anomalies wine-vae new_wine.csv -o suspects.csv
    """
    from latente.cli.tasks import Task

    task = Task(
        run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading, numbers=True, text=True
    )
    found = task.vae.anomalies(data)
    from latente.cli.output import as_table

    below = sum(p is not None and p <= 0.05 for p in as_table(found, ())["p_value"].to_pylist())
    task.finish(found, anomalous=below)
    if task.destination.path is not None:
        task.console.say(f"{below:,} of them have a p-value of at most 0.05; a higher 'anomaly' is stranger")
