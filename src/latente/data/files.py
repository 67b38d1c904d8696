"""Reading of files, with PyArrow (text, Parquet, Feather, JSON), NumPy, Pillow and openpyxl.

Readers return an array or a PyArrow table, whose content is checked in :mod:`latente.data.sources`.
"""

from __future__ import annotations

import datetime
import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from latente.data.containers import Array
from latente.data.text import FOUND, Notation, Reading, TextTable, read_rows, read_text
from latente.errors import DataError

NPZ_KEYS = ("x", "X", "x_train", "data", "arr_0", "train")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
DEEP_MODES = ("I", "I;16", "I;16B", "F")  # Pillow's modes of more than 8 bits

LIKE_SQL = re.compile(r"[\s(]*(select|with|from|values|table|pivot|unpivot|describe|summarize|show)[\s('\"]", re.IGNORECASE)
_MEMBER = re.compile(r"(.+\.(?:npz|xlsx)):([^:]+)", re.IGNORECASE)


def quoted(names: Iterable[str]) -> str:
    """Names for a sentence: 'a', 'b'."""
    return ", ".join(map(repr, names))


def refuse_repeated(names: Iterable[Any]) -> None:
    """Raise DataError if two columns have the same name."""
    repeated = [str(name) for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"more than one column is called {quoted(repeated)}: rename or drop them, names must differ")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Context in which all errors become one sentence that names the file."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{what}: {error}") from error
    except Exception as error:  # DuckDB, Arrow, NumPy, zipfile, zlib and Pillow share no class of errors
        raise DataError(f"{what} can't be read: {_first_sentence(error)}") from error


def _first_sentence(error: Exception) -> str:
    text = re.split(r"\n\n|\n(?:Possible|The search space|LINE)", str(error))[0]
    return re.sub(r"^[A-Z][A-Za-z ]+ Error: ", "", " ".join(text.split()))[:300] or type(error).__name__


def load(
    path: str, asked: Reading = FOUND, texts: Collection[str] = (), known: Mapping[str, Notation] = MappingProxyType({})
) -> Any:
    """The array, PyArrow table or text table in a file, or the pictures of a folder ``[N, H, W]`` or ``[N, H, W, 3]``,
    or the rows of all its text files.

    Args:
        path: of the file or folder; ``file.npz:name`` is one array of several, ``file.xlsx:name`` one sheet.
        asked: how to read a text file, instead of detecting it.
        texts: names of columns that are text, whatever a text file seems to contain: a later file may contain only dates, or
            true and false, in a column that was text in the fit.
        known: how columns were written in the file of the fit.

    Raises:
        DataError: if the file is missing, empty, of an unknown kind, or can't be read.
    """
    member = None if os.path.exists(path) else _MEMBER.fullmatch(path)
    file, key = (Path(member[1]), member[2]) if member else (Path(path), None)
    if not path:
        raise DataError("the path of the data is empty: name a file, or '.' for the files of this folder")
    if not os.path.exists(file):
        hint = "; if this is SQL: name its files in quotes, such as from 'wine.csv'" if LIKE_SQL.match(path) else ""
        raise DataError(_no_such_file(file) + hint)
    with reading(str(file)):
        if file.is_dir():
            return _folder(file, asked, texts, known)
        if not file.stat().st_size:
            raise DataError("the file is empty")
        kind = kind_of(file)
        if kind in TEXT_FILES:
            return read_text(file, asked, texts, known)
        if kind == ".xlsx":
            return _excel(file, key, asked, texts, known)
        return npz_array(file, key) if key else READERS[kind](file)


def _no_such_file(file: Path) -> str:
    if not file.parent.is_dir():
        return f"there is no file {str(file)!r}, nor a folder {str(file.parent)!r}"
    near = difflib.get_close_matches(file.name, os.listdir(file.parent), n=3)
    return f"there is no file {str(file)!r}" + (f"; did you mean {quoted(near)}?" if near else "")


def kind_of(file: Path) -> str:
    """The suffix by which a file is read."""
    for suffix in (*TEXT_FILES, *READERS, ".xlsx"):
        if file.name.lower().endswith(suffix):
            return suffix
    raise DataError(f"unknown type of file; known are {', '.join(KINDS)} and folders of pictures")


def _parquet(file: Path) -> Any:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(file).read()


