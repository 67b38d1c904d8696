"""Many recipes on the same rows, several seeds each: which differences are real."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy.stats import t as student

from latente.catalogue import PUBLISHED
from latente.certificate import Certificate
from latente.certificate.estimates import Array
from latente.composition import Recipe
from latente.data import frame, read, split_context
from latente.errors import LatenteError, ModelError
from latente.estimator import VAE
from latente.parameters import is_whole, text_columns
from latente.seeding import seed_of
from latente.studies.setup import JUDGED, Chosen, held_out_share, named, silent, uninterrupted
from latente.studies.words import as_html, as_text, number
from latente.tasks.anomalies import log_likelihood
from latente.words import Message

ALL = "all"
LEVEL = 0.05  # of all differences together (Bonferroni)
DRAWS = 50  # of the bound
MEASURES = {
    "completeness": "C", "continuity": "K", "mutual_information": "I(x;z)", "active_units": "active",
}  # fmt: skip
HEADER = ("recipe", "bound", "± se", "to best", "± se", "", *MEASURES.values(), "seconds")


@dataclass(frozen=True)
class Entry:
    """What was measured of one recipe.

    Attributes:
        bounds: importance-weighted bound of log p of held-out rows, nats, [seeds, rows]; None where codes have no density.
        figures: of the certificate of the first seed, by name; NaN where unknown.
        seconds: of one fit, on average. reason: why it was not fitted; empty where it was.
    """

    bounds: Array | None = None
    figures: Mapping[str, float] | None = None
    seconds: float = math.nan
    reason: str = ""


@dataclass(frozen=True)
class Difference:
    """A paired difference of bounds, nats per row.

    Attributes:
        value: its mean. error: its standard error. margin: half of its interval, at a level of 5% for all differences together.
    """

    value: float
    error: float
    margin: float

    @property
    def real(self) -> bool:
        """Whether chance is excluded."""
        return abs(self.value) > self.margin


@dataclass(frozen=True, repr=False)
class Ranking:
    """Recipes from the highest bound to the lowest, then those without one. Prints as a table.

    Attributes:
        about: numbers of rows, dimensions of the code, seeds; plain values.
        entries: by recipe, in this order. differences: of each to the first.
    """

    about: Mapping[str, Any]
    entries: Mapping[str, Entry]
    differences: Mapping[str, Difference]

    def lines(self) -> list[tuple[str, ...]]:
        """A line for each recipe, with the columns of :data:`HEADER`."""
        return [self._line(name, entry) for name, entry in self.entries.items()]

    def _line(self, name: str, entry: Entry) -> tuple[str, ...]:
        if entry.figures is None:
            return (name, "–", *[""] * (len(HEADER) - 2))
        bound = ("–", "") if entry.bounds is None else map(number, mean_and_error(entry.bounds))
        d = self.differences.get(name)
        apart = ("", "", "") if d is None else (number(d.value), number(d.error), "*" * d.real)
        figures = (_number(key, entry.figures[key]) for key in MEASURES)
        return (name, *bound, *apart, *figures, number(entry.seconds))

    def reading(self) -> list[str]:
        """The table in words."""
        without = [Message("ranking.without", names=self.unbounded)] if self.unbounded else []
        reasons = ((name, entry.reason) for name, entry in self.entries.items() if entry.reason)
        unfitted = [Message("ranking.unfitted", name=name, reason=reason) for name, reason in reasons]
        return [*self._compared(), *without, *unfitted]

    def _compared(self) -> list[Message]:
        if not self.bounded:
            return []
        best, *others = self.bounded
        bound, error = mean_and_error(self.bounded[best])
        alike = [name for name in others if not self.differences[name].real]
        found = [Message("ranking.best", name=best, bound=bound, error=error)]
        found += [Message("ranking.worse", n=len(others) - len(alike), others=len(others))] if others else []
        found += [Message("ranking.alike", names=alike)] if alike else []
        return found

    @property
    def bounded(self) -> dict[str, Array]:
        """The bounds of recipes that have one."""
        return {name: entry.bounds for name, entry in self.entries.items() if entry.bounds is not None}

    @property
    def unbounded(self) -> list[str]:
        """Recipes that were fitted and have no bound."""
        return [name for name, entry in self.entries.items() if entry.bounds is None and entry.figures is not None]

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {
            "about": {key: value for key, value in self.about.items() if key != "container"},
            "reading": self.reading(),
            "recipes": {name: _values(entry, self.differences.get(name)) for name, entry in self.entries.items()},
        }

    def to_frame(self) -> Any:
        """A row for each recipe, as the kind of data frame that was passed (pyarrow for arrays)."""
        rows = self.to_dict()["recipes"]
        columns: dict[str, list[Any]] = {"recipe": list(rows)}
        for key in ("bound", "bound_error", "difference", "difference_error", *MEASURES, "seconds", "reason"):
            columns[key] = [row[key] for row in rows.values()]
        return frame(columns, self.about["container"])

    @property
    def title(self) -> str:
        """Title of the ranking."""
        about = self.about
        return (
            f"{len(self.entries)} recipes, {about['seeds']} seeds each: bound of log p in nats per validation row "
            f"({about['rows']:,} rows); * differs from the best at a level of 5% for all together"
        )

    def __str__(self) -> str:
        return "\n".join([self.title, "", as_text(HEADER, self.lines()), "", *self.reading()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<h4>{html.escape(self.title)}</h4>{as_html(HEADER, self.lines())}"


def _number(key: str, value: float) -> str:
    return f"{value:.0f}" if key == "active_units" and math.isfinite(value) else number(value)


def _values(entry: Entry, difference: Difference | None) -> dict[str, Any]:
    bound, error = (math.nan, math.nan) if entry.bounds is None else mean_and_error(entry.bounds)
    apart = (difference.value, difference.error) if difference else (math.nan, math.nan)
    named_values = {"bound": bound, "bound_error": error, "difference": apart[0], "difference_error": apart[1],
                    **(entry.figures or dict.fromkeys(MEASURES, math.nan)), "seconds": entry.seconds}  # fmt: skip
    finite = {key: value if math.isfinite(value) else None for key, value in named_values.items()}
    return {**finite, "differs": bool(difference and difference.real), "reason": entry.reason}


def mean_and_error(values: Array) -> tuple[float, float]:
    """Mean of values [seeds, rows] and its standard error: that of rows or, where it is larger, that of seeds.

    >>> mean_and_error(np.array([[1.0, 3.0], [1.0, 3.0]]))
    (2.0, 0.7071067811865476)
    """
    seeds, rows = values.shape
    of_rows = values.var(1).mean() / max(1, rows - 1) / seeds
    of_seeds = values.mean(1).var() / (seeds - 1) if seeds > 1 else 0.0
    return float(values.mean()), float(math.sqrt(max(of_rows, of_seeds)))


def differences(entries: Mapping[str, Entry]) -> dict[str, Difference]:
    """Of each recipe with a bound to the first, row by row and seed by seed.

    Few seeds tell little of how much fits differ, so that intervals come from Student's t with as many degrees of freedom less
    one: with three seeds, about four times as wide for 56 recipes as with five. One seed tells of these fits alone.
    """
    bounds = {name: entry.bounds for name, entry in entries.items() if entry.bounds is not None}
    best, *others = bounds or [""]
    found = {}
    for name in others:
        paired = bounds[name] - bounds[best]
        value, error = mean_and_error(paired)
        limit = student.isf(LEVEL / 2 / len(others), len(paired) - 1 or paired.size - 1)
        found[name] = Difference(value, error, float(limit * error))
    return found


def rank(
    data: Any,
    recipes: str | Sequence[Chosen] | Mapping[str, Chosen] = ALL,
    *,
    seeds: int = 3,
    budget: float | None = None,
    random_state: Any = None,
    progress: Callable[[str], None] = silent,
    context: Any = None,
    **parameters: Any,
) -> Ranking:
    """Fit recipes to the same rows with several seeds, and say which differences are real.

    Seeds differ in the rows that are held out and in all that is drawn; recipes are compared on the same rows, seed by seed.

    Args:
        data: rows, whatever :meth:`latente.VAE.fit` takes.
        recipes: names or recipes; "all" for those of :func:`latente.recipes` that need nothing else, and with ``context`` also
            for those that need one.
        seeds: how many fits of each.
        budget: seconds for all fits together, divided equally.
        random_state: the first seed. progress: called with the name of each recipe before it is fitted.
        context: as in :meth:`latente.VAE.fit`; then the bound is that of log p of a row given its context, and figures of
            certificates, which describe one context, are unknown.
        parameters: further parameters of :class:`latente.VAE`, the same for all.

    Raises:
        DataError: the rows can't be read.
        ModelError: a recipe is unknown; seeds or budget are not positive.

    >>> rows = np.random.default_rng(0).normal(size=(150, 2)) @ np.array([[1, 2, 0.5], [0, 1, -1]])
    >>> found = rank(rows, ["vae", "autoencoder"], seeds=2, latent_dim=2, max_epochs=2, random_state=0)
    >>> list(found.entries), found.entries["vae"].bounds.shape[0], found.entries["autoencoder"].bounds
    (['vae', 'autoencoder'], 2, None)
    """
    if not is_whole(seeds, 1) or not (budget is None or (isinstance(budget, Real) and 0 < budget < math.inf)):
        raise ModelError(
            f"seeds must be a whole number from 1 and budget a positive number of seconds, not {seeds!r} and {budget!r}"
        )
    every = list(PUBLISHED) if isinstance(recipes, str) and recipes == ALL else recipes
    chosen = {name: recipe for name, recipe in named(every).items() if recipes != ALL or _is_possible(recipe, context)}
    rows, first = read(data, texts=text_columns(parameters.get("kinds"))), seed_of(random_state)
    if context is not None and parameters.get("time") is None:
        split_context(rows, context, {})  # an error that all recipes would have
    share: dict[str, Any] = {} if budget is None else {"time_limit": budget / len(chosen) / seeds}
    common = {"validation_fraction": held_out_share(len(rows), JUDGED), **parameters, **share}
    found = {}
    for name, recipe in chosen.items():
        progress(name)
        models = [VAE(recipe, random_state=first + number, **common) for number in range(seeds)]
        found[name] = _measured(models, rows, context)
    entries = dict(sorted(found.items(), key=lambda pair: _order(pair[1])))
    about = {"rows": len(rows), "seeds": seeds, "container": rows.container}
    return Ranking(about, entries, differences(entries))


def _order(entry: Entry) -> tuple[bool, float]:
    """From the highest bound to the lowest, then what has none."""
    return entry.bounds is None, math.inf if entry.bounds is None else -float(entry.bounds.mean())


def _is_possible(recipe: Recipe, context: Any) -> bool:
    return recipe.privacy is None and (context is not None or not recipe.needs_context)


def _measured(models: Sequence[VAE], rows: Any, context: Any) -> Entry:
    """Of a recipe's fits; the reason where it can't be fitted to these rows."""
    began = time.perf_counter()
    try:
        for model in models:
            uninterrupted(model.fit(rows, context=context))
    except LatenteError as error:
        return Entry(reason=str(error))
    seconds = (time.perf_counter() - began) / len(models)
    bounds = [_bounds(model) for model in models] if models[0].model_.has_rate else None
    figures = _without_certificate(models[0]) if context is not None else _of_certificate(models[0].certificate())
    return Entry(None if bounds is None else np.stack(bounds), figures, seconds)


def _of_certificate(certificate: Certificate) -> dict[str, float]:
    return {key: certificate[key].value for key in MEASURES}


def _without_certificate(model: VAE) -> dict[str, float]:
    """What the fit measured over all contexts."""
    measured = {key: model.figures_.get(key) for key in MEASURES}
    return {key: math.nan if value is None else float(value) for key, value in measured.items()}


def _bounds(model: VAE) -> Array:
    """Of the held-out rows, nats in the user's units, [rows]."""
    fitted = model.fitted_
    assert fitted.at_hand is not None
    assert fitted.at_hand.held_out is not None
    held_out = fitted.at_hand.held_out.subsample(JUDGED)
    return fitted.in_units(log_likelihood(fitted.model, held_out, fitted.seed, DRAWS), held_out)
