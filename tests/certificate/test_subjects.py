"""Noise of decoded rows: of the same kind for every model."""

import numpy as np
import pandas as pd
import pytest
import torch

import latente as lt
from latente.certificate import certify
from latente.certificate.certify import Setting
from latente.model.parts import choose


def setting_of(vae: lt.VAE) -> Setting:
    hand = vae.fitted_.at_hand
    return Setting(hand.train, hand.held_out, vae.codec_.fields, 0)


@pytest.mark.parametrize("recipe", ["autoencoder", "vae"])
def test_the_noise_of_numbers_is_what_reconstructions_of_validation_rows_leave(recipe: str) -> None:
    """Whatever noise a model has learned: here a hundred times too much."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(400, 5))
    noise = choose("normal", sigma=9.0)
    vae = lt.VAE(recipe, latent_dim=2, max_epochs=2, likelihood=noise, validation_fraction=0.4, random_state=0).fit(rows)
    setting = setting_of(vae)
    subject = setting.subject(vae.model_)
    z = torch.zeros(4000, 2)
    spread = (subject.draws(z) - subject.means(z)).std(0)
    residual = subject.residuals.values.std(0)
    assert spread.numpy() == pytest.approx(residual.numpy(), rel=0.1)
    assert spread.max() < 2


def test_levels_are_sampled_by_every_model() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=300)
    frame = pd.DataFrame(
        {"kind": np.array(["a", "b", "c"])[group], "size": np.where(group, group + 0.1 * rng.normal(size=300), 0)}
    )
    for recipe in ("autoencoder", "vae"):
        vae = lt.VAE(recipe, latent_dim=2, max_epochs=2, validation_fraction=0.3, random_state=0).fit(frame)
        subject = setting_of(vae).subject(vae.model_)
        drawn = subject.draws(torch.zeros(500, 2))
        assert set(drawn[:, 0].tolist()) <= {0.0, 1.0, 2.0}
        if vae.model_.likelihood.takes_levels:
            assert not subject.residuals.numbers.any()


def test_c_from_the_standard_normal_is_known_for_every_model_of_a_euclidean_space(table) -> None:
    figures = {}
    for recipe in ("autoencoder", "vae", "hyperspherical-vae"):
        vae = lt.VAE(recipe, latent_dim=3, max_epochs=3, random_state=0).fit(table)
        figures[recipe] = vae.certificate()
    assert figures["autoencoder"]["completeness_standard"].known
    assert not figures["autoencoder"]["completeness_prior"].known
    assert figures["vae"]["completeness_standard"] == figures["vae"]["completeness_prior"]
    assert figures["hyperspherical-vae"]["completeness_standard"].reason == "codes do not lie in R^d, where N(0, I) is defined"
    assert figures["hyperspherical-vae"]["completeness_prior"].known


def test_codes_far_from_the_standard_normal_lower_c_from_it_and_not_the_others(table) -> None:
    """Codes ten times as large, and a decoder that divides by ten: the same model, but for where its codes are."""
    vae = lt.Autoencoder(latent_dim=3, max_epochs=10, random_state=0).fit(table)
    hand, fields = vae.fitted_.at_hand, vae.codec_.fields
    before = certify(vae.model_, vae.fitted_prior_, fields, hand.train, hand.held_out, 0)
    with torch.no_grad():
        vae.model_.posterior.head.weight.mul_(10)
        vae.model_.posterior.head.bias.mul_(10)
        for layer in (vae.model_.decoder.layers[0], vae.model_.decoder.linear):
            if layer is not None:
                layer.weight.div_(10)
    after = certify(vae.model_, vae.fitted_prior_, fields, hand.train, hand.held_out, 0)
    assert after["completeness"].value == pytest.approx(before["completeness"].value, abs=0.02)
    assert after["completeness_share"].value == pytest.approx(before["completeness_share"].value, abs=0.02)
    assert after["completeness_standard"].high < before["completeness_standard"].low
