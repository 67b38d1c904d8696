"""Files and SQL, read by those who know how: DuckDB (text, SQL), PyArrow (Parquet), NumPy and Pillow.

Each reader gives an array or a PyArrow table; what is in it is judged in :mod:`latente.data.sources`.
"""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from latente.data.containers import Array
from latente.errors import DataError

MISSING = ("", "?", "NA", "N/A", "n/a", "<NA>", "nan", "NaN", "NAN", "NULL", "null", "None")
NPZ_KEYS = ("x", "X", "x_train", "data", "arr_0", "train")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
DEEP_MODES = ("I", "I;16", "I;16B", "F")  # Pillow's modes of more than 8 bits

_SQL = re.compile(r"[\s(]*(select|with|from|values|table|pivot|unpivot|describe|summarize|show)[\s('\"]", re.IGNORECASE)
_ZERO_IN_FRONT = "^ *[+-]?0[0-9]+ *$|^ *[+-]?0[xX][0-9a-fA-F]"
_DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y")
_LIKE_A_DATE = "^ *([0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})([ T][0-9:]+)? *$"
_NPZ_MEMBER = re.compile(r"(.+\.npz):([^:]+)", re.IGNORECASE)


def is_sql(text: str) -> bool:
    """Whether a text is a query for DuckDB: it begins like one, and neither is nor looks like the name of a file."""
    return bool(_SQL.match(text)) and not text.lower().endswith(tuple(READERS)) and not os.path.exists(text)


def quoted(names: Iterable[str]) -> str:
    """Names for a sentence: 'a', 'b'."""
    return ", ".join(map(repr, names))


def refuse_repeated(names: Iterable[Any]) -> None:
    """Raise DataError if two columns have the same name."""
    repeated = [str(name) for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"more than one column is called {quoted(repeated)}: rename or drop them, names must differ")


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Whatever goes wrong while reading is told in one sentence that names the file."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{what}: {error}") from error
    except Exception as error:  # DuckDB, Arrow, NumPy, zipfile, zlib and Pillow share no class of errors
        raise DataError(f"{what} can't be read: {_first_sentence(error)}") from error


def _first_sentence(error: Exception) -> str:
    text = re.split(r"\n\n|\n(?:Possible|The search space|LINE)", str(error))[0]
    return re.sub(r"^[A-Z][A-Za-z ]+ Error: ", "", " ".join(text.split()))[:300] or type(error).__name__


def load(path: str, texts: Collection[str] = ()) -> Any:
    """The array or PyArrow table in a file, or the pictures of a folder ``[N, H, W]`` or ``[N, H, W, 3]``.

    Args:
        path: of the file or folder; ``file.npz:name`` is one array of several.
        texts: names of columns that are text, whatever a text file seems to hold there: what was read as text in a fit may be
            nothing but dates, or true and false, in a file that comes later.

    Raises:
        DataError: if the file is missing, empty, of an unknown kind, or can't be read.
    """
    member = None if os.path.exists(path) else _NPZ_MEMBER.fullmatch(path)
    file, key = (Path(member[1]), member[2]) if member else (Path(path), None)
    if not file.exists():
        raise DataError(_no_such_file(file))
    with _reading(str(file)):
        if file.is_dir():
            return _picture_folder(file)
        if not file.stat().st_size:
            raise DataError("the file is empty")
        return _npz(file, key) if key else _reader(file, texts)(file)


def _no_such_file(file: Path) -> str:
    if not file.parent.is_dir():
        return f"there is no file {str(file)!r}, nor a folder {str(file.parent)!r}"
    near = difflib.get_close_matches(file.name, os.listdir(file.parent), n=3)
    return f"there is no file {str(file)!r}" + (f"; did you mean {quoted(near)}?" if near else "")


def _reader(file: Path, texts: Collection[str]) -> Callable[[Path], Any]:
    for suffix, reader in READERS.items():
        if file.name.lower().endswith(suffix):
            return partial(reader, known=texts) if reader is _text else reader
    raise DataError(f"this kind of file is unknown; known are {', '.join(READERS)} and folders of pictures")


