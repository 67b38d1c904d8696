"""A recipe with the sizes of the data: networks, likelihood and schedule, from which learners are made."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from latente.composition import Recipe
from latente.errors import ModelError
from latente.model.column_distributions import columns_of
from latente.model.latent_model import LatentModel, compose
from latente.model.likelihoods import Likelihood
from latente.model.linear_start import starts_linear
from latente.model.networks.conv import SMALLEST_SIDE, positions_of
from latente.model.parts import Choice, build, choose, part_class
from latente.model.row_models import AutoregressiveModel
from latente.rows import BINARY, IMAGE, MEASURES, SCALAR, SERIES, Field, Rows, layout_of, levels_of, row_shape
from latente.training.fit import Remedy
from latente.training.learners import LatentLearner, Learner

SMALL_DATA = 2000
MAX_COLUMNS = 256  # larger tables have no autoregressive row model
FEW_VALUES = 20  # columns with up to this many values are scales
FAVOURITE, MIN_FAVOURED = 0.25, 20  # share and number of rows with one value; then no normal distribution fits
SMALLEST_CONV_PICTURE = 16


@dataclass(frozen=True)
class Blueprint:
    """A recipe with the sizes of the data; makes learners for :class:`latente.training.fit.Fit`.

    Attributes:
        hidden: widths of the encoder's layers; None for widths (or convolutions) by the size of the data.
        context_size: number of values of a row's context.
        labels: if the context is one column of levels, the context of each level and, last, of a missing one.
        keep: share of the variance that the code has to keep; "pca" for what PCA of as many dimensions keeps, 0 for any.
    """

    recipe: Recipe
    fields: tuple[Field, ...]
    n_rows: int
    latent_dim: int
    hidden: tuple[int, ...] | None
    masked: bool
    context_size: int = 0
    labels: tuple[tuple[float, ...], ...] = ()
    keep: float | str = 0.0

    def __call__(self, remedy: Remedy = Remedy()) -> Learner:
        """A new learner; weights are drawn from torch's generator."""
        recipe = self.recipe
        kind = "conv-map" if self.spatial else network_for(self.fields, self.hidden)
        choices = {
            "encoder": recipe.encoder or choose(f"{kind}-encoder"),
            "decoder": recipe.decoder or choose("mlp-decoder" if kind == "bins" else f"{kind}-decoder"),
            "posterior": recipe.posterior,
            "prior": recipe.prior,
            "likelihood": recipe.likelihood or likelihood_for(self.fields, recipe.least_squares or self.overcomplete),
        }
        model = compose(choices, **self.sizes(remedy))
        sizes = self.sizes(remedy) | {"latent_dim": model.latent_dim}
        objective = build(recipe.objective, **sizes)
        schedule = build(recipe.schedule or schedule_for(model, remedy))
        constraint = (choose("kept-variance", share=self.keep),) * bool(self.keep)
        parts = tuple(build(penalty, **sizes) for penalty in (*recipe.penalties, *constraint))
        corruption = build(recipe.corruption, **sizes) if recipe.corruption else None
        return LatentLearner(model, objective, schedule, parts, corruption, recipe.recorded)

    @property
    def convolves(self) -> bool:
        """Whether its networks begin at a linear model beside which they learn fast: convolutions, or many windows."""
        many = layout_of(self.fields) == SERIES and self.n_rows >= SMALL_DATA
        fast = many or network_for(self.fields, self.hidden) == "conv"
        with torch.random.fork_rng([]):
            return fast and starts_linear(self().model)

    @property
    def spatial(self) -> bool:
        """Whether the code is a map: a quantised code of pictures with a number or more for each position of the last one."""
        recipe, shape = self.recipe, row_shape(self.fields)
        possible = network_for(self.fields, self.hidden) == "conv" and not (
            recipe.encoder or recipe.decoder or self.context_size
        )
        posterior = recipe.posterior.own or part_class(recipe.posterior.name)
        return possible and getattr(posterior, "spatial", False) and self.latent_dim >= positions_of(shape, channels(shape))

    @property
    def overcomplete(self) -> bool:
        """Whether the code has more than half as many dimensions as a row has fields.

        With a noise level for each field, such a model would store d fields exactly and ignore the others, and it would not
        leave the
        linear model: on an S-shaped surface, a VAE with two dimensions then keeps .26 of the variance, and .9 to .97 with one
            noise level
        and its own initialisation (``benchmarks.defaults``).
        """
        return 2 * self.latent_dim > math.prod(row_shape(self.fields))

    def multiply_adds(self) -> int:
        """Multiply-adds of one row's forward pass.

        Measured with a separate model: torch's "meta" device would suffice, but takes a second to import.
        """
        with torch.random.fork_rng([]), torch.no_grad():
            model: LatentModel = self().model.eval()
            context = torch.zeros(1, self.context_size) if self.context_size else None
            row = Rows(torch.zeros(1, *row_shape(self.fields)), context=context)
            counts = _weights(model)

            def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
                turned = isinstance(layer, nn.ConvTranspose2d)  # weights are used per input pixel
                counts.append(layer.weight.numel() * (inputs[0] if turned else output)[0, 0].numel())  # type: ignore[operator]

            def count_steps(layer: nn.GRU, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
                counts.append(sum(weight.numel() for weight in layer.parameters()) * output[0].shape[1])

            for module in model.modules():
                if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)):
                    module.register_forward_hook(count)
                if isinstance(module, nn.GRU):
                    module.register_forward_hook(count_steps)
            model.encode(row)
            model.decode(torch.zeros(1, 1, model.latent_dim), context)
        return sum(counts) + model.likelihood.extra_multiply_adds

    def sizes(self, remedy: Remedy = Remedy()) -> dict[str, Any]:
        """Arguments for parts that follow from the data, by name."""
        shape = row_shape(self.fields)
        of_mixed, few = is_mixed_table(self.fields), self.n_rows < SMALL_DATA
        hidden = widths(math.prod(shape), self.n_rows, of_mixed) if self.hidden is None else self.hidden
        return {
            **decided_by(self.fields),
            "latent_dim": self.latent_dim,
            "hidden": hidden,
            "channels": NETWORKS[layout_of(self.fields)].channels(shape),
            "masked": self.masked,
            # On nine small mixed tables, held-out loss is .2 nats lower without it.
            "dropout": 0.1 if few and self.hidden is None and not of_mixed else 0.0,
            "linear": remedy.linear and self.hidden is None and (bool(self.keep) if of_mixed else not self.overcomplete),
            "skip": remedy.skip,
            "columns": columns_of(self.fields),
            "n_rows": self.n_rows,
            "free_bits": remedy.free_bits,
            "context_size": self.context_size,
            "labels": self.labels,
        }


