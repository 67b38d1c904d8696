"""The report of every kind of data and model: complete, escaped, in both languages, and never lost to one of its parts."""

import re
import sys
import warnings
from html import escape
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import latente as lt
from latente.report import quantities, scenes
from latente.report.report import write_report
from latente.report.report_data import ReportData
from latente.words import texts
from tests.report.test_page import Read

EVIL = "<script>alert('a')</script>"
PARTS = (
    "data",
    "training",
    "rebuilt",
    "map",
    "dimensions",
    "density",
    "walk",
    "samples",
    "anomalies",
    "certificate_part",
    "next",
)


def quietly(vae, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)  # so short a fit finds next to nothing
        return vae.fit(data)


def written(vae, data, path, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's own
        html = write_report(vae, data, path / "report.html", **how).read_text(encoding="utf-8")
    return html, Read(html)


def complete(html, read, lang="en"):
    """All parts are there, none failed, and nothing is asked for."""
    say = texts(lang)
    assert say("page.failed", why="").split(":")[0] not in read.text
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", html)
    assert [headings.count(escape(say(f"{name}.title"))) for name in PARTS] == [1] * len(PARTS)
    assert not read.open
    assert not read.all("script", "link", "iframe")
    assert not re.search(r"(src|href)=\"?(https?:|//)|url\((?!#)", html)
    assert all(svg["aria-label"] for svg in read.all("svg"))
    return True


@pytest.fixture(scope="module")
def mixed():
    """80 rows: numbers with holes, texts, dates, a constant column and one that names rows, with evil names and texts."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    place = rng.normal(size=80)
    return pandas.DataFrame({
        EVIL: place + 0.1 * rng.normal(size=80),
        "$price$ & tax": np.where(rng.random(80) < 0.2, np.nan, 3 * place),
        "colour": np.where(place > 0, EVIL, "blue"),
        "town": np.array(["a", "b", "c", None], object)[rng.integers(0, 4, 80)],
        "day": pandas.Timestamp("2020-01-01") + pandas.to_timedelta((100 * place).round(), "D"),
        "took": pandas.to_timedelta((60 * (place + 4)).round(), "min"),
        "same": 7.5,
        "name": [f"row {k}" for k in range(80)],
    })  # fmt: skip


@pytest.fixture(scope="module")
def fitted_mixed(mixed):
    return quietly(lt.VAE(max_epochs=3, latent_dim=3, random_state=0), mixed)


@pytest.mark.parametrize("lang", ["en", "es"])
def test_a_mixed_table(fitted_mixed, mixed, tmp_path, lang):
    html, read = written(fitted_mixed, mixed, tmp_path, lang=lang, certificate=None, source=f"{EVIL}.csv", run=f"run {EVIL}")
    assert complete(html, read, lang)
    assert read.all("html")[0]["lang"] == lang
    assert read.text.count(EVIL) > 10
    assert "$price$ & tax" in read.text
    assert texts(lang)("kind.constant") in read.text and texts(lang)("kind.identifier") in read.text
    assert "2020-" in read.text and "took (h)" in read.text and re.search(r"\b\d:\d\d:00", read.text)
    assert "latente impute" in read.text
    assert "NaT" not in read.text and "None" not in read.text


def test_a_table_of_numbers_with_its_certificate(fitted_table, table, tmp_path):
    html, read = written(fitted_table, table, tmp_path, source="cells.csv", run="cells")
    assert complete(html, read)
    assert "cells.csv: report on its latent space" in read.text
    assert "completeness C" in read.text and "prior holes" in read.text
    assert "latente sample cells -n 1000" in read.text
    assert "latente impute" not in read.text
    assert "latente certify cells  " in read.text and "latente certify cells cells.csv" not in read.text
    assert len(html) < 2_500_000


def test_without_a_certificate_the_command_names_the_data(fitted_digits, digits, tmp_path):
    read = written(fitted_digits, digits, tmp_path, certificate=None, source="digits.npy", run="digits")[1]
    assert "latente certify digits digits.npy" in read.text


def test_pictures_with_what_is_known_of_them(fitted_digits, digits, tmp_path):
    known = {"which <i>": np.arange(len(digits)) % 10}
    html, read = written(fitted_digits, digits, tmp_path, lang="es", colours=known, certificate=None)
    assert complete(html, read, "es")
    assert "which <i>" in read.text
    assert "8 × 8 píxeles" in read.text
    assert texts("es")("anomalies.caption_pictures") in read.text


def test_an_autoencoder_says_that_it_has_no_density(digits, tmp_path):
    ae = lt.Autoencoder(max_epochs=2, latent_dim=2, random_state=0).fit(digits[:200])
    html, read = written(ae, digits[:200], tmp_path, certificate=None)
    assert complete(html, read)
    assert texts()("density.none") in read.text


@pytest.mark.parametrize("target", ["numbers", "mixed"])
def test_a_code_of_one_dimension(table, mixed, tmp_path, target):
    data = table[:, :4] if target == "numbers" else mixed
    vae = quietly(lt.VAE(max_epochs=2, latent_dim=1, random_state=0), data)
    assert complete(*written(vae, data, tmp_path, certificate=None))


def test_without_held_out_rows_the_certificate_says_why(table, tmp_path):
    vae = lt.VAE(max_epochs=2, validation_fraction=0, random_state=0).fit(table[:, :3])
    html, read = written(vae, table[:, :3], tmp_path, lang="es")
    assert complete(html, read, "es")
    assert texts("es")("certificate_part.no_held_out") in read.text
    assert texts("es")("data.all_rows", rows=len(table)) in read.text


def test_a_part_that_fails_leaves_the_others(fitted_table, table, tmp_path, monkeypatch):
    def broken(shown):
        raise ZeroDivisionError("no luck")

    monkeypatch.setitem(scenes.SCENES, "reconstructions", broken)
    read = Read(write_report(fitted_table, table, tmp_path / "r.html", certificate=None).read_text())
    assert "This part could not be made: ZeroDivisionError: no luck." in read.text
    assert texts()("samples.title") in read.text


def test_of_many_rows_some_are_shown():
    rows = np.random.default_rng(0).normal(size=(9000, 2)) @ np.array([[1, 2, 0.5], [0, 1, -1]])
    vae = lt.VAE(max_epochs=1, latent_dim=2, random_state=0).fit(rows)
    shown = ReportData(vae, rows, {"place": np.arange(9000)})
    assert len(shown.data) == 2000
    assert np.array_equal(rows[shown.numbers], shown.data.values)
    assert np.array_equal(shown.given["place"], shown.numbers)


def test_holes_are_where_no_code_is(table):
    vae = lt.VAE(max_epochs=12, validation_fraction=0.2, random_state=0).fit(table)
    shown = ReportData(vae, table)
    far = 50 * np.ones((5, vae.latent_dim_), np.float32)
    assert shown.occupancy.in_holes(torch.from_numpy(far)).all()
    assert shown.occupancy.in_holes(shown.posterior.loc).mean() < 0.05


def titles_of(panels):
    return [panel.get_title("left") or panel.get_title() for panel in panels]


def test_holes_are_not_told_by_few_rows_and_their_share_is_that_of_the_certificate(fitted_table, table):
    few = ReportData(fitted_table, table)
    assert few.occupancy.in_holes(few.priors["prior"]) is None
    assert titles_of(scenes.posterior_against_priors(few)) == ["prior N(0, I)", "fitted prior"]
    vae = lt.VAE(max_epochs=12, validation_fraction=0.2, random_state=0).fit(table)
    certificate = vae.certificate()
    titles = titles_of(scenes.posterior_against_priors(ReportData(vae, table), certificate))
    assert titles[0] == f"prior N(0, I): {certificate['prior_holes'].value:.0%} in holes"


def test_the_same_report_is_the_same_file(fitted_digits, digits, tmp_path):
    paths = [write_report(fitted_digits, digits, tmp_path / f"{k}.html", certificate=None) for k in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_it_is_public_and_refuses_other_languages(fitted_table, table, tmp_path):
    with pytest.raises(lt.ModelError, match="no texts"):
        lt.write_report(fitted_table, table, tmp_path / "r.html", lang="xx", certificate=None)
    assert not list(tmp_path.iterdir())


def test_the_results_come_first_and_the_long_table_is_folded(fitted_table, table, tmp_path):
    certificate = fitted_table.certificate()
    html = written(fitted_table, table, tmp_path, certificate=certificate, explorer="explorer.html")[0]
    top = html[html.index("<main>") : html.index("<nav")]
    assert f"explain {certificate['information_kept'].value:.0%}" in top
    reached, share = (certificate[f"completeness{name}"].value for name in ("", "_share"))
    assert f"C = {reached:.2f}, where 1 is as much as other real rows. This C is {share:.0%} of what" in top
    assert top.index("explain") < top.index("cards") and '<a href="explorer.html">' in top
    assert len(re.findall("<details>", html)) == 1 and html.index("<details>") > html.index("Latent-space quality")
    folded = html[html.index("<details>") : html.index("</details>")]
    assert folded.count("<tr>") > 40


def test_alternative_texts_say_the_results(fitted_table, table, tmp_path):
    certificate = fitted_table.certificate()
    _, read = written(fitted_table, table, tmp_path, certificate=certificate)
    told = [svg["aria-label"] for svg in read.all("svg")]
    assert len(set(told)) == len(told) - 2, "two maps have the same result, and two figures of generated columns"
    shown = ReportData(fitted_table, table)
    name, share = next(iter(shown.explained.items()))
    assert f"The position on the map explains {share:.0%} of the variance of {name}, more than of any other value." in told
    assert (
        f"Completeness C = {certificate['completeness'].value:.2f}, continuity K = {certificate['continuity'].value:.2f}."
        in told
    )
    judged = shown.data.take(range(len(quantities.strange(shown).scores)))
    compared = fitted_table.compare_detectors(judged)
    assert texts()("rivals.rows") in read.text and texts().said(compared.verdict)[1:] in read.text
    assert all(f"{r:.2f}" in read.text for r in np.asarray(compared.agreement["rank_correlation"]))
    assert [text for text in told if not re.search(r"\d", text)] == [texts()("density.alt_plain")], "57 rows show no holes"


def test_labels_colour_the_maps(fitted_digits, digits, tmp_path):
    kinds = np.array(["odd", "even"], object)[(np.arange(len(digits)) % 2 == 0).astype(int)]
    shown = ReportData(fitted_digits, digits, {"parity": kinds})
    assert set(shown.given["parity"]) == {"odd", "even"}
    assert scenes.latent_maps(shown)[0].get_title("left") == "parity"
    legend = scenes.beside_pca(shown)[-1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["even", "odd"]


def test_umap_is_beside_pca_where_it_is_installed(fitted_digits, digits, monkeypatch):
    class Reducer:
        def __init__(self, **settings):
            assert settings["random_state"] == 0

        def fit_transform(self, values):
            return values[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Reducer, __spec__=ModuleSpec("umap", None)))
    found = quantities.maps(ReportData(fitted_digits, digits[:50]))
    assert [*found][1:] == ["PCA", "UMAP"] and found["UMAP"].shape == (50, 2)


def test_quantities_are_those_of_the_model(fitted_table, table):
    shown = ReportData(fitted_table, table)
    held = shown.posterior
    assert quantities.kl(shown).shape == (fitted_table.latent_dim_,)
    variance = held.deviation.square()
    rate = 0.5 * (held.code.square() + variance - 1 - variance.log()).sum(1).mean()
    assert quantities.kl(shown).sum() == pytest.approx(float(rate), rel=1e-5)
    found = quantities.rebuilt(shown)
    again = fitted_table.fitted_.values(fitted_table.reconstruct(shown.data.take([3]))).x.numpy()
    truth = shown.encoded.x[3:4].numpy()
    assert found.errors[3] == pytest.approx((np.abs(again - truth) / quantities.deviations(shown))[0], abs=1e-3)
    strange = quantities.strange(shown)
    some = shown.data.take(range(len(strange.scores)))
    assert strange.scores == pytest.approx(np.asarray(fitted_table.anomalies(some)["anomaly"], float), rel=1e-6)
    assert (strange.scores >= 0).mean() < 0.2 and (strange.surprise >= 0).all()
    moved = quantities.traversed(shown)
    assert len(moved) == min(8, fitted_table.latent_dim_) and set(moved[0]) == set(shown.names)
    assert all(abs(values.mean()) < 1e-6 for values in moved[0].values())


@pytest.mark.filterwarnings("ignore::latente.errors.LatenteWarning")  # so few windows give no small p-values
def test_windows_of_series(tmp_path):
    pandas = pytest.importorskip("pandas")
    wave = np.sin(np.arange(300) / 4) + 0.1 * np.random.default_rng(0).normal(size=300)
    frame = pandas.DataFrame({"when": pandas.date_range("2024-01-01", periods=300, freq="h"), "a": wave, "b": 3 - wave})
    vae = lt.VAE(time="when", window=12, stride=6, max_epochs=2, latent_dim=3, effort="quick", random_state=0).fit(frame)
    say, path = texts("es"), tmp_path / "report.html"
    read = Read(write_report(vae, frame, path, lang="es", certificate=None).read_text(encoding="utf-8"))
    assert say("page.failed", why="").split(":")[0] not in read.text
    assert say("rebuilt.caption_errors_windows") in read.text and say("anomalies.title") in read.text
    assert say("anomalies.none") not in read.text
