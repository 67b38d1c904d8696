"""Observed values, restored exactly beside imputed ones: in the type of the fit, or in a wider one if necessary."""

from __future__ import annotations

from typing import Any

import numpy as np

from latente.data.containers import Array, numpy_dtype, snap, wider
from latente.data.moments import arrow_of, arrow_type, is_moment
from latente.data.sources import Table, is_number
from latente.errors import DataError


def kept(
    name: str, filled: Array, label: str, source: Table, column: int, there: Array, levels: tuple[str, ...]
) -> tuple[Any, str]:
    """A decoded column with the observed values in their places, and the label of its type.

    Args:
        name: of the column.
        filled: its decoded values ``[N]``, in the type of ``label``; dates, times and durations in seconds.
        label: its type in the fit.
        source: the input rows; the column is its ``column``.
        there: which rows keep their observed values, bool ``[N]``.
        levels: levels of the column in the fit; () for numbers.

    Returns:
        An array ``[N]``, or an Arrow array of dates, times, durations and decimals, which a double does not hold exactly.

    Raises:
        DataError: no type holds both observed and imputed values.
    """
    came, exact = source.dtypes[column], source.exact.get(column)
    if exact is not None:
        return _moments(name, filled, label, exact, came, there) if is_moment(label) else _decimals(filled, exact, there, came)
    values, texts, dtype = source.values[:, column], source.levels.get(column), numpy_dtype(label)
    if is_moment(label):  # days, which a double holds exactly
        return np.where(there, values, filled), label
    if dtype.kind == "O":
        texts, codes = texts_of(source, column, levels)
        return np.where(there, leveled(np.array([*texts, None], object), codes), filled), label
    if texts is not None:
        as_numbers(name, values, texts)  # raises an error that names the text that is no number
        dtype = _holding(name, texts, values, dtype)
        own = leveled(np.append(exactly(texts, dtype), dtype.type(0)), values)
    else:
        dtype = dtype if holds(values[there], dtype) else np.result_type(dtype, numpy_dtype(came))
        own = (values if dtype.kind == "f" else np.where(there, values, 0)).astype(dtype)
    same = dtype == numpy_dtype(label)
    return np.where(there, own, filled if same else snap(filled.astype(float), dtype)), label if same else wider(
        dtype, label, came
    )


def with_observed(filled: Array, source: Table) -> Array:
    """A decoded array ``[N, F]`` with the observed values in their places; of a wider type if its own does not hold these."""
    if source.exact:  # whole numbers without missing ones
        return np.column_stack([source.exact[column] for column in range(len(source.names))])
    there = ~np.isnan(source.values)
    if not holds(source.values[there], filled.dtype):
        came = numpy_dtype(source.dtypes[0])
        filled = filled.astype(np.result_type(filled.dtype, came if there.all() else np.result_type(came, source.values.dtype)))
    return np.where(there, source.values, filled).astype(filled.dtype)


def as_it_came(table: Table, column: int) -> Any:
    """A column's values in its own type; 0 for missing whole numbers."""
    if column in table.exact:
        return table.exact[column]
    values, texts, dtype = table.values[:, column], table.levels.get(column), numpy_dtype(table.dtypes[column])
    if texts is None:
        return values.astype(dtype) if dtype.kind == "f" else np.nan_to_num(values).astype(dtype)
    return leveled(np.array([*texts, None], object) if dtype.kind == "O" else np.append(exactly(texts, dtype), 0), values)


def holds(values: Array, dtype: np.dtype[Any]) -> bool:
    """Whether a type holds each of some numbers exactly.

    >>> [holds(np.array([-3.0, 5.0]), np.dtype(name)) for name in ("uint8", "int8", "bool", "float32")]
    [False, True, False, True]
    """
    if dtype.kind == "b":
        return bool(np.isin(values, (0, 1)).all())
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return bool((values.astype(dtype) == values).all())
    low, above = float(np.iinfo(dtype).min), 2.0 ** (8 * dtype.itemsize - (dtype.kind == "i"))
    return bool(((values == np.rint(values)) & (values >= low) & (values < above)).all())


