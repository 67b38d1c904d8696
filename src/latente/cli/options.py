"""Arguments and options of several commands, and the conversion of their values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import typer

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A .csv, .tsv, .txt (also .gz), .xlsx, .parquet, .feather, .json, .npy or .npz file (also FILE.npz:KEY), a .tar "
        "of pictures, a folder of pictures, of text files, of Parquet files or of .npz or .tar files of pictures, or SQL for "
        "DuckDB: a query such as \"from 'x.csv'\", with its files in quotes. It runs with your rights, and may read whatever "
        "you may read.",
    ),
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run folder of 'latente fit', or a model file (.safetensors).")]
OutRows = Annotated[
    str,
    typer.Option(
        "--out",
        "-o",
        metavar="OUT",
        help="Output: .csv, .tsv (both also .gz), .parquet, .npz or .npy by suffix; - is CSV on stdout. "
        "Pictures: .npz, .npy, or a new folder of PNG.",
    ),
]
OutTable = Annotated[
    str,
    typer.Option(
        "--out",
        "-o",
        metavar="OUT",
        help="Output: .csv, .tsv (both also .gz), .parquet, .npz or .npy by suffix; - is CSV on stdout.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Workers = Annotated[int, typer.Option("--workers", min=1, metavar="W", help="Processes that share the work.")]
Force = Annotated[bool, typer.Option("--force", help="Let OUT replace what is read.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result on the same machine.")]


InContext = Annotated[
    list[str] | None,
    typer.Option(
        "--context", metavar="COLUMN=VALUE", help="The context, of a model that has one. May be repeated.", show_default=False
    ),
]


class Unknown(StrEnum):
    """How to treat a level that did not occur in the fit."""

    error = "error"
    missing = "missing"


UnknownLevels = Annotated[
    Unknown | None,
    typer.Option(
        "--unknown",
        help="How to treat new texts: as an error, or as missing values with a warning.",
        show_default="as set in the fit",
    ),
]


class Language(StrEnum):
    """Language of a report."""

    en = "en"
    es = "es"


Lang = Annotated[
    Language | None,
    typer.Option("--lang", help="Language of the report and its figures.", show_default="that of the locale: es, or else en"),
]

AUTO = "auto"


def wrong(text: str) -> typer.BadParameter:
    """The exception for an impossible value: exit code 2."""
    return typer.BadParameter(text)


def whole(text: str) -> int | str:
    """``auto`` or a whole number from 1.

    >>> whole("auto"), whole("16")
    ('auto', 16)
    """
    if text == AUTO:
        return AUTO
    if not re.fullmatch(r"\+?0*[1-9][0-9]{0,17}", text):
        raise wrong(f"{text!r} is neither 'auto' nor a whole number from 1")
    return int(text)


def _number(text: str) -> float:
    """NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive(text: str) -> float | str:
    """``auto`` or a positive number."""
    if text == AUTO:
        return AUTO
    value = _number(text)
    if not 0 < value < math.inf:
        raise wrong(f"{text!r} is not a positive number")
    return value


def share(text: str) -> float | str:
    """``auto``, or a share from 0 to below 1.

    >>> share(".9")
    0.9
    """
    if text == AUTO:
        return AUTO
    value = _number(text)
    if not 0 <= value < 1:
        raise wrong(f"{text!r} is not a share from 0 to below 1, such as .9")
    return value


def trim(text: str) -> float | str:
    """``auto``, or a share from 0 to one half.

    >>> trim(".05")
    0.05
    """
    value = share(text)
    if isinstance(value, float) and value > 0.5:
        raise wrong(f"{text!r} is not a share from 0 to 0.5: most rows have to be usual ones")
    return value


def limit(text: str) -> float | None:
    """A positive number, or ``auto`` for none."""
    return None if text == AUTO else float(positive(text))


def duration(text: str) -> float:
    """Seconds.

    >>> duration("10m"), duration("90"), duration("1.5h")
    (600.0, 90.0, 5400.0)
    """
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    return float(positive(text[:-1])) * unit if unit else float(positive(text))


def widths(text: str) -> tuple[int, ...] | str:
    """``auto`` or widths of layers.

    >>> widths("64,32")
    (64, 32)
    """
    if text == AUTO:
        return AUTO
    values = [whole(width.strip()) for width in text.split(",")]
    if AUTO in values:
        raise wrong(f"{text!r} is neither 'auto' nor widths such as 64,32")
    return tuple(int(value) for value in values)


def positives(text: str) -> tuple[float, ...]:
    """Positive numbers with commas between them.

    >>> positives("0.5,1,2")
    (0.5, 1.0, 2.0)
    """
    values = [positive(value.strip()) for value in text.split(",")]
    if AUTO in values:
        raise wrong(f"{text!r} are no positive numbers such as 0.5,1,2")
    return tuple(float(value) for value in values)


