"""Options of all commands that read data: how to read a text file, instead of detecting it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from latente.estimator import VAE

SHOWN = 10_000  # rows of figures, where not all fit into memory

OPTIONS: dict[str, tuple[Any, Any]] = {
    "missing": (
        list[str] | None,
        typer.Option("--missing", metavar="MARK", help="What means missing (-999). Repeatable."),
    ),
    "encoding": (str | None, typer.Option("--encoding", help="Of a text file, such as cp1252.", show_default="found")),
    "delimiter": (str | None, typer.Option("--delimiter", help="What separates values.", show_default="found")),
    "decimal": (str | None, typer.Option("--decimal", help="Decimal mark: . or ,", show_default="found")),
    "skip_rows": (int | None, typer.Option("--skip-rows", min=0, help="Lines above the table.", show_default="found")),
    "header": (bool | None, typer.Option("--header/--no-header", help="The first row holds names.", show_default="found")),
    "date_format": (str | None, typer.Option("--date-format", help="Such as %d/%m/%Y.", show_default="found")),
}

Reading = dict[str, Any]  # the given options by name, as for latente.read


def reads(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of reading to a command, instead of its parameter ``reading``, which receives those that are given."""
    own, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
    del hints["reading"], hints["return"]

    @wraps(command)
    def with_options(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in OPTIONS}
        command(**arguments, reading={name: value for name, value in given.items() if value is not None})

    options = {name: Annotated[kind, option] for name, (kind, option) in OPTIONS.items()}
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint) for name, hint in options.items()
    ]
    kept = [parameter.replace(annotation=hints[name]) for name, parameter in own.parameters.items() if name in hints]
    ordered = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in kept]
    with_options.__signature__ = own.replace(parameters=[*ordered, *shared], return_annotation=None)  # type: ignore[attr-defined]
    with_options.__annotations__ = {**hints, **options}
    return with_options


def shown_rows(vae: VAE, rows: Any) -> Any:
    """The rows of figures: those of the fit, or some of them where not all fit into memory."""
    from latente.data import Album, Pieces
    from latente.rows import spaced

    return vae.fitted_.read(rows.take(spaced(len(rows), SHOWN).numpy())) if isinstance(rows, (Album, Pieces)) else rows
