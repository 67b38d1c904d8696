"""Errors: each message states what is wrong, where, and what to do.

All errors of Latente are a :class:`LatenteError`. Those about an argument are also a :class:`ValueError`, so that other
libraries, such as scikit-learn, can handle them.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

Thing = TypeVar("Thing")
Arguments = ParamSpec("Arguments")


class LatenteError(Exception):
    """Base of all errors that Latente raises on purpose."""


class DataError(LatenteError, ValueError):
    """The data can't be used as it is: missing file, text where numbers were, infinite values, wrong columns."""


class ModelError(LatenteError, ValueError):
    """Parts, recipes or settings that do not exist or can't be combined."""


class StorageError(LatenteError, ValueError):
    """A file can't be written, or is not what it claims to be: truncated, altered, of a newer version."""


class TrainingError(LatenteError, RuntimeError):
    """Training diverged in spite of all remedies."""


class LatenteWarning(UserWarning):
    """A problem that does not stop the work, but that the user should know."""


def renamed(**names: str) -> Callable[[Callable[Arguments, Thing]], Callable[Arguments, Thing]]:
    """Accept former names of keyword arguments (``former="new"``) for one version, with a FutureWarning."""

    def decorated(function: Callable[Arguments, Thing]) -> Callable[Arguments, Thing]:
        @functools.wraps(function)
        def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Thing:
            for former in kwargs.keys() & names.keys():
                warnings.warn(f"the argument {former!r} is now {names[former]!r}", FutureWarning, stacklevel=2)
                kwargs[names[former]] = kwargs.pop(former)
            return function(*args, **kwargs)

        return called

    return decorated


def warn(message: str) -> None:
    """A :class:`LatenteWarning` that points at the line outside of this library from which it was called."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == "latente":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, LatenteWarning, stacklevel=level)


def entry(things: Mapping[str, Thing], name: str, what: str) -> Thing:
    """Look up a thing by its name; ``what`` is the word for it in the message.

    Raises:
        KeyError: there is none of that name; the message lists the names.

    >>> entry({"vae": 1, "iwae": 2}, "vea", "model")
    Traceback (most recent call last):
    KeyError: "there is no model called 'vea'; there are vae, iwae"
    """
    if name not in things:
        raise KeyError(f"there is no {what} called {name!r}; there are {', '.join(things)}")
    return things[name]
