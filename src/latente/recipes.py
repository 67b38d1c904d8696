"""Every published model as a choice of parts, a few lines each, with its reference.

A recipe leaves open what the data decides (networks and their sizes, the likelihood) and never looks at the name of another
part.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from latente.errors import ModelError
from latente.model import (  # noqa: F401  (most of them register)
    autoregressive,
    cells,
    corruptions,
    fitted_priors,
    heterogeneous,
    likelihoods,
    no_code,
    objectives,
    penalties,
    posteriors,
    priors,
)
from latente.model.latent_model import LatentModel, compose
from latente.model.linear_start import starts_linear
from latente.model.networks import cells as _cells  # noqa: F401
from latente.model.networks.conv import SMALLEST_SIDE
from latente.model.parts import Choice, build, choose
from latente.rows import BINARY, MEASURES, Field, Rows, levels_of, row_shape
from latente.training.fit import Remedy
from latente.training.loop import Learner

SMALL_DATA = 2000
MOST_COLUMNS = 256  # that are said one after the other
FEW_VALUES = 20  # of a column, as many as are steps of a scale
FAVOURITE, LEAST_FAVOURED = 0.25, 20  # share of a column's rows, and rows, from where on no bell holds one value so often
SMALLEST_CONV_PICTURE = 16


@dataclass(frozen=True)
class Recipe:
    """A model as a choice of parts. ``None`` leaves a part to the data.

    Attributes:
        name: what it is called, here and in a file.
        summary: one sentence.
        reference: the paper.
        least_squares: numbers have one noise level, and not one for each column.
        recorded: whether a step may be recorded once and repeated; not where it does something else each time.
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
    recorded: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            key: [part.to_json() for part in value] if isinstance(value, tuple) else _plain(value)
            for key, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recipe:
        """The inverse of :meth:`to_json`."""
        parts: dict[str, Any] = {key: _part(part) for key, part in value.items()}
        return cls(**parts)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [part.to_json() for part in value]
    return value.to_json() if isinstance(value, Choice) else value


def _part(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(Choice.from_json, value))
    return Choice.from_json(value) if isinstance(value, dict) else value


VAE = Recipe("vae", "variational autoencoder: a normal code for each row, regularised by N(0, I)", "Kingma and Welling 2014")
# Without a rate to pay, a noise level for each column would have an autoencoder write d columns out exactly and leave the
# others (``benchmarks.defaults``).
AUTOENCODER = Recipe(
    "autoencoder",
    "a point for each row and no prior; new codes come from a law fitted afterwards",
    "Hinton and Salakhutdinov 2006",
    posterior=choose("point-mass"),
    prior=choose("no-prior"),
    objective=choose("reconstruction"),
    least_squares=True,
)

Maker = Callable[..., Recipe]
PUBLISHED: dict[str, Maker] = {}


def published(base: Recipe, summary: str, reference: str) -> Callable[[Callable[..., dict[str, Any]]], Maker]:
    """Enter a recipe: a function from its arguments to the parts that differ from ``base``, named after it."""

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


@published(AUTOENCODER, "an autoencoder that sees corrupted rows and must give back the clean ones", "Vincent et al. 2008")
def denoising(corruption: str = "gaussian-noise", **arguments: Any) -> dict[str, Any]:
    return {"corruption": choose(corruption, **arguments)}


@published(AUTOENCODER, "an autoencoder of which few units say something of each row", "Ng 2011; Makhzani and Frey 2014")
def sparse(weight: float = 1.0, penalty: str = "l1-sparsity", **arguments: Any) -> dict[str, Any]:
    return {"penalties": (choose(penalty, weight=weight, **arguments),)}


@published(AUTOENCODER, "an autoencoder whose code changes little when the row changes little", "Rifai et al. 2011")
def contractive(weight: float = 0.1) -> dict[str, Any]:
    return {"penalties": (choose("contraction", weight=weight),)}


