"""Columns of one value or nothing: that the value is there, or is not, is what they say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import latente as lt
from latente.data import TableCodec, codec_from_state, fit_codec, read
from latente.errors import DataError, StorageError
from latente.rows import BINARY

N = 240
R = np.random.default_rng(0)
THERE = R.random(N) < 0.25
VALUES = {
    "text": "late",
    "number": 1.5,
    "whole": 7,
    "large": 2**60 + 1,
    "truth": True,
    "moment": datetime(2024, 1, 5, 10, 30),
}
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


def columns() -> dict[str, list[Any]]:
    flags = {name: [value if there else None for there in THERE] for name, value in VALUES.items()}
    return {"x": R.normal(size=N).tolist(), "y": R.choice(["a", "b", "c"], N).tolist(), **flags}


def frame_of(make: Callable[..., Any], held: dict[str, list[Any]]) -> Any:
    if make is not pd.DataFrame:
        return make(held)
    dtypes = {"whole": "Int64", "large": "Int64", "truth": "boolean"}
    return pd.DataFrame({name: pd.array(values, dtypes[name]) if name in dtypes else values for name, values in held.items()})


def nulls(frame: Any, name: str) -> list[bool]:
    return nw.from_native(frame, eager_only=True)[name].is_null().to_list()


@pytest.fixture(scope="module", params=list(FRAMES))
def fitted(request: pytest.FixtureRequest) -> tuple[lt.VAE, Any]:
    frame = frame_of(FRAMES[request.param], columns())
    return lt.VAE(max_epochs=40, random_state=0).fit(frame), frame


def test_they_are_binary_fields_that_are_never_missing(fitted: tuple[lt.VAE, Any]) -> None:
    vae, frame = fitted
    kinds = {field["name"]: field for field in vae.fields_}
    assert {kinds[name]["kind"] for name in VALUES} == {"flag"}
    assert kinds["text"]["reason"] == f"'late' in {THERE.mean():.0%} of the rows, and empty in the others"
    fields = {field.name: field for field in vae.codec_.fields}
    assert all(fields[name].kind == BINARY and not fields[name].missing for name in VALUES)
    rows = vae.codec_.encode(read(frame))
    assert rows.mask is None
    assert (rows.x[:, 2:].numpy() == THERE[:, None]).all()
    assert any("flags" in note and "kinds={'text': 'constant'}" in note for note in vae.notes_)


def test_impute_gives_back_what_came_in(fitted: tuple[lt.VAE, Any]) -> None:
    vae, frame = fitted
    for completed in (vae.impute(frame), vae.impute(frame, draws=1)[0]):
        for name in VALUES:
            assert nulls(completed, name) == (~THERE).tolist()
        native = nw.from_native(completed, eager_only=True)
        assert native["large"].drop_nulls().to_list() == [2**60 + 1] * THERE.sum()
        assert native["moment"].drop_nulls().to_list() == nw.from_native(frame)["moment"].drop_nulls().to_list()


def test_sample_draws_them_in_their_types(fitted: tuple[lt.VAE, Any]) -> None:
    vae, frame = fitted
    drawn, schema = nw.from_native(vae.sample(1000), eager_only=True), nw.from_native(frame, eager_only=True).schema
    for name, value in VALUES.items():
        assert np.mean(nulls(vae.sample(1000), name)) == pytest.approx((~THERE).mean(), abs=0.12)
        assert set(drawn[name].drop_nulls().to_list()) == {value}
        assert drawn.schema[name] == schema[name]


@pytest.mark.parametrize("nothing", [None, "", float("nan"), "(empty)"])
def test_new_rows_hold_the_value_or_nothing_as_is_given(fitted: tuple[lt.VAE, Any], nothing: Any) -> None:
    vae, _ = fitted
    drawn = vae.sample(30, given={"text": nothing})
    assert all(nulls(drawn, "text"))
    drawn = vae.sample(30, given={"text": "late"})
    assert not any(nulls(drawn, "text"))
    with pytest.raises(DataError, match=r"'text' is never 'early'; it is one of '\(empty\)', 'late'"):
        vae.sample(1, given={"text": "early"})


def test_a_flag_is_stored_with_its_value(fitted: tuple[lt.VAE, Any], tmp_path: Path) -> None:
    vae, frame = fitted
    loaded = lt.load(vae.save(tmp_path / "m.safetensors"))
    assert loaded.fields_ == vae.fields_
    again, before = (nw.from_native(each.impute(frame), eager_only=True) for each in (loaded, vae))
    assert str(again.to_dict(as_series=False)) == str(before.to_dict(as_series=False))


def test_a_stored_flag_must_be_one() -> None:
    json, arrays = fit_codec(read(frame_of(pl.DataFrame, columns()))).to_state()
    for name, value in (("binary", False), ("scale", 2.0), ("scale", 0.0), ("bin_counts", 0), ("counts", 0)):
        changed = arrays[name].copy()
        changed[json["names"].index("number")] = value
        with pytest.raises(StorageError):
            codec_from_state(json, {**arrays, name: changed})


def test_another_text_is_an_unknown_level_and_another_number_is_there() -> None:
    frame = frame_of(pd.DataFrame, columns())
    codec = fit_codec(read(frame))
    places = [field.name for field in codec.fields]
    new = frame.iloc[:2].assign(text=["early", "late"], number=[2.5, np.nan])
    with pytest.raises(DataError, match="column 'text' holds levels that the model was not fitted on: 'early'"):
        codec.encode(read(new))
    with pytest.warns(lt.LatenteWarning, match=r"'text': 'early' \(1\)"):
        rows = codec.encode(read(new), "missing")
    assert rows.mask is not None and not rows.mask[0, places.index("text")] and rows.mask.sum() == rows.mask.numel() - 1
    assert rows.x[:, places.index("number")].tolist() == [1, 0]


def test_a_row_of_nothing_has_no_flags_either() -> None:
    frame = frame_of(pd.DataFrame, columns())
    vae = lt.VAE(max_epochs=1, random_state=0).fit(frame)
    blank = frame.iloc[:4].copy()
    for name in blank.columns:
        blank[name] = blank[name].where(blank.index != 2)
    with pytest.warns(lt.LatenteWarning, match="no score: 1, the first in row 2"):
        assert np.isnan(vae.score_samples(blank)).tolist() == [False, False, True, False]
    completed = vae.impute(blank)
    assert completed.loc[2, list(VALUES)].isna().all() and completed.loc[2, ["x", "y"]].notna().all()


def test_only_flags_are_a_table_too() -> None:
    frame = pd.DataFrame({"a": np.where(THERE, "a", None), "b": np.where(R.random(N) < 0.5, 1.0, np.nan)})
    vae = lt.VAE(max_epochs=2, random_state=0).fit(frame)
    assert vae.codec_.encode(read(frame)).mask is None
    pd.testing.assert_frame_equal(vae.impute(frame), frame)


@pytest.mark.parametrize(
    ("asked", "kind", "filled"), [("constant", "constant", True), ("flag", "flag", False), ("identifier", "identifier", False)]
)
def test_the_kind_can_be_asked_for(asked: str, kind: str, filled: bool) -> None:
    frame = frame_of(pd.DataFrame, columns())[["x", "y", "text"]]
    vae = lt.VAE(max_epochs=1, random_state=0, kinds={"text": asked}).fit(frame)
    assert vae.fields_[2]["kind"] == kind
    assert vae.impute(frame)["text"].notna().all() == filled


def test_what_varies_is_no_flag_and_what_is_always_there_is_constant() -> None:
    frame = pd.DataFrame({"x": R.normal(size=N), "five": [5] * N, "two": np.where(THERE, "a", "b")})
    codec = fit_codec(read(frame))
    assert isinstance(codec, TableCodec)
    assert codec.kinds == ("real", "constant", "binary")
    for name in ("two", "x"):
        with pytest.raises(DataError, match="it holds different values"):
            fit_codec(read(frame), {name: "flag"})


def test_in_a_matrix_what_is_not_there_is_missing() -> None:
    x = R.normal(size=(N, 3))
    x[:, 1] = np.where(THERE, 4.0, np.nan)
    vae = lt.VAE(max_epochs=1, random_state=0).fit(x)
    assert vae.fields_[1]["kind"] == "constant"
    assert (vae.impute(x)[:, 1] == 4.0).all()
