"""Values that look like marks of missing values, such as -999 among temperatures: they are named, and not changed."""

from __future__ import annotations

import numpy as np

from latente.data.containers import Array
from latente.data.moments import is_moment, seconds, told
from latente.data.sources import Table

NUMBERS = np.array(
    [sign * float(digit * length) for digit in "98" for length in range(2, 8) for sign in (1, -1)]
    + [32767.0, -32768.0, 65535.0, 2147483647.0, -2147483648.0, 1e20, -1e20, 1e30, -1e30]
)
DATES = ("0001-01-01", "1899-12-30", "1900-01-01", "1970-01-01", "2099-12-31", "9999-12-31")
FAR = {False: 1.0, True: 0.25}  # beyond all others, in their range: of numbers, and of dates
SMALL = 100.0  # numbers below are suspicious only where they repeat
LISTED = 8


def suspicious(table: Table) -> list[str]:
    """Sentences on values that stand far from all others of their column and are what people write for "missing".

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
    more = [f"and {len(found) - LISTED} more columns hold such values"] if len(found) > LISTED else []
    return found[:LISTED] + more


def _marks(values: Array, label: str) -> list[float]:
    """Which candidates stand in a column, far from its other values."""
    dates = is_moment(label)
    if dates and not label.startswith("Date"):
        return []
    candidates = np.array([seconds(date, label) for date in DATES]) if dates else NUMBERS
    seen = values[~np.isnan(values)]
    there = np.isin(seen, candidates)
    rest = seen[~there]
    if not there.any() or len(rest) < 2 or rest.min() == rest.max():
        return []
    low, high = float(rest.min()), float(rest.max())
    beyond = FAR[dates] * (high - low)
    marks, counts = np.unique(seen[there], return_counts=True)
    often = counts >= np.where(dates | (np.abs(marks) < SMALL), 2, 1)
    return [float(mark) for mark in marks[often & ((marks < low - beyond) | (marks > high + beyond))]]


def _sentence(name: str, label: str, values: Array, marks: list[float]) -> str:
    rest = values[~np.isnan(values) & ~np.isin(values, marks)]
    texts = [told(mark, label) for mark in marks]
    counts = ", ".join(f"{text} ({_share(values == mark)})" for text, mark in zip(texts, marks, strict=True))
    between = f"{told(float(rest.min()), label)} to {told(float(rest.max()), label)}"
    options = " ".join(f"--missing {text}" for text in texts)
    return (
        f"column {name!r} holds {counts}, far from its other values ({between}), which may mean 'missing': if so, pass "
        f"missing={texts} ({options})"
    )


def _share(there: Array) -> str:
    count, share = int(there.sum()), float(there.mean())
    return f"{count:,} of {len(there):,} rows, {share:.1%}" if share >= 0.001 else f"{count:,} of {len(there):,} rows"
