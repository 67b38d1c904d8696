"""Rows as they come over the network and go back: JSON and Arrow."""

from __future__ import annotations

import io
import json
from collections.abc import Hashable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from latente.data import SeriesCodec, TableCodec, calendar_names
from latente.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from latente.estimator import VAE

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


class Malformed(DataError):
    """A request that can't be read at all."""


class Rows(NamedTuple):
    """Rows of a request: a list of records, an Arrow table, or an array of pictures; rows of one ``form`` can be joined."""

    values: Any
    form: Hashable


def table_of(vae: VAE) -> TableCodec | None:
    """The codec of the columns of rows, also of those of series; None if rows are arrays: pictures, or series."""
    codec = vae.fitted_.codec
    if isinstance(codec, SeriesCodec):
        return None if codec.whole else codec.table
    return codec if isinstance(codec, TableCodec) else None


def names_of(vae: VAE) -> tuple[str, ...]:
    """The columns that a row may have, those of the context last."""
    codec, context = table_of(vae), vae.fitted_.context
    if codec is None:
        return ()
    named = context.names if context is not None else ()
    made = calendar_names(named) if isinstance(vae.fitted_.codec, SeriesCodec) else []
    return (*(str(name) for name in codec.feature_names), *(name for name in named if name not in made))


def parsed(body: bytes) -> dict[str, Any]:
    """The object in a JSON body; an empty body is an empty object.

    Raises:
        Malformed: it is no JSON object.
    """
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Malformed('the body is not a JSON object; send {"rows": [{…}, …]}')
    return found


def rows_of_json(vae: VAE, rows: Any) -> Rows:
    """Rows of a request, from a list of records (or of lists in the order of the columns), or of pictures.

    Raises:
        DataError: it is no such list, or a record has a column that the model does not have.
    """
    if not isinstance(rows, list) or not rows:
        raise DataError('"rows" is a list of rows, at least one')
    codec = table_of(vae)
    if codec is None:
        return _arrays(rows)
    names = names_of(vae)
    return Rows([_record(row, i, names, codec.n_features) for i, row in enumerate(rows)], "records")


def _arrays(rows: list[Any]) -> Rows:
    try:
        values = np.asarray(rows)
    except ValueError as error:
        raise DataError(f"rows are pictures, or series, of one shape: {error}") from error
    if values.dtype.kind not in "biuf":
        values = np.asarray(rows, dtype=float)
    return Rows(values, (values.shape[1:], values.dtype.str))


def _record(row: Any, i: int, names: Sequence[str], n: int) -> Mapping[str, Any]:
    if isinstance(row, list) and len(row) in (n, len(names)):
        return dict(zip(names, row, strict=False))
    if not isinstance(row, dict):
        raise DataError(f"row {i} (counted from 0) is neither an object nor a list of {n} values")
    for name, value in row.items():
        if name not in names:
            raise DataError(f"row {i} (counted from 0): the model has no column {name!r}; its columns are {_listed(names)}")
        if isinstance(value, (dict, list)):
            raise DataError(f"row {i} (counted from 0), column {name!r}: a value is a number, a text, true, false or null")
    return {name: row.get(name) for name in names} if len(names) > n else {name: row.get(name) for name in names[:n]}


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def rows_of_arrow(vae: VAE, body: bytes) -> Rows:
    """Rows of a request, from an Arrow IPC stream.

    Raises:
        Malformed: it is none. DataError: it has no rows, or the model is of arrays.
    """
    import pyarrow as pa

    if table_of(vae) is None:
        raise DataError(f"rows of this model are arrays: send them as {JSON}")
    try:
        table = pa.ipc.open_stream(io.BytesIO(body)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Malformed(f"the body is not an Arrow stream: {error}") from error
    if not len(table):
        raise DataError("the Arrow stream holds no rows")
    return Rows(table, str(table.schema))


def joined(parts: Sequence[Any]) -> Any:
    """Rows of several requests of one form, as one."""
    if isinstance(parts[0], list):
        return [row for part in parts for row in part]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import pyarrow as pa

    return pa.concat_tables(parts)


def split(answer: Any, sizes: Sequence[int]) -> list[Any]:
    """An answer to joined rows, as those to so many rows each."""
    starts = np.cumsum([0, *sizes])
    if isinstance(answer, np.ndarray):
        return [answer[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    return [answer.slice(int(start), size) for start, size in zip(starts, sizes, strict=False)]


def plain(answer: Any) -> Any:
    """A table as Arrow; pictures as they are."""
    import narwhals as nw

    return answer if isinstance(answer, np.ndarray) else nw.from_native(answer, eager_only=True).to_arrow()


def as_arrow(table: pa.Table) -> bytes:
    """An Arrow IPC stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def as_json(answer: Any, **more: Any) -> bytes:
    """A JSON object with the rows of an answer; NaN is null, dates are ISO 8601, durations are seconds."""
    rows = answer.tolist() if isinstance(answer, np.ndarray) else _without_nan(answer).to_pylist()
    return json.dumps({**more, "rows": rows}, default=_as_text, ensure_ascii=False, separators=(",", ":")).encode()


def _without_nan(table: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, column in enumerate(table.columns):
        if pa.types.is_floating(column.type):
            finite = pc.if_else(pc.is_finite(column), column, None)
            table = table.set_column(place, table.schema.field(place).name, finite)
    return table


def _as_text(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
