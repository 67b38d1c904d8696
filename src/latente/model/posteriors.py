"""q(z | x): from the encoder's features to a distribution of codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.codes import (
    ChosenNormal,
    DiagonalNormal,
    Flowed,
    GridPoint,
    PointMass,
    PowerSpherical,
    StudentTCodes,
    TopDown,
    VonMisesFisher,
    WrappedNormal,
)
from latente.model.distributions import full_precision
from latente.model.parts import Part, register
from latente.model.spaces import Ball, Euclidean, Grid, LatentSpace, Sphere, from_tangent

BINS = 8  # of a spline
SPEED = 10.0  # Adam's steps are about as large as the learning rate; this factor makes logits change faster


class Posterior(Part):
    """Features [B, H] to a :class:`latente.model.codes.CodeDistribution` over codes [d].

    Attributes:
        latent_dim: d.
        of_values: whether its features must be the values of a row.
        space_type: kind of space of its codes.
        noise_size: number of standard normal numbers per draw; 0 for a deterministic code.
        has_density: whether its distributions have a density; without one there is no KL and no bound.
        spatial: whether it can read the features of each position of a map.
        has_labels: whether it has q(y|x) of labels y, which only an objective of labels trains.
        starts_linear: whether ``head`` starts with a linear map to the code, so that training can start at PCA.
    """

    head: nn.Linear
    latent_dim: int
    has_density = True
    spatial = False
    starts_linear = False
    of_values = False
    has_labels = False
    space_type: ClassVar[type[LatentSpace]] = Euclidean

    @property
    def noise_size(self) -> int:
        return self.latent_dim

    @property
    def space(self) -> LatentSpace:
        """The latent space of its codes."""
        return self.space_type(self.latent_dim)

    def start(self, variance: Tensor) -> None:
        """Give every row these variances, [d]; no effect if there are none."""

    def start_codes(self, features: Callable[[], Tensor]) -> None:
        """Initialise from the ``features`` [N, H] of training rows."""


def _rows_of(layer: nn.Linear, index: Tensor) -> nn.Linear:
    kept = nn.Linear(layer.in_features, len(index), device=layer.weight.device, dtype=layer.weight.dtype)
    kept.load_state_dict({"weight": layer.weight.detach()[index], "bias": layer.bias.detach()[index]})
    return kept


@register
class DiagonalNormalPosterior(Posterior):
    """Independent normal dimensions (Kingma and Welling 2014).

    The log-variance is kept within ``log_variance_bounds`` by a tanh, which has a gradient everywhere (a clamp has none at its
    bounds, and an unbounded log-variance eventually gives NaN). Its half of the head starts at zero, so that all rows are
    alike.
    """

    name = "diagonal-normal"
    starts_linear = True
    middle: Tensor

    def __init__(self, width: int, latent_dim: int, log_variance_bounds: tuple[float, float] = (-12.0, 4.0)) -> None:
        super().__init__()
        low, high = log_variance_bounds
        if not low < 0 < high:
            raise ModelError(f"log_variance_bounds must enclose 0, not {log_variance_bounds}")
        self.latent_dim = latent_dim
        self.reach = (high - low) / 2
        self.register_buffer("middle", torch.tensor((low + high) / 2), persistent=False)
        self.head = nn.Linear(width, 2 * latent_dim)
        self.start(torch.ones(latent_dim))

    def forward(self, h: Tensor) -> DiagonalNormal:
        """[B, H] to q(z | x)."""
        loc, raw = full_precision(self.head(h)).chunk(2, -1)
        return DiagonalNormal(loc, torch.add(self.middle, torch.tanh(raw), alpha=self.reach))

    @torch.no_grad()
    def start(self, variance: Tensor) -> None:
        """Give every row these variances, [d]."""
        share = ((variance.log() - self.middle) / self.reach).clamp(-0.95, 0.95)
        self.head.weight[self.latent_dim :] = 0.0
        self.head.bias[self.latent_dim :] = torch.atanh(share)

    def select_units(self, units: Tensor) -> None:
        """Drop all units of the code but these."""
        self.head = _rows_of(self.head, torch.cat([units, units + self.latent_dim]))
        self.latent_dim = self.arguments["latent_dim"] = len(units)


@register
class LabelledNormalPosterior(DiagonalNormalPosterior):
    """q(z | x, y) of rows whose label y is their context, and q(y | x) of rows without label (M2, Kingma et al. 2014).

    Args:
        labels: the context of each label and, last, that of a row without label, [L + 1, C].
        units: of the hidden layer of q(y | x).
    """

    name = "labelled-normal"
    needs_context = has_labels = True
    contexts: Tensor

    def __init__(self, width: int, latent_dim: int, labels: tuple[tuple[float, ...], ...] = (), units: int = 128) -> None:
        super().__init__(width, latent_dim)
        if len(labels) < 3:
            raise ModelError(
                "labels are one column of levels: fit(X, context='label') (--context COLUMN), some may be missing; numbers are "
                "levels with kinds={'label': 'categorical'} (--kinds COLUMN=categorical)"
            )
        self.register_buffer("contexts", torch.tensor(labels), persistent=False)
        self.label_head = nn.Sequential(nn.Linear(width, units), nn.ReLU(), nn.Linear(units, len(labels) - 1))

    def log_labels(self, h: Tensor) -> Tensor:
        """Features [B, H] of rows whose context is that of no label to log q(y | x), [B, L]."""
        return torch.log_softmax(full_precision(self.label_head(h)), -1)


class OneCode(Posterior):
    """Base: deterministic codes, from a head with one output per dimension."""

    noise_size = 0

    def __init__(self, width: int, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.head = nn.Linear(width, latent_dim)

    def select_units(self, units: Tensor) -> None:
        """Drop all units of the code but these."""
        self.head = _rows_of(self.head, units)
        self.latent_dim = self.arguments["latent_dim"] = len(units)


@register
class PointMassPosterior(OneCode):
    """One code for each row: an autoencoder."""

    name = "point-mass"
    has_density = False
    starts_linear = True

    def forward(self, h: Tensor) -> PointMass:
        """[B, H] to the code."""
        return PointMass(full_precision(self.head(h)))


@register
class IAFPosterior(Posterior):
    """A normal followed by inverse autoregressive transforms (Kingma et al. 2016).

    Args:
        width, latent_dim: H and d.
        transforms: how many; the order of the dimensions is reversed from each to the next.
        units: of the hidden layer of each.
        context: size of the context, computed from the row, that each transform reads.
    """

    name = "iaf"

    def __init__(self, width: int, latent_dim: int, transforms: int = 2, units: int = 64, context: int = 16) -> None:
        from zuko.flows.autoregressive import MaskedAutoregressiveTransform  # type: ignore[import-untyped]

        super().__init__()
        self.latent_dim, self.normal = latent_dim, DiagonalNormalPosterior(width, latent_dim)
        self.context = nn.Linear(width, context)
        orders = [torch.arange(latent_dim).flip(0) if i % 2 else torch.arange(latent_dim) for i in range(transforms)]
        self.transforms = nn.ModuleList(
            MaskedAutoregressiveTransform(latent_dim, context, order=order, hidden_features=[units], **self.univariate())
            for order in orders
        )

    def forward(self, h: Tensor) -> Flowed:
        """[B, H] to q(z | x)."""
        return Flowed(self.normal(h), full_precision(self.context(h)), list(self.transforms))

    def univariate(self) -> dict[str, Any]:
        """The transform of each dimension, as zuko asks for it; affine if nothing is said."""
        return {}


class Level(nn.Module):
    """A normal whose parameters are linear in its inputs and in a hidden layer of these: one level of a hierarchy."""

    def __init__(self, inputs: int, latent_dim: int, units: int) -> None:
        super().__init__()
        self.hidden, self.normal = nn.Linear(inputs, units), DiagonalNormalPosterior(inputs + units, latent_dim)

    def forward(self, h: Tensor) -> DiagonalNormal:
        """[..., B, H] to a normal."""
        normal: DiagonalNormal = self.normal(torch.cat([h, torch.relu(self.hidden(h))], -1))
        return normal


@register
class TopDownPosterior(Posterior):
    """Levels of a hierarchy: each part of the code is a normal given the row and all parts above it (ladder VAE, Sønderby et
    al. 2016; very deep VAE, Child 2021).

    A level is coded relative to its prior given the levels above: z = mu + sigma u, where the decoder learns mu and sigma with
    all else, and u has the prior N(0, I). The bound is the same.

    Args:
        width, latent_dim: H and d. levels: how many, of about as many dimensions each. units: of the hidden layer of each.
    """

    name = "top-down"

    def __init__(self, width: int, latent_dim: int, levels: int = 3, units: int = 64) -> None:
        super().__init__()
        if levels < 1:
            raise ModelError(f"a hierarchy has at least one level, not {levels}")
        self.latent_dim = latent_dim
        self.groups = [len(part) for part in torch.arange(latent_dim).tensor_split(min(levels, latent_dim))]
        self.levels = nn.ModuleList(
            Level(width + sum(self.groups[:number]), size, units) for number, size in enumerate(self.groups)
        )

    def forward(self, h: Tensor) -> TopDown:
        """[B, H] to q(z | x)."""
        return TopDown(full_precision(h), list(self.levels), self.groups)


@register
class ChosenNormalPosterior(Posterior):
    """A component by q(s|x), and a normal q(z|x, s) given it (HI-VAE, Nazábal et al. 2020)."""

    name = "chosen-normal"

    def __init__(self, width: int, latent_dim: int, components: int = 10) -> None:
        super().__init__()
        if components < 1:
            raise ModelError(f"a mixture needs at least one component, not {components}")
        self.latent_dim, self.components = latent_dim, components
        self.choice_head = nn.Linear(width, components)
        self.normals = DiagonalNormalPosterior(width, components * latent_dim)

    @property
    def noise_size(self) -> int:
        return self.components + self.latent_dim

    def forward(self, h: Tensor) -> ChosenNormal:
        """[B, H] to q(z | x)."""
        normals = (part.unflatten(-1, (self.components, self.latent_dim)) for part in self.normals(h).parameters)
        return ChosenNormal(full_precision(self.choice_head(h)), *normals)


@register
class MAFPosterior(IAFPosterior):
    """A normal followed by masked autoregressive transforms (Papamakarios et al. 2017): the density of any code in one pass, a
    draw in d.
    """

    name = "maf"

    def forward(self, h: Tensor) -> Flowed:
        flowed = super().forward(h)
        return Flowed(flowed.base, flowed.context, [transform.inv for transform in flowed.transforms])


@register
class NSFPosterior(IAFPosterior):
    """A normal followed by autoregressive rational-quadratic splines (Durkan et al. 2019), which also bend one dimension."""

    name = "nsf"

    def univariate(self) -> dict[str, Any]:
        from zuko.transforms import MonotonicRQSTransform  # type: ignore[import-untyped]

        return {"univariate": MonotonicRQSTransform, "shapes": [(BINS,), (BINS,), (BINS - 1,)]}


@register
class StudentTPosterior(DiagonalNormalPosterior):
    """Multivariate Student-t with independent scales, for codes of outliers (Kim et al. 2024); ``df`` degrees of freedom."""

    name = "student-t-posterior"

    def __init__(self, width: int, latent_dim: int, df: int = 5) -> None:
        super().__init__(width, latent_dim)
        self.df = at_least_3(df)

    @property
    def noise_size(self) -> int:
        return self.latent_dim + self.df

    def forward(self, h: Tensor) -> StudentTCodes:  # type: ignore[override]
        """[B, H] to q(z | x)."""
        q = super().forward(h)
        return StudentTCodes(q.loc, 0.5 * q.log_variance, self.df)


def at_least_3(df: int) -> int:
    """Degrees of freedom, which must be enough for a variance."""
    if df < 3:
        raise ModelError(f"df must be a whole number from 3, so that codes have a variance; it is {df}")
    return df


@register
class PowerSphericalPosterior(Posterior):
    """On the unit sphere, about a mean direction (Davidson et al. 2018, with the family of De Cao and Aziz 2020)."""

    name = "power-spherical"
    space_type = Sphere
    family: ClassVar[type[PowerSpherical]] = PowerSpherical

    def __init__(self, width: int, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 2:
            raise ModelError("codes on a sphere have at least 2 dimensions: set latent_dim to 2 or more")
        self.latent_dim = latent_dim
        self.head = nn.Linear(width, latent_dim + 1)

    def forward(self, h: Tensor) -> PowerSpherical:
        """[B, H] to q(z | x)."""
        direction, raw = torch.split(full_precision(self.head(h)), [self.latent_dim, 1], -1)
        return self.family(F.normalize(direction, dim=-1), self.latent_dim * (0.1 + F.softplus(raw + 2.0)))


@register
class VonMisesFisherPosterior(PowerSphericalPosterior):
    """On the unit sphere, with the von Mises-Fisher distribution about a mean direction (Davidson et al. 2018)."""

    name = "von-mises-fisher"
    family = VonMisesFisher


@register
class WrappedNormalPosterior(DiagonalNormalPosterior):
    """In hyperbolic space, a normal wrapped onto the Poincaré ball (Mathieu et al. 2019)."""

    name = "wrapped-normal"
    starts_linear = False
    space_type = Ball

    def forward(self, h: Tensor) -> WrappedNormal:  # type: ignore[override]
        """[B, H] to q(z | x)."""
        q = super().forward(h)
        return WrappedNormal(from_tangent(q.loc), 0.5 * q.log_variance)


class Quantiser(OneCode):
    """Base: each row has one of finitely many codes; each symbol of a code is one of ``points`` [C, s]. The gradient is that of
    the unrounded code (straight-through estimator).

    Features may be those of the ``positions`` of a map, one after the other. Each position then has the same number of symbols,
    at least one, by the same linear map: a spatial code of [positions, d / positions] numbers.
    """

    spatial = True
    points: Tensor
    space_type = Grid

    def __init__(self, width: int, latent_dim: int, positions: int = 1, size: int = 1) -> None:
        each = max(1, latent_dim // (positions * size)) * size
        super().__init__(width // positions, each)
        self.positions, self.latent_dim = positions, positions * each

    def raw(self, h: Tensor) -> Tensor:
        """Features [B, H] to the code before it is rounded, [B, d]. It is bounded, so that a codebook can follow it."""
        return torch.tanh(full_precision(self.head(h.reshape(len(h), self.positions, -1)))).flatten(1)

    @property
    def space(self) -> LatentSpace:
        return Grid(self.latent_dim, self.points.detach())


@register
class FSQPosterior(Quantiser):
    """Each dimension rounded to one of ``levels`` values from -1 to 1 (finite scalar quantisation, Mentzer et al. 2024)."""

    name = "fsq"

    def __init__(self, width: int, latent_dim: int, levels: int = 8, positions: int = 1) -> None:
        super().__init__(width, latent_dim, positions)
        if levels < 2:
            raise ModelError(f"a dimension has at least 2 levels, not {levels}")
        self.levels = levels
        self.register_buffer("points", torch.linspace(-1, 1, levels).unsqueeze(1), persistent=False)

    def forward(self, h: Tensor) -> GridPoint:
        """[B, H] to the code."""
        raw = self.raw(h)
        half = (self.levels - 1) / 2
        rounded = torch.round((raw + 1) * half) / half - 1
        return GridPoint(raw + (rounded - raw).detach())


@register
class VQPosterior(Quantiser):
    """Each symbol is the nearest vector of a learned codebook (van den Oord et al. 2017).

    Args:
        width: H.
        latent_dim: dimension of a code, rounded to whole symbols. positions: see :class:`Quantiser`.
        entries: size of the codebook. size: dimension of an entry. commitment: weight of the distance of features to their
            entries.
    """

    name = "vq"

    def __init__(
        self, width: int, latent_dim: int, entries: int = 64, size: int = 2, commitment: float = 0.25, positions: int = 1
    ) -> None:
        super().__init__(width, latent_dim, positions, size)
        self.commitment = commitment
        self.points = nn.Parameter(torch.randn(entries, size))

    @torch.no_grad()
    def start_codes(self, features: Callable[[], Tensor]) -> None:
        found = self.raw(features()).reshape(-1, self.points.shape[1])
        self.points.copy_(found[torch.randint(len(found), (len(self.points),))])

    def forward(self, h: Tensor) -> GridPoint:
        """[B, H] to the code."""
        raw = self.raw(h)
        grid = Grid(self.latent_dim, self.points)
        entry = grid.of_symbols(grid.symbols(raw.detach()))
        losses = {
            "codebook": (entry - raw.detach()).square().sum(-1),
            "commitment": self.commitment * (entry.detach() - raw).square().sum(-1),
        }
        return GridPoint(raw + (entry - raw).detach(), losses)


@register
class ConcreteSelector(Posterior):
    """A code that consists of ``latent_dim`` values of the row (concrete autoencoder, Abid et al. 2019): in training a softmax
    over all values with Gumbel noise, whose temperature falls from ``warm`` to ``cold``; afterwards the selected values
    themselves.
    """

    name = "concrete-selector"
    no_context = "its code consists of the row's own values"
    follows: ClassVar[Mapping[str, float]] = {"temperature": 0.8}
    has_density = False
    noise_size = 0
    of_values = True

    def __init__(self, width: int, latent_dim: int, warm: float = 10.0, cold: float = 0.1, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.latent_dim, self.warm, self.cold = latent_dim, warm, cold
        self.logits = nn.Parameter(0.01 * torch.randn(latent_dim, width))

    def forward(self, h: Tensor) -> PointMass:
        """The row [B, H] to its selected values."""
        h = full_precision(h)
        return PointMass(h @ self._soft().T if self.training else h.index_select(1, self.chosen))

    @property
    def chosen(self) -> Tensor:
        """Index of the value selected by each unit, [d]."""
        return self.logits.argmax(1)

    def _soft(self) -> Tensor:
        gumbel = -torch.log(-torch.log(torch.rand_like(self.logits).clamp(1e-6, 1 - 1e-6)))
        share = self.strength["temperature"]
        return torch.softmax((SPEED * self.logits + gumbel) / (self.warm ** (1 - share) * self.cold**share), 1)

    def select_units(self, units: Tensor) -> None:
        self.logits = nn.Parameter(self.logits.detach()[units])
        self.latent_dim = self.arguments["latent_dim"] = len(units)
