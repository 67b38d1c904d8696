"""``latente demo``: what a VAE adds to an autoencoder, seen on handwritten digits."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latente.cli.console import Console
from latente.cli.options import Json, Lang, Quiet, Seed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from latente.certificate import Certificate, Estimate
    from latente.estimator import VAE
    from latente.report.page import Section
    from latente.words import Texts

Folder = Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Where the two runs and the report go.")]

FITTED: dict[str, Any] = {
    "latent_dim": 2,
    "max_epochs": 60,
    "batch_size": 128,
    "learning_rate": 5e-3,
    "validation_fraction": 0.1,
}
"""Two dimensions, so that the whole space can be drawn; the rest, so that it takes seconds."""
TEST_DIGITS = 297
DRAWS = 1000
CIRCLE = 5.991  # squared radius of the circle that holds 95% of a standard normal in two dimensions
NAMES = {"autoencoder": "Autoencoder", "vae": "Variational autoencoder"}
FIGURES = {"error": ".2f", "reached": ".0%", "completeness": ".2f", "continuity": ".2f"}
"""What the story is about, in this order, and how its values are written."""
WIDTH = 120


@dataclass(frozen=True)
class Digits:
    """Handwritten digits ``[N, 8, 8]`` and which ones they are: those to learn from, and those to judge by."""

    train: NDArray[Any]
    train_classes: NDArray[Any]
    test: NDArray[Any]
    test_classes: NDArray[Any]

    @classmethod
    def load(cls) -> Digits:
        """Those that come with scikit-learn."""
        from sklearn.datasets import load_digits

        d = load_digits()
        return cls(d.images[:-TEST_DIGITS], d.target[:-TEST_DIGITS], d.images[-TEST_DIGITS:], d.target[-TEST_DIGITS:])


@dataclass(frozen=True)
class Compared:
    """One of the two models, and how it does on digits that it was not trained on.

    Attributes:
        vae: the fitted estimator.
        codes, rebuilt: of the unseen digits.
        drawn: pictures decoded from codes drawn from N(0, I).
        error: root mean square error of the pixels, which go from 0 to 16.
        nats: log-likelihood: of a VAE a bound of log p(x), of an autoencoder log p(x|z) given the digit's own code.
        reached: share of the codes within the circle that holds 95% of N(0, I).
        counts: how often each digit comes up in the draws, each being taken for the nearest one seen.
        certificate: what its space of codes is worth.
    """

    vae: VAE
    codes: NDArray[Any]
    rebuilt: NDArray[Any]
    drawn: NDArray[Any]
    error: Estimate
    nats: float
    reached: Estimate
    counts: list[int]
    certificate: Certificate

    def figures(self) -> dict[str, Any]:
        """What was measured, plain values only."""
        own = {"error": self.error.value, "nats": self.nats, "reached": self.reached.value, "counts": self.counts}
        return {**self.vae.figures_, **own, "certificate": self.certificate.to_dict()}

    @property
    def compared(self) -> dict[str, Estimate]:
        """What the story is about."""
        return {name: getattr(self, name) if hasattr(self, name) else self.certificate[name] for name in FIGURES}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Names of what its certificate objects to."""
        return tuple(verdict.name for verdict in self.certificate.verdicts)


def demo(out: Folder = "latente-demo", seed: Seed = 0, lang: Lang = None, json: Json = False, quiet: Quiet = False) -> None:
    """An autoencoder beside a VAE, on 1,797 handwritten digits.

    Both are given two numbers a digit, so that the whole space of codes can be drawn. It ends in a report, one HTML file.

    \b
    Example:
      latente demo
    """
    from latente.report.run_folder import REPORT, claim, write_run
    from latente.words import language, speaking

    console, folder, digits = Console(json, quiet), Path(out), Digits.load()
    for recipe in NAMES:
        claim(folder / recipe)  # before anything is computed
    paths: dict[str, Any] = {"picture": folder / "demo.png", "report": folder / REPORT, "explorer": folder / "explorer.html"}
    with console.hearing_warnings(), speaking(lang or language()) as say:
        models = fitted(digits, seed, console)
        paths |= {name: write_run(m.vae, digits.train, folder / name, m.certificate) for name, m in models.items()}
        panels = draw(models, digits, paths["picture"], say)
        write_demo_page(models, digits, panels, folder, say)
        console.say("fitting: small models for the explorer's lesson")
        write_explorer(models, digits, seed, paths["explorer"])
    tell(console, models, folder)
    console.report({"folder": folder, "paths": paths, "models": {name: model.figures() for name, model in models.items()}})


