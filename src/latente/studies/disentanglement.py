"""Disentanglement of a trained model: measures of its code against known factors of variation."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from latente.certificate.disentanglement import MEASURES, Factors, are_levels, best_dimensions, information, measures
from latente.certificate.estimates import Array
from latente.certificate.subjects import Linear
from latente.data import Images, SeriesCodec, Table, read, read_context
from latente.data.plain import column_of
from latente.errors import DataError
from latente.estimator import VAE
from latente.fitted import Fitted
from latente.model.latent_model import LatentModel
from latente.rows import Rows, spaced
from latente.seeding import seeded
from latente.studies.words import as_html, as_text, number, plain
from latente.words import listed

MAX_ROWS, MIN_ROWS = 2000, 50
ROTATIONS = 5
BATCH = 1024
HEADER = ("measure", "model", "PCA", "rotated", "what it says")
HEADER_OF_FACTORS = ("factor", "dimension", "information", "gap")


@dataclass(frozen=True, repr=False)
class Disentanglement:
    """How the dimensions of a code correspond to factors. Prints as two tables.

    Attributes:
        about: number of rows and dimensions; plain values.
        figures: of the model, by the names of :data:`latente.certificate.disentanglement.MEASURES`. NaN where not defined.
        pca: of PCA with as many dimensions. rotated: of the model's code, with equal scales, after random rotations (the mean
            of five), which keep the information and not the axes: what exceeds it is due to the axes.
        information: I(z_j; v_k) / H(v_k), [factors, dimensions].
        factors: of each factor, the dimension with the most information (from 0), the share of its entropy, and the gap to the
            next dimension.
    """

    about: Mapping[str, Any]
    figures: Mapping[str, float]
    pca: Mapping[str, float]
    rotated: Mapping[str, float]
    information: Array
    factors: Mapping[str, tuple[int, float, float]]

    def lines(self) -> list[tuple[str, ...]]:
        """A line for each measure, with the columns of :data:`HEADER`."""
        return [
            (label, *(number(figures[name]) for figures in (self.figures, self.pca, self.rotated)), meaning)
            for name, (label, meaning) in MEASURES.items()
        ]

    def lines_of_factors(self) -> list[tuple[str, ...]]:
        """A line for each factor, with the columns of :data:`HEADER_OF_FACTORS`. Dimensions count from 1, as in figures."""
        return [(name, f"z{place + 1}", number(share), number(gap)) for name, (place, share, gap) in self.factors.items()]

    @property
    def title(self) -> str:
        """Title of the table."""
        about = self.about
        return f"Disentanglement: {about['latent_dim']} dimensions, {len(self.factors)} factors, {about['rows']:,} rows"

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        sides = {"figures": self.figures, "pca": self.pca, "rotated": self.rotated}
        found = {side: {name: plain(value) for name, value in figures.items()} for side, figures in sides.items()}
        keys = ("dimension", "information", "gap")
        factors = {name: dict(zip(keys, values, strict=True)) for name, values in self.factors.items()}
        return {"about": dict(self.about), **found, "factors": factors, "information": self.information.tolist()}

    def __str__(self) -> str:
        tables = as_text(HEADER, self.lines()), as_text(HEADER_OF_FACTORS, self.lines_of_factors())
        return "\n".join([self.title, "", tables[0], "", tables[1]])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        tables = as_html(HEADER, self.lines()) + as_html(HEADER_OF_FACTORS, self.lines_of_factors())
        return f"<h4>{html.escape(self.title)}</h4>{tables}"


def disentanglement(vae: VAE, X: Any, factors: Any, *, random_state: Any = None) -> Disentanglement:
    """Measure whether each factor of variation has its own dimension of the code: MIG, SAP, DCI and InfoMEC.

    Args:
        vae: a fitted model.
        X: rows, whatever :meth:`latente.VAE.fit` takes; at most 2,000 are used.
        factors: names of columns of ``X``, which the model may have or not; or data with a row for each row of ``X`` (a frame,
            a mapping from names to values, one array, a file). Texts are levels, numbers are numbers: pass codes of classes as
            texts. Rows in which a factor is missing are left out.
        random_state: a seed for draws of codes, halves and rotation; by default that of the fit.

    Raises:
        DataError: there are no such columns, a factor has a single value, or there are fewer than 50 rows.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> factors = {"size": rng.normal(size=300), "kind": np.array(["a", "b"])[rng.integers(2, size=300)]}
    >>> X = np.stack([3 * factors["size"], factors["kind"] == "a", rng.normal(size=300)], 1)
    >>> vae = VAE(latent_dim=2, max_epochs=5, random_state=0).fit(X)
    >>> found = disentanglement(vae, X, factors)
    >>> found.information.shape, [measure for measure, *_ in found.lines()]
    ((2, 2), ['MIG', 'SAP', 'DCI D', 'DCI C', 'DCI I', 'InfoM', 'InfoE', 'InfoC'])
    """
    fitted, seed = vae._fitted, vae._seed(random_state)
    rows = vae._rows(X)
    known, complete = _factors(X, factors, len(rows), isinstance(fitted.codec, SeriesCodec))
    kept = np.flatnonzero(complete)
    kept = kept[spaced(len(kept), MAX_ROWS).numpy()]
    chosen = {name: values[kept] for name, values in known.items()}
    _check(chosen, len(kept))
    return _measured(fitted, rows[torch.from_numpy(kept)], chosen, seed)


def _measured(fitted: Fitted, rows: Rows, factors: Factors, seed: int) -> Disentanglement:
    model = fitted.model
    draws = drawn_codes(model, rows, seed)
    with seeded(seed, "rotations"):
        turns = [
            torch.linalg.qr(square)[0].numpy() for square in torch.randn(ROTATIONS, *2 * draws.shape[1:], dtype=torch.float64)
        ]
    means = model.codes(rows).double().numpy()
    pca = Linear(rows, rows, fitted.codec.fields, model.latent_dim).codes(rows).double().numpy()
    spread = np.maximum(means.std(0), 1e-12)
    rotated = [measures(draws / spread @ turn, means / spread @ turn, factors, seed) for turn in turns]
    shares = information(draws, factors)
    about = {"rows": len(rows), "latent_dim": draws.shape[1], "recipe": fitted.recipe.name, "seed": seed}
    return Disentanglement(
        about,
        measures(draws, means, factors, seed),
        measures(pca, pca, factors, seed),
        {name: float(np.mean([found[name] for found in rotated])) for name in MEASURES},
        shares,
        {name: values for name, *values in best_dimensions(shares, [*factors])},  # type: ignore[misc]
    )


@torch.no_grad()
def drawn_codes(model: LatentModel, rows: Rows, seed: int) -> Array:
    """A draw of q(z|x) for each row, [N, d]."""
    with seeded(seed, "disentanglement"):
        return torch.cat([model.encode(batch).rsample() for batch in rows.batches(BATCH)]).double().numpy()


def _factors(X: Any, factors: Any, n: int, windows: bool = False) -> tuple[Factors, Any]:
    """Factors by name, and in which rows none is missing; ``windows``: whether rows are windows of series.

    Raises:
        DataError: there are no such columns, or another number of rows.
    """
    names = [factors] if isinstance(factors, str) and not os.path.exists(factors) else factors
    named = isinstance(names, (list, tuple)) and names and all(isinstance(name, str) for name in names) and len(names) != n
    if named and windows:
        raise DataError(
            "a code is that of a window here: pass factors with a value for each window, as vae.windows(X) lists them"
        )
    table = _columns(X, names) if named else read_context(factors)
    if len(table) != n:
        raise DataError(f"factors have {len(table):,} rows, but there are {n:,} rows: pass one for each row")
    found = {name: column_of(table, table.names.index(name)) for name in (names if named else table.names)}
    complete = np.logical_and.reduce([~np.isnan(column) for column in table.values.T])
    return {name: _as_factor(values) for name, values in found.items()}, complete


def _columns(X: Any, names: list[str]) -> Table:
    table = read(X, names)
    if isinstance(table, Images):
        raise DataError("factors of pictures are no columns of theirs: pass data with a row for each picture")
    if lost := [name for name in names if name not in table.names]:
        every: Any = read(X)
        raise DataError(f"factors: there is no column {lost[0]!r}; there are {listed(map(repr, every.names))}")
    return table


def _as_factor(values: Any) -> Any:
    """Texts as texts; dates and durations as numbers."""
    if values.dtype.kind == "O":
        return np.array([str(value) for value in values])
    return values if are_levels(values) else values.astype(np.float64)


def _check(factors: Factors, n: int) -> None:
    if n < MIN_ROWS:
        raise DataError(f"disentanglement needs at least {MIN_ROWS} rows without missing factors, and there are {n}")
    for name, values in factors.items():
        counts = np.unique(values, return_counts=True)[1]
        if len(counts) < 2:
            raise DataError(f"the factor {name!r} has a single value: leave it out")
        if are_levels(values) and counts.max() < 2:
            raise DataError(f"the factor {name!r} has another level in each row: leave it out, or pass numbers")
