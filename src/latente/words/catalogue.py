"""The catalogues: one file of texts for each language, by dotted keys, and the formatting of values.

A text has ``{names}`` for its values, with formats as in :meth:`str.format`. In addition, ``{n:row|rows}`` chooses a word by
the number, lists are separated by commas (``{parts:;}``: by semicolons, ``{parts:+}``: by nothing), and a whole number without
a format is written in full. English and Mexican Spanish write numbers alike: 1,234.5.
"""

from __future__ import annotations

import importlib.resources
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Any

from latente.errors import ModelError

LANGUAGES = ("en", "es")
SEPARATORS = {"": ", ", ";": "; ", "+": ""}


@dataclass(frozen=True, eq=False)
class Texts(Formatter):
    """The texts of a language.

    Attributes:
        lang: the language.
        entries: texts by their keys.
    """

    lang: str
    entries: Mapping[str, str]

    def __call__(self, key: str, /, **values: Any) -> str:
        """A text, filled in.

        >>> texts("es")("figure.rebuilt"), texts("en")("list.more", listed=["a", "b"], n=1234)
        ('reconstruido', 'a, b and 1,234 more')
        """
        return str(self.vformat(self.entries[key], (), values))

    def said(self, text: str) -> str:
        """A message in this language; any other text as it is."""
        form = getattr(text, "said", None)
        return str(form(self.lang)) if form else text

    def format_field(self, value: Any, form: str) -> str:
        """A value as it is written in this language."""
        if isinstance(value, str):
            return self.said(value)
        if isinstance(value, Sequence):
            return SEPARATORS[form].join(self.format_field(item, "") for item in value)
        if "|" in form:
            one, many = form.split("|")
            return one if value == 1 else many
        return number(value, form)


def number(value: float | None, form: str = "") -> str:
    """A number for people.

    >>> number(1033222.0), number(0.5), number(-1234.5, ",.2f"), number(float("nan"))
    ('1033222', '0.5', '−1,234.50', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    whole = float(value).is_integer() and abs(value) < 1e15
    return amount(format(value, form or (".0f" if whole else "g")))


def amount(text: str) -> str:
    """Text with minus signs before its negative numbers.

    >>> amount("-1,234.5 [-0.1, 12]")
    '−1,234.5 [−0.1, 12]'
    """
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)


@cache
def texts(lang: str = "en") -> Texts:
    """The texts of a language.

    Raises:
        ModelError: there are none.
    """
    if lang not in LANGUAGES:
        raise ModelError(f"there are no texts in {lang!r}; there are {', '.join(LANGUAGES)}")
    file = importlib.resources.files("latente.words") / f"{lang}.json"
    return Texts(lang, dict(_flat(json.loads(file.read_text(encoding="utf-8")))))


def language(environment: Mapping[str, str] = os.environ) -> str:
    """The language of the locale: Spanish, or else English.

    >>> language({"LANG": "es_ES.UTF-8"}), language({"LC_ALL": "C", "LANG": "es_ES.UTF-8"}), language({})
    ('es', 'en', 'en')
    """
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    return "es" if re.match(r"es([_.@-]|$)", locale) else "en"


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


_spoken: ContextVar[str] = ContextVar("language of figures", default="en")


@contextmanager
def speaking(lang: str) -> Iterator[Texts]:
    """A context in which figures use texts of this language."""
    before = _spoken.set(texts(lang).lang)
    try:
        yield texts(lang)
    finally:
        _spoken.reset(before)


def label(name: str) -> str:
    """The label of a figure of the certificate in the current language."""
    return texts(_spoken.get())(f"certificate.{name}.label")


def word(name: str, /, **values: Any) -> str:
    """A text of the figures (``figure.name``) in the current language."""
    return texts(_spoken.get())(f"figure.{name}", **values)


def _flat(entries: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in entries.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flat(value, f"{prefix}{key}.")
