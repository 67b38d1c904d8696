"""Composes the parts: rows to features, posterior, code, theta, and a distribution over rows."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, kl_divergence

from latente.errors import ModelError
from latente.model.distributions import DiagonalNormal, FieldsDistribution, full_precision
from latente.model.likelihoods import Likelihood
from latente.model.parts import Choice, Part, build, names_of
from latente.model.posteriors import PointMassPosterior
from latente.rows import Rows

FILLING_TURNS = 10
ROLES = ("encoder", "posterior", "prior", "decoder", "likelihood")


@dataclass(eq=False)
class Trace:
    """One pass through the model: K codes for each of B rows, and what they say.

    Attributes:
        rows: the rows whose likelihood counts (clean, where the encoder saw corrupted ones).
        q: posterior q(z|x), batch [B].
        p: prior p(z).
        z: codes [K, B, d].
        px: distribution p(x|z) over fields [K, B, F].
    """

    rows: Rows
    q: Distribution
    p: Distribution
    z: Tensor
    px: FieldsDistribution

    @cached_property
    def log_likelihood(self) -> Tensor:
        """log p(x|z), fields summed, nats, [K, B]."""
        return self.px.row_log_prob(self.rows.x, self.rows.mask)

    @cached_property
    def distortion(self) -> Tensor:
        """-E log p(x|z), nats per row, [B]."""
        each = self.log_likelihood
        return -(each.squeeze(0) if len(each) == 1 else each.mean(0))

    @cached_property
    def rate(self) -> Tensor:
        """KL(q(z|x) || p(z)), nats per row, [B]."""
        return kl_divergence(self.q, self.p)

    @cached_property
    def log_prior_ratio(self) -> Tensor:
        """log p(z) - log q(z|x), [K, B]."""
        return self.p.log_prob(self.z) - self.q.log_prob(self.z)


class LatentModel(nn.Module):
    """Encoder, posterior, prior, decoder and likelihood, which know nothing of one another.

    Any five parts with these interfaces compose: ``encoder(x, mask) -> h``, ``posterior(h) -> q``, ``prior(h) -> p``,
    ``decoder(z) -> theta``, ``likelihood(theta) -> p(x|z)``.
    """

    def __init__(self, encoder: Part, posterior: Part, prior: Part, decoder: Part, likelihood: Part) -> None:
        super().__init__()
        self.encoder, self.posterior, self.prior = encoder, posterior, prior
        self.decoder, self.likelihood = decoder, likelihood

    @property
    def latent_dim(self) -> int:
        """Number of dimensions of the code."""
        return int(self.posterior.latent_dim)  # type: ignore[arg-type]

    @property
    def footprint(self) -> int:
        """How many numbers are held at once for each code of a row: by it, rows are taken in batches."""
        return int(self.likelihood.footprint)  # type: ignore[arg-type]

    @property
    def is_stochastic(self) -> bool:
        """Whether a row has a distribution over codes, and not one code."""
        return not isinstance(self.posterior, PointMassPosterior)

    def encode(self, rows: Rows) -> Any:
        """q(z|x) of each row.

        An encoder that was not trained with holes is not told of them: it gets the row with its holes filled in, and what it
        says is widened towards the prior by the share of the row that it did not see.
        """
        if rows.mask is None or getattr(self.encoder, "masked", True):
            return self.posterior(self.encoder(rows.x, rows.mask))
        q = self.posterior(self.encoder(self._filled(rows), None))
        if not isinstance(q, DiagonalNormal):
            return q
        seen = rows.mask.flatten(1).to(q.loc.dtype).mean(1, keepdim=True)
        return DiagonalNormal(q.loc, q.log_variance * seen)

    @torch.no_grad()
    def _filled(self, rows: Rows) -> Tensor:
        """Rows whose holes hold what the decoder makes of the rest, in turns (Rezende et al. 2014, section 5.3, with means)."""
        assert rows.mask is not None
        x = rows.x
        for _ in range(FILLING_TURNS):
            z = self.posterior(self.encoder(x, None)).mean
            x = torch.where(rows.mask, rows.x, self.decode(z.unsqueeze(0)).mean.view_as(x))
        return x

    @torch.no_grad()
    def codes(self, rows: Rows, batch: int = 2048) -> Tensor:
        """Posterior means of any number of rows, [N, d], on the processor.

        Computed in double precision and then rounded, so that a row's code depends neither on its neighbours nor on its place:
        matrix products sum in another order at the end of a batch.
        """
        double = copy.deepcopy(self).to("cpu", torch.float64)
        parts = (part.to("cpu", torch.float64) for part in rows.batches(batch))
        return torch.cat([double.encode(part).mean.float() for part in parts])

    def decode(self, z: Tensor) -> FieldsDistribution:
        """p(x|z) for codes [K, B, d]."""
        result: FieldsDistribution = self.likelihood(full_precision(self.decoder(z)))
        return result

    def trace(self, rows: Rows, K: int = 1, *, seen_by_encoder: Rows | None = None, noise: Tensor | None = None) -> Trace:
        """Encode, draw K codes, decode.

        Args:
            rows: the rows to explain.
            K: draws per row.
            seen_by_encoder: what the encoder gets in their place (corrupted rows).
            noise: standard normal [K, B, d] to use in place of fresh draws.
        """
        q = self.encode(seen_by_encoder or rows)
        z = q.at(noise) if noise is not None and isinstance(q, DiagonalNormal) else q.rsample((K,))
        return Trace(rows, q, self.prior(z), z, self.decode(z))

    def keep(self, units: Tensor) -> None:
        """Drop all units of the code but these."""
        for part in (self.posterior, self.prior, self.decoder):
            part.keep(units)  # type: ignore[operator]

    def config(self) -> dict[str, Any]:
        """How to make this model again, without its weights; plain values only."""
        return {role: getattr(self, role).choice().to_json() for role in ROLES}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], own: Iterable[type[Part]] = ()) -> LatentModel:
        """The inverse of :meth:`config`. ``own`` are part classes of the user's."""
        own = tuple(own)
        return cls(**{role: build(Choice.from_json(config[role]), own) for role in ROLES})


def compose(choices: Mapping[str, Choice], **sizes: Any) -> LatentModel:
    """Make the parts in the order in which one's size follows from another's.

    Args:
        choices: for each role the chosen part.
        sizes: ``shape``, ``latent_dim``, ``hidden`` or ``channels``, ``masked``, ...: each part takes what it asks for.
    """
    likelihood = build(choices["likelihood"], **sizes)
    if not isinstance(likelihood, Likelihood):
        raise ModelError(f"{choices['likelihood'].name!r} is no likelihood; there are {', '.join(names_of(Likelihood))}")
    if sizes.get("levels") and not likelihood.takes_levels:
        raise ModelError(
            f"the likelihood {likelihood.name!r} is one of numbers, and some columns hold levels (text, codes): take a recipe "
            "with one of its own or of the data's (vae, hi-vae), choose 'cells' or 'heterogeneous', or leave these columns out"
        )
    encoder = build(choices["encoder"], **sizes)
    posterior = build(choices["posterior"], width=encoder.width, **sizes)
    decoder = build(choices["decoder"], outputs=likelihood.outputs, **sizes)
    return LatentModel(encoder, posterior, build(choices["prior"], **sizes), decoder, likelihood)
