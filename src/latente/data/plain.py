"""Rows in the user's units as plain arrays: columns by name, or pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from latente.data.codecs import Codec
from latente.data.containers import Array
from latente.data.image import ImageCodec
from latente.data.moments import kind_of
from latente.data.series import Series, SeriesCodec
from latente.data.sources import Images, Table, read, to_channels_first
from latente.data.table import TableCodec
from latente.rows import IMAGE, SCALAR, SERIES, layout_of

Columns = dict[str, Array]
PlainRows = Array | Columns
"""Pictures, [N, H, W] or [N, H, W, C], windows, [N, L, F], or columns of a table by name: numbers, dates as datetime64, times
and durations as timedelta64, or texts with None if missing."""


def plain(codec: Codec, rows: Any, mask: Tensor | None = None) -> PlainRows:
    """Rows that were read, or that a codec decoded; ``mask`` [N, *shape] is True where a value was observed."""
    return PLAIN[layout_of(codec.fields)](codec, rows, None if mask is None else mask.numpy())


def decoded(codec: Codec, x: Tensor, mask: Tensor | None = None, possible: bool = False) -> PlainRows:
    """Encoded rows [N, ...] in the user's units; arguments as of ``codec.decode``."""
    return plain(codec, codec.decode(x.reshape(len(x), *codec.shape), codec.interchange, possible=possible), mask)


def _columns(codec: TableCodec, rows: Any, mask: Array | None) -> Columns:
    table: Any = rows if isinstance(rows, Table) else codec.like_fitted(read(rows, texts=codec.text_names))
    seen = np.ones((len(table), len(codec.fields)), bool) if mask is None else mask
    names = (field.name for field in codec.fields)
    return {name: column_of(table, table.names.index(name), observed) for name, observed in zip(names, seen.T, strict=True)}


def column_of(table: Table, place: int, observed: Array | bool = True) -> Array:
    """A column of a table, as in :data:`PlainRows`; ``observed`` is False where a value is missing."""
    values, texts = np.where(observed, table.values[:, place], np.nan), table.levels.get(place)
    seen, kind = ~np.isnan(values), kind_of(table.dtypes[place])
    if texts is not None:
        return np.array([*texts, None], dtype=object)[np.where(seen, values, len(texts)).astype(np.intp)]
    if not kind:
        return values
    found: Array = np.where(seen, values, 0).astype("datetime64[s]" if kind == "calendar" else "timedelta64[s]")
    found[~seen] = "NaT"
    return found


def _pictures(codec: ImageCodec, rows: Any, mask: Array | None) -> Array:
    pixels = rows.pixels if isinstance(rows, Images) else to_channels_first(np.asarray(rows), codec.layout)
    pixels = pixels if mask is None else np.where(mask, pixels, np.nan)
    return pixels[:, 0] if pixels.shape[1] == 1 else np.moveaxis(pixels, 1, -1)


def _windows(codec: SeriesCodec, rows: Any, mask: Array | None) -> Array:
    """Columns of windows, levels as their numbers; new windows are as the codec decodes them, one after the other."""
    if isinstance(rows, np.ndarray):
        return np.asarray(rows[..., codec.table.places], float)
    table: Any = rows.table if isinstance(rows, Series) else codec.table.like_fitted(read(rows, texts=codec.text_names))
    columns = [table.names.index(field.name) for field in codec.table.fields]
    values = np.asarray(table.values[:, columns], float)
    if not isinstance(rows, Series):
        return values.reshape(-1, codec.window, len(columns))
    on_steps = np.full((rows.grid.steps, len(columns)), np.nan)
    on_steps[rows.grid.places] = values
    found: Array = on_steps[rows.indices]
    return found


PLAIN: dict[str, Callable[[Any, Any, Array | None], PlainRows]] = {SCALAR: _columns, IMAGE: _pictures, SERIES: _windows}
