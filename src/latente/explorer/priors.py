"""Priors as the page reads them: a mixture of normals, with a density in any plane, or a graph that draws samples."""

from __future__ import annotations

import copy
from functools import singledispatch
from typing import Any, NamedTuple

import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from latente.explorer.block import Block
from latente.explorer.graph import recorded
from latente.explorer.recorder import Unknown
from latente.model.fitted_priors import MixturePrior
from latente.model.latent_model import LatentModel
from latente.model.parts import Part
from latente.model.priors import NormalMixturePrior, OwnPrior, Prior, StandardNormalPrior
from latente.seeding import seeded
from latente.words import Message

DRAWS, COMPONENTS = 10_000, 30


class Mixture(NamedTuple):
    """A mixture of S normals over codes: weights [S], means [S, d] and Cholesky factors [S, d, d]."""

    weights: Any
    means: Any
    cholesky: Any

    def write(self, block: Block) -> dict[str, Any]:
        """The mixture as the page reads it."""
        return {"type": "mixture", **{name: block.add(values, "f8") for name, values in self._asdict().items()}}


@singledispatch
def mixture_of(prior: Part) -> Mixture | None:
    """The prior as a mixture of normals, if it is exactly one; else None."""
    return None


@mixture_of.register
def _(prior: StandardNormalPrior) -> Mixture:
    d = prior.latent_dim
    return Mixture(torch.ones(1), torch.zeros(1, d), torch.eye(d).unsqueeze(0))


@mixture_of.register
def _(prior: NormalMixturePrior) -> Mixture:
    p = prior()
    return Mixture(p.log_weights.exp(), p.components.loc, torch.diag_embed(p.components.deviation))


@mixture_of.register
def _(prior: OwnPrior) -> Mixture | None:
    return mixture_of(prior.model.prior)


@mixture_of.register
def _(prior: MixturePrior) -> Mixture:
    return Mixture(prior.weights, prior.means, prior.cholesky)


def fitted_spec(prior: Prior, block: Block, notes: list[Message], seed: int) -> dict[str, Any]:
    """The fitted prior: how to sample it, and a mixture that shows its density."""
    if exact := mixture_of(prior):
        written = exact.write(block)
        return {"draws": written, "density": written}
    density = _fitted(prior, seed).write(block)
    notes.append(Message("explorer.mixture", name=prior.in_words, n=DRAWS))
    double = copy.deepcopy(prior).double()
    try:
        return {"draws": {"type": "graph", **recorded(lambda: double.sample(1), (), ()).write(block)}, "density": density}
    except Unknown:
        return {"draws": density, "density": density}


def _fitted(prior: Prior, seed: int) -> Mixture:
    with seeded(seed):
        drawn = prior.sample(DRAWS).double().numpy()
    fitted = GaussianMixture(COMPONENTS, reg_covar=1e-6, random_state=seed % 2**32, max_iter=60, tol=1e-2).fit(drawn)
    factors: Tensor = torch.linalg.cholesky(torch.from_numpy(fitted.covariances_))
    return Mixture(fitted.weights_, fitted.means_, factors)


def prior_of(model: LatentModel, block: Block, notes: list[Message]) -> dict[str, Any] | None:
    """The model's own prior as a mixture; None, and a note, if it is not one."""
    exact = mixture_of(model.prior)
    if exact is None:
        notes.append(Message("explorer.no_prior", name=model.prior.in_words))
    return exact and exact.write(block)
