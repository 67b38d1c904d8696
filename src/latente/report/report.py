"""The report: data, training, reconstructions, latent space, samples and certificate of a model on one page."""

from __future__ import annotations

import math
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import narwhals as nw

from latente.certificate import Certificate, Estimate
from latente.certificate.certificate import LINES
from latente.certificate.certificate import shown as figure_text
from latente.errors import LatenteError
from latente.report import figures, quantities, scenes, summary
from latente.report.drawing.associations import associations
from latente.report.drawing.style import Array
from latente.report.events import Steps
from latente.report.figures.tables import MAX_COLUMNS as MAX_CORRELATED
from latente.report.page import (
    NOTHING,
    Block,
    Cards,
    Code,
    Grid,
    Link,
    Listing,
    Page,
    Paragraph,
    cell,
    guarded,
    picture,
    write_page,
)
from latente.report.report_data import ReportData
from latente.rows import IMAGE, SCALAR, SERIES
from latente.tasks.rivals import named
from latente.training.stages import ended
from latente.words import Texts, amount, capital, number, speaking

if TYPE_CHECKING:
    from latente.estimator import VAE

MAX_COLUMNS = 8
MAX_PANELS = 12  # columns with a panel of their own
SHOWN_ROWS = 6
EXPLAINED = 5
MIN_COMPARED = 20  # rows, from which simple detectors are compared with the model
NO_BREAK = "\u00a0"
Line = tuple[str, Any, int]
"""A row in a table of rows: its label, the columns by name, and its index in them."""


def write_report(
    vae: VAE,
    data: Any,
    path: str | Path,
    *,
    lang: str = "en",
    certificate: Certificate | str | None = "auto",
    run: str | Path = "",
    source: str = "",
    colours: Mapping[str, Sequence[Any] | Array] | None = None,
    explorer: str = "",
) -> Path:
    """Write the report of a fitted estimator: one HTML file without external resources.

    Args:
        vae: the fitted estimator.
        data: the training data or similar rows, as for ``fit``. At most 2,000 rows are shown.
        path: of the file to write.
        lang: "en" or "es".
        certificate: the model's certificate; "auto" measures it if the training rows are still in memory, None omits it.
        run: the run folder, for the commands at the end.
        source: the DATA argument of these commands.
        colours: further values of the rows, to colour the map of the codes by: one for each row, by name.
        explorer: address of a page of the explorer, relative to the report, to link to.

    Returns:
        The path.

    Raises:
        StorageError: it can't be written.
        ModelError: there are no texts in that language.

    >>> import tempfile
    >>> import numpy as np
    >>> from latente import VAE
    >>> rows = np.random.default_rng(0).normal(size=(60, 3))
    >>> vae = VAE(latent_dim=2, max_epochs=1, random_state=0).fit(rows)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(vae, rows, f"{folder}/report.html", certificate=None).name
    'report.html'
    """
    shown = data if isinstance(data, ReportData) else ReportData(vae, data, colours)
    return write_page(report(shown, lang=lang, certificate=certificate, run=run, source=source, explorer=explorer), path)


def report(
    shown: ReportData,
    *,
    lang: str = "en",
    certificate: Certificate | str | None = "auto",
    run: str | Path = "",
    source: str = "",
    explorer: str = "",
) -> Page:
    """The page that :func:`write_report` writes."""
    why = ""
    if certificate == "auto":
        certificate, why = _certified(shown.vae)
    found = certificate if isinstance(certificate, Certificate) else None
    with speaking(lang) as say:
        return REPORTS[shown.layout](shown, say, found, why, str(run), source, explorer).page()


