"""What all reproductions share: data, entries that are measured on the same rows with the same steps, and claims about them."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from latente.certificate.estimates import Array
from latente.composition import Recipe
from latente.errors import ModelError, alternatives
from latente.estimator import VAE
from latente.seeding import seed_of
from latente.studies.ranking import mean_and_error
from latente.studies.setup import silent, uninterrupted
from latente.studies.words import as_html, as_text, number, plain

HEADER = ("", "published", "ours", "± se", "seconds")
HEADER_OF_CLAIMS = ("claim", "difference", "± se", "needed", "reached")
CERTAIN = 2.0  # standard errors by which a difference exceeds 0


class Scale(NamedTuple):
    """How much is computed.

    Attributes:
        rows: to train on. epochs: of each fit. test_rows: that are measured. draws: of a bound. seeds: of each fit.
    """

    rows: int
    epochs: int
    test_rows: int = 500
    draws: int = 500
    seeds: int = 1


class Sample(NamedTuple):
    """Rows to train on and to test on, and what is known about them: labels of training rows (None where one is hidden), and
    factors of test rows by name.
    """

    train: Any
    test: Any
    factors: Mapping[str, Any] = {}
    labels: Any = None


@dataclass(frozen=True)
class Setting:
    """What an entry is measured with."""

    data: Sample
    scale: Scale
    seed: int
    device: str

    def fit(self, recipe: str | Recipe, **parameters: Any) -> VAE:
        """A model of the training rows; all parameters but ``parameters`` are the same for all entries."""
        common = {"max_epochs": self.scale.epochs, "device": self.device, "random_state": self.seed, "effort": "quick"}
        return uninterrupted(VAE(recipe, **{**common, **parameters}).fit(self.data.train, context=self.data.labels))


Measure = Callable[[Setting], Array]
"""From a setting to the values of an entry, one for each test row, or a single one."""


class Claim(NamedTuple):
    """That an entry is better than another one, by at least a margin."""

    better: str
    worse: str
    margin: float = 0.0


@dataclass(frozen=True)
class Reproduction:
    """A published result, and how it is measured here.

    Attributes:
        name, summary, reference: of the result.
        protocol: what is done with which data.
        recipes: names of the recipes that it concerns.
        data: from a scale and a seed to rows.
        entries: what is compared, by the name in the table.
        claims: what was published about their order.
        quick, full: how much is computed with and without ``quick``.
        unit: of the values. smaller: whether smaller values are better.
        published: values of entries in the paper. tolerance: by which ours may differ in the full form.
    """

    name: str
    summary: str
    reference: str
    protocol: str
    recipes: tuple[str, ...]
    data: Callable[[Scale, int], Sample]
    entries: Mapping[str, Measure]
    claims: tuple[Claim, ...]
    quick: Scale
    full: Scale
    unit: str
    smaller: bool = True
    published: Mapping[str, float] | None = None
    tolerance: float = math.inf


class Entry(NamedTuple):
    """Values [seeds, rows] of an entry, and the seconds of one fit and its measure."""

    values: Array
    seconds: float


class Verdict(NamedTuple):
    """A claim, the paired difference by which it holds (negative if it does not), its standard error (NaN for a single value),
    and whether it is reached.
    """

    claim: Claim
    difference: float
    error: float
    reached: bool


@dataclass(frozen=True, repr=False)
class Reproduced:
    """The outcome of a reproduction. Prints as two tables.

    Attributes:
        of: the reproduction. quick: its form. seed: the first seed.
        entries: by name. verdicts: of its claims, and of its published values in the full form.
    """

    of: Reproduction
    quick: bool
    seed: int
    entries: Mapping[str, Entry]
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether all claims are reached."""
        return all(verdict.reached for verdict in self.verdicts)

    def lines(self) -> list[tuple[str, ...]]:
        """A line for each entry, with the columns of :data:`HEADER`."""
        published = self.of.published or {}
        return [
            (name, number(published.get(name, math.nan)), *map(_figure, mean_and_error(entry.values)), number(entry.seconds))
            for name, entry in self.entries.items()
        ]

    def lines_of_claims(self) -> list[tuple[str, ...]]:
        """A line for each claim, with the columns of :data:`HEADER_OF_CLAIMS`."""
        return [
            (
                f"{claim.better} better than {claim.worse}", _figure(difference), _figure(error),
                f"≥ {claim.margin:g}" if claim.margin else "> 0", "yes" if reached else "no",
            )
            for claim, difference, error, reached in self.verdicts
        ]  # fmt: skip

    @property
    def title(self) -> str:
        """Title of the tables."""
        form, order = "quick form" if self.quick else "full form", "smaller" if self.of.smaller else "larger"
        return f"{self.of.name} ({form}): {self.of.unit}, {order} is better. {'Passed' if self.passed else 'Not passed'}."

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        of, published = self.of, self.of.published or {}
        entries = {}
        for name, entry in self.entries.items():
            mean, error = mean_and_error(entry.values)
            shown = {"published": published.get(name), "value": plain(mean), "error": plain(error), "seconds": entry.seconds}
            entries[name] = shown
        claims = [
            {**claim._asdict(), "difference": plain(difference), "error": plain(error), "reached": reached}
            for claim, difference, error, reached in self.verdicts
        ]
        about = {"name": of.name, "quick": self.quick, "seed": self.seed, "unit": of.unit, "passed": self.passed}
        scale = (of.quick if self.quick else of.full)._asdict()
        return {
            **about,
            "reference": of.reference,
            "protocol": of.protocol,
            "scale": scale,
            "entries": entries,
            "claims": claims,
        }

    def __str__(self) -> str:
        tables = as_text(HEADER, self.lines()), as_text(HEADER_OF_CLAIMS, self.lines_of_claims())
        return "\n".join([self.title, self.of.reference, self.of.protocol, "", tables[0], "", tables[1]])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        tables = as_html(HEADER, self.lines()) + as_html(HEADER_OF_CLAIMS, self.lines_of_claims())
        return f"<h4>{html.escape(self.title)}</h4><p>{html.escape(self.of.protocol)}</p>{tables}"


