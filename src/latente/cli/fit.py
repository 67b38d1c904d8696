"""``latente fit``."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from latente.cli import options
from latente.cli.console import Console, counted
from latente.cli.failures import FAILED
from latente.cli.fit_options import (
    BatchSize,
    Certified,
    CheckpointEvery,
    ContextColumns,
    Device,
    Effort,
    EffortName,
    EntityColumn,
    Figures,
    Hidden,
    Keep,
    KindsOfColumns,
    LabelColumns,
    LatentDim,
    LearningRate,
    Lesson,
    LikelihoodText,
    MaxEpochs,
    Precision,
    PrecisionName,
    Public,
    RecipeText,
    Resume,
    RowModelKind,
    RowModelName,
    RunFolder,
    Stride,
    TimeColumn,
    TimeLimit,
    Trim,
    Window,
)
from latente.cli.options import AUTO, Data, Json, Lang, Quiet, Seed, Workers, named
from latente.cli.output import refuse_own_input
from latente.cli.reading import Reading, reads, shown_rows
from latente.cli.workers import help_to_fit, in_processes, is_first
from latente.errors import StorageError

if TYPE_CHECKING:
    from latente.certificate import Certificate
    from latente.estimator import VAE
    from latente.report.report_data import ReportData
    from latente.training.loop import Training


@reads
def fit(
    data: Data,
    recipe: RecipeText = AUTO,
    out: RunFolder = "",
    latent_dim: LatentDim = AUTO,
    hidden: Hidden = AUTO,
    likelihood: LikelihoodText = AUTO,
    max_epochs: MaxEpochs = AUTO,
    time_limit: TimeLimit = None,
    batch_size: BatchSize = AUTO,
    learning_rate: LearningRate = AUTO,
    device: Device = AUTO,
    precision: PrecisionName = Precision.auto,
    kinds: KindsOfColumns = None,
    context: ContextColumns = None,
    public: Public = None,
    labels: LabelColumns = None,
    effort: EffortName = Effort.balanced,
    row_model: RowModelName = RowModelKind.auto,
    keep: Keep = AUTO,
    trim: Trim = None,
    time: TimeColumn = None,
    entity: EntityColumn = None,
    window: Window = AUTO,
    stride: Stride = AUTO,
    seed: Seed = 0,
    workers: Workers = 1,
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = 5.0,
    figures: Figures = True,
    certificate: Certified = True,
    lesson: Lesson = False,
    lang: Lang = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Train a model. Options that are not set are chosen from the data.

    Ctrl-C ends training and keeps the best model so far; a second Ctrl-C ends everything at once.

    \b
    Example:
      latente fit wine.csv
      latente fit wine.csv --recipe beta-vae:beta=2 --latent-dim 4 -o wine-beta
      latente fit patients.csv --kinds ward=categorical --kinds visit=identifier
      latente fit faces --keep .9
      latente fit wine.csv --lesson
      latente fit sensors.csv --time timestamp --entity machine
      latente fit people.csv --recipe cvae --context sex --context age
      latente fit cells.csv --labels type
      latente fit people.csv --recipe dp-vae:epsilon=3 --public age=0:120 --public sex=f,m
      latente fit "select * exclude (id) from 'sales/*.parquet'" -o sales --time-limit 600
    """
    code = in_processes(workers)
    if code is not None:
        raise typer.Exit(code)
    name, arguments = named(recipe)
    noise, noise_arguments = named(likelihood)
    from latente.catalogue import recipe as find
    from latente.estimator import VAE
    from latente.model.parts import choose

    vae = VAE(
        AUTO if recipe == AUTO else find(name, **arguments),
        latent_dim,
        hidden,
        AUTO if noise == AUTO else choose(noise, **noise_arguments),
        max_epochs,
        time_limit,
        batch_size,
        learning_rate,
        device=device,
        precision=str(precision),
        random_state=seed,
        kinds=options.kinds(kinds),
        missing=(reading or {}).get("missing"),
        effort=str(effort),
        row_model=str(row_model),
        keep=keep,
        trim=trim,
        time=time,
        entity=entity,
        window=window,
        stride=stride,
    )
    folder = Path(out or f"{stem(data)}-{'vae' if name == AUTO else name}")
    private = is_private(vae)
    drawn, certified, taught = (asked and not context and not private for asked in (figures, certificate, lesson))
    console, writes = Console(json, quiet), Writes(drawn, certified, taught, lang, labels or ())
    how = {"resume": resume, "checkpoint_every": checkpoint_every, "context": context, "workers": workers}
    how |= {"public": options.public(public)}
    if private and resume:
        raise options.wrong("a private fit has no checkpoint to resume from: leave --resume out")
    if is_first():
        run(vae, data, folder, console, writes, **how, reading=reading or {})
    else:
        help_to_fit(vae, data, folder, resume, reading or {}, context=context, workers=workers)


