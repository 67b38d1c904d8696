"""The encoder for columns that are cut into bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from latente.model.bins import BinEmbedding, BinTable
from latente.model.parts import Part, register
from latente.rows import Bins, indicators, of_indicators


@register
class BinsEncoder(Part):
    """Columns of numbers and levels, cut into bins: an embedding for each bin, the number itself, and linear layers.

    Args:
        shape: (F,).
        bins: of each column.
        levels: for each column its number of levels, 0 for one of numbers.
        hidden: widths of the layers, with ReLU between them.
        dropout: share of each layer's units dropped in training.
        embedding: width of a bin's embedding; that of a missing value is 0.
        linear: the row itself, with levels as indicators, stands beside the last layer's features.
    """

    name = "bins-encoder"
    masked = True
    numbers: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        bins: Sequence[Bins],
        hidden: tuple[int, ...],
        levels: tuple[int, ...] = (),
        dropout: float = 0.0,
        embedding: int = 16,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.levels, self.linear = levels, linear
        self.bins = BinTable(bins, [bool(count) for count in levels] or [False] * math.prod(shape))
        self.embedding = BinEmbedding(self.bins, embedding, 1 / math.sqrt(embedding))
        numbers = [f for f in range(math.prod(shape)) if not (levels and levels[f])]
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.long), persistent=False)
        sizes = (math.prod(shape) * embedding + len(numbers), *hidden)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.width = sizes[-1] + sum(max(1, count) for count in levels or (1,) * math.prod(shape)) * linear

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, F] to [B, H]; a missing field is 0 in ``x``."""
        embedded = self.embedding(self.bins.index(x), mask).flatten(1)
        h = torch.cat([embedded, x.index_select(1, self.numbers)], 1)
        for layer in self.layers:
            h = torch.relu(layer(h))
            h = self.dropout(h) if self.dropout else h
        return torch.cat([h, self._itself(x, mask)], 1) if self.linear else h

    def _itself(self, x: Tensor, mask: Tensor | None) -> Tensor:
        values = indicators(x, self.levels)
        return values if mask is None else values * of_indicators(mask, self.levels)
