"""Copying, membership and the gap: nothing where nothing was remembered, and loud where rows are stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latente.certificate import overfitting
from latente.certificate.certify import Setting, copied
from latente.certificate.verdicts import verdicts
from latente.rows import Field, Rows
from latente.seeding import seeded

Array = NDArray[np.float64]


def sample(n: int, seed: int) -> Array:
    """Three clusters in five dimensions."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(3, 5)) * 4
    return centres[rng.integers(3, size=n)] + rng.normal(size=(n, 5))


TRAIN, HELD_OUT = sample(1000, 0), sample(500, 1)


def test_copying_is_a_z_score_for_honest_rows_and_far_below_for_copies() -> None:
    honest = [overfitting.data_copying(TRAIN, HELD_OUT, sample(500, seed)).value for seed in range(2, 12)]
    assert np.abs(honest).max() < 3
    assert abs(np.mean(honest)) < 1.5, "one training and one held-out sample, so not exactly 0"
    copies = TRAIN[:500] + 0.1 * np.random.default_rng(5).normal(size=(500, 5))
    assert overfitting.data_copying(TRAIN, HELD_OUT, copies).high < -5


def test_rows_that_crowd_together_are_no_copies_of_training_rows() -> None:
    rng = np.random.default_rng(0)
    train, held_out, fake = rng.normal(size=(800, 5)), rng.normal(size=(800, 5)), 0.5 * rng.normal(size=(800, 5))
    assert overfitting.data_copying(train, held_out, fake).value < -3, "C_T alone would accuse them"
    share = overfitting.nearer_to_training(train, held_out, fake)
    assert share.low < 0.5 < share.high


def test_exact_copies_are_counted() -> None:
    train, fake = (Rows(torch.from_numpy(x).float()) for x in (TRAIN, np.concatenate([TRAIN[:30], sample(70, 3)])))
    assert overfitting.exact_copies(train, fake).value == pytest.approx(0.3)
    some = torch.ones_like(fake.x, dtype=torch.bool)
    some[:10, 0] = False
    assert overfitting.exact_copies(train, replace(fake, mask=some)).value == pytest.approx(0.2), "a gap is no value"


def test_rows_near_a_line_are_no_copies_of_one_another() -> None:
    """In φ, ranks are those of training values, and one component keeps 95%: nearly all rows would be copies."""
    rng = np.random.default_rng(0)

    def line(n: int) -> Rows:
        x = rng.normal(size=n)
        return Rows(torch.from_numpy(np.stack([x, x + 0.05 * rng.normal(size=n), x + 0.05 * rng.normal(size=n)], 1)).float())

    assert overfitting.exact_copies(line(2000), line(500)).value == 0


def test_the_gap_has_the_error_of_two_independent_means() -> None:
    rng = np.random.default_rng(0)
    found = overfitting.gap(rng.normal(3.0, 1.0, 400), rng.normal(2.0, 2.0, 900))
    assert found.value == pytest.approx(1.0, abs=0.2)
    assert found.high - found.value == pytest.approx(1.96 * np.sqrt(1 / 400 + 4 / 900), rel=0.1)
    assert not overfitting.gap(np.ones(1), np.ones(9)).known


def test_membership() -> None:
    rng = np.random.default_rng(0)
    area, found = overfitting.membership(rng.normal(size=500), rng.normal(size=500))
    assert area.low < 0.5 < area.high
    assert found.value < 0.05
    area, found = overfitting.membership(rng.normal(size=500) - 5, rng.normal(size=500))
    assert area.value > 0.99
    assert found.value > 0.9
    assert "9 validation rows are too few" in overfitting.membership(np.ones(99), np.ones(9))[0].reason


@pytest.mark.parametrize("jitter", [0.0, 0.02, 0.1])
def test_a_model_that_stores_its_rows_is_told_from_an_honest_one(jitter: float) -> None:
    train, held_out = (Rows(np_to(rows)) for rows in (TRAIN, HELD_OUT))
    rng = np.random.default_rng(7)
    stored = TRAIN[rng.integers(1000, size=500)] + jitter * rng.normal(size=(500, 5))
    with seeded(0):
        setting = Setting(train, held_out, tuple(Field(f"x{k}") for k in range(5)))
        figures, honest = (copied(setting, setting.rows_of(np_to(rows))) for rows in (stored, sample(500, 8)))
    (verdict,) = verdicts(figures)
    assert verdict.name == "copies rows"
    assert "C_T = −" in verdict.evidence
    assert not verdicts(honest)
    assert figures["exact_copies"].value == (1.0 if jitter == 0 else 0.0)


def np_to(rows: Array) -> torch.Tensor:
    return torch.from_numpy(rows).float()
