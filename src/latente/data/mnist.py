"""MNIST, from a folder of the user: nothing is downloaded."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latente.errors import DataError

FOLDER, FILE = "LATENTE_DATA", "mnist.npz"


def mnist(folder: str | Path | None = None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Training and test pictures of MNIST, [60000, 28, 28] and [10000, 28, 28], values from 0 to 1.

    Args:
        folder: where ``mnist.npz`` is, with the arrays ``x_train`` and ``x_test`` (the file of that name that comes with Keras
            has them); by default the folder that the environment variable LATENTE_DATA names.

    Raises:
        DataError: the file is missing, or holds something else.
    """
    asked = folder or os.environ.get(FOLDER)
    path = Path(asked or ".") / FILE
    if not path.is_file():
        where = f"there is no {path}" if asked else f"{FOLDER} is not set"
        raise DataError(
            f"MNIST does not come with Latente, and {where}: set {FOLDER} to a folder with {FILE}, with the arrays x_train "
            "and x_test of 28 x 28 pixels from 0 to 255"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            train, test = (_pictures(stored[name]) for name in ("x_train", "x_test"))
    except (KeyError, ValueError, OSError) as error:
        raise DataError(f"{path} does not hold x_train and x_test of 28 x 28 pixels from 0 to 255: {error}") from error
    return train, test


def _pictures(stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    if stored.dtype != np.uint8 or stored.ndim != 3 or stored.shape[1:] != (28, 28):
        raise ValueError(f"an array of the shape {stored.shape} and type {stored.dtype}")
    return stored.astype(np.float32) / np.float32(255)


def binarised(pictures: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Each pixel 1 with its value as the probability, and else 0."""
    return (np.random.default_rng(seed).random(pictures.shape, np.float32) < pictures).astype(np.float32)
