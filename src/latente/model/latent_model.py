"""Composes the parts: rows to features, posterior, code, theta, and a distribution over rows."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from latente.errors import ModelError
from latente.model.codes import CodeDistribution, Draw, rate
from latente.model.context import Context
from latente.model.distributions import FieldsDistribution, full_precision
from latente.model.doubles import in_double
from latente.model.likelihoods import Likelihood
from latente.model.parts import Choice, Part, build, names_of, part_class
from latente.model.priors import Prior
from latente.model.row_models import Explanations, RowModel
from latente.model.spaces import LatentSpace
from latente.rows import Rows
from latente.threads import USUAL, on_threads

FILLING_TURNS = 10
IMPORTANCE_SAMPLES = 256  # codes per row for the imputation of missing values
ROLES = ("encoder", "posterior", "prior", "decoder", "likelihood", "context")


@dataclass(eq=False)
class Trace:
    """One pass through the model: K codes for each of B rows, and the distributions of posterior, prior and fields.

    Attributes:
        rows: the rows whose likelihood counts (clean, if the encoder reads corrupted ones).
        q: posterior q(z|x), batch [B].
        p: prior p(z); None if the model has none.
        draw: K codes of each row.
        model: what made it.
    """

    rows: Rows
    q: CodeDistribution
    p: Distribution | None
    draw: Draw
    model: LatentModel

    def with_codes(self, z: Tensor) -> Trace:
        """The same rows and posterior, whose parameters are held fixed, with other codes [K, B, d]."""
        q = self.q.detached()
        return replace(self, q=q, draw=Draw(z, lambda: q.log_prob(z)))

    @cached_property
    def px(self) -> FieldsDistribution:
        """Distribution p(x|z) over fields [K, B, F]."""
        return self.model.decode(self.z, self.rows.context)

    @cached_property
    def px_at_code(self) -> FieldsDistribution:
        """p(x|z) at the one code that stands for each row, [1, B, F]."""
        return self.model.decode(self.q.code.unsqueeze(0), self.rows.context)

    @property
    def z(self) -> Tensor:
        """The codes, [K, B, d]."""
        return self.draw.z

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
        """KL(q(z|x) || p(z)), nats per row, [B]; 0 without a KL."""
        return rate(self.q, self.p, self.draw)

    @cached_property
    def log_prior_ratio(self) -> Tensor:
        """log p(z) - log q(z|x), [K, B]; 0 if codes have no density or there is no prior: then all codes of a row have equal
        weight.
        """
        if self.p is None or not self.q.has_density:
            return self.z.new_zeros(self.z.shape[:2])
        return self.p.log_prob(self.z) - self.draw.log_q

    @property
    def log_weights(self) -> Tensor:
        """log p(x, z) / q(z|x), [K, B]; log p(x|z) if codes have no density."""
        return self.log_likelihood + self.log_prior_ratio


class LatentModel(RowModel):
    """Encoder, posterior, prior, decoder and likelihood, which do not depend on one another.

    Any five parts with these interfaces compose: ``encoder(x, mask) -> h``, ``posterior(h) -> q``, ``prior(model) -> p``,
    ``decoder(z) -> theta``, ``likelihood(theta) -> p(x|z)``. A model of p(x|c) has a sixth part, ``context``, through which
    encoder and decoder read c.
    """

    context: Context | None

    def __init__(
        self,
        encoder: Part,
        posterior: Part,
        prior: Part,
        decoder: Part,
        likelihood: Likelihood,
        context: Context | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.posterior, self.prior = encoder, posterior, prior
        self.decoder, self.likelihood, self.context = decoder, likelihood, context

    @property
    def context_size(self) -> int:
        """Number of values of a row's context; 0 for a model without."""
        return self.context.size if self.context is not None else 0

    @property
    def latent_dim(self) -> int:
        """Number of dimensions of the code."""
        return int(self.posterior.latent_dim)  # type: ignore[arg-type]

    @property
    def space(self) -> LatentSpace:
        """The latent space."""
        return self.posterior.space  # type: ignore[return-value]

    @property
    def noise_size(self) -> int:  # type: ignore[override]
        """Number of standard normal numbers per draw of a code; 0 for a deterministic code."""
        return int(self.posterior.noise_size)  # type: ignore[arg-type]

    @property
    def draws(self) -> int:  # type: ignore[override]
        """Number of codes for the mean of a missing value; 1 for a deterministic code."""
        return IMPORTANCE_SAMPLES if self.noise_size else 1

    @property
    def has_prior(self) -> bool:
        """Whether the model has a prior, from which new codes can be drawn."""
        return bool(getattr(self.prior, "is_prior", True))

    @property
    def has_rate(self) -> bool:
        """Whether there is a KL: posterior and prior have densities, and scores are bounds of log p(x)."""
        return self.has_prior and bool(getattr(self.posterior, "has_density", True))

    def at(self, context: Tensor) -> LatentModel:
        """The model of p(x|c) in one context, [1, C], with the same weights; its rows and codes come without context."""
        assert self.context is not None
        model, part = copy.copy(self), copy.copy(self.context)
        part.fixed = context
        model.__dict__["_modules"] = {**self._modules, "context": part}
        return model

    def p(self, context: Tensor | None = None) -> Distribution | None:
        """The prior distribution; None if the model has none."""
        return self.prior(self, context)  # type: ignore[no-any-return]

    def encode(self, rows: Rows) -> CodeDistribution:
        """q(z|x) of each row.

        If the encoder was trained without missing values, these are imputed first, and the posterior is widened towards the
        prior by the share of the row that is missing.
        """
        if rows.mask is None or getattr(self.encoder, "masked", True):
            return self.posterior(self.features(rows.x, rows.mask, rows.context))  # type: ignore[no-any-return]
        q: CodeDistribution = self.posterior(self.features(self._filled(rows), None, rows.context))
        return q.widened(rows.mask.flatten(1).to(q.code.dtype).mean(1, keepdim=True))

    def features(self, x: Tensor, mask: Tensor | None, context: Tensor | None) -> Tensor:
        """Features of rows for the posterior, [B, H]."""
        h: Tensor = self.encoder(x, mask)
        return h if self.context is None else self.context.forward(h, context)

    @torch.no_grad()
    def _filled(self, rows: Rows) -> Tensor:
        """Rows with missing values imputed by repeated reconstruction (Rezende et al. 2014, section 5.3, with means)."""
        assert rows.mask is not None
        x = rows.x
        for _ in range(FILLING_TURNS):
            z = self.posterior(self.features(x, None, rows.context)).code
            x = torch.where(rows.mask, rows.x, self.decode(z.unsqueeze(0), rows.context).mean.view_as(x))
        return x

    @torch.no_grad()
    @on_threads(USUAL)
    def codes(self, rows: Rows, batch: int = 2048) -> Tensor:
        """Codes of any number of rows, [N, d], on the CPU; deterministic.

        Computed in double precision and then rounded, so that a row's code does not depend on the other rows or its position in
        a batch, which change the order of summation in matrix products.
        """
        double = in_double(self)
        parts = (part.to("cpu", torch.float64) for part in rows.batches(batch))
        return torch.cat([double.encode(part).code.float() for part in parts])

    def decode(self, z: Tensor, context: Tensor | None = None) -> FieldsDistribution:
        result: FieldsDistribution = self.likelihood(self.theta(z, context))
        return result

    def theta(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The decoder's output for codes [K, B, d], [K, B, P]."""
        z = z if self.context is None else self.context.beside(z, context)
        return full_precision(self.decoder(z))

    def trace(self, rows: Rows, K: int = 1, *, encoder_rows: Rows | None = None, noise: Tensor | None = None) -> Trace:
        """Encode, draw K codes, decode.

        Args:
            rows: the rows to explain.
            K: draws per row.
            encoder_rows: what the encoder reads instead (corrupted rows).
            noise: standard normal [K, B, noise_size] instead of fresh draws.
        """
        q = self.encode(encoder_rows or rows)
        p, draw = self.prior.of_rows(self, rows), q.draw(K, noise)  # type: ignore[operator]
        return Trace(rows, q, p, draw, self)

    def explain(self, rows: Rows, noise: Tensor) -> Explanations:
        trace = self.trace(rows, len(noise), noise=noise)
        return Explanations(trace.px, trace.log_prior_ratio)

    def typical(self, rows: Rows) -> FieldsDistribution:
        return self.decode(self.encode(rows).code.unsqueeze(0), rows.context)

    def new(self, n: int, prior: Prior | None = None, context: Tensor | None = None) -> FieldsDistribution:
        return self.decode(self._new_codes(n, prior, context).unsqueeze(0), context)

    def _new_codes(self, n: int, prior: Prior | None, context: Tensor | None) -> Tensor:
        if prior is not None:
            return prior.sample(n).float()
        p = self.p(context)
        if p is None:
            raise ModelError("an autoencoder has no prior: draw codes from the fitted one (prior='fitted')")
        return p.sample(() if p.batch_shape else (n,)).float()

    def drop_units(self, units: Tensor) -> None:
        """Drop all units of the code but these, if the space and the parts allow it."""
        self.space.drop_units(self, units)

    def config(self) -> dict[str, Any]:
        """Parts and arguments of this model, without its weights; plain values only."""
        return {role: getattr(self, role).choice().to_json() for role in ROLES if getattr(self, role) is not None}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], own: Iterable[type[Part]] = ()) -> LatentModel:
        """The inverse of :meth:`config`. ``own`` are the user's part classes."""
        own = tuple(own)
        roles = [role for role in ROLES if role != "context" or role in config]
        return cls(**{role: build(Choice.from_json(config[role]), own) for role in roles})


