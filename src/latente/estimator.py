"""``VAE`` and ``Autoencoder``: the scikit-learn estimators. Thin: each method is a few calls into the rooms below."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, Generic, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from latente import storage
from latente.catalogue import Recipe
from latente.certificate import Certificate, certify
from latente.data import Codec, Images, Table, frame, like
from latente.errors import DataError, LatenteError, ModelError, StorageError, renamed, warn
from latente.files import Count, checked
from latente.fitted import Fitted
from latente.fitting.finish import complete
from latente.fitting.learn import Checkpointing, Observer, learn
from latente.fitting.rows_of_fit import learnt_and_others, rows_of_fit
from latente.model.latent_model import LatentModel
from latente.model.parts import Choice, Part, checked_arguments
from latente.model.priors import Prior
from latente.model.row_models import RowModel
from latente.parameters import Parameters, is_whole
from latente.rows import Rows
from latente.seeding import seed_of
from latente.tasks import completions, imputation, interpolation, reconstruct, scores
from latente.tasks.anomalies import IMPORTANCE_SAMPLES
from latente.tasks.new_rows import Request, new_rows
from latente.training.calibration import Calibration
from latente.training.stages import Figures
from latente.words import Message

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., None])

STORES_CODES = Message("fit.stores_codes")


class _Left(Generic[T]):
    """An attribute that a fit leaves: the one of this name in ``fitted_``; before a fit it is not there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, estimator: Any, owner: type) -> T:
        if estimator is None:
            raise AttributeError(f"{owner.__name__} has {self.name!r} once it is fitted")
        left: T = getattr(estimator.fitted_, self.name)
        return left

    def __set__(self, estimator: Any, value: T) -> None:
        setattr(estimator.fitted_, self.name, value)


class VAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """A variational autoencoder of a table or a stack of pictures.

    Whatever says ``"auto"`` is chosen from the data. ``X`` may be an ndarray or tensor ``[N, F]``, pictures ``[N, H, W]``,
    ``[N, H, W, C]`` or ``[N, C, H, W]``, a pandas, polars or pyarrow frame, a path (.csv, .tsv, .parquet, .npy, .npz, a
    folder of pictures) or a SQL text for DuckDB. NaN means "not seen". What comes in as a frame goes out as a frame. A column
    of text is one of levels; what names rows (a running number, texts that hardly repeat) is left out of the model, and so is
    a time stamp that runs on with the rows. A column that holds one value or nothing is a flag, whose absence is a value and is
    not filled in.

    Args:
        recipe: name of a published model (see :func:`latente.recipes`) or a :class:`latente.Recipe`, which then answers
            everything itself. "auto" is "vae", for a mixed table with a row model beside it.
        latent_dim: dimensions of the code; "auto" estimates them from the data and drops what stays unused.
        hidden: widths of the encoder's layers, mirrored in the decoder.
        likelihood: "normal", "student-t", "bernoulli", "continuous-bernoulli", or a part with arguments
            (``latente.choose("normal", sigma=1.0)``). "bernoulli" and "continuous-bernoulli" describe values from 0 to 1 and
            take numbers as they are; a table of 8-bit whole numbers (uint8) that go beyond 1 is divided by 255, as pictures
            are. Other values are an error. For all other likelihoods numbers are standardised.
        max_epochs, batch_size, learning_rate: of the training.
        time_limit: seconds for the whole of :meth:`fit`, including what it does before and after the training.
        early_stopping: stop where held-out rows get no better; the best weights are kept either way.
        validation_fraction: share of the rows that is held out, for judging and for calibrating anomaly scores; 0 holds out
        none.
        device: "cuda", "mps" or "cpu". precision: "float32" or "bfloat16" (of the networks; densities never are).
        random_state: a seed; the same seed on the same machine gives the same result.
        verbose: 1 shows a progress bar.
        kinds: what columns of a table are, by name, where their looks deceive, such as ``{"zip": "categorical"}``. There are
            real, positive, bounded (shares from 0 to 1), count, integer, ordinal, binary, categorical, and calendar, time and
            duration, of columns that were read as such; flag (one value, whose absence is a value, too) and constant (one
            value, which is filled in where it is missing); and identifier, text and timestamp (a time that runs on with the
            rows), which are left out.
        unknown: what a level is that no row of the fit had: "error", or "missing" for "not seen", with a warning that names it.
        missing: further marks of missing values, such as ``[-999]``. What people write for "missing" among numbers (empty, NA,
            n.d., #N/A, -, ?) is read as such in files.
        effort: "balanced" compares short trials and two starts where fewer than 16,384 rows of numbers without missing values
            are trained and neither ``max_epochs`` nor ``time_limit`` is given; it trains once otherwise. The second start ends
            as soon as it can no longer win. "quick" trains once, in a quarter to half of the time. "best" adds longer runs from
            1,000 rows on: it takes up to 12 times as long, and gains most where a few nonlinear degrees of freedom make all
            columns (``benchmarks.wall``). With convolutions the first two take a seventh of the steps that "best" takes, from
            one start.
        row_model: what scores, samples and completes rows: "latent" is the model itself, "autoregressive" a separate model of
            the columns, each given those before it (mixed tables only). "auto" is "autoregressive" for a mixed table with
            ``recipe="auto"`` and ``likelihood="auto"``, and "latent" otherwise.

    Attributes:
        latent_dim_: dimensions of the code. history_: a record for each epoch, nats per row. figures_: what was measured;
            its "time" has the seconds of each stage of the fit, and its "privacy" is measured when it is first asked for.
        model_, fitted_prior_, codec_, recipe_: the fitted parts. row_model_: what scores, draws and completes rows:
            ``model_`` itself, or a separate row model (see ``row_model``). notes_: sentences on data and fit.
        given_: after ``sample(given=…)``, how probable that is by the model, and the effective sample size behind the rows.
        fields_: what each column was taken for, and why. offset_: score below which :meth:`predict` says -1.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 2)) @ np.array([[1, 2, 0.5], [0, 1, -1]])
    >>> vae = VAE(max_epochs=5, random_state=0).fit(rows)
    >>> vae.reconstruct(rows).shape
    (200, 3)
    """

    fitted_: Fitted
    recipe_ = _Left[Recipe]("recipe")
    codec_ = _Left[Codec]("codec")
    model_ = _Left[LatentModel]("model")
    row_model_ = _Left[RowModel]("row_model")
    fitted_prior_ = _Left[Prior]("fitted_prior")
    calibration_ = _Left[Calibration]("calibration")
    figures_ = _Left[Figures]("figures")
    history_ = _Left[list[dict[str, float]]]("history")
    notes_ = _Left[list[str]]("notes")
    fields_ = _Left[list[dict[str, str]]]("columns")
    seed_ = _Left[int]("seed")
    offset_ = _Left[float]("offset")
    latent_dim_ = _Left[int]("latent_dim")
    n_features_in_ = _Left[int]("n_features_in")
    feature_names_in_ = _Left[NDArray[Any]]("feature_names_in")
    _n_features_out = _Left[int]("latent_dim")

    def __init__(
        self,
        recipe: str | Recipe = "auto",
        latent_dim: int | str = "auto",
        hidden: tuple[int, ...] | str = "auto",
        likelihood: str | Choice = "auto",
        max_epochs: int | str = "auto",
        time_limit: float | None = None,
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        kinds: Mapping[str, str] | None = None,
        unknown: str = "error",
        missing: Sequence[Any] | None = None,
        effort: str = "balanced",
        row_model: str = "auto",
    ) -> None:
        self.recipe = recipe
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.likelihood = likelihood
        self.max_epochs = max_epochs
        self.time_limit = time_limit
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.kinds = kinds
        self.unknown = unknown
        self.missing = missing
        self.effort = effort
        self.row_model = row_model

    # -- fitting ----------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        context: Any = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        checkpoint_every: float = 5.0,
        keep_checkpoint: bool = False,
        observer: Observer | None = None,
    ) -> Self:
        """Learn from rows; ``y`` is ignored. What is soon found wrong is a warning, in the words of the certificate's verdicts:
        "collapsed", "no structure found", "overfits".

        Args:
            X: the rows.
            y: not used.
            context: what the model is conditioned on, numbers, levels or dates: names of columns of X, which then describe
                rows and are no longer modelled, or data of its own with a row for each row of X (labels, an array, a frame).
                The model is p(x|context). Other methods take the context from the rows, where these have its columns, or as
                their own ``context=``: one for all rows (``{"label": "a"}``), or one for each. A value may be missing where
                values of its column were in the fit. A mixed table has no row model of its own then.
            checkpoint: a folder in which to keep what a run needs to go on after a kill.
            keep_checkpoint: leave it there when the fit ends; otherwise it is removed.
            checkpoint_every: seconds between two writes there.
            resume: go on from what is there; the result is that of a run which was never interrupted, to the bit.
            observer: called after each epoch with the :class:`latente.training.loop.Training`.

        Raises:
            DataError, ModelError, TrainingError: what is wrong, where, and what to do.
        """
        settings = self._settings(seed_of(self.random_state))
        checkpointing = Checkpointing(checkpoint, resume, checkpoint_every, keep_checkpoint)
        learnt = learn(X, Parameters.of(self), settings, checkpointing, observer, context)
        self.fitted_ = learnt.fitted
        for warning in learnt.warnings:
            warn(warning)
        learnt.clean_up()
        return self

    def complete(self) -> Self:
        """Compute now what is otherwise computed when it is first asked for: the calibration of intervals, and the figures of
        privacy. :meth:`save` does so, for the rows of the fit are not stored with the model.
        """
        complete(self._fitted)
        return self

    def get_support(self, indices: bool = False) -> NDArray[Any]:
        """Which columns (of pictures, which pixels) the code consists of, bool [n_features_in_], or their places.

        Raises:
            ModelError: the recipe chooses none; "concrete-autoencoder" does.
        """
        support = self._fitted.support()
        return np.flatnonzero(support) if indices else support

    # -- codes and rows ---------------------------------------------------------------------------------------------

    def in_context(self, context: Any) -> Self:
        """The model of rows in one context (``{"label": "a"}``), with the same weights: it takes rows without context, and its
        certificate and explorer are of that context. It can't be saved by itself.

        Raises:
            ModelError: the model was fitted without context. DataError: that is no context of it.
        """
        estimator = copy.copy(self)
        estimator.fitted_ = self._fitted.in_context(context)
        return estimator

    def transform(self, X: Any, *, context: Any = None) -> NDArray[np.float32]:
        """The code of each row: posterior means [N, d]; never a random draw."""
        return self._fitted.model.codes(self._rows(X, context)).numpy()

    def inverse_transform(self, Z: Any, *, context: Any = None) -> Any:
        """Rows decoded from codes [N, d], in the columns and units of the training data."""
        fitted = self._fitted
        z = torch.as_tensor(np.asarray(Z), dtype=torch.float32)
        if z.ndim != 2 or z.shape[1] != fitted.latent_dim:
            raise DataError(f"codes have shape [N, {fitted.latent_dim}]; these have {list(z.shape)}")
        return fitted.decode(reconstruct.decode(fitted.model, z, fitted.context_of(None, context, len(z))))

    def reconstruct(self, X: Any, *, context: Any = None) -> Any:
        """Each row through the bottleneck and back, in the container that came in. What was not seen is filled in."""
        return self._mapped(X, lambda rows: reconstruct.reconstruct(self.model_, rows), context)

    def denoise(self, X: Any, *, context: Any = None) -> Any:
        """The clean row behind each noisy one: the mean of p(x|z) over the codes that explain the row."""
        return self._mapped(X, lambda rows: reconstruct.denoise(self.model_, rows, self.seed_), context)

    def impute(
        self,
        X: Any,
        *,
        draws: int | None = None,
        intervals: float | None = None,
        random_state: Any = None,
        context: Any = None,
    ) -> Any:
        """Rows with what was not seen filled in, in the container that came in; what was seen stays as it is.

        Args:
            X: the rows.
            draws: None fills in what is expected given the rest of the row (of a column of text, its most likely value). A
                number gives a list of so many completions, each drawn from what is plausible given the rest: use these
                where the spread matters, as in multiple imputation.
            intervals: a share, such as .9: gives two tables, of the lower and of the upper ends of the narrowest intervals that
                hold this share of the plausible values; what was seen is in both. Where the fit saw holes, and enough rows were
                held out, they are made wider or narrower until they hold this share of numbers that were hidden there, over all
                columns. Where nearly all is one value (0 of a gain), both ends are that value, though the mean is not. Of texts
                they are ends in alphabetical order, or in that of an ordered category.
            random_state: a seed of the draws; by default that of the fit.
            context: as in :meth:`fit`.

        The model takes holes to be there at random given what was seen; where a value is missing because of what it is, so
        that the other columns do not tell, no answer here is right.
        """
        completions.check_impute(draws, intervals)
        fitted, seed = self._fitted, self._seed(random_state)
        data, rows = fitted.read_rows(X, self.unknown, context)
        if draws is None and intervals is None:
            return self._completed(X, data, imputation.expected(fitted.row_model, rows, fitted.seed), possible=False)
        found = completions.completions(fitted, rows, draws, intervals, seed)
        return [self._completed(X, data, x, possible=True) for x in found]

    def _completed(self, X: Any, data: Table | Images, x: Tensor, possible: bool) -> Any:
        return like(X, self._fitted.decode(x, data.container, seen=data, possible=possible))

    @renamed(law="prior")
    def sample(
        self,
        n: int = 1,
        *,
        given: Mapping[str, Any] | None = None,
        context: Any = None,
        holes: bool = False,
        identifiers: bool = False,
        prior: str = "auto",
        noise: bool | None = None,
        random_state: Any = None,
    ) -> Any:
        """New rows.

        Args:
            n: how many.
            given: what the rows of a table are to hold: for some columns a value, a list of values, or a tuple
                ``(lowest, highest)`` of numbers, dates or ordered categories (either may be None), or a list of such tuples,
                as in ``{"sex": "Female", "age": (30, 40)}``. Of dates a year or a month is all of it. ``given_`` then holds
                how probable that is by the model, and the effective sample size of the draws behind the rows. Values that by
                the model do not go together are an error; those that hardly do, a warning.
            context: of a model that was fitted with one, what the rows are conditioned on: a mapping (``{"label": "a"}``) or a
                frame, for all rows or one for each. It must be given: the contexts of the fit are not stored. Codes are then
                drawn from the model's own prior given the context, unless ``prior`` says otherwise: the fitted one is of all
                contexts together. With ``given``, one context is for all rows.
            holes: leave values out as often, and in such rows, as in the training data; otherwise rows are whole.
            identifiers: give each row a name that nobody had in the columns that name rows, where these have a shape: a running
                number goes on, so does the number in a text ("A-0017"), UUIDs and hexadecimal digits are drawn. Otherwise such
                columns are empty, as those of free text always are.
            prior: "fitted" draws codes from ``fitted_prior_``, "prior" from the model's own prior. "auto" is
                "fitted", unless a separate row model draws rows (``row_model_``).
            noise: draw each field from its distribution (rows of a table: the default) or take its mean (pictures).
            random_state: a seed; by default that of the fit.

        What new rows give away of those that were learnt from: ``figures_["privacy"]``.
        """
        fitted = self._fitted
        request = Request(n, given, holes, identifiers, prior, noise, context)
        self.given_: dict[str, float] = {}
        rows, self.given_ = new_rows(fitted, request, self._seed(random_state))
        return rows

    def interpolate(self, a: Any, b: Any, steps: int = 9, *, context: Any = None) -> Any:
        """Rows on the way from one row to another, both ends included; ``a`` and ``b`` are one row each."""
        if not is_whole(steps, 2):
            raise ModelError(f"steps is a whole number from 2, not {steps!r}")
        fitted = self._fitted
        return fitted.decode(interpolation.interpolate(fitted.model, self._one(a, context), self._one(b, context), steps))

    # -- scores -----------------------------------------------------------------------------------------------------

    def score_samples(
        self, X: Any, *, importance_samples: int = IMPORTANCE_SAMPLES, context: Any = None
    ) -> NDArray[np.float64]:
        """Importance-weighted lower bound of log p(x) with K = 100 draws, nats per row, in the user's units, [N]; of a mixed
        table log p(x) itself, given which of its values were seen.

        NaN fields are marginalised out; a row without any observed value has the score NaN. The density is per unit of every
        observed column (a change of unit adds a constant). For an
        autoencoder it is log p(x|z), which is not a bound.
        """
        if not is_whole(importance_samples, 1):
            raise ModelError(f"importance_samples is a whole number from 1, not {importance_samples!r}")
        return scores.scores(self._fitted, self._rows(X, context), importance_samples)

    def score_parts(self, X: Any, *, importance_samples: int = IMPORTANCE_SAMPLES, context: Any = None) -> Any:
        """What each column has of a row's score: a frame of nats whose columns add up to :meth:`score_samples`.

        Of a mixed table a part is log p(column | columns before it), in the order of the columns; a column that was not seen
        has 0, and columns that are left out of the model are not there. Where the score is that of a code, each part is a mean
        over the codes that explain the row, and the last column, ``"(code)"``, is what the code takes (the rate, negative).
        """
        fitted = self._fitted
        data, rows = fitted.read_rows(X, self.unknown, context)
        parts = scores.parts(fitted, rows, importance_samples)
        return like(X, frame(parts, data.container))

    def score(self, X: Any, y: Any = None, *, context: Any = None) -> float:
        """Mean of :meth:`score_samples` over the rows that have a score; higher is better."""
        return float(np.nanmean(self.score_samples(X, context=context)))

    def decision_function(self, X: Any, *, context: Any = None) -> NDArray[np.float64]:
        """:meth:`score_samples` minus ``offset_``: higher is more usual, negative where :meth:`predict` says -1."""
        return self.score_samples(X, context=context) - self._fitted.offset

    def predict(self, X: Any, *, context: Any = None) -> NDArray[np.int64]:
        """+1 for rows that fit, -1 for those that do not: about 5% of rows like the held-out ones are called -1.

        The threshold is a conformal p-value of 0.05 among the held-out rows. With fewer than 19 held-out rows the share is
        1 / (their number + 1), the least that can be told. A row without any observed value is +1: nothing speaks against it.
        """
        return np.where(scores.unusual(self.decision_function(X, context=context), self.offset_), -1, 1)

    def anomalies(self, X: Any, *, context: Any = None) -> Any:
        """How unusual each row is: a frame, with a row for each.

        Returns:
            ``score``: log p(x) as :meth:`score_samples` has it, in nats; **lower** is stranger. ``anomaly``: ``offset_`` minus
            the score, in nats; **higher** is stranger, and above 0 is what :meth:`predict` calls -1. ``p_value``: the conformal
            p-value among held-out rows; lower is stranger. ``fields`` (of tables): the columns that say most against the row.
            A row without any observed value has no score: NaN (null in frames of polars and pyarrow), and no fields.
        """
        fitted = self._fitted
        data, rows = fitted.read_rows(X, self.unknown, context)
        return like(X, frame(scores.anomalies(fitted, rows), data.container))

    # -- the certificate --------------------------------------------------------------------------------------------

    def certificate(self, held_out: Any = None, *, train: Any = None) -> Certificate:
        """Measure the latent space: is it continuous and complete, what does the code keep, does the model repeat its rows?

        Directly after :meth:`fit` no argument is needed: of its rows, at most 10,000 of each kind are still in memory. They are
        never stored, so a model that was loaded or copied asks for ``train``.

        Args:
            held_out: rows that the model did not learn from; by default those that ``fit`` held out.
            train: what it was fitted on. Without ``held_out`` it must be all of it, and is divided as ``fit`` did.

        Raises:
            DataError: rows are missing, ``train`` is not what the model was fitted on, or the model learnt from rows that are
                called held-out ones.
        """
        fitted = self._fitted
        if fitted.context is not None:
            raise DataError(f"a certificate is of one context: certify {fitted.chosen_context}")
        learnt, others = learnt_and_others(fitted, train, held_out, self.unknown)
        name, row_model = fitted.recipe.name, fitted.row_model
        return certify(fitted.model, fitted.fitted_prior, fitted.codec.fields, learnt, others, fitted.seed, name, row_model)

    def refit_prior(self, prior: str | Choice = "auto", *, train: Any = None) -> Self:
        """Fit another density to the codes of the training rows: ``sample`` and the certificate's C of the fitted prior use it.
        The model stays as it is.

        Args:
            prior: "gaussian", "mixture", "flow", "nearest", "prior" (the model's own), "auto" for the one with the best
                evidence, or a part with arguments (``latente.choose("mixture", components=5)``).
            train: what the model was fitted on; not needed directly after :meth:`fit`.

        Raises:
            DataError: rows are missing, or ``train`` is not what the model was fitted on.
            ModelError: there is no such prior.
        """
        fitted = self._fitted
        fitted.fitted_prior = fitted.prior_of(rows_of_fit(fitted, train, self.unknown).train, prior)
        fitted.notes = [note for note in fitted.notes if note != STORES_CODES]
        if fitted.fitted_prior.stores_codes:
            fitted.notes.append(STORES_CODES)
            warn(STORES_CODES)
        return self

    def refit_law(self, law: str | Choice = "auto", *, train: Any = None) -> Self:
        """The old name of :meth:`refit_prior`."""
        warnings.warn("refit_law is now refit_prior", FutureWarning, stacklevel=2)
        return self.refit_prior(law, train=train)

    @property
    def generator_(self) -> RowModel:
        """The old name of ``row_model_``."""
        warnings.warn("generator_ is now row_model_", FutureWarning, stacklevel=2)
        return self.row_model_

    @property
    def law_(self) -> Prior:
        """The old name of ``fitted_prior_``."""
        warnings.warn("law_ is now fitted_prior_", FutureWarning, stacklevel=2)
        return self.fitted_prior_

    # -- storage ----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write one .safetensors file that can run no code; whole or not at all."""
        self.complete().fitted_.settings = self._settings(self.seed_)
        return storage.save(self.fitted_, path)

    def __getstate__(self) -> Any:
        """What a copy or a pickle holds: not the rows of the fit, but all that they are needed for."""
        state: dict[str, Any] = super().__getstate__()
        return {**state, "fitted_": copy.copy(self.complete().fitted_)} if hasattr(self, "fitted_") else state

    # -- the way in and out -----------------------------------------------------------------------------------------

    @property
    def _fitted(self) -> Fitted:
        """What the fit left.

        Raises:
            NotFittedError: there was none.
        """
        check_is_fitted(self, "fitted_")
        return self.fitted_

    def _settings(self, seed: int) -> dict[str, Any]:
        """What a file stores of the estimator."""
        return Parameters.of(self).to_json("Autoencoder" if isinstance(self, Autoencoder) else "VAE", seed)

    def _seed(self, random_state: Any) -> int:
        """The seed of draws; by default that of the fit."""
        return self.seed_ if random_state is None else seed_of(random_state)

    def _rows(self, X: Any, context: Any = None) -> Rows:
        return self._fitted.rows(X, self.unknown, context)

    def _one(self, X: Any, context: Any = None) -> Rows:
        rows = self._rows(_as_rows(X, self.codec_.row_ndim), context)
        if len(rows) != 1:
            raise DataError(f"interpolate goes from one row to another; it was given {len(rows)}")
        return rows

    def _mapped(self, X: Any, task: Callable[[Rows], Tensor], context: Any = None) -> Any:
        fitted = self._fitted
        data, rows = fitted.read_rows(X, self.unknown, context)
        return like(X, fitted.decode(task(rows), data.container))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """The parameters; of a fitted estimator with a separate row model, what answers what."""
        parameters: str = super().__repr__(N_CHAR_MAX)
        if not hasattr(self, "fitted_") or self.row_model_ is self.model_:
            return parameters
        return f"{parameters}  # codes: {self.recipe_.name}; scores, samples, completions: autoregressive row model"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _with_defaults(constructor: F, **defaults: Any) -> F:
    """A copy of a constructor in which some arguments have other defaults; its signature is explicit, as scikit-learn asks."""
    assert isinstance(constructor, FunctionType)
    code = constructor.__code__
    names = code.co_varnames[1 : code.co_argcount]
    values = tuple(defaults.get(name, value) for name, value in zip(names, constructor.__defaults__ or (), strict=True))
    copied = FunctionType(code, constructor.__globals__, code.co_name, values, constructor.__closure__)
    copied.__annotations__ = constructor.__annotations__
    return copied  # type: ignore[return-value]


