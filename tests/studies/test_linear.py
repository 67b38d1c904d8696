"""Probabilistic PCA's rate and distortion, and the noise floor, against what is exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from latente.rows import Rows
from latente.studies.linear import ProbabilisticPCA
from latente.studies.noise import noise_floor

F, SIGMA = 8, 0.3


def made(n: int, fields: int = F, seed: int = 0) -> torch.Tensor:
    generator = np.random.default_rng(0)
    loadings = generator.normal(size=(3, fields))
    generator = np.random.default_rng(seed)
    return torch.tensor(generator.normal(size=(n, 3)) @ loadings + SIGMA * generator.normal(size=(n, fields))).float()


TRAIN, HELD_OUT = Rows(made(2000, seed=1)), Rows(made(500, seed=2))


@pytest.mark.parametrize("d", [1, 3, 7])
def test_rate_and_distortion_add_up_to_the_likelihood(d: int) -> None:
    costs = ProbabilisticPCA.fit(TRAIN, d).losses(HELD_OUT)
    exact = PCA(d).fit(TRAIN.x.double().numpy()).score(HELD_OUT.x.double().numpy())
    assert -costs.loss.mean() == pytest.approx(exact, abs=1e-6)
    assert (costs.rate > 0).all()


def test_fields_that_were_not_seen_are_marginalised() -> None:
    mask = torch.from_numpy(np.random.default_rng(3).random((500, F)) > 0.4)
    model = ProbabilisticPCA.fit(TRAIN, 3)
    covariance = (model.weights @ model.weights.T).numpy() + model.variance * np.eye(F)
    exact = [
        -multivariate_normal(model.mean.numpy()[seen], covariance[np.ix_(seen, seen)]).logpdf(row[seen]) if seen.any() else 0.0
        for row, seen in zip(HELD_OUT.x.double().numpy(), mask.numpy(), strict=True)
    ]
    np.testing.assert_allclose(model.losses(Rows(HELD_OUT.x * mask, mask)).loss, exact, atol=1e-9)


def test_rows_with_holes_are_fitted_by_what_was_seen() -> None:
    mask = torch.from_numpy(np.random.default_rng(4).random((2000, F)) > 0.3)
    found = ProbabilisticPCA.fit(Rows(TRAIN.x * mask, mask), 3)
    assert found.variance == pytest.approx(SIGMA**2, rel=0.05)
    whole = ProbabilisticPCA.fit(TRAIN, 3).losses(HELD_OUT).loss.mean()
    assert found.losses(HELD_OUT).loss.mean() == pytest.approx(whole, abs=0.05)


def test_noise_is_at_least_that_of_rounding() -> None:
    flat = torch.cat([TRAIN.x, TRAIN.x[:, :1]], 1)  # a column twice: the smallest eigenvalue is 0
    assert ProbabilisticPCA.fit(Rows(flat), 8, least=0.01).variance == 0.01


def test_the_noise_floor_comes_near_the_noise_where_many_fields_tell_of_it() -> None:
    """At most, and with 60 fields that share three, nearly."""
    train, held_out = Rows(made(2000, 60, 1)), Rows(made(500, 60, 2))
    exact = 30 * math.log(2 * math.pi * math.e * SIGMA**2)
    found = noise_floor(train, held_out, torch.zeros(60))
    assert exact < found.value < exact + 4
    assert "upper bound" in found.reason
    coarse = noise_floor(train, held_out, torch.full((60,), 3.0))
    assert coarse.value == pytest.approx(30 * math.log(2 * math.pi * math.e * 9 / 12), abs=1e-4)


def test_neighbours_tell_what_lines_can_not() -> None:
    angle = torch.from_numpy(np.random.default_rng(0).uniform(0, 6.28, 1500)).float()
    circle = torch.stack([angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()], 1)
    found = noise_floor(Rows(circle[:1000]), Rows(circle[1000:]), torch.zeros(4))
    alone = 2 * math.log(2 * math.pi * math.e * 0.5)
    assert found.value < alone - 2


def test_where_there_is_no_floor_a_reason_stands_in_its_place() -> None:
    assert "no other" in noise_floor(Rows(TRAIN.x[:, :1]), Rows(HELD_OUT.x[:, :1]), torch.zeros(1)).reason
    wide = Rows(torch.zeros(3, 2500))
    assert "takes too long" in noise_floor(wide, wide, torch.zeros(2500)).reason
