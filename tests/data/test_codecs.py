"""Laws of every codec: what is encoded and decoded is what came in, in the user's columns, types, units and containers."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import latente as lt
from latente.data import ImageCodec, Images, Table, TableCodec, codec_from_state, fit_codec, frame, observed_rows, read
from latente.errors import DataError, StorageError
from latente.rows import Rows

NAN = float("nan")
LAW = settings(max_examples=25, deadline=None)
FLOATS = st.floats(-1e6, 1e6, width=32) | st.just(NAN)
TABLES = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8), elements=FLOATS)
SMALL = ("bool", "int8", "uint8", "int16", "uint16", "float16", "float32", "float64")
LAYOUTS = {"NHW": (4, 5, 6), "NHWC": (4, 5, 6, 3), "NCHW": (4, 2, 5, 6)}


def fitted(source: Any) -> tuple[Any, Rows]:
    data = read(source)
    codec = fit_codec(data)
    return codec, codec.encode(data)


def stored(codec: Any) -> Any:
    plain, kept = codec.to_state()
    return codec_from_state(json.loads(json.dumps(plain)), {name: array.copy() for name, array in kept.items()})


def varies(values: np.ndarray[Any, Any]) -> bool:
    return bool((np.fmax.reduce(values, axis=0) > np.fmin.reduce(values, axis=0)).any())


def pictures(layout: str, dtype: str = "uint8", seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, LAYOUTS[layout]).astype(dtype)


# -- tables: encode and decode are inverse --------------------------------------------------------------------------


@LAW
@given(values=TABLES, double=st.booleans())
def test_decode_undoes_encode(values: np.ndarray[Any, Any], double: bool) -> None:
    assume(varies(values))
    values = values.astype(np.float64) if double else values
    codec, rows = fitted(values)
    back = codec.decode(rows.x)
    seen = ~np.isnan(values)
    tolerance = 1e-6 * (np.abs(values) + codec.scale * math.sqrt(len(values)))
    assert back.dtype == values.dtype and back.shape == values.shape
    assert (np.abs(back - values) <= tolerance)[seen].all()
    kept = [int(field.name[1:]) for field in codec.fields]
    assert (rows.mask is None) == bool(seen[:, kept].all())
    if rows.mask is not None:
        np.testing.assert_array_equal(rows.mask.numpy(), seen[:, kept])
        assert (rows.x[~rows.mask] == 0).all()


@LAW
@given(values=TABLES)
def test_encoded_columns_have_mean_0_and_deviation_1(values: np.ndarray[Any, Any]) -> None:
    assume(varies(values))
    codec, rows = fitted(values)
    real = [index for index, field in enumerate(codec.fields) if field.kind == "real"]
    x, mask = rows.x.double(), torch.ones_like(rows.x) if rows.mask is None else rows.mask.double()
    mean = (x * mask).sum(0) / mask.sum(0)
    deviation = (((x - mean) ** 2 * mask).sum(0) / mask.sum(0)).sqrt()
    np.testing.assert_allclose(mean[real], 0, atol=1e-5)
    np.testing.assert_allclose(deviation[real], 1, atol=1e-5)


@pytest.mark.parametrize("dtype", SMALL)
@given(seed=st.integers(0, 99))
@settings(max_examples=5, deadline=None)
def test_small_types_come_back_exactly(dtype: str, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 127, (20, 3)).astype(dtype)
    codec, rows = fitted(values)
    back = codec.decode(rows.x)
    assert back.dtype == values.dtype
    np.testing.assert_allclose(back.astype(float), values.astype(float), atol=1e-4 if back.dtype.kind == "f" else 0)


def mixed(container: str) -> Any:
    columns = {
        "z": [3, 1, 2, 7],
        "b": [True, False, True, True],
        "f": [0.5, None, 2.5, 1.0],
        "c": [4, 4, 4, 4],
        "i": [0, 1, 1, 0],
    }
    if container == "pandas":
        nullable = {"n": pd.array([1, None, 2, 9], "Int64"), "q": pd.array([True, None, False, True], "boolean")}
        arrow = {"p": pd.array([1, None, 2, 9], "int16[pyarrow]"), "d": pd.array([0.5, None, 2, 9], "double[pyarrow]")}
        empty = {"e": [NAN] * 4, "m": pd.array([None] * 4, "Int8")}
        small = {"s": np.array([1, 2, 3, 5], np.uint8), "h": np.array([1, 2, 3, 5], np.float32)}
        return pd.DataFrame({**columns, "f": [0.5, NAN, 2.5, 1.0], **nullable, **arrow, **empty, **small})
    empty = pa.table({**columns, "n": [1, None, 2, 9], "s": pa.array([1, 2, 3, 5], pa.uint8()), "e": pa.nulls(4, pa.int32())})
    return pl.from_arrow(empty) if container == "polars" else empty


def types(table: Any) -> dict[str, str]:
    pairs = (
        zip(table.schema.names, table.schema.types, strict=True)
        if isinstance(table, pa.Table)
        else zip(table.columns, table.dtypes, strict=True)
    )
    return {name: str(kind) for name, kind in pairs}


@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow"])
def test_frames_come_back_as_they_came(container: str) -> None:
    source = mixed(container)
    codec, rows = fitted(source)
    for each in (codec, stored(codec)):
        back = each.decode(rows.x)
        assert type(back) is type(source) and types(back) == types(source)
        before, after = read(source).values, read(back).values  # type: ignore[union-attr]
        seen = ~np.isnan(before)
        np.testing.assert_allclose(after[seen], before[seen], rtol=1e-6)
        empty = [list(types(source)).index(name) for name in ("e", "m") if name in types(source)]
        assert np.isnan(after[:, empty]).all()


@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("source", ["pandas", "polars", "pyarrow", "numpy"])
def test_any_container_can_be_asked_for(source: str, container: str) -> None:
    codec, rows = fitted(np.eye(4, 3, dtype=np.float32) if source == "numpy" else mixed(source))
    back = codec.decode(rows.x, container)
    assert type(back).__module__.partition(".")[0] == container
    assert tuple(types(back)) == codec.feature_names and len(back) == 4


def test_arrays_and_tensors() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    codec, rows = fitted(torch.from_numpy(values))
    back = codec.decode(rows.x.clone().requires_grad_())
    assert isinstance(back, torch.Tensor) and back.dtype == torch.float32
    assert isinstance(codec.decode(rows.x.numpy(), "numpy"), np.ndarray)
    codec, rows = fitted(mixed("polars"))
    together = codec.decode(rows.x, "numpy")
    assert together.dtype == np.float64 and together[:, 0].tolist() == [3, 1, 2, 7] and np.isnan(together[:, -1]).all()


def test_names_that_are_whole_numbers_come_back_in_pandas() -> None:
    codec, rows = fitted(pd.DataFrame(np.eye(4, 3)))
    assert codec.feature_names == ("0", "1", "2")
    assert stored(codec).decode(rows.x).columns.tolist() == [0, 1, 2]


def test_values_are_rounded_and_kept_within_their_type_and_not_within_their_range() -> None:
    source = pl.DataFrame(
        {"u": pl.Series([0, 100], dtype=pl.UInt8), "i": [-5, 5], "b": [False, True], "f": [0.0, 1.0], "r": [0.0, 3.0]}
    )
    codec, _ = fitted(source)
    low, high = codec.decode(np.array([[-99, 0.12, 0.4, 0, -9], [99, -1e30, 0.5, 2, 9]], np.float32)).rows()
    assert low[:3] == (0, 1, False) and low[4] < 0
    assert high[:3] == (255, -(2**63), True) and high[3] == 2.0 and high[4] > 3.0


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int32", "float16", "float32"])
def test_nothing_overflows_its_type(dtype: str) -> None:
    codec, _ = fitted(np.array([[0], [100]], dtype))
    limits = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
    back = codec.decode(np.array([[-3e38], [3e38]], np.float32))
    np.testing.assert_allclose(back[:, 0].astype(float), [limits.min, limits.max], rtol=1e-3)


def test_encoded_rows_of_another_shape_are_refused() -> None:
    codec, _ = fitted(np.eye(4))
    with pytest.raises(DataError, match=r"\(4,\) are needed.*\(3,\)"):
        codec.decode(np.zeros((2, 3), np.float32))


def test_unknown_and_absent_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, rows = fitted(np.eye(4))
    with pytest.raises(DataError, match="'os' is unknown; it is one of 'numpy', 'torch', 'pandas'"):
        codec.decode(rows.x, "os")

    def absent(*_: Any, **__: Any) -> None:
        raise ModuleNotFoundError("No module named 'polars'")

    monkeypatch.setattr(narwhals, "from_dict", absent)
    with pytest.raises(DataError, match="needs the package polars, which is not installed"):
        codec.decode(rows.x, "polars")


def test_frames_of_new_columns() -> None:
    columns = {"score": np.array([0.5, 1.5]), "fields": ["a", "b"]}
    assert isinstance(frame(columns, "numpy"), pa.Table)
    assert frame(columns, "pandas").fields.tolist() == ["a", "b"]
    with pytest.raises(DataError, match="unknown"):
        frame(columns, "builtins")


# -- tables: what is learnt of the columns --------------------------------------------------------------------------


def test_kinds_and_resolutions() -> None:
    columns = {
        "step": [0, 3, 6, 3],
        "bit": [0, 1, 1, 0],
        "bool": [True, False, True, True],
        "ones": [1, 1, 1, 1],
        "part": [0, 1, NAN, 1],
    }
    codec, rows = fitted(pd.DataFrame({**columns, "real": [0.0, 1e-12, 1.0, 2.0]}))
    assert [(field.name, field.kind) for field in codec.fields] == [
        ("step", "ordinal"),
        ("bit", "binary"),
        ("bool", "binary"),
        ("part", "binary"),
        ("real", "real"),
    ]
    assert codec.fields[0].resolution == pytest.approx(3 / np.std([0, 3, 6, 3]))
    assert codec.fields[1].resolution == 1.0 and codec.fields[4].resolution == 0.0
    assert rows.x[:, 1].tolist() == [0, 1, 1, 0] and codec.shape == (5,) and codec.n_features == 6


def test_a_tiny_value_beside_0_and_1_is_not_binary() -> None:
    values = np.tile([[0.0], [1.0]], (50_000, 1))
    values[7] = 1e-14
    assert fitted(values)[0].fields[0].kind != "binary"


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_the_size_of_the_unit_does_not_matter(size: float) -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_allclose(fitted(values * size)[1].x, fitted(values)[1].x, atol=1e-5)


def test_a_large_offset_loses_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_allclose(fitted(values + 1e9)[1].x, fitted(values)[1].x, atol=1e-5)


def test_many_blocks_give_what_one_gives() -> None:
    values = np.random.default_rng(0).normal(3, 2, size=(3001, 100)).astype(np.float32)
    values[1234, 56] = NAN
    codec, rows = fitted(values)
    mean, scale = np.nanmean(values.astype(float), axis=0), np.nanstd(values.astype(float), axis=0)
    np.testing.assert_allclose(rows.x, np.nan_to_num((values - mean) / scale), atol=1e-5)
    assert rows.mask is not None and (~rows.mask).nonzero().tolist() == [[1234, 56]]
    for layout in (np.asfortranarray(values), values[:, ::-1][:, ::-1]):
        assert torch.equal(codec.encode(read(layout)).x, rows.x)


def test_notes() -> None:
    values = np.random.default_rng(0).normal(size=(50, 15))
    values[:, :10], values[:, 10], values[7, 11], values[9] = 3.0, NAN, 1e30, NAN
    notes = fitted(values)[0].notes
    assert len(notes) == 4
    assert "a single value" in notes[0] and "'x0' (3)" in notes[0] and "'x7' (3) and 2 more" in notes[0]
    assert "without any value" in notes[1] and "'x10'" in notes[1]
    assert "1 row without any value:" in notes[2]
    assert "'x11' holds 1e+30 in row 7" in notes[3] and "NaN" in notes[3]
    assert "fewer rows (5) than columns (15)" in " ".join(fitted(values[10:15])[0].notes)


@pytest.mark.parametrize(
    "column",
    [
        np.r_[np.zeros(90), np.arange(10) * 3e6],
        np.r_[np.zeros(99), 9e5],
        np.arange(100) ** 4.0,
        np.random.default_rng(0).standard_cauchy(100),
    ],
)
def test_no_note_on_columns_that_are_merely_skewed(column: np.ndarray[Any, Any]) -> None:
    assert fitted(column[:, None])[0].notes == ()


def test_a_code_for_missing_in_a_column_that_hardly_varies() -> None:
    assert "holds -1e+30" in fitted(np.r_[np.full(99, 5.0), -1e30][:, None])[0].notes[0]


def test_what_can_not_be_fitted() -> None:
    with pytest.raises(DataError, match="n_samples=1 row"):
        fit_codec(read(np.ones((1, 3))))
    with pytest.raises(DataError, match="nothing to learn"):
        fit_codec(read(np.array([[1.0, NAN], [1.0, NAN]])))


# -- tables: which columns are which --------------------------------------------------------------------------------


def test_columns_are_matched_by_name() -> None:
    source = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 3)), columns=["a", "b", "c"])
    codec, rows = fitted(source)
    other = source.assign(extra=1.0)[["extra", "c", "a", "b"]]
    assert torch.equal(codec.encode(read(other)).x, rows.x)
    assert torch.equal(codec.encode(read(pl.from_pandas(other))).x, rows.x)
    assert torch.equal(codec.encode(read(other.assign(text="x"), columns=codec.feature_names)).x, rows.x)
    assert codec.decode(rows.x).columns.tolist() == ["a", "b", "c"]
    with pytest.raises(DataError, match="missing: 'a', 'c'"):
        codec.encode(read(source[["b"]]))


def test_columns_without_names_are_matched_by_place() -> None:
    source = np.random.default_rng(0).normal(size=(6, 3))
    codec, rows = fitted(source)
    assert torch.equal(codec.encode(read(pd.DataFrame(source, columns=["a", "b", "c"]))).x, rows.x)
    with pytest.raises(DataError, match=r"^X has 2 features, but VAE is expecting 3 features as input\.$"):
        codec.encode(read(source[:, :2]))


def test_new_rows_may_hold_anything() -> None:
    codec, _ = fitted(np.random.default_rng(0).normal(size=(6, 2)))
    rows = codec.encode(read(np.array([[NAN, NAN], [1e300, 0.0]])))
    assert rows.mask is not None and torch.isfinite(rows.x).all() and observed_rows(rows).tolist() == [False, True]
    assert observed_rows(Rows(torch.zeros(2, 1, 2, 2))).tolist() == [True, True]


def test_one_row_can_be_encoded() -> None:
    values = np.random.default_rng(0).normal(size=(6, 2))
    assert torch.equal(fitted(values)[0].encode(read(values[:1])).x, fitted(values)[1].x[:1])


# -- densities ------------------------------------------------------------------------------------------------------


def test_log_jacobian_of_a_table_is_that_of_finite_differences() -> None:
    values = np.random.default_rng(0).normal(5, [1e-3, 1.0, 1e4], size=(50, 3))
    values[0, 1] = NAN
    values = np.c_[values, np.arange(50) % 2, np.ones(50)]
    codec, rows = fitted(values)
    steps = np.r_[codec.scale[:4], 0.0]
    moved = codec.encode(read(values + steps))
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.log((moved.x - rows.x).double().numpy() / steps[:4])
    expected = np.where(np.isnan(values[:, :4]), 0.0, each).sum(1)
    np.testing.assert_allclose(codec.log_jacobian(rows), expected, atol=1e-5)
    full = codec.log_jacobian(Rows(rows.x))
    assert full.dtype == torch.float64 and full.shape == (50,)
    assert full[1].item() == pytest.approx(expected[1], abs=1e-5)


def test_log_jacobian_of_pictures() -> None:
    codec, rows = fitted(pictures("NHWC"))
    np.testing.assert_allclose(codec.log_jacobian(rows), -90 * math.log(255))
    holes = pictures("NHW", "float32")
    holes[0, :2, :2] = NAN
    codec, rows = fitted(holes)
    assert codec.log_jacobian(rows)[0].item() == pytest.approx(-26 * math.log(codec.high - codec.low))
    codec, rows = fitted(np.array([0, 255], np.uint8).repeat(8).reshape(4, 2, 2))
    assert codec.fields[0].kind == "binary"
    np.testing.assert_allclose(codec.log_jacobian(rows), -4 * math.log(255))


# -- pictures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float16", "float32", "float64"])
def test_pictures_come_back_as_they_came(layout: str, dtype: str) -> None:
    source = pictures(layout, dtype)
    codec, rows = fitted(source)
    for each in (codec, stored(codec)):
        back = each.decode(rows.x)
        assert back.dtype == source.dtype and back.shape == source.shape
        np.testing.assert_allclose(back.astype(float), source.astype(float), atol=1e-3)
    assert rows.x.shape[1:] == codec.shape == codec.fields[0].shape and rows.mask is None
    assert rows.x.dtype == torch.float32 and rows.x.min() >= 0 and rows.x.max() <= 1
    assert codec.n_features == math.prod(LAYOUTS[layout][1:]) and codec.feature_names == ("image",)


def test_tensors_of_pictures_come_back_as_tensors() -> None:
    source = torch.from_numpy(pictures("NCHW"))
    codec, rows = fitted(source)
    assert torch.equal(codec.decode(rows.x), source) and codec.row_ndim == 3
    with pytest.raises(DataError, match="'pandas' can't hold pictures"):
        codec.decode(rows.x, "pandas")


def test_bytes_are_rounded_and_kept_within_their_range() -> None:
    codec, _ = fitted(pictures("NHW"))
    back = codec.decode(torch.tensor([-1.0, 0.4999, 2.0]).repeat_interleave(30).reshape(3, 1, 5, 6))
    assert back[:, 0, 0].tolist() == [0, 127, 255] and back.dtype == np.uint8


@pytest.mark.parametrize(
    ("source", "ends", "kind", "resolution"),
    [
        (pictures("NHW"), (0, 255), "image", 1 / 255),
        (pictures("NHW") % 2, (0, 1), "binary", 1.0),
        (pictures("NHW") % 2 == 1, (0, 1), "binary", 1.0),
        (pictures("NHW") % 2 * np.uint8(255), (0, 255), "binary", 1 / 255),
        (pictures("NHW", "float64") / 300, (0, 1), "image", 1 / 300),
        (pictures("NHW", "float64") % 17, (0, 16), "image", 1 / 16),
        (pictures("NHW", "int16") % 9 - 4, (-4, 4), "image", 1 / 8),
    ],
    ids=["bytes", "bits", "booleans", "black and white", "within 0..1", "digits", "signed"],
)
def test_scaling_of_pixels(source: np.ndarray[Any, Any], ends: tuple[float, float], kind: str, resolution: float) -> None:
    codec, _ = fitted(source)
    assert (codec.low, codec.high) == ends and codec.fields[0].kind == kind
    assert codec.fields[0].resolution == pytest.approx(resolution)


def test_almost_all_pixels_black_or_white_is_binary() -> None:
    values = np.zeros((10, 10, 10), np.float32)
    values[:, 0] = 1.0
    values.reshape(-1)[500:549] = 0.5
    assert fitted(values)[0].fields[0].kind == "binary"
    values.reshape(-1)[500:551] = 0.5
    assert fitted(values)[0].fields[0].kind == "image"


def test_pixels_that_are_missing() -> None:
    values = pictures("NHW", "float32") / 255
    values[0, 1, 2], values[3] = NAN, NAN
    codec, rows = fitted(values)
    assert rows.mask is not None and rows.mask.sum() == 3 * 30 - 1 and rows.x[0, 0, 1, 2] == 0
    assert "1 image without any pixel:" in codec.notes[0] and observed_rows(rows).tolist() == [True, True, True, False]


def test_other_pictures_are_refused() -> None:
    codec, _ = fitted(pictures("NHWC"))
    with pytest.raises(DataError, match=r"5 x 6 pixels with 1 channel, .* fitted on pictures of 5 x 6 pixels with 3 channels"):
        codec.encode(read(pictures("NHW")))
    with pytest.raises(DataError, match="this is a table"):
        codec.encode(read(np.eye(3)))
    with pytest.raises(DataError, match=r"these are pictures, .* a table of 3 columns"):
        fitted(np.eye(3))[0].encode(read(pictures("NHW")))
    with pytest.raises(DataError, match="nothing to learn"):
        fit_codec(read(np.ones((3, 4, 4))))


# -- storage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [mixed("pandas"), mixed("pyarrow"), np.eye(4, 3, dtype=np.float32), pictures("NHWC")])
def test_a_stored_codec_does_the_same(source: Any) -> None:
    codec, rows = fitted(source)
    again = stored(codec)
    assert type(again) is type(codec) and again.fields == codec.fields and again.notes == codec.notes
    assert torch.equal(again.encode(read(source)).x, rows.x)
    assert torch.equal(again.log_jacobian(rows), codec.log_jacobian(rows))


TABLE_DAMAGE: list[tuple[str, Any]] = [
    ("kind", "os.system"),
    ("kind", ["table"]),
    ("names", ["a"]),
    ("names", ["a", "a", "b"]),
    ("names", [1, 2, 3]),
    ("dtypes", ["Int64"]),
    ("dtypes", ["Int64", "Int64", "object"]),
    ("dtypes", ["Int64", "Int64", "Int64[os]"]),
    ("container", "os"),
    ("container", ["pandas"]),
    ("named", "yes"),
    ("integer_names", True),
    ("notes", [1]),
    ("center", np.zeros(2)),
    ("center", np.array([NAN, 0, 0])),
    ("scale", np.array([1, -1, 1.0])),
    ("scale", np.zeros(3)),
    ("scale", np.array(["a", "b", "c"])),
    ("resolution", np.array([0, 0, NAN])),
    ("binary", np.zeros(3)),
]
IMAGE_DAMAGE: list[tuple[str, Any]] = [
    ("shape", [5, 6]),
    ("shape", [0, 5, 6]),
    ("shape", [3, 5, "6"]),
    ("layout", "CHWN"),
    ("layout", "NHW"),
    ("dtype", "object"),
    ("container", "pandas"),
    ("low", 255.0),
    ("high", NAN),
    ("high", "255"),
    ("field_kind", "real"),
    ("resolution", -1.0),
    ("notes", "text"),
]


@pytest.mark.parametrize(
    ("source", "name", "value"),
    [(pd.DataFrame(np.eye(4, 3), columns=["a", "b", "c"]), *damage) for damage in TABLE_DAMAGE]
    + [(pictures("NHWC"), *damage) for damage in IMAGE_DAMAGE],
)
def test_damaged_descriptions_are_refused(source: Any, name: str, value: Any) -> None:
    plain, kept = fitted(source)[0].to_state()
    (kept if name in kept else plain)[name] = value
    with pytest.raises(StorageError, match="damaged or was altered"):
        codec_from_state(plain, kept)


@pytest.mark.parametrize("source", [np.eye(4), pictures("NHW")])
def test_every_attribute_is_needed(source: Any) -> None:
    codec = fitted(source)[0]
    of_later_versions = {field.name for field in dataclasses.fields(codec) if field.default is not dataclasses.MISSING}
    for name in {*codec.to_state()[0], *codec.to_state()[1]} - of_later_versions:
        plain, kept = codec.to_state()
        plain.pop(name, None), kept.pop(name, None)
        with pytest.raises(StorageError, match=name if name != "kind" else "kind of codec"):
            codec_from_state(plain, kept)


def test_the_interface_is_the_same() -> None:
    shared = {"fields", "feature_names", "n_features", "notes", "named", "shape", "row_ndim", "container"}
    for codec in (fitted(np.eye(4))[0], fitted(pictures("NHW"))[0]):
        assert isinstance(codec, (TableCodec, ImageCodec)) and all(hasattr(codec, name) for name in shared)
    assert isinstance(read(np.eye(4)), Table) and isinstance(read(pictures("NHW")), Images)


def test_means_and_scales_are_those_of_the_training_rows() -> None:
    table = np.random.default_rng(0).normal(size=(200, 3)) * [1, 10, 100] + [0, 5, 9]
    table[::7, 1] = np.nan
    vae = lt.VAE(max_epochs=1, random_state=0).fit(table)
    at_hand = vae.fitted_.at_hand
    assert at_hand is not None and at_hand.held_out is not None
    train = at_hand.train.x.masked_fill(~at_hand.train.mask, float("nan")).double().numpy()
    np.testing.assert_allclose(np.nanmean(train, 0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(train, 0), 1, atol=1e-6)
    assert abs(np.nanmean(at_hand.held_out.x.masked_fill(~at_hand.held_out.mask, float("nan")).numpy(), 0)).max() > 1e-3
    again = vae.fitted_.encode(vae.fitted_.read(table))
    assert {*map(tuple, at_hand.held_out.x.tolist())} <= {*map(tuple, again.x.tolist())}, "the same rows to the bit"


@pytest.mark.parametrize("seed", range(4))
def test_what_only_held_out_rows_hold_is_known(seed: int) -> None:
    """A level, and a number far away: each is in one row, which is held out for some seeds and orders."""
    frame = pd.DataFrame({"x": np.arange(40.0) % 7, "level": ["a"] * 39 + ["b"], "far": [*np.arange(39.0), 1e9]})
    order = np.random.default_rng(seed).permutation(40)
    for unlucky in range(0, 40, 20):
        table = frame.iloc[np.roll(order, unlucky)]
        vae = lt.VAE(max_epochs=1, validation_fraction=0.5, random_state=seed).fit(table)
        assert np.isfinite(vae.figures_["loss"])
        assert np.isfinite(vae.score_samples(table)).all()
