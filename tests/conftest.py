"""What all tests share: small real data that ships with scikit-learn, and models that are fitted once."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits

import latente as lt


@pytest.fixture(scope="session")
def digits() -> NDArray[np.uint8]:
    """1,797 pictures of 8 x 8, values 0 to 16."""
    return load_digits().images.astype(np.uint8) * 15


@pytest.fixture(scope="session")
def table() -> NDArray[np.float64]:
    """569 rows of 30 strongly dependent measures."""
    return load_breast_cancer().data


@pytest.fixture(scope="session")
def fitted_table(table: NDArray[np.float64]) -> lt.VAE:
    """A VAE of the table."""
    return lt.VAE(max_epochs=12, random_state=0).fit(table)


@pytest.fixture(scope="session")
def fitted_digits(digits: NDArray[np.uint8]) -> lt.VAE:
    """A VAE of the pictures."""
    return lt.VAE(max_epochs=6, random_state=0).fit(digits)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the project; tests that need it are skipped where it is not there."""
    folder = Path(os.environ.get("LATENTE_DATA", Path(__file__).parents[1] / "../shared/data"))
    if not folder.is_dir():
        pytest.skip("no folder of real data (LATENTE_DATA)")
    return folder


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by 5 ms whenever it is read."""
    ticks = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: 0.005 * next(ticks))
