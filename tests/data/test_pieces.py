"""Rows in pieces: the codec, the encoded rows and the fit equal those of the same rows in memory."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import latente as lt
from latente.data import Census, Pieces, fit_codec, pieces_of, read, read_or_pieces, sql, stored
from latente.errors import DataError

N = 1500


def columns():
    rng, days = np.random.default_rng(1), np.random.default_rng(2).integers(0, 900, N)
    measure = rng.normal(size=N)
    measure[::17] = np.nan
    return {
        "name": [f"r{i:05}" for i in range(N)],
        "number": np.arange(N),
        "measure": pa.array(measure, from_pandas=True),
        "level": [None if i % 50 == 0 else "abc"[i % 3] for i in range(N)],
        "count": rng.integers(0, 50, N),
        "flag": pa.array([1.0 if i % 3 else None for i in range(N)]),
        "constant": ["q"] * N,
        "bit": rng.integers(0, 2, N),
        "far": np.r_[rng.normal(size=N - 1), 1e9],
        "day": [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(day)) for day in days],
        "large": pa.array([2**60 + i % 5 for i in range(N)]),
        "category": pa.array(["xyz"[i % 3] for i in range(N)]).dictionary_encode(),
        "late": pa.array([None] * (N - 100) + ["u", "v"] * 50),
    }


@pytest.fixture(scope="module")
def table():
    return pa.table(columns())


@pytest.fixture(scope="module")
def pieces(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("pieces") / "rows.parquet"
    pq.write_table(table, path, row_group_size=400)
    return pieces_of(path)


@pytest.mark.parametrize("kinds", [{}, {"count": "categorical", "far": "real"}])
def test_the_codec_is_the_same(table, pieces, kinds):
    wanted, found = fit_codec(read(table), kinds).to_state(), Census(pieces, kinds).codec(False).to_state()
    assert found[0] == wanted[0]
    for name, values in wanted[1].items():
        np.testing.assert_allclose(found[1][name], values, rtol=1e-12, err_msg=name)


@pytest.fixture(scope="module")
def on_disc(table, pieces):
    census = Census(pieces, {})
    codec, held = census.codec(False), np.array([7, 3, N - 1, 700])
    learnt = np.ones(N, bool)
    learnt[held] = False
    rows = codec.encode(read(table))
    return rows[torch.from_numpy(learnt)], rows[torch.from_numpy(held)], *census.stored(codec, learnt, held)


def test_encoded_rows_are_the_same(on_disc):
    learnt, held, there, kept = on_disc
    assert torch.equal(there.x, learnt.x)
    assert torch.equal(there.mask, learnt.mask)
    assert torch.equal(kept.x, held.x)
    places = torch.tensor([5, 1400, 3, 3])
    for index in (places, slice(700, 900), torch.arange(len(learnt)) % 7 == 0):
        assert torch.equal(there[index].x, learnt[index].x)
        assert torch.equal(there[index].mask, learnt[index].mask)
    assert torch.equal(there.subsample(99).x, learnt.subsample(99).x)


def test_one_window_is_shuffled_as_rows_in_memory(on_disc):
    learnt, _, there, _ = on_disc

    def drawn(rows):
        torch.manual_seed(0)
        return torch.cat([block.x for block in rows.shuffled(N, 64)])

    assert torch.equal(drawn(learnt), drawn(there))


def test_windows_hold_each_row_once(on_disc, monkeypatch):
    learnt, _, there, _ = on_disc
    monkeypatch.setattr(stored, "WINDOW", 300 * there._row_bytes)
    blocks = [block.x for block in there.shuffled(N, 64)]
    assert [len(block) for block in blocks] == [64] * 23 + [28]
    drawn = torch.cat(blocks)[: len(learnt)]
    assert not torch.equal(drawn, learnt.x)
    assert sorted(map(tuple, drawn.tolist())) == sorted(map(tuple, learnt.x.tolist()))


def fitted(rows, **how):
    how = {"latent_dim": 2, "max_epochs": 3, "effort": "quick", "random_state": 0, **how}
    return lt.VAE(**how).fit(rows)


@pytest.mark.parametrize("mixed", [True, False])
def test_a_fit_is_the_same(mixed, table, pieces, tmp_path):
    chosen = ["measure", "level", "count", "day"] if mixed else ["measure", "far", "count"]
    pq.write_table(table.select(chosen), tmp_path / "some.parquet", row_group_size=400)
    wanted, found = fitted(table.select(chosen)), fitted(pieces_of(tmp_path / "some.parquet"))
    assert found.history_[-1]["train_loss"] == wanted.history_[-1]["train_loss"]
    few = table.slice(0, 50)
    np.testing.assert_array_equal(found.transform(few), wanted.transform(few))
    np.testing.assert_allclose(found.score_samples(few), wanted.score_samples(few), rtol=1e-12)


def test_a_fit_in_windows(pieces, table, monkeypatch):
    monkeypatch.setattr(stored, "WINDOW", 20_000)
    found = fitted(pieces, max_epochs=5)
    assert found.score(table) == pytest.approx(fitted(table, max_epochs=5).score(table), abs=1.0)
    assert found.figures_["rows"] + found.figures_["held_out_rows"] == N


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(sql, "max_bytes", lambda: 10_000)


@pytest.mark.parametrize("source", ["parquet", "sql", "stream", "csv"])
def test_what_does_not_fit_comes_in_pieces(source, table, little_memory, tmp_path):
    table = table.select(["measure", "level", "count", "day"])
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path)
    if source == "csv":
        import pyarrow.csv as pc

        pc.write_csv(table, path := tmp_path / "rows.csv")
    rows = {"sql": f"from '{path}'", "stream": pa.RecordBatchReader.from_batches(table.schema, table.to_batches(100))}
    found = read_or_pieces(rows.get(source, path))
    assert isinstance(found, Pieces)
    assert found.read().select(table.column_names).cast(table.schema).equals(table)


def test_blocks_of_a_text_file_end_with_a_row(little_memory, tmp_path, monkeypatch):
    from latente.data import spool

    monkeypatch.setattr(spool, "BLOCK", 700)
    texts = ['a "quoted" one,\nover two lines', "plain", "", "1"]
    table = pa.table({"t": [texts[i % 4] for i in range(300)], "x": [float(i) if i > 80 else None for i in range(300)]})
    lines = ["t;x"] + ['"{}";{}'.format(t.replace('"', '""'), "" if x is None else f"{x:.1f}".replace(".", ",")) for t, x in
                       zip(*(table[name].to_pylist() for name in ("t", "x")), strict=True)]  # fmt: skip
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    found = read_or_pieces(tmp_path / "rows.csv", texts=["t"])
    whole = read(tmp_path / "rows.csv", texts=["t"])
    assert len(found.files) > 5
    assert len(found) == len(whole) == 300
    again = read(found.read(), texts=["t"])
    np.testing.assert_array_equal(again.values, whole.values)
    assert again.levels == whole.levels
    assert found.text.layout == whole.text.layout


def test_too_many_levels_are_refused(tmp_path, monkeypatch):
    from latente.data import piecewise

    monkeypatch.setattr(piecewise, "MAX_LEVELS", 30)
    pq.write_table(pa.table({"x": np.arange(300.0) ** 2, "t": [f"level {i % 40}" for i in range(300)]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"column 't' has more than 30 levels"):
        Census(pieces_of(tmp_path / "t.parquet"), {}).codec(False)


def weights(vae):
    return torch.cat([value.reshape(-1) for value in vae.model_.state_dict().values()])


def in_context(data):
    how = {"latent_dim": 1, "hidden": (8,), "max_epochs": 2, "effort": "quick", "random_state": 0, "kinds": {"count": "count"}}
    return lt.VAE("cvae", **how).fit(data, context=["level", "bit"])


def test_context_in_pieces(table, tmp_path):
    """Levels and numbers, with missing values."""
    table = table.select(["level", "measure", "bit", "count"]).slice(0, 300)
    pq.write_table(table, tmp_path / "some.parquet", row_group_size=64)
    pieces = pieces_of(tmp_path / "some.parquet")
    found, wanted = in_context(pieces), in_context(table)
    assert found.fitted_.context.names == ("level", "bit")
    torch.testing.assert_close(weights(found), weights(wanted), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.score_samples(table), wanted.score_samples(table), rtol=1e-4, atol=1e-3)
    one = {"level": "a", "bit": 1}
    assert len(found.in_context(one, pieces).fitted_.at_hand.train) == len(wanted.in_context(one, table).fitted_.at_hand.train)


@pytest.mark.parametrize(
    ("context", "word"), [(["levle"], "levle"), (np.zeros(N), "names"), (sorted(columns()), "all columns")]
)
def test_context_that_is_no_column_of_the_pieces(context, word, pieces):
    with pytest.raises(DataError, match=word):
        lt.VAE("cvae", max_epochs=1).fit(pieces, context=context)


def test_a_certificate_of_rows_in_pieces(table, pieces, tmp_path, monkeypatch):
    data = table.select(["measure", "count", "level"])
    vae = lt.VAE("vae", latent_dim=2, max_epochs=3, effort="quick", random_state=0).fit(data)
    loaded, wanted = lt.load(vae.save(tmp_path / "m.safetensors")), vae.certificate().to_dict()
    assert loaded.certificate(train=pieces).to_dict() == wanted
    monkeypatch.setattr(sql, "max_bytes", lambda: 1000)
    read_whole = []
    monkeypatch.setattr(Pieces, "read", lambda self, *_: read_whole.append(self))
    assert loaded.certificate(train=str(pieces.files[0])).to_dict() == wanted
    assert not read_whole
    with pytest.raises(DataError, match="held-out rows contain training rows"):
        loaded.certificate(str(pieces.files[0]), train=pieces)
    pq.write_table(table.slice(3), tmp_path / "others.parquet")
    with pytest.raises(DataError, match="not the"):
        loaded.certificate(train=pieces_of(tmp_path / "others.parquet"))
