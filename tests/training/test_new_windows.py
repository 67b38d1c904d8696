"""New windows: noise along time, repeated values, and channels that are copies of others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import latente as lt
from latente.rows import Rows
from latente.training.new_windows import NewWindows, quantiles
from latente.training.residuals import Residuals

pytestmark = pytest.mark.filterwarnings("ignore::latente.errors.LatenteWarning")


def windows(n: int = 300, seed: int = 0) -> np.ndarray:
    """A smooth channel, one of counts that are mostly 0, white noise, and a copy of that."""
    rng, t = np.random.default_rng(seed), np.arange(16)
    smooth = np.sin(t / 3 + rng.uniform(0, 6, (n, 1)))
    noise = rng.uniform(size=(n, 16))
    return np.stack([smooth, rng.poisson(0.3, (n, 16)), noise, noise], 2)


def known(x: torch.Tensor, numbers: list[bool]) -> NewWindows:
    left = x.flatten(1) - x.flatten(1).mean(0)
    return NewWindows.of(Rows(x), left, Residuals.of(left), torch.tensor(numbers))


def test_new_windows_have_the_values_of_the_data() -> None:
    real = windows()
    vae = lt.VAE(time="auto", max_epochs=5, random_state=0).fit(real)
    new = np.asarray(vae.sample(400))
    assert np.array_equal(new[..., 2], new[..., 3])
    counts = new[..., 1]
    assert np.array_equal(counts, counts.round()) and abs((counts == 0).mean() - (real[..., 1] == 0).mean()) < 0.05
    assert abs(np.quantile(new[..., 2], 0.1) - 0.1) < 0.04
    found = vae.fitted_.new_windows
    assert found is not None and found.source.tolist() == [0, 1, 2, 2]
    assert found.rows.any(1).tolist() == [False, True, True, True]


def test_levels_are_not_moved() -> None:
    x = torch.from_numpy(windows()).float().transpose(1, 2).contiguous()
    assert not known(x, [True, False, True, True]).rows[1].any()


def test_noise_along_time_has_the_covariance_of_residuals() -> None:
    torch.manual_seed(0)
    steps = torch.randn(4000, 2, 12).cumsum(2)
    left = steps.flatten(1)
    found = NewWindows.of(Rows(steps), left, Residuals.none(24), torch.tensor([True, True]))
    drawn = found.noise(4000).view(-1, 2, 12)
    spread = drawn.diff(dim=2).std() / steps.diff(dim=2).std()
    assert abs(float(spread) - 1) < 0.1
    assert float(torch.corrcoef(drawn[:, 0, -2:].T)[0, 1]) > 0.9


def test_ranks_become_values() -> None:
    low, high, rows = np.array([0.0, 1.0, 0.0]), np.array([0.0, 3.0, 0.0]), np.array([1.0, 1.0, 0.0])
    assert quantiles(low, high, rows, np.array([0.0, 0.49, 0.5, 0.75, 1.0])).tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]


def test_a_damaged_file_is_refused(tmp_path) -> None:
    vae = lt.VAE(time="auto", max_epochs=1, random_state=0).fit(windows(40)).complete()
    assert vae.fitted_.new_windows is not None
    again = lt.load(vae.save(tmp_path / "model.safetensors"))
    assert np.array_equal(again.sample(3), vae.sample(3))
    vae.fitted_.new_windows.source[0] = 9
    with pytest.raises(lt.StorageError, match="new windows"):
        lt.load(vae.save(tmp_path / "other.safetensors"))
