"""Containers of tables and pictures, and their numeric types: closed lists.

Containers and types that a stored file names are looked up here; nothing is imported or evaluated by a name from a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latente.data.moments import as_series, has_known_zone, is_moment, label_of
from latente.errors import DataError

Array = NDArray[Any]

ARRAYS = ("numpy", "torch")
FRAMES = ("pandas", "polars", "pyarrow")

_WIDTHS = [f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)] + ["Float16", "Float32", "Float64"]
_FRAME_DTYPES = {name: np.dtype(name.lower()) for name in _WIDTHS} | {"Boolean": np.dtype(bool)}
TEXTS = ("String", "Categorical")
_ORDERED = "Ordered"  # ordered categories, which follow as JSON: they are part of the type
_BACKINGS = ("", "nullable]", "pyarrow]", "object]")
_DTYPES: dict[str, np.dtype[Any]] = (
    _FRAME_DTYPES
    | {dtype.name: dtype for dtype in _FRAME_DTYPES.values()}
    | dict.fromkeys((*TEXTS, _ORDERED), np.dtype(object))
)
_FRAME_NAMES = {dtype: name for name, dtype in _FRAME_DTYPES.items()}


def categories_of(label: str) -> tuple[str, ...]:
    """The categories of an ordered categorical type, in their order; () for other types.

    >>> categories_of('Ordered["low", "high"]'), categories_of("String")
    (('low', 'high'), ())
    """
    if not label.startswith(f"{_ORDERED}["):
        return ()
    try:
        found = json.loads(label.removeprefix(_ORDERED))
    except ValueError:
        return ()
    right = isinstance(found, list) and all(isinstance(text, str) for text in found) and len(set(found)) == len(found)
    return tuple(found) if right else ()


def known_dtype(label: str) -> bool:
    """Whether a type is preserved, such as ``Int64``, ``Int64[nullable]``, ``uint8``, ``String`` or ``Date``."""
    plain, _, backing = label.partition("[")
    known = (plain in _DTYPES and plain != _ORDERED) or (is_moment(plain) and has_known_zone(plain))
    return (known and backing in _BACKINGS) or bool(categories_of(label))


def numpy_dtype(label: str) -> np.dtype[Any]:
    """NumPy's type for a label: narwhals' ``Int64`` and pandas' ``Int64[nullable]`` are ``int64``, text is ``object``; dates,
    times and durations are seconds.
    """
    if is_moment(label):
        return np.dtype(float)
    return _DTYPES[label.partition("[")[0]]


def float_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """float32 if it holds every value of ``dtype`` exactly, else float64."""
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)


def is_text(series: Any) -> bool:
    """Whether a narwhals series holds text: strings, or categories of them, and at least one."""
    return str(series.dtype).partition("(")[0] in ("String", "Categorical", "Enum") and has_values(series)


def has_values(series: Any) -> bool:
    """Whether a narwhals series has a value that is not missing."""
    return bool(series.null_count() < len(series))


def dtype_label(series: Any, container: str) -> str:
    """The name of a narwhals series' type; for pandas with its backend, as in ``Int64[nullable]``, ``Int64[pyarrow]``.

    Numbers of other kinds (decimals, 128-bit integers) and columns without any value are labelled ``Float64``.
    """
    if is_text(series):
        ordered = _categories(series)
        return f"{_ORDERED}{json.dumps(ordered)}" if ordered else "String" if str(series.dtype) == "String" else "Categorical"
    name = label_of(series) or (str(series.dtype) if str(series.dtype) in _FRAME_DTYPES else "Float64")
    native = str(getattr(series.to_native(), "dtype", "")) if container == "pandas" else ""
    if native.endswith("[pyarrow]"):
        return f"{name}[pyarrow]"
    return f"{name}[nullable]" if native in (name, "boolean") else name


def _categories(series: Any) -> list[str]:
    """The categories of a narwhals series of ordered ones, in their order; [] for others."""
    if str(series.dtype).startswith("Enum"):
        return list(map(str, series.dtype.categories))
    column = series.to_native()
    if not getattr(getattr(column, "type", None), "ordered", False):
        return []
    return [str(text) for text in column.unify_dictionaries().chunk(0).dictionary.to_pylist()]


def wider(dtype: np.dtype[Any], label: str, came: str) -> str:
    """The label of a wider numeric type, with the backend of the narrower one, or the type of the input.

    >>> wider(np.dtype("int64"), "UInt8[nullable]", "Int64")
    'Int64[nullable]'
    """
    backing = label.partition("[")[2] or came.partition("[")[2]
    return _FRAME_NAMES[dtype] + (f"[{backing}" if backing in _BACKINGS[1:] else "")


def snap(values: Array, dtype: np.dtype[Any]) -> Array:
    """Values as ``dtype``: whole numbers rounded, booleans cut at .5, nothing outside the range of the type, no -0.0."""
    if dtype.kind == "b":
        return np.asarray(values >= 0.5)
    if dtype.kind == "f":
        limit = float(np.finfo(dtype).max)
        fitting = values if dtype == values.dtype else np.clip(values, -limit, limit).astype(dtype)
        return np.asarray(fitting + dtype.type(0))  # -0.0 + 0.0 is 0.0
    if dtype == values.dtype:
        return values
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, _float_below(limits.max)).astype(dtype)


def _float_below(limit: int) -> float:
    """The largest float64 that is not above ``limit``: 2⁶³ - 1, for one, rounds up to 2⁶³."""
    return float(limit) if int(float(limit)) <= limit else float(np.nextafter(float(limit), 0.0))


def to_array(values: Array, container: str) -> Array | torch.Tensor:
    """An array as the container ``"numpy"`` or ``"torch"``.

    Raises:
        DataError: for any other container.
    """
    if container not in ARRAYS:
        raise DataError(f"{container!r} can't hold pictures; the container is one of {', '.join(map(repr, ARRAYS))}")
    return torch.from_numpy(np.ascontiguousarray(values)) if container == "torch" else values


def frame(columns: Mapping[str, Any], container: str) -> Any:
    """New columns (arrays or lists ``[N]``) as a frame; of pyarrow where the container is one of arrays.

    Raises:
        DataError: if the container is unknown, or its package is not installed.

    >>> frame({"score": [1.0, 2.0]}, "numpy").column_names
    ['score']
    """
    made = _frame(columns, "pyarrow" if container in ARRAYS else container)
    return (made if container == "pandas" else _with_nulls(made)).to_native()


def _with_nulls(table: Any) -> Any:
    """A frame of polars or pyarrow with null where a number is NaN."""
    import narwhals as nw

    numbers = [name for name, dtype in table.schema.items() if dtype.is_float() and table[name].is_nan().any()]
    if not numbers:  # a row's scores are a frame, too, and an expression takes as long as its score
        return table
    return table.with_columns(*(nw.when(~nw.col(name).is_nan()).then(nw.col(name)).alias(name) for name in numbers))


def _frame(columns: Mapping[str, Any], container: Any) -> Any:
    import narwhals as nw

    if container not in FRAMES:
        raise DataError(f"the container {container!r} is unknown; it is one of {', '.join(map(repr, ARRAYS + FRAMES))}")
    try:
        return nw.from_dict(columns, backend=container)
    except ModuleNotFoundError as error:
        hint = "install it, or ask for another container, such as 'pyarrow'"
        raise DataError(f"the container {container!r} needs the package {container}, which is not installed: {hint}") from error


def to_frame(
    columns: Mapping[str, Array],
    dtypes: tuple[str, ...],
    empty: set[str],
    container: str,
    integer_names: bool,
    missing: Mapping[str, Array] | None = None,
) -> Any:
    """Decoded columns as a frame of pandas, polars or pyarrow.

    Args:
        columns: name → values ``[N]``, each already of its type; Arrow arrays for values that NumPy does not hold exactly.
        dtypes: label of each column's type (see :func:`dtype_label`).
        empty: names of the columns without any value.
        container: ``"pandas"``, ``"polars"`` or ``"pyarrow"``.
        integer_names: whether pandas' columns are named 0, 1, … instead of "0", "1", ….
        missing: for some columns, where values are missing, bool ``[N]``.

    Raises:
        DataError: if the container is unknown, or its package is not installed.
    """
    import narwhals as nw

    labels = dict(zip(columns, dtypes, strict=True))
    moments = {name for name, label in labels.items() if is_moment(label)}
    _frame({}, container)  # fails early if the container is unknown or not installed
    ready = moments | {name for name, values in columns.items() if not isinstance(values, np.ndarray)}
    plain = {name: as_series(v, labels[name], container) if name in ready else v for name, v in columns.items()}
    table = _with_missing(_frame(plain, container), missing or {}, container)
    if container == "pandas":
        return _as_pandas(table.to_native(), labels, ready, empty, integer_names)
    names = {
        name: label if label in TEXTS else "String" if categories_of(label) else _FRAME_NAMES[numpy_dtype(label)]
        for name, label in labels.items()
    }
    nulls = [nw.lit(None, getattr(nw, names[name])).alias(name) for name in empty - moments]
    categories = [nw.col(name).cast(nw.Categorical) for name, label in labels.items() if label == "Categorical"]
    table = table.with_columns(*nulls).with_columns(*categories)
    ordered = (_ordered(table[name], categories_of(label), container) for name, label in labels.items() if categories_of(label))
    return table.with_columns(*ordered).to_native()


def _ordered(series: Any, categories: tuple[str, ...], container: str) -> Any:
    """A series of text as ordered categories; new categories come last."""
    import narwhals as nw

    categories = _with_new(categories, series)
    if container == "polars":
        return series.cast(nw.Enum(categories))
    import pyarrow as pa

    codes = {text: code for code, text in enumerate(categories)}
    indices = pa.array([codes.get(text) for text in series.to_list()], pa.int32())
    column = pa.DictionaryArray.from_arrays(indices, pa.array(categories), ordered=True)
    return nw.from_native(pa.chunked_array([column]), series_only=True).alias(series.name)


def _with_new(categories: tuple[str, ...], series: Any) -> tuple[str, ...]:
    others = {text for text in series.to_list() if isinstance(text, str)} - set(categories)
    return (*categories, *sorted(others))


def _with_missing(table: Any, missing: Mapping[str, Array], container: Any) -> Any:
    import narwhals as nw

    if container == "pandas":  # its NumPy integers and booleans have no missing values, and floats lose large ones
        native = table.to_native()
        return nw.from_native(native.assign(**{name: _nullable(native[name]).mask(places) for name, places in missing.items()}))
    hidden = [
        table[name].zip_with(nw.new_series(name, ~places, nw.Boolean, backend=container), _nothing_like(table[name]))
        for name, places in missing.items()
    ]
    return table.with_columns(*hidden)


def _nullable(series: Any) -> Any:
    """A pandas series in a nullable type."""
    whole = series.dtype in _FRAME_NAMES and series.dtype.kind != "f"
    return series.astype(_nullable_name(series.dtype)) if whole else series


def _nullable_name(dtype: np.dtype[Any]) -> str:
    return _FRAME_NAMES[dtype].replace("Boolean", "boolean")


def _nothing_like(series: Any) -> Any:
    """A series of the same type (or one that includes it) without any value."""
    import narwhals as nw

    return series.to_frame().select(nw.when(nw.lit(False)).then(nw.col(series.name)))[series.name]


def _as_pandas(table: Any, labels: dict[str, str], ready: set[str], empty: set[str], integer_names: bool) -> Any:
    """The frame with pandas' own types: nullable and Arrow-backed columns as in the input."""
    import pandas as pd

    types = {name: _pandas_dtype(label, name in empty) for name, label in labels.items() if name not in ready}
    table = table.astype({name: dtype for name, dtype in types.items() if dtype})
    for name, label in labels.items():
        if categories := categories_of(label):
            table[name] = pd.Categorical(table[name], _with_new(categories, table[name]), ordered=True)
    if integer_names:
        table.columns = [int(name) for name in table.columns]
    return table


