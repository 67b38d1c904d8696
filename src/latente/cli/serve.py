"""``latente serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from latente.cli.console import Console
from latente.cli.options import Json, Quiet
from latente.errors import LatenteError

Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Run folders or model files; NAME=RUN gives another name."),
]
Host = Annotated[str, typer.Option("--host", help="Address to listen at; 0.0.0.0 is every network of this machine.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any that is free.")]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="File with the token of requests; else LATENTE_TOKEN.", show_default="no token"),
]
MaxBody = Annotated[int, typer.Option("--max-body", min=1, help="Largest request, in MiB.")]
MaxWaiting = Annotated[int, typer.Option("--max-waiting", min=1, help="Requests that may wait; others are answered with 429.")]


def serve(
    runs: Runs,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    max_body: MaxBody = 16,
    max_waiting: MaxWaiting = 256,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Serve models over HTTP: JSON or Arrow in and out.

    POST /models/NAME/encode, reconstruct, denoise, impute, anomalies, score or sample; GET /openapi.json describes them.
    A model file that is replaced is read again. Ctrl-C or SIGTERM ends the service when the requests that wait are answered.

    \b
    Example:
      latente serve wine-vae --port 8000
      curl --json '{"rows": [{"alcohol": 13.2, "ash": 2.4}]}' localhost:8000/impute
    """
    console = Console(json, quiet)
    try:
        from latente.service.app import Limits, Service
        from latente.service.run import run
    except ModuleNotFoundError as error:
        raise LatenteError(f"'latente serve' needs {error.name}: pip install 'latente[serve]'") from error
    from latente.service.models import served

    token = _token(token_file)
    with console.hearing_warnings():
        service = Service(served(runs), Limits(max_body << 20, max_waiting), token)
    if not token and host not in ("127.0.0.1", "localhost", "::1"):
        console.remark(f"whoever can reach {host} may use the models: set a token with --token-file", "warning")

    def ready(address: str) -> None:
        console.say(f"{address} serves {', '.join(service.models)}; Ctrl-C ends it")
        console.report({"address": address, "models": list(service.models)})
        console.end()

    run(service.application(), host, port, ready)


def _token(path: Path | None) -> str:
    if path is None:
        return os.environ.get("LATENTE_TOKEN", "")
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LatenteError(f"{path} can't be read: {error}") from error
    if not token:
        raise LatenteError(f"{path} holds no token: write one line of text to it")
    return token
