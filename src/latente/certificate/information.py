"""Rate, distortion and information of the code in nats per row; prior holes; explained variance; sensitivity of the decoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from latente.certificate.estimates import (
    INTERVAL,
    MIN_ROWS,
    REPEATS,
    Array,
    Estimate,
    bootstrapped,
    mean_of,
    too_few,
    unknown,
)
from latente.model.codes import CodeDistribution
from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.words import Message

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
IMPORTANCE_SAMPLES, POINTS_AT_ONCE = 1000, 64
BOUND_ROWS = 500
VALUES_AT_ONCE = 500_000  # that stay in the processor's cache: of 4 million a decoding took twice as long
MAX_OPERATIONS = 1e10  # of all decodings for the bound; a quarter of a second
OF_LEVELS = 3  # times as long take densities of columns with levels or bins as the layers that they come from
MIN_ROWS_TO_BOUND, MIN_SAMPLES = 100, 100
CAP_MARGIN = 0.5  # nats: an estimate of I(x;z) this close to log N is reported as "at least"
AT_LEAST = "reason.at_least"
HOLE_QUANTILE = 0.01
MIN_ROWS_FOR_HOLES = 100  # one of these is below the 1% quantile; fewer rows do not determine it
MAX_DRAWS_FOR_HOLES, CODES_FOR_HOLES = 20, 2000  # from the posterior of each held-out row, and in all
WORSE_THAN_MEAN = Message("reason.worse_than_mean")
FLAT = 1e-6  # smaller singular values, relative to the largest, count as this


@dataclass(frozen=True)
class RateDistortion:
    """Rate and distortion of each row, nats, both [N]."""

    rate: Array
    distortion: Array

    @classmethod
    @torch.no_grad()
    def of(cls, model: LatentModel, rows: Rows, draws: int = 4) -> RateDistortion:
        """Averages over draws of q(z|x) (one if a row has a single code)."""
        K = draws if model.noise_size else 1
        traces = [model.trace(batch, K) for batch in rows.batches(batch_size(model, K))]
        rate, distortion = (torch.cat([getattr(t, name) for t in traces]).double() for name in ("rate", "distortion"))
        return cls(rate.numpy(), distortion.numpy())

    @property
    def loss(self) -> Array:
        """-ELBO of each row, [N]."""
        return self.rate + self.distortion


def batch_size(model: LatentModel, K: int) -> int:
    """Rows per batch that bounds the memory of K draws."""
    return max(1, VALUES_AT_ONCE // (K * model.footprint))


@torch.no_grad()
def operations(model: LatentModel) -> int:
    """Approximate multiplications and additions of one decoding with its density, counted in its layers. torch's own counter
    would import a compiler.
    """
    counts = [model.footprint]

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        turned = isinstance(layer, nn.ConvTranspose2d)  # multiplies each input value, not each output value
        values = (inputs[0] if turned else output).numel()
        weight: Tensor = layer.weight  # type: ignore[assignment]
        counts.append(2 * values * weight[0].numel())

    layers = [layer for layer in model.modules() if isinstance(layer, LAYERS)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    model.decode(torch.zeros(1, 1, model.latent_dim))
    for hook in hooks:
        hook.remove()
    return sum(counts) * (OF_LEVELS if model.likelihood.takes_levels else 1)


def affordable(model: LatentModel) -> tuple[int, int]:
    """Rows and draws for the importance-weighted bound: 500 and 1,000; if decoding is slow, first fewer rows, then draws."""
    decodings = MAX_OPERATIONS / operations(model)
    rows = int(min(BOUND_ROWS, max(MIN_ROWS_TO_BOUND, decodings / IMPORTANCE_SAMPLES)))
    return rows, int(min(IMPORTANCE_SAMPLES, max(MIN_SAMPLES, decodings / rows)))


@torch.no_grad()
def importance_bound(model: LatentModel, rows: Rows, K: int = IMPORTANCE_SAMPLES) -> tuple[Array, Array]:
    """Upper bound of -log p(x) with K draws (Burda et al. 2016, eq. 8), and the effective sample size of the weights (Kong
    1992), both [N].
    """
    bounds, effective = [], []
    for batch in rows.batches(batch_size(model, K)):
        trace = model.trace(batch, K)
        log_weights = trace.log_weights.double()
        bounds.append(math.log(K) - torch.logsumexp(log_weights, 0))
        effective.append(1 / torch.softmax(log_weights, 0).square().sum(0))
    return torch.cat(bounds).numpy(), torch.cat(effective).numpy()


@torch.no_grad()
def aggregated_log_density(q: CodeDistribution, z: Tensor) -> Array:
    """log (1/N) sum_j q(z|x_j) at points [M, d], [M]; ``q`` has batch shape [N]."""
    parts = [log_sum(q.pairs_log_prob(points)) for points in torch.split(z, POINTS_AT_ONCE)]
    return (torch.cat(parts) - math.log(q.batch_shape[0])).numpy()


def log_sum(logs: Tensor) -> Tensor:
    """log sum_j exp of rows [M, N], [M], to 1e-6: what is 80 nats below a row's largest counts as that much, for exponentials
    that underflow take ten times as long.
    """
    most = logs.amax(1, keepdim=True)
    shifted = (logs - most.clamp_min(torch.finfo(most.dtype).min)).clamp_min_(-80.0)
    return shifted.float().exp_().sum(1).log().to(logs) + most.squeeze(1)


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Where the codes of rows are, and so what a prior hole is, in the certificate and the report alike.

    A code is in a hole if the density of the aggregated posterior is lower there than at 99% of the codes of held-out rows.

    Attributes:
        q: posteriors of training rows.
        held_out: log-density of the aggregated posterior at codes of held-out rows, several for each if they are few, [n, K].
    """

    q: CodeDistribution
    held_out: Array

    @classmethod
    @torch.no_grad()
    def of(cls, q: CodeDistribution, of_held_out: CodeDistribution) -> Occupancy:
        """From the posteriors of training rows and of held-out rows. Uses torch's generator."""
        n = of_held_out.batch_shape[0]
        draws = max(1, min(MAX_DRAWS_FOR_HOLES, CODES_FOR_HOLES // max(1, n)))
        codes = of_held_out.rsample((draws,)).transpose(0, 1)
        return cls(q, aggregated_log_density(q, codes.flatten(0, 1)).reshape(n, draws))

    def in_holes(self, z: Tensor) -> Array | None:
        """Which codes [M, d] are in holes, bool [M]; None with too few held-out rows."""
        if len(self.held_out) < MIN_ROWS_FOR_HOLES:
            return None
        return np.asarray(aggregated_log_density(self.q, z) < np.quantile(self.held_out, HOLE_QUANTILE))

    def share(self, z: Tensor) -> Estimate:
        """Share of codes [M, d] in holes; see :func:`prior_holes`."""
        return prior_holes(aggregated_log_density(self.q, z), self.held_out)


@torch.no_grad()
def information_terms(q: CodeDistribution, z: Tensor) -> Array:
    """log q(z_i|x_i) - log (1/N) sum_j q(z_i|x_j) for one draw of each row, [N]; their mean estimates I(x;z)."""
    return q.log_prob(z).double().numpy() - aggregated_log_density(q, z)


def mutual_information(terms: Array) -> Estimate:
    """I(x;z) in nats (Hoffman and Johnson 2016). The estimate can't exceed the logarithm of the number of rows; its reason
    states if it is close to that.
    """
    cap = math.log(len(terms))
    estimate = mean_of(terms)
    if not estimate.known or estimate.value <= cap - CAP_MARGIN:
        return estimate
    return replace(estimate, reason=Message(AT_LEAST, n=len(terms), cap=cap))


def prior_holes(prior: Array, held_out: Array, seed: int = 0) -> Estimate:
    """Share of prior samples at which the density of codes is below the 1% quantile of held-out codes.

    The interval is from a bootstrap over both prior samples and held-out rows, because few rows determine the quantile. Rows
    have Dirichlet weights (Bayesian bootstrap, Rubin 1981), with an additional weight below the lowest value: with 100 rows, a
    third of all samples contain no value below the true 1% quantile. Below the lowest value, the share decreases linearly.

    Args:
        prior: log-density of prior samples under the aggregated posterior, [M].
        held_out: the same for codes of held-out rows, one or several for each row, [N] or [N, K]; their 1% quantile is the
            limit. A prior equal to the aggregated posterior has holes of 1%.
        seed: of the bootstrap.
    """
    held_out, prior = held_out.reshape(len(held_out), -1), np.sort(prior)
    n = len(held_out)
    if n < MIN_ROWS_FOR_HOLES:
        return too_few(n, MIN_ROWS_FOR_HOLES)
    generator, order = np.random.default_rng(seed), np.argsort(held_out, axis=None)
    shares = np.searchsorted(prior, held_out.flat[order]) / len(prior)  # share of prior samples below each code
    weights = generator.dirichlet(np.ones(n + 1), REPEATS)
    rest, shares_of_rows = weights[:, -1:], weights[:, order // held_out.shape[1]] / held_out.shape[1]
    place = (rest + shares_of_rows.cumsum(1) < HOLE_QUANTILE).sum(1)
    values = shares[np.minimum(place, len(shares) - 1)] * np.minimum(1.0, HOLE_QUANTILE / rest[:, 0])
    low, high = np.percentile(generator.binomial(len(prior), values) / len(prior), INTERVAL)
    value = np.searchsorted(prior, np.quantile(held_out, HOLE_QUANTILE)) / len(prior)
    return Estimate(float(value), min(float(low), float(value)), max(float(high), float(value)))


def information_kept(values: Tensor, rebuilt: Tensor, mean: Tensor, observed: Tensor | None = None) -> Estimate:
    """Explained variance, 1 - sum (x - x̂)² / sum (x - mean of the training rows)², with a bootstrap over rows.

    Args:
        values, rebuilt: held-out rows and their reconstructions, [N, P].
        mean: of the training rows, [P].
        observed: which values are observed, [N, P].
    """
    kept = bootstrapped(lambda means: 1 - means[0] / means[1], _squared(values, (rebuilt, mean), observed))
    kept = kept if len(values) >= MIN_ROWS else Estimate(kept.value)
    return replace(kept, reason=WORSE_THAN_MEAN) if kept.value < 0 else kept


def kept_beyond(values: Tensor, rebuilt: Tensor, other: Tensor, mean: Tensor, observed: Tensor | None = None) -> Estimate:
    """Explained variance minus that of ``other`` reconstructions [N, P] of the same rows; the other arguments are as for
    :func:`information_kept`. The bootstrap uses the same rows for both, which gives an interval of the difference.
    """
    if len(values) < MIN_ROWS:
        return too_few(len(values))
    return bootstrapped(lambda means: (means[1] - means[0]) / means[2], _squared(values, (rebuilt, other, mean), observed))


def _squared(values: Tensor, others: Sequence[Tensor], observed: Tensor | None) -> Array:
    """Squared distances of rows [N, P] to each of the others, over observed values, [others, N]."""
    weight = torch.ones_like(values) if observed is None else observed.to(values.dtype)
    differences = (values.double() - other.double() for other in others)  # squares of large values overflow in single precision
    return np.stack([(difference.square() * weight).sum(1).numpy() for difference in differences])


def geometry(
    decode: Callable[[Tensor], Tensor], z: Tensor, scale: Tensor, dimensions: int | None = None
) -> tuple[Array, Array]:
    """Spectral norm and condition number of the decoder's Jacobian at codes [N, d], both [N].

    Column k is the change of the decoded means for one standard deviation ``scale`` [d] of dimension k, so that the result does
    not depend on the units of the code; dimensions of scale 0 are left out. Directional derivatives are computed as the
    derivative of the vector-Jacobian product by its vector, because torch's forward mode would import a compiler. On a curved
    space, only the largest ``dimensions`` singular values count.
    """
    z = z.detach().requires_grad_()
    with torch.enable_grad():
        decoded = decode(z)
        factors = torch.zeros_like(decoded, requires_grad=True)
        (backward,) = torch.autograd.grad((decoded * factors).sum(), z, create_graph=True)
        columns = [
            scale[k] * torch.autograd.grad(backward[:, k].sum(), factors, retain_graph=True)[0]
            for k in torch.nonzero(scale).squeeze(1).tolist()
        ]
    if not columns:
        nothing = np.zeros(len(z))
        return nothing, np.full(len(z), math.nan)
    jacobian = torch.stack(columns, -1).double()
    finite = torch.isfinite(jacobian).all(-1).all(-1).numpy()
    singular = torch.linalg.svdvals(jacobian.nan_to_num(0.0, 0.0, 0.0)).numpy()
    norm = np.where(finite, singular[:, 0], math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return norm, norm / np.maximum(singular[:, :dimensions][:, -1], FLAT * singular[:, 0])


def median_of(values: Array) -> Estimate:
    """The median, with the 95% quantile as upper end."""
    values = values[np.isfinite(values)]
    if not len(values):
        return unknown(Message("reason.no_sensitivity"))
    return Estimate(float(np.median(values)), high=float(np.quantile(values, 0.95)), reason=Message("reason.quantile"))
