"""The probability of rows: one interface for models that score, generate and complete rows.

:class:`latente.model.latent_model.LatentModel` implements it by importance weighting, :class:`AutoregressiveModel` directly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from latente.model.autoregressive import TOGETHER, Autoregressive, AutoregressiveFields, CodeInput
from latente.model.distributions import Conditioned, FieldsDistribution, Intervals, full_precision
from latente.model.likelihoods import Likelihood
from latente.model.priors import Prior
from latente.rows import Rows


class Explanations(NamedTuple):
    """K explanations (draws of a code) of each of B rows; one if the model has no code.

    Attributes:
        px: the distribution of the fields given each, [K, B, F].
        log_ratio: log p(z) - log q(z|x) of each, [K, B]; 0 without a code.
    """

    px: FieldsDistribution
    log_ratio: Tensor


class Completions(NamedTuple):
    """Missing values given observed ones: K completions of each of B rows.

    Attributes:
        fields: the distribution of the missing fields for each completion, [K, B, F].
        weights: their weights, [K, B], which sum to 1 for each row.
    """

    fields: Conditioned
    weights: Tensor


class Evidence(NamedTuple):
    """Log-densities of each field's value, [B, F].

    Attributes:
        given: given the observed values of the other fields. alone: given nothing.
    """

    given: Tensor
    alone: Tensor


class RowModel(nn.Module):
    """Base. A subclass has a ``likelihood``, and implements :meth:`explain`, :meth:`typical` and :meth:`new`.

    Attributes:
        draws: number of completions for the mean of a missing value.
        noise_size: number of standard normal numbers per explanation; 0 if all explanations of a row are the same.
        decoded_at_once: maximum number of codes per call of :meth:`decode`.
    """

    likelihood: Likelihood
    draws: int
    noise_size: int
    decoded_at_once: int = 8192

    def explain(self, rows: Rows, noise: Tensor) -> Explanations:
        """K explanations of each row, from ``noise`` [K, B, noise_size]."""
        raise NotImplementedError

    def typical(self, rows: Rows) -> FieldsDistribution:
        """The distribution of the fields of each row given its code (the mean of the posterior), [1, B, F]."""
        raise NotImplementedError

    def new(self, n: int, prior: Prior | None = None, context: Tensor | None = None) -> FieldsDistribution:
        """The distribution of the fields of n new rows, [1, n, F].

        Args:
            n: how many. prior: distribution of their codes, if the model has codes; None for the model's own.
            context: of each row, [n, C], or of all, [1, C], if the model has one.
        """
        raise NotImplementedError

    @property
    def has_codes(self) -> bool:
        """Whether rows can be decoded from codes."""
        return True

    def decode(self, z: Tensor, context: Tensor | None = None) -> FieldsDistribution:
        """p(x|z) for codes [K, B, d], in the context [B, C] if the model has one."""
        raise NotImplementedError

    @property
    def footprint(self) -> int:
        """Number of values in memory per explanation of a row; determines the size of batches."""
        return self.likelihood.footprint

    def log_prob(self, rows: Rows, noise: Tensor) -> Tensor:
        """log p(row) with missing values marginalised out, [B]: a lower bound from K importance-weighted explanations."""
        px, log_ratio = self.explain(rows, noise)
        return torch.logsumexp(px.row_log_prob(rows.x, rows.mask) + log_ratio, 0) - math.log(len(noise))

    def log_prob_parts(self, rows: Rows, noise: Tensor) -> Tensor:
        """Contribution of each field to :meth:`log_prob`, and last that of the codes, [B, F + 1]."""
        px, log_ratio = self.explain(rows, noise)
        each = px.log_prob(rows.x, rows.mask)
        log_weights = each.sum(-1) + log_ratio
        fields = (torch.softmax(log_weights, 0).unsqueeze(-1) * each).sum(0)
        bound = torch.logsumexp(log_weights, 0) - math.log(len(noise))
        return torch.cat([fields, (bound - fields.sum(1)).unsqueeze(1)], 1)

    def field_log_prob(self, rows: Rows) -> Tensor:
        """log p of each field given the code of its row (see :meth:`typical`), [B, F]; 0 where it is missing."""
        return self.typical(rows).log_prob(rows.x, rows.mask)[0]

    def evidence(self, rows: Rows, values: Tensor, noise: Tensor, prior: Prior | None = None) -> Evidence:
        """Log-densities of each field's value given the observed others, and by itself.

        Args:
            rows: the observed values. values: of all fields, also of missing ones, [B, F].
            noise: K explanations of each row, [K, B, noise_size].
            prior: of codes, where the model has none of its own.
        """
        px, log_ratio = self.explain(rows, noise)
        each = px.field_log_prob(values)
        seen = each if rows.mask is None else each.masked_fill(~rows.mask, 0.0)
        log_weights = (seen.sum(-1) + log_ratio).unsqueeze(-1)
        given = torch.logsumexp(log_weights - seen + each, 0) - torch.logsumexp(log_weights - seen, 0)
        K = len(noise)
        contexts = [None] if rows.context is None else [each.expand(K, -1) for each in torch.split(rows.context, 1)]
        new = [self.new(K, prior, context) for context in contexts] * (len(values) // len(contexts))
        alone = torch.stack(
            [px.field_log_prob(value.expand(K, -1))[0] for px, value in zip(new, values, strict=True)]
        )  # [B, K, F]
        return Evidence(given, torch.logsumexp(alone, 1) - math.log(len(noise)))

    def complete(self, rows: Rows, noise: Tensor) -> Completions:
        """Missing values given the observed ones, from ``noise`` [K, B, noise_size + F]."""
        px, log_ratio = self.explain(rows, noise[..., : self.noise_size])
        fields = px.conditioned(rows.x, rows.mask, noise[..., self.noise_size :])
        return Completions(fields, torch.softmax(fields.log_weight + log_ratio, 0))

    def sample(self, n: int, prior: Prior | None = None, *, context: Tensor | None = None, noise: bool = True) -> Tensor:
        """New rows, [n, F]; means of their fields if ``noise`` is False."""
        px = self.new(n, prior, context)
        return (px.sample() if noise else px.mean)[0]

    def sample_incomplete(
        self, n: int, missing: Tensor, prior: Prior | None = None, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """New rows, and which of their values are observed, both [n, F]; ``missing``: share of missing values, [F]."""
        values, observed = self.new(n, prior, context).with_missing(missing)
        return values[0], observed[0]

    def restrict(self, n: int, given: Mapping[int, Intervals], prior: Prior | None = None) -> tuple[Tensor, Tensor]:
        """New rows [n, F] with some fields in given intervals, and their log-weights [n]."""
        rows, log_weights = self.new(n, prior).restricted(given)
        return rows[0], log_weights[0]


class AutoregressiveModel(RowModel):
    """p(x) = prod_f p(x_f | x_1 … x_(f-1)): one column after the other (Larochelle and Murray 2011).

    Measured on Adult: with an autoregressive decoder the code of a VAE has almost no information (0.2 to 0.4 nats); with more,
        new
    rows get worse (two-sample score .94 without a code, .77 to .86 with one).

    It can also decode the codes of another model. Columns are then not independent given the code, so that decoded rows keep
    exact relations between columns (``benchmarks.decoding``).

    Args:
        likelihood: the networks. Their initial context, ``start``, is learned.

    Attributes:
        code: the contribution of a code; None if there are no codes.
    """

    likelihood: Autoregressive
    code: CodeInput | None

    draws = 128
    noise_size = 0

    def __init__(self, likelihood: Autoregressive) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(likelihood.outputs))
        self.likelihood = likelihood
        self.code = None

    def takes_codes(self, latent_dim: int) -> None:
        """Add an input for codes, whose contribution is initially zero."""
        self.code = CodeInput(latent_dim, self.likelihood.size, self.likelihood.width)

    @property
    def has_codes(self) -> bool:
        return self.code is not None

    @property
    def decoded_at_once(self) -> int:  # type: ignore[override]
        return TOGETHER // (2 * self.likelihood.size * self.likelihood.width)

    def decode(self, z: Tensor, context: Tensor | None = None) -> FieldsDistribution:
        assert self.code is not None
        theta = full_precision(self.start.expand(*z.shape[:-1], -1))
        return AutoregressiveFields(self.likelihood, theta, self.code(z))

    def explain(self, rows: Rows, noise: Tensor) -> Explanations:
        K, B = len(noise), len(rows)
        return Explanations(self._fields(K, B), self.start.new_zeros(K, B))

    def evidence(self, rows: Rows, values: Tensor, noise: Tensor, prior: Prior | None = None) -> Evidence:
        """Exact for the order in which a column comes last."""
        theta = full_precision(self.start.expand(1, len(rows), -1))
        given = self.likelihood.each_log_prob(theta, values, rows.mask)
        return Evidence(given, self.likelihood.each_log_prob(theta, values, torch.zeros_like(values, dtype=torch.bool)))

    def typical(self, rows: Rows) -> FieldsDistribution:
        return self._fields(1, len(rows))

    def new(self, n: int, prior: Prior | None = None, context: Tensor | None = None) -> FieldsDistribution:
        return self._fields(1, n)

    def log_prob(self, rows: Rows, noise: Tensor | None = None) -> Tensor:
        """Exact, [B]; without random draws."""
        return self.typical(rows).row_log_prob(rows.x, rows.mask)[0]

    def _fields(self, K: int, B: int) -> FieldsDistribution:
        fields: FieldsDistribution = self.likelihood(full_precision(self.start.expand(K, B, -1)))
        return fields
