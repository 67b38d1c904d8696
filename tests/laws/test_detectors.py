"""Laws of every score of anomalies: found in the table of detectors, so that a new one is tested by being entered."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

import latente as lt
from latente.tasks.anomalies import log_likelihood
from latente.tasks.detectors import DETECTORS, ENSEMBLE, OF_WINDOWS, SERIES_DETECTORS, detector
from latente.tasks.rivals import RIVALS
from latente.training import surroundings

SCORES = ["auto", *DETECTORS]
TESTED_BY_OTHERS = {"rate", "typicality"}  # strange in other ways than by extreme values


@pytest.fixture(scope="module")
def dirty() -> NDArray[np.float64]:
    """Rows of two degrees of freedom; the last 40 of 440 do not hang together."""
    rng = np.random.default_rng(0)
    usual = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(400, 6))
    strange = np.stack([rng.permutation(column) for column in usual.T], 1)[:40]
    return np.concatenate([usual, 1.5 * strange])


@pytest.fixture(scope="module")
def vae(dirty: NDArray[np.float64]) -> lt.VAE:
    return lt.VAE(max_epochs=40, latent_dim=2, hidden=(16,), random_state=0).fit(dirty[:200])


def score(vae: lt.VAE, rows: NDArray[np.float64], name: str = "auto") -> NDArray[np.float64]:
    return np.asarray(vae.anomalies(rows, score=name)["score"])


@pytest.mark.parametrize("name", SCORES)
def test_a_score_depends_neither_on_neighbours_nor_on_place(name: str, vae: lt.VAE, dirty: NDArray[np.float64]) -> None:
    whole = score(vae, dirty, name)
    assert whole.shape == (440,) and np.isfinite(whole).all()
    parts = np.concatenate([score(vae, dirty[start : start + 37], name) for start in range(0, 440, 37)])
    np.testing.assert_allclose(parts, whole, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(score(vae, dirty[::-1].copy(), name)[::-1], whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SCORES)
def test_a_model_that_was_stored_gives_the_same(name: str, vae: lt.VAE, dirty: NDArray[np.float64], tmp_path: Path) -> None:
    again = lt.load(vae.save(tmp_path / "model.safetensors"))
    for one, other in zip(*(model.anomalies(dirty, score=name).itercolumns() for model in (vae, again)), strict=True):
        assert one.equals(other)


@pytest.mark.parametrize("name", sorted(set(SCORES) - TESTED_BY_OTHERS))
def test_a_row_far_away_is_stranger_than_all_others(name: str, vae: lt.VAE, dirty: NDArray[np.float64]) -> None:
    rows = np.concatenate([dirty[200:400], 20 * dirty[200:201]])
    assert score(vae, rows, name).argmin() == 200
    assert vae.anomalies(rows, score=name)["anomalous"][200].as_py()


@pytest.fixture(scope="module")
def with_missing(dirty: NDArray[np.float64]) -> tuple[lt.VAE, NDArray[np.float64]]:
    """A model of rows with missing values, and others like them."""
    rows = np.where(np.random.default_rng(1).random(dirty.shape) < 0.15, np.nan, dirty)
    vae = lt.VAE(max_epochs=3, latent_dim=2, hidden=(8,), validation_fraction=0.4, random_state=0).fit(rows[:200])
    return vae, rows[200:400]


@pytest.mark.parametrize("name", SCORES)
def test_usual_rows_have_uniform_p_values_with_missing_values_too(
    name: str, with_missing: tuple[lt.VAE, NDArray[np.float64]]
) -> None:
    vae, rows = with_missing
    p = np.asarray(vae.anomalies(rows, score=name)["p_value"])
    for level in (0.05, 0.2, 0.5):
        error = 2.5 * np.sqrt(level * (1 - level) * (1 / 80 + 1 / 200))
        assert abs((p <= level).mean() - level) < error + 1 / 80


def test_an_ensemble_has_a_column_for_each_score(vae: lt.VAE, dirty: NDArray[np.float64]) -> None:
    found = vae.anomalies(dirty, score=["near", "log-prob"])
    assert {"near", "log-prob"} <= set(found.column_names)
    np.testing.assert_allclose(np.asarray(found["log-prob"]), -vae.score_samples(dirty))
    same = vae.anomalies(dirty, score=["near", "near"])
    assert np.array_equal(np.asarray(same["rank"]), np.asarray(vae.anomalies(dirty, score="near")["rank"]))


def test_strange_training_rows_are_not_learnt_as_usual(dirty: NDArray[np.float64]) -> None:
    rows = np.random.default_rng(0).permutation(np.concatenate([dirty[:160], dirty[400:]]))  # a fifth of them is strange
    vae = lt.VAE(max_epochs=40, latent_dim=2, hidden=(16,), random_state=0).fit(rows)
    fresh = np.concatenate([dirty[200:400], dirty[400:]])
    strange = -score(vae, fresh)
    assert (strange[200:, None] > strange[:200]).mean() > 0.95  # AUROC
    assert (np.asarray(vae.anomalies(fresh)["p_value"])[:200] <= 0.05).mean() <= 0.05


def test_selected_rows_are_mostly_strange(vae: lt.VAE, dirty: NDArray[np.float64]) -> None:
    usual = lt.VAE(max_epochs=20, latent_dim=2, hidden=(16,), validation_fraction=0.5, random_state=0).fit(dirty[:300])
    with_fdr = np.asarray(usual.anomalies(dirty[300:], fdr=0.2)["anomalous"])
    assert with_fdr[100:].mean() > 0.5 and with_fdr[:100].sum() <= 0.4 * with_fdr.sum()
    alarms = [np.asarray(usual.anomalies(dirty[300:], false_alarm_rate=rate)["anomalous"]) for rate in (0.02, 0.2)]
    assert alarms[0][:100].mean() < 0.1 and (alarms[1] >= alarms[0]).all()


def test_few_held_out_rows_call_no_usual_row_strange_more_often(dirty: NDArray[np.float64]) -> None:
    alarms = []
    for seed in range(12):
        rows = np.random.default_rng(seed).permutation(dirty[:400])
        vae = lt.VAE(max_epochs=1, latent_dim=1, hidden=(4,), effort="quick", random_state=seed).fit(rows[:90])
        alarms.append((np.asarray(vae.anomalies(rows[90:])["p_value"]) <= 0.1).mean())
    assert np.mean(alarms) < 0.1 + 2.5 * np.std(alarms) / np.sqrt(len(alarms))  # nine held-out rows: exactly 0.1 on average


def test_strange_rows_say_what_they_hold_and_what_is_expected(dirty: NDArray[np.float64]) -> None:
    frame = pd.DataFrame(
        {"torque": dirty[:400, 0] * 10 + 50, "speed": dirty[:400, 0] * 5 + dirty[:400, 1], "load": dirty[:400, 2]}
    )
    vae = lt.VAE(max_epochs=40, random_state=0).fit(frame)
    row = frame.head(1).assign(torque=120.0)
    words = vae.anomalies(row)["expected"].iloc[0]
    found = re.search(r"torque 120, expected ([-.\d]+) to ([-.\d]+)", words)
    assert found and frame["torque"].min() - 20 < float(found[1]) < float(found[2]) < 120
    assert vae.anomalies(frame)["expected"].ne("").mean() < 0.1


def test_trimmed_rows_are_not_learned_and_said() -> None:
    rng = np.random.default_rng(0)
    usual = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(300, 5))
    clean = lt.VAE(max_epochs=2, trim="auto", random_state=0).fit(usual)
    assert sum(note.values["n"] for note in clean.notes_ if "not learned" in note) <= 3
    rows = rng.permutation(np.concatenate([usual, 8 + rng.normal(size=(30, 5)) * 3]))
    for trim in ("auto", 0.1):
        vae = lt.VAE(max_epochs=2, trim=trim, random_state=0).fit(rows)
        (note,) = [note for note in vae.notes_ if "not learned" in note]
        assert 15 <= note.values["n"] <= 45
        assert vae.certificate(train=rows)["rate"].known  # the rows of the fit are still told by their number
    with pytest.raises(lt.ModelError, match="trim"):
        lt.VAE(trim=0.9).fit(rows)


def test_simple_detectors_beside_the_model(vae: lt.VAE, dirty: NDArray[np.float64]) -> None:
    found = vae.compare_detectors(dirty)
    assert found.agreement["detector"].to_pylist() == list(RIVALS)
    assert all(-1 <= value <= 1 for value in found.agreement["rank_correlation"].to_pylist())
    assert "nothing suggests" in found.verdict or "differ" in found.verdict
    ranks = found.scores.to_pandas()
    assert len(ranks) == 440 and (ranks.min() == 1).all()
    for row in found.differing["row"].to_pylist():
        assert ranks.loc[row, "model"] <= 22 or ranks.loc[row].drop("model").max() <= 22
    with pytest.raises(lt.DataError, match="at least 10 rows"):
        vae.compare_detectors(dirty[:3])


def test_a_linear_structure_shows_nothing_that_others_do_not_see(vae: lt.VAE, dirty: NDArray[np.float64]) -> None:
    far = np.concatenate([dirty[:100], 30 * dirty[100:110]])
    assert "nothing suggests" in vae.compare_detectors(far).verdict


def test_what_can_not_be_asked_is_refused(vae: lt.VAE, dirty: NDArray[np.float64]) -> None:
    for wrong in (
        {"score": "nobody"},
        {"score": []},
        {"fdr": 0.0},
        {"false_alarm_rate": 1.5},
        {"fdr": 0.1, "false_alarm_rate": 0.1},
    ):
        with pytest.raises(lt.ModelError):
            vae.anomalies(dirty, **wrong)
    with pytest.warns(
        lt.LatenteWarning, match="20 held-out rows are few: no p-value is below 1/21, and one anomaly by itself would need 99"
    ):
        assert not any(vae.anomalies(dirty, false_alarm_rate=0.01)["anomalous"].to_pylist())


def test_the_summary_of_the_rows_holds_means_of_at_least_five() -> None:
    space = torch.randn(103, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    groups = surroundings._groups(space, torch.arange(103), surroundings.MIN_GROUP)
    assert min(map(len, groups)) >= 5 and torch.equal(torch.cat(groups).sort().values, torch.arange(103))
    means = surroundings.Surroundings.of([space[:, :2], space[:, 2:3], space[:, 3:]])
    stored = means.groups * means.scale + means.center
    assert torch.cdist(stored.double(), space).min() > 1e-3, "no row is stored"


def test_a_large_summary_is_bounded() -> None:
    space = torch.randn(3000, 400, generator=torch.Generator().manual_seed(0))
    found = surroundings.Surroundings.of([space[:, :200], space[:, 200:205], space[:, 205:]])
    assert found.groups.numel() <= surroundings.MAX_VALUES and len(found.axes) == surroundings.MAX_AXES


def test_a_map_of_surprise_shows_where_a_picture_was_altered(fitted_digits: lt.VAE, digits: NDArray[np.uint8]) -> None:
    altered = digits[:20].copy()
    altered[:, 0, 0] = altered.max()
    found = fitted_digits.surprise(altered)
    assert found.shape == altered.shape
    assert (found.reshape(20, -1).argmax(1) == 0).mean() > 0.8
    usual = fitted_digits.surprise(digits)
    assert abs(usual.mean()) < 0.2 * np.abs(usual).mean() + 0.1, "calibrated for each pixel"


def test_a_name_is_taken_once() -> None:
    with pytest.raises(lt.ModelError, match="taken"):
        detector(DETECTORS["near"])
    assert set(ENSEMBLE) <= set(DETECTORS)
    assert set(OF_WINDOWS) <= {**DETECTORS, **SERIES_DETECTORS}.keys() == lt.detectors().keys()


@pytest.mark.parametrize("name", SCORES)
def test_pictures_have_scores(name: str, fitted_digits: lt.VAE, digits: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(5, *digits.shape[1:])).astype(np.uint8)
    found = score(fitted_digits, np.concatenate([digits[:50], noise]).astype(digits.dtype), name)
    assert np.isfinite(found).all()
    if name in ("auto", "near", "covariance", "log-prob"):
        assert found[50:].max() < np.median(found[:50])


def test_a_fit_scores_its_held_out_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """log p of a model with codes takes a hundred draws for each row: detectors take what the calibration has."""

    def computed(*_: object) -> None:
        raise AssertionError("log p is computed again")

    monkeypatch.setattr("latente.tasks.detectors.log_likelihood", computed)
    rows = np.random.default_rng(0).normal(size=(80, 3))
    vae = lt.VAE(max_epochs=1, random_state=0).fit(rows)
    monkeypatch.undo()
    held_out = vae.fitted_.at_hand.held_out
    expected = -np.sort(vae.fitted_.in_units(log_likelihood(vae.row_model_, held_out, vae.seed_), held_out))
    np.testing.assert_allclose(np.sort(vae.fitted_.usual.of("log-prob")), np.sort(expected))
