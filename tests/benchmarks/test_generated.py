"""The measures of generated rows say what they are meant to say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from benchmarks import generated
from benchmarks.generated import MISSING, Features, Kinds, Sheet, sheet

KINDS = Kinds(("height", "weight"), ("colour", "adult"), "adult")


def people(rows: int, seed: int) -> Sheet:
    """Correlated numbers with holes, and levels that follow from them."""
    rng = np.random.default_rng(seed)
    height = rng.normal(170, 10, rows)
    weight = height - 100 + rng.normal(0, 4, rows)
    adult = (height > 168).astype(int)
    weight[rng.random(rows) < 0.1] = np.nan
    colour = np.where(weight > 70, "red", np.where(rng.random(rows) < 0.3, None, "blue"))
    return sheet(pd.DataFrame({"height": height, "weight": weight, "colour": colour, "adult": adult}), KINDS)


def scrambled(rows: Sheet, seed: int = 0) -> Sheet:
    rng = np.random.default_rng(seed)
    parts = (part.apply(lambda column: rng.permutation(column.to_numpy())) for part in (rows.numbers, rows.categories))
    return Sheet(*parts)


def near(copied: Sheet, train: Sheet, test: Sheet) -> tuple[float, float]:
    features = Features(train)
    placed = [features(rows) for rows in (copied, train, test)]
    return generated.nearer(*placed, seed=0), generated.copying(*placed, seed=0)


def test_codes_read_the_same_however_they_came() -> None:
    columns = [pd.Series([1, 0, None], dtype="Int64"), pd.Series([1.0, 0.0, np.nan]), pd.Series([True, False, None])]
    frames = [pd.DataFrame({"code": column}) for column in columns]
    read = [sheet(frame, Kinds((), ("code",), "code")).categories["code"].tolist() for frame in frames]
    assert read == [["1", "0", MISSING]] * 3


def test_copies_are_counted_through_float32_and_holes() -> None:
    train = people(100, 0)
    rounded = Sheet(train.numbers.astype(np.float32).astype(float), train.categories)
    assert generated.copies(rounded, train) == 1
    assert generated.copies(people(100, 1), train) == 0


def test_mann_whitney_is_scipys_without_the_correction_for_continuity() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 8, 60).astype(float), rng.integers(1, 9, 80).astype(float)
    p = mannwhitneyu(a, b, use_continuity=False, method="asymptotic", alternative="less").pvalue
    from scipy.stats import norm

    assert generated.mann_whitney(a, b) == pytest.approx(norm.ppf(p))
    assert generated.mann_whitney(a, a) == 0
    assert generated.mann_whitney(np.ones(5), np.ones(7)) == 0


def test_copies_new_rows_and_scrambled_rows_are_told_apart() -> None:
    train, test = people(800, 0), people(400, 1)
    share, c_t = near(train, train, test)
    assert share > 0.7 and c_t < -5
    share, c_t = near(people(800, 2), train, test)
    assert share == pytest.approx(0.5, abs=0.04) and abs(c_t) < 2.5
    assert near(scrambled(train), train, test)[1] > 5


def test_normal_scores_put_a_value_that_repeats_at_its_middle() -> None:
    seen = np.sort(np.array([0.0] * 90 + [1.0] * 10))
    zero, one, missing = generated.normal_scores(np.array([0.0, 1.0, np.nan]), seen)
    assert (zero, one, missing) == pytest.approx((-0.1257, 1.6449, 0.0), abs=1e-4)


def test_shape_and_trend_of_the_same_rows_of_scrambled_and_of_collapsed_ones() -> None:
    pytest.importorskip("sdmetrics")
    real = people(500, 0)
    assert generated.shape_and_trend(real, real) == pytest.approx((1, 1))
    shape, trend = generated.shape_and_trend(real, scrambled(real))
    assert shape == pytest.approx(1) and trend < 0.85
    collapsed = Sheet(real.numbers.assign(weight=60.0), real.categories)
    assert generated.shape_and_trend(real, collapsed)[1] < generated.shape_and_trend(real, scrambled(real))[1]


def test_a_judge_can_tell_scrambled_rows_and_learns_nothing_from_them() -> None:
    pytest.importorskip("xgboost")
    train, test = people(900, 0), people(600, 1)
    score, auc = generated.two_samples(test, train, seed=0)
    assert score > 0.85 and auc == pytest.approx(0.5, abs=0.06)
    assert generated.two_samples(test, scrambled(train), seed=0)[0] < 0.5
    assert generated.usefulness(train, test, KINDS, seed=0) > 0.97
    assert generated.usefulness(scrambled(train), test, KINDS, seed=0) < 0.7
    alone = Sheet(train.numbers, train.categories.assign(adult="1"))
    assert generated.usefulness(alone, test, KINDS, seed=0) == 0.5


def test_what_is_missing_in_the_target_is_neither_learnt_nor_judged() -> None:
    pytest.importorskip("xgboost")
    train, test = people(900, 0), people(600, 1)
    kinds = Kinds(KINDS.numbers, KINDS.categories, "weight")
    assert kinds.regression
    assert generated.usefulness(train, test, kinds, seed=0) > 0.7
