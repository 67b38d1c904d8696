"""``latente denoise``."""

from __future__ import annotations

from latente.cli.console import Console
from latente.cli.options import Data, Force, Json, OutRows, Quiet, Run, UnknownLevels
from latente.cli.reading import Reading, reads


@reads
def denoise(
    run: Run,
    data: Data,
    out: OutRows = "-",
    force: Force = False,
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Denoise rows.

    The result is the mean of the decoded rows over the posterior of the code.

    \b
    Example:
      latente denoise faces-vae noisy_faces -o clean_faces
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading)
    task.finish(task.vae.denoise(data))
