"""A survey: its active dimensions are those of the certificate and of the fit."""

import numpy as np
import pytest

import latente as lt
from latente.explorer.survey import Survey, rows_at_hand
from latente.training.diagnosis import active_units


@pytest.mark.parametrize("recipe", ["vae", "autoencoder"])
def test_active_dimensions_are_those_of_the_certificate(recipe: str) -> None:
    """Two factors in a code of four: a VAE leaves two dimensions to the prior."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(400, 6))
    vae = lt.VAE(recipe, latent_dim=4, max_epochs=60, random_state=0).fit(rows)
    survey = Survey.of(vae)
    expected = active_units(vae.model_, rows_at_hand(vae)).nonzero().flatten().tolist()
    assert sorted(survey.active) == expected
    assert len(survey.active) == vae.figures_["active_units"] == vae.certificate()["active_units"].value
    if recipe == "vae":
        assert len(expected) == 2
    vae.fitted_.at_hand = None
    assert len(Survey.of(vae).active) == len(expected), "without rows, the number of the fit"
