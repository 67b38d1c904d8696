"""The published models, each as a choice of parts with its reference.

A recipe does not set what depends on the data (networks and their sizes, the likelihood), and does not depend on the names of
other parts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from latente.composition import Recipe
from latente.errors import ModelError, alternatives
from latente.model.parts import choose
from latente.training.private import Privacy

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


@published(AUTOENCODER, "learns to remove noise: from rows that it corrupts, or from noisy rows alone", "Vincent et al. 2008")
def denoising(corruption: str = "", **arguments: Any) -> dict[str, Any]:
    """With a corruption, an autoencoder reconstructs clean rows from corrupted ones. Without one, the rows are taken as noisy,
    and a VAE separates signal from noise.
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


# An autoencoder with a regular space: what holds the codes, and what the decoder.
@published(AUTOENCODER, "an autoencoder with small codes and weight decay of the decoder", "Ghosh et al. 2020")
def rae_l2(weight: float = 0.01, smoothness: float = 1e-3) -> dict[str, Any]:
    return {"penalties": (choose("regularised-decoder", weight=weight, smoothness=smoothness),)}


@published(AUTOENCODER, "an autoencoder with small codes and small derivatives of the decoder", "Ghosh et al. 2020")
def rae_gp(weight: float = 0.01, smoothness: float = 1e-2) -> dict[str, Any]:
    return {"penalties": (choose("regularised-decoder", weight=weight, smoothness=smoothness, of="gradient"),)}


@published(AUTOENCODER, "an autoencoder with small codes and small spectral norms of the decoder's layers", "Ghosh et al. 2020")
def rae_sn(weight: float = 0.01, smoothness: float = 1e-2) -> dict[str, Any]:
    return {"penalties": (choose("regularised-decoder", weight=weight, smoothness=smoothness, of="spectral"),)}


@published(AUTOENCODER, "an autoencoder whose codes a critic can't tell from draws of N(0, I)", "Makhzani et al. 2015")
def aae(gamma: float = 10.0) -> dict[str, Any]:
    return {"prior": choose("standard-normal"), "penalties": (choose("adversary", gamma=gamma),)}


@published(AUTOENCODER, "an autoencoder whose codes are N(0, I) along random directions", "Kolouri et al. 2019")
def sliced_wae(weight: float = 10.0, directions: int = 50) -> dict[str, Any]:
    penalty = choose("sliced-wasserstein", weight=weight, directions=directions)
    return {"prior": choose("standard-normal"), "penalties": (penalty,)}


@published(VAE, "a VAE whose aggregated codes are regularised towards N(0, I), and single codes less", "Zhao et al. 2019")
def info_vae(alpha: float = 0.5, weight: float = 100.0) -> dict[str, Any]:
    return {"objective": choose("elbo", beta=1 - alpha), "penalties": (choose("mmd", weight=alpha + weight - 1),)}


@published(VAE, "a VAE whose codes have means with the covariance I", "Kumar et al. 2018")
def dip_vae_i(off: float = 10.0, diagonal: float = 100.0) -> dict[str, Any]:
    return {"penalties": (choose("decorrelation", off=off, diagonal=diagonal),)}


@published(VAE, "a VAE whose codes have the covariance I", "Kumar et al. 2018")
def dip_vae_ii(off: float = 10.0, diagonal: float = 10.0) -> dict[str, Any]:
    return {"penalties": (choose("decorrelation", off=off, diagonal=diagonal, draws=True),)}


@published(VAE, "an IWAE whose gradient leaves out the score of the posterior", "Roeder et al. 2017")
def iwae_stl(samples: int = 5) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples, gradient="stl")}


@published(VAE, "an IWAE with doubly reparametrised gradients, which stay exact with many draws", "Tucker et al. 2019")
def iwae_dreg(samples: int = 5) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples, gradient="dreg")}


@published(VAE, "the mean of several importance-weighted bounds", "Rainforth et al. 2018")
def multiply_iwae(samples: int = 4, groups: int = 4) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples, groups=groups)}


@published(
    VAE, "an importance-weighted bound for the decoder, and the mean of several for the encoder", "Rainforth et al. 2018"
)
def piwae(samples: int = 4, groups: int = 4) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples, groups=groups, gradient="partial")}


