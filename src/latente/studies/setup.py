"""Shared by the studies: recipes by name, the share of rows that is held out, and a callback for progress."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from latente.catalogue import recipe as find_recipe
from latente.composition import Recipe
from latente.errors import ModelError
from latente.estimator import VAE

Chosen = str | Recipe
JUDGED = 200  # held-out rows, if there are enough: with fewer, the certificate's intervals are wide
MIN_SHARE, MAX_SHARE = 0.1, 1 / 3


def held_out_share(rows: int, wanted: int) -> float:
    """The share of rows that gives ``wanted`` held-out rows, from a tenth to a third.

    >>> held_out_share(10_000, 200), held_out_share(1000, 200), round(held_out_share(150, 200), 3)
    (0.1, 0.2, 0.333)
    """
    return min(MAX_SHARE, max(MIN_SHARE, wanted / max(1, rows)))


def silent(text: str) -> None:
    """A callback that ignores progress."""


def uninterrupted(vae: VAE) -> VAE:
    """A model whose fit has ended.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the fit, which then keeps its best model; it ends the study, too.
    """
    if vae.figures_["finished"] == "interrupted":
        raise KeyboardInterrupt
    return vae


def named(recipes: Sequence[Chosen] | Mapping[str, Chosen]) -> dict[str, Recipe]:
    """The recipes by name; a repeated name gets a number.

    >>> list(named(["vae", "vae"]))
    ['vae', 'vae-2']
    """
    if isinstance(recipes, (str, Recipe)):
        recipes = [recipes]
    found: dict[str, Recipe] = {}
    pairs = recipes.items() if isinstance(recipes, Mapping) else ((None, recipe) for recipe in recipes)
    for name, chosen in pairs:
        recipe = find_recipe(chosen) if isinstance(chosen, str) else chosen
        if not isinstance(recipe, Recipe):
            raise ModelError(f"a recipe is a name or a Recipe, not {recipe!r}")
        found[free(str(name or recipe.name), found)] = recipe
    if not found:
        raise ModelError("there is nothing to compare: name at least one recipe, such as 'vae'")
    return found


def free(name: str, taken: Collection[str]) -> str:
    """The name, with a number if it is taken."""
    tries = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 2)))
    return next(free for free in tries if free not in taken)
