"""The clean row behind a noisy one, by a model of clean rows and a model of the noise.

A clean row is D(z) + e: what its code decodes to, and a residual whose distribution the rows of the fit tell. A noisy row is
that with noise. Given the code, the clean row's posterior mean has a closed form; the code is where the noisy row and the
prior together are most probable. In a linear Gaussian model that is the exact posterior mean of the clean row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latente.errors import ModelError
from latente.model.latent_model import LatentModel
from latente.rows import Rows
from latente.training.residuals import Residuals

BATCH = 256
STEPS, RATE = 60, 0.05
TURNS = 3  # of telling which values were replaced, and estimating the level of noise
IMPROBABLE, DOUBTFUL = 5.0, 2.0  # standard deviations from which a value at an end of the scale tells of noise, or is not used
MIN_REPLACED = 0.005  # a share below is none
SAME = 1e-4  # of a standard deviation, or of the range of pixels
ERRORS = 3.0  # standard errors by which rows must differ more from their reconstructions than clean ones
KINDS = ("gaussian", "salt-and-pepper", "shot")


@dataclass(frozen=True)
class Noise:
    """What was added to clean rows, in encoded units.

    Attributes:
        variance: of Gaussian noise in each field, [F].
        replaced: share of the values that were replaced by an end of the scale.
        shot: variance for each unit of the clean value above ``zero`` [F], where it is counted (Poisson).
    """

    variance: Tensor
    replaced: float = 0.0
    shot: float = 0.0

    @property
    def none(self) -> bool:
        """Whether there is none."""
        return not (self.replaced or self.shot or bool(self.variance.any()))


@dataclass(frozen=True)
class Denoiser:
    """A model of clean rows.

    Attributes:
        model, residuals: of clean rows. numbers: which fields hold numbers, bool [F]; others stay as they are.
        zero: what 0 of the user's units is in each field, [F]. low, high: ends of the scale of each, [F].
    """

    model: LatentModel
    residuals: Residuals
    numbers: Tensor
    zero: Tensor
    low: Tensor
    high: Tensor

    def denoise(self, rows: Rows, noise: Noise) -> Tensor:
        """E[clean row | noisy row], [N, F]; what was not seen is filled in."""
        return torch.cat([self._cleaned(batch, noise) for batch in rows.batches(BATCH)])

    def estimate(self, rows: Rows, kind: str | None = None) -> Noise:
        """The noise of rows: how much further they are from their reconstructions than clean rows are."""
        rows = rows.subsample(8 * BATCH)
        x, seen = rows.x.flatten(1), self._seen(rows)
        left, noise = x - self._decoded(self.model.codes(rows), rows), Noise(torch.zeros(x.shape[1]))
        if kind in (None, "salt-and-pepper"):
            share = self._replaced(x, left, seen)
            if share >= MIN_REPLACED:
                return replace(noise, replaced=share)
        if kind == "salt-and-pepper":
            return noise
        for _ in range(TURNS):
            found = self._level(x, left, seen, kind)
            if found.none:
                return found
            left, noise = x - self._decoded(self._codes(rows, found, seen), rows), found
        return noise

    def _replaced(self, x: Tensor, left: Tensor, seen: Tensor) -> float:
        """The share of values that are improbable and at an end of the scale; 0 where most improbable ones are not there."""
        improbable = (left.abs() > IMPROBABLE * self.residuals.total.sqrt()) & seen
        at_ends = int((improbable & self._at_ends(x)).sum())
        return at_ends / max(1, int(seen.sum())) if 2 * at_ends > int(improbable.sum()) else 0.0

    def _level(self, x: Tensor, left: Tensor, seen: Tensor, kind: str | None) -> Noise:
        """By squares of residuals beyond those of clean rows; of a picture one level for all pixels."""
        F, d = x.shape[1], self.model.latent_dim
        freedom = 1 - d / F if 2 * d < F else 1.0
        excess = torch.where(seen, left.square() / freedom - self.residuals.total - self.residuals.mean.square(), 0.0)
        each = excess.sum(1) / seen.sum(1).clamp_min(1)
        error = each.std() / len(each) ** 0.5 if len(each) > 1 else each.abs().mean() / F**0.5
        level = float(each.mean())
        if level <= ERRORS * float(error):
            return Noise(torch.zeros(F))
        if kind == "shot":
            size = float(((x - left - self.zero).clamp_min(0) * seen).sum() / seen.sum())
            return Noise(torch.zeros(F), shot=level / max(size, 1e-6))
        return Noise(torch.full((F,), level))

    def _seen(self, rows: Rows) -> Tensor:
        seen = torch.ones_like(rows.x, dtype=torch.bool) if rows.mask is None else rows.mask
        return seen.flatten(1) & self.numbers

    def _at_ends(self, x: Tensor) -> Tensor:
        return ((x - self.low).abs() < SAME) | ((x - self.high).abs() < SAME)

    def _decoded(self, z: Tensor, rows: Rows) -> Tensor:
        with torch.no_grad():
            return self.model.decode(z.unsqueeze(0), rows.context).mean[0]

    def _cleaned(self, rows: Rows, noise: Noise) -> Tensor:
        x, seen = rows.x.flatten(1), self._seen(rows)
        whole = seen
        suspect = self._at_ends(x) & seen if noise.replaced else torch.zeros_like(seen)
        z = self.model.codes(rows)
        for _ in range(TURNS if noise.replaced else 0):
            far = (x - self._decoded(z, rows)).abs() > DOUBTFUL * (self.residuals.total + noise.variance).sqrt()
            seen = whole & ~(suspect & far)
            z = self._codes(rows, noise, seen, z)
        z = self._codes(rows, noise, seen, z)
        decoded = self._decoded(z, rows)
        variance = self._variance(noise, decoded)
        cleaned = decoded + self.residuals.observed(variance, seen).expected(x - decoded)
        untouched = ~self.numbers & (torch.ones_like(x).bool() if rows.mask is None else rows.mask.flatten(1))
        exact = seen & (variance.expand_as(x) == 0)
        return torch.where(untouched | exact, x, cleaned)

    def _variance(self, noise: Noise, decoded: Tensor) -> Tensor:
        return noise.variance + noise.shot * (decoded - self.zero).clamp_min(0) if noise.shot else noise.variance

    def _codes(self, rows: Rows, noise: Noise, seen: Tensor, z: Tensor | None = None) -> Tensor:
        """The codes at which noisy rows and the prior are most probable, [B, d]; those of the encoder where codes are no
        Euclidean points.
        """
        z = self.model.codes(rows) if z is None else z
        if self.model.space.kind != "euclidean":
            return z
        return torch.cat([self._refined(*each, noise) for each in zip(rows.batches(BATCH), seen.split(BATCH), z.split(BATCH), strict=True)])

    def _refined(self, rows: Rows, seen: Tensor, z: Tensor, noise: Noise) -> Tensor:
        x, prior = rows.x.flatten(1), self.model.p(rows.context)
        observed = self.residuals.observed(self._variance(noise, self._decoded(z, rows)), seen)
        with torch.enable_grad():
            z = z.clone().requires_grad_()
            optimiser = torch.optim.Adam([z], RATE)
            for step in range(STEPS):
                optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS) + 1e-3
                log_prob = observed.log_prob(x - self.model.decode(z.unsqueeze(0), rows.context).mean[0])
                log_prob = log_prob if prior is None else log_prob + prior.log_prob(z)
                (z.grad,) = torch.autograd.grad(-log_prob.sum(), z)
                optimiser.step()
        return z.detach()
