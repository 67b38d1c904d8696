"""Conversion of codecs to JSON and arrays and back, written once for all codecs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

import msgspec
import numpy as np

from latente.data.containers import Array
from latente.errors import StorageError
from latente.files import checked
from latente.words import Message

State = tuple[dict[str, Any], dict[str, Array]]


def expect(right: Any, what: str) -> None:
    """Raise StorageError, naming ``what``, unless something stored is right."""
    if not right:
        raise StorageError(f"the stored description of the data is damaged or was altered: {what}")


def is_texts(value: Any) -> bool:
    """Whether a value is a tuple of texts."""
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


class Stored:
    """A frozen dataclass whose attributes are plain values, tuples of them, or arrays."""

    kind: ClassVar[str]

    def check(self) -> None:
        """Raise StorageError if the attributes, which come from a file, do not fit each other."""
        raise NotImplementedError

    def to_state(self) -> State:
        """What can be written as JSON, and the arrays."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        plain = {
            name: msgspec.to_builtins(value, enc_hook=Message.to_json) for name, value in values.items() if name not in arrays
        }
        return {"kind": self.kind, **{name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}}, arrays

    @classmethod
    def from_state(cls, json: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The inverse of :meth:`to_state`.

        Raises:
            StorageError: if something is missing or does not fit.
        """
        known = {"kind", *(field.name for field in fields(cls))}  # type: ignore[arg-type]
        strange = [name for name in (*json, *arrays) if name not in known or (name in json and name in arrays)]
        expect(not strange, f"it has no place for {', '.join(strange)}")
        codec: Self = checked({**json, **arrays}, cls, "the stored description of the data")
        codec.check()
        return codec
