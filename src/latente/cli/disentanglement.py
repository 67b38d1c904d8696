"""``latente disentanglement``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from latente.cli import options
from latente.cli.console import Console
from latente.cli.options import Data, Json, Quiet, Run
from latente.cli.reading import Reading, reads

Factors = Annotated[
    str,
    typer.Option(
        "--factors",
        metavar="COLUMN,…",
        help="Columns of DATA, which the model may have or not; or a file with a row for each row of DATA.",
    ),
]


@reads
def disentanglement(
    run: Run, data: Data, factors: Factors, json: Json = False, quiet: Quiet = False, reading: Reading | None = None
) -> None:
    """Whether each factor has its own dimension of the code.

    MIG, SAP, DCI and InfoMEC of the model, of PCA with as many dimensions, and of the same code after a rotation. Columns of
    text are levels, all others are numbers.

    \b
    Example:
      latente disentanglement wine-vae wine.csv --factors colour,alcohol
    """
    names = [name.strip() for name in factors.split(",") if name.strip()]
    if not names:
        raise options.wrong("--factors names no column")
    from latente.cli.tasks import open_model
    from latente.studies.disentanglement import HEADER, HEADER_OF_FACTORS
    from latente.studies.disentanglement import disentanglement as measured

    console = Console(json, quiet)
    with console.hearing_warnings():
        found = measured(open_model(run, reading=reading), data, factors if os.path.exists(factors) else names)
    console.table(HEADER, found.lines(), title=found.title)
    console.table(HEADER_OF_FACTORS, found.lines_of_factors(), title="\nThe best dimension of each factor")
    console.report(found.to_dict())
