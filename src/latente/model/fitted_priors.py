"""Densities fitted to the codes of a trained model (ex-post densities), from which new codes are drawn.

The aggregated posterior (the codes of all rows together) always differs from the prior. Codes drawn from a density that was
fitted to it decode to better rows, without further training of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.distributions import Distribution

from latente.errors import ModelError
from latente.flat import FlatParameters, Group, adamw
from latente.model.codes import DiagonalNormal, Mixture, PowerSpherical, StandardNormal
from latente.model.distributions import LOG_2PI
from latente.model.parts import register
from latente.model.priors import Prior
from latente.model.spaces import Grid, factor, from_tangent, log_volume, to_tangent, whitened
from latente.model.special import one_hot
from latente.seeding import seeded
from latente.threads import denormals_as_zero, on_threads
from latente.words import Message

if TYPE_CHECKING:
    from latente.model.latent_model import LatentModel

CANDIDATES = (1, 2, 5, 10, 20, 30)
MAX_CODES = 10_000
FLOW_STEPS, FLOW_BATCH, FLOW_RATE = 600, 512, 1e-2
MOMENTS_OF, BOUNDED_AT_ONCE = 40_000, 1000
AT_START = 2.95  # softplus of it is 3, so that networks begin at the identity with variance exp(-2): not collapsed
STORED, JUDGED = 5000, 1000
WIDTHS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3)  # bandwidths of the kernels, relative to the distance to the k-th neighbour
WIDEST = 0.9  # largest variance of a kernel, in whitened codes (whose variance is 1)
VALUES_AT_ONCE = 20_000_000


@register
class MixturePrior(Prior):
    """Mixture of normals with full covariances; with one component, it has the moments of the aggregated posterior."""

    name = "mixture"
    learned = False
    weights: Tensor
    means: Tensor
    cholesky: Tensor

    def __init__(self, latent_dim: int, components: int = 10) -> None:
        super().__init__()
        self.components = components
        self.register_buffer("weights", torch.full((components,), 1 / components, dtype=torch.float64))
        self.register_buffer("means", torch.zeros(components, latent_dim, dtype=torch.float64))
        self.register_buffer("cholesky", torch.eye(latent_dim, dtype=torch.float64).repeat(components, 1, 1))

    def fit(self, z: Tensor, seed: int = 0) -> MixturePrior:
        self._take(_mixture(z.double().cpu().numpy(), self.components, seed))
        return self

    @property
    def in_words(self) -> str:
        return super().in_words if len(self.weights) == 1 else Message("prior.mixture_of", n=len(self.weights))

    @classmethod
    def best(cls, codes: NDArray[np.float64], seed: int) -> MixturePrior:
        """The number of components with the lowest Bayesian information criterion. Stops after two larger numbers without
        improvement, and tries only as many as the number of codes allows.
        """
        fitted = _best_mixture(codes, seed)
        d = codes.shape[1]
        prior = GaussianPrior(d) if fitted.n_components == 1 else MixturePrior(d, fitted.n_components)
        prior._take(fitted)
        return prior

    def _take(self, fitted: GaussianMixture) -> None:
        self.weights.copy_(torch.as_tensor(fitted.weights_))
        self.means.copy_(torch.as_tensor(fitted.means_))
        self.cholesky.copy_(torch.linalg.cholesky(torch.as_tensor(fitted.covariances_)))

    def sample(self, n: int) -> Tensor:
        """Draws without torch.distributions, which would first import sympy."""
        which = torch.multinomial(self.weights, n, replacement=True)
        z = torch.randn(n, self.means.shape[1], dtype=self.means.dtype)
        for k in range(len(self.weights)):
            z[which == k] = self.means[k] + z[which == k] @ self.cholesky[k].T
        return z

    def log_prob(self, z: Tensor) -> Tensor:
        d = self.means.shape[1]
        inverse = torch.linalg.solve_triangular(self.cholesky, torch.eye(d, dtype=self.means.dtype), upper=False)
        standardised = torch.einsum("...kj,kij->...ki", z.unsqueeze(-2) - self.means, inverse)
        scale = self.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        normals = -0.5 * (standardised.square().sum(-1) + d * LOG_2PI) - scale
        return torch.logsumexp(normals + self.weights.log(), -1)


@register
class GaussianPrior(MixturePrior):
    """One normal with full covariance."""

    name = "gaussian"

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim, 1)


# Takes a step (a batch to gradients), an example of its inputs and the tensors for the gradients; returns a faster step.
Step = Callable[..., Sequence[Tensor]]
Recorder = Callable[[Step, Sequence[Tensor], Sequence[Tensor]], Callable[..., object]]


def as_it_is(step: Step, example: Sequence[Tensor], targets: Sequence[Tensor]) -> Callable[..., object]:
    """A recorder that runs the step unchanged."""

    def run(*inputs: Tensor) -> None:
        for target, found in zip(targets, step(*inputs), strict=True):
            target.copy_(found)

    return run


def maximise(nets: nn.Module, log_prob: Callable[[Tensor], Tensor], data: Tensor, seed: int, record: Recorder) -> None:
    """Fit networks to data [N, ...] by maximum likelihood; keeps the weights with the best likelihood on a held-out tenth."""
    held = max(1, len(data) // 10)
    flat = FlatParameters(nets)
    whole, updates = Group(flat.vector, flat.gradient, *torch.zeros(2, len(flat.vector))), torch.zeros(())
    best, weights = math.inf, flat.copy()

    def step(batch: Tensor) -> list[Tensor]:
        return flat.differentiate(-log_prob(batch))

    with seeded(seed), torch.enable_grad(), on_threads(1), denormals_as_zero():  # a step is too small for several threads
        recorded = record(step, [data[torch.zeros(FLOW_BATCH, dtype=torch.long)]], flat.gradients)
        for number in range(FLOW_STEPS):
            batch = data[held:][torch.randint(len(data) - held, (FLOW_BATCH,))]
            recorded(batch)
            adamw([whole], updates, FLOW_RATE * (1 - number / FLOW_STEPS), beta2=0.999)
            if number % 50 == 49 and (value := float(-log_prob(data[:held]).detach().mean())) < best:
                best, weights = value, flat.copy()
    flat.put(weights)


@register
class FlowPrior(Prior):
    """A normalising flow: codes whitened, then affine couplings of half of the dimensions at a time (Dinh et al. 2017).

    Args:
        latent_dim: d, at least 2.
        layers: number of couplings; they alternate between the halves.
        width: of the two hidden layers of each coupling.
    """

    name = "flow"
    by_gradient = near_standard = True
    center: Tensor
    cholesky: Tensor

    def __init__(self, latent_dim: int, layers: int = 6, width: int = 64) -> None:
        super().__init__()
        if latent_dim < 2:
            raise ModelError("a flow needs codes of at least 2 dimensions, and these have 1")
        self.register_buffer("center", torch.zeros(latent_dim))
        self.register_buffer("cholesky", torch.eye(latent_dim))
        order = torch.arange(latent_dim)
        self.halves = [(order[order % 2 == i % 2], order[order % 2 != i % 2]) for i in range(layers)]
        self.nets = nn.ModuleList(_coupling(len(kept), 2 * len(moved), width) for kept, moved in self.halves)

    def fit(self, z: Tensor, seed: int = 0, record: Recorder = as_it_is) -> FlowPrior:
        """Maximum likelihood; keeps the weights with the best likelihood on a held-out tenth. ``record`` speeds up repeated
        steps.
        """
        self.center.copy_(z.mean(0))
        ridge = 1e-6 * torch.eye(z.shape[1])
        self.cholesky.copy_(torch.linalg.cholesky(torch.cov(z.T) + ridge))
        u = whitened(z, self.center, self.cholesky)
        maximise(self.nets, self._log_prob_of_whitened, u, seed, record)
        return self.requires_grad_(False)

    def log_prob(self, z: Tensor) -> Tensor:
        u = whitened(z.reshape(-1, z.shape[-1]), self.center, self.cholesky)
        value = self._log_prob_of_whitened(u) - self.cholesky.diagonal().log().sum()
        return value.reshape(z.shape[:-1])

    def _log_prob_of_whitened(self, u: Tensor) -> Tensor:
        log_det = u.new_zeros(len(u))
        for (kept, moved), net in zip(self.halves, self.nets, strict=True):
            shift, log_scale = _shift_and_scale(net, u.index_select(1, kept))
            u = u.index_copy(1, moved, (u.index_select(1, moved) - shift) * torch.exp(-log_scale))
            log_det = log_det - log_scale.sum(1)
        return log_det - 0.5 * (u.square().sum(1) + u.shape[1] * LOG_2PI)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        u = torch.randn(n, len(self.center), dtype=self.center.dtype)
        for (kept, moved), net in reversed(list(zip(self.halves, self.nets, strict=True))):
            shift, log_scale = _shift_and_scale(net, u[:, kept])
            u = u.index_copy(1, moved, u[:, moved] * torch.exp(log_scale) + shift)
        return u @ self.cholesky.T + self.center


@register
class SecondVAEPrior(Prior):
    """A second VAE, of the codes of the first and with as many dimensions (two-stage VAE, Dai and Wipf 2019). Its draws are
    moved and stretched to the moments of the codes; its density is an importance-weighted bound with fixed noise.

    Args:
        latent_dim: d. width: of the two hidden layers of encoder and decoder. samples: of the bound.
    """

    name = "second-vae"
    by_gradient = True
    center: Tensor
    cholesky: Tensor
    noise: Tensor

    def __init__(self, latent_dim: int, width: int = 64, samples: int = 64) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(latent_dim))
        self.register_buffer("cholesky", torch.eye(latent_dim))
        noise = torch.randn(samples, 1, latent_dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("noise", noise, persistent=False)
        self.nets = nn.ModuleDict(
            {"encoder": _coupling(latent_dim, 2 * latent_dim, width), "decoder": _coupling(latent_dim, 2 * latent_dim, width)}
        )

    def fit(self, z: Tensor, seed: int = 0, record: Recorder = as_it_is) -> SecondVAEPrior:
        """By the ELBO."""
        z = z.float()
        center, cholesky = z.mean(0), factor(z.double()).float()
        maximise(self.nets, self._elbo, whitened(z, center, cholesky), seed, record)
        with seeded(seed), torch.no_grad():
            drawn = self._drawn(MOMENTS_OF)
        inverse = torch.linalg.inv(factor(drawn.double())).float()
        self.cholesky.copy_(cholesky @ inverse)
        self.center.copy_(center - self.cholesky @ drawn.mean(0))
        return self.requires_grad_(False)

    def _elbo(self, u: Tensor) -> Tensor:
        return self._log_weights(u, torch.randn_like(u).unsqueeze(0))[0]

    def _log_weights(self, u: Tensor, noise: Tensor) -> Tensor:
        """log p(u, v) / q(v|u) of draws v, [K, N]."""
        q = _normal(self.nets["encoder"], u)
        v = q.at(noise)
        prior = StandardNormal(v, v.shape[-1])
        return _normal(self.nets["decoder"], v).log_prob(u) + prior.log_prob(v) - q.log_prob(v)

    def log_prob(self, z: Tensor) -> Tensor:
        u = whitened(z.reshape(-1, z.shape[-1]), self.center, self.cholesky)
        parts = [torch.logsumexp(self._log_weights(part, self.noise), 0) for part in torch.split(u, BOUNDED_AT_ONCE)]
        value = torch.cat(parts) - math.log(len(self.noise)) - self.cholesky.diagonal().log().sum()
        return value.reshape(z.shape[:-1])

    def _drawn(self, n: int) -> Tensor:
        d = len(self.center)
        return _normal(self.nets["decoder"], torch.randn(n, d, dtype=self.center.dtype)).rsample()

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        return self._drawn(n) @ self.cholesky.T + self.center


def _normal(net: nn.Module, x: Tensor) -> DiagonalNormal:
    """With means and log-variances by a network, [..., d]."""
    shift, raw = net(x).chunk(2, -1)
    return DiagonalNormal(x + shift, (1 - F.softplus(raw + AT_START)).clamp_min(-8.0))


@register
class NearestPrior(Prior):
    """A kernel around each of at most 5,000 stored codes, with a width proportional to the distance to the k-th neighbour
    (Breiman, Meisel and Purcell 1977); draws are shrunk so that mean and covariance stay those of the codes (Silverman 1986,
    section 6.4).

    It stores codes of training rows, and a code decodes to something close to its row: whoever has the file can reconstruct
    these rows approximately. It is never chosen automatically.

    Args:
        latent_dim: d.
        codes: how many to store, at most all.
        neighbours: k.
    """

    name = "nearest"
    learned = False
    stores_codes = True
    center: Tensor
    cholesky: Tensor
    stored: Tensor
    variance: Tensor

    def __init__(self, latent_dim: int, codes: int = STORED, neighbours: int = 10) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("center", torch.zeros(latent_dim, dtype=torch.float64))
        self.register_buffer("cholesky", torch.eye(latent_dim, dtype=torch.float64))
        self.register_buffer("stored", torch.zeros(codes, latent_dim, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(codes, dtype=torch.float64))

    def fit(self, z: Tensor, seed: int = 0) -> NearestPrior:
        """Chooses the bandwidth with the highest leave-one-out likelihood of the codes."""
        z = z.double().cpu()
        self.center = z.mean(0)
        self.cholesky = factor(z)
        with seeded(seed):
            u = whitened(z[torch.randperm(len(z))[: len(self.stored)]], self.center, self.cholesky)
        self.arguments["codes"] = len(u)
        reach = _reach(u, min(self.neighbours, len(u) - 1))
        candidates = [(width * reach).square().clamp(1e-12, WIDEST) for width in WIDTHS]
        self.variance = max(candidates, key=lambda variance: _left_out(u, variance))
        self.stored = u * (1 - self.variance.mean()).sqrt()
        return self

    def log_prob(self, z: Tensor) -> Tensor:
        flat = whitened(z.reshape(-1, z.shape[-1]), self.center, self.cholesky)
        parts = [torch.logsumexp(part, 1) for part in _kernels(flat, self.stored, self.variance)]
        log_det = self.cholesky.diagonal().log().sum()
        value: Tensor = torch.cat(parts) - math.log(len(self.stored)) - log_det
        return value.reshape(z.shape[:-1])

    def sample(self, n: int) -> Tensor:
        """Draws [n, d], from torch's generator."""
        chosen = torch.randint(len(self.stored), (n,))
        noise = torch.randn(n, len(self.center), dtype=torch.float64)
        u = self.stored[chosen] + self.variance[chosen].sqrt().unsqueeze(1) * noise
        drawn: Tensor = u @ self.cholesky.T + self.center
        return drawn


