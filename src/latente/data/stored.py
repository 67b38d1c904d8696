"""Encoded rows on disc, read a window at a time, for data that do not fit into memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
VALUES, MASK = "x.f32", "mask.u8"


class StoredRows(Rows):
    """Encoded rows in files, with the methods of :class:`Rows`.

    An epoch reads runs of neighbouring rows in a random order, several of them at a time (a window), and shuffles the rows of
    each window. Rows that fit into one window are shuffled as rows in memory are. ``x`` and ``mask`` read all rows.

    Args:
        folder: of the files.
        n: number of rows. fields: of each. masked: whether values are missing.
        keep: what must live as long as the files.
    """

    def __init__(self, folder: Path, n: int, fields: int, masked: bool, keep: Any = None) -> None:
        self.__dict__.update(folder=folder, n=n, fields=fields, masked=masked, keep=keep)

    folder: Path
    n: int
    fields: int
    masked: bool

    @property
    def x(self) -> Tensor:
        """All values, [N, F]."""
        return self._between((0, self.n)).x

    @property
    def mask(self) -> Tensor | None:
        """Where values are observed, bool [N, F]; None if all are."""
        return self._between((0, self.n)).mask

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: Tensor | slice) -> Rows:
        if isinstance(index, slice):
            start, stop, _ = index.indices(self.n)
            return self._between((start, max(start, stop)))
        places = (torch.nonzero(index).squeeze(1) if index.dtype == torch.bool else index).numpy()
        order = np.argsort(places, kind="stable")
        back = torch.from_numpy(np.argsort(order, kind="stable"))
        x = torch.from_numpy(self._rows_at(VALUES, np.dtype(np.float32), places[order]))
        mask = torch.from_numpy(self._rows_at(MASK, np.dtype(bool), places[order]))[back] if self.masked else None
        return Rows(x[back], mask)

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
        return self.fields * (5 if self.masked else 4)

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

    def _of_runs(self, name: str, dtype: np.dtype[Any], runs: Sequence[tuple[int, int]]) -> Tensor:
        found, place = np.empty((sum(stop - start for start, stop in runs), self.fields), dtype), 0
        with open(self.folder / name, "rb", buffering=0) as file:
            for start, stop in runs:
                file.seek(start * self.fields * dtype.itemsize)
                _fill(file, found[place : place + stop - start])
                place += stop - start
        return torch.from_numpy(found)

    def _between(self, *runs: tuple[int, int]) -> Rows:
        x = self._of_runs(VALUES, np.dtype(np.float32), runs)
        return Rows(x, self._of_runs(MASK, np.dtype(bool), runs) if self.masked else None)

    def _rows_at(self, name: str, dtype: np.dtype[Any], places: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Rows by their numbers, in rising order."""
        found = np.empty((len(places), self.fields), dtype)
        size = self.fields * dtype.itemsize
        with open(self.folder / name, "rb", buffering=0) as file:
            for row, place in zip(found, places.tolist(), strict=True):
                file.seek(place * size)
                _fill(file, row)
        return found


def _fill(file: Any, values: np.ndarray[Any, Any]) -> None:
    """Read an array; one call of the system need not read all of it."""
    left = memoryview(values.reshape(-1).view(np.uint8).data)
    while left:
        read = file.readinto(left)
        if not read:
            raise DataError("the encoded rows on disc are incomplete: is the temporary folder full?")
        left = left[read:]


class RowWriter:
    """Writes encoded rows to a temporary folder.

    Args:
        n: about how many rows will come. fields: of each. masked: whether values may be missing.

    Raises:
        DataError: there is no room for them.
    """

    def __init__(self, n: int, fields: int, masked: bool) -> None:
        self.keep = TemporaryFolder()
        self.folder, self.fields, self.masked, self.n = self.keep.path, fields, masked, 0
        needed, free = n * fields * (5 if masked else 4), shutil.disk_usage(self.folder).free
        if needed > free:
            told = f"{needed / 2**30:.1f} GiB are needed for encoded rows, and {self.folder.parent} has {free / 2**30:.1f} GiB"
            raise DataError(f"{told}: set TMPDIR to a folder with more room")

    @cached_property
    def _files(self) -> list[Any]:
        return [open(self.folder / name, "wb") for name in (VALUES, *([MASK] if self.masked else []))]

    def masked_alike(self, rows: Rows) -> Rows:
        """Rows with a mask, if rows here have one."""
        none_missing = rows.mask is None and self.masked
        return Rows(rows.x, torch.ones_like(rows.x, dtype=torch.bool)) if none_missing else rows

    def add(self, rows: Rows) -> None:
        """Append rows."""
        self.n += len(rows)
        for file, values in zip(self._files, (rows.x, rows.mask), strict=False):
            assert values is not None
            file.write(values.contiguous().numpy().data)

    def finish(self) -> StoredRows:
        """All rows that were added."""
        for file in self._files:
            file.close()
        assert os.path.getsize(self.folder / VALUES) == 4 * self.n * self.fields
        return StoredRows(self.folder, self.n, self.fields, self.masked, self.keep)
