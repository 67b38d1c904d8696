"""``latente explore``."""

from __future__ import annotations

from typing import Annotated

import typer

from latente.cli.console import Console
from latente.cli.export import Compared, name_of, subjects
from latente.cli.options import InContext, Json, Quiet, Run, in_context
from latente.cli.reading import Reading, reads
from latente.errors import LatenteError

Shown = Annotated[str, typer.Option("--data", metavar="DATA", help="Rows to show on the map.", show_default="no rows")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the server.", show_default="any that is free")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only print the address.")]


@reads
def explore(
    run: Run,
    data: Shown = "",
    compare: Compared = "",
    context: InContext = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Explore a latent space in the browser.

    Drag a point, and its code is decoded. The page is served on this machine only, at a secret address, until Ctrl-C.

    \b
    Example:
      latente explore wine-vae --data wine.csv
      latente explore people --context sex=Female
    """
    console = Console(json, quiet)
    try:
        from latente.explorer.server import serve
    except ModuleNotFoundError as error:
        raise LatenteError(f"'latente explore' needs {error.name}: pip install 'latente[explore]'") from error
    from latente.explorer.pack import pack

    with console.hearing_warnings():
        models = subjects([run, compare] if compare else [run], data, bool(data), reading, in_context(context))

    def ready(address: str) -> None:
        console.say(f"{address}\nCtrl-C ends it")
        console.report({"address": address})
        console.end()
        if not no_browser:
            typer.launch(address)

    serve([model.vae for model in models], pack(name_of(run), models, served=True), port, ready)
