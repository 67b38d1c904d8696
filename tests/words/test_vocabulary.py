"""The prose of the source: docstrings and comments say things in the words of the vocabulary; former names still work."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import latente as lt
from latente.errors import renamed

AVOIDED = (
    r"\blaws?\b", r"\bseen\b", r"\bunseen\b", r"\btold\b", r"\bheeds?\b", r"\bof which\b",
    r"\bof whose\b", r"\bof one's own\b", r"\bwhat is given\b", r"\blearnt from\b", r"\bthat it learnt\b",
    r"\bwhat (came|comes|went|goes) (in|out)\b",
    r"\bas many principal components\b", r"\bprice of\b", r"\bmost telling\b", r"\bwhole or not at all\b", r"\bto the letter\b",
    r"\bkeeps these draws apart\b", r"\bwhere to\.", r"\bin place of\b", r"\bstretch(es)?\b",
    r"\bcalm\b", r"\bceiling\b", r"\bpretends?\b", r"\bspeaks?\b", r"\bsays? of\b", r"\bknows? nothing\b",
    r"\bin front of all\b",
)  # fmt: skip
HOLES = r"\bholes?\b"  # in the latent space; values of data are missing
DATA_ROOMS = ("data", "model", "training", "tasks", "fitting")
QUOTED = re.compile(r"``[^`]*``|'[^' ]*'|\"[^\" ]*\"")  # names, not words
EXECUTED = re.compile(r"^\s*(>>>|\.\.\.) .*", re.MULTILINE)
NAMES = r"\b(MOST|LEAST)_|\bOfCells\b|\bCellTable\b|\bLatentLaw\b"


def sources(*rooms: str) -> Iterator[Path]:
    root = Path(str(files("latente")))
    for room in rooms:
        yield from [root / room] if room.endswith(".py") else (root / room).rglob("*.py")


def prose(path: Path) -> Iterator[str]:
    """Docstrings and comments of a file."""
    text = path.read_text("utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield EXECUTED.sub("", ast.get_docstring(node) or "")
    yield from (
        token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    )


def test_docstrings_and_comments_avoid_what_the_vocabulary_replaces() -> None:
    found = [
        (path.name, phrase, text)
        for room, phrases in (("", AVOIDED), *((room, (HOLES,)) for room in DATA_ROOMS))
        for path in sources(room)
        for text in prose(path)
        for phrase in phrases
        if re.search(phrase, " ".join(QUOTED.sub("", text).split()), re.IGNORECASE)
    ]
    assert not found


def test_no_name_of_the_source_is_a_former_one() -> None:
    assert not [path for path in sources("") if re.search(NAMES, path.read_text("utf-8"))]


def test_a_former_argument_works_with_a_warning() -> None:
    @renamed(old="new")
    def doubled(new: int) -> int:
        return 2 * new

    with pytest.warns(FutureWarning, match="'old' is now 'new'"):
        assert doubled(old=2) == doubled(new=2) == 4
    with pytest.raises(TypeError, match="other"):
        doubled(other=2)


def test_samples_take_the_former_name_of_their_prior() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    vae = lt.VAE(latent_dim=1, max_epochs=1, random_state=0).fit(rows)
    with pytest.warns(FutureWarning, match="'law' is now 'prior'"):
        assert np.array_equal(vae.sample(3, law="prior"), vae.sample(3, prior="prior"))
    with pytest.warns(FutureWarning, match="'holes' is now 'missing'"):
        assert vae.sample(3, holes=False).shape == (3, 2)
