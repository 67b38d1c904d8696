"""The server of the explorer: one page and one socket, from memory, on this machine only. No file is read for a request.

A request must contain the token of the address, this server's Host and the page's Origin, so that neither another user's
browser tab nor a foreign site that resolves to this machine gets an answer.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import torch
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from latente.errors import DataError, LatenteError
from latente.explorer.export import page
from latente.explorer.forward import Forward

if TYPE_CHECKING:
    from latente.estimator import VAE

HOST = "127.0.0.1"
MAX_CONNECTIONS, MAX_SOCKETS = 512, 32
LARGEST_BODY, LARGEST_MESSAGE = 1 << 16, 1 << 22
FILES = 4096  # open files that are needed: one for each connection
PRIVATE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def serve(vaes: Sequence[VAE], content: bytes, port: int, ready: Callable[[str], None]) -> None:
    """Serve a page until Ctrl-C.

    Args:
        vaes: the models of the pack, in its order.
        content: the pack.
        port: 0 takes any free port.
        ready: called with the address, including the token, when the server can be reached.

    Raises:
        LatenteError: the port is taken.
    """
    with listening(port) as listener:
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        config = uvicorn.Config(
            application(vaes, content, token, port),
            log_level="error",
            limit_concurrency=MAX_CONNECTIONS,
            ws_max_size=LARGEST_MESSAGE,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        ready(f"http://{HOST}:{port}/{token}/")
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def listening(port: int) -> socket.socket:
    """A socket on this machine's own address."""
    _allow_files()
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise LatenteError(f"port {port} can't be used ({error.strerror}); name another with --port, or none") from error
    return listener


def _allow_files() -> None:
    """Raise the limit of open files for the connections, if the system allows it."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def application(vaes: Sequence[VAE], content: bytes, token: str, port: int) -> ASGIApp:
    """The page at ``/TOKEN/`` and the socket at ``/TOKEN/socket``, and nothing else."""
    text = page(content, socket=f"ws://{HOST}:{port}")
    headers = {**PRIVATE, "Content-Security-Policy": f"{policy_of(text)}; frame-ancestors 'none'"}
    networks = Networks(vaes)

    def shown(request: Request) -> HTMLResponse:
        return HTMLResponse(text, headers=headers)

    routes = [Route(f"/{token}/", shown), WebSocketRoute(f"/{token}/socket", networks.answer)]
    return Starlette(routes=routes, middleware=[Middleware(Guard, port=port)])


def policy_of(text: str) -> str:
    """The content security policy of a page."""
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    return found.group(1) if found else "default-src 'none'"


class Guard:
    """Refuses requests that do not come from the server's own page, or are malformed."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app, self.host = app, f"{HOST}:{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None if scope["type"] == "lifespan" else self.refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(refusal[1], refusal[0], {**PRIVATE, "Connection": "close"})(scope, receive, send)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason of a refusal; None if the request is accepted."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin")
        if [name for name, _ in scope["headers"]].count(b"host") != 1 or headers["host"] != self.host:
            return 421, "this server answers to its own address only"
        if origin not in (None, f"http://{self.host}") or (origin is None and scope["type"] == "websocket"):
            return 403, "this server answers to its own page only"
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            return 405, "there is nothing to change here"
        if "transfer-encoding" in headers or _size(headers.get("content-length", "0")) > LARGEST_BODY:
            return 413, "nobody asked for this"
        return None


def _size(text: str) -> float:
    return int(text) if text.isdecimal() else math.inf


class Networks:
    """Evaluates the networks for requests over sockets; for each socket and kind of request, only the newest is answered."""

    def __init__(self, vaes: Sequence[VAE]) -> None:
        self.models = [Forward(vae.model_, vae.codec_) for vae in vaes]
        self.open = 0

    async def answer(self, ws: WebSocket) -> None:
        """Serve one page until it disconnects."""
        if self.open >= MAX_SOCKETS:
            await ws.close(1013)
            return
        self.open += 1
        try:
            await ws.accept()
            await self._talk(ws)
        finally:
            self.open -= 1

    async def _talk(self, ws: WebSocket) -> None:
        newest: dict[str, Any] = {}
        asked = anyio.Event()

        async def listen(scope: anyio.CancelScope) -> None:
            nonlocal asked
            with suppress(WebSocketDisconnect, ValueError, LookupError, TypeError, RecursionError):
                while True:
                    request = json.loads(await ws.receive_text())
                    newest[f"{request['model']} {request['network']}"] = request
                    asked.set()
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(listen, group.cancel_scope)
            while True:
                await asked.wait()
                asked = anyio.Event()
                while newest:
                    request = newest.pop(next(iter(newest)))
                    values = await anyio.to_thread.run_sync(self.computed, request)
                    with suppress(WebSocketDisconnect, RuntimeError):
                        await ws.send_bytes(values.tobytes())

    def computed(self, request: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The request's number and the network's output; only the number if the request can't be answered."""
        number = math.nan
        try:
            number = float(request.get("id", math.nan))
            values = self._values(int(request["model"]), request["network"], request["x"], request.get("seen"))
        except (DataError, LookupError, TypeError, ValueError, RuntimeError, OverflowError):
            values = np.empty(0)
        return np.concatenate([[number], values])

    @torch.no_grad()
    def _values(self, place: int, network: str, x: Any, observed: Any) -> Any:
        if not 0 <= place < len(self.models) or network not in ("decoder", "encoder"):
            raise DataError("there is no such network")
        forward, given = self.models[place], torch.tensor(x, dtype=torch.float32).reshape(1, -1)
        if network == "decoder":
            values = forward.decoded(given)
        else:
            values = forward.encoded(given, None if observed is None else torch.tensor(observed).reshape(1, -1))
        return values.double().flatten().numpy()
