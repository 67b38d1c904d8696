"""What commands write: a run that is whole or as it was, no own input, stdout that nobody reads, three lines on stderr."""

import contextlib
import csv
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet
import pytest

import latente as lt
from latente.cli import main
from latente.cli.console import MAX_REMARKS, OPEN, Console
from latente.cli.output import files_of
from latente.report.run_folder import FILES
from tests.cli.helpers import QUICK, write_csv
from tests.cli.test_interruption import LONG, wait_for


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def run(table_run, tmp_path):
    return shutil.copytree(table_run, tmp_path / "run")


# -------------------------------------------------------------------------------------------------------- run folders


def test_a_fit_that_is_killed_leaves_the_run_before_and_a_second_is_refused(latente, process, run, table_csv):
    before = content(run)
    fit = process("fit", table_csv, "-o", run, *LONG, "--checkpoint-every", "0.05")
    wait_for(lambda: list(run.glob("checkpoint/*.safetensors")), fit)
    second = latente("fit", table_csv, "-o", run, *QUICK)
    assert second.code == 1 and f"another process is writing to {run}: wait" in second.sentence
    fit.send_signal(signal.SIGKILL)
    assert fit.wait() == -signal.SIGKILL
    left = content(run)
    assert {name: left[name] for name in before} == before
    assert all(name.startswith(("checkpoint/", ".")) for name in left.keys() - before.keys())


def test_a_folder_that_is_removed_in_training_is_written_whole(latente, table_csv, tmp_path, monkeypatch):
    from latente.estimator import VAE

    run, fit = tmp_path / "run", VAE.fit

    def removed(self, *arguments, **options):
        fitted = fit(self, *arguments, **options)
        shutil.rmtree(run)
        return fitted

    monkeypatch.setattr(VAE, "fit", removed)
    assert latente("fit", table_csv, "-o", run, *QUICK).code == 0
    assert set(content(run)) == {name for name in FILES if "figures" not in name and name not in ("report.html", "lesson.html")}


def test_a_folder_that_is_removed_while_it_is_written_is_an_error(latente, table_csv, tmp_path, monkeypatch):
    from latente.cli import fit

    run, make = tmp_path / "run", fit.certified

    def removed(*arguments, **options):
        shutil.rmtree(run)
        return make(*arguments, **options)

    monkeypatch.setattr(fit, "certified", removed)
    ended = latente("fit", table_csv, "-o", run, *QUICK)
    assert ended.code == 1
    assert "was removed by another process while it was written: model.safetensors" in ended.sentence
    assert not run.exists() or not (run / "model.safetensors").exists()


