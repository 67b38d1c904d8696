"""Messages and exit codes of failed commands."""

from __future__ import annotations

import io
import os
import sys
import traceback
from contextlib import suppress

from latente.cli.console import on_stderr
from latente.errors import LatenteError, ModelError

FAILED, MISUSED, UNREAD = 1, 2, 128 + 13
"""Exit codes; the last is that of a program ended by SIGPIPE, when the reader of its output has gone."""


class Misused(LatenteError):
    """Options that can't be used like this: exit code 2."""


def failed(error: Exception, debug: bool = False) -> int:
    """Print an error on stderr in one sentence.

    Args:
        error: the error.
        debug: whether to print the traceback.

    Returns:
        The exit code: 2 for wrong options, 141 (without a message) if nobody reads stdout, else 1.
    """
    if debug:
        traceback.print_exception(error)
    if isinstance(error, OSError):  # other files are handled elsewhere: this is stdout
        _forget_stdout()
    if isinstance(error, BrokenPipeError):
        return UNREAD
    on_stderr(f"Error: {sentence(error)}")
    return MISUSED if isinstance(error, (Misused, ModelError)) else FAILED


def sentence(error: Exception) -> str:
    """The error on one line."""
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
    """Discard the buffer of stdout, so that it is not written again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_streams() -> None:
    """Open closed standard streams, so that no other file gets their descriptor: writing to stdout then fails, and stderr is
    discarded. Give stdout a buffer despite PYTHONUNBUFFERED: otherwise partial writes to a pipe are lost.
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