def read_sql(query: str) -> Any:
    """The answer of an in-memory DuckDB to one query, as a PyArrow table.

    Raises:
        DataError: if it is not one query that can be answered.
    """
    with _reading("the SQL query"), _database() as database:
        if len(database.extract_statements(query)) != 1:
            raise DataError("it must be one statement")
        relation = database.sql(query)
        refuse_repeated(relation.columns)
        return relation.to_arrow_table()


def _database() -> Any:
    import duckdb

    return duckdb.connect(config={"python_enable_replacements": False})  # a query sees files, not our variables


def _parquet(file: Path) -> Any:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(file).read()


def _text(file: Path, known: Collection[str] = ()) -> Any:
    """A table of text. What separates columns, whether there is a header and what kind each column is, DuckDB finds out, but
    for those that are ``known`` to be text.
    """
    import duckdb

    with _database() as database:
        try:
            return _sniffed(database, file, "", known)
        except duckdb.ConversionException:  # a column changes its kind further down than the first look went
            return _sniffed(database, file, ", sample_size=-1", known)


def _sniffed(database: Any, file: Path, option: str, known: Collection[str]) -> Any:
    names, kinds = _columns(database, file, option)
    moments = {"DATE", "TIME", "TIMESTAMP", "BOOLEAN"}  # numbers that are levels are told apart by their values
    kinds = ["VARCHAR" if name in known and kind in moments else kind for name, kind in zip(names, kinds, strict=True)]
    kinds = _as_written(database, file, option, kinds)
    # Whole numbers are read as DOUBLE, for DuckDB would silently round a 2.5 that comes after the rows it looked at.
    types = [{"BIGINT": "DOUBLE", "EXACT": "BIGINT"}.get(kind, kind) for kind in kinds]
    relation = database.sql(f"from read_csv({_options(file)}{option}, types=[{_literals(types)}])")
    _refuse_infinite_dates(relation, names, kinds)
    table = relation.project(_unblanked(relation, types)).to_arrow_table().rename_columns(names)
    for index, kind in enumerate(kinds):
        if kind == "BIGINT":
            table = table.set_column(index, names[index], _whole(table.column(index)))
        elif kind in ("TIME", "TIMESTAMP"):
            table = table.set_column(index, names[index], _in_seconds(table.column(index)))
    return table


def _as_written(database: Any, file: Path, option: str, kinds: list[str]) -> list[str]:
    """Kinds of columns, of which those stay text whose values would not come back as they are written: whole numbers with
    zeros in front (007, zip codes) or of too many digits, and yes and no, which are no booleans but to DuckDB. Whole
    numbers that a double can't hold are EXACT.
    """
    texts = ["VARCHAR" if kind in ("BIGINT", "DOUBLE", "BOOLEAN") else kind for kind in kinds]
    relation = database.sql(f"from read_csv({_options(file)}{option}, types=[{_literals(texts)}])")
    asked = [_loses(_column(name), kind) for name, kind in zip(relation.columns, kinds, strict=True)]
    found = relation.aggregate(", ".join(asked)).fetchall()[0]
    return [str(better or kind) for better, kind in zip(found, kinds, strict=True)]


def _loses(column: str, kind: str) -> str:
    """For SQL: as what a column is to be read that would lose by being of its kind; null where it would not."""
    written = f"count({column}) = count(try_cast(trim({column}) as bigint))"
    large = f"max(abs(try_cast(trim({column}) as hugeint))) > {2**53}"
    return {
        "BOOLEAN": f"case when bool_or(lower(trim({column})) not in ('true', 'false')) then 'VARCHAR' end",
        "BIGINT": f"case when {_is_code(column)} then 'VARCHAR' when {large} and {written} then 'EXACT' end",
        "DOUBLE": f"case when {_is_code(column)} then 'VARCHAR' end",
    }.get(kind, f"case when count({column}) < 0 then '' end")


