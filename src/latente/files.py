"""Files that are written atomically and contain no code.

A file of Latente is a safetensors file: tensors by name, with JSON and a digest of everything in its metadata. On reading, the
digest, the types and ranges of values (:func:`checked`), and the names, shapes and types of tensors (:func:`fitting`) are
checked. The digest detects damage, but not deliberate changes, because it is not a signature.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial, reduce
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, BinaryIO, get_origin

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from latente.errors import StorageError
from latente.words import Message

# A header is JSON of names, shapes and one text: real ones take kilobytes.
LARGEST_HEADER = 50_000_000
Count = Annotated[int, msgspec.Meta(ge=0)]


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write a temporary file, flush it to disc and rename it, so that other processes see the old or the new file.

    A file that exists keeps its mode and, where that is permitted, its owner; a new one follows the umask. A symbolic link is
    followed: it stays, and the file that it points to is replaced.

    Args:
        path: of the file; missing folders are created.
        write: called with the open binary file.

    Raises:
        StorageError: the disc is full, the folder is read-only, the path is a folder, a device or a pipe, ...
    """
    path = Path(path)
    if not path.name:
        raise StorageError(f"can't write {path}: that is a folder")
    beside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = Path(os.path.realpath(path))
        private = os.path.lexists(target)  # not readable by others until it has the mode of the old file
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        with open(beside, "xb", opener=partial(os.open, mode=0o600 if private else 0o666)) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        replace(beside, target)
        sync_folder(target.parent)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)
    return path


def replace(file: Path, path: Path) -> None:
    """Move a file to a path, with the mode and the owner of the file that it replaces; links are followed.

    Raises:
        StorageError: the path is neither a file nor a link to one.
        OSError: it can't be moved.
    """
    target = Path(os.path.realpath(path))
    if os.path.lexists(target):
        earlier = target.stat()
        if not stat.S_ISREG(earlier.st_mode):
            raise StorageError(f"can't write {path}: it is not a file")
        keep_access(earlier, file)
    try:
        os.replace(file, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        write_atomically(target, lambda there: there.write(file.read_bytes()))  # a link to another disc
        file.unlink()


def keep_access(earlier: os.stat_result, path: Path) -> None:
    """Give a file or folder the mode of an earlier one, and its owner and group where that is permitted."""
    if sys.platform != "win32":
        with suppress(PermissionError):
            os.chown(path, earlier.st_uid, earlier.st_gid)
    path.chmod(stat.S_IMODE(earlier.st_mode))


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to disc; on Windows folders can't be opened, and nothing is done."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: str | Path, text: str) -> Path:
    """Write a UTF-8 text file atomically."""
    return write_atomically(path, lambda file: file.write(text.encode()))


def write_tensors(path: str | Path, kind: str, version: int, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    """Tensors and plain values in one file.

    Args:
        path: of the file.
        kind: kind of file, checked on reading.
        version: of the format; later versions are refused on reading.
        values: anything that JSON can hold.
        tensors: by name; moved to the processor.
    """
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps(values)
    metadata = {"kind": kind, "version": str(version), "values": text, "sha256": digest(text, held)}
    return write_atomically(path, lambda file: file.write(serialise(held, metadata)))


Content = tuple[dict[str, Any], dict[str, Tensor]]


def read_tensors(
    path: str | Path, kind: str, version: int, updates: Mapping[int, Callable[[Content], Content]] = MappingProxyType({})
) -> Content:
    """The inverse of :func:`write_tensors`; nothing is imported or run.

    Args:
        path: the file.
        kind, version: what is read.
        updates: from the content of some earlier versions to that of the version after each.

    Raises:
        StorageError: missing, truncated, altered, of another kind or of a later version than this library knows.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror or error}") from error
    metadata = _metadata(content, path)
    if metadata.get("kind") != kind:
        raise StorageError(f"{path} is not a {kind} of Latente")
    _check_version(metadata.get("version", ""), version, path)
    try:
        tensors = parse(content)
        intact = digest(metadata["values"], tensors) == metadata["sha256"]
        values = json.loads(metadata["values"])
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise StorageError(f"{path} is damaged: {error}") from error
    if not intact:
        raise StorageError(f"{path} is damaged: its content does not match its checksum; fetch it again or train anew")
    later = [number for number in sorted(updates) if number >= int(metadata["version"])]
    try:
        return reduce(lambda content, number: updates[number](content), later, (values, tensors))
    except RecursionError as error:
        raise StorageError(f"{path} is damaged: its values are nested too deeply") from error


def checked(values: Any, schema: Any, what: str) -> Any:
    """Check plain values against a schema: any type annotation of msgspec (dataclasses, ``tuple[int, ...]``, ranges).

    Raises:
        StorageError: a key is missing, or a value has another type or is out of range.

    >>> checked([1, 2], tuple[int, ...], "the shape")
    (1, 2)
    """
    try:
        return msgspec.convert(values, schema, dec_hook=_decoded)
    except (msgspec.ValidationError, RecursionError) as error:
        raise StorageError(f"{what} is damaged or was altered: {error}") from error


def _decoded(kind: Any, value: Any) -> Any:
    """Decode a message; a value that already has the type, such as an array, is returned."""
    if kind is Message:
        return Message.from_json(value)
    wanted = get_origin(kind) or kind
    if not isinstance(value, wanted):
        raise ValueError(f"expected {wanted.__name__}, got {type(value).__name__}")
    return value


def fitting(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Check that tensors have the names, shapes and types of others, and only finite values; returns them in this order.

    Raises:
        StorageError: a tensor is missing, unexpected, or does not fit.
    """
    for name in wanted.keys() ^ tensors.keys():
        raise StorageError(f"{what} {'lacks' if name in wanted else 'has no place for'} {name}")
    for name, value in tensors.items():
        right = wanted[name]
        if (value.shape, value.dtype) != (right.shape, right.dtype):
            found, due = (f"{each.dtype} {list(each.shape)}" for each in (value, right))
            raise StorageError(f"{what}: {name} is {found} and must be {due}")
        if not bool(torch.isfinite(value).all()):
            raise StorageError(f"{what}: {name} holds values that are not finite; the model would answer nothing else")
    return {name: tensors[name] for name in wanted}


def _metadata(content: bytes, path: Path) -> dict[str, str]:
    """The header's metadata, read before any tensor is touched."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(LARGEST_HEADER, len(content) - 8):
        raise StorageError(
            f"{path} is truncated, or not a file of Latente: its header claims {size:,} bytes of {len(content):,}"
        )
    try:
        metadata = json.loads(content[8 : 8 + size])["__metadata__"]
        return {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(f"{path} is damaged, or not a file of Latente: its header can't be read") from error


def _check_version(found: str, known: int, path: Path) -> None:
    if not found.isdecimal():
        raise StorageError(f"{path} is damaged: its version is {found!r}")
    if int(found) > known:
        raise StorageError(
            f"{path} was written by a newer Latente (format {found}; this one knows up to {known}): "
            "pip install --upgrade latente"
        )


def digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """A checksum of a text and of tensors by name, which lie on the processor."""
    found = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        if math.prod(value.shape):
            found.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
