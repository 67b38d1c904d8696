"""Errors: each message states what is wrong, where, and what to do.

All errors of Latente are a :class:`LatenteError`. Those about an argument are also a :class:`ValueError`, so that other
libraries, such as scikit-learn, can handle them.
"""

from __future__ import annotations

import difflib
import functools
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

Thing = TypeVar("Thing")
FEW = 12  # names that are listed
Arguments = ParamSpec("Arguments")


class LatenteError(Exception):
    """Base of all errors that Latente raises on purpose.

    >>> import latente as lt
    >>> try:
    ...     lt.recipe("vea")
    ... except lt.LatenteError as error:
    ...     print(type(error).__name__)
    ModelError
    """


class DataError(LatenteError, ValueError):
    """The data can't be used as it is: missing file, text where numbers were, infinite values, wrong columns.

    >>> import latente as lt
    >>> lt.read("nowhere.csv")
    Traceback (most recent call last):
    latente.errors.DataError: there is no file 'nowhere.csv'
    """


class ModelError(LatenteError, ValueError):
    """Parts, recipes or settings that do not exist or can't be combined.

    >>> import latente as lt
    >>> lt.recipe("vae", beta=4.0)
    Traceback (most recent call last):
    latente.errors.ModelError: 'vae' does not take beta; its arguments: none
    """


class StorageError(LatenteError, ValueError):
    """A file can't be written, or is not what it claims to be: truncated, altered, of a newer version.

    >>> import latente as lt
    >>> lt.load("nowhere.safetensors")
    Traceback (most recent call last):
    latente.errors.StorageError: can't read nowhere.safetensors: No such file or directory
    """


class TrainingError(LatenteError, RuntimeError):
    """Training diverged in spite of all remedies.

    >>> import latente as lt
    >>> issubclass(lt.TrainingError, lt.LatenteError)
    True
    """


class LatenteWarning(UserWarning):
    """A problem that does not stop the work, but that the user should know.

    >>> import warnings
    >>> import latente as lt
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", lt.LatenteWarning)  # ``notes_`` has the sentences
    ...     vae = lt.VAE(max_epochs=1, random_state=0).fit([[float(k), float(k % 7)] for k in range(60)])
    """


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


def alternatives(name: str, names: Sequence[str]) -> str:
    """What could be meant by a wrong name: the names that there are or, of many, the most similar ones.

    >>> alternatives("b", ["vae", "iwae"])
    'there are vae, iwae'
    >>> alternatives("vea", ["vae", *map(str, range(20))])
    "is 'vae' meant? there are 21"
    """
    close = difflib.get_close_matches(name, names, 3, 0.5)
    if close and len(names) > FEW:
        return f"is {' or '.join(map(repr, close))} meant? there are {len(names)}"
    return f"there are {', '.join(names)}"


def entry(things: Mapping[str, Thing], name: str, what: str) -> Thing:
    """Look up a thing by its name; ``what`` is the word for it in the message.

    Raises:
        KeyError: there is none of that name; the message lists the names.

    >>> entry({"vae": 1, "iwae": 2}, "vea", "model")
    Traceback (most recent call last):
    KeyError: "there is no model called 'vea'; there are vae, iwae"
    """
    if name not in things:
        raise KeyError(f"there is no {what} called {name!r}; {alternatives(name, [*things])}")
    return things[name]
