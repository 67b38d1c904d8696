"""The page of a ranking of recipes.

::

    COMPARE/compare.html     the bound of each recipe, which differences are real, and figures of the certificate
            compare.json     the same figures, for programs
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from matplotlib.axes import Axes

from latente.report.drawing.style import INK, MADE, MUTED, PAPER
from latente.report.figures.canvas import new_figure, short, styled
from latente.report.page import Block, Grid, Listing, Page, Section, guarded, picture, write_page
from latente.report.study_pages import COMPARE, claim_study, write_json
from latente.studies.ranking import Ranking
from latente.words import Texts, amount, capital, speaking, word

SCALE = 1.0  # nats, up to which the axis is linear where some recipes are far off
MEANT = ("bound", "C", "K", "I", "active", "seconds")


def write_ranking(found: Ranking, folder: str | Path, lang: str = "en", name: str = "") -> dict[str, Path]:
    """Write a ranking: the page, and its figures for programs.

    Args:
        found: result of :func:`latente.compare` with seeds.
        folder: the folder. lang: language of the page. name: name of the data.

    Raises:
        StorageError: the folder can't be written to.
    """
    folder = claim_study(folder, COMPARE)
    page = write_page(ranking_page(found, lang, name), folder / COMPARE[0])
    return {"page": page, "json": write_json(found.to_dict(), folder / COMPARE[1])}


def ranking_page(found: Ranking, lang: str = "en", name: str = "") -> Page:
    """The page of a ranking."""
    with speaking(lang) as say:
        about = found.about
        lead = say("ranking.lead", recipes=len(found.entries), seeds=about["seeds"], rows=about["rows"])
        reading = Listing([("", f"{capital(say.said(sentence))}.") for sentence in found.reading()])
        sections = [
            guarded(say("ranking.figures"), lambda: _figures(found, say), say),
            Section(say("ranking.meaning"), [_meant(say)]),
        ]
        return Page(say("ranking.title", name=name or say("compare.data")), sections, lead, [reading], lang)


def _figures(found: Ranking, say: Texts) -> Iterable[Block]:
    if found.differences:
        yield picture(differences_to_best(found), say("ranking.alt"), say("ranking.caption"))
    head = (say("ranking.recipe"), say("ranking.bound"), "±", say("ranking.difference"), "±", "", "C", "K", "I(x;z)",
            say("ranking.active"), say("ranking.seconds"))  # fmt: skip
    rows = [tuple(map(amount, line)) for line in found.lines()]
    yield Grid(say("ranking.table"), head, rows, frozenset(range(1, len(head))))


def _meant(say: Texts) -> Grid:
    words = [say("ranking.bound"), "C", "K", "I(x;z)", say("ranking.active"), say("ranking.seconds")]
    rows = [(word, say(f"ranking.means_{key}")) for word, key in zip(words, MEANT, strict=True)]
    return Grid("", (say("compare.figure"), say("compare.means")), rows)


@styled
def differences_to_best(found: Ranking, *, ax: Axes | None = None) -> Axes:
    """The difference of the bound of each recipe from the best, with intervals; filled dots differ beyond chance.

    Args:
        found: result of :func:`latente.compare` with seeds.
        ax: axes to draw on; by default those of a new figure.
    """
    best = next(iter(found.bounded))
    names = [best, *found.differences]
    ax = ax or new_figure(7.6, 1.2 + 0.24 * len(names)).add_subplot()
    ax.axvline(0.0, color=MUTED, lw=1, ls=":")
    ax.plot(0.0, 0, "o", color=INK, ms=5)
    for place, difference in enumerate(found.differences.values(), 1):
        fill = MADE if difference.real else PAPER
        ax.errorbar(difference.value, place, xerr=difference.margin, color=MADE, marker="o", ms=5, mfc=fill, lw=1.2)
    lowest = min(d.value for d in found.differences.values())
    if lowest < -10 * SCALE:
        ends = [-(10.0**power) for power in range(math.ceil(math.log10(-lowest)))]
        ax.set_xscale("symlog", linthresh=SCALE)
        ax.set_xticks([*reversed(ends), 0.0], [amount(f"{end:g}") for end in (*reversed(ends), 0.0)])
        ax.minorticks_off()
    ax.set(yticks=range(len(names)), yticklabels=[short(name, 30) for name in names], xlabel=word("ranking_axis"))
    ax.set_ylim(len(names) - 0.4, -0.6)
    return ax
