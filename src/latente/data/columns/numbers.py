"""Columns of numbers: measures, shares, counts, whole numbers, scales of few steps, and 0 and 1."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from latente.data.bins import cut
from latente.data.columns.column import ASKED, ATOM, FEW_NUMBERS, Column, Facts, Intervals, Kind, nothing_asked, several
from latente.data.containers import Array
from latente.data.moments import is_moment, seconds, told
from latente.data.observed import as_numbers
from latente.data.sources import Table
from latente.errors import DataError
from latente.words import Message

WHOLE = ("count", "integer", "ordinal")
MEASURES = ("real", "positive", "bounded")
NEAR = 0.05  # how near both ends of [0, 1] numbers come that are taken for shares
ROUNDING = 1e-5  # of the spread: encoded values are of single precision
ON_GRID = 1e-3  # of a step, by which rounding may put a value beside it
TRUTHS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


class Number(Column):
    """A column of numbers, standardised; 0 and 1 stay as they are."""

    kinds: ClassVar[tuple[str, ...]] = (*MEASURES, *WHOLE, "binary")

    @classmethod
    def infer(cls, facts: Facts) -> Kind | None:
        """Which kind of number a column holds, by its range and its steps."""
        if facts.binary:
            return Kind("binary", Message("column.bits"))
        distinct, counts = np.unique(facts.ordered, return_counts=True)
        kind = _kind_of(distinct, facts.low, facts.high, facts.grid)
        often = int(counts.argmax())
        if len(distinct) > FEW_NUMBERS and counts[often] >= ATOM * len(facts.ordered):
            share = float(counts[often] / len(facts.ordered))
            return Kind(kind.kind, Message("column.often", reason=kind.reason, value=float(distinct[often]), share=share))
        return kind

    @classmethod
    def fitted(cls, facts: Facts, kind: Kind, unit: float | None) -> dict[str, Any]:
        """Mean and spread, the step of the record, and bins."""
        if not facts.spread > 0.0:
            return {"center": facts.low}
        center, scale = (0.0, 1.0) if facts.binary else (facts.mean, facts.spread) if unit is None else (0.0, unit)
        grid = 1.0 if kind.reason == ASKED and kind.kind in WHOLE else facts.grid
        own: dict[str, Any] = {
            "center": center,
            "scale": scale,
            "resolution": facts.step / scale,
            "grid": grid,
            "binary": facts.binary,
        }
        if unit is None and not facts.matrix:
            own["bins"] = np.stack(cut(facts.some, grid, facts.count))
        return own

    def read(self, table: Table, place: int) -> tuple[Array, dict[str, int]]:
        """Its values; texts are read as numbers."""
        values, texts = table.values[:, place], table.levels.get(place)
        return (as_numbers(self.name, values, texts) if texts else values), {}

    @property
    def is_stepped(self) -> bool:
        """Measures and moments are filled in to the step of the record."""
        return self.kind not in (*WHOLE, "binary")

    def as_recorded(self, values: Array) -> Array:
        """Without a grid, values near a repeated one are set to it."""
        low, high, _ = self.bins
        often = low[low == high]
        if not len(often) or self.grid:
            return values
        nearest = often[np.abs(values[:, None] - often).argmin(1)]
        return np.where(np.abs(values - nearest) <= ROUNDING * self.scale, nearest, values).astype(values.dtype)

    def condition(self, wanted: Any) -> Intervals:
        """An interval for each number, or pair (lowest, highest)."""
        found = [self._bounds(each if isinstance(each, tuple) else (each, each)) for each in several(wanted)]
        if not found:
            raise nothing_asked(self.name)
        return [(self.encoded(bottom), self.encoded(top)) for bottom, top in found]

    def span(self, value: Any) -> tuple[float, float]:
        """From where to where a value that a person names goes."""
        number = number_of(value, self.dtype, self.kind == "binary")
        return number, number

    @property
    def _examples(self) -> str:
        return "numbers"

    def _bounds(self, ends: tuple[Any, ...]) -> tuple[float, float]:
        try:
            first, last = ends
            bottom = self.low if first is None else self.span(first)[0]
            top = self.high if last is None else self.span(last)[1]
        except (TypeError, ValueError) as error:
            asked = ends[0] if len(ends) == 2 and ends[0] is ends[1] else ends
            none = f"given: {self.name!r} holds {self._examples}, and {asked!r} is none"
            raise DataError(f"{none}: ask for one, for a list of them, or for (lowest, highest)") from error
        return self._inside(bottom, top)

    def _inside(self, bottom: float, top: float) -> tuple[float, float]:
        """The interval, if values lie there; its ends on the grid, as new values are, inside of what is asked for."""
        low, high, step = self.low, self.high, self.grid
        asked, known = (" to ".join(told(end, self.dtype) for end in pair) for pair in ((bottom, top), (low, high)))
        if not bottom <= top:
            raise DataError(f"given: {self.name!r} can't be from {asked}: the first is the larger one")
        if top < low or bottom > high:
            raise DataError(f"given: {self.name!r} is asked to be from {asked}, and was only ever from {known}")
        if not step:
            return bottom, top
        inside = low + step * math.ceil((bottom - low) / step - ON_GRID), low + step * math.floor((top - low) / step + ON_GRID)
        if inside[0] > inside[1]:
            steps = told(step, self.dtype) if not is_moment(self.dtype) else f"{step:g} s"
            raise DataError(f"given: {self.name!r} goes in steps of {steps}, and no value that it can have is from {asked}")
        return inside


def number_of(value: Any, dtype: str, truths: bool = True) -> float:
    """A number; seconds of dates and times; 1 or 0 for what people call true or false, where ``truths`` may be used.

    Raises:
        ValueError: it is none, or NaN.
    """
    word = str(value).lower()
    if word in TRUTHS and not truths:
        raise ValueError(value)
    number = seconds(value, dtype) if is_moment(dtype) else TRUTHS[word] if word in TRUTHS else float(value)
    if math.isnan(number):
        raise ValueError(value)
    return number


def _kind_of(distinct: Array, low: float, high: float, step: float) -> Kind:
    if bool((distinct == np.rint(distinct)).all()):
        if len(distinct) <= FEW_NUMBERS:
            return Kind("ordinal", Message("column.few_whole", n=len(distinct), low=low, high=high))
        return Kind("count" if low >= 0 else "integer", Message("column.whole", low=low, high=high))
    ends: dict[str, float] = {"low": low, "high": high, **({"step": step} if step else {})}
    grid = "_step" if step else ""
    if 0.0 <= low <= NEAR and 1.0 - NEAR <= high <= 1.0:
        return Kind("bounded", Message(f"column.shares{grid}", **ends))
    return Kind("positive" if low > 0 else "real", Message(f"column.range{grid}", **ends))
