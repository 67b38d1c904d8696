"""The codec of pictures: pixels scaled to 0..1, and back into the user's layout and type."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from latente.data.containers import ARRAYS, Array, known_dtype, numpy_dtype, to_array
from latente.data.fields import blocks, encoded, recorded_resolution, restore, standardise, value_range
from latente.data.sources import LAYOUTS, Images, Table, from_channels_first
from latente.data.state import Stored, expect
from latente.errors import DataError
from latente.rows import BINARY, IMAGE, Field, Rows, ValueGrid
from latente.words import Message

_BINARY_SHARE = 0.95  # share of pixels at an end of the range, from which a Bernoulli likelihood is suitable
_SAMPLE = 10_007  # a prime, so that a regular sample does not fall on the same pixels of every picture


class Pictures(Protocol):
    """Pictures in memory, or in parts that are read one after the other."""

    def parts(self) -> Iterator[Images]:
        """All of them."""


@dataclass(frozen=True, eq=False)
class ImageCodec(Stored):
    """Converts pictures to encoded rows and back.

    Attributes:
        shape: channels, height and width.
        layout, dtype, container: as in :class:`~latente.data.sources.Images`, of the pictures of the fit.
        low, high: the pixel values that become 0 and 1.
        field_kind: ``"binary"`` if at least 95% of the pixels are ``low`` or ``high``, else ``"image"``.
        resolution: smallest step between recorded pixel values, divided by ``high - low``; 0 where continuous.
        notes: remarks about the data.
    """

    shape: tuple[int, int, int]
    layout: str
    dtype: str
    container: str
    low: float
    high: float
    field_kind: str
    resolution: float
    notes: tuple[Message, ...]

    kind: ClassVar[str] = "image"
    interchange: ClassVar[str] = "numpy"
    # What columns have, and pixels do not: names, levels, texts, and ways to be written and read.
    named: ClassVar[bool] = False
    feature_names: ClassVar[tuple[str, ...]] = ("image",)
    text_names: ClassVar[tuple[str, ...]] = ()
    known_levels: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    known_notations: ClassVar[Mapping[str, Any]] = {}
    reading_of_fit: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def fit(cls, images: Pictures) -> Self:
        """The codec of a stack of pictures.

        Raises:
            DataError: if all pixels are the same.
        """
        first = next(images.parts())
        low, high = _ends(images)
        share, empty = _share_at_ends(images, low, high)
        kind = BINARY if share >= _BINARY_SHARE else IMAGE
        notes = (Message("note.no_pixels", n=empty),) if empty else ()
        step = _resolution(images, low, high)
        return cls(first.pixels.shape[1:], first.layout, first.dtype, first.container, low, high, kind, step, notes)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields of a row: one field, the picture."""
        return (Field("image", self.field_kind, self.shape, self.resolution),)

    def like_fitted(self, data: Table | Images) -> Table | Images:
        """Pictures are not converted."""
        return data

    value_names: ClassVar[tuple[str, ...]] = ("image",)

    @property
    def grids(self) -> tuple[ValueGrid, ...]:
        """How the values of all pixels are recorded."""
        span = self.high - self.low
        return (ValueGrid(-self.low / span, 1 / span, self.resolution, 0.0, 1.0),)

    def in_container(self, container: str) -> Self:
        """The same for results of another type."""
        return replace(self, container=container)

    def value_at(self, row: Tensor, place: int) -> str:
        """One pixel of an encoded row [C, H, W] as text."""
        at, low = np.unravel_index(place, self.shape), self.low
        return f"pixel {tuple(map(int, at))} holds {float(row[at]) * (self.high - low) + low:g}"

    @property
    def described(self) -> list[dict[str, Any]]:
        """Size and range of the pictures."""
        names = ("channels", "height", "width")
        size = {"name": "image", "dtype": self.dtype, "kind": self.field_kind, **dict(zip(names, self.shape, strict=True))}
        return [{**size, "because": "rows of three dimensions", "black": self.low, "white": self.high}]

    @property
    def places(self) -> Array:
        """Which pixels the model sees: all."""
        return np.arange(self.n_features)

    @property
    def row_ndim(self) -> int:
        """Dimensions of one of the user's pictures, without that of rows."""
        return 2 if self.layout == "NHW" else 3

    @property
    def n_features(self) -> int:
        """Number of pixel values of a picture."""
        return math.prod(self.shape)

    def encode(self, data: Table | Images, unknown: str = "error") -> Rows:
        """Rows ``[N, C, H, W]`` of pictures; there are no ``unknown`` levels.

        Raises:
            DataError: if the pictures have another size, or it is a table.
        """
        if not isinstance(data, Images):
            raise DataError(f"this is a table, and the model was fitted on {_words(self.shape)}")
        if data.pixels.shape[1:] != self.shape:
            raise DataError(f"these are {_words(data.pixels.shape[1:])}, and the model was fitted on {_words(self.shape)}")
        return standardise(data.pixels, self.low, self.high - self.low)

    def decode(
        self,
        x: Array | Tensor,
        container: str | None = None,
        *,
        source: Table | Images | None = None,
        of: Table | Images | None = None,
        possible: bool = False,
    ) -> Any:
        """Pictures in the user's layout and type.

        Args:
            x: encoded rows ``[N, C, H, W]``.
            container: ``"numpy"`` or ``"torch"``; None for that of the input.
            source: the input pictures; their observed values stay, and ``x`` only replaces missing ones.
            of: the pictures that ``x`` replaces; not used, because all pixels are modelled.
            possible: limit values to the range from black to white.

        Raises:
            DataError: if the rows have another shape, or the container can't hold pictures.
        """
        pixels = restore(encoded(x, self.shape), self.low, self.high - self.low, numpy_dtype(self.dtype))
        if possible:
            pixels = np.clip(pixels, self.low, self.high).astype(pixels.dtype)
        if isinstance(source, Images):
            pixels = np.where(np.isnan(source.pixels), pixels, source.pixels).astype(pixels.dtype)
        return to_array(from_channels_first(pixels, self.layout), container or self.container)

    def log_jacobian(self, rows: Rows, densities: Tensor | bool = True) -> Tensor:
        """log |d encoded / d user's unit|, summed over the observed pixels, in nats; float64 ``[N]``.

        Added to the log-density of encoded rows it gives that of the user's own values. It is 0 where ``densities`` (one for
        all, or [N, pixels]) is False, because probabilities do not depend on units.
        """
        counted = torch.ones(len(rows), self.n_features) if rows.mask is None else rows.mask.cpu().flatten(1)
        return -math.log(self.high - self.low) * (counted.double() * torch.as_tensor(densities).double()).sum(1)

    def check(self) -> None:
        """Raise StorageError if the attributes, which come from a file, do not fit each other."""
        sizes = isinstance(self.shape, tuple) and len(self.shape) == 3 and all(type(size) is int for size in self.shape)
        expect(sizes and min(self.shape) > 0, "the size of the pictures")
        expect(self.layout in LAYOUTS and (self.layout != "NHW" or self.shape[0] == 1), "the layout")
        expect(isinstance(self.dtype, str) and known_dtype(self.dtype), "the type of the pixels")
        expect(self.container in ARRAYS, "the container")
        numbers = (self.low, self.high, self.resolution)
        expect(all(type(number) in (int, float) and math.isfinite(number) for number in numbers), "the range of the pixels")
        kind = numpy_dtype(self.dtype)
        ends = np.iinfo(kind) if kind.kind in "iu" else np.finfo(kind) if kind.kind == "f" else None
        expect(ends is None or (ends.min <= self.low and self.high <= ends.max), "the range of the pixels")
        expect(self.low < self.high and self.resolution >= 0.0, "the range of the pixels")
        expect(self.field_kind in (BINARY, IMAGE), "the kind of field")


