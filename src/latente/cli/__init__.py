"""The command line, with one module for each command. Heavy modules are imported only when a command runs."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from latente.cli import (
    anomalies,
    certify,
    classify,
    compare,
    demo,
    denoise,
    disentanglement,
    encode,
    explore,
    export,
    fit,
    impute,
    info,
    interpolate,
    recipes,
    reconstruct,
    repair,
    reproduce,
    sample,
    serve,
    tradeoff,
)
from latente.cli.console import OPEN
from latente.cli.failures import failed, open_streams
from latente.version import __version__

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
for command in (
    demo.demo,
    fit.fit,
    encode.encode,
    reconstruct.reconstruct,
    denoise.denoise,
    impute.impute,
    repair.repair,
    anomalies.anomalies,
    classify.classify,
    sample.sample,
    interpolate.interpolate,
    certify.certify,
    compare.compare,
    tradeoff.tradeoff,
    disentanglement.disentanglement,
    explore.explore,
    export.export,
    serve.serve,
    info.info,
    recipes.recipes,
    reproduce.reproduce,
):
    app.command()(command)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"latente {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Exit codes: 0 done, 1 failed (one sentence says why) or incomplete, 2 used wrongly, 130 stopped by Ctrl-C, "
    "141 the reader of the output has gone. LATENTE_DEBUG=1 shows tracebacks."
)
def latente(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Variational autoencoders: from unlabelled data to a latent space that you can trust.

    Begin with "latente demo", or with your own data: "latente fit DATA".
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process: 0 done, 1 failed, 2 used wrongly, 130 stopped by Ctrl-C, 141 output not read.

    Args:
        arguments: of the command line; by default those of the process.
    """
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    debug = bool(os.environ.get("LATENTE_DEBUG"))
    open_streams()
    OPEN.clear()
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")  # what a person should know is a LatenteWarning, which commands listen for
            code = _ended(arguments)
        for console in OPEN:
            console.end()
        sys.stdout.flush()  # here and not at exit, where a full disc would go unnoticed
        return code
    except Exception as error:
        return failed(error, debug)


def _ended(arguments: Sequence[str] | None) -> int:
    """The exit code of a command; typer prints errors about wrong options."""
    try:
        get_command(app)(args=None if arguments is None else list(arguments), prog_name="latente")
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer would make it a failure
            raise end.__context__ from None
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
