"""Output of results: tables and pictures to files by their suffix, or CSV to stdout; never partial files."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from latente.cli.failures import Misused
from latente.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa

    from latente.data import Images, Table
    from latente.estimator import VAE

STDOUT = "-"
FOLDER = "a folder of PNG"


@dataclass(frozen=True)
class Destination:
    """Destination of a result, checked before anything is computed.

    Attributes:
        path: None is stdout.
        suffix: type of the file, such as ``.csv.gz``; empty for a folder of pictures.
    """

    path: Path | None
    suffix: str

    @classmethod
    def of(cls, out: str) -> Destination:
        """The destination of ``-o``.

        Raises:
            Misused: the suffix is unknown.
            StorageError: it is not writable.
        """
        if out == STDOUT:
            return cls(None, ".csv")
        path, name = Path(out), Path(out).name.lower()
        suffix = next((known for known in WRITERS if name.endswith(known) and name != known), "")
        if path.suffix and not suffix:
            raise Misused(f"-o {out}: unknown type of file; known are {', '.join(WRITERS)}, and a folder for pictures")
        refuse_unwritable(path, folder=not suffix)
        return cls(path, suffix)

    def for_pictures(self, codec: Any, text: bool = False) -> Destination:
        """Itself, if pictures of a codec can be written there."""
        channels = codec.shape[0]
        if self.suffix not in ("", ".npy", ".npz"):
            what = "stdout" if self.path is None else self.path
            raise Misused(f"-o {what}: the result is pictures; use {FOLDER}, or a file ending in .npz or .npy")
        if not self.suffix and channels not in (1, 3, 4):
            raise Misused(f"-o {self.path}: PNG has 1, 3 or 4 channels, and these pictures have {channels}; use .npz or .npy")
        return self

    def for_table(self, codec: Any, text: bool = False) -> Destination:
        """Itself, if a table (with columns of text) can be written there."""
        if not self.suffix or (text and self.suffix == ".npy"):
            kinds = ", ".join(kind for kind in WRITERS if not (text and kind == ".npy"))
            raise Misused(f"-o {self.path}: the result is a table; use a file ending in {kinds}")
        return self

    def beside(self, marks: Sequence[str]) -> list[Destination]:
        """Destinations with a mark before the suffix: whole.csv, whole-1.csv, whole-2.csv.

        Raises:
            Misused: this one is stdout, which can't have several tables.
            StorageError: one is not writable.
        """
        if self.path is None:
            raise Misused("there are several tables: use -o with a file, beside which the others are written")
        stem = self.path.name[: len(self.path.name) - len(self.suffix)]
        return [Destination.of(str(self.path.with_name(f"{stem}-{mark}{self.suffix}"))) for mark in marks]

    def write(self, result: pa.Table | Any, model: VAE | None = None, source: Table | Images | None = None) -> None:
        """Write a table, or pictures of a model; rows like those of a text file are written in its format, and observed values
        as they are in the ``source``.
        """
        written = _as_text(model, source) if self.suffix in TEXTS else None
        if written is not None:
            self._write_with(lambda table, file: written(table, file, self.suffix), result)
        elif self.path is None:
            write_csv(result, sys.stdout.buffer)
        elif not self.suffix:
            from latente.folders import write_folder

            write_folder(png_files(result, model), self.path)
        else:
            self._write_with(WRITERS[self.suffix], result)

    @property
    def takes_pieces(self) -> bool:
        """Whether a table can be written there a few rows at a time."""
        return self.path is not None and self.suffix in (".parquet", *TEXTS)

    def write_all(self, tables: Iterable[pa.Table], model: VAE | None = None) -> int:
        """Write tables with the same columns, one after the other; returns the number of rows.

        Args:
            tables: at least one.
            model: of rows that are written in the format of its text file; None for other tables.
        """
        counted: list[int] = []

        def noted() -> Iterator[pa.Table]:
            for table in tables:
                counted.append(len(table))
                yield table

        write = _write_groups if self.suffix == ".parquet" else partial(_write_texts, suffix=self.suffix, model=model)
        self._write_with(write, noted())
        return sum(counted)

    def _write_with(self, write: Callable[[Any, BinaryIO], None], result: Any) -> None:
        from latente.files import write_atomically

        if self.path is None:
            write(result, sys.stdout.buffer)
        else:
            write_atomically(self.path, lambda file: write(result, file))


def refuse_unwritable(path: Path, folder: bool) -> None:
    """Raise StorageError if a file (or a new or empty folder) can't be created; creates nothing."""
    if folder and path.is_dir() and any(path.iterdir()):
        raise StorageError(f"{path} is a folder that is not empty; name a new one for the pictures")
    if path.exists() and path.is_dir() != folder:
        raise StorageError(f"can't write {path}: it is a {'file' if folder else 'folder'}")
    parent = next(parent for parent in path.absolute().parents if parent.exists())
    if not parent.is_dir():
        raise StorageError(f"can't write {path}: {parent} is a file, not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StorageError(f"can't write {path}: the folder {parent} is not writable")


def refuse_own_input(outputs: Iterable[Path | None], inputs: Iterable[str], force: bool | None = None) -> None:
    """Raise Misused if an output file, or stdout, is also an input, under any name or link.

    Args:
        outputs: destinations; None is stdout.
        inputs: sources: files and arrays in them, folders with their contents, SQL with the files that it names.
        force: skip the check; None for commands without this option.
    """
    written = [(out, found) for out in outputs if (found := _identity(sys.stdout if out is None else out))]
    if force or not written:
        return
    read = {found for source in inputs for file in files_of(source) if (found := _identity(file))}
    for out, identity in written:
        if identity in read:
            remedy = "name another with -o" + ("" if force is None else ", or add --force")
            raise Misused(f"{out or 'stdout'} is also an input, and would be overwritten: {remedy}")


def files_of(source: str) -> Iterator[str]:
    """Paths that a data source or a run may consist of.

    >>> list(files_of("from 'a.csv' join 'b.csv'")), list(files_of("a.npz:x"))
    (['a.csv', 'b.csv'], ['a.npz:x', 'a.npz'])
    """
    from latente.data.sql import is_sql

    if is_sql(source):
        for name in re.findall(r"'([^']*)'|\"([^\"]*)\"", source):
            yield from glob.glob("".join(name), recursive=True) or ["".join(name)]
        return
    yield from (source, re.sub(r":[^:/]+$", "", source))
    if os.path.isdir(source):
        yield from (os.path.join(source, name) for name in os.listdir(source))


def _identity(file: Any) -> tuple[int, int] | None:
    """Device and inode of a regular file; None for others."""
    try:
        found = os.fstat(file.fileno()) if hasattr(file, "fileno") else os.stat(file)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


# -------------------------------------------------------------------------------------------------------------- tables


def as_table(result: Any, names: Sequence[str]) -> pa.Table:
    """A frame of any kind, or an array ``[N, F]`` with the names of its columns, as a PyArrow table."""
    import narwhals as nw
    import numpy as np
    import pyarrow as pa

    if isinstance(result, np.ndarray):
        return pa.table({name: pa.array(column, from_pandas=True) for name, column in zip(names, result.T, strict=True)})
    return nw.from_native(result, eager_only=True).to_arrow()


def _as_text(model: VAE | None, source: Table | Images | None) -> Callable[..., None] | None:
    """A function that writes rows of a model as text, with or without a header; None if its data was not text."""
    codec: Any = model.codec_ if model is not None else None
    text = getattr(source, "text", None)
    layout = text.layout if text is not None else getattr(codec, "file_layout", None)
    if layout is None:
        return None
    from latente.data.text import for_suffix, write_text_table

    def write(table: Any, file: BinaryIO, suffix: str, header: bool = True) -> None:
        own = layout if header else replace(layout, header=False, above="")
        plain = partial(write_text_table, layout=for_suffix(own, suffix), notations=codec.known_notations, source=text)
        (_zipped(plain) if suffix.endswith(".gz") else plain)(table, file)

    return write


def _write_groups(tables: Iterator[pa.Table], file: BinaryIO) -> None:
    """Tables as row groups of one Parquet file."""
    from pyarrow.parquet import ParquetWriter

    first = next(tables)
    with ParquetWriter(file, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table, max(1, len(table)))


def _write_texts(tables: Iterator[pa.Table], file: BinaryIO, suffix: str, model: VAE | None) -> None:
    """Tables as one text file."""
    written = _as_text(model, None) or (lambda table, file, suffix, header: write_csv(table, file, _mark(suffix), header))
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) if suffix.endswith(".gz") else nullcontext(file) as opened:
        for number, table in enumerate(tables):
            written(table, opened, suffix.removesuffix(".gz"), number == 0)


