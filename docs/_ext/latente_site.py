"""What the site has that is not written by hand: pages made from the code, formulas as MathML, the live demo."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import NoneType
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from typer.main import get_command

from latente.catalogue import AUTOENCODER, PUBLISHED, VAE
from latente.certificate.certificate import LINES
from latente.cli import app as command_line
from latente.composition import Recipe
from latente.model.parts import Choice, part_class
from latente.studies.reproductions import Reproduction, reproductions
from latente.training.private import Privacy

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
PARTS = [field.name for field in fields(VAE) if isinstance(getattr(VAE, field.name), (Choice, tuple, NoneType))]
NAMES = {"penalties": "penalty", "fitted_prior": "fitted prior"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of the extension."""
    app.add_html_math_renderer("mathml", (_inline_math, None), (_display_math, None))
    app.connect("builder-inited", _write_pages)
    app.connect("build-finished", _write_demo)
    app.connect("html-page-context", _set_language)
    app.connect("autodoc-skip-member", _skip_requests)
    app.connect("autodoc-process-docstring", _keep_underscores, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# -- pages made from the code -----------------------------------------------------------------------------------------


def _write_pages(app: Sphinx) -> None:
    pages = {f"recipes/{name}": recipe_page(make(), _notes()[name]) for name, make in PUBLISHED.items()}
    pages |= {
        "recipes": recipes_index(),
        "reproductions": reproductions_page(),
        "commands": commands_page(),
        "certificate_figures": figures_table(),
        "limits": section("README.md", "Limits"),
        "limites": section("README.es.md", "Límites"),
    }
    for name, text in pages.items():
        path = DOCS / "generated" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # an unchanged page is not read again
            path.write_text(text, encoding="utf-8")


def _notes() -> dict[str, dict[str, str]]:
    """When to use each recipe, and its formula."""
    return tomllib.loads((DOCS / "recipes.toml").read_text(encoding="utf-8"))


def recipe_page(recipe: Recipe, notes: dict[str, str]) -> str:
    """What a recipe changes, when to use it, its formula and reference."""
    shown = ", ".join(f"`{name}={default!r}`" for name, default in _arguments(recipe.name).items())
    first = "".join(f", {name}={default!r}" for name, default in [*_arguments(recipe.name).items()][:1])
    call = f'vae = lt.VAE(lt.recipe("{recipe.name}"{first}))'
    base = _base(recipe)
    parts = [
        f"# {recipe.name}",
        f"{recipe.summary[0].upper()}{recipe.summary[1:]}.",
        f"```python\nimport latente as lt\n\n{call}\n```",
        f"Arguments of the recipe: {shown}." if shown else "The recipe has no arguments.",
        f"## When to use it\n\n{notes['when']}",
        f"## Formula\n\n$$\n{notes['formula']}\n$$\n\nThe training minimises this loss. {notes.get('symbols', '')}",
        f"## What it changes\n\n{_changes(recipe, base)}",
        f"## Reference\n\n{recipe.reference}.",
        *_reproduced(recipe.name),
    ]
    return "\n\n".join(parts) + "\n"


def _arguments(name: str) -> dict[str, Any]:
    """The arguments of a recipe with their defaults."""
    found = inspect.signature(PUBLISHED[name]).parameters.values()
    return {each.name: each.default for each in found if each.default is not each.empty}


def _base(recipe: Recipe) -> Recipe:
    """The model that a recipe differs least from: the VAE or the autoencoder."""
    return min((VAE, AUTOENCODER), key=lambda base: sum(getattr(recipe, key) != getattr(base, key) for key in PARTS))


def _changes(recipe: Recipe, base: Recipe) -> str:
    changed = [key for key in PARTS if getattr(recipe, key) != getattr(base, key)]
    if not changed:
        other = AUTOENCODER if base is VAE else VAE
        return f"Nothing: other recipes are stated by how they differ from this one or from `{other.name}`.\n\n" + _table(
            ("part", "choice", "what it is"),
            [(NAMES.get(key, key), f"`{choice.name}`", _meaning(choice)) for key in PARTS for choice in _choices(recipe, key)],
        )
    rows = [(NAMES.get(key, key), _chosen(base, key), _chosen(recipe, key), _meanings(recipe, key)) for key in changed]
    return f"Beside [{base.name}]({base.name}.md):\n\n" + _table(("part", base.name, recipe.name, "what it is"), rows)


def _choices(recipe: Recipe, key: str) -> tuple[Choice, ...]:
    chosen = getattr(recipe, key)
    if isinstance(chosen, Privacy):  # no part, but shown as one
        return (Choice("privacy", asdict(chosen)),)
    return chosen if isinstance(chosen, tuple) else () if chosen is None else (chosen,)


def _chosen(recipe: Recipe, key: str) -> str:
    names = [f"`{choice.name}({_written(choice)})`" for choice in _choices(recipe, key)]
    return ", ".join(names) or ("chosen from the data" if key in ("encoder", "decoder", "likelihood") else "none")


def _written(choice: Choice) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in choice.arguments.items())


