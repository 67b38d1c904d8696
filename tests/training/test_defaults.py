"""What "auto" means, by the size of the data."""

from __future__ import annotations

import math

import pytest

from latente.training import defaults


@pytest.mark.parametrize("n", [10, 999, 1000, 4000, 16_383, 16_384, 10**6])
@pytest.mark.parametrize("each", [1000, 40_000, 10**7])
def test_small_models_of_some_thousand_rows_are_trained_for_longer(n: int, each: int) -> None:
    batch = defaults.batch_size(n)
    times = defaults.times_as_long(n, batch, batch * each)
    steps = times * defaults.epochs(n, batch) * math.ceil(n / batch)
    if 1000 <= n < 16_384:
        assert 1 <= times <= defaults.LONGEST
        assert times == 1 or steps * batch * each <= defaults.WORK * (1 + 1e-9)
    else:
        assert times == 1


def test_fewer_rows_are_told_in_larger_shares_of_them() -> None:
    paces = [defaults.mixed_pace(n) for n in (200, 1000, 10_000)]
    assert [pace.batches for pace in paces] == [4, 2, 2] and paces[2].share < paces[1].share
    assert defaults.row_model_pace(1000).batches > defaults.row_model_pace(3000).batches
