"""Workers: two processes find what one process does with the same batches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import latente as lt
from latente.errors import ModelError
from latente.training.learners import LatentLearner

N = 640  # 576 training rows: nine batches of 64


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(N, 5))
    return pa.table({f"x{i}": values[:, i] for i in range(5)})


def fitted(rows, recipe, workers):
    vae = lt.VAE(recipe, latent_dim=2, hidden=(16,), batch_size=64, max_epochs=4, effort="quick", random_state=0)
    return vae.fit(rows, workers=workers)


def in_processes(rows, recipe, folder, *more):
    pq.write_table(rows, folder / "rows.parquet")
    options = ["-r", recipe, "--latent-dim=2", "--hidden=16", "--batch-size=64", "--max-epochs=4", "--effort=quick", *more]
    command = ["fit", folder / "rows.parquet", *options, "--no-figures", "--no-certificate", "--json", "-o", folder / "run"]
    words = [sys.executable, "-m", "latente", *map(str, command), "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    told = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(told.stdout), lt.open_run(folder / "run").model


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["vae", "autoencoder"])
def test_processes_find_the_same(recipe, rows, tmp_path):
    told, found = in_processes(rows, recipe, tmp_path)
    wanted = fitted(rows, recipe, 2)
    assert told["loss"] == pytest.approx(wanted.figures_["loss"], abs=1e-5)
    np.testing.assert_allclose(found.transform(rows), wanted.transform(rows), atol=1e-5)
    for one, other in zip(found.history_, wanted.history_, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], abs=1e-5)


def test_parts_make_the_batch(rows):
    """Without random numbers in a step, two parts of a batch have the gradient of the whole."""
    one, two = (fitted(rows, "autoencoder", workers) for workers in (1, 2))
    np.testing.assert_allclose(one.transform(rows), two.transform(rows), atol=1e-4)


@pytest.mark.slow
def test_time_is_that_of_the_first_process(rows, tmp_path):
    told, _ = in_processes(rows, "vae", tmp_path, "--time-limit=60")
    assert told["epochs"] >= 1


def test_a_step_that_changes_more_than_its_gradient_is_refused(rows, monkeypatch):
    """Such as a running mean: each process would have one of its own."""
    terms = LatentLearner.terms

    def counting(self, *arguments):
        self.model.likelihood.floor.add_(1e-6)
        return terms(self, *arguments)

    monkeypatch.setattr(LatentLearner, "terms", counting)
    with pytest.raises(ModelError, match="train it with one worker"):
        fitted(rows, "vae", 2)


@pytest.mark.parametrize("workers", [0, 1.5])
def test_impossible_workers(workers, rows):
    with pytest.raises(ModelError, match="workers is a whole number"):
        fitted(rows, "vae", workers)
