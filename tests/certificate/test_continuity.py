"""Continuity: near codes, whatever their scale; 1 where they decode as close as the nearest row, 0 where they say nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latente.certificate.continuity import Closeness, continuity
from latente.model.spaces import Euclidean
from latente.seeding import seeded


def codes(n: int = 4000) -> torch.Tensor:
    mix = torch.tensor([[3.0, 0.0], [1.0, 0.2]])
    with seeded(0):
        return torch.randn(n, 2) @ mix + torch.tensor([5.0, -1.0])


def test_neighbours_have_the_moments_of_the_codes_and_are_as_near_as_said() -> None:
    z = codes()
    moments = Euclidean(3).moments(z)
    with seeded(1):
        near = moments.neighbours(z, 0.9)
        drawn = moments.draw(4000)
    for other in (near, drawn):
        torch.testing.assert_close(other.mean(0), z.mean(0), atol=0.15, rtol=0)
        torch.testing.assert_close(torch.cov(other.T), torch.cov(z.T), atol=0.4, rtol=0.05)
    for k in range(2):
        assert torch.corrcoef(torch.stack([z[:, k], near[:, k]]))[0, 1].item() == pytest.approx(0.9, abs=0.02)


def test_near_has_no_scale() -> None:
    z, stretch = codes(), torch.tensor([[100.0, 3.0], [0.0, 0.01]])
    with seeded(1):
        near = Euclidean(3).moments(z).neighbours(z) @ stretch
    with seeded(1):
        again = Euclidean(3).moments(z @ stretch).neighbours(z @ stretch)
    shift = (near - again).std(0) / near.std(0)
    assert float(shift.max()) < 0.9, "another draw of the same law, no farther than sqrt(2) sqrt(1 - 0.81) = 0.6"


def test_an_unused_dimension_does_no_harm() -> None:
    z = torch.cat([codes(), torch.zeros(4000, 1)], 1)
    assert torch.isfinite(Euclidean(3).moments(z).neighbours(z)).all()


def test_from_nothing_said_to_as_close_as_the_nearest_row() -> None:
    rng = np.random.default_rng(0)
    rows, others = rng.normal(size=(300, 2)), rng.normal(size=(2000, 2))
    real = Closeness.between(rows, others)
    far = np.square(rows - rng.permutation(rows)).sum(1)
    assert continuity(real.nearest, real.other, real).value == 1
    assert continuity(far, far, real).value == 0
    half = continuity(far / 2, far, real)
    assert half.low < half.value < half.high
    assert half.value == pytest.approx(0.5, abs=0.01)


def test_other_rows_are_at_the_expected_distance() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(50, 3))
    every = np.square(a[:, None] - b[None]).sum(-1)
    np.testing.assert_allclose(Closeness.between(a, b).other, every.mean(1))
    np.testing.assert_allclose(Closeness.between(a, b).nearest, every.min(1))


def test_no_figure_without_data_for_it() -> None:
    few = continuity(np.ones(9), np.ones(9), Closeness(np.ones(9), np.ones(9)))
    assert "9 validation rows are too few" in few.reason
    flat = continuity(np.ones(99), np.ones(99), Closeness(np.full(99, 0.95), np.ones(99)))
    assert "contrast 0.05" in flat.reason
    assert not flat.known
