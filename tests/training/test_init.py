"""Training that continues a fitted model with new rows."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import latente as lt
from latente.data import pieces_of
from latente.errors import DataError, ModelError


def rows(n, seed, mixed=False):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 2)) @ np.random.default_rng(9).normal(size=(2, 4)) + 0.1 * rng.normal(size=(n, 4))
    columns = {f"x{i}": values[:, i] for i in range(4)}
    return pa.table({**columns, "level": np.where(values[:, 0] > 0, "a", "b")} if mixed else columns)


def fitted(data, init=None, **how):
    return lt.VAE(effort="quick", random_state=0, **{"max_epochs": 20, **how}).fit(data, init=init)


@pytest.mark.parametrize("mixed", [False, True])
def test_training_begins_where_the_model_is(mixed):
    first = fitted(rows(600, 0, mixed))
    before = first.transform(rows(20, 5, mixed))
    more = fitted(rows(600, 1, mixed), init=first, max_epochs=1, learning_rate=1e-9)
    assert more.latent_dim_ == first.latent_dim_
    np.testing.assert_allclose(more.transform(rows(20, 5, mixed)), before, atol=1e-4)
    np.testing.assert_allclose(more.score(rows(200, 5, mixed)), first.score(rows(200, 5, mixed)), atol=0.2)
    np.testing.assert_array_equal(first.transform(rows(20, 5, mixed)), before)


def test_more_rows_are_learnt():
    test, few = rows(500, 5), rows(60, 0)
    first = fitted(few, latent_dim=2)
    assert fitted(rows(2000, 1), init=first).score(test) > first.score(test)


def test_units_and_levels_stay(tmp_path):
    first = fitted(rows(600, 0, mixed=True), max_epochs=2)
    more = fitted(rows(300, 1, mixed=True), init=first, max_epochs=2)
    np.testing.assert_array_equal(more.codec_.scale, first.codec_.scale)
    again = lt.load(more.save(tmp_path / "more.safetensors"))
    np.testing.assert_allclose(again.score(rows(50, 5, mixed=True)), more.score(rows(50, 5, mixed=True)))
    strange = rows(50, 1, mixed=True).set_column(4, "level", pa.array(["c"] * 50))
    with pytest.raises(DataError, match="levels that the model was not fitted on"):
        fitted(strange, init=first)


def test_rows_in_pieces(tmp_path):
    pq.write_table(rows(600, 1), tmp_path / "rows.parquet", row_group_size=150)
    first = fitted(rows(600, 0), max_epochs=2)
    one, other = (fitted(data, init=first, max_epochs=2) for data in (pieces_of(tmp_path / "rows.parquet"), rows(600, 1)))
    np.testing.assert_array_equal(one.transform(rows(20, 5)), other.transform(rows(20, 5)))


def test_a_model_with_context_is_refused():
    first = lt.VAE("cvae", max_epochs=1, random_state=0).fit(rows(60, 0, mixed=True), context=["level"])
    with pytest.raises(ModelError, match="without context"):
        fitted(rows(60, 1, mixed=True), init=first)
