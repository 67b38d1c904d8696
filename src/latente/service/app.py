"""The service: addresses, limits, the token, and what is measured."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latente.data import SeriesCodec
from latente.errors import LatenteError
from latente.parameters import is_whole
from latente.service.batching import Batches, Busy, Job
from latente.service.formats import (
    ARROW,
    JSON,
    Malformed,
    Rows,
    as_arrow,
    as_json,
    joined,
    parsed,
    rows_of_arrow,
    rows_of_json,
)
from latente.service.models import Served
from latente.service.schema import schema_of
from latente.service.tasks import TASKS, Task
from latente.version import __version__

RELOAD_SECONDS = 1.0
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True)
class Limits:
    """What a service takes on.

    Attributes:
        body: bytes of a request.
        jobs, rows: requests that wait, and their rows.
    """

    body: int = 16 << 20
    jobs: int = 256
    rows: int = 200_000


class Refusal(Exception):
    """A request that is answered with an error: the HTTP status, and what is wrong."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


class Service:
    """Models behind one queue.

    Args:
        models: by name.
        limits: of requests.
        token: what a request must name as ``Authorization: Bearer TOKEN``; empty asks for none.
    """

    def __init__(self, models: Mapping[str, Served], limits: Limits = Limits(), token: str = "") -> None:
        self.models, self.limits, self._token = models, limits, token
        self.batches = Batches(joined, limits.jobs, limits.rows)
        self.metrics = Metrics(self)

    def application(self) -> Starlette:
        """The ASGI application; when it is stopped, what waits is finished first."""
        routes = [
            Route("/health", self.health),
            Route("/metrics", self.guarded(self.measured)),
            Route("/openapi.json", self.guarded(self.schema)),
            Route("/models", self.guarded(self.listed)),
            Route("/models/{model}/{task}", self.guarded(self.answered), methods=["POST"]),
            Route("/{task}", self.guarded(self.answered), methods=["POST"]),
        ]
        return Starlette(routes=routes, lifespan=self.lifespan)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Looks for replaced files while the service runs."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.to_thread(self.batches.close)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            for model in self.models.values():
                await asyncio.to_thread(model.refresh)

    def guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """An address that asks for the token and says errors as JSON."""

        async def answered(request: Request) -> Response:
            try:
                self._check_token(request)
                return await answer(request)
            except Refusal as refusal:
                return _error(refusal.status, str(refusal), refusal.headers)

        return answered

    def _check_token(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if self._token and not secrets.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise Refusal(401, "this service needs a token: Authorization: Bearer TOKEN", **{"WWW-Authenticate": "Bearer"})

    # -- addresses --------------------------------------------------------------------------------------------------

    async def health(self, _: Request) -> Response:
        """Whether the service runs."""
        return JSONResponse({"status": "ok", "version": __version__, "models": list(self.models)})

    async def measured(self, _: Request) -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def schema(self, _: Request) -> Response:
        """OpenAPI 3.1 of these models."""
        return JSONResponse(schema_of({name: model.vae for name, model in self.models.items()}, bool(self._token)))

    async def listed(self, _: Request) -> Response:
        """The models: recipe, columns, dimensions of the code."""
        return JSONResponse({name: _described(model) for name, model in self.models.items()})

    async def answered(self, request: Request) -> Response:
        """A task of a model."""
        start = time.perf_counter()
        model, name, task = self._addressed(request)
        status, rows = 500, 0
        try:
            response, rows = await self._computed(request, model, name, task)
            status = response.status_code
            return response
        except Refusal as refusal:
            status = refusal.status
            raise
        finally:
            self.metrics.record(model.name, name, status, rows, time.perf_counter() - start)

    def _addressed(self, request: Request) -> tuple[Served, str, Task]:
        name, wanted = request.path_params["task"], request.path_params.get("model")
        if wanted is None and len(self.models) == 1:
            wanted = next(iter(self.models))
        if wanted is None:
            raise Refusal(404, f"name a model: POST /models/MODEL/{name}; there are {', '.join(self.models)}")
        if wanted not in self.models:
            raise Refusal(404, f"there is no model {wanted!r}; there are {', '.join(self.models)}")
        if name not in TASKS:
            raise Refusal(404, f"there is no task {name!r}; there are {', '.join(TASKS)}")
        return self.models[wanted], name, TASKS[name]

    async def _computed(self, request: Request, model: Served, name: str, task: Task) -> tuple[Response, int]:
        kind, vae = _content_type(request), model.vae
        body = await self._body(request)
        try:
            rows, options = _understood(vae, task, kind, body, request)
            job = self._job(vae, name, task, rows, options)
            answer = await asyncio.wrap_future(self.batches.put(job))
            return _response(answer, _wanted_type(request, kind), model.name), len(answer)
        except Busy as error:
            raise Refusal(429, str(error), **{"Retry-After": "1"}) from error
        except Malformed as error:
            raise Refusal(400, str(error)) from error
        except LatenteError as error:
            raise Refusal(422, str(error)) from error

    def _job(self, vae: Any, name: str, task: Task, rows: Rows | None, options: Mapping[str, Any]) -> Job:
        if rows is None:
            n = options.get("n", 1)
            return Job(None, None, n if is_whole(n, 1) else 1, lambda rows, sizes: task.answers(vae, rows, options, sizes))
        alone = not task.joins or isinstance(vae.codec_, SeriesCodec)  # rows of two requests are not one series
        key = None if alone else (id(vae), name, rows.form, json.dumps(options, sort_keys=True))
        return Job(key, rows.values, len(rows.values), lambda rows, sizes: task.answers(vae, rows, options, sizes))

    async def _body(self, request: Request) -> bytes:
        """The body.

        Raises:
            Refusal: it is larger than the limit; no more than that is read.
        """
        too_large = Refusal(413, f"a request has at most {self.limits.body:,} bytes", Connection="close")
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.limits.body:
            raise too_large
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self.limits.body:
                raise too_large
            parts.append(part)
        return b"".join(parts)


def _understood(vae: Any, task: Task, kind: str, body: bytes, request: Request) -> tuple[Rows | None, dict[str, Any]]:
    """Rows and options of a request; beside Arrow, options are in the query, as JSON."""
    if kind == ARROW:
        options = {name: parsed(f'{{"value": {value}}}'.encode())["value"] for name, value in request.query_params.items()}
        rows = rows_of_arrow(vae, body) if task.takes_rows else None
    else:
        options = parsed(body)
        rows = rows_of_json(vae, options.pop("rows", None)) if task.takes_rows else None
    task.check(options)
    return rows, options


def _content_type(request: Request) -> str:
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind not in (JSON, ARROW):
        raise Refusal(415, f"rows are sent as {JSON} or {ARROW}, not {kind!r}")
    return kind


def _wanted_type(request: Request, sent: str) -> str:
    accepted = request.headers.get("accept", "*/*").lower()
    return ARROW if ARROW in accepted else JSON if JSON in accepted else sent


def _response(answer: Any, kind: str, model: str) -> Response:
    if kind == ARROW and not isinstance(answer, np.ndarray):
        return Response(as_arrow(answer), media_type=ARROW)
    return Response(as_json(answer, model=model), media_type=JSON)


def _error(status: int, message: str, headers: Mapping[str, str]) -> Response:
    return JSONResponse({"error": message}, status, dict(headers))


def _described(model: Served) -> dict[str, Any]:
    vae = model.vae
    return {"recipe": vae.recipe_.name, "latent_dim": vae.latent_dim_, "columns": vae.fields_, "tasks": list(TASKS)}


class Metrics:
    """Counters and times, for Prometheus."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        labels = ("model", "task")
        self._requests = Counter("latente_requests", "Requests answered.", (*labels, "status"), registry=self.registry)
        self._rows = Counter("latente_rows", "Rows answered.", labels, registry=self.registry)
        self._seconds = Histogram("latente_seconds", "Seconds to an answer.", labels, registry=self.registry, buckets=BUCKETS)
        self._read = Gauge("latente_model_reads", "Times that the model file was read.", ("model",), registry=self.registry)
        self._failed = Gauge("latente_model_failures", "Replaced files not taken.", ("model",), registry=self.registry)
        waiting = Gauge("latente_waiting", "Requests that wait.", registry=self.registry)
        waiting.set_function(lambda: service.batches.waiting)
        for name, model in service.models.items():
            self._read.labels(name).set_function(lambda model=model: model.read)  # type: ignore[misc]
            self._failed.labels(name).set_function(lambda model=model: model.failed)  # type: ignore[misc]

    def record(self, model: str, task: str, status: int, rows: int, seconds: float) -> None:
        """One request."""
        self._requests.labels(model, task, status).inc()
        self._rows.labels(model, task).inc(rows)
        self._seconds.labels(model, task).observe(seconds)
