"""Each verdict where its evidence is, and nowhere else."""

from __future__ import annotations

import math

import pytest

from latente.certificate.estimates import Estimate, unknown
from latente.certificate.verdicts import Kind, verdicts
from latente.words import Message

GOOD = {
    "completeness": Estimate(0.8, 0.75, 0.85),
    "completeness_ceiling": Estimate(0.9, 0.85, 0.95),
    "completeness_pca": Estimate(0.5, 0.45, 0.55),
    "continuity": Estimate(0.9, 0.88, 0.92),
    "gain": Estimate(20.0, 19.0, 21.0),
    "mutual_information": Estimate(4.0, 3.9, 4.1),
    "active_units": Estimate(4.0),
    "information_kept": Estimate(0.9, 0.89, 0.91),
    "information_kept_pca": Estimate(0.8, 0.79, 0.81),
    "information_beyond_pca": Estimate(0.1, 0.09, 0.11),
    "completeness_beyond_pca": Estimate(0.3, 0.25, 0.35),
    "completeness_fitted_prior": Estimate(0.85, 0.8, 0.9),
    "prior_holes": Estimate(0.02, 0.01, 0.03),
    "gap": Estimate(0.5, 0.1, 0.9),
    "copying": Estimate(-0.5, -2.0, 1.0),
    "nearer_to_training": Estimate(0.5, 0.48, 0.52),
    "exact_copies": Estimate(0.0, 0.0, 0.0),
    "membership": Estimate(0.52, 0.49, 0.55),
}
LESS = {"information_kept": Estimate(0.7, 0.69, 0.71), "information_beyond_pca": Estimate(-0.1, -0.11, -0.09)}
NO_CONTRAST = unknown(Message("reason.alike", contrast=0.02, least=0.1))


def test_nothing_is_said_of_a_good_model() -> None:
    assert verdicts(GOOD) == ()


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("collapsed", {"mutual_information": Estimate(0.05)}),
        ("collapsed", {"active_units": Estimate(0.0)}),
        ("collapsed", {"completeness": Estimate(0.02), "continuity": Estimate(0.03)}),
        ("holes", {"prior_holes": Estimate(0.3, 0.28, 0.32)}),
        ("holes", {"completeness": Estimate(0.6, 0.55, 0.65)}),
        ("copies rows", {"copying": Estimate(-8.0, -9.0, -7.0), "nearer_to_training": Estimate(0.9, 0.88, 0.92)}),
        ("overfits", {"gap": Estimate(5.0, 4.0, 6.0)}),
        ("overfits", {"gain": unknown(""), "membership": Estimate(0.7, 0.65, 0.75)}),
        ("no better than PCA", {**LESS, "completeness_beyond_pca": Estimate(-0.1, -0.15, -0.05)}),
        ("no better than PCA", {**LESS, "completeness_beyond_pca": Estimate(0.0, -0.04, 0.04)}),
        ("no better than PCA", {**LESS, "completeness": unknown("too few rows")}),
        ("keeps less than PCA", {**LESS, "information_kept": Estimate(0.2, 0.1, 0.3)}),
        ("no structure found", {"completeness": NO_CONTRAST, "gain": Estimate(0.01, -0.02, 0.04)}),
    ],
)  # fmt: skip
def test_a_verdict_and_its_evidence(name: str, changed: dict[str, Estimate]) -> None:
    (verdict,) = [v for v in verdicts({**GOOD, **changed}) if v.name == name]
    assert verdict.evidence
    assert verdict.remedy
    assert "nan" not in verdict.evidence


