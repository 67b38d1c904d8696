"""``latente certify``."""

import json
import shutil

import numpy as np
import pytest

import latente as lt
from latente.storage import identity_in
from tests.cli.helpers import QUICK, write_csv


@pytest.fixture(scope="module")
def run(latente, tmp_path_factory):
    """A run of 400 rows, of which 40 are held out, and what fit said."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("certify")
    rows = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(400, 4))
    data = write_csv(folder / "rows.csv", rows)
    ended = latente("fit", data, "-o", folder / "run", "--max-epochs", "5", "--no-figures", "--latent-dim", "2")
    assert ended.code == 0, ended.err
    return data, folder / "run", ended


def test_fit_leaves_the_certificate_in_the_run(latente, run):
    _data, folder, ended = run
    assert "space: completeness " in ended.out
    kept = json.loads((folder / "certificate.json").read_text())
    sizes = {"rows": 360, "held_out_rows": 40, "repeated_rows_left_out": 0}
    law = {"fitted_prior": "gaussian", "row_model": False, "related_columns": True}
    assert kept["about"] == {
        "recipe": "vae",
        "latent_dim": 2,
        **sizes,
        **law,
        "model": identity_in(folder / "model.safetensors"),
    }
    shown = latente("certify", folder)
    assert shown.code == 0
    assert "completeness C" in shown.out and "continuity K" in shown.out
    assert latente("certify", folder, "--json").json == {**kept, "warnings": []}
    assert latente("certify", folder / "model.safetensors", "--json").json == {**kept, "warnings": []}, "the file's run"


def test_measured_again_from_the_same_rows(latente, run, tmp_path):
    data, folder, _ = run
    copy = shutil.copytree(folder, tmp_path / "run")
    before = json.loads((copy / "certificate.json").read_text())
    (copy / "certificate.json").unlink()
    ended = latente("certify", copy, data, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["affinity_real"]["value"] == pytest.approx(before["affinity_real"]["value"], abs=1e-6)
    assert {**json.loads((copy / "certificate.json").read_text()), "warnings": []} == ended.json


def test_other_rows(latente, run, tmp_path):
    data, folder, _ = run
    copy = shutil.copytree(folder, tmp_path / "run")
    other = write_csv(tmp_path / "other.csv", np.random.default_rng(1).normal(size=(60, 4)))
    ended = latente("certify", copy, data, "--held-out", other, "--json")
    assert ended.json["about"]["held_out_rows"] == 60
    assert "are not the 400 rows of the fit" in latente("certify", copy, other).sentence
    assert latente("certify", copy, "--held-out", other).code == 2


def test_rows_that_were_learnt_from_leave_the_certificate_as_it_is(latente, run, tmp_path):
    data, folder, _ = run
    copy = shutil.copytree(folder, tmp_path / "run")
    refused = latente("certify", copy, data, "--held-out", data)
    assert refused.code == 1 and "the held-out rows contain training rows" in refused.sentence
    assert (copy / "certificate.json").read_bytes() == (folder / "certificate.json").read_bytes()


def test_data_in_place_of_a_run(latente, run):
    data, *_ = run
    for command in (("certify", data), ("certify", data, data), ("info", data), ("sample", data, "-n", "3")):
        said = latente(*command).sentence
        assert f"{str(data)!r} is data, and no run" in said and "'latente fit" in said


def test_another_law_shows_what_it_changes(latente, run, tmp_path):
    data, folder, _ = run
    copy = shutil.copytree(folder, tmp_path / "run")
    ended = latente("certify", copy, data, "--prior", "nearest")
    assert ended.code == 0, ended.err
    _, change = ended.out.split("Changes with the other prior")
    assert "before" in change and "after" in change
    assert "from the fitted prior" in change and "prior mismatch" in change
    assert "continuity" not in change and "prior holes" not in change
    assert f"{copy} now has the fitted prior: nearest (before: gaussian)" in ended.out
    assert "fitted prior" in latente("info", copy).out and "nearest" in latente("info", copy).out
    assert latente("info", copy, "--json").json["fitted_prior"] == "nearest"
    assert latente("info", folder, "--json").json["fitted_prior"] == "gaussian"
    vae = lt.load(copy / "model.safetensors")
    vae.refit_prior(lt.choose("mixture", components=3), train=str(data))
    assert vae.fitted_prior_.in_words == "mixture of 3 components"


def test_where_there_is_none(latente, run, tmp_path):
    _, folder, _ = run
    copy = shutil.copytree(folder, tmp_path / "run")
    (copy / "certificate.json").write_text("{")
    assert "can't be read" in latente("certify", copy).sentence
    (copy / "certificate.json").unlink()
    assert "name the data that the model was fitted on" in latente("certify", copy).sentence
    assert "there is no run folder" in latente("certify", tmp_path / "nowhere").sentence


def test_that_of_another_model_is_not_believed(latente, run, tmp_path):
    data, folder, _ = run
    other = tmp_path / "other"
    assert latente("fit", data, "-o", other, "--max-epochs", "1", "--no-figures", "--seed", "1").code == 0
    kept = json.loads((folder / "certificate.json").read_text())
    (other / "certificate.json").write_text(json.dumps(kept))
    refused = latente("certify", other)
    assert refused.code == 1 and "is of another model than" in refused.sentence and "name the data" in refused.sentence
    kept["about"].pop("model")
    (other / "certificate.json").write_text(json.dumps(kept))
    assert "is of another model than" in latente("certify", other).sentence, "of which it is not said whose it is"
    assert latente("certify", other, data, "--json").json == latente("certify", other, "--json").json
    assert latente("certify", other, data, "--prior", "gaussian", "--json").json == latente("certify", other, "--json").json


def test_without_one(latente, run, tmp_path):
    data, folder, _ = run
    copy = shutil.copytree(folder, tmp_path / "run")
    ended = latente("fit", data, "-o", copy, "--max-epochs", "1", "--no-figures", "--no-certificate")
    assert ended.code == 0
    assert not (copy / "certificate.json").exists(), "that of the earlier model"
    assert lt.load(copy / "model.safetensors").figures_["epochs"] == 1


def test_a_certificate_that_fails_does_not_cost_the_model(latente, run, tmp_path, monkeypatch):
    def broken(vae):
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr(lt.VAE, "certificate", broken)
    ended = latente("fit", run[0], "-o", tmp_path / "run", "--max-epochs", "1", "--no-figures")
    assert ended.code == 1
    assert ended.err.startswith(
        "incomplete: the certificate could not be made (ZeroDivisionError: no luck); the model is saved"
    )
    assert json.loads((tmp_path / "run/metrics.json").read_text())["missing"] == ["certificate"]
    assert "missing: certificate could not be made" in latente("info", tmp_path / "run").out


def test_a_verdict_that_the_fit_warned_of_is_said_once(latente, tmp_path, table):
    data = write_csv(tmp_path / "rows.csv", table[:150])
    ended = latente("fit", data, "-o", tmp_path / "run", "--no-figures", "--recipe", "autoencoder", "--max-epochs", "150",
                    "--latent-dim", "10", "--hidden", "256")  # fmt: skip
    assert ended.err.count("overfits: ") == 1


def test_a_headline_that_is_not_known_has_its_reason(latente, tmp_path, table):
    ended = latente("fit", write_csv(tmp_path / "rows.csv", table[:60, :4]), "-o", tmp_path / "run", *QUICK)
    assert "space: completeness unknown, continuity unknown; 6 validation rows are too few; at least 20 are needed" in ended.out