@pytest.mark.parametrize("kilobytes", [4, 150])
def test_a_disc_that_fills_up_leaves_the_run_before(process, run, table_csv, tmp_path, kilobytes):
    """At each size, another part is the first that does not fit."""
    before = content(run)
    limit = (kilobytes * 1024, resource.RLIM_INFINITY)
    fit = process(
        "fit", table_csv, "-o", run, "--max-epochs", "1", "--seed", "3",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    error = fit.communicate(timeout=100)[1]
    assert fit.returncode == 1 and error.startswith("Error: can't write") and "File too large" in error
    assert error.count("\n") == 1
    assert {name: data for name, data in content(run).items() if not name.startswith("checkpoint")} == before


def test_certify_leaves_a_run_that_is_fitted_alone(latente, run, table_csv):
    from latente.folders import hold

    with hold(run):
        for more in ((), ("--prior", "mixture")):
            ended = latente("certify", run, table_csv, *more)
            assert ended.code == 1 and "another process is writing to" in ended.sentence
    assert latente("certify", run, table_csv, "--prior", "mixture").code == 0
    assert (run / "survey.safetensors").exists()


# ---------------------------------------------------------------------------------------------------------- own input


def links(tmp_path, data):
    """The same file by other names."""
    (tmp_path / "soft.csv").symlink_to(data)
    (tmp_path / "hard.csv").hardlink_to(data)
    return data, tmp_path / "soft.csv", tmp_path / "hard.csv", f"{tmp_path}/../{tmp_path.name}/{data.name}"


COMMANDS = {"encode": (), "reconstruct": (), "denoise": (), "impute": (), "repair": (), "anomalies": (), "interpolate": (0, 1)}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_writes_over_what_it_reads(latente, table_run, tmp_path, numbers, command):
    numbers = numbers[:20].copy()
    numbers[3, 1] = np.nan
    data = write_csv(tmp_path / "d.csv", numbers)
    before = data.read_text()
    for out in links(tmp_path, data):
        for source in (data, f"select * from '{data}'", f"from '{tmp_path}/d*.csv'"):
            ended = latente(command, table_run, source, *COMMANDS[command], "-o", out)
            assert ended.code == 2 and f"{out} is also an input" in ended.sentence and "--force" in ended.sentence
    assert data.read_text() == before
    assert latente(command, table_run, data, *COMMANDS[command], "-o", data, "--force").code == 0
    assert data.read_text() != before


@pytest.mark.parametrize("command", COMMANDS)
def test_stdout_has_the_rows_alone(latente, table_run, tmp_path, numbers, command):
    data = write_csv(tmp_path / "d.csv", numbers[:20])
    ended = latente(command, table_run, data, *COMMANDS[command])
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert len({len(cells) for cells in csv.reader(lines)}) == 1
    assert len(lines) == 1 + (9 if command == "interpolate" else 20)


def test_nor_beside_it_nor_the_run_nor_by_stdout(latente, run, table_csv, tmp_path, numbers, process):
    data = write_csv(tmp_path / "d-1.csv", numbers[:20])
    before = content(tmp_path)
    with open(data, "a") as same:
        stdout = process("impute", run, data, stdout=same)
        assert "stdout is also an input" in stdout.communicate(timeout=100)[1] and stdout.returncode == 2
    for command in (
        ("impute", run, data, "-o", tmp_path / "d.csv", "--draws", "2"),
        ("sample", run, "-o", run / "history.csv"),
        ("export", run, run / "model.safetensors"),
        ("export", run, tmp_path / "d-1.csv", "--data", data),
        ("fit", run / "history.csv", "-o", run),
        ("tradeoff", tmp_path / "t/tradeoff.json", "-o", tmp_path / "t"),
    ):
        (tmp_path / "t").mkdir(exist_ok=True)
        (tmp_path / "t/tradeoff.json").write_text("[]")
        ended = latente(*command)
        assert ended.code == 2 and "is also an input" in ended.sentence, command
    shutil.rmtree(tmp_path / "t")
    assert content(tmp_path) == before


def test_an_array_of_a_file_and_a_folder_of_pictures_are_files(tmp_path):
    assert f"{tmp_path}/a.npz" in files_of(f"{tmp_path}/a.npz:x")
    (tmp_path / "a.png").write_text("")
    assert f"{tmp_path}/a.png" in files_of(str(tmp_path))


# ------------------------------------------------------------------------------------------------- stdout that is not read

SPEAKING = {
    "help": ["--help"], "help of a command": ["fit", "--help"], "version": ["--version"], "recipes": ["recipes"],
    "recipes --json": ["recipes", "--json"], "info": ["info", "RUN"], "info --json": ["info", "RUN", "--json"],
    "sample": ["sample", "RUN"], "encode": ["encode", "RUN", "DATA"], "impute": ["impute", "RUN", "DATA"],
    "reconstruct": ["reconstruct", "RUN", "DATA"], "denoise": ["denoise", "RUN", "DATA"], "certify": ["certify", "RUN"],
    "anomalies": ["anomalies", "RUN", "DATA"], "interpolate": ["interpolate", "RUN", "DATA", "0", "9"],
    "export": ["export", "RUN", "NEW.html"], "fit": ["fit", "DATA", "-o", "NEW", *QUICK],
}  # fmt: skip


def ended_with(stdout, arguments):
    """A command in this process with the stdout of a process of its own: exit code and what it said."""
    err = io.StringIO()
    with (
        open(stdout, "w") as out,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        main([str(argument) for argument in arguments])
    return end.value.code, err.getvalue()


@pytest.mark.parametrize("what", SPEAKING)
def test_where_stdout_is_full_or_nobody_reads_it(table_run, table_csv, tmp_path, what):
    where = {"RUN": table_run, "DATA": table_csv, "NEW": tmp_path / "new", "NEW.html": tmp_path / "new.html"}
    command = [where.get(word, word) for word in SPEAKING[what]]
    code, err = ended_with("/dev/full", command)
    assert code == 1 and err == "Error: can't write to standard output: No space left on device\n"
    read, write = os.pipe()
    os.close(read)
    assert ended_with(write, command) == (141, "")
    if (tmp_path / "new").exists():
        assert lt.load(tmp_path / "new/model.safetensors").latent_dim_
        assert not list((tmp_path / "new").glob(".*"))


def closed(descriptors, *arguments):
    """A command that is started with some of its standard streams closed."""
    command = [sys.executable, "-m", "latente", *map(str, arguments)]
    code = f"import os; [os.close(each) for each in {descriptors}]; os.execv({command[0]!r}, {command!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def test_closed_streams_are_no_file(table_run, tmp_path):
    out = tmp_path / "s.parquet"
    done = closed([0, 1, 2], "sample", table_run, "-n", "5", "-o", out)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", ""), "what it says can't be said"
    assert pyarrow.parquet.read_table(out).num_rows == 5
    done = closed([1], "--version")
    assert done.returncode == 1 and done.stderr == "Error: can't write to standard output: Bad file descriptor\n"
    done = closed([2], "fit", "--latent-dim", "none")
    assert (done.returncode, done.stdout) == (2, ""), "and what is to go to stderr does not come to stdout"


def test_a_reader_who_is_slow_misses_nothing(process, table_run, monkeypatch):
    """Without a buffer, a write ends with what the pipe takes."""
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    sample = process("sample", table_run, "-n", "20000", "-q")
    assert sample.stdout.readline() == "c0,c1,c2,c3\n"
    assert sum(1 for _ in sample.stdout) == 20000 and sample.wait(timeout=100) == 0


def test_a_full_stderr_does_not_cost_the_result(process, table_run):
    with open("/dev/full", "w") as full:
        sample = process("sample", table_run, "-n", "5", stderr=full)
        assert len(sample.communicate(timeout=100)[0].splitlines()) == 6 and sample.returncode == 0


# --------------------------------------------------------------------------------------------------------- three lines


def test_what_matters_most_is_said_in_three_lines(capsys):
    console = Console(json=True, rest="latente info RUN")
    for text, kind in (
        ("a", "note"),
        ("b", "warning"),
        ("c", "note"),
        ("b", "note"),
        ("d", "incomplete"),
        ("e\n f", "warning"),
    ):
        console.remark(text, kind)
    console.report({"x": 1})
    assert capsys.readouterr() == ("", "")
    console.end()
    said = capsys.readouterr()
    assert said.err == "incomplete: d\nwarning: b\nwarning: e f (and 2 more: latente info RUN)\n"
    assert json.loads(said.out) == {"x": 1, "warnings": ["d", "b", "e f", "a", "c"]}
    console.end()
    assert capsys.readouterr() == ("", "")
    OPEN.clear()


def test_a_fit_with_much_to_remark(latente, tmp_path):
    """Noise, in a table with a constant column, one that is given twice, and an identifier."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(178, 2)).round(1)
    text = "\n".join(f"id-{k:05},{a},{b},7,{a}" for k, (a, b) in enumerate(values))
    data = tmp_path / "t.csv"
    data.write_text("id,a,b,c,d\n" + text + "\n")
    ended = latente("fit", data, "-o", tmp_path / "run", *QUICK, "--json")
    lines, warnings = ended.err.splitlines(), ended.json["warnings"]
    assert len(lines) == min(MAX_REMARKS, len(warnings)) and len(warnings) > MAX_REMARKS, ended.err
    assert lines[-1].endswith(f"(and {len(warnings) - MAX_REMARKS} more: latente info {tmp_path / 'run'})")
    kinds = [line.partition(":")[0] for line in lines]
    assert kinds == sorted(kinds, key=["incomplete", "warning", "note"].index)
    told = latente("info", tmp_path / "run")
    assert told.err == "" and [text for text in warnings if text not in told.out] == []
    as_json = latente("info", tmp_path / "run", "--json").json
    assert sorted(as_json["notes"] + as_json["verdicts"]) == sorted(warnings)