@dataclass(frozen=True)
class Writes:
    """Additional files of a run folder: figures with a report, a certificate, the lesson; their language, and the columns that
    colour maps.
    """

    figures: bool
    certificate: bool
    lesson: bool
    lang: str | None
    labels: Sequence[str] = ()


def run(
    vae: VAE,
    data: str,
    folder: Path,
    console: Console,
    writes: Writes,
    *,
    resume: bool,
    checkpoint_every: float,
    reading: Reading,
    context: list[str] | None = None,
    workers: int = 1,
    public: Any = None,
) -> None:
    """Fit, write the run folder, and print a summary."""
    from latente.data import read_or_pieces, split_labels
    from latente.folders import finish, hold
    from latente.parameters import text_columns
    from latente.report.run_folder import CHECKPOINT, FILES, claim, metrics, missing_parts

    console.rest = f"latente info {folder}"
    refuse_own_input([folder / name for name in FILES], [data])
    finish(claim(folder))
    if resume:
        _check_resumable(folder, console)
    vae.verbose, checkpoint = int(console.shows_progress), None if is_private(vae) else folder / CHECKPOINT
    with console.hearing_warnings() as heard, keeping_what_there_is(console) as observer:
        rows, colours = split_labels(read_or_pieces(data, texts=text_columns(vae.kinds), **reading), writes.labels)
        with hold(folder) as held:
            vae.fit(
                rows,
                context=context,
                checkpoint=checkpoint,
                checkpoint_every=checkpoint_every,
                resume=resume,
                observer=observer,
                keep_checkpoint=True,
                workers=workers,
                public=public,
            )
            for note in vae.notes_:
                console.remark(note)
            vae.notes_ = [*dict.fromkeys([*vae.notes_, *heard])]
            with _as_it_was(folder), held.stage() as stage:
                paths, certificate = written(vae, shown_rows(vae, rows), colours, data, stage, folder, console, writes)
                paths = held.commit(paths, FILES)
            shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)  # only now: until here an interrupted command can be resumed
    if vae.figures_["finished"] == "interrupted":
        console.remark("the best model so far is kept", "interrupted")
    _tell_what_is_left_out(vae, console)
    console.say(summary(vae, folder, rows_seen=len(rows)))
    if certificate is not None:
        console.say(in_short(certificate, folder))
    for name in sorted({"report", "lesson"} & paths.keys(), reverse=True):
        console.say(f"{name}: {paths[name]} (open it in a browser)")
    missing = missing_parts(folder)
    console.report({**metrics(vae), "folder": folder, "paths": paths, "missing": missing})
    if missing:
        raise typer.Exit(FAILED)


def is_private(vae: VAE) -> bool:
    """Whether a fit will be differentially private."""
    return vae.recipe != AUTO and vae.recipe.privacy is not None  # type: ignore[union-attr]


def _tell_what_is_left_out(vae: VAE, console: Console) -> None:
    """Why there are no figures, report and certificate, if that is so whatever was asked for."""
    if vae.fitted_.context:
        console.remark(
            f"no figures, report or certificate, because they describe one context: use {vae.fitted_.chosen_context}, for "
            "example with 'latente certify' and 'latente explore'"
        )
    if is_private(vae):
        console.remark(
            "no figures, report or certificate, because they would show or measure the private rows; 'latente certify' "
            "measures rows that you choose"
        )


