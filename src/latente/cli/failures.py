"""What a person reads when something goes wrong, and the exit code that a program reads."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress

from latente.errors import LatenteError, ModelError

FAILED, MISUSED = 1, 2


class Misused(LatenteError):
    """What was asked for can't be meant: exit code 2."""


def failed(error: Exception, debug: bool = False) -> int:
    """Say in one sentence on stderr what went wrong.

    Args:
        error: what was raised.
        debug: show where it was raised, too.

    Returns:
        The exit code: 2 where options can't go together, else 1.
    """
    if debug:
        traceback.print_exception(error)
    if isinstance(error, OSError):  # files are read and written by rooms that have their own words: this is stdout
        _forget_stdout()
    if not isinstance(error, BrokenPipeError):  # whoever reads our output has seen enough
        print(f"Error: {sentence(error)}", file=sys.stderr)
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
        return f"can't write or read: {words}"
    return f"unexpected {type(error).__name__}: {words or 'no message'}; set LATENTE_DEBUG=1 to see where, and please report it"


def _forget_stdout() -> None:
    """What could not be written is not tried again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
