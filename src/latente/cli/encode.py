"""``latente encode``."""

from __future__ import annotations

from latente.cli.console import Console
from latente.cli.options import Data, Force, Json, OutTable, Quiet, Run, UnknownLevels, Workers
from latente.cli.reading import Reading, reads


@reads
def encode(
    run: Run,
    data: Data,
    out: OutTable = "-",
    force: Force = False,
    unknown: UnknownLevels = None,
    workers: Workers = 1,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Code of each row, with one column for each dimension.

    \b
    Example:
      latente encode wine-vae wine.csv -o codes.parquet
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading, numbers=True)
    if task.in_shards("encode", workers) is None:
        task.finish(task.vae.transform(data), tuple(task.vae.get_feature_names_out()))
