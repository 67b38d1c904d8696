"""Preparation of a fit: from the user's data and parameters to rows and a blueprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latente.blueprint import Blueprint, Continued, RowBlueprint, is_mixed_table, row_blueprint
from latente.composition import Recipe
from latente.data import (
    CALENDAR,
    Album,
    Census,
    Codec,
    ContextCodec,
    Data,
    ImageCodec,
    Images,
    Pieces,
    Series,
    SeriesCodec,
    Table,
    TableCodec,
    cycles_of,
    encode,
    fit_codec,
    names_of_context,
    of_windows,
    read_or_pieces,
    refuse_outside,
    split_context,
    suspicious,
    with_index,
)
from latente.errors import DataError, ModelError
from latente.fitted import Fitted
from latente.fitting.sequences import SequencesToFit, to_fit
from latente.model.parts import choose
from latente.parameters import Parameters, text_columns
from latente.rows import SCALAR, SERIES, Rows, layout_of, levels_of
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
BATCH = 4_000_000  # values


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
        sequences: series to learn a model of sequences from, if there is one.
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
    sequences: SequencesToFit | None = None
    doubts: Sequence[Message] = ()
    init: Fitted | None = None

    @classmethod
    def of(
        cls,
        data: Table | Images | Pieces | Album,
        parameters: Parameters,
        seed: int,
        context: Any = None,
        workers: int = 1,
        sample_weight: Any = None,
    ) -> Prepared:
        """Encode and split the rows, and choose the sizes of the model.

        Raises:
            DataError: the rows can't be used for training. ModelError: they do not fit the parameters.
        """
        of_context = sequences = None
        if isinstance(data, (Pieces, Album)):
            _refuse_weights(sample_weight)
            if parameters.time_asked is not None:
                raise DataError("time=… needs rows that fit into memory: select fewer rows, or fewer columns")
            codec: Codec
            doubts: list[Message] = []
            if isinstance(data, Album):
                codec, split = _in_shards(data, parameters, seed, context)
            else:
                codec, split, of_context, parameters, doubts = _in_pieces(data, parameters, seed, context)
        else:
            doubts = suspicious(data) if isinstance(data, Table) else []
            weight = weights(sample_weight, data, parameters)
            codec, split, of_context, parameters = _in_memory(data, parameters, seed, context, weight)
            if isinstance(codec, SeriesCodec) and of_context is None:
                series, asked = codec.like_fitted(data), parameters.row_model_asked
                sequences = to_fit(codec, series, asked, parameters.validation_fraction, seed)
        blueprint = _blueprint(parameters, codec, split.train, seed)
        if of_context is not None and blueprint.recipe.has_labels:
            blueprint = replace(blueprint, labels=tuple(map(tuple, of_context.labels.tolist())))
        beside = None if isinstance(codec, SeriesCodec) else row_blueprint(blueprint, parameters.row_model_asked)
        blueprint = replace(blueprint, keep=parameters.keep_asked(beside is not None))
        learned = kept(split.train, levels_of(codec.fields), parameters.trim or 0.0)
        plan = parameters.plan(seed, workers)
        return cls(codec, split, blueprint, plan, beside, of_context, learned, sequences, doubts)

    @classmethod
    def to_continue(
        cls,
        data: Table | Images | Pieces | Album,
        parameters: Parameters,
        seed: int,
        init: Fitted,
        workers: int = 1,
        sample_weight: Any = None,
    ) -> Prepared:
        """Encode and split new rows for a trained model, whose units, levels and sizes stay.

        Raises:
            DataError: the rows do not have its columns. ModelError: it has a context.
        """
        if init.context is not None:
            raise ModelError("init=… is a model without context")
        fraction, codec = parameters.validation_fraction, init.codec
        if isinstance(data, (Pieces, Album)):
            if isinstance(codec, TableCodec) != isinstance(data, Pieces):
                raise DataError("init=… is a model of a table, and these are pictures, or the other way round")
            _refuse_weights(sample_weight)
            of = Census(data, {}, codec.text_names, parameters.missing or ()) if isinstance(data, Pieces) else data
            split = stored_split(of, codec, fraction, seed)
        else:
            rows = init.encode(codec.like_fitted(data), parameters.unknown)
            split = Split.of(replace(rows, weight=weights(sample_weight, data, parameters)), fraction, seed).weighted_alike()
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


def read_to_fit(X: Any, parameters: Parameters, init: Fitted | None = None) -> Table | Images | Pieces | Album:
    """Read rows to fit; for a trained model as it reads rows.

    Raises:
        ModelError: the trained model is one of series.
    """
    if init is not None and isinstance(init.codec, SeriesCodec):
        raise ModelError("init=… is a model of rows or of pictures, not of series")
    if init is not None and not isinstance(X, (Pieces, Album)):
        read: Any = init.read(X)
        return read  # type: ignore[no-any-return]
    X = X if parameters.time is None else with_index(X, parameters.time)
    return read_or_pieces(X, texts=text_columns(parameters.kinds), missing=parameters.missing or ())


def _in_memory(
    data: Table | Images, parameters: Parameters, seed: int, context: Any, weight: Tensor | None
) -> tuple[Codec, Split, ContextCodec | None, Parameters]:
    """Rows in memory, encoded and split; the parameters are without kinds of the context."""
    of_context, time = None, parameters.time_asked
    if time is not None and context is not None:
        return _series_in_context(data, parameters, seed, context)
    if context is not None:
        data, table, kinds = split_context(data, context, parameters.kinds or {})
        of_context = ContextCodec.fit(table, kinds)
        others = {name: kind for name, kind in (parameters.kinds or {}).items() if name not in kinds}
        parameters = replace(parameters, kinds=others)
    codec = _codec(data, parameters)
    fitting = codec.like_fitted(data) if isinstance(codec, SeriesCodec) else data
    rows = replace(_encoded(codec, fitting, parameters), weight=weight)
    if of_context is not None:
        rows = replace(rows, context=of_context.encode(table))
    overlaps = fitting.overlaps if isinstance(fitting, Series) else None
    split = Split.of(rows, parameters.validation_fraction, seed, overlaps)
    if isinstance(codec, TableCodec) and parameters.chosen_recipe().support is None:
        codec = codec.scaled_by(split.train)
        again = replace(codec.encode(data), context=rows.context, weight=weight)
        split = Split.of(again, parameters.validation_fraction, seed)
    return codec, split.weighted_alike(), of_context, parameters


def _series_in_context(
    data: Table | Images, parameters: Parameters, seed: int, context: Any
) -> tuple[Codec, Split, ContextCodec | None, Parameters]:
    """Series in memory whose windows have a context: columns that are constant in each series, and the calendar."""
    names = [context] if isinstance(context, str) else context
    if not (isinstance(data, Table) and data.named and isinstance(names, (list, tuple)) and names):
        raise DataError("context of series: name columns that are constant in each series, or 'calendar'")
    columns, kinds = [name for name in names if name != CALENDAR or name in data.names], parameters.kinds or {}
    rest, own = (data, {}) if not columns else split_context(data, columns, kinds)[::2]
    parameters = replace(parameters, kinds={name: kind for name, kind in kinds.items() if name not in own})
    codec = _codec(rest, parameters)
    assert isinstance(codec, SeriesCodec)
    series, cycles = codec.like_fitted(data), []
    if len(columns) < len(names):
        x, mask = codec.on_grid(codec.table.encode(series.table), series.grid)
        cycles = cycles_of(codec.clock, series, torch.where(mask, x, torch.nan).numpy())
    shown = [f"{CALENDAR}_{cycle}_{of}" for cycle in cycles for of in ("sin", "cos")]
    table = of_windows(series, codec.clock, [*columns, *shown])
    of_context = ContextCodec.fit(table, {**own, **dict.fromkeys(shown, "real")})
    rows = replace(_encoded(codec, series, parameters), context=of_context.encode(table))
    return codec, Split.of(rows, parameters.validation_fraction, seed, series.overlaps), of_context, parameters


def weights(sample_weight: Any, data: Table | Images, parameters: Parameters) -> Tensor | None:
    """Weights of rows, float32 [N]; None if they are all the same.

    Raises:
        DataError: they are not one number from 0 for each row.
    """
    if sample_weight is None:
        return None
    if parameters.time is not None:
        raise DataError("sample_weight is of rows, and those of a series are steps: leave it out, or leave out time=…")
    try:
        found = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"sample_weight holds something else than numbers: {error}") from error
    if found.shape != (len(data),):
        raise DataError(
            f"sample_weight has shape {list(found.shape)}, and there are {len(data):,} rows: it is one number for each"
        )
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(wrong):
        raise DataError(f"sample_weight is {found[wrong[0]]:g} in row {wrong[0]} (counted from 0): it must be a number from 0")
    return None if (found == found[:1]).all() and found.any() else torch.from_numpy(found).float()


def _refuse_weights(sample_weight: Any) -> None:
    if sample_weight is not None:
        raise DataError("sample_weight needs rows that fit into memory: select fewer rows, or fewer columns")


def _in_pieces(
    pieces: Pieces, parameters: Parameters, seed: int, context: Any
) -> tuple[TableCodec, Split, ContextCodec | None, Parameters, list[Message]]:
    """Rows that do not fit into memory, encoded on disc and split; and doubts about some of them. The parameters are without
    kinds of the context.
    """
    there, recipe = pieces.schema.names, parameters.chosen_recipe()
    of_context = [] if context is None else names_of_context(context, there)
    kinds = parameters.kinds or {}
    others = {name: kind for name, kind in kinds.items() if name not in of_context}
    census = _census(pieces, parameters, others, [name for name in there if name not in of_context])
    codec = census.codec(recipe.support is not None)
    if of_context:
        own = {name: kind for name, kind in kinds.items() if name in of_context}
        beside = _census(pieces, parameters, own, of_context)
        census.beside = beside, ContextCodec.of(beside.codec(False))
        parameters = replace(parameters, kinds=others)
    split = stored_split(census, codec, parameters.validation_fraction, seed)
    if recipe.support is None:
        codec = codec.scaled_by(split.train)
        split = stored_split(census, codec, parameters.validation_fraction, seed)
    _refuse_outside(codec, split.train, recipe)
    doubts = suspicious(census.survey.table)
    return codec, split, census.beside and census.beside[1], parameters, doubts


def _in_shards(album: Album, parameters: Parameters, seed: int, context: Any) -> tuple[ImageCodec, Split]:
    """Pictures that do not fit into memory, encoded on disc and split."""
    if context is not None:
        raise DataError("context=… needs pictures that fit into memory: pass fewer shards")
    codec = fit_codec(album, parameters.kinds)
    assert isinstance(codec, ImageCodec)
    split = stored_split(album, codec, parameters.validation_fraction, seed)
    _refuse_outside(codec, split.train, parameters.chosen_recipe())
    return codec, split


def _refuse_outside(codec: Codec, train: Rows, recipe: Recipe) -> None:
    """Refuse rows outside of the support of the likelihood."""
    if recipe.support is not None and recipe.likelihood:
        for rows in train.batches(max(1, BATCH // max(1, train[:1].x.numel()))):
            refuse_outside(codec, rows, recipe.support, recipe.likelihood.name)


def _census(pieces: Pieces, parameters: Parameters, kinds: Mapping[str, str], names: Sequence[str]) -> Census:
    """Some columns of rows in pieces."""
    return Census(pieces, kinds, text_columns(kinds), tuple(parameters.missing or ()), names)


def stored_split(census: Any, codec: Codec, fraction: float, seed: int) -> Split:
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
    if parameters.recipe == "auto" and context_size and layout_of(codec.fields) == SERIES:
        # A linear start puts the context into the code: hours and kinds of series then hardly change new windows.
        recipe = replace(recipe, prior=choose("conditional-normal"))
    return Blueprint(recipe, codec.fields, len(train), d, hidden, few.mask is not None, context_size)
