"""Codecs: conversion of data sets to rows and back, one for each kind of data, in a closed registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from latente.data.album import Album
from latente.data.containers import Array
from latente.data.image import ImageCodec
from latente.data.series import Series, SeriesCodec, TimeAsked
from latente.data.sources import Images, Table
from latente.data.state import expect
from latente.data.table import TableCodec
from latente.errors import DataError, ModelError
from latente.rows import Rows

Codec = TableCodec | ImageCodec | SeriesCodec
Data = Table | Images | Series

CODECS: dict[str, type[TableCodec] | type[ImageCodec] | type[SeriesCodec]] = {
    codec.kind: codec for codec in (TableCodec, ImageCodec, SeriesCodec)
}


def fit_codec(
    data: Table | Images | Album,
    kinds: Mapping[str, str] | None = None,
    as_recorded: bool = False,
    time: TimeAsked | None = None,
) -> Codec:
    """The codec of a data set; ``kinds`` sets the kinds of some columns of a table, by name. Numbers of a table are
    standardised, or stay ``as_recorded`` for a likelihood with its own support. With ``time``, rows are those of series.

    Raises:
        DataError: if there are fewer than two rows, nothing in them differs, or a column can't have the requested kind.

    >>> from latente.data import read
    >>> codec = fit_codec(read([[1.0, 0.0], [3.0, 1.0]]))
    >>> [field.kind for field in codec.fields]
    ['ordinal', 'binary']
    """
    if len(data) < 2:
        raise DataError(
            f"a model can't be fitted on n_samples={len(data)} row; it needs at least 2, and many more for useful results"
        )
    if time is not None:
        assert not isinstance(data, Album)
        return SeriesCodec.fit(data, time, kinds, as_recorded)
    if isinstance(data, Table):
        return TableCodec.fit(data, kinds, as_recorded)
    if kinds:
        raise DataError("kinds is for columns of a table, and these are pictures")
    return ImageCodec.fit(data)


def refuse_outside(codec: Codec, rows: Rows, support: tuple[float, float], likelihood: str) -> None:
    """Refuse encoded rows with values outside the support of a likelihood.

    Raises:
        DataError: there are such values; it names the first one's column (or pixel) and row.
    """
    outside = ((rows.x < support[0]) | (rows.x > support[1])).flatten(1)
    found = torch.nonzero(outside.any(1)).flatten().tolist()
    if found:
        what = codec.value_at(rows.x[found[0]], int(torch.nonzero(outside[found[0]])[0]))
        more = f", and so do {len(found) - 1:,} rows more" if len(found) > 1 else ""
        low, high = (float(end) for end in rows.x.aminmax())
        raise DataError(
            f"{what} in row {found[0]} (counted from 0){more}: {likelihood!r} is a likelihood of values from {support[0]:g} to "
            f"{support[1]:g}; the encoded values go from {low:.3g} to {high:.3g}: divide by the largest value there can be "
            "(255 for pixels), or choose another likelihood, such as 'auto'"
        )


def table_codec(codec: Codec, what: str) -> TableCodec:
    """The codec of a table, for ``what`` only tables have.

    Raises:
        ModelError: it is that of pictures, or of series.
    """
    if not isinstance(codec, TableCodec):
        these = "series" if isinstance(codec, SeriesCodec) else "pictures"
        raise ModelError(f"{what} is for columns of a table, and these are {these}")
    return codec


def encode(codec: Codec, data: Data, unknown: str = "error") -> Rows:
    """Encoded rows of what a codec reads."""
    rows: Rows = codec.encode(data, unknown)  # type: ignore[arg-type]
    return rows


def codec_from_state(json: Mapping[str, Any], arrays: Mapping[str, Array]) -> Codec:
    """The codec for the result of ``to_state``.

    Raises:
        StorageError: if its kind is unknown, or something is missing or does not fit.
    """
    kind = json.get("kind")
    expect(isinstance(kind, str) and kind in CODECS, f"the kind of codec {kind!r} is none of {', '.join(map(repr, CODECS))}")
    return CODECS[str(kind)].from_state(json, arrays)