def fitted(digits: Digits, seed: int, console: Console) -> dict[str, Compared]:
    """Both models, compared by :func:`latente.compare`, and judged by digits that neither was trained on."""
    import torch

    from latente.studies.comparison import compare

    torch.set_num_threads(1)  # steps are so small that a second thread costs more in waiting than it gains

    def progress(recipe: str) -> None:
        console.say(f"fitting: {NAMES[recipe].lower()}")

    shows = int(console.shows_progress)
    found = compare(digits.train, [*NAMES], random_state=seed, verbose=shows, progress=progress, **FITTED)
    return {name: judged(found[name], found.certificates[name], digits, seed) for name in NAMES}


def judged(vae: VAE, certificate: Certificate, digits: Digits, seed: int) -> Compared:
    """How a model does on the unseen digits, and on places at random."""
    import numpy as np
    import torch

    from latente.certificate.estimates import mean_of
    from latente.seeding import seeded

    codes, rebuilt = vae.transform(digits.test), vae.reconstruct(digits.test)
    with seeded(seed):  # the same distribution for both, although an autoencoder has no prior
        drawn = vae.inverse_transform(torch.randn(DRAWS, vae.latent_dim_))
    error = root(mean_of(np.square(rebuilt - digits.test).mean(axis=(1, 2))))
    reached = mean_of((np.square(codes).sum(axis=1) < CIRCLE).astype(float)).clipped()
    found = error, vae.score(digits.test), reached, counted(drawn, digits)
    return Compared(vae, codes, rebuilt, drawn, *found, certificate)


def root(figure: Estimate) -> Estimate:
    """The square root of a figure that is not negative."""
    value, low, high = (math.sqrt(max(0.0, number)) for number in (figure.value, figure.low, figure.high))
    return replace(figure, value=value, low=low, high=high)


def counted(drawn: NDArray[Any], digits: Digits) -> list[int]:
    """How often each digit comes up, by the nearest one seen."""
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(1).fit(digits.train.reshape(len(digits.train), -1), digits.train_classes)
    found = np.bincount(nearest.predict(drawn.reshape(len(drawn), -1)), minlength=10)
    return [int(count) for count in found]


def draw(models: dict[str, Compared], digits: Digits, path: Path, say: Texts) -> list[Axes]:
    """Both models on one picture, which is saved."""
    import numpy as np

    from latente.report import figures

    standard = (np.zeros((1, 2)), np.eye(2)[None], np.ones(1))
    sides = [figures.Side(m.rebuilt, m.drawn, m.codes, captions(m, say)) for m in models.values()]
    titles = (say("demo.autoencoder"), say("demo.vae"))
    panels = figures.ae_beside_vae(digits.test, sides[0], sides[1], digits.test_classes, density=standard, titles=titles)
    figures.save(panels, path)
    return panels


def captions(model: Compared, say: Texts) -> tuple[str, str, str]:
    """What stands over the three panels of a model."""
    told = {
        "error": model.error.value,
        "rarest": min(model.counts),
        "draws": DRAWS,
        "reached": model.reached.value,
    }
    return say("demo.rebuilt", **told), say("demo.drawn", **told), say("demo.mapped", **told)


def write_demo_page(models: dict[str, Compared], digits: Digits, panels: list[Axes], folder: Path, say: Texts) -> Path:
    """The report of the VAE, with the autoencoder beside it on top."""
    from latente.report.page import write_page
    from latente.report.report import report
    from latente.report.report_data import ReportData
    from latente.report.run_folder import REPORT

    vae = models["vae"]
    shown = ReportData(vae.vae, digits.train, colours={say("demo.digit"): digits.train_classes})
    page = report(shown, lang=say.lang, certificate=vae.certificate, run=folder / "vae", source="DATA")
    sections = [beside(models, panels, say), *page.sections]
    return write_page(replace(page, title=say("demo.title"), lead=say("demo.lead"), top=(), sections=sections), folder / REPORT)


def write_explorer(models: dict[str, Compared], digits: Digits, seed: int, path: Path) -> Path:
    """Both models and the lesson in one page that decodes by itself."""
    from latente.explorer.export import demo_page

    vae, autoencoder = models["vae"], models["autoencoder"]
    certificates = vae.certificate, autoencoder.certificate
    return demo_page(path, vae.vae, autoencoder.vae, digits.train, [*map(int, digits.train_classes)], certificates, seed)