def _certified(vae: VAE) -> tuple[Certificate | None, str]:
    """The certificate of a model, or the reason why there is none."""
    try:
        return vae.certificate(), ""
    except Exception as error:  # any error: the rest of the report does not depend on it
        return None, str(error) if isinstance(error, LatenteError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class _Report(ABC):
    """Builds a report; its sections are generators of blocks. The abstract methods are what depends on the layout of a row.

    Attributes:
        rows_are: "table" or "pictures", in the keys of texts. suffix: of files of rows.
    """

    shown: ReportData
    say: Texts
    certificate: Certificate | None
    why: str
    run: str
    source: str
    explorer: str
    rows_are: ClassVar[str]
    suffix: ClassVar[str]

    @abstractmethod
    def size(self) -> str:
        """Size of a row in words."""

    @abstractmethod
    def fields(self) -> Block:
        """The kinds of the values of a row."""

    @abstractmethod
    def rows_of(self, section: str) -> Iterator[Block]:
        """The rows of a section: "rebuilt", "walk" or "samples"."""

    def drawn(self, section: str, panels: Any, alt: str = "") -> Block:
        """A figure of rows."""
        return picture(
            panels, alt or self.say(f"{section}.alt_{self.rows_are}"), self.say(f"{section}.caption_{self.rows_are}")
        )

    def page(self) -> Page:
        parts: dict[str, Callable[[], Iterator[Block]]] = {
            "data": self.data,
            "training": self.training,
            "rebuilt": self.rebuilt,
            "map": self.map,
            "dimensions": self.dimensions,
            "density": self.density,
            "walk": self.walk,
            "samples": self.samples,
            "anomalies": self.anomalies,
            "certificate_part": self.certified,
            "next": self.next,
        }
        sections = [
            guarded(self.say(f"{name}.title"), part, self.say, self.say(f"{name}.short")) for name, part in parts.items()
        ]
        of = Path(self.source).name if self.source and "\n" not in self.source else ""
        title = self.say("report.title_of", name=of) if of else self.say("report.title")
        return Page(title, sections, self.lead(), guarded("", self.top, self.say).blocks, self.say.lang)

    @property
    def codec(self) -> Any:
        """The codec of the model."""
        return self.shown.vae.codec_

    # -- above everything -------------------------------------------------------------------------------------------

    def lead(self) -> str:
        """Recipe and size, in a sentence."""
        vae, shown = self.shown.vae, self.shown
        return self.say("report.lead", recipe=vae.recipe_.name, rows=shown.total, size=self.size())

    def top(self) -> Iterator[Block]:
        yield from (Paragraph(text) for text in summary.sentences(self.shown, self.certificate, self.say))
        yield from self.verdicts()
        yield self.to_explorer()
        f = self.shown.vae.figures_
        judged = "held_out" if f["held_out_rows"] else "training"
        cards: list[tuple[str, str, str]] = [
            (self.say("card.rows"), number(f["rows"], ","), self.say("card.held_out", rows=f["held_out_rows"])),
            (self.say("card.code"), str(f["latent_dim"]), self.say("card.active", count=f["active_units"])),
            (self.say("card.loss"), number(f["loss"], ",.2f"), self.say(f"card.loss_{judged}")),
        ]
        yield Cards([*cards, *self.headlines()])

    def to_explorer(self) -> Block:
        """A link to the explorer, or the command that opens it."""
        if self.explorer:
            return Link(self.explorer, self.say("summary.explorer"))
        return Paragraph(self.say("summary.explore", command=f"latente explore {shlex.quote(self.run) if self.run else 'RUN'}"))

    def verdicts(self) -> Iterator[Block]:
        """The problems that the certificate found."""
        if self.certificate is None:
            return
        if not self.certificate.verdicts:
            yield Paragraph(self.say("certificate_part.good"), "good")
            return
        yield Listing([self.problem(v.name, v.evidence) for v in self.certificate.verdicts], "warning")

    def problem(self, name: str, text: str) -> tuple[str, str]:
        """A problem and a sentence on it."""
        return f"{capital(self.say.said(name))}:", f"{capital(self.say.said(text))}."

    def headlines(self) -> Iterator[tuple[str, str, str]]:
        """Completeness and continuity, as cards."""
        for name in ("completeness", "continuity") if self.certificate else ():
            figure, told = self.certificate[name], self.say(f"card.{name}")  # type: ignore[index]
            label = capital(self.say(f"certificate.{name}.label"))
            if not figure.known:
                yield label, NOTHING, capital(self.say.said(figure.reason))
                continue
            if math.isfinite(figure.low):
                told = self.say("card.interval", meaning=told, low=figure.low, high=figure.high)
            bound, share = (self.certificate.figures.get(f"{name}_{of}") for of in ("ceiling", "share"))  # type: ignore[union-attr]
            if bound and share and share.known:
                told = self.say("card.bound", meaning=told, bound=bound.value, share=share.value)
            yield label, number(figure.value, ".2f"), told

    def measured(self, figure: Estimate) -> str:
        """A figure of the certificate with its interval."""
        if figure.value.is_integer() and not math.isfinite(figure.low):
            return number(figure.value, ",.0f")
        return amount(figure_text(figure)) if figure.known else NOTHING

    # -- data -------------------------------------------------------------------------------------------------------

    def data(self) -> Iterator[Block]:
        codec, f = self.codec, self.shown.vae.figures_
        yield Paragraph(
            self.say("data.rows" if f["held_out_rows"] else "data.all_rows", rows=f["rows"], held_out=f["held_out_rows"])
        )
        if codec.notes:
            yield Listing([("", f"{capital(self.say.said(note))}.") for note in codec.notes], "note")
        yield self.fields()

    # -- training ---------------------------------------------------------------------------------------------------

    def training(self) -> Iterator[Block]:
        vae, f = self.shown.vae, self.shown.vae.figures_
        told = {name: f[name] for name in ("epochs", "seconds", "device")}
        yield Paragraph(self.say("training.text", ended=ended(f["finished"]), **told))
        loss = {name: f[name] for name in ("loss", "distortion", "rate")}
        yield Paragraph(self.say("training.loss" if vae.model_.has_rate else "training.loss_autoencoder", **loss))
        if f.get("row_model_loss") is not None:
            yield Paragraph(self.say("training.row_model", loss=f["row_model_loss"]))
        remarks = vae.notes_[len(vae.codec_.notes) :]
        if remarks:
            yield Listing([("", f"{capital(self.say.said(remark))}.") for remark in remarks], "note")
        drawn = scenes.scene("training_curve", self.shown)
        yield picture(drawn, summary.of_training(self.shown, self.say), self.say("training.caption"))

    # -- reconstructions ----------- --------------------------------------------------------------------------------

    def rebuilt(self) -> Iterator[Block]:
        yield Paragraph(self.say(f"rebuilt.{self.rows_are}", dimensions=self.shown.codes.shape[1]))
        found = quantities.rebuilt(self.shown)
        yield self.drawn("rebuilt", scenes.scene("reconstructions", self.shown), self.alt_of_rebuilt(found))
        caption = self.say(f"rebuilt.caption_errors_{self.rows_are}")
        yield picture(scenes.errors(self.shown, found), summary.of_errors(self.shown, found, self.say), caption)
        yield from self.rows_of("rebuilt")

    def alt_of_rebuilt(self, found: quantities.Rebuilt) -> str:
        """The result of the figure of reconstructions."""
        return summary.of_errors(self.shown, found, self.say)

    def row(self, place: int) -> str:
        """The name of a row, by its number in the data."""
        return self.say("report.row", number=int(self.shown.numbers[place]))

    # -- the latent space -------------------------------------------------------------------------------------------

    def map(self) -> Iterator[Block]:
        shown = self.shown
        d = shown.codes.shape[1]
        yield Paragraph(self.say("map.one" if d == 1 else "map.two" if d == 2 else "map.many", dimensions=d))
        best = [(name, share) for name, share in shown.explained.items() if math.isfinite(share)][:EXPLAINED]
        if best:
            listed = ", ".join(f"{name} {number(share, '.0%')}" for name, share in best)
            yield Paragraph(self.say("map.explained", listed=listed))
        drawn = scenes.line(shown, next(iter(shown.explained))) if d == 1 else scenes.latent_maps(shown)
        alt = summary.of_map(shown, self.say)
        yield picture(drawn, alt, self.say("map.caption_one" if d == 1 else "map.caption"))
        if d > 1:
            yield picture(scenes.beside_pca(shown), alt, self.say("map.caption_pca"))

    def dimensions(self) -> Iterator[Block]:
        shown, f = self.shown, self.shown.vae.figures_
        yield Paragraph(self.say("dimensions.text", d=f["latent_dim"], active=f["active_units"]))
        kl = quantities.kl(shown)
        if kl is not None:
            alt = self.say("dimensions.alt_kl", name=f"z{int(kl.argmax()) + 1}", most=float(kl.max()), total=float(kl.sum()))
            yield picture(figures.kl_by_dimension(kl), alt, self.say("dimensions.caption_kl"))
        told = {"name": f"z{shown.order[0] + 1}", "most": min(quantities.MAX_TRAVERSED, f["latent_dim"])}
        if shown.layout != SERIES:
            caption = self.say(f"dimensions.caption_{self.rows_are}")
            yield picture(scenes.traversal(shown), self.say("dimensions.alt", **told), caption)
        if f["latent_dim"] > 2:
            yield picture(
                scenes.corner(shown), self.say("dimensions.alt_corner", **told), self.say("dimensions.caption_corner")
            )

    def density(self) -> Iterator[Block]:
        if not self.shown.vae.model_.has_rate:
            yield Paragraph(self.say("density.none"), "note")
            return
        yield Paragraph(self.say("density.text"))
        yield picture(
            scenes.posterior_against_priors(self.shown, self.certificate),
            summary.of_density(self.certificate, self.say),
            self.say("density.caption_one" if len(self.shown.pair) == 1 else "density.caption"),
        )
        if self.shown.vae.row_model_ is not self.shown.vae.model_:
            yield Paragraph(self.say("density.row_model"), "note")
        else:
            yield Paragraph(self.say("density.prior", prior=self.say.said(self.shown.vae.fitted_prior_.in_words)))

    def walk(self) -> Iterator[Block]:
        start, end, _ = self.shown.walk
        yield Paragraph(self.say("walk.text", start=self.row(start), end=self.row(end)))
        yield from self.rows_of("walk")

    # -- new rows ---------------------------------------------------------------------------------------------------

    def samples(self) -> Iterator[Block]:
        vae = self.shown.vae
        own = vae.row_model_ is not vae.model_
        prior = self.say.said(vae.fitted_prior_.in_words)
        yield Paragraph(self.say("samples.row_model" if own else "samples.prior", prior=prior))
        yield from self.rows_of("samples")

    def anomalies(self) -> Iterator[Block]:
        """Anomaly scores of tables and pictures, and simple detectors beside the model."""
        found = quantities.strange(self.shown)
        if found is None:
            yield Paragraph(self.say("anomalies.none"), "note")
            return
        yield Paragraph(self.say(f"anomalies.{self.rows_are}", rows=len(found.scores)))
        yield picture(
            ANOMALIES[self.shown.layout](self.shown, found),
            summary.of_anomalies(found, self.say),
            self.say(f"anomalies.caption_{self.rows_are}"),
        )
        yield from self.beside(self.shown.data.take(range(len(found.scores))), "rows")

    def beside(self, data: Any, of: str) -> Iterator[Block]:
        """Simple detectors beside the model; ``of``, "rows" or "windows", says what they judge."""
        if len(data) < MIN_COMPARED:
            return
        compared = self.shown.vae.compare_detectors(data)
        columns = nw.from_native(compared.agreement, eager_only=True).to_dict(as_series=False)
        shown = [
            (self.say.said(named(name)), number(r, ".2f"), number(share, ".0%"))
            for name, r, share in zip(*columns.values(), strict=True)
        ]
        names = [self.say(f"rivals.{name}") for name in ("detector", "correlation", f"common_{of}")]
        yield Grid(self.say(f"rivals.{of}"), names, shown, frozenset({1, 2}))
        yield Paragraph(f"{capital(self.say.said(compared.verdict))}.")

    # -- certificate -------------------------------------------------------------------------------------------------

    def certified(self) -> Iterator[Block]:
        certificate = self.certificate
        if certificate is None:
            none = "not_made" if self.shown.vae.figures_["held_out_rows"] else "no_held_out"
            why = self.say("certificate_part.why", why=self.say.said(self.why)) if self.why else ""
            yield Paragraph(f"{self.say(f'certificate_part.{none}')} {why}".strip(), "warning")
            return
        about = {name: certificate.about[name] for name in ("rows", "held_out_rows")}
        yield Paragraph(self.say("certificate_part.text", **about))
        measures = scenes.measures_of(certificate)
        if measures:
            c, k = (certificate[name].value for name in ("completeness", "continuity"))
            alt, caption = self.say("certificate_part.alt", c=c, k=k), self.say("certificate_part.caption")
            yield picture(figures.space_measures(measures), alt, caption)
        yield self.lines(certificate)

    def lines(self, certificate: Certificate) -> Grid:
        """All figures with their meaning."""
        rows = []
        for name in (name for name in LINES if name in certificate.figures):
            figure, reason = certificate[name], self.say.said(certificate[name].reason)
            meaning = self.say(f"certificate.{name}.sentence") + f" ({reason})" * bool(reason)
            if not figure.known:
                meaning = self.say("certificate_part.unknown", reason=reason)
            rows.append((self.say(f"certificate.{name}.label").replace("  ", "\u2003"), self.measured(figure), meaning))
        head = [self.say(f"certificate_part.{name}") for name in ("figure", "value", "means")]
        return Grid(self.say("certificate_part.lines"), head, rows, folded=True)

    def next(self) -> Iterator[Block]:
        if self.certificate is not None and self.certificate.verdicts:
            yield Paragraph(self.say("next.remedies"))
            yield Listing([self.problem(v.name, v.remedy) for v in self.certificate.verdicts])
        yield Paragraph(self.say("next.text"))
        yield Code("\n".join(self.commands()))

    def commands(self) -> Iterator[str]:
        """Suggested next commands."""
        run, data = (shlex.quote(text) if text else word for text, word in ((self.run, "RUN"), (self.source, "DATA")))
        lines = {
            "sample": f"latente sample {run} -n 1000 -o new.{self.suffix}",
            "encode": f"latente encode {run} {data} -o codes.csv",
            "anomalies": f"latente anomalies {run} {data} -o strange.csv",
            "impute": f"latente impute {run} {data} -o whole.{self.suffix}",
            "certify": f"latente certify {run}",
            "certify_first": f"latente certify {run} {data}",
            "info": f"latente info {run}",
        }
        if self.shown.encoded.mask is None:
            del lines["impute"]
        del lines["certify" if self.certificate is None else "certify_first"]
        width = max(map(len, lines.values()))
        for name, line in lines.items():
            yield f"{line:<{width}}  # {self.say(f'next.{name}')}"


def columns_grid(say: Texts, codec: Any) -> Grid:
    """The columns of a table with their kinds."""
    rows = [
        (name, _kind(say, kind), say.said(reason), number(missing, ".1%") if missing else NOTHING)
        for name, kind, reason, missing in zip(codec.names, codec.kinds, codec.reasons, codec.missing, strict=True)
    ]
    head = [say(f"data.{name}") for name in ("column", "kind", "because", "missing")]
    return Grid(say("data.caption", count=len(rows)), head, rows, frozenset({3}), tall=len(rows) > 24)


def _kind(say: Texts, kind: str) -> str:
    """The name of a kind of column; the kind itself if the catalogue lacks it."""
    key = f"kind.{kind}"
    return say(key) if key in say.entries else kind


class _TableReport(_Report):
    """The report on the columns of a table."""

    rows_are, suffix = "table", "csv"

    def size(self) -> str:
        return self.say("report.columns", count=len(self.codec.names))

    def fields(self) -> Block:
        return columns_grid(self.say, self.codec)

    def rows_of(self, section: str) -> Iterator[Block]:
        if section == "samples":
            yield self.drawn("samples", scenes.scene("samples", self.shown), summary.of_samples(self.shown, self.say))
            if len(self.shown.names) > MAX_PANELS:  # some of them have no panel
                alt = summary.of_samples(self.shown, self.say)
                yield picture(scenes.all_columns(self.shown), alt, self.say("samples.caption_all"))
            yield self.correlations()
        rows = {"rebuilt": self.rebuilt_rows, "walk": self.walk_rows, "samples": self.sampled_rows}[section]
        yield self.grid(f"{section}.rows", list(rows()))

    def alt_of_rebuilt(self, found: quantities.Rebuilt) -> str:
        return summary.of_columns(self.shown, found.errors, self.say)

    def correlations(self) -> Block:
        """Associations of the columns in real and generated rows."""
        names = [*self.shown.rows][:MAX_CORRELATED]
        tables = [{name: table[name] for name in names} for table in (self.shown.rows, self.shown.generated)]
        first, second = (associations(table) for table in tables)
        alt = summary.of_correlations(names, second - first, self.say)
        return picture(figures.correlations(*tables), alt, self.say("samples.caption_correlations"))

    def rebuilt_rows(self) -> Iterator[Line]:
        """Some rows, each above its reconstruction."""
        for k in range(min(SHOWN_ROWS, len(self.shown.data))):
            yield self.row(k), self.shown.rows, k
            yield self.say("rebuilt.row"), self.shown.rebuilt, k

    def walk_rows(self) -> Iterator[Line]:
        """Two rows, and those decoded between them."""
        start, end, way = self.shown.walk
        yield self.row(start), self.shown.rows, start
        for k in range(len(next(iter(way.values())))):
            yield self.say("walk.step", number=k + 1), way, k
        yield self.row(end), self.shown.rows, end

    def sampled_rows(self) -> Iterator[Line]:
        """Some rows above generated ones."""
        places = range(min(SHOWN_ROWS, len(self.shown.data)))
        yield from ((self.row(k), self.shown.rows, k) for k in places)
        yield from ((self.say("samples.new", number=k + 1), self.shown.generated, k) for k in places)

    def grid(self, caption: str, rows: Sequence[Line]) -> Grid:
        """Rows as a table, with a selection of columns if there are many."""
        names = self.few_columns()
        every = len(self.shown.names)
        said = self.say(caption)
        said += f" {self.say('report.some_columns', shown=len(names), all=every)}" if len(names) < every else ""
        cells = [(label.replace(" ", NO_BREAK), *(cell(columns[name][k]) for name in names)) for label, columns, k in rows]
        texts_ = {name for name in names if rows and rows[0][1][name].dtype.kind in "OMm"}
        numbers = frozenset(k for k, name in enumerate(names, 1) if name not in texts_)
        return Grid(said, ["", *names], cells, numbers)

    def few_columns(self) -> list[str]:
        """Names of the columns shown in tables of rows: those that the map explains best, in their order."""
        best = set([*self.shown.explained][:MAX_COLUMNS])
        return [name for name in self.shown.names if name in best]


class _PictureReport(_Report):
    """The report on pictures."""

    rows_are, suffix = "pictures", "npz"

    def size(self) -> str:
        channels, height, width = self.codec.shape
        return self.say("report.grey" if channels == 1 else "report.pictures", height=height, width=width, channels=channels)

    def fields(self) -> Block:
        codec = self.codec
        return Paragraph(self.say("data.pictures", size=self.size(), dtype=codec.dtype, low=codec.low, high=codec.high))

    def rows_of(self, section: str) -> Iterator[Block]:
        if section in PICTURES:
            yield self.drawn(section, PICTURES[section](self.shown))


class _SeriesReport(_Report):
    """The report on windows of series."""

    rows_are, suffix = "windows", "csv"

    def size(self) -> str:
        channels, steps = self.codec.shape
        return self.say("report.windows", steps=steps, channels=channels)

    def fields(self) -> Block:
        return columns_grid(self.say, self.codec.table)

    def rows_of(self, section: str) -> Iterator[Block]:
        if section in WINDOWS:
            yield self.drawn(section, WINDOWS[section](self.shown))

    def anomalies(self) -> Iterator[Block]:
        """The series with its band and events, and simple detectors beside the model."""
        steps = Steps.of(self.shown)
        yield Paragraph(self.say("events.text", count=steps.count, steps=steps.total))
        yield picture(steps.drawn(), self.say("events.alt"), self.say("events.caption"))
        head = [self.say(f"events.{name}") for name in ("event", "begins", "ends", "anomaly", "channels")]
        if rows := list(steps.strongest()):
            yield Grid(self.say("events.strongest"), head, rows, frozenset({3}))
        yield from self.beside(self.shown.every, "windows")


PICTURES = {"walk": scenes.walk, "samples": scenes.real_beside_generated}
ANOMALIES = {SCALAR: scenes.anomalies, IMAGE: scenes.heat_maps}
WINDOWS = {"walk": scenes.window_walk, "samples": scenes.windows_beside_generated}
REPORTS: dict[str, type[_Report]] = {SCALAR: _TableReport, IMAGE: _PictureReport, SERIES: _SeriesReport}
