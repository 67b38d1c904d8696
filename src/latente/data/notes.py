"""What a person should know of a table: sentences about its columns, and warnings of levels that are new."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

from latente.data.containers import Array
from latente.data.fields import Summary, far_values
from latente.data.flags import only_label
from latente.data.kinds import FLAG, NAMES_ROWS, TIMESTAMP
from latente.data.moments import kind_of, told
from latente.data.sources import Table
from latente.errors import DataError, LatenteWarning

_LISTED = 8
# What is said of the columns of some kinds, and whether with their only value.
OF_KINDS = (
    (
        NAMES_ROWS[:2],
        "columns that name rows, or hold free text, are left out of the model and empty in what it gives back: {columns}",
        False,
    ),
    (
        (TIMESTAMP,),
        "columns of a time that runs on with the rows are left out of the model, for all later rows lie beyond it, and are "
        "empty in new rows: {columns}; to use it as a value all the same: kinds={{{first!r}: '{keep}'}} "
        "(--kinds {first}={keep})",
        False,
    ),
    (
        (FLAG,),
        "columns that hold one value or nothing are flags, whose absence is a value and is not filled in: {columns}; "
        "to fill it in: kinds={{{first!r}: 'constant'}} (--kinds {first}=constant)",
        True,
    ),
    (
        ("constant",),
        "columns of one value only are left out of the model and restored in what it gives back: {columns}",
        True,
    ),
    (("empty",), "columns without any value are left out of the model: {columns}", False),
)


def notes_of(table: Table, summary: Summary, kinds: list[str], ordered: Array) -> Iterator[str]:
    """Sentences about a table whose columns are of some kinds; ``ordered`` are its columns' values in rising order."""
    for asked, sentence, with_value in OF_KINDS:
        places = [column for column, kind in enumerate(kinds) if kind in asked]
        named = (f"{table.names[c]!r}" + (f" ({only_label(table, c)})" if with_value else "") for c in places)
        if places:
            keep = kind_of(table.dtypes[places[0]]) or "integer"
            yield sentence.format(columns=some(named), first=table.names[places[0]], keep=keep)
    yield from _of_rows(table, summary, ordered)


def _of_rows(table: Table, summary: Summary, ordered: Array) -> Iterator[str]:
    if summary.empty_rows:
        yield f"rows without any value: {summary.empty_rows}; nothing can be learnt from them"
    if len(table) < len(table.names):
        yield f"there are fewer rows ({len(table)}) than columns ({len(table.names)}): expect little to carry over to new rows"
    for column, row, value in far_values(table.values, ordered, summary.low, summary.high):
        place = f"column {table.names[column]!r} holds {told(value, table.dtypes[column])} in row {row} (counted from 0)"
        yield f"{place}, over a million times its spread away: if that is a code for 'missing', replace it by NaN"


def some(texts: Iterable[str]) -> str:
    """The first few of many texts."""
    every = list(texts)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more


def tell_unknown(strange: list[tuple[str, dict[str, int]]], unknown: str) -> None:
    """Name levels that the model was not fitted on, by column with the rows that each is in: an error, or a warning where they
    are to be taken for values that were not seen.
    """
    if not strange:
        return
    if unknown != "missing":
        name, texts = strange[0]
        raise DataError(
            f"column {name!r} holds levels that the model was not fitted on: {some(map(repr, texts))}; leave them empty "
            "(= not seen), have them taken so by unknown='missing' (--unknown missing), or fit on rows that have them"
        )
    told = (f"{name!r}: {some(f'{text!r} ({count})' for text, count in texts.items())}" for name, texts in strange)
    warnings.warn(
        f"levels that the model was not fitted on count as not seen (in so many rows): {'; '.join(told)}",
        LatenteWarning,
        stacklevel=2,
    )
