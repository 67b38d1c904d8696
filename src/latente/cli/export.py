"""``latente export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latente.cli.console import Console
from latente.cli.failures import Misused
from latente.cli.options import Force, InContext, Json, Quiet, Run, in_context
from latente.cli.output import refuse_own_input
from latente.cli.reading import Reading, reads

Page = Annotated[str, typer.Argument(metavar="PAGE", help="The file to write, such as page.html.")]
Compared = Annotated[
    str,
    typer.Option(
        "--compare", metavar="RUN2", help="A second model of the same columns, shown beside the first.", show_default=False
    ),
]
Measured = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Rows to measure the positions of codes with; they are not written.",
        show_default="the measures of 'latente fit'",
    ),
]
Written = Annotated[
    str,
    typer.Option(
        "--with-rows",
        metavar="DATA",
        help="Rows to put into the page with their codes: anyone who has the file can read them.",
        show_default="no rows",
    ),
]


@reads
def export(
    run: Run,
    page: Page,
    data: Measured = "",
    with_rows: Written = "",
    compare: Compared = "",
    context: InContext = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Write a latent space as one page that works offline.

    The page decodes codes without a network. It contains no rows, unless --with-rows adds them. It still reveals names of
    columns, levels of texts, smallest, largest and frequent values, histograms of each column, densities of the codes, and
    the weights of the networks.

    \b
    Example:
      latente export wine-vae wine.html
      latente export wine-vae wine.html --with-rows wine.csv
    """
    console = Console(json, quiet)
    if data and with_rows:
        raise Misused("--data and --with-rows both name rows: give one of them")
    from latente.explorer.export import export as write
    from latente.explorer.pack import header_of, pack

    refuse_own_input([Path(page)], [run, compare, data, with_rows], force)
    if with_rows:
        console.remark(f"the rows of {with_rows} and their codes can be read by anyone who has {page}", "warning")
    with console.hearing_warnings() as warned:
        models = subjects(
            [run, compare] if compare else [run], data or with_rows, bool(with_rows), reading, in_context(context)
        )
    content = pack(name_of(run), models)
    path = write(page, content)
    notes = [note["en"] for note in header_of(content)["notes"]]
    for note in notes:
        console.remark(note)
    size = path.stat().st_size
    console.say(f"the latent space of {run} in {path}: {size / 1e6:.1f} MB, opens in any browser, without a network")
    console.report({"out": path, "bytes": size, "with_rows": bool(with_rows), "notes": [*warned, *notes]})


def subjects(
    runs: list[str], data: str, with_rows: bool, reading: Reading | None, context: dict[str, str] | None = None
) -> list[Any]:
    """The models of some runs (in one context), with their surveys and certificates."""
    from latente.cli.tasks import open_model
    from latente.explorer.export import packed_model

    def made(run: str) -> Any:
        vae, rows = open_model(run, reading=reading), data or None
        if not context:
            return packed_model(vae, run, rows, with_rows)
        return packed_model(vae.in_context(context), None, (data and vae.fitted_.rows_in(data, context)) or None, with_rows)

    return [made(run) for run in runs]


def name_of(run: str) -> str:
    """Title of a page: the name of its run."""
    return Path(run).resolve().name.removesuffix(".safetensors")