@published(VAE, VAE.summary, VAE.reference)
def vae() -> dict[str, Any]:
    return {}


@published(VAE, "a VAE whose rate costs beta times as much: fewer, more separate units", "Higgins et al. 2017")
def beta_vae(beta: float = 4.0) -> dict[str, Any]:
    return {"objective": choose("elbo", beta=beta)}


@published(VAE, "a VAE held at a rate of C nats, which grows while it trains", "Burgess et al. 2018")
def capacity_vae(gamma: float = 10.0, capacity: float = 25.0) -> dict[str, Any]:
    return {"objective": choose("capacity", gamma=gamma, capacity=capacity)}


@published(VAE, "a VAE with one noise level for all fields, learned: beta needs no tuning", "Rybkin et al. 2021")
def sigma_vae() -> dict[str, Any]:
    return {"likelihood": choose("normal", sigma="shared")}


@published(VAE, "a VAE trained on the importance-weighted bound of K draws", "Burda et al. 2016")
def iwae(samples: int = 5) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples)}


@published(
    VAE, "an IWAE for rows with holes: the bound is that of what was seen, and 20 draws tighten it", "Mattei and Frellsen 2019"
)
def miwae(samples: int = 20) -> dict[str, Any]:
    return {"objective": choose("importance-weighted", samples=samples)}


@published(
    VAE,
    "a VAE whose columns have each the law of its kind, with a mixture for its prior: mixed tables with holes",
    "Nazábal et al. 2020",
)
def hi_vae(components: int = 10) -> dict[str, Any]:
    return {"likelihood": choose("heterogeneous"), "prior": choose("normal-mixture", components=components)}


# What new rows of a mixed table are drawn from, and rows are scored and completed by. Measured on Adult: with an autoregressive
# decoder the code of a VAE says next to nothing (0.2 to 0.4 nats); made to say more, new rows get worse (two-sample score .94
# without a code, .77 to .86 with one). So the code is that of a VAE whose columns are independent given it, and rows have a law
# of their own.
ROW_LAW = Recipe(
    "row-law",
    "rows of a table, one column after the other, without a code",
    "Larochelle and Murray 2011",
    encoder=choose("no-encoder"),
    posterior=choose("no-code"),
    decoder=choose("constant-decoder"),
    likelihood=choose("autoregressive"),
)


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
        return "\n".join(f"{r.name:<13} {r.summary} ({r.reference})" for r in self)


def recipes() -> Recipes:
    """All published models that this version has.

    >>> [recipe.name for recipe in recipes()][:2]
    ['autoencoder', 'denoising']
    """
    return Recipes()


