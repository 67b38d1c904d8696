"""What each column of a table is taken for, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from latente.data.containers import Array, categories_of, numpy_dtype
from latente.data.fields import Summary
from latente.data.files import quoted
from latente.data.moments import EXAMPLES, MOMENTS, kind_of, told
from latente.data.sources import Table
from latente.errors import DataError

MOST_DISTINCT = 0.5  # share of a text column's rows that may differ before it names rows, or is free text, and not a category
FEW_LEVELS = 20  # as many different texts are categories in any number of rows
LEAST_TO_NUMBER = 50  # rows from which 1, 2, 3, … is a running number and no measure
WORDS = 4  # in a text, on average, from which it is free text and no name
FEW_NUMBERS = 20  # as many different whole numbers are steps of a scale
ATOM = 0.1  # share of a column's rows from which one value is worth a word

LEFT_OUT = ("empty", "constant", "identifier", "text")
WHOLE = ("count", "integer", "ordinal")
OF_NUMBERS = ("real", "positive", "bounded", "count", "integer", "ordinal")
ASKED = "asked for"
CHOICES = (*OF_NUMBERS, "binary", "categorical", *MOMENTS, "identifier", "text")
NEAR = 0.05  # how near both ends of [0, 1] numbers come that are taken for shares


_NUMBER_IN_WORDS = re.compile(r"[+-]?\d+(?:[.,]\d+)*")


class Kind(NamedTuple):
    """What a column is taken for, and why."""

    kind: str
    reason: str


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
        kind = _of_text(table, column) if column in table.levels else _of_numbers(table, column, summary, ordered, grid)
        if name in asked:
            kind = _asked(kind, asked[name], name, column in table.levels)
            _refuse_unlike(name, kind.kind, table.values[:, column])
            _refuse_more_than_two(name, kind.kind, table, column)
        found.append(kind)
    return found


def _asked(kind: Kind, asked: str, name: str, text: bool) -> Kind:
    if asked not in CHOICES:
        raise DataError(f"kinds: {asked!r} is no kind of column; there are {quoted(list(CHOICES))}")
    if text and asked in OF_NUMBERS:
        raise DataError(f"kinds: column {name!r} holds text and can't be {asked!r}")
    if asked in MOMENTS and kind.kind != asked:
        remedy = f"write them as {MOMENTS[asked]}, such as {EXAMPLES[asked]}"
        raise DataError(f"kinds: column {name!r} was not read as {MOMENTS[asked]}, and can't be {asked!r}: {remedy}")
    if kind.kind in MOMENTS and asked not in (*LEFT_OUT, kind.kind):
        raise DataError(f"kinds: column {name!r} holds {MOMENTS[kind.kind]} and can't be {asked!r}")
    return kind if kind.kind in ("empty", "constant") else Kind(asked, ASKED)


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
    if len(texts) == 1:
        return Kind("constant", f"always {texts[0]!r}")
    if not categories_of(table.dtypes[column]) and len(texts) > max(FEW_LEVELS, MOST_DISTINCT * seen):
        words = sum(len(text.split()) for text in texts) / len(texts)
        reason = f"{len(texts)} different {what} in {seen} rows"
        if what == "texts" and all(map(_NUMBER_IN_WORDS.fullmatch, texts)) and any("," in text for text in texts):
            reason += " that look like numbers with commas: written as 1234.5 they are such"
        return Kind("text" if words >= WORDS else "identifier", reason)
    if len(texts) == 2:
        return Kind("binary", f"{texts[0]!r} or {texts[1]!r}")
    if categories_of(table.dtypes[column]):
        return Kind("ordinal", f"{len(texts)} categories in an order")
    return Kind("categorical", f"{len(texts)} different {what}")


def _of_numbers(table: Table, column: int, summary: Summary, ordered: Array, grid: Array) -> Kind:
    low, high = float(summary.low[column]), float(summary.high[column])
    if np.isnan(low):
        return Kind("empty", "no value in any row")
    if low == high:
        return Kind("constant", f"always {told(low, table.dtypes[column])}")
    if moment := kind_of(table.dtypes[column]):
        return Kind(moment, f"from {told(low, table.dtypes[column])} to {told(high, table.dtypes[column])}")
    if numbering := _numbering(table, column, low, high):
        return Kind("identifier", numbering)
    if summary.binary[column]:
        return Kind("binary", "0 or 1")
    values = ordered[:, column][~np.isnan(ordered[:, column])]
    distinct, counts = np.unique(values, return_counts=True)
    kind = _of_values(distinct, low, high, float(grid[column]))
    often = int(counts.argmax())
    if len(distinct) > FEW_NUMBERS and counts[often] >= ATOM * len(values):
        return Kind(kind.kind, f"{kind.reason}; {plain(distinct[often])} in {counts[often] / len(values):.0%} of the rows")
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
            return Kind("ordinal", f"{len(distinct)} different whole numbers from {plain(low)} to {plain(high)}")
        return Kind("count" if low >= 0 else "integer", f"whole numbers from {plain(low)} to {plain(high)}")
    between = f"from {plain(low)} to {plain(high)}" + (f" in steps of {step:g}" if step else "")
    if 0.0 <= low <= NEAR and 1.0 - NEAR <= high <= 1.0:
        return Kind("bounded", f"shares {between}")
    return Kind("positive" if low > 0 else "real", between)


def _numbering(table: Table, column: int, low: float, high: float) -> str:
    """How a column numbers the rows; "" where it does not."""
    if not table.named or len(table) < LEAST_TO_NUMBER or high - low != len(table) - 1:
        return ""
    values = table.values[:, column]
    if bool((np.diff(values) == 1.0).all()):
        return "a running number"
    every = bool((np.diff(np.sort(values)) == 1.0).all())
    return f"each whole number from {plain(low)} to {plain(high)} once" if every else ""
