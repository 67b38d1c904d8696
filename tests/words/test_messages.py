"""Messages: the same keys and values in each language, all of them used, and sentences that can be read."""

import ast
import copy
import json
import pickle
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Formatter

import numpy as np
import pytest

import latente as lt
from latente.certificate import Certificate, Estimate
from latente.certificate.certificate import LINES
from latente.certificate.verdicts import RANDOM_PLACES, Kind, verdicts
from latente.data import read
from latente.data.codecs import codec_from_state, fit_codec
from latente.words import LANGUAGES, Message, Texts, amount, language, number, said, some, speaking, texts, word

MAX_WORDS = 30
PLAIN = {"en": {"the", "of", "and", "rows", "columns"}, "es": {"el", "la", "de", "los", "las", "filas", "columnas"}}
# Phrases of the vocabulary that are to be said in another way.
AVOIDED = {
    "en": (
        r"of which", r"told of", r"what is given", r"\blaws?\b(?!=)", r"\bcells?\b", r"one another's", r"\bwhat went in\b",
        r"in place of", r"hardly ever", r"\bstretch", r"learnt from", r"held-out", r"that a .* costs", r"to object to",
        r"by as many principal components", r"\btold\b", r"would save", r"lies? beyond", r"running (time|number)",
        r"\bceiling\b", r"hole \(", r"\bcalm\b", r"says? (most )?of a row",
    ),
    "es": (
        r"\bley(es)?\b", r"sorte(o|ad|ar)", r"apartad[oa]s?\b", r"estirad|estiramiento", r"\bReparto\b", r"\bMandos\b",
        r"objetar", r"Qué entró", r"línea de órdenes", r"\bdecoder\b", r"\bencoder\b", r"rehech", r"\bceldas?\b", r"\bprior\b",
        r"\d,\d(?!\d\d)", r"desviación típica", r"una nube", r"cuesta",
    ),
}  # fmt: skip


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.;:?!])\s|\n|[()]", re.sub(r"\{[^}]*\}", "x", text))


def whole_sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!])\s|\n", re.sub(r"\{[^}]*\}", "x", text))


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"\{\w+", "", text).lower()))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_languages_have_the_same_keys_and_values(lang: str) -> None:
    english, other = texts("en").entries, texts(lang).entries
    assert english.keys() == other.keys()
    assert {key: fields(text) for key, text in english.items()} == {key: fields(text) for key, text in other.items()}
    assert all(text.strip() for text in other.values())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sentences_are_short_and_avoid_what_the_vocabulary_replaces(lang: str) -> None:
    for key, text in texts(lang).entries.items():
        assert max(len(sentence.split()) for sentence in whole_sentences(text)) <= MAX_WORDS, (key, text)
        said_to_people = re.sub(r"\{[^}]*\}|prior='\w+'|--prior", "", text)
        assert not [phrase for phrase in AVOIDED[lang] if re.search(phrase, said_to_people)], (key, text)


def test_no_text_was_left_in_the_other_language() -> None:
    english, spanish = texts("en").entries, texts("es").entries
    for key, text in english.items():
        words = words_of(spanish[key])
        assert not words & PLAIN["en"] and (len(words) < 4 or spanish[key] != text), (key, spanish[key])
        assert not words_of(text) & PLAIN["es"], (key, text)


def keys_in_code() -> Iterator[re.Pattern[str]]:
    """A pattern for each text of the source, and for each text with values, that may be a key or its end."""
    root = files("latente")
    for path in Path(str(root)).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [re.escape(p.value) if isinstance(p, ast.Constant) else r"[\w.]*" for p in node.values]
                if any(isinstance(p, ast.Constant) and re.search(r"\w", str(p.value)) for p in node.values):
                    yield re.compile(r"(?:.*\.)?" + "".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.]+", node.value):
                yield re.compile(r"(?:.*\.)?" + re.escape(node.value))
    page = (root / "report" / "page.html.jinja").read_text("utf-8")
    yield from (re.compile(re.escape(key)) for key in re.findall(r"say\(['\"]([\w.]+)", page))


def test_each_key_is_used() -> None:
    found = list({pattern.pattern: pattern for pattern in keys_in_code()}.values())
    assert not [key for key in texts().entries if not any(pattern.fullmatch(key) for pattern in found)]


def test_each_message_of_the_code_has_a_text_with_its_values() -> None:
    count = 0
    for path in Path(str(files("latente"))).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Message" and node.args):
                continue
            values = [n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)]
            keys = [value for value in values if re.fullmatch(r"[a-z]\w*(\.\w+)+", str(value))]
            for key in keys if isinstance(node.args[0], ast.Constant | ast.IfExp) else ():
                given = {keyword.arg for keyword in node.keywords}
                assert key in texts().entries, (path, key)
                assert None in given or fields(texts().entries[key]) == given, (path, key, given)
                count += 1
    assert count > 100