def recipe(name: str, **arguments: Any) -> Recipe:
    """A published model, with other arguments than its paper's.

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


class _CallableModule(ModuleType):
    """``latente.recipes`` is this module once it is imported, and the function :func:`recipes` to whoever calls it."""

    def __call__(self) -> Recipes:
        return recipes()


sys.modules[__name__].__class__ = _CallableModule


@dataclass(frozen=True)
class Composer:
    """A recipe and what the data decides; makes learners for :class:`latente.training.fit.Fit`.

    Attributes:
        hidden: widths of the encoder's layers; None for widths (or convolutions) by the size of the data.
    """

    recipe: Recipe
    fields: tuple[Field, ...]
    n_rows: int
    latent_dim: int
    hidden: tuple[int, ...] | None
    masked: bool

    def __call__(self, remedy: Remedy = Remedy()) -> Learner:
        """A fresh learner; weights are drawn from torch's generator."""
        recipe = self.recipe
        kind = network_for(self.fields, self.hidden)
        choices = {
            "encoder": recipe.encoder or choose(f"{kind}-encoder"),
            "decoder": recipe.decoder or choose("conv-decoder" if kind == "conv" else "mlp-decoder"),
            "posterior": recipe.posterior,
            "prior": recipe.prior,
            "likelihood": recipe.likelihood or likelihood_for(self.fields, recipe.least_squares or self.roomy),
        }
        model = compose(choices, **self.sizes(remedy))
        sizes = self.sizes(remedy) | {"latent_dim": model.latent_dim}
        objective = build(recipe.objective, **sizes)
        if objective.needs_rate and not model.has_rate:
            raise ModelError(
                f"the objective {objective.name!r} weighs the rate of codes, and with the posterior {recipe.posterior.name!r} "
                f"and the prior {recipe.prior.name!r} they have none: choose 'reconstruction', or another posterior"
            )
        schedule = build(recipe.schedule or schedule_for(model, remedy))
        parts = tuple(build(penalty, **sizes) for penalty in recipe.penalties)
        corruption = build(recipe.corruption, **sizes) if recipe.corruption else None
        return Learner(model, objective, schedule, parts, corruption, recipe.recorded)

    @property
    def roomy(self) -> bool:
        """Whether the code has more than half as many dimensions as a row has fields.

        With a noise level for each of them it would write d fields out and leave the others, and from the linear model it would
        not get away: of an S in space a VAE of two dimensions keeps .26 of the variance so, and .9 to .97 with one noise level
        and a start of its own (``benchmarks.defaults``).
        """
        return 2 * self.latent_dim > math.prod(row_shape(self.fields))

    def multiply_adds(self) -> int:
        """Multiply-adds of one row's forward pass.

        A row goes through a model that is made for this alone: torch's "meta" device, which would only keep account, takes a
        second to be imported.
        """
        with torch.random.fork_rng([]), torch.no_grad():
            model = self().model.eval()
            row = Rows(torch.zeros(1, *row_shape(self.fields)))
            counts = [module.weight.numel() for module in model.modules() if isinstance(module, nn.Linear)]

            def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
                turned = isinstance(layer, nn.ConvTranspose2d)  # it visits each pixel that comes in, not each that goes out
                counts.append(layer.weight.numel() * (inputs[0] if turned else output)[0, 0].numel())  # type: ignore[operator]

            for module in model.modules():
                if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                    module.register_forward_hook(count)
            model.encode(row)
            model.decode(torch.zeros(1, 1, self.latent_dim))
        return sum(counts) + int(model.likelihood.repeated)  # type: ignore[arg-type]

    def sizes(self, remedy: Remedy = Remedy()) -> dict[str, Any]:
        """What the data decides, by the names that parts ask for."""
        shape, levels = row_shape(self.fields), levels_of(self.fields)
        of_mixed, few = mixed(self.fields), self.n_rows < SMALL_DATA
        hidden = widths(math.prod(shape), self.n_rows, of_mixed) if self.hidden is None else self.hidden
        return {
            "shape": shape,
            "latent_dim": self.latent_dim,
            "hidden": hidden,
            "channels": channels(shape) if len(shape) == 3 else (),
            "masked": self.masked,
            # Of nine small mixed tables, held-out loss is .2 nats lower without it.
            "dropout": 0.1 if few and self.hidden is None and not of_mixed else 0.0,
            "linear": remedy.linear and self.hidden is None and not levels and not self.roomy,
            "skip": remedy.skip,
            "levels": levels,
            "holes": tuple(field.missing > 0 for field in self.fields),
            "cells": tuple(field.cells for field in self.fields),
            "steps": tuple(field.record.step for field in self.fields),
            "columns": heterogeneous.columns_of(self.fields),
            "n_rows": self.n_rows,
            "free_bits": remedy.free_bits,
        }


