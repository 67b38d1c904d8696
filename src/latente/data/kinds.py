"""What each column of a table is taken for, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from latente.data.containers import ARRAYS, Array, categories_of, numpy_dtype
from latente.data.fields import Summary
from latente.data.files import quoted
from latente.data.flags import only_label
from latente.data.moments import EXAMPLES, MOMENTS, UNITS, is_moment, kind_of, told
from latente.data.sources import Table
from latente.errors import DataError
from latente.words import Message

MAX_DISTINCT = 0.5  # share of a text column's rows that may differ before it names rows, or is free text, and not a category
FEW_LEVELS = 20  # as many different texts are categories in any number of rows
MIN_TO_NUMBER = 50  # rows from which 1, 2, 3, … is a running number and no measure
WORDS = 4  # in a text, on average, from which it is free text and no name
FEW_NUMBERS = 20  # as many different whole numbers are steps of a scale
ATOM = 0.1  # share of a column's rows from which one value is worth a word

MIN_STEPS, RUNNING = 10, 0.99  # changes of a time stamp from row to row, and the share of them that go the same way
EPOCH = 631_152_000, 4_102_444_800  # 1990 and 2100 in seconds since 1970: whole numbers between may be time stamps

FLAG, TIMESTAMP = "flag", "timestamp"
NAMES_ROWS = ("identifier", "text", TIMESTAMP)  # say which row it is, and are empty in new rows
LEFT_OUT = ("empty", "constant", *NAMES_ROWS)
WHOLE = ("count", "integer", "ordinal")
OF_NUMBERS = ("real", "positive", "bounded", "count", "integer", "ordinal")
ASKED = Message("column.asked")
CHOICES = (*OF_NUMBERS, "binary", "categorical", *MOMENTS, FLAG, "constant", *NAMES_ROWS)
NEAR = 0.05  # how near both ends of [0, 1] numbers come that are taken for shares


_NUMBER_IN_WORDS = re.compile(r"[+-]?\d+(?:[.,]\d+)*")


class Kind(NamedTuple):
    """What a column is taken for, and why."""

    kind: str
    reason: Message


def kinds_of(table: Table, summary: Summary, ordered: Array, grid: Array, asked: Mapping[str, str]) -> list[Kind]:
    """The kind of each column: what was asked for, or what its values look like.

    Args:
        table: the rows.
        summary: of its values.
        ordered: each column's values in rising order, on some rows.
        grid: the step of which each column's values are multiples; 0 where there is none.
        asked: kinds by the names of columns.

    Raises:
        DataError: a kind is asked for that there is not, or of a column that can't have it.
    """
    unknown = [name for name in asked if name not in table.names]
    if unknown:
        raise DataError(f"kinds names columns that are not there: {quoted(unknown)}; there are {quoted(list(table.names))}")
    found = []
    for column, name in enumerate(table.names):
        kind = _one_value(table, column, summary)
        if not kind:
            kind = _of_text(table, column) if column in table.levels else _of_numbers(table, column, summary, ordered, grid)
        if name in asked:
            kind = _asked(kind, asked[name], name, table, column)
            _refuse_unlike(name, kind.kind, table.values[:, column])
            _refuse_more_than_two(name, kind.kind, table, column)
        found.append(kind)
    return found


def is_matrix(table: Table) -> bool:
    """Whether a table is taken for a matrix of measures: an array, or a frame of numbers whose columns are numbered, too."""
    unnamed = table.container in ARRAYS or table.integer_names
    return unnamed and not table.levels and not any(map(is_moment, table.dtypes))


def _one_value(table: Table, column: int, summary: Summary) -> Kind | None:
    """What a column without two different values is; None of others. In a matrix of measures, what is not there is missing."""
    low, missing = float(summary.low[column]), float(summary.missing[column])
    if np.isnan(low):
        return Kind("empty", Message("column.no_value"))
    if low != float(summary.high[column]):
        return None
    only = repr(table.levels[column][0]) if column in table.levels else only_label(table, column)
    if missing and not is_matrix(table):
        return Kind(FLAG, Message("column.flag", value=only, share=_percent(1 - missing)))
    return Kind("constant", Message("column.always", value=only))


def _percent(share: float) -> Message:
    """A share in words that is neither 0% nor 100%.

    >>> _percent(0.123), _percent(0.0001), _percent(0.9999)
    ('12%', 'less than 1%', 'more than 99%')
    """
    if 0.01 <= share <= 0.99:
        return Message("column.share", share=share)
    return Message("column.below_1" if share < 0.01 else "column.above_99")


def _asked(kind: Kind, asked: str, name: str, table: Table, column: int) -> Kind:
    """The kind that is asked for of a column; one without two different values is what it is, or left out."""
    moment = kind_of(table.dtypes[column])
    if asked not in CHOICES:
        raise DataError(f"kinds: {asked!r} is no kind of column; there are {quoted(list(CHOICES))}")
    if column in table.levels and asked in OF_NUMBERS:
        raise DataError(f"kinds: column {name!r} holds text and can't be {asked!r}")
    if asked in MOMENTS and moment != asked:
        remedy = f"write them as {MOMENTS[asked]}, such as {EXAMPLES[asked]}"
        raise DataError(f"kinds: column {name!r} was not read as {MOMENTS[asked]}, and can't be {asked!r}: {remedy}")
    if kind.kind in ("empty", "constant", FLAG):
        return Kind(asked, ASKED) if kind.kind == FLAG and asked in LEFT_OUT[1:] else kind
    if asked in ("constant", FLAG):
        raise DataError(f"kinds: column {name!r} can't be {asked!r}: it holds different values")
    if moment and asked not in (*LEFT_OUT, moment):
        raise DataError(f"kinds: column {name!r} holds {MOMENTS[moment]} and can't be {asked!r}")
    return Kind(asked, ASKED)


def _refuse_unlike(name: str, kind: str, values: Array) -> None:
    """Raise DataError if some of a column's values are none of the kind that is asked for."""
    for kinds, words, bad in (
        (WHOLE, "whole number", lambda: values != np.rint(values)),
        (("count",), "count", lambda: values < 0),
        (("positive",), "positive number", lambda: values <= 0),
        (("bounded",), "share from 0 to 1", lambda: (values < 0) | (values > 1)),
    ):
        if kind in kinds and (rows := np.flatnonzero(bad() & ~np.isnan(values))).size:
            value = f"{values[rows[0]]:g} in row {rows[0]} (counted from 0)"
            raise DataError(
                f"kinds: column {name!r} can't be {kind!r}: {value} is no {words}, and {len(rows) - 1:,} more are not"
            )


