"""A fit that is stopped: by Ctrl-C, by a kill, and what comes after."""

import signal
import time

import pytest
import torch
from safetensors.torch import load_file

import latente as lt
from tests.cli.helpers import write_csv

LONG = ("--max-epochs", "4000", "--batch-size", "16", "--no-figures")


@pytest.fixture
def data(tmp_path, table):
    return write_csv(tmp_path / "t.csv", table[:200, :6])


def wait_for(condition, process, seconds=100.0):
    """Until something is so, or the process has ended."""
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert condition(), process.communicate()[1]


@pytest.mark.slow
def test_a_killed_fit_goes_on_to_the_same_bits(process, data, tmp_path):
    command = ["fit", data, *LONG, "--max-epochs", "100", "--checkpoint-every", "0.05", "-q"]
    whole = process(*command, "-o", tmp_path / "whole")
    killed = process(*command, "-o", tmp_path / "killed")
    checkpoint = tmp_path / "killed/checkpoint/stage-1.safetensors"
    wait_for(checkpoint.exists, killed)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert {path.name for path in (tmp_path / "killed").iterdir()} <= {"checkpoint", ".lock"}
    resumed = process(*command, "-o", tmp_path / "killed", "--resume")
    for done in (whole, resumed):
        assert done.communicate(timeout=200) == ("", "")
        assert done.returncode == 0
    tensors, again = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "killed"))
    assert tensors.keys() == again.keys()
    assert all(torch.equal(tensors[name], again[name]) for name in tensors)
    assert not (tmp_path / "killed/checkpoint").exists()


def started(latente, data, run, *more):
    """A fit that is under way: it has left a checkpoint."""
    fit = latente("fit", data, *LONG, "-o", run, "--checkpoint-every", "0.5", *more)
    wait_for(lambda: list(run.glob("checkpoint/*.safetensors")), fit)
    return fit


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_model_so_far_and_the_second_ends_at_once(process, data, tmp_path):
    once, twice = started(process, data, tmp_path / "once"), started(process, data, tmp_path / "twice")
    for fit in (once, twice, twice):
        fit.send_signal(signal.SIGINT)
        time.sleep(0.2)  # two signals that wait at the same time are one
    out, err = once.communicate(timeout=100)
    assert once.returncode == 0, err
    assert err.startswith("interrupted: the best model so far is kept")
    assert "(it was interrupted, and the best model so far was kept)" in out
    vae = lt.load(tmp_path / "once/model.safetensors")
    assert vae.figures_["finished"] == "interrupted"
    assert len(vae.transform(data)) == 200
    twice.communicate(timeout=100)
    assert twice.returncode == 130
    assert not (tmp_path / "twice/model.safetensors").exists()


@pytest.mark.slow
def test_ctrl_c_ends_all_workers_after_the_same_step(process, data, tmp_path):
    once = started(process, data, tmp_path / "once", "--workers", "2")
    once.send_signal(signal.SIGINT)
    _, err = once.communicate(timeout=100)
    assert once.returncode == 0, err
    assert err.startswith("interrupted: the best model so far is kept")
    assert lt.load(tmp_path / "once/model.safetensors").figures_["finished"] == "interrupted"
    assert {"metrics.json", "history.csv"} <= {path.name for path in (tmp_path / "once").iterdir()}
    twice = started(process, data, tmp_path / "twice", "--workers", "2")
    for _ in range(2):
        twice.send_signal(signal.SIGINT)
        time.sleep(0.1)
    twice.communicate(timeout=100)
    assert twice.returncode == 130
    assert not (tmp_path / "twice/model.safetensors").exists()


def test_ctrl_c_anywhere_else_ends_with_130(latente, table_csv, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("latente.data.read_or_pieces", interrupted)
    ended = latente("fit", table_csv, "-o", tmp_path / "run")
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert not (tmp_path / "run").exists()
