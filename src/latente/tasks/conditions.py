"""New rows under conditions (``given=``): what is refused, what is warned of, and how probable the conditions are."""

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
RARELY_TOGETHER = 0.02  # of how often values would be together by chance

Intervals = dict[int, list[tuple[float, float]]]


def sample_given(
    fitted: Fitted, model: RowModel, prior: Prior | None, n: int, seed: int, given: Mapping[str, Any]
) -> tuple[Tensor, dict[str, float]]:
    """Rows that fulfil conditions, [n, F], and how probable these are by the model.

    Raises:
        DataError: no row fulfils them. ModelError: the rows are pictures.
    """
    intervals = restricted_to(table_codec(fitted.codec, "given"), given)
    found = generation.sample_given(model, prior, n, seed, intervals)
    if not found.effective:
        raise DataError(f"no row came up with {dict(given)}: by the model there are none; ask for less")
    _Conditions(fitted, model, prior, seed, given, intervals).check_together(found.probability)
    if found.effective < n / 2:
        warn(f"only {found.effective:.0f} different draws stand behind these {n} rows: what is given is rare")
    return found.rows, {"probability": found.probability, "effective_sample_size": found.effective}


@dataclass(frozen=True)
class _Conditions:
    """Conditions and the model that they are put to."""

    fitted: Fitted
    model: RowModel
    prior: Prior | None
    seed: int
    given: Mapping[str, Any]
    intervals: Intervals

    def check_together(self, probability: float) -> None:
        """Refuse what does not go together, and warn of what hardly does, or is rarer than any row that was learnt from."""
        n = self.fitted.figures["rows"]
        lift, least = generation.togetherness(self.model, self.prior, self.seed, self.intervals, probability)
        # What happens less than once in N rows where chance would have it each time, N rows never showed.
        if lift < 1 / n:
            raise DataError(f"given: nothing fits: by the model {self._told(least)} do not go together; ask for less")
        if lift < RARELY_TOGETHER:
            warn(f"{self._told(least)} hardly go together: {one_in(probability)} has what is given")
        else:
            self._check_rare(n)

    def _check_rare(self, n: int) -> None:
        """How narrow a range of numbers is says nothing; but of levels, what N rows never showed is a guess."""
        fields = self.fitted.codec.fields
        of_levels = {f: asked for f, asked in self.intervals.items() if fields[f].kind in OF_LEVELS}
        if len(of_levels) < 2:
            return
        rare = generation.probability_of(self.model, self.prior, self.seed, of_levels)
        if rare < 1 / n:
            warn(
                f"{self._told(of_levels)} is rarer than one row in the {n:,} that were learnt from: {one_in(rare)}; what else "
                "stands in such rows is a guess"
            )

    def _told(self, places: Any) -> str:
        names = [self.fitted.codec.fields[f].name for f in places]
        return " and ".join(f"{name}={_asked(self.given, name)!r}" for name in names)


def _asked(given: Mapping[Any, Any], name: str) -> Any:
    """What is asked of a column, whose name may have been a number."""
    return next(wanted for key, wanted in given.items() if str(key) == name)


def one_in(probability: float) -> str:
    """How often something happens, for people.

    >>> one_in(0.0004), one_in(0.68)
    ('by the model one row in 2,500', 'by the model one row in 1.5')
    """
    rows = 1 / max(probability, 1e-300)
    return f"by the model one row in {rows:,.0f}" if rows >= 10 else f"by the model one row in {rows:.2g}"