def row_law(composer: Composer) -> Composer | None:
    """What makes the law of a mixed table's rows; None where the model itself is to be that: another likelihood was chosen, the
    columns are not mixed, or the model is none of a density.
    """
    own = mixed(composer.fields) and composer.recipe.likelihood is None and composer.recipe.posterior.name != "point-mass"
    if not own or len(composer.fields) > MOST_COLUMNS:
        return None
    # On few rows dropout changes held-out loss by less than its error, and how much is learnt by heart. The more is missing,
    # the more is there to fill in, which takes columns told of any others; whole rows come out best where all are in one order.
    # In so many orders a table is learnt by heart the less with dropout.
    missing = sum(field.missing for field in composer.fields) / len(composer.fields)
    few, any_order = composer.n_rows < SMALL_DATA, min(0.8, max(0.1, 4 * missing))
    likelihood = choose(
        "autoregressive",
        width=64 if few else 128,
        dropout=0.3 if few else 0.2 if any_order > 0.1 else 0.0,
        any_order=any_order,
        least_told=1 - max(0.4, min(1.0, 2 * missing)) if any_order > 0.1 else 0.0,
    )
    return replace(composer, recipe=replace(ROW_LAW, likelihood=likelihood), latent_dim=0, hidden=())


def network_for(fields: tuple[Field, ...], hidden: tuple[int, ...] | None) -> str:
    """Convolutions for pictures of 16 pixels a side and more, unless widths of layers are given; cells for mixed columns."""
    if mixed(fields):
        return "cells"
    shape = row_shape(fields)
    convolves = hidden is None and len(shape) == 3 and min(shape[1:]) >= SMALLEST_CONV_PICTURE
    return "conv" if convolves else "mlp"


def mixed(fields: tuple[Field, ...]) -> bool:
    """Whether some columns hold something else than measures, or than 0 and 1."""
    kinds = {field.kind for field in fields}
    of_measures = kinds <= MEASURES and not any(map(has_favourites, fields))
    return all(field.cells for field in fields) and not (of_measures or kinds == {BINARY})


def has_favourites(field: Field) -> bool:
    """Whether no bell is like a column of measures, for it holds but a few values, or one in a quarter of its rows."""
    if field.cells is None:
        return False
    low, high, _, rows = field.cells
    alone = [count for bottom, top, count in zip(low, high, rows, strict=True) if bottom == top]
    few = len(alone) == len(low) <= FEW_VALUES
    return few or max(alone, default=0.0) >= max(LEAST_FAVOURED, FAVOURITE * sum(rows))


def widths(fields: int, n_rows: int, mixed: bool = False) -> tuple[int, ...]:
    """Two layers, four times as wide as a row, between 64 and 512; at most 128 for fewer than 2,000 rows, and at least that for
    more where columns are mixed, each of which takes many numbers to describe.
    """
    least, widest = (64, 128) if n_rows < SMALL_DATA else (128 if mixed else 64, 512)
    width = min(widest, max(least, 2 ** math.ceil(math.log2(4 * fields))))
    return (width, width)


def channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Halve until the shorter side is 4; 32 channels, doubled each time up to 128."""
    halvings = max(1, math.ceil(math.log2(min(shape[1:]) / SMALLEST_SIDE)))
    return tuple(min(128, 32 * 2**stage) for stage in range(halvings))


def schedule_for(model: LatentModel, remedy: Remedy) -> Choice:
    """A KL warm-up over a fifth of the run, so that a code that says nothing yet is not given up before it does.

    None where training starts at the linear model, whose code says much from the first step: there it only delays (held-out
    loss
    after as many epochs, 0.2 of warm-up against none: breast cancer 40.8 and 34.5 nats, digits -35.5 and -36.1).
    """
    return choose("linear", warm_up=0.0 if starts_linear(model) and not remedy.words else 0.2 * remedy.warm_up)


def likelihood_for(fields: tuple[Field, ...], least_squares: bool = False) -> Choice:
    """Bernoulli where every field holds 0 and 1, a histogram of each column where they are mixed; a normal otherwise, with one
    sigma for a picture, or where least squares are wanted, and one per column of a table.
    """
    if mixed(fields):
        return choose("cells")
    if all(field.kind == BINARY for field in fields):
        return choose("bernoulli")
    return choose("normal", sigma="shared" if least_squares or fields[0].shape else "field")
