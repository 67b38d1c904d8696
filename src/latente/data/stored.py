"""Encoded rows on disc, read a window at a time, for data that do not fit into memory."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latente.errors import DataError
from latente.folders import TemporaryFolder
from latente.rows import Rows, joined

WINDOW = 1 << 27  # bytes of the rows that are shuffled together; fewer rows are shuffled as a whole
CHUNKS = 32  # runs of neighbouring rows in a window
TYPES = {"x": np.dtype(np.float32), "mask": np.dtype(bool), "context": np.dtype(np.float32)}
"""The files, one for each part of rows, and the type of their values."""


class StoredRows(Rows):
    """Encoded rows in files, with the methods of :class:`Rows`.

    An epoch reads runs of neighbouring rows in a random order, several of them at a time (a window), and shuffles the rows of
    each window. Rows that fit into one window are shuffled as rows in memory are. ``x``, ``mask`` and ``context`` read all.

    Args:
        folder: of the files.
        n: number of rows. shapes: of a row in each file, by the name of the part.
        keep: what must live as long as the files.
    """

    def __init__(self, folder: Path, n: int, shapes: Mapping[str, tuple[int, ...]], keep: Any = None) -> None:
        self.__dict__.update(folder=folder, n=n, shapes=dict(shapes), keep=keep)

    folder: Path
    n: int
    shapes: dict[str, tuple[int, ...]]

    @property
    def x(self) -> Tensor:
        """All values, [N, F] or [N, C, H, W]."""
        return self._of_runs("x", [(0, self.n)])

    @property
    def mask(self) -> Tensor | None:
        """Where values are observed, bool [N, F]; None if all are."""
        return self._of_runs("mask", [(0, self.n)]) if "mask" in self.shapes else None

    @property
    def context(self) -> Tensor | None:
        """The context of all rows, [N, C]; None without a context."""
        return self._of_runs("context", [(0, self.n)]) if "context" in self.shapes else None

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: Tensor | slice) -> Rows:
        if isinstance(index, slice):
            start, stop, _ = index.indices(self.n)
            return self._between((start, max(start, stop)))
        places = (torch.nonzero(index).squeeze(1) if index.dtype == torch.bool else index).numpy()
        order = np.argsort(places, kind="stable")
        back = torch.from_numpy(np.argsort(order, kind="stable"))
        return Rows(**{name: self._rows_at(name, places[order])[back] for name in self.shapes})

    def some(self) -> Rows:
        return self[:] if self._one_window else self.subsample(self._window_rows // 4)

    def shuffled(self, count: int, together: int) -> Iterator[Rows]:
        if self._one_window:
            yield from self[:].shuffled(count, together)
            return
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        left, kept, window, order = count, self[:0], self[:0], torch.zeros(0, dtype=torch.int64)
        for window, order in self._windows(generator):
            first = together - len(kept)
            for chosen in (order[:first], *torch.split(order[first:], together)):
                kept = joined(kept, window[chosen])
                if len(kept) == together:
                    yield kept
                    left, kept = left - together, self[:0]
        yield from joined(kept, window[order[: left - len(kept)]]).batches(together)

    @property
    def _row_bytes(self) -> int:
        return sum(self._bytes_of(name) for name in self.shapes)

    def _bytes_of(self, name: str) -> int:
        return math.prod(self.shapes[name]) * TYPES[name].itemsize

    @property
    def _window_rows(self) -> int:
        return max(CHUNKS, WINDOW // self._row_bytes)

    @property
    def _one_window(self) -> bool:
        return self.n <= self._window_rows

    def _windows(self, generator: torch.Generator) -> Iterator[tuple[Rows, Tensor]]:
        """All rows, a window at a time, with a random order of each; the next one is read in the meantime."""
        size = self._window_rows // CHUNKS
        groups = torch.split(torch.randperm(-(-self.n // size), generator=generator), CHUNKS)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._runs, groups[0], size)
            for following in (*groups[1:], None):
                window = coming.result()
                if following is not None:
                    coming = reader.submit(self._runs, following, size)
                yield window, torch.randperm(len(window), generator=generator)

    def _runs(self, numbers: Tensor, size: int) -> Rows:
        """Runs of neighbouring rows, one after the other."""
        return self._between(*((start, min(self.n, start + size)) for start in (numbers * size).tolist()))

    def _between(self, *runs: tuple[int, int]) -> Rows:
        return Rows(**{name: self._of_runs(name, runs) for name in self.shapes})

    def _of_runs(self, name: str, runs: Sequence[tuple[int, int]]) -> Tensor:
        found, place = self._empty(name, sum(stop - start for start, stop in runs)), 0
        with open(self.folder / name, "rb", buffering=0) as file:
            for start, stop in runs:
                file.seek(start * self._bytes_of(name))
                _fill(file, found[place : place + stop - start])
                place += stop - start
        return torch.from_numpy(found)

    def _rows_at(self, name: str, places: np.ndarray[Any, Any]) -> Tensor:
        """Rows by their numbers, in rising order."""
        found = self._empty(name, len(places))
        with open(self.folder / name, "rb", buffering=0) as file:
            for row, place in enumerate(places.tolist()):
                file.seek(place * self._bytes_of(name))
                _fill(file, found[row : row + 1])
        return torch.from_numpy(found)

    def _empty(self, name: str, rows: int) -> np.ndarray[Any, Any]:
        return np.empty((rows, *self.shapes[name]), TYPES[name])


def _fill(file: Any, values: np.ndarray[Any, Any]) -> None:
    """Read an array; one call of the system need not read all of it."""
    left = memoryview(values.reshape(-1).view(np.uint8).data)
    while left:
        read = file.readinto(left)
        if not read:
            raise DataError("the encoded rows on disc are incomplete: is the temporary folder full?")
        left = left[read:]


def store(
    batches: Iterable[Rows], writer: RowWriter, learnt: np.ndarray[Any, Any], held: np.ndarray[Any, Any]
) -> tuple[StoredRows, Rows | None]:
    """Rows on disc and in memory.

    Args:
        batches: all rows, in order. writer: for those that go to disc. learnt: which rows these are, bool [N].
        held: numbers of those that stay in memory, in any order.
    """
    ordered, parts, start = np.sort(held), [], 0
    for rows in map(writer.masked_alike, batches):
        low, high = np.searchsorted(ordered, (start, start + len(rows)))
        writer.add(rows[torch.from_numpy(learnt[start : start + len(rows)])])
        parts += [rows[torch.from_numpy(ordered[low:high] - start)]] if high > low else []
        start += len(rows)
    back = np.empty(len(held), np.int64)
    back[np.argsort(held, kind="stable")] = np.arange(len(held))
    return writer.finish(), joined(*parts)[torch.from_numpy(back)] if parts else None


class RowWriter:
    """Writes encoded rows to a temporary folder.

    Args:
        n: about how many rows will come.
        shapes: of a row, by the name of each part (``x``, ``mask``, ``context``).

    Raises:
        DataError: there is no room for them.
    """

    def __init__(self, n: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.keep = TemporaryFolder()
        self.folder, self.shapes, self.n = self.keep.path, shapes, 0
        row = sum(math.prod(shape) * TYPES[name].itemsize for name, shape in shapes.items())
        needed, free = n * row, shutil.disk_usage(self.folder).free
        if needed > free:
            told = f"{needed / 2**30:.1f} GiB are needed for encoded rows, and {self.folder.parent} has {free / 2**30:.1f} GiB"
            raise DataError(f"{told}: set TMPDIR to a folder with more room")

    @cached_property
    def _files(self) -> dict[str, Any]:
        return {name: open(self.folder / name, "wb") for name in self.shapes}

    def masked_alike(self, rows: Rows) -> Rows:
        """Rows with a mask, if rows here have one."""
        none_missing = rows.mask is None and "mask" in self.shapes
        return replace(rows, mask=torch.ones_like(rows.x, dtype=torch.bool)) if none_missing else rows

    def add(self, rows: Rows) -> None:
        """Append rows."""
        self.n += len(rows)
        for name, file in self._files.items():
            file.write(getattr(rows, name).contiguous().numpy().data)

    def finish(self) -> StoredRows:
        """All rows that were added."""
        for file in self._files.values():
            file.close()
        assert os.path.getsize(self.folder / "x") == 4 * self.n * math.prod(self.shapes["x"])
        return StoredRows(self.folder, self.n, self.shapes, self.keep)
