"""The published models, each as a choice of parts with its reference.

A recipe does not set what depends on the data (networks and their sizes, the likelihood), and does not depend on the names of
other parts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from latente.errors import ModelError
from latente.files import checked
from latente.model.parts import Choice, choose, part_class


@dataclass(frozen=True)
class Recipe:
    """A model as a choice of parts. ``None`` chooses a part from the data.

    Attributes:
        name: its name, also in files.
        summary: one sentence.
        reference: the paper.
        least_squares: all numeric fields have the same noise level.
        noisy: whether the rows of a fit are taken to hold noise, which is all that reconstructions leave.
        recorded: whether a step may be recorded once and repeated; not if it varies.

    >>> from dataclasses import replace
    >>> own = replace(recipe("vae"), name="own", prior=choose("normal-mixture", components=3))
    >>> own.prior
    Choice(name='normal-mixture', arguments={'components': 3})
    """

    name: str
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
    least_squares: bool = False
    noisy: bool = False
    recorded: bool = True

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

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            key: [part.to_json() for part in value] if isinstance(value, tuple) else _plain(value)
            for key, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recipe:
        """The inverse of :meth:`to_json`."""
        recipe: Recipe = checked(value, cls, "the recipe")
        return recipe


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [part.to_json() for part in value]
    return value.to_json() if isinstance(value, Choice) else value


VAE = Recipe("vae", "variational autoencoder: a normal code for each row, regularised by N(0, I)", "Kingma and Welling 2014")
# Without a KL, an autoencoder with a noise level for each column would store d columns exactly and ignore the others
# (``benchmarks.defaults``).
AUTOENCODER = Recipe(
    "autoencoder",
    "a point for each row and no prior; new codes come from a density fitted after training",
    "Hinton and Salakhutdinov 2006",
    posterior=choose("point-mass"),
    prior=choose("no-prior"),
    objective=choose("reconstruction"),
    least_squares=True,
)

Maker = Callable[..., Recipe]
PUBLISHED: dict[str, Maker] = {}


def published(base: Recipe, summary: str, reference: str) -> Callable[[Callable[..., dict[str, Any]]], Maker]:
    """Register a recipe: a function, with the name of the recipe, from its arguments to the parts that differ from ``base``."""

    def enter(changes: Callable[..., dict[str, Any]]) -> Maker:
        name = changes.__name__.replace("_", "-")

        def make(**arguments: Any) -> Recipe:
            return replace(base, name=name, summary=summary, reference=reference, **changes(**arguments))

        make.__signature__ = inspect.signature(changes)  # type: ignore[attr-defined]
        PUBLISHED[name] = make
        return make

    return enter


@published(AUTOENCODER, AUTOENCODER.summary, AUTOENCODER.reference)
def autoencoder() -> dict[str, Any]:
    return {}


@published(
    AUTOENCODER, "learns to remove noise that it is told, from corrupted rows, or else that of the rows", "Vincent et al. 2008"
)
def denoising(corruption: str = "", **arguments: Any) -> dict[str, Any]:
    """Clean rows are corrupted where the noise is told, and an autoencoder reconstructs them. Otherwise the rows are noisy, and
    a VAE separates what codes say from noise.
    """
    if corruption or arguments:
        return {"corruption": choose(corruption or "gaussian-noise", **arguments)}
    parts = {"posterior": VAE.posterior, "prior": VAE.prior, "objective": VAE.objective}
    return {**parts, "least_squares": False, "noisy": True}


@published(AUTOENCODER, "an autoencoder with few active units for each row", "Ng 2011; Makhzani and Frey 2014")
def sparse(weight: float = 1.0, penalty: str = "l1-sparsity", **arguments: Any) -> dict[str, Any]:
    return {"penalties": (choose(penalty, weight=weight, **arguments),)}


@published(AUTOENCODER, "an autoencoder with a penalty on the Jacobian of the encoder", "Rifai et al. 2011")
def contractive(weight: float = 0.1) -> dict[str, Any]:
    return {"penalties": (choose("contraction", weight=weight),)}


@published(VAE, VAE.summary, VAE.reference)
def vae() -> dict[str, Any]:
    return {}


@published(VAE, "a VAE whose KL has the weight beta: fewer, more independent units", "Higgins et al. 2017")
def beta_vae(beta: float = 4.0) -> dict[str, Any]:
    return {"objective": choose("elbo", beta=beta)}


@published(VAE, "a VAE whose KL is held at C nats; C increases during training", "Burgess et al. 2018")
def capacity_vae(gamma: float = 10.0, capacity: float = 25.0) -> dict[str, Any]:
    return {"objective": choose("capacity", gamma=gamma, capacity=capacity)}


@published(VAE, "a VAE with one learned noise level for all fields, so that beta needs no tuning", "Rybkin et al. 2021")
def sigma_vae() -> dict[str, Any]:
    return {"likelihood": choose("normal", sigma="shared")}


@published(VAE, "a VAE trained on the importance-weighted bound of K draws", "Burda et al. 2016")
def iwae(samples: int = 5) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples)}


@published(
    VAE, "an IWAE for rows with missing values: a bound of the observed values with 20 draws", "Mattei and Frellsen 2019"
)
def miwae(samples: int = 20) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples)}


@published(
    VAE,
    "a VAE with a distribution for each kind of column and a mixture prior: mixed tables with missing values",
    "Nazábal et al. 2020",
)
def hi_vae(components: int = 10) -> dict[str, Any]:
    return {"likelihood": choose("heterogeneous"), "prior": choose("normal-mixture", components=components)}


@published(VAE, "a VAE whose prior is a mixture of the posteriors of learned pseudo-inputs", "Tomczak and Welling 2018")
def vamp_vae(components: int = 100) -> dict[str, Any]:
    return {"prior": choose("vamp", components=components)}


@published(VAE, "a VAE whose prior is a normalising flow", "Dinh et al. 2017; Chen et al. 2017")
def flow_prior_vae(layers: int = 6) -> dict[str, Any]:
    return {"prior": choose("flow", layers=layers)}


@published(VAE, "a VAE whose posterior is a normal followed by inverse autoregressive flows", "Kingma et al. 2016")
def iaf_vae(transforms: int = 2) -> dict[str, Any]:
    return {"posterior": choose("iaf", transforms=transforms)}


@published(VAE, "a VAE whose codes lie on a sphere, with the uniform prior", "Davidson et al. 2018; De Cao and Aziz 2020")
def hyperspherical_vae() -> dict[str, Any]:
    return {"posterior": choose("power-spherical"), "prior": choose("uniform-sphere")}


@published(VAE, "a VAE of rows given a context, which fit(X, context=…) names", "Sohn et al. 2015")
def cvae(prior: str = "conditional-normal") -> dict[str, Any]:
    return {"prior": choose(prior)}


@published(VAE, "a VAE that weighs the dependence of the dimensions of its code apart", "Chen et al. 2018")
def beta_tcvae(beta: float = 6.0, alpha: float = 1.0, gamma: float = 1.0) -> dict[str, Any]:
    return {"objective": choose("total-correlation", alpha=alpha, beta=beta, gamma=gamma)}


@published(VAE, "a VAE whose total correlation is estimated by a critic", "Kim and Mnih 2018")
def factor_vae(gamma: float = 10.0) -> dict[str, Any]:
    return {"penalties": (choose("critic-total-correlation", gamma=gamma),)}


@published(AUTOENCODER, "an autoencoder whose aggregated codes are regularised towards N(0, I)", "Tolstikhin et al. 2018")
def wae(weight: float = 100.0) -> dict[str, Any]:
    return {"prior": choose("standard-normal"), "penalties": (choose("mmd", weight=weight),)}


@published(VAE, "each dimension of the code rounded to one of a few levels", "Mentzer et al. 2024")
def fsq(levels: int = 8) -> dict[str, Any]:
    return {"posterior": choose("fsq", levels=levels), "prior": choose("uniform-grid")}


@published(VAE, "a code of symbols, each the nearest vector of a learned codebook", "van den Oord et al. 2017")
def vq_vae(entries: int = 64, size: int = 2, commitment: float = 0.25) -> dict[str, Any]:
    return {"posterior": choose("vq", entries=entries, size=size, commitment=commitment), "prior": choose("uniform-grid")}


@published(AUTOENCODER, "chooses the columns from which all others are reconstructed best", "Abid et al. 2019")
def concrete_autoencoder(warm: float = 10.0, cold: float = 0.1) -> dict[str, Any]:
    identity = choose("mlp-encoder", hidden=[], masked=False, dropout=0.0, linear=False)
    return {"encoder": identity, "posterior": choose("concrete-selector", warm=warm, cold=cold)}


class Recipes(Sequence[Recipe]):
    """The table of published models; prints as one."""

    def __init__(self) -> None:
        self._recipes = [make() for make in PUBLISHED.values()]

    def __getitem__(self, index: Any) -> Any:
        return self._recipes[index]

    def __len__(self) -> int:
        return len(self._recipes)

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self._recipes)

    def __repr__(self) -> str:
        return "\n".join(f"{r.name:<20} {r.summary} ({r.reference})" for r in self)


def recipes() -> Recipes:
    """All published models that this version has.

    >>> [recipe.name for recipe in recipes()][:2]
    ['autoencoder', 'denoising']
    """
    return Recipes()


def recipe(name: str, **arguments: Any) -> Recipe:
    """Look up a published model, optionally with other arguments than in its paper.

    >>> recipe("beta-vae", beta=2.0).objective
    Choice(name='elbo', arguments={'beta': 2.0})

    Raises:
        ModelError: no such recipe, or no such argument; the message lists those that exist.
    """
    if name not in PUBLISHED:
        raise ModelError(f"there is no recipe called {name!r}; there are {', '.join(PUBLISHED)}")
    try:
        return PUBLISHED[name](**arguments)
    except TypeError as error:
        accepted = ", ".join(inspect.signature(PUBLISHED[name]).parameters) or "none"
        raise ModelError(f"{name!r} does not take {', '.join(arguments)}; its arguments: {accepted}") from error
