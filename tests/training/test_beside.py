"""A row model that a process of its own trains: the same weights to the bit, whatever happens to the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import latente as lt
from latente.blueprint import RowBlueprint
from latente.fitting import beside, learn
from latente.fitting.beside import Beside
from latente.rows import Rows
from latente.training.fit import Fit
from latente.training.loop import Settings

pytestmark = pytest.mark.slow  # each starts processes


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    place = rng.normal(size=400)
    return pd.DataFrame({
        "a": place + 0.1 * rng.normal(size=400), "b": np.where(rng.random(400) < 0.1, np.nan, place),
        "c": np.where(place > 0, "up", "down"), "n": rng.integers(0, 4, 400),
    })  # fmt: skip


def fitted(rows: pd.DataFrame, **how: Any) -> lt.VAE:
    return lt.VAE(max_epochs=6, latent_dim=2, random_state=0).fit(rows, **how)


@pytest.fixture(scope="module")
def alone(rows: pd.DataFrame) -> lt.VAE:
    return fitted(rows)


def assert_same(one: lt.VAE, other: lt.VAE) -> None:
    for model in ("model_", "row_model_"):
        weights, others = (getattr(vae, model).state_dict() for vae in (one, other))
        assert weights.keys() == others.keys()
        assert all(map(torch.equal, weights.values(), others.values()))
    assert one.figures_["row_model_loss"] == other.figures_["row_model_loss"]


@pytest.fixture
def in_two(monkeypatch: pytest.MonkeyPatch) -> list[Beside]:
    """Fits use a process; those that were begun are listed."""
    begun: list[Beside] = []

    def noted(*arguments: Any) -> Beside:
        begun.append(Beside(*arguments))
        return begun[-1]

    monkeypatch.setattr(learn, "worth_it", lambda *_: True)
    monkeypatch.setattr(learn, "Beside", noted)
    return begun


def test_the_result_is_that_of_one_process(rows: pd.DataFrame, alone: lt.VAE, in_two: list[Beside]) -> None:
    assert_same(fitted(rows), alone)
    assert len(in_two) == 1 and in_two[0].process.returncode == 0
    assert not Path(in_two[0].scratch.name).exists()


def test_what_a_killed_process_has_not_done_is_done(
    rows: pd.DataFrame, alone: lt.VAE, in_two: list[Beside], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Beside) -> bool:
        self.process.kill()
        return self.process.wait() != 0

    monkeypatch.setattr(Beside, "ended", killed)
    assert_same(fitted(rows), alone)


def test_its_checkpoints_are_those_of_the_fit(
    rows: pd.DataFrame, alone: lt.VAE, in_two: list[Beside], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same(fitted(rows, checkpoint=tmp_path / "c", keep_checkpoint=True), alone)
    assert (tmp_path / "c" / f"stage-{beside.ROW_MODEL_STAGE}.safetensors").exists()
    monkeypatch.setattr(learn, "worth_it", lambda *_: False)
    assert_same(fitted(rows, checkpoint=tmp_path / "c", resume=True), alone)


def test_ctrl_c_ends_the_process(rows: pd.DataFrame, in_two: list[Beside], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Beside) -> bool:
        return False

    monkeypatch.setattr(Beside, "ended", interrupted)
    with pytest.warns(lt.LatenteWarning):
        vae = fitted(rows)
    assert vae.figures_["finished"] == "interrupted" and in_two[0].process.returncode is not None
    assert np.isfinite(vae.score_samples(rows[:3])).all()


def job() -> tuple[Fit, Any, Settings]:
    """A fit of numbers that takes a while, and a row model of them."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["a", "b"]).assign(c="x")
    frame.loc[::2, "c"] = "y"
    vae = lt.VAE(max_epochs=1, latent_dim=1, random_state=0).fit(frame)
    assert vae.fitted_.at_hand is not None
    fields, train = vae.codec_.fields, vae.fitted_.at_hand.train
    own = RowBlueprint(fields, 200, replace(vae.row_model_.likelihood.choice(), own=None))
    settings = Settings(epochs=100_000, batch_size=20, patience=None)
    return Fit(own, train, None, torch.zeros(len(fields)), settings), own, settings


def test_a_process_is_worth_its_start_only_for_long_runs_on_idle_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, own, settings = job()
    monkeypatch.setattr(beside, "ALL", 2)
    monkeypatch.setattr(beside, "idle", lambda: 2.0)
    assert beside.worth_it(fit, own, settings)
    assert not beside.worth_it(fit, own, replace(settings, epochs=2))
    assert not beside.worth_it(fit, own, replace(settings, time_limit=60.0))
    with_context = replace(fit, train=Rows(fit.train.x, None, torch.zeros(len(fit.train), 1)))
    assert not beside.worth_it(with_context, own, settings)
    monkeypatch.setattr(beside, "idle", lambda: 1.0)
    assert not beside.worth_it(fit, own, settings)
    monkeypatch.setattr(beside, "idle", lambda: 2.0)
    monkeypatch.setattr(beside, "ALL", 1)
    assert not beside.worth_it(fit, own, settings)


def test_without_a_temporary_folder_or_an_interpreter_the_fit_does_it_alone(
    rows: pd.DataFrame, alone: lt.VAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, own, settings = job()
    with monkeypatch.context() as changed:
        changed.setattr(beside, "ALL", 2)
        changed.setattr(beside, "idle", lambda: 2.0)
        changed.setattr(sys, "executable", "")
        assert not beside.worth_it(fit, own, settings)

    def full(*_: Any) -> Path:
        raise lt.StorageError("can't write: no space left on device")

    monkeypatch.setattr(learn, "worth_it", lambda *_: True)
    monkeypatch.setattr(beside, "_written", full)
    assert_same(fitted(rows), alone)


PARENT = """
from tests.training.test_beside import job
from latente.fitting.beside import Beside
import time
with Beside(*job()) as begun:
    print(begun.process.pid, begun.scratch.name, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_it_ends_with_the_process_that_began_it() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    process, folder = parent.stdout.readline().split()
    child = int(process)
    time.sleep(4)  # until it trains
    os.kill(child, 0)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while time.monotonic() < until and Path(f"/proc/{child}").exists() and "Z" not in _state(child):
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists() or "Z" in _state(child)
    assert not Path(folder).exists()


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_busy_processors_are_counted() -> None:
    free = beside.idle()
    assert 0 <= free <= (os.cpu_count() or 1)
    loop = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    time.sleep(0.5)
    assert beside.idle() < 0.3 * (os.cpu_count() or 1)
    for process in loop:
        process.kill()
        process.wait()
