"""What a person sees first: help, and how long it takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = [
    "demo",
    "fit",
    "encode",
    "reconstruct",
    "denoise",
    "impute",
    "repair",
    "anomalies",
    "classify",
    "sample",
    "interpolate",
    "certify",
    "compare",
    "tradeoff",
    "disentanglement",
    "explore",
    "export",
    "serve",
    "info",
    "recipes",
    "reproduce",
]
HEAVY = ("torch", "sklearn", "scipy", "numpy", "pandas", "matplotlib", "duckdb", "pyarrow", "narwhals", "rich")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(latente, command):
    ended = latente(command, "--help")
    assert ended.code == 0
    assert f"Example:\n    latente {command}" in ended.out


def test_help_lists_the_commands_in_whole_sentences(latente):
    ended = latente("--help")
    assert [line.split()[0] for line in ended.out.partition("Commands:\n")[2].splitlines()[: len(COMMANDS)]] == COMMANDS
    assert "..." not in ended.out.partition("Commands:")[2]


@pytest.mark.parametrize("what", [["-c", "import latente"], ["-m", "latente", "--help"], ["-m", "latente", "fit", "--help"]])
def test_nothing_heavy_is_imported_for_help(what):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *what], capture_output=True, text=True, env=environment, check=True
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "latente" in imported
    assert not imported & set(HEAVY)


def test_version(latente):
    from latente import __version__

    assert latente("--version").out == f"latente {__version__}\n"


def test_a_command_that_does_not_exist_is_used_wrongly(latente):
    assert latente("train").code == 2
