"""Real public data for the benchmarks, read from the folder that LATENTE_DATA names (default: ../shared/data)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float32]
ROOT = Path(__file__).resolve().parents[1]


# Rows after the training rows by which Latente's defaults (learning rate, its rise, second moment) and the length of the race
# in `quality` were chosen: nothing is judged by them.
LOOKED_AT = 2_000


class Split(NamedTuple):
    """Rows to train on and rows that no model sees in training, both float32 ``[N, F]``."""

    train: Array
    held_out: Array


class Mixed(NamedTuple):
    """A table of numbers, categories and holes, and what a judge knows of it; models are told nothing of this.

    Attributes:
        file: where it is below the data folder. test: the same of rows to test on, where they come apart.
        target: the column to predict.
        codes: columns of numbers that are categories; columns of text are anyway.
        identifiers: columns that only name a row.
        named: whether the first line has the columns' names; else they are x0, x1, ...
    """

    file: str
    target: str
    codes: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    named: bool = True
    test: str = ""


MIXED = {
    "adult": Mixed("adult_train.csv.gz", "x14", named=False, test="adult_test.csv.gz"),
    "beijing": Mixed("beijing_pm25.csv.gz", "pm2.5", identifiers=("No",)),
    "german": Mixed("german_credit.csv.gz", "x20", ("x20",), named=False),
    "heart": Mixed("heart.csv.gz", "target", ("sex", "cp", "fbs", "restecg", "exang", "slope", "ca", "thal", "target")),
    "dry_bean": Mixed("dry_bean.csv.gz", "Class"),
    "ai4i": Mixed(
        "ai4i2020.csv.gz", "Machine failure", ("Machine failure", "TWF", "HDF", "PWF", "OSF", "RNF"), ("UDI", "Product ID")
    ),
}


def mixed(name: str, seed: int, test_share: float = 0.2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to train on and rows to test on; where they don't come apart, a random split, fixed by the seed."""
    what = MIXED[name]
    whole = _mixed(what.file, what.named)
    if what.test:
        return whole, _mixed(what.test, what.named)
    order = np.random.default_rng(seed).permutation(len(whole))
    held_out = round(test_share * len(whole))
    test, train = (whole.iloc[rows].reset_index(drop=True) for rows in np.split(order, [held_out]))
    return train, test


def _mixed(file: str, named: bool) -> pd.DataFrame:
    frame = pd.read_csv(
        path(f"tables/{file}"), header=0 if named else None, skipinitialspace=True, na_values="?", encoding="utf-8-sig"
    )
    if not named:
        frame.columns = pd.Index([f"x{place}" for place in range(frame.shape[1])])
    last = frame.columns[-1]
    if not pd.api.types.is_numeric_dtype(frame[last]):  # Adult's test labels end in a dot
        frame[last] = frame[last].str.removesuffix(".")
    return frame


def path(name: str) -> Path:
    """Where a data file lies; stops the benchmark with a clear message where it does not."""
    file = Path(os.environ.get("LATENTE_DATA", ROOT.parent / "shared" / "data")) / name
    if not file.exists():
        sys.exit(f"This benchmark needs {name}, and {file} does not exist. Set LATENTE_DATA to the folder that holds it.")
    return file


def mnist(rows: int = 10_000, held_out: int = 2_000) -> Split:
    """The first training pictures of MNIST, 784 pixels in [0, 1]; held out: rows after them, beyond :data:`LOOKED_AT`."""
    begin = rows + LOOKED_AT
    x = np.load(path("mnist.npz"))["x_train"][: begin + held_out].reshape(-1, 784).astype(np.float32) / 255
    return Split(x[:rows], x[begin:])


def table(rows: int = 20_000, held_out: int = 2_000) -> Split:
    """ADBench's `shuttle` (9 columns), rows in a fixed random order, z-scored, clipped at 6 and z-scored again.

    Unclipped, single values lie 100 standard deviations out, and a mean over 2,000 held-out rows would measure those few.
    """
    x = np.load(path("adbench/shuttle.npz"))["X"].astype(np.float64)
    begin = rows + LOOKED_AT
    x = np.random.default_rng(0).permutation(x)[: begin + held_out]
    for bound in (6.0, np.inf):
        x = np.clip((x - x[:rows].mean(0)) / x[:rows].std(0), -bound, bound)
    return Split(x[:rows].astype(np.float32), x[begin:].astype(np.float32))


def binarised() -> tuple[Array, Array, Array]:
    """Static-binarised MNIST: 50,000 training, 10,000 validation and 10,000 test rows of 784 zeros and ones."""
    packed = np.load(path("mnist_static_binarized.npz"))
    train, valid, test = (np.unpackbits(packed[part], axis=1).astype(np.float32) for part in ("train", "valid", "test"))
    return train, valid, test


def wide(rows: int = 1_000_000, columns: int = 30, latent: int = 6, seed: int = 0) -> Array:
    """A made table ``[rows, columns]`` of correlated normal columns, for scale only; made in blocks, to peak at its size."""
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((latent, columns), dtype=np.float32)
    x = np.empty((rows, columns), np.float32)
    for block in np.array_split(x, max(1, rows // 50_000)):
        block[:] = rng.standard_normal((len(block), latent), dtype=np.float32) @ mix
        block += 0.5 * rng.standard_normal(block.shape, dtype=np.float32)
    return x
