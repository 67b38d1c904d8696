"""Noise that is removed, and wrong values that are found and repaired."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import latente as lt
from latente.tasks import repairs
from latente.training.residuals import Residuals

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(2, 8))
COVARIANCE = WEIGHTS.T @ WEIGHTS + 0.1 * np.eye(8)


def gaussian(n: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).multivariate_normal(np.zeros(8), COVARIANCE, n)


@pytest.fixture(scope="module")
def linear() -> lt.VAE:
    likelihood = lt.choose("normal", sigma="shared")
    return lt.VAE("vae", 2, (), likelihood, 40, batch_size=100, learning_rate=0.01, effort="quick", random_state=0).fit(
        gaussian(2000, 1)
    )


def test_residuals_given_noise_are_those_of_the_joint_normal() -> None:
    left = torch.from_numpy(gaussian(4000, 2)).float()
    residuals = Residuals.of(left)
    covariance = (residuals.axes * residuals.variance) @ residuals.axes.T + torch.diag(residuals.rest)
    np.testing.assert_allclose(covariance, np.cov(left.T, ddof=0), atol=0.15)
    noise, x = torch.linspace(0.1, 1, 8), torch.from_numpy(gaussian(5, 3)).float()
    seen = torch.ones(5, 8, dtype=torch.bool)
    seen[1, 2:5] = False
    observed = residuals.observed(noise, seen)
    for row in range(5):
        k = seen[row]
        within = torch.linalg.inv(covariance[k][:, k] + torch.diag(noise[k]))
        wanted = residuals.mean + covariance[:, k] @ within @ (x[row, k] - residuals.mean[k])
        torch.testing.assert_close(observed.expected(x)[row], wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_a_linear_model_gives_the_exact_posterior_mean(linear: lt.VAE, sigma: float) -> None:
    clean = gaussian(500, 4)
    noisy = clean + sigma * np.random.default_rng(5).normal(size=clean.shape)
    exact = noisy @ np.linalg.solve(COVARIANCE + sigma**2 * np.eye(8), COVARIANCE)
    found = linear.denoise(noisy, noise=sigma)
    assert np.square(found - exact).mean() < 0.1 * np.square(noisy - exact).mean()
    assert np.square(found - clean).mean() < 1.1 * np.square(exact - clean).mean()


def test_the_level_of_noise_is_estimated_and_clean_rows_stay(linear: lt.VAE) -> None:
    clean = gaussian(500, 6)
    noisy = clean + 0.5 * np.random.default_rng(5).normal(size=clean.shape) * clean.std(0)
    sigma = linear.denoise(noisy, return_noise=True)[1]["sigma"]
    np.testing.assert_allclose([*sigma.values()], 0.5 * clean.std(0), rtol=0.25)
    kept, noise = linear.denoise(clean, return_noise=True)
    assert noise == {"kind": "none"}
    np.testing.assert_allclose(kept, clean, atol=1e-4)


@pytest.mark.parametrize("noise", ["loud", -1.0, {"x0": -1.0}, {"y": 1.0}, float("nan"), [1.0]])
def test_what_is_no_noise_is_refused(linear: lt.VAE, noise: Any) -> None:
    said = "no column of the model called 'y'; there are x0, " if noise == {"y": 1.0} else "noise is None, a standard deviation"
    with pytest.raises(lt.ModelError, match=said):
        linear.denoise(gaussian(5, 7), noise=noise)


def test_salt_and_pepper_and_missing_pixels(tmp_path: Path) -> None:
    pictures = load_digits().images.astype(np.float32) / 16
    vae = lt.VAE(max_epochs=15, effort="quick", random_state=0).fit(pictures[:1000])
    clean, rng = pictures[1000:1100], np.random.default_rng(0)
    u = rng.random(clean.shape)
    noisy = np.where(u < 0.1, 0, np.where(u > 0.9, 1, clean)).astype(np.float32)
    cleaned, noise = vae.denoise(noisy, return_noise=True)
    assert noise["kind"] == "salt-and-pepper" and 0.05 < noise["share"] < 0.3
    assert np.square(cleaned - clean).mean() < 0.5 * np.square(noisy - clean).mean()
    holes = np.where(u < 0.3, np.nan, clean)
    filled = vae.denoise(holes, noise=0.0)
    assert np.square(filled - clean).mean() < 0.5 * np.square(np.where(u < 0.3, clean.mean(0), clean) - clean).mean()
    np.testing.assert_allclose(filled[u >= 0.3], clean[u >= 0.3], atol=1e-5)
    again = lt.load(vae.save(tmp_path / "m.safetensors"))
    assert (again.denoise(noisy) == cleaned).all()


@pytest.fixture(scope="module")
def sums() -> tuple[lt.VAE, pd.DataFrame]:
    rng = np.random.default_rng(0)
    a, b = rng.normal(10, 3, 1200).round(1), rng.normal(20, 3, 1200).round(1)
    rows = pd.DataFrame({"a": a, "b": b, "sum": (a + b).round(1), "large": np.where(a + b > 30, "yes", "no")})
    return lt.VAE(max_epochs=30, random_state=0).fit(rows[:1000]), rows[1000:].reset_index(drop=True)


def test_wrong_cells_are_found_and_repaired(sums: tuple[lt.VAE, pd.DataFrame]) -> None:
    vae, rows = sums
    dirty = rows.copy()
    dirty.loc[:19, "sum"] += 12
    dirty.loc[30, "a"] = np.nan
    repaired, changed = vae.repair(dirty)
    assert changed.shape == rows.shape and changed[:20, 2].mean() > 0.7 and changed[30, 0]
    others = changed.copy()
    others[:20, 2] = others[30, 0] = False
    assert others.mean() < 0.05
    assert np.abs(repaired["sum"][:20] - rows["sum"][:20]).mean() < 5
    kept = dirty.where(~changed)
    assert kept.equals(repaired.where(~changed)), "what was not changed stays as it is"


def test_one_row_is_repaired_as_among_others(sums: tuple[lt.VAE, pd.DataFrame]) -> None:
    vae, rows = sums
    whole = repairs.find(vae.row_model_, vae.fitted_.rows(rows), vae.codec_.fields, 0)
    one = repairs.find(vae.row_model_, vae.fitted_.rows(rows[3:4]), vae.codec_.fields, 0)
    torch.testing.assert_close(one.odds[0], whole.odds[3], rtol=1e-3, atol=1e-3)


def test_a_model_with_a_code_repairs_too() -> None:
    rows = gaussian(600, 8)
    vae = lt.VAE(max_epochs=30, effort="quick", random_state=0).fit(rows)
    dirty = rows[:50].copy()
    dirty[:, 3] += 12
    _, changed = vae.repair(dirty)
    assert changed[:, 3].mean() > 0.8 and np.delete(changed, 3, 1).mean() < 0.1


def test_pictures_are_not_repaired() -> None:
    vae = lt.VAE(max_epochs=1, latent_dim=1, random_state=0).fit(load_digits().images[:50])
    with pytest.raises(lt.ModelError, match="repair is for columns of a table"):
        vae.repair(load_digits().images[:2])


def test_noise_that_is_told_is_learnt_from_corrupted_rows() -> None:
    assert lt.recipe("denoising", sigma=0.2).corruption == lt.choose("gaussian-noise", sigma=0.2)
    assert lt.recipe("denoising", corruption="masking").corruption == lt.choose("masking")
    alone = lt.recipe("denoising")
    assert alone.corruption is None and alone.noisy and alone.posterior == lt.recipe("vae").posterior


@pytest.mark.parametrize("value", [9.0, 50.0, 1e6])
def test_a_value_far_outside_of_its_column_is_always_repaired(linear: lt.VAE, value: float) -> None:
    rows = gaussian(20, 8)
    rows[3, 1] = rows[:, 1].mean() + value * 10
    repaired, changed = linear.repair(rows)
    assert changed[3, 1] and abs(repaired[3, 1]) < 20


@pytest.mark.parametrize("recipe", ["cvae", "autoencoder"])
def test_repair_of_models_with_a_context_or_without_a_prior(recipe: str) -> None:
    rows, labels = gaussian(60, 9), np.arange(60) % 2
    given = {"context": labels} if recipe == "cvae" else {}
    vae = lt.VAE(recipe, 2, max_epochs=2, random_state=0).fit(rows, **given)
    rows[3, 1] = 1e4
    repaired, changed = vae.repair(rows, **given)
    one, changed_alone = vae.repair(rows[3:4], **({"context": labels[3:4]} if given else {}))
    assert changed[3, 1] and (changed_alone == changed[3:4]).all()
    np.testing.assert_allclose(one, repaired[3:4], rtol=1e-3)


def test_rows_without_noise_stay_to_the_bit() -> None:
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(80) % 50, "D")
    frame = pd.DataFrame({"when": when, "price": np.random.default_rng(0).normal(50, 9, 80).round(2), "kind": ["a", "b"] * 40})
    vae = lt.VAE(max_epochs=2, random_state=0).fit(frame)
    cleaned, noise = vae.denoise(frame, return_noise=True)
    assert noise == {"kind": "none"}
    pd.testing.assert_frame_equal(cleaned, frame, check_dtype=False)
