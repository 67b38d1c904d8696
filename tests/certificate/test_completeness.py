"""Completeness: 1 for other real rows, 0 for shuffled columns, NaN with its reason where there is nothing to tell."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from latente.certificate.completeness import (
    ALIKE,
    Affinity,
    Scale,
    affinity_of,
    beyond,
    completeness,
    density_and_coverage,
    share,
)
from latente.certificate.continuity import squared

Array = NDArray[np.float64]


def ring(n: int, seed: int) -> Array:
    """Rows whose columns depend on each other and are uncorrelated."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(angle), np.sin(angle)], 1) + 0.05 * np.random.default_rng(seed + 1).normal(size=(n, 2))


def disc(n: int, seed: int) -> Array:
    """The same columns, shuffled."""
    x = ring(n, seed)
    return np.stack([x[:, 0], np.random.default_rng(seed + 2).permutation(x[:, 1])], 1)


HELD_OUT = ring(400, 10)
SCALE = Scale(Affinity.between(disc(400, 20), HELD_OUT), Affinity.between(ring(400, 30), HELD_OUT))


def test_affinity_is_one_for_one_law_and_nothing_for_laws_apart() -> None:
    assert Affinity.between(ring(400, 0), HELD_OUT).value == pytest.approx(1, abs=0.05)
    assert Affinity.between(ring(400, 0) + 9, HELD_OUT).value == 0


def test_affinity_of_two_normal_laws_is_the_henze_penrose_integral() -> None:
    a, b = (np.random.default_rng(seed).normal(loc, 1, (4000, 1)) for seed, loc in enumerate((0.0, 1.5)))
    x = np.linspace(-6, 8, 20001)
    p, q = (np.exp(-0.5 * (x - loc) ** 2) / np.sqrt(2 * np.pi) for loc in (0.0, 1.5))
    exact = float((2 * p * q / (p + q)).sum() * (x[1] - x[0]))
    assert Affinity.between(a, b).value == pytest.approx(exact, abs=0.02)


def test_a_row_and_its_reconstruction_are_no_neighbours_where_they_are_paired() -> None:
    close = HELD_OUT + 1e-6
    assert Affinity.between(close, HELD_OUT).value > 1.1
    assert Affinity.between(close, HELD_OUT, paired=True).value == pytest.approx(1, abs=0.02)


def test_completeness_goes_from_shuffled_columns_to_real_rows() -> None:
    real = completeness(Affinity.between(ring(400, 40), HELD_OUT), SCALE)
    null = completeness(Affinity.between(disc(400, 50), HELD_OUT), SCALE)
    half = completeness(Affinity.between(np.concatenate([ring(200, 60), disc(200, 70)]), HELD_OUT), SCALE)
    assert real.value > 0.85
    assert null.value < 0.1
    assert null.high < half.low < half.value < half.high < real.low


@pytest.mark.slow
def test_the_interval_is_as_wide_as_the_figure_varies() -> None:
    found = []
    for seed in range(100, 400, 5):
        held_out = ring(300, seed)
        scale = Scale(Affinity.between(disc(300, seed + 1), held_out), Affinity.between(ring(300, seed + 2), held_out))
        fake = np.concatenate([ring(150, seed + 3), disc(150, seed + 4)])
        found.append(completeness(Affinity.between(fake, held_out), scale))
    spread = np.std([estimate.value for estimate in found])
    claimed = np.mean([(estimate.high - estimate.low) / (2 * 1.96) for estimate in found])
    assert 0.8 < claimed / spread < 1.4


@pytest.mark.parametrize(
    ("rows", "why"), [(19, "19 validation rows are too few"), (300, "contrast")], ids=["few rows", "nothing to tell"]
)
def test_no_figure_without_data_for_it(rows: int, why: str) -> None:
    samples = [np.random.default_rng(seed).normal(size=(rows, 2)) for seed in range(4)]
    scale = Scale(Affinity.between(samples[0], samples[1]), Affinity.between(samples[2], samples[1]))
    found = completeness(Affinity.between(samples[3], samples[1]), scale)
    assert not found.known
    assert why in found.reason


def weakly_related(n: int, seed: int, strength: float) -> Array:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, 4)) + strength * generator.normal(size=(n, 1))


