"""What decoded codes leave of clean rows: a normal distribution of few directions, and of each field by itself beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

MAX_DIRECTIONS = 128
MAX_ROWS = 4096
NOTHING = 1e-9  # a variance


@dataclass(frozen=True)
class Residuals:
    """e = x - D(z) of clean rows is normal with mean ``mean`` and covariance axes diag(variance) axes' + diag(rest).

    Attributes:
        mean, rest: [F]. axes: [F, r]. variance: [r].
    """

    mean: Tensor
    axes: Tensor
    variance: Tensor
    rest: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, train: Tensor, held_out: Tensor | None = None) -> Self:
        """From residuals [n, F]: directions are those of training rows, and how large they are held-out rows say."""
        mean, x = train.mean(0), train - train.mean(0)
        r = max(1, min(MAX_DIRECTIONS, x.shape[1] // 2, len(x) // 4))
        _, _, axes = torch.svd_lowrank(x, q=min(r + 8, *x.shape), niter=2)
        axes = axes[:, :r]
        factor = (
            1.0
            if held_out is None
            else float(((held_out - mean).square().mean() / x.square().mean().clamp_min(1e-12)).clamp_min(1))
        )
        variance = (x @ axes).square().mean(0)
        rest = (x - (x @ axes) @ axes.T).square().mean(0)
        # A picture's edge may be one colour in all training rows: a little is left everywhere.
        least = 1e-3 * rest.mean() + NOTHING
        return cls(mean, axes, factor * variance.clamp_min(NOTHING), factor * rest.clamp_min(least))

    @classmethod
    def none(cls, size: int) -> Self:
        """None: whatever is left of a row is noise."""
        return cls(torch.zeros(size), torch.zeros(size, 1), torch.full((1,), NOTHING), torch.full((size,), NOTHING))

    def without(self, noise: Tensor) -> Self:
        """Those of clean rows, if the rows they are of have independent noise of this variance [F]."""
        variance = (self.variance - self.axes.square().T @ noise).clamp_min(NOTHING)
        return replace(self, variance=variance, rest=(self.rest - noise).clamp_min(NOTHING))

    def sample(self, n: int, rest: Tensor | None = None) -> Tensor:
        """Residuals of n new rows, [n, F]; ``rest`` is what they have beyond the directions, by default independent noise."""
        common = torch.randn(n, len(self.variance)) * self.variance.sqrt()
        rest = torch.randn(n, len(self.rest)) * self.rest.sqrt() if rest is None else rest
        return self.mean + common @ self.axes.T + rest

    @property
    def total(self) -> Tensor:
        """The variance of each field, [F]."""
        return self.rest + self.axes.square() @ self.variance

    def observed(self, noise: Tensor, present: Tensor) -> Observed:
        """Residuals observed through noise.

        Args:
            noise: variance of independent noise, [F] or [B, F]. present: bool [B, F], True for observed values.
        """
        alike = noise.ndim == 1 and bool(present.all())
        precision = (present[:1] if alike else present) / (self.rest + noise)
        S = torch.einsum("fr,bf,fs->brs", self.axes, precision, self.axes) + torch.diag(1 / self.variance)
        return Observed(self, precision, torch.linalg.cholesky(S))


@dataclass(frozen=True)
class Observed:
    """Residuals observed with noise: of all rows alike (B = 1), or of each.

    Attributes:
        precision: of each value, given the directions, [B, F]; 0 where it is missing. factor: Cholesky factor, [B, r, r].
    """

    residuals: Residuals
    precision: Tensor
    factor: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """Of values [B, F], but for a constant, [B]."""
        x = x - self.residuals.mean
        projected = (self.precision * x) @ self.residuals.axes
        return 0.5 * ((projected * self._directions(projected)).sum(1) - (self.precision * x.square()).sum(1))

    def expected(self, x: Tensor) -> Tensor:
        """The residuals without noise, given those with it, [B, F]."""
        known, x = self.residuals, x - self.residuals.mean
        common = self._directions((self.precision * x) @ known.axes) @ known.axes.T
        return known.mean + common + known.rest * self.precision * (x - common)

    def _directions(self, projected: Tensor) -> Tensor:
        return torch.cholesky_solve(projected.unsqueeze(-1), self.factor.expand(len(projected), -1, -1)).squeeze(-1)
