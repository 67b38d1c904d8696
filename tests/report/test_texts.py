"""The catalogues: the same keys and the same places in both languages, and a form for what the library says."""

import json
import re
from dataclasses import fields
from importlib.resources import files

import numpy as np
import pytest

import latente as lt
from latente.certificate import Estimate
from latente.certificate.certificate import LINES, ROW_LAW
from latente.certificate.information import WORSE_THAN_MEAN
from latente.certificate.verdicts import RANDOM_PLACES, Kind, verdicts
from latente.data import read
from latente.data.codecs import fit_codec
from latente.words import language, speaking, texts, word
from latente.training.diagnosis import FREE_THE_CODE, ONE_BY_ONE, TRAIN_THE_CODE

SPANISH = json.loads((files("latente.report") / "catalogue" / "es.json").read_text("utf-8"))


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text.replace("{{", "").replace("}}", "")))


def test_both_languages_have_the_same_keys_and_places():
    english, spanish = texts("en").entries, texts("es").entries
    assert english.keys() == spanish.keys()
    assert {key: places(text) for key, text in english.items()} == {key: places(text) for key, text in spanish.items()}
    assert all(text.strip() for text in [*english.values(), *spanish.values()])


def test_every_figure_of_the_certificate_has_a_line_in_spanish():
    assert SPANISH["certificate"].keys() == LINES.keys()


@pytest.mark.parametrize(("english", "form"), SPANISH["said"])
def test_a_sentence_keeps_what_is_filled_in(english, form):
    assert places(english) == places(form)
    filled = english.format(**{name: f"<{name}>" for name in places(english)})
    assert texts("es").said(filled) == form.format(**{name: f"<{name}>" for name in places(english)})


def test_several_values_in_a_sentence_are_told_apart():
    assert texts("es").said("'x' or 'y' or 'z'") == "'x' or 'y' or 'z'"  # no sentence of two quotes
    assert texts("es").said("'yes' or 'no'; 'a' or 'b'") == "'yes' o 'no'; 'a' o 'b'"
    assert texts("es").said("a and 3 more") == "a y 3 más"


def test_what_is_said_in_english_stays():
    assert texts("en").said("a running number") == "a running number"


ALIKE = "rows and rows of shuffled columns are nearly alike (contrast 0.02, of which it takes 0.1): "
GRAVE = {
    "no structure found": {
        "completeness": Estimate(np.nan, reason=f"{ALIKE}there is no structure to be complete in"),
        "gain": Estimate(-0.1, -0.3, 0.1),
    },
    "collapsed": {"mutual_information": Estimate(0.01), "active_units": Estimate(0.0), "completeness": Estimate(0.0, 0.0, 0.0)},
    "copies rows": {"copying": Estimate(-9.0), "nearer_to_training": Estimate(0.8, 0.7, 0.9), "exact_copies": Estimate(0.1)},
    "holes": {
        "prior_holes": Estimate(0.5, 0.4, 0.6),
        "completeness": Estimate(0.2, 0.1, 0.3),
        "completeness_ceiling": Estimate(0.9, 0.8, 1.0),
        "completeness_law": Estimate(0.4, 0.3, 0.5),
        "mutual_information": Estimate(2.0),
    },
    "overfits": {"gap": Estimate(2.0, 1.0, 3.0), "gain": Estimate(1.0, 0.5, 1.5), "mutual_information": Estimate(2.0)},
    "no better than PCA": {
        "information_kept": Estimate(0.4),
        "information_kept_pca": Estimate(0.5),
        "information_beyond_pca": Estimate(-0.1, -0.2, -0.05),
        "completeness": Estimate(0.2),
        "completeness_pca": Estimate(0.3),
        "completeness_beyond_pca": Estimate(-0.1, -0.2, -0.05),
    },
    "keeps less than PCA": {
        "information_kept": Estimate(0.2, 0.1, 0.3),
        "information_kept_pca": Estimate(0.5, 0.4, 0.6),
        "information_beyond_pca": Estimate(-0.3, -0.4, -0.2),
        "completeness": Estimate(0.6),
        "completeness_pca": Estimate(0.3),
        "completeness_beyond_pca": Estimate(0.3, 0.2, 0.4),
    },
}


@pytest.mark.parametrize("name", GRAVE)
def test_every_verdict_has_a_spanish_form(name):
    found = {verdict.name: verdict for verdict in verdicts(GRAVE[name])}
    assert name in found
    for field in fields(found[name]):
        said = getattr(found[name], field.name)
        assert texts("es").said(said) != said


