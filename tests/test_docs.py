"""The documentation: public names have an entry with an example; pages have what the code has. `make docs` builds it."""

import inspect
import json
import re
import tomllib
from pathlib import Path

import pytest

import latente as lt
from latente.catalogue import PUBLISHED
from latente.data.columns.kinds import KINDS
from latente.report import figures
from latente.studies.reproductions import REPRODUCTIONS
from latente.version import __version__
from latente.words import texts

ROOT = Path(__file__).parents[1]
REFERENCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
OLD = "The former name of"


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", lt.__all__)
def test_every_public_name_has_an_entry_with_an_example(name):
    assert re.search(rf"^\.\. auto\w+:: {name}$", REFERENCE, re.MULTILINE)
    assert name == "__version__" or ">>>" in getattr(lt, name).__doc__


@pytest.mark.parametrize("name", sorted(set(figures.__all__) - {"Side"}))
def test_every_figure_has_an_example(name):
    assert ">>>" in getattr(figures, name).__doc__


def own_members(cls):
    for name, member in vars(cls).items():
        function = member.fget if isinstance(member, property) else member
        if inspect.isfunction(function) and function.__module__ == cls.__module__ and not name.startswith("_"):
            yield name, function


@pytest.mark.parametrize(("name", "method"), [*own_members(lt.VAE)])
def test_every_method_of_the_estimator_has_an_example(name, method):
    assert ">>>" in method.__doc__ or method.__doc__.startswith(OLD)


def test_every_recipe_has_its_notes():
    notes = tomllib.loads(page("recipes.toml"))
    assert PUBLISHED.keys() - notes.keys() == set()
    assert all(each["when"] and each["formula"] for each in notes.values())


def test_measured_reproductions_are_those_of_the_registry():
    for path in (ROOT / "docs" / "reproductions").glob("*.json"):
        found, each = json.loads(path.read_text(encoding="utf-8")), REPRODUCTIONS[path.stem]
        assert list(found["entries"]) == list(each.entries) and found["scale"] == each.quick._asdict()
        assert [(claim["better"], claim["worse"]) for claim in found["claims"]] == [claim[:2] for claim in each.claims]
        assert found["passed"] == all(claim["reached"] for claim in found["claims"])


def test_the_guides_name_every_verdict_and_every_kind_of_column():
    verdicts = [text for key, text in texts("en").entries.items() if re.fullmatch(r"verdict\.\w+\.name", key)]
    assert len(verdicts) > 4
    assert [text for text in verdicts if f"| {text} |" not in page("guides/certificate.md")] == []
    assert [kind for kind in KINDS if f"`{kind}`" not in page("guides/columns.md")] == []


def test_every_tutorial_is_listed():
    for folder in ("tutorials", "es"):
        pages = {path.stem for path in (ROOT / "docs" / folder).glob("*.md")} - {"index"}
        assert pages - set(page(f"{folder}/index.md").split()) == set()


def test_the_citation_has_this_version():
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
