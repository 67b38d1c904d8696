"""Associations of columns: those of scipy and of the formulas, for each pair of kinds."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from scipy.stats.contingency import association

from latente.report import figures
from latente.report.drawing.associations import associations

rng = np.random.default_rng(0)
GROUP = rng.integers(3, size=300)
TABLE = {
    "a": GROUP + rng.normal(size=300),
    "b": -(GROUP**2) + rng.normal(size=300),
    "kind": np.array(["x", "y", "z"], object)[GROUP],
    "noisy": np.array(["p", "q"], object)[np.where(rng.random(300) < 0.2, rng.integers(2, size=300), GROUP > 0)],
    "same": np.ones(300),
}


def test_they_are_rank_correlation_correlation_ratio_and_cramers_v() -> None:
    found = associations(TABLE)
    assert found == pytest.approx(found.T) and np.diag(found) == pytest.approx(1)
    assert found[0, 1] == pytest.approx(spearmanr(TABLE["a"], TABLE["b"])[0], abs=1e-9) and found[0, 1] < 0
    ranks = np.argsort(np.argsort(TABLE["a"])).astype(float)
    between = sum((g == GROUP).mean() * (ranks[g == GROUP].mean() - ranks.mean()) ** 2 for g in range(3))
    assert found[0, 2] == pytest.approx(np.sqrt(between / ranks.var()), abs=1e-9)
    counts = np.array([[((g == GROUP) & (TABLE["noisy"] == v)).sum() for v in "pq"] for g in range(3)])
    assert found[2, 3] == pytest.approx(association(counts), abs=1e-9)
    assert not found[4, :4].any(), "a column that does not vary depends on nothing"


def test_equal_tables_have_no_difference_and_shuffled_ones_have_no_association() -> None:
    real, generated, difference = figures.correlations(TABLE, TABLE)
    assert not np.asarray(difference.collections[0].get_array()).any()
    assert np.array_equal(real.collections[0].get_array(), generated.collections[0].get_array())
    shuffled = {name: rng.permutation(column) for name, column in TABLE.items()}
    assert np.abs(associations(shuffled) - np.eye(5)).max() < 0.25


def test_missing_values_do_not_spoil_an_association() -> None:
    holes = {name: column.copy() for name, column in TABLE.items()}
    holes["a"][:60], holes["kind"][:60] = np.nan, None
    found = associations(holes)
    assert np.isfinite(found).all() and found[0, 1] < -0.4
