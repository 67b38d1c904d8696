"""``latente compare`` and ``latente tradeoff``, and another law by ``latente certify``."""

import json
import shutil

import pytest

import latente as lt

FEW = ("--max-epochs", "2")


def test_compare_in_a_process_of_its_own(process, table_csv, tmp_path):
    out = tmp_path / "models"
    command = process("compare", table_csv, "-o", out, "--recipes", "autoencoder,beta-vae:beta=2", "--latent-dim", "2", *FEW)
    said, errors = command.communicate(timeout=120)
    assert command.returncode == 0, errors
    assert "completeness C" in said and f"page: {out / 'compare.html'}" in said
    assert errors.count("\n") <= 3
    assert sorted(path.name for path in out.iterdir()) == ["autoencoder", "beta-vae-beta-2", "compare.html", "compare.json"]
    assert json.loads((out / "compare.json").read_text())["folders"]["beta-vae:beta=2"] == "beta-vae-beta-2"
    assert lt.load(out / "beta-vae-beta-2/model.safetensors").recipe_.objective.arguments["beta"] == 2
    assert (out / "autoencoder/certificate.json").exists()


def test_tradeoff_in_a_process_of_its_own(process, table_csv, tmp_path):
    out = tmp_path / "tradeoff"
    command = process("tradeoff", table_csv, "-o", out, "--dims", "1,2", "--betas", "1,4", "--time-limit", "20", *FEW)
    said, errors = command.communicate(timeout=120)
    assert command.returncode == 0, errors
    assert "← chosen" in said and "noise floor: " in said and f"page: {out / 'tradeoff.html'}" in said
    assert errors.count("\n") <= 3
    assert sorted(path.name for path in out.iterdir()) == ["tradeoff.html", "tradeoff.json"]


def test_for_programs_and_in_spanish(latente, pictures_npz, tmp_path):
    found = latente("tradeoff", pictures_npz, "-o", tmp_path / "t", "--dims", "1", "--betas", "1", "--json", *FEW).json
    assert found["chosen"] == 1
    quiet = latente("compare", pictures_npz, "-o", tmp_path / "c", "--lang", "es", "--latent-dim", "2", "-q", *FEW)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert "Modelos de pictures, lado a lado" in (tmp_path / "c/compare.html").read_text()


def foreign(folder):
    folder.mkdir()
    (folder / "thesis.doc").write_text("mine")
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("compare", "DATA", "--recipes", "vae,vea"), 2, "no recipe called 'vea'"),
        (("compare", "DATA", "--recipes", "vae,vae"), 2, "'vae' is asked for twice"),
        (("compare", "DATA", "--recipes", ","), 2, "names no model"),
        (("compare", "DATA", "--latent-dim", "9"), 2, "latent_dim=9 is above the number of fields that vary, 4"),
        (("compare", "DATA", "-o", "FOREIGN"), 1, "holds other things, such as 'thesis.doc'"),
        (("compare", "ONE"), 1, "n_samples=1"),
        (("compare", "DATA", "--time-limit", "0"), 2, "is not a positive number"),
        (("tradeoff", "DATA", "--dims", "1,9"), 2, "a code has from 1 to 4 dimensions"),
        (("tradeoff", "DATA", "--betas", "1,-2"), 2, "is not a positive number"),
        (("tradeoff", "DATA", "--recipe", "autoencoder"), 2, "has none: use 'vae'"),
        (("tradeoff", "DATA", "-o", "FOREIGN"), 1, "nothing in it is touched"),
        (("tradeoff", "ONE"), 1, "n_samples=1"),
        (("tradeoff", "nowhere.csv"), 1, "there is no file"),
    ],
)
def test_bad_input_is_one_sentence(latente, table_csv, tmp_path, arguments, code, words):
    (tmp_path / "one.csv").write_text("\n".join(table_csv.read_text().splitlines()[:2]) + "\n")
    where = {"DATA": table_csv, "FOREIGN": tmp_path / "other", "ONE": tmp_path / "one.csv"}
    foreign(tmp_path / "other")
    default = () if "-o" in arguments else ("-o", tmp_path / "out")
    ended = latente(*(where.get(argument, argument) for argument in arguments), *default)
    assert ended.code == code
    assert words in " ".join(ended.err.split())
    assert not (tmp_path / "out").exists()


