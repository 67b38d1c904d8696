"""Data: conversion of data sources to encoded rows, and of decoded rows to the user's columns, types and units."""

from latente.data.album import Album, large_album
from latente.data.codecs import CODECS, Codec, Data, codec_from_state, encode, fit_codec, refuse_outside, table_codec
from latente.data.containers import frame, like
from latente.data.context import LABELS, ContextCodec, names_of_context, read_context, split_context, split_labels
from latente.data.fields import observed_rows
from latente.data.given import intervals as restricted_to
from latente.data.image import ImageCodec
from latente.data.pieces import Pieces, pieces_of
from latente.data.piecewise import Census
from latente.data.plain import Columns, PlainRows, decoded, plain
from latente.data.sentinels import suspicious
from latente.data.series import (
    CALENDAR,
    Sequences,
    Series,
    SeriesCodec,
    TimeAsked,
    as_asked,
    bins_of,
    calendar_names,
    cycles_of,
    filled,
    last_steps,
    of_windows,
    seconds,
    with_calendar,
    with_index,
)
from latente.data.sources import Images, Table, read
from latente.data.spool import read_or_pieces, too_large
from latente.data.table import TableCodec

__all__ = [
    "CALENDAR",
    "CODECS",
    "LABELS",
    "Album",
    "Census",
    "Codec",
    "Columns",
    "ContextCodec",
    "Data",
    "ImageCodec",
    "Images",
    "Pieces",
    "PlainRows",
    "Sequences",
    "Series",
    "SeriesCodec",
    "Table",
    "TableCodec",
    "TimeAsked",
    "as_asked",
    "bins_of",
    "calendar_names",
    "codec_from_state",
    "cycles_of",
    "decoded",
    "encode",
    "filled",
    "fit_codec",
    "frame",
    "large_album",
    "last_steps",
    "like",
    "names_of_context",
    "observed_rows",
    "of_windows",
    "pieces_of",
    "plain",
    "read",
    "read_context",
    "read_or_pieces",
    "refuse_outside",
    "restricted_to",
    "seconds",
    "split_context",
    "split_labels",
    "suspicious",
    "table_codec",
    "too_large",
    "with_calendar",
    "with_index",
]
