"""``latente explore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latente.cli.console import Console
from latente.cli.export import Compared, name_of, subjects
from latente.cli.failures import Misused
from latente.cli.options import InContext, Json, Quiet, Seed, in_context
from latente.cli.reading import Reading, reads
from latente.errors import LatenteError

if TYPE_CHECKING:
    from latente.estimator import VAE

Explored = Annotated[
    str,
    typer.Argument(
        metavar="RUN|DATA",
        help="A run folder of 'latente fit', or a model file (.safetensors); or data as for 'latente fit', on which some small "
        "models are trained for the lesson.",
    ),
]
Shown = Annotated[str, typer.Option("--data", metavar="DATA", help="Rows to show on the map.", show_default="no rows")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the server.", show_default="any that is free")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only print the address.")]


@reads
def explore(
    run: Explored,
    data: Shown = "",
    compare: Compared = "",
    context: InContext = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Explore a latent space in the browser.

    Drag a point, and its code is decoded. The page is served on this machine only, at a secret address, until Ctrl-C.

    \b
    Example:
      latente explore wine-vae --data wine.csv
      latente explore wine.csv
      latente explore people --context sex=Female
    """
    console = Console(json, quiet)
    try:
        from latente.explorer.server import serve
    except ModuleNotFoundError as error:
        raise LatenteError(f"'latente explore' needs {error.name}: pip install 'latente[explore]'") from error
    from latente.explorer.pack import pack

    with console.hearing_warnings():
        if _is_model(run):
            models = subjects([run, compare] if compare else [run], data, bool(data), reading, in_context(context))
            vaes, content = [model.vae for model in models], pack(name_of(run), models, served=True)
        else:
            if data or compare or context:
                raise Misused("--data, --compare and --context belong to a run, and the argument is data: leave them out")
            vaes, content = _lesson(run, reading, seed, console)

    def ready(address: str) -> None:
        console.say(f"{address}\nCtrl-C ends it")
        console.report({"address": address})
        console.end()
        if not no_browser:
            typer.launch(address)

    serve(vaes, content, port, ready)


def _is_model(run: str) -> bool:
    """Whether the argument is a run or a model file, and not data."""
    from latente.report.run_folder import is_run

    return run.endswith(".safetensors") or is_run(Path(run))


def _lesson(data: str, reading: Reading | None, seed: int, console: Console) -> tuple[list[VAE], bytes]:
    """Train the models of the lesson on data."""
    from latente.cli.fit import stem
    from latente.data import read
    from latente.estimator import VAE
    from latente.explorer.export import lesson_page
    from latente.explorer.lesson import some_of

    def progress(what: str) -> None:
        console.say(f"fitting: {what}")

    everything = read(data, **(reading or {}))
    rows = some_of(everything)
    if len(rows) < len(everything):
        console.remark(f"the models are trained on {len(rows):,} of {len(everything):,} rows, and the page contains these")
    progress("VAE")
    vae = VAE("vae", effort="quick", missing=(reading or {}).get("missing"), random_state=seed).fit(rows)
    return lesson_page(stem(data), rows, vae, vae.certificate(), seed, progress, served=True)
