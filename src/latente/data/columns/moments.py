"""Columns of dates, times of day and durations: numbers of seconds, with words of their own."""

from __future__ import annotations

import math
import re
from typing import Any

from latente.data.columns.column import Facts, Kind
from latente.data.columns.numbers import Number
from latente.data.moments import EXAMPLES, MOMENTS, kind_of, seconds, told
from latente.words import Message


class Moment(Number):
    """A column of dates, times of day or durations."""

    kinds = tuple(MOMENTS)

    @classmethod
    def infer(cls, facts: Facts) -> Kind | None:
        """By the type of the column."""
        kind = kind_of(facts.dtype)
        ends = {"low": told(facts.low, facts.dtype), "high": told(facts.high, facts.dtype)}
        return Kind(kind, Message("column.range", **ends)) if kind else None

    def span(self, value: Any) -> tuple[float, float]:
        """A year or a month goes from its beginning to right before the next one's."""
        found = re.fullmatch(r"(\d{4})(?:-(\d{2}))?", str(value)) if self.kind == "calendar" else None
        if not found:
            return super().span(value)
        year, month = int(found[1]), int(found[2] or 1)
        after = (year + 1, 1) if not found[2] or month == 12 else (year, month + 1)
        begin, end = (seconds(f"{y:04}-{m:02}-01", self.dtype) for y, m in ((year, month), after))
        return begin, end - self.grid / 2 if self.grid else math.nextafter(end, begin)

    @property
    def _examples(self) -> str:
        kind = kind_of(self.dtype)
        return f"{MOMENTS[kind]}, such as {EXAMPLES[kind]}"
