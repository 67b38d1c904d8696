"""``latente demo``: its figures, and that no sentence says what a figure beside it contradicts."""

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latente.certificate import Estimate
from latente.cli import demo
from latente.report import demonstration
from latente.report.demonstration import COMPARED, FORMS, Compared, beside, conclusion, difference, story, written_out
from latente.studies.generating import GAUSSIAN, PLACES, STANDARD, Decoded
from latente.words import texts

LOW, MIDDLE, HIGH = Estimate(0.55, 0.5, 0.6), Estimate(0.62, 0.52, 0.75), Estimate(0.93, 0.9, 0.95)
UNKNOWN = Estimate(float("nan"), reason="too few rows")
BETTER = {
    "en": r"^The (VAE|autoencoder) reconstructs|space of the (VAE|autoencoder) is more|"
    r"more pictures of the (VAE|autoencoder) are near|"
    r"and more for the (VAE|autoencoder)|fewer pictures of the VAE than of the (autoencoder)",
    "es": r"^El (VAE|autoencoder) reconstruye mejor|espacio del (VAE|autoencoder) es más|"
    r"más imágenes cercanas en el (VAE|autoencoder)|"
    r"y más en el (VAE|autoencoder)|menos imágenes del VAE que del (autoencoder)",
}
"""The model that a sentence calls better."""


class Figures(dict):
    """A certificate without verdicts, of which all figures are the same."""

    verdicts = ()

    def __missing__(self, name: str) -> Estimate:
        return self["all"]


def model(figure: Estimate, **others: Estimate) -> Compared:
    """A model, all whose figures are ``figure``, but for those that are named."""
    decoded = {
        place: Decoded(
            np.zeros((0, 14, 14)),
            np.zeros(0, bool),
            *(others.get(f"{name}_{place}", figure) for name in ("near", "density", "coverage")),
        )
        for place in PLACES
    }
    return Compared(None, np.zeros(0), np.zeros(0), decoded, figure, Figures(all=figure))


