"""What the figures amount to: each verdict with its evidence, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from latente.certificate.completeness import ALIKE
from latente.certificate.estimates import Estimate
from latente.training.diagnosis import COLLAPSED, FREE_THE_CODE, NO_STRUCTURE, ONE_BY_ONE, TRAIN_THE_CODE

NEXT_TO_NOTHING = 0.05
LEAST_INFORMATION = 0.1  # nats
MOST_HOLES = 0.1
MOST_SHORT_OF_CEILING = 0.2
COPYING = -3.0  # standard errors
FAR_LESS = 0.75  # of the variance that as many principal components keep
NOT_CARRIED_OVER = 0.1  # share of what was gained over independent columns
RANDOM_PLACES = "random_places"  # their share in holes, where models are compared by the same ones
AS_COMPLETE = 0.05  # of C: a lead that is certainly below this is none


@dataclass(frozen=True)
class Verdict:
    """A finding: its name, what shows it, what to do."""

    name: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        """As a warning has it: the same words in a fit and on the command line."""
        return f"{self.name}: {self.evidence}; {self.remedy}"


@dataclass(frozen=True)
class Kind:
    """What is known beside the figures, and a remedy must fit.

    Attributes:
        stochastic: whether the model is a VAE, with a prior and a beta, and no autoencoder.
        row_law: whether new rows are drawn from a law of their own, without a code.
        related: whether pairs of columns are seen to depend on one another: the contrast of few held-out rows may be small by
            chance.
    """

    stochastic: bool = True
    row_law: bool = False
    related: bool = False


Figures = Mapping[str, Estimate]
Rule = Callable[[Figures, Kind], "Verdict | None"]


def verdicts(figures: Figures, kind: Kind = Kind()) -> tuple[Verdict, ...]:
    """All that apply, the gravest first."""
    found = (rule({**figures}, kind) for rule in RULES)
    return tuple(verdict for verdict in found if verdict is not None)


def no_structure(figures: Figures, kind: Kind) -> Verdict | None:
    """The data's fault: shuffled columns pass for real rows, and the model explains no more than columns one by one."""
    completeness, gain = _of(figures, "completeness"), _of(figures, "gain")
    if not completeness.reason.startswith(ALIKE) or gain.low > 0 or kind.related:
        return None
    explained = f"; the model gains {gain.value:+.2f} nats per row over independent columns" if gain.known else ""
    return Verdict(
        NO_STRUCTURE,
        f"{completeness.reason}{explained}",
        ONE_BY_ONE,
    )


def collapsed(figures: Figures, kind: Kind) -> Verdict | None:
    """The code says nothing of the row, although there is something to say."""
    if no_structure(figures, kind) is not None:
        return None
    information, active = _of(figures, "mutual_information"), _of(figures, "active_units")
    measured = [figures[name] for name in ("completeness", "continuity") if name in figures and figures[name].known]
    empty = bool(measured) and all(figure.value <= NEXT_TO_NOTHING for figure in measured)
    if not (information.value < LEAST_INFORMATION or active.value == 0 or empty):
        return None
    parts = (
        ("I(x;z)", information),
        ("active units", active),
        ("C", _of(figures, "completeness")),
        ("K", _of(figures, "continuity")),
    )
    return Verdict(
        COLLAPSED,
        ", ".join(f"{name} = {figure.value:.2g}" for name, figure in parts if figure.known),
        FREE_THE_CODE if kind.stochastic else TRAIN_THE_CODE,
    )


def holes(figures: Figures, kind: Kind) -> Verdict | None:
    """Random codes decode worse than the codes of rows, or fall where no codes are."""
    found = []
    prior, law, reached = (_of(figures, name) for name in ("prior_holes", "completeness_law", "completeness"))
    if prior.low > MOST_HOLES:
        found.append(f"{prior.value:.0%} of the prior's draws fall where codes hardly ever are (a space without holes: 1%)")
    places = _of(figures, RANDOM_PLACES)
    if places.low > MOST_HOLES:
        found.append(f"{places.value:.0%} of random places fall where codes hardly ever are (a space without holes: 1%)")
    if _short_of_ceiling(figures, reached):
        own = f"rows' own codes {figures['completeness_ceiling'].value:.2f}"
        found.append(f"what lies between codes decodes worse: random codes reach C = {reached.value:.2f}, {own}")
    if not found:
        return None
    if law.known:
        found.append(f"codes of the fitted law reach C = {law.value:.2f}")
    return Verdict("holes", "; ".join(found), "; ".join(_without_holes(figures, kind)))


