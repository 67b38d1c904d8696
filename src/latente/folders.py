"""Folders that one process at a time writes to, and whose files are replaced together or not at all.

New files are written to a stage inside the folder. Renaming the stage commits it: after a kill, the folder contains either
only the old files, or a complete stage whose files only have to be moved.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from latente.errors import StorageError
from latente.files import keep_access, replace, sync_folder

LOCK, STAGE, COMMITTED = ".lock", ".writing", ".written"
OWN_NAMES = frozenset((LOCK, STAGE, COMMITTED))


class TemporaryFolder:
    """A new folder for temporary files (in ``TMPDIR``), which is removed when nothing refers to this object any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="latente-"))
        self._end = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class Held:
    """A folder that only this process writes to; see :func:`hold`.

    Args:
        folder: which one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None

    def acquire(self) -> None:
        """Make the folder and take its lock, again if it was removed meanwhile; finish what a killed process had committed.

        Raises:
            StorageError: another process has it, or it can't be made.
        """
        if self._has_lock():
            return
        self.release()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.folder / LOCK)
            _finish(self.folder)
        except OSError as error:
            raise StorageError(f"can't write {self.folder}: {error.strerror or error}") from error

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is None:
            return
        if self._has_lock():
            (self.folder / LOCK).unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    def _has_lock(self) -> bool:
        return self._lock is not None and _is_at(self._lock, self.folder / LOCK)

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """A new folder for files to commit; files that are not committed are removed."""
        self.acquire()
        stage = self.folder / STAGE
        try:
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(mode=0o700)
        except OSError as error:
            raise StorageError(f"can't write {self.folder}: {error.strerror or error}") from error
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)

    def commit(self, paths: Mapping[str, Path], own: Iterable[str]) -> dict[str, Path]:
        """Replace the files of the folder by those of the stage.

        Args:
            paths: files of the stage, each under a name.
            own: names of all files of such a folder; old ones that are not in ``paths`` are removed.

        Returns:
            Where the files are now, by the same names.

        Raises:
            StorageError: the folder was removed meanwhile, or can't be written.
        """
        stage = self.folder / STAGE
        missing = [str(path.relative_to(stage)) for path in paths.values() if not path.is_file()]
        if missing or not self._has_lock():
            what = f": {', '.join(missing)} missing" if missing else ""
            raise StorageError(f"{self.folder} was removed by another process while it was written{what}")
        try:
            for name in own:
                if (self.folder / name).is_dir():
                    raise StorageError(f"can't write {self.folder / name}: it is a folder")
                if (self.folder / name).exists() and not (stage / name).exists():
                    (stage / name).parent.mkdir(exist_ok=True)
                    (stage / name).touch()  # empty: to be removed
            os.rename(stage, self.folder / COMMITTED)
            sync_folder(self.folder)
            _finish(self.folder)
        except OSError as error:
            raise StorageError(f"can't write {self.folder}: {error.strerror or error}") from error
        return {name: self.folder / path.relative_to(stage) for name, path in paths.items()}


@contextmanager
def hold(folder: str | Path) -> Iterator[Held]:
    """A context in which no other process holds this folder. It is created if needed, and removed if it stays empty.

    The lock is one of the operating system, which frees it when the process ends, however it ends.

    Raises:
        StorageError: another process holds it, or it can't be made.
    """
    folder = Path(folder)
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    held = Held(folder)
    try:
        held.acquire()
        yield held
    finally:
        held.release()
        with suppress(OSError):
            for parent in made:
                parent.rmdir()


def finish(folder: Path) -> None:
    """Complete the commit of a killed process, if there is one and no other process does it."""
    if (folder / COMMITTED).is_dir():
        with suppress(StorageError), hold(folder):
            pass


def _finish(folder: Path) -> None:
    committed = folder / COMMITTED
    for path in sorted(committed.rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(committed)
            if path.stat().st_size:
                target.parent.mkdir(exist_ok=True)
                replace(path, target)
            else:
                target.unlink(missing_ok=True)
                path.unlink()
    shutil.rmtree(committed, ignore_errors=True)


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _flock(descriptor):
            os.close(descriptor)
            raise StorageError(f"another process is writing to {path.parent}: wait until it has ended, or name another folder")
        if _is_at(descriptor, path):  # or the one who had it has just removed it
            return descriptor
        os.close(descriptor)


def _flock(descriptor: int) -> bool:
    """Whether a file could be locked, or is where there are no locks."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def write_folder(files: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Write files to a new or empty folder, atomically.

    An empty folder keeps its mode and its owner; a link is followed.

    Raises:
        StorageError: the disc is full, the folder is read-only, …
    """
    target = Path(os.path.realpath(folder))
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        earlier = target.stat() if target.exists() else None
        beside.mkdir(0o777 if earlier is None else 0o700, parents=True)
        for name, content in files:
            (beside / name).write_bytes(content)
        if earlier is not None:
            keep_access(earlier, beside)
            target.rmdir()
        beside.rename(target)
    except OSError as error:
        raise StorageError(f"can't write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