def numbers_in(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?%?", re.sub(r"N\(0, I\)|95%|255|1,000", "", text))


@pytest.mark.slow
def test_demo_compares_both_models_in_words_and_on_a_picture(latente, tmp_path, monkeypatch):
    monkeypatch.setitem(demo.FITTED, "max_epochs", 8)
    ended = latente("demo", "-o", tmp_path / "demo", "--seed", "1", "--lang", "es")
    assert ended.code == 0, ended.err
    for words in ("Autoencoder", "Variational autoencoder", "Look at", "latente sample", "near, from N(0, I)"):
        assert words in ended.out
    for figure in ("completeness C, from N(0, I)", "C ÷ upper bound", "continuity K", "problems found", "coverage"):
        assert figure in ended.out
    for run in ("autoencoder", "vae"):
        assert (tmp_path / "demo" / run / "model.safetensors").exists()
        assert (tmp_path / "demo" / run / "figures/samples.png").exists()
        assert (tmp_path / "demo" / run / "certificate.json").exists()
    assert str(tmp_path / "demo/report.html") in ended.out
    page = (tmp_path / "demo/report.html").read_text(encoding="utf-8")
    assert "¿De dónde salen los códigos nuevos?" in page and "Calidad del espacio latente" in page
    assert '<a href="explorer.html">' in page
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


def test_the_story_goes_by_the_intervals():
    assert difference(LOW, HIGH) == "above"
    assert difference(HIGH, LOW) == "below"
    assert difference(LOW, MIDDLE) == "alike"
    assert difference(UNKNOWN, LOW) == "unknown"


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("name", COMPARED)
def test_each_sentence_agrees_with_the_table_beside_it(name, lang):
    """Its numbers are those of the table, and the model that it calls better is the better one, with intervals apart."""
    scale = 100.0 if name == "error" else 1.0
    figures = [Estimate(*(scale * number for number in (each.value, each.low, each.high))) for each in (LOW, MIDDLE, HIGH)]
    for autoencoder, vae in itertools.product(figures, repeat=2):
        said = demonstration.compared(name, autoencoder, vae, texts(lang))
        cells = [written_out(name, figure).split()[0] for figure in (autoencoder, vae)]
        assert sorted(numbers_in(said)) == sorted(cells), said
        called = re.search(BETTER[lang], said)
        apart = vae.low > autoencoder.high or autoencoder.low > vae.high
        assert apart or not called, said
        if called:
            best = "VAE" if (vae.value > autoencoder.value) != (name == "error") else "autoencoder"
            assert next(filter(None, called.groups())) == best, said
        if apart and name != "near_standard":
            assert called, said


@pytest.mark.parametrize("lang", ["en", "es"])
def test_each_way_that_a_figure_may_turn_out_has_words_of_its_own(lang):
    pairs = [(LOW, HIGH), (HIGH, LOW), (LOW, MIDDLE), (UNKNOWN, LOW)]
    told = {demonstration.compared(name, *pair, texts(lang)) for name, pair in itertools.product(COMPARED, pairs)}
    assert len(told) == len(COMPARED) * len(pairs)
    assert not any(re.search(r"\d,\d(?!\d\d)", sentence) for sentence in told)


WRONG = {
    "the VAE is no better": ({"near_standard": HIGH}, {"near_standard": HIGH}),
    "the VAE is worse": ({"near_standard": HIGH}, {"near_standard": LOW}),
    "N(0, I) does not work for the VAE": ({"near_standard": Estimate(0.1, 0.05, 0.15)}, {"near_standard": MIDDLE}),
    "the autoencoder does not generate": (
        {"near_standard": LOW, "near_gaussian": Estimate(0.2, 0.1, 0.3)},
        {"near_standard": HIGH},
    ),
    "not known": ({"near_standard": UNKNOWN}, {"near_standard": HIGH}),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_lesson_is_not_claimed_where_the_figures_do_not_show_it(case):
    first, second = (model(MIDDLE, **figures) for figures in WRONG[case])
    say = texts("en")
    assert conclusion({"autoencoder": first, "vae": second}, say) == say("demo.not_shown")


def test_the_lesson_is_claimed_where_they_do():
    models = {"autoencoder": model(MIDDLE, near_standard=LOW), "vae": model(MIDDLE, near_standard=HIGH)}
    say = texts("en")
    assert conclusion(models, say) == say("demo.conclusion")
    section = beside(models, demonstration_panels(), say)
    rows = {row[0]: row[1:] for row in next(block for block in section.blocks if hasattr(block, "rows")).rows}
    assert rows["near, from N(0, I)"] == ("55% [50%, 60%]", "93% [90%, 95%]")
    assert len(rows) == len(FORMS) + 1
    assert len(story(models, say)) == len(COMPARED) + 1


def demonstration_panels():
    from matplotlib.figure import Figure

    return [Figure(figsize=(2, 1)).subplots()]


def test_the_picture_has_the_figures_of_the_table_and_frames_what_is_not_near():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (20, 14, 14)).astype(np.uint8)
    hits = np.arange(20) % 4 > 0
    digits = demonstration.Digits(pictures, np.arange(20) % 10, pictures, np.arange(20) % 10)
    one = model(LOW)
    decoded = {place: replace(found, rows=pictures, hits=hits) for place, found in one.decoded.items()}
    one = replace(one, codes=rng.normal(size=(20, 5)), rebuilt=pictures, decoded=decoded)
    panels = demonstration.draw({"autoencoder": one, "vae": one}, digits, texts("en"))
    assert len(panels) == 8
    assert "55% as near to real digits" in panels[1].get_title("left")
    assert len(panels[1].patches) == 4 and len(panels[2].patches) == 2
    assert demonstration.principal(np.diag([3.0, 2.0, 1.0])).shape == (3, 2)
    assert {STANDARD, GAUSSIAN} < set(one.decoded)


ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.es.md", "docs/index.md", "docs/lesson.md", "docs/es/index.md", "docs/es/leccion.md")


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_of_codes_from_the_prior_is_what_the_demo_measured(page):
    """Shares in sentences on N(0, I) and the autoencoder are those of ``docs/demo.json`` (``benchmarks.demo --readme``)."""
    recorded = json.loads((ROOT / "docs/demo.json").read_text("utf-8"))
    assert recorded.keys() == FORMS.keys()
    shares = {text.split()[0] for name, pair in recorded.items() if name.startswith("near") for text in pair.values()}
    prose = " ".join((ROOT / page).read_text("utf-8").split())
    said = [
        text for text in re.split(r"(?<=[.:;]) ", prose) if "N(0, I)" in text and re.search("autoencoder", text, re.IGNORECASE)
    ]
    assert {share for text in said for share in re.findall(r"\d+%", text)} <= {*shares, "95%"}, said


def test_the_recorded_figures_show_the_lesson():
    recorded = json.loads((ROOT / "docs/demo.json").read_text("utf-8"))
    share = {name: float(text.split("%")[0]) / 100 for name, text in recorded["near_standard"].items()}
    assert share["vae"] >= 0.9 and share["autoencoder"] <= 0.5
    assert float(recorded["near_gaussian"]["autoencoder"].split("%")[0]) >= 50
