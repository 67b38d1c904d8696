"""The rows of a fit in two parts, and those of one context."""

from __future__ import annotations

import pytest
import torch

import latente as lt
from latente.rows import Rows
from latente.training.split import Split


def some_rows(n: int, context: bool = False) -> Rows:
    torch.manual_seed(1)
    return Rows(torch.randn(n, 3), context=torch.eye(2)[torch.arange(n) % 2] if context else None)


def test_each_row_is_in_one_part_and_a_seed_decides_which() -> None:
    rows = some_rows(50)
    split = Split.of(rows, 0.2, seed=3)
    assert split.counts == (40, 10)
    assert split.held_out is not None
    both = torch.cat([split.train.x, split.held_out.x])
    assert torch.equal(both.sort(0).values, rows.x.sort(0).values)
    again = Split.of(rows, 0.2, seed=3)
    assert again.held_out is not None
    assert torch.equal(again.held_out.x, split.held_out.x)
    other = Split.of(rows, 0.2, seed=4)
    assert other.held_out is not None
    assert not torch.equal(other.held_out.x, split.held_out.x)


def test_rows_without_values_are_in_neither_part() -> None:
    mask = torch.ones(10, 3, dtype=torch.bool)
    mask[4] = False
    assert sum(Split.of(Rows(torch.randn(10, 3), mask), 0.3, 0).counts) == 9
    with pytest.raises(lt.DataError, match="n_samples=1"):
        Split.of(Rows(torch.randn(2, 3), mask[3:5]), 0.3, 0)


@pytest.mark.parametrize(("n", "fraction", "held_out"), [(4, 0.5, 0), (5, 0.01, 1), (6, 0.9, 4), (20, 0.0, 0)])
def test_small_data_keeps_rows_to_train_on(n: int, fraction: float, held_out: int) -> None:
    split = Split.of(some_rows(n), fraction, 0)
    assert split.counts == (n - held_out, held_out)
    assert split.judged is (split.held_out or split.train)


def test_the_rows_of_one_context_are_without_it() -> None:
    split = Split.of(some_rows(40, context=True), 0.25, 0)
    ones = [split.where(context) for context in (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))]
    assert all(one is not None and one.train.context is None for one in ones)
    assert sum(sum(one.counts) for one in ones if one is not None) == 40
    assert split.where(torch.tensor([[0.5, 0.5]])) is None
