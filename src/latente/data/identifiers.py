"""Patterns of columns that identify rows, so that new rows get new identifiers of the same pattern.

Only the necessary minimum is stored: the largest number, or an interval without identifiers.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from latente.data.containers import Array
from latente.errors import DataError

CERTAIN = 2**62  # with this many possible names, a random one is new
CLASSES = tuple(map(set, ("0123456789", "0123456789abcdef", "0123456789ABCDEF")))

Shape = dict[str, Any]


def shape_of(names: Sequence[str]) -> Shape | None:
    """The pattern of distinct texts; None if there is none.

    Either a number between constant texts, which continues after the largest; or texts of one length with hexadecimal digits,
    such as UUIDs, which are drawn at random.

    >>> fresh(shape_of(["no. 08", "no. 11", "no. 09"]), 2, 0)
    ['no. 12', 'no. 13']
    >>> shape_of(["Ada", "Bob"]) is None
    True
    """
    return _numbered(names) or _spelled(names)


def shape_of_numbers(values: Array) -> Shape | None:
    """The pattern of whole numbers, which continue after the largest; None for others."""
    whole = len(values) > 0 and bool((values == np.rint(values)).all())
    return {"before": "", "after": "", "width": 0, "next": int(values.max()) + 1} if whole else None


def _numbered(names: Sequence[str]) -> Shape | None:
    before = _beginning(names).rstrip("0123456789")
    after = _beginning([name[len(before) :][::-1] for name in names])[::-1].lstrip("0123456789")
    numbers = [name[len(before) : len(name) - len(after)] for name in names]
    if not all(re.fullmatch("[0-9]+", number) for number in numbers):
        return None
    padded = {len(number) for number in numbers if number[0] == "0" and number != "0"}
    width = min(map(len, numbers)) if padded else 0
    return {"before": before, "after": after, "width": width, "next": max(map(int, numbers)) + 1} if padded <= {width} else None


def _beginning(texts: Sequence[str]) -> str:
    """The common prefix of texts: that of the first and the last in sorted order."""
    first, last = min(texts), max(texts)
    return first[: next((place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))]


def _spelled(names: Sequence[str]) -> Shape | None:
    if len({len(name) for name in names}) != 1:
        return None
    alphabets = [sorted(set(letters)) for letters in zip(*names, strict=True)]
    varying = {letter for letters in alphabets if len(letters) > 1 for letter in letters}
    if not any(varying <= letters for letters in CLASSES):
        return None
    possible = math.prod(map(len, alphabets))
    first, room = (0, possible) if possible >= CERTAIN else _widest_gap(alphabets, names, possible)
    return {"alphabets": ["".join(letters) for letters in alphabets], "first": first, "room": room} if room else None


def _widest_gap(alphabets: list[list[str]], names: Sequence[str], possible: int) -> tuple[int, int]:
    """Start and width of the widest interval without names, if all possible names are numbered."""
    taken = [-1, *sorted(_number(alphabets, name) for name in names), possible]
    room, first = max((high - low - 1, low + 1) for low, high in pairwise(taken))
    return first, room


def _number(alphabets: Sequence[Sequence[str]], name: str) -> int:
    number = 0
    for letters, letter in zip(alphabets, name, strict=True):
        number = number * len(letters) + letters.index(letter)
    return number


def _name(alphabets: Sequence[Sequence[str]], number: int) -> str:
    name = []
    for letters in reversed(alphabets):
        number, place = divmod(number, len(letters))
        name.append(letters[place])
    return "".join(reversed(name))


def fresh(shape: Shape, n: int, seed: int) -> list[str]:
    """``n`` different new names of a pattern.

    Raises:
        DataError: there are too few.
    """
    if "next" in shape:
        numbers = range(shape["next"], shape["next"] + n)
        return [f"{shape['before']}{number:0{shape['width']}d}{shape['after']}" for number in numbers]
    generator, alphabets = random.Random(seed), shape["alphabets"]
    if shape["room"] >= CERTAIN:
        return ["".join(letters) for letters in zip(*(generator.choices(each, k=n) for each in alphabets), strict=True)]
    if n > shape["room"]:
        raise DataError(f"there are only {shape['room']:,} new names of rows with this pattern, not {n:,}")
    return [_name(alphabets, shape["first"] + step) for step in generator.sample(range(shape["room"]), n)]


def is_shape(shape: Any) -> bool:
    """Whether a value from a file is a pattern."""
    if not isinstance(shape, dict):
        return False
    if shape.keys() == {"before", "after", "width", "next"}:
        texts, numbers = (shape["before"], shape["after"]), (shape["width"], shape["next"])
    elif shape.keys() == {"alphabets", "first", "room"} and isinstance(shape["alphabets"], list):
        texts, numbers = tuple(shape["alphabets"]), (shape["first"], shape["room"])
    else:
        return False
    return all(isinstance(text, str) for text in texts) and all(isinstance(n, int) and n >= 0 for n in numbers)