def _is_code(column: str) -> str:
    """For SQL: whether what looks like numbers is none, for it has zeros in front or more digits than a number can hold."""
    digits = f"bool_and(regexp_matches({column}, '^ *[+-]?[0-9]* *$'))"
    long = f"bool_or(length(trim({column})) > 18 and try_cast(trim({column}) as bigint) is null)"
    return f"coalesce(bool_or(regexp_matches({column}, '{_ZERO_IN_FRONT}')) or ({digits} and {long}), false)"


def _columns(database: Any, file: Path, option: str) -> tuple[list[str], list[str]]:
    """Names as the file has them, and kinds. DuckDB alone would rename the second of 'a', 'a' or of 'a', 'A', and drop 'NA'."""
    query = f"select HasHeader, SkipRows, Delimiter, Columns from sniff_csv({_options(file)}{option})"
    header, skip, delimiter, columns = database.sql(query).fetchall()[0]
    kinds, first = [column["type"] for column in columns], [""] * len(columns)
    if header:
        plain = f"{_path(file)}, header=false, all_varchar=true, skip={skip}, delim={_literals([delimiter])}"
        first = database.sql(f"from read_csv({plain}) limit 1").fetchall()[0]
    names = [(name or "").strip() or f"column{index}" for index, name in enumerate(first)]
    if kinds == ["VARCHAR"] and re.search(r"[,;|\t]", names[0]):
        raise DataError(f"its lines hold different numbers of values and can't be split into columns: {names[0]!r}, …")
    refuse_repeated(names)
    return names, kinds


def _refuse_impossible_dates(relation: Any, texts: list[str]) -> None:
    """Raise DataError if a column of text holds dates but for some that look like one and are none, such as 2023-02-30."""
    if not texts:
        return
    dates = [f"try_strptime(trim({column}), [{_literals(_DATES)}])" for column in texts]
    none = [f"{date} is null and regexp_matches({column}, '{_LIKE_A_DATE}')" for column, date in zip(texts, dates, strict=True)]
    pairs = zip(dates, none, strict=True)
    checks = ", ".join(f"count(case when {bad} then 1 end) between 1 and count({date})" for date, bad in pairs)
    for column, bad, wrong in zip(texts, none, relation.aggregate(checks).fetchall()[0], strict=True):
        if wrong:
            numbered = relation.project(f"row_number() over () - 1 as row, trim({column}) as value, {bad} as bad")
            row, value = numbered.filter("bad").project("row, value").limit(1).fetchall()[0]
            name = column[1:-1].replace('""', '"')
            remedy = "correct it, or leave it empty where nothing was recorded"
            raise DataError(f"column {name!r} holds dates, and {value!r} in row {row} (counted from 0) is none: {remedy}")


def _refuse_infinite_dates(relation: Any, names: list[str], kinds: list[str]) -> None:
    """Raise DataError if a column of dates holds "infinity", which DuckDB takes for one."""
    for name, own, kind in zip(names, map(_column, relation.columns), kinds, strict=True):
        if kind in ("DATE", "TIMESTAMP"):
            numbered = relation.project(f"row_number() over () - 1 as row, {own} as value")
            if found := numbered.filter("not isfinite(value)").limit(1).fetchall():
                remedy = "leave it empty where nothing was recorded"
                raise DataError(
                    f"column {name!r} holds dates, and in row {found[0][0]} (counted from 0) one that is infinite: {remedy}"
                )


