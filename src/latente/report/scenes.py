"""Scenes: each figure of a run folder and of a report, drawn from what is shown of a model."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from latente.certificate import Certificate
from latente.certificate.certificate import LINES
from latente.errors import DataError
from latente.report import figures
from latente.report.shown import LAW_DRAWS, Shown
from latente.words import label, word

WORTH_A_COLOUR = 0.1
MAX_COLOURS = 5
SHOWN_DRAWS = 300


def reconstructions(shown: Shown) -> Any:
    """Originals beside what the model makes of them."""
    originals = shown.rows if isinstance(shown.rows, dict) else shown.rows[: shown.few]
    return figures.reconstructions(originals, shown.rebuilt)


def samples(shown: Shown) -> Any:
    """New rows, and how they compare with the data."""
    return figures.samples(shown.generated, shown.rows)


def training_curve(shown: Shown) -> Any:
    """How training went."""
    loss = "−ELBO" if shown.vae.model_.has_rate else "−log p(x|z)"
    return figures.training_curve(shown.vae.history_, shown.vae.figures_["best_epoch"] or None, loss_name=loss)


def latent_map(shown: Shown) -> Any:
    """The codes of the data in the two dimensions that say most of a row, coloured by what follows the map."""
    d, (name, share) = shown.codes.shape[1], next(iter(shown.explained.items()))
    colours = shown.measures[name] if share > WORTH_A_COLOUR else None
    if d == 1:
        return line(shown, name)
    title = "" if d == 2 else word("two_of", all=d)
    return figures.latent_map(
        shown.codes[:, shown.pair], colours, law=shown.law, title=title, colour_name=name, axis_names=shown.axis_names
    )


def line(shown: Shown, name: str) -> Axes:
    """A code of one dimension against a column."""
    return figures.code_line(shown.codes[:, 0], shown.measures[name], axis_names=(shown.axis_names[0], name))


def latent_maps(shown: Shown) -> list[Axes]:
    """The same map by what is known of the rows, by the columns that follow it best, and by the stretch of the decoder."""
    follow = [name for name, share in shown.explained.items() if share > WORTH_A_COLOUR]
    best = follow[: MAX_COLOURS - min(len(shown.given), MAX_COLOURS)]
    colours = shown.given | {name: shown.measures[name] for name in best}
    with suppress(DataError):  # the text below the map says why
        colours[word("sensitivity")] = shown.stretch
    codes = shown.codes[:, shown.pair]
    return figures.latent_maps(codes, colours, law=shown.law, axis_names=shown.axis_names)


def posterior_against_laws(shown: Shown, certificate: Certificate | None = None) -> list[Axes]:
    """All posteriors together, and where the draws of the prior and of the fitted law fall; the share of the prior's that fall
    into holes is that of the certificate, where there is one.
    """
    q, pair = shown.posterior, shown.pair
    most = SHOWN_DRAWS if len(pair) > 1 else LAW_DRAWS
    few = {}
    for name, codes in shown.laws.items():
        found = shown.holes(codes)
        certified = certificate and certificate.figures.get("prior_holes") if name == "prior" else None
        share = certified.value if certified and certified.known else math.nan if found is None else found.mean()
        told = word("sampled" if found is None else "sampled_from", prior=word(name), share=float(share))
        in_hole = np.zeros(len(codes), bool) if found is None else found
        few[told] = codes.numpy()[:most, pair], in_hole[:most]
    means, deviations = q.code.numpy()[:, pair], q.deviation.numpy()[:, pair]
    return figures.posterior_against_law(means, deviations, few, axis_names=shown.axis_names)


def walk(shown: Shown) -> Axes:
    """The way between two pictures."""
    start, end, way = shown.walk
    pictures: Any = shown.rows
    return figures.walk(pictures[start], np.asarray(way), pictures[end])


def real_beside_generated(shown: Shown) -> list[Axes]:
    """Pictures of the data beside new ones."""
    return figures.real_beside_generated(np.asarray(shown.rows), np.asarray(shown.generated))


def measures_of(certificate: Certificate) -> list[tuple[str, float, float, float]]:
    """Completeness and continuity of a certificate, and what they are compared with, where they are known."""
    names = [name for of in ("completeness", "continuity") for name in LINES if name.startswith(of)]
    known = {name: certificate[name] for name in names if name in certificate.figures and certificate[name].known}
    return [(label(name), figure.value, figure.low, figure.high) for name, figure in known.items()]


def scene(name: str, shown: Shown) -> Any:
    """One of :data:`SCENES`, drawn once for the run folder and the report."""
    if name not in shown.scenes:
        shown.scenes[name] = SCENES[name](shown)
    return shown.scenes[name]


SCENES: dict[str, Callable[[Shown], Any]] = {
    "reconstructions": reconstructions,
    "samples": samples,
    "latent_map": latent_map,
    "training_curve": training_curve,
}
