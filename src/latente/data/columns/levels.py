"""Columns of levels: texts, and numbers that are codes. A level is encoded as its place among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from latente.data.columns.column import Column, Facts, Intervals, Kind, nothing_asked, several
from latente.data.containers import Array, categories_of, numpy_dtype
from latente.data.files import quoted
from latente.data.observed import numbered
from latente.data.sources import Table
from latente.errors import DataError
from latente.rows import CATEGORICAL, Bins, Field
from latente.words import Message

EMPTY = "(empty)"  # the level of a flag where its value is missing


class Levels(Column):
    """A column of levels, in an order where their type has one."""

    kinds = ("categorical",)

    @classmethod
    def infer(cls, facts: Facts) -> Kind | None:
        """Texts, and numbers that are codes: two, ordered ones, or any."""
        levels = facts.levels
        if not levels:
            return None
        if len(levels) == 2:
            return Kind("binary", Message("column.two", a=repr(levels[0]), b=repr(levels[1])))
        if categories_of(facts.dtype):
            return Kind("ordinal", Message("column.ordered", n=len(levels)))
        return Kind("categorical", Message(f"column.{what_of(facts)}", n=len(levels)))

    @classmethod
    def fitted(cls, facts: Facts, kind: Kind, unit: float | None) -> dict[str, Any]:
        """The levels, by their places."""
        return {"center": 0.0, "scale": 1.0, "binary": facts.binary, "levels": facts.levels}

    @property
    def field(self) -> Field:
        """Two levels are a field of 0 and 1."""
        if self.binary:
            return super().field
        ordered, levels = bool(categories_of(self.dtype)), len(self.levels)
        return Field(self.name, CATEGORICAL, levels=levels, missing=self.missing, bins=self.encoded_bins, ordered=ordered)

    @property
    def encoded_bins(self) -> Bins | None:
        """Each level is one."""
        places = tuple(map(float, range(len(self.levels))))
        return Bins(places, places, (1.0,) * len(places), (0.0,) * len(places))

    def read(self, table: Table, place: int) -> tuple[Array, dict[str, int]]:
        """Its levels by their places in the fit; NaN for those that are new."""
        return numbered(table, place, self.levels)

    def known(self, table: Table, place: int) -> Array:
        """New levels are not known, and are filled in."""
        return np.asarray(~np.isnan(self.read(table, place)[0]))

    def condition(self, wanted: Any) -> Intervals:
        """An interval for each level, or pair of ordered ones."""
        pairs = [(self.as_level(low), self.as_level(high)) for low, high in map(self._ends, several(wanted))]
        if not pairs:
            raise nothing_asked(self.name)
        if unknown := list(dict.fromkeys(text for pair in pairs for text in pair if text not in self.levels)):
            raise DataError(f"given: {self.name!r} is never {quoted(unknown)}; it is one of {quoted(list(self.levels))}")
        found = [(float(self.levels.index(low)), float(self.levels.index(high))) for low, high in pairs]
        for (low, high), (first, last) in zip(found, pairs, strict=True):
            if low > high:
                raise DataError(f"given: {self.name!r} can't be from {first!r} to {last!r}: the first is the higher one")
        return found

    def _ends(self, wanted: Any) -> tuple[Any, Any]:
        """The lowest and the highest level that are asked for."""
        if not isinstance(wanted, tuple):
            return wanted, wanted
        if not self.field.ordered:
            raise DataError(
                f"given: {self.name!r} has levels without an order, and no range: ask for one, or for a list of them"
            )
        if len(wanted) != 2:
            return wanted, wanted
        if wanted[0] is wanted[1]:
            return wanted
        low, high = wanted
        return self.levels[0] if low is None else low, self.levels[-1] if high is None else high

    def as_level(self, value: Any) -> str:
        """A level as text; 30.0 is the level "30"."""
        return level_text(value, self.levels)


def level_text(value: Any, levels: tuple[str, ...]) -> str:
    """A value as a level: 30.0 is the level "30"."""
    text = str(value)
    return text if text in levels or not text.endswith(".0") else text[:-2]


def what_of(facts: Facts) -> str:
    """What levels are: texts, or numbers that are large or are codes."""
    return "texts" if numpy_dtype(facts.dtype).kind == "O" else "numbers"