@published(VAE, "a weighted mean of the ELBO and an importance-weighted bound", "Rainforth et al. 2018")
def ciwae(samples: int = 5, elbo: float = 0.5) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples, elbo=elbo)}


@published(VAE, "a VAE whose prior is a mixture of normals, learned with it", "Dilokthanakul et al. 2016")
def gmm_vae(components: int = 10) -> dict[str, Any]:
    return {"prior": choose("normal-mixture", components=components)}


@published(VAE, "clusters: a mixture prior, which begins as one fitted to the codes, and a long warm-up", "Jiang et al. 2017")
def vade(components: int = 10, warm_up: float = 0.4) -> dict[str, Any]:
    prior = choose("normal-mixture", components=components, from_codes=True)
    return {"prior": prior, "schedule": choose("linear", warm_up=warm_up)}


@published(VAE, "a VAE whose prior is a mixture about the codes of training rows", "Norouzi et al. 2020")
def exemplar_vae(components: int = 200) -> dict[str, Any]:
    return {"prior": choose("exemplar", components=components)}


@published(VAE, "a VAE whose posterior is a masked autoregressive flow", "Papamakarios et al. 2017")
def maf_vae(transforms: int = 2) -> dict[str, Any]:
    return {"posterior": choose("maf", transforms=transforms)}


@published(VAE, "a VAE whose posterior is an autoregressive flow of splines", "Durkan et al. 2019")
def nsf_vae(transforms: int = 1) -> dict[str, Any]:
    return {"posterior": choose("nsf", transforms=transforms)}


@published(VAE, "a VAE with Student-t noise, for values far out", "Takahashi et al. 2018")
def student_t_vae() -> dict[str, Any]:
    return {"likelihood": choose("student-t")}


@published(VAE, "a VAE with a Student-t prior, for rows far out", "Abiri and Ohlsson 2020")
def student_t_prior_vae(df: int = 5) -> dict[str, Any]:
    return {"prior": choose("student-t-prior", df=df)}


@published(VAE, "a VAE with Student-t noise, posterior and prior", "Kim et al. 2024")
def t3_vae(df: int = 5) -> dict[str, Any]:
    prior, posterior = choose("student-t-prior", df=df), choose("student-t-posterior", df=df)
    return {"likelihood": choose("student-t"), "prior": prior, "posterior": posterior}


@published(VAE, "a VAE that outliers in the training rows hardly change", "Akrami et al. 2022")
def robust_vae(power: float = 0.2) -> dict[str, Any]:
    return {"likelihood": choose("normal"), "objective": choose("robust-elbo", power=power)}


@published(VAE, "a VAE whose noise level follows from the code", "Kingma and Welling 2014, appendix C.2")
def heteroscedastic_vae() -> dict[str, Any]:
    return {"likelihood": choose("heteroscedastic-normal")}


@published(VAE, "an IWAE for values that are missing by what they are, as large incomes are", "Ipsen et al. 2021")
def not_miwae(samples: int = 20) -> dict[str, Any]:
    return {"likelihood": choose("self-masked-normal"), "objective": choose("importance-weighted", samples=samples)}


@published(VAE, "a VAE whose code has levels, each given those above", "Sønderby et al. 2016; Child 2021")
def ladder_vae(levels: int = 3) -> dict[str, Any]:
    return {"posterior": choose("top-down", levels=levels)}


@published(VAE, "a VAE whose codes are drawn by a second VAE", "Dai and Wipf 2019")
def two_stage_vae() -> dict[str, Any]:
    return {"fitted_prior": choose("second-vae")}


@published(VAE, "each dimension rounded, and an autoregressive prior learned at the same time", "Mentzer et al. 2024")
def autoregressive_fsq(levels: int = 8) -> dict[str, Any]:
    return {"posterior": choose("fsq", levels=levels), "prior": choose("symbols")}


@published(VAE, "linear encoder and decoder: probabilistic PCA", "Tipping and Bishop 1999; Lucas et al. 2019")
def linear_vae() -> dict[str, Any]:
    return {
        "encoder": choose("mlp-encoder", hidden=[], dropout=0.0, linear=False),
        "decoder": choose("mlp-decoder", hidden=[]),
        "likelihood": choose("normal", sigma="shared"),
    }


@published(VAE, "a VAE that reconstructs clean rows from corrupted ones", "Im et al. 2017")
def denoising_vae(corruption: str = "gaussian-noise", **arguments: Any) -> dict[str, Any]:
    return {"corruption": choose(corruption, **arguments)}


