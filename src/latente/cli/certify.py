"""``latente certify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latente.cli.console import Console
from latente.cli.failures import Misused
from latente.cli.options import Json, Quiet, Run

if TYPE_CHECKING:
    from latente.certificate import Certificate

FittedOn = Annotated[
    str,
    typer.Argument(
        metavar="[DATA]",
        help="What the model was fitted on. Without it, the certificate that 'latente fit' left in RUN is shown.",
        show_default=False,
    ),
]
HeldOut = Annotated[
    str,
    typer.Option(
        "--held-out", metavar="DATA", help="Rows that the model has not seen.", show_default="those that 'latente fit' held out"
    ),
]


def certify(run: Run, data: FittedOn = "", held_out: HeldOut = "", json: Json = False, quiet: Quiet = False) -> None:
    """Measure a latent space, and say what is wrong with it.

    Is it continuous and complete, what does the code keep, does the model repeat its rows? Each figure has its interval,
    or the reason why there is none.

    \b
    Example:
      latente certify wine-vae
      latente certify wine-vae wine.csv
    """
    console = Console(json, quiet)
    if held_out and not data:
        raise Misused("--held-out needs DATA, too: rows that the model has seen, to compare with")
    certificate = measured(run, data, held_out) if data else kept(run)
    tell(console, certificate)
    console.report(certificate.to_dict())


def measured(run: str, data: str, held_out: str) -> Certificate:
    """The certificate of a model, measured now, and left in the run folder where there is one."""
    from latente.cli.tasks import open_model
    from latente.report.run_folder import write_certificate

    certificate = open_model(run).certificate(held_out or None, train=data)
    if Path(run).is_dir():
        write_certificate(certificate, Path(run))
    return certificate


def kept(run: str) -> Certificate:
    """The certificate that lies in a run folder."""
    from latente.cli.tasks import model_file
    from latente.report.run_folder import read_certificate

    model_file(run)  # says what is wrong where there is no run
    return read_certificate(Path(run) if Path(run).is_dir() else Path(run).parent)


def tell(console: Console, certificate: Certificate) -> None:
    """Print it."""
    console.table(("", "", ""), [*certificate.lines()], title=certificate.title)
    for verdict in certificate.verdicts:
        console.say(f"\n{verdict.name}: {verdict.evidence}\n  what to do: {verdict.remedy}")
    if not certificate.verdicts:
        console.say("\nnothing to object to was found")