def _figure(value: float) -> str:
    """A figure in a table, small ones with two significant digits.

    >>> _figure(86.76), _figure(0.0037), _figure(0.0)
    ('86.8', '0.0037', '0.00')
    """
    return f"{value:.2g}" if 0 < abs(value) < 0.1 else number(value)


def run(
    of: Reproduction,
    quick: bool = False,
    *,
    device: str = "auto",
    random_state: Any = 0,
    progress: Callable[[str], None] = silent,
) -> Reproduced:
    """Measure all entries of a reproduction with the same rows and seeds, and judge its claims.

    Raises:
        DataError: the data are missing; the message says where to put them.
    """
    scale, first = of.quick if quick else of.full, seed_of(random_state)
    settings = [Setting(of.data(scale, seed), scale, seed, device) for seed in range(first, first + scale.seeds)]
    entries = {}
    for name, measure in of.entries.items():
        progress(name)
        began = time.perf_counter()
        values = np.stack([np.atleast_1d(measure(setting)) for setting in settings])
        entries[name] = Entry(values, (time.perf_counter() - began) / len(settings))
    verdicts = [judged(claim, entries, of.smaller) for claim in of.claims]
    if not quick:
        verdicts += [_near(of, name, entries[name]) for name in of.published or {} if math.isfinite(of.tolerance)]
    return Reproduced(of, quick, first, entries, tuple(verdicts))


def judged(claim: Claim, entries: Mapping[str, Entry], smaller: bool) -> Verdict:
    """Whether the difference reaches the margin, and is above 0 by two standard errors where there is more than one value.

    >>> entries = {"a": Entry(np.array([[1.0, 2.0, 3.0]]), 0.0), "b": Entry(np.array([[2.0, 3.1, 4.0]]), 0.0)}
    >>> [judged(Claim("a", "b", margin), entries, True).reached for margin in (0.0, 1.0, 2.0)]
    [True, True, False]
    """
    apart = entries[claim.worse].values - entries[claim.better].values
    difference, error = mean_and_error(apart if smaller else -apart)
    error = error if apart.size > 1 else math.nan
    certain = not math.isfinite(error) or difference > CERTAIN * error
    return Verdict(claim, difference, error, bool(difference > 0 and difference >= claim.margin and certain))


def _near(of: Reproduction, name: str, entry: Entry) -> Verdict:
    """Whether a value is as published or better, up to the tolerance."""
    mean, error = mean_and_error(entry.values)
    published = (of.published or {})[name]
    difference = published + of.tolerance - mean if of.smaller else mean - published + of.tolerance
    return Verdict(Claim(name, f"{published:g}, up to {of.tolerance:g}"), difference, error, bool(difference > 0))


def found(name: str, known: Mapping[str, Reproduction]) -> Reproduction:
    """A reproduction by its name.

    Raises:
        ModelError: there is none.
    """
    if name not in known:
        raise ModelError(f"there is no reproduction called {name!r}; {alternatives(name, [*known])}")
    return known[name]
