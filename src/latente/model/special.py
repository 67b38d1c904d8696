"""Distribution functions that torch lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

_LIBRARY: Any = torch.library.Library("latente", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define("betainc(Tensor a, Tensor b, Tensor x) -> Tensor")


def _betainc(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    from scipy.special import betainc  # takes a fifth of a second and is rarely needed

    return torch.as_tensor(betainc(*(each.double().numpy() for each in (a, b, x)))).to(x.dtype)


_LIBRARY.impl("betainc", _betainc, "CPU")


def betainc(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """The regularised incomplete beta function I_x(a, b), as one operation for recordings. It has no gradient.

    >>> round(float(betainc(torch.tensor(2.0), torch.tensor(3.0), torch.tensor(0.4))), 4)
    0.5248
    """
    value: Any = torch.ops.latente.betainc(a, b, x)
    return torch.as_tensor(value)


def student_cdf(t: Tensor, df: Tensor) -> Tensor:
    """Distribution function of Student's t."""
    tail = 0.5 * betainc(0.5 * df, torch.full_like(df, 0.5), df / (df + t.square()))
    return torch.where(t > 0, 1 - tail, tail)


def bin_probabilities(cdf: Callable[[Tensor], Tensor], ends: Sequence[Tensor]) -> Tensor:
    """Probability of each bin of each field, [K, bins], field after field.

    Args:
        cdf: maps values [B, F] to [K, B, F].
        ends: upper ends of each field's bins, except the last bin, which is unbounded.
    """
    x = pad_sequence(list(ends), padding_value=torch.inf)
    inside = x.isfinite()
    reached = torch.where(inside, cdf(torch.where(inside, x, 0.0)), 1.0)
    first, last = torch.zeros_like(reached[:, :1]), torch.ones_like(reached[:, :1])
    each = torch.cat([reached, last], 1) - torch.cat([first, reached], 1)
    there = torch.arange(len(x) + 1) <= torch.tensor([len(end) for end in ends]).unsqueeze(1)
    return each.mT.flatten(1)[:, there.flatten()].clamp_min(0.0)


def one_hot(index: Tensor, count: int, like: Tensor) -> Tensor:
    """1 at each index and 0 elsewhere, [...] to [..., count]. torch's own reads the values, and can't be in a recorded step."""
    return (index.unsqueeze(-1) == torch.arange(count, device=index.device)).to(like)


def standard_gamma(shape: Tensor) -> Tensor:
    """A draw from the gamma distribution of each ``shape`` and rate 1, of the same shape as the argument."""
    return torch.distributions.Gamma(shape, torch.ones_like(shape), validate_args=False).sample()
