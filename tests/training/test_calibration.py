"""What held-out rows say of intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latente.rows import Rows
from latente.tasks.imputation import some_hidden
from latente.training.calibration import SHARES, Calibration

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
def test_without_hidden_values_nothing_is_changed(wanted: float) -> None:
    assert PLAIN.share_for(wanted) == wanted
    assert PLAIN.with_covered(held(*SHARES)[:, :0]).share_for(wanted) == pytest.approx(wanted)


def test_few_hidden_values_change_little() -> None:
    shares = np.subtract(SHARES, 0.1)
    asked = [PLAIN.with_covered(held(*shares)[:, :: 1000 // count]).share_for(0.9) for count in (10, 100, 1000)]
    assert 0.9 < asked[0] < 0.95 < asked[1] < asked[2]


def test_shares_rise_with_what_is_wanted_though_coverage_is_counted() -> None:
    jagged = PLAIN.with_covered(held(0.6, 0.55, 0.8, 0.79, 0.9, 0.9, 0.9, 0.99))
    asked = [jagged.share_for(wanted) for wanted in np.linspace(0.01, 0.99, 50)]
    assert (np.diff(asked) >= 0).all() and asked[0] > 0 and asked[-1] < 1


@pytest.mark.parametrize(("enough", "times"), [(1, 1), (60, 6), (10_000, 10)])
def test_each_value_is_hidden_at_most_once(enough: int, times: int) -> None:
    mask = torch.arange(400).view(100, 4) % 3 > 0
    rows = Rows(torch.arange(400.0).view(100, 4), mask)
    which = torch.tensor([True, True, False, False])
    left, hidden = some_hidden(rows, which, 0, enough)
    in_turn = hidden.view(-1, 100, 4)
    assert abs(len(in_turn) - times) <= 2 and (in_turn.sum(0) <= 1).all() and hidden.sum() >= min(enough, 130)
    assert not (hidden & ~(mask & which).repeat(len(in_turn), 1)).any()
    assert torch.equal(left.mask, mask.repeat(len(in_turn), 1) & ~hidden) and (left.x[hidden] == 0).all()
