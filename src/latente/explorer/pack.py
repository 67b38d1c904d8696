"""From fitted models to a pack: all that a page needs to decode, encode, and draw the map. It contains no rows by default.

Without rows, a pack still reveals the names of columns, the levels of texts (however rare), the smallest and the largest value,
frequent values, the edges and counts of bins, densities of the codes, and the trained weights. The certificate measures what
the weights reveal (copying, membership).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from latente.data import Images, SeriesCodec, Table, read
from latente.data.containers import Array
from latente.errors import DataError
from latente.explorer.block import Block
from latente.explorer.forward import Forward
from latente.explorer.priors import fitted_spec, prior_of
from latente.explorer.recorder import Unknown
from latente.explorer.survey import PlaneOf, Survey, posterior_moments
from latente.explorer.views import view_of
from latente.rows import Rows, layout_of
from latente.version import __version__
from latente.words import LANGUAGES, Message, said

if TYPE_CHECKING:
    from latente.certificate import Certificate
    from latente.estimator import VAE

TOO_LARGE = 30_000_000  # multiply-adds of one row, above which a page does not decode by itself
MAX_WHOLE_ROWS = 20_000
MAX_COLOURS, COLOUR_BYTES = 32, 1_500_000
MIN_ROWS = 20  # for a page without rows: with fewer rows, sums over them reveal nearly what each contains
FIGURES = ("loss", "distortion", "rate", "active_units", "rows", "held_out_rows")


@dataclass(frozen=True, eq=False)
class PackedModel:
    """One model of a pack.

    Attributes:
        vae: the fitted estimator.
        survey: what was measured of its space. certificate: if there is one.
        rows: encoded rows to put into the pack with their codes; None (the default) puts none.
        labels: further columns to colour the rows by: a name, and for each row an integer or a text.
    """

    vae: VAE
    survey: Survey
    certificate: Certificate | None = None
    rows: Rows | None = None
    labels: Mapping[str, Sequence[Any]] = field(default_factory=dict)


class Curve(NamedTuple):
    """Completeness of rows decoded from N(0, I), and continuity; None where unknown."""

    completeness: float | None
    continuity: float | None


@dataclass(frozen=True, eq=False)
class Snapshots:
    """The codes of some rows at T moments of a training.

    Attributes:
        rows: their places among the rows of the page, [N]. codes: posterior means, [T, N, 2].
        epochs, reconstruction, kl: of each moment; the latter two are -log p(x|z) and KL, nats per row.
    """

    rows: Array
    codes: Array
    epochs: Sequence[int]
    reconstruction: Sequence[float]
    kl: Sequence[float]

    def write(self, block: Block) -> dict[str, Any]:
        """The snapshots as the page reads them: codes in 16 bits."""
        low, high = float(self.codes.min()), float(self.codes.max())
        steps = np.rint(65535 * (self.codes - low) / ((high - low) or 1.0))
        losses = {"reconstruction": list(self.reconstruction), "kl": list(self.kl)}
        places = {"rows": block.add(self.rows, "i4"), "codes": block.add(steps, "u2")}
        return {**places, "low": low, "high": high, "epochs": list(self.epochs), **losses}


@dataclass(frozen=True, eq=False)
class Lesson:
    """Small models for the lesson.

    Attributes:
        squeeze: autoencoders of increasing size. regularisation: models of one size with increasing beta.
        curves: what was measured of the latter, in the same order; () where it was not. training: of one of them.
    """

    squeeze: tuple[PackedModel, ...]
    regularisation: tuple[PackedModel, ...]
    curves: tuple[Curve, ...] = ()
    training: Snapshots | None = None

    def write(self, block: Block, notes: list[Message]) -> dict[str, Any]:
        """The lesson as the page reads it."""
        return {
            "squeeze": [_model(subject, block, notes, False) for subject in self.squeeze],
            "regularisation": [_model(subject, block, notes, False) for subject in self.regularisation],
            "curves": [curve._asdict() for curve in self.curves],
            "training": self.training and self.training.write(block),
        }


def pack(
    title: str, models: Sequence[PackedModel], lesson: Lesson | None = None, served: bool = False, near: float | None = None
) -> bytes:
    """A pack of one model, or of two to compare, and of those for the lesson.

    Args:
        title: the title of the page.
        models: one or two, the main one first.
        lesson: the small models.
        served: whether the page has a server.
        near: of pictures, the distance to a real one within which the page counts a hit; None for that of its rows.

    Raises:
        DataError: the models have different columns, or pictures of different sizes.
    """
    block, notes = Block(), list[Message]()
    every = [*models, *(lesson.squeeze + lesson.regularisation if lesson else ())]
    for other in every[1:]:
        check_same_input(models[0].vae, other.vae)
    header = {
        "title": title,
        "latente": __version__,
        "rows": fitted_on(models[0].vae),
        "served": served,
        "near": near,
        "models": [_model(subject, block, notes, served) for subject in models],
        "lesson": lesson and lesson.write(block, notes),
        "population": [block.add(shares) for shares in models[0].survey.population],
        "notes": [*(in_languages(note) for note in dict.fromkeys(notes)), *_warned_of_few(models)],
    }
    return block.bytes(header)


def fitted_on(vae: VAE) -> int:
    """Number of rows that a model was fitted on, including validation rows."""
    return int(vae.figures_["rows"] + vae.figures_["held_out_rows"])


def _warned_of_few(models: Sequence[PackedModel]) -> Iterable[dict[str, str]]:
    """Warnings for models of so few rows that a page without rows reveals them too."""
    for vae in (model.vae for model in models if model.rows is None):
        if (n := fitted_on(vae)) < MIN_ROWS:
            yield in_languages(Message("explorer.few_rows", recipe=vae.recipe_.name, n=n))


def header_of(content: bytes) -> dict[str, Any]:
    """The header of a pack."""
    length = int.from_bytes(content[12:16], "little")
    header: dict[str, Any] = json.loads(content[16 : 16 + length])
    return header


def check_same_input(first: VAE, second: VAE) -> None:
    """Check that two models have the same columns, or pictures of the same size.

    Raises:
        DataError: they do not.
    """
    a, b = first.codec_, second.codec_
    same = layout_of(a.fields) == layout_of(b.fields) and view_of(a).identity(a) == view_of(b).identity(b)
    if not same:
        raise DataError("the two models are not of the same columns: fit both on the same data, of the same kinds")


def _model(subject: PackedModel, block: Block, notes: list[Message], served: bool) -> dict[str, Any]:
    vae, survey = subject.vae, subject.survey
    model = vae.model_
    if not survey.measured:
        notes.append(Message("explorer.not_measured", recipe=vae.recipe_.name))
    computed, cost = _computed(vae, block, notes, served)
    return {
        "recipe": vae.recipe_.name,
        "beta": _beta(vae),
        "stochastic": model.has_rate,
        "d": model.latent_dim,
        "names": [f"z{j + 1}" for j in range(model.latent_dim)],
        "active": list(survey.active),
        "centre": block.add(survey.centre),
        "spread": block.add(survey.spread),
        "planes": [_plane(plane, block, counted=subject.rows is not None and p > 1) for p, plane in enumerate(survey.planes)],
        "fitted": fitted_spec(vae.fitted_prior_, block, notes, vae.seed_),
        "prior": prior_of(model, block, notes) if model.has_rate else None,
        "units": view_of(vae.codec_).units(vae.codec_, model.likelihood, block),
        "multiply_adds": cost,
        "computed": computed,
        "points": None if subject.rows is None else _points(subject, subject.rows, block),
        "certificate": _certificate(subject.certificate),
        "verdicts": subject.certificate and [in_languages(verdict.message) for verdict in subject.certificate.verdicts],
        "figures": {**{name: vae.figures_.get(name) for name in FIGURES}, "variance_kept": survey.kept},
    }


def _computed(vae: VAE, block: Block, notes: list[Message], served: bool) -> tuple[dict[str, Any], int]:
    """Decoder and encoder as graphs, and the multiply-adds of decoding one row. A graph is None if the page can't run it or it
    is too large; the server computes it then.
    """
    graphs = Forward(copy.deepcopy(vae.model_).to("cpu", torch.float64).eval(), vae.codec_).graphs()
    found: dict[str, Any] = {"decoder": None, "encoder": None}
    cost = 0
    try:
        decoder = next(graphs)
        cost = decoder.multiply_adds
        if cost > TOO_LARGE:
            raise Unknown(Message("explorer.too_large", cost=cost / 1e6))
        found["decoder"], found["encoder"] = decoder.write(block), next(graphs).write(block)
    except Unknown as error:
        by = Message("explorer.server" if served else "explorer.needs_server")
        notes.append(Message("explorer.not_computed", recipe=vae.recipe_.name, cause=error.args[0], by=by))
    return found, cost


def _beta(vae: VAE) -> float | None:
    """The weight of the KL in the objective; None if it is not a single number."""
    objective = vae.recipe_.objective
    if objective.name == "reconstruction":
        return 0.0
    return float(objective.arguments.get("beta", 1.0)) if objective.name == "elbo" else None


def _plane(plane: PlaneOf, block: Block, counted: bool) -> dict[str, Any]:
    """A plane; its density is left out if the page can count it in the codes of the rows that it contains."""
    ends = {name: block.add(getattr(plane, name)) for name in ("origin", "across", "up")}
    posterior = None if plane.posterior is None or counted else block.grid(plane.posterior)
    return {"kind": plane.kind, "dimensions": plane.dimensions, **ends, "range": plane.range, "posterior": posterior}


def _certificate(certificate: Certificate | None) -> dict[str, Any]:
    if certificate is None:
        return {}
    return {name: {**figure.to_dict(), "reason": in_languages(figure.reason)} for name, figure in certificate.figures.items()}


def in_languages(sentence: str) -> dict[str, str]:
    """A message in each language of the page."""
    return {lang: said(sentence, lang) for lang in LANGUAGES} if sentence else {}


# ---------------------------------------------------------------------------------------------------------------- rows


def rows_of(vae: VAE, data: Any) -> Rows:
    """Encoded rows of whatever ``fit`` takes.

    Raises:
        DataError: they do not have the model's columns.
    """
    codec = vae.codec_
    if isinstance(codec, SeriesCodec):
        return vae.fitted_.values(data, vae.unknown)
    source: Table | Images = read(data, codec.feature_names if codec.named else None, codec.text_names)
    return codec.encode(source, vae.unknown)


def _points(subject: PackedModel, rows: Rows, block: Block) -> dict[str, Any]:
    """Codes in 16 bits, columns to colour them by in 8 bits, and, unless there are too many, the rows."""
    vae = subject.vae
    codes = posterior_moments(vae.model_, rows)[0]
    low, high = codes.min(0), codes.max(0)
    scaled = (codes - low) / np.where(high > low, high - low, 1.0)
    whole = len(rows) <= MAX_WHOLE_ROWS
    most = min(MAX_COLOURS, max(1, COLOUR_BYTES // len(rows)))
    colours = [*_labels(subject.labels, block), *view_of(vae.codec_).colours(vae.codec_, rows, block, most)]
    return {
        "count": len(rows),
        "codes": block.add(np.rint(65535 * scaled), "u2"),
        "low": block.add(low, "f8"),
        "high": block.add(high, "f8"),
        "columns": colours[:most],
        "rows": view_of(vae.codec_).whole(vae.codec_, rows, block) if whole else None,
    }


def _labels(labels: Mapping[str, Sequence[Any]], block: Block) -> Iterable[dict[str, Any]]:
    for name, values in labels.items():
        texts, places = np.unique(np.asarray(values).astype(str), return_inverse=True)
        yield {"name": name, "labels": texts.tolist(), "values": block.add(places, "u1"), "low": 0, "high": 254}
