"""Dates and times as people write them: which notation a column has, day or month first, and back."""

from __future__ import annotations

import re
from typing import Any

from latente.words import Message

LIKE_A_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?"
LIKE_A_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})"
    r"|\d{1,2}[- /.]?[A-Za-z]{3,9}[- /.]?(?:\d{4}|\d{2})"
    rf"|[A-Za-z]{{3,9}}\.? \d{{1,2}},? \d{{4}})(?:(?:T| {{1,2}}|, ){LIKE_A_TIME}(?: ?(?:Z|UTC|[+-]\d{{2}}:?\d{{2}}))?)?"
)
MIN_COMPACT = 3  # different texts such as 20240131, if all are dates
FIRST = 100  # texts that are looked at before all are
MAX_STRAYS = 0.05  # of a column's different texts: so few among dates are slips, more are levels

_PARTS = re.compile(
    r"(?P<a>\d+|[A-Za-z]+\.?)(?P<s>[-/. ]?)(?P<b>\d+|[A-Za-z]+)(?P<t>[-/. ]|, |)(?P<c>\d+)"
    r"(?:(?P<gap>T| {1,2}|, )(?P<h>\d{1,2}):\d{2}(?P<sec>:\d{2})?(?P<frac>\.\d+)?(?P<half> ?[AaPp][Mm])?)?"
)
AMBIGUOUS = "read.ambiguous"  # key of the note on dates whose day and month may be exchanged
_ZONE = r" ?(?:Z|UTC|[+-]\d{2}:?\d{2})$"
_COMPACT = r"^(?:19|20)\d{6}$"


def all_match(words: Any, pattern: str) -> bool:
    """Whether all texts match; of most columns the first ones tell."""
    import pyarrow.compute as pc

    return all(pc.all(pc.match_substring_regex(some, pattern)).as_py() for some in (words[:FIRST], words))


class NotADate(Exception):
    """A text among dates that is none, and why."""


Moments = tuple[Any, str, str, list[Message]]


def read_moments(words: Any, hints: tuple[str, ...]) -> Moments | None:
    """Distinct texts as dates or times.

    Args:
        words: an Arrow array of texts without blanks around them and without marks.
        hints: formats to prefer, of the other columns or of the fit: one column may be ambiguous.

    Returns:
        An Arrow array of dates, times or time stamps; the format of most; what stands behind as a time zone; and what a person
        should know. None where some text does not look like a date or a time.

    Raises:
        NotADate: all look like dates, and one is none.
    """
    import pyarrow.compute as pc

    if not len(words):
        return None
    if all_match(words, f"^{LIKE_A_TIME}$"):
        return _times(words)
    compact = len(words) >= MIN_COMPACT and all_match(words, _COMPACT)
    if not compact and not all_match(words, f"^{LIKE_A_DATE}$"):
        return None
    has_time = pc.match_substring_regex(words, r"\d:\d")
    zones = pc.if_else(has_time, pc.struct_field(pc.extract_regex(words, f"(?P<zone>{_ZONE})"), "zone"), None)
    zone = zones.drop_null().unique().to_pylist()
    if zone and (zones.null_count or len(zone) > 1):
        return _zoned(words)
    local = pc.replace_substring_regex(words, _ZONE, "") if zone else words
    found = _dates(words, local, hints, bool(compact))
    if found is None:
        return None
    values, main, notes = found
    return _typed(values, main, zone[0] if zone else ""), main, zone[0] if zone else "", notes


def stray(words: Any) -> str | None:
    """The first of distinct texts that does not look like a date or a time, where nearly all do; else None."""
    import pyarrow.compute as pc

    pattern = f"^(?:{LIKE_A_DATE}|{LIKE_A_TIME})$"
    if not pc.any(pc.match_substring_regex(words[:FIRST], pattern)).as_py():
        return None
    alike = pc.match_substring_regex(words, pattern)
    strays = pc.filter(words, pc.invert(alike))
    return strays[0].as_py() if 0 < len(strays) <= MAX_STRAYS * len(words) else None


