"""A model as a choice of parts, and which parts can't go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latente.errors import ModelError
from latente.files import checked
from latente.model import (  # noqa: F401  (most of them register)
    autoregressive,
    bins,
    corruptions,
    fitted_priors,
    heterogeneous,
    likelihoods,
    objectives,
    paths,
    penalties,
    posteriors,
    priors,
    sequences,
)
from latente.model.corruptions import Corruption
from latente.model.likelihoods import Likelihood
from latente.model.networks import bins as _bins  # noqa: F401
from latente.model.networks import conv, mlp, series  # noqa: F401
from latente.model.objectives import Objective
from latente.model.parts import PARTS, Choice, Part, choose, part_class
from latente.model.penalties import Penalty
from latente.model.posteriors import Posterior
from latente.model.priors import Prior
from latente.training.private import Privacy
from latente.training.schedules import LinearSchedule

NETWORKS = ("encoder", "decoder")
KINDS: dict[str, type[Part]] = {
    "posterior": Posterior,
    "prior": Prior,
    "likelihood": Likelihood,
    "objective": Objective,
    "penalties": Penalty,
    "corruption": Corruption,
    "schedule": LinearSchedule,
    "fitted_prior": Prior,
}


@dataclass(frozen=True)
class Recipe:
    """A model as a choice of parts: names, classes of your own, or choices with arguments. ``None`` chooses from the data.

    >>> Recipe(posterior="iaf", prior="flow").prior
    Choice(name='flow', arguments={})

    Attributes:
        name: its name, also in files.
        summary: one sentence.
        reference: the paper.
        fitted_prior: the density that is fitted to the codes after training; None for the one with the best evidence.
        least_squares: all numeric fields have the same noise level.
        noisy: whether the rows of a fit are taken to hold noise, which is all that reconstructions leave.
        recorded: whether a step may be recorded once and repeated; not if it varies.
        privacy: the budget of a differentially private fit; None for a fit that is not private.

    Raises:
        ModelError: there is no such part, or some can't go together; the message says why.
    """

    name: str = "custom"
    summary: str = ""
    reference: str = ""
    encoder: Choice | None = None
    decoder: Choice | None = None
    likelihood: Choice | None = None
    posterior: Choice = Choice("diagonal-normal")
    prior: Choice = Choice("standard-normal")
    objective: Choice = Choice("elbo")
    penalties: tuple[Choice, ...] = ()
    corruption: Choice | None = None
    schedule: Choice | None = None
    fitted_prior: Choice | None = None
    least_squares: bool = False
    noisy: bool = False
    recorded: bool = True
    privacy: Privacy | None = None

    def __post_init__(self) -> None:
        for role in (*NETWORKS, *KINDS):
            value = getattr(self, role)
            if value is None and role in ("posterior", "prior", "objective"):
                raise ModelError(f"{role}: a recipe needs one; leave it out for that of the VAE")
            if role == "penalties" and isinstance(value, (str, type, Choice)):
                value = (value,)
            chosen = tuple(map(_chosen, value)) if role == "penalties" else _chosen(value)
            object.__setattr__(self, role, chosen)
            for choice in chosen if isinstance(chosen, tuple) else (chosen,):
                _check_kind(role, _class(choice))
        _check_together(self)

    @property
    def support(self) -> tuple[float, float] | None:
        """Of the likelihood, where one is chosen that describes values as they are recorded; else None."""
        if self.likelihood is None:
            return None
        return getattr(self.likelihood.own or part_class(self.likelihood.name), "support", None)

    @property
    def needs_context(self) -> bool:
        """Whether it is one of rows given a context only."""
        return any((part.own or part_class(part.name)).needs_context for part in (self.posterior, self.prior))

    @property
    def has_labels(self) -> bool:
        """Whether it classifies rows, whose labels are their context."""
        return bool(getattr(self.posterior.own or part_class(self.posterior.name), "has_labels", False))

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {key: _plain(value) for key, value in vars(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recipe:
        """The inverse of :meth:`to_json`."""
        recipe: Recipe = checked(value, cls, "the recipe")
        return recipe


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [part.to_json() for part in value]
    return value.to_json() if isinstance(value, (Choice, Privacy)) else value


def _chosen(part: Any) -> Any:
    """A part by its name or class as a choice; the name must exist."""
    if part is not None and not isinstance(part, (str, type, Choice)):
        raise ModelError(f"a part is a name, a class of your own, or a choice with arguments, not {part!r}")
    if isinstance(part, str):
        part_class(part)
    return choose(part) if isinstance(part, (str, type)) else part


def _class(choice: Choice | None) -> type[Part] | None:
    """The class of a choice; None where it is the user's and comes from a file."""
    return None if choice is None else choice.own or PARTS.get(choice.name)


