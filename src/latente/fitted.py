"""What a fit leaves behind: the trained parts, and the way from the user's units to encoded rows and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latente.catalogue import Recipe
from latente.data import Codec, Images, Table, TableCodec, read, refuse_outside
from latente.errors import ModelError
from latente.model.latent_model import LatentModel
from latente.model.parts import Choice
from latente.model.priors import Prior
from latente.rows import Rows
from latente.seeding import seeded
from latente.training.calibration import Calibration
from latente.training.ex_post import fit_prior
from latente.training.split import Split
from latente.training.stages import Figures, Stages

MAX_CODED = 10_000  # rows whose codes a prior is fitted to


@dataclass(eq=False)
class Fitted:
    """Everything that a fit leaves behind.

    Attributes:
        recipe: what was asked for.
        codec: between the user's units and encoded rows.
        model, fitted_prior: the trained parts, and the density fitted to the codes.
        generator: what new rows are drawn from; ``model`` itself, where that is it.
        calibration: what held-out rows say of it.
        figures: what was measured, plain values only.
        history: a record for each epoch.
        settings: the estimator's parameters and the seed that was used, plain values only.
        notes: sentences on data and fit.
        at_hand: some of the rows of the fit; in memory only, and not copied.
        reading: how data is read, where not as in the fit; in memory only.
        offset: score below which a row is called unusual.
    """

    recipe: Recipe
    codec: Codec
    model: LatentModel
    generator: LatentModel
    fitted_prior: Prior
    calibration: Calibration
    figures: Figures
    history: list[dict[str, float]]
    settings: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    at_hand: Split | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.offset = self.calibration.offset

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle holds: not the rows of the fit."""
        return {**self.__dict__, "at_hand": None, "figures": Figures(self.figures)}

    @property
    def seed(self) -> int:
        """Of the fit."""
        return int(self.settings["seed"])

    @property
    def latent_dim(self) -> int:
        """Dimensions of the code."""
        return self.model.latent_dim

    @property
    def n_features_in(self) -> int:
        """Columns (of pictures, values) that came in."""
        return self.codec.n_features

    @property
    def feature_names_in(self) -> NDArray[Any]:
        """Their names, where they have any."""
        if not self.codec.named:
            raise AttributeError("the rows of the fit had no names of columns")
        return np.asarray(self.codec.feature_names, dtype=object)

    @property
    def columns(self) -> list[dict[str, str]]:
        """Name, kind and reason of each column that came in; of pictures, their one field."""
        codec = self.codec
        if isinstance(codec, TableCodec):
            columns = zip(codec.names, codec.kinds, codec.reasons, strict=True)
            return [{"name": name, "kind": kind, "reason": reason} for name, kind, reason in columns]
        return [{"name": field.name, "kind": field.kind, "reason": "rows of three dimensions"} for field in codec.fields]

    @property
    def unlearnt(self) -> Rows | None:
        """Rows at hand of a table that the model did not learn from."""
        return self.at_hand.held_out if self.at_hand is not None and isinstance(self.codec, TableCodec) else None

    @property
    def stages(self) -> Stages:
        """A stopwatch for what is done after the fit, which adds to ``figures["time"]``."""
        return Stages(seconds=self.figures.setdefault("time", {}))

    def support(self) -> NDArray[np.bool_]:
        """Which columns (of pictures, which pixels) the code consists of.

        Raises:
            ModelError: the recipe chooses none.
        """
        chosen = getattr(self.model.posterior, "chosen", None)
        if chosen is None:
            raise ModelError(f"{self.recipe.name!r} chooses no columns; the recipe 'concrete-autoencoder' does")
        support = np.zeros(self.codec.shape, bool).flatten()
        support[chosen.numpy()] = True
        if isinstance(self.codec, TableCodec):
            fields = [field.name for field, used in zip(self.codec.fields, support, strict=True) if used]
            return np.isin(self.codec.names, fields)
        return support

    def read(self, X: Any) -> Table | Images:
        """What comes in, of which only the columns that the model knows."""
        codec = self.codec
        how = {"missing": self.settings.get("missing") or (), **codec.reading_of_fit, **self.reading}
        names = codec.feature_names if codec.named else None
        return codec.like_fitted(read(X, names, codec.text_names, known=codec.known_notations, **how))

    def encode(self, data: Table | Images, unknown: str = "error") -> Rows:
        """Encoded rows of what was read; ``unknown`` as for :class:`latente.VAE`."""
        rows = self.codec.encode(data, unknown)
        likelihood: Any = self.model.likelihood
        if likelihood.support:
            refuse_outside(self.codec, rows, likelihood.support, likelihood.name)
        return rows

    def rows(self, X: Any, unknown: str = "error") -> Rows:
        """Encoded rows of what comes in."""
        return self.encode(self.read(X), unknown)

    def decode(self, x: Tensor, container: str | None = None, **how: Any) -> Any:
        """Encoded rows in the user's units."""
        return self.codec.decode(x.reshape(len(x), *self.codec.shape), container, **how)

    def in_units(self, encoded: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
        """Scores of encoded rows in the user's units."""
        return in_units(self.codec, self.generator, encoded, rows)

    def prior_of(self, train: Rows, prior: str | Choice = "auto") -> Prior:
        """A density fitted to the codes of rows that were learnt from."""
        return prior_of_codes(self.model, train, self.seed, prior)


def in_units(codec: Codec, generator: LatentModel, encoded: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    """Scores that a model gives encoded rows, in the user's units."""
    densities = generator.likelihood.densities(rows.x)  # type: ignore[operator]
    scores: NDArray[np.float64] = encoded + codec.log_jacobian(rows, densities).numpy()
    return scores


def prior_of_codes(model: LatentModel, train: Rows, seed: int, prior: str | Choice = "auto") -> Prior:
    """A density fitted to the codes of some rows; see :func:`latente.training.ex_post.fit_prior`."""
    with seeded(seed), torch.no_grad():
        some = train[torch.randperm(len(train))[:MAX_CODED]]
        return fit_prior(prior, model.encode(some).rsample(), model, seed % 2**32)