class Autoencoder(VAE):
    """``VAE(recipe="autoencoder")``: a point for each row and no prior. See :class:`VAE` for everything else."""

    __init__ = _with_defaults(VAE.__init__, recipe="autoencoder")


def load(path: str | Path, parts: Iterable[type[Part]] = ()) -> VAE:
    """Read a model that :meth:`VAE.save` wrote. No file can run code, and one that is damaged is refused; but whoever may write
    to a file can put another model there.

    Args:
        path: the file.
        parts: classes of one's own that the model is made of.

    Raises:
        StorageError: missing, damaged, of a newer version, with an unknown part, or with values that no model has.
    """
    fitted = storage.load(path, parts)
    vae = _as_it_was(fitted, path)
    vae.fitted_ = fitted
    fitted.settings = vae._settings(vae.random_state)
    return vae


def _as_it_was(fitted: Fitted, path: str | Path) -> VAE:
    """An estimator with the parameters of the one that was saved."""
    settings = dict(fitted.settings)
    by_model = "VAE" if fitted.model.has_rate else "Autoencoder"  # of files that do not say
    cls = Autoencoder if settings.pop("estimator", by_model) == "Autoencoder" else VAE
    recipe = "auto" if settings.pop("recipe", None) == "auto" else fitted.recipe
    settings = {key: value for key, value in settings.items() if key not in ("likelihood", "random_state", "seed")}
    try:
        seed = checked(fitted.settings.get("seed"), Count, "the seed")
        arguments = checked_arguments(cls, settings, "the estimator")
        vae = cls(**arguments, recipe=recipe, random_state=seed)
        Parameters.of(vae)
    except (LatenteError, TypeError) as error:
        raise StorageError(f"{path} does not describe an estimator of this Latente: {error}") from error
    return vae


def _as_rows(X: Any, row_ndim: int) -> Any:
    """One row (or picture) with the dimension of rows: an array, or a row of a pandas frame."""
    if getattr(X, "ndim", None) != row_ndim:
        return X
    return X.to_frame().T.infer_objects() if hasattr(X, "to_frame") else X[None]
