"""φ: the same for all models, whatever the units; holes lie in the middle; equal rows stay equal."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latente.certificate.completeness import Affinity, Scale, completeness
from latente.certificate.features import Columns, Features, Scores, distinct, learnt_before, shuffled
from latente.rows import BINARY, CATEGORICAL, IMAGE, REAL, Field, Rows

REALS = tuple(Field(f"x{k}") for k in range(3))


def normal(n: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 3))).float()


def test_numbers_become_ranks_whatever_their_units_and_law() -> None:
    x = normal(500)
    features = Columns.fit(Rows(x), REALS)(Rows(x))
    stretched = torch.exp(3 * x) + 7
    np.testing.assert_allclose(Columns.fit(Rows(stretched), REALS)(Rows(stretched)), features, atol=1e-9)
    np.testing.assert_allclose([features.mean(), features.std()], [0, 1], atol=0.01)


def test_equal_values_share_the_middle_of_their_places_and_far_values_the_last() -> None:
    scores = Scores.fit(np.array([0.0, 0.0, 0.0, 1.0]))
    assert scores(np.array([-9.0, 0.0])) == pytest.approx([np.sqrt(12) * (3 / 8 - 1 / 2)] * 2)
    assert scores(np.array([99.0])) == scores(np.array([1.0]))


def test_a_value_beside_the_recorded_ones_counts_as_the_nearest() -> None:
    scores = Scores.fit(np.array([0.0] * 90 + [1.0] * 5 + [100.0] * 5))
    np.testing.assert_array_equal(scores(np.array([-0.3, 0.4, 0.6, 20.0, 60.0])), scores(np.array([0.0, 0.0, 1.0, 1.0, 100.0])))


def test_two_different_levels_are_at_distance_one() -> None:
    fields = (Field("a", CATEGORICAL, levels=3), Field("b", BINARY))
    rows = Rows(torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 1.0]]))
    values = Columns.fit(rows, fields)(rows)
    assert np.linalg.norm(values[0] - values[1]) == pytest.approx(1)
    assert np.linalg.norm(values[1] - values[2]) == pytest.approx(1)


def test_a_probability_lies_between_0_and_1() -> None:
    fields = (Field("a", BINARY),)
    values = Columns.fit(Rows(torch.tensor([[0.0], [1.0]])), fields)(Rows(torch.tensor([[0.0], [0.25], [1.0]])))
    np.testing.assert_allclose(values[:, 0] - values[0, 0], [0, 0.25, 1])


def test_what_was_not_seen_lies_in_the_middle() -> None:
    fields = (Field("a", REAL), Field("b", CATEGORICAL, levels=2))
    x = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [5.0, 1.0]])
    columns = Columns.fit(Rows(x), fields)
    (hole,) = columns(Rows(torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool)))
    np.testing.assert_allclose(hole, [0, 0.5 / np.sqrt(2), 0.5 / np.sqrt(2)])


def test_a_pca_keeps_95_percent_in_at_most_32_dimensions() -> None:
    rank_two = Rows(normal(400)[:, :2] @ torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]))
    assert Features.fit(rank_two, REALS)(rank_two).shape == (400, 2)
    pictures = Rows(torch.rand(300, 1, 28, 28))
    phi = Features.fit(pictures, (Field("image", IMAGE, (1, 28, 28)),))
    assert phi(pictures).shape == (300, 32)
    assert phi.raw(pictures).shape == (300, 14 * 14), "down-sampled by 2"


def test_a_missing_pixel_is_that_of_the_mean_picture() -> None:
    x = torch.rand(50, 1, 4, 4)
    phi = Features.fit(Rows(x), (Field("image", IMAGE, (1, 4, 4)),))
    nothing = Rows(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.bool))
    np.testing.assert_allclose(phi(nothing), 0, atol=1e-5)


def test_shuffling_keeps_columns_and_their_holes_and_nothing_else() -> None:
    x = torch.arange(200.0).view(100, 2)
    mask = x > 20
    done = shuffled(Rows(x * mask, mask))
    assert torch.equal(done.x.sort(0).values, (x * mask).sort(0).values)
    assert torch.equal(done.x != 0, done.mask)
    assert (done.x[:, 1] - done.x[:, 0] != 1).float().mean() > 0.9


def test_repeated_rows_are_left_out_where_they_are_few() -> None:
    x = normal(20)
    train, twice = Rows(x[:15]), Rows(torch.cat([x[15:], x[15:17], x[:1]]))
    assert torch.equal(distinct(twice, train).x, x[15:])
    assert distinct(train) is train
    of_levels = Rows(torch.zeros(20, 3))
    assert distinct(of_levels) is of_levels, "they repeat by nature"


def test_independent_normal_columns_are_as_far_from_complete_as_shuffled_ones() -> None:
    """A collapsed decoder emits them; normal scores, whose ends are steep, gave 0.06 here."""
    rng = np.random.default_rng(0)
    phase, speed = rng.uniform(0, 2 * np.pi, (2400, 1)), rng.uniform(1, 3, (2400, 1))
    waves = torch.from_numpy(np.sin(2 * np.pi * speed * np.linspace(0, 1, 32) + phase)).float()
    train, held_out = Rows(waves[:1200]), waves[1200:]
    emitted = train.x.mean(0) + train.x.std(0) * torch.from_numpy(rng.normal(size=(1200, 32))).float()
    phi = Features.fit(train, tuple(Field(f"t{k}") for k in range(32)))
    fake, null, real = (Affinity.between(phi(rows), phi(Rows(held_out))) for rows in (Rows(emitted), shuffled(train), train))
    assert completeness(fake, Scale(null, real)).value < 0.02


def test_rows_that_repeat_by_nature_were_not_learnt_from() -> None:
    """A table of few levels, where every row has its like; and one where a third have."""
    rng = np.random.default_rng(0)
    few = Rows(torch.from_numpy(rng.integers(2, size=(600, 3))).float())
    assert learnt_before(few[:200], few[200:]) == 0
    third = torch.from_numpy(np.where(rng.random((900, 1)) < 0.35, 1.0, rng.normal(size=(900, 1)))).float()
    assert learnt_before(Rows(third[:300]), Rows(third[300:])) == 0
    assert learnt_before(Rows(third[300:600]), Rows(third[300:])) == 1


def test_rows_that_were_learnt_from_are_found_among_those_that_are_known() -> None:
    rows = Rows(torch.randn(1000, 3))
    assert learnt_before(rows[:400], rows) == 1
    assert learnt_before(rows[:1], rows) == 1
    assert learnt_before(Rows(torch.cat([rows.x[:60], torch.randn(40, 3)])), rows) == 0.6
    assert learnt_before(Rows(torch.cat([rows.x[:40], torch.randn(60, 3)])), rows) == 0
    assert learnt_before(rows, rows[::10], 0.1) == 0.1, "a tenth is known, and all of that is there"
    assert learnt_before(rows, rows[::10]) == 0
    assert learnt_before(rows[:0], rows) == 0
