"""What every kind of column has in common, and the facts of a column that a codec is fitted to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from latente.data.containers import ARRAYS, Array, numpy_dtype
from latente.data.identifiers import Shape, is_shape
from latente.data.moments import is_moment, refuse_unlike, told
from latente.data.observed import exactly, kept
from latente.data.sources import Table, is_number
from latente.data.state import expect
from latente.data.survey import Survey
from latente.errors import DataError
from latente.rows import BINARY, Bins, Field, ValueGrid
from latente.words import Message

ROUNDING = 1e-6  # of an encoded value (single precision)
ATOM = 0.1  # share of a column's rows from which a value is mentioned
FEW_NUMBERS = 20  # up to this many different whole numbers form a scale
FLAG = "flag"
ASKED = Message("column.asked")

Intervals = list[tuple[float, float]]


class Kind(NamedTuple):
    """The kind of a column, and the reason for it."""

    kind: str
    reason: Message


@dataclass(frozen=True, eq=False)
class Facts:
    """Properties of a column of a table.

    Attributes:
        survey, place: the table, and which of its columns it is.
        matrix: whether the table is a matrix of measures (:func:`is_matrix`).
        low, high, mean, spread: of the observed values; NaN where there is none. spread is the standard deviation.
        missing: share of the rows without a value. binary: whether only 0 and 1 occur, and both do.
        step: smallest distance between two values, 0 where continuous. grid: distance of all values, or 0.
        ordered: observed values of some rows in rising order.
    """

    survey: Survey
    place: int
    matrix: bool
    ordered: Array
    low: float
    high: float
    mean: float
    spread: float
    missing: float
    binary: bool
    step: float
    grid: float

    @property
    def table(self) -> Table:
        """The rows in memory."""
        return self.survey.table

    @property
    def count(self) -> int:
        """Number of all rows in which it is observed."""
        return int(self.survey.counts[self.place])

    @property
    def some(self) -> Array:
        """Observed values of evenly spaced rows, float64, and with them the smallest and the largest of all."""
        values = self.survey.some[:, self.place].astype(np.float64)
        ends = [] if len(values) == self.survey.rows else [self.low, self.high]
        return np.concatenate([values[~np.isnan(values)], ends])

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.table.names[self.place]

    @property
    def dtype(self) -> str:
        """Label of its type."""
        return self.table.dtypes[self.place]

    @property
    def levels(self) -> tuple[str, ...]:
        """Its different texts; () of numbers."""
        return self.table.levels.get(self.place, ())

    @property
    def values(self) -> Array:
        """Its values, NaN where one is missing."""
        return self.table.values[:, self.place]

    @property
    def observed(self) -> Array:
        """Its values that are not missing."""
        return self.values[~np.isnan(self.values)]


def is_matrix(table: Table) -> bool:
    """Whether a table is taken for a matrix of measures: an array, or a frame of numbers whose columns are numbered, too."""
    unnamed = table.container in ARRAYS or table.integer_names
    return unnamed and not table.levels and not any(map(is_moment, table.dtypes))


@dataclass(frozen=True, eq=False)
class Column:
    """The codec of one column; subclasses for each kind.

    Attributes:
        name, dtype: as in :class:`~latente.data.sources.Table`.
        kind, reason: its kind, and the reason for it.
        center, scale: subtracted and divided by, in the column's units. The scale is 0 for a column that is not modelled; its
            center is then its only value, or NaN without a single value.
        resolution: smallest step between recorded values divided by ``scale``; 0 where continuous.
        low, high: smallest and largest value, in the column's units; NaN where there is none.
        grid: the step such that all values are multiples of it above ``low``; 0 if there is none.
        missing: share of the rows in which it is missing.
        binary: whether it holds 0 and 1, or two levels, and is not scaled.
        levels: its texts, or numbers that are codes; () where it has none.
        bins: float64 ``[3, n]``, lower and upper ends of its bins in the user's units, and the rows of each.
        names: the pattern of its names, if it identifies rows; None if there is none.
    """

    name: str
    dtype: str
    kind: str
    reason: Message
    center: float = math.nan
    scale: float = 0.0
    resolution: float = 0.0
    low: float = math.nan
    high: float = math.nan
    grid: float = 0.0
    missing: float = 0.0
    binary: bool = False
    levels: tuple[str, ...] = ()
    bins: Array = field(default_factory=lambda: np.empty((3, 0)))
    names: Shape | None = None

    kinds: ClassVar[tuple[str, ...]] = ()
    names_rows: ClassVar[bool] = False

    @classmethod
    def infer(cls, facts: Facts) -> Kind | None:
        """Which of these kinds a column is, and why; None where it is none of them."""
        raise NotImplementedError

    @classmethod
    def fit(cls, facts: Facts, kind: Kind, unit: float | None = None) -> Self:
        """The codec of a column. ``unit`` is what numbers are divided by; None standardises them."""
        recorded = {name: getattr(facts, name) for name in ("low", "high", "grid", "missing")}
        return cls(facts.name, facts.dtype, *kind, **{**recorded, **cls.fitted(facts, kind, unit)})

    @classmethod
    def fitted(cls, facts: Facts, kind: Kind, unit: float | None) -> dict[str, Any]:
        """The attributes that differ by kind."""
        raise NotImplementedError

    @property
    def is_kept(self) -> bool:
        """Whether it is modelled."""
        return self.scale > 0.0

    @cached_property
    def decoded_dtype(self) -> np.dtype[Any]:
        """NumPy's type of its decoded values; one without any value can only be NaN."""
        own = numpy_dtype(self.dtype)
        return np.dtype(float) if math.isnan(self.center) and own.kind != "f" else own

    @property
    def field(self) -> Field:
        """The field of the model for it."""
        kind = BINARY if self.binary else self.kind
        return Field(self.name, kind, (), self.resolution, 0, self.missing, self.encoded_bins, self.value_grid)

    @property
    def encoded_bins(self) -> Bins | None:
        """Its bins in encoded units."""
        low, high, rows = self.bins
        if not len(rows):
            return None
        low, high = ((ends - self.center) / self.scale for ends in (low, high))
        values = np.rint((high - low) * self.scale / self.grid) if self.grid else np.zeros_like(low)
        size = np.where(high > low, values, 1.0)
        return Bins(*(tuple(values.tolist()) for values in (low, high, size, rows)))

    @property
    def value_grid(self) -> ValueGrid:
        """How its numbers are recorded, in encoded units."""
        zero, low, high = (self.encoded(end) for end in (0.0, self.low, self.high))
        return ValueGrid(zero, 1 / self.scale, self.grid / self.scale, low, high, self._atom)

    @property
    def _atom(self) -> float | None:
        low, high, rows = self.bins
        often = np.flatnonzero((low == high) & (rows >= ATOM * rows.sum()))
        return self.encoded(float(low[often[rows[often].argmax()]])) if len(rows) > FEW_NUMBERS and len(often) else None

    def encoded(self, value: float) -> float:
        """A value of the user's in encoded units."""
        return (value - self.center) / self.scale

    def check_type(self, table: Table, place: int) -> None:
        """Raise DataError where it held dates in the fit and holds something else now, or the other way round."""
        if table.dtypes[place] != self.dtype and not np.isnan(table.values[:, place]).all():
            refuse_unlike(self.name, self.dtype, table.dtypes[place])

    def read(self, table: Table, place: int) -> tuple[Array, dict[str, int]]:
        """Its values ``[N]`` in a table, levels numbered as in the fit, and the number of rows of each new level."""
        return table.values[:, place], {}

    @cached_property
    def level_values(self) -> Array:
        """Its levels in the user's type."""
        dtype = numpy_dtype(self.dtype)
        return np.array(self.levels, object) if dtype.kind == "O" else exactly(self.levels, dtype)

    def decode_levels(self, x: Array) -> Array:
        """Encoded values ``[N]`` of a column with levels as the nearest of these."""
        codes = np.rint(x * self.scale + self.center).astype(np.intp)
        return np.asarray(self.level_values[np.clip(codes, 0, len(self.levels) - 1)])

    @property
    def is_stepped(self) -> bool:
        """Whether imputed values are rounded to the recorded step; not for whole numbers, whose means have decimals."""
        return False

    def as_recorded(self, values: Array) -> Array:
        """Decoded values ``[N]``; values that repeat in the data are exact, without rounding errors."""
        return values

    def keep(self, filled: Array, table: Table, place: int) -> tuple[Any, str]:
        """Decoded values with the observed ones in their place, and the label of the type that holds both."""
        refuse_unlike(self.name, self.dtype, table.dtypes[place])
        return kept(self.name, filled, self.dtype, table, place, self.known(table, place), self.levels)

    def known(self, table: Table, place: int) -> Array:
        """Where a table has a value that the codec can encode, bool ``[N]``."""
        return np.asarray(~np.isnan(table.values[:, place]))

    def fresh(self, n: int, seed: int) -> Array:
        """``n`` names that no row of the fit had."""
        raise NotImplementedError

    def told(self, value: float) -> str:
        """An encoded value as text."""
        if self.levels:
            return repr(self.levels[min(len(self.levels) - 1, round(value * self.scale + self.center))])
        value = value * self.scale + self.center
        if abs(value) < ROUNDING * self.scale:
            value = 0.0
        return told(value, self.dtype)

    def condition(self, wanted: Any) -> Intervals:
        """The intervals, in encoded units, of the values that fulfil a condition.

        Raises:
            DataError: it never has such a value.
        """
        raise NotImplementedError

    def check(self) -> None:
        """Raise StorageError if the attributes, which come from a file, do not fit each other."""
        numbers = {"scales": (self.scale,), "grids": (self.grid,), "resolutions": (self.resolution,)}
        for what, found in numbers.items():
            expect(all(math.isfinite(number) and number >= 0.0 for number in found), f"the {what}")
        expect(math.isfinite(self.center) if self.is_kept else not math.isinf(self.center), "the centers")
        text = numpy_dtype(self.dtype).kind == "O"
        expect(not (text and self.is_kept and len(self.levels) < 2), "the levels")
        expect(self.names is None or is_shape(self.names), "the identifiers")
        low, high, rows = self.bins
        expect(np.isfinite(self.bins).all() and (low <= high).all() and (rows >= 0).all(), "the bins")
        expect((high[:-1] <= low[1:]).all(), "the order of the bins")
        expect(0.0 <= self.missing <= 1.0, "the shares of missing values")
        expect(not self.is_kept or (math.isfinite(self.low) and math.isfinite(self.high)), "the bounds")
        expect(not self.low > self.high, "the bounds")
        self.check_levels(text)

    def check_levels(self, text: bool) -> None:
        """Raise StorageError if levels of numbers, which come from a file, are none."""
        expect(text or all(map(is_number, self.levels)), "the codes")


def several(wanted: Any) -> list[Any]:
    """The values of a condition, one by one: all in a list, a set, a range or an array."""
    if isinstance(wanted, np.ndarray):
        return list(wanted.ravel().tolist())
    return list(wanted) if isinstance(wanted, (list, set, frozenset, range)) else [wanted]


def nothing_asked(name: str) -> DataError:
    """The error of a condition without any value."""
    return DataError(f"given: there is no value for {name!r}")
