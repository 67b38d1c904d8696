"""The certificate of a fitted estimator: its rows, its words, and what it becomes as JSON."""

from __future__ import annotations

import copy
import json
import math
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import latente as lt
from latente.certificate import Certificate, certify
from latente.certificate.certificate import LINES
from latente.fitting import rows_of_fit


@pytest.fixture(scope="module")
def certificate(fitted_table: lt.VAE) -> Certificate:
    return fitted_table.certificate()


def test_directly_after_fit_it_needs_no_argument(certificate: Certificate) -> None:
    assert set(certificate.figures) == {*LINES}
    for name, figure in certificate.figures.items():
        assert figure.known or figure.reason, name
    assert certificate.about["rows"] == 512
    assert certificate.about["held_out_rows"] == 57
    assert 0 < certificate["completeness"].low < certificate["completeness"].value < certificate["completeness"].high <= 1
    assert certificate["affinity_null"].value < certificate["affinity_real"].value
    assert certificate["loss"].value == pytest.approx(certificate["rate"].value + certificate["distortion"].value)
    assert certificate["nll"].value < certificate["loss"].value + 1


def test_as_plain_values_and_back(certificate: Certificate) -> None:
    values = certificate.to_dict()
    assert values["completeness"]["value"] == certificate["completeness"].value
    again = Certificate.from_dict(json.loads(certificate.to_json()))
    assert again.to_dict() == values
    assert str(again) == str(certificate)


def test_a_figure_that_is_not_there_is_told_from_those_that_are(certificate: Certificate) -> None:
    with pytest.raises(KeyError, match="no figure called 'C'; there are .*completeness, "):
        certificate["C"]


def test_in_words(certificate: Certificate) -> None:
    text = str(certificate)
    assert text.startswith("Latent certificate of vae, ")
    assert repr(certificate) == text
    assert "completeness C" in text and "random codes decode to rows like real ones" in text
    for verdict in certificate.verdicts:
        assert f"{verdict.name}: {verdict.evidence}" in text
    page = certificate._repr_html_()
    assert page.count("<tr>") == page.count("</tr>") == len(LINES) + 1
    assert "<th>value [95% interval]</th>" in page
    assert "<td>continuity K</td>" in page
    assert page.count('<td style="padding-left: 2em">PCA</td>') == 3, "under what they belong to"


def test_what_a_row_pays_for_its_code_adds_up(certificate: Certificate) -> None:
    """Rate, I(x;z) and marginal KL are of the same rows, and stand one below the other."""
    rate, information, rest = (certificate[name].value for name in ("rate_train", "mutual_information", "marginal_kl"))
    assert rest == pytest.approx(rate - information, abs=1e-6)
    assert rate != certificate["rate"].value
    names = [*LINES]
    start = names.index("rate_train")
    assert names[start : start + 3] == ["rate_train", "mutual_information", "marginal_kl"]


def test_what_does_not_depend_on_the_law_stays_to_the_bit_with_another(fitted_table: lt.VAE, certificate: Certificate) -> None:
    other = copy.deepcopy(fitted_table)
    other.fitted_.at_hand = fitted_table.fitted_.at_hand
    found = other.refit_prior("prior").certificate()
    changed = {name for name in LINES if found[name].to_dict() != certificate[name].to_dict()}
    assert changed <= {"completeness_fitted_prior", "prior_mismatch", "copying", "nearer_to_training", "exact_copies"}
    assert {"completeness_fitted_prior", "prior_mismatch"} <= changed
    assert found.about["fitted_prior"] == "own-prior"


def test_few_held_out_rows_have_no_holes_and_no_lead(fitted_table: lt.VAE, certificate: Certificate) -> None:
    assert certificate["prior_holes"].reason == ("57 validation rows are too few; at least 100 are needed")
    assert certificate["information_beyond_pca"].low < certificate["information_beyond_pca"].high
    fitted, at_hand = fitted_table.fitted_, fitted_table.fitted_.at_hand
    assert at_hand is not None and at_hand.held_out is not None
    one = certify(fitted.model, fitted.fitted_prior, fitted.codec.fields, at_hand.train, at_hand.held_out[:1], 0)
    assert not one["information_beyond_pca"].known
    assert not {"holes", "no better than PCA", "keeps less than PCA"} & {verdict.name for verdict in one.verdicts}