def decided_by(fields: tuple[Field, ...]) -> dict[str, Any]:
    """Arguments for parts that follow from the fields alone."""
    return {
        "shape": row_shape(fields),
        "levels": levels_of(fields),
        "missing": tuple(field.missing > 0 for field in fields),
        "bins": tuple(field.bins for field in fields),
        "steps": tuple(field.grid.step for field in fields),
    }


@dataclass(frozen=True)
class RowBlueprint:
    """A separate row model with the sizes of the data; makes learners as :class:`Blueprint` does.

    Attributes:
        likelihood: of the columns, each given those before it.
    """

    fields: tuple[Field, ...]
    n_rows: int
    likelihood: Choice
    convolves: ClassVar[bool] = False

    def __call__(self, remedy: Remedy = Remedy()) -> Learner:
        """A new learner; weights are drawn from torch's generator."""
        return Learner(AutoregressiveModel(build(self.likelihood, **decided_by(self.fields))))

    def multiply_adds(self) -> int:
        """Multiply-adds of one row's forward pass."""
        with torch.random.fork_rng([]):
            likelihood: Likelihood = self().model.likelihood
        return sum(_weights(likelihood)) + likelihood.extra_multiply_adds


@dataclass(frozen=True)
class Continued:
    """Makes learners of a trained model, which continue where it is.

    Attributes:
        blueprint: of the model. model: trained; it is copied.
    """

    blueprint: Blueprint | RowBlueprint
    model: Any

    def __call__(self, remedy: Remedy = Remedy()) -> Learner:
        """A learner of a copy of the model."""
        learner = self.blueprint(remedy)
        learner.model, learner.begun = copy.deepcopy(self.model).requires_grad_(True), True
        return learner


def row_blueprint(blueprint: Blueprint, asked: str) -> RowBlueprint | None:
    """A separate row model; None if the model itself is the row model.

    Args:
        blueprint: of the model.
        asked: "latent" for the model itself, "autoregressive" for a separate row model, "auto" for the latter on a mixed table,
            unless a likelihood is chosen.

    Raises:
        ModelError: "autoregressive" is not possible.
    """
    fields = blueprint.fields
    possible = all(field.bins for field in fields) and len(fields) <= MAX_COLUMNS and not blueprint.context_size
    if asked == "autoregressive" and blueprint.context_size:
        raise ModelError("row_model='autoregressive' can't be conditioned on a context: choose 'latent' or 'auto'")
    if asked == "autoregressive" and not possible:
        raise ModelError(
            f"row_model='autoregressive' is for mixed tables of at most {MAX_COLUMNS} columns, not for more columns, for "
            "measures alone or for pictures: choose 'latent' or 'auto'"
        )
    wanted = is_mixed_table(fields) and blueprint.recipe.likelihood is None if asked == "auto" else asked == "autoregressive"
    if not (wanted and possible):
        return None
    # On few rows, dropout changes held-out loss by less than its error. With more missing values, imputation matters more,
    # which needs columns in any order; complete rows are best with one order. With many orders, dropout increases the loss.
    missing = sum(field.missing for field in fields) / len(fields)
    few, any_order = blueprint.n_rows < SMALL_DATA, min(0.8, max(0.1, 4 * missing))
    likelihood = choose(
        "autoregressive",
        width=64 if few else 128,
        dropout=0.3 if few else 0.2 if any_order > 0.1 else 0.0,
        any_order=any_order,
        min_context=1 - max(0.4, min(1.0, 2 * missing)) if any_order > 0.1 else 0.0,
    )
    return RowBlueprint(fields, blueprint.n_rows, likelihood)