@pytest.fixture(scope="module")
def example() -> Message:
    parts = [Message("verdict.copies.exact", share=0.25), Message("list.commas", parts=some(map(str, range(12))))]
    reason = Message("list.semicolons", parts=parts)
    return Message("reason.unknown", reason=Message("verdict.line", name="a", evidence=reason, remedy=Message.plain("b")))


def test_a_message_is_its_english_text_and_says_itself_in_spanish(example: Message) -> None:
    assert example == "not known: a: 25% are training rows; 0, 1, 2, 3, 4, 5, 6, 7 and 4 more; b"
    assert example.said("es") == said(example, "es") == texts("es").said(example)
    assert example.said("es") == "se desconoce: a: el 25% son datos de entrenamiento; 0, 1, 2, 3, 4, 5, 6, 7 y 4 más; b"
    assert said("a text of the user", "es") == "a text of the user"


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), copy.copy], ids=["deep", "pickle", "copy"]
)
def test_a_copy_is_a_message(example: Message, copied) -> None:
    assert copied(example).said("es") == example.said("es")


def test_a_message_goes_through_json(example: Message) -> None:
    again = Message.from_json(json.loads(json.dumps(example.to_json(), allow_nan=False)))
    assert again == example and again.said("es") == example.said("es")
    values = Message("reason.at_least", n=np.int64(1000), cap=np.float64(np.nan))
    assert json.loads(json.dumps(values.to_json(), allow_nan=False))["values"] == {"n": 1000, "cap": None}
    assert Message.from_json(values.to_json()) == values


@pytest.mark.parametrize(
    "changed",
    [{"key": "no.such.key"}, {"values": {}}, {"values": {"reason": [[{"x": 1}]]}}, {"key": 3}, {"values": 3}],
)  # fmt: skip
def test_a_key_that_this_version_lacks_is_said_in_english(example: Message, changed: dict) -> None:
    again = Message.from_json({**example.to_json(), **changed})
    assert again == example and again.said("es") == example


@pytest.mark.parametrize("stored", [3, None, ["a"], {"key": "reason.no_rows", "values": {}}, {"text": 3}])
def test_what_is_no_message_is_refused(stored: object) -> None:
    with pytest.raises(ValueError, match="must be a text"):
        Message.from_json(stored)


def test_old_texts_stay_as_they_are() -> None:
    old = Message.from_json("a running number")
    assert old == "a running number" == old.said("es") == old.to_json()