def beside(models: dict[str, Compared], panels: list[Axes], say: Texts) -> Section:
    """Both models, in a picture, in figures, and what these come to."""
    from latente.report.page import Grid, Listing, Paragraph, Section, picture

    rows = {name: [written_out(name, m.compared[name], say) for m in models.values()] for name in FIGURES}
    rows["rarest"] = [str(min(m.counts)) for m in models.values()]
    rows["verdicts"] = [listed(m.verdicts, say) for m in models.values()]
    cells = [(say(f"demo.row_{name}"), *values) for name, values in rows.items()]
    table = Grid(say("demo.table"), ("", say("demo.autoencoder"), say("demo.vae")), cells, frozenset({1, 2}))
    drawn = picture(panels, say("demo.alt"), say("demo.caption"))
    told = Listing([("", sentence) for sentence in story(models, say)])
    return Section(say("demo.section"), [Paragraph(say("demo.text")), drawn, table, told, Paragraph(say("demo.then"))])


def written_out(name: str, figure: Estimate, say: Texts) -> str:
    """A figure with its interval, for a table."""
    from latente.words import number

    form = FIGURES[name]
    if not figure.known:
        return "–"
    if not math.isfinite(figure.low + figure.high):
        return number(figure.value, form)
    return f"{number(figure.value, form)} [{number(figure.low, form)}, {number(figure.high, form)}]"


def listed(verdicts: tuple[str, ...], say: Texts) -> str:
    """Verdicts in the words of a language."""
    return ", ".join(map(say.said, verdicts)) or say("demo.none")


def story(models: dict[str, Compared], say: Texts) -> list[str]:
    """What the figures come to: a sentence for each, and one for what the certificates object to."""
    first, second = (model.compared for model in models.values())
    found = [compared(name, first[name], second[name], say) for name in FIGURES]
    judged = {name: model.verdicts for name, model in models.items() if model.verdicts}
    if not judged:
        return [*found, say("demo.story.nothing")]
    return [
        *found,
        *(say("demo.story.verdicts", model=say(f"demo.{name}"), verdicts=listed(v, say)) for name, v in judged.items()),
    ]


def compared(name: str, autoencoder: Estimate, vae: Estimate, say: Texts) -> str:
    """What a figure of both comes to."""
    from latente.words import number

    told = {"autoencoder": number(autoencoder.value, FIGURES[name]), "vae": number(vae.value, FIGURES[name])}
    return say(f"demo.story.{name}.{difference(autoencoder, vae)}", **told)


def difference(autoencoder: Estimate, vae: Estimate) -> str:
    """Whether the VAE's figure is clearly "above" or "below" the autoencoder's, for their intervals lie apart; "alike" where
    they do not; or "unknown".
    """
    if not (autoencoder.known and vae.known):
        return "unknown"
    return "above" if vae.low > autoencoder.high else "below" if vae.high < autoencoder.low else "alike"


def tell(console: Console, models: dict[str, Compared], folder: Path) -> None:
    """The comparison in figures and in words, and what to do next."""
    from latente.words import texts

    say = texts("en")
    figures = {name: [written_out(name, m.compared[name], say) for m in models.values()] for name in FIGURES}
    rows = {
        "trained": [f"{m.vae.figures_['epochs']} epochs, {m.vae.figures_['seconds']:.1f} s" for m in models.values()],
        "kept of a digit": [f"{m.vae.figures_['active_units']} numbers in place of 64" for m in models.values()],
        "unseen digits: error of 16 grey levels": figures["error"],
        "unseen digits: log-likelihood": [_nats(m) for m in models.values()],
        "unseen digits: within 95% of N(0, I)": figures["reached"],
        f"rarest digit in {DRAWS:,} draws": [
            f"{m.counts.index(min(m.counts))}, {min(m.counts)} times" for m in models.values()
        ],
        "completeness C": figures["completeness"],
        "continuity K": figures["continuity"],
        "verdicts": [listed(m.verdicts, say) for m in models.values()],
    }
    console.say("")
    console.table(("", *NAMES.values()), [[name, *values] for name, values in rows.items()])
    console.say("")
    for sentence in story(models, say):
        console.say(textwrap.fill(sentence, WIDTH, initial_indent="- ", subsequent_indent="  "))
    console.say(
        f"\nLook at {folder / 'report.html'} in a browser: both in pictures and figures, and all about the VAE.\n"
        f"In {folder / 'explorer.html'} you walk through both, with a lesson of six steps.\n\n"
        f"models and figures  {', '.join(str(folder / name) for name in NAMES)}\n"
        f"what a model is     latente info {folder / 'vae'}\n"
        f"new digits          latente sample {folder / 'vae'} -n 100 -o new-digits\n"
        "your own data       latente fit DATA"
    )


def _nats(model: Compared) -> str:
    return f"{model.nats:.1f} nats{' or more' if model.vae.model_.has_rate else ', given its own code'}"
