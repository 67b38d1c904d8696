"""``latente demo``: what a VAE adds to an autoencoder, seen on handwritten digits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latente.cli.console import Console
from latente.cli.options import Json, Quiet, Seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from latente.estimator import VAE

Folder = Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Where the two runs and the picture go.")]

FITTED: dict[str, Any] = {"latent_dim": 2, "max_epochs": 60, "batch_size": 128, "learning_rate": 5e-3}
"""Two dimensions, so that the whole space can be drawn; the rest, so that it takes seconds."""
UNSEEN = 297
DRAWS = 1000
CIRCLE = 5.991  # squared radius of the circle that holds 95% of a standard normal in two dimensions
NAMES = {"autoencoder": "Autoencoder", "vae": "Variational autoencoder"}


@dataclass(frozen=True)
class Digits:
    """Handwritten digits ``[N, 8, 8]`` and which ones they are: those to learn from, and those to judge by."""

    seen: NDArray[Any]
    seen_classes: NDArray[Any]
    unseen: NDArray[Any]
    unseen_classes: NDArray[Any]

    @classmethod
    def load(cls) -> Digits:
        """Those that come with scikit-learn."""
        from sklearn.datasets import load_digits

        d = load_digits()
        return cls(d.images[:-UNSEEN], d.target[:-UNSEEN], d.images[-UNSEEN:], d.target[-UNSEEN:])


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
    """

    vae: VAE
    codes: NDArray[Any]
    rebuilt: NDArray[Any]
    drawn: NDArray[Any]
    error: float
    nats: float
    reached: float
    counts: list[int]

    def figures(self) -> dict[str, Any]:
        """What was measured, plain values only."""
        return {**self.vae.figures_, "error": self.error, "nats": self.nats, "reached": self.reached, "counts": self.counts}


def demo(out: Folder = "latente-demo", seed: Seed = 0, json: Json = False, quiet: Quiet = False) -> None:
    """An autoencoder beside a VAE, on 1,797 handwritten digits.

    Both are given two numbers a digit, so that the whole space of codes can be drawn.

    \b
    Example:
      latente demo
    """
    from latente.report.run_folder import claim, write_run

    console, folder, digits = Console(json, quiet), Path(out), Digits.load()
    for recipe in NAMES:
        claim(folder / recipe)  # before anything is computed
    models: dict[str, Compared] = {}
    paths: dict[str, Any] = {"picture": folder / "demo.png"}
    with console.hearing_warnings():
        for recipe, name in NAMES.items():
            console.say(f"fitting: {name.lower()}")
            models[recipe] = fitted(recipe, digits, seed, console)
            paths[recipe] = write_run(models[recipe].vae, digits.seen, folder / recipe)
        draw(models, digits, paths["picture"])
    tell(console, models, folder)
    console.report({"folder": folder, "paths": paths, "models": {name: model.figures() for name, model in models.items()}})


def fitted(recipe: str, digits: Digits, seed: int, console: Console) -> Compared:
    """Fit one of the two, and judge it."""
    import numpy as np
    import torch

    from latente.estimator import VAE, Autoencoder

    torch.set_num_threads(1)  # steps are so small that a second thread costs more in waiting than it gains
    kind = Autoencoder if recipe == "autoencoder" else VAE
    vae = kind(**FITTED, random_state=seed, verbose=int(console.shows_progress)).fit(digits.seen)
    codes, rebuilt = vae.transform(digits.unseen), vae.reconstruct(digits.unseen)
    drawn = vae.sample(DRAWS, law="prior", noise=False)
    error = float(np.sqrt(np.square(rebuilt - digits.unseen).mean()))
    reached = float((np.square(codes).sum(axis=1) < CIRCLE).mean())
    return Compared(vae, codes, rebuilt, drawn, error, vae.score(digits.unseen), reached, counted(drawn, digits))


def counted(drawn: NDArray[Any], digits: Digits) -> list[int]:
    """How often each digit comes up, by the nearest one seen."""
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(1).fit(digits.seen.reshape(len(digits.seen), -1), digits.seen_classes)
    found = np.bincount(nearest.predict(drawn.reshape(len(drawn), -1)), minlength=10)
    return [int(count) for count in found]


def draw(models: dict[str, Compared], digits: Digits, path: Path) -> Path:
    """Both models on one picture."""
    import numpy as np

    from latente.report import figures

    standard = (np.zeros((1, 2)), np.eye(2)[None], np.ones(1))
    sides = [figures.Side(m.rebuilt, m.drawn, m.codes, captions(m)) for m in models.values()]
    titles = (NAMES["autoencoder"], NAMES["vae"])
    panels = figures.ae_beside_vae(digits.unseen, sides[0], sides[1], digits.unseen_classes, law=standard, titles=titles)
    return figures.save(panels, path)


def captions(model: Compared) -> tuple[str, str, str]:
    """What stands over the three panels of a model."""
    return (
        f"unseen digits, from 2 numbers each: off by {model.error:.1f} of 16 greys",
        f"drawn from N(0, I): the rarest digit, {min(model.counts)} times in {DRAWS:,}",
        f"codes of unseen digits: {model.reached:.0%} where 95% of N(0, I) is (dashed)",
    )


def tell(console: Console, models: dict[str, Compared], folder: Path) -> None:
    """The comparison in words, what to look at, and what to do next."""
    rows = {
        "trained": [f"{m.vae.figures_['epochs']} epochs, {m.vae.figures_['seconds']:.1f} s" for m in models.values()],
        "kept of a digit": [f"{m.vae.figures_['active_units']} numbers in place of 64" for m in models.values()],
        "unseen digits, rebuilt": [f"off by {m.error:.2f} of 16 grey levels" for m in models.values()],
        "unseen digits, log-likelihood": [_nats(m) for m in models.values()],
        "unseen digits, within 95% of N(0, I)": [f"{m.reached:.0%}" for m in models.values()],
        f"rarest digit in {DRAWS:,} draws": [
            f"{m.counts.index(min(m.counts))}, {min(m.counts)} times" for m in models.values()
        ],
    }
    console.say("")
    console.table(("", *NAMES.values()), [[name, *values] for name, values in rows.items()])
    console.say(
        f"\nLook at {folder / 'demo.png'}: both rebuild digits. But the autoencoder puts codes where it likes, and what lies\n"
        "outside the dashed circle is never drawn; the VAE's codes fill the circle that new codes are drawn from.\n\n"
        f"models and figures  {', '.join(str(folder / name) for name in NAMES)}\n"
        f"what a model is     latente info {folder / 'vae'}\n"
        f"new digits          latente sample {folder / 'vae'} -n 100 -o new-digits\n"
        "your own data       latente fit DATA"
    )


def _nats(model: Compared) -> str:
    return f"{model.nats:.1f} nats{' or more' if model.vae.model_.is_stochastic else ', given its own code'}"
