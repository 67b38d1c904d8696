"""What a person reads when something goes wrong, and the exit code that a program reads."""

from __future__ import annotations

import io
import os
import sys
import traceback
from contextlib import suppress

from latente.cli.console import on_stderr
from latente.errors import LatenteError, ModelError

FAILED, MISUSED, UNREAD = 1, 2, 128 + 13
"""Exit codes; the last is what a shell says of a program that SIGPIPE ended, for the reader of its output had gone."""


class Misused(LatenteError):
    """What was asked for can't be meant: exit code 2."""


def failed(error: Exception, debug: bool = False) -> int:
    """Say in one sentence on stderr what went wrong.

    Args:
        error: what was raised.
        debug: show where it was raised, too.

    Returns:
        The exit code: 2 where options can't go together, 141 (and no word) where nobody reads what goes to stdout, else 1.
    """
    if debug:
        traceback.print_exception(error)
    if isinstance(error, OSError):  # files are read and written by rooms that have their own words: this is stdout
        _forget_stdout()
    if isinstance(error, BrokenPipeError):
        return UNREAD
    on_stderr(f"Error: {sentence(error)}")
    return MISUSED if isinstance(error, (Misused, ModelError)) else FAILED


def sentence(error: Exception) -> str:
    """What happened, on one line."""
    words = " ".join(str(error).split())
    if isinstance(error, LatenteError):
        return words
    if isinstance(error, MemoryError):
        return (
            f"there is not enough memory for this ({words or 'no more could be had'}): try fewer rows or a smaller --batch-size"
        )
    if isinstance(error, OSError):
        return f"can't write to standard output: {error.strerror or words}"
    return f"unexpected {type(error).__name__}: {words or 'no message'}; set LATENTE_DEBUG=1 to see where, and please report it"


def _forget_stdout() -> None:
    """What could not be written is not tried again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_streams() -> None:
    """Give closed standard streams a descriptor, lest a file gets theirs: writing to stdout then fails, and what goes to
    stderr is lost. Give stdout a buffer where PYTHONUNBUFFERED took it: without one, what a pipe does not take is dropped.
    """
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) <= 2:
        if descriptor == 1:
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        buffer = io.BufferedWriter(sys.stdout.buffer)
        sys.stdout = io.TextIOWrapper(buffer, sys.stdout.encoding, sys.stdout.errors, line_buffering=True)