@register
class SphericalMixturePrior(Prior):
    """A mixture of power-spherical densities, fitted by expectation-maximisation with moments; the number of components, up to
    ``components``, has the lowest Bayesian information criterion.
    """

    name = "spherical-mixture"
    learned = False
    spaces = ("sphere",)
    weights: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int, components: int = 20) -> None:
        super().__init__()
        self.register_buffer("weights", torch.full((components,), 1 / components, dtype=torch.float64))
        self.register_buffer("loc", torch.eye(latent_dim, dtype=torch.float64)[torch.arange(components) % latent_dim])
        self.register_buffer("scale", torch.ones(components, 1, dtype=torch.float64))

    def fit(self, z: Tensor, seed: int = 0) -> SphericalMixturePrior:
        z, best = z.double().cpu()[:MAX_CODES], -math.inf
        most = min(self.arguments["components"], len(z) // (10 * (z.shape[1] + 1)))
        for components in (c for c in CANDIDATES if c <= max(1, most)):
            found = _spherical_mixture(z, components, seed)
            evidence = 2 * float(found.log_prob(z).sum()) - components * (z.shape[1] + 1) * math.log(len(z))
            if evidence > best:
                best, self.weights = evidence, found.log_weights.exp()
                self.loc, self.scale = found.components.parameters
        self.arguments["components"] = len(self.weights)
        return self

    def _mixture(self) -> Mixture:
        return Mixture(self.weights.log(), PowerSpherical(self.loc, self.scale))

    def sample(self, n: int) -> Tensor:
        return self._mixture().rsample((n,))

    def log_prob(self, z: Tensor) -> Tensor:
        return self._mixture().log_prob(z.double())


def _spherical_mixture(z: Tensor, components: int, seed: int) -> Mixture:
    """Mean directions and concentrations that match the moments of the assigned codes; 50 iterations."""
    labels = KMeans(components, n_init=1, random_state=seed).fit_predict(z.numpy())
    share = F.one_hot(torch.from_numpy(labels).long(), components).double()
    for _ in range(50):
        count = share.sum(0).clamp_min(1e-6)
        mean = share.T @ z / count.unsqueeze(1)
        length = mean.norm(dim=1, keepdim=True).clamp(1e-6, 1 - 1e-6)
        scale = (length * (z.shape[1] - 1) / (1 - length)).clamp(1e-3, 1e4)  # E loc'z = scale / (scale + d - 1)
        mixture = Mixture((count / len(z)).log(), PowerSpherical(mean / length, scale))
        share = torch.softmax(mixture.log_weights + mixture.components.log_prob(z.unsqueeze(1)), 1)
    return mixture


@register
class TangentMixturePrior(Prior):
    """A mixture of normals in the tangent space at the centre of a ball."""

    name = "tangent-mixture"
    learned = False
    spaces = ("ball",)

    def __init__(self, latent_dim: int, components: int = 10) -> None:
        super().__init__()
        self.flat = MixturePrior(latent_dim, components)

    def fit(self, z: Tensor, seed: int = 0) -> TangentMixturePrior:
        self.flat.fit(to_tangent(z.double()), seed)
        return self

    def sample(self, n: int) -> Tensor:
        return from_tangent(self.flat.sample(n)).float()

    def log_prob(self, z: Tensor) -> Tensor:
        v = to_tangent(z.double())
        return self.flat.log_prob(v) - log_volume(v)


@register
class SymbolsPrior(Prior):
    """An autoregressive prior over symbols, as in VQ-VAE: p(symbol | symbols before it), by a masked network (Germain et al.
    2015).

    Args:
        latent_dim, codes, size: of the grid. units: of the hidden layer.
    """

    name = "symbols"
    spaces = ("grid",)
    by_gradient = True
    points: Tensor

    def __init__(self, latent_dim: int, codes: int, size: int, units: int = 64) -> None:
        from zuko.nn import MaskedMLP  # type: ignore[import-untyped]

        super().__init__()
        self.d, self.codes, count = latent_dim, codes, latent_dim // size
        self.register_buffer("points", torch.zeros(codes, size))
        before = torch.ones(count, count).tril(-1).bool().repeat_interleave(codes, 0).repeat_interleave(codes, 1)
        # The input has an additional 1, because no symbol precedes the first one.
        self.net = MaskedMLP(torch.cat([torch.ones(len(before), 1).bool(), before], 1), hidden_features=[units])

    def bind(self, model: LatentModel) -> SymbolsPrior:
        self.points.copy_(model.space.points)  # type: ignore[attr-defined]
        return self

    def forward(self, model: LatentModel, context: Tensor | None = None) -> Distribution | None:
        self.bind(model)
        return super().forward(model, context)

    def fit(self, z: Tensor, seed: int = 0, record: Recorder = as_it_is) -> SymbolsPrior:
        """By maximum likelihood of the symbols."""
        maximise(self.net, self._log_prob_of_shown, self._shown(z), seed, record)
        return self.requires_grad_(False)

    @property
    def _space(self) -> Grid:
        return Grid(self.d, self.points)

    def _shown(self, z: Tensor) -> Tensor:
        """One-hot symbols of codes, [..., symbols, codes]."""
        return one_hot(self._space.symbols(z), self.codes, next(self.net.parameters()))

    def _logits(self, shown: Tensor) -> Tensor:
        """Log-probabilities of each symbol given those before it, [..., symbols, codes]."""
        flat = shown.flatten(-2)
        theta = self.net(torch.cat([torch.ones_like(flat[..., :1]), flat], -1))
        return torch.log_softmax(theta.view(shown.shape), -1)

    def _log_prob_of_shown(self, shown: Tensor) -> Tensor:
        return (self._logits(shown) * shown).sum((-1, -2))

    def log_prob(self, z: Tensor) -> Tensor:
        return self._log_prob_of_shown(self._shown(z))

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        shown = torch.zeros(n, self.d // self.points.shape[1], self.codes)
        for place in range(shown.shape[1]):
            drawn = torch.multinomial(self._logits(shown)[:, place].exp(), 1)
            shown[:, place] = F.one_hot(drawn.squeeze(1), self.codes).float()
        return self._space.of_symbols(shown.argmax(-1))


def _reach(u: Tensor, k: int) -> Tensor:
    """Distance of each point [n, d] to its k-th neighbour, as a standard deviation per dimension, [n]."""
    distance, _ = NearestNeighbors(n_neighbors=k).fit(u.numpy()).kneighbors()
    return torch.from_numpy(distance[:, -1]) / math.sqrt(u.shape[1])


def _kernels(points: Tensor, centers: Tensor, variance: Tensor) -> Iterator[Tensor]:
    """Log-density of points [N, d] under each kernel, [n, centers], in batches of points."""
    d = points.shape[1]
    for part in torch.split(points, max(1, VALUES_AT_ONCE // len(centers))):
        yield -0.5 * (torch.cdist(part, centers).square() / variance + d * (variance.log() + LOG_2PI))


def _left_out(u: Tensor, variance: Tensor) -> float:
    """Mean leave-one-out log-density."""
    some = u[:JUDGED]
    density = torch.cat(list(_kernels(some, u, variance)))
    own = torch.arange(len(some))
    density[own, own] = -math.inf
    return float(torch.logsumexp(density, 1).mean())


def _coupling(inputs: int, outputs: int, width: int) -> nn.Sequential:
    """A network that initially is the identity."""
    last = nn.Linear(width, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), last)


def _shift_and_scale(net: nn.Module, kept: Tensor) -> tuple[Tensor, Tensor]:
    shift, raw = net(kept).chunk(2, -1)
    return shift, 2 * torch.tanh(0.5 * raw)


def _mixture(codes: NDArray[np.float64], components: int, seed: int) -> GaussianMixture:
    ridge = 1e-6 * max(float(codes.var(0).mean()), 1e-12)
    with threadpool_limits(1):  # on some thousand codes, several threads take longer than one
        return GaussianMixture(components, reg_covar=ridge, random_state=seed, max_iter=60, tol=1e-2).fit(codes)


def _best_mixture(codes: NDArray[np.float64], seed: int) -> GaussianMixture:
    best: tuple[float, GaussianMixture] | None = None
    worse = 0
    for components in CANDIDATES:
        if components > 1 and len(codes) < 10 * components * (codes.shape[1] + 1):
            break
        fitted = _mixture(codes, components, seed)
        criterion = float(fitted.bic(codes))
        worse = 0 if best is None or criterion < best[0] else worse + 1
        if worse == 2:
            break
        best = best if worse else (criterion, fitted)
    assert best is not None
    return best[1]