def _dates(words: Any, local: Any, hints: tuple[str, ...], compact: bool) -> tuple[Any, str, list[Message]] | None:
    import pyarrow.compute as pc

    formats = ["%Y%m%d"] if compact else _formats(local)
    preferred = [hint for hint in hints if hint in formats]
    parsed = _parsed(local, formats)
    count = {each: len(values) - values.null_count for each, values in parsed.items()}
    order = sorted(formats, key=lambda each: (-count[each], each not in preferred, not each.startswith(("%Y", "%d"))))
    if not order or not count[order[0]]:
        return None
    left, used, values = len(local) - count[order[0]], [order[0]], parsed[order[0]]
    for each in order[1:] if left else ():
        filled = pc.coalesce(values, parsed[each])
        if filled.null_count < values.null_count:
            _refuse_both_orders(words, values, used, each)
            values, used = filled, [*used, each]
    if values.null_count:
        others = pc.filter(words, pc.is_null(values))
        few = len(others) <= MAX_STRAYS * len(words) or pc.any(pc.match_substring_regex(others, r"^\d+[-/.]\d")).as_py()
        if compact or not few:  # 45:10:00 is how long something took, and 3-gen-23 has a month in another language
            return None
        raise NotADate(others[0].as_py(), "is none")
    return values, used[0], _told(used, order, count, len(local), preferred)


def _refuse_both_orders(words: Any, values: Any, used: list[str], other: str) -> None:
    """Raise NotADate where some dates have the day first and some the month."""
    import pyarrow.compute as pc

    swapped = re.sub("%[dm]", lambda match: "%m" if match[0] == "%d" else "%d", other)
    if swapped in used:
        wrong = pc.filter(words, pc.is_null(values))[0].as_py()
        raise NotADate(wrong, f"has day and month in another order than the rest, which are {spelled(used[0])}")


def _told(used: list[str], order: list[str], count: dict[str, int], n: int, preferred: list[str]) -> list[Message]:
    notes = [Message("read.notations", n=len(used), formats=used)] if len(used) > 1 else []
    rivals = [each for each in order if count[each] == n and each != used[0]]
    if rivals and used[0] not in preferred:
        notes.append(Message(AMBIGUOUS, format=spelled(used[0]), other=spelled(rivals[0])))
    elif used[0].startswith("%m"):
        notes.append(Message("read.as", format=spelled(used[0])))
    return notes


def spelled(format: str) -> Message:
    """A format for people.

    >>> spelled("%d/%m/%Y")
    'day/month/year'
    """
    names = {"%d": "day", "%m": "month", "%Y": "year", "%y": "year", "%b": "month", "%B": "month"}
    parts = re.split(r"(%[dmYybB])", format)
    return Message("list.joined", parts=[Message(f"read.{names[part]}") if part in names else part for part in parts])


def _formats(words: Any) -> list[str]:
    """The formats that may be those of some texts, by the shapes that these have."""
    import pyarrow.compute as pc

    shapes = pc.replace_substring_regex(pc.replace_substring_regex(words, r"\d", "0"), "[A-Za-z]{3,}", "a").dictionary_encode()
    examples = dict(zip(reversed(shapes.indices.to_pylist()), reversed(words.to_pylist()), strict=True))
    return list(dict.fromkeys(format for word in examples.values() for format in _formats_of(word)))


def _formats_of(word: str) -> list[str]:
    """The formats that a text may have.

    >>> _formats_of("9/11/2021 10:30"), _formats_of("3-Jul-23")
    (['%d/%m/%Y %H:%M', '%m/%d/%Y %H:%M'], ['%d-%b-%y', '%d-%B-%y'])
    """
    match = _PARTS.fullmatch(word)
    if not match:
        return []
    a, s, b, t, c = (match[name] for name in "asbtc")
    dates = _orders(a, s, b, t, c)
    return [date + _clock(match) for date in dates]


def _orders(a: str, s: str, b: str, t: str, c: str) -> list[str]:
    year = "%Y" if len(c) == 4 else "%y"
    if a[0].isalpha():
        return [f"{month}{s}%d{t}%Y" for month in ("%b", "%B")]
    if b[0].isalpha():
        return [f"%d{s}{month}{t}{year}" for month in ("%b", "%B")]
    if s != t:
        return []
    if len(a) == 4:
        return [f"%Y{s}%m{s}%d"]
    return [f"%d{s}%m{s}{year}", f"%m{s}%d{s}{year}"]


