"""The page: complete in itself, escaped, readable by machines that read aloud, and none of its parts costs another."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import latente as lt
from latente.report import figures
from latente.report.page import Cards, Code, Grid, Listing, Page, Paragraph, Section, cell, guarded, picture, write_page
from latente.words import texts

EVIL = '<script>alert("a")</script> & <b onload=x>'
VOID = {"meta", "img", "br", "path", "use", "link", "input"}


class Read(HTMLParser):
    """What is on a page: its elements in order with what they hold, and whether each one is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(scope="module")
def drawn():
    return figures.latent_map(np.eye(2), np.array([EVIL, "x"]), title=EVIL)


@pytest.fixture(scope="module")
def page(drawn):
    blocks = [
        Paragraph(EVIL, "note"),
        Code(EVIL),
        Listing([(EVIL, EVIL), ("", "plain")]),
        Cards([(EVIL, EVIL, EVIL)]),
        Grid(EVIL, [EVIL, "b"], [[EVIL, "1"], ["c", "2"]], frozenset({1}), tall=True),
        picture(drawn, EVIL, EVIL),
    ]
    return Page(EVIL, [Section(EVIL, blocks), Section("two", [picture(drawn, "again")])], EVIL, [Paragraph(EVIL)], "es")


def test_a_page_is_one_file_that_asks_for_nothing(page):
    html = page.html()
    assert not re.search(r"https?:|//\w", html)
    for attributes in Read(html).all("a", "img", "link", "use", "image"):
        where = attributes.get("href") or attributes.get("src") or ""
        assert where.startswith(("#", "data:image/png;base64,"))
    assert "default-src 'none'" in html


def test_what_a_user_names_is_text(page):
    read = Read(page.html())
    assert not read.open
    assert not read.all("script", "b")
    assert not [attributes for _, attributes in read.elements if "onload" in attributes]
    assert read.text.count(EVIL) >= 10


def test_a_page_can_be_read_aloud(page):
    read = Read(page.html())
    assert read.all("html")[0]["lang"] == "es"
    assert [tag for tag, _ in read.elements if tag in ("h1", "h2", "h3")] == ["h1", "h2", "h2"]
    assert [svg["aria-label"] for svg in read.all("svg")] == [EVIL, "again"]
    assert [cell["scope"] for cell in read.all("th")] == ["col", "col", "row", "row"]
    assert len(read.all("caption")) == 1


def test_every_id_is_there_once_and_every_reference_leads_to_one(page):
    read = Read(page.html())
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    places = [a["href"][1:] for a in read.all("a", "use") if (a.get("href") or "").startswith("#")]
    places += re.findall(r"url\(#([^)]+)\)", page.html())
    assert set(places) <= set(ids)
    assert len(ids) == len(set(ids))


def test_figures_take_the_colours_of_the_page(drawn):
    markup = picture(drawn, "map").markup
    assert "var(--ink)" in markup and "var(--font)" in markup
    assert "#1f2933" not in markup and "DejaVu" not in markup and "#ffffff" not in markup
    assert "&lt;script" in markup, "words are words, not outlines"


def test_a_part_that_fails_says_so_and_leaves_the_rest():
    def blocks():
        yield Paragraph("first")
        raise lt.DataError("there are no columns")

    section = guarded("A part", blocks, texts("en"))
    assert [block.text for block in section.blocks] == ["first", "This part could not be made: there are no columns."]
    assert "ZeroDivisionError" in guarded("A part", lambda: [1 / 0], texts("es")).blocks[0].text


def test_the_same_page_is_the_same_file(page, tmp_path):
    path = write_page(page, tmp_path / "page.html")
    assert path.read_text(encoding="utf-8") == page.html()


@pytest.mark.parametrize(("minutes", "words"), [(-10, "-0:10:00"), (90, "1:30:00"), (-1500, "-1 day, 1:00:00")])
def test_durations_in_tables_are_told_as_elsewhere(minutes, words):
    assert cell(np.timedelta64(minutes, "m")) == words


def test_tips_are_texts_that_appear_where_the_pointer_is():
    drawn = figures.latent_maps(np.eye(2), {"a": np.array([EVIL, "x"])}, rows=[EVIL, "second row"])
    html = Page("t", [Section("s", [picture(drawn, "alt")])]).html()
    read = Read(html)
    assert not read.open and not read.all("script", "b")
    assert len(read.all("title")) == 3 and "tip:" not in html
    assert f"{EVIL}: a {EVIL}" in read.text and "second row: a x" in read.text
