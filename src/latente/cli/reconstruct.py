"""``latente reconstruct``."""

from __future__ import annotations

from latente.cli.console import Console
from latente.cli.options import Data, Force, Json, OutRows, Quiet, Run, UnknownLevels, Workers
from latente.cli.reading import Reading, reads


@reads
def reconstruct(
    run: Run,
    data: Data,
    out: OutRows = "-",
    force: Force = False,
    unknown: UnknownLevels = None,
    workers: Workers = 1,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Encode and decode each row.

    Values that are missing are filled in.

    \b
    Example:
      latente reconstruct wine-vae wine.csv -o rebuilt.csv
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading)
    if task.in_shards("reconstruct", workers) is None:
        task.finish(task.vae.reconstruct(data))