@pytest.mark.parametrize(
    ("rows", "strength", "why"), [(30, 0.7, "reason.few_to_contrast"), (800, 0.0, ALIKE)], ids=["too few", "no structure"]
)
def test_too_few_rows_are_told_apart_from_rows_without_structure(rows: int, strength: float, why: str) -> None:
    """Neither has a figure: of few rows the contrast may well be what it takes, of many it certainly is not."""
    held_out, reasons = weakly_related(rows, 100, strength), []
    for seed in range(0, 20, 4):
        real = [Affinity.between(weakly_related(rows, seed + k, strength), held_out) for k in range(2)]
        loose = [np.random.default_rng(seed).permuted(weakly_related(rows, seed + k, strength), axis=0) for k in range(2, 4)]
        scale = Scale(Affinity.together([Affinity.between(x, held_out) for x in loose]), Affinity.together(real))
        assert completeness(real[0], scale).reason == scale.alike()
        reasons.append(scale.alike())
    refused = [reason for reason in reasons if reason]
    assert refused and all(reason.key == why for reason in refused)


def test_affinity_has_an_interval() -> None:
    found = affinity_of(SCALE.real)
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(SCALE.real.value)


def test_density_sees_rows_where_none_should_be_and_coverage_places_that_are_not_reached() -> None:
    real, other = ring(600, 0), ring(600, 9)
    for figure in density_and_coverage(real, ring(600, 5), other):
        assert figure.value == pytest.approx(1, abs=0.1)
    density, coverage = density_and_coverage(real, ring(600, 5)[ring(600, 5)[:, 0] > 0], other)
    assert density.value == pytest.approx(1, abs=0.15), "all that there is, is real"
    assert coverage.value < 0.7, "half of the ring is not reached"
    density, coverage = density_and_coverage(real, np.concatenate([ring(300, 5), np.zeros((300, 2))]), other)
    assert density.value == pytest.approx(0.5, abs=0.1)
    assert not density_and_coverage(real[:9], real, other)[0].known


def test_one_outlier_among_real_rows_changes_little() -> None:
    real, other, fake = ring(300, 0), ring(300, 9), np.random.default_rng(0).normal(size=(300, 2)) * 9
    far = np.concatenate([real, [[50.0, 50.0]]])
    before, after = (density_and_coverage(rows, fake, other)[0].value for rows in (real, far))
    assert abs(before - after) < 0.02


def test_squared_distances() -> None:
    assert squared(np.zeros((2, 2)), np.array([[3.0, 4.0], [0.0, 0.0]])) == pytest.approx([25, 0])


def test_a_lead_has_the_interval_of_the_difference_of_the_same_held_out_rows() -> None:
    own = Affinity.between(np.concatenate([ring(300, 60), disc(100, 70)]), HELD_OUT)
    other = Affinity.between(np.concatenate([ring(100, 61), disc(300, 71)]), HELD_OUT)
    lead = beyond(own, other, SCALE)
    assert lead.value == pytest.approx(completeness(own, SCALE).value - completeness(other, SCALE).value)
    assert lead.low > 0
    same = beyond(own, Affinity.between(np.concatenate([ring(300, 62), disc(100, 72)]), HELD_OUT), SCALE)
    assert same.low < 0 < same.high
    few = Scale(Affinity.between(disc(19, 0), HELD_OUT[:19]), Affinity.between(ring(19, 0), HELD_OUT[:19]))
    assert "too few" in beyond(own, other, few).reason


def test_the_share_of_the_upper_bound_tells_blur_from_the_fault_of_the_space() -> None:
    """A decoder that puts half of its rows apart can't reach C = 1; its space is perfect if random codes do as well."""
    half = ring(400, 60)
    half[::2] += 9
    bound = Affinity.between(half, HELD_OUT)
    found = share(Affinity.between(half[::-1].copy(), HELD_OUT), bound, SCALE)
    assert completeness(bound, SCALE).value < 0.6
    assert found.value == pytest.approx(1, abs=0.02) and found.low <= found.value <= found.high
    assert share(Affinity.between(disc(400, 70), HELD_OUT), bound, SCALE).value < 0.2
    nothing = share(bound, Affinity.between(ring(400, 0) + 9, HELD_OUT), SCALE)
    assert not nothing.known and "upper bound" in nothing.reason
