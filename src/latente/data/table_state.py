"""The codec of a table as a model file has it: an array, or a list, for each attribute of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar, Self

import numpy as np

from latente.data.columns import KINDS, Column, class_of
from latente.data.containers import ARRAYS, FRAMES, Array, known_dtype
from latente.data.identifiers import Shape
from latente.data.state import Stored, expect, is_texts
from latente.data.text import Layout, Notation, Reading, is_encoding
from latente.words import Message

NUMBERS = ("center", "scale", "resolution", "low", "high", "grid", "missing")
TUPLES = {"names": "name", "dtypes": "dtype", "kinds": "kind", "reasons": "reason", "identifiers": "names"}
BINS = ("bin_low", "bin_high", "bin_rows")
DTYPES = {
    **dict.fromkeys((*NUMBERS, *BINS), np.float64),
    **dict.fromkeys(("counts", "bin_counts"), np.int64),
    "binary": np.bool_,
}


@dataclass(frozen=True, eq=False)
class TableState(Stored):
    """The attributes of :class:`~latente.data.table.TableCodec` and of its columns (:class:`~latente.data.columns.Column`).

    ``counts`` and ``bin_counts`` say how many levels and bins each column has; ``texts``, ``bin_low``, ``bin_high`` and
    ``bin_rows`` hold these, one column after the other.
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    container: str
    named: bool
    integer_names: bool
    center: Array
    scale: Array
    resolution: Array
    low: Array
    high: Array
    grid: Array
    missing: Array
    binary: Array
    kinds: tuple[str, ...]
    reasons: tuple[Message, ...]
    counts: Array
    texts: tuple[str, ...]
    bin_counts: Array
    bin_low: Array
    bin_high: Array
    bin_rows: Array
    identifiers: tuple[Shape | None, ...]
    notes: tuple[Message, ...]
    notations: tuple[Notation | None, ...] = ()
    file_layout: Layout | None = None
    file_reading: Reading | None = None

    kind: ClassVar[str] = "table"

    @classmethod
    def of(cls, columns: Sequence[Column], **shared: Any) -> Self:
        """Of columns, and of what concerns all of them."""
        values: dict[str, Any] = {name: [getattr(c, own) for c in columns] for name, own in TUPLES.items()}
        arrays = {name: [getattr(c, name) for c in columns] for name in (*NUMBERS, "binary")}
        arrays |= {"counts": [len(c.levels) for c in columns], "bin_counts": [c.bins.shape[1] for c in columns]}
        arrays |= dict(zip(BINS, np.concatenate([c.bins for c in columns], 1), strict=True))
        values = {name: tuple(each) for name, each in values.items()}
        values |= {name: np.asarray(each, DTYPES[name]) for name, each in arrays.items()}
        return cls(**values, texts=tuple(text for c in columns for text in c.levels), **shared)

    def columns(self) -> tuple[Column, ...]:
        """The columns."""
        return tuple(self._columns())

    def _columns(self) -> Iterator[Column]:
        named = {name: getattr(self, name).tolist() for name in (*NUMBERS, "binary")}
        levels, bins = (_slices(counts) for counts in (self.counts, self.bin_counts))
        ends = np.stack([self.bin_low, self.bin_high, self.bin_rows])
        for c, kind in enumerate(self.kinds):
            numbers = {name: values[c] for name, values in named.items()}
            made = class_of(kind, bool(self.counts[c]))
            texts, own, names = self.texts[levels[c]], ends[:, bins[c]], self.identifiers[c]
            yield made(self.names[c], self.dtypes[c], kind, self.reasons[c], **numbers, levels=texts, bins=own, names=names)

    def check(self) -> None:
        """Raise StorageError if the attributes, which come from a file, do not fit each other."""
        expect(is_texts(self.names) and len(set(self.names)) == len(self.names) > 0, "the names of the columns")
        expect(is_texts(self.dtypes) and all(map(known_dtype, self.dtypes)), "the types of the columns")
        expect(len(self.dtypes) == len(self.names), "the number of types")
        expect(self.container in ARRAYS + FRAMES, "the container")
        expect(all(isinstance(flag, bool) for flag in (self.named, self.integer_names)), "the kind of names")
        expect(not self.integer_names or all(name.lstrip("-").isdecimal() for name in self.names), "the numbered names")
        for name, dtype in DTYPES.items():
            array = getattr(self, name)
            expect(array.dtype == dtype, f"the type of {name}")
            expect(array.ndim == 1 and (name in BINS or len(array) == len(self.names)), f"the shape of {name}")
        expect(self.scale.any(), "the scales")
        expect(is_texts(self.texts) and (self.counts >= 0).all() and self.counts.sum() == len(self.texts), "the levels")
        expect(len(self.kinds) == len(self.reasons) == len(self.names), "the number of kinds")
        expect(is_texts(self.kinds) and set(self.kinds) <= {*KINDS}, "the kinds")
        expect(len(self.identifiers) == len(self.names), "the number of identifiers")
        expect((self.bin_counts >= 0).all(), "the bins")
        expect(self.bin_counts.sum() == len(self.bin_low) == len(self.bin_high) == len(self.bin_rows), "the bins")
        expect(len(self.notations) in (0, len(self.names)), "the number of notations")
        expect(self.file_layout is None or is_encoding(self.file_layout.encoding), "the encoding of the file")
        for column in self.columns():
            column.check()


def _slices(counts: Array) -> list[slice]:
    """Where each column's share stands among those of all."""
    return [slice(*ends) for ends in pairwise(accumulate(counts.tolist(), initial=0))]
