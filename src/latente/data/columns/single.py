"""Columns without two different values: flags, constants, and empty ones."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from latente.data.bins import cut
from latente.data.columns.column import FLAG, Column, Facts, Intervals, Kind
from latente.data.columns.levels import EMPTY, Levels, level_text
from latente.data.columns.numbers import number_of
from latente.data.containers import Array, numpy_dtype, snap
from latente.data.moments import told
from latente.data.observed import as_numbers, exactly, numbered
from latente.data.sources import Table, is_number
from latente.data.state import expect
from latente.data.survey import Survey
from latente.errors import DataError
from latente.words import Message


class Flag(Levels):
    """A column that holds one value in some rows and nothing in the others. It is 1 where the value is, 0 where nothing is; its
    levels are "(empty)" and the value; it is never missing. A value that is a number, or a date, is its only bin.
    """

    kinds = (FLAG,)

    @classmethod
    def infer(cls, facts: Facts) -> Kind | None:
        """In a matrix of measures what is not there is missing."""
        if facts.low != facts.high or not facts.missing or facts.matrix:
            return None
        return Kind(FLAG, Message("column.flag", value=_quoted(facts), share=_percent(1 - facts.missing)))

    @classmethod
    def fitted(cls, facts: Facts, kind: Kind, unit: float | None) -> dict[str, Any]:
        """0 and 1, and the value."""
        own: dict[str, Any] = {
            "center": 0.0,
            "scale": 1.0,
            "binary": True,
            "low": 0.0,
            "high": 1.0,
            "grid": 1.0,
            "missing": 0.0,
        }
        bins = {} if facts.levels else {"bins": np.stack(cut(facts.some, 0.0, facts.count))}
        return {**own, **bins, "binary": True, "levels": (EMPTY, only_label(facts.survey, facts.place))}

    @property
    def _only(self) -> float | str:
        """Its value: a number, or a text."""
        return float(self.bins[0, 0]) if self.bins.size else self.levels[1]

    def read(self, table: Table, place: int) -> tuple[Array, dict[str, int]]:
        """1 where the value is, 0 where nothing is, NaN where another text is; any number is a value of a flag of numbers."""
        values, texts, only = table.values[:, place], table.levels.get(place), self._only
        if isinstance(only, str):
            codes, new = numbered(table, place, (only,))
            return np.where(np.isnan(values), 0.0, codes + 1.0), new
        if texts is not None:
            as_numbers(self.name, values, texts)
        return np.where(np.isnan(values), 0.0, 1.0), {}

    def known(self, table: Table, place: int) -> Array:
        """Where its value is."""
        return np.asarray(self.read(table, place)[0] == 1.0)

    @cached_property
    def level_values(self) -> Array:
        """Its value in the user's type, for both levels: where it is empty, no value is left."""
        dtype, only = numpy_dtype(self.dtype), self._only
        if dtype.kind == "O":
            return np.array(self.levels, object)
        return np.repeat(exactly((only,), dtype) if isinstance(only, str) else snap(np.array([only]), dtype), 2)

    def absent(self, x: Array, table: Table | None, place: int) -> Array:
        """Where it is empty, bool ``[N]``: where nothing was observed, else where its decoded value ``x`` [N] is 0."""
        decoded = np.asarray(np.rint(x) < 1)
        return decoded if table is None or place < 0 else decoded | np.isnan(table.values[:, place])

    def as_level(self, value: Any) -> str:
        """None, NaN and "" are the level of an empty flag."""
        return EMPTY if value is None or value == "" or value != value else super().as_level(value)

    def check_levels(self, text: bool) -> None:
        """Raise StorageError if it is not stored as flags are: 0 or 1, two levels, and a value, its only bin or a level."""
        expect(self.binary and len(self.levels) == 2 and self.scale == 1.0, "the flags")
        expect(self.bins.shape[1] == 1 or text or is_number(self.levels[1]), "the flags")


class Constant(Column):
    """A column of one value. It is left out of the model, and decoding restores it."""

    kinds = ("constant",)

    @classmethod
    def infer(cls, facts: Facts) -> Kind | None:
        """One value in all rows that have one."""
        return Kind("constant", Message("column.always", value=_quoted(facts))) if facts.low == facts.high else None

    @classmethod
    def fitted(cls, facts: Facts, kind: Kind, unit: float | None) -> dict[str, Any]:
        """Its value, or which level it is."""
        return {"center": facts.low, "levels": facts.levels}

    def condition(self, wanted: Any) -> Intervals:
        """Only its value may be asked for, which restricts nothing."""
        levels, only = self.levels, self.center
        try:
            same = level_text(wanted, levels) == levels[0] if levels else number_of(wanted, self.dtype) == only
        except (TypeError, ValueError):
            same = False
        if not same:
            raise DataError(f"given: {self.name!r} is always {levels[0] if levels else told(only, self.dtype)}")
        return []


class Unknown(Column):
    """A column that is not modelled, and empty in new rows."""

    def condition(self, wanted: Any) -> Intervals:
        """Conditions on it are refused."""
        raise DataError(f"given: {self.name!r} is not part of the model")

    @classmethod
    def fitted(cls, facts: Facts, kind: Kind, unit: float | None) -> dict[str, Any]:
        """Nothing."""
        return {}


class Empty(Unknown):
    """A column without any value."""

    kinds = ("empty",)

    @classmethod
    def infer(cls, facts: Facts) -> Kind | None:
        """No row has a value."""
        return Kind("empty", Message("column.no_value")) if np.isnan(facts.low) else None


def only_label(survey: Survey, column: int) -> str:
    """The only value of a column in words."""
    table = survey.table
    if column in table.levels:
        return table.levels[column][0]
    value = float(survey.summary.low[column])
    return str(bool(value)) if numpy_dtype(table.dtypes[column]).kind == "b" else told(value, table.dtypes[column])


def _quoted(facts: Facts) -> str:
    return repr(facts.levels[0]) if facts.levels else only_label(facts.survey, facts.place)


def _percent(share: float) -> Message:
    """A share in words that is neither 0% nor 100%.

    >>> _percent(0.123), _percent(0.0001), _percent(0.9999)
    ('12%', 'less than 1%', 'more than 99%')
    """
    if 0.01 <= share <= 0.99:
        return Message("column.share", share=share)
    return Message("column.below_1" if share < 0.01 else "column.above_99")
