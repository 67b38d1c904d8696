"""Densities fitted to the codes of a trained model: by name, or the one with the best evidence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from latente.errors import ModelError
from latente.model.fitted_priors import CANDIDATES, MAX_CODES, FlowPrior, MixturePrior
from latente.model.latent_model import LatentModel
from latente.model.parts import PARTS, Choice, build, choose
from latente.model.priors import OwnPrior, Prior
from latente.training.recorded import Recording


def names_for(kind: str) -> tuple[str, ...]:
    """Names of priors for a kind of space: "auto", "prior", and each prior with ``fit`` for that kind."""
    fitted = [name for name, cls in PARTS.items() if issubclass(cls, Prior) and cls.fit is not Prior.fit and kind in cls.spaces]
    return ("auto", "prior", *fitted)


def fit_prior(name: str | Choice, z: Tensor, model: LatentModel, seed: int = 0) -> Prior:
    """Fit a density to codes.

    Args:
        name: "auto" (the one with the best evidence), "prior" (the model's own), one of :func:`names_for` ("mixture" chooses
            its number of components), or a choice with arguments.
        z: codes [N, d] of the model. seed: of random draws.

    Raises:
        ModelError: there is no such prior, or it does not fit these codes.
    """
    if name == "prior":
        return OwnPrior().bind(model)
    if name == "auto":
        return _with_best_evidence(z, model, seed)
    chosen = choose(name) if isinstance(name, str) else name
    if chosen.own is None and chosen.name not in names_for(model.space.kind):
        raise ModelError(
            f"there is no prior for these codes called {chosen.name!r}; there are {', '.join(names_for(model.space.kind))}"
        )
    if chosen == choose("mixture"):
        return MixturePrior.best(z.double().cpu().numpy()[:MAX_CODES], seed)
    return _fitted(chosen, z, model, seed)


def _fitted(chosen: Choice, z: Tensor, model: LatentModel, seed: int) -> Prior:
    sizes: dict[str, Any] = dict(model.space.sizes)
    prior: Prior = build(chosen, **sizes).bind(model)
    return prior.fit(z, seed, **({"record": Recording} if prior.by_gradient else {}))


def _with_best_evidence(z: Tensor, model: LatentModel, seed: int) -> Prior:
    """In a Euclidean space a normal, a mixture of up to 30, or a flow, on at most 10,000 codes; in other spaces the first
    prior.

    A flow is tried if the largest mixture was the best, and used if held-out codes have a higher density.
    """
    if model.space.kind != "euclidean":
        return _fitted(choose(names_for(model.space.kind)[2]), z, model, seed)
    codes = z.double().cpu().numpy()[:MAX_CODES]
    mixture = MixturePrior.best(codes, seed)
    if mixture.components == CANDIDATES[-1] and codes.shape[1] > 1:
        some, others = codes[: -len(codes) // 5], codes[-len(codes) // 5 :]
        flow = FlowPrior(codes.shape[1]).fit(torch.from_numpy(some).float(), seed, Recording)
        smaller = MixturePrior(codes.shape[1], CANDIDATES[-1]).fit(torch.from_numpy(some), seed)
        if flow.log_prob(torch.from_numpy(others)).mean() > smaller.log_prob(torch.from_numpy(others)).mean():
            return flow
    return mixture
