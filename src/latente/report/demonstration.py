"""The comparison of ``latente demo``: an autoencoder beside a VAE, in figures, sentences and one picture.

A sentence that compares is chosen by the intervals of the figures that it contains, so that none says more than these show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from latente.certificate import Certificate, Estimate
from latente.certificate.estimates import mean_of
from latente.data.digits import drawn_digits
from latente.report import figures
from latente.report.page import Block, Grid, Listing, Paragraph, Section, picture
from latente.studies.generating import DRAWS, GAUSSIAN, PLACES, STANDARD, Decoded, decoded_codes
from latente.words import Texts, number

if TYPE_CHECKING:
    from latente.estimator import VAE

NAMES = ("autoencoder", "vae")
FITTED_DIGITS, OTHER_DIGITS = 2000, 500
FORMS = {
    "error": ".0f",
    **{f"near_{place}": ".0%" for place in PLACES},
    **{f"{name}_{place}": ".2f" for name in ("density", "coverage") for place in (STANDARD, GAUSSIAN)},
    **dict.fromkeys(("completeness_standard", "completeness", "completeness_ceiling", "completeness_share"), ".2f"),
    "continuity": ".2f",
}
"""The figures of the table, in this order, and how their values are written."""
COMPARED = ("error", "near_standard", "completeness_standard", "near_box", "near_gaussian", "continuity")
"""Those with a sentence."""
GENERATES, PRIOR_WORKS = 0.5, 0.9  # shares of near draws from which the lesson's conclusion holds


@dataclass(frozen=True)
class Digits:
    """Pictures of digits ``[N, 14, 14]`` with their classes ``[N]``: those of the fits, and others."""

    fitted: NDArray[Any]
    fitted_classes: NDArray[Any]
    others: NDArray[Any]
    other_classes: NDArray[Any]

    @classmethod
    def draw(cls, seed: int = 0) -> Digits:
        """2,000 digits for the fits, and 500 others."""
        n = FITTED_DIGITS
        pictures, classes = drawn_digits(n + OTHER_DIGITS, seed)
        return cls(pictures[:n], classes[:n], pictures[n:], classes[n:])


@dataclass(frozen=True)
class Compared:
    """One of the two models, and its figures on digits that took no part in the fits.

    Attributes:
        vae: the fitted estimator.
        codes, rebuilt: of the other digits.
        decoded: what random codes decode to, by the distribution that they are drawn from.
        error: root mean square error of the pixels, in grey levels of 255.
        certificate: of the latent space.
    """

    vae: VAE
    codes: NDArray[Any]
    rebuilt: NDArray[Any]
    decoded: Mapping[str, Decoded]
    error: Estimate
    certificate: Certificate

    @classmethod
    def of(cls, vae: VAE, certificate: Certificate, digits: Digits, seed: int) -> Compared:
        """Measure a model."""
        codes, rebuilt = vae.transform(digits.others), vae.reconstruct(digits.others)
        squared = np.square(rebuilt.astype(float) - digits.others).mean(axis=(1, 2))
        decoded = decoded_codes(vae, digits.others, DRAWS, seed)
        return cls(vae, codes, rebuilt, decoded, root(mean_of(squared)), certificate)

    def figure(self, name: str) -> Estimate:
        """A figure by its name in :data:`FORMS`."""
        if name == "error":
            return self.error
        kind, _, place = name.rpartition("_")
        found: Estimate = getattr(self.decoded[place], kind) if kind in KINDS else self.certificate[name]
        return found

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Names of the verdicts of its certificate."""
        return tuple(verdict.name for verdict in self.certificate.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """The measured figures, plain values only."""
        decoded = {place: found.to_dict() for place, found in self.decoded.items()}
        own = {"error": self.error.to_dict(), "decoded": decoded, "certificate": self.certificate.to_dict()}
        return {**self.vae.figures_, **own}


KINDS = ("near", "density", "coverage")


def root(figure: Estimate) -> Estimate:
    """The square root of a nonnegative figure."""
    value, low, high = (math.sqrt(max(0.0, number)) for number in (figure.value, figure.low, figure.high))
    return replace(figure, value=value, low=low, high=high)


def draw(models: Mapping[str, Compared], digits: Digits, say: Texts) -> list[Axes]:
    """Both models in one picture."""
    standard = (np.zeros((1, 2)), np.eye(2)[None], np.ones(1))
    sides = [_side(m, say) for m in models.values()]
    titles = (say("demo.autoencoder"), say("demo.vae"))
    return figures.ae_beside_vae(digits.others, sides[0], sides[1], digits.other_classes, density=standard, titles=titles)


def _side(model: Compared, say: Texts) -> figures.Side:
    standard, gaussian = model.decoded[STANDARD], model.decoded[GAUSSIAN]
    axes = (say("demo.axis", number=1), say("demo.axis", number=2))
    drawn, fitted = np.asarray(standard.rows), np.asarray(gaussian.rows)
    told, codes = captions(model, say), principal(model.codes)
    return figures.Side(model.rebuilt, drawn, codes, told, axes, standard.hits, fitted, gaussian.hits)


def principal(codes: NDArray[Any]) -> NDArray[Any]:
    """Codes [N, d] in the two directions of largest variance, [N, 2]; the origin stays, so that N(0, I) is the same there."""
    axes = np.linalg.eigh(np.cov(codes.T))[1][:, ::-1][:, :2]
    return np.asarray(codes @ axes)


def captions(model: Compared, say: Texts) -> tuple[str, ...]:
    """The titles of a model's panels."""
    told = {name: model.figure(name).value for name in ("error", "near_standard", "near_gaussian")}
    return tuple(say(f"demo.panel.{name}", **told) for name in ("rebuilt", "standard", "gaussian", "map"))


def beside(models: Mapping[str, Compared], panels: list[Axes], say: Texts) -> Section:
    """Section with both models: conclusion, picture, sentences and table."""
    rows = [(say(f"demo.row.{name}"), *(written_out(name, m.figure(name)) for m in models.values())) for name in FORMS]
    rows.append((say("demo.row.verdicts"), *(listed(m.verdicts, say) for m in models.values())))
    head = ("", say("demo.autoencoder"), say("demo.vae"))
    blocks: list[Block] = [Paragraph(conclusion(models, say), "note")]
    blocks.append(picture(panels, alternative(models, say), say("demo.caption")))
    blocks.append(Listing([("", sentence) for sentence in story(models, say)]))
    blocks += [Grid(say("demo.table"), head, rows, frozenset({1, 2})), Paragraph(say("demo.blur")), Paragraph(say("demo.then"))]
    return Section(say("demo.section"), blocks)


def conclusion(models: Mapping[str, Compared], say: Texts) -> str:
    """What the demo teaches, if its figures show it; else that they do not."""
    autoencoder, vae = (models[name] for name in NAMES)
    of_prior, other = vae.figure("near_standard"), autoencoder.figure("near_standard")
    shown = difference(other, of_prior) == "above" and of_prior.value >= PRIOR_WORKS
    shown = shown and autoencoder.figure("near_gaussian").value >= GENERATES
    return say("demo.conclusion" if shown else "demo.not_shown")


def alternative(models: Mapping[str, Compared], say: Texts) -> str:
    """The result of the picture in words."""
    shares = {name: models[name].figure("near_standard").value for name in NAMES}
    return say("demo.alt", **shares)


def story(models: Mapping[str, Compared], say: Texts) -> list[str]:
    """A sentence for each compared figure, and one for the verdicts."""
    first, second = (models[name] for name in NAMES)
    found = [compared(name, first.figure(name), second.figure(name), say) for name in COMPARED]
    judged = {name: models[name].verdicts for name in NAMES if models[name].verdicts}
    if not judged:
        return [*found, say("demo.story.nothing")]
    return [
        *found,
        *(say("demo.story.verdicts", model=say(f"demo.{name}"), verdicts=listed(v, say)) for name, v in judged.items()),
    ]


def compared(name: str, autoencoder: Estimate, vae: Estimate, say: Texts) -> str:
    """The comparison of a figure of both models, as a sentence."""
    told = {"autoencoder": number(autoencoder.value, FORMS[name]), "vae": number(vae.value, FORMS[name])}
    return say(f"demo.story.{name}.{difference(autoencoder, vae)}", **told)


def difference(autoencoder: Estimate, vae: Estimate) -> str:
    """The VAE's figure in comparison with the autoencoder's: "above" or "below" if the intervals do not overlap, "alike" if
    they do, or "unknown".
    """
    if not (autoencoder.known and vae.known):
        return "unknown"
    return "above" if vae.low > autoencoder.high else "below" if vae.high < autoencoder.low else "alike"


def written_out(name: str, figure: Estimate) -> str:
    """A figure with its interval, for a table."""
    form = FORMS[name]
    if not figure.known:
        return "–"
    if not math.isfinite(figure.low + figure.high):
        return number(figure.value, form)
    return f"{number(figure.value, form)} [{number(figure.low, form)}, {number(figure.high, form)}]"


def listed(verdicts: tuple[str, ...], say: Texts) -> str:
    """Names of verdicts in a language."""
    return ", ".join(map(say.said, verdicts)) or say("demo.none")