def _check_kind(role: str, cls: type[Part] | None) -> None:
    kind = KINDS.get(role)
    if cls is not None and role in NETWORKS and PARTS.get(cls.name) is cls and not cls.name.endswith(f"-{role}"):
        raise ModelError(f"{role}: the part {cls.name!r} is no {role}")
    if cls is not None and kind is not None and PARTS.get(cls.name) is cls and not issubclass(cls, kind):
        raise ModelError(f"{role}: the part {cls.name!r} is no {kind.__name__.lower()}")


def _check_together(recipe: Recipe) -> None:
    """Refuse parts that can't go together, as far as their classes tell; the rest is found when sizes are known."""
    posterior, prior = _class(recipe.posterior), _class(recipe.prior)
    if posterior is None or prior is None:
        return
    _check_encoder(posterior, recipe.encoder)
    if not getattr(prior, "learned", True):
        raise ModelError(
            f"the prior {prior.name!r} is fitted to codes after training: choose it as fitted_prior={prior.name!r}, and a "
            "prior that the model learns, such as 'standard-normal' or 'normal-mixture'"
        )
    for own in (prior, _class(recipe.fitted_prior)):
        _check_space(posterior, own)
    for penalty in map(_class, recipe.penalties):
        _check_penalty(penalty, prior)
    _check_rate(_class(recipe.objective), posterior, prior)
    if recipe.privacy is not None:
        _check_private(recipe, prior)
    _check_labels(_class(recipe.objective), posterior)


def _check_encoder(posterior: type[Part], encoder: Choice | None) -> None:
    if getattr(posterior, "of_values", False) and encoder is None:
        raise ModelError(
            f"the posterior {posterior.name!r} chooses values of the row itself: choose the encoder 'mlp-encoder' with "
            "hidden=[], masked=False and linear=False, as the recipe 'concrete-autoencoder' does"
        )


def _check_space(posterior: type[Part], prior: type[Part] | None) -> None:
    if prior is None or not (issubclass(posterior, Posterior) and issubclass(prior, Prior)):
        return
    kind = posterior.space_type.kind
    if kind not in prior.spaces:
        raise ModelError(
            f"the codes of the posterior {posterior.name!r} lie in a space of the kind {kind!r}, and the prior {prior.name!r} "
            f"is one of the kind {' or '.join(map(repr, prior.spaces)) or 'that is fitted after training'}"
        )


def _check_penalty(penalty: type[Part] | None, prior: type[Part]) -> None:
    if getattr(penalty, "needs_prior", False) and not getattr(prior, "is_prior", True):
        raise ModelError(
            f"the penalty {penalty and penalty.name!r} compares codes with draws of the prior, and with {prior.name!r} the "
            "model has none: choose 'standard-normal'"
        )


def _check_labels(objective: type[Part] | None, posterior: type[Part]) -> None:
    needs, has = getattr(objective, "needs_labels", False), getattr(posterior, "has_labels", False)
    if objective is not None and needs != has:
        raise ModelError(
            f"the posterior {posterior.name!r} and the objective {objective.name!r} don't go together: 'labelled-normal' "
            "learns its labels by 'semi-supervised', as in the recipe 'm2'"
        )


def _check_rate(objective: type[Part] | None, posterior: type[Part], prior: type[Part]) -> None:
    has_rate = getattr(posterior, "has_density", True) and getattr(prior, "is_prior", True)
    if objective is not None and getattr(objective, "needs_rate", False) and not has_rate:
        raise ModelError(
            f"the objective {objective.name!r} weighs the rate of codes, and with the posterior {posterior.name!r} and the "
            f"prior {prior.name!r} they have none: choose 'reconstruction', or another posterior"
        )


def _check_private(recipe: Recipe, prior: type[Part]) -> None:
    if recipe.fitted_prior is not None or not getattr(prior, "is_prior", True):
        raise ModelError(
            f"a private fit draws codes from the prior that it learns, because a density fitted to codes of rows would tell of "
            f"them: choose a prior such as 'standard-normal' and no fitted_prior (here {prior.name!r})"
        )
