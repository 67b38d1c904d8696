"""The certificate: figures with intervals, verdicts, and a plain sentence for each line."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Required, TypedDict

import msgspec

from latente.certificate.estimates import Estimate
from latente.certificate.verdicts import Verdict
from latente.errors import StorageError, entry
from latente.files import Count, checked

LINES: dict[str, tuple[str, str]] = {
    "completeness": (
        "completeness C",
        "random codes decode to rows like real ones (1: like other real rows; 0: like shuffled columns)",
    ),
    "completeness_prior": ("  from the prior", "the same, with codes drawn from the model's prior"),
    "completeness_law": ("  from the fitted law", "the same, with codes drawn from the law fitted to them"),
    "completeness_ceiling": ("  ceiling", "the same, with the codes of real rows: what is missing to 1 is the decoder's fault"),
    "completeness_pca": ("  PCA", "what as many principal components reach"),
    "completeness_beyond_pca": ("  beyond PCA", "by how much C is above that; the interval is that of the difference"),
    "affinity": ("  S", "how well generated and held-out rows mix: 1 where nobody could tell them apart"),
    "affinity_null": ("  S of shuffled columns", "the same of rows whose columns were shuffled"),
    "affinity_real": ("  S of real rows", "the same of training rows"),
    "continuity": (
        "continuity K",
        "codes near a row's decode near the row (1: as near as the nearest real row; 0: no nearer than any)",
    ),
    "continuity_rho_0.95": ("  nearer", "the same, nearer (rho = 0.95 in place of 0.9)"),
    "continuity_rho_0.8": ("  farther", "the same, farther (rho = 0.8)"),
    "continuity_pca": ("  PCA", "what as many principal components reach"),
    "density": ("density", "rows of random codes lie where real ones do: 1 as often as real rows"),
    "coverage": ("coverage", "places of real rows that rows of random codes reach: 1 as many as real rows"),
    "distortion": ("distortion", "nats of a held-out row that the code loses"),
    "rate": ("rate", "nats that the code of a held-out row costs"),
    "loss": ("loss", "distortion + rate: the negative ELBO"),
    "nll": ("−log p(x)", "at most this, by a tighter, importance-weighted bound"),
    "effective_samples": (
        "  effective samples",
        "codes, of those drawn, that carry that bound; with fewer than 10 it is loose",
    ),
    "gain": ("gain", "nats per row by which the bound is above independent columns"),
    "rate_train": ("rate of training rows", "nats that the code of a training row costs"),
    "mutual_information": ("I(x;z)", "nats that the code of a training row says of it"),
    "marginal_kl": (
        "marginal KL",
        "rate of training rows − I(x;z): nats that a row pays because codes do not follow the prior",
    ),
    "active_units": ("active units", "dimensions of the code that vary with the row"),
    "information_kept": ("variance kept", "share of the held-out rows' variance that the reconstruction has"),
    "information_kept_pca": ("  PCA", "what as many principal components as there are active units keep"),
    "information_beyond_pca": ("  beyond PCA", "by how much more is kept than that; the interval is that of the difference"),
    "prior_holes": ("prior holes", "share of the prior's draws that fall where codes hardly ever are: 1% without holes"),
    "stretch": ("stretch", "change of a decoded row for one standard deviation of the code, in the direction of most change"),
    "condition": ("condition", "change in the direction of most over that of least: 1 where all directions count alike"),
    "gap": ("overfitting gap", "nats by which a held-out row costs more than a training row"),
    "approximation": ("approximation gap", "nats that a row's best normal q(z|x) is short of the tighter bound"),
    "amortisation": ("amortisation gap", "nats that the encoder's q(z|x) is short of the row's best one"),
    "prior_mismatch": ("prior mismatch", "nats that a row would save under the law fitted to the codes"),
    "copying": (
        "copying C_T",
        "about 0 where the rows that sample() gives are like held-out ones; far below 0 they are copies",
    ),
    "nearer_to_training": (
        "  nearer to training",
        "share of the rows that sample() gives that are nearer to training than to held-out rows: 0.5 without copies",
    ),
    "exact_copies": ("  exact copies", "share of the rows that sample() gives that are training rows"),
    "exact_copies_held_out": ("  by chance", "the same of held-out rows, as in tables where rows repeat by nature"),
    "membership": ("membership", "how well the loss tells who was trained on (area under the curve): 0.5 not at all"),
    "membership_at_1": ("  at 1% false alarms", "share of training rows that are found out: 1% without any leak"),
}


class About(TypedDict, total=False):
    """What a stored certificate is of, as far as it is read again."""

    recipe: Required[str]
    latent_dim: Required[Count]
    rows: Required[Count]
    held_out_rows: Required[Count]
    law: str
    row_law: bool
    related_columns: bool
    repeated_rows_left_out: Count
    model: str


class Figure(msgspec.Struct, forbid_unknown_fields=True):
    """A stored figure; None stands for a number that is not finite."""

    value: float | None
    low: float | None
    high: float | None
    reason: str


@dataclass(frozen=True, repr=False)
class Certificate:
    """What was measured of a latent space.

    Attributes:
        about: recipe, dimensions of the code, numbers of rows, a digest of the model; plain values.
        figures: by name, in the order in which they are shown.
        verdicts: what they amount to, the gravest first; none is good news.
    """

    about: Mapping[str, Any]
    figures: Mapping[str, Estimate]
    verdicts: tuple[Verdict, ...]

    def __getitem__(self, name: str) -> Estimate:
        """A figure by its name."""
        return entry(self.figures, name, "figure")

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; a figure is ``{"value", "low", "high", "reason"}``, None where there is none."""
        figures = {name: self.figures[name].to_dict() for name in LINES if name in self.figures}
        return {"about": {**self.about}, **figures, "verdicts": [{**vars(verdict)} for verdict in self.verdicts]}

    def to_json(self) -> str:
        """:meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Certificate:
        """The inverse of :meth:`to_dict`.

        Raises:
            StorageError: something is missing, of another type, or not of a certificate.
        """
        content = checked(values, dict[str, Any], "the certificate")
        about, verdicts = checked(content.pop("about", None), dict[str, Any], "what it is of"), content.pop("verdicts", None)
        if strange := (content.keys() - LINES.keys()) | (about.keys() - About.__annotations__.keys()):
            raise StorageError(f"a certificate has no {min(strange)!r}")
        figures = {name: _estimate(checked(content[name], Figure, name)) for name in LINES if name in content}
        checked(about, About, "what it is of")
        return cls(about, figures, checked(verdicts, tuple[Verdict, ...], "the list of verdicts"))

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Name, value with interval, and sentence of each figure."""
        for name, (label, sentence) in LINES.items():
            if name in self.figures:
                figure = self.figures[name]
                yield label, shown(figure), f"not known: {figure.reason}" if not figure.known else _with(sentence, figure)

    @property
    def title(self) -> str:
        """Of what this is the certificate."""
        about = self.about
        rows = f"{about['rows']:,} training and {about['held_out_rows']:,} held-out rows"
        return f"Latent certificate of {about['recipe'] or 'a model'}, {about['latent_dim']} dimensions: {rows}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the figures together."""
        return (ROW_LAW,) if self.about.get("row_law") else ()

    def __str__(self) -> str:
        rows = [*self.lines()]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        table = [f"{label:<{widths[0]}}  {value:<{widths[1]}}  {sentence}" for label, value, sentence in rows]
        found = [f"{v.name}: {v.evidence}.\n  what to do: {v.remedy}" for v in self.verdicts]
        return "\n".join([self.title, *self.notes, "", *table, "", *(found or [NOTHING_FOUND])])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in HEADER)
        table = "".join(
            f"<tr>{_indented(label)}{_cell(value)}{_cell(sentence)}</tr>" for label, value, sentence in self.lines()
        )
        found = (
            f"<li><b>{html.escape(v.name)}</b>: {html.escape(v.evidence)}. {html.escape(v.remedy)}</li>" for v in self.verdicts
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        end = "<ul>" + "".join(found) + "</ul>" if self.verdicts else f"<p>{NOTHING_FOUND}</p>"
        return (
            f"<h4>{html.escape(self.title)}</h4>{notes}<table><thead><tr>{head}</tr></thead><tbody>{table}</tbody></table>{end}"
        )


HEADER = ("figure", "value [95% interval]", "what it says")
ROW_LAW = "sample() draws rows from a law of their own: copies are looked for among those, and all else is of the latent space."
NOTHING_FOUND = "Nothing to object to was found."


def shown(figure: Estimate) -> str:
    """A figure with its interval.

    >>> shown(Estimate(0.456, 0.41, 0.5)), shown(Estimate(3.0)), shown(Estimate(float("nan"), reason="too few rows"))
    ('0.46 [0.41, 0.50]', '3.00', 'NaN')
    """
    if not figure.known:
        return "NaN"
    low, high = _number(figure.low), _number(figure.high)
    if math.isfinite(figure.low) and math.isfinite(figure.high):
        return f"{_number(figure.value)} [{low}, {high}]"
    return f"{_number(figure.value)} (95%: {high})" if math.isfinite(figure.high) else _number(figure.value)


def _cell(text: str, style: str = "") -> str:
    return f"<td{style}>{html.escape(text)}</td>"


def _indented(label: str) -> str:
    """A cell that lies under the figure to which it belongs."""
    return _cell(label.strip(), ' style="padding-left: 2em"' if label.startswith(" ") else "")


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _with(sentence: str, figure: Estimate) -> str:
    return f"{sentence} ({figure.reason})" if figure.reason else sentence


def _estimate(figure: Figure) -> Estimate:
    value, low, high = (math.nan if number is None else number for number in (figure.value, figure.low, figure.high))
    return Estimate(value, low, high, figure.reason)
