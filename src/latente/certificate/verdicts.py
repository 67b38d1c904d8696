"""What the figures amount to: each verdict with its evidence, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from latente.certificate.estimates import Estimate
from latente.training.diagnosis import COLLAPSED, FREE_THE_CODE, NO_STRUCTURE, ONE_BY_ONE

NEXT_TO_NOTHING = 0.05
LEAST_INFORMATION = 0.1  # nats
MOST_HOLES = 0.1
MOST_SHORT_OF_CEILING = 0.2
COPYING = -3.0  # standard errors
FAR_LESS = 0.75  # of the variance that as many principal components keep
NOT_CARRIED_OVER = 0.1  # share of what was gained over independent columns


@dataclass(frozen=True)
class Verdict:
    """A finding: its name, what shows it, what to do."""

    name: str
    evidence: str
    remedy: str


Figures = Mapping[str, Estimate]
Rule = Callable[[Figures], "Verdict | None"]


def verdicts(figures: Figures) -> tuple[Verdict, ...]:
    """All that apply, the gravest first."""
    found = (rule({**figures}) for rule in RULES)
    return tuple(verdict for verdict in found if verdict is not None)


def no_structure(figures: Figures) -> Verdict | None:
    """The data's fault: shuffled columns pass for real rows, and the model explains no more than columns one by one."""
    completeness, gain = _of(figures, "completeness"), _of(figures, "gain")
    if "contrast" not in completeness.reason or gain.low > 0:
        return None
    explained = f"; the model gains {gain.value:+.2f} nats per row over independent columns" if gain.known else ""
    return Verdict(
        NO_STRUCTURE,
        f"{completeness.reason}{explained}",
        ONE_BY_ONE,
    )


def collapsed(figures: Figures) -> Verdict | None:
    """The code says nothing of the row, although there is something to say."""
    if no_structure(figures) is not None:
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
        FREE_THE_CODE,
    )


def holes(figures: Figures) -> Verdict | None:
    """Random codes decode worse than the codes of rows, or fall where no codes are."""
    found = []
    prior, ceiling, reached = (_of(figures, name) for name in ("prior_holes", "completeness_ceiling", "completeness"))
    if prior.low > MOST_HOLES:
        found.append(f"{prior.value:.0%} of the prior's draws fall where codes hardly ever are (a space without holes: 1%)")
    if ceiling.low - reached.high > 0 and ceiling.value - reached.value > MOST_SHORT_OF_CEILING:
        found.append(f"random codes reach C = {reached.value:.2f}, rows' own codes {ceiling.value:.2f}")
    if not found:
        return None
    remedy = (
        "draw from the fitted law, sample(law='fitted'); fewer dimensions, a higher beta, or a VAE in place of an autoencoder"
    )
    return Verdict("holes", "; ".join(found), remedy)


def copies(figures: Figures) -> Verdict | None:
    """Generated rows are nearer to the training rows than they should be, and not only because they crowd together."""
    score, share, exact = (_of(figures, name) for name in ("copying", "nearer_to_training", "exact_copies"))
    if not (score.value < COPYING and share.low > 0.5):
        return None
    evidence = f"C_T = {score.value:.1f}; {share.value:.0%} of generated rows are nearer to a training than to a held-out row"
    evidence += f"; {exact.value:.0%} are training rows" if exact.value > 0 else ""
    return Verdict(
        "copies rows", evidence, "do not give these rows away as new ones; a smaller model, more noise, or more rows"
    )


def overfits(figures: Figures) -> Verdict | None:
    """Much of what was learnt does not carry over to other rows."""
    gap, gain = _of(figures, "gap"), _of(figures, "gain")
    if not gap.low > 0 or collapsed(figures):
        return None
    learnt = gain.value + gap.value
    if gain.known and gap.value <= NOT_CARRIED_OVER * learnt:
        return None
    if not gain.known and _of(figures, "membership").low <= 0.55:
        return None
    share = f", {gap.value / learnt:.0%} of what the model gained over independent columns" if gain.known and learnt > 0 else ""
    evidence = f"held-out rows cost {gap.value:.2f} nats more than training rows (from {gap.low:.2f} to {gap.high:.2f}){share}"
    return Verdict("overfits", evidence, "more rows, a smaller model, early stopping, dropout or a higher beta")


def behind_pca(figures: Figures) -> Verdict | None:
    """As many principal components keep as much, and their space is as complete; or they keep far more, though it is not."""
    kept, of_pca = _of(figures, "information_kept"), _of(figures, "information_kept_pca")
    reached, by_pca = _of(figures, "completeness"), _of(figures, "completeness_pca")
    empty = no_structure(figures) or collapsed(figures)  # which says it all
    if empty or not kept.value <= of_pca.value:
        return None
    evidence = f"{kept.value:.0%} of the variance is kept, by as many principal components {of_pca.value:.0%}"
    evidence += f"; C = {reached.value:.2f} against {by_pca.value:.2f}" if reached.known else ""
    if not reached.value > by_pca.value:
        return Verdict("no better than PCA", evidence, "use PCA, or train longer, with more rows or a wider model")
    if not (kept.high < of_pca.low and kept.value < FAR_LESS * of_pca.value):
        return None
    remedy = (
        "rows of random codes are at least as like real ones as those of PCA, but a code says less of its row: for codes and "
        "reconstructions use PCA, or a lower beta, longer training or a wider model"
    )
    return Verdict("keeps less than PCA", evidence, remedy)


RULES: tuple[Rule, ...] = (no_structure, collapsed, copies, holes, overfits, behind_pca)
UNMEASURED = Estimate(float("nan"), reason="not measured")


def _of(figures: Figures, name: str) -> Estimate:
    return figures.get(name, UNMEASURED)
