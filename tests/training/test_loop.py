"""The loop: one seed one result, exact resume, time limits, early stopping, divergence and collapse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_s_curve

import latente as lt
from latente import threads
from latente.data import pieces_of
from latente.files import read_tensors, write_tensors
from latente.model.latent_model import Trace
from latente.model.objectives import Strength, Terms
from latente.model.parts import FULL
from latente.model.penalties import Penalty
from latente.rows import Rows
from latente.training import defaults
from latente.training.checkpoint import KIND, VERSION, Checkpoints
from latente.training.dimension import intrinsic_dimension
from latente.training.loop import Training


def weights(vae: lt.VAE) -> torch.Tensor:
    return torch.cat([value.reshape(-1) for value in vae.model_.state_dict().values()])


def small(**changes: object) -> lt.VAE:
    return lt.VAE(**{"max_epochs": 6, "hidden": (16,), "latent_dim": 2, "random_state": 7, **changes})


def test_one_seed_one_result_whatever_ran_before(table: NDArray[np.float64]) -> None:
    first = small().fit(table)
    torch.manual_seed(123)
    np.random.rand(5)  # noqa: NPY002  (something that ran before)
    assert torch.equal(weights(small().fit(table)), weights(first))
    assert not torch.equal(weights(small(random_state=8).fit(table)), weights(first))


def test_no_global_state_is_left_changed(table: NDArray[np.float64]) -> None:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), torch.get_num_threads(), torch.get_default_dtype()  # noqa: NPY002
    vae = small().fit(table)
    for _ in (vae.sample(5), vae.denoise(table[:5]), vae.score_samples(table[:5])):
        pass
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), torch.get_num_threads(), torch.get_default_dtype()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert float(torch.tensor([1e-40]) * 1) > 0


def test_training_computes_no_denormal_numbers(table: NDArray[np.float64]) -> None:
    seen = list[float]()
    small(max_epochs=1).fit(table, observer=lambda training: seen.append(float(torch.tensor([1e-40]) * 1)))
    assert set(seen) == {0.0}


def test_history_holds_finite_nats_of_every_epoch(fitted_table: lt.VAE) -> None:
    history = fitted_table.history_
    assert [record["epoch"] for record in history] == list(range(1, len(history) + 1))
    expected = {f"{which}_{what}" for which in ("train", "held_out") for what in ("distortion", "rate", "loss")}
    for record in history:
        assert expected | {"held_out_objective", "learning_rate", "kl_weight", "seconds", "progress"} <= record.keys()
        assert np.isfinite(list(record.values())).all()
        assert record["held_out_loss"] == pytest.approx(record["held_out_distortion"] + record["held_out_rate"])
    assert fitted_table.figures_["loss"] == pytest.approx(min(r["held_out_objective"] for r in history), rel=0.05)


@pytest.mark.slow
def test_early_stopping_keeps_the_best_epoch(table: NDArray[np.float64]) -> None:
    vae = lt.VAE(max_epochs=150, learning_rate=0.005, random_state=0).fit(table)
    assert vae.figures_["finished"] == "no better on held-out rows"
    assert vae.figures_["epochs"] < 150
    best = min(vae.history_, key=lambda record: record["held_out_objective"])
    assert vae.figures_["best_epoch"] == best["epoch"]
    longer = lt.VAE(max_epochs=20, learning_rate=0.005, early_stopping=False, random_state=0).fit(table)
    assert longer.figures_["epochs"] == 20


def test_time_limit_is_kept(table: NDArray[np.float64], clock: None) -> None:
    vae = lt.VAE(time_limit=1.0, early_stopping=False, random_state=0).fit(table)
    assert vae.figures_["finished"] == "time limit"
    assert 0.3 < vae.figures_["seconds"] < 1.2
    assert sum(vae.figures_["time"].values()) < 1.5


def test_a_run_in_sittings_ends_in_the_same_weights(table: NDArray[np.float64], tmp_path: Path) -> None:
    """Stop after every epoch, forget everything, take it up from the file."""
    whole = small(hidden="auto").fit(table)
    sittings = 0
    while sittings < 60:
        sittings += 1

        class _Stop(Exception):
            pass

        def stop(training: Training) -> None:
            raise _Stop

        try:
            vae = small(hidden="auto").fit(table, checkpoint=tmp_path, resume=sittings > 1, observer=stop, checkpoint_every=0.0)
            break
        except _Stop:
            continue
    assert sittings > 6
    assert torch.equal(weights(vae), weights(whole))
    assert [r["held_out_objective"] for r in vae.history_] == [r["held_out_objective"] for r in whole.history_]
    assert not list(tmp_path.glob("*"))


class _Stop(Exception):
    pass


def stopped_within_epochs(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """From now on, every fit writes a checkpoint after so many steps, wherever that is in an epoch, and stops."""
    write = Checkpoints.write

    def due(self: Checkpoints) -> bool:
        self.steps = getattr(self, "steps", 0) + 1  # type: ignore[attr-defined]
        return self.steps == steps  # type: ignore[no-any-return, attr-defined]

    def stop(self: Checkpoints, training: Training) -> None:
        write(self, training)
        if getattr(self, "steps", 0) == steps:
            raise _Stop

    monkeypatch.setattr(Checkpoints, "due", due)
    monkeypatch.setattr(Checkpoints, "write", stop)


@pytest.mark.parametrize(("stored", "workers"), [(False, 1), (True, 2)])
def test_a_fit_that_stops_within_epochs_ends_in_the_same_weights(
    stored: bool, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory, and on disc with windows of 64 rows; stopped every 37 steps of epochs with eight."""
    monkeypatch.setattr("latente.data.stored.WINDOW", 64 * 4 * 5)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(569, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(569, 5))
    rows = pa.table({f"x{i}": column for i, column in enumerate(values.T)})
    pq.write_table(rows, tmp_path / "rows.parquet")
    source = pieces_of(tmp_path / "rows.parquet") if stored else rows
    how = {"batch_size": 64, "max_epochs": 3}
    whole = small(**how).fit(source, workers=workers)
    stopped_within_epochs(monkeypatch, 37)
    stops = 0
    while stops < 9:
        try:
            vae = small(**how).fit(source, checkpoint=tmp_path / "c", resume=stops > 0, workers=workers)
            break
        except _Stop:
            stops += 1
    assert stops >= 2
    assert torch.equal(weights(vae), weights(whole))
    for one, other in zip(vae.history_, whole.history_, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_an_altered_generator_is_refused(table: NDArray[np.float64], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_within_epochs(monkeypatch, 3)
    with pytest.raises(_Stop):
        small().fit(table, checkpoint=tmp_path)
    [path] = tmp_path.glob("*.safetensors")
    values, tensors = read_tensors(path, KIND, VERSION)
    write_tensors(path, KIND, VERSION, values, {**tensors, "generator": tensors["generator"].fill_(255)})
    with pytest.raises(lt.StorageError, match="altered"):
        small().fit(table, checkpoint=tmp_path, resume=True)


def test_checkpoints_take_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints, now = Checkpoints(tmp_path, {}, every=1.0), [0.0]
    monkeypatch.setattr("latente.training.checkpoint.time.monotonic", lambda: now[0])
    checkpoints.written, checkpoints.took, now[0] = 0.0, 0.2, 3.9
    assert not checkpoints.due()
    now[0] = 4.1
    assert checkpoints.due()
    checkpoints.took = 0.0
    now[0] = 0.9
    assert not checkpoints.due()


def test_a_checkpoint_of_something_else_is_refused(table: NDArray[np.float64], tmp_path: Path) -> None:
    def interrupt(training: Training) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        small().fit(table, checkpoint=tmp_path, observer=interrupt, checkpoint_every=0.0)
    assert list(tmp_path.glob("*.safetensors"))
    with pytest.raises(lt.StorageError, match="other data"):
        small().fit(table[:-1], checkpoint=tmp_path, resume=True)
    with pytest.raises(lt.StorageError, match="other settings"):
        small(recipe="beta-vae").fit(table, checkpoint=tmp_path, resume=True)
    small().fit(table, checkpoint=tmp_path)  # without resume it starts anew


KILLED = """
    import sys, latente as lt
    from sklearn.datasets import load_breast_cancer
    vae = lt.VAE(max_epochs=40, random_state=3).fit(
        load_breast_cancer().data, checkpoint=sys.argv[1], resume=True, checkpoint_every=0.0,
        observer=lambda training: print(training.status.epoch, flush=True))
    vae.save(sys.argv[2])
"""


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_to_the_bit(table: NDArray[np.float64], tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(KILLED))
    command = [sys.executable, str(script), str(tmp_path / "checkpoint"), str(tmp_path / "model.safetensors")]
    for lines in (5, 17, 9):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
            for _ in range(lines):
                assert process.stdout is not None
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        assert not (tmp_path / "model.safetensors").exists()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole = lt.VAE(max_epochs=40, random_state=3).fit(table)
    assert torch.equal(weights(lt.load(tmp_path / "model.safetensors")), weights(whole))


KILLED_WITHIN = """
    import sys, latente as lt
    from latente.data import sql, stored
    from latente.training.checkpoint import Checkpoints
    if sys.argv[3].endswith(".parquet"):
        sql.max_bytes, stored.WINDOW = lambda: 10_000, 100_000
    write = Checkpoints.write
    def told(self, training):
        write(self, training)
        print(training.status.within, flush=True)
    Checkpoints.write = told
    vae = lt.VAE("vae", hidden=(16,), latent_dim=2, batch_size=2, max_epochs=1, random_state=3, effort="quick").fit(
        sys.argv[3], checkpoint=sys.argv[1], resume=True, checkpoint_every=0.0)
    vae.save(sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_killed_within_its_only_epoch_and_resumed_to_the_bit(
    kind: str, table: NDArray[np.float64], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory, and in pieces with several windows."""
    if kind == "parquet":
        monkeypatch.setattr("latente.data.sql.max_bytes", lambda: 10_000)
        monkeypatch.setattr("latente.data.stored.WINDOW", 100_000)
    data, script, saved = tmp_path / f"rows.{kind}", tmp_path / "run.py", tmp_path / "model.safetensors"
    rows = pd.DataFrame(np.tile(table, (8, 1)), columns=[f"x{i}" for i in range(30)])
    rows.to_csv(data, index=False) if kind == "csv" else rows.to_parquet(data, index=False)
    script.write_text(textwrap.dedent(KILLED_WITHIN))
    command = [sys.executable, str(script), str(tmp_path / "checkpoint"), str(saved), str(data)]
    reached = []
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            reached.append([int(process.stdout.readline()) for _ in range(3)][-1])
            process.send_signal(signal.SIGKILL)
    assert 0 < reached[0] < reached[1]
    assert not saved.exists()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = lt.load(saved)
    whole = lt.VAE("vae", hidden=(16,), latent_dim=2, batch_size=2, max_epochs=1, random_state=3, effort="quick").fit(data)
    assert torch.equal(weights(found), weights(whole))
    assert found.figures_["loss"] == whole.figures_["loss"]


def test_ctrl_c_keeps_the_best_so_far(table: NDArray[np.float64]) -> None:
    def interrupt(training: Training) -> None:
        if training.status.epoch == 3:
            raise KeyboardInterrupt

    vae = small(max_epochs=50).fit(table, observer=interrupt)
    assert vae.figures_["finished"] == "interrupted"
    assert vae.figures_["epochs"] == 3
    assert vae.transform(table).shape == (569, 2)


def test_divergence_is_mended_and_said(table: NDArray[np.float64]) -> None:
    with pytest.warns(lt.LatenteWarning, match="diverged and continued with a learning rate of"):
        vae = lt.VAE(hidden=(16,), latent_dim=2, learning_rate=20.0, max_epochs=20, random_state=0).fit(table)
    assert np.isfinite(vae.transform(table)).all()


def test_divergence_without_end_is_an_error(table: NDArray[np.float64]) -> None:
    with pytest.raises(lt.TrainingError, match="diverged at epoch .* smaller learning_rate"):
        lt.VAE(hidden=(16,), latent_dim=2, learning_rate=1e30, max_epochs=20, random_state=0).fit(table)


def test_independent_columns_have_no_structure() -> None:
    noise = np.random.default_rng(0).normal(size=(400, 6))
    with pytest.warns(lt.LatenteWarning, match="no structure found"):
        lt.VAE(random_state=0).fit(noise)


@pytest.mark.parametrize(("sigma", "epochs", "said"), [(1.5, 4, "this was corrected by"), (3.0, 10, "collapsed: ")])
def test_collapse_is_mended_where_a_code_pays(sigma: float, epochs: int, said: str) -> None:
    """With the variance of the noise below the largest eigenvalue of the covariance, 6, a code pays (Lucas et al. 2019)."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(2500, 1)) @ np.ones((1, 6)) + 0.05 * generator.normal(size=(2500, 6))
    likelihood = lt.choose("normal", sigma=sigma)
    with pytest.warns(lt.LatenteWarning, match=said):
        vae = lt.VAE(hidden=(16,), latent_dim=1, likelihood=likelihood, random_state=0, max_epochs=epochs).fit(rows)
    assert (vae.figures_["rate"] > 0.3) == (vae.figures_["gain_over_independent_columns"] > 0.1) == (sigma < 6**0.5)
    assert any(said in note for note in vae.notes_)


def test_probabilistic_pca_is_named_where_it_does_as_well() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(600, 2)) @ generator.normal(size=(2, 8)) + 0.3 * generator.normal(size=(600, 8))
    vae = lt.VAE(random_state=0).fit(rows)
    assert any("probabilistic PCA" in note for note in vae.notes_)


@pytest.mark.parametrize(("make", "dimension"), [
    (lambda g: g.normal(size=(1500, 2)) @ g.normal(size=(2, 10)), 2),
    (lambda g: g.normal(size=(1500, 5)) @ g.normal(size=(5, 10)), 5),
    (lambda g: np.stack([np.cos(t := g.uniform(0, 6.28, 1500)), np.sin(t), t * 0], 1), 1),
])  # fmt: skip
def test_intrinsic_dimension(make, dimension: int) -> None:
    assert intrinsic_dimension(make(np.random.default_rng(0)).astype(np.float32)) == pytest.approx(dimension, rel=0.2)


def test_intrinsic_dimension_of_next_to_nothing_is_one() -> None:
    assert intrinsic_dimension(np.zeros((50, 3), np.float32)) == 1.0


@pytest.mark.slow
def test_unused_units_are_dropped_where_the_dimension_was_not_asked_for() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(3000, 2)) @ generator.normal(size=(2, 12)) + 0.3 * generator.normal(size=(3000, 12))
    chosen, asked = (lt.VAE("beta-vae", latent_dim=d, max_epochs=30, random_state=0).fit(rows) for d in ("auto", 6))
    assert chosen.latent_dim_ == chosen.figures_["active_units"] < 6
    assert asked.latent_dim_ == 6 > asked.figures_["active_units"]
    assert chosen.transform(rows).shape == (3000, chosen.latent_dim_)
    assert chosen.sample(3).shape == (3, 12)


def test_defaults() -> None:
    assert [defaults.batch_size(n) for n in (1, 100, 2000, 6000, 20_000, 10**6)] == [32, 32, 64, 256, 256, 1024]
    assert [defaults.batch_size(n, mixed=True) for n in (100, 6000, 20_000, 10**6)] == [32, 64, 256, 1024]
    assert defaults.epochs(50, 32) * 2 == pytest.approx(300, abs=60)
    assert defaults.epochs(10**6, 1024) == 10
    assert defaults.precision("float32", "cpu", 10**9) == "float32"
    assert defaults.precision("auto", "cpu", 1000) == "float32"
    assert defaults.device("cpu") == "cpu"
    assert defaults.threads(1000) == 1
    assert defaults.threads(10**9) == threads.ALL
    assert [defaults.trials(mixed) for mixed in (False, True)] == [3, 1]
    assert [defaults.starts(n, chosen, False) for n, chosen in ((5000, False), (20_000, False), (5000, True))] == [2, 1, 1]
    assert defaults.starts(5000, False, missing=True) == 1
    assert defaults.mixed_pace(500).share == 1 > defaults.mixed_pace(5000).share
    assert defaults.row_model_epochs(10_000, 100, True, 0.1) == 12 and defaults.row_model_epochs(10_000, 100, False, 0.1) == 4


def test_a_code_nearly_as_wide_as_a_row_follows_a_surface_in_space() -> None:
    rows = make_s_curve(3000, noise=0.05, random_state=20)[0]
    vae = lt.VAE(latent_dim=2, random_state=20).fit(rows)
    assert np.square(vae.reconstruct(rows) - rows).sum() < 0.15 * np.square(rows - rows.mean(0)).sum()


@pytest.mark.slow
def test_bfloat16_networks_learn_the_same(digits: NDArray[np.uint8]) -> None:
    both = [
        lt.VAE(hidden=(64,), latent_dim=8, precision=precision, max_epochs=6, random_state=0).fit(digits)
        for precision in ("float32", "bfloat16")
    ]
    losses = [vae.figures_["loss"] for vae in both]
    assert losses[0] == pytest.approx(losses[1], abs=1.5)
    assert both[1].model_.codes(both[1].fitted_.rows(digits)).dtype == torch.float32


def test_few_steps_are_steps(table: NDArray[np.float64]) -> None:
    """The averaged weights move from the first step on."""
    history = lt.VAE(max_epochs=3, batch_size=600, random_state=0).fit(table).history_
    assert len({record["held_out_loss"] for record in history}) == 3


def test_remedies_keep_to_the_time_limit() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(2500, 1)) @ np.ones((1, 6)) + 0.05 * generator.normal(size=(2500, 6))
    with pytest.warns(lt.LatenteWarning, match="but a linear model finds structure"):
        vae = lt.VAE(lt.recipe("beta-vae", beta=5000.0), hidden=(16,), latent_dim=1, random_state=0, time_limit=1.0).fit(rows)
    assert vae.figures_["seconds"] < 2.5


def test_a_penalty_on_derivatives_is_felt_in_bfloat16(digits: NDArray[np.uint8]) -> None:
    losses = [
        lt.VAE(lt.recipe("contractive", weight=50.0), hidden=(300,), latent_dim=4, precision=p, max_epochs=2, random_state=0)
        .fit(digits)
        .figures_["loss"]
        for p in ("float32", "bfloat16")
    ]
    assert losses[0] == pytest.approx(losses[1])


def test_numpys_generator_is_left_alone(table: NDArray[np.float64]) -> None:
    wide = np.random.default_rng(0).normal(size=(900, 200))
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[2]  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        lt.VAE(max_epochs=1, hidden=(8,), latent_dim=2, random_state=0).fit(wide)
    assert np.random.get_state()[2] == before  # noqa: NPY002


def waves(n: int) -> NDArray[np.float64]:
    """Of 16 points, with a frequency and a phase of their own: two degrees of freedom, which no plane holds."""
    rng = np.random.default_rng(0)
    frequency, phase = rng.uniform(1, 2, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
    return np.sin(2 * np.pi * frequency * np.linspace(0, 1, 16) + phase) + 0.05 * rng.normal(size=(n, 16))


def test_the_better_of_two_starts_is_kept_and_taken_up_again(tmp_path: Path) -> None:
    x, best = waves(400), dict[str, float]()

    def note(training: Training) -> None:
        best[training.label] = training.status.best_value

    whole = lt.VAE(latent_dim=4, random_state=0).fit(x, observer=note)
    assert min(record["held_out_objective"] for record in whole.history_) == min(best["training"], best["another start"])
    assert (whole.model_.decoder.linear is None) == (best["another start"] < best["training"])

    def stop(training: Training) -> None:
        if training.label == "another start" and training.status.epoch == 3:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        lt.VAE(latent_dim=4, random_state=0).fit(x, checkpoint=tmp_path, observer=stop, checkpoint_every=0.0)
    resumed = lt.VAE(latent_dim=4, random_state=0).fit(x, checkpoint=tmp_path, resume=True)
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.parametrize("asked", [{"max_epochs": 5}, {"time_limit": 0.5}, {"hidden": (16,)}, {"validation_fraction": 0.02}])
def test_one_start_where_more_was_not_asked_for_or_none_can_choose(asked: dict[str, object]) -> None:
    labels = set[str]()
    lt.VAE(latent_dim=4, random_state=0, **asked).fit(waves(300), observer=lambda training: labels.add(training.label))
    assert "another start" not in labels


def test_a_second_start_that_is_interrupted_leaves_the_first() -> None:
    def interrupt(training: Training) -> None:
        if training.label == "another start" and training.status.epoch == 2:
            raise KeyboardInterrupt

    vae = lt.VAE(latent_dim=4, random_state=0).fit(waves(300), observer=interrupt)
    assert vae.model_.decoder.linear is not None
    assert vae.figures_["finished"] == "interrupted"


def test_an_epoch_has_every_row_in_batches_of_one_size(table: NDArray[np.float64]) -> None:
    seen: list[torch.Tensor] = []
    step = Training._step

    def noted(training: Training, batch: Rows) -> object:
        seen.append(batch.x.clone())
        return step(training, batch)

    with mock.patch.object(Training, "_step", noted):
        small(max_epochs=1, batch_size=50, validation_fraction=0.0).fit(table[:217])
    assert {len(batch) for batch in seen} == {44} and len(seen) % 5 == 0  # of a fit that trains several times
    assert len(torch.cat(seen[:5]).unique(dim=0)) == len(np.unique(table[:217], axis=0))


class Nudge(Penalty):
    """Twice the strength that it follows."""

    name = "nudge-of-the-test"
    follows: ClassVar[Mapping[str, float]] = {"nudge": 0.5}

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        value = 2.0 * strength["nudge"] + 0.0 * trace.distortion
        return Terms({"nudge": value}, value)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_part_follows_a_strength_by_name_and_its_term_is_logged(table: NDArray[np.float64], recorded: bool) -> None:
    recipe = replace(lt.recipe("vae"), penalties=(lt.choose(Nudge),), recorded=recorded)
    history = small(recipe=recipe, max_epochs=8).fit(table).history_
    values = [record["train_nudge"] for record in history]
    assert values == sorted(values) and 0.0 < values[0] < 0.7 and values[-1] == pytest.approx(2.0)
    assert [record["nudge_weight"] for record in history][-1] == 1.0
    assert all(record["held_out_nudge"] == pytest.approx(2.0) for record in history), "judged at full strength"
    wanted = [record["held_out_loss"] + 2.0 for record in history]
    assert [record["held_out_objective"] for record in history] == pytest.approx(wanted, rel=1e-5), "and it chooses the epoch"


def test_an_objective_of_the_rate_is_refused_where_there_is_none(table: NDArray[np.float64]) -> None:
    with pytest.raises(lt.ModelError, match="'elbo' weighs the rate of codes, and with the posterior 'point-mass'"):
        replace(lt.recipe("autoencoder"), objective=lt.choose("elbo"))


def test_codes_follow_weights_that_change(table: NDArray[np.float64]) -> None:
    model = small().fit(table).model_
    rows = Rows(torch.randn(4, table.shape[1]))
    before = model.codes(rows)
    assert torch.equal(model.codes(rows), before)
    with torch.no_grad():
        next(model.parameters()).mul_(1.5)
    assert not torch.equal(model.codes(rows), before)
