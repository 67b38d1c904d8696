"""Shared by the studies: the share of rows that is held out, and a callback for progress."""

from __future__ import annotations

MIN_SHARE, MAX_SHARE = 0.1, 1 / 3


def held_out_share(rows: int, wanted: int) -> float:
    """The share of rows that gives ``wanted`` held-out rows, from a tenth to a third.

    >>> held_out_share(10_000, 200), held_out_share(1000, 200), round(held_out_share(150, 200), 3)
    (0.1, 0.2, 0.333)
    """
    return min(MAX_SHARE, max(MIN_SHARE, wanted / max(1, rows)))


def silent(text: str) -> None:
    """A callback that ignores progress."""
