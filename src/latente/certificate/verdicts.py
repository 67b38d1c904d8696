"""Problems that the figures show: each verdict with its evidence and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latente.certificate.completeness import ALIKE
from latente.certificate.estimates import Estimate, as_plain
from latente.training.diagnosis import finding
from latente.words import Message, key_of

NEXT_TO_NOTHING = 0.05
MIN_INFORMATION = 0.1  # nats
MAX_HOLES = 0.1
MAX_SHORT_OF_CEILING = 0.2
COPYING = -3.0  # standard errors
FAR_LESS = 0.75  # of the variance that PCA explains
NOT_CARRIED_OVER = 0.1  # share of the gain over independent columns
RANDOM_PLACES = "random_places"  # figure of a comparison: share of the same random codes in holes
AS_COMPLETE = 0.05  # a difference in C whose interval is below this does not count


@dataclass(frozen=True)
class Verdict:
    """A finding: its name, its evidence, and a remedy."""

    name: str
    evidence: str
    remedy: str

    @classmethod
    def of(cls, name: str, remedy: str, evidence: Sequence[str]) -> Verdict:
        """From keys of ``verdict`` and the parts of the evidence."""
        joined = evidence[0] if len(evidence) == 1 else Message("list.semicolons", parts=list(evidence))
        return cls(Message(f"verdict.{name}"), joined, Message(f"verdict.{remedy}"))

    @property
    def message(self) -> Message:
        """The verdict as one sentence: the same in a fit and on the command line."""
        return finding(**vars(self))

    def to_dict(self) -> dict[str, Any]:
        """Plain values: each part in English, and as a message."""
        return as_plain(**vars(self))

    def __str__(self) -> str:
        return str(self.message)


@dataclass(frozen=True)
class Kind:
    """Facts besides the figures that evidence and remedies depend on.

    Attributes:
        stochastic: whether the model has a prior and a beta; an autoencoder does not.
        row_model: whether a separate row model generates new rows, without a code.
        related: whether pairs of columns depend on one another; with few validation rows the contrast may miss this.
    """

    stochastic: bool = True
    row_model: bool = False
    related: bool = False


Figures = Mapping[str, Estimate]
Rule = Callable[[Figures, Kind], "Verdict | None"]


def verdicts(figures: Figures, kind: Kind = Kind()) -> tuple[Verdict, ...]:
    """All verdicts that apply, the most serious first."""
    found = (rule({**figures}, kind) for rule in RULES)
    return tuple(verdict for verdict in found if verdict is not None)


def no_structure(figures: Figures, kind: Kind) -> Verdict | None:
    """Rows with shuffled columns pass for real rows, and the model explains no more than independent columns."""
    completeness, gain = _of(figures, "completeness"), _of(figures, "gain")
    if key_of(completeness.reason) != ALIKE or gain.low > 0 or kind.related:
        return None
    explained = [Message("verdict.gain", gain=gain.value)] if gain.known else []
    return Verdict.of("no_structure.name", "no_structure.remedy", [completeness.reason, *explained])


def collapsed(figures: Figures, kind: Kind) -> Verdict | None:
    """The code does not depend on the row, although the columns depend on one another."""
    if no_structure(figures, kind) is not None:
        return None
    information, active = _of(figures, "mutual_information"), _of(figures, "active_units")
    measured = [_of(figures, name) for name in ("completeness", "continuity")]
    empty = all(figure.known and figure.value <= NEXT_TO_NOTHING for figure in measured)
    if not (information.value < MIN_INFORMATION or active.value == 0 or empty):
        return None
    shown = (_figure(name, _of(figures, name)) for name in ("mutual_information", "active_units", "completeness", "continuity"))
    evidence = Message("list.commas", parts=[part for part in shown if part])
    return Verdict.of("collapsed.name", _of_kind("collapsed.remedy", kind), [evidence])


def _figure(name: str, figure: Estimate) -> str:
    label = Message(f"certificate.{name}.label")
    return Message("verdict.collapsed.figure", name=label, value=figure.value) if figure.known else ""


def _of_kind(remedy: str, kind: Kind) -> str:
    """The key of a remedy for a VAE or an autoencoder."""
    return remedy if kind.stochastic else f"{remedy}_autoencoder"


def holes(figures: Figures, kind: Kind) -> Verdict | None:
    """Random codes decode worse than the codes of rows, or are far from all codes."""
    found = []
    fitted, reached = _of(figures, "completeness_fitted_prior"), _of(figures, "completeness")
    for name, key in (("prior_holes", "prior"), (RANDOM_PLACES, "places")):
        if (share := _of(figures, name)).low > MAX_HOLES:
            found.append(Message(f"verdict.holes.{key}", share=share.value))
    if _short_of_ceiling(figures, reached):
        own = figures["completeness_ceiling"].value
        found.append(Message("verdict.holes.ceiling", reached=reached.value, own=own))
    if not found:
        return None
    if fitted.known:
        found.append(Message("verdict.holes.fitted", value=fitted.value))
    remedy = Message(f"verdict.{_of_kind('holes.remedy', kind)}")
    remedies = Message("list.semicolons", parts=[*_about_samples(figures, kind), remedy])
    return Verdict(Message("verdict.holes.name"), Message("list.semicolons", parts=found), remedies)


def _short_of_ceiling(figures: Figures, reached: Estimate) -> bool:
    ceiling = _of(figures, "completeness_ceiling")
    return ceiling.low - reached.high > 0 and ceiling.value - reached.value > MAX_SHORT_OF_CEILING


def _about_samples(figures: Figures, kind: Kind) -> list[str]:
    """Whether the rows of ``sample()`` are affected by holes."""
    fitted = _of(figures, "completeness_fitted_prior")
    if kind.row_model:
        return [Message("verdict.holes.row_model")]
    clear = "not_clear" if _short_of_ceiling(figures, fitted) else "clear"
    return [Message(f"verdict.holes.{clear}")] if fitted.known else []


def copies(figures: Figures, kind: Kind) -> Verdict | None:
    """Generated rows are closer to training rows than expected, and not only because they are concentrated."""
    score, share, exact = (_of(figures, name) for name in ("copying", "nearer_to_training", "exact_copies"))
    if not (score.value < COPYING and share.low > 0.5):
        return None
    evidence = [Message("verdict.copies.score", score=score.value), Message("verdict.copies.nearer", share=share.value)]
    evidence += [Message("verdict.copies.exact", share=exact.value)] if exact.value > 0 else []
    return Verdict.of("copies.name", "copies.remedy", evidence)


def overfits(figures: Figures, kind: Kind) -> Verdict | None:
    """Much of what the model learned does not generalise to other rows."""
    gap, gain = _of(figures, "gap"), _of(figures, "gain")
    if not gap.low > 0 or collapsed(figures, kind):
        return None
    learnt = gain.value + gap.value
    if gain.known and gap.value <= NOT_CARRIED_OVER * learnt:
        return None
    if not gain.known and _of(figures, "membership").low <= 0.55:
        return None
    evidence = [Message("verdict.overfits.gap", gap=gap.value, low=gap.low, high=gap.high)]
    evidence += [Message("verdict.overfits.share", share=gap.value / learnt)] if gain.known and learnt > 0 else []
    return Verdict.of("overfits.name", _of_kind("overfits.remedy", kind), evidence)


def behind_pca(figures: Figures, kind: Kind) -> Verdict | None:
    """PCA with the same d explains more and its space is as complete, or it explains much more.

    Both use the interval of the difference, which is narrower than those of the figures: the validation rows are the same.
    """
    kept, of_pca, more = (_of(figures, f"information_{name}") for name in ("kept", "kept_pca", "beyond_pca"))
    reached, by_pca, lead = (_of(figures, f"completeness{name}") for name in ("", "_pca", "_beyond_pca"))
    empty = no_structure(figures, kind) or collapsed(figures, kind)  # these verdicts are enough
    if empty or not more.high < 0:
        return None
    found = "kept_none" if kept.value < 0 else "kept"
    values = {"pca": max(0.0, of_pca.value)} | ({} if kept.value < 0 else {"kept": kept.value})
    evidence = [Message(f"verdict.pca.{found}", **values)]
    evidence += [Message("verdict.pca.completeness", own=reached.value, pca=by_pca.value)] if reached.known else []
    if lead.high < AS_COMPLETE or not reached.known:
        return Verdict.of("pca.name", "pca.remedy", evidence)
    if not kept.value < FAR_LESS * of_pca.value:
        return None
    return Verdict.of("pca.less", _of_kind("pca.less_remedy", kind), evidence)


RULES: tuple[Rule, ...] = (no_structure, collapsed, copies, holes, overfits, behind_pca)
UNMEASURED = Estimate(float("nan"), reason=Message("reason.not_measured"))


def _of(figures: Figures, name: str) -> Estimate:
    return figures.get(name, UNMEASURED)