def _words(shape: tuple[int, ...]) -> str:
    return f"pictures of {shape[1]} x {shape[2]} pixels with {shape[0]} channel{'s' if shape[0] > 1 else ''}"


def _ends(images: Pictures) -> tuple[float, float]:
    """The pixel values that become 0 and 1: those of the type for 8 bits, 0 and 1 if all lie between, else the extremes."""
    low = high = np.nan
    for part in images.parts():
        lows, highs = value_range(part.pixels)
        low, high = np.fmin(low, np.fmin.reduce(lows, axis=None)), np.fmax(high, np.fmax.reduce(highs, axis=None))
    low, high = float(low), float(high)
    if not low < high:
        raise DataError("there is nothing to learn: all pixels have the same value, or none has any")
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return (0.0, 255.0) if part.pixels.dtype == np.uint8 else (low, high)


def _share_at_ends(images: Pictures, low: float, high: float) -> tuple[float, int]:
    """The share of the observed pixels that are ``low`` or ``high``, and the number of pictures without any pixel."""
    ends = observed = empty = 0
    every = (part.pixels[rows] for part in images.parts() for rows in blocks(part.pixels))
    for block in (pixels.reshape(len(pixels), -1) for pixels in every):
        missing = np.isnan(block)
        ends += int(((block == low) | (block == high)).sum())
        observed += block.size - int(missing.sum())
        empty += int(missing.all(1).sum())
    return ends / observed, empty


def _resolution(images: Pictures, low: float, high: float) -> float:
    if next(images.parts()).pixels.dtype.kind != "f":
        return 1.0 / (high - low)
    some = (part.pixels for part in images.parts())
    sample = np.concatenate([p.flat[np.linspace(0, p.size - 1, min(p.size, _SAMPLE)).astype(np.intp)] for p in some])
    ordered = np.sort(sample.astype(np.float64))[:, None]
    return float(recorded_resolution(ordered, np.array([high - low]))[0])