def _parquet_folder(folder: Path) -> Any:
    """The rows of all Parquet files of a folder, in the order of their names."""
    import pyarrow as pa

    tables = [_parquet(file) for file in sorted(folder.glob("*.parquet"))]
    return pa.concat_tables(tables, promote_options="permissive")


def _refuse_mixed(tables: Sequence[Any], files: Sequence[Path]) -> None:
    """Raise DataError if a column is numbers or dates in one file and text in another."""
    import pyarrow as pa

    first: dict[str, tuple[Any, str]] = {}
    for table, file in zip(tables, files, strict=True):
        for field in table.schema:
            kind, where = first.setdefault(field.name, (field.type, file.name))
            try:
                pa.unify_schemas([pa.schema([(field.name, kind)]), pa.schema([field])], promote_options="permissive")
            except pa.ArrowTypeError as error:
                raise DataError(
                    f"column {field.name!r} has other values in {file.name!r} ({field.type}) than in {where!r} ({kind}): "
                    "write the column in the same way in all files, or move one of them apart"
                ) from error


def _folder(folder: Path, asked: Reading, texts: Collection[str], known: Mapping[str, Notation]) -> Any:
    """The rows of Parquet files, pictures in shards, pictures, or the rows of text files, whichever there are first."""
    inside = sorted(folder.iterdir())
    tables = [file for file in inside if file.name.lower().endswith(TEXT_FILES)]
    if any(file.suffix == ".parquet" for file in inside):
        return _parquet_folder(folder)
    if shards := shard_files(folder):
        return _shards(shards)
    shown = not tables or any(file.suffix.lower() in PICTURES for file in inside)
    return _picture_folder(folder) if shown else _text_folder(tables, asked, texts, known)


def _text_folder(files: Sequence[Path], asked: Reading, texts: Collection[str], known: Mapping[str, Notation]) -> Any:
    """The rows of text files, in the order of their names; of several, a column ``file`` has their names."""
    import pyarrow as pa

    tables = []
    for file in files:
        table = read_text(file, asked, texts, known).table
        named = len(files) > 1 and FILE not in table.column_names
        names = pa.array([_without_ending(file.name)] * len(table), pa.string())
        tables.append(table.add_column(0, FILE, names) if named else table)
    _refuse_mixed(tables, files)
    return pa.concat_tables(tables, promote_options="permissive")


def _without_ending(name: str) -> str:
    """The name of a text file: 'a.b' of 'a.b.csv.gz'."""
    return next(name[: -len(ending)] for ending in sorted(TEXT_FILES, key=len, reverse=True) if name.lower().endswith(ending))


def _feather(file: Path) -> Any:
    from pyarrow.feather import read_table

    return read_table(file)


def _json(file: Path) -> Any:
    """Records: one object per line, or a list of them."""
    import pyarrow as pa
    from pyarrow import json as arrow

    text = file.read_text(encoding="utf-8")
    if not text.lstrip().startswith("["):
        return arrow.read_json(file)
    try:
        records = json.loads(text)
        return pa.Table.from_pylist([dict.fromkeys(_names(records)) | record for record in records])
    except (ValueError, TypeError, pa.ArrowInvalid) as error:
        raise DataError(f'it is no list of records such as [{{"a": 1}}]: {_first_sentence(error)}') from error


def _names(records: list[dict[str, Any]]) -> list[str]:
    """Names of all fields of some record, in the order of their first occurrence."""
    return list(dict.fromkeys(name for record in records for name in record))


def _excel(file: Path, sheet: str | None, asked: Reading, texts: Collection[str], known: Mapping[str, Notation]) -> TextTable:
    """A sheet of a workbook, by default the first, read like a text file, with titles, totals and notations."""
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError as error:
        raise DataError("reading .xlsx needs openpyxl: pip install 'latente[excel]', or save the sheet as CSV") from error
    with closing(load_workbook(file, read_only=True, data_only=True)) as book:
        names = book.sheetnames
        if sheet is not None and sheet not in names:
            raise DataError(f"it has the sheets {quoted(names)}: name one of them, as in '{file.name}:{names[0]}'")
        chosen = book[sheet] if sheet else book.worksheets[0]
        rows = [list(map(_as_text, row)) for row in chosen.iter_rows(values_only=True)]
    return read_rows(rows, asked, texts, known)