@pytest.mark.parametrize(
    "changed",
    [
        {"copying": Estimate(-8.0, -9.0, -7.0)},
        {"nearer_to_training": Estimate(0.9, 0.88, 0.92)},
        {"gap": Estimate(5.0, -1.0, 11.0)},
        LESS,
        {"information_kept": Estimate(0.5), "information_beyond_pca": Estimate(-0.3, -0.7, 0.1)},
        {**LESS, "completeness_beyond_pca": Estimate(-0.1, -0.5, 0.3)},
        {"prior_holes": Estimate(0.3, 0.02, 0.5)},
        {"completeness": NO_CONTRAST},
        {"completeness": unknown("9 held-out rows are too few"), "continuity": unknown("9 held-out rows are too few")},
        {name: unknown("an autoencoder has none") for name in ("prior_holes", "mutual_information", "gain")},
    ],
    ids=["crowds", "no C_T", "by chance", "C above PCA", "less by chance", "C by chance", "holes by chance", "gains",
         "few rows", "autoencoder"],
)  # fmt: skip
def test_half_the_evidence_is_none(changed: dict[str, Estimate]) -> None:
    assert verdicts({**GOOD, **changed}) == ()


def test_where_there_is_no_structure_a_collapse_is_right() -> None:
    changed = {"completeness": NO_CONTRAST, "gain": Estimate(-0.1, -0.2, 0.0), "mutual_information": Estimate(0.0)}
    assert next(v.name for v in verdicts({**GOOD, **changed})) == "no structure found"
    assert "collapsed" not in [v.name for v in verdicts({**GOOD, **changed})]


def test_columns_that_are_related_are_not_without_structure_for_want_of_contrast() -> None:
    changed = {"completeness": NO_CONTRAST, "gain": Estimate(-0.1, -0.2, 0.0), "mutual_information": Estimate(0.0)}
    found = [v.name for v in verdicts({**GOOD, **changed}, Kind(related=True))]
    assert "no structure found" not in found
    assert "collapsed" in found


def test_figures_that_were_not_measured_accuse_nobody() -> None:
    assert verdicts({}) == ()
    assert verdicts({name: Estimate(math.nan) for name in GOOD}) == ()


HOLES = {"prior_holes": Estimate(0.3, 0.28, 0.32), "completeness": Estimate(0.6, 0.55, 0.65)}


@pytest.mark.parametrize(
    ("kind", "law", "told", "not_told"),
    [
        (Kind(), 0.85, ("the fitted prior, which avoids them", "a higher beta"), ("instead of", "compare_priors")),
        (Kind(), 0.5, ("the fitted prior does not avoid them: compare_priors", "a higher beta"), ("instead of",)),
        (Kind(stochastic=False), 0.85, ("a VAE instead of the autoencoder",), ("beta",)),
        (Kind(row_model=True), 0.5, ("a separate row model",), ("compare_priors", "fitted prior")),
    ],
)
def test_the_remedy_of_holes_is_one_for_this_model(
    kind: Kind, law: float, told: tuple[str, ...], not_told: tuple[str, ...]
) -> None:
    figures = {**GOOD, **HOLES, "completeness_fitted_prior": Estimate(law, law - 0.05, law + 0.05)}
    (verdict,) = [v for v in verdicts(figures, kind) if v.name == "holes"]
    assert all(words in verdict.remedy for words in told)
    assert not any(words in verdict.remedy for words in not_told)
    assert f"codes from the fitted prior reach C = {law:.2f}" in verdict.evidence


@pytest.mark.parametrize(
    "changed",
    [
        {"gain": unknown(""), "membership": Estimate(0.7, 0.65, 0.75)},
        {**LESS, "information_kept": Estimate(0.2, 0.1, 0.3)},
        {"completeness": Estimate(0.0, 0.0, 0.0), "continuity": Estimate(0.0, 0.0, 0.0)},
        HOLES,
    ],
    ids=["overfits", "keeps less", "collapsed", "holes"],
)
def test_an_autoencoder_is_not_told_to_change_its_beta(changed: dict[str, Estimate]) -> None:
    found = verdicts({**GOOD, **changed}, Kind(stochastic=False))
    assert found
    assert not any("beta" in verdict.remedy for verdict in found)


def test_a_share_below_nothing_is_said_in_words() -> None:
    changed = {"information_kept": Estimate(-0.07, -0.1, -0.04), "information_beyond_pca": Estimate(-0.87, -0.9, -0.8)}
    (verdict,) = verdicts({**GOOD, **changed})
    assert "explains none of the variance: the mean row is closer" in verdict.evidence
    assert "7%" not in verdict.evidence
