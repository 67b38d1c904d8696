"""What a new row is asked to hold: from the user's words to intervals in encoded units."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from latente.data.files import quoted
from latente.data.flags import EMPTY
from latente.data.moments import EXAMPLES, MOMENTS, is_moment, kind_of, seconds, told
from latente.data.table import TableCodec
from latente.errors import DataError

ON_GRID = 1e-3  # of a step, by which rounding may put a value beside it
WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}

Intervals = list[tuple[float, float]]


def intervals(codec: TableCodec, given: Mapping[str, Any]) -> dict[int, Intervals]:
    """For fields (by their place among the encoded ones) the intervals in which their values must lie.

    Args:
        codec: of the table.
        given: for some columns a value, a list of values, or a tuple (lowest, highest) of numbers, of which one may be None;
            for a flag its value, or None for an empty one.

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
                _of_levels(codec, column, wanted, codec.fields[fields[name]].ordered)
                if codec.counts[column]
                else _of_numbers(codec, column, wanted)
            )
        else:
            _left_out(codec, column, wanted)
    return found


def _several(wanted: Any) -> list[Any]:
    """What is asked for, one by one: of a list, a set, a range or an array all that is in it."""
    if isinstance(wanted, np.ndarray):
        return list(wanted.ravel().tolist())
    return list(wanted) if isinstance(wanted, (list, set, frozenset, range)) else [wanted]


def _of_levels(codec: TableCodec, column: int, wanted: Any, ordered: bool) -> Intervals:
    name, levels = codec.names[column], codec.levels(column)
    asked = _several(wanted)
    if any(isinstance(each, tuple) for each in asked) and not ordered:
        raise DataError(f"given: {name!r} has levels without an order, and no range: ask for one, or for a list of them")
    ends = [each if isinstance(each, tuple) and len(each) == 2 else (each, each) for each in asked]
    filled = [(levels[0] if low is None else low, levels[-1] if high is None else high) if low is not high else (low, high)
              for low, high in ends]  # fmt: skip
    texts = [(_as_level(low, levels), _as_level(high, levels)) for low, high in filled]
    unknown = list(dict.fromkeys(text for pair in texts for text in pair if text not in levels))
    if not texts:
        raise DataError(f"given: no value is asked for of {name!r}")
    if unknown:
        raise DataError(f"given: {name!r} is never {quoted(unknown)}; it is one of {quoted(list(levels))}")
    found = [(float(levels.index(low)), float(levels.index(high))) for low, high in texts]
    for (low, high), (first, last) in zip(found, texts, strict=True):
        if low > high:
            raise DataError(f"given: {name!r} can't be from {first!r} to {last!r}: the first is the higher one")
    return found


def _as_level(value: Any, levels: tuple[str, ...]) -> str:
    """A level as text; 30.0 is the level "30", and nothing (None, NaN, "") that of an empty flag."""
    if levels[0] == EMPTY and (value is None or value == "" or value != value):
        return EMPTY
    text = str(value)
    return text if text in levels or not text.endswith(".0") else text[:-2]


def _number(value: Any, label: str, words: bool = True) -> float:
    """A number; of a boolean, where ``words`` may be used, what people call it will do; of dates and times, seconds.

    Raises:
        ValueError: it is none, or a hole.
    """
    word = str(value).lower()
    if word in WORDS and not words:
        raise ValueError(value)
    number = seconds(value, label) if is_moment(label) else WORDS[word] if word in WORDS else float(value)
    if math.isnan(number):
        raise ValueError(value)
    return number


def _span(value: Any, label: str, words: bool, step: float) -> tuple[float, float]:
    """From where to where a value goes: of a year or a month from its beginning to right before the next one's."""
    found = re.fullmatch(r"(\d{4})(?:-(\d{2}))?", str(value)) if kind_of(label) == "calendar" else None
    if not found:
        number = _number(value, label, words)
        return number, number
    year, month = int(found[1]), int(found[2] or 1)
    after = (year + 1, 1) if not found[2] or month == 12 else (year, month + 1)
    begin, end = (seconds(f"{y:04}-{m:02}-01", label) for y, m in ((year, month), after))
    return begin, end - step / 2 if step else math.nextafter(end, begin)


def _of_numbers(codec: TableCodec, column: int, wanted: Any) -> Intervals:
    asked = _several(wanted)
    found = [_bounds(codec, column, each if isinstance(each, tuple) else (each, each)) for each in asked]
    if not found:
        raise DataError(f"given: no value is asked for of {codec.names[column]!r}")
    center, scale = codec.center[column], codec.scale[column]
    return [((bottom - center) / scale, (top - center) / scale) for bottom, top in found]


def _bounds(codec: TableCodec, column: int, ends: tuple[Any, ...]) -> tuple[float, float]:
    name, label = codec.names[column], codec.dtypes[column]
    low, high, step = (float(values[column]) for values in (codec.low, codec.high, codec.grid))
    words = codec.kinds[column] == "binary"
    try:
        first, last = ends
        bottom = low if first is None else _span(first, label, words, step)[0]
        top = high if last is None else _span(last, label, words, step)[1]
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
    if not step:
        return bottom, top
    # What is drawn lies on the column's grid, so the ends do, too: inside of what is asked for.
    inside = low + step * math.ceil((bottom - low) / step - ON_GRID), low + step * math.floor((top - low) / step + ON_GRID)
    if inside[0] > inside[1]:
        steps = told(step, label) if not is_moment(label) else f"{step:g} s"
        raise DataError(f"given: {name!r} goes in steps of {steps}, and no value that it can have is from {asked}")
    return inside


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
