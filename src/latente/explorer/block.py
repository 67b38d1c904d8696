"""The arrays of a pack, and how a pack is written as bytes and text.

::

    8 bytes  "LATENTE" and a 0
    4 bytes  version of the format, little-endian
    4 bytes  length of the header
    header   JSON, UTF-8, padded with spaces to a multiple of 8; "tensors" holds type, shape and offset of each array
    arrays   each at a multiple of 8, little-endian, row by row
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
VERSION = 3
ALIGNED = 8


class Block:
    """Arrays by their index; equal arrays are stored once."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._places: dict[tuple[Any, ...], int] = {}
        self._data = bytearray()

    def add(self, values: Array | Tensor | Any, kind: str = "f4") -> int:
        """The index of an array, stored as ``f2``, ``f4``, ``f8``, ``u1``, ``u2`` or ``i4``, which ``web/src/engine/block.ts``
        reads.
        """
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
        """A density [side, side] as the root of each value in 16 bits, so that small values stay distinct."""
        top = float(density.max()) or 1.0
        return {"values": self.add(np.rint(65535 * np.sqrt(density.clip(0.0) / top)), "u2"), "top": top}

    def bytes(self, header: Mapping[str, Any]) -> bytes:
        """The pack: a header, and all arrays."""
        text = json.dumps({**header, "tensors": self.entries}, ensure_ascii=False, allow_nan=False).encode()
        text += b" " * (-len(text) % ALIGNED)
        return MAGIC + struct.pack("<II", VERSION, len(text)) + text + self._data


def as_text(pack: bytes) -> str:
    """A pack as text for a page: gzip in base64, deterministic."""
    return base64.b64encode(gzip.compress(pack, 6, mtime=0)).decode()