def test_another_law(latente, table_csv, table_run, tmp_path):
    run = shutil.copytree(table_run, tmp_path / "run")
    ended = latente("certify", run, table_csv, "--prior", "nearest")
    assert ended.code == 0 and not (run / "report.html").exists() and not (run / "figures").exists()
    assert "stores codes of training rows" in ended.err and "completeness C" in ended.out
    vae = lt.load(run / "model.safetensors")
    assert (
        vae.fitted_prior_.name == "nearest"
        and vae.codec_.container == lt.load(table_run / "model.safetensors").codec_.container
    )
    assert latente("certify", run, "--prior", "flow").code == 2
    assert "no prior for these codes called 'folw'" in latente("certify", run, table_csv, "--prior", "folw").sentence


def test_the_report_is_written_anew_with_another_law(latente, table_csv, table_run, tmp_path):
    run = tmp_path / "run"
    assert latente("fit", table_csv, "-o", run, "--max-epochs", "2", "--lang", "es").code == 0
    before = {path.name: path.read_bytes() for path in (run / "report.html", run / "figures/latent_map.png")}
    assert latente("certify", run, table_csv, "--prior", "nearest", "-q").code == 0
    report = (run / "report.html").read_text()
    assert '<html lang="es">' in report and "guarda códigos de datos" in report
    assert before["latent_map.png"] != (run / "figures/latent_map.png").read_bytes()
    assert any("stores codes" in note for note in json.loads((run / "metrics.json").read_text())["notes"])


def test_what_every_law_would_reach(latente, table_csv, table_run, tmp_path, monkeypatch):
    monkeypatch.setattr("latente.model.fitted_priors.FLOW_STEPS", 50)
    run = shutil.copytree(table_run, tmp_path / "run")
    before = (run / "model.safetensors").read_bytes()
    every = latente("certify", run, table_csv, "--prior", "all", "--json").json
    names = [each["name"] for each in every["priors"]]
    assert names[:2] == ["auto", "prior"] and {"gaussian", "mixture", "flow", "nearest"} <= set(names)
    assert "stores codes of rows" in latente("certify", run, table_csv, "--prior", "all").out
    assert (run / "model.safetensors").read_bytes() == before


def test_many_fits_are_ranked_on_a_page(latente, table_csv, tmp_path):
    out, fit = tmp_path / "out", ("--seeds", "2", "--max-epochs", "1", "--latent-dim", "2", "--lang", "es")
    ended = latente("compare", table_csv, "--recipes", "vae,autoencoder", *fit, "-o", out)
    assert ended.code == 0 and f"page: {out / 'compare.html'}" in ended.out
    assert "highest bound of log p: vae" in ended.out and "no density or there is no prior: autoencoder" in ended.out
    page = (out / "compare.html").read_text(encoding="utf-8")
    assert '<html lang="es">' in page and "Cota más alta de log p: vae" in page and "unidades activas" in page
    values = json.loads((out / "compare.json").read_text())
    assert set(values["recipes"]["vae"]) >= {"bound", "bound_error", "completeness", "continuity", "seconds", "differs"}
    unfitted = latente("compare", table_csv, "--recipes", "cvae", "--seeds", "1", "-o", tmp_path / "none")
    assert unfitted.code == 1 and "not fitted: cvae" in unfitted.out
    again = latente("compare", table_csv, "--recipes", "vae", "--budget", "1s", "-o", tmp_path)
    assert again.code == 1 and "nothing in it is touched" in again.err