@contextmanager
def _as_it_was(folder: Path) -> Iterator[None]:
    """Context in which errors of writing also say what remains: the earlier run, and the checkpoint."""
    try:
        yield
    except StorageError as error:
        left = f"the model is trained, and {folder} is otherwise unchanged: continue with --resume when the cause is fixed"
        raise StorageError(f"{error}; {left}") from error


def written(
    vae: VAE,
    rows: Any,
    colours: Mapping[str, Any],
    source: str,
    stage: Path,
    folder: Path,
    console: Console,
    writes: Writes,
) -> tuple[dict[str, Path], Certificate | None]:
    """Write the parts of a run to the stage of its folder; returns their paths, and the certificate."""
    from latente.report.report_data import ReportData
    from latente.report.run_folder import DRAWN, LESSON, write_certificate, write_metrics, write_parts
    from latente.training.stages import Stages
    from latente.words import language, speaking

    stages = Stages(on_start=console.progress, seconds=vae.figures_["time"])
    console.progress("intervals and privacy")
    vae.complete()
    shown = ReportData(vae, rows, colours) if writes.figures else None
    with stages("figures"), speaking(writes.lang or language()) as say:
        paths = write_parts(vae, shown, stage)
    with stages("survey"):
        paths |= surveyed(vae, stage, console) if _explored(vae) else {}
    with stages("certificate"):
        certificate = certified(vae, console) if writes.certificate else None
    if certificate is not None:
        paths["certificate"] = write_certificate(certificate, stage)
    if shown is not None:
        with stages("report"):
            page = LESSON if writes.lesson else ""
            how = {"lang": say.lang, "certificate": certificate, "source": source, "explorer": page}
            paths |= reported(shown, stage, folder, console, **how)
    if writes.lesson:
        paths |= taught(vae, rows, source, stage, console, certificate)
    wanted = [
        *(["survey"] if _explored(vae) else []),
        *([*DRAWN, "report"] if shown else []),
        *(["certificate"] if writes.certificate and _held_out(vae) else []),
        *(["lesson"] if writes.lesson else []),
    ]
    paths["metrics"] = write_metrics(vae, stage, [name for name in wanted if name not in paths])
    return paths, certificate


def _explored(vae: VAE) -> bool:
    """Whether the explorer can show the codes of the run: of one context, on planes."""
    return not vae.fitted_.context and not vae.model_.space.not_explored


def surveyed(vae: VAE, folder: Path, console: Console) -> dict[str, Path]:
    """Write a survey of the codes to the run folder, for pages that are exported without the rows."""
    from latente.explorer.survey import Survey

    with _part(console, "survey of the space"):
        return {"survey": Survey.of(vae).save(folder)}
    return {}


def taught(vae: VAE, rows: Any, source: str, stage: Path, console: Console, certificate: Certificate | None) -> dict[str, Path]:
    """Write the lesson on these rows to the run folder."""
    from latente.explorer.export import export, lesson_page
    from latente.report.run_folder import LESSON

    with _part(console, "lesson"):
        seed = vae.seed_ % 2**31
        _, content = lesson_page(stem(source), rows, vae, certificate, seed, lambda what: console.progress(f"lesson: {what}"))
        console.remark(f"{LESSON} contains rows of {source}: anyone who has the file can read them", "warning")
        return {"lesson": export(stage / LESSON, content)}
    return {}


def certified(vae: VAE, console: Console) -> Certificate | None:
    """The certificate of a model after its fit, with its verdicts as remarks; None if no rows were held out, or if it could not
    be made.
    """
    if not _held_out(vae):
        return None
    with _part(console, "certificate"):
        certificate = vae.certificate()
        for verdict in certificate.verdicts:
            if not any(note.startswith(f"{verdict.name}: ") for note in vae.notes_):
                console.remark(str(verdict), "warning")
        return certificate
    return None


def _held_out(vae: VAE) -> bool:
    return bool(vae.figures_["held_out_rows"])


def reported(shown: ReportData, stage: Path, folder: Path, console: Console, **how: Any) -> dict[str, Path]:
    """The paths of the report of a run folder in its stage; none, and a remark, if it could not be made."""
    from latente.report.report import write_report
    from latente.report.run_folder import REPORT

    with _part(console, "report"):
        return {"report": write_report(shown.vae, shown, stage / REPORT, run=folder, **how)}
    return {}