ALIKE = Message("reason.alike", contrast=0.02, least=0.1)
GRAVE = {
    "no structure found": {"completeness": Estimate(np.nan, reason=ALIKE), "gain": Estimate(-0.1, -0.3, 0.1)},
    "collapsed": {"mutual_information": Estimate(0.01), "active_units": Estimate(0.0), "completeness": Estimate(0.0, 0.0, 0.0)},
    "copies rows": {"copying": Estimate(-9.0), "nearer_to_training": Estimate(0.8, 0.7, 0.9), "exact_copies": Estimate(0.1)},
    "holes": {
        "prior_holes": Estimate(0.5, 0.4, 0.6),
        "completeness": Estimate(0.2, 0.1, 0.3),
        "completeness_ceiling": Estimate(0.9, 0.8, 1.0),
        "completeness_fitted_prior": Estimate(0.4, 0.3, 0.5),
        "mutual_information": Estimate(2.0),
    },
    "overfits": {"gap": Estimate(2.0, 1.0, 3.0), "gain": Estimate(1.0, 0.5, 1.5), "mutual_information": Estimate(2.0)},
    "no better than PCA": {
        "information_kept": Estimate(-0.1),
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
KINDS = {"VAE": Kind(), "autoencoder": Kind(stochastic=False), "row model": Kind(row_model=True)}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", GRAVE)
def test_every_verdict_is_said_in_spanish(name: str, kind: Kind) -> None:
    for more in ({}, {RANDOM_PLACES: Estimate(0.5, 0.4, 0.6), "completeness_fitted_prior": Estimate(0.85, 0.8, 0.9)}):
        (found,) = [verdict for verdict in verdicts({**GRAVE[name], **more}, kind) if verdict.name == name]
        for part in (found.name, found.evidence, found.remedy):
            assert not words_of(said(part, "es")) & PLAIN["en"]


def test_a_certificate_keeps_its_messages() -> None:
    """Stored and read again, it can be said in Spanish; one that was stored before says what it said."""
    figures = {**GRAVE["no structure found"], "continuity": Estimate(0.5, reason=Message("reason.quantile"))}
    about = {"recipe": "vae", "latent_dim": 2, "rows": 9, "held_out_rows": 1}
    stored = json.loads(Certificate(about, figures, verdicts(figures)).to_json())
    again = Certificate.from_dict(json.loads(json.dumps(stored)))
    assert again["completeness"].reason.said("es") == ALIKE.said("es")
    assert str(again.verdicts[0].message.said("es")).startswith("no se encontró estructura: ")
    assert stored["completeness"]["reason"] == ALIKE and stored["verdicts"][0]["name"] == "no structure found"
    for values in (stored["completeness"], stored["continuity"], *stored["verdicts"]):
        del values["messages"]
    old = Certificate.from_dict(stored)
    assert str(old.verdicts[0]) == str(again.verdicts[0]) and old["completeness"].reason == ALIKE


@pytest.mark.parametrize("messages", [{"reason": 3}, {"other": "text"}, 3], ids=["no message", "of nothing", "no mapping"])
def test_a_certificate_with_damaged_messages_is_refused(messages: object) -> None:
    about = {"recipe": "vae", "latent_dim": 2, "rows": 9, "held_out_rows": 1}
    stored = {**Certificate(about, {"gain": Estimate(np.nan, reason=ALIKE)}, ()).to_dict()}
    stored["gain"] = {**stored["gain"], "messages": messages}
    with pytest.raises(lt.StorageError, match="damaged or was altered"):
        Certificate.from_dict(stored)


@pytest.fixture(scope="module")
def table():
    pandas = pytest.importorskip("pandas")
    rng, n = np.random.default_rng(0), 60
    return pandas.DataFrame(
        {
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
    )


def test_a_stored_codec_says_its_reasons_and_notes_in_spanish(table) -> None:
    codec = fit_codec(read(table))
    plain, arrays = codec.to_state()
    again = codec_from_state(json.loads(json.dumps(plain)), arrays)
    assert again.notes == codec.notes and again.reasons == codec.reasons and len(codec.notes) > 4
    for text in (*again.reasons, *again.notes):
        assert text.said("es") != text or re.fullmatch(r"[\W\d]*", text), text
    for kind in codec.kinds:
        assert texts("es")(f"kind.{kind}")
    old = {**plain, "notes": list(map(str, codec.notes)), "reasons": list(map(str, codec.reasons))}
    assert codec_from_state(old, arrays).notes[0].said("es") == codec.notes[0]


def test_a_stored_model_says_its_notes_in_spanish(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(30, 2))
    vae = lt.VAE(latent_dim=1, max_epochs=1, validation_fraction=0.0, early_stopping=False, random_state=0).fit(rows)
    loaded = lt.load(vae.save(tmp_path / "m.safetensors"))
    assert loaded.notes_ == vae.notes_
    assert Message("fit.no_held_out").said("es") in [said(note, "es") for note in loaded.notes_]


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
@pytest.mark.parametrize(("related", "found"), [(0.0, "no structure found"), (1.0, "overfits")])
def test_all_that_a_fit_notes_is_a_message(related: float, found: str) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(120, 6)) + related * generator.normal(size=(120, 1))
    rows[:, 5] = 1.0
    how = {"recipe": "autoencoder", "max_epochs": 200, "early_stopping": False} if related else {"max_epochs": 60}
    vae = lt.VAE(latent_dim=4, random_state=0, **how).fit(rows)
    assert any(note.startswith(f"{found}: ") for note in vae.notes_), vae.notes_
    for note in vae.notes_:
        assert not words_of(said(note, "es")) & PLAIN["en"]


def test_every_figure_of_the_certificate_has_a_line() -> None:
    for label, sentence in LINES.values():
        assert label.said("es").strip() and sentence.said("es").strip()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_numbers_plurals_and_lists(lang: str) -> None:
    say = Texts(lang, {"x": "{n:,} {n:row|rows}: {parts:;}, {all}, {joined:+}, {share:.1%}, {free}, {none:.2f}"})
    values = {"parts": ["a", "b"], "all": ["c", 0.5], "joined": ["d", "e"], "share": -0.1234, "free": 12345678.0, "none": None}
    assert say("x", n=1, **values) == "1 row: a; b, c, 0.5, de, −12.3%, 12345678, –"
    assert say("x", n=-1200, **values).startswith("−1,200 rows")
    assert amount("0.5 [-1,000.25, 2] x-2 1e-5") == "0.5 [−1,000.25, 2] x-2 1e-5" and number(float("inf")) == "–"


def test_the_language_is_that_of_the_locale() -> None:
    assert language({"LC_MESSAGES": "es", "LANG": "en_GB.UTF-8"}) == "es"
    assert language({"LANG": "est_EE.UTF-8"}) == "en"


def test_figures_speak_the_language_that_is_set_and_english_again() -> None:
    with speaking("es"):
        assert word("rebuilt") == "reconstruido"
    assert word("rebuilt") == "reconstructed"
    with pytest.raises(lt.ModelError, match="there are no texts in 'xx'"):
        texts("xx")
