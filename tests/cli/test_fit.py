"""``latente fit``: the run folder, what is said, and what is refused before anything is computed."""

import csv
import json

import numpy as np
import pytest

import latente as lt
from tests.cli.helpers import QUICK, write_csv


def test_fit_writes_a_run_folder_with_figures(latente, table_csv, tmp_path):
    ended = latente("fit", table_csv, "-o", tmp_path / "run", "--max-epochs", "3")
    assert ended.code == 0
    assert "vae: 120 rows, 3 epochs" in ended.out
    assert "epoch" not in ended.err, "not where no terminal is, within the first seconds"
    files = sorted(str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*") if path.is_file())
    names = ("latent_map", "reconstructions", "samples", "training_curve")
    drawn = (f"figures/{name}.png" for name in names)
    assert files == [
        "certificate.json",
        *drawn,
        "history.csv",
        "metrics.json",
        "model.safetensors",
        "report.html",
        "survey.safetensors",
    ]
    assert lt.load(tmp_path / "run/model.safetensors").n_features_in_ == 4
    with open(tmp_path / "run/history.csv") as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    assert {"train_rate", "held_out_distortion"} <= set(history[0])


MAP = {"en": "Map of the codes", "es": "Mapa de los códigos"}


@pytest.mark.parametrize(("options", "locale", "title"), [
    ((), "es_ES.UTF-8", MAP["es"]), (("--lang", "en"), "es_ES.UTF-8", MAP["en"]), ((), "C", MAP["en"])
])  # fmt: skip
def test_the_report_speaks_as_asked_or_as_the_locale(latente, table_csv, tmp_path, monkeypatch, options, locale, title):
    monkeypatch.setenv("LC_ALL", locale)
    ended = latente("fit", table_csv, "-o", tmp_path / "run", "--max-epochs", "1", "--no-certificate", *options)
    assert f"report: {tmp_path / 'run/report.html'}" in ended.out
    assert title in (tmp_path / "run/report.html").read_text(encoding="utf-8")


def test_a_report_that_fails_does_not_cost_the_model(latente, table_csv, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr("latente.report.report.write_report", broken)
    ended = latente("fit", table_csv, "-o", tmp_path / "run", "--max-epochs", "1", "--no-certificate", "--json")
    assert ended.code == 1
    assert ended.err.startswith("incomplete: the report could not be made (ZeroDivisionError: no luck); the model is saved")
    assert "report" not in ended.json["paths"]
    assert ended.json["missing"] == ["report"]
    assert ended.json["warnings"][0].startswith("the report could not be made")
    assert (tmp_path / "run/model.safetensors").exists()


def test_json_is_one_object_with_figures_and_paths(latente, table_csv, tmp_path):
    ended = latente("fit", table_csv, "-o", tmp_path / "run", "--recipe", "beta-vae:beta=2", "--seed", "3", *QUICK, "--json")
    said = ended.json
    assert said["recipe"] == "beta-vae"
    assert said["seed"] == 3
    assert said["epochs"] == 2
    assert np.isfinite([said["loss"], said["rate"], said["distortion"]]).all()
    assert said["paths"]["model"] == str(tmp_path / "run/model.safetensors")
    assert json.loads((tmp_path / "run/metrics.json").read_text())["loss"] == said["loss"]
    assert "epoch" not in ended.err
    assert lt.load(said["paths"]["model"]).recipe_.objective.arguments == {"beta": 2}


def test_quiet_says_nothing(latente, table_csv, tmp_path):
    ended = latente("fit", table_csv, "-o", tmp_path / "run", *QUICK, "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_options_reach_the_model(latente, table_csv, tmp_path):
    options = [
        "--latent-dim",
        "3",
        "--hidden",
        "16,8",
        "--likelihood",
        "normal:sigma=0.5",
        "--batch-size",
        "50",
        "--device",
        "cpu",
    ]
    more = ["--learning-rate", "0.01", "--precision", "float32", "--time-limit", "30"]
    assert latente("fit", table_csv, "-o", tmp_path / "run", *options, *more, *QUICK).code == 0
    vae = lt.load(tmp_path / "run/model.safetensors")
    assert vae.latent_dim_ == 3
    assert vae.model_.likelihood.sigma == 0.5
    assert vae.hidden == (16, 8)
    assert (vae.batch_size, vae.learning_rate, vae.precision) == (50, 0.01, "float32")


def test_the_same_seed_gives_the_same_model_and_another_does_not(latente, table_csv, tmp_path):
    for run, seed in (("a", 1), ("b", 1), ("c", 2)):
        latente("fit", table_csv, "-o", tmp_path / run, *QUICK, "--seed", seed)
    codes = {run: lt.load(tmp_path / run / "model.safetensors").transform(table_csv) for run in "abc"}
    assert np.array_equal(codes["a"], codes["b"])
    assert not np.array_equal(codes["a"], codes["c"])


def test_the_run_is_called_after_the_data_where_no_name_is_given(latente, table_csv, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert latente("fit", table_csv, "--recipe", "autoencoder", *QUICK).code == 0
    assert (tmp_path / "table-autoencoder/model.safetensors").exists()


def test_sql_and_a_named_array_are_data(latente, table_csv, pictures_npz, tmp_path):
    assert latente("fit", f"select c0, c1, c2 from '{table_csv}'", "-o", tmp_path / "sql", *QUICK).code == 0
    assert lt.load(tmp_path / "sql/model.safetensors").codec_.names == ("c0", "c1", "c2")
    assert latente("fit", f"{pictures_npz}:x", "-o", tmp_path / "npz", *QUICK).code == 0


def test_notes_and_warnings_are_lines_on_stderr(latente, tmp_path, numbers):
    numbers = np.column_stack([numbers, np.full(len(numbers), 7.0)])
    ended = latente("fit", write_csv(tmp_path / "t.csv", numbers), "-o", tmp_path / "run", *QUICK)
    assert "note: columns with a single value are not part of the model, and are restored in its output: 'c4' (7)" in ended.err
    noise = write_csv(tmp_path / "n.csv", np.random.default_rng(0).normal(size=(200, 3)))
    ended = latente("fit", noise, "-o", tmp_path / "noise", *QUICK)
    assert ended.code == 0
    assert ended.err.count("no structure found") == 1
    assert "warning: no structure found" in ended.err


WRONG = {
    "latent-dim": ("0", "-1", "2.5", "many"),
    "hidden": ("0", "64,", "a"),
    "max-epochs": ("0", "1e3"),
    "time-limit": ("0", "-1", "inf", "soon"),
    "batch-size": ("0",),
    "learning-rate": ("0", "nan", "fast"),
    "device": ("tpu",),
    "precision": ("float16",),
    "seed": ("-1", "x"),
    "lang": ("de", ""),
    "recipe": ("nope", "beta-vae:gamma=1", "beta-vae:beta", "beta-vae:beta=abc", "beta-vae:beta=-1", ":", "iwae:samples=2.5"),
    "likelihood": ("nope", "elbo", "normal:sigma=-1", "normal:width=2"),
}


@pytest.mark.parametrize(("option", "value"), [(option, value) for option, values in WRONG.items() for value in values])
def test_wrong_values_of_options_end_with_2(latente, table_csv, tmp_path, option, value):
    ended = latente("fit", table_csv, "-o", tmp_path / "run", *QUICK, f"--{option}={value}")
    assert ended.code == 2
    assert ended.sentence
    assert not (tmp_path / "run").exists()


def test_a_code_wider_than_the_rows_is_refused(latente, table_csv, tmp_path):
    ended = latente("fit", table_csv, "-o", tmp_path / "run", "--latent-dim", "5")
    assert ended.code == 2
    assert "latent_dim=5" in ended.sentence
    assert not (tmp_path / "run").exists()


def test_a_folder_of_other_things_is_not_touched(latente, table_csv, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/mother.txt").write_text("Dear mother")
    ended = latente("fit", table_csv, "-o", tmp_path / "letters")
    assert ended.code == 1
    assert "neither empty nor a run folder" in ended.sentence
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["mother.txt"]


def test_a_run_is_written_over_by_the_next(latente, table_csv, tmp_path):
    run = tmp_path / "run"
    assert latente("fit", table_csv, "-o", run, "--max-epochs", "2").code == 0
    assert latente("fit", table_csv, "-o", run, "--recipe", "autoencoder", *QUICK).code == 0
    assert json.loads((run / "metrics.json").read_text())["recipe"] == "autoencoder"
    assert not list((run / "figures").iterdir()), "figures of the earlier model"


def test_resume_without_a_checkpoint(latente, table_csv, tmp_path):
    ended = latente("fit", table_csv, "-o", tmp_path / "run", *QUICK, "--resume")
    assert ended.code == 0
    assert "there is no checkpoint" in ended.err
    ended = latente("fit", table_csv, "-o", tmp_path / "run", *QUICK, "--resume")
    assert ended.code == 1
    assert "is finished, so there is nothing to resume" in ended.sentence


def test_a_space_that_the_explorer_can_not_show_is_no_failure(latente, tmp_path):
    import numpy as np

    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    run = ("fit", tmp_path / "x.npy", "--recipe", "hyperspherical-vae", "--max-epochs", "1", "--no-figures", "--no-certificate")
    ended = latente(*run, "-o", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert not (tmp_path / "run/survey.safetensors").exists()


def test_labels_colour_the_map_and_are_not_modelled(latente, table_csv, tmp_path):
    lines = table_csv.read_text().splitlines()
    named = [f"{line},{'species' if not k else 'cat' if k % 2 else 'dog'}" for k, line in enumerate(lines)]
    path = tmp_path / "named.csv"
    path.write_text("\n".join(named) + "\n")
    ended = latente("fit", path, "-o", tmp_path / "run", "--labels", "species", "--max-epochs", "2")
    assert ended.code == 0, ended.err
    assert lt.load(tmp_path / "run/model.safetensors").n_features_in_ == 4
    page = (tmp_path / "run/report.html").read_text()
    assert "species" in page and "0: species cat" in page
    missing = latente("fit", path, "-o", tmp_path / "run2", "--labels", "breed", *QUICK)
    assert missing.code == 1 and "labels: there is no column 'breed'" in missing.sentence and not (tmp_path / "run2").exists()


def test_anomalies_are_trimmed(latente, table_csv, tmp_path):
    options = "--max-epochs", "1", "--no-figures", "--no-certificate"
    assert latente("fit", table_csv, "-o", tmp_path / "run", "--trim", ".1", *options).code == 0
    assert any("not learned" in note for note in lt.load(tmp_path / "run" / "model.safetensors").notes_)
    assert "0.5" in latente("fit", table_csv, "-o", tmp_path / "run", "--trim", ".7", *options).err


def test_a_private_fit_tells_its_budget_and_shows_no_row(latente, table_csv, tmp_path):
    run, public = tmp_path / "run", ("--public", "-1000:1000")
    ended = latente("fit", table_csv, "-o", run, "--recipe", "dp-vae:epsilon=8", *public, "--max-epochs", "1")
    assert ended.code == 0 and "nats per generated row" in ended.out
    assert "differentially private: ε = " in ended.err and "would show or measure the private rows" in ended.err
    files = {path.name for path in run.rglob("*") if path.is_file()}
    assert files == {"history.csv", "metrics.json", "model.safetensors", "survey.safetensors"}
    assert "differential privacy" in latente("info", run).out
    assert 0 < latente("info", run, "--json").json["differential_privacy"]["epsilon"] <= 8
    refused = latente("fit", table_csv, "-o", tmp_path / "other", "--recipe", "dp-vae")
    assert refused.code == 2 and "takes units, kinds and levels from what is public" in refused.err
    assert not (tmp_path / "other" / "model.safetensors").exists()