def _short_of_ceiling(figures: Figures, reached: Estimate) -> bool:
    ceiling = _of(figures, "completeness_ceiling")
    return ceiling.low - reached.high > 0 and ceiling.value - reached.value > MOST_SHORT_OF_CEILING


def _without_holes(figures: Figures, kind: Kind) -> Iterator[str]:
    """What helps against holes, of this model."""
    law = _of(figures, "completeness_law")
    if kind.row_law:
        yield "rows that sample() gives do not go through the code, and holes do not touch them"
    elif law.known and not _short_of_ceiling(figures, law):
        yield "sample() keeps clear of them, for it draws from the fitted law: leave that as it is"
    elif law.known:
        yield "the fitted law does not keep clear of them: compare_priors or 'latente certify --law all' says what others reach"
    yield "fewer dimensions or a higher beta" if kind.stochastic else "fewer dimensions, or a VAE in place of the autoencoder"


def copies(figures: Figures, kind: Kind) -> Verdict | None:
    """Generated rows are nearer to the training rows than they should be, and not only because they crowd together."""
    score, share, exact = (_of(figures, name) for name in ("copying", "nearer_to_training", "exact_copies"))
    if not (score.value < COPYING and share.low > 0.5):
        return None
    evidence = f"C_T = {score.value:.1f}; {share.value:.0%} of generated rows are nearer to a training than to a held-out row"
    evidence += f"; {exact.value:.0%} are training rows" if exact.value > 0 else ""
    return Verdict(
        "copies rows", evidence, "do not give these rows away as new ones; a smaller model, more noise, or more rows"
    )


def overfits(figures: Figures, kind: Kind) -> Verdict | None:
    """Much of what was learnt does not carry over to other rows."""
    gap, gain = _of(figures, "gap"), _of(figures, "gain")
    if not gap.low > 0 or collapsed(figures, kind):
        return None
    learnt = gain.value + gap.value
    if gain.known and gap.value <= NOT_CARRIED_OVER * learnt:
        return None
    if not gain.known and _of(figures, "membership").low <= 0.55:
        return None
    share = f", {gap.value / learnt:.0%} of what the model gained over independent columns" if gain.known and learnt > 0 else ""
    evidence = f"held-out rows cost {gap.value:.2f} nats more than training rows (from {gap.low:.2f} to {gap.high:.2f}){share}"
    remedy = "more rows, a smaller model, early stopping, dropout"
    return Verdict("overfits", evidence, f"{remedy} or a higher beta" if kind.stochastic else f"{remedy} or fewer dimensions")


def behind_pca(figures: Figures, kind: Kind) -> Verdict | None:
    """As many principal components keep more, and their space is as complete; or they keep far more, though it is not.

    Both by the interval of the difference: that of each figure is far wider, for the held-out rows are the same.
    """
    kept, of_pca, more = (_of(figures, f"information_{name}") for name in ("kept", "kept_pca", "beyond_pca"))
    reached, by_pca, lead = (_of(figures, f"completeness{name}") for name in ("", "_pca", "_beyond_pca"))
    empty = no_structure(figures, kind) or collapsed(figures, kind)  # which says it all
    if empty or not more.high < 0:
        return None
    evidence = _kept_beside_pca(kept, of_pca)
    evidence += f"; C = {reached.value:.2f} against {by_pca.value:.2f}" if reached.known else ""
    if lead.high < AS_COMPLETE or not reached.known:
        return Verdict("no better than PCA", evidence, "use PCA, or train longer, with more rows or a wider model")
    if not kept.value < FAR_LESS * of_pca.value:
        return None
    remedy = "a code says less of its row than as many principal components: for codes and reconstructions use PCA, or "
    remedy += "a lower beta, longer training or a wider model" if kind.stochastic else "longer training or a wider model"
    return Verdict("keeps less than PCA", evidence, remedy)


def _kept_beside_pca(kept: Estimate, of_pca: Estimate) -> str:
    own = f"{kept.value:.0%} of the variance is kept"
    if kept.value < 0:
        own = "none of the variance is kept (the mean row is nearer to held-out rows than their reconstructions)"
    return f"{own}, by as many principal components {max(0.0, of_pca.value):.0%}"


RULES: tuple[Rule, ...] = (no_structure, collapsed, copies, holes, overfits, behind_pca)
UNMEASURED = Estimate(float("nan"), reason="not measured")


def _of(figures: Figures, name: str) -> Estimate:
    return figures.get(name, UNMEASURED)
