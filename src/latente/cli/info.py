"""``latente info``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from latente.cli.console import Console
from latente.cli.options import Json, Quiet, Run
from latente.errors import StorageError

if TYPE_CHECKING:
    pass

_MEASURED = {
    "rows": "training rows",
    "held_out_rows": "validation rows",
    "latent_dim": "dimensions of the code",
    "active_units": "active units",
    "distortion": "distortion (nats per row)",
    "rate": "rate (nats per row)",
    "loss": "loss: distortion + rate",
    "row_model_loss": "loss of the row model",
    "epochs": "epochs",
    "seconds": "seconds",
    "finished": "training ended because",
}


def info(run: Run, json: Json = False, quiet: Quiet = False) -> None:
    """Parts and figures of a model.

    \b
    Example:
      latente info wine-vae
    """
    from latente.cli.tasks import open_model
    from latente.report.run import model_file
    from latente.report.run_folder import missing_parts
    from latente.training.stages import ended

    console = Console(json, quiet)
    path, vae = model_file(run), open_model(run)
    prior = vae.fitted_prior_.in_words
    parts = {role: part["name"] for role, part in vae.model_.config().items()}
    separate = vae.row_model_ is not vae.model_
    about = {"file": str(path), "recipe": vae.recipe_.name, "latente": _version(path)}
    about["row_model"] = "autoregressive" if separate else "latent"
    columns, missing = vae.codec_.described, missing_parts(Path(run))
    verdicts = [
        text for text in objections(run) if text.partition(":")[0] not in {note.partition(":")[0] for note in vae.notes_}
    ]
    told = {"notes": vae.notes_, "verdicts": verdicts, "missing": missing}
    console.report({**about, "parts": parts, "fitted_prior": prior, **vae.figures_, "columns": columns, **told})
    figures = {**vae.figures_, "finished": ended(vae.figures_["finished"])}
    measured = [[words, figures.get(key)] for key, words in _MEASURED.items()]
    budget = vae.fitted_.budget
    made_of = [[role, _part(part)] for role, part in vae.model_.config().items()]
    console.table(
        ("", ""),
        [
            ["recipe", about["recipe"]],
            *made_of,
            *([["given the context", ", ".join(vae.fitted_.context.names)]] if vae.fitted_.context else []),
            ["fitted prior", prior],
            ["scores, samples, completions", "autoregressive row model" if separate else "the model itself"],
            ["decoded codes", "autoregressive row model" if vae.fitted_.decoder is not vae.model_ else "the model itself"],
            *measured,
            *([["differential privacy", "ε = {epsilon:.2f}, δ = {delta:.1g}".format(**budget)]] if budget else []),
            ["written by", f"Latente {about['latente']}"],
        ],
    )
    console.say("")
    console.table(tuple(columns[0]), [list(column.values()) for column in columns])
    for text in [*vae.notes_, *verdicts, *(f"missing: {name} could not be made" for name in missing)]:
        console.say(f"\n- {text}")


def objections(run: str) -> list[str]:
    """The verdicts of the certificate in a run folder, if there is one of this model."""
    from latente.cli.certify import kept

    try:
        return [str(verdict) for verdict in kept(run).verdicts]
    except StorageError:
        return []


def _part(part: dict[str, Any]) -> str:
    """A part with its arguments, without the sizes that follow from the data."""
    chosen = ", ".join(f"{key}={value}" for key, value in part["arguments"].items() if isinstance(value, (str, float)))
    return f"{part['name']} ({chosen})" if chosen else part["name"]


def _version(path: Any) -> str:
    from latente.files import read_tensors
    from latente.storage import KIND, VERSION

    return str(read_tensors(path, KIND, VERSION)[0]["latente"])
