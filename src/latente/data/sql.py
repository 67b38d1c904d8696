"""Queries, answered by DuckDB within bounds of memory, disc and time."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from latente.data.files import LIKE_SQL, reading, refuse_repeated
from latente.errors import DataError
from latente.memory import is_limited, memory_limit

PATIENCE, LONGEST = 10, 3600  # seconds: a query is let run for PATIENCE, and on if it seems to need less than LONGEST

_REDUCE = "add a LIMIT, aggregate, take a sample (using sample 1%), or write it to Parquet with DuckDB and read columns of that"
_READS = re.compile(r"['\"(]|\s(as|from)\s", re.IGNORECASE)
_FILE_SUFFIX = re.compile(
    r"\.(arrow|bak|csv|dat|feather|gif|gz|jpe?g|jsonl?|ndjson|np[yz](:[^:]+)?|parquet|png|safetensors|tiff?|tsv|txt|webp|xlsx?(:[^:]+)?|zip)$",
    re.IGNORECASE,
)


def is_sql(source: str | os.PathLike[str]) -> bool:
    """Whether a source is a query for DuckDB, and not the name of a file. A query

    1. is a text: a :class:`pathlib.Path` never is one;
    2. is not the name of a file or folder that exists;
    3. begins with a word of SQL (select, with, from, values, …) and a space, a quote or a parenthesis;
    4. goes on like SQL: with a quote, a parenthesis, or the words from or as;
    5. does not end in the suffix of a file, such as ``.csv`` (in SQL, the quote follows it).

    >>> is_sql("select a from 'wine.csv'"), is_sql("from range(9)"), is_sql("select wine (1).csv"), is_sql("from my folder")
    (True, True, False, False)
    """
    if not isinstance(source, str) or not LIKE_SQL.match(source) or os.path.lexists(source):
        return False
    return bool(_READS.search(source)) and not _FILE_SUFFIX.search(source)


def answer(query: str) -> Any:
    """The answer of an in-memory DuckDB to one query, as a PyArrow table.

    The query runs with the rights of the user: it may read every file and address that the user may read. It can't write, and
    has no access to variables of the program.

    Raises:
        DataError: if it is not one query that can be answered, or its answer is larger than :func:`max_bytes`, or it would
            take hours.
    """
    with answered(query) as reader:
        return _within(max_bytes(), reader)


@contextmanager
def answered(query: str) -> Iterator[Any]:
    """The answer as an Arrow reader of record batches; see :func:`answer`."""
    with reading("the SQL query"), _database() as database:
        statements = database.extract_statements(query)
        if len(statements) != 1:
            raise DataError("it must be one statement")
        if statements[0].type.name not in ("SELECT", "MULTI"):  # MULTI is a pivot
            raise DataError("it must be a query that reads, such as select … from 'file.csv'")
        relation = database.sql(query)
        refuse_repeated(relation.columns)
        rows = max(2048, 1_000_000 // len(relation.columns))
        open_reader = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch  # before DuckDB 1.4
        with _bounded(database), open_reader(rows) as reader:
            yield reader


def max_bytes() -> int:
    """The most bytes that rows in memory may have: a quarter of the memory, an eighth where ``ulimit`` limits it, and at most
    8 GiB.
    """
    return min(memory_limit() // (8 if is_limited() else 4), 8 << 30)


def _within(limit: int, reader: Any) -> Any:
    import pyarrow as pa

    batches, size = [], 0
    for batch in reader:
        batches.append(batch)
        size += batch.nbytes
        if size > limit:
            raise DataError(f"its answer has more than {limit / 2**30:.2g} GiB, the limit on this machine: {_REDUCE}")
    return pa.Table.from_batches(batches, reader.schema)


@contextmanager
def _bounded(database: Any) -> Iterator[None]:
    """Context in which a query is stopped if its progress after some seconds indicates hours, or no end; lack of memory becomes
    a clear error.
    """
    done, stopped = threading.Event(), threading.Event()
    database.execute("set enable_progress_bar = true")  # measures it,
    database.execute("set enable_progress_bar_print = false")  # and says nothing

    def watch() -> None:
        started = time.monotonic()
        while not done.wait(0.5):
            seconds, percent = time.monotonic() - started, database.query_progress()  # -1: unknown
            if seconds > PATIENCE and 0 <= percent < 100 * seconds / LONGEST:
                stopped.set()
                database.interrupt()
                return

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    except Exception as error:
        if stopped.is_set():
            raise DataError(f"it does not end, or needs more than {LONGEST // 3600} hour: {_REDUCE}") from error
        if isinstance(error, MemoryError) or "Out of Memory" in str(error) + type(error).__name__:
            raise DataError(f"it needs more memory than there is: {_REDUCE}") from error
        raise
    finally:
        done.set()
        watching.join()


@contextmanager
def _database() -> Iterator[Any]:
    """DuckDB in memory, within half of what there is; what does not fit goes to a temporary folder, which is removed.

    Its queries see files, but no variables of the program.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="latente-", ignore_cleanup_errors=True) as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "python_enable_replacements": False,
            "memory_limit": f"{max(memory_limit() // 2, 64 << 20)}B",
            "temp_directory": folder,
            "max_temp_directory_size": f"{shutil.disk_usage(folder).free // 2}B",
        }
        with duckdb.connect(config=settings) as database:
            yield database
