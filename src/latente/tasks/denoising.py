"""The clean row behind a noisy one, by a model of clean rows and a model of the noise.

A clean row is D(z) + e: what its code decodes to, and a residual whose distribution the rows of the fit tell. A noisy row is
that with noise. Given the code, the clean row's posterior mean has a closed form; the code is where the noisy row and the
prior together are most probable. In a linear Gaussian model that is the exact posterior mean of the clean row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import torch
from torch import Tensor

from latente.data import SeriesCodec
from latente.errors import ModelError, alternatives
from latente.fitted import Fitted
from latente.model.latent_model import LatentModel
from latente.rows import CATEGORICAL, SERIES, Rows, layout_of
from latente.seeding import seeded
from latente.tasks.draws import own_noise, shared_noise
from latente.tasks.reconstruct import reconstruct
from latente.training.new_windows import NewWindows
from latente.training.residuals import MAX_ROWS, Observed, Residuals

BATCH = 256
MAX_TO_ESTIMATE = 8 * BATCH  # rows from which the noise is estimated
STEPS, RATE = 60, 0.4  # far enough for codes of rows that are all noise to come back
PAIRS = 2  # of draws of a row's code
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


def denoised(fitted: Fitted, rows: Rows, noise: Any) -> tuple[Tensor, Noise]:
    """Clean rows [N, F], and the noise that was assumed; see :meth:`latente.VAE.denoise`."""
    denoiser, assumed = planned(fitted, rows, noise)
    return denoiser.denoise(rows, assumed), assumed


def planned(fitted: Fitted, rows: Rows, noise: Any) -> tuple[Denoiser, Noise]:
    """How rows are denoised, from at most 2,048 of them.

    If the user gives the noise, but rows differ from their reconstructions no more than the rows of the fit do, then those have
    the same noise.
    """
    assumed, denoiser = noise_of(fitted, rows, noise), Denoiser.of(fitted)
    told = noise is not None and noise not in KINDS
    if told and not assumed.none and denoiser.estimate(rows, "gaussian").none:
        denoiser = replace(denoiser, residuals=denoiser.residuals.without(assumed.variance))
    return denoiser, assumed


def noise_of(fitted: Fitted, rows: Rows, noise: Any) -> Noise:
    """The noise of rows, given by the user or estimated; see :meth:`latente.VAE.denoise`.

    Raises:
        ModelError: there is no such noise.
    """
    denoiser = Denoiser.of(fitted)
    if noise is None or noise in KINDS:
        return denoiser.estimate(rows, noise)
    unit, names = _units(fitted), fitted.codec.value_names
    told = noise if isinstance(noise, Mapping) else dict.fromkeys(names, noise)
    strange = [name for name in told if name not in names]
    if strange:
        raise ModelError(
            f"noise: there is no column of the model called {strange[0]!r}; {alternatives(str(strange[0]), names)}"
        )
    if not all(isinstance(sigma, Real) and 0 <= float(sigma) < math.inf for sigma in told.values()):
        raise ModelError(
            f"noise is None, a standard deviation in the units of the data, one for each of some columns, or one of "
            f"{', '.join(map(repr, KINDS))}, not {noise!r:.60}"
        )
    sigma = torch.tensor([float(told.get(name, 0.0)) for name in names]).expand(len(unit))
    return Noise((sigma * unit).square())


def no_noise(rows: Rows) -> Noise:
    """The noise of clean rows."""
    return Noise(torch.zeros(rows.x[:1].numel()))


def described(fitted: Fitted, noise: Noise) -> dict[str, Any]:
    """Noise in the user's units: its kind, and its standard deviation or share."""
    unit = _units(fitted)
    if noise.none:
        return {"kind": "none"}
    if noise.replaced:
        return {"kind": "salt-and-pepper", "share": noise.replaced}
    if noise.shot:
        return {"kind": "shot", "variance_of_a_unit": noise.shot / float(unit[0])}
    sigma = (noise.variance.sqrt() / unit).tolist()
    names, numbers = fitted.codec.value_names, _numbers(fitted).tolist()
    by_name = {name: value for name, value, number in zip(names, sigma, numbers, strict=False) if number}
    return {"kind": "gaussian", "sigma": sigma[0] if names == ("image",) else by_name}


