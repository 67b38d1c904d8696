"""How a text file is to be read, where that is not left to be found: options that all commands share which take data."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from latente.data import Images, Table
    from latente.estimator import VAE

OPTIONS: dict[str, tuple[Any, Any]] = {
    "missing": (
        Annotated[
            list[str] | None,
            typer.Option("--missing", metavar="MARK", help="A value that means missing, such as -999. May be repeated."),
        ],
        None,
    ),
    "encoding": (
        Annotated[
            str | None,
            typer.Option("--encoding", help="Of text files, such as utf-8 or cp1252.", show_default="found"),
        ],
        None,
    ),
    "delimiter": (
        Annotated[str | None, typer.Option("--delimiter", help="What separates values.", show_default="found")],
        None,
    ),
    "decimal": (
        Annotated[str | None, typer.Option("--decimal", help="Decimal mark: . or ,", show_default="found")],
        None,
    ),
    "skip_rows": (
        Annotated[
            int | None, typer.Option("--skip-rows", min=0, metavar="N", help="Lines above the table.", show_default="found")
        ],
        None,
    ),
    "header": (
        Annotated[
            bool | None,
            typer.Option("--header/--no-header", help="Whether the first row holds names.", show_default="found"),
        ],
        None,
    ),
    "date_format": (
        Annotated[
            str | None,
            typer.Option("--date-format", metavar="FORMAT", help="Of dates, such as %d/%m/%Y.", show_default="found"),
        ],
        None,
    ),
}

Asked = dict[str, Any]  # what of this was given, by name, as latente.read takes it


def reads(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of reading in place of its parameter ``asked``, which receives what was given.

    Raises:
        TypeError: the command has no such parameter.
    """
    own, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
    del hints["asked"], hints["return"]

    @wraps(command)
    def with_options(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in OPTIONS}
        command(**arguments, asked={name: value for name, value in given.items() if value is not None})

    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, (hint, default) in OPTIONS.items()
    ]
    kept = [parameter.replace(annotation=hints[name]) for name, parameter in own.parameters.items() if name in hints]
    ordered = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in kept]
    with_options.__signature__ = own.replace(parameters=[*ordered, *shared], return_annotation=None)  # type: ignore[attr-defined]
    with_options.__annotations__ = {**hints, **{name: hint for name, (hint, _) in OPTIONS.items()}}
    return with_options


def rows_for(vae: VAE, data: str, asked: Asked) -> Table | Images:
    """The rows in some data, read like those that a model was fitted on."""
    return vae._read(data, **asked)
