"""What can go wrong, in words that say what is wrong, where, and what to do.

Every error that Latente raises on purpose is a :class:`LatenteError`. Those that are about a value which was handed in are
also a :class:`ValueError`, so that code which knows nothing of Latente (scikit-learn's, say) understands them too.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import TypeVar

Thing = TypeVar("Thing")


class LatenteError(Exception):
    """Base of all errors that Latente raises on purpose."""


class DataError(LatenteError, ValueError):
    """The data can't be used as it is: missing file, text where numbers were, infinite values, wrong columns."""


class ModelError(LatenteError, ValueError):
    """Parts, recipe or settings that can't go together, or that do not exist."""


class StorageError(LatenteError, ValueError):
    """A file can't be written, or is not what it claims to be: truncated, altered, of a newer version."""


class TrainingError(LatenteError, RuntimeError):
    """Training could not go on: it diverged in spite of every remedy."""


class LatenteWarning(UserWarning):
    """Something that went well enough to go on, and that a person should know."""


def warn(message: str) -> None:
    """A :class:`LatenteWarning` that points at the line outside of this library from which it was called."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == "latente":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, LatenteWarning, stacklevel=level)


def entry(things: Mapping[str, Thing], name: str, what: str) -> Thing:
    """One of several things by its name; ``what`` is what one of them is.

    Raises:
        KeyError: there is none of that name; it says which there are.

    >>> entry({"vae": 1, "iwae": 2}, "vea", "model")
    Traceback (most recent call last):
    KeyError: "there is no model called 'vea'; there are vae, iwae"
    """
    if name not in things:
        raise KeyError(f"there is no {what} called {name!r}; there are {', '.join(things)}")
    return things[name]