def know_residuals(fitted: Fitted) -> None:
    """Look at what decoded codes leave of the rows of the fit, if they are at hand."""
    if fitted.residuals is None and fitted.at_hand is not None:
        numbers = _numbers(fitted)
        left = [_left(fitted, rows) * numbers for rows in (fitted.at_hand.train, fitted.at_hand.held_out) if rows is not None]
        with seeded(fitted.seed, "residuals"):  # of a random projection
            fitted.residuals = Residuals.of(*left)
        if layout_of(fitted.codec.fields) == SERIES:
            rows, of_levels = fitted.at_hand.train.subsample(MAX_ROWS), torch.tensor(_of_levels(fitted))
            fitted.new_windows = NewWindows.of(rows, left[0], fitted.residuals, ~of_levels)


def _of_levels(fitted: Fitted) -> list[bool]:
    """Which channels of series are of levels."""
    assert isinstance(fitted.codec, SeriesCodec)
    return [bool(field.levels) for field in fitted.codec.table.fields for _ in range(max(1, field.levels))]


def _left(fitted: Fitted, rows: Rows) -> Tensor:
    """Residuals of rows after reconstruction, [n, F]; 0 where a value is missing."""
    rows = rows.subsample(MAX_ROWS)
    left = rows.x.flatten(1) - reconstruct(fitted.model, rows)
    return left if rows.mask is None else left * rows.mask.flatten(1)


def _numbers(fitted: Fitted) -> Tensor:
    """Which values of a row are numbers, bool [F]."""
    kinds = torch.tensor([field.kind != CATEGORICAL for field in fitted.codec.fields])
    return kinds.expand(math.prod(fitted.codec.shape))


def _units(fitted: Fitted) -> Tensor:
    """What 1 of the user's is in encoded units, of each value of a row, [F]."""
    grids = fitted.codec.grids
    return torch.tensor([grid.unit for grid in grids]).expand(math.prod(fitted.codec.shape) if len(grids) == 1 else -1)


def _ends(fitted: Fitted) -> tuple[Tensor, Tensor, Tensor]:
    """What 0, the lowest and the highest value of the user's are in encoded units, [F] each."""
    records = fitted.codec.grids
    ends = [(r.zero, -math.inf if r.low is None else r.low, math.inf if r.high is None else r.high) for r in records]
    size = math.prod(fitted.codec.shape) if len(records) == 1 else -1
    zero, low, high = (end.expand(size) for end in torch.tensor(ends).unbind(1))
    return zero, low, high


