"""Disentanglement: codes that are the factors have 1, rotated ones less, independent ones 0."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from latente.certificate.disentanglement import dci, gaps, infomec, information, measures, mig, sap, symbols

Array = NDArray[np.float64]
N = 2000
RNG = np.random.default_rng(0)
V = RNG.normal(size=(N, 3))
FACTORS = {"a": V[:, 0], "b": V[:, 1], "kind": np.array(["x", "y", "z", "w"])[symbols(V[:, 2]) // 5]}
ON_AXES = np.stack([V[:, 0], V[:, 1], symbols(V[:, 2]) // 5], 1).astype(float)


def turned(codes: Array) -> Array:
    """Rotated by 45 degrees in all planes."""
    half = math.sqrt(0.5)
    first, second = np.eye(3), np.eye(3)
    first[:2, :2] = second[1:, 1:] = [[half, -half], [half, half]]
    return codes / codes.std(0) @ first @ second


def test_codes_that_are_the_factors_reach_1() -> None:
    found = measures(ON_AXES, ON_AXES, FACTORS)
    assert found["sap"] == pytest.approx(1.0, abs=0.03) and found["mig"] > 0.95
    assert min(found.values()) > 0.95 and max(found.values()) <= 1.0 + 1e-9


def test_a_rotation_keeps_what_is_predicted_and_loses_the_axes() -> None:
    before, after = measures(ON_AXES, ON_AXES, FACTORS), measures(turned(ON_AXES), turned(ON_AXES), FACTORS)
    for name in ("mig", "sap", "disentanglement", "completeness", "modularity", "compactness"):
        assert after[name] < before[name] - 0.2, name
    for name in ("informativeness", "explicitness"):
        assert after[name] > 0.75, name


def test_independent_codes_have_0() -> None:
    codes = RNG.normal(size=(N, 3))
    found = measures(codes, codes, FACTORS)
    for name in ("mig", "sap", "disentanglement", "completeness", "informativeness", "explicitness"):
        assert found[name] < 0.05, name


def test_information_is_that_of_the_joint_distribution() -> None:
    """Two levels, the code is right in nine rows of ten: I = log 2 - H(.1)."""
    truth = np.repeat([0, 1], 500)
    code = np.where(np.arange(1000) % 10 == 0, 1 - truth, truth).astype(float)
    entropy = -(0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    found = information(code[:, None], {"v": truth.astype(str)})
    assert found[0, 0] == pytest.approx(1 - entropy / math.log(2))


def test_a_factor_in_two_dimensions_has_no_gap_and_is_not_compact() -> None:
    twice = np.stack([V[:, 0], V[:, 0] ** 3, V[:, 1]], 1)
    two = {name: FACTORS[name] for name in ("a", "b")}
    assert mig(twice, two) == pytest.approx(0.5, abs=0.02), "a has none, b has all"
    assert infomec(twice, two).modularity > 0.9 > infomec(twice, two).compactness
    assert gaps(np.array([[0.3, 0.9, 0.5]])).tolist() == pytest.approx([0.4])


def test_dci_of_a_known_importance() -> None:
    """The first dimension predicts both factors: it is not disentangled, and both factors are complete."""
    both = {"a": V[:, 0], "sign": np.where(V[:, 0] > 0, "+", "-")}
    found = dci(np.stack([V[:, 0], RNG.normal(size=N)], 1), both)
    assert found.disentanglement < 0.05 and found.completeness > 0.95 and found.informativeness > 0.95


def test_sap_of_levels_is_scaled_so_that_guessing_has_0() -> None:
    assert sap(ON_AXES[:, 2:], {"kind": FACTORS["kind"]}) == pytest.approx(1.0)
    assert sap(np.zeros((N, 1)), {"kind": FACTORS["kind"]}) == 0.0, "a constant dimension predicts nothing"


def test_what_is_not_defined_is_nan_and_the_rest_a_number() -> None:
    found = measures(ON_AXES[:, :1], ON_AXES[:, :1], {"a": FACTORS["a"]})
    assert {name for name, value in found.items() if math.isnan(value)} == {
        "disentanglement", "completeness", "modularity", "compactness",
    }  # fmt: skip
    assert found["mig"] == pytest.approx(1.0)
