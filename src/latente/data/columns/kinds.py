"""The table of kinds, and what people may ask of a column: to be of another kind than its values look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from latente.data.columns.column import ASKED, FLAG, Column, Facts, Kind
from latente.data.columns.levels import Levels
from latente.data.columns.moments import Moment
from latente.data.columns.names import Name
from latente.data.columns.numbers import MEASURES, WHOLE, Number
from latente.data.columns.single import Constant, Empty, Flag
from latente.data.files import quoted
from latente.data.moments import EXAMPLES, MOMENTS, kind_of
from latente.data.observed import as_numbers, as_texts
from latente.data.sources import Table, is_number
from latente.errors import DataError

CLASSES: tuple[type[Column], ...] = (Empty, Flag, Constant, Name, Levels, Moment, Number)
"""The codecs of columns, in the order in which they are asked whether a column is theirs."""

KINDS: dict[str, type[Column]] = {kind: each for each in CLASSES for kind in each.kinds}
LEFT_OUT = (*Constant.kinds, *Name.kinds)
OF_NUMBERS = (*MEASURES, *WHOLE)
CHOICES = (*Number.kinds, *Levels.kinds, *Moment.kinds, *Flag.kinds, *LEFT_OUT)


def class_of(kind: str, has_levels: bool) -> type[Column]:
    """The codec of a kind; two levels are ``"binary"``, and ordered ones ``"ordinal"``, as numbers may be."""
    found = KINDS[kind]
    return Levels if has_levels and found is Number else found


def kind_of_column(facts: Facts, asked: Mapping[str, str]) -> Kind:
    """The kind of a column: what was asked for by its name, or what its values look like.

    Raises:
        DataError: it can't be of the kind that is asked for.
    """
    kind = next(kind for each in CLASSES if (kind := each.infer(facts)))
    if facts.name not in asked:
        return kind
    kind = _asked(kind, asked[facts.name], facts)
    _refuse_unlike(kind.kind, facts)
    return kind


def refuse_kinds(asked: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Raise DataError if kinds are asked of columns that are not there."""
    if unknown := [name for name in asked if name not in names]:
        raise DataError(f"kinds names columns that are not there: {quoted(unknown)}; there are {quoted(list(names))}")


def _asked(kind: Kind, asked: str, facts: Facts) -> Kind:
    """The kind that is asked for; a column without two different values is what it is, or left out."""
    name, moment = facts.name, kind_of(facts.dtype)
    if asked not in CHOICES:
        raise DataError(f"kinds: {asked!r} is no kind of column; there are {quoted(list(CHOICES))}")
    if facts.levels and asked in OF_NUMBERS:
        raise DataError(f"kinds: column {name!r} holds text and can't be {asked!r}")
    if asked in MOMENTS and moment != asked:
        remedy = f"write them as {MOMENTS[asked]}, such as {EXAMPLES[asked]}"
        raise DataError(f"kinds: column {name!r} was not read as {MOMENTS[asked]}, and can't be {asked!r}: {remedy}")
    if kind.kind in ("empty", "constant", FLAG):
        return Kind(asked, ASKED) if kind.kind == FLAG and asked in LEFT_OUT else kind
    if asked in ("constant", FLAG):
        raise DataError(f"kinds: column {name!r} can't be {asked!r}: it holds different values")
    if moment and asked not in (*LEFT_OUT, moment):
        raise DataError(f"kinds: column {name!r} holds {MOMENTS[moment]} and can't be {asked!r}")
    return Kind(asked, ASKED)


def _refuse_unlike(kind: str, facts: Facts) -> None:
    """Raise DataError if some of a column's values are none of the kind that is asked for."""
    values = facts.values
    for kinds, words, bad in (
        (WHOLE, "whole number", lambda: values != np.rint(values)),
        (("count",), "count", lambda: values < 0),
        (("positive",), "positive number", lambda: values <= 0),
        (("bounded",), "share from 0 to 1", lambda: (values < 0) | (values > 1)),
    ):
        if kind in kinds and (rows := np.flatnonzero(bad() & ~np.isnan(values))).size:
            value = f"{values[rows[0]]:g} in row {rows[0]} (counted from 0)"
            more = f"{value} is no {words}, and {len(rows) - 1:,} more are not"
            raise DataError(f"kinds: column {facts.name!r} can't be {kind!r}: {more}")
    if kind == "binary" and len(facts.levels) > 2:
        raise DataError(f"kinds: column {facts.name!r} can't be 'binary': it holds {len(facts.levels):,} different values")


def as_asked(table: Table, kinds: Mapping[str, str]) -> Table:
    """The table, with numbers as levels, and texts as numbers, where the kinds that are asked for need that."""
    return _with_numbers(_with_codes(table, kinds), kinds) if kinds else table


def _with_codes(table: Table, kinds: Mapping[str, str]) -> Table:
    """Numbers as levels in columns that are asked to be categorical, or binary and are not 0 and 1."""

    def asked(column: int) -> bool:
        kind, values = kinds.get(table.names[column]), table.values[:, column]
        return kind == "categorical" or (kind == "binary" and not bool(np.isin(values[~np.isnan(values)], (0, 1)).all()))

    columns = [c for c in range(len(table.names)) if c not in table.levels and asked(c)]
    values, levels = table.values.astype(np.float64), dict(table.levels)
    for column in columns:
        levels[column], values[:, column] = as_texts(values[:, column])
    return replace(table, values=values, levels=levels) if columns else table


def _with_numbers(table: Table, kinds: Mapping[str, str]) -> Table:
    """Texts that are numbers as such where that is asked for: 007 as 7."""
    columns = [c for c in table.levels if kinds.get(table.names[c]) in OF_NUMBERS and all(map(is_number, table.levels[c]))]
    values, levels, dtypes = table.values.copy(order="K"), dict(table.levels), list(table.dtypes)
    for column in columns:
        _refuse_large(table.names[column], kinds[table.names[column]], table.levels[column])
        values[:, column] = as_numbers(table.names[column], values[:, column], levels.pop(column))
        dtypes[column] = "Float64" if (values[:, column] % 1 > 0).any() else "Int64"
    return replace(table, values=values, levels=levels, dtypes=tuple(dtypes)) if columns else table


def _refuse_large(name: str, kind: str, texts: tuple[str, ...]) -> None:
    large = next((text for text in texts if abs(float(text)) > 2.0**53), None)
    if large is not None:
        raise DataError(
            f"column {name!r} is asked to be {kind!r} and holds {large}: beyond 2**53 neighbouring whole numbers can't be told "
            "apart; leave its kind open, so that each is a level of its own, or subtract what all have in common"
        )
