"""Drawn shapes: their pictures show the factors that are returned."""

from __future__ import annotations

import numpy as np
import pytest

import latente as lt
from latente.data.shapes import RANGES, SIDE, drawn_shapes


def test_a_seed_draws_the_same_pictures_and_another_one_others() -> None:
    pictures, factors = drawn_shapes(50, seed=1)
    again, same = drawn_shapes(50, seed=1)
    assert np.array_equal(pictures, again) and all(np.array_equal(factors[name], same[name]) for name in factors)
    assert not np.array_equal(pictures, drawn_shapes(50, seed=2)[0])
    assert pictures.shape == (50, SIDE, SIDE, 3) and pictures.dtype == np.uint8


def test_pictures_show_their_factors() -> None:
    pictures, factors = drawn_shapes(300, seed=0)
    ink = pictures.max(-1) / 255.0
    middle = np.arange(SIDE) + 0.5
    x, y = (ink.sum(axis) @ middle / ink.sum((1, 2)) for axis in (1, 2))
    assert np.abs(x - factors["x"]).max() < 0.35 and np.abs(y - factors["y"]).max() < 0.35
    square = factors["shape"] == "square"
    np.testing.assert_allclose(ink.sum((1, 2))[square], 2 * factors["size"][square] ** 2, rtol=0.1)
    red, blue = pictures[factors["colour"] < 0.05], pictures[factors["colour"] > 0.95]
    assert red[..., 2].max() == 0 and blue[..., 0].max() == 0 and red.size and blue.size
    assert ink[:, [0, -1]].max() == ink[:, :, [0, -1]].max() == 0, "no shape touches the border"


def test_factors_that_do_not_vary_are_in_the_middle() -> None:
    pictures, factors = drawn_shapes(40, seed=0, vary=("x",))
    assert len(np.unique(factors["x"])) == 40 and set(factors["shape"]) == {"ellipse"}
    assert all(set(factors[name]) == {sum(RANGES[name]) / 2} for name in RANGES if name != "x")
    assert len(np.unique(pictures.reshape(40, -1), axis=0)) == 40
    with pytest.raises(lt.DataError, match="there is no factor 'hue'"):
        drawn_shapes(3, vary=("hue",))


def test_a_rotation_turns_the_shape() -> None:
    pictures, factors = drawn_shapes(400, seed=0, vary=("rotation",))
    ink, middle = pictures.max(-1) / 255.0, np.arange(SIDE) + 0.5
    right, down = middle[None, None] - 8.0, middle[None, :, None] - 8.0
    tilt = np.rad2deg(0.5 * np.arctan2(2 * (ink * right * down).sum((1, 2)), (ink * (right**2 - down**2)).sum((1, 2))))
    assert np.abs(tilt - factors["rotation"]).max() < 4
