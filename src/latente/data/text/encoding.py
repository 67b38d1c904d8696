"""Bytes to text: UTF-8, UTF-16 and UTF-32 with and without a byte order mark, Windows-1252, Latin-1."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

from latente.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_IN_WINDOWS_1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_CONTROLS = frozenset(range(0x80, 0xA0))
_LOOKED_AT = 4096
_NAMES = {"utf-8-sig": "UTF-8 with a byte order mark", "cp1252": "Windows-1252", "latin-1": "Latin-1"}


def text_of(path: Path, encoding: str | None = None) -> tuple[str, str]:
    """The text of a file (also gzipped) and its encoding, by the name that Python has for it.

    Raises:
        DataError: the file is not text, or not in the encoding that is asked for.
    """
    content = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
    name = encoding or find_encoding(content)
    try:
        text = content.decode(name)
    except LookupError as error:
        raise DataError(f"the encoding {name!r} is unknown; there are utf-8, utf-16, cp1252, latin-1 and others") from error
    except UnicodeError as error:
        raise DataError(f"it is not text in the encoding {name!r}: {error}") from error
    if "\0" in text:
        raise DataError("it holds zero bytes, so it is not a text file")
    return text, name


def find_encoding(content: bytes) -> str:
    """The encoding of a text by its bytes: a byte order mark, the zeros of UTF-16, valid UTF-8, or else one byte a character.

    >>> [find_encoding("señal €".encode(name)) for name in ("utf-8", "utf-16", "cp1252")], find_encoding("ñ".encode("latin-1"))
    (['utf-8', 'utf-16', 'cp1252'], 'latin-1')
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    start = content[:_LOOKED_AT]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) > len(start) / 5:
        return "utf-16-le" if odd > even else "utf-16-be"
    try:
        content.decode()
        return "utf-8"
    except UnicodeDecodeError:
        found = set(content)
        return "cp1252" if found & _CONTROLS and not found & _NOT_IN_WINDOWS_1252 else "latin-1"


def said(encoding: str) -> str:
    """The name of an encoding for people."""
    return _NAMES.get(encoding, encoding.upper())
