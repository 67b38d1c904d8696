"""What can go wrong, in words that say what is wrong, where, and what to do.

Every error that Latente raises on purpose is a :class:`LatenteError`. Those that are about a value which was handed in are
also a :class:`ValueError`, so that code which knows nothing of Latente (scikit-learn's, say) understands them too.
"""

from __future__ import annotations


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
