"""The certificate: figures with intervals, verdicts, and a sentence that explains each line."""

from __future__ import annotations

import html
import json
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Required, TypedDict

import msgspec

from latente.certificate.estimates import Estimate, as_said
from latente.certificate.verdicts import Verdict
from latente.errors import StorageError, entry
from latente.files import Count, checked
from latente.words import Message, texts

FIGURES = tuple(dict.fromkeys(key.removeprefix("certificate.").rpartition(".")[0]
                for key in texts("en").entries if key.startswith("certificate.")))  # fmt: skip
LINES = {name: (Message(f"certificate.{name}.label"), Message(f"certificate.{name}.sentence")) for name in FIGURES}
"""Label and sentence of each figure, in the order in which they are shown."""


FORMER_NAMES = {"row_law": "row_model", "law": "fitted_prior", "completeness_law": "completeness_fitted_prior"}
"""Keys in certificates of earlier versions."""


class About(TypedDict, total=False):
    """The values of ``about`` in a stored certificate."""

    recipe: Required[str]
    latent_dim: Required[Count]
    rows: Required[Count]
    held_out_rows: Required[Count]
    fitted_prior: str
    row_model: bool
    related_columns: bool
    repeated_rows_left_out: Count
    epsilon: float
    delta: float
    model: str


class Figure(msgspec.Struct, forbid_unknown_fields=True):
    """A stored figure; None is a number that is not finite."""

    value: float | None
    low: float | None
    high: float | None
    reason: str
    messages: dict[str, Any] = {}


class Finding(msgspec.Struct, forbid_unknown_fields=True):
    """A stored verdict."""

    name: str
    evidence: str
    remedy: str
    messages: dict[str, Any] = {}


@dataclass(frozen=True, repr=False)
class Certificate:
    """The measured quality of a latent space.

    Attributes:
        about: recipe, dimensions of the code, numbers of rows, a digest of the model; plain values.
        figures: by name, in display order.
        verdicts: the problems found, the most serious first.
    """

    about: Mapping[str, Any]
    figures: Mapping[str, Estimate]
    verdicts: tuple[Verdict, ...]

    def __getitem__(self, name: str) -> Estimate:
        """A figure by its name."""
        if name in FORMER_NAMES:
            warnings.warn(f"the figure {name!r} is now {FORMER_NAMES[name]!r}", FutureWarning, stacklevel=2)
        return entry(self.figures, FORMER_NAMES.get(name, name), "figure")

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON; a figure is ``{"value", "low", "high", "reason"}`` with None for numbers that are not finite."""
        figures = {name: self.figures[name].to_dict() for name in LINES if name in self.figures}
        return {"about": {**self.about}, **figures, "verdicts": [verdict.to_dict() for verdict in self.verdicts]}

    def to_json(self) -> str:
        """:meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Certificate:
        """The inverse of :meth:`to_dict`.

        Raises:
            StorageError: a value is missing, has a wrong type, or does not belong to a certificate.
        """
        content = checked(values, dict[str, Any], "the certificate")
        about, verdicts = checked(content.pop("about", None), dict[str, Any], "what it is of"), content.pop("verdicts", None)
        content, about = ({FORMER_NAMES.get(name, name): value for name, value in part.items()} for part in (content, about))
        if strange := (content.keys() - LINES.keys()) | (about.keys() - About.__annotations__.keys()):
            raise StorageError(f"a certificate has no {min(strange)!r}")
        figures = {name: _estimate(checked(content[name], Figure, name)) for name in LINES if name in content}
        checked(about, About, "what it is of")
        return cls(about, figures, tuple(map(_verdict, checked(verdicts, list[Finding], "the list of verdicts"))))

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Name, value with interval, and sentence of each figure."""
        for name, (label, sentence) in LINES.items():
            if name in self.figures:
                figure = self.figures[name]
                yield label, shown(figure), _meaning(sentence, figure)

    @property
    def title(self) -> str:
        """Recipe, dimensions and numbers of rows."""
        about = self.about
        recipe, rows = about["recipe"] or "a model", {"rows": about["rows"], "held_out": about["held_out_rows"]}
        return Message("certificate_part.heading", recipe=recipe, d=about["latent_dim"], **rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes that concern all figures."""
        notes = (ROW_MODEL,) if self.about.get("row_model") else ()
        if "epsilon" not in self.about:
            return notes
        return (*notes, Message("certificate_part.private", epsilon=self.about["epsilon"], delta=self.about["delta"]))

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


HEADER = ("figure", "value [95% interval]", "meaning")
ROW_MODEL, NOTHING_FOUND = Message("certificate_part.row_model"), Message("certificate_part.good")


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
    """The label of a figure that belongs to the one above."""
    return _cell(label.strip(), ' style="padding-left: 2em"' if label.startswith(" ") else "")


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _meaning(sentence: str, figure: Estimate) -> str:
    if not figure.known:
        return Message("reason.unknown", reason=figure.reason)
    return f"{sentence} ({figure.reason})" if figure.reason else sentence


def _estimate(figure: Figure) -> Estimate:
    value, low, high = (math.nan if number is None else number for number in (figure.value, figure.low, figure.high))
    return Estimate(value, low, high, _said(figure)["reason"])


def _verdict(finding: Finding) -> Verdict:
    return Verdict(**_said(finding))


def _said(stored: Figure | Finding) -> dict[str, Any]:
    try:
        return as_said(msgspec.structs.asdict(stored))
    except ValueError as error:
        raise StorageError(f"a sentence of the certificate is damaged or was altered: {error}") from error
