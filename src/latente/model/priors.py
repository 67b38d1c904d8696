"""p(z): prior distributions of codes, and densities that are fitted to codes after training.

One registry holds both. Any of them can be a model's own prior, trained with it. Those with ``fit`` can also be fitted to the
codes of a trained model (ex-post density; :mod:`latente.model.fitted_priors`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from latente.errors import ModelError
from latente.model.codes import (
    DiagonalNormal,
    Mixture,
    NormalMixture,
    StandardNormal,
    StudentTCodes,
    UniformGrid,
    UniformSphere,
    WrappedNormal,
)
from latente.model.distributions import full_precision
from latente.model.parts import Part, register
from latente.model.spaces import Grid
from latente.rows import Rows
from latente.words import Message, texts

if TYPE_CHECKING:
    from latente.model.latent_model import LatentModel


class Prior(Part):
    """Base: a density over codes, whose learned or fitted values are parameters and buffers.

    Attributes:
        spaces: kinds of :class:`latente.model.spaces.LatentSpace` over which it is a density.
        is_prior: whether a model with this part has a prior.
        stores_codes: whether codes of training rows are stored with it.
        by_gradient: whether ``fit`` takes a recorder of its steps.
        learned: whether it can be the model's own prior, and not only be fitted to codes after training.
        near_standard: whether it is near N(0, I) when training starts (see :func:`latente.model.codes.rate`).
    """

    spaces: ClassVar[tuple[str, ...]] = ("euclidean",)
    is_prior = True
    stores_codes = False
    by_gradient = False
    learned = True
    near_standard = False

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Distribution | None:
        """p(z | context). A prior may encode rows with its ``model``."""
        return _Density(self)

    def of_rows(self, model: LatentModel, rows: Rows) -> Distribution | None:
        """p(z | context) of these rows."""
        return self(model, rows.context)  # type: ignore[no-any-return]

    def start(self, rows: Rows) -> None:
        """Initialise from the training rows."""

    def start_codes(self, codes: Callable[[], Tensor]) -> None:
        """Begin from the ``codes`` [N, d] that training rows have at the start."""

    def fit(self, z: Tensor, seed: int = 0) -> Self:
        """Fit to codes [N, d]; returns itself.

        Raises:
            ModelError: it can only be learned together with a model.
        """
        raise ModelError(f"the prior {self.name!r} can only be learned together with a model")

    def bind(self, model: LatentModel) -> Self:
        """Set the model whose codes it was fitted to; returns itself."""
        return self

    def sample(self, n: int) -> Tensor:
        """Draws [n, d], from torch's generator."""
        raise NotImplementedError

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, [..., d] to [...]."""
        raise NotImplementedError

    @property
    def in_words(self) -> str:
        """A name for people."""
        return Message(f"prior.{self.name}") if f"prior.{self.name}" in texts().entries else self.name


class _Density(Distribution):
    """A part with ``sample`` and ``log_prob`` as a distribution."""

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, part: Prior) -> None:
        self.part, self.near_standard = part, part.near_standard
        super().__init__(validate_args=False)

    def sample(self, sample_shape: torch.Size | tuple[int, ...] = ()) -> Tensor:  # type: ignore[override]
        """Draws, [*sample_shape, d]."""
        drawn = self.part.sample(math.prod(sample_shape))
        return drawn.view(*sample_shape, drawn.shape[-1])

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, [..., d] to [...]."""
        return self.part.log_prob(value)


class FixedPrior(Prior):
    """Base: nothing is learned; it is the same for any number of dimensions."""

    origin: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def select_units(self, units: Tensor) -> None:
        """The same density over fewer dimensions."""
        self.latent_dim = self.arguments["latent_dim"] = len(units)


@register
class StandardNormalPrior(FixedPrior):
    """``N(0, I)``."""

    name = "standard-normal"

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Distribution:
        return StandardNormal(self.origin, self.latent_dim)


