"""A page: one HTML file that asks for nothing from anywhere, from headings, sentences, pictures and tables.

A page is data: sections of blocks, in order. What a user's data holds (names of columns, texts of cells, names of files) is
escaped where it is written; only :func:`picture` makes markup, from what matplotlib draws.

>>> page = Page("Wine", [Section("What went in", [Paragraph("178 rows"), Grid("Columns", ["name"], [["alcohol"]])])])
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
from typing import ClassVar

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latente.errors import LatenteError
from latente.files import write_text
from latente.report import figures
from latente.report.drawing.style import THEME
from latente.version import __version__
from latente.words import LANGUAGES, Texts, language, texts

RESOLUTION = 144  # dots per inch of what is drawn as pixels within a figure


@dataclass(frozen=True)
class Paragraph:
    """Some sentences; ``tone`` is "plain", "note", "good" or "warning", and ``lang`` that of the text where it is another."""

    text: str
    tone: str = "plain"
    lang: str = ""
    block: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Code:
    """Lines to be typed in a terminal."""

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
    """Headline figures: each a name, a value and a word on what it means."""

    items: Sequence[tuple[str, str, str]]
    block: ClassVar[str] = "cards"


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        caption: what it shows.
        head: names of the columns.
        rows: texts, as many in each as there are columns; the first one names its row.
        numbers: places of the columns that hold numbers, which are set to the right.
        tall: whether it may be long, and is given a window of its own on a screen.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    tall: bool = False
    block: ClassVar[str] = "grid"


@dataclass(frozen=True)
class Picture:
    """A drawing; made by :func:`picture`.

    Attributes:
        markup: an ``<svg>`` element that names ``alt`` already.
        caption: below it.
        wide: the least width at which it can be read, in CSS pixels; on narrower screens it is scrolled.
        most: the width that it does not grow beyond, in CSS pixels.
    """

    markup: Markup
    caption: str = ""
    wide: int = 0
    most: int = 1056
    block: ClassVar[str] = "picture"


Block = Paragraph | Code | Listing | Cards | Grid | Picture


@dataclass(frozen=True)
class Section:
    """A heading with what is under it; ``short`` is what it is called in the list of contents."""

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
        lang: "en" or "es", that of its words.
    """

    title: str
    sections: Sequence[Section]
    lead: str = ""
    top: Sequence[Block] = field(default=())
    lang: str = "en"

    def html(self) -> str:
        """The whole file, the same for the same page."""
        return _template().render(page=self, say=texts(self.lang), version=__version__)


def write_page(page: Page, path: str | Path) -> Path:
    """Write a page: whole or not at all.

    Raises:
        StorageError: it can't be written.
    """
    return write_text(path, page.html())


def language_of(path: Path) -> str:
    """The language of a page that lies there; empty where there is none."""
    if not path.is_file():
        return ""
    found = re.search(f'<html lang="({"|".join(LANGUAGES)})"', path.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else language()


def guarded(title: str, blocks: Callable[[], Iterable[Block]], say: Texts, short: str = "") -> Section:
    """A section, or where it can't be made the same heading over the reason: no page is lost to one of its parts."""
    made: list[Block] = []
    try:
        made.extend(blocks())
    except Exception as error:  # whatever it stumbles over, the rest of the page is there and of use
        why = str(error) if isinstance(error, LatenteError) else f"{type(error).__name__}: {error}"
        made.append(Paragraph(say("page.failed", why=say.said(why)), "warning"))
    return Section(title, made, short)


def picture(drawn: Axes | Sequence[Axes] | Figure, alt: str, caption: str = "", wide: int = 0) -> Picture:
    """A figure as inline SVG in the colours of the page, light or dark.

    Args:
        drawn: a figure, its panels, or one of them.
        alt: what it shows, for those who can't see it.
        caption, wide: as in :class:`Picture`; by default ``wide`` follows from the figure's width.
    """
    markup, breadth = figures.vector(drawn, RESOLUTION)
    return Picture(Markup(_embedded(markup, alt)), caption, wide or min(720, round(60 * breadth)), round(105 * breadth))


def _embedded(svg: str, alt: str) -> str:
    """An SVG file as an element of a page: named, themed, and with ids of its own."""
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    body = body.replace("xlink:href", "href").replace("image-rendering:crisp-edges;image-rendering:pixelated", "")
    body = re.sub(r' d="([^"]+)"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), body)  # a hundredth of a point will do
    head, _, rest = body.partition(">")
    box = re.search(r'viewBox="[-0-9. ]+"', head)
    name = Markup('<svg {} role="img" aria-label="{}">').format(Markup(box.group() if box else ""), alt)
    return str(name) + _themed(_own_ids(rest, alt))


def _own_ids(svg: str, name: str) -> str:
    """The same with ids that no other drawing has, and without those that nothing refers to."""
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    prefix = "f" + hashlib.sha256((name + svg).encode()).hexdigest()[:8]
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "", svg)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{prefix}-", svg)


def _themed(svg: str) -> str:
    """The same with the page's colours in place of the figures' own."""
    return re.sub("|".join(map(re.escape, THEME)), lambda found: f"var(--{THEME[found[0]]})", svg)


@cache
def _template() -> Template:
    words = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return words.from_string((importlib.resources.files("latente.report") / "page.html.jinja").read_text(encoding="utf-8"))
