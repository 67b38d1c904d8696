"""Pictures in shards: folders of ``.npz`` files and of WebDataset's ``.tar`` files, read a few pictures at a time."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from latente.data import sql
from latente.data.containers import Array
from latente.data.fields import observed_rows
from latente.data.files import PICTURES, common_mode, npz_array, reading, shard_files
from latente.data.image import ImageCodec
from latente.data.sources import Images, read
from latente.data.stored import RowWriter, StoredRows, store
from latente.errors import DataError
from latente.rows import Rows

VALUES_AT_ONCE = 16_000_000  # pixels that are in memory


@dataclass(frozen=True, eq=False)
class Album:
    """Pictures in shard files, in the order of the files' names.

    Attributes:
        files: all of one kind.
    """

    files: tuple[Path, ...]

    @cached_property
    def counts(self) -> list[int]:
        """Pictures in each file."""
        return [sum(map(len, self._arrays(file))) for file in self.files]

    def __len__(self) -> int:
        return sum(self.counts)

    @cached_property
    def nbytes(self) -> int:
        """About how many bytes the pictures take in memory, as numbers of 32 bits."""
        first = next(self.parts(), None)
        return 0 if first is None else 4 * len(self) * first.pixels[:1].size

    def parts(self) -> Iterator[Images]:
        """All pictures, a few at a time.

        Raises:
            DataError: a file can't be read, or pictures differ in size, type or layout.
        """
        first = None
        for file in self.files:
            for array in self._arrays(file):
                found = read(array)
                if not isinstance(found, Images):
                    raise DataError(f"{file}: it holds a table, not pictures")
                first = first or found
                alike = [(each.pixels.shape[1:], each.dtype, each.layout) for each in (first, found)]
                if alike[0] != alike[1]:
                    raise DataError(
                        f"pictures must be alike: {file.name!r} has {alike[1][1]} {alike[1][0]}, {alike[0][0]} before"
                    )
                yield found

    def _arrays(self, file: Path) -> Iterator[Array]:
        if file.suffix.lower() == ".npz":
            with reading(str(file)):
                array = npz_array(file)
            size = max(1, VALUES_AT_ONCE // max(1, array[:1].size))
            yield from (array[start : start + size] for start in range(0, len(array), size))
        else:
            yield from _of_tar(file, self._mode)

    @cached_property
    def _mode(self) -> str:
        """Of the pictures in archives: grey if all are."""
        heads = [each for file in self.files for each in _heads(file)]
        return common_mode(heads) if heads else "L"

    def take(self, rows: Sequence[int] | Array) -> Images:
        """Some pictures by their numbers, which must rise."""
        wanted, start, found = np.asarray(rows), 0, []
        for part in self.parts():
            low, high = np.searchsorted(wanted, (start, start + len(part)))
            found += [part.take(wanted[low:high] - start)]
            start += len(part)
        first = found[0]
        return Images(np.concatenate([part.pixels for part in found]), first.layout, first.container)

    def encoded(self, codec: ImageCodec) -> Iterator[Rows]:
        """All pictures, encoded, a few at a time."""
        return map(codec.encode, self.parts())

    def observed(self, codec: ImageCodec) -> Array:
        """Which pictures have an observed pixel, bool [N]."""
        return np.concatenate([observed_rows(rows).numpy() for rows in self.encoded(codec)])

    def stored(self, codec: ImageCodec, learnt: Array, held: Array) -> tuple[StoredRows, Rows | None]:
        """Encoded pictures on disc and in memory; see :meth:`latente.data.Census.stored`."""
        masked = any(rows.mask is not None for rows in self.encoded(codec))
        shapes = {"x": codec.shape, **({"mask": codec.shape} if masked else {})}
        return store(self.encoded(codec), RowWriter(int(learnt.sum()), shapes), learnt, held)


def album_of(source: Any) -> Album | None:
    """The pictures of a folder of shards, or of one ``.tar`` file; None for other sources."""
    if not isinstance(source, (str, os.PathLike)) or source == "" or sql.is_sql(source):
        return None
    files = shard_files(Path(source))
    return Album(files) if files else None


def large_album(source: Any) -> Album | None:
    """The same where the pictures do not fit into memory."""
    found = album_of(source)
    return found if found is not None and found.nbytes > sql.max_bytes() else None


def _members(file: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the pictures in an archive."""
    with reading(str(file)), tarfile.open(file, "r|*") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None and member.name.lower().endswith(PICTURES):
                yield member.name, content.read()


def _heads(file: Path) -> Iterator[tuple[str, tuple[tuple[int, int], str]]]:
    from PIL import Image

    for name, content in _members(file):
        with reading(f"{file.name}: {name}"), Image.open(io.BytesIO(content)) as picture:
            yield f"{file.name}: {name}", (picture.size, picture.mode)


def _of_tar(file: Path, mode: str) -> Iterator[Array]:
    from PIL import Image

    kept: list[Array] = []
    for name, content in _members(file):
        with reading(f"{file.name}: {name}"), Image.open(io.BytesIO(content)) as picture:
            kept.append(np.asarray(picture.convert(mode)))
        if len(kept) * kept[0].size >= VALUES_AT_ONCE:
            yield np.stack(kept)
            kept = []
    if kept:
        yield np.stack(kept)