def _mark(suffix: str) -> str:
    return "\t" if suffix.startswith(".tsv") else ","


def write_csv(table: pa.Table, file: BinaryIO, delimiter: str = ",", header: bool = True) -> None:
    """UTF-8, names in the first line, quotes where needed, empty missing values."""
    from pyarrow.csv import WriteOptions
    from pyarrow.csv import write_csv as write

    if header:
        names = io.StringIO()
        csv.writer(names, delimiter=delimiter, lineterminator="\n").writerow(table.column_names)
        file.write(names.getvalue().encode())
    table = table.combine_chunks()  # Arrow writes zero bytes where chunks of columns begin at different rows
    write(table, file, WriteOptions(include_header=False, delimiter=delimiter, quoting_style="needed"))


def _write_tsv(table: pa.Table, file: BinaryIO) -> None:
    write_csv(table, file, "\t")


def _zipped(write: Callable[[Any, Any], None]) -> Callable[[Any, BinaryIO], None]:
    """The same with gzip; deterministic."""

    def write_zipped(table: pa.Table, file: BinaryIO) -> None:
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as archive:
            write(table, archive)

    return write_zipped


def _write_parquet(table: pa.Table, file: BinaryIO) -> None:
    from pyarrow.parquet import write_table

    write_table(table, file)


