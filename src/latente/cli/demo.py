"""``latente demo``: an autoencoder and a VAE, compared on handwritten digits."""

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

Folder = Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the two runs and the report.")]

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
CIRCLE = 5.991  # squared radius of the circle with 95% of a standard normal in two dimensions
NAMES = {"autoencoder": "Autoencoder", "vae": "Variational autoencoder"}
FIGURES = {"error": ".2f", "reached": ".0%", "completeness": ".2f", "continuity": ".2f"}
"""What the story is about, in this order, and how its values are written."""
WIDTH = 120


@dataclass(frozen=True)
class Digits:
    """Handwritten digits ``[N, 8, 8]`` and their classes, for training and for testing."""

    train: NDArray[Any]
    train_classes: NDArray[Any]
    test: NDArray[Any]
    test_classes: NDArray[Any]

    @classmethod
    def load(cls) -> Digits:
        """The digits of scikit-learn."""
        from sklearn.datasets import load_digits

        d = load_digits()
        return cls(d.images[:-TEST_DIGITS], d.target[:-TEST_DIGITS], d.images[-TEST_DIGITS:], d.target[-TEST_DIGITS:])


@dataclass(frozen=True)
class Compared:
    """One of the two models, and its figures on test digits.

    Attributes:
        vae: the fitted estimator.
        codes, rebuilt: of the test digits.
        drawn: images decoded from codes drawn from N(0, I).
        error: root mean square error of the pixels, with values from 0 to 16.
        nats: log-likelihood: for a VAE a bound of log p(x), for an autoencoder log p(x|z) at the digit's own code.
        reached: share of the codes within the circle that contains 95% of N(0, I).
        counts: frequency of each class among the drawn images, classified by the nearest training digit.
        certificate: of the latent space.
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
        """The measured figures, plain values only."""
        own = {"error": self.error.value, "nats": self.nats, "reached": self.reached.value, "counts": self.counts}
        return {**self.vae.figures_, **own, "certificate": self.certificate.to_dict()}

    @property
    def compared(self) -> dict[str, Estimate]:
        """The figures that are compared."""
        return {name: getattr(self, name) if hasattr(self, name) else self.certificate[name] for name in FIGURES}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Names of the verdicts of its certificate."""
        return tuple(verdict.name for verdict in self.certificate.verdicts)


def demo(out: Folder = "latente-demo", seed: Seed = 0, lang: Lang = None, json: Json = False, quiet: Quiet = False) -> None:
    """An autoencoder beside a VAE, on 1,797 handwritten digits.

    Both have a two-dimensional code, so that the latent space can be drawn. The result is a report in one HTML file.

    \b
    Example:
      latente demo
    """
    from latente.report.run_folder import REPORT, claim, write_run
    from latente.words import language, speaking

    console, folder, digits = Console(json, quiet), Path(out), Digits.load()
    for recipe in NAMES:
        claim(folder / recipe)  # before the fits
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
    """Both models, compared by :func:`latente.compare` and on test digits."""
    import torch

    from latente.studies.comparison import compare

    torch.set_num_threads(1)  # steps are so small that a second thread makes them slower

    def progress(recipe: str) -> None:
        console.say(f"fitting: {NAMES[recipe].lower()}")

    shows = int(console.shows_progress)
    found = compare(digits.train, [*NAMES], random_state=seed, verbose=shows, progress=progress, **FITTED)
    return {name: judged(found[name], found.certificates[name], digits, seed) for name in NAMES}


def judged(vae: VAE, certificate: Certificate, digits: Digits, seed: int) -> Compared:
    """The figures of a model on the test digits and on random codes."""
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
    """The square root of a nonnegative figure."""
    value, low, high = (math.sqrt(max(0.0, number)) for number in (figure.value, figure.low, figure.high))
    return replace(figure, value=value, low=low, high=high)


def counted(drawn: NDArray[Any], digits: Digits) -> list[int]:
    """Frequency of each class, by the nearest training digit."""
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(1).fit(digits.train.reshape(len(digits.train), -1), digits.train_classes)
    found = np.bincount(nearest.predict(drawn.reshape(len(drawn), -1)), minlength=10)
    return [int(count) for count in found]


