"""The words of what is shown to people, in English and in Spanish: one catalogue a language, and how a sentence is found.

A catalogue (``catalogue/en.json``, ``catalogue/es.json``) holds texts by dotted keys, with ``{names}`` for what is filled in.
Figures are drawn in the language that :func:`speaking` sets, English unless it does.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from latente.certificate.certificate import LINES
from latente.errors import ModelError

LANGUAGES = ("en", "es")


@dataclass(frozen=True, eq=False)
class Texts:
    """The words of a language.

    Attributes:
        lang: which.
        entries: texts by their keys.
        sentences: of what the library says in English, patterns and what they become; of English itself none.
    """

    lang: str
    entries: Mapping[str, str]
    sentences: tuple[tuple[re.Pattern[str], str], ...] = ()

    def __call__(self, key: str, /, **values: Any) -> str:
        """A text, filled in.

        >>> texts("es")("figure.rebuilt")
        'rehecho'
        """
        return self.entries[key].format(**values)

    def amount(self, text: str) -> str:
        """Numbers as they are written in this language; ``text`` is how Python has them.

        >>> texts("es").amount("1,234.5 [-0.1, 12]"), texts("en").amount("-1,234.5")
        ('1\u202f234,5 [−0,1; 12]', '−1,234.5')
        """
        text = re.sub(r"(?<![\w.])-(?=\d)", "−", text)
        if self.lang == "en":
            return text
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "\u202f", text)
        return re.sub(r"(?<=\d)\.(?=\d)", ",", re.sub(r"(?<=\d), (?=[−\d])", "; ", text))

    def said(self, sentence: str) -> str:
        """A sentence of the library in this language; as it is where it has no other form.

        >>> texts("es").said("a running number"), texts("es").said("no such sentence")
        ('un número correlativo', 'no such sentence')
        """
        return self._form(sentence) or self._piecewise(sentence, "; ") or self._piecewise(sentence, ", ") or sentence

    def sentence(self, text: str) -> str:
        """What the library says in English, in this language and with its numbers; what is quoted is a user's own.

        >>> texts("es").sentence("always 2.5"), texts("es").sentence("always 'a.5'")
        ('siempre 2,5', "siempre 'a.5'")
        """
        parts = re.findall(r"'[^']*'|[^']+|'", self.said(text))
        return "".join(part if part.startswith("'") else self.amount(part) for part in parts)

    def _form(self, sentence: str) -> str:
        """A sentence that is in the catalogue; empty where it is not."""
        for pattern, form in self.sentences:
            if found := pattern.fullmatch(sentence):
                return form.format(**{name: self.said(value) for name, value in found.groupdict().items()})
        return ""

    def _piecewise(self, sentence: str, between: str) -> str:
        """A sentence made of some that are in the catalogue; empty where one is not."""
        parts = [self._form(part) or ("" if re.search(r"[^\W\d_]", part) else part) for part in sentence.split(between)]
        return between.join(parts) if len(parts) > 1 and all(parts) else ""


@cache
def texts(lang: str = "en") -> Texts:
    """The words of a language.

    Raises:
        ModelError: there are none.
    """
    if lang not in LANGUAGES:
        raise ModelError(f"there are no texts in {lang!r}; there are {', '.join(LANGUAGES)}")
    held = _catalogue(lang)
    said = sorted(held.pop("said", []), key=lambda pair: -len(re.sub(r"\{\w+\}", "", pair[0])))  # what says most comes first
    sentences = tuple((_pattern(english), form) for english, form in said)
    certificate = held.pop("certificate", {name: list(line) for name, line in LINES.items()})
    lines = {
        f"certificate.{name}.{part}": text
        for name, line in certificate.items()
        for part, text in zip(("label", "sentence"), line, strict=True)
    }
    return Texts(lang, {**dict(_flat(held)), **lines}, sentences)


def language(environment: Mapping[str, str] = os.environ) -> str:
    """The language of whoever sits there, by the locale: Spanish or else English.

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
    """Inside, figures are drawn with words of this language."""
    before = _spoken.set(texts(lang).lang)
    try:
        yield texts(lang)
    finally:
        _spoken.reset(before)


def label(name: str) -> str:
    """What a figure of the certificate is called in the language that is spoken."""
    return texts(_spoken.get())(f"certificate.{name}.label")


def amount(text: str) -> str:
    """A number of the figures as it is written in the language that is spoken."""
    return texts(_spoken.get()).amount(text)


def word(name: str, /, **values: Any) -> str:
    """A text of the figures (``figure.name``) in the language that is spoken."""
    return texts(_spoken.get())(f"figure.{name}", **values)


def _catalogue(lang: str) -> dict[str, Any]:
    file = importlib.resources.files("latente.report") / "catalogue" / f"{lang}.json"
    held: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return held


def _flat(entries: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in entries.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flat(value, f"{prefix}{key}.")


COUNTS = ("n", "d", "m", "row", "rows", "draws")


def _pattern(template: str) -> re.Pattern[str]:
    """What finds the sentences that a template with ``{names}`` makes, and the values in them.

    What stands in quotes holds none, and a count no space: so several values in a sentence are told apart.
    """
    parts = re.split(r"\{(\w+)\}", template)
    found = [re.escape(parts[0])]
    for before, name, after in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
        value = "[^']+" if before.endswith("'") and after.startswith("'") else r"\S+?" if name in COUNTS else ".+?"
        found += [f"(?P<{name}>{value})", re.escape(after)]
    return re.compile("".join(found), re.DOTALL)
