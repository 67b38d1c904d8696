"""What studies have in common: how many rows are held out, and whom they tell how far they are."""

from __future__ import annotations

MIN_SHARE, MAX_SHARE = 0.1, 1 / 3


def held_out_share(rows: int, wanted: int) -> float:
    """The share of the rows that makes so many held-out ones, from a tenth to a third: a study is worth what it is judged on.

    >>> held_out_share(10_000, 200), held_out_share(1000, 200), round(held_out_share(150, 200), 3)
    (0.1, 0.2, 0.333)
    """
    return min(MAX_SHARE, max(MIN_SHARE, wanted / max(1, rows)))


def silent(text: str) -> None:
    """Tells nobody."""