@register
class ConditionalNormalPrior(Prior):
    """``N(mu(c), diag(sigma(c)^2))``, learned: the distribution of codes depends on the context c (Sohn et al. 2015)."""

    name = "conditional-normal"
    needs_context = True

    def __init__(self, latent_dim: int, context_size: int, units: int = 64) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.first, self.head = nn.Linear(context_size, units), nn.Linear(units, 2 * latent_dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Distribution:
        if model.context is None:
            raise ModelError(f"the prior {self.name!r} needs a model with a context, and this model has none")
        moved = self.head(torch.relu(self.first(model.context.checked(context).to(self.head.weight.dtype))))
        moved = full_precision(moved if context is not None else moved[0])
        loc, log_variance = moved.chunk(2, -1)
        return DiagonalNormal(loc, log_variance.clamp(-12.0, 4.0))

    def select_units(self, units: Tensor) -> None:
        """The same density over fewer dimensions."""
        both = torch.cat([units, units + self.latent_dim])
        kept = nn.Linear(self.head.in_features, len(both))
        kept.load_state_dict({"weight": self.head.weight.detach()[both], "bias": self.head.bias.detach()[both]})
        self.head, self.latent_dim = kept, len(units)
        self.arguments["latent_dim"] = len(units)


@register
class NoPrior(Prior):
    """No prior: for an autoencoder."""

    name = "no-prior"
    spaces = ("euclidean", "sphere", "grid")
    is_prior = False

    def forward(self, model: LatentModel, context: Tensor | None = None) -> None:
        return None

    def select_units(self, units: Tensor) -> None:
        """Nothing changes."""


@register
class OwnPrior(Prior):
    """The model's own prior, used as fitted prior."""

    name = "own-prior"
    spaces = ()

    def bind(self, model: LatentModel) -> OwnPrior:
        if not model.has_prior:
            raise ModelError(f"a model with the posterior {model.posterior.name!r} has no prior to draw codes from")
        self._of = (model,)  # a tuple, so that it is no submodule: its weights are stored with the model
        return self

    @property
    def model(self) -> LatentModel:
        """The model whose prior it is."""
        return self._of[0]

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        p = self.model.p()
        assert p is not None
        return p.sample((n,))

    @torch.no_grad()
    def log_prob(self, z: Tensor) -> Tensor:
        p = self.model.p()
        assert p is not None
        return p.log_prob(z.float())

    @property
    def in_words(self) -> str:
        return Message("prior.own", name=self.model.prior.in_words)


@register
class NormalMixturePrior(Prior):
    """A mixture of normals with independent dimensions, learned with the model (Dilokthanakul et al. 2016).

    The KL of a code includes the choice of its component, with the best component posterior: the bound of the model in which
    the component is a part of the code (HI-VAE).

    Args:
        latent_dim: d.
        components: how many.
        from_codes: begin with a mixture fitted to the first codes of training rows (as VaDE, Jiang et al. 2017).
    """

    name = "normal-mixture"

    def __init__(self, latent_dim: int, components: int = 10, from_codes: bool = False) -> None:
        super().__init__()
        self.from_codes = from_codes
        if components < 1:
            raise ModelError(f"a mixture needs at least one component, not {components}")
        self.latent_dim = latent_dim
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(torch.randn(components, latent_dim))
        self.log_variance = nn.Parameter(torch.zeros(components, latent_dim))

    def forward(self, model: LatentModel | None = None, context: Tensor | None = None) -> NormalMixture:
        return NormalMixture(self.logits, self.loc, self.log_variance.clamp(-12.0, 4.0))

    @torch.no_grad()
    def start_codes(self, codes: Callable[[], Tensor]) -> None:
        if not self.from_codes or len(z := codes().double().cpu()) < 2 * len(self.logits):
            return
        from sklearn.mixture import GaussianMixture

        seed = int(torch.randint(2**31, ()))
        found = GaussianMixture(len(self.logits), covariance_type="diag", reg_covar=1e-4, random_state=seed).fit(z.numpy())
        for parameter, value in (
            (self.logits, np.log(found.weights_)),
            (self.loc, found.means_),
            (self.log_variance, np.log(found.covariances_)),
        ):
            parameter.copy_(torch.from_numpy(value))

    def select_units(self, units: Tensor) -> None:
        """The same density over fewer dimensions."""
        self.loc, self.log_variance = (nn.Parameter(part.detach()[:, units]) for part in (self.loc, self.log_variance))
        self.latent_dim = self.arguments["latent_dim"] = len(units)


@register
class StudentTPrior(FixedPrior):
    """Multivariate Student-t with ``df`` degrees of freedom: codes far out are not pulled in (Abiri and Ohlsson 2020)."""

    name = "student-t-prior"

    def __init__(self, latent_dim: int, df: int = 5) -> None:
        super().__init__(latent_dim)
        self.df = df

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Distribution:
        origin = self.origin.expand(self.latent_dim)
        return StudentTCodes(origin, origin, self.df)


@register
class UniformSpherePrior(FixedPrior):
    """The uniform distribution on the unit sphere."""

    name = "uniform-sphere"
    spaces = ("sphere",)

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Distribution:
        return UniformSphere(self.origin, self.latent_dim)


@register
class WrappedNormalPrior(FixedPrior):
    """The standard normal of the tangent space at the centre of the Poincaré ball, wrapped onto it (Mathieu et al. 2019)."""

    name = "wrapped-normal-prior"
    spaces = ("ball",)

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Distribution:
        origin = self.origin.expand(self.latent_dim)
        return WrappedNormal(origin, origin)


@register
class UniformGridPrior(Prior):
    """The uniform distribution over the codes of a grid; the KL of a code is the logarithm of their number."""

    name = "uniform-grid"
    spaces = ("grid",)

    def forward(self, model: LatentModel, context: Tensor | None = None) -> UniformGrid:
        assert isinstance(model.space, Grid)
        return UniformGrid(model.space)


@register
class VampPrior(Prior):
    """A mixture of the posteriors of learned pseudo-inputs (Tomczak and Welling 2018).

    Pseudo-inputs start with values of training rows, each column shuffled on its own, so that no training row is stored.

    Args:
        shape: of a row.
        components: number of pseudo-inputs.
    """

    name = "vamp"
    no_context = "its pseudo-inputs have no context"
    spaces = ("euclidean", "sphere")

    def __init__(self, shape: tuple[int, ...], components: int = 100) -> None:
        super().__init__()
        self.pseudo = nn.Parameter(torch.randn(components, *shape))
        self.logits = nn.Parameter(torch.zeros(components))

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Mixture:
        return Mixture(torch.log_softmax(self.logits, 0), model.encode(Rows(self.pseudo)))

    @torch.no_grad()
    def start(self, rows: Rows) -> None:
        x = rows.x.flatten(1)
        places = torch.randint(len(x), (len(self.pseudo), x.shape[1]), device=x.device)
        self.pseudo.copy_(x.gather(0, places).view_as(self.pseudo))

    def select_units(self, units: Tensor) -> None:
        """The mixture of posteriors over fewer units."""


@register
class ExemplarPrior(Prior):
    """A mixture of normals about the codes of training rows, which are stored (Norouzi et al. 2020). In training a row is left
    out of its own.

    Args:
        shape: of a row. masked: whether values are missing. components: how many rows, drawn at random.
    """

    name = "exemplar"
    no_context = "the rows that it stores have none"
    stores_codes = True
    exemplars: Tensor
    observed: Tensor | None

    def __init__(self, shape: tuple[int, ...], masked: bool = False, components: int = 200) -> None:
        super().__init__()
        self.register_buffer("exemplars", torch.randn(components, *shape))
        self.register_buffer("observed", torch.ones(components, *shape, dtype=torch.bool) if masked else None)
        self.log_variance = nn.Parameter(torch.zeros(()))

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Mixture:
        return self._weighted(model, self.log_variance.new_zeros(len(self.exemplars)))

    def of_rows(self, model: LatentModel, rows: Rows) -> Mixture:
        if not self.training:
            return self(model)  # type: ignore[no-any-return]
        same = (rows.x.flatten(1).unsqueeze(1) == self.exemplars.flatten(1)).all(-1)
        return self._weighted(model, torch.zeros_like(same, dtype=rows.x.dtype).masked_fill(same, -1e4))

    def _weighted(self, model: LatentModel, logits: Tensor) -> Mixture:
        """By ``logits`` of each exemplar, [S] or [B, S]."""
        loc = model.encode(Rows(self.exemplars, self.observed)).code
        log_variance = self.log_variance.clamp(-12.0, 4.0).expand_as(loc)
        return Mixture(torch.log_softmax(logits, -1), DiagonalNormal(loc, log_variance))

    @torch.no_grad()
    def start(self, rows: Rows) -> None:
        some = rows[torch.randint(len(rows), (len(self.exemplars),))]
        self.exemplars.copy_(some.x)
        if self.observed is not None and some.mask is not None:
            self.observed.copy_(some.mask)

    def select_units(self, units: Tensor) -> None:
        """The codes of the same rows make the mixture."""
