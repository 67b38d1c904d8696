"""The encoder for columns that are cut into bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from latente.model.bins import BinEmbedding, BinTable
from latente.model.parts import Part, register
from latente.rows import Bins


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
    ) -> None:
        super().__init__()
        self.bins = BinTable(bins, [bool(count) for count in levels] or [False] * math.prod(shape))
        self.embedding = BinEmbedding(self.bins, embedding, 1 / math.sqrt(embedding))
        numbers = [f for f in range(math.prod(shape)) if not (levels and levels[f])]
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.long), persistent=False)
        sizes = (math.prod(shape) * embedding + len(numbers), *hidden)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.width = sizes[-1]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, F] to [B, H]; a missing field is 0 in ``x``."""
        embedded = self.embedding(self.bins.index(x), mask).flatten(1)
        h = torch.cat([embedded, x.index_select(1, self.numbers)], 1)
        for layer in self.layers:
            h = torch.relu(layer(h))
            h = self.dropout(h) if self.dropout else h
        return h
