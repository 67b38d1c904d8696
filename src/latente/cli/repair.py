"""``latente repair``."""

from __future__ import annotations

from latente.cli.console import Console, counted
from latente.cli.options import Data, Force, Json, OutRows, Quiet, Run, UnknownLevels
from latente.cli.reading import Reading, reads


@reads
def repair(
    run: Run,
    data: Data,
    out: OutRows = "-",
    force: Force = False,
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Find wrong values in a table and replace them.

    A value is replaced by its expected value (of a text column, the most likely level) if it is improbable given the other
    values of its row. Missing values are filled in.

    \b
    Example:
      latente repair people new_people.csv -o repaired.csv
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading)
    rows = task.vae.fitted_.read(data)
    repaired, changed = task.vae.repair(rows)
    names = task.vae.codec_.feature_names
    counts = {name: int(count) for name, count in zip(names, changed.sum(0), strict=True) if count}
    what = ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))
    task.say(f"{counted(int(changed.sum()), 'value')} changed" + (f": {what}" if what else ""))
    task.finish(repaired, changed=counts)
