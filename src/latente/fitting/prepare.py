"""Preparation of a fit: from the user's data and parameters to rows and a blueprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latente.blueprint import Blueprint, Continued, RowBlueprint, is_mixed_table, row_blueprint
from latente.data import (
    Census,
    Codec,
    ContextCodec,
    Data,
    Images,
    Pieces,
    Series,
    SeriesCodec,
    Table,
    TableCodec,
    encode,
    fit_codec,
    read_or_pieces,
    refuse_outside,
    split_context,
    suspicious,
    with_index,
)
from latente.errors import DataError, ModelError
from latente.fitted import Fitted
from latente.model.parts import choose
from latente.parameters import Parameters, text_columns
from latente.rows import SCALAR, Rows, layout_of, levels_of
from latente.training.dimension import latent_dimension
from latente.training.fit import MakesLearners
from latente.training.loop import Settings
from latente.training.plan import Plan, Work
from latente.training.split import Split, held_out_places
from latente.training.trimming import kept
from latente.words import Message

# Draws of the bound of measures with missing values: breast cancer with half of the values missing is imputed with a mean
# squared error of .284, with one draw of .306, and with 20 of .288 (``benchmarks.imputation``).
SAMPLES = 5
BATCH = 65_536


@dataclass(frozen=True)
class Prepared:
    """Rows, split and encoded, and the blueprint of their model.

    Attributes:
        codec: fitted to the rows.
        split: the encoded rows.
        blueprint: of the model; row_blueprint: of a separate row model, if there is one.
        plan: the training parameters of the user.
        context: codec of the context; None without a context.
        learned: which of the training rows are learned, bool [N].
        doubts: about values that look like marks of missing ones.
        init: a trained model, to continue with.
    """

    codec: Codec
    split: Split
    blueprint: Blueprint
    plan: Plan
    row_blueprint: RowBlueprint | None
    context: ContextCodec | None = None
    learned: Tensor | None = None
    doubts: Sequence[Message] = ()
    init: Fitted | None = None

    @classmethod
    def of(
        cls, data: Table | Images | Pieces, parameters: Parameters, seed: int, context: Any = None, workers: int = 1
    ) -> Prepared:
        """Encode and split the rows, and choose the sizes of the model.

        Raises:
            DataError: the rows can't be used for training. ModelError: they do not fit the parameters.
        """
        of_context = None
        if isinstance(data, Pieces):
            if parameters.time_asked is not None:
                raise DataError("time=… needs rows that fit into memory: select fewer rows, or fewer columns")
            if context is not None:
                raise DataError("context=… needs rows that fit into memory: select fewer rows, or fewer columns")
            of_rows, split, doubts = _in_pieces(data, parameters, seed)
            codec: Codec = of_rows
        else:
            doubts = suspicious(data) if isinstance(data, Table) else []
            codec, split, of_context, parameters = _in_memory(data, parameters, seed, context)
        blueprint = _blueprint(parameters, codec, split.train, seed)
        if of_context is not None and blueprint.recipe.has_labels:
            blueprint = replace(blueprint, labels=tuple(map(tuple, of_context.labels.tolist())))
        beside = row_blueprint(blueprint, parameters.row_model_asked)
        blueprint = replace(blueprint, keep=parameters.keep_asked(beside is not None))
        learned = kept(split.train, levels_of(codec.fields), parameters.trim or 0.0)
        return cls(codec, split, blueprint, parameters.plan(seed, workers), beside, of_context, learned, doubts)

    @classmethod
    def to_continue(
        cls, data: Table | Images | Pieces, parameters: Parameters, seed: int, init: Fitted, workers: int = 1
    ) -> Prepared:
        """Encode and split new rows for a trained model, whose units, levels and sizes stay.

        Raises:
            DataError: the rows do not have its columns. ModelError: it has a context.
        """
        if init.context is not None:
            raise ModelError("init=… is a model without context")
        fraction, codec = parameters.validation_fraction, init.codec
        if isinstance(data, Pieces):
            if not isinstance(codec, TableCodec):
                raise DataError("init=… is a model of pictures, and these are rows of a table")
            split = _stored(Census(data, {}, codec.text_names, parameters.missing or ()), codec, fraction, seed)
        else:
            split = Split.of(init.encode(codec.like_fitted(data), parameters.unknown), fraction, seed)
        few, model = split.train[:1], init.model
        masked = bool(model.encoder.arguments.get("masked", few.mask is not None))
        blueprint = Blueprint(init.recipe, codec.fields, len(split.train), init.latent_dim, None, masked)
        beside = None if init.row_model is model else row_blueprint(blueprint, "autoregressive")
        blueprint = replace(blueprint, keep=parameters.keep_asked(beside is not None))
        return cls(codec, split, blueprint, parameters.plan(seed, workers), beside, init=init)

    def learners(self, of: Blueprint | RowBlueprint) -> MakesLearners:
        """What makes learners: new ones, or those of trained models."""
        if self.init is None:
            return of
        return Continued(of, self.init.model if of is self.blueprint else self.init.row_model)

    @property
    def to_learn(self) -> Rows:
        """The training rows, without those that were left out as anomalies."""
        return self.split.train if self.learned is None or bool(self.learned.all()) else self.split.train[self.learned]

    def work(self, blueprint: Blueprint | RowBlueprint | None = None) -> Work:
        """The work for a model of these rows."""
        train, mixed, made = self.split.train, is_mixed_table(self.codec.fields), blueprint or self.blueprint
        return Work(len(train), mixed, made.multiply_adds(), train[:1].mask is not None, made.convolves)

    def settings(self, time_limit: float | None = None) -> Settings:
        """Settings of the training."""
        return self.plan.settings(self.work(), time_limit)

    @property
    def resolution(self) -> Tensor:
        """Smallest recorded step of each value of an encoded row, [F]."""
        return torch.cat([torch.full((max(1, field.size),), field.resolution) for field in self.codec.fields])


def read_to_fit(X: Any, parameters: Parameters, init: Fitted | None = None) -> Table | Images | Pieces:
    """Read rows to fit; for a trained model as it reads rows.

    Raises:
        ModelError: the trained model is one of series.
    """
    if init is not None and isinstance(init.codec, SeriesCodec):
        raise ModelError("init=… is a model of rows or of pictures, not of series")
    if init is not None and not isinstance(X, Pieces):
        read: Any = init.read(X)
        return read  # type: ignore[no-any-return]
    X = X if parameters.time is None else with_index(X, parameters.time)
    return read_or_pieces(X, texts=text_columns(parameters.kinds), missing=parameters.missing or ())


def _in_memory(
    data: Table | Images, parameters: Parameters, seed: int, context: Any
) -> tuple[Codec, Split, ContextCodec | None, Parameters]:
    """Rows in memory, encoded and split; the parameters are without kinds of the context."""
    of_context, time = None, parameters.time_asked
    if time is not None and context is not None:
        raise ModelError("a model of series can't be conditioned on a context: leave out context, or time")
    if context is not None:
        data, table, kinds = split_context(data, context, parameters.kinds or {})
        of_context = ContextCodec.fit(table, kinds)
        others = {name: kind for name, kind in (parameters.kinds or {}).items() if name not in kinds}
        parameters = replace(parameters, kinds=others)
    codec = _codec(data, parameters)
    fitting = codec.like_fitted(data) if isinstance(codec, SeriesCodec) else data
    rows = _encoded(codec, fitting, parameters)
    if of_context is not None:
        rows = replace(rows, context=of_context.encode(table))
    overlaps = fitting.overlaps if isinstance(fitting, Series) else None
    split = Split.of(rows, parameters.validation_fraction, seed, overlaps)
    if isinstance(codec, TableCodec) and parameters.chosen_recipe().support is None:
        codec = codec.scaled_by(split.train)
        split = Split.of(replace(codec.encode(data), context=rows.context), parameters.validation_fraction, seed)
    return codec, split, of_context, parameters


def _in_pieces(pieces: Pieces, parameters: Parameters, seed: int) -> tuple[TableCodec, Split, list[Message]]:
    """Rows that do not fit into memory, encoded on disc and split; and doubts about some of them."""
    kinds, recipe = parameters.kinds or {}, parameters.chosen_recipe()
    census = Census(pieces, kinds, text_columns(kinds), tuple(parameters.missing or ()))
    codec = census.codec(recipe.support is not None)
    split = _stored(census, codec, parameters.validation_fraction, seed)
    if recipe.support is None:
        codec = codec.scaled_by(split.train)
        split = _stored(census, codec, parameters.validation_fraction, seed)
    elif recipe.likelihood:
        for rows in split.train.batches(BATCH):
            refuse_outside(codec, rows, recipe.support, recipe.likelihood.name)
    return codec, split, suspicious(census.survey.table)


def _stored(census: Census, codec: TableCodec, fraction: float, seed: int) -> Split:
    """Encoded rows on disc, and held-out rows in memory: those that are held out of rows in memory."""
    learnt = census.observed(codec)
    held = held_out_places(int(learnt.sum()), fraction, seed).numpy()
    held = held if learnt.all() else np.flatnonzero(learnt)[held]  # all row numbers take 8 bytes a row
    learnt[held] = False
    return Split(*census.stored(codec, learnt, held))


def _codec(data: Table | Images, parameters: Parameters) -> Codec:
    """The codec of the training data, scaled as the likelihood requires."""
    as_recorded = parameters.chosen_recipe().support is not None
    return fit_codec(data, parameters.kinds, as_recorded, parameters.time_asked)


def _encoded(codec: Codec, data: Data, parameters: Parameters) -> Rows:
    """The encoded training rows."""
    recipe = parameters.chosen_recipe()
    rows = encode(codec, data)
    if recipe.support and recipe.likelihood:
        try:
            refuse_outside(codec, rows, recipe.support, recipe.likelihood.name)
        except DataError as error:
            raise ModelError(str(error)) from error
    return rows


def _blueprint(parameters: Parameters, codec: Codec, train: Rows, seed: int) -> Blueprint:
    recipe, asked, few = parameters.chosen_recipe(), parameters.latent_dim, train[:1]
    size = few.x.numel()
    if asked != "auto" and int(asked) > size:
        raise ModelError(f"latent_dim={asked} is above the number of fields that vary, {size}")
    d = latent_dimension(train, seed, levels_of(codec.fields)) if asked == "auto" else int(asked)
    hidden = None if isinstance(parameters.hidden, str) else tuple(int(width) for width in parameters.hidden)
    context_size = 0 if few.context is None else few.context.shape[1]
    table = layout_of(codec.fields) == SCALAR and not is_mixed_table(codec.fields)
    if parameters.recipe == "auto" and few.mask is not None and table:
        recipe = replace(recipe, objective=choose("importance-weighted", samples=SAMPLES))
    return Blueprint(recipe, codec.fields, len(train), d, hidden, few.mask is not None, context_size)