def _refuse_more_than_two(name: str, kind: str, table: Table, column: int) -> None:
    """Raise DataError if a column is asked to be binary and has more values than two."""
    count = len(table.levels.get(column, ()))
    if kind == "binary" and count > 2:
        raise DataError(f"kinds: column {name!r} can't be 'binary': it holds {count:,} different values")


def _of_text(table: Table, column: int) -> Kind:
    texts, codes = table.levels[column], table.values[:, column]
    seen = int((~np.isnan(codes)).sum())
    what = "texts" if numpy_dtype(table.dtypes[column]).kind == "O" else "numbers"  # large ones, or those that are codes
    if not categories_of(table.dtypes[column]) and len(texts) > max(FEW_LEVELS, MAX_DISTINCT * seen):
        words = sum(len(text.split()) for text in texts) / len(texts)
        commas = what == "texts" and all(map(_NUMBER_IN_WORDS.fullmatch, texts)) and any("," in text for text in texts)
        reason = Message("column.with_commas" if commas else f"column.{what}_in", n=len(texts), rows=seen)
        return Kind("text" if words >= WORDS else "identifier", reason)
    if len(texts) == 2:
        return Kind("binary", Message("column.two", a=repr(texts[0]), b=repr(texts[1])))
    if categories_of(table.dtypes[column]):
        return Kind("ordinal", Message("column.ordered", n=len(texts)))
    return Kind("categorical", Message(f"column.{what}", n=len(texts)))