def _weights(model: nn.Module) -> list[int]:
    """Number of weights of each linear layer: its multiply-adds."""
    return [module.weight.numel() for module in model.modules() if isinstance(module, nn.Linear)]


def network_for(fields: tuple[Field, ...], hidden: tuple[int, ...] | None) -> str:
    """Convolutions for pictures of at least 16 pixels a side, unless ``hidden`` is set; bins for mixed columns."""
    if is_mixed_table(fields):
        return "bins"
    return NETWORKS[layout_of(fields)].network(row_shape(fields), hidden)


def is_mixed_table(fields: tuple[Field, ...]) -> bool:
    """Whether some columns are neither measures nor binary."""
    kinds = {field.kind for field in fields}
    of_measures = kinds <= MEASURES and not any(map(has_favourites, fields))
    return all(field.bins for field in fields) and not (of_measures or kinds == {BINARY})


def has_favourites(field: Field) -> bool:
    """Whether a normal distribution is unsuitable for a column of measures: it has few values, or one in a
    quarter of its rows.
    """
    if field.bins is None:
        return False
    low, high, _, rows = field.bins
    alone = [count for bottom, top, count in zip(low, high, rows, strict=True) if bottom == top]
    few = len(alone) == len(low) <= FEW_VALUES
    return few or max(alone, default=0.0) >= max(MIN_FAVOURED, FAVOURITE * sum(rows))


def widths(fields: int, n_rows: int, mixed: bool = False) -> tuple[int, ...]:
    """Two layers, four times as wide as a row, between 64 and 512; at most 128 for fewer than 2,000 rows, and at least 128 for
    more rows of mixed columns, which need many values to describe.
    """
    least, widest = (64, 128) if n_rows < SMALL_DATA else (128 if mixed else 64, 512)
    width = min(widest, max(least, 2 ** math.ceil(math.log2(4 * fields))))
    return (width, width)


def channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Convolutions until the shorter side is 4; 32 channels, doubled each time up to 128."""
    halvings = max(1, math.ceil(math.log2(min(shape[1:]) / SMALLEST_SIDE)))
    return tuple(min(128, 32 * 2**stage) for stage in range(halvings))


def _network_of_pictures(shape: tuple[int, ...], hidden: tuple[int, ...] | None) -> str:
    return "conv" if hidden is None and min(shape[1:]) >= SMALLEST_CONV_PICTURE else "mlp"


class Networks(NamedTuple):
    """Properties of the networks that depend on the layout.

    Attributes:
        network: the name of encoder and decoder, by the shape of a row and the widths that are given.
        channels: of convolutions, by the shape of a row.
        sigma: how many standard deviations a normal likelihood has.
    """

    network: Callable[[tuple[int, ...], tuple[int, ...] | None], str]
    channels: Callable[[tuple[int, ...]], tuple[int, ...]]
    sigma: str


NETWORKS = {
    SCALAR: Networks(lambda shape, hidden: "mlp", lambda shape: (), "field"),
    IMAGE: Networks(_network_of_pictures, channels, "shared"),
    SERIES: Networks(lambda shape, hidden: "mlp", lambda shape: (), "field"),
}


def schedule_for(model: LatentModel, remedy: Remedy) -> Choice:
    """A KL warm-up over a fifth of the run, so that a code without information is not given up too early.

    None if training starts at the linear model, whose code is informative from the first step: there it only delays (held-out
    loss after as many epochs, 0.2 of warm-up against none: breast cancer 40.8 and 34.5 nats, digits -35.5 and -36.1).
    """
    return choose("linear", warm_up=0.0 if starts_linear(model) and not remedy.words else 0.2 * remedy.warm_up)


def likelihood_for(fields: tuple[Field, ...], least_squares: bool = False) -> Choice:
    """Bernoulli if all fields are binary, histograms for mixed columns; otherwise normal, with one sigma for a picture or for
    least squares, and one per column of a table.
    """
    if is_mixed_table(fields):
        return choose("histogram")
    if all(field.kind == BINARY for field in fields):
        return choose("bernoulli")
    return choose("normal", sigma="shared" if least_squares else NETWORKS[layout_of(fields)].sigma)
