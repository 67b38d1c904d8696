"""``latente recipes``."""

from __future__ import annotations

import inspect
from typing import Any

from latente.cli.console import Console
from latente.cli.options import Json, Quiet


def recipes(json: Json = False, quiet: Quiet = False) -> None:
    """The published models that can be fitted.

    \b
    Example:
      latente recipes
      latente fit wine.csv --recipe beta-vae:beta=2
    """
    from latente.catalogue import recipes as every

    console = Console(json, quiet)
    known = [{"name": r.name, "summary": r.summary, "reference": r.reference, "arguments": arguments(r.name)} for r in every()]
    if json:
        from latente.studies.reproductions import reproductions

        known = [{**r, "reproductions": [each.name for each in reproductions() if r["name"] in each.recipes]} for r in known]
    console.report({"recipes": known})
    rows = [[r.name, _words(arguments(r.name)), r.summary, r.reference] for r in every()]
    console.table(("recipe", "arguments", "what it is", "reference"), rows)


def arguments(name: str) -> dict[str, Any]:
    """Arguments of a recipe with their defaults."""
    from latente.catalogue import PUBLISHED

    parameters = inspect.signature(PUBLISHED[name]).parameters
    return {key: value.default for key, value in parameters.items() if value.default is not inspect.Parameter.empty}


def _words(defaults: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in defaults.items())
