"""Simple detectors beside the model on the user's rows: whether they agree, and on which rows they do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from latente.data import frame, like
from latente.errors import DataError
from latente.fitted import Fitted
from latente.rows import Rows, expanded, levels_of
from latente.tasks.anomalies import blame, field_surprise
from latente.tasks.detectors import Batch, chosen, combined, rank, strangeness
from latente.words import Message

Values = NDArray[np.float64]
TOP = 0.05  # share of the rows that count as the strangest
MIN_TOP = 5  # rows
SAME = 0.8  # of the strangest rows, from which two detectors see the same
MAX_DIFFERING = 10  # rows
MAX_TRAIN = 5000  # rows that the simple detectors are fitted to
MAX_NEIGHBOURS = 5


def _norm(train: Values, rows: Values, seed: int) -> Values:
    squares: Values = np.square(rows).sum(1)
    return squares


def _neighbours(train: Values, rows: Values, seed: int) -> Values:
    search = NearestNeighbors(n_neighbors=min(MAX_NEIGHBOURS, len(train))).fit(train)
    return search.kneighbors(rows)[0][:, -1]  # type: ignore[no-any-return]


def _forest(train: Values, rows: Values, seed: int) -> Values:
    return -IsolationForest(random_state=seed % 2**32).fit(train).score_samples(rows)  # type: ignore[no-any-return]


def _pca(train: Values, rows: Values, seed: int) -> Values:
    pca = PCA(0.9, svd_solver="full").fit(train)
    return np.square(rows - pca.inverse_transform(pca.transform(rows))).sum(1)  # type: ignore[no-any-return]


RIVALS: dict[str, Callable[[Values, Values, int], Values]] = {
    "sum of squares": _norm,
    "5 nearest neighbours": _neighbours,
    "isolation forest": _forest,
    "PCA": _pca,
}
"""By name, what gives rows a strangeness, from standardised training rows and rows, [N, P], and a seed."""


def named(rival: str) -> Message:
    """A simple detector in words."""
    return Message(f"rivals.{rival.replace(' ', '_')}")


@dataclass(frozen=True)
class DetectorComparison:
    """How the model's score and simple detectors agree on some rows.

    Attributes:
        agreement: a frame: for each simple detector the rank correlation with the model's score, and the share of the
            strangest rows (5%) that both have.
        differing: a frame: rows that only the model calls strange, and rows that only the others do, the strangest first, with
            the fields that the model finds surprising.
        scores: a frame: the rank of every row by each detector; 1 is the strangest.
        verdict: whether anything suggests that the model sees more.
    """

    agreement: Any
    differing: Any
    scores: Any
    verdict: str

    def __str__(self) -> str:
        import narwhals as nw

        columns = nw.from_native(self.agreement, eager_only=True).to_dict(as_series=False)
        lines = [f"{'':<22}rank correlation  strangest in common"]
        for name, correlation, common in zip(*columns.values(), strict=True):
            lines.append(f"{name:<22}{correlation:>16.2f}  {common:>19.0%}")
        return "\n".join([*lines, self.verdict])

    __repr__ = __str__


def compare_detectors(fitted: Fitted, X: Any, unknown: str = "error", context: Any = None) -> DetectorComparison:
    """See :meth:`latente.VAE.compare_detectors`."""
    data, rows = fitted.read_rows(X, unknown, context)
    if len(rows) < 2 * MIN_TOP:
        raise DataError(f"to compare detectors takes at least {2 * MIN_TOP} rows, not {len(rows)}")
    weights = chosen(fitted, "auto")
    model = combined(fitted.usual, weights, strangeness(fitted, rows, tuple(weights)))
    train = fitted.at_hand.train if fitted.at_hand is not None else rows
    found = _rivals(_plain(fitted, train.subsample(MAX_TRAIN)), _plain(fitted, rows), fitted.seed)
    ranks = {"model": rank(model), **{name: rank(strange) for name, strange in found.items()}}
    shared = {name: (_correlation(ranks["model"], own), _common(ranks["model"], own)) for name, own in ranks.items()}
    del shared["model"]
    columns = {"detector": list(shared), "rank_correlation": [c for c, _ in shared.values()]}
    columns["strangest_in_common"] = [common for _, common in shared.values()]
    container = data.container
    differing = _differing(fitted, rows, ranks)
    made = (frame(columns, container), frame(differing, container), like(X, frame(ranks, container)))
    return DetectorComparison(*made, _verdict(shared))


def _plain(fitted: Fitted, rows: Rows) -> Values:
    """Rows as a simple detector gets them: numbers standardised, levels as indicators, missing values filled in."""
    if rows.mask is None:
        return expanded(rows.x.flatten(1).double(), levels_of(fitted.codec.fields)).numpy()
    return np.concatenate([Batch(fitted, batch).parts[0].detach().numpy() for batch in rows.batches(2048)])


def _rivals(train: Values, rows: Values, seed: int) -> dict[str, Values]:
    spread = train.std(0)
    train, rows = ((x - train.mean(0)) / np.where(spread > 0, spread, 1.0) for x in (train, rows))
    return {name: measure(train, rows, seed) for name, measure in RIVALS.items()}


def _correlation(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    constant = one.std() == 0 or other.std() == 0
    return float("nan") if constant else float(np.corrcoef(one, other)[0, 1])


def _top(rank: NDArray[np.int64]) -> NDArray[np.bool_]:
    return rank <= max(MIN_TOP, round(TOP * len(rank)))


def _common(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    both = (_top(one) & _top(other)).sum()
    return float(both / max(1, min(_top(one).sum(), _top(other).sum())))


def _differing(fitted: Fitted, rows: Rows, ranks: dict[str, NDArray[np.int64]]) -> dict[str, list[Any]]:
    """Rows that the model alone calls strange, and those that it alone does not."""
    model, others = ranks["model"], np.stack([own for name, own in ranks.items() if name != "model"])
    alone = np.flatnonzero(_top(model) & ~np.stack([_top(own) for own in others]).any(0))
    missed = np.flatnonzero(~_top(model) & np.stack([_top(own) for own in others]).all(0))
    places = [*alone[np.argsort(model[alone])][:MAX_DIFFERING], *missed[np.argsort(others[:, missed].mean(0))][:MAX_DIFFERING]]
    kinds = ["model alone"] * min(MAX_DIFFERING, len(alone)) + ["all others"] * min(MAX_DIFFERING, len(missed))
    fields = [""] * len(places)
    if places and not fitted.codec.fields[0].shape:
        some = rows[torch.tensor(np.array(places))]
        names = tuple(field.name for field in fitted.codec.fields)
        fields = blame(field_surprise(fitted.row_model, some), fitted.calibration.surprise, names)
    return {"row": [int(place) for place in places], "called_strange_by": kinds, "fields": fields}


def _verdict(shared: dict[str, tuple[float, float]]) -> Message:
    name, (_, common) = max(shared.items(), key=lambda item: item[1][1])
    key = "detectors.same" if common >= SAME else "detectors.differ"
    return Message(key, name=named(name), common=common)
