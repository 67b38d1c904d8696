"""What a new row is asked to hold: from the user's words to intervals in encoded units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from latente.data.files import quoted
from latente.data.moments import EXAMPLES, MOMENTS, is_moment, kind_of, seconds, told
from latente.data.table import TableCodec
from latente.errors import DataError

WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}

Intervals = list[tuple[float, float]]


def intervals(codec: TableCodec, given: Mapping[str, Any]) -> dict[int, Intervals]:
    """For fields (by their place among the encoded ones) the intervals in which their values must lie.

    Args:
        codec: of the table.
        given: for some columns a value, a list of values, or a tuple (lowest, highest) of numbers, of which one may be None.

    Raises:
        DataError: there is no such column, or it never has such a value.
    """
    fields = {field.name: place for place, field in enumerate(codec.fields)}
    found: dict[int, Intervals] = {}
    for name, wanted in ((str(name), wanted) for name, wanted in given.items()):
        if name not in codec.names:
            raise DataError(f"given names the column {name!r}, which is not there; there are {quoted(list(codec.names))}")
        column = codec.names.index(name)
        if name in fields:
            found[fields[name]] = (
                _of_levels(codec, column, wanted) if codec.counts[column] else _of_numbers(codec, column, wanted)
            )
        else:
            _left_out(codec, column, wanted)
    return found


def _of_levels(codec: TableCodec, column: int, wanted: Any) -> Intervals:
    levels = codec.levels(column)
    if isinstance(wanted, tuple):
        raise DataError(f"given: {codec.names[column]!r} has levels and no range: ask for one, or for a list of them")
    texts = [_as_level(value, levels) for value in (wanted if isinstance(wanted, (list, set)) else [wanted])]
    unknown = [text for text in texts if text not in levels]
    if not texts:
        raise DataError(f"given: no value is asked for of {codec.names[column]!r}")
    if unknown:
        raise DataError(f"given: {codec.names[column]!r} is never {quoted(unknown)}; it is one of {quoted(list(levels))}")
    return [(float(levels.index(text)), float(levels.index(text))) for text in texts]


def _as_level(value: Any, levels: tuple[str, ...]) -> str:
    """A level as text; 30.0 is the level "30"."""
    text = str(value)
    return text if text in levels or not text.endswith(".0") else text[:-2]


def _number(value: Any, label: str) -> float:
    """A number; of a boolean, what people call it will do; of dates and times, seconds.

    Raises:
        ValueError: it is none, or a hole.
    """
    word = str(value).lower()
    number = seconds(value, label) if is_moment(label) else WORDS[word] if word in WORDS else float(value)
    if math.isnan(number):
        raise ValueError(value)
    return number


def _of_numbers(codec: TableCodec, column: int, wanted: Any) -> Intervals:
    low, high = float(codec.low[column]), float(codec.high[column])
    ends = (
        [wanted] if isinstance(wanted, tuple) else [(w, w) for w in (wanted if isinstance(wanted, (list, set)) else [wanted])]
    )
    found = [_bounds(codec.names[column], codec.dtypes[column], end, low, high) for end in ends]
    if not found:
        raise DataError(f"given: no value is asked for of {codec.names[column]!r}")
    center, scale = codec.center[column], codec.scale[column]
    return [((bottom - center) / scale, (top - center) / scale) for bottom, top in found]


def _bounds(name: str, label: str, ends: Any, low: float, high: float) -> tuple[float, float]:
    try:
        bottom, top = (at_ends if end is None else _number(end, label) for end, at_ends in zip(ends, (low, high), strict=True))
    except (TypeError, ValueError) as error:
        kind = kind_of(label)
        kinds = f"{MOMENTS[kind]}, such as {EXAMPLES[kind]}" if kind else "numbers"
        asked = ends[0] if len(ends) == 2 and ends[0] is ends[1] else ends
        raise DataError(
            f"given: {name!r} holds {kinds}, and {asked!r} is none: ask for one, for a list of them, or for (lowest, highest)"
        ) from error
    asked, known = (" to ".join(told(end, label) for end in pair) for pair in ((bottom, top), (low, high)))
    if not bottom <= top:
        raise DataError(f"given: {name!r} can't be from {asked}: the first is the larger one")
    if top < low or bottom > high:
        raise DataError(f"given: {name!r} is asked to be from {asked}, and was only ever from {known}")
    return bottom, top


def _left_out(codec: TableCodec, column: int, wanted: Any) -> None:
    """A column that the model does not know: its only value may be asked for, and nothing else."""
    levels = codec.levels(column)
    if not levels and np.isnan(codec.center[column]):
        raise DataError(f"given: {codec.names[column]!r} is left out of the model, which can't say anything of it")
    only, label = codec.center[column], codec.dtypes[column]
    try:
        same = _as_level(wanted, levels) == levels[0] if levels else _number(wanted, label) == only
    except (TypeError, ValueError):
        same = False
    if not same:
        raise DataError(f"given: {codec.names[column]!r} is always {levels[0] if levels else told(only, label)}")