@published(VAE, "a VAE whose units may each say some nats without loss, so that few collapse", "Kingma et al. 2016")
def free_bits_vae(free_bits: float = 0.25) -> dict[str, Any]:
    return {"objective": choose("elbo", free_bits=free_bits)}


@published(VAE, "a VAE whose codes lie on a sphere, by the von Mises-Fisher distribution", "Davidson et al. 2018")
def vmf_vae() -> dict[str, Any]:
    return {"posterior": choose("von-mises-fisher"), "prior": choose("uniform-sphere")}


@published(VAE, "a VAE whose codes lie in hyperbolic space, which has room for trees", "Mathieu et al. 2019")
def poincare_vae() -> dict[str, Any]:
    return {"posterior": choose("wrapped-normal"), "prior": choose("wrapped-normal-prior")}


@published(VAE, "HI-VAE with a posterior q(s|x) of the component and q(z|x, s) of the code given it", "Nazábal et al. 2020")
def hi_vae_published(components: int = 10) -> dict[str, Any]:
    prior, posterior = (choose(part, components=components) for part in ("normal-mixture", "chosen-normal"))
    return {"likelihood": choose("heterogeneous"), "prior": prior, "posterior": posterior}


@published(VAE, "a VAE of windows whose decoder adds a trend, seasons and the rest", "Desai et al. 2021")
def timevae(degree: int = 2, seasons: tuple[int, ...] = ()) -> dict[str, Any]:
    decoder = choose("trend-season-decoder", degree=degree, seasons=list(seasons))
    return {"encoder": choose("dilated-encoder"), "decoder": decoder, "recorded": False}  # kernels of convolutions vary


@published(VAE, "a VAE of windows trained with some points hidden; missing ones are filled in by iteration", "Xu et al. 2018")
def donut(hidden: float = 0.01) -> dict[str, Any]:
    corruption, likelihood = choose("masking", share=hidden), choose("heteroscedastic-normal")
    return {"encoder": choose("mlp-encoder", masked=False), "corruption": corruption, "likelihood": likelihood}


@published(VAE, "a recurrent VAE of windows with a flow as its posterior, after OmniAnomaly", "Su et al. 2019")
def recurrent_vae(transforms: int = 2) -> dict[str, Any]:
    flow = choose("iaf", transforms=transforms)
    return {"encoder": choose("gru-encoder"), "decoder": choose("gru-decoder"), "posterior": flow}


@published(VAE, "a VAE that hardly tells whether a row was among its training rows", "Abadi et al. 2016; Acs et al. 2019")
def dp_vae(epsilon: float = 3.0, delta: float = 1e-5, clip: float = 1.0) -> dict[str, Any]:
    return {"privacy": Privacy(epsilon, delta, clip)}


@published(VAE, "a VAE of partly labelled rows, which classifies the others", "Kingma et al. 2014")
def m2(weight: float = 5.0) -> dict[str, Any]:
    return {"posterior": choose("labelled-normal"), "objective": choose("semi-supervised", weight=weight)}


@published(VAE, "a VAE of windows whose codes are smooth paths: Gaussian processes along time", "Fortuin et al. 2020")
def gp_vae(processes: int = 2) -> dict[str, Any]:
    prior, decoder = choose("gaussian-process", processes=processes), choose("path-decoder", processes=processes)
    return {"encoder": choose("dilated-encoder"), "prior": prior, "decoder": decoder, "recorded": False}


@published(VAE, "a recurrent VAE of windows whose codes are paths: each step depends on those before", "Chung et al. 2015")
def vrnn(processes: int = 2) -> dict[str, Any]:
    prior, decoder = choose("recurrent-normal", processes=processes), choose("recurrent-path-decoder", processes=processes)
    return {"encoder": choose("gru-encoder"), "prior": prior, "decoder": decoder}


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
        raise ModelError(f"there is no recipe called {name!r}; {alternatives(name, [*PUBLISHED])}, listed by 'latente recipes'")
    try:
        return PUBLISHED[name](**arguments)
    except TypeError as error:
        accepted = ", ".join(inspect.signature(PUBLISHED[name]).parameters) or "none"
        raise ModelError(f"{name!r} does not take {', '.join(arguments)}; its arguments: {accepted}") from error