@pytest.mark.parametrize("kind", [Kind(stochastic=False), Kind(row_law=True)], ids=["autoencoder", "law of the rows"])
@pytest.mark.parametrize("name", GRAVE)
def test_so_have_the_remedies_of_other_kinds_of_model(name, kind):
    (found,) = [verdict for verdict in verdicts(GRAVE[name], kind) if verdict.name == name]
    assert texts("es").said(found.remedy) != found.remedy
    if name == "holes":
        clear = {**GRAVE[name], "completeness_law": Estimate(0.85, 0.8, 0.9), RANDOM_PLACES: Estimate(0.5, 0.4, 0.6)}
        (found,) = [verdict for verdict in verdicts(clear, kind) if verdict.name == name]
        assert texts("es").said(found.remedy) != found.remedy
        assert texts("es").said(found.evidence) != found.evidence


def test_what_is_kept_below_nothing_has_a_spanish_form():
    (found,) = verdicts({**GRAVE["no better than PCA"], "information_kept": Estimate(-0.1)})
    for said in (found.evidence, WORSE_THAN_MEAN, ROW_LAW):
        assert texts("es").said(said) != said


WARNED = (
    "and a linear model finds none either",
    "and no two columns are related (a correlation above 0.2 would have been seen)",
)
MISSED = ("yet a linear model finds structure", "yet its columns depend on one another",
          "and 1,200 rows are too few to tell whether there is structure")  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        *(f"no structure found: 1 of 20 units of the code are active, {against}; {ONE_BY_ONE}" for against in WARNED),
        *(f"collapsed: the code holds 0.01 nats about a row, {told}; {FREE_THE_CODE}" for told in MISSED),
        f"no structure found: {WARNED[1].removeprefix('and ')}; {ONE_BY_ONE}",
        f"collapsed: 0 of 4 units of the code are active, {MISSED[1]}; {TRAIN_THE_CODE}",
        str(verdicts(GRAVE["overfits"])[0]),
    ],
)
def test_what_a_fit_warns_of_is_wholly_spanish(said):
    english = re.compile(r"\b(the|of|and|yet|its|than|rows|columns|with|more|held-out|code|are)\b")
    assert not english.search(texts("es").said(said))


def test_reasons_and_notes_of_a_table_have_a_spanish_form():
    pandas = pytest.importorskip("pandas")
    rng, n = np.random.default_rng(0), 60
    table = {
        "whole": rng.integers(0, 5, n),
        "counted": rng.integers(0, 500, n),
        "free": rng.normal(size=n),
        "step": rng.integers(1, 99, n) / 4,
        "often": np.where(rng.random(n) < 0.5, 0.0, rng.normal(size=n)),
        "text": rng.choice(["a", "b", "c"], n),
        "two": rng.choice(["a", "b"], n),
        "bit": rng.integers(0, 2, n),
        "id": np.arange(n),
        "name": [f"row {k}" for k in range(n)],
        "same": ["x"] * n,
        "none": [np.nan] * n,
        "day": rng.permutation(pandas.date_range("2020-01-01", periods=n)),
        "stamp": pandas.date_range("2020-01-01", periods=n),
        "flag": np.where(rng.random(n) < 0.5, "yes", None),
    }
    codec = fit_codec(read(pandas.DataFrame(table)))
    for said in (*codec.reasons, *codec.notes):
        assert texts("es").said(said) != said
    for kind in codec.kinds:
        assert texts("es")(f"kind.{kind}")


def test_numbers_are_written_as_the_language_does():
    assert texts("es").amount("0.5 [-1,000.25, 2]") == "0,5 [−1\u202f000,25; 2]"
    assert texts("en").amount("0.5 [-1,000.25, 2]") == "0.5 [−1,000.25, 2]"


def test_the_language_is_that_of_the_locale():
    assert language({"LC_MESSAGES": "es", "LANG": "en_GB.UTF-8"}) == "es"
    assert language({"LANG": "est_EE.UTF-8"}) == "en"


def test_figures_speak_the_language_that_is_set_and_english_again():
    with speaking("es"):
        assert word("rebuilt") == "rehecho"
    assert word("rebuilt") == "rebuilt"
    with pytest.raises(lt.ModelError, match="there are no texts in 'xx'"):
        texts("xx")


def test_sentences_have_their_numbers_in_the_language() -> None:
    said = texts("es").sentence("of random places, these fall where codes hardly ever are: 0.15")
    assert "0,15" in said
    assert texts("es").sentence("'1.5' has 2.5") == "'1.5' has 2,5"
