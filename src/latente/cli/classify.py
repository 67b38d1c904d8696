"""``latente classify``."""

from __future__ import annotations

from latente.cli.console import Console
from latente.cli.options import Data, Force, Json, OutTable, Quiet, Run, UnknownLevels
from latente.cli.reading import Reading, reads


@reads
def classify(
    run: Run,
    data: Data,
    out: OutTable = "-",
    force: Force = False,
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """The most probable label of each row.

    The model was fitted with some labels: latente fit cells.csv --recipe m2 --context type -o cells-m2. The result has a
    column for the label, and one, p_LABEL, for the probability of each.

    \b
    Example:
      latente classify cells-m2 new.csv -o types.csv
    """
    import numpy as np

    from latente.cli.output import as_table
    from latente.cli.tasks import Task
    from latente.data import frame

    task = Task(
        run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading, numbers=True, text=True
    )
    shares = as_table(task.vae.classify(data, probabilities=True), ())
    labels, columns = np.array(shares.column_names), [column.to_numpy() for column in shares.columns]
    found = {f"p_{label}": column for label, column in zip(labels, columns, strict=True)}
    task.finish(frame({"label": labels[np.argmax(columns, 0)], **found}, "pyarrow"))
