"""``latente compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latente.cli import options
from latente.cli.console import Console
from latente.cli.failures import FAILED
from latente.cli.fit import stem
from latente.cli.fit_options import ContextColumns, Device, Hidden, KindsOfColumns, LatentDim, MaxEpochs, TimeLimit
from latente.cli.options import AUTO, Data, Json, Lang, Quiet, Seed, named
from latente.cli.output import refuse_own_input
from latente.cli.reading import Reading, reads

if TYPE_CHECKING:
    from latente.composition import Recipe

ALL = "all"
Recipes = Annotated[
    str,
    typer.Option(
        "--recipes",
        "-r",
        metavar="NAME[:ARGUMENT=VALUE]…,…",
        help="Models of 'latente recipes', with commas between them; 'all' for each that can be fitted to DATA alone.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        min=1,
        help="Fit each so often, and tell which differences of the bound are real; from five on also small ones.",
    ),
]
Budget = Annotated[
    Any, typer.Option("--budget", parser=options.duration, metavar="TIME", help="For all fits together, such as 90s or 10m.")
]
Out = Annotated[
    str, typer.Option("--out", "-o", metavar="OUT", help="Folder.", show_default="./NAME-compare, NAME being that of DATA")
]


@reads
def compare(
    data: Data,
    recipes: Recipes = "autoencoder,vae",
    out: Out = "",
    latent_dim: LatentDim = AUTO,
    hidden: Hidden = AUTO,
    max_epochs: MaxEpochs = AUTO,
    time_limit: TimeLimit = None,
    seeds: Seeds = None,
    budget: Budget = None,
    context: ContextColumns = None,
    device: Device = AUTO,
    kinds: KindsOfColumns = None,
    seed: Seed = 0,
    lang: Lang = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Show several models of the same rows side by side.

    Their certificates, the maps of their codes with holes marked, and rows decoded from the same random codes and
    interpolations. OUT gets a page, compare.html, and the run folder of each model. With --seeds, --budget, --context or all
    recipes, the page says which differences of the bound of log p are real, and no model is kept.

    \b
    Example:
      latente compare wine.csv
      latente compare wine.csv --recipes autoencoder,vae,beta-vae:beta=4 --latent-dim 2 -o wine-models
      latente compare wine.csv --recipes all --budget 10m
    """
    if recipes == ALL or seeds is not None or budget is not None or context:
        fit = {"latent_dim": latent_dim, "hidden": hidden, "max_epochs": max_epochs, "device": device, "random_state": seed}
        fit |= {"kinds": options.kinds(kinds), "seeds": seeds or 3, "budget": budget or time_limit, "context": context}
        _rank(data, recipes, Path(out or f"{stem(data)}-compare"), str(lang or ""), Console(json, quiet), fit, reading or {})
        return
    chosen = asked(recipes)
    from latente.data import read
    from latente.parameters import text_columns
    from latente.report.study_pages import COMPARE, claim_study, write_comparison
    from latente.studies.comparison import compare as made
    from latente.words import language

    console, folder = Console(json, quiet), Path(out or f"{stem(data)}-compare")
    claim_study(folder, COMPARE)
    refuse_own_input(list(folder.rglob("*")), [data])
    with console.hearing_warnings():
        rows = read(data, texts=text_columns(options.kinds(kinds)), **(reading or {}))
        found: Any = made(
            rows, chosen, latent_dim=latent_dim, time_limit=time_limit, random_state=seed, hidden=hidden,
            max_epochs=max_epochs, device=device, kinds=options.kinds(kinds), **console.progress_of_fits(),
        )  # fmt: skip
        paths = write_comparison(found, folder, str(lang or language()), stem(data))
    console.table(found.header, found.lines(), title=found.title)
    console.say("")
    for sentence in found.reading():
        console.say(sentence)
    console.say(f"page: {paths['page']}")
    console.report({**found.to_dict(), "folder": folder, "paths": paths})


def _rank(data: str, recipes: str, folder: Path, lang: str, console: Console, fit: dict[str, Any], reading: Reading) -> None:
    """Write the page of many fits, and print its table."""
    chosen = recipes if recipes == ALL else asked(recipes)
    from latente.data import read
    from latente.parameters import text_columns
    from latente.report.ranking import write_ranking
    from latente.report.study_pages import COMPARE, claim_study
    from latente.studies.ranking import HEADER, rank
    from latente.words import language

    claim_study(folder, COMPARE)
    with console.hearing_warnings():
        rows = read(data, texts=text_columns(fit["kinds"]), **reading)
        found = rank(rows, chosen, progress=console.progress_of_fits()["progress"], **fit)
        paths = write_ranking(found, folder, lang or language(), stem(data))
    console.table(HEADER, found.lines(), title=found.title)
    for sentence in ("", *found.reading()):
        console.say(sentence)
    console.say(f"page: {paths['page']}")
    console.report({**found.to_dict(), "folder": folder, "paths": paths})
    if all(entry.reason for entry in found.entries.values()):
        raise typer.Exit(FAILED)  # nothing could be fitted


def asked(recipes: str) -> dict[str, Recipe]:
    """The recipes by the text that was passed for each."""
    texts = [text.strip() for text in recipes.split(",") if text.strip()]
    parsed: list[tuple[str, tuple[str, dict[str, Any]]]] = [(text, named(text)) for text in texts]
    if not parsed:
        raise options.wrong("--recipes names no model; there are those of 'latente recipes'")
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise options.wrong(f"{twice!r} is asked for twice")
    from latente.catalogue import recipe

    return {text: recipe(name, **arguments) for text, (name, arguments) in parsed}
