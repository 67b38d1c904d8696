"""Notes about the columns of a table, and warnings about new levels."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator

from latente.data.columns import FLAG, TIMESTAMP, Name, only_label
from latente.data.containers import Array
from latente.data.fields import far_values
from latente.data.moments import kind_of, told
from latente.data.sources import Table
from latente.data.survey import Survey
from latente.errors import DataError, LatenteWarning
from latente.words import Message, listed, some

# Key of the note on columns of a kind, and whether it shows their only value.
OF_KINDS = (
    (Name.kinds[:2], "names_rows", False),
    ((TIMESTAMP,), "timestamp", False),
    ((FLAG,), "flag", True),
    (("constant",), "constant", True),
    (("empty",), "empty", False),
)


def notes_of(survey: Survey, kinds: list[str], ordered: Array) -> Iterator[Message]:
    """Notes on a table with columns of these kinds; ``ordered`` are its columns' values in rising order."""
    table = survey.table
    for asked, key, with_value in OF_KINDS:
        places = [column for column, kind in enumerate(kinds) if kind in asked]
        named = (f"{table.names[c]!r}" + (f" ({only_label(survey, c)})" if with_value else "") for c in places)
        if places:
            option = {"option": _option(table, places[0], key)} if key in ("timestamp", "flag") else {}
            yield Message(f"note.{key}", columns=some(named), **option)
        if places and key == "timestamp" and kind_of(table.dtypes[places[0]]) == "calendar":
            name = table.names[places[0]]
            yield Message("note.series", name=repr(name), argument=shlex.quote(name))
    yield from _of_rows(survey, ordered)


def _option(table: Table, column: int, key: str) -> Message:
    """How to use a column as a value nevertheless."""
    kind = "constant" if key == "flag" else kind_of(table.dtypes[column]) or "integer"
    return kinds_option(table.names[column], kind)


def kinds_option(name: str, kind: str) -> Message:
    """How to set another kind of a column, in Python and on the command line."""
    return Message("note.option", name=repr(name), kind=kind, argument=shlex.quote(f"{name}={kind}"))


def _of_rows(survey: Survey, ordered: Array) -> Iterator[Message]:
    table, summary = survey.table, survey.summary
    if summary.empty_rows:
        yield Message("note.empty_rows", n=summary.empty_rows)
    if survey.rows < len(table.names):
        yield Message("note.few_rows", rows=survey.rows, columns=len(table.names))
    for column, middle in far_values(ordered, summary.low, summary.high):
        row, value = survey.farthest(column, middle)
        held = told(value, table.dtypes[column])
        yield Message("note.far", name=repr(table.names[column]), value=held, row=int(row))


def tell_unknown(strange: list[tuple[str, dict[str, int]]], unknown: str) -> None:
    """Report levels that did not occur in the fit, by column with the number of rows of each: an error, or a warning if they
    are to be treated as missing.
    """
    if not strange:
        return
    if unknown != "missing":
        name, texts = strange[0]
        raise DataError(
            f"column {name!r} holds levels that the model was not fitted on: {listed(map(repr, texts))}; leave them empty "
            "(= missing), treat them as missing with unknown='missing' (--unknown missing), or fit on rows that have them"
        )
    told = (f"{name!r}: {listed(f'{text!r} ({count})' for text, count in texts.items())}" for name, texts in strange)
    warnings.warn(
        f"levels that the model was not fitted on are treated as missing (with their number of rows): {'; '.join(told)}",
        LatenteWarning,
        stacklevel=2,
    )
