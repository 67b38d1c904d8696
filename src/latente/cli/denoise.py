"""``latente denoise``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from latente.cli.console import Console
from latente.cli.options import Data, Force, Json, OutRows, Quiet, Run, UnknownLevels, Workers, pairs
from latente.cli.reading import Reading, reads

Noise = Annotated[
    list[str] | None,
    typer.Option(
        "--noise",
        metavar="SIGMA|COLUMN=SIGMA|KIND",
        help="The standard deviation of the noise in the units of the data, that of a column (may be repeated), or its "
        "kind, whose level is estimated: gaussian, salt-and-pepper or shot.",
        show_default="estimated",
    ),
]


@reads
def denoise(
    run: Run,
    data: Data,
    out: OutRows = "-",
    noise: Noise = None,
    force: Force = False,
    unknown: UnknownLevels = None,
    workers: Workers = 1,
    json: Json = False,
    quiet: Quiet = False,
    reading: Reading | None = None,
) -> None:
    """Denoise rows.

    The result is the posterior mean of the clean row given the noisy one. Missing values are filled in. Rows without noise are
    not changed.

    \b
    Example:
      latente denoise faces-vae noisy_faces -o clean_faces
      latente denoise faces-vae noisy_faces -o clean_faces --noise 25
      latente denoise wine-vae noisy.csv -o clean.csv --noise alcohol=0.2 --noise hue=0.05
    """
    from latente.cli.tasks import Task

    task = Task(run, out, Console(json, quiet), data=data, force=force, unknown=unknown, reading=reading)
    figures = task.in_shards("denoise", workers, noise=_told(noise))
    if figures is not None:
        task.console.say(f"noise: {figures['noise'].get('kind')}" + _level(figures["noise"]))
        task.console.report(figures)
        return
    cleaned, assumed = task.vae.denoise(data, noise=_told(noise), return_noise=True)
    task.say(f"noise: {assumed.get('kind')}" + _level(assumed))
    task.finish(cleaned, noise=assumed)


def _told(texts: list[str] | None) -> Any:
    """The noise of ``vae.denoise``: a number, numbers by column, the name of a kind, or None."""
    if texts and (len(texts) > 1 or "=" in texts[0]):
        return {name: _number(value) for name, value in pairs(texts, "COLUMN=SIGMA, such as age=2.5").items()}
    return _number(texts[0]) if texts else None


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _level(noise: dict[str, Any]) -> str:
    sigma = noise.get("sigma")
    if isinstance(sigma, dict):
        return ", standard deviations " + ", ".join(f"{name} {value:.3g}" for name, value in sigma.items())
    if sigma is not None:
        return f", standard deviation {sigma:.3g}"
    return "".join(f", {name.replace('_', ' ')} {value:.3g}" for name, value in noise.items() if name != "kind")
