"""The result of a fit: the trained parts, and the conversion between the user's units and encoded rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.composition import Recipe
from latente.data import (
    LABELS,
    Album,
    Codec,
    ContextCodec,
    Data,
    Pieces,
    Series,
    SeriesCodec,
    Table,
    TableCodec,
    as_asked,
    calendar_names,
    encode,
    large_album,
    of_windows,
    pieces_of,
    read,
    read_context,
    refuse_outside,
    too_large,
    with_calendar,
    with_index,
)
from latente.errors import DataError, ModelError
from latente.model.latent_model import LatentModel
from latente.model.parts import Choice
from latente.model.priors import OwnPrior, Prior
from latente.model.row_models import RowModel
from latente.model.sequences import SequenceModel
from latente.rows import Rows, random_places
from latente.seeding import seeded
from latente.training.calibration import Calibration
from latente.training.ex_post import fit_prior
from latente.training.new_windows import NewWindows
from latente.training.residuals import Residuals
from latente.training.split import Split
from latente.training.stages import Figures, Stages
from latente.training.surroundings import Surroundings
from latente.training.usual import Usual

MAX_CODED = 10_000  # largest number of codes to fit a prior to


@dataclass(eq=False)
class Fitted:
    """The result of a fit.

    Attributes:
        recipe: the recipe.
        codec: converts between the user's units and encoded rows.
        model, fitted_prior: the trained parts, and the density fitted to the codes.
        row_model: the model that scores, generates and completes rows; may be ``model`` itself.
        calibration: usual scores of held-out rows.
        figures: measured figures, plain values only.
        history: a record for each epoch.
        settings: the estimator's parameters and the seed, plain values only.
        notes: remarks on data and fit.
        at_hand: some of the rows of the fit; in memory only, and not copied.
        reading: how to read data, if not as in the fit; in memory only.
        context: codec of the context; None without a context.
        surroundings: a summary of the training rows; None in files of earlier versions.
        usual: scores of training rows and of held-out ones by each detector.
        patches: of series, codes of training windows, [M, d]; None for other rows.
        sequences: of series, a model of whole series; None without one.
        new_windows: of series, noise and values of new windows; None where that was not looked at.
        residuals: what decoded codes leave of clean rows; None where that was not looked at.
        offset: score below which a row is unusual.
    """

    recipe: Recipe
    codec: Codec
    model: LatentModel
    row_model: RowModel
    fitted_prior: Prior
    calibration: Calibration
    figures: Figures
    history: list[dict[str, float]]
    settings: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    at_hand: Split | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    context: ContextCodec | None = None
    surroundings: Surroundings | None = None
    residuals: Residuals | None = None
    patches: Tensor | None = None
    sequences: SequenceModel | None = None
    new_windows: NewWindows | None = None
    usual: Usual = field(init=False)

    def __post_init__(self) -> None:
        self.offset = self.calibration.offset
        self.usual = Usual.of_log_prob(self.calibration.scores)

    def __getstate__(self) -> dict[str, Any]:
        """The state of a copy or a pickle: without the rows of the fit."""
        return {**self.__dict__, "at_hand": None, "figures": Figures(self.figures)}

    @property
    def seed(self) -> int:
        """The seed of the fit."""
        return int(self.settings["seed"])

    @property
    def budget(self) -> dict[str, float]:
        """``epsilon`` and ``delta`` of a private fit; empty otherwise."""
        spent = self.figures.get("differential_privacy", {})
        return {name: spent[name] for name in ("epsilon", "delta") if name in spent}

    @property
    def latent_dim(self) -> int:
        """Dimensions of the code."""
        return self.model.latent_dim

    @property
    def decoder(self) -> RowModel:
        """The model that decodes codes: the row model if it has an input for codes, otherwise the model itself."""
        return self.row_model if self.row_model.has_codes else self.model

    @property
    def n_features_in(self) -> int:
        """Number of columns (for pictures, of values) of the input."""
        return self.codec.n_features

    @property
    def feature_names_in(self) -> NDArray[Any]:
        """Names of the columns of the input, if they have names."""
        if not self.codec.named:
            raise AttributeError("the rows of the fit had no names of columns")
        return np.asarray(self.codec.feature_names, dtype=object)

    @property
    def columns(self) -> list[dict[str, str]]:
        """Name, kind and reason of each column of the input; for pictures, of their one field."""
        return [{"name": of["name"], "kind": of["kind"], "reason": of["because"]} for of in self.codec.described]

    @property
    def unlearnt(self) -> Rows | None:
        """Rows of a table in memory that the model was not trained on."""
        return self.at_hand.held_out if self.at_hand is not None and isinstance(self.codec, TableCodec) else None

    @property
    def stages(self) -> Stages:
        """A stopwatch for computations after the fit, which adds to ``figures["time"]``."""
        return Stages(seconds=self.figures.setdefault("time", {}))

    def support(self) -> NDArray[np.bool_]:
        """Which columns (for pictures, pixels) the code consists of.

        Raises:
            ModelError: the recipe selects none.
        """
        chosen = getattr(self.model.posterior, "chosen", None)
        if chosen is None:
            raise ModelError(f"{self.recipe.name!r} chooses no columns; the recipe 'concrete-autoencoder' does")
        support = np.zeros(self.codec.n_features, bool)
        support[self.codec.places[chosen.numpy()]] = True
        return support

    def read(self, X: Any, context: Any = None) -> Data:
        """Read the input, with only the columns of the model, and those of the context if that is not passed separately."""
        if isinstance(X, Series):
            return X
        codec = self.codec
        X = with_index(X, codec.time) if isinstance(codec, SeriesCodec) and codec.time else X
        of_context = self.context.codec if self.context is not None and codec.named and context is None else None
        how = {"missing": self.settings.get("missing") or (), **codec.reading_of_fit, **self.reading}
        names, texts, known = codec.feature_names if codec.named else None, codec.text_names, codec.known_notations
        if of_context is not None:
            made = calendar_names(of_context.names) if isinstance(codec, SeriesCodec) else []
            own = [name for name in of_context.names if name not in made]
            names, texts = (*codec.feature_names, *own), (*texts, *of_context.text_names)
            known = {**known, **of_context.known_notations}
        try:
            return codec.like_fitted(read(X, names, texts, known=known, **how))
        except DataError as error:
            lost = [repr(name) for name in (of_context.names if of_context else ()) if repr(name) in str(error)]
            if not lost:
                raise
            raise DataError(f"{error}; {lost[0]} is context, which may be given as context={{{lost[0]}: …}}, too") from error

    def album(self, X: Any) -> Album | None:
        """An input in shards of pictures that do not fit into memory."""
        if isinstance(X, Album):
            return X
        return None if isinstance(self.codec, (TableCodec, SeriesCodec)) else large_album(X)

    def pieces(self, X: Any, also_small: bool = False, **more: Any) -> Pieces | None:
        """An input in pieces, if it is a table in Parquet files or in text that does not fit into memory.

        Args:
            X: the input. also_small: whether Parquet files that fit are in pieces, too.
            more: how to read, if not as in the fit.
        """
        codec, how = self.codec, {**self.codec.reading_of_fit, **self.reading, **more}
        if isinstance(X, Pieces) or not isinstance(codec, TableCodec) or not isinstance(X, (str, os.PathLike)):
            return X if isinstance(X, Pieces) else None
        found = pieces_of(X) if also_small else None
        return found or too_large(X, codec.text_names, known=codec.known_notations, **how)

    def encode(self, data: Data, unknown: str = "error") -> Rows:
        """Encode data; ``unknown`` as in :class:`latente.VAE`."""
        rows = encode(self.codec, data, unknown)
        likelihood: Any = self.model.likelihood
        if likelihood.support:
            refuse_outside(self.codec, rows, likelihood.support, likelihood.name)
        return rows

    def values(self, X: Any, unknown: str = "error") -> Rows:
        """Encoded rows of an input, without context."""
        return self.encode(self.read(X), unknown)

    def rows(self, X: Any, unknown: str = "error", context: Any = None) -> Rows:
        """Encoded rows of an input, with their context."""
        return self.read_rows(X, unknown, context)[1]

    def read_rows(self, X: Any, unknown: str = "error", context: Any = None) -> tuple[Data, Rows]:
        """An input, and its encoded rows with their context."""
        data = self.read(X, context)
        rows = self.encode(data, unknown)
        return data, replace(rows, context=self.context_of(data, context, len(rows), unknown))

    def context_of(self, data: Data | None, context: Any, n: int, unknown: str = "error") -> Tensor | None:
        """The context of n rows, [n, C]: from ``context``, or from the columns of the rows; None for a model without context.

        Raises:
            DataError: it is missing, or has another number of rows. ModelError: the model has none.
        """
        if self.context is None:
            if context is not None:
                raise ModelError("the model was fitted without context: leave context=… out, or fit with fit(X, context=…)")
            return None
        codec = self.context.codec
        if isinstance(data, Series) and context is None:
            assert isinstance(self.codec, SeriesCodec)
            return self.context.encode(of_windows(data, self.codec.clock, codec.names), unknown)
        context = with_calendar(context, calendar_names(codec.names))
        if context is not None:
            data = read_context(context, texts=codec.text_names, missing=self.settings.get("missing") or ())
            if data.names == (LABELS,) and len(codec.names) == 1:
                data = replace(data, names=codec.names)
        if not isinstance(data, Table) or (codec.named and not data.named):
            data = None
        found = self.context.encode(data and codec.like_fitted(data), unknown)
        if len(found) not in (1, n):
            raise DataError(f"context has {len(found):,} rows, but there are {n:,} rows: pass one, or one for each row")
        return found.expand(n, -1)

    @property
    def chosen_context(self) -> str:
        """The expression for a model in one context."""
        assert self.context is not None
        names = as_asked(self.context.names) if isinstance(self.codec, SeriesCodec) else self.context.names
        python = ", ".join(f"{name!r}: …" for name in names)
        return f"vae.in_context({{{python}}}) ({' '.join(f'--context {name}=…' for name in names)})"

    def refuse_all_contexts(self, what: str) -> None:
        """Raise DataError if the model has several contexts; ``what`` describes one."""
        if self.context is not None:
            raise DataError(f"{what} describes one context: use {self.chosen_context}")

    def rows_in(self, X: Any, context: Any) -> Data:
        """Of rows with their context those that are in one context.

        Raises:
            DataError: there are none.
        """
        data = self.read(X)
        every, one = self.context_of(data, None, len(data)), self.context_of(None, context, 1)
        assert every is not None
        assert one is not None
        found = np.flatnonzero((every == one).all(1))
        if not len(found):
            raise DataError(f"no row is in the context {context}")
        return data.take(found)

    @property
    def codes_of_all_contexts(self) -> bool:
        """Whether new codes could be drawn only from a density of the codes of all contexts together."""
        by_itself = self.context is None and self.at_hand is not None
        return self.model.context is not None and not self.model.has_prior and not by_itself

    def in_context(self, context: Any, at_hand: Split | None = None) -> Fitted:
        """The result of the fit in one context: the same weights, and those of the rows ``at_hand`` that have this context."""
        c = self.context_of(None, context, 1)
        if c is None:
            raise ModelError("the model was fitted without context")
        model = self.model.at(c)
        prior = OwnPrior().bind(model) if isinstance(self.fitted_prior, OwnPrior) else self.fitted_prior
        hand = at_hand and at_hand.where(c)
        if hand and not model.has_prior:
            prior = prior_of_codes(model, hand.train, self.seed)
        found = replace(self, model=model, row_model=model, fitted_prior=prior, at_hand=hand, context=None)
        found.usual = self.usual
        return found

    def decode(self, x: Tensor, container: str | None = None, *, of: Data | None = None, **how: Any) -> Any:
        """Encoded rows in the user's units; windows of an input, ``of``, as its rows."""
        how["steps" if isinstance(of, Series) else "of"] = of
        return self.codec.decode(x.reshape(len(x), *self.codec.shape), container, **how)

    def in_units(self, encoded: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
        """Scores of encoded rows in the user's units."""
        return in_units(self.codec, self.row_model, encoded, rows)

    def prior_of(self, train: Rows, prior: str | Choice = "auto") -> Prior:
        """A density fitted to the codes of training rows."""
        return prior_of_codes(self.model, train, self.seed, prior)


def in_units(codec: Codec, model: RowModel, encoded: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    """Scores of encoded rows, in the user's units."""
    densities = model.likelihood.densities(rows.x)
    scores: NDArray[np.float64] = encoded + codec.log_jacobian(rows, densities).numpy()
    return scores


def prior_of_codes(model: LatentModel, train: Rows, seed: int, prior: str | Choice = "auto") -> Prior:
    """A density fitted to the codes of some rows; see :func:`latente.training.ex_post.fit_prior`."""
    with seeded(seed), torch.no_grad():
        if prior == "auto" and model.context is not None and model.has_prior:  # contexts differ in their codes
            return OwnPrior().bind(model)
        some = train[random_places(len(train), MAX_CODED)]
        return fit_prior(prior, model.encode(some).rsample(), model, seed % 2**32)
