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
from latente.cli.options import InContext, Json, Quiet, Run, UnknownLevels, in_context
from latente.cli.reading import Reading, reads, shown_rows

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
        "--held-out", metavar="DATA", help="Rows not used in training.", show_default="those that 'latente fit' held out"
    ),
]
NewPrior = Annotated[
    str,
    typer.Option(
        "--prior",
        metavar="NAME",
        help="First fit another prior to the codes, and save it in RUN: gaussian, mixture, flow, nearest (which stores codes), "
        "prior, or auto. Or 'all': compare them, and change nothing.",
        show_default="the fitted prior of RUN",
    ),
]
FormerName = Annotated[str, typer.Option("--law", hidden=True)]


@reads
def certify(
    run: Run,
    data: FittedOn = "",
    held_out: HeldOut = "",
    prior: NewPrior = "",
    law: FormerName = "",
    context: InContext = None,
    unknown: UnknownLevels = None,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Measure a latent space and list its problems.

    Continuity, completeness, information in the code, and copies of training rows. Each figure has its interval, or the
    reason why it is unknown.

    \b
    Example:
      latente certify wine-vae
      latente certify wine-vae wine.csv
      latente certify wine-vae wine.csv --prior mixture
      latente certify people people.csv --context sex=Female
    """
    console = Console(json, quiet)
    if law:
        console.remark("--law is now --prior")
        prior = law
    if held_out and not data:
        raise Misused("--held-out also needs DATA: the training rows, to compare with")
    within = in_context(context)
    if within and (held_out or prior or not data):
        raise Misused("--context goes with DATA, all that the model was fitted on, and neither with --held-out nor --prior")
    if prior and not data:
        raise Misused("--prior also needs DATA: the training rows, to whose codes it is fitted")
    from latente.cli.tasks import open_model

    open_it = partial(open_model, run, unknown, reading)
    if prior == EVERY:
        tell_priors(console, run, data, held_out, open_it)
        return
    with console.hearing_warnings():
        if prior:
            swap(console, run, data, held_out, prior, open_it)
            return
        certificate = measured(run, data, held_out, open_it, within) if data else kept(run)
    tell(console, certificate)
    console.report(certificate.to_dict())


def measured(
    run: str, data: str, held_out: str, open_it: Callable[[], VAE], context: dict[str, str] | None = None
) -> Certificate:
    """Measure the certificate of a model, and write it to the run folder, if there is one; that of one context is not kept."""
    from latente.folders import hold
    from latente.report.run_folder import write_certificate

    vae, folder = open_it(), Path(run)
    if context:
        return vae.in_context(context, data).certificate()
    with hold(folder) if folder.is_dir() else nullcontext():
        certificate = vae.certificate(held_out or None, train=data)
        if folder.is_dir():
            write_certificate(certificate, folder)
    return certificate


def swap(console: Console, run: str, data: str, held_out: str, prior: str, open_it: Callable[[], VAE]) -> None:
    """Fit another prior to the codes, print the changes, and write the model and its figures again."""
    vae = open_it()
    rows = vae.fitted_.pieces(data) or vae.fitted_.album(data) or vae.fitted_.read(data)
    before, was = vae.certificate(held_out or None, train=rows), vae.fitted_prior_.in_words
    vae.refit_prior(prior, train=rows)
    certificate = vae.certificate(held_out or None, train=rows)
    _write_again(console, vae, shown_rows(vae, rows), certificate, run, data)
    tell(console, certificate)
    console.table(("", "before", "after"), changed(before, certificate), title="\nChanges with the other prior")
    console.say(f"\n{run} now has the fitted prior: {vae.fitted_prior_.in_words} (before: {was})")
    console.report(certificate.to_dict())


def changed(before: Certificate, after: Certificate) -> list[tuple[str, str, str]]:
    """Name, value before and value after of the figures that changed."""
    pairs = zip(before.lines(), after.lines(), strict=True)
    return [(old[0], old[1], new[1]) for old, new in pairs if old[1] != new[1]]


def _write_again(console: Console, vae: VAE, rows: Any, certificate: Certificate, run: str, data: str) -> None:
    """Write the model with its new prior, the certificate, and, if there is a report, figures and report in its language. The
    model still returns the kind of data frame that it was fitted on.
    """
    from latente.estimator import load
    from latente.folders import hold
    from latente.report.page import language_of
    from latente.report.report_data import ReportData
    from latente.report.run import model_file
    from latente.report.run_folder import FILES, REPORT, SURVEY, write_certificate, write_parts
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
        held.commit(paths, [name for name in FILES if name != SURVEY])  # it does not depend on the fitted prior


def tell_priors(console: Console, run: str, data: str, held_out: str, open_it: Callable[[], VAE]) -> None:
    """Compare all priors for the codes; the model is not changed."""
    from latente.studies.prior_comparison import HEADER, compare_priors

    with console.hearing_warnings():
        found = compare_priors(open_it(), train=data, held_out=held_out or None)
    console.table(HEADER, found.lines(), title="Fitted priors, by held-out rows; rate and loss as if each were the prior")
    for note in found.notes:
        console.remark(note)
    console.report(found.to_dict())


def kept(run: str) -> Certificate:
    """The certificate in a run folder."""
    from latente.report.run import model_file
    from latente.report.run_folder import read_certificate

    model = model_file(run)
    return read_certificate(model.parent, model)


def tell(console: Console, certificate: Certificate) -> None:
    """Print a certificate."""
    console.table(("", "", ""), [*certificate.lines()], title="\n".join([certificate.title, *certificate.notes]))
    for verdict in certificate.verdicts:
        console.say(f"\n{verdict.name}: {verdict.evidence}\n  what to do: {verdict.remedy}")
    if not certificate.verdicts:
        console.say("\nno problem was found")
