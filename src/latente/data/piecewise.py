"""A codec, and encoded rows on disc, from rows that are read a piece at a time: each pass reads all of them once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from latente.data.columns import as_asked
from latente.data.containers import Array, categories_of, numpy_dtype
from latente.data.context import ContextCodec
from latente.data.fields import Summary, observed_rows, summarise
from latente.data.observed import texts_of
from latente.data.pieces import Pieces
from latente.data.sources import Images, Table, read
from latente.data.stored import RowWriter, StoredRows, store
from latente.data.survey import Survey, sample_rows
from latente.data.table import TableCodec
from latente.errors import DataError
from latente.rows import Rows, spaced

MAX_LEVELS = 100_000  # of a column; names of rows may be more


@dataclass(eq=False)
class Census:
    """Rows in pieces, how they are read, and what one pass over them tells.

    Attributes:
        pieces: the rows.
        kinds: the kinds of some columns, as asked for.
        texts, missing: as for :func:`latente.data.read`.
        names: the columns that are read. unknown: how to treat levels that a codec does not know.
        beside: the context of the rows: its census and codec; None without a context.
    """

    pieces: Pieces
    kinds: Mapping[str, str]
    texts: Collection[str] = ()
    missing: Sequence[Any] = ()
    names: Sequence[str] = ()
    unknown: str = "error"
    beside: tuple[Census, ContextCodec] | None = None
    known: dict[str, set[str]] = field(default_factory=dict, init=False)
    labels: dict[str, str] = field(default_factory=dict, init=False)
    with_numbers: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.names = self.names or self.pieces.schema.names

    def tables(self) -> Iterator[Table]:
        """All rows, a few at a time."""
        return map(self._read, self.pieces.tables(self.names))

    def _read(self, rows: Any) -> Table:
        found = read(rows, texts=self.texts, missing=self.missing)
        assert isinstance(found, Table)
        return found

    @cached_property
    def survey(self) -> Survey:
        """What a codec is fitted to, from one pass.

        Raises:
            DataError: a column holds numbers and texts, or there is no row.
        """
        n, total = len(self.pieces), None
        if not n:
            raise DataError("it holds no row")
        places = spaced(n, sample_rows(len(self.names))).numpy()
        for table in (as_asked(table, self.kinds) for table in self.tables()):
            self._note(table)
            own = _Moments.of(table)
            total = own if total is None else total.with_(own)
        assert total is not None
        return self._surveyed(places, total)

    def _note(self, table: Table) -> None:
        """Take note of the types of columns with values, and of their levels."""
        for place, name in enumerate(table.names):
            if place in table.levels:
                found = self.known.setdefault(name, set())
                if len(found) <= MAX_LEVELS:
                    found.update(table.levels[place])
            elif (~np.isnan(table.values[:, place])).any():
                self.with_numbers.add(name)
            else:
                continue
            self.labels.setdefault(name, table.dtypes[place])

    def _surveyed(self, places: Array, total: _Moments) -> Survey:
        both = [name for name in self.known if name in self.with_numbers]
        if both:
            told = "holds numbers in some rows, and texts or very large numbers in others"
            raise DataError(f"column {both[0]!r} {told}: cast it to text")
        table = as_asked(self._read(self.pieces.take(places, self.names)), self.kinds)
        dtypes = tuple(self.labels.get(name, label) for name, label in zip(table.names, table.dtypes, strict=True))
        levels, values, counts, too_many = {}, table.values.astype(np.float64), total.count.copy(), set()
        for place, name in enumerate(table.names):
            if name in self.known and len(self.known[name]) <= MAX_LEVELS:
                levels[place] = _sorted(self.known[name], dtypes[place])
                values[:, place] = _codes(table, place, levels[place])
            elif name in self.known:
                levels[place] = table.levels[place]
                too_many.add(place)
                counts[place] = int((~np.isnan(values[:, place])).sum())
        summary = total.summary({place: len(found) for place, found in levels.items()})
        table = replace(table, values=values, dtypes=dtypes, levels=levels, text=self.pieces.text)
        return Survey(table, places, len(self.pieces), summary, counts, total.rows, frozenset(too_many))

    def codec(self, as_recorded: bool) -> TableCodec:
        """The codec of the rows.

        Raises:
            DataError: a column has too many levels.
        """
        found = TableCodec.fit(self.survey, self.kinds, as_recorded)
        for place in self.survey.too_many:
            if found.columns[place].is_kept:
                name = found.names[place]
                raise DataError(
                    f"column {name!r} has more than {MAX_LEVELS:,} levels: leave it out, or say that it names rows by "
                    f"kinds={{{name!r}: 'identifier'}}"
                )
        return found

    def encoded(self, codec: TableCodec) -> Iterator[Rows]:
        """All rows, encoded, a few at a time."""
        for table in self.tables():
            data: Table | Images = codec.like_fitted(table)
            yield codec.encode(data, self.unknown)

    def with_context(self, codec: TableCodec) -> Iterator[Rows]:
        """The same with their context."""
        if self.beside is None:
            yield from self.encoded(codec)
            return
        census, of_context = self.beside
        for rows, context in zip(self.encoded(codec), census.encoded(of_context.codec), strict=True):
            yield replace(rows, context=of_context.vectors(context))

    def observed(self, codec: TableCodec) -> Array:
        """Which rows have an observed value, bool [N]."""
        if not all(kept.missing for kept in codec.fields):
            return np.ones(len(self.pieces), bool)
        return np.concatenate([observed_rows(rows).numpy() for rows in self.encoded(codec)])

    def stored(self, codec: TableCodec, learnt: Array, held: Array) -> tuple[StoredRows, Rows | None]:
        """Encoded rows on disc and in memory.

        Args:
            learnt: the rows that go to disc, bool [N].
            held: numbers of those that stay in memory, in any order.
        """
        masked, shape = any(kept.missing for kept in codec.fields), (len(codec.fields),)
        context = {} if self.beside is None else {"context": (self.beside[1].size,)}
        writer = RowWriter(int(learnt.sum()), {"x": shape, **({"mask": shape} if masked else {}), **context})
        return store(self.with_context(codec), writer, learnt, held)


@dataclass(eq=False)
class _Moments:
    """Figures of the columns of some rows, which can be added up; every array is [F] or [2, F].

    Attributes:
        n: number of rows. empty: of those without any value. count: of those with a value in each column.
        low, high, mean, squares: of the values; squares are sums of squared distances from the mean.
        bits: whether all values are 0 or 1. rows: where the smallest and the largest value are.
    """

    n: int
    empty: int
    count: Array
    low: Array
    high: Array
    mean: Array
    squares: Array
    bits: Array
    rows: Array

    @classmethod
    def of(cls, table: Table) -> _Moments:
        """Of a few rows."""
        values, n = table.values, len(table)
        found = summarise(values)
        count = np.rint((1 - found.missing) * n).astype(np.int64)
        alike = (found.low == found.high) & np.isin(found.low, (0.0, 1.0))
        hidden = np.isnan(values)
        rows = np.stack([np.where(hidden, np.inf, values).argmin(0), np.where(hidden, -np.inf, values).argmax(0)])
        mean = np.where(count > 0, found.mean, 0.0)
        squares = np.where(count > 0, count * found.scale**2, 0.0)
        return cls(n, found.empty_rows, count, found.low, found.high, mean, squares, found.binary | alike | (count == 0), rows)

    def with_(self, later: _Moments) -> _Moments:
        """Of these rows and those that follow (Chan et al. 1983)."""
        count = self.count + later.count
        share, distance = later.count / np.maximum(count, 1), later.mean - self.mean
        lower = (later.low < self.low) | np.isnan(self.low)
        higher = (later.high > self.high) | np.isnan(self.high)
        return _Moments(
            self.n + later.n,
            self.empty + later.empty,
            count,
            np.fmin(self.low, later.low),
            np.fmax(self.high, later.high),
            self.mean + share * distance,
            self.squares + later.squares + distance**2 * self.count * share,
            self.bits & later.bits,
            np.where(np.stack([lower, higher]), later.rows + self.n, self.rows),
        )

    def summary(self, levels: Mapping[int, int]) -> Summary:
        """Of all rows; ``levels`` are the columns with levels, and how many each has."""
        low, high, mean = self.low.copy(), self.high.copy(), np.where(self.count > 0, self.mean, np.nan)
        scale = np.sqrt(self.squares / np.maximum(self.count, 1))
        for place, many in levels.items():
            low[place], high[place], mean[place], scale[place] = 0.0, many - 1.0, 0.0, float(many > 1)
        binary = self.bits & (low == 0.0) & (high == 1.0)
        binary[list(levels)] = [many == 2 for many in levels.values()]
        return Summary(low, high, mean, scale, binary, 1.0 - self.count / self.n, self.empty)


def _sorted(texts: set[str], label: str) -> tuple[str, ...]:
    """Levels in the order of their type: that of its categories, of numbers, or of texts."""
    if categories := categories_of(label):
        return tuple(text for text in categories if text in texts)
    return tuple(sorted(texts) if numpy_dtype(label).kind == "O" else sorted(texts, key=_number))


def _number(text: str) -> float | int:
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def _codes(table: Table, place: int, levels: tuple[str, ...]) -> Array:
    """The values of a column as places among the levels of all rows."""
    texts, codes = texts_of(table, place, levels)
    places = {text: float(place) for place, text in enumerate(levels)}
    lookup = np.array([*(places[text] for text in texts), np.nan])
    return np.asarray(lookup[np.where(np.isnan(codes), len(texts), codes).astype(np.intp)])
