"""Each verdict where its evidence is, and nowhere else."""

from __future__ import annotations

import math

import pytest

from latente.certificate.estimates import Estimate, unknown
from latente.certificate.verdicts import verdicts

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
    "prior_holes": Estimate(0.02, 0.01, 0.03),
    "gap": Estimate(0.5, 0.1, 0.9),
    "copying": Estimate(-0.5, -2.0, 1.0),
    "nearer_to_training": Estimate(0.5, 0.48, 0.52),
    "exact_copies": Estimate(0.0, 0.0, 0.0),
    "membership": Estimate(0.52, 0.49, 0.55),
}
NO_CONTRAST = unknown("rows and rows of shuffled columns are nearly alike (contrast 0.02, of which it takes 0.1)")


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
        ("no better than PCA", {"information_kept": Estimate(0.7), "completeness_pca": Estimate(0.8)}),
        ("no better than PCA", {"information_kept": Estimate(0.7), "completeness": unknown("too few rows")}),
        ("keeps less than PCA", {"information_kept": Estimate(0.2, 0.1, 0.3)}),
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
        {"information_kept": Estimate(0.7, 0.69, 0.71)},
        {"information_kept": Estimate(0.5, 0.1, 0.9)},
        {"completeness": NO_CONTRAST},
        {"completeness": unknown("9 held-out rows are too few"), "continuity": unknown("9 held-out rows are too few")},
        {name: unknown("an autoencoder has none") for name in ("prior_holes", "mutual_information", "gain")},
    ],
    ids=["crowds", "no C_T", "by chance", "C above PCA", "far less by chance", "gains", "few rows", "autoencoder"],
)  # fmt: skip
def test_half_the_evidence_is_none(changed: dict[str, Estimate]) -> None:
    assert verdicts({**GOOD, **changed}) == ()


def test_where_there_is_no_structure_a_collapse_is_right() -> None:
    changed = {"completeness": NO_CONTRAST, "gain": Estimate(-0.1, -0.2, 0.0), "mutual_information": Estimate(0.0)}
    assert next(v.name for v in verdicts({**GOOD, **changed})) == "no structure found"
    assert "collapsed" not in [v.name for v in verdicts({**GOOD, **changed})]


def test_figures_that_were_not_measured_accuse_nobody() -> None:
    assert verdicts({}) == ()
    assert verdicts({name: Estimate(math.nan) for name in GOOD}) == ()
