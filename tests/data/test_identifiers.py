"""Columns that name rows: their shapes, and names of that shape that nobody had."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import latente as lt
from latente.data import fit_codec, read
from latente.data.identifiers import fresh, is_shape, shape_of

N = 300


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["k1", "k20", "k3"], ["k21", "k22"]),
        (["A-007", "A-120", "A-008"], ["A-121", "A-122"]),
        (["A-08", "A-99", "A-11"], ["A-100", "A-101"]),
        (["2024/1 b", "2024/7 b"], ["2024/8 b", "2024/9 b"]),
        (["17", "19", "3"], ["20", "21"]),
        (["0", "7", "12"], ["13", "14"]),
    ],
)
def test_a_number_in_a_text_goes_on(names: list[str], expected: list[str]) -> None:
    assert fresh(shape_of(names) or {}, 2, 0) == expected


@pytest.mark.parametrize("names", [["Ada", "Bob"], ["k1", "b"], ["007", "1", "12"], ["x7y", "z7y", "x8z"], ["abc", "abcd"]])
def test_texts_without_a_shape(names: list[str]) -> None:
    assert shape_of(names) is None


def test_uuids_are_drawn_of_the_same_version() -> None:
    seen = [str(uuid.uuid4()) for _ in range(300)]
    new = fresh(shape_of(seen) or {}, 500, 3)
    assert len(set(new)) == 500 and not set(new) & set(seen)
    assert {uuid.UUID(name).version for name in new} == {4} and {uuid.UUID(name).variant for name in new} == {uuid.RFC_4122}
    assert new == fresh(shape_of(seen) or {}, 500, 3) != fresh(shape_of(seen) or {}, 500, 4)


@given(st.sets(st.integers(0, 16**4 - 1), min_size=20, max_size=2000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_few_hexadecimal_digits_never_repeat_one_that_was_seen(numbers: set[int], upper: bool) -> None:
    seen = [f"id:{number:04{'X' if upper else 'x'}}" for number in numbers]
    shape = shape_of(seen)
    assert shape is not None and is_shape(shape)
    if "room" not in shape:  # decimal digits only
        return
    new = fresh(shape, shape["room"] if shape["room"] < 500 else 500, 0)
    assert len(set(new)) == len(new) and not set(new) & set(seen)
    assert all(len(name) == 7 and name.startswith("id:") for name in new)
    with pytest.raises(lt.DataError, match="new names of rows"):
        fresh(shape, shape["room"] + 1, 0)


def rows() -> dict[str, list[Any]]:
    generator = np.random.default_rng(0)
    return {
        "id": list(range(101, 101 + N)),
        "kind": [str(kind) for kind in generator.choice(["ant", "bee"], N)],
        "key": [f"P-{i:05d}" for i in generator.permutation(N)],
        "size": list(generator.normal(size=N)),
        "ticket": [str(uuid.UUID(int=int(i), version=4)) for i in generator.integers(2**62, size=N)],
        "order": [int(i) for i in generator.permutation(N)],
    }


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_new_rows_have_names_on_request(kind: Any, tmp_path: Path) -> None:
    vae = lt.VAE(max_epochs=1, random_state=0).fit(kind(rows()))
    assert {f["name"]: f["kind"] for f in vae.fields_}["order"] == "identifier"
    assert {f["name"]: f["reason"] for f in vae.fields_}["order"] == "each whole number from 0 to 299 exactly once"
    for each in (vae, lt.load(vae.save(tmp_path / "m.safetensors"))):
        drawn = pl.DataFrame(each.sample(5, identifiers=True)) if kind is not pa.table else pl.from_arrow(
            each.sample(5, identifiers=True))  # fmt: skip
        assert isinstance(drawn, pl.DataFrame) and drawn.columns == list(rows())
        assert drawn["id"].to_list() == [401, 402, 403, 404, 405] and drawn["order"].to_list() == [300, 301, 302, 303, 304]
        assert drawn["key"].to_list() == [f"P-{i:05d}" for i in range(300, 305)]
        assert drawn["ticket"].n_unique() == 5 and not set(drawn["ticket"]) & set(rows()["ticket"])
        assert set(drawn["kind"]) <= {"ant", "bee"}
    empty = each.sample(5, given={"kind": "bee"})
    assert type(empty) is type(kind(rows()))
    assert pl.DataFrame(empty if kind is not pa.table else pl.from_arrow(empty))["key"].null_count() == 5


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_rows_need_no_names_for_what_does_not_go_by_them(kind: Any) -> None:
    named = {**rows(), "place": ["here"] * N}
    vae = lt.VAE(max_epochs=1, random_state=0).fit(kind(named))
    bare = {name: named[name] for name in ("size", "kind")}
    assert np.array_equal(vae.transform(kind(bare)), vae.transform(kind(named)))
    assert np.array_equal(vae.score_samples(kind(bare)), vae.score_samples(kind(named)))
    whole = vae.impute(kind({"key": named["key"][:3], "size": [0.5, None, 1.0], "kind": ["bee", "ant", None]}))
    whole = pl.DataFrame(whole) if kind is not pa.table else pl.from_arrow(whole)
    assert isinstance(whole, pl.DataFrame) and whole.columns == list(named)
    assert whole["id"].null_count() == whole["ticket"].null_count() == 3
    assert whole["key"].to_list() == named["key"][:3] and whole["place"].to_list() == ["here"] * 3
    assert whole["size"].to_list()[::2] == [0.5, 1.0] and whole["kind"].to_list()[:2] == ["bee", "ant"]
    with pytest.raises(lt.DataError, match="columns that the model was fitted on are missing: 'kind'"):
        vae.transform(kind({"id": named["id"], "size": named["size"]}))


def test_what_has_no_shape_is_said() -> None:
    generator = np.random.default_rng(0)
    names = ["".join(generator.choice(list("aeioumnrst"), generator.integers(4, 9))) + str(i) * (i % 2) for i in range(N)]
    frame = pd.DataFrame({"name": names, "kind": rows()["kind"], "size": rows()["size"]})
    vae = lt.VAE(max_epochs=1, random_state=0).fit(frame)
    with pytest.raises(lt.DataError, match="stay empty, .* without a pattern: 'name'"):
        vae.sample(3, identifiers=True)
    vae = lt.VAE(max_epochs=1, random_state=0).fit(frame.assign(id=range(N)))
    with pytest.warns(lt.LatenteWarning, match="without a pattern: 'name'"):
        drawn = vae.sample(3, identifiers=True)
    assert drawn["name"].isna().all() and list(drawn["id"]) == [300, 301, 302]


def test_a_whole_number_asked_to_be_a_name_goes_on_and_others_do_not() -> None:
    frame = pd.DataFrame({"visit": np.arange(N) * 7, "x": rows()["size"], "kind": rows()["kind"]})
    vae = lt.VAE(max_epochs=1, random_state=0, kinds={"visit": "identifier"}).fit(frame)
    assert list(vae.sample(2, identifiers=True)["visit"]) == [7 * (N - 1) + 1, 7 * (N - 1) + 2]
    vae = lt.VAE(max_epochs=1, random_state=0, kinds={"visit": "identifier"}).fit(frame.assign(visit=frame.visit / 2))
    with pytest.raises(lt.DataError, match="'visit'"):
        vae.sample(2, identifiers=True)


def codec_and_rows(columns: dict[str, Any]) -> tuple[Any, Any]:
    table = read(pd.DataFrame({**columns, "size": np.random.default_rng(0).normal(size=N)}))
    return fit_codec(table), table


def test_two_columns_of_uuids_are_drawn_apart() -> None:
    codec, table = codec_and_rows({name: [str(uuid.uuid4()) for _ in range(N)] for name in ("a", "b")})
    new = codec.decode(codec.encode(table).x, names_from=0)
    assert new["a"].nunique() == new["b"].nunique() == N and not set(new["a"]) & set(new["b"])


def test_numbers_that_a_type_does_not_hold_are_no_names() -> None:
    codec, table = codec_and_rows({"id": np.arange(N, dtype=np.int16) + 32767 - N})
    x = codec.encode(table).x
    assert codec.decode(x[:1], names_from=0)["id"].tolist() == [32767]
    with pytest.raises(lt.DataError, match=r"'id' can't name 2 new rows: .* up to 32768, are beyond .* \(int16\)"):
        codec.decode(x[:2], names_from=0)


@pytest.mark.parametrize("dtype", ["int64", "uint16"])
def test_running_numbers_that_were_seen_keep_their_type(dtype: str) -> None:
    codec, table = codec_and_rows({"id": np.arange(N, dtype=dtype)})
    back = codec.decode(codec.encode(table).x, source=table)
    assert back["id"].dtype == dtype and back["id"].tolist() == list(range(N))
    far = replace(table, values=table.values - 5.5 * (np.arange(2) == 0), dtypes=("float64", *table.dtypes[1:]))
    assert codec.decode(codec.encode(far).x, source=far)["id"].tolist() == [k - 5.5 for k in range(N)]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_rows_that_are_replaced_keep_their_names(frame: Any) -> None:
    rng = np.random.default_rng(0)
    names = [f"r{i:04d}" for i in rng.permutation(N)]
    rows = frame({"id": names, "a": (a := rng.normal(size=N)), "b": 2 * a + 0.1 * rng.normal(size=N)})
    vae = lt.VAE(latent_dim=1, hidden=(8,), max_epochs=2, random_state=0).fit(rows)
    for made in (vae.reconstruct(rows), vae.denoise(rows, noise=0.3)):
        assert list(made["id"]) == names
        assert not np.allclose(made["a"], a)
