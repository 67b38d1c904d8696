"""Messages: texts with their key and values, which can be translated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

from latente.words.catalogue import texts

LISTED = 8  # names in a list; of the others, only the number is given
PLAIN = (str, int, float, bool, type(None))


class Message(str):
    """A sentence by its key in the catalogues and its values; as a text it is English.

    Attributes:
        key: in the catalogues; "" for a text that is the same in every language.
        values: by name: numbers, texts, other messages, or lists of these.

    >>> Message("verdict.line", name=Message("verdict.holes.name"), evidence="C = 0.1", remedy="none").said("es")
    'huecos: C = 0.1; none'
    """

    key: str
    values: Mapping[str, Any]

    def __new__(cls, key: str, /, **values: Any) -> Self:
        return cls._of(texts("en")(key, **values), key, values)

    @classmethod
    def plain(cls, text: str) -> Self:
        """A text that is the same in every language, such as one of an older file."""
        return cls._of(text, "", {})

    @classmethod
    def _of(cls, text: str, key: str, values: Mapping[str, Any]) -> Self:
        message = super().__new__(cls, text)
        message.key, message.values = key, values
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return Message._of, (str(self), self.key, dict(self.values))

    def said(self, lang: str) -> str:
        """The sentence in a language."""
        return texts(lang)(self.key, **self.values) if self.key else str(self)

    def to_json(self) -> dict[str, Any] | str:
        """Plain values: key, values, and the English text for versions without this key."""
        return {**_plain(self), "text": str(self)} if self.key else str(self)

    @classmethod
    def from_json(cls, stored: Any) -> Self:
        """The inverse of :meth:`to_json`; a text is a message that is the same in every language.

        Raises:
            ValueError: it is no message.
        """
        if isinstance(stored, str):
            return cls.plain(stored)
        if not isinstance(stored, dict) or not isinstance(stored.get("text"), str):
            raise ValueError("a message must be a text, or have one")
        try:
            found = _read({name: stored[name] for name in ("key", "values")})
        except (KeyError, TypeError, ValueError, RecursionError):  # of another version of the catalogue, or altered
            return cls.plain(stored["text"])
        return cls._of(str(found), found.key, found.values)


def stored(text: str) -> dict[str, Any] | str:
    """A message or any other text as plain values."""
    return text.to_json() if isinstance(text, Message) else text


def key_of(text: str) -> str:
    """The key of a message; "" of any other text."""
    return text.key if isinstance(text, Message) else ""


def said(text: str, lang: str) -> str:
    """A message in a language; any other text as it is."""
    return texts(lang).said(text)


def some(names: Iterable[str]) -> Message | list[str]:
    """Names as a value of a message: all, or of many the first and the number of the others.

    >>> print(Message("note.empty", columns=some(map(repr, "abcdefghij"))))
    columns without any value are not part of the model: 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' and 2 more
    """
    every = list(names)
    more = len(every) - LISTED
    return Message("list.more", listed=every[:LISTED], n=more) if more > 0 else every


def listed(names: Iterable[str]) -> Message:
    """The same as a text.

    >>> print(listed("abcdefghij"))
    a, b, c, d, e, f, g, h and 2 more
    """
    return Message("list.commas", parts=some(names))


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        values = {name: _plain(part) for name, part in value.values.items()}
        return {"key": value.key, "values": values} if value.key else str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    value = getattr(value, "item", lambda: value)()  # of numpy
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return Message(value["key"], **{name: _read(part) for name, part in dict(value["values"]).items()})
    if isinstance(value, list):
        return [_read(item) for item in value]
    if not isinstance(value, PLAIN):
        raise ValueError(f"{value!r} is no value of a message")
    return value
