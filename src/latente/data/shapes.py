"""Pictures of shapes whose factors of variation are known: data for measures of disentanglement, without a download."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latente.errors import DataError, alternatives

SIDE = 16  # pixels
ANGLES = np.pi / 12 * np.arange(24)  # of the normals of a shape's edges
RANGES = {"x": (5.5, 10.5), "y": (5.5, 10.5), "size": (2.0, 4.0), "rotation": (0.0, 60.0), "colour": (0.0, 1.0)}
FACTORS = ("shape", *RANGES)
Factors = dict[str, NDArray[Any]]


def _support(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of the edges of a convex shape from its centre, by angle, [24]."""
    return np.asarray((corners @ np.stack([np.cos(ANGLES), np.sin(ANGLES)])).max(0))


def _corners(angles: Any, width: float = 1.0, height: float = 1.0) -> NDArray[np.float64]:
    turned = np.deg2rad(np.asarray(angles, float))
    return np.stack([width * np.cos(turned), height * np.sin(turned)], 1)


SHAPES = {
    "square": _support(_corners([45, 135, 225, 315])),
    "ellipse": _support(_corners(np.arange(0, 360, 3), 1.2, 0.6)),
    "triangle": _support(_corners([90, 210, 330], 1.2, 1.2)),
}


def drawn_shapes(n: int = 2000, seed: int = 0, vary: Collection[str] = FACTORS) -> tuple[NDArray[np.uint8], Factors]:
    """Draw shapes with independent, uniform factors.

    Rotations cover 60 degrees, in which no shape looks the same twice; colours go from red to blue.

    Args:
        n: how many.
        seed: the same seed draws the same pictures.
        vary: the factors that vary, of "shape", "x", "y", "size", "rotation" and "colour"; all others are in the middle of
            their range.

    Returns:
        Pictures ``[n, 16, 16, 3]`` with values from 0 to 255, on black; and the factors by name, [n] each: the name of the
        shape, x, y and size in pixels, rotation in degrees, and colour from 0 to 1.

    Raises:
        DataError: there is no such factor.

    >>> pictures, factors = drawn_shapes(20, seed=0)
    >>> pictures.shape, list(factors), sorted(set(factors["shape"].tolist()))
    ((20, 16, 16, 3), ['shape', 'x', 'y', 'size', 'rotation', 'colour'], ['ellipse', 'square', 'triangle'])
    """
    if unknown := set(vary) - set(FACTORS):
        raise DataError(f"there is no factor {min(unknown)!r}; {alternatives(min(unknown), FACTORS)}")
    rng = np.random.default_rng(seed)
    drawn: Factors = {"shape": rng.integers(len(SHAPES), size=n)}
    drawn |= {name: rng.uniform(*bounds, n) for name, bounds in RANGES.items()}
    middles = {"shape": 1, **{name: sum(bounds) / 2 for name, bounds in RANGES.items()}}
    factors = {name: values if name in vary else np.full_like(values, middles[name]) for name, values in drawn.items()}
    pictures = np.round(255 * _covered(factors)[..., None] * _coloured(factors["colour"])[:, None, None])
    return pictures.astype(np.uint8), {**factors, "shape": np.array([*SHAPES])[factors["shape"]]}


def _covered(factors: Factors) -> NDArray[np.float64]:
    """Share of each pixel that the shape covers, [n, 16, 16], by the distance of its middle from the nearest edge."""
    middles = np.arange(SIDE) + 0.5
    right = middles[None, None, :] - factors["x"][:, None, None]
    down = middles[None, :, None] - factors["y"][:, None, None]
    outside = np.full((len(right), SIDE, SIDE), -np.inf)
    edges = factors["size"][:, None] * np.stack([*SHAPES.values()])[factors["shape"]]
    for angle, edge in zip(ANGLES, edges.T, strict=True):
        turned = (angle + np.deg2rad(factors["rotation"]))[:, None, None]
        np.maximum(outside, np.cos(turned) * right + np.sin(turned) * down - edge[:, None, None], out=outside)
    return np.clip(0.5 - outside, 0.0, 1.0)


def _coloured(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Red, green and blue of hues from red (0) over green to blue (1), [n, 3]."""
    hue = 4 * colour[:, None]
    return np.asarray(np.clip(2 - np.abs(hue - np.array([0.0, 2.0, 4.0])), 0.0, 1.0))
