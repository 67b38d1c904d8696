"""Data of a report: some rows, and their codes, reconstructions and generated rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.certificate import information
from latente.data import Columns, PlainRows, SeriesCodec, encode, plain
from latente.errors import DataError
from latente.model.codes import CodeDistribution
from latente.model.fitted_priors import MixturePrior
from latente.model.priors import OwnPrior, Prior
from latente.rows import CATEGORICAL, IMAGE, SCALAR, SERIES, Rows, expanded, layout_of, levels_of
from latente.seeding import seeded
from latente.training.diagnosis import active_units
from latente.training.split import Split
from latente.words import word

if TYPE_CHECKING:
    from latente.estimator import VAE

Array = NDArray[Any]

DRAWN_ROWS = 2000
PRIOR_DRAWS = 1000
DRAWS = "figures"  # the name of what is drawn here
MAX_OPERATIONS = 5e9  # multiply-adds for the sensitivity of the decoder: about a second


class ReportData:
    """A random subsample of rows and what is computed from them, on first use.

    Args:
        vae: a fitted estimator.
        data: the training data or similar rows, as for ``fit``.
        colours: further values of the rows, to colour maps by: one for each row, by name.

    Attributes:
        data: the rows shown, at most 2,000. numbers: their indices. total: number of all rows. every: all rows.
        given: ``colours`` of the rows shown. scenes: figures that are already drawn.
    """

    def __init__(self, vae: VAE, data: Any, colours: Mapping[str, Sequence[Any] | Array] | None = None) -> None:
        vae.fitted_.refuse_all_contexts("a report")
        every = vae.fitted_.read(data)
        rows = np.random.default_rng(vae.seed_).permutation(len(every))[:DRAWN_ROWS]
        self.vae, self.total, self.numbers, self.every = vae, len(every), rows, every
        self.data = every.take(rows)
        self.scenes: dict[str, Any] = {}
        self.given = {name: colour_of(np.asarray(values)[rows]) for name, values in (colours or {}).items()}

    @property
    def layout(self) -> str:
        """How the values of a row lie."""
        return layout_of(self.vae.codec_.fields)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of a table's columns that are in the model."""
        codec = self.vae.codec_
        return tuple(field.name for field in (codec.table if isinstance(codec, SeriesCodec) else codec).fields)

    def of(self, result: Any) -> PlainRows:
        """Rows of the estimator as columns by name, or as pictures ``[N, H, W]`` or ``[N, H, W, C]``."""
        return plain(self.vae.codec_, result)

    @cached_property
    def rows(self) -> PlainRows:
        """The rows themselves."""
        return self.of(self.data)

    @cached_property
    def rebuilt(self) -> PlainRows:
        """Reconstructions of the rows, or of the first ten pictures."""
        return self.of(self.reconstructed)

    @cached_property
    def reconstructed(self) -> Any:
        """The same, as the estimator returns them."""
        return self.vae.reconstruct(self.data.take(range(self.few)))

    @property
    def few(self) -> int:
        """Number of rows whose reconstructions are shown."""
        return min(SHOWN[self.layout].rebuilt, len(self.data))

    @cached_property
    def generated(self) -> PlainRows:
        """Generated rows: as many as rows of a table are shown, or 64 pictures."""
        windows = "auto" if self.vae.fitted_.sequences is None else "fitted"  # whole series have no common length
        return self.of(self.vae.sample(SHOWN[self.layout].generated or len(self.data), prior=windows))

    @cached_property
    def walk(self) -> tuple[int, int, Any]:
        """Indices of two rows whose codes are far apart, and the rows decoded between them."""
        away = np.square(self.codes - self.codes[0]).sum(axis=1)
        end = int(np.argsort(away)[math.ceil(0.9 * (len(away) - 1))])
        way = self.vae.interpolate(self.data.take([0]), self.data.take([end]))
        return 0, end, self.of(way)

    # -- the latent space -------------------------------------------------------------------------------------------

    @cached_property
    def encoded(self) -> Rows:
        """The encoded rows."""
        return encode(self.vae.codec_, self.data)

    @cached_property
    def codes(self) -> Array:
        """Their codes, [N, d]."""
        return self.vae.transform(self.data)

    @cached_property
    def order(self) -> list[int]:
        """The dimensions of the code, those with the most information about a row first."""
        rows = expanded(self.encoded.x.flatten(1), levels_of(self.vae.codec_.fields)).numpy()
        return by_information(self.codes, rows)

    @property
    def pair(self) -> list[int]:
        """The two dimensions of the code with the most information about a row, or the only one."""
        return sorted(self.order[:2])

    @cached_property
    def axis_names(self) -> tuple[str, str]:
        """Labels of the axes of a map."""
        names = [f"z{digits(k + 1)}" for k in self.pair]
        return names[0], names[1] if len(names) > 1 else ""

    @cached_property
    def mixture(self) -> tuple[Array, Array, Array] | None:
        """The fitted prior in the two dimensions of the map; None if there is only one."""
        return mixture_on(self.vae.fitted_prior_, self.pair) if len(self.pair) == 2 else None

    @cached_property
    def explained(self) -> dict[str, float]:
        """Values that the map can be coloured by, with their variance explained by the position on it, in decreasing order."""
        shares = {name: explained(self.codes[:, self.pair], measure) for name, measure in self.measures.items()}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    @cached_property
    def measures(self) -> Columns:
        """Values that the map can be coloured by: the columns of a table, or brightness and contrast of pictures."""
        return SHOWN[self.layout].measures(self.rows)

    @cached_property
    def sensitivity(self) -> Array:
        """Change of the decoded row for one standard deviation of its code in the direction of largest change, [N]; NaN for
        rows for which it would take too long.

        Raises:
            DataError: no numeric field depends on the code.
        """
        model, fields = self.vae.model_, self.vae.codec_.fields
        numbers = torch.tensor([field.kind != CATEGORICAL for field in fields]).expand(self.encoded.x[:1].numel())
        active = active_units(model, self.encoded)
        if not bool(numbers.any()) or not bool(active.any()):
            raise DataError("no numeric field depends on the code")
        z = torch.from_numpy(self.codes)
        count = int(MAX_OPERATIONS / (2 * information.operations(model) * int(active.sum())))
        found = np.full(len(z), np.nan)
        some = z[: max(50, count)]

        def decode(codes: Tensor) -> Tensor:
            return model.decode(codes.unsqueeze(0)).mean.squeeze(0).flatten(1)[:, numbers]

        found[: len(some)] = information.geometry(decode, some, z.std(0) * active, model.space.dimensions)[0]
        return found

    @cached_property
    def posterior(self) -> CodeDistribution:
        """q(z|x) of at most 2,000 training rows, [N, d]; of the rows shown if those are not in memory.

        Raises:
            DataError: it is not a distribution.
        """
        return self._posteriors[0]

    @cached_property
    def _posteriors(self) -> tuple[CodeDistribution, CodeDistribution]:
        """q(z|x) of rows that give the density of the codes, and of other rows that define the limit of a hole."""
        at_hand = self.vae.fitted_.at_hand or Split(self.encoded, None)
        train, held_out = at_hand.train, at_hand.held_out
        if held_out is None:
            most = max(1, int(0.8 * len(train)))
            train, held_out = train[:most], train[most:] if most < len(train) else train
        return self._posterior_of(train), self._posterior_of(held_out)

    def _posterior_of(self, rows: Rows) -> CodeDistribution:
        with torch.no_grad():
            q = self.vae.model_.encode(rows.subsample(DRAWN_ROWS))
        if not q.has_density:
            raise DataError("an autoencoder has no distribution over codes")
        return q

    @cached_property
    def occupancy(self) -> information.Occupancy:
        """Where the codes of rows are, and where the holes."""
        with seeded(self.vae.seed_, DRAWS):
            return information.Occupancy.of(*self._posteriors)

    @cached_property
    def priors(self) -> dict[str, Tensor]:
        """Samples of the prior and of the fitted prior, [M, d]."""
        prior = OwnPrior().bind(self.vae.model_)
        with seeded(self.vae.seed_, DRAWS):
            return {"prior": prior.sample(PRIOR_DRAWS), "fitted": self.vae.fitted_prior_.sample(PRIOR_DRAWS).float()}


