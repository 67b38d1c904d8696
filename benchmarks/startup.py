"""Start-up: seconds of `latente --help` and of `import latente`, whether they wait for torch, and what `make demo` takes."""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median

from benchmarks.common import Figure, options, report
from benchmarks.data import ROOT
from benchmarks.scale import peak_megabytes


def seconds(command: list[str]) -> float:
    """Wall seconds of one process; fails where the command fails."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def imports_torch(command: list[str]) -> bool:
    """Whether the process imports torch."""
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return any(line.rpartition("|")[2].strip() == "torch" for line in done.stderr.splitlines())


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, runs=7, demo="make demo")
    commands = {
        "latente --help": [str(Path(sysconfig.get_path("scripts"), "latente")), "--help"],
        "import latente": [sys.executable, "-c", "import latente"],
    }
    figures = []
    for name, command in commands.items():
        figures.append(Figure(name, median(seconds(command) for _ in range(asked.runs)), "s", 0.3, at_most=True))
        figures.append(Figure(f"{name}: imports torch", float(imports_torch(command)), "", 0, at_most=True))
    if asked.demo:
        figures.append(Figure(asked.demo, seconds(shlex.split(asked.demo)), "s", 30, at_most=True))
        figures.append(Figure("its peak memory", peak_megabytes(resource.RUSAGE_CHILDREN), "MB", 1500, at_most=True))
    report("Start-up", figures, asked)


if __name__ == "__main__":
    main()