def _clock(match: re.Match[str]) -> str:
    if not match["h"]:
        return ""
    fraction = "" if not match["frac"] else ".%g" if len(match["frac"]) == 4 else ".%f"
    half = " %p" if match["half"] and match["half"].startswith(" ") else "%p" if match["half"] else ""
    return match["gap"] + ("%I" if half else "%H") + ":%M" + (":%S" if match["sec"] else "") + fraction + half


def _parsed(words: Any, formats: list[str]) -> dict[str, Any]:
    """By format time stamps, null where a text is not of it or no date; by DuckDB, which knows no 30th of February."""
    columns = ", ".join(f"try_strptime(word, '{each}')" for each in formats)
    found = _asked(f"select {columns} from words", words).itercolumns() if formats else ()
    return dict(zip(formats, (column.combine_chunks() for column in found), strict=True))


def _asked(query: str, words: Any) -> Any:
    import duckdb
    import pyarrow as pa

    with duckdb.connect() as database:
        database.register("words", pa.table({"word": words}))
        return database.sql(query).to_arrow_table()


def _typed(values: Any, format: str, zone: str) -> Any:
    """Time stamps as dates where they have no time, or else to the second where they are no finer."""
    import datetime

    import pyarrow as pa
    import pyarrow.compute as pc

    if "%H" not in format and "%I" not in format:
        return values.cast(pa.date32())
    offset = _offset(zone)
    values = pc.subtract(values, pa.scalar(datetime.timedelta(seconds=offset), pa.duration("us"))) if offset else values
    unit = "us" if "%f" in format or "%g" in format else "s"
    return values.cast(pa.timestamp(unit)).cast(pa.timestamp(unit, "UTC")) if zone else values.cast(pa.timestamp(unit))


def _offset(zone: str) -> int:
    """Seconds by which the clocks of a zone such as ``+02:00`` are ahead."""
    digits = re.sub(r"[^0-9]", "", zone)
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60 if digits else 0
    return -seconds if "-" in zone else seconds


def _zoned(words: Any) -> Moments | None:
    """Time stamps of several zones, as clocks that change in summer give them."""
    import pyarrow as pa

    (values,) = _asked("select try_cast(word as timestamptz) at time zone 'UTC' from words", words).itercolumns()
    if values.null_count:
        return None
    typed = values.combine_chunks().cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    return typed, "%Y-%m-%d %H:%M:%S", "+00:00", [Message("read.zones")]


def _times(words: Any) -> Moments | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = _dates(words, pc.binary_join_element_wise("2000-01-01", words, " "), (), compact=False)
    if found is None:
        return None
    values, format, notes = found
    kind = pa.time64("us") if "." in format else pa.time32("s")
    return values.cast(pa.time64("us")).cast(kind), format.removeprefix("%Y-%m-%d "), "", notes


def padded(words: Any, values: Any, format: str, zone: str) -> str:
    """A format that writes values as their texts are: with a zero before the 9th of May, or without."""
    bare = re.sub(r"%([dmHI])", r"%-\1", format)
    hour = re.sub(r"%([HI])", r"%-\1", format)
    texts = words.to_pylist()[:1000]

    def alike(each: str) -> int:
        return sum(a == b for a, b in zip(written(values[:1000], each, zone), texts, strict=True))

    return max((format, bare, hour), key=alike)


def written(column: Any, format: str, zone: str) -> list[str | None]:
    """Dates and times of an Arrow array as texts of a format."""
    import pyarrow as pa

    if pa.types.is_time(column.type):
        column = column.cast(pa.time64("us")).cast("int64").cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type) and column.type.tz:
        column = column.cast(pa.timestamp(column.type.unit, "UTC")).cast(pa.timestamp(column.type.unit))
    shifted = f"word::timestamp + to_seconds({_offset(zone)})"
    (texts,) = _asked(f"select strftime({shifted}, '{format}') from words", column).itercolumns()
    return [None if text is None else text + zone for text in texts.to_pylist()]
