"""The OpenAPI description of a service, made from its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from latente.data import ImageCodec
from latente.service.formats import ARROW, JSON, names_of, table_of
from latente.service.tasks import TASKS, Task
from latente.version import __version__

if TYPE_CHECKING:
    from latente.estimator import VAE

MAX_LEVELS = 100  # that are listed
ERRORS = {
    "400": "The body can't be read.",
    "401": "The token is missing or wrong.",
    "404": "There is no such model or task.",
    "413": "The body is too large.",
    "415": "The body is neither JSON nor Arrow.",
    "422": "The rows or options can't be used; the text says why.",
    "429": "Too many requests wait; try again after the seconds of Retry-After.",
}


def schema_of(models: Mapping[str, VAE], with_token: bool = False) -> dict[str, Any]:
    """OpenAPI 3.1: an address for each task of each model, with the columns of its rows."""
    paths = {f"/models/{name}/{task}": _path(name, task, TASKS[task]) for name in models for task in TASKS}
    rows = {f"{name}-row": row_schema(vae) for name, vae in models.items()}
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    components: dict[str, Any] = {"schemas": {**rows, "error": error}}
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Latente", "version": __version__, "description": "Fitted variational autoencoders."},
        "paths": {**paths, **_own_paths()},
        "components": components,
    }
    if with_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


def row_schema(vae: VAE) -> dict[str, Any]:
    """The JSON schema of one row: a picture, or an object in which each value may be missing."""
    codec, context = table_of(vae), vae.fitted_.context
    if codec is None:
        picture = "A picture, as nested lists of pixels."
        series = "A series, as a list of steps, each a list of its channels."
        return {"type": "array", "description": picture if isinstance(vae.fitted_.codec, ImageCodec) else series}
    codecs = [codec, context.codec] if context is not None else [codec]
    columns = {str(column.name): column for one in codecs for column in one.columns}
    properties = {name: _column_schema(columns[name]) for name in names_of(vae)}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _column_schema(column: Any) -> dict[str, Any]:
    if column.levels and not _is_number(column.dtype):
        levels = {"enum": [*column.levels, None]} if len(column.levels) <= MAX_LEVELS else {}
        return {"type": ["string", "boolean", "null"], "description": column.kind, **levels}
    text = any(word in column.dtype.lower() for word in ("date", "time", "str", "object"))
    return {"type": ["string" if text else "number", "null"], "description": column.kind}


def _is_number(dtype: str) -> bool:
    return dtype.lower().startswith(("int", "uint", "float", "double", "decimal"))


def _path(model: str, name: str, task: Task) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{model}-row"}
    rows = {"rows": {"type": "array", "minItems": 1, "items": row}} if task.takes_rows else {}
    fields = {**rows, **task.options}
    body = {"type": "object", "properties": fields, "additionalProperties": False, "required": list(rows)}
    answer: dict[str, Any] = {"type": "object", "properties": {"model": {"type": "string"}, "rows": {"type": "array"}}}
    if task.gives_rows:
        answer["properties"]["rows"] = {"type": "array", "items": row}
    arrow = {ARROW: {"schema": {"type": "string", "format": "binary"}}}
    return {
        "post": {
            "operationId": f"{model}-{name}",
            "summary": task.summary,
            "requestBody": {"required": True, "content": {JSON: {"schema": body}, **(arrow if task.takes_rows else {})}},
            "responses": {"200": {"description": "The answer.", "content": {JSON: {"schema": answer}, **arrow}}, **_errors()},
        }
    }


def _errors() -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": "#/components/schemas/error"}}}
    return {status: {"description": text, "content": content} for status, text in ERRORS.items()}


def _own_paths() -> dict[str, Any]:
    kinds = {"/health": "Whether the service runs.", "/metrics": "Figures for Prometheus.", "/models": "The models."}
    return {
        path: {"get": {"operationId": path[1:], "summary": text, "responses": {"200": {"description": text}}}}
        for path, text in kinds.items()
    }