@contextmanager
def _part(console: Console, what: str) -> Iterator[None]:
    """Context for a part of a run; errors become remarks, because the model is already saved."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        console.remark(f"the {what} could not be made ({type(error).__name__}: {error}); the model is saved", "incomplete")


def in_short(certificate: Certificate, folder: Path) -> str:
    """The two main figures on one line, or why they are unknown."""
    from latente.certificate.certificate import shown

    figures = {name: certificate[name] for name in ("completeness", "continuity")}
    measured = ", ".join(f"{name} {shown(figure) if figure.known else 'unknown'}" for name, figure in figures.items())
    bound, part = (certificate.figures.get(f"completeness_{name}") for name in ("ceiling", "share"))
    if bound and part and part.known:
        measured += f", upper bound of completeness {bound.value:.2f}"
    why = dict.fromkeys(figure.reason for figure in figures.values() if not figure.known)
    return f"space: {'; '.join([measured, *why])} (next: latente certify {folder})"


def _check_resumable(folder: Path, console: Console) -> None:
    from latente.report.run_folder import CHECKPOINT, MODEL

    if (folder / CHECKPOINT).is_dir():
        return
    if (folder / MODEL).exists():
        raise StorageError(f"the run in {folder} is finished, so there is nothing to resume; leave out --resume to fit again")
    console.remark(f"there is no checkpoint in {folder}: the fit starts from the beginning")


@contextmanager
def keeping_what_there_is(console: Console) -> Iterator[Any]:
    """Context in which the first Ctrl-C ends training early, in all its stages, and the second ends the process at once with
    130; without a bar, lines show the progress. Of several processes, all end training after the same step.

    Yields:
        The observer that a fit needs for this.
    """
    asked = False

    def interrupt(*_: object) -> None:
        nonlocal asked
        if asked:
            raise SystemExit(130)
        asked = True
        if world() > 1 and TRAINING.is_set():
            STOP.set()
            return
        raise KeyboardInterrupt

    def observer(training: Training) -> None:
        if asked and world() == 1:  # each run of a fit ends at a KeyboardInterrupt, and the fit continues with the next one
            raise KeyboardInterrupt
        if not console.shows_progress:
            console.progress(f"{100 * training.progress:3.0f}%  {describe(training)}")

    from latente.training.progress import describe
    from latente.training.workers import STOP, TRAINING, world

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield observer
    finally:
        signal.signal(signal.SIGINT, before)


def stem(data: str) -> str:
    """Name of a run: the name of a file without its suffixes, or "query".

    >>> stem("data/my wine.csv.gz"), stem("faces/"), stem("mnist.npz:x_train"), stem("from range(9)")
    ('my wine', 'faces', 'mnist', 'query')
    """
    from latente.data.sql import is_sql

    if is_sql(data):
        return "query"
    name = re.sub(r"(\.npz):[^:/]+$", r"\1", data, flags=re.IGNORECASE)
    return re.sub(r"\.(csv|tsv|csv\.gz|tsv\.gz|parquet|npy|npz)$", "", Path(name).resolve().name, flags=re.IGNORECASE) or "run"


def summary(vae: VAE, folder: Path, rows_seen: int) -> str:
    """The result of a fit, in a few lines."""
    from latente.training.stages import Stages, ended

    f, where = vae.figures_, "validation" if vae.figures_["held_out_rows"] else "training"
    where = "generated" if vae.fitted_.budget else where
    trained = f"{counted(rows_seen, 'row')}, {counted(f['epochs'], 'epoch')}, {f['seconds']:.1f} s ({ended(f['finished'])})"
    measured = f"distortion {f['distortion']:.2f} + rate {f['rate']:.2f}" if vae.model_.has_rate else "−log p(x|z)"
    return "\n".join(
        (
            f"{vae.recipe_.name}: {trained}",
            f"code: {f['active_units']} active of {counted(f['latent_dim'], 'dimension')}",
            f"loss: {f['loss']:.2f} nats per {where} row ({measured})",
            f"time: {Stages(seconds=f['time'])}",
            f"run:  {folder} (next: latente info {folder}, latente sample {folder} -n 1000 -o OUT)",
        )
    )