def _meanings(recipe: Recipe, key: str) -> str:
    return " ".join(map(_meaning, _choices(recipe, key)))


def _meaning(choice: Choice) -> str:
    """The first paragraph of a part's docstring."""
    part = Privacy if choice.name == "privacy" else part_class(choice.name)
    first = inspect.cleandoc(part.__doc__ or "").split("\n\n")[0]
    return _plain(" ".join(first.split()))


def recipes_index() -> str:
    """The page that lists all recipes."""
    rows = [(f"[{r.name}](recipes/{r.name}.md)", r.summary, r.reference) for r in (make() for make in PUBLISHED.values())]
    tree = "\n".join(f"recipes/{name}" for name in PUBLISHED)
    return (
        "# Recipes\n\nA recipe is a published model, stated as a choice of parts. `lt.VAE(NAME)` uses it with the arguments of "
        "its paper, `lt.VAE(lt.recipe(NAME, ...))` with others. Networks, sizes and, unless a recipe sets it, the likelihood "
        f"are chosen from the data.\n\n{_table(('recipe', 'what it is', 'reference'), rows)}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )


def _reproduced(recipe: str) -> list[str]:
    """The commands that measure the results of a recipe again."""
    commands = [f"[`latente reproduce {each.name}`](../reproductions.md)" for each in reproductions() if recipe in each.recipes]
    return [f"## Reproduction\n\n{', '.join(commands)}."] if commands else []


def reproductions_page() -> str:
    """Every published result that is measured again: claims, protocol, published values, and ours where they were measured."""
    about = (
        "# Reproductions\n\n`latente reproduce NAME` measures a published result again and says whether its claims hold; "
        "`lt.reproduce(NAME)` does the same in Python. A claim holds if the paired difference has the margin asked for "
        "and exceeds two of its standard errors. `--quick` takes minutes on two cores and judges the order of methods only. "
        "Values below are those of the quick form, with seed 0. The full form trains as long as the papers do, for which a GPU "
        "is needed; it also compares values with published ones."
    )
    return "\n\n".join([about, *map(_reproduction, reproductions())]) + "\n"


def _reproduction(each: Reproduction) -> str:
    measured = DOCS / "reproductions" / f"{each.name}.json"
    found = json.loads(measured.read_text(encoding="utf-8")) if measured.exists() else {"entries": {}, "claims": []}
    ours = {name: f"{entry['value']:.4g} ± {entry['error']:.2g}" for name, entry in found["entries"].items()}
    published = each.published or {}
    entries = [(name, f"{published[name]:g}" if name in published else "", ours.get(name, "")) for name in each.entries]
    said = {(claim["better"], claim["worse"]): claim for claim in found["claims"]}
    claims = [
        (f"{c.better} better than {c.worse}", f"{c.margin:g}", *_said(said.get((c.better, c.worse)))) for c in each.claims
    ]
    recipes = ", ".join(f"[{name}](recipes/{name}.md)" for name in each.recipes)
    return "\n\n".join(
        [
            f"## {each.name}",
            f"{each.summary[0].upper()}{each.summary[1:]} ({recipes}). {each.reference}.",
            f"```\nlatente reproduce {each.name} --quick\n```",
            f"{each.protocol[0].upper()}{each.protocol[1:]}. The values are {each.unit}.",
            _table(("", "published, full form", "ours, quick form"), entries),
            _table(("claim", "by at least", "difference", "holds"), claims),
        ]
    )


def _said(claim: dict[str, Any] | None) -> tuple[str, str]:
    if claim is None:
        return "", "not measured"
    error = "" if claim["error"] is None else f" ± {claim['error']:.2g}"
    return f"{claim['difference']:.3g}{error}", "yes" if claim["reached"] else "no"


def figures_table() -> str:
    """The figures of the certificate, each with its name, label and sentence."""
    rows = [(f"`{name}`", str(label).strip(), str(sentence)) for name, (label, sentence) in LINES.items()]
    return _table(("name", "label", "meaning"), rows) + "\n"


def commands_page() -> str:
    """The command line: the help of each command."""
    group: Any = get_command(command_line)
    parts = ["# Command line", _plain(_told(group.help)), _plain(group.epilog or "")]
    for name, command in group.commands.items():
        parts += [f"## latente {name}", *_command(name, command)]
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    about, _, example = inspect.cleandoc(command.help or "").partition("\b")
    yield _plain(about.strip())
    yield "```\n" + inspect.cleandoc(example.partition("\n")[2].replace("Example:\n", "").replace("Examples:\n", "")) + "\n```"
    with command.context_class(command, info_name=f"latente {name}") as context:
        records = [record for each in command.params if (record := each.get_help_record(context))]
    rows = [(f"`{names}`", _plain(" ".join(text.split()))) for names, text in records]
    yield _table(("argument or option", "meaning"), rows)


def _told(text: str | None) -> str:
    return inspect.cleandoc(text or "").replace("\b", "")


def section(readme: str, title: str) -> str:
    """A section of a README as a page of its own."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    found = re.search(rf"^## {title}\n(.*?)(?=^## |^\[CONTRIBUTING|\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{readme} has no section {title!r}")
    return f"# {title}\n{found[1].rstrip()}\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def _plain(text: str) -> str:
    """Text of a docstring in Markdown: code in single quotes, roles without their names, no other marks."""
    code = re.sub(r":\w+:`~?([^`]+)`|``([^`]+)``", lambda found: f"`{found[1] or found[2]}`", text)
    return "".join(part if part.startswith("`") else _escaped(part) for part in re.split(r"(`[^`]*`)", code))


def _escaped(text: str) -> str:
    return re.sub(r"([*_\[\]<>$])", r"\\\1", text)


# -- formulas, languages, the demo ------------------------------------------------------------------------------------


def _inline_math(translator: Any, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _display_math(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def _set_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Pages in Spanish say so, for screen readers and search engines."""
    if page.startswith("es/") or page.endswith("/limites"):
        context["language"] = "es"


def _skip_requests(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave out the methods that scikit-learn adds to route metadata."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def _keep_underscores(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Names of attributes that end in an underscore keep it: it is no mark of a reference."""
    lines[:] = [re.sub(r"^:ivar (\w+)_:", r":ivar \1\\_:", line) for line in lines]


def _write_demo(app: Sphinx, error: Exception | None) -> None:
    """Put the explorer with its lesson, and the report, of `latente demo` into the site."""
    target = Path(app.outdir) / "live"
    if error is not None or app.builder.name != "html" or target.exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "demo"
        subprocess.run([sys.executable, "-m", "latente", "demo", "-o", made, "--lang", "en", "--quiet"], check=True)
        target.mkdir()
        for name in ("explorer.html", "report.html"):
            shutil.copy(made / name, target / name)