def device(text: str) -> str:
    """``auto``, or the name of a device."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", text):
        raise wrong(f"{text!r} is none of auto, cpu, cuda, cuda:0, mps")
    return text


def named(text: str) -> tuple[str, dict[str, Any]]:
    """A name with arguments, ``NAME:ARGUMENT=VALUE:…``; a value is a number, true, false, null or else text.

    >>> named("beta-vae:beta=2")
    ('beta-vae', {'beta': 2})
    """
    name, *rest = text.split(":")
    pairs = [part.partition("=") for part in rest]
    if not name or not all(key.isidentifier() and equals for key, equals, _ in pairs):
        raise wrong(f"{text!r} is not of the form NAME or NAME:ARGUMENT=VALUE, such as beta-vae:beta=2")
    return name, {key: _value(value) for key, _, value in pairs}


def conditions(texts: list[str], levels: Mapping[str, Collection[str]] | None = None) -> dict[str, Any]:
    """Conditions of ``--given``, as for ``VAE.sample(given=…)``; a text that is one of a column's ``levels`` is not parsed.

    >>> conditions(["sex=Female", "age=30..40", "work=State|Private", "gain=1.."])
    {'sex': 'Female', 'age': ('30', '40'), 'work': ['State', 'Private'], 'gain': ('1', None)}
    >>> conditions(["genre=Drama|War", "span=1..2"], {"genre": ["Drama|War"], "span": ["1..2"]})
    {'genre': 'Drama|War', 'span': '1..2'}
    """
    asked = pairs(texts, "COLUMN=VALUE, such as age=30..40")
    return {name: value if value in (levels or {}).get(name, ()) else _condition(value) for name, value in asked.items()}


def in_context(texts: list[str] | None) -> dict[str, str] | None:
    """What ``--context`` says; None where nothing is said."""
    return pairs(texts or [], "COLUMN=VALUE, such as sex=Female") or None


def kinds(texts: list[str] | None) -> dict[str, str] | None:
    """The kinds of ``COLUMN=KIND``; None without any."""
    return pairs(texts or [], "COLUMN=KIND, such as zip=categorical") or None


def public(texts: list[str] | None) -> Any:
    """What is public of the columns, as :meth:`latente.VAE.fit` takes it; None without any text.

    >>> public(["age=0:120,?", "sex=f,m"]), public(["0:1.5"]), public(["public.csv"])
    ({'age': (0, 120, None), 'sex': ['f', 'm']}, (0, 1.5), 'public.csv')
    >>> public(["day=2020-01-01:2020-12-31"])
    {'day': (datetime.date(2020, 1, 1), datetime.date(2020, 12, 31))}
    """
    if texts and len(texts) == 1 and "=" not in texts[0]:
        found = _values(texts[0])
        return found if isinstance(found, tuple) else texts[0]
    of_columns = pairs(texts or [], "COLUMN=LOW:HIGH or COLUMN=VALUE,VALUE, such as age=0:120")
    return {name: _values(value) for name, value in of_columns.items()} or None


def _values(text: str) -> tuple[Any, ...] | list[Any]:
    """Bounds as a tuple, or values as a list, with None for a question mark."""
    given = [part.strip() for part in text.split(",") if part.strip()]
    rest, missing = [part for part in given if part != "?"], [None] if "?" in given else []
    ends = [_as_value(end) for end in rest[0].split(":")] if len(rest) == 1 else []
    if len(ends) == 2 and not any(isinstance(end, str) for end in ends):
        return (*ends, *missing)
    return [*map(_as_value, rest), *missing]


def _as_value(text: str) -> Any:
    """A number or a date, where the text is one."""
    for kind in (int, float, date.fromisoformat):
        with suppress(ValueError):
            return kind(text)
    return text


def pairs(texts: list[str], form: str) -> dict[str, str]:
    """The texts on both sides of each equals sign.

    >>> pairs(["zip=categorical"], "COLUMN=KIND")
    {'zip': 'categorical'}
    """
    parts = [text.partition("=") for text in texts]
    for text, (name, equals, value) in zip(texts, parts, strict=True):
        if not (name and equals and value):
            raise wrong(f"{text!r} is not of the form {form}")
    names = [name for name, *_ in parts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise wrong(f"{twice!r} is asked for twice")
    return {name: value for name, _, value in parts}


def _condition(value: str) -> Any:
    low, dots, high = value.partition("..")
    if dots and "|" not in value:
        return (low or None, high or None)
    return value.split("|") if "|" in value else value


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return text


def _no_number(text: str) -> Callable[[], None]:
    raise ValueError(text)