def _as_text(value: Any) -> str:
    """The content of a spreadsheet's entry as text."""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return "" if value is None else str(value)


def _npy(file: Path) -> Array:
    with _no_pickle():
        return np.asarray(np.load(file, allow_pickle=False))


def npz_array(file: Path, key: str | None = None) -> Array:
    """One array of an ``.npz`` file: the named one, the only one, or the one with a usual name."""
    with _no_pickle(), np.load(file, allow_pickle=False) as archive:
        keys = archive.files
        chosen = key or next((name for name in (*NPZ_KEYS, *keys[: len(keys) == 1]) if name in keys), None)
        if chosen not in keys:
            raise DataError(f"it holds the arrays {quoted(keys)}: name one of them, as in '{file.name}:{(keys or ['x'])[0]}'")
        return np.asarray(archive[chosen])


@contextmanager
def _no_pickle() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        hint = "pickled objects are never loaded, because they can run code; save the numbers as a plain numeric array"
        raise DataError(f"it is not a NumPy file of plain numbers: {hint}") from error


def shard_files(path: Path) -> tuple[Path, ...]:
    """The files of a folder of pictures in shards, ``.npz`` or ``.tar`` (WebDataset), or one ``.tar``; () for other paths."""
    if not os.path.isdir(path):
        return (path,) if path.suffix.lower() == ".tar" and os.path.isfile(path) else ()
    found = [tuple(sorted(path.glob(f"*{suffix}"))) for suffix in (".npz", ".tar")]
    return next(filter(None, found), ())


def _shards(files: tuple[Path, ...]) -> Array:
    """All pictures of some shards."""
    from latente.data.album import Album
    from latente.data.sources import from_channels_first

    parts = list(Album(files).parts())
    if not parts:
        raise DataError(f"there is no picture in {quoted(file.name for file in files)}")
    return np.concatenate([from_channels_first(part.pixels, part.layout) for part in parts])


def _picture_folder(folder: Path) -> Array:
    """uint8 ``[N, H, W]`` or ``[N, H, W, 3]``, in the order of the files' names; grey pictures of more bits keep these."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES)
    if not files:
        tables = ", ".join((".parquet", *TEXT_FILES))
        raise DataError(f"there is no picture directly in this folder ({', '.join(PICTURES)}), and no table ({tables})")
    mode = common_mode([(file.name, _head(file)) for file in files])
    first = _pixels(files[0], mode)
    pixels = np.empty((len(files), *first.shape), first.dtype)
    for row, file in enumerate(files):
        pixels[row] = _pixels(file, mode)
    return pixels


def common_mode(heads: Sequence[tuple[str, tuple[tuple[int, int], str]]]) -> str:
    """The mode in which pictures are read, by the name, size and mode of each: grey if all are, else RGB.

    Raises:
        DataError: their sizes differ, or some have more than 8 bits.
    """
    first, (size, mode) = heads[0]
    deep = mode in DEEP_MODES
    for name, head in heads:
        if head[0] != size or (head[1] in DEEP_MODES) != deep:
            raise DataError(f"pictures must be alike: {name!r} is {_words(head)}, {first!r} is {_words((size, mode))}")
    return mode if deep else "L" if {mode for _, (_, mode) in heads} <= {"1", "L", "LA"} else "RGB"


def _words(head: tuple[tuple[int, int], str]) -> str:
    return f"{head[0][0]} x {head[0][1]} pixels of mode {head[1]}"


def _head(file: Path) -> tuple[tuple[int, int], str]:
    from PIL import Image

    with reading(repr(file.name)), Image.open(file) as picture:
        return picture.size, picture.mode


def _pixels(file: Path, mode: str) -> Array:
    from PIL import Image

    with reading(repr(file.name)), Image.open(file) as picture:
        return np.asarray(picture.convert(mode))


FILE = "file"  # column with the names of several text files
TEXT_FILES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
READERS: dict[str, Callable[[Path], Any]] = {
    ".parquet": _parquet,
    ".feather": _feather,
    ".json": _json,
    ".jsonl": _json,
    ".ndjson": _json,
    ".npy": _npy,
    ".npz": npz_array,
    ".tar": lambda file: _shards((file,)),
}
KINDS = (*TEXT_FILES, ".xlsx", *READERS)
