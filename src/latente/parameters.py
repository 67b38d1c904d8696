"""The parameters of an estimator: checks, and values that follow from them without data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any, Self

import numpy as np

from latente.catalogue import recipe as find_recipe
from latente.composition import Recipe
from latente.data import TimeAsked
from latente.errors import ModelError
from latente.model.parts import Choice, choose
from latente.training import defaults
from latente.training.plan import Plan
from latente.training.trimming import AUTO

ROW_MODELS = ("auto", "latent", "autoregressive")


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The parameters of :class:`latente.VAE`, checked.

    Raises:
        ModelError: a value is impossible.
    """

    recipe: str | Recipe
    latent_dim: int | str
    hidden: tuple[int, ...] | str
    likelihood: str | Choice
    max_epochs: int | str
    time_limit: float | None
    batch_size: int | str
    learning_rate: float | str
    early_stopping: bool
    validation_fraction: float
    device: str
    precision: str
    random_state: Any
    verbose: int
    kinds: Mapping[str, str] | None
    unknown: str
    missing: Sequence[Any] | None
    effort: str
    row_model: str
    keep: float | str = AUTO
    trim: float | str | None = None
    time: str | None = None
    entity: str | None = None
    window: int | str = AUTO
    stride: int | str = AUTO

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """The parameters of an estimator."""
        return cls(**{field.name: getattr(estimator, field.name) for field in fields(cls)})

    def __post_init__(self) -> None:
        auto = {name: getattr(self, name) == "auto" for name in ("latent_dim", "hidden", "max_epochs", "batch_size")}
        whole = "'auto' or a whole number from 1"
        checks = {
            "latent_dim": (auto["latent_dim"] or is_whole(self.latent_dim, 1), whole),
            "hidden": (auto["hidden"] or _widths(self.hidden), "'auto' or a tuple of widths"),
            "max_epochs": (auto["max_epochs"] or is_whole(self.max_epochs, 1), whole),
            "batch_size": (auto["batch_size"] or is_whole(self.batch_size, 1), whole),
            "learning_rate": (self.learning_rate == "auto" or _positive(self.learning_rate), "'auto' or a positive number"),
            "time_limit": (self.time_limit is None or _positive(self.time_limit), "None or a positive number of seconds"),
            "validation_fraction": (is_share(self.validation_fraction), "a share from 0 to below 1"),
            "likelihood": (isinstance(self.likelihood, (str, Choice)), "'auto', the name of a likelihood, or a choice of one"),
            "recipe": (isinstance(self.recipe, (str, Recipe)), "the name of a recipe, or a Recipe"),
            "kinds": (self.kinds is None or isinstance(self.kinds, Mapping), "None or a mapping from columns to kinds"),
            "unknown": (self.unknown in ("error", "missing"), "'error' or 'missing'"),
            "missing": (self.missing is None or _marks(self.missing), "None or a list of texts and numbers"),
            "effort": (self.effort in defaults.EFFORTS, "'quick', 'balanced' or 'best'"),
            "row_model": (self.row_model in ROW_MODELS, "'auto', 'latent' or 'autoregressive'"),
            "keep": (
                self.keep == "auto" or (is_share(self.keep) and not isinstance(self.keep, bool)),
                "'auto' or a share from 0 to below 1",
            ),
            "trim": (
                self.trim in (None, AUTO) or (is_share(self.trim) and float(self.trim) <= 0.5),
                "None, 'auto' or a share from 0 to 0.5",
            ),
            "time": (self.time is None or isinstance(self.time, str), "None, 'auto' or the name of a column"),
            "entity": (self.entity is None or isinstance(self.entity, str), "None or the name of a column"),
            "window": (self.window == AUTO or is_whole(self.window, 2), "'auto' or a whole number from 2"),
            "stride": (self.stride == AUTO or is_whole(self.stride, 1), whole),
            "precision": (self.precision in ("auto", "float32", "bfloat16"), "'auto', 'float32' or 'bfloat16'"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ModelError(f"{name} is {getattr(self, name)!r}; it must be {wanted}")

    @property
    def time_asked(self) -> TimeAsked | None:
        """How rows become series; None for rows that are none.

        Raises:
            ModelError: another parameter of series is set without ``time``.
        """
        if self.time is not None:
            return TimeAsked(self.time, self.entity, self.window, self.stride)
        for name, default in (("entity", None), ("window", AUTO), ("stride", AUTO)):
            if getattr(self, name) != default:
                raise ModelError(f"{name} is for series: name their time, too, as in time='timestamp' (--time timestamp)")
        return None

    def chosen_recipe(self) -> Recipe:
        """The recipe, with the chosen likelihood."""
        name = "vae" if self.recipe == "auto" else self.recipe
        recipe = find_recipe(name) if isinstance(name, str) else name
        if self.likelihood == "auto":
            return recipe
        return replace(recipe, likelihood=choose(self.likelihood) if isinstance(self.likelihood, str) else self.likelihood)

    @property
    def row_model_asked(self) -> str:
        """The row model; a recipe chosen by name computes all results itself, unless a row model is chosen as well."""
        return "latent" if self.row_model == "auto" and self.recipe != "auto" else self.row_model

    def keep_asked(self, scored_apart: bool) -> float | str:
        """What share of the variance the code has to keep. Where a row model scores rows, the code serves nothing else."""
        if self.keep != "auto":
            return float(self.keep)
        return "pca" if scored_apart and self.recipe == "auto" else 0.0

    def plan(self, seed: int, workers: int = 1) -> Plan:
        """The training parameters."""
        own = {field.name: getattr(self, field.name) for field in fields(Plan) if field.name not in ("seed", "workers")}
        return Plan(seed=seed, workers=workers, **own)

    def identity(self, recipe: Recipe, seed: int) -> dict[str, Any]:
        """Parameters that change the result, by which a checkpoint is identified."""
        told = {"recipe": recipe.to_json(), "likelihood": None, "verbose": None, "unknown": None, "random_state": seed}
        return {**self._values(), **told, "row_model": self.row_model_asked}

    def to_json(self, estimator: str, seed: int) -> dict[str, Any]:
        """The parameters as stored in a file: plain values only."""
        return {
            **self._values(),
            "recipe": "auto" if self.recipe == self.likelihood == "auto" else None,
            "likelihood": None,
            "random_state": None,
            "seed": seed,
            "estimator": estimator,
            "kinds": None if self.kinds is None else dict(self.kinds),
            "missing": None if self.missing is None else list(map(str, self.missing)),
            "hidden": self.hidden if isinstance(self.hidden, str) else list(self.hidden),
        }

    def _values(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def text_columns(kinds: Mapping[str, str] | None) -> list[str]:
    """The columns that hold text according to their kinds, even if most of it looks like numbers."""
    return [name for name, kind in (kinds or {}).items() if kind in ("categorical", "identifier", "text")]


def is_whole(value: Any, least: int) -> bool:
    """Whether a value is a whole number, at least ``least``."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= least


def is_share(value: Any) -> bool:
    """Whether a value is a number from 0 to below 1."""
    return isinstance(value, Real) and 0 <= float(value) < 1


def _widths(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(is_whole(width, 1) for width in value)


def _positive(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf


def _marks(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(mark, (str, int, float)) for mark in value)
