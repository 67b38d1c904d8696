"""The memory limit of a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

CGROUPS = {"": ("/sys/fs/cgroup", "memory.max"), "memory": ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")}
"""Folder and file of the limits, by controller: version 2 has one hierarchy without a name, version 1 one for memory."""


def memory_limit() -> int:
    """Bytes that this process may use: the smallest of the machine's memory, the limits of its control groups (containers,
    batch systems), and what its resource limits (``ulimit -v``, ``ulimit -d``) leave.
    """
    return min(_machine(), *_control_groups(), *_resources())


def is_limited() -> bool:
    """Whether a resource limit of the process is its memory limit: it also counts what is mapped and not used."""
    return min(_resources(), default=sys.maxsize) <= memory_limit()


def _machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # no such name, as on Windows
        return 4 << 30


def _control_groups(process: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    for line in _read(process).splitlines():
        _, controllers, path = line.split(":", 2)
        for root, name in (CGROUPS[known] for known in controllers.split(",") if known in CGROUPS):
            group = Path(root, path.lstrip("/"))
            for folder in (group, *group.parents):  # a limit holds for the groups below it, too
                text = _read(folder / name).strip()
                if text.isdecimal():
                    yield int(text)


def _resources() -> Iterator[int]:
    if sys.platform == "win32":
        return
    import resource

    pages = [int(field) for field in _read(Path("/proc/self/statm")).split()] or [0] * 7
    for limit, used in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield max(soft - used * resource.getpagesize(), 0)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
