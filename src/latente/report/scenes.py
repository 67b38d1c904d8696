"""The figures of run folders and reports, drawn from the data of a report."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from latente.certificate import Certificate
from latente.certificate.certificate import LINES
from latente.data import decoded
from latente.errors import DataError
from latente.model.priors import StandardNormalPrior
from latente.report import figures, quantities
from latente.report.drawing import tables
from latente.report.report_data import PRIOR_DRAWS, ReportData
from latente.rows import IMAGE, SCALAR, SERIES
from latente.words import label, word

WORTH_A_COLOUR = 0.1
MAX_COLOURS = 5
SHOWN_DRAWS, SHOWN_WINDOWS = 300, 9


def reconstructions(shown: ReportData) -> Any:
    """Originals and their reconstructions."""
    return ROWS[shown.layout][0](shown)


def samples(shown: ReportData) -> Any:
    """Generated rows, compared with the data."""
    return ROWS[shown.layout][1](shown)


def _windows(shown: ReportData) -> list[Axes]:
    return figures.windows(np.asarray(shown.rows), np.asarray(shown.rebuilt), shown.names)


def windows_beside_generated(shown: ReportData) -> list[Axes]:
    """Windows of the data beside generated ones."""
    labels = word("real"), word("new")
    return figures.windows(np.asarray(shown.rows), np.asarray(shown.generated), shown.names, labels, together=False)


def window_walk(shown: ReportData) -> list[Axes]:
    """The interpolation between two windows."""
    start, end, way = shown.walk
    rows: Any = shown.rows
    return figures.path(rows[start], np.asarray(way), rows[end], shown.names)


_OF_ROWS = (
    lambda shown: figures.reconstructions(shown.rows, shown.rebuilt),
    lambda shown: figures.samples(shown.generated, shown.rows),
)
ROWS: dict[str, tuple[Callable[[ReportData], Any], Callable[[ReportData], Any]]] = {
    SCALAR: _OF_ROWS,
    IMAGE: _OF_ROWS,
    SERIES: (_windows, windows_beside_generated),
}
"""For each layout the figures of reconstructions and of generated rows."""


def training_curve(shown: ReportData) -> Any:
    """The training curve."""
    loss = "−ELBO" if shown.vae.model_.has_rate else "−log p(x|z)"
    return figures.training_curve(shown.vae.history_, shown.vae.figures_["best_epoch"] or None, loss_name=loss)


def latent_map(shown: ReportData) -> Any:
    """The codes in the two dimensions with the most information about a row, in the colours that the map explains best."""
    d, (name, share) = shown.codes.shape[1], next(iter(shown.explained.items()))
    colours = shown.measures[name] if share > WORTH_A_COLOUR else None
    if d == 1:
        return line(shown, name)
    title = "" if d == 2 else word("two_of", all=d)
    return figures.latent_map(
        shown.codes[:, shown.pair], colours, density=shown.mixture, title=title, colour_name=name, axis_names=shown.axis_names
    )


def line(shown: ReportData, name: str) -> Axes:
    """A code of one dimension against a column."""
    return figures.code_line(shown.codes[:, 0], shown.measures[name], axis_names=(shown.axis_names[0], name))


def latent_maps(shown: ReportData) -> list[Axes]:
    """The map coloured by the given values, by the columns that it explains best, and by the decoder's sensitivity."""
    follow = [name for name, share in shown.explained.items() if share > WORTH_A_COLOUR]
    best = follow[: MAX_COLOURS - min(len(shown.given), MAX_COLOURS)]
    colours = shown.given | {name: shown.measures[name] for name in best}
    with suppress(DataError):  # the text below the map says why
        colours[word("sensitivity")] = shown.sensitivity
    codes, rows = shown.codes[:, shown.pair], [str(number) for number in shown.numbers]
    return figures.latent_maps(codes, colours, density=shown.mixture, axis_names=shown.axis_names, rows=rows)


def posterior_against_priors(shown: ReportData, certificate: Certificate | None = None) -> list[Axes]:
    """The aggregated posterior with samples of the prior and of the fitted prior. The share in prior holes is taken from the
    certificate, if there is one.
    """
    q, pair = shown.posterior, shown.pair
    most = SHOWN_DRAWS if len(pair) > 1 else PRIOR_DRAWS
    few = {}
    for name, codes in shown.priors.items():
        certified = certificate.figures.get("prior_holes") if certificate is not None and name == "prior" else None
        known = certified.value if certified is not None and certified.known else None
        found = shown.occupancy.in_holes(codes if known is None else codes[:most])
        share = known if known is not None else math.nan if found is None else found.mean()
        told = word("sampled" if found is None else "sampled_from", prior=word(name), share=float(share))
        in_hole = np.zeros(len(codes), bool) if found is None else found
        few[told] = codes.numpy()[:most, pair], in_hole[:most]
    means, deviations = q.code.numpy()[:, pair], q.deviation.numpy()[:, pair]
    return figures.posterior_against_samples(means, deviations, few, axis_names=shown.axis_names)


