"""What is measured of a fitted model's space: its active dimensions, the density of the codes, and the columns' histograms.

A survey holds sums over rows, but no row. ``latente fit`` writes one to the run folder, so that a page can be exported later
without the data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
import torch
from torch import Tensor

from latente.data.containers import Array
from latente.errors import DataError, StorageError
from latente.explorer.forward import Forward
from latente.explorer.views import view_of
from latente.files import Count, checked, fitting, read_tensors, write_tensors
from latente.model.latent_model import LatentModel
from latente.rows import Rows, levels_of
from latente.seeding import seeded
from latente.tasks.reconstruct import decode
from latente.training.diagnosis import active_of

if TYPE_CHECKING:
    from latente.estimator import VAE

FILE, KIND, VERSION = "survey.safetensors", "survey", 1
MAX_ROWS = 10_000
SIDE = 64
PAIRED = 5  # most active dimensions: each pair of them has a plane
PROBED = 64  # codes at which this change is measured
OUTER = (0.002, 0.998)  # quantiles of the codes that a plane shows
MARGIN = 0.15  # of this range, shown on each side
UNIT = 3.2  # the planes of a model with a prior reach at least this far from 0


class Plane(msgspec.Struct, forbid_unknown_fields=True):
    """A stored plane, without its tensors."""

    kind: Literal["whole", "pair", "principal"]
    dimensions: tuple[Count, Count] | None
    range: tuple[float, float, float, float]

    def fits(self, d: int) -> bool:
        """Whether it is valid for codes of ``d`` dimensions."""
        low, high, bottom, top = self.range
        ends = all(map(math.isfinite, self.range)) and low < high and bottom < top
        return ends and (max(self.dimensions) < d if self.dimensions else self.kind == "principal")


class Content(msgspec.Struct, forbid_unknown_fields=True):
    """The values of a file; see :class:`Survey`."""

    model: str
    active: tuple[Count, ...]
    planes: tuple[Plane, ...]
    kept: float | None
    measured: bool

    def fits(self, d: int) -> bool:
        """Whether it is valid for codes of ``d`` dimensions."""
        some = bool(self.active and self.planes) and len(set(self.active)) == len(self.active)
        some = some and (self.kept is None or -math.inf < self.kept <= 1)
        return some and max(self.active) < d and all(plane.fits(d) for plane in self.planes)


@dataclass(frozen=True, eq=False)
class PlaneOf:
    """A plane z = origin + u across + v up, and the density of the codes in it.

    Attributes:
        kind: ``"whole"`` (d is 1 or 2), ``"pair"`` or ``"principal"``. dimensions: of the first two kinds, else None.
        origin, across, up: [d]; the last two have length 1, but ``up`` is 0 if d is 1.
        range: minimum and maximum of u, then of v.
        posterior: density of the projected aggregated posterior, [side, side], from the lowest v; None if unknown.
    """

    kind: str
    dimensions: tuple[int, int] | None
    origin: Array
    across: Array
    up: Array
    range: tuple[float, float, float, float]
    posterior: Array | None


@dataclass(frozen=True, eq=False)
class Survey:
    """What is measured of a model's space.

    Attributes:
        model: digest of the model.
        active: active dimensions, as in the certificate, at least one; those with the largest change of the decoded row come
            first.
        centre, spread: mean and standard deviation of the codes in each dimension, [d].
        planes: the one to begin with first.
        population: for each column the shares of its bins (:func:`latente.explorer.views.View`).
        kept: share of the variance of the rows' numbers that decoding their codes gives back; None where unknown.
        measured: whether rows were there; if not, codes are samples of the fitted prior.
    """

    model: str
    active: tuple[int, ...]
    centre: Array
    spread: Array
    planes: tuple[PlaneOf, ...]
    population: tuple[Array, ...]
    kept: float | None
    measured: bool

    @classmethod
    def of(cls, vae: VAE, rows: Rows | None = None, side: int = SIDE) -> Survey:
        """The survey of a fitted model.

        Args:
            vae: the model.
            rows: encoded rows; by default those of the fit that are still in memory. Without rows, the survey uses samples of
                the fitted prior.
            side: size of the grids.
        """
        vae.fitted_.refuse_all_contexts("a page of the explorer")
        if vae.model_.space.not_explored:
            raise DataError(f"{vae.recipe_.name}: {vae.model_.space.not_explored}")
        rows = rows if rows is not None else rows_at_hand(vae)
        mean, sd = _codes(vae, rows)
        order = _by_change(Forward(vae.model_, vae.codec_), mean)
        varying = active_of(vae.model_, mean)
        few = order[: vae.figures_["active_units"]] if rows is None else [j for j in order if varying[j]]
        active = tuple(few or order[:1])
        planes = tuple(_plane(*where, mean, sd, vae.model_, side if rows is not None else 0) for where in _planes(mean, active))
        population = tuple(view_of(vae.codec_).population(vae.codec_, vae.model_.likelihood, rows))
        kept = None if rows is None else _kept(vae, rows.subsample(MAX_ROWS), mean)
        return cls(digest(vae.model_), active, mean.mean(0), mean.std(0), planes, population, kept, rows is not None)

    def save(self, folder: str | Path) -> Path:
        """Write the survey to a run folder."""
        tensors = {"centre": self.centre, "spread": self.spread}
        tensors |= {f"population.{f}": shares for f, shares in enumerate(self.population)}
        for p, plane in enumerate(self.planes):
            tensors |= {f"plane.{p}.{name}": getattr(plane, name) for name in ("origin", "across", "up")}
            tensors |= {} if plane.posterior is None else {f"plane.{p}.posterior": plane.posterior.astype(np.float32)}
        planes = [{"kind": p.kind, "dimensions": p.dimensions, "range": p.range} for p in self.planes]
        values = {"model": self.model, "active": self.active, "planes": planes, "kept": self.kept, "measured": self.measured}
        held = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in tensors.items()}
        return write_tensors(Path(folder) / FILE, KIND, VERSION, values, held)

    @classmethod
    def load(cls, folder: str | Path, vae: VAE) -> Survey | None:
        """The survey of a model in a run folder; None if there is none of this model.

        Raises:
            StorageError: it is damaged.
        """
        path = Path(folder) / FILE
        if not path.is_file():
            return None
        values, tensors = read_tensors(path, KIND, VERSION)
        try:
            content: Content = checked(values, Content, "the survey")
            if content.model != digest(vae.model_):
                return None
            return cls._from(content, tensors, vae)
        except StorageError as error:
            raise StorageError(f"{path}: {error}; remove it, and name the data when you export") from error

    @classmethod
    def _from(cls, content: Content, tensors: dict[str, Tensor], vae: VAE) -> Survey:
        """The survey in a file; the shapes of its tensors are checked against the model."""
        d = vae.latent_dim_
        if not content.fits(d):
            raise StorageError("its dimensions are not those of the model")
        vector = torch.zeros(d, dtype=torch.float64)
        wanted = {"centre": vector, "spread": vector}
        for f, shares in enumerate(view_of(vae.codec_).population(vae.codec_, vae.model_.likelihood, None)):
            wanted[f"population.{f}"] = torch.from_numpy(shares)
        for p in range(len(content.planes)):
            wanted |= {f"plane.{p}.{name}": vector for name in ("origin", "across", "up")}
            if content.measured:
                wanted[f"plane.{p}.posterior"] = torch.zeros(SIDE, SIDE)
        held = {name: value.numpy() for name, value in fitting(tensors, wanted, "the survey").items()}
        planes = tuple(_read(p, plane, held) for p, plane in enumerate(content.planes))
        population = tuple(value for name, value in held.items() if name.startswith("population."))
        moments = held["centre"], held["spread"]
        return cls(content.model, content.active, *moments, planes, population, content.kept, content.measured)


def digest(model: LatentModel) -> str:
    """Digest that identifies a model in a survey."""
    found = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        found.update(f"{name} {tuple(value.shape)}".encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def rows_at_hand(vae: VAE) -> Rows | None:
    """The training rows that are still in memory; None for a loaded model."""
    return vae.fitted_.at_hand.train if vae.fitted_.at_hand else None


def _codes(vae: VAE, rows: Rows | None) -> tuple[Array, Array]:
    """Means and standard deviations of the posteriors of rows, both [N, d]; without rows, samples of the fitted prior."""
    if rows is None:
        with seeded(vae.seed_):
            z = vae.fitted_prior_.sample(MAX_ROWS // 2).double().numpy()
        return z, np.zeros_like(z)
    return posterior_moments(vae.model_, rows.subsample(MAX_ROWS))


@torch.no_grad()
def posterior_moments(model: LatentModel, rows: Rows, batch: int = 2048) -> tuple[Array, Array]:
    """Means and standard deviations of q(z|x), both float64 [N, d]."""
    parts = [model.encode(part) for part in rows.batches(batch)]
    mean, sd = (torch.cat(values).double().numpy() for values in zip(*((q.code, q.deviation) for q in parts), strict=True))
    return mean, sd


def _kept(vae: VAE, rows: Rows, codes: Array) -> float | None:
    """Share of the variance of the observed numeric values that decoded codes explain."""
    numbers = [not levels for levels in levels_of(vae.codec_.fields)] or slice(None)
    decoded = decode(vae.model_, torch.from_numpy(codes).float())[:, numbers]
    x = rows.x.flatten(1)[:, numbers]
    observed = torch.ones_like(x, dtype=torch.bool) if rows.mask is None else rows.mask.flatten(1)[:, numbers]
    count = observed.sum(0).clamp_min(1)
    spread = ((x - (x * observed).sum(0) / count).square() * observed).sum()
    return 1 - float(((x - decoded).square() * observed).sum() / spread) if spread > 0 else None


@torch.no_grad()
def _by_change(forward: Forward, codes: Array) -> list[int]:
    """Dimensions by the change of decoded rows for a step of one standard deviation of the codes, the largest first."""
    some = torch.from_numpy(codes[np.linspace(0, len(codes) - 1, min(PROBED, len(codes))).astype(int)]).float()
    steps = torch.from_numpy(codes.std(0)).float().diag()
    differences = [forward.expected(some + step) - forward.expected(some - step) for step in steps]
    change = torch.stack(differences).square().sum(2).mean(1)
    return [int(j) for j in torch.argsort(change, descending=True, stable=True)]


def _read(p: int, plane: Plane, held: dict[str, Array]) -> PlaneOf:
    origin, across, up = (held[f"plane.{p}.{name}"] for name in ("origin", "across", "up"))
    return PlaneOf(plane.kind, plane.dimensions, origin, across, up, plane.range, held.get(f"plane.{p}.posterior"))


Where = tuple[str, tuple[int, int] | None, Array, Array, Array]


def _planes(codes: Array, active: tuple[int, ...]) -> Iterator[Where]:
    """Kind, dimensions, origin and directions of the planes: the whole space, or pairs of active dimensions with the plane of
    the principal components in second place.
    """
    d, origin = codes.shape[1], codes.mean(0)
    unit = np.eye(d)
    if d <= 2:
        yield "whole", (0, d - 1), np.zeros(d), unit[0], unit[1] if d == 2 else np.zeros(1)
        return
    several = [*active, *(j for j in range(d) if j not in active)][: max(2, min(PAIRED, len(active)))]
    first, *others = combinations(several, 2)
    yield _pair(origin, *first)
    axes = np.linalg.eigh(np.cov(codes.T, ddof=0))[1][:, ::-1].T
    across, up = (axis * np.sign(axis[np.abs(axis).argmax()]) for axis in axes[:2])
    yield "principal", None, origin, across, up
    for pair in others:
        yield _pair(origin, *pair)


def _pair(centre: Array, i: int, j: int) -> Where:
    """The plane of two dimensions; u and v are their values."""
    origin, unit = centre.copy(), np.eye(len(centre))
    origin[[i, j]] = 0.0
    return "pair", (i, j), origin, unit[i], unit[j]


def _plane(
    kind: str,
    dimensions: tuple[int, int] | None,
    origin: Array,
    across: Array,
    up: Array,
    mean: Array,
    sd: Array,
    model: LatentModel,
    side: int,
) -> PlaneOf:
    ways = [(mean - origin) @ way for way in (across, up)]
    spreads = [np.sqrt(np.square(sd) @ np.square(way)) for way in (across, up)]
    least = UNIT if model.has_rate and dimensions is not None else 0.0
    ends = [_range(way, least) for way in ways]
    posterior = _density(ways, spreads, ends, side) if side else None
    return PlaneOf(kind, dimensions, origin, across, up, (*ends[0], *ends[1]), posterior)


def _range(way: Array, least: float) -> tuple[float, float]:
    """Range of the codes along one direction; it reaches at least ``least`` from 0."""
    low, high = np.quantile(way, OUTER)
    margin = MARGIN * (high - low) or 1.0
    return min(float(low - margin), -least or np.inf), max(float(high + margin), least or -np.inf)


def _density(ways: list[Array], spreads: list[Array], ends: list[tuple[float, float]], side: int) -> Array:
    """Mean over rows of the product of two normals, at the grid points, [side, side].

    Each row's normal has the width of its posterior, plus half of Scott's bandwidth or the distance of grid points, so that
    single codes can hardly be recovered. In one dimension the density is constant along v. Along a direction that is not an
    axis, correlations within a row's posterior are ignored.
    """
    u, v = (_normals(*each, side) for each in zip(ways, spreads, ends, strict=True))
    return np.asarray(v.T @ u / len(u))


def _normals(way: Array, spread: Array, ends: tuple[float, float], side: int) -> Array:
    """Densities of rows along one direction at the grid points, [N, side]."""
    if not way.any():
        return np.ones((len(way), side))
    low, high = ends
    middles = low + (high - low) * (np.arange(side) + 0.5) / side
    bandwidth = max(0.5 * float(way.std()) * len(way) ** (-1 / 6), (high - low) / side)
    width = np.sqrt(np.square(spread) + bandwidth**2)[:, None]
    return np.asarray(np.exp(-0.5 * np.square((middles - way[:, None]) / width)) / (width * np.sqrt(2 * np.pi)))
