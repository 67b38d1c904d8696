"""Pages of studies, and the folders that they are written to.

::

    COMPARE/compare.html     several models of the same rows: their figures, maps, random codes and interpolations
            compare.json     the same figures, for programs
            NAME/            the run folder of each model
    TRADEOFF/tradeoff.html   rate and distortion, by the size of the code and by beta
             tradeoff.json   the same figures, for programs
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from latente.errors import StorageError
from latente.files import write_text
from latente.folders import OWN_NAMES
from latente.report import side_by_side
from latente.report.bottleneck import rate_distortion
from latente.report.drawing import tables
from latente.report.page import Block, Code, Grid, Listing, Page, Paragraph, Section, cell, guarded, picture, write_page
from latente.report.run_folder import claim, is_run, write_run
from latente.rows import IMAGE, SCALAR, SERIES
from latente.studies.comparison import LABELS, Comparison
from latente.studies.setup import free
from latente.studies.tradeoff import HEADER, Tradeoff
from latente.words import Texts, amount, capital, speaking

COMPARE, TRADEOFF = ("compare.html", "compare.json"), ("tradeoff.html", "tradeoff.json")
LISTED_PLACES, LISTED_COLUMNS = 4, 6


def claim_study(folder: str | Path, own: Collection[str]) -> Path:
    """Check that a study can be written to a folder: it is new, empty, or an earlier study. Creates nothing.

    Args:
        folder: the folder. own: names of the files of such a study.

    Raises:
        StorageError: it contains other files, or can't be written to.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file; a study needs a folder of its own: name another with -o")
    strange = sorted(entry.name for entry in folder.iterdir() if not _own(entry, own)) if folder.is_dir() else []
    if strange:
        held = f"{folder} holds other things, such as {strange[0]!r}"
        raise StorageError(f"{held}, and nothing in it is touched; name another with -o")
    claim(folder / "any")
    return folder


def _own(entry: Path, own: Collection[str]) -> bool:
    return entry.name in (*own, *OWN_NAMES) or (entry.is_dir() and is_run(entry))


def folder_name(model: str) -> str:
    """Name of the run folder of a model.

    >>> folder_name("beta-vae:beta=4")
    'beta-vae-beta-4'
    """
    return re.sub(r"[^\w.]+", "-", model).strip("-.") or "model"


def run_folders(models: Iterable[str]) -> dict[str, str]:
    """Name of the run folder of each model; a repeated name gets a number.

    >>> run_folders(["mild:beta=2", "mild beta 2"])
    {'mild:beta=2': 'mild-beta-2', 'mild beta 2': 'mild-beta-2-2'}
    """
    found: dict[str, str] = {}
    for model in models:
        found[model] = free(folder_name(model), {*COMPARE, *found.values()})
    return found


def write_comparison(found: Comparison, folder: str | Path, lang: str = "en", name: str = "") -> dict[str, Path]:
    """Write a comparison: the page, its figures for programs, and the run folder of each model.

    Args:
        found: result of :func:`latente.compare`.
        folder: the folder. lang: language of the page. name: name of the data.

    Raises:
        StorageError: the folder can't be written to.
    """
    folder = claim_study(folder, COMPARE)
    folders = run_folders(found.models)
    paths = {model: folder / name for model, name in folders.items()}
    for model, vae in found.models.items():
        write_run(vae, None, paths[model], found.certificates[model])
    values = {**found.to_dict(), "folders": folders}
    paths["json"] = write_json(values, folder / COMPARE[1])
    paths["page"] = write_page(comparison_page(found, lang, name, folder), folder / COMPARE[0])
    return paths


def write_tradeoff(found: Tradeoff, folder: str | Path, lang: str = "en", name: str = "") -> dict[str, Path]:
    """Write a trade-off: the page, and its figures for programs; arguments as in :func:`write_comparison`."""
    folder = claim_study(folder, TRADEOFF)
    page = write_page(tradeoff_page(found, lang, name), folder / TRADEOFF[0])
    return {"page": page, "json": write_json(found.to_dict(), folder / TRADEOFF[1])}


