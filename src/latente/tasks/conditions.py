"""New rows under conditions (``given=``): checks, warnings, and the probability of the conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from latente.data import restricted_to, table_codec
from latente.errors import DataError, warn
from latente.fitted import Fitted
from latente.model.priors import Prior
from latente.model.row_models import RowModel
from latente.rows import BINARY, CATEGORICAL
from latente.tasks import generation

OF_LEVELS = (BINARY, CATEGORICAL, "ordinal")
RARELY_TOGETHER = 0.02  # relative to the probability if the values were independent

Intervals = dict[int, list[tuple[float, float]]]


def sample_given(
    fitted: Fitted, model: RowModel, prior: Prior | None, n: int, seed: int, given: Mapping[str, Any]
) -> tuple[Tensor, dict[str, float]]:
    """Rows that fulfil conditions, [n, F], and the probability of the conditions under the model.

    Raises:
        DataError: no row fulfils them. ModelError: the rows are pictures.
    """
    intervals = restricted_to(table_codec(fitted.codec, "given"), given)
    found = generation.sample_given(model, prior, n, seed, intervals)
    if not found.effective:
        raise DataError(f"no row with {dict(given)} was found: under the model there are none; relax the conditions")
    _Conditions(fitted, model, prior, seed, given, intervals).check_together(found.probability)
    if found.effective < n / 2:
        warn(f"only {found.effective:.0f} different draws are behind these {n} rows: the conditions are rare")
    return found.rows, {"probability": found.probability, "effective_sample_size": found.effective}


@dataclass(frozen=True)
class _Conditions:
    """Conditions and a model."""

    fitted: Fitted
    model: RowModel
    prior: Prior | None
    seed: int
    given: Mapping[str, Any]
    intervals: Intervals

    def check_together(self, probability: float) -> None:
        """Refuse conditions that exclude one another; warn if they almost do, or are rarer than any training row."""
        n = self.fitted.figures["rows"]
        lift, least = generation.togetherness(self.model, self.prior, self.seed, self.intervals, probability)
        # N rows can't contain what happens in less than one of N cases where independence would give it in all.
        if lift < 1 / n:
            raise DataError(f"given: under the model {self._written(least)} exclude one another; relax the conditions")
        if lift < RARELY_TOGETHER:
            warn(f"{self._written(least)} almost exclude one another: {one_in(probability)} fulfils the conditions")
        else:
            self._check_rare(n)

    def _check_rare(self, n: int) -> None:
        """A narrow range of numbers is not a problem, but levels that N rows do not contain together are an extrapolation."""
        fields = self.fitted.codec.fields
        of_levels = {f: asked for f, asked in self.intervals.items() if fields[f].kind in OF_LEVELS}
        if len(of_levels) < 2:
            return
        rare = generation.probability_of(self.model, self.prior, self.seed, of_levels)
        if rare < 1 / n:
            warn(
                f"{self._written(of_levels)} is rarer than one row in the {n:,} training rows: {one_in(rare)}; the other "
                "values of such rows are an extrapolation"
            )

    def _written(self, places: Any) -> str:
        names = [self.fitted.codec.fields[f].name for f in places]
        return " and ".join(f"{name}={_asked(self.given, name)!r}" for name in names)


def _asked(given: Mapping[Any, Any], name: str) -> Any:
    """The condition for a column, whose name may have been a number."""
    return next(wanted for key, wanted in given.items() if str(key) == name)


def one_in(probability: float) -> str:
    """A probability for people.

    >>> one_in(0.0004), one_in(0.68)
    ('under the model one row in 2,500', 'under the model one row in 1.5')
    """
    rows = 1 / max(probability, 1e-300)
    return f"under the model one row in {rows:,.0f}" if rows >= 10 else f"under the model one row in {rows:.2g}"
