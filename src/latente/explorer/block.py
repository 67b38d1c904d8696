"""Arrays of a pack, one after the other, and how a pack becomes bytes and text.

::

    8 bytes  "LATENTE" and a 0
    4 bytes  version of the format, little-endian
    4 bytes  length of the header
    header   JSON, UTF-8, filled up with spaces to a multiple of 8; "tensors" says type, shape and place of each array
    arrays   each from a multiple of 8 on, little-endian, row by row
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latente.data.containers import Array

MAGIC = b"LATENTE\0"
VERSION = 2
ALIGNED = 8


class Block:
    """Arrays by their place; one that is there already is not added again."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._places: dict[tuple[Any, ...], int] = {}
        self._data = bytearray()

    def add(self, values: Array | Tensor | Any, kind: str = "f4") -> int:
        """The place of an array, stored as ``f4``, ``f8``, ``u1``, ``u2`` or ``i4``: what ``web/src/engine/block.ts`` reads."""
        values = values.detach().to("cpu", torch.float64).numpy() if isinstance(values, Tensor) else np.asarray(values)
        array = np.ascontiguousarray(values.astype(f"<{kind}"))
        content = array.tobytes()
        key = (kind, array.shape, content)
        if key not in self._places:
            self._places[key] = len(self.entries)
            self.entries.append({"type": kind, "shape": list(array.shape), "at": len(self._data)})
            self._data += content + bytes(-len(content) % ALIGNED)
        return self._places[key]

    def grid(self, density: Array) -> dict[str, Any]:
        """A density [side, side], to a 65,535th of the root of its largest value: what is small is told apart, too."""
        top = float(density.max()) or 1.0
        return {"values": self.add(np.rint(65535 * np.sqrt(density.clip(0.0) / top)), "u2"), "top": top}

    def bytes(self, header: Mapping[str, Any]) -> bytes:
        """The pack: a header, and all arrays."""
        text = json.dumps({**header, "tensors": self.entries}, ensure_ascii=False, allow_nan=False).encode()
        text += b" " * (-len(text) % ALIGNED)
        return MAGIC + struct.pack("<II", VERSION, len(text)) + text + self._data


def as_text(pack: bytes) -> str:
    """A pack as it stands in a page: gzip, in base64. The same text for the same pack."""
    return base64.b64encode(gzip.compress(pack, 6, mtime=0)).decode()
