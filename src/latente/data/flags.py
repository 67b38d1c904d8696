"""Flags: columns that hold one value in some rows and nothing in the others. Whether the value is there is what they say."""

from __future__ import annotations

from typing import Any

import numpy as np

from latente.data.containers import Array, numpy_dtype
from latente.data.moments import told
from latente.data.seen import as_numbers, numbered
from latente.data.sources import Images, Table

EMPTY = "(empty)"  # the level of a flag where its value is not there


def only_label(table: Table, column: int) -> str:
    """The only value of a column in words."""
    if column in table.levels:
        return table.levels[column][0]
    value = float(np.nanmin(table.values[:, column]))
    return str(bool(value)) if numpy_dtype(table.dtypes[column]).kind == "b" else told(value, table.dtypes[column])


def present(table: Table, column: int, name: str, only: float | str) -> tuple[Array, dict[str, int]]:
    """Whether a flag's value is there, [N]: 1 or 0, NaN where another text is; and in how many rows each of these is. Of a flag
    of numbers, any number is there.

    Args:
        table: the rows.
        column: the place of the flag.
        name: its name in the fit.
        only: its value: a text, or a number.

    Raises:
        DataError: it held a number in the fit, and holds texts now.
    """
    values, texts = table.values[:, column], table.levels.get(column)
    if isinstance(only, str):
        codes, new = numbered(table, column, (only,))
        return np.where(np.isnan(values), 0.0, codes + 1.0), new
    if texts is not None:
        as_numbers(name, values, texts)
    return np.where(np.isnan(values), 0.0, 1.0), {}


def absent(x: Array, seen: Table | Images | None, place: Any) -> Array:
    """Where a decoded flag is empty, bool [N]: where nothing was observed, else where its decoded value ``x`` [N] is 0."""
    decoded = np.asarray(np.rint(x) < 1)
    return decoded | np.isnan(seen.values[:, place]) if isinstance(seen, Table) and place >= 0 else decoded
