"""``latente demo``: an autoencoder and a VAE, compared on drawn digits."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latente.cli.console import Console
from latente.cli.options import Json, Lang, Quiet, Seed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from latente.report.demonstration import Compared, Digits
    from latente.words import Texts

Folder = Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the two runs and the report.")]

SIGMA = 0.15
FITTED: dict[str, Any] = {
    "latent_dim": 16,
    "hidden": (128, 128),
    "max_epochs": 40,
    "batch_size": 128,
    "learning_rate": 3e-3,
    "validation_fraction": 0.1,
}
"""The same for both models: plain networks, whose codes are not initialised by PCA, and seconds of training."""
NAMES = {"autoencoder": "Autoencoder", "vae": "Variational autoencoder"}
EXPLORER, WIDTH = "explorer.html", 120


def demo(out: Folder = "latente-demo", seed: Seed = 0, lang: Lang = None, json: Json = False, quiet: Quiet = False) -> None:
    """An autoencoder beside a VAE, on 2,000 drawn digits.

    Where should new codes come from? Codes are drawn from N(0, I), from the range of the codes, and from a Gaussian fitted to
    them, and decoded by both models. The result is a report in one HTML file.

    \b
    Example:
      latente demo
    """
    from latente.report import figures
    from latente.report.demonstration import Digits, draw
    from latente.report.run_folder import REPORT, claim, write_run
    from latente.words import language, speaking

    console, folder = Console(json, quiet), Path(out)
    for recipe in NAMES:
        claim(folder / recipe)  # before the fits
    paths: dict[str, Any] = {"picture": folder / "demo.png", "report": folder / REPORT, "explorer": folder / EXPLORER}
    digits = Digits.draw(seed)
    with console.hearing_warnings(), speaking(lang or language()) as say:
        models = fitted(digits, seed, console)
        paths |= {name: write_run(m.vae, digits.fitted, folder / name, m.certificate) for name, m in models.items()}
        panels = draw(models, digits, say)
        figures.save(panels, paths["picture"])
        write_demo_page(models, digits, panels, folder, say)
        console.say("fitting: small models for the explorer's lesson")
        write_explorer(models, digits, seed, paths["explorer"])
    tell(console, models, folder)
    console.report({"folder": folder, "paths": paths, "models": {name: model.to_dict() for name, model in models.items()}})


def fitted(digits: Digits, seed: int, console: Console) -> dict[str, Compared]:
    """Both models, compared by :func:`latente.compare` and on other digits."""
    import torch

    from latente.model.parts import choose
    from latente.report.demonstration import Compared
    from latente.studies.comparison import compare

    torch.set_num_threads(1)  # steps are so small that a second thread makes them slower

    def progress(recipe: str) -> None:
        console.say(f"fitting: {NAMES[recipe].lower()}")

    shows, noise = int(console.shows_progress), choose("normal", sigma=SIGMA)
    found: Any = compare(
        digits.fitted, [*NAMES], random_state=seed, verbose=shows, progress=progress, likelihood=noise, **FITTED
    )
    return {name: Compared.of(found[name], found.certificates[name], digits, seed) for name in NAMES}


def write_demo_page(models: dict[str, Compared], digits: Digits, panels: list[Axes], folder: Path, say: Texts) -> Path:
    """The report of the VAE, beginning with the comparison with the autoencoder."""
    from latente.report.demonstration import beside
    from latente.report.page import Link, write_page
    from latente.report.report import report
    from latente.report.report_data import ReportData
    from latente.report.run_folder import REPORT

    vae = models["vae"]
    shown = ReportData(vae.vae, digits.fitted, colours={say("demo.digit"): digits.fitted_classes})
    page = report(shown, lang=say.lang, certificate=vae.certificate, run=folder / "vae", source="DATA", explorer=EXPLORER)
    sections, link = [beside(models, panels, say), *page.sections], Link(EXPLORER, say("summary.explorer"))
    page = replace(page, title=say("demo.title"), lead=say("demo.lead"), top=(link,), sections=sections)
    return write_page(page, folder / REPORT)


def write_explorer(models: dict[str, Compared], digits: Digits, seed: int, path: Path) -> Path:
    """Both models and the lesson in one page that needs no server."""
    from latente.explorer.export import demo_page

    vae, autoencoder = models["vae"], models["autoencoder"]
    certificates, labels = (vae.certificate, autoencoder.certificate), [*map(int, digits.fitted_classes)]
    return demo_page(path, vae.vae, autoencoder.vae, digits.fitted, labels, certificates, seed, digits.others)


def tell(console: Console, models: dict[str, Compared], folder: Path) -> None:
    """Print the comparison and the next steps."""
    from latente.report.demonstration import FORMS, conclusion, listed, story, written_out
    from latente.words import texts

    say, of = texts("en"), list(models.values())
    rows = [("trained", *(f"{m.vae.figures_['epochs']} epochs, {m.vae.figures_['seconds']:.1f} s" for m in of))]
    rows += [(say(f"demo.row.{name}"), *(written_out(name, m.figure(name)) for m in of)) for name in FORMS]
    rows.append((say("demo.row.verdicts"), *(listed(m.verdicts, say) for m in of)))
    console.say("")
    console.table(("", *NAMES.values()), rows)
    console.say("")
    for sentence in (*story(models, say), say("demo.blur"), conclusion(models, say)):
        console.say(textwrap.fill(sentence, WIDTH, initial_indent="- ", subsequent_indent="  "))
    console.say(
        f"\nLook at {folder / 'report.html'} in a browser: it compares both models, and describes the VAE in detail.\n"
        f"In {folder / 'explorer.html'} you can explore both, with a lesson of six steps.\n\n"
        f"models and figures  {', '.join(str(folder / name) for name in NAMES)}\n"
        f"parts of a model    latente info {folder / 'vae'}\n"
        f"new digits          latente sample {folder / 'vae'} -n 100 -o new-digits\n"
        "your own data       latente fit DATA"
    )
