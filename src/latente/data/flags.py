"""Flags: columns that hold one value in some rows and nothing in the others. Whether the value is there is what they say."""

from __future__ import annotations

from typing import Any

import numpy as np

from latente.data.containers import Array, numpy_dtype
from latente.data.moments import told
from latente.data.seen import as_numbers, numbered
from latente.data.sources import Images, Table

EMPTY = "(empty)"  # the level of a flag where its value is not there
SAME = 1e-6  # relative difference of one number in two types


def only_label(table: Table, column: int) -> str:
    """The only value of a column in words."""
    if column in table.levels:
        return table.levels[column][0]
    value = float(np.nanmin(table.values[:, column]))
    return str(bool(value)) if numpy_dtype(table.dtypes[column]).kind == "b" else told(value, table.dtypes[column])


def present(table: Table, column: int, name: str, only: float | str) -> tuple[Array, dict[str, int]]:
    """Whether a flag's value is there, [N]: 1 or 0, NaN where another value is; and in how many rows each of these is.

    Args:
        table: the rows.
        column: the place of the flag.
        name: its name in the fit.
        only: its value: a text, or a number.

    Raises:
        DataError: it held a number in the fit, and holds texts now.
    """
    if isinstance(only, str):
        codes, new = numbered(table, column, (only,))
        return np.where(np.isnan(table.values[:, column]), 0.0, codes + 1.0), new
    values, texts = table.values[:, column], table.levels.get(column)
    values = values if texts is None else as_numbers(name, values, texts)
    other = ~np.isnan(values) & (np.abs(values - only) > SAME * abs(only))
    found, times = np.unique(values[other], return_counts=True)
    new = {told(float(value), table.dtypes[column]): int(count) for value, count in zip(found, times, strict=True)}
    return np.where(np.isnan(values), 0.0, np.where(other, np.nan, 1.0)), new


def absent(x: Array, seen: Table | Images | None, place: Any) -> Array:
    """Where a decoded flag is empty, bool [N]: where nothing was observed, else where its decoded value ``x`` [N] is 0."""
    decoded = np.asarray(np.rint(x) < 1)
    return decoded | np.isnan(seen.values[:, place]) if isinstance(seen, Table) and place >= 0 else decoded
