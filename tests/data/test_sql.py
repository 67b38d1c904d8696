"""What is SQL and what a file name, and what SQL may cost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from latente.data import read, sql
from latente.errors import DataError

SQL = (
    "select a from 'wine.csv'",
    "FROM range(9)",
    'select * from "wine.csv" t order by t.a',
    "(select 1 as a)",
    "values (1)",
    "with t as (select 1 as a) from t",
    "select a\nfrom 'a.csv'",
    "summarize 'a.parquet'",
    "select 'a.csv' as csv",
    "from 'a.gz'",
)
NAMES = (
    "select stuff.csv",
    "select * from stuff.csv",
    "values.parquet",
    "from-2023.txt",
    "from 2023.txt",
    "select (1).csv",
    "select 'best'.JPG",
    "with (as).npz:x",
    "table (old).csv.gz",
    "selected",
    "from my folder",
    "show",
    "values",
    "data/select a",
    "select stuff",
    "with holes.xlsx",
    "describe (x).parquet",
)


def test_what_is_sql_and_what_a_file_name() -> None:
    assert [text for text in SQL if not sql.is_sql(text)] == []
    assert [name for name in NAMES if sql.is_sql(name)] == []
    assert not any(sql.is_sql(Path(text)) for text in SQL)


@pytest.mark.parametrize("name", ["values (1)", "from range(3)", "select stuff.csv", "select 1 as a"])
def test_a_file_name_is_never_run_as_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="there is no file"):
        read(Path(name))
    Path(name).mkdir()
    for source in (name, Path(name)):
        with pytest.raises(DataError, match="no picture"):
            read(source)
    Path(name).rmdir()
    Path(name).symlink_to("nowhere")
    with pytest.raises(DataError, match="there is no file"):
        read(name)


@pytest.mark.parametrize(
    ("query", "words"), [
        ("from range(1000000000000)", "its answer has more than 0.016 GiB"),
        ("select a.range from range(1000000) a, range(1000000) b", "its answer has more than 0.016 GiB"),
        ("select list(range) as a from range(1000000000000)", "it needs more memory than there is"),
        ("with recursive t(x) as (select 1 union all select x + 1 from t) from t", "it does not end"),
        ("select count(*) as n from range(1000000000000000) where range % 7 = 3", "it does not end"),
        ("with x as (select 1 as a) insert into y from x", "a query that reads"),
    ]
)  # fmt: skip
def test_sql_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, words: str) -> None:
    monkeypatch.setattr(sql, "memory_limit", lambda: 64 << 20)
    monkeypatch.setattr(sql, "PATIENCE", 0.2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DataError, match=words):
        read(query)
    assert list(tmp_path.iterdir()) == [], "what was spilled is removed"


def test_sql_spills_what_its_memory_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sort of 48 MB within 64 MB leaves no room; its answer is small."""
    monkeypatch.setattr(sql, "memory_limit", lambda: 128 << 20)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    numbered = "select hash(range) as h, row_number() over (order by h) as n from range(3000000)"
    query = f"select max(n) as n, count(*) as c from ({numbered})"
    assert read(query).values.tolist() == [[3e6, 3e6]]
    assert list(tmp_path.iterdir()) == []
