"""Gap attribution against closed forms, on a linear-Gaussian model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch.distributions import MultivariateNormal

from latente.certificate.attribution import prior_mismatch, refine
from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.seeding import seeded
from tests.certificate.test_information import COVARIANCE, LOADINGS, SIGMA, D, F, exact_model

ROWS = Rows(torch.from_numpy(np.random.default_rng(1).multivariate_normal(np.zeros(F), COVARIANCE, 100)).float())
EXACT = -multivariate_normal(np.zeros(F), COVARIANCE).logpdf(ROWS.x.double().numpy())
PRECISION = 1 + LOADINGS.square().sum(0) / SIGMA**2


def shifted(by: float) -> LatentModel:
    """The exact model with its posterior means off."""
    model = exact_model()
    with torch.no_grad():
        model.posterior.head.bias[:D] = by
    return model


def gaps(model: LatentModel) -> tuple[float, float]:
    """Amortisation and approximation, nats per row."""
    with seeded(0):
        found = refine(model, ROWS, 200)
    assert found.bound.mean() == pytest.approx(EXACT.mean(), abs=0.05)
    return float((found.amortised - found.refined).mean()), float((found.refined - found.bound).mean())


def test_the_true_posterior_leaves_no_gap() -> None:
    amortisation, approximation = gaps(exact_model())
    assert amortisation == pytest.approx(0, abs=0.02)
    assert approximation == pytest.approx(0, abs=0.05)


def test_an_encoder_that_is_off_costs_its_divergence_and_the_family_nothing() -> None:
    amortisation, approximation = gaps(shifted(0.5))
    assert amortisation == pytest.approx(0.5 * 0.25 * float(PRECISION.sum()), rel=0.05)
    assert approximation == pytest.approx(0, abs=0.05)


def test_a_posterior_that_is_no_diagonal_normal_leaves_an_approximation_gap() -> None:
    model, turn = exact_model(), torch.tensor([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5
    with torch.no_grad():  # z = turn' u with the same p(x): now the true posterior has the precision turn' diag(P) turn
        model.decoder.layers[0].weight.copy_(LOADINGS @ turn)
    precision = turn.T @ torch.diag(PRECISION) @ turn
    divergence = 0.5 * float(torch.log(precision.diagonal()).sum() - torch.logdet(precision))
    assert divergence > 0.02
    _, approximation = gaps(model)
    assert approximation == pytest.approx(divergence, abs=0.05)


def test_a_prior_that_codes_do_not_follow_costs_what_their_law_saves() -> None:
    law = MultivariateNormal(torch.tensor([2.0, 0.0]).double(), torch.eye(2).double())
    prior = MultivariateNormal(torch.zeros(2), torch.eye(2))
    with seeded(0):
        z = law.sample((5000,)).float()
    assert prior_mismatch(z, prior.log_prob, law.log_prob).mean() == pytest.approx(2.0, abs=0.1), "KL = ½ |shift|²"
