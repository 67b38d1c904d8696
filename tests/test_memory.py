"""How much memory a process may use."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from latente import memory


def test_no_more_than_the_machine_has():
    pages = Path("/proc/meminfo").read_text().split()[1]
    assert 0 < memory.memory_limit() <= int(pages) * 1024


@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_limits_of_the_process_count(limit):
    code = f"""if True:
        import resource
        from latente.memory import memory_limit
        resource.setrlimit(resource.{limit}, (400_000_000, resource.getrlimit(resource.{limit})[1]))
        before = memory_limit()
        held = bytearray(50_000_000)
        print(before, before - memory_limit())"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, less = map(int, done.stdout.split())
    assert 0 < before < 400_000_000
    assert 49_000_000 < less < 52_000_000
    assert resource.getrlimit(resource.RLIMIT_AS)


@pytest.mark.parametrize(("line", "files", "found"), [
    ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "3000", "memory.max": "9000"}, {3000, 9000}),
    ("0::/", {"memory.max": "7000"}, {7000}),
    ("4:cpu,memory:/x", {"x/memory.limit_in_bytes": "500"}, {500}),
    ("4:cpuset:/x", {"x/memory.limit_in_bytes": "500"}, set()),
    ("0::/gone", {}, set()),
])  # fmt: skip
def test_limits_of_control_groups_count(tmp_path, monkeypatch, line, files, found):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    (tmp_path / "cgroup").write_text(f"1:name=systemd:/z\n{line}\n")
    monkeypatch.setattr(memory, "CGROUPS", {key: (str(tmp_path), name) for key, (_, name) in memory.CGROUPS.items()})
    assert set(memory._control_groups(tmp_path / "cgroup")) == found


def test_a_limit_of_the_process_leaves_less_for_rows():
    """Address space also holds what is mapped and not used."""
    code = """if True:
        import resource
        from latente.data import sql
        from latente.memory import is_limited, memory_limit
        free = is_limited(), memory_limit() // sql.max_bytes()
        resource.setrlimit(resource.RLIMIT_AS, (3_000_000_000, resource.getrlimit(resource.RLIMIT_AS)[1]))
        print(*free, is_limited(), memory_limit() // sql.max_bytes())"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[2:] == ["True", "8"]
