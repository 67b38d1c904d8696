"""Penalties that are added to an objective: [B], nats per row."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model.latent_model import Trace
from latente.model.likelihoods import SPEED
from latente.model.objectives import Strength, Terms, not_negative
from latente.model.parts import FULL, Part, register
from latente.rows import Rows, indicators, of_indicators

MAX_ROWS = 4096  # by which a penalty is set
OUTSIDE = 100.0  # nats that an error of twice what is tolerated counts in the choice of the best epoch


class Penalty(Part):
    """Computes terms that are added to the loss and to the criterion for the best epoch.

    ``needs_input_gradient``: whether it differentiates the code with respect to the row. ``needs_prior``: whether it compares
    codes with draws of the prior. ``is_constraint``: whether it holds at the expense of the bound.
    """

    needs_input_gradient = False
    needs_prior = False
    is_constraint = False

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        """By default the single term :meth:`penalty`, with the name of the part."""
        value = self.penalty(trace)
        return Terms({self.name.replace("-", "_"): value}, value)

    def penalty(self, trace: Trace) -> Tensor:
        """The penalty of each row, [B]."""
        raise NotImplementedError

    def start(self, rows: Rows) -> None:
        """Learn from the training rows what it depends on."""


@register
class L1Sparsity(Penalty):
    """weight x sum |z|: few units are active for each row."""

    name = "l1-sparsity"

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        not_negative(weight=weight)
        self.weight = weight

    def penalty(self, trace: Trace) -> Tensor:
        return self.weight * trace.q.code.abs().sum(-1)


@register
class ActivationSparsity(Penalty):
    """weight x sum_u KL(rho || mean activation of u), activation = sigmoid(z_u) (Ng 2011, lecture notes on sparse
    autoencoders).
    """

    name = "activation-sparsity"
    couples_rows = True

    def __init__(self, weight: float = 1.0, rho: float = 0.05) -> None:
        super().__init__()
        not_negative(weight=weight)
        if not 0 < rho < 1:
            raise ModelError(f"rho is a mean activation between 0 and 1, not {rho}")
        self.weight, self.rho = weight, rho

    def penalty(self, trace: Trace) -> Tensor:
        mean = torch.sigmoid(trace.q.code).mean(0).clamp(1e-6, 1 - 1e-6)
        rho = torch.full_like(mean, self.rho)
        divergence = rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))
        return self.weight * divergence.sum().expand(len(trace.rows))


@register
class Contraction(Penalty):
    """weight x ||d mu / d x||_F^2 (Rifai et al. 2011).

    The norm of the whole Jacobian costs d backward passes; E ||v' J||^2 over v ~ N(0, I) is the same number for one
    (Hutchinson's estimator), so one v is drawn for each row and step.
    """

    name = "contraction"
    needs_input_gradient = True

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__()
        not_negative(weight=weight)
        self.weight = weight

    def penalty(self, trace: Trace) -> Tensor:
        code = trace.q.code
        (row,) = torch.autograd.grad((code * torch.randn_like(code)).sum(), trace.rows.x, create_graph=True)
        return self.weight * row.flatten(1).square().sum(-1)


@register
class RegularisedDecoder(Penalty):
    """weight x |z|^2 / 2 + smoothness x R, which keeps a decoder smooth without noise (RAE, Ghosh et al. 2020).

    ``of``: R is the sum of squares of the decoder's weights ("weights"), of its derivatives by the code ("gradient"), or of the
    largest singular value of each layer ("spectral", Yoshida and Miyato 2017).
    """

    name = "regularised-decoder"

    def __init__(self, weight: float = 0.01, smoothness: float = 1e-3, of: str = "weights") -> None:
        super().__init__()
        not_negative(weight=weight, smoothness=smoothness)
        if of not in ("weights", "gradient", "spectral"):
            raise ModelError(f"of is 'weights', 'gradient' or 'spectral', not {of!r}")
        self.weight, self.smoothness, self.of, self.needs_input_gradient = weight, smoothness, of, of == "gradient"

    def penalty(self, trace: Trace) -> Tensor:
        return 0.5 * self.weight * trace.z[0].square().sum(-1) + self.smoothness * self._roughness(trace)

    def _roughness(self, trace: Trace) -> Tensor:
        """R, [B] or []."""
        if self.of == "gradient":
            theta = trace.model.theta(trace.z, trace.rows.context)
            (by_code,) = torch.autograd.grad((theta * torch.randn_like(theta)).sum(), trace.z, create_graph=True)
            return by_code[0].square().sum(-1)
        layers = [weight.flatten(1) for weight in trace.model.decoder.parameters() if weight.dim() > 1]
        return torch.stack([_stretch(layer) if self.of == "spectral" else layer.square().sum() for layer in layers]).sum()


def _stretch(layer: Tensor, turns: int = 5) -> Tensor:
    """The square of the largest singular value, by power iteration from a random vector."""
    with torch.no_grad():
        vector = torch.randn(layer.shape[1], dtype=layer.dtype, device=layer.device)
        for _ in range(turns):
            vector = F.normalize(layer.T @ (layer @ vector), dim=0)
    return (layer @ vector).square().sum()


@register
class Decorrelation(Penalty):
    """off x sum_(i != j) C_ij^2 + diagonal x sum_i (C_ii - 1)^2, C being the covariance of the means of q(z|x) over rows
    (DIP-VAE-I, Kumar et al. 2018), or with ``draws`` that of the codes themselves (DIP-VAE-II).
    """

    name = "decorrelation"
    couples_rows = True

    def __init__(self, off: float = 10.0, diagonal: float = 10.0, draws: bool = False) -> None:
        super().__init__()
        not_negative(off=off, diagonal=diagonal)
        self.off, self.diagonal, self.draws = off, diagonal, draws

    def penalty(self, trace: Trace) -> Tensor:
        centered = trace.q.code - trace.q.code.mean(0)
        covariance = centered.T @ centered / len(centered)
        on = covariance.diagonal()
        excess = on + trace.q.deviation.square().mean(0) - 1 if self.draws else on - 1
        off = covariance.square().sum() - on.square().sum()
        return (self.off * off + self.diagonal * excess.square().sum()).expand(len(centered))


def _of_prior(trace: Trace) -> Tensor:
    """As many draws of the prior as there are rows, [B, d]."""
    p = trace.model.p(trace.rows.context)
    assert p is not None
    return p.sample(() if p.batch_shape else (len(trace.rows),)).to(trace.z)


@register
class MeanDiscrepancy(Penalty):
    """weight x MMD^2 between the codes of a batch and as many draws of the prior, with inverse multiquadratic kernels of seven
    widths (Tolstikhin et al. 2018).
    """

    name = "mmd"
    couples_rows = True
    needs_prior = True

    def __init__(self, weight: float = 100.0) -> None:
        super().__init__()
        not_negative(weight=weight)
        self.weight = weight

    def penalty(self, trace: Trace) -> Tensor:
        z = trace.z[0]
        drawn = _of_prior(trace)
        found = self._kernel(z, z) + self._kernel(drawn, drawn) - 2 * self._kernel(z, drawn)
        return (self.weight * found).expand(len(z))

    @staticmethod
    def _kernel(a: Tensor, b: Tensor) -> Tensor:
        """Mean over pairs and widths, []."""
        squared = (a.unsqueeze(1) - b.unsqueeze(0)).square().sum(-1, keepdim=True)
        width = 2 * a.shape[1] * torch.tensor([0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0], dtype=a.dtype, device=a.device)
        return (width / (width + squared)).mean()


@register
class SlicedWasserstein(Penalty):
    """weight x the squared Wasserstein distance between the codes of a batch and as many draws of the prior, averaged over
    random directions, times d (Kolouri et al. 2019).
    """

    name = "sliced-wasserstein"
    couples_rows = True
    needs_prior = True

    def __init__(self, weight: float = 10.0, directions: int = 50) -> None:
        super().__init__()
        not_negative(weight=weight)
        self.weight, self.directions = weight, directions

    def penalty(self, trace: Trace) -> Tensor:
        z = trace.z[0]
        directions = F.normalize(torch.randn(z.shape[1], self.directions, dtype=z.dtype, device=z.device), dim=0)
        along = [(points @ directions).sort(0).values for points in (z, _of_prior(trace))]
        return (self.weight * z.shape[1] * (along[0] - along[1]).square().mean()).expand(len(z))


class Critic(Penalty):
    """Base: a critic of codes, whose loss trains only itself, and is not part of the criterion for the best epoch.

    Args:
        latent_dim: d.
        gamma: weight. units: of the critic's two hidden layers.
    """

    own_rate = 0.25

    def __init__(self, latent_dim: int, gamma: float = 10.0, units: int = 128) -> None:
        super().__init__()
        not_negative(gamma=gamma)
        self.gamma = gamma
        self.critic = nn.ModuleList(nn.Linear(*pair) for pair in pairwise((latent_dim, units, units, 1)))

    def logit(self, z: Tensor, fixed: bool = False) -> Tensor:
        """log D / (1 - D) of codes [B, d], [B]; ``fixed`` gives the critic no gradient."""
        for index, layer in enumerate(self.critic):
            assert isinstance(layer, nn.Linear)
            weight, bias = (value.detach() if fixed else value for value in (layer.weight, layer.bias))
            z = F.linear(F.leaky_relu(z, 0.2) if index else z, weight, bias)
        return z.squeeze(-1)

    def loss(self, real: Tensor, other: Tensor) -> Tensor:
        """The critic's, of codes [B, d] that it is to tell from others, [B]."""
        return 0.5 * (F.softplus(-self.logit(real)) + F.softplus(self.logit(other)))


@register
class CriticTotalCorrelation(Critic):
    """gamma x TC(z), estimated by a critic that separates codes from codes with shuffled dimensions (FactorVAE, Kim and Mnih
    2018).
    """

    name = "critic-total-correlation"
    couples_rows = True

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        z = trace.z[0]
        correlation = self.gamma * self.logit(z, fixed=True)
        critic = self.loss(z.detach(), z.detach().gather(0, torch.rand_like(z).argsort(0)))
        return Terms({"total_correlation": correlation, "critic": critic}, correlation + critic, correlation)


@register
class Adversary(Critic):
    """-gamma log D(z), D being a critic that tells draws of the prior from codes (Makhzani et al. 2015)."""

    name = "adversary"
    needs_prior = True

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        z = trace.z[0]
        unlike = self.gamma * F.softplus(-self.logit(z, fixed=True))
        critic = self.loss(_of_prior(trace), z.detach())
        return Terms({"adversary": unlike, "critic": critic}, unlike + critic, unlike)


@register
class KeptVariance(Penalty):
    """A constraint: codes keep a share of the variance, by the squared error of their decoded means (GECO, Rezende and Viola
    2018). The error has a price, a parameter of its own, which rises while the error of a batch is above what is tolerated and
    falls below it. Where the constraint holds anyway, the price goes to 0 and the objective is as it was.

    The best epoch is that with the best objective among those that keep the constraint.

    Args:
        latent_dim: d.
        levels: for each column its number of levels, 0 for one of numbers; () where all are numbers.
        share: of the variance of the training rows; "pca" for the share that PCA with d components keeps.
    """

    name = "kept-variance"
    couples_rows = True
    is_constraint = True
    tolerated: Tensor

    def __init__(self, latent_dim: int, levels: tuple[int, ...] = (), share: float | str = "pca") -> None:
        super().__init__()
        if share != "pca" and not (isinstance(share, (int, float)) and 0 <= share < 1):
            raise ModelError(f"share is 'pca' or a share of the variance, from 0 to below 1, not {share!r}")
        self.latent_dim, self.levels, self.share = latent_dim, levels, share
        self.register_buffer("tolerated", torch.ones(()))
        self.log_price = nn.Parameter(torch.zeros(()))

    @torch.no_grad()
    def start(self, rows: Rows) -> None:
        rows = rows.subsample(MAX_ROWS)
        x = indicators(rows.x.flatten(1), self.levels).double()
        mask = torch.ones_like(rows.x) if rows.mask is None else rows.mask
        seen = of_indicators(mask.flatten(1), self.levels).double()
        x = (x - (x * seen).sum(0) / seen.sum(0).clamp_min(1)) * seen
        left = x * math.sqrt(1 - self.share) if isinstance(self.share, (int, float)) else x - _projected(x, self.latent_dim)
        self.tolerated.fill_((left * seen).square().sum(1).mean().clamp_min(1e-6))

    def forward(self, trace: Trace, strength: Strength = FULL) -> Terms:
        x, mask = trace.rows.x.flatten(1), trace.rows.mask
        each = trace.px_at_code.squared_error(x)[0]
        error = (each if mask is None else each * mask.flatten(1)).sum(-1)
        excess = error.detach().mean() / self.tolerated - 1
        log_price = SPEED * self.log_price
        rising = (log_price.detach() - log_price) * excess
        paid = log_price.detach().exp() * error
        return Terms({"squared_error": error}, paid + rising, (OUTSIDE * excess.clamp_min(0)).expand(len(error)))


def _projected(x: Tensor, d: int) -> Tensor:
    """Centred rows [N, P] on their first d principal components."""
    _, _, v = torch.svd_lowrank(x, q=min(d + 8, *x.shape), niter=4)
    return x @ v[:, :d] @ v[:, :d].T