def _pandas_dtype(label: str, empty: bool) -> str:
    """The name of the type in pandas; "" if the column already has it. Whole numbers can be missing only in nullable types."""
    dtype, backing = numpy_dtype(label), label.partition("[")[2]
    if dtype.kind == "O":
        return "category" if label == "Categorical" else "object" if empty else ""
    if backing == "object]":
        return "object"
    if backing == "pyarrow]":
        return f"{dtype.name}[pyarrow]"
    if backing or (empty and dtype.kind != "f"):
        return _nullable_name(dtype)
    return ""


def like(source: Any, result: Any) -> Any:
    """``result``, with the index of ``source`` if both are pandas frames with the same number of rows; a time that was the
    index is no column.
    """
    from narwhals.dependencies import is_pandas_dataframe

    if is_pandas_dataframe(source) and is_pandas_dataframe(result) and len(source) == len(result):
        if index_of_time(source):
            own = [name for name in names_of_index(source) if name in result.columns and name not in source.columns]
            result = result.drop(columns=own)
        result.index = source.index
    return result


def names_of_index(frame: Any) -> list[Any]:
    """What the index of a pandas frame is called as columns."""
    unnamed = ["index"] if frame.index.nlevels == 1 else [f"level_{level}" for level in range(frame.index.nlevels)]
    return [other if name is None else name for name, other in zip(frame.index.names, unnamed, strict=True)]


def index_of_time(frame: Any) -> bool:
    """Whether the index of a pandas frame holds dates, alone or beside other levels."""
    levels = (frame.index.get_level_values(level).dtype for level in range(frame.index.nlevels))
    return any(dtype.kind == "M" or str(dtype).startswith("period") for dtype in levels)
