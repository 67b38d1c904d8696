"""Digits drawn from fonts: the same for a seed, of all classes, and within their pictures."""

import numpy as np

from latente.data.digits import SIDE, drawn_digits


def test_a_seed_draws_the_same_pictures_and_another_one_others() -> None:
    pictures, classes = drawn_digits(60, seed=3)
    again, same = drawn_digits(60, seed=3)
    assert np.array_equal(pictures, again) and np.array_equal(classes, same)
    assert not np.array_equal(pictures, drawn_digits(60, seed=4)[0])
    assert pictures.shape == (60, SIDE, SIDE) and pictures.dtype == np.uint8


def test_classes_have_equal_shares_and_each_digit_lies_within_its_picture() -> None:
    pictures, classes = drawn_digits(205, seed=0)
    assert set(np.bincount(classes)) == {20, 21}
    ink = pictures.reshape(len(pictures), -1).astype(float).sum(1) / 255
    assert ink.min() > 5 and ink.max() < 0.7 * SIDE**2
    border = np.concatenate(
        [pictures[:, [0, -1]].reshape(len(pictures), -1), pictures[:, :, [0, -1]].reshape(len(pictures), -1)], 1
    )
    assert border.mean() < 12, "half a pixel stays free on each side"
    assert len(np.unique(pictures, axis=0)) == len(pictures)


def test_pictures_of_a_class_are_more_alike_than_others() -> None:
    pictures, classes = drawn_digits(400, seed=1)
    x = pictures.reshape(len(pictures), -1) / 255.0
    distance = ((x[:, None] - x[None]) ** 2).sum(-1) + 1e9 * np.eye(len(x))
    assert (classes[distance.argmin(1)] == classes).mean() > 0.7
