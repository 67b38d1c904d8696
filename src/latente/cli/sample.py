"""``latente sample``."""

from __future__ import annotations

from typing import Annotated

import typer

from latente.cli.console import Console
from latente.cli.options import Force, InContext, Json, OutRows, Quiet, Run, Seed, conditions, in_context

ROWS = 1000
Count = Annotated[
    int | None, typer.Option("--number", "-n", min=1, help="How many rows, or series of entities.", show_default=str(ROWS))
]


Given = Annotated[
    list[str] | None,
    typer.Option(
        "--given",
        metavar="COLUMN=VALUE",
        help="Condition on the rows: a value, several as A|B, or numbers from..to, such as age=30..40. May be repeated.",
    ),
]

Missing = Annotated[bool, typer.Option("--with-missing", help="Generate missing values as often as in the training data.")]
Holes = Annotated[bool, typer.Option("--holes", hidden=True)]  # the former name of --with-missing

Identifiers = Annotated[bool, typer.Option("--identifiers", help="Generate identifiers such as running numbers or UUIDs.")]

After = Annotated[
    str | None, typer.Option("--after", metavar="DATA", help="Series to continue, each N times (once without -n).")
]
Steps = Annotated[
    int | None,
    typer.Option("--steps", min=1, help="Of a continuation.", show_default="those of a window, or until the series ends"),
]


def sample(
    run: Run,
    number: Count = None,
    given: Given = None,
    context: InContext = None,
    missing: Missing = False,
    holes: Holes = False,
    identifiers: Identifiers = False,
    after: After = None,
    steps: Steps = None,
    out: OutRows = "-",
    force: Force = False,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """New rows like those that the model was trained on.

    \b
    Example:
      latente sample wine-vae -n 1000 -o more_wine.csv
      latente sample people --context sex=Female --context age=30 -o some.csv
      latente sample sensors --after last_week.csv --steps 48 -n 5 -o next.csv
      latente sample people --given sex=Female --given age=30..40 -o some.csv
    """
    from latente.cli.tasks import Task
    from latente.tasks.conditions import one_in

    conditions(given or [])  # before the model is loaded
    task = Task(run, out, Console(json, quiet), data=after or "", force=force)
    asked = conditions(given or [], task.vae.codec_.known_levels)
    drawn = task.vae.sample(
        number or (ROWS if after is None else 1),
        given=asked,
        context=in_context(context),
        missing=missing or holes,
        identifiers=identifiers,
        after=after,
        steps=steps,
        random_state=seed,
    )
    privacy, behind = task.vae.figures_.get("privacy"), task.vae.given_ if asked else None
    measured = {**privacy, "measured": "at the end of the fit, without conditions"} if privacy else None
    task.finish(drawn, seed=seed, privacy=measured, given=behind)
    if holes:
        task.console.remark("--holes is now --with-missing")
    if behind:
        draws = f"{behind['effective_sample_size']:,.0f} different draws are behind these rows"
        task.console.remark(f"given: {one_in(behind['probability'])} fulfils it; {draws}")
    if task.form.private:
        from latente.certificate.privacy import IN_CONTEXT, NOT_MEASURED, told

        without = NOT_MEASURED if task.vae.fitted_.context is None else IN_CONTEXT
        task.console.remark(told(privacy) if privacy else without)
