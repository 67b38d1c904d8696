"""What the certificate measures: a model that encodes rows and decodes codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from latente.model.latent_model import LatentModel
from latente.rows import BINARY, CATEGORICAL, Field, Rows, expanded, levels_of

BATCH = 2048


class CertifiedModel(Protocol):
    """The operations of a model that the certificate measures. All random numbers come from torch's generator."""

    def codes(self, rows: Rows) -> Tensor:
        """One code for each row, drawn from q(z|x), [N, d]."""

    def means(self, z: Tensor) -> Tensor:
        """Decoded means, [N, F]."""

    def draws(self, z: Tensor) -> Tensor:
        """Rows drawn from p(x|z), [N, F]."""


@dataclass(frozen=True)
class Residuals:
    """The noise of decoded rows, of the same kind for every model: differences of held-out rows and their reconstructions.

    Attributes:
        values: [n, F]; NaN for missing values.
        numbers: fields to which the noise is added, [F]; the others are sampled from p(x|z).
    """

    values: Tensor
    numbers: Tensor

    @classmethod
    def of(cls, rows: Rows, rebuilt: Tensor, fields: tuple[Field, ...], sampled: bool = False) -> Residuals:
        """From held-out rows and their reconstructions [n, F]; ``sampled`` if all fields are sampled from p(x|z)."""
        values = rows.x.flatten(1) - rebuilt
        if rows.mask is not None:
            values = values.masked_fill(~rows.mask.flatten(1), math.nan)
        numbers = [not sampled and field.kind not in (BINARY, CATEGORICAL) for field in fields]
        return cls(values, torch.tensor(numbers).expand(values.shape[1]))

    def added_to(self, means: Tensor, drawn: Tensor) -> Tensor:
        """Means [N, F] plus the residual of a random row in each numeric field; ``drawn`` in the others."""
        n = len(self.values)
        chosen = torch.randint(n, means.shape)
        noise = self.values.gather(0, chosen).nan_to_num(0.0)
        return torch.where(self.numbers, means + noise, drawn)


class Modelled:
    """A trained model.

    The noise of numbers is the residuals of ``held_out``, for a VAE and an autoencoder alike: the noise that a model learned
    would favour the one that overestimates it. Levels, and columns with distributions of their own (histograms, hurdles), whose
    means are no values of the data, are sampled from p(x|z).

    Args:
        model: the model. fields: the fields of the rows. held_out: validation rows.
    """

    def __init__(self, model: LatentModel, fields: tuple[Field, ...], held_out: Rows) -> None:
        self.model = model
        sampled: bool = model.likelihood.takes_levels
        self.residuals = Residuals.of(held_out, self.means(self.codes(held_out)), fields, sampled)

    @torch.no_grad()
    def codes(self, rows: Rows) -> Tensor:
        """Samples of q(z|x), [N, d]."""
        return torch.cat([self.model.encode(batch).rsample() for batch in rows.batches(BATCH)])

    @torch.no_grad()
    def means(self, z: Tensor) -> Tensor:
        """Means of p(x|z), [N, F]."""
        return torch.cat([self.model.decode(part.unsqueeze(0)).mean.squeeze(0) for part in torch.split(z, BATCH)])

    @torch.no_grad()
    def draws(self, z: Tensor) -> Tensor:
        """Means plus held-out residuals, or samples of p(x|z), [N, F]."""
        means = self.means(z)
        return self.residuals.added_to(means, means if self.residuals.numbers.all() else self._sampled(z))

    def _sampled(self, z: Tensor) -> Tensor:
        return torch.cat([self.model.decode(part.unsqueeze(0)).sample().squeeze(0) for part in torch.split(z, BATCH)])


class Linear:
    """PCA of the training rows as a model: the baseline. Levels are indicators divided by √2.

    Args:
        train: training rows; a missing value is replaced by its column's mean.
        held_out: rows for the residuals. fields: the fields of the rows. latent_dim: number of components.
    """

    def __init__(self, train: Rows, held_out: Rows, fields: tuple[Field, ...], latent_dim: int) -> None:
        self.levels = levels_of(fields)
        self.middle = column_means(train, self.levels)
        values = spread_out(train, self.levels, self.middle).double().numpy()
        self.pca = PCA(min(latent_dim, *values.shape), random_state=0).fit(values)
        self.residuals = Residuals.of(held_out, self.means(self.codes(held_out)), fields)

    def codes(self, rows: Rows) -> Tensor:
        """Scores on the components, [N, d]."""
        return torch.from_numpy(self.pca.transform(spread_out(rows, self.levels, self.middle).double().numpy())).float()

    def means(self, z: Tensor) -> Tensor:
        """Rows [N, F]; for levels, the one with the largest indicator."""
        return collected(self.expanded(z), self.levels)

    def expanded(self, z: Tensor) -> Tensor:
        """Reconstructed rows with indicators, [N, P]."""
        return torch.from_numpy(np.asarray(self.pca.inverse_transform(z.double().numpy()))).float()

    def draws(self, z: Tensor) -> Tensor:
        """Rows plus held-out residuals, [N, F]."""
        means = self.means(z)
        return self.residuals.added_to(means, means)


def spread_out(rows: Rows, levels: tuple[int, ...], middle: Tensor) -> Tensor:
    """Rows with levels as indicators divided by √2, [N, P], and ``middle`` [P] for missing values."""
    values = indicators(rows, levels)
    return values if rows.mask is None else torch.where(observed_values(rows, levels), values, middle)


def column_means(rows: Rows, levels: tuple[int, ...]) -> Tensor:
    """Means of the observed values of :func:`spread_out`, [P]."""
    observed = observed_values(rows, levels).double()
    return ((indicators(rows, levels) * observed).sum(0) / observed.sum(0).clamp_min(1)).float()


def indicators(rows: Rows, levels: tuple[int, ...]) -> Tensor:
    """Rows [N, F] with levels as indicators divided by √2, [N, P]."""
    x = rows.x.flatten(1)
    if not levels:
        return x
    widths = torch.tensor([max(1, count) for count in levels])
    scale = torch.tensor([math.sqrt(0.5) if count else 1.0 for count in levels]).repeat_interleave(widths)
    return expanded(x, levels) * scale


def observed_values(rows: Rows, levels: tuple[int, ...]) -> Tensor:
    """Which values of :func:`spread_out` are observed, bool [N, P]."""
    mask = torch.ones_like(rows.x, dtype=torch.bool).flatten(1) if rows.mask is None else rows.mask.flatten(1)
    return mask.repeat_interleave(torch.tensor([max(1, count) for count in levels]), 1) if levels else mask


def collected(values: Tensor, levels: tuple[int, ...]) -> Tensor:
    """The inverse of :func:`spread_out`: the index of a column's largest indicator, [N, F]."""
    if not levels:
        return values
    parts = torch.split(values, [max(1, count) for count in levels], 1)
    columns = [part.argmax(1, keepdim=True).float() if count else part for part, count in zip(parts, levels, strict=True)]
    return torch.cat(columns, 1)
