"""``latente tradeoff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latente.cli import options
from latente.cli.console import Console
from latente.cli.fit import stem
from latente.cli.fit_options import Device, Hidden, KindsOfColumns, MaxEpochs, RecipeText, TimeLimit
from latente.cli.options import AUTO, Data, Json, Lang, Quiet, Seed, named
from latente.cli.output import refuse_own_input
from latente.cli.reading import Reading, reads

Out = Annotated[
    str, typer.Option("--out", "-o", metavar="OUT", help="Folder.", show_default="./NAME-tradeoff, NAME being that of DATA")
]
Dims = Annotated[
    Any, typer.Option("--dims", parser=options.widths, metavar="D,D,…", help="Sizes of the code to try, such as 1,2,4,8.")
]
Betas = Annotated[Any, typer.Option("--betas", parser=options.positives, metavar="B,B,…", help="Weights of the KL to try.")]


@reads
def tradeoff(
    data: Data,
    out: Out = "",
    recipe: RecipeText = "vae",
    dims: Dims = AUTO,
    betas: Betas = "0.25,0.5,1,2,4,8",
    hidden: Hidden = AUTO,
    max_epochs: MaxEpochs = AUTO,
    time_limit: TimeLimit = None,
    device: Device = AUTO,
    kinds: KindsOfColumns = None,
    seed: Seed = 0,
    lang: Lang = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Rate and distortion by size of the code and by beta.

    Recommends a size. Also shows probabilistic PCA, independent columns and the noise floor. OUT gets a page,
    tradeoff.html.

    \b
    Example:
      latente tradeoff wine.csv
      latente tradeoff wine.csv --dims 1,2,4,8 --time-limit 60 -o wine-tradeoff
    """
    name, arguments = named(recipe)
    from latente.catalogue import recipe as find
    from latente.data import read
    from latente.parameters import text_columns
    from latente.report.study_pages import TRADEOFF, claim_study, write_tradeoff
    from latente.studies.tradeoff import HEADER
    from latente.studies.tradeoff import tradeoff as made
    from latente.words import language

    model = find(name, **arguments)
    console, folder = Console(json, quiet), Path(out or f"{stem(data)}-tradeoff")
    claim_study(folder, TRADEOFF)
    refuse_own_input([folder / name for name in TRADEOFF], [data])
    with console.hearing_warnings():
        rows = read(data, texts=text_columns(options.kinds(kinds)), **(reading or {}))
        found = made(
            rows, model, dims=dims, betas=betas, time_limit=time_limit, random_state=seed, hidden=hidden,
            max_epochs=max_epochs, device=device, kinds=options.kinds(kinds), **console.progress_of_fits(),
        )  # fmt: skip
        paths = write_tradeoff(found, folder, str(lang or language()), stem(data))
    console.table(HEADER, found.lines(), title=found.title)
    for sentence in found.sentences():
        console.say(f"\n{sentence}")
    console.say(f"\npage: {paths['page']}")
    console.report({**found.to_dict(), "folder": folder, "paths": paths})