def test_the_same_seed_gives_the_same_certificate(fitted_table: lt.VAE, certificate: Certificate) -> None:
    assert fitted_table.certificate().to_dict() == certificate.to_dict()


def test_pictures(fitted_digits: lt.VAE) -> None:
    found = fitted_digits.certificate()
    assert found["completeness"].known and found["continuity"].known
    assert found["stretch"].value > 0


@pytest.fixture(scope="module")
def autoencoder(table: NDArray[np.float64]) -> lt.Autoencoder:
    return lt.Autoencoder(latent_dim=3, max_epochs=12, random_state=0).fit(table)


def test_an_autoencoder_has_no_density_and_says_so(autoencoder: lt.Autoencoder) -> None:
    found = autoencoder.certificate()
    for name in ("rate", "nll", "mutual_information", "marginal_kl", "prior_holes", "completeness_prior"):
        assert not found[name].known
        assert found[name].reason == "an autoencoder has no distribution over codes"
    for name in (
        "completeness",
        "completeness_standard",
        "completeness_share",
        "completeness_fitted_prior",
        "completeness_ceiling",
        "continuity",
        "information_kept",
        "copying",
    ):
        assert found[name].known
    assert "an autoencoder has no distribution over codes" in str(found)


def test_mixed_columns_with_holes() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=400)
    frame = pd.DataFrame({
        "size": group + 0.3 * rng.normal(size=400), "weight": 2 * group + rng.normal(size=400),
        "kind": np.array(["small", "middle", "large"])[group], "old": (group > 0).astype(float),
    })  # fmt: skip
    frame.loc[rng.random(400) < 0.2, "size"] = np.nan
    frame.loc[rng.random(400) < 0.2, "kind"] = None
    found = lt.VAE(latent_dim=2, max_epochs=20, validation_fraction=0.25, random_state=0).fit(frame).certificate()
    assert found["affinity_real"].value == pytest.approx(1, abs=0.15)
    assert all(figure.known or figure.reason for figure in found.figures.values())
    assert found["information_kept"].known
    assert found["stretch"].known
    assert "\nsample() uses a separate row model: copies are searched among its rows" in str(found)
    assert "separate row model" in found._repr_html_()


def test_rows_stay_in_memory_and_go_nowhere(fitted_table: lt.VAE, table: NDArray[np.float64], tmp_path: Path) -> None:
    loaded = lt.load(fitted_table.save(tmp_path / "m.safetensors"))
    for other in (loaded, copy.deepcopy(fitted_table), pickle.loads(pickle.dumps(fitted_table))):
        with pytest.raises(lt.DataError, match="no longer in memory: pass the data of the fit as train="):
            other.certificate()
    again = loaded.certificate(train=table)
    assert again["affinity_real"].value == pytest.approx(fitted_table.certificate()["affinity_real"].value, abs=1e-6)
    with pytest.raises(lt.DataError, match="are not the 569 rows of the fit in their order"):
        loaded.certificate(train=table[::-1])
    with pytest.raises(lt.DataError, match="are not the 569 rows"):
        loaded.certificate(train=table[:500])


def test_rows_of_the_fit_are_encoded_and_scored_once(
    fitted_table: lt.VAE, table: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str, method: Any, *arguments: Any) -> Any:
        calls.append(name)
        return method(*arguments)

    monkeypatch.setattr(fitted_table.fitted_, "encode", partial(counted, "encode", fitted_table.fitted_.encode))
    monkeypatch.setattr(rows_of_fit, "scores", partial(counted, "scores", rows_of_fit.scores))
    learnt, others = rows_of_fit.learnt_and_others(fitted_table.fitted_, table, None)
    assert calls == ["encode", "scores"]
    assert (len(learnt), len(others)) == (512, 57)


