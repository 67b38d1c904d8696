"""``latente certify``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latente.cli.console import Console
from latente.cli.failures import Misused
from latente.cli.fit import reported
from latente.cli.options import Json, Quiet, Run, UnknownLevels
from latente.cli.reading import Reading, reads

if TYPE_CHECKING:
    from latente.certificate import Certificate
    from latente.estimator import VAE

EVERY = "all"

FittedOn = Annotated[
    str,
    typer.Argument(
        metavar="[DATA]",
        help="What the model was fitted on. Without it, the certificate that 'latente fit' left in RUN is shown.",
        show_default=False,
    ),
]
HeldOut = Annotated[
    str,
    typer.Option(
        "--held-out", metavar="DATA", help="Rows that the model has not seen.", show_default="those that 'latente fit' held out"
    ),
]
ColumnDistribution = Annotated[
    str,
    typer.Option(
        "--law",
        metavar="NAME",
        help="First fit another law to the codes, and keep it in RUN: gaussian, mixture, flow, nearest (which stores codes), "
        "prior, or auto. Or 'all': say what each would reach, and change nothing.",
        show_default="the law that RUN has",
    ),
]


@reads
def certify(
    run: Run,
    data: FittedOn = "",
    held_out: HeldOut = "",
    law: ColumnDistribution = "",
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Measure a latent space, and say what is wrong with it.

    Is it continuous and complete, what does the code keep, does the model repeat its rows? Each figure has its interval,
    or the reason why there is none.

    \b
    Example:
      latente certify wine-vae
      latente certify wine-vae wine.csv
      latente certify wine-vae wine.csv --law mixture
    """
    console = Console(json, quiet)
    if held_out and not data:
        raise Misused("--held-out needs DATA, too: rows that the model has seen, to compare with")
    if law and not data:
        raise Misused("--law needs DATA, too: the rows that the model was fitted on, whose codes the law is fitted to")
    from latente.cli.tasks import open_model

    open_it = partial(open_model, run, unknown, reading)
    if law == EVERY:
        tell_laws(console, run, data, held_out, open_it)
        return
    with console.hearing_warnings():
        if law:
            swap(console, run, data, held_out, law, open_it)
            return
        certificate = measured(run, data, held_out, open_it) if data else kept(run)
    tell(console, certificate)
    console.report(certificate.to_dict())


def measured(run: str, data: str, held_out: str, open_it: Callable[[], VAE]) -> Certificate:
    """The certificate of a model, measured now, and left in the run folder where there is one."""
    from latente.folders import hold
    from latente.report.run_folder import write_certificate

    vae, folder = open_it(), Path(run)
    with hold(folder) if folder.is_dir() else nullcontext():
        certificate = vae.certificate(held_out or None, train=data)
        if folder.is_dir():
            write_certificate(certificate, folder)
    return certificate


def swap(console: Console, run: str, data: str, held_out: str, law: str, open_it: Callable[[], VAE]) -> None:
    """Another law of the codes: what it changes is shown, it is left in the model, and what was drawn with the law before is
    drawn anew.
    """
    vae = open_it()
    rows = vae._read(data)
    before, was = vae.certificate(held_out or None, train=rows), vae.fitted_prior_.in_words
    vae.refit_prior(law, train=rows)
    certificate = vae.certificate(held_out or None, train=rows)
    _write_law(console, vae, rows, certificate, run, data)
    tell(console, certificate)
    console.table(("", "before", "after"), changed(before, certificate), title="\nWhat the other law changes")
    console.say(f"\n{run} now has the law of codes: {vae.fitted_prior_.in_words} (before: {was})")
    console.report(certificate.to_dict())


def changed(before: Certificate, after: Certificate) -> list[tuple[str, str, str]]:
    """Name, value before and value after of the figures that are others now."""
    pairs = zip(before.lines(), after.lines(), strict=True)
    return [(old[0], old[1], new[1]) for old, new in pairs if old[1] != new[1]]


def _write_law(console: Console, vae: VAE, rows: Any, certificate: Certificate, run: str, data: str) -> None:
    """Write the model again with its other law, and what the run folder tells of it: the certificate, and figures and report
    where there is one, in its language. The model's frames stay of the kind that it was fitted on.
    """
    from latente.cli.tasks import model_file
    from latente.estimator import load
    from latente.folders import hold
    from latente.report.page import language_of
    from latente.report.run_folder import FILES, REPORT, SURVEY, write_certificate, write_parts
    from latente.report.report_data import ReportData
    from latente.words import speaking

    whole, folder = load(model_file(run)), Path(run)
    whole.fitted_prior_, whole.notes_ = vae.fitted_prior_, vae.notes_
    if not folder.is_dir():
        whole.save(folder)
        return
    lang = language_of(folder / REPORT)
    shown = ReportData(vae, rows) if lang else None
    with hold(folder) as held, held.stage() as stage:
        with speaking(lang or "en"):
            paths = write_parts(whole, shown, stage)
        paths["certificate"] = write_certificate(certificate, stage)
        if shown is not None:
            paths |= reported(shown, stage, folder, console, lang=lang, certificate=certificate, source=data)
        held.commit(paths, [name for name in FILES if name != SURVEY])  # which knows nothing of the law


def tell_laws(console: Console, run: str, data: str, held_out: str, open_it: Callable[[], VAE]) -> None:
    """What each law of the codes would reach; the model stays as it is."""
    from latente.studies.prior_comparison import HEADER, compare_priors

    with console.hearing_warnings():
        found = compare_priors(open_it(), train=data, held_out=held_out or None)
    console.table(HEADER, found.lines(), title="Laws of the codes, by held-out rows; rate and loss as if each were the prior")
    for note in found.notes:
        console.remark(note)
    console.report(found.to_dict())


def kept(run: str) -> Certificate:
    """The certificate that lies in a run folder."""
    from latente.cli.tasks import model_file
    from latente.report.run_folder import read_certificate

    model = model_file(run)
    return read_certificate(model.parent, model)


def tell(console: Console, certificate: Certificate) -> None:
    """Print it."""
    console.table(("", "", ""), [*certificate.lines()], title="\n".join([certificate.title, *certificate.notes]))
    for verdict in certificate.verdicts:
        console.say(f"\n{verdict.name}: {verdict.evidence}\n  what to do: {verdict.remedy}")
    if not certificate.verdicts:
        console.say("\nnothing to object to was found")
