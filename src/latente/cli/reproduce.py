"""``latente reproduce``."""

from __future__ import annotations

from typing import Annotated

import typer

from latente.cli.console import Console
from latente.cli.failures import FAILED
from latente.cli.fit_options import Device
from latente.cli.options import AUTO, Json, Quiet, Seed

Name = Annotated[
    str, typer.Argument(metavar="[NAME]", help="What to reproduce. Without it, what there is is listed.", show_default=False)
]
Quick = Annotated[bool, typer.Option("--quick", help="A few minutes on two cores: only the order of methods is judged.")]


def reproduce(
    name: Name = "", quick: Quick = False, device: Device = AUTO, seed: Seed = 0, json: Json = False, quiet: Quiet = False
) -> None:
    """Measure a published result again.

    It prints the published values, those of Latente, and whether the claims hold.

    Without --quick it takes as long as in the paper, for which a GPU is needed. MNIST does not come with Latente: the variable
    LATENTE_DATA names the folder with mnist.npz. The exit code is 1 if a claim is not reached.

    \b
    Example:
      latente reproduce
      latente reproduce beta-tcvae --quick
    """
    console = Console(json, quiet)
    from latente.studies.reproductions import reproduce as measured
    from latente.studies.reproductions import reproductions
    from latente.studies.reproductions.frame import HEADER, HEADER_OF_CLAIMS

    if not name:
        rows = [[each.name, each.summary, ", ".join(each.recipes), each.reference] for each in reproductions()]
        console.table(("name", "what", "recipes", "reference"), rows)
        console.report(
            {"reproductions": [dict(zip(("name", "what", "recipes", "reference"), row, strict=True)) for row in rows]}
        )
        return
    with console.hearing_warnings():
        found = measured(name, quick=quick, device=device, random_state=seed, progress=console.progress_of_fits()["progress"])
    console.table(HEADER, found.lines(), title="\n".join([found.title, found.of.reference, found.of.protocol]))
    console.table(HEADER_OF_CLAIMS, found.lines_of_claims(), title="")
    console.report(found.to_dict())
    if not found.passed:
        raise typer.Exit(FAILED)
