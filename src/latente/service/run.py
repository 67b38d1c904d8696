"""Runs an application until it is stopped."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from latente.errors import LatenteError

BACKLOG = 2048
GRACE_SECONDS = 30  # in which requests that wait are answered after SIGTERM
KEEP_ALIVE_SECONDS = 30
SWITCH_SECONDS = 5e-4  # after which the thread that computes lets the one that answers go on; usually it is 5 ms


def run(application: ASGIApp, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        application: what answers.
        host, port: where; port 0 takes any free port.
        ready: called with the address when the service can be reached.

    Raises:
        LatenteError: the address can't be used.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    with _listening(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        ready(f"http://{name}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    listener = None
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise LatenteError(f"{host}, port {port}, can't be used ({error.strerror}); name others") from error
    return listener