def _of_numbers(table: Table, column: int, summary: Summary, ordered: Array, grid: Array) -> Kind:
    low, high = float(summary.low[column]), float(summary.high[column])
    moment = kind_of(table.dtypes[column])
    ends = {"low": told(low, table.dtypes[column]), "high": told(high, table.dtypes[column])}
    if _is_timestamp(table, column, low, high):
        return Kind(TIMESTAMP, Message("column.running_time", **ends))
    if moment:
        return Kind(moment, Message("column.range", **ends))
    if numbering := _numbering(table, column, low, high):
        return Kind("identifier", numbering)
    if summary.binary[column]:
        return Kind("binary", Message("column.bits"))
    values = ordered[:, column][~np.isnan(ordered[:, column])]
    distinct, counts = np.unique(values, return_counts=True)
    kind = _of_values(distinct, low, high, float(grid[column]))
    often = int(counts.argmax())
    if len(distinct) > FEW_NUMBERS and counts[often] >= ATOM * len(values):
        share = float(counts[often] / len(values))
        return Kind(kind.kind, Message("column.often", reason=kind.reason, value=float(distinct[often]), share=share))
    return kind


def plain(number: float) -> str:
    """A number for people: a whole one is written out.

    >>> plain(1033222.0), plain(0.5), plain(1e20)
    ('1033222', '0.5', '1e+20')
    """
    return f"{number:.0f}" if float(number).is_integer() and abs(number) < 1e15 else f"{number:g}"


def _of_values(distinct: Array, low: float, high: float, step: float) -> Kind:
    if bool((distinct == np.rint(distinct)).all()):
        if len(distinct) <= FEW_NUMBERS:
            return Kind("ordinal", Message("column.few_whole", n=len(distinct), low=low, high=high))
        return Kind("count" if low >= 0 else "integer", Message("column.whole", low=low, high=high))
    ends: dict[str, float] = {"low": low, "high": high, **({"step": step} if step else {})}
    grid = "_step" if step else ""
    if 0.0 <= low <= NEAR and 1.0 - NEAR <= high <= 1.0:
        return Kind("bounded", Message(f"column.shares{grid}", **ends))
    return Kind("positive" if low > 0 else "real", Message(f"column.range{grid}", **ends))


def _is_timestamp(table: Table, column: int, low: float, high: float) -> bool:
    """Whether a column is a time that runs on (or back) with the rows: rows that follow are all beyond its last value, so it is
    no feature by which they could be judged. Times are dates, and whole numbers of seconds, milli-, micro- or nanoseconds
    since 1970.
    """
    values = table.values[:, column][~np.isnan(table.values[:, column])]
    epoch = any(EPOCH[0] <= low / unit and high / unit <= EPOCH[1] for unit in UNITS.values())
    of_time = kind_of(table.dtypes[column]) == "calendar" or (epoch and not is_matrix(table) and _are_whole(values))
    if not of_time:
        return False
    steps = np.diff(values)
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    return up + down >= MIN_STEPS and max(up, down) >= RUNNING * (up + down)


def _are_whole(values: Array) -> bool:
    return bool((values == np.rint(values)).all())


def _numbering(table: Table, column: int, low: float, high: float) -> Message | None:
    """How a column numbers the rows; None where it does not."""
    if not table.named or len(table) < MIN_TO_NUMBER or high - low != len(table) - 1:
        return None
    values = table.values[:, column]
    if bool((np.diff(values) == 1.0).all()):
        return Message("column.running_number")
    every = bool((np.diff(np.sort(values)) == 1.0).all())
    return Message("column.permuted", low=low, high=high) if every else None