def colour_of(column: Array) -> Array:
    """A column as colours of a map: dates as years, times and durations in hours, "" for a missing text."""
    if column.dtype.kind == "M":
        return np.where(np.isnat(column), np.nan, 1970 + column.astype("datetime64[s]").astype(float) / 31_556_952)
    if column.dtype.kind == "m":
        return np.where(np.isnat(column), np.nan, column.astype(float) / 3600)
    texts = column.dtype.kind in "OUS"
    return np.array(["" if text is None else str(text) for text in column]) if texts else column.astype(float)


def _colours_of_columns(columns: Columns) -> Columns:
    return {name: colour_of(column) for name, column in columns.items()}


def _colours_of_pictures(pictures: Array) -> Columns:
    pixels = np.ma.masked_invalid(pictures.reshape(len(pictures), -1).astype(float))
    return {word("brightness"): pixels.mean(1).filled(np.nan), word("contrast"): pixels.std(1).filled(np.nan)}


def _colours_of_windows(windows: Array) -> Columns:
    values = np.ma.masked_invalid(windows.reshape(len(windows), -1).astype(float))
    return {word("level"): values.mean(1).filled(np.nan), word("deviation"): values.std(1).filled(np.nan)}


class Shown(NamedTuple):
    """What a report shows of a layout.

    Attributes:
        rebuilt: the most reconstructions. generated: number of generated rows; 0 for as many as rows are shown.
        measures: values that a map can be coloured by.
    """

    rebuilt: int
    generated: int
    measures: Callable[[Any], Columns]