def test_rows_of_ones_own(fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    found = fitted_table.certificate(table[:100], train=table[100:400])
    assert (found.about["held_out_rows"], found.about["rows"]) == (100, 300)
    few = fitted_table.certificate(table[:8], train=table[100:400])
    assert few["completeness"].reason.endswith("validation rows are too few; at least 20 are needed")
    assert math.isnan(few["completeness"].value)
    assert few.to_dict()["completeness"]["value"] is None


def test_rows_that_were_learnt_from_are_no_held_out_rows(fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    for given in (table, table[:100], table[:1]):
        with pytest.raises(lt.DataError, match="the held-out rows contain training rows.*pass other rows"):
            fitted_table.certificate(given, train=table)
    with pytest.raises(lt.DataError, match="held-out rows contain training rows: 90% of the 569 rows are among"):
        fitted_table.certificate(table)
    with pytest.raises(lt.DataError, match="contain training rows"):
        lt.compare_priors(fitted_table, ["gaussian"], held_out=table)
    mostly_new = np.concatenate([table[:20], 1.01 * table[:40]])
    assert fitted_table.certificate(mostly_new).about["held_out_rows"] == 60


def test_rows_must_have_been_held_out(table: NDArray[np.float64]) -> None:
    vae = lt.VAE(latent_dim=2, max_epochs=1, validation_fraction=0.0, random_state=0).fit(table[:, :4])
    with pytest.raises(lt.DataError, match="the fit held out no rows"):
        vae.certificate()


@pytest.mark.parametrize("model", [lt.VAE, lt.Autoencoder])
def test_fit_warns_in_the_words_of_the_certificate(model: type[lt.VAE], table: NDArray[np.float64]) -> None:
    vae = model(latent_dim=10, hidden=(256,), max_epochs=150, early_stopping=False, random_state=0)
    with pytest.warns(lt.LatenteWarning) as heard:
        vae.fit(table[:150])
    said = [str(each.message) for each in heard]
    (verdict,) = [str(verdict) for verdict in vae.certificate().verdicts if verdict.name == "overfits"]
    assert verdict in said
    assert verdict in vae.notes_


def test_few_held_out_rows_do_not_make_structure_disappear() -> None:
    """Thirty rows whose contrast is below the least by chance, or by weak dependence, of a table in which columns follow."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(300, 6)) + 0.5 * rng.normal(size=(300, 1))
    found = lt.VAE(latent_dim=1, max_epochs=2, random_state=0).fit(rows).certificate()
    assert "contrast" in found["completeness"].reason and found["gain"].low < 0
    assert found.about["related_columns"]
    assert "no structure found" not in {verdict.name for verdict in found.verdicts}


@pytest.mark.slow
def test_columns_that_say_nothing_of_each_other_have_no_figure() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 6))
    with pytest.warns(lt.LatenteWarning, match="no structure found"):
        vae = lt.VAE(latent_dim=2, max_epochs=20, validation_fraction=0.3, random_state=0).fit(rows)
    found = vae.certificate()
    assert not found["completeness"].known
    assert "contrast" in found["completeness"].reason
    assert found["continuity"].reason == found["continuity_pca"].reason == found["completeness"].reason
    assert next(verdict.name for verdict in found.verdicts) == "no structure found"


def test_a_certificate_of_an_earlier_version_is_read(certificate: Certificate) -> None:
    stored = certificate.to_dict()
    stored["about"]["law"], stored["about"]["row_law"] = stored["about"].pop("fitted_prior"), stored["about"].pop("row_model")
    stored["completeness_law"] = stored.pop("completeness_fitted_prior")
    again = Certificate.from_dict(stored)
    assert again.to_dict() == certificate.to_dict()
    with pytest.warns(FutureWarning, match="completeness_fitted_prior"):
        assert again["completeness_law"] == certificate["completeness_fitted_prior"]
