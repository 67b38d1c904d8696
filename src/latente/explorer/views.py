"""How the page shows rows of each layout: one table, :data:`VIEWS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch

from latente.data import Codec, SeriesCodec, TableCodec
from latente.data.containers import Array
from latente.explorer.block import Block
from latente.explorer.units import bins_of, in_units, kept, population_of, row_units
from latente.model.parts import Part
from latente.rows import IMAGE, SCALAR, SERIES, Rows, layout_of


class View(NamedTuple):
    """What the page needs of a layout.

    Attributes:
        units: how encoded values become the user's, and the other way round.
        population: how the values of each column are distributed over its bins; [] where there are no columns.
        ends: encoded upper ends of each column's bins but the last; [] where there are no columns.
        identity: what must be the same in two models that stand side by side.
        colours: columns to colour codes by.
        whole: the rows themselves; None if the page does not show them.
    """

    units: Callable[[Any, Part, Block], dict[str, Any]]
    population: Callable[[Any, Part, Rows | None], list[Array]]
    ends: Callable[[Any, Part], Iterable[Array]]
    identity: Callable[[Any], Any]
    colours: Callable[[Any, Rows, Block, int], Iterable[dict[str, Any]]]
    whole: Callable[[Any, Rows, Block], dict[str, Any] | None]


def view_of(codec: Codec) -> View:
    """The view of a codec's rows."""
    return VIEWS[layout_of(codec.fields)]


def _ends(codec: TableCodec, likelihood: Part) -> Iterable[Array]:
    for column, bins in zip(kept(codec), bins_of(codec, likelihood), strict=True):
        yield (bins.high[:-1] - codec.center[column]) / codec.scale[column]


def _columns(codec: TableCodec) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(codec.names[column], codec.kinds[column], codec.levels(column)) for column in kept(codec).tolist()]


def _colours(codec: TableCodec, rows: Rows, block: Block, most: int) -> Iterable[dict[str, Any]]:
    """A table's columns, in 255 steps between the ends of the most of them; the step 255 is "missing"."""
    values = in_units(codec, rows)
    for column, observed in list(zip(kept(codec).tolist(), values.T, strict=True))[:most]:
        labels = list(codec.levels(column)) or None
        low, high = (0.0, 254.0) if labels else _between(observed)
        steps = np.rint(254 * (observed - low) / (high - low)).clip(0, 254)
        if labels and len(labels) > 255:
            continue
        coded = block.add(np.where(np.isnan(steps), 255, steps), "u1")
        yield {"name": codec.names[column], "labels": labels, "values": coded, "low": low, "high": high}


def _between(observed: Array) -> tuple[float, float]:
    """Two values between which nearly all lie: a colour scale that one far value does not spoil."""
    if np.isnan(observed).all():
        return 0.0, 1.0
    low, high = np.nanquantile(observed, (0.005, 0.995))
    return (float(low), float(high)) if high > low else (float(np.nanmin(observed)), float(np.nanmax(observed)) + 1e-9)


def _values(codec: TableCodec, rows: Rows, block: Block) -> dict[str, Any]:
    """Values in the user's units, NaN where one is missing."""
    return {"values": block.add(in_units(codec, rows), "f8")}


def _pixels(codec: Codec, rows: Rows, block: Block) -> dict[str, Any]:
    """Pixels in 8 bits."""
    pixels = torch.movedim(rows.x, 1, -1).double().numpy()
    return {"pixels": block.add(np.rint(255 * pixels.clip(0, 1)), "u1")}


def _picture_units(codec: Codec, likelihood: Part, block: Block) -> dict[str, Any]:
    return {"type": "image", "shape": list(codec.shape)}


def _series_units(codec: SeriesCodec, likelihood: Part, block: Block) -> dict[str, Any]:
    """Channels in the user's units, those of levels as shares; the page draws a line for each."""
    return {"type": "series", "steps": codec.window, "channels": [channel._asdict() for channel in codec.scales]}


VIEWS = {
    SCALAR: View(row_units, population_of, _ends, _columns, _colours, _values),
    IMAGE: View(_picture_units, lambda *_: [], lambda *_: (), lambda codec: codec.shape, lambda *_: (), _pixels),
    SERIES: View(
        _series_units,
        lambda *_: [],
        lambda *_: (),
        lambda codec: (codec.channels, codec.window),
        lambda *_: (),
        lambda *_: None,
    ),
}
