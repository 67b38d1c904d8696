"""Columns that identify rows: identifiers, free text and increasing time stamps. They are not modelled."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from latente.data.columns.column import Facts, Kind
from latente.data.columns.levels import what_of
from latente.data.columns.single import Unknown
from latente.data.containers import Array, categories_of, numpy_dtype
from latente.data.identifiers import Shape, fresh, shape_of, shape_of_numbers
from latente.data.moments import UNITS, is_moment, kind_of, told
from latente.errors import DataError
from latente.words import Message

TIMESTAMP = "timestamp"
MAX_DISTINCT = 0.5  # share of a text column's rows that may differ before it names rows, or is free text, and not a category
FEW_LEVELS = 20  # as many different texts are categories in any number of rows
MIN_TO_NUMBER = 50  # rows from which 1, 2, 3, … is a running number and no measure
WORDS = 4  # in a text, on average, from which it is free text and no name
MIN_STEPS, RUNNING = 10, 0.99  # changes of a time stamp from row to row, and the share of them that go the same way
EPOCH = 631_152_000, 4_102_444_800  # 1990 and 2100 in seconds since 1970: whole numbers between may be time stamps

_NUMBER_IN_WORDS = re.compile(r"[+-]?\d+(?:[.,]\d+)*")


class Name(Unknown):
    """A column that identifies rows."""

    kinds = ("identifier", "text", TIMESTAMP)
    names_rows = True

    @classmethod
    def infer(cls, facts: Facts) -> Kind | None:
        """Texts that hardly repeat, a time that increases with the rows, or numbers that count them."""
        if facts.levels:
            return _of_texts(facts)
        if _is_timestamp(facts):
            ends = {"low": told(facts.low, facts.dtype), "high": told(facts.high, facts.dtype)}
            return Kind(TIMESTAMP, Message("column.running_time", **ends))
        numbering = None if is_moment(facts.dtype) else _numbering(facts)
        return Kind("identifier", numbering) if numbering else None

    @classmethod
    def fitted(cls, facts: Facts, kind: Kind, unit: float | None) -> dict[str, Any]:
        """The pattern of its names."""
        return {"names": _shape(facts) if kind.kind == "identifier" else None}

    def fresh(self, n: int, seed: int) -> Array:
        """``n`` new names, in the column's type.

        Raises:
            DataError: there are too few, or the type does not hold such large numbers.
        """
        names = fresh(self.names or {}, n, seed)
        dtype = numpy_dtype(self.dtype)
        if dtype.kind in "iu" and names and int(names[-1]) > np.iinfo(dtype).max:
            more = f"the next numbers, up to {names[-1]}, are beyond what its type holds ({dtype.name})"
            raise DataError(f"column {self.name!r} can't name {len(names):,} new rows: {more}")
        return np.array(names).astype(dtype)


def _of_texts(facts: Facts) -> Kind | None:
    texts, rows, what = facts.levels, facts.count, what_of(facts)
    if categories_of(facts.dtype) or len(texts) <= max(FEW_LEVELS, MAX_DISTINCT * rows):
        return None
    words = sum(len(text.split()) for text in texts) / len(texts)
    commas = what == "texts" and all(map(_NUMBER_IN_WORDS.fullmatch, texts)) and any("," in text for text in texts)
    reason = Message("column.with_commas" if commas else f"column.{what}_in", n=len(texts), rows=rows)
    return Kind("text" if words >= WORDS else "identifier", reason)


def _is_timestamp(facts: Facts) -> bool:
    """Whether a column is a time that increases (or decreases) with the rows. Later rows have values outside its range, so it
    is not a useful feature. Times are dates, and whole numbers of seconds, milli-, micro- or nanoseconds since 1970.
    """
    epoch = any(EPOCH[0] <= facts.low / unit and facts.high / unit <= EPOCH[1] for unit in UNITS.values())
    calendar = kind_of(facts.dtype) == "calendar"
    if not (calendar or (epoch and not facts.matrix)):
        return False
    values = facts.observed
    if not (calendar or bool((values == np.rint(values)).all())):
        return False
    steps = np.diff(values)
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    return up + down >= MIN_STEPS and max(up, down) >= RUNNING * (up + down)


def _numbering(facts: Facts) -> Message | None:
    """How a column numbers the rows; None where it does not."""
    rows, values = facts.survey.rows, facts.values
    if not facts.table.named or rows < MIN_TO_NUMBER or facts.high - facts.low != rows - 1:
        return None
    if bool((np.diff(values) == np.diff(facts.survey.places)).all()):
        return Message("column.running_number")
    every = len(np.unique(values)) == len(values) and bool((values == np.rint(values)).all())
    return Message("column.permuted", low=facts.low, high=facts.high) if every else None


def _shape(facts: Facts) -> Shape | None:
    if facts.levels:
        return None if facts.place in facts.survey.too_many else shape_of(facts.levels)
    return None if is_moment(facts.dtype) else shape_of_numbers(facts.some)
