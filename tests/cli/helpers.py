"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUICK = ("--max-epochs", "2", "--no-figures")


def write_csv(path: Path, values: NDArray[Any], names: list[str] | None = None) -> Path:
    """A table of numbers with a header; empty where a value is NaN."""
    names = names or [f"c{column}" for column in range(values.shape[1])]
    lines = [",".join("" if np.isnan(value) else repr(float(value)) for value in row) for row in values]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path
