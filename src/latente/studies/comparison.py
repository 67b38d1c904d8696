"""Compare several models of the same rows: their certificates, and the same random codes and interpolations in each."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from latente.certificate import Certificate, Estimate
from latente.certificate.certificate import LINES, shown
from latente.certificate.information import AT_LEAST
from latente.certificate.subjects import Modelled, indicators
from latente.certificate.verdicts import RANDOM_PLACES, Kind, Verdict, verdicts
from latente.data import Codec, PlainRows, decoded, frame, read
from latente.errors import DataError, ModelError, entry, renamed
from latente.estimator import VAE
from latente.fitting.prepare import Prepared
from latente.parameters import Parameters, text_columns
from latente.rows import IMAGE, SCALAR, SERIES, Rows, layout_of, levels_of
from latente.seeding import seed_of, seeded
from latente.studies.places import Places, aligned, emptiness
from latente.studies.ranking import ALL, Ranking, rank
from latente.studies.setup import JUDGED, Chosen, held_out_share, named, silent, uninterrupted
from latente.studies.words import as_html, as_text
from latente.tasks.reconstruct import decode
from latente.words import Message, key_of

RECIPES = ("autoencoder", "vae")
PLACES, SHOWN, ROWS = 2000, 40, 2000
WALKS, STEPS, PAIRS = 3, 9, 10
HOLES = "holes"
SHOWN_FIGURES = (
    "completeness", "completeness_ceiling", "completeness_share", "completeness_standard", "completeness_prior",
    "completeness_fitted_prior", "continuity", "density", "coverage", "distortion", "rate", "loss", "nll",
    "mutual_information", "active_units", "information_kept", "prior_holes", "gap", "copying", "membership",
)  # fmt: skip
"""Figures of a certificate in the table of a comparison."""
PCA = "PCA"
LABELS = {
    **LINES,
    HOLES: (Message("compare.holes"), Message("compare.holes_mean")),
}

EMITTED = {SCALAR: PLACES, IMAGE: SHOWN, SERIES: SHOWN}
"""For each layout how many rows are sampled from p(x|z)."""


@dataclass(frozen=True)
class View:
    """The same random codes and interpolations in one model, in the user's units (see :data:`latente.data.PlainRows`).

    Attributes:
        places: common coordinates of a code of each of some rows, sampled from q(z|x), [N, d].
        empty: which random places are in holes, bool [PLACES].
        holes: their share.
        decoded: means of p(x|z) at the first random places. emitted: rows sampled from p(x|z) at some.
        walks: decoded rows on straight lines between codes, one line after the other.
    """

    places: Tensor
    empty: Tensor
    holes: Estimate
    decoded: PlainRows
    emitted: PlainRows
    walks: tuple[PlainRows, ...]


@dataclass(frozen=True)
class Scene:
    """The random codes, rows and interpolations that are the same for all models.

    Attributes:
        layout: of the rows.
        places: random, from N(0, I), [PLACES, d].
        rows: real rows whose codes are on the maps. ends: the two rows of each interpolation.
        views: one for each model.
    """

    layout: str
    places: Tensor
    rows: PlainRows
    ends: tuple[PlainRows, ...]
    views: Mapping[str, View]


@dataclass(frozen=True, repr=False)
class Comparison:
    """Several models of the same rows. Prints as a table; the figures are in :mod:`latente.report.side_by_side`.

    Attributes:
        about: numbers of rows, dimensions of the code, seed; plain values.
        models: the fitted estimators, by name. certificates: one for each.
        scene: the same random codes and interpolations in each.
    """

    about: Mapping[str, Any]
    models: Mapping[str, VAE]
    certificates: Mapping[str, Certificate]
    scene: Scene

    def __getitem__(self, name: str) -> VAE:
        """A model by its name."""
        return entry(self.models, name, "model here")

    def figures(self, name: str) -> dict[str, Estimate]:
        """The certificate's figures of a model."""
        of = self.certificates[name].figures
        return {**{key: of[key] for key in SHOWN_FIGURES if key in of}, HOLES: self.scene.views[name].holes}

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {
            "about": dict(self.about),
            "models": {
                name: {
                    "figures": {key: figure.to_dict() for key, figure in self.figures(name).items()},
                    "verdicts": [verdict.to_dict() for verdict in self.certificates[name].verdicts],
                    "seconds": model.figures_["seconds"],
                    "epochs": model.figures_["epochs"],
                    "notes": list(model.notes_),
                }
                for name, model in self.models.items()
            },
            "reading": self.reading(),
        }

    def to_frame(self) -> Any:
        """A row for each model, a column for each figure, as the kind of data frame that was passed (pyarrow for arrays)."""
        figures = [self.figures(name) for name in self.models]
        columns: dict[str, list[Any]] = {"model": list(self.models)}
        columns |= {key: [figure[key].value for figure in figures] for key in figures[0]}
        columns["seconds"] = [float(model.figures_["seconds"]) for model in self.models.values()]
        columns["verdicts"] = [", ".join(verdict.name for verdict in c.verdicts) for c in self.certificates.values()]
        return frame(columns, self.about["container"])

    @property
    def header(self) -> tuple[str, ...]:
        """Header of :meth:`lines`; the last column is PCA with the same number of dimensions."""
        return ("", *self.models, PCA)

    def lines(self) -> list[tuple[str, ...]]:
        """A line for each figure, a cell for each model."""
        figures = [self.figures(name) for name in self.models]
        linear = next(iter(self.certificates.values())).figures
        lines = [(LABELS[key][0], *(_cell(key, figure[key]) for figure in figures), _of_pca(key, linear)) for key in figures[0]]
        fits = [model.figures_ for model in self.models.values()]
        verdicts = (_names(c.verdicts) for c in self.certificates.values())
        seconds = (f"{fit['seconds']:.1f}" for fit in fits)
        return [*lines, (Message("compare.seconds"), *seconds, ""), (Message("compare.found"), *verdicts, "")]

    def reading(self) -> list[str]:
        """The table in words."""
        both = ("completeness", "continuity")
        found = [_ranked(LABELS[key][0], {name: self.figures(name)[key] for name in self.models}) for key in both]
        holes = {name: self.scene.views[name].holes for name in self.models}
        if all(figure.known for figure in holes.values()):
            shares = [Message("study.share", model=name, share=figure.value) for name, figure in holes.items()]
            found.append(Message("study.holes", shares=shares))
        judged = ((name, verdict) for name, c in self.certificates.items() for verdict in c.verdicts)
        return [*found, *(Message("study.verdict", model=model, name=v.name, evidence=v.evidence) for model, v in judged)]

    @property
    def title(self) -> str:
        """Title of the comparison."""
        about = self.about
        rows = f"{about['rows']:,} training and {about['held_out_rows']:,} held-out rows"
        return f"{len(self.models)} models of the same rows, {about['latent_dim']} dimensions: {rows}"

    def __str__(self) -> str:
        return "\n".join([self.title, "", as_text(self.header, self.lines()), "", *self.reading()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<h4>{html.escape(self.title)}</h4>{as_html(self.header, self.lines())}"


def _cell(key: str, figure: Estimate) -> str:
    if not figure.known:
        return "–"
    if key == "active_units":
        return f"{figure.value:.0f}"
    return f"≥ {figure.value:.2f}" if key_of(figure.reason) == AT_LEAST else shown(figure)


def _of_pca(key: str, figures: Mapping[str, Estimate]) -> str:
    return _cell(key, figures[f"{key}_pca"]) if f"{key}_pca" in figures else ""


def _names(verdicts: Sequence[Verdict]) -> str:
    return Message("list.commas", parts=[verdict.name for verdict in verdicts]) if verdicts else Message("compare.none")


def _ranked(words: str, figures: Mapping[str, Estimate]) -> str:
    known = {name: figure for name, figure in figures.items() if figure.known}
    if not known:
        return Message("study.unknown", name=words, reason=next(iter(figures.values())).reason)
    order = sorted(known, key=lambda name: -known[name].value)
    values = [Message("study.value", model=name, value=known[name].value) for name in order]
    apart = len(order) > 1 and known[order[0]].low > known[order[1]].high
    key = "single" if len(order) < 2 else "apart" if apart else "overlap"
    return Message(f"study.{key}", name=words, values=values)


@renamed(told="progress")
def compare(
    data: Any,
    recipes: str | Sequence[Chosen] | Mapping[str, Chosen] = RECIPES,
    *,
    latent_dim: int | str = "auto",
    time_limit: float | None = None,
    random_state: Any = None,
    verbose: int = 0,
    progress: Callable[[str], None] = silent,
    seeds: int | None = None,
    budget: float | None = None,
    context: Any = None,
    **parameters: Any,
) -> Comparison | Ranking:
    """Fit several models to the same rows, and compare them.

    All have the same training rows, and are measured on the same held-out rows. One fit of each gives a :class:`Comparison`:
    certificates with the same features, maps, random codes and interpolations of models with the same number of dimensions
    (:mod:`latente.studies.places` explains what the same place in two latent spaces means). Several fits of each, or a context,
    give a :class:`~latente.studies.ranking.Ranking`: which differences of the bound of log p are real.

    Args:
        data: rows, whatever :meth:`latente.VAE.fit` takes.
        recipes: names of models, or recipes; a mapping gives them other names. "all" for all that can be fitted to rows alone,
            or with ``context`` for all that are not private, as a ranking.
        latent_dim: dimensions of all codes; "auto" estimates them from the data.
        time_limit: seconds of training for all models together, divided equally.
        random_state: a seed. verbose: 1 shows a progress bar. progress: called with the name of each model before it is fitted.
        seeds: how many fits of each; for a ranking 3 by default.
        budget: seconds for all fits of a ranking together, divided equally.
        context: as in :meth:`latente.VAE.fit`. Certificates and maps describe one context, and are not in this ranking.
        parameters: further parameters of :class:`latente.VAE`, the same for all; by default ``validation_fraction`` holds out
            200 rows, but at least a tenth and at most a third.

    Raises:
        DataError: a model can't be fitted to the rows, or there are too few to hold some out.
        ModelError: a recipe is unknown, or there is none; more dimensions than fields.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 2)) @ np.array([[1, 2, 0.5], [0, 1, -1]])
    >>> found = compare(rows, latent_dim=2, max_epochs=3, random_state=0)
    >>> list(found.models), found.about["held_out_rows"]
    (['autoencoder', 'vae'], 67)
    >>> found = compare(rows, ["vae", "iwae"], seeds=2, latent_dim=2, max_epochs=3, random_state=0)
    >>> sorted(found.entries), len(found.differences)
    (['iwae', 'vae'], 1)
    """
    common = {"latent_dim": latent_dim, "random_state": random_state, **parameters}
    if recipes == ALL or not (seeds is None and budget is None and context is None):
        every = {"seeds": 3 if seeds is None else seeds, "budget": budget or time_limit, "context": context}
        return rank(data, recipes, progress=progress, **every, **common)
    return _side_by_side(data, recipes, time_limit, progress, {**common, "verbose": verbose})


def _side_by_side(
    data: Any,
    recipes: str | Sequence[Chosen] | Mapping[str, Chosen],
    time_limit: float | None,
    progress: Callable[[str], None],
    parameters: Mapping[str, Any],
) -> Comparison:
    """One fit of each recipe."""
    chosen, seed = named(recipes), seed_of(parameters["random_state"])
    if time_limit is not None and not (isinstance(time_limit, Real) and 0 < time_limit < math.inf):
        raise ModelError(f"time_limit is {time_limit!r}; it must be None or a positive number of seconds")
    rows = read(data, texts=text_columns(parameters.get("kinds")))
    share = None if time_limit is None else float(time_limit) / len(chosen)
    common = {"validation_fraction": held_out_share(len(rows), JUDGED), **parameters}
    common |= {"time_limit": share, "random_state": seed}
    d = _dimensions(rows, common)
    models = {}
    for name, recipe in chosen.items():
        progress(name)
        models[name] = uninterrupted(VAE(recipe, **{**common, "latent_dim": d}).fit(rows))
    certificates = {name: model.certificate() for name, model in models.items()}
    figures = next(iter(models.values())).figures_
    about = {"rows": figures["rows"], "held_out_rows": figures["held_out_rows"], "latent_dim": d, "seed": seed,
             "container": rows.container}  # fmt: skip
    scene = _scene(models, seed)
    found = {name: judged(certificates[name], scene.views[name].holes, model) for name, model in models.items()}
    return Comparison(about, models, found, scene)


def judged(certificate: Certificate, holes: Estimate, vae: VAE) -> Certificate:
    """A certificate whose verdicts also use the share of random places in holes, as shown in the table."""
    about = certificate.about
    kind = Kind(vae.model_.has_rate, bool(about["row_model"]), bool(about["related_columns"]))
    return replace(certificate, verdicts=verdicts({**certificate.figures, RANDOM_PLACES: holes}, kind))


def _dimensions(rows: Any, common: Mapping[str, Any]) -> int:
    """The number of dimensions; it is checked with the other parameters before training."""
    prepared = Prepared.of(rows, Parameters.of(VAE(**common)), common["random_state"])
    if prepared.split.held_out is None:
        raise DataError(f"models are compared on rows that are held out, and of {len(rows)} rows none can be: bring more")
    return prepared.blueprint.latent_dim


def _scene(models: Mapping[str, VAE], seed: int) -> Scene:
    """The same random codes and interpolations in all models."""
    first = next(iter(models.values()))
    at_hand = first.fitted_.at_hand
    assert at_hand is not None
    assert at_hand.held_out is not None
    train, held_out = at_hand.train.subsample(ROWS), at_hand.held_out.subsample(ROWS)
    codec, values = first.codec_, indicators(train, levels_of(first.codec_.fields))
    with seeded(seed, "comparison"):
        subjects = {name: Modelled(vae.model_, codec.fields, held_out) for name, vae in models.items()}
        drawn = {name: subject.codes(train) for name, subject in subjects.items()}
        means, spaces = zip(*((vae.model_.codes(train), vae.model_.space) for vae in models.values()), strict=True)
        ways = dict(zip(models, aligned(list(drawn.values()), means, values, spaces), strict=True))
        random = torch.randn(PLACES, first.latent_dim_, dtype=torch.float64)
        ends = [_apart(held_out) for _ in range(WALKS if len(held_out) > 1 else 0)]
        views = {
            name: _view(subject, ways[name], random, (drawn[name], held_out), ends, codec) for name, subject in subjects.items()
        }
    real, *pairs = (decoded(codec, rows.x, rows.mask) for rows in (train, *ends))
    return Scene(layout_of(codec.fields), random, real, tuple(pairs), views)


def _view(
    subject: Modelled, ways: Places, random: Tensor, real: tuple[Tensor, Rows], ends: Sequence[Rows], codec: Codec
) -> View:
    """The view of one model."""
    drawn, held_out = real
    of_rows = ways.of(drawn)
    empty, share = emptiness(random, of_rows, ways.of(subject.codes(held_out)))
    means = decoded(codec, decode(subject.model, ways.codes(random[:SHOWN])))
    some = ways.codes(random[: EMITTED[layout_of(codec.fields)]])
    emitted = decoded(codec, subject.draws(some), possible=True)
    model, walks = subject.model, []
    for pair in ends:
        codes = model.codes(pair)
        walks.append(decoded(codec, decode(model, model.space.path(codes[:1], codes[1:], STEPS))))
    return View(of_rows, empty, share, means, emitted, tuple(walks))


def _apart(rows: Rows) -> Rows:
    """The two rows that are farthest apart among some random pairs."""
    pairs = [rows[torch.randperm(len(rows))[:2]] for _ in range(PAIRS)]
    return max(pairs, key=lambda pair: float((pair.x[0] - pair.x[1]).square().sum()))
