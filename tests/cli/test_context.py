"""A run with a context: its column is read from the file, and what describes one context says which."""

import csv

import numpy as np
import pytest

from tests.cli.helpers import QUICK


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    random = np.random.default_rng(0)
    label = random.choice(["a", "b"], 200)
    x = random.normal(size=(200, 3)) + np.where(label == "a", 4.0, -4.0)[:, None]
    path = tmp_path_factory.mktemp("context") / "clusters.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["u", "v", "w", "label"], *([*row, name] for row, name in zip(x.round(4), label, strict=True))]
        )
    return path


@pytest.fixture(scope="module")
def run(latente, data):
    folder = data.with_name("run")
    assert latente("fit", data, "--context", "label", "-o", folder, "--latent-dim", "2", *QUICK).code == 0
    return folder


@pytest.mark.parametrize("command", ["encode", "reconstruct", "denoise", "impute", "anomalies"])
def test_the_context_of_rows_is_a_column_of_their_file(latente, run, data, tmp_path, command):
    out = tmp_path / "out.csv"
    assert latente(command, run, data, "-o", out).code == 0
    assert len(out.read_text().splitlines()) == 201


def test_a_file_without_the_column_is_refused(latente, run, data, tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("u,v,w\n1,2,3\n")
    assert "label" in latente("encode", run, bare, "-o", tmp_path / "out.csv").sentence


def test_a_certificate_of_one_context(latente, run, data):
    assert "--context label=…" in latente("certify", run, data).sentence
    assert "--context goes with DATA" in latente("certify", run, "--context", "label=a").sentence
    found = latente("certify", run, data, "--context", "label=a", "--json").json
    assert 50 < found["about"]["rows"] + found["about"]["held_out_rows"] < 150
    assert not (run / "certificate.json").exists()


def test_a_page_of_one_context(latente, run, data, tmp_path):
    page = tmp_path / "page.html"
    assert "--context label=…" in latente("export", run, page).sentence
    assert latente("export", run, page, "--context", "label=a", "--with-rows", data).code == 0
    assert page.stat().st_size > 100_000
    assert "no row is in the context" in latente("export", run, page, "--context", "label=a", "--data", _only_b(data)).sentence


def _only_b(data):
    path = data.with_name("b.csv")
    path.write_text("".join(line for line in data.read_text().splitlines(keepends=True) if not line.rstrip().endswith(",a")))
    return path