def _columns(table: pa.Table) -> list[Any]:
    """Each column as an array that holds no Python objects."""
    import numpy as np

    columns = [np.asarray(column.to_numpy(zero_copy_only=False)) for column in table.itercolumns()]
    return [column.astype(str) if column.dtype == object else column for column in columns]


def _write_npy(result: Any, file: BinaryIO) -> None:
    import numpy as np

    array = result if isinstance(result, np.ndarray) else np.column_stack(_columns(result))
    np.save(file, array, allow_pickle=False)


def _write_npz(result: Any, file: BinaryIO) -> None:
    """Numbers as one array ``x``, with the names of its columns; a table with text as one array per column."""
    import numpy as np

    if isinstance(result, np.ndarray):
        return np.savez_compressed(file, x=result)
    columns = _columns(result)
    if any(column.dtype.kind == "U" for column in columns):
        return np.savez_compressed(file, **dict(zip(result.column_names, columns, strict=True)))
    return np.savez_compressed(file, x=np.column_stack(columns), columns=np.array(result.column_names))


TEXTS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
WRITERS: dict[str, Callable[[Any, BinaryIO], None]] = {
    ".csv": write_csv,
    ".csv.gz": _zipped(write_csv),
    ".tsv": _write_tsv,
    ".tsv.gz": _zipped(_write_tsv),
    ".parquet": _write_parquet,
    ".npz": _write_npz,
    ".npy": _write_npy,
}


# ------------------------------------------------------------------------------------------------------------ pictures


def png_files(pictures: Any, model: VAE | None) -> Iterator[tuple[str, bytes]]:
    """Pictures in the layout and units of a model as PNG files: name and content of each, in the order of their names."""
    import numpy as np
    from PIL import Image

    from latente.data.sources import to_channels_first

    codec: Any = model.codec_ if model else None
    pixels, width = np.moveaxis(to_channels_first(pictures, codec.layout), 1, -1), len(str(len(pictures) - 1))
    for number, picture in enumerate(pixels):
        if picture.dtype != np.uint8:
            picture = np.rint(255 * ((picture.astype(float) - codec.low) / (codec.high - codec.low)).clip(0, 1)).astype(
                np.uint8
            )
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)).save(buffer, "PNG")
        yield f"{number:0{width}}.png", buffer.getvalue()