def _holding(name: str, texts: tuple[str, ...], codes: Array, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The first type that holds the numbers of texts exactly, beginning with the type of the column."""
    if not all(map(_is_whole, texts)):
        return dtype if holds(np.array([*map(float, texts)]), dtype) else np.dtype(float)
    numbers = [int(text) for text in texts]
    for each in (dtype, np.dtype(np.int64), np.dtype(np.uint64)):
        wrong = next((place for place, number in enumerate(numbers) if not _is_exact(number, each)), None)
        if wrong is None:
            return each
    row = int(np.flatnonzero(codes == wrong)[0])
    raise DataError(
        f"column {name!r} holds {texts[wrong or 0]} in row {row} (counted from 0), which no type of number holds "
        "beside the others: correct it, or leave it empty where nothing was recorded"
    )


def _is_exact(number: int, dtype: np.dtype[Any]) -> bool:
    if dtype.kind == "f":
        return abs(number) < 2**1000 and int(dtype.type(number)) == number
    limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return limits[0] <= number <= limits[1]


def _is_whole(text: str) -> bool:
    return text.lstrip("+-").isdecimal()


def _moments(name: str, filled: Array, label: str, exact: Any, came: str, there: Array) -> tuple[Any, str]:
    """Dates, times and durations in the unit of the fit, or in that of the input if the former would truncate them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for each in (label, came):
        try:
            cast = exact.cast(arrow_type(each))
            if cast.cast(exact.type).equals(exact):
                return pc.if_else(pa.array(there), cast, arrow_of(filled, each)), each
        except pa.ArrowInvalid:  # outside the range of this unit
            continue
    raise DataError(
        f"column {name!r} holds dates that can't stand beside what is filled in: give it the unit that it had in the "
        f"fit, {label}"
    )


def _decimals(filled: Array, exact: Any, there: Array, label: str) -> tuple[Any, str]:
    """Decimals of the input, with imputed values rounded to the same number of places."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = exact.type
    kind = kind if pa.types.is_decimal256(kind) else pa.decimal128(38, kind.scale)
    return pc.if_else(pa.array(there), exact.cast(kind), pa.array(filled.astype(float)).cast(kind)), label


def leveled(levels: Array, codes: Array) -> Array:
    """The level of each code; the last one for missing codes."""
    return np.asarray(levels[np.where(np.isnan(codes), len(levels) - 1, codes).astype(np.intp)])


def exactly(texts: tuple[str, ...], dtype: np.dtype[Any]) -> Array:
    """The numbers in levels, in a type; whole ones of any size exactly."""
    if dtype.kind in "iu" and all(map(_is_whole, texts)):
        return np.array([int(text) for text in texts], dtype)
    return snap(np.array([float(text) for text in texts]), dtype)


def as_numbers(name: str, codes: Array, texts: tuple[str, ...]) -> Array:
    """The numbers in a column's texts.

    Raises:
        DataError: not all texts are numbers.
    """
    example = next((text for text in texts if not is_number(text)), None)
    if example is not None:
        raise DataError(f"columns of numbers that hold text now: {name!r} (such as {example[:40]!r})")
    lookup = np.array([*map(float, texts), np.nan])
    return np.asarray(lookup[np.where(np.isnan(codes), len(texts), codes).astype(np.intp)])


def as_texts(values: Array) -> tuple[tuple[str, ...], Array]:
    """Numbers as texts, in rising order, and the index of each row's text, NaN for missing ones."""
    distinct, codes = np.unique(values, return_inverse=True)
    texts = tuple(np.format_float_positional(value, trim="-") for value in distinct[~np.isnan(distinct)])
    return texts, np.where(np.isnan(values), np.nan, codes)


def texts_of(table: Table, column: int, known: tuple[str, ...]) -> tuple[tuple[str, ...], Array]:
    """A column's texts and the index of each row's text, NaN for missing ones. Columns that were read as booleans, because they
    have no other values, are written as in ``known``: true, TRUE or True.
    """
    texts, values = table.levels.get(column), table.values[:, column]
    if texts is not None:
        return texts, values
    if numpy_dtype(table.dtypes[column]).kind != "b":
        return as_texts(values)
    words = {text.lower(): text for text in reversed(known)}
    return (words.get("false", "False"), words.get("true", "True")), values


def numbered(table: Table, column: int, known: tuple[str, ...]) -> tuple[Array, dict[str, int]]:
    """The codes of one column's texts in the order of ``known``, and the number of rows of each unknown text, without code."""
    given, codes = texts_of(table, column, known)
    places = {text: place for place, text in enumerate(known)}
    lookup = np.array([*(places.get(text, np.nan) for text in given), np.nan])
    index = np.where(np.isnan(codes), len(given), codes).astype(np.intp)
    times = np.bincount(index, minlength=len(given))
    new = {text: int(count) for text, count in zip(given, times, strict=False) if count and text not in places}
    return np.asarray(lookup[index]), new
