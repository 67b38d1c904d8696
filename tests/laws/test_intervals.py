"""Intervals of what was not seen, against laws whose narrowest interval is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from latente.seeding import seeded
from latente.tasks.imputation import narrowest

B = 1500


def equal(values: Tensor) -> Tensor:
    return torch.full(values.shape[:2], 1 / len(values))


def exactly(p: list[float], share: float) -> tuple[int, int]:
    """The narrowest interval of values 0, 1, … with these probabilities; of several the likeliest."""
    every = [(b - a, -sum(p[a : b + 1]), a, b) for a in range(len(p)) for b in range(a, len(p))]
    return min(found for found in every if -found[1] >= share)[2:]


DISTRIBUTIONS = pytest.mark.parametrize(
    ("p", "share"),
    [
        ([0.94, 0.06], 0.9),
        ([0.8, 0.2], 0.9),
        ([0.3, 0.4, 0.25, 0.02, 0.01, 0.02], 0.9),  # skewed: nothing is cut off below
        ([0.05, 0.15, 0.3, 0.3, 0.15, 0.05], 0.8),  # two of the same width; that which holds most
        ([0.05, 0.02, 0.45, 0.3, 0.18], 0.9),
        ([0.02, 0.96, 0.02], 0.5),
    ],
)


@DISTRIBUTIONS
def test_on_few_values_it_is_the_one_that_counting_finds(p: list[float], share: float) -> None:
    with seeded(0):
        values = torch.multinomial(torch.tensor(p), 20_000, replacement=True).float().view(-1, 1, 1)
    assert narrowest(values, equal(values), share).flatten().tolist() == list(map(float, exactly(p, share)))


@DISTRIBUTIONS
def test_weights_count_as_draws_do(p: list[float], share: float) -> None:
    """Draws of all values alike, weighted by how probable they are; of each many, so that none counts by itself."""
    values = torch.arange(len(p)).repeat(2000).float().view(-1, 1, 1)
    weights = torch.tensor(p)[values.long().view(-1, 1)] / 2000
    assert narrowest(values, weights, share).flatten().tolist() == list(map(float, exactly(p, share)))


@pytest.mark.parametrize("K", [50, 128, 256])
@pytest.mark.parametrize("law", ["normal", "exponential"])
def test_on_few_draws_it_holds_what_it_says(K: int, law: str) -> None:
    """The narrowest of many intervals on the same draws would hold less of the law they are drawn from, if its own ends
    counted: 84% in place of 90 at 50 normal draws.
    """
    with seeded(1):
        values = torch.randn(K, B, 1) if law == "normal" else -torch.rand(K, B, 1).log()
    low, high = narrowest(values, equal(values), 0.9)
    held = torch.special.ndtr(high) - torch.special.ndtr(low) if law == "normal" else (-low).exp() - (-high).exp()
    assert 0.88 < float(held.mean()) < 0.91
    width = 2 * 1.645 if law == "normal" else math.log(10)  # from 0 on: an interval in the middle is 2.94 wide
    assert float((high - low).mean()) == pytest.approx(width, rel=0.16)


def test_an_interval_moves_with_the_units() -> None:
    with seeded(2):
        values = torch.randn(128, 20, 2).exp()
    weights = equal(values)
    torch.testing.assert_close(narrowest(5 * values, weights, 0.8), 5 * narrowest(values, weights, 0.8))
    mirrored = -narrowest(-values, weights, 0.8).flip(0)
    torch.testing.assert_close(mirrored, narrowest(values, weights, 0.8))


def test_where_the_draws_are_too_few_it_goes_from_the_lowest_to_the_highest() -> None:
    values = torch.tensor([3.0, 1.0, 2.0]).view(3, 1, 1)
    assert narrowest(values, equal(values), 0.99).flatten().tolist() == [1.0, 3.0]
    assert narrowest(values, torch.tensor([[0.98], [0.01], [0.01]]), 0.9).flatten().tolist() == [1.0, 3.0]
