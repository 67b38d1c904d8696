"""What codes are drawn from, as the page has it: a mixture of normals, with a density in any plane, or a graph of draws."""

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
    """Of S normals over codes: weights [S], means [S, d] and Cholesky factors [S, d, d]."""

    weights: Any
    means: Any
    cholesky: Any

    def write(self, block: Block) -> dict[str, Any]:
        """As the page reads it."""
        return {"type": "mixture", **{name: block.add(values, "f8") for name, values in self._asdict().items()}}


@singledispatch
def mixture_of(law: Part) -> Mixture | None:
    """What a prior, or a law of codes, is exactly; None where that is no mixture of normals."""
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
def _(law: MixturePrior) -> Mixture:
    return Mixture(law.weights, law.means, law.cholesky)


def law_of(law: Prior, block: Block, notes: list[Message], seed: int) -> dict[str, Any]:
    """What new codes are drawn from, and a mixture by which its density is drawn."""
    if exact := mixture_of(law):
        written = exact.write(block)
        return {"draws": written, "density": written}
    density = _fitted(law, seed).write(block)
    notes.append(Message("explorer.mixture", name=law.in_words, n=DRAWS))
    double = copy.deepcopy(law).double()
    try:
        return {"draws": {"type": "graph", **recorded(lambda: double.sample(1), (), ()).write(block)}, "density": density}
    except Unknown:
        return {"draws": density, "density": density}


def _fitted(law: Prior, seed: int) -> Mixture:
    with seeded(seed):
        drawn = law.sample(DRAWS).double().numpy()
    fitted = GaussianMixture(COMPONENTS, reg_covar=1e-6, random_state=seed % 2**32, max_iter=60, tol=1e-2).fit(drawn)
    factors: Tensor = torch.linalg.cholesky(torch.from_numpy(fitted.covariances_))
    return Mixture(fitted.weights_, fitted.means_, factors)


def prior_of(model: LatentModel, block: Block, notes: list[Message]) -> dict[str, Any] | None:
    """The prior as a mixture; None, and a note, where the page does not know it."""
    exact = mixture_of(model.prior)
    if exact is None:
        notes.append(Message("explorer.no_prior", name=model.prior.in_words))
    return exact and exact.write(block)
