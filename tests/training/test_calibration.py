"""What held-out rows say of intervals."""

from __future__ import annotations

import numpy as np
import pytest

from latente.training.calibration import LEAST_TO_COVER, SHARES, Calibration

PLAIN = Calibration(np.zeros(3), np.zeros(2))


def held(*shares: float) -> np.ndarray:
    """Values of which so many are within each interval."""
    return np.arange(1000) < 1000 * np.array(shares)[:, None]


def test_intervals_that_hold_too_much_are_made_narrower_and_the_other_way_round() -> None:
    too_much = PLAIN.with_covered(held(*np.minimum(1.0, np.add(SHARES, 0.05))))
    assert too_much.share_for(0.9) == pytest.approx(0.85, abs=0.01)
    too_little = PLAIN.with_covered(held(*np.subtract(SHARES, 0.05)))
    assert too_little.share_for(0.9) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("wanted", [0.01, 0.5, 0.9, 0.999])
def test_without_enough_hidden_values_nothing_is_changed(wanted: float) -> None:
    assert PLAIN.share_for(wanted) == wanted
    few = PLAIN.with_covered(held(*SHARES)[:, : LEAST_TO_COVER - 1])
    assert few.share_for(wanted) == wanted


def test_shares_rise_with_what_is_wanted_though_coverage_is_counted() -> None:
    jagged = PLAIN.with_covered(held(0.6, 0.55, 0.8, 0.79, 0.9, 0.9, 0.9, 0.99))
    asked = [jagged.share_for(wanted) for wanted in np.linspace(0.01, 0.99, 50)]
    assert (np.diff(asked) >= 0).all() and asked[0] > 0 and asked[-1] < 1