def walk(shown: ReportData) -> Axes:
    """The interpolation between two pictures."""
    start, end, way = shown.walk
    pictures: Any = shown.rows
    return figures.walk(pictures[start], np.asarray(way), pictures[end])


def real_beside_generated(shown: ReportData) -> list[Axes]:
    """Pictures of the data beside generated ones."""
    return figures.real_beside_generated(np.asarray(shown.rows), np.asarray(shown.generated))


def _dimension_names(shown: ReportData) -> list[str]:
    return [f"z{k + 1}" for k in shown.order]


def corner(shown: ReportData) -> list[Axes]:
    """The most informative dimensions of the code, in pairs."""
    standard = shown.vae.model_.prior.name == StandardNormalPrior.name
    return figures.corner(shown.codes[:, shown.order], _dimension_names(shown), standard=standard)


def traversal(shown: ReportData) -> list[Axes]:
    """What changes along each of the most informative dimensions."""
    found = quantities.traversed(shown)
    return figures.traversal(found, quantities.STEPS, _dimension_names(shown)[: len(found)])


def beside_pca(shown: ReportData) -> list[Axes]:
    """The codes beside the first principal components, in the colours of the values given, or of the best explained ones."""
    name, colours = next(iter(shown.given.items()), (None, None))
    if name is None:
        name, share = next(iter(shown.explained.items()))
        colours = shown.measures[name] if share > WORTH_A_COLOUR else None
    return figures.beside_pca(quantities.maps(shown), colours, colour_name=name)


def all_columns(shown: ReportData) -> list[Axes]:
    """Scores of every column of a table."""
    real: Any = shown.rows
    rebuilt: Any = shown.rebuilt
    generated: Any = shown.generated
    scores = {name: (tables.fit(real[name], rebuilt[name]), tables.gap(real[name], generated[name])) for name in real}
    return figures.all_columns(scores)


def errors(shown: ReportData, found: quantities.Rebuilt) -> Any:
    """Reconstructions from the worst to the best."""
    return ERRORS[shown.layout](shown, found)


def _errors_of_rows(shown: ReportData, found: quantities.Rebuilt) -> Axes:
    return figures.errors_by_column(found.errors, shown.names, [str(number) for number in shown.numbers[: len(found.errors)]])


def _errors_of_pictures(shown: ReportData, found: quantities.Rebuilt) -> Axes:
    rebuilt = np.asarray(decoded(shown.vae.codec_, found.x))
    return figures.worst_to_best(np.asarray(shown.rows)[: len(rebuilt)], rebuilt, found.of_rows)


def _errors_of_windows(shown: ReportData, found: quantities.Rebuilt) -> list[Axes]:
    order = np.argsort(-found.of_rows, kind="stable")
    order = order[np.linspace(0, len(order) - 1, min(SHOWN_WINDOWS, len(order))).round().astype(int)]
    rebuilt = shown.of(shown.vae.reconstruct(shown.data.take(order)))
    return figures.windows(np.asarray(shown.rows)[order], np.asarray(rebuilt), shown.names)


ERRORS: dict[str, Callable[[ReportData, quantities.Rebuilt], Any]] = {
    SCALAR: _errors_of_rows,
    IMAGE: _errors_of_pictures,
    SERIES: _errors_of_windows,
}


def anomalies(shown: ReportData, found: quantities.Strange) -> list[Axes]:
    """Anomaly scores, and what makes the strangest rows strange."""
    rows = [str(number) for number in shown.numbers[: len(found.scores)]]
    return figures.anomalies(found.scores, found.surprise, shown.names, rows, threshold=0.0)


def heat_maps(shown: ReportData, found: quantities.Strange) -> list[Axes]:
    """The strangest pictures, and where they are strange."""
    pictures = np.asarray(shown.rows)[: len(found.scores)]
    surprise = found.surprise.reshape(len(found.scores), *shown.vae.codec_.fields[0].shape).sum(1)
    return figures.heat_maps(pictures, surprise, found.scores)


def measures_of(certificate: Certificate) -> list[tuple[str, float, float, float]]:
    """Completeness and continuity of a certificate, with the figures that they are compared with, if known."""
    of = ("completeness", "continuity")
    names = [name for kind in of for name in LINES if name.startswith(kind) and not name.endswith("beyond_pca")]
    known = {name: certificate[name] for name in names if name in certificate.figures and certificate[name].known}
    return [(label(name), figure.value, figure.low, figure.high) for name, figure in known.items()]


def scene(name: str, shown: ReportData) -> Any:
    """One of :data:`SCENES`; it is drawn once for run folder and report."""
    if name not in shown.scenes:
        shown.scenes[name] = SCENES[name](shown)
    return shown.scenes[name]


SCENES: dict[str, Callable[[ReportData], Any]] = {
    "reconstructions": reconstructions,
    "samples": samples,
    "latent_map": latent_map,
    "training_curve": training_curve,
}
