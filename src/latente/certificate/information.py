"""What the code costs and what it keeps, in nats per row; how the codes lie; how the decoder stretches them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils.flop_counter import FlopCounterMode

from latente.certificate.estimates import Array, Estimate, bootstrapped, mean_of, unknown
from latente.model.latent_model import LatentModel
from latente.rows import Rows

IMPORTANCE_SAMPLES = 1000
BOUND_ROWS = 500
VALUES_AT_ONCE = 4_000_000
MOST_OPERATIONS = 2e11  # of all decodings for the bound; some seconds
LEAST_ROWS_TO_BOUND, LEAST_SAMPLES = 100, 100
CAP_MARGIN = 0.5  # nats below log N within which an estimate of I(x;z) says "at least"
HOLE_QUANTILE = 0.01
FLAT = 1e-6  # singular values below this share of the largest belong to no direction that decodes to anything


@dataclass(frozen=True)
class Costs:
    """Rate and distortion of each row, nats, both [N]."""

    rate: Array
    distortion: Array

    @classmethod
    @torch.no_grad()
    def of(cls, model: LatentModel, rows: Rows, draws: int = 4) -> Costs:
        """Averaged over some draws of q(z|x) (one where it is a point)."""
        K = draws if model.is_stochastic else 1
        traces = [model.trace(batch, K) for batch in rows.batches(batch_size(model, K))]
        rate, distortion = (torch.cat([getattr(t, name) for t in traces]).double() for name in ("rate", "distortion"))
        return cls(rate.numpy(), distortion.numpy())

    @property
    def loss(self) -> Array:
        """-ELBO of each row, [N]."""
        return self.rate + self.distortion


def batch_size(model: LatentModel, K: int) -> int:
    """Rows at once, so that K draws of them stay small in memory."""
    return max(1, VALUES_AT_ONCE // (K * model.footprint))


@torch.no_grad()
def operations(model: LatentModel) -> int:
    """Multiplications and additions of one decoding."""
    with FlopCounterMode(display=False) as counter:
        model.decode(torch.zeros(1, 1, model.latent_dim))
    return max(1, int(counter.get_total_flops()))


def affordable(model: LatentModel) -> tuple[int, int]:
    """Rows and draws for the importance-weighted bound: 500 and 1,000, and fewer where decoding is slow, first of the rows."""
    decodings = MOST_OPERATIONS / operations(model)
    rows = int(min(BOUND_ROWS, max(LEAST_ROWS_TO_BOUND, decodings / IMPORTANCE_SAMPLES)))
    return rows, int(min(IMPORTANCE_SAMPLES, max(LEAST_SAMPLES, decodings / rows)))


@torch.no_grad()
def importance_bound(model: LatentModel, rows: Rows, K: int = IMPORTANCE_SAMPLES) -> tuple[Array, Array]:
    """Upper bound of -log p(x) with K draws (Burda et al. 2016, eq. 8), and the effective sample size of the weights (Kong
    1992), both [N].
    """
    bounds, effective = [], []
    for batch in rows.batches(batch_size(model, K)):
        trace = model.trace(batch, K)
        log_weights = (trace.log_likelihood + trace.log_prior_ratio).double()
        bounds.append(math.log(K) - torch.logsumexp(log_weights, 0))
        effective.append(1 / torch.softmax(log_weights, 0).square().sum(0))
    return torch.cat(bounds).numpy(), torch.cat(effective).numpy()


@torch.no_grad()
def aggregated_log_density(q: Distribution, z: Tensor) -> Array:
    """log (1/N) sum_j q(z|x_j) of points [M, d], [M]; ``q`` has batch shape [N]."""
    parts = [torch.logsumexp(q.log_prob(points.unsqueeze(1)).double(), 1) for points in torch.split(z, 64)]
    return (torch.cat(parts) - math.log(q.batch_shape[0])).numpy()


@torch.no_grad()
def information_terms(q: Distribution, z: Tensor) -> Array:
    """log q(z_i|x_i) - log (1/N) sum_j q(z_i|x_j) of one draw for each row, [N]: their mean is I(x;z)."""
    return q.log_prob(z).double().numpy() - aggregated_log_density(q, z)


def mutual_information(terms: Array) -> Estimate:
    """I(x;z) in nats (Hoffman and Johnson 2016). It can't exceed the logarithm of the number of rows, and says where it is
    near that.
    """
    cap = math.log(len(terms))
    estimate = mean_of(terms)
    if estimate.value <= cap - CAP_MARGIN:
        return estimate
    reason = f"at least: {len(terms):,} rows can't show more than log {len(terms):,} = {cap:.2f} nats"
    return Estimate(estimate.value, estimate.low, estimate.high, reason)


def prior_holes(prior: Array, held_out: Array) -> Estimate:
    """Share of draws of the prior where fewer codes are than almost anywhere else.

    Args:
        prior: log-density under the aggregated posterior of codes drawn from the prior.
        held_out: the same of held-out rows' codes, whose 1% quantile is the limit. A prior equal to the aggregated posterior
            has holes of 1%.
    """
    limit = np.quantile(held_out, HOLE_QUANTILE)
    return mean_of((prior < limit).astype(float)).clipped()


def information_kept(values: Tensor, rebuilt: Tensor, mean: Tensor, seen: Tensor | None = None) -> Estimate:
    """1 - unexplained variance: sum (x - x̂)² over sum (x - mean of the training rows)², with a bootstrap over rows.

    Args:
        values, rebuilt: held-out rows and their reconstructions, [N, P].
        mean: of the training rows, [P].
        seen: which values count, [N, P].
    """
    weight = torch.ones_like(values) if seen is None else seen.to(values.dtype)
    parts = [((values - other).square() * weight).sum(1).double().numpy() for other in (rebuilt, mean)]
    return bootstrapped(lambda means: 1 - means[0] / means[1], np.stack(parts))


def geometry(decode: Callable[[Tensor], Tensor], z: Tensor, scale: Tensor) -> tuple[Array, Array]:
    """Spectral norm and condition of the decoder's Jacobian at codes [N, d], both [N].

    Column k is the change of the decoded means for one standard deviation ``scale`` [d] of dimension k, so that neither depends
    on the units of the code; dimensions of scale 0 are left out. By forward-mode derivatives, one dimension at a time.
    """
    columns = []
    for k in torch.nonzero(scale).squeeze(1).tolist():
        direction = torch.zeros_like(z)
        direction[:, k] = scale[k]
        columns.append(torch.func.jvp(decode, (z,), (direction,))[1].detach())
    if not columns:
        nothing = np.zeros(len(z))
        return nothing, np.full(len(z), math.nan)
    singular = torch.linalg.svdvals(torch.stack(columns, -1).double()).numpy()
    return singular[:, 0], singular[:, 0] / np.maximum(singular[:, -1], FLAT * singular[:, 0])


def spread_of(values: Array) -> Estimate:
    """The median, with the 95% quantile as the upper end."""
    values = values[np.isfinite(values)]
    if not len(values):
        return unknown("nothing of the code decodes to a number")
    return Estimate(float(np.median(values)), high=float(np.quantile(values, 0.95)), reason="upper end: the 95% quantile")