SHOWN = {
    SCALAR: Shown(DRAWN_ROWS, 0, _colours_of_columns),
    IMAGE: Shown(10, 64, _colours_of_pictures),
    SERIES: Shown(9, 12, _colours_of_windows),
}


def by_information(codes: Array, rows: Array) -> list[int]:
    """The dimensions of codes ``[N, d]``, by the variance of encoded rows ``[N, F]`` that each explains, the largest first.

    The variance of a dimension is no criterion, because all active dimensions of a VAE have about that of the prior.
    """
    z = codes - codes.mean(axis=0)
    shared = z.T @ (rows - rows.mean(axis=0)) / np.maximum(np.linalg.norm(z, axis=0), 1e-12)[:, None]
    return [int(k) for k in np.argsort(-np.square(shared).sum(axis=1), kind="stable")]


def mixture_on(prior: Prior, dimensions: Sequence[int]) -> tuple[Array, Array, Array]:
    """Means, covariances and weights of a prior in some dimensions; if it is no mixture, one is fitted to samples."""
    pair = list(dimensions)
    if not isinstance(prior, MixturePrior):
        with seeded(0, DRAWS):
            prior = MixturePrior(len(pair)).fit(prior.sample(4000)[:, pair])
        pair = [*range(len(pair))]
    covariances = (prior.cholesky @ prior.cholesky.mT).numpy()
    return prior.means.numpy()[:, pair], covariances[:, pair][:, :, pair], prior.weights.numpy()


def explained(codes: Array, measure: Array) -> float:
    """Share of a measure's variance that a quadratic function of the codes [N, d] explains; for texts, of their indicators.
    -inf if the measure does not vary.
    """
    if measure.dtype.kind in "US":
        seen, values = measure != "", (measure[:, None] == np.unique(measure)[None, :50]).astype(float)
    else:
        seen, values = np.isfinite(measure), measure[:, None]
    if seen.sum() < 3 or not np.ptp(values[seen], axis=0).any():
        return -math.inf
    z, values = codes[seen].astype(float), values[seen] - values[seen].mean(0)
    z = (z - z.mean(0)) / np.maximum(z.std(0), 1e-12)
    squares = [z[:, i] * z[:, j] for i in range(z.shape[1]) for j in range(i + 1)]
    known = np.column_stack([np.ones(len(z)), z, *squares])
    values = values / max(float(np.abs(values).max()), np.finfo(float).tiny)
    left = values - known @ np.linalg.lstsq(known, values, rcond=None)[0]
    return float(1 - np.square(left).sum() / np.square(values).sum())


def digits(number: int) -> str:
    """A number as a subscript.

    >>> digits(12)
    '₁₂'
    """
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
