"""A page: one HTML file without external resources, from headings, sentences, pictures and tables.

A page is data: a list of sections, each a list of blocks. The user's data (names of columns, texts of cells, names of files) is
escaped in the template; only :func:`picture` produces markup, from matplotlib's SVG.

>>> page = Page("Wine", [Section("Data", [Paragraph("178 rows"), Grid("Columns", ["name"], [["alcohol"]])])])
>>> "<h2" in page.html() and "://" not in page.html()
True
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import numpy as np
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latente.data import moments
from latente.errors import LatenteError
from latente.files import write_text
from latente.report import figures
from latente.report.drawing.labels import TIP
from latente.report.drawing.style import THEME
from latente.version import __version__
from latente.words import LANGUAGES, Texts, language, number, texts

NOTHING = "–"
RESOLUTION = 144  # dots per inch of rasterised parts of a figure


@dataclass(frozen=True)
class Paragraph:
    """Some sentences; ``tone`` is "plain", "note", "good" or "warning", ``lang`` the language if it is not the page's."""

    text: str
    tone: str = "plain"
    lang: str = ""
    block: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Code:
    """Commands for a terminal."""

    text: str
    block: ClassVar[str] = "code"


@dataclass(frozen=True)
class Listing:
    """Findings, each with a name (or "") and a text; ``tone`` as in :class:`Paragraph`."""

    items: Sequence[tuple[str, str]]
    tone: str = "plain"
    block: ClassVar[str] = "listing"


@dataclass(frozen=True)
class Cards:
    """Main figures: each a name, a value and a short explanation."""

    items: Sequence[tuple[str, str, str]]
    block: ClassVar[str] = "cards"


@dataclass(frozen=True)
class Link:
    """A link to another file: the address, relative to the page, and its text."""

    address: str
    text: str
    block: ClassVar[str] = "link"


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        caption: its caption.
        head: names of the columns.
        rows: texts, one for each column; the first one names the row.
        numbers: indices of numeric columns, which are right-aligned.
        tall: whether it may be long and gets a scroll bar.
        folded: whether it is opened only by a click.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    tall: bool = False
    folded: bool = False
    block: ClassVar[str] = "grid"


@dataclass(frozen=True)
class Picture:
    """A drawing; see :func:`picture`.

    Attributes:
        markup: an ``<svg>`` element that contains the alternative text.
        caption: text below it.
        wide: its minimum width in CSS pixels; on narrower screens it scrolls.
        most: its maximum width in CSS pixels.
    """

    markup: Markup
    caption: str = ""
    wide: int = 0
    most: int = 1056
    block: ClassVar[str] = "picture"


Block = Paragraph | Code | Listing | Cards | Link | Grid | Picture


@dataclass(frozen=True)
class Section:
    """A heading with its blocks; ``short`` is its title in the list of contents."""

    title: str
    blocks: Sequence[Block]
    short: str = ""


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title: of the page.
        sections: in order.
        lead: a sentence below the title.
        top: blocks above the list of contents.
        lang: "en" or "es".
    """

    title: str
    sections: Sequence[Section]
    lead: str = ""
    top: Sequence[Block] = field(default=())
    lang: str = "en"

    def html(self) -> str:
        """The whole file, deterministic."""
        return _template().render(page=self, say=texts(self.lang), version=__version__)


def cell(value: Any) -> str:
    """A value of the user's in a table.

    >>> cell(1234.0), cell(0.12345), cell(None)
    ('1234', '0.1235', '–')
    """
    if value is None or value != value:
        return NOTHING
    if isinstance(value, str):
        return value if len(value) <= 40 else f"{value[:39]}…"
    if isinstance(value, np.datetime64):
        return str(value).replace("T00:00:00", "").replace("T", " ")
    if isinstance(value, np.timedelta64):
        return moments.told(float(value.astype("timedelta64[s]").astype(int)), "Duration(s)")
    whole = float(value).is_integer() and abs(value) < 1e12
    return number(float(value), ".0f" if whole else ".4g")


def write_page(page: Page, path: str | Path) -> Path:
    """Write a page atomically.

    Raises:
        StorageError: it can't be written.
    """
    return write_text(path, page.html())


def language_of(path: Path) -> str:
    """The language of an existing page; empty if there is none."""
    if not path.is_file():
        return ""
    found = re.search(f'<html lang="({"|".join(LANGUAGES)})"', path.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else language()


def guarded(title: str, blocks: Callable[[], Iterable[Block]], say: Texts, short: str = "") -> Section:
    """A section; if it fails, its heading with the reason, so that the rest of the page is still written."""
    made: list[Block] = []
    try:
        made.extend(blocks())
    except Exception as error:  # any error: the rest of the page is still useful
        why = str(error) if isinstance(error, LatenteError) else f"{type(error).__name__}: {error}"
        made.append(Paragraph(say("page.failed", why=say.said(why)), "warning"))
    return Section(title, made, short)


def picture(drawn: Axes | Sequence[Axes] | Figure, alt: str, caption: str = "", wide: int = 0) -> Picture:
    """A figure as inline SVG in the colours of the page, light or dark.

    Args:
        drawn: a figure, its panels, or one of them.
        alt: the alternative text.
        caption, wide: as in :class:`Picture`; by default ``wide`` follows from the figure's width.
    """
    markup, breadth = figures.vector(drawn, RESOLUTION)
    return Picture(Markup(_embedded(markup, alt)), caption, wide or min(720, round(60 * breadth)), round(105 * breadth))


def _embedded(svg: str, alt: str) -> str:
    """An SVG file as an element of a page, with alternative text, theme colours and unique ids."""
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    body = body.replace("xlink:href", "href").replace("image-rendering:crisp-edges;image-rendering:pixelated", "")
    body = re.sub(r' d="([^"]+)"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), body)  # 0.01 points are enough
    head, _, rest = body.partition(">")
    box = re.search(r'viewBox="[-0-9. ]+"', head)
    name = Markup('<svg {} role="img" aria-label="{}">').format(Markup(box.group() if box else ""), alt)
    return str(name) + _themed(_own_ids(_with_tips(rest), alt))


def _with_tips(svg: str) -> str:
    """Links to "tip:…" as texts that appear where the pointer is (see :func:`latente.report.drawing.labels.tips`)."""

    def tip(found: re.Match[str]) -> str:
        return f'<g class="tip">{Markup("<title>{}</title>").format(unquote(found[1]))}{found[2]}</g>'

    return re.sub(rf'<a href="{TIP}([^"]*)"[^>]*>(.*?)</a>', tip, svg, flags=re.DOTALL)


def _own_ids(svg: str, name: str) -> str:
    """The SVG with unique ids, and without unused ones."""
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    prefix = "f" + hashlib.sha256((name + svg).encode()).hexdigest()[:8]
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "", svg)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{prefix}-", svg)


def _themed(svg: str) -> str:
    """The SVG with the page's theme colours."""
    return re.sub("|".join(map(re.escape, THEME)), lambda found: f"var(--{THEME[found[0]]})", svg)


@cache
def _template() -> Template:
    words = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return words.from_string((importlib.resources.files("latente.report") / "page.html.jinja").read_text(encoding="utf-8"))
