"""The functions of a model that a page needs: rows from codes, and codes from rows. The page's graphs are recorded from these
functions; if there is no graph, the server calls them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from latente.data import Codec
from latente.explorer.graph import Graph, recorded
from latente.explorer.views import view_of
from latente.model.latent_model import LatentModel
from latente.rows import BINARY, Rows, levels_of


class Forward:
    """A model's forward passes.

    Args:
        model: the model. codec: the codec of its data, which defines the bins of each column.
    """

    def __init__(self, model: LatentModel, codec: Codec) -> None:
        self.model, self.shape, self.fields = model, codec.shape, codec.fields
        self.ends = list(map(torch.from_numpy, view_of(codec).ends(codec, model.likelihood)))
        self.counts = [len(ends) + 1 for ends in self.ends]

    def decoded(self, z: Tensor) -> Tensor:
        """Codes [N, d] to the mean of each field (for levels the most likely one) and the probabilities of its bins."""
        px = self.model.decode(z.unsqueeze(1))
        mean = px.mean.squeeze(1)
        return torch.cat([mean, self._probabilities(px, mean)], 1) if self.ends else mean

    def _probabilities(self, px: Any, mean: Tensor) -> Tensor:
        """Bin probabilities; for a field of 0 and 1 the mean is a probability, whatever its likelihood."""
        value: Tensor = px.bin_probabilities([ends.to(mean.dtype) for ends in self.ends])
        binary = [field.kind == BINARY for field in self.fields]
        if not any(binary):
            return value
        p = mean.clamp(0.0, 1.0)
        pairs = torch.stack([1 - p, p], 2).unbind(1)
        pieces = zip(torch.split(value, self.counts, 1), pairs, binary, strict=True)
        return torch.cat([pair if two else piece for piece, pair, two in pieces], 1)

    def expected(self, z: Tensor) -> Tensor:
        """Codes [N, d] to the mean of each field, or for levels the probability of each, [N, F']."""
        levels = levels_of(self.fields)
        if not levels:
            mean: Tensor = self.model.decode(z.unsqueeze(1)).mean.squeeze(1)
            return mean
        mean, *bins = torch.split(self.decoded(z), [len(levels), *self.counts], 1)
        return torch.cat([bins[f] if count else mean[:, f : f + 1] for f, count in enumerate(levels)], 1)

    def encoded(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """Rows [N, F], with 0 for missing values (``observed``: 1 or 0), to mean and standard deviation of q(z|x), [N, 2 d]."""
        mask = None if observed is None else observed.bool().view(-1, *self.shape)
        q = self.model.encode(Rows(x.view(-1, *self.shape), mask))
        return torch.cat([q.code, q.deviation], 1)

    def graphs(self) -> Iterator[Graph]:
        """The graphs of :meth:`decoded` and :meth:`encoded`.

        Raises:
            Unknown: the page can't compute it.
        """
        z = torch.randn(2, 1, self.model.latent_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        yield recorded(self.decoded, *([each] for each in z))
        x = torch.rand(2, 1, math.prod(self.shape), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        observed = [(x > 0.5).double()] if self.ends else []
        yield recorded(self.encoded, *zip(x, *observed, strict=True))
