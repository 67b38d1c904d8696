"""``latente anomalies``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from latente.cli.console import Console, counted
from latente.cli.options import Data, Force, Json, OutTable, Quiet, Run, UnknownLevels, Workers
from latente.cli.reading import Reading, reads


@reads
def anomalies(
    run: Run,
    data: Data,
    out: OutTable = "-",
    score: Annotated[
        list[str], typer.Option("--score", help="A score, or several that are combined: auto, log-prob, near, covariance, …")
    ] = ["auto"],  # noqa: B006
    fdr: Annotated[
        float | None, typer.Option("--fdr", help="Select rows so that on average at most this share of them are usual.")
    ] = None,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option("--false-alarm-rate", help="Select rows so that at most this share of usual ones is selected."),
    ] = None,
    force: Force = False,
    unknown: UnknownLevels = None,
    workers: Workers = 1,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Anomaly score of each row, and the columns that cause it.

    score: LOWER is more unusual. anomaly: how far the score is below the threshold, HIGHER is more unusual. p_value: share of
    held-out rows that are at least as unusual, LOWER is more unusual. rank: 1 is the most unusual row. anomalous: whether the
    row is selected, by --fdr or --false-alarm-rate (0.05). fields: the columns with the largest contribution. expected: the
    values of these columns in selected rows, and the range expected from the other columns.

    Of series: time and entity first; event numbers intervals of selected steps; NAME_low and NAME_high are a band.

    Rows like those of the training data have a p-value of at most 0.05 in 5 of 100 cases, whatever the model. A row without
    any value has no score, and these columns are empty.

    \b
    Example:
      latente anomalies wine-vae new_wine.csv -o suspects.csv
    """
    from latente.cli.output import as_table
    from latente.cli.tasks import Task

    task = Task(
        run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading, numbers=True, text=True
    )
    asked = score[0] if len(score) == 1 else score
    options: dict[str, Any] = {"score": asked, "fdr": fdr, "false_alarm_rate": false_alarm_rate}
    figures, events = task.in_shards("anomalies", workers, **options), ""
    if figures is None:
        found = task.vae.anomalies(data, **options)
        table = as_table(found, ())
        figures = {"anomalous": sum(table["anomalous"].to_pylist())}
        if "event" in table.column_names:
            events = f" in {counted(max(table['event'].to_pylist(), default=0), 'event')}"
        task.finish(found, **figures)
    selected = figures["anomalous"]
    if task.destination.path is not None:
        by = f"false discovery rate {fdr:g}" if fdr else f"p-value of at most {false_alarm_rate or 0.05:g}"
        task.say(f"{selected:,} of them are anomalous{events} ({by}); a higher 'anomaly' is stranger")
