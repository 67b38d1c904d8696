"""Values that look like marks of missing values, such as -999 among temperatures; they are reported, not changed."""

from __future__ import annotations

import numpy as np

from latente.data.containers import Array
from latente.data.moments import is_moment, seconds, told
from latente.data.sources import Table
from latente.words import Message

NUMBERS = np.array(
    [sign * float(digit * length) for digit in "98" for length in range(2, 8) for sign in (1, -1)]
    + [32767.0, -32768.0, 65535.0, 2147483647.0, -2147483648.0, 1e20, -1e20, 1e30, -1e30]
)
DATES = ("0001-01-01", "1899-12-30", "1900-01-01", "1970-01-01", "2099-12-31", "9999-12-31")
FAR = {False: 1.0, True: 0.25}  # distance from all others, in their range: for numbers, and for dates
SMALL = 100.0  # smaller numbers are suspicious only if they repeat
LISTED = 8


def suspicious(table: Table) -> list[Message]:
    """Messages about values that are far from all others of their column and are usual marks of missing values.

    >>> from latente.data import read
    >>> import pyarrow as pa
    >>> suspicious(read(pa.table({"temp": [21.5, 19.0, -999.0, 20.2]})))[0][:57]
    "column 'temp' holds -999 (1 of 4 rows, 25.0%), far from i"
    """
    found = []
    for column, label in enumerate(table.dtypes):
        if column not in table.levels and label != "Boolean":
            values = table.values[:, column]
            marks = _marks(values, label)
            found += [_sentence(table.names[column], label, values, marks)] if marks else []
    more = [Message("note.more_sentinels", n=len(found) - LISTED)] if len(found) > LISTED else []
    return found[:LISTED] + more


def _marks(values: Array, label: str) -> list[float]:
    """The candidates in a column that are far from its other values."""
    dates = is_moment(label)
    if dates and not label.startswith("Date"):
        return []
    candidates = np.array([seconds(date, label) for date in DATES]) if dates else NUMBERS
    observed = values[~np.isnan(values)]
    there = np.isin(observed, candidates)
    rest = observed[~there]
    if not there.any() or len(rest) < 2 or rest.min() == rest.max():
        return []
    low, high = float(rest.min()), float(rest.max())
    beyond = FAR[dates] * (high - low)
    marks, counts = np.unique(observed[there], return_counts=True)
    often = counts >= np.where(dates | (np.abs(marks) < SMALL), 2, 1)
    return [float(mark) for mark in marks[often & ((marks < low - beyond) | (marks > high + beyond))]]


def _sentence(name: str, label: str, values: Array, marks: list[float]) -> Message:
    rest = values[~np.isnan(values) & ~np.isin(values, marks)]
    texts = [told(mark, label) for mark in marks]
    found = [_mark(text, values == mark) for text, mark in zip(texts, marks, strict=True)]
    ends = {"low": told(float(rest.min()), label), "high": told(float(rest.max()), label)}
    options = " ".join(f"--missing {text}" for text in texts)
    return Message("note.sentinel", name=repr(name), marks=found, **ends, values=str(texts), options=options)


def _mark(text: str, there: Array) -> Message:
    n, rows, share = int(there.sum()), len(there), float(there.mean())
    if share < 0.001:
        return Message("note.rare_mark", value=text, n=n, rows=rows)
    return Message("note.mark", value=text, n=n, rows=rows, share=share)
