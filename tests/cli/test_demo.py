"""``latente demo``."""

import itertools
import re

import pytest

from latente.certificate import Estimate
from latente.cli import demo
from latente.words import texts

LOW, MIDDLE, HIGH = Estimate(0.55, 0.5, 0.6), Estimate(0.6, 0.5, 0.75), Estimate(0.8, 0.74, 0.85)


@pytest.mark.slow
def test_demo_compares_both_models_in_words_and_on_a_picture(latente, tmp_path, monkeypatch):
    monkeypatch.setitem(demo.FITTED, "max_epochs", 10)
    ended = latente("demo", "-o", tmp_path / "demo", "--seed", "1", "--lang", "es")
    assert ended.code == 0, ended.err
    for words in ("Autoencoder", "Variational autoencoder", "nats or more", "Look at", "latente sample", "rarest digit"):
        assert words in ended.out
    for figure in ("completeness C", "continuity K", "verdicts", "within 95%"):
        assert figure in ended.out
    for run in ("autoencoder", "vae"):
        assert (tmp_path / "demo" / run / "model.safetensors").exists()
        assert (tmp_path / "demo" / run / "figures/samples.png").exists()
        assert (tmp_path / "demo" / run / "certificate.json").exists()
    assert str(tmp_path / "demo/report.html") in ended.out
    page = (tmp_path / "demo/report.html").read_text(encoding="utf-8")
    assert "Qué agrega un VAE a un autoencoder" in page and "Calidad del espacio latente" in page
    explorer = (tmp_path / "demo/explorer.html").read_text(encoding="utf-8")
    assert "x-latente-pack" in explorer and str(tmp_path / "demo/explorer.html") in ended.out
    assert (tmp_path / "demo/demo.png").read_bytes().startswith(b"\x89PNG")


def test_demo_computes_nothing_where_it_can_not_write(latente, tmp_path):
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae/letter.txt").write_text("Dear mother")
    ended = latente("demo", "-o", tmp_path)
    assert ended.code == 1
    assert "neither empty nor a run folder" in ended.sentence
    assert not (tmp_path / "autoencoder").exists()


def test_the_digits_are_counted_by_the_nearest_one():
    digits = demo.Digits.load()
    assert len(digits.train) + len(digits.test) == 1797
    assert demo.counted(digits.train[:10], digits) == [1] * 10


def test_the_story_goes_by_the_intervals():
    assert demo.difference(LOW, HIGH) == "above"
    assert demo.difference(HIGH, LOW) == "below"
    assert demo.difference(HIGH, MIDDLE) == "alike"
    assert demo.difference(Estimate(float("nan"), reason="too few rows"), LOW) == "unknown"


def test_no_advantage_of_the_vae_is_claimed_that_its_figures_do_not_show():
    say = texts("en")
    assert "no clear difference" in demo.compared("completeness", HIGH, MIDDLE, say)
    worse = demo.compared("completeness", HIGH, LOW, say)
    assert worse.startswith("Here the space of the autoencoder is more complete") and "C = 0.80" in worse
    assert demo.compared("continuity", LOW, HIGH, say).startswith("The space of the VAE is more continuous")
    assert demo.compared("error", LOW, HIGH, say).startswith("The autoencoder reconstructs validation digits better")


@pytest.mark.parametrize("lang", ["en", "es"])
def test_each_way_that_a_figure_may_turn_out_has_words_of_its_own(lang):
    pairs = [(LOW, HIGH), (HIGH, LOW), (HIGH, MIDDLE), (Estimate(float("nan")), LOW)]
    told = {demo.compared(name, *pair, texts(lang)) for name, pair in itertools.product(demo.FIGURES, pairs)}
    assert len(told) == len(demo.FIGURES) * len(pairs)
    assert not any(re.search(r"\d,\d", sentence) for sentence in told)
