"""A model as plain modules of torch: tensors in, tensors out."""

from __future__ import annotations

from torch import Tensor, nn

from latente.model.latent_model import LatentModel
from latente.rows import Rows


class PlainEncoder(nn.Module):
    """Encoded rows to codes.

    Args:
        model: whose parameters it shares.
    """

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, observed: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """Posterior means [B, d] of rows [B, *shape], 0 where a value is missing and not ``observed``."""
        code: Tensor = self.model.encode(Rows(x, observed, context)).code
        return code


class PlainDecoder(nn.Module):
    """Codes to the means of encoded rows.

    Args:
        model: whose parameters it shares.
    """

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Means [B, F] of p(row|z), z [B, d]; for a level its number."""
        mean: Tensor = self.model.decode(z.unsqueeze(0), context).mean[0]
        return mean


class PlainModule(nn.Module):
    """Encoder and decoder; a call reconstructs rows. All parameters are those of the model, and train with it.

    Attributes:
        encoder, decoder: the two halves.
    """

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.encoder, self.decoder = PlainEncoder(model), PlainDecoder(model)

    def forward(self, x: Tensor, observed: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """Reconstructions [B, F] of rows [B, *shape]."""
        found: Tensor = self.decoder(self.encoder(x, observed, context), context)
        return found