def _column(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literals(texts: Iterable[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def _path(file: Path) -> str:
    return f"{_literals([glob.escape(str(file))])}, hive_partitioning=false"


def _options(file: Path) -> str:
    missing = _literals([*MISSING, *(" " + text for text in MISSING)])
    kinds = _literals(["BOOLEAN", "BIGINT", "DOUBLE", "DATE", "TIME", "TIMESTAMP", "VARCHAR"])
    return f"{_path(file)}, nullstr=[{missing}], auto_type_candidates=[{kinds}]"


def _unblanked(relation: Any, types: list[str]) -> str:
    """The columns of a relation, for SQL: text without blanks around it, and as numbers where it holds nothing else."""
    columns = list(map(_column, relation.columns))
    texts = [column for column, kind in zip(columns, types, strict=True) if kind == "VARCHAR"]
    number = "try_cast(trim({0}) as double)"
    missing = f"trim({{0}}) in ({_literals(MISSING)})"
    all_numbers = f"coalesce(bool_and({missing} or {number} is not null), true)"
    checks = ", ".join(f"{all_numbers.format(column)} and not {_is_code(column)}" for column in texts)
    found = relation.aggregate(checks).fetchall()[0] if texts else ()
    numbers = {column for column, every in zip(texts, found, strict=True) if every}
    _refuse_impossible_dates(relation, [column for column in texts if column not in numbers])
    cast = f"case when {missing} then null else {{1}} end as {{0}}"
    values = {column: number if column in numbers else "trim({0})" for column in texts}
    return ", ".join(cast.format(c, values[c].format(c)) if c in values else c for c in columns)


def _in_seconds(column: Any) -> Any:
    """Dates and times to the second, if they are no finer, so that they are written as they were read."""
    import pyarrow as pa

    try:
        return column.cast(pa.time32("s") if pa.types.is_time(column.type) else pa.timestamp("s"))
    except pa.ArrowInvalid:
        return column


def _whole(column: Any) -> Any:
    """A column of doubles as int64, if each is a whole number that a double can hold."""
    import pyarrow.compute as pc

    whole = pc.and_(pc.equal(column, pc.trunc(column)), pc.less(pc.abs(column), 2.0**53))
    return column if pc.all(whole).as_py() is False else column.cast("int64")


def _npy(file: Path) -> Array:
    with _no_pickle():
        return np.asarray(np.load(file, allow_pickle=False))


def _npz(file: Path, key: str | None = None) -> Array:
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
        hint = "pickled objects are never loaded, for they can run code; save the numbers as a plain numeric array"
        raise DataError(f"it is not a NumPy file of plain numbers: {hint}") from error


def _picture_folder(folder: Path) -> Array:
    """uint8 ``[N, H, W]`` or ``[N, H, W, 3]``, in the order of the files' names; deeper grey pictures keep their depth."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES)
    if not files:
        raise DataError(f"there is no picture directly in this folder ({', '.join(PICTURES)})")
    heads = [_head(file) for file in files]
    size, mode = heads[0]
    deep = mode in DEEP_MODES
    for file, head in zip(files, heads, strict=True):
        if head[0] != size or (head[1] in DEEP_MODES) != deep:
            raise DataError(f"pictures must be alike: {file.name!r} is {_words(head)}, {files[0].name!r} is {_words(heads[0])}")
    if not deep:
        mode = "L" if {mode for _, mode in heads} <= {"1", "L", "LA"} else "RGB"
    first = _pixels(files[0], mode)
    pixels = np.empty((len(files), *first.shape), first.dtype)
    for row, file in enumerate(files):
        pixels[row] = _pixels(file, mode)
    return pixels


def _words(head: tuple[tuple[int, int], str]) -> str:
    return f"{head[0][0]} x {head[0][1]} pixels of mode {head[1]}"


def _head(file: Path) -> tuple[tuple[int, int], str]:
    from PIL import Image

    with _reading(repr(file.name)), Image.open(file) as picture:
        return picture.size, picture.mode


def _pixels(file: Path, mode: str) -> Array:
    from PIL import Image

    with _reading(repr(file.name)), Image.open(file) as picture:
        return np.asarray(picture.convert(mode))


READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": _text,
    ".csv.gz": _text,
    ".tsv": _text,
    ".tsv.gz": _text,
    ".parquet": _parquet,
    ".npy": _npy,
    ".npz": _npz,
}