def draw(models: dict[str, Compared], digits: Digits, path: Path, say: Texts) -> list[Axes]:
    """Draw both models in one figure, and save it."""
    import numpy as np

    from latente.report import figures

    standard = (np.zeros((1, 2)), np.eye(2)[None], np.ones(1))
    sides = [figures.Side(m.rebuilt, m.drawn, m.codes, captions(m, say)) for m in models.values()]
    titles = (say("demo.autoencoder"), say("demo.vae"))
    panels = figures.ae_beside_vae(digits.test, sides[0], sides[1], digits.test_classes, density=standard, titles=titles)
    figures.save(panels, path)
    return panels


def captions(model: Compared, say: Texts) -> tuple[str, str, str]:
    """The titles of a model's three panels."""
    told = {
        "error": model.error.value,
        "rarest": min(model.counts),
        "draws": DRAWS,
        "reached": model.reached.value,
    }
    return say("demo.rebuilt", **told), say("demo.drawn", **told), say("demo.mapped", **told)


def write_demo_page(models: dict[str, Compared], digits: Digits, panels: list[Axes], folder: Path, say: Texts) -> Path:
    """The report of the VAE, beginning with the comparison with the autoencoder."""
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
    """Both models and the lesson in one page that needs no server."""
    from latente.explorer.export import demo_page

    vae, autoencoder = models["vae"], models["autoencoder"]
    certificates = vae.certificate, autoencoder.certificate
    return demo_page(path, vae.vae, autoencoder.vae, digits.train, [*map(int, digits.train_classes)], certificates, seed)


def beside(models: dict[str, Compared], panels: list[Axes], say: Texts) -> Section:
    """Section with both models: figure, table and conclusions."""
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
    """Names of verdicts in a language."""
    return ", ".join(map(say.said, verdicts)) or say("demo.none")


def story(models: dict[str, Compared], say: Texts) -> list[str]:
    """Conclusions: a sentence for each figure, and one for the verdicts."""
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
    """The comparison of a figure of both models, as a sentence."""
    from latente.words import number

    told = {"autoencoder": number(autoencoder.value, FIGURES[name]), "vae": number(vae.value, FIGURES[name])}
    return say(f"demo.story.{name}.{difference(autoencoder, vae)}", **told)


def difference(autoencoder: Estimate, vae: Estimate) -> str:
    """The VAE's figure in comparison with the autoencoder's: "above" or "below" if the intervals do not overlap, "alike" if
    they do, or "unknown".
    """
    if not (autoencoder.known and vae.known):
        return "unknown"
    return "above" if vae.low > autoencoder.high else "below" if vae.high < autoencoder.low else "alike"


def tell(console: Console, models: dict[str, Compared], folder: Path) -> None:
    """Print the comparison and the next steps."""
    from latente.words import texts

    say = texts("en")
    figures = {name: [written_out(name, m.compared[name], say) for m in models.values()] for name in FIGURES}
    rows = {
        "trained": [f"{m.vae.figures_['epochs']} epochs, {m.vae.figures_['seconds']:.1f} s" for m in models.values()],
        "kept of a digit": [f"{m.vae.figures_['active_units']} numbers instead of 64" for m in models.values()],
        "test digits: error of 16 grey levels": figures["error"],
        "test digits: log-likelihood": [_nats(m) for m in models.values()],
        "test digits: within 95% of N(0, I)": figures["reached"],
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
        f"\nLook at {folder / 'report.html'} in a browser: it compares both models, and describes the VAE in detail.\n"
        f"In {folder / 'explorer.html'} you can explore both, with a lesson of six steps.\n\n"
        f"models and figures  {', '.join(str(folder / name) for name in NAMES)}\n"
        f"parts of a model    latente info {folder / 'vae'}\n"
        f"new digits          latente sample {folder / 'vae'} -n 100 -o new-digits\n"
        "your own data       latente fit DATA"
    )


def _nats(model: Compared) -> str:
    return f"{model.nats:.1f} nats{' or more' if model.vae.model_.has_rate else ', given its own code'}"
