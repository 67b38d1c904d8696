"""Laws swapped: another law of the codes, in the model, in its file and in the certificate."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import latente as lt
from latente.studies.prior_comparison import PriorComparison


@pytest.fixture(scope="module")
def vae(table: NDArray[np.float64]) -> lt.VAE:
    return lt.VAE(latent_dim=3, max_epochs=12, random_state=0, validation_fraction=0.25).fit(table[:, :8])


@pytest.fixture(scope="module")
def found(vae: lt.VAE) -> PriorComparison:
    return lt.compare_priors(vae, ["prior", "gaussian", "mixture", "nearest"])


def test_each_law_with_its_figures(vae: lt.VAE, found: PriorComparison) -> None:
    certificate = vae.certificate()
    prior = found["prior"]
    assert prior.rate.value == pytest.approx(certificate["rate"].value, abs=0.15), "the prior's own rate"
    assert prior.loss.value == pytest.approx(certificate["loss"].value, abs=0.3)
    assert prior.completeness.value == pytest.approx(certificate["completeness_prior"].value, abs=0.1)
    assert found["mixture"].density.value > prior.density.value
    for law in found.priors:
        assert law.rate.value + law.density.value == pytest.approx(prior.rate.value + prior.density.value, abs=1e-6)
    assert [law.stores_codes for law in found.priors] == [False, False, False, True]


def test_in_words_and_as_plain_values(found: PriorComparison) -> None:
    assert "stores codes of rows" in str(found).splitlines()[-1]
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["priors"][0]["name"] == "prior"
    assert found.to_frame().column_names == ["prior", "completeness", "density", "rate", "loss", "stores_codes"]
    assert found._repr_html_().count("<tr>") == 5


def test_a_law_that_is_not_there_is_told_from_those_that_are(found: PriorComparison) -> None:
    with pytest.raises(KeyError, match="no prior here called 'flow'; there are prior, gaussian, mixture, nearest"):
        found["flow"]


def test_the_same_each_time_and_the_model_stays(vae: lt.VAE, found: PriorComparison) -> None:
    before = vae.fitted_prior_
    assert lt.compare_priors(vae, ["prior", "gaussian", "mixture", "nearest"]).to_dict() == found.to_dict()
    assert vae.fitted_prior_ is before


@pytest.mark.parametrize("law", ["gaussian", "mixture", "prior", "nearest"])
def test_another_law_is_kept_in_the_file(vae: lt.VAE, law: str, tmp_path: Path) -> None:
    other = copy.deepcopy(vae)
    other.fitted_.at_hand = vae.fitted_.at_hand
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        assert other.refit_prior(law) is other
    again = lt.load(other.save(tmp_path / "m.safetensors"))
    assert again.fitted_prior_.name == {"prior": "own-prior"}.get(law, law)
    assert np.array_equal(again.sample(20), other.sample(20))
    if law == "prior":
        z = torch.randn(5, 3)
        assert torch.equal(again.fitted_prior_.log_prob(z), again.model_.p().log_prob(z))


def test_the_old_names_work_with_a_warning(vae: lt.VAE) -> None:
    other = copy.deepcopy(vae)
    other.fitted_.at_hand = vae.fitted_.at_hand
    with pytest.warns(FutureWarning, match="refit_prior"):
        other.refit_law("gaussian")
    with pytest.warns(FutureWarning, match="fitted_prior_"):
        assert other.law_ is other.fitted_prior_
    with pytest.warns(FutureWarning, match="compare_priors"):
        assert lt.compare_laws(other, ["gaussian"]).priors[0].name == "gaussian"


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_prior_means_the_models_own(table: NDArray[np.float64]) -> None:
    """Of a model whose prior is a mixture, codes come from that, and not from N(0, I)."""
    vae = lt.VAE("hi-vae", latent_dim=2, max_epochs=2, random_state=0).fit(table[:, :4])
    with torch.no_grad():
        vae.model_.prior.loc += 50.0
    drawn = vae.refit_prior("prior").fitted_prior_.sample(100)
    assert float(drawn.mean()) > 40
    assert np.array_equal(vae.sample(20, prior="prior"), vae.sample(20, prior="fitted"))
    with pytest.raises(lt.ModelError, match="no prior"):
        lt.Autoencoder(latent_dim=1, max_epochs=1, random_state=0).fit(table[:, :4]).refit_prior("prior")


def test_the_certificate_goes_by_it(vae: lt.VAE) -> None:
    other = copy.deepcopy(vae)
    other.fitted_.at_hand = vae.fitted_.at_hand
    far = other.refit_prior("prior").certificate()
    assert far["completeness_fitted_prior"].value == pytest.approx(far["completeness_prior"].value, abs=0.1)
    assert far["prior_mismatch"].value == pytest.approx(0, abs=1e-6)
    assert vae.certificate()["prior_mismatch"].value != 0


def test_its_completeness_is_that_of_the_certificate(vae: lt.VAE, found: PriorComparison) -> None:
    other = copy.deepcopy(vae)
    other.fitted_.at_hand = vae.fitted_.at_hand
    for law in ("gaussian", "mixture"):
        assert other.refit_prior(law).certificate()["completeness_fitted_prior"] == found[law].completeness


def test_whether_it_is_known_is_told_alike(table: NDArray[np.float64]) -> None:
    """Of little dependence, where the contrast is near the least: the same rows decide, with the same draws."""
    rng = np.random.default_rng(0)
    for mix in (0.5, 0.6, 0.7):
        rows = rng.normal(size=(300, 3)) + mix * rng.normal(size=(300, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lt.LatenteWarning)
            weak = lt.VAE(latent_dim=1, max_epochs=2, random_state=0, validation_fraction=0.3).fit(rows)
        reason = weak.certificate()["completeness"].reason
        assert lt.compare_priors(weak, ["prior"])["prior"].completeness.reason == reason


def test_what_stores_codes_says_so_until_it_is_replaced(vae: lt.VAE) -> None:
    other = copy.deepcopy(vae)
    other.fitted_.at_hand = vae.fitted_.at_hand
    with pytest.warns(lt.LatenteWarning, match="stores codes of training rows"):
        other.refit_prior("nearest")
    assert any("stores codes" in note for note in other.notes_)
    other.refit_prior("gaussian")
    assert not any("stores codes" in note for note in other.notes_)


def test_after_loading_it_asks_for_the_rows(vae: lt.VAE, table: NDArray[np.float64], tmp_path: Path) -> None:
    loaded = lt.load(vae.save(tmp_path / "m.safetensors"))
    with pytest.raises(lt.DataError, match="pass the data of the fit as train="):
        loaded.refit_prior("mixture")
    with pytest.raises(lt.DataError, match="are not the 569 rows"):
        loaded.refit_prior("mixture", train=table[:500, :8])
    loaded.refit_prior("gaussian", train=table[:, :8])
    again = copy.deepcopy(vae)
    again.fitted_.at_hand = vae.fitted_.at_hand
    np.testing.assert_allclose(loaded.fitted_prior_.means, again.refit_prior("gaussian").fitted_prior_.means, atol=1e-5)
    assert lt.compare_priors(loaded, ["gaussian"], train=table[:, :8]).priors[0].completeness.known


def test_what_is_no_law(vae: lt.VAE) -> None:
    with pytest.raises(lt.ModelError, match="no prior for these codes called 'normal'"):
        vae.refit_prior("normal")
    with pytest.raises(lt.ModelError, match="no prior for these codes called 'normal'"):
        lt.compare_priors(vae, ["gaussian", "normal"])


def test_an_autoencoder_has_no_rate_and_one_dimension_no_flow(table: NDArray[np.float64]) -> None:
    plain = lt.Autoencoder(latent_dim=1, max_epochs=3, random_state=0).fit(table[:, :4])
    found = lt.compare_priors(plain, ["gaussian", "flow"])
    assert not found["gaussian"].rate.known and found["gaussian"].density.known
    assert found.notes == ("flow: a flow needs codes of at least 2 dimensions, and these have 1",)


def test_it_is_said_why_a_completeness_is_not_known() -> None:
    noise = np.random.default_rng(0).normal(size=(200, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        vae = lt.VAE(latent_dim=1, max_epochs=2, random_state=0).fit(noise[:, :2])
    found = lt.compare_priors(vae, ["prior", "gaussian"], train=noise[:150, :2], held_out=noise[150:160, :2])
    assert found.notes == ("C is not known: 10 validation rows are too few; at least 20 are needed",)
    assert found.notes[0] in str(found)