@dataclass(frozen=True)
class Denoiser:
    """A model of clean rows.

    Attributes:
        model, residuals: of clean rows. numbers: which fields hold numbers, bool [F]; others stay as they are.
        zero: what 0 of the user's units is in each field, [F]. low, high: ends of the scale of each, [F].
        own: variance of the noise that the rows of the fit have, [F]; None if they are clean.
    """

    model: LatentModel
    residuals: Residuals
    numbers: Tensor
    zero: Tensor
    low: Tensor
    high: Tensor
    own: Tensor | None = None

    @classmethod
    def of(cls, fitted: Fitted) -> Self:
        """Of what a fit left. If residuals are unknown, or the rows of the fit are noisy, all residuals are noise."""
        know_residuals(fitted)
        none, known = Residuals.none(math.prod(fitted.codec.shape)), fitted.residuals
        own = known.total if known is not None and fitted.recipe.noisy else None
        residuals = none if known is None or fitted.recipe.noisy else known
        return cls(fitted.model, residuals, _numbers(fitted), *_ends(fitted), own)

    def denoise(self, rows: Rows, noise: Noise) -> Tensor:
        """E[clean row | noisy row], [N, F]; missing values are filled in."""
        return torch.cat([self._cleaned(batch, noise) for batch in rows.batches(BATCH)])

    def estimate(self, rows: Rows, kind: str | None = None) -> Noise:
        """The noise of rows: how much further they are from their reconstructions than clean rows are."""
        rows = rows.subsample(MAX_TO_ESTIMATE)
        x, seen = rows.x.flatten(1), self._seen(rows)
        z, noise = self.model.codes(rows), Noise(torch.zeros(x.shape[1]))
        left = x - self._decoded(z, rows)
        if kind in (None, "salt-and-pepper"):
            share = self._replaced(x, left, seen)
            if share >= MIN_REPLACED:
                return replace(noise, replaced=share)
        if kind == "salt-and-pepper":
            return noise
        if self.own is not None and kind != "shot":
            return Noise(self.own)
        for _ in range(TURNS):
            found = self._level(x, left, seen, kind, z)
            if found.none:
                return found
            z, noise = self._codes(rows, found, seen, z), found
            left = x - self._decoded(z, rows)
        return noise

    def _replaced(self, x: Tensor, left: Tensor, seen: Tensor) -> float:
        """The share of values that are improbable and at an end of the scale; 0 where most improbable ones are not there."""
        improbable = (left.abs() > IMPROBABLE * self.residuals.total.sqrt()) & seen
        at_ends = int((improbable & self._at_ends(x)).sum())
        return at_ends / max(1, int(seen.sum())) if 2 * at_ends > int(improbable.sum()) else 0.0

    def _level(self, x: Tensor, left: Tensor, seen: Tensor, kind: str | None, z: Tensor) -> Noise:
        """By squares of residuals beyond those of clean rows; of a picture one level for all pixels."""
        # Of F values a code fits as many as it has dimensions, less what the prior holds back: the mean square of the most
        # probable code, if the decoder is linear.
        F, d = x.shape[1], self.model.latent_dim
        fitted = min(d, float(z.square().sum(1).mean())) if self.model.has_rate and self._refines else d
        freedom = 1 - min(fitted / F, 0.5)
        excess = torch.where(seen, left.square() - self.residuals.total - self.residuals.mean.square(), 0.0)
        each = excess.sum(1) / seen.sum(1).clamp_min(1) / freedom
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
        observed = self.residuals.observed(variance, seen)
        draws = [z] if noise.none or not self._refines else self._draws(rows, z, observed, variance)
        each = [self._decoded(draw, rows) for draw in draws]
        cleaned = torch.stack([mean + observed.expected(x - mean) for mean in each]).mean(0)
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
        parts = zip(rows.batches(BATCH), torch.split(seen, BATCH), torch.split(z, BATCH), strict=True)
        return torch.cat([self._most_probable(*each, noise) for each in parts]) if self._refines else z

    @property
    def _refines(self) -> bool:
        """Whether codes can be moved: where they are Euclidean points."""
        return self.model.space.kind == "euclidean"

    def _most_probable(self, rows: Rows, seen: Tensor, z: Tensor, noise: Noise) -> Tensor:
        observed = self.residuals.observed(self._variance(noise, self._decoded(z, rows)), seen)
        return self._refined(rows, z, observed, rows.x.flatten(1), torch.zeros(()), STEPS)

    def _draws(self, rows: Rows, z: Tensor, observed: Observed, variance: Tensor) -> list[Tensor]:
        """Codes drawn from the posterior, in pairs whose mean is that of the posterior where the decoder is linear: the most
        probable codes of rows and of a prior that are both moved at random (randomise, then optimise; Bardsley et al. 2014).
        """
        x, known = rows.x.flatten(1), self.residuals
        r, F, d = len(known.variance), x.shape[1], z.shape[1]
        found = []
        for draw in shared_noise(0, PAIRS, r + F + d, torch.float32)[:, own_noise(rows)]:
            common, own, of_prior = torch.split(draw, [r, F, d], 1)
            moved = (common * known.variance.sqrt()) @ known.axes.T + own * (known.rest + variance).sqrt()
            found += [self._refined(rows, z, observed, x + sign * moved, sign * of_prior, STEPS // 2) for sign in (1, -1)]
        return found

    def _refined(self, rows: Rows, z: Tensor, observed: Observed, x: Tensor, shift: Tensor, steps: int) -> Tensor:
        """The codes at which values [B, F] and a prior that is moved by ``shift`` are most probable, by gradient ascent."""
        prior = self.model.p(rows.context)
        with torch.enable_grad():
            z = z.clone().requires_grad_()
            optimiser = torch.optim.Adam([z], RATE)
            for step in range(steps):
                optimiser.param_groups[0]["lr"] = RATE * (1 - step / steps) + 1e-3
                log_prob = observed.log_prob(x - self.model.decode(z.unsqueeze(0), rows.context).mean[0])
                log_prob = log_prob if prior is None else log_prob + prior.log_prob(z - shift)
                (z.grad,) = torch.autograd.grad(-log_prob.sum(), z)
                optimiser.step()
        return z.detach()
