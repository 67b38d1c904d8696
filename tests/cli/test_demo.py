"""``latente demo``."""

import pytest

from latente.cli import demo


@pytest.mark.slow
def test_demo_compares_both_models_in_words_and_on_a_picture(latente, tmp_path, monkeypatch):
    monkeypatch.setitem(demo.FITTED, "max_epochs", 10)
    ended = latente("demo", "-o", tmp_path / "demo", "--seed", "1", "--lang", "es")
    assert ended.code == 0, ended.err
    for words in ("Autoencoder", "Variational autoencoder", "nats or more", "Look at", "latente sample", "rarest digit"):
        assert words in ended.out
    for run in ("autoencoder", "vae"):
        assert (tmp_path / "demo" / run / "model.safetensors").exists()
        assert (tmp_path / "demo" / run / "figures/samples.png").exists()
        assert (tmp_path / "demo" / run / "certificate.json").exists()
    assert str(tmp_path / "demo/report.html") in ended.out
    page = (tmp_path / "demo/report.html").read_text(encoding="utf-8")
    assert "Qué añade un VAE a un autoencoder" in page and "Cuánto vale el espacio latente" in page
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
    assert len(digits.seen) + len(digits.unseen) == 1797
    assert demo.counted(digits.seen[:10], digits) == [1] * 10