def compose(choices: Mapping[str, Choice], **sizes: Any) -> LatentModel:
    """Build the parts, in the order in which their sizes depend on one another.

    Args:
        choices: the chosen part for each role.
        sizes: ``shape``, ``latent_dim``, ``hidden`` or ``channels``, ``masked``, ...: each part takes those that it has.
    """
    likelihood = build(choices["likelihood"], **sizes)
    if not isinstance(likelihood, Likelihood):
        raise ModelError(f"{choices['likelihood'].name!r} is no likelihood; there are {', '.join(names_of(Likelihood))}")
    if sizes.get("levels") and not likelihood.takes_levels:
        raise ModelError(
            f"the likelihood {likelihood.name!r} is for numbers, and some columns hold levels (text, codes): take a recipe "
            "with a likelihood for levels (vae, hi-vae), choose 'histogram' or 'heterogeneous', or leave these columns out"
        )
    encoder = build(choices["encoder"], **sizes)
    size = int(sizes.get("context_size", 0))
    context = Context(encoder.width, size) if size else None
    sizes["positions"] = getattr(encoder, "positions", 1)
    posterior = build(choices["posterior"], width=(context or encoder).width, **sizes)
    sizes["latent_dim"] = posterior.latent_dim
    decoder = build(choices["decoder"], outputs=likelihood.outputs, **{**sizes, "latent_dim": posterior.latent_dim + size})
    _check_context(choices, size)
    prior = build(choices["prior"], **{**sizes, **posterior.space.sizes})
    if posterior.space.kind not in prior.spaces:
        raise ModelError(
            f"the codes of the posterior {posterior.name!r} are in a {posterior.space.kind!r} space, but the prior "
            f"{prior.name!r} needs {' or '.join(map(repr, prior.spaces))}"
        )
    return LatentModel(encoder, posterior, prior, decoder, likelihood, context)


def _check_context(choices: Mapping[str, Choice], size: int) -> None:
    """Refuse parts that need a context and get none, and those that get one and can't use it."""
    for role in ("posterior", "prior"):
        part = choices[role].own or part_class(choices[role].name)
        if part.needs_context and not size:
            raise ModelError(
                f"the {role} {part.name!r} needs a context: pass context=… to fit, such as fit(X, context=['column']) "
                "(latente fit --context COLUMN), or take another recipe, such as 'vae'"
            )
        if part.no_context and size:
            raise ModelError(
                f"{part.name!r} can't be combined with a context: {part.no_context}; take another recipe, or fit without "
                "context"
            )