def write_json(values: Any, path: Path) -> Path:
    """Write plain values as JSON."""
    return write_text(path, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


# ---------------------------------------------------------------------------------------------------------- comparison


def comparison_page(found: Comparison, lang: str = "en", name: str = "", folder: Path | None = None) -> Page:
    """The page of a comparison."""
    with speaking(lang) as say:
        sections = [
            guarded(say("compare.figures"), lambda: _figures(found, say), say),
            guarded(say("compare.maps"), lambda: _drawn(side_by_side.latent_maps(found), say, "maps"), say),
            guarded(say("compare.places"), lambda: _places(found, say), say),
            guarded(say("compare.walks"), lambda: _drawn(side_by_side.walks(found), say, "walks"), say),
            guarded(say("compare.verdicts"), lambda: _verdicts(found, say), say),
            Section(say("compare.next"), [Code(_commands(found, folder))]),
        ]
        about = found.about
        lead = say("compare.lead", rows=about["rows"], held_out=about["held_out_rows"], d=about["latent_dim"])
        reading = Listing([("", say.said(sentence)) for sentence in found.reading()[:3]])
        return Page(say("compare.title", name=name or say("compare.data")), sections, lead, [reading], lang)


def _figures(found: Comparison, say: Texts) -> Iterable[Block]:
    rows = [tuple(amount(say.said(cell)) for cell in line) for line in found.lines()]
    yield Grid(say("compare.table"), found.header, rows, frozenset(range(1, len(found.header))))
    shown = next(iter(found.models))
    meant = [tuple(map(say.said, LABELS[key])) for key in found.figures(shown)]
    yield Grid(say("compare.meaning"), (say("compare.figure"), say("compare.means")), meant)


def _drawn(panels: Any, say: Texts, name: str) -> Iterable[Block]:
    yield picture(panels, say(f"compare.{name}_alt"), say(f"compare.{name}_caption"))


def _places(found: Comparison, say: Texts) -> Iterable[Block]:
    kind, listed = PLACES[found.scene.layout]
    yield from _drawn(side_by_side.random_places(found), say, kind)
    yield from listed(found, say)


def _listed(found: Comparison, say: Texts) -> Iterable[Block]:
    """Rows decoded from the first random codes, as a table."""
    real: Any = found.scene.rows
    names = list(real)[:LISTED_COLUMNS]
    rows = []
    for place in range(LISTED_PLACES):
        for model, view in found.scene.views.items():
            values = (view.decoded[column][place] for column in names)
            rows.append((f"{place + 1}", model, *(cell(value) for value in values)))
    numbers = {k + 2 for k, name in enumerate(names) if not tables.is_levels(real[name])}
    yield Grid(say("compare.listed"), (say("compare.place"), say("compare.model"), *names), rows, frozenset(numbers))


PLACES = {
    SCALAR: ("places_rows", _listed),
    IMAGE: ("places_pictures", lambda found, say: ()),
    SERIES: ("places_windows", lambda found, say: ()),
}
"""For each layout the texts of the figure of random codes, and what is below it."""


def _verdicts(found: Comparison, say: Texts) -> Iterable[Block]:
    items = [
        (
            f"{model}: {say.said(verdict.name)}.",
            " ".join(f"{capital(say.said(part))}." for part in (verdict.evidence, verdict.remedy)),
        )
        for model, certificate in found.certificates.items()
        for verdict in certificate.verdicts
    ]
    yield Listing(items, "warning") if items else Paragraph(say("compare.nothing"), "good")


def _commands(found: Comparison, folder: Path | None) -> str:
    runs = [shlex.quote(str((folder or Path()) / name)) for name in run_folders(found.models).values()]
    return "\n".join(f"latente {what} {run}" for run in runs for what in ("certify", "explore"))


# ----------------------------------------------------------------------------------------------------------- trade-off


def tradeoff_page(found: Tradeoff, lang: str = "en", name: str = "") -> Page:
    """The page of a trade-off."""
    with speaking(lang) as say:
        about = found.about
        lead = say(
            "tradeoff.lead",
            recipe=about["recipe"],
            judged=about["judged_rows"],
            rows=about["rows"],
        )
        notes = [Paragraph(say.said(note), "note") for note in found.notes]
        command = f"latente fit DATA --recipe {about['recipe']} --latent-dim {found.chosen}"
        sections = [
            guarded(say("tradeoff.curve"), lambda: _curve(found, say), say),
            Section(say("tradeoff.figures"), [_points(found, say), *notes]),
            Section(say("tradeoff.next"), [Code(command)]),
        ]
        top = [Paragraph(_sentences(found.reasons, say)), Paragraph(_floor(found, say))]
        return Page(say("tradeoff.title", name=name or say("compare.data")), sections, lead, top, lang)


def _sentences(parts: Iterable[str], say: Texts) -> str:
    said = [say.said(part) for part in parts]
    return " ".join(f"{part[0].upper() if k else part[0]}{part[1:]}." for k, part in enumerate(said))


def _curve(found: Tradeoff, say: Texts) -> Iterable[Block]:
    yield picture(rate_distortion(found), say("tradeoff.alt"), say("tradeoff.caption"))


def _points(found: Tradeoff, say: Texts) -> Grid:
    head = (say("compare.model"), "d", "β", *(say(f"tradeoff.{word}") for word in ("rate", "distortion", "loss")), "±",
            say("tradeoff.active"), say("compare.seconds"), "")  # fmt: skip
    rows = [
        (say.said(line[0]), *map(amount, line[1:-1]), f"← {say('tradeoff.chosen')}" if line[-1] else "")
        for line in found.lines()
    ]
    return Grid(say("tradeoff.table"), head, rows, frozenset(range(1, len(HEADER) - 1)))


def _floor(found: Tradeoff, say: Texts) -> str:
    if not found.floor.known:
        return say("tradeoff.no_floor", why=found.floor.reason)
    return say("tradeoff.floor", value=found.floor.value)
