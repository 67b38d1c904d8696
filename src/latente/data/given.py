"""Conditions on new rows: from the user's values to intervals in encoded units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latente.data.columns import Intervals
from latente.data.files import quoted
from latente.data.table import TableCodec
from latente.errors import DataError


def intervals(codec: TableCodec, given: Mapping[str, Any]) -> dict[int, Intervals]:
    """Intervals of encoded fields (by their indices) that contain the values allowed by conditions.

    Args:
        codec: of the table.
        given: for some columns a value, a list of values, or a tuple (lowest, highest) of numbers (either may be
            None); for a flag its value, or None for an empty one.

    Raises:
        DataError: there is no such column, or it never has such a value.
    """
    fields = {field.name: place for place, field in enumerate(codec.fields)}
    found: dict[int, Intervals] = {}
    for name, wanted in ((str(name), wanted) for name, wanted in given.items()):
        if name not in codec.names:
            raise DataError(f"given: there is no column {name!r}; there are {quoted(list(codec.names))}")
        intervals = codec.columns[codec.names.index(name)].condition(wanted)
        if name in fields:
            found[fields[name]] = intervals
    return found
