"""``VAE`` and ``Autoencoder``: the scikit-learn estimators. Each method is a few calls of functions of other packages."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
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
from latente.certificate import Certificate, certify
from latente.composition import Recipe
from latente.data import Codec, Data, Series, frame, like
from latente.errors import DataError, LatenteError, ModelError, StorageError, renamed, warn
from latente.files import Count, checked
from latente.fitted import Fitted
from latente.fitting.callbacks import Callbacks, CallbackSupportMixin, with_callbacks
from latente.fitting.finish import complete
from latente.fitting.learn import Checkpointing, Learnt, Observer, learn
from latente.fitting.rows_of_fit import learnt_and_others, rows_of_fit
from latente.model.latent_model import LatentModel
from latente.model.parts import Choice, Part, checked_arguments
from latente.model.plain import PlainModule
from latente.model.priors import Prior
from latente.model.row_models import RowModel
from latente.parameters import Parameters, is_whole
from latente.rows import Rows
from latente.seeding import seed_of, seeded
from latente.tasks import (
    classification,
    completions,
    continuation,
    denoising,
    gaps,
    imputation,
    interpolation,
    reconstruct,
    repairs,
    scores,
    sequences,
    steps,
)
from latente.tasks.anomalies import IMPORTANCE_SAMPLES
from latente.tasks.new_rows import Request, new_rows
from latente.tasks.rivals import DetectorComparison, compare_detectors
from latente.training.calibration import Calibration
from latente.training.stages import Figures
from latente.words import Message

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., None])

STORES_CODES = Message("fit.stores_codes")


class _Left(Generic[T]):
    """An attribute of a fitted estimator: the one with this name in ``fitted_``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, estimator: Any, owner: type) -> T:
        if estimator is None:
            raise AttributeError(f"{owner.__name__} has {self.name!r} once it is fitted")
        left: T = getattr(estimator.fitted_, self.name)
        return left

    def __set__(self, estimator: Any, value: T) -> None:
        setattr(estimator.fitted_, self.name, value)


class VAE(CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """A variational autoencoder for tables or pictures.

    Parameters with the value ``"auto"`` are chosen from the data. ``X`` may be an ndarray or tensor ``[N, F]``, pictures
    ``[N, H, W]``, ``[N, H, W, C]`` or ``[N, C, H, W]``, a pandas, polars or pyarrow frame, a path (.csv, .tsv, .parquet, .npy,
    .npz, a folder of pictures) or a SQL query for DuckDB. NaN is a missing value. Results have the type of the input: a frame
    for a frame. Columns of text are categorical. Columns that identify rows (a running number, texts that hardly repeat) and
    time stamps that increase with the rows are not modelled. A column with a single value and missing values is a flag: there,
    missing is a value, which is not imputed.

    Args:
        recipe: name of a published model (see :func:`latente.recipes`) or a :class:`latente.Recipe`, which then computes
            all results. "auto" is "vae", for a mixed table with a separate row model.
        latent_dim: dimensions of the code; "auto" estimates them from the data and drops unused ones.
        hidden: widths of the encoder's layers, mirrored in the decoder.
        likelihood: "normal", "student-t", "bernoulli", "continuous-bernoulli", or a part with arguments
            (``latente.choose("normal", sigma=1.0)``). "bernoulli" and "continuous-bernoulli" describe values from 0 to 1 and
            use numbers as they are; a table of 8-bit whole numbers (uint8) with values above 1 is divided by 255, as for
            pictures. Other values are an error. For all other likelihoods numbers are standardised.
        max_epochs, batch_size, learning_rate: of the training.
        time_limit: seconds for :meth:`fit` as a whole, including what it does before and after training.
        early_stopping: stop if the loss of held-out rows no longer improves; in either case the best weights are used.
        validation_fraction: share of rows that are held out, for evaluation and to calibrate anomaly scores; 0 holds out none.
        device: "cuda", "mps" or "cpu".
        precision: "float32" or "bfloat16" (for the networks; densities are always float32).
        random_state: a seed; the same seed on the same machine gives the same result.
        verbose: 1 shows a progress bar.
        kinds: kinds of columns by name, to correct the detected ones, such as ``{"zip": "categorical"}``. Possible are
            real, positive, bounded (shares from 0 to 1), count, integer, ordinal, binary, categorical; calendar, time and
            duration, for columns that were read as such; flag (one value, or missing as a second value) and constant (one
            value, which replaces missing ones); and identifier, text and timestamp (a time that increases with the rows),
            which are not modelled.
        unknown: how to treat a level that did not occur in the fit: "error", or "missing", with a warning that names it.
        missing: additional marks of missing values, such as ``[-999]``. Usual marks among numbers (empty, NA, n.d., #N/A, -,
            ?) are recognised in files.
        effort: "quick" trains once, in a quarter to half of the time. "balanced" compares short trials and two starts on fewer
            than 16,384 rows of numbers without missing values, if neither ``max_epochs`` nor ``time_limit`` is set; otherwise
            it trains once. The second start ends as soon as it can no longer win. "best" adds longer runs from 1,000 rows: it
            takes up to 12 times as long, and improves most if all columns depend on a few nonlinear degrees of freedom
            (``benchmarks.wall``). For convolutions, "quick" and "balanced" use a seventh of the steps and one start.
        row_model: the model that scores, samples and completes rows, and decodes codes: "latent" is the model itself,
            "autoregressive" a separate model of each column given those before it and, to decode, the code (mixed tables only).
            "auto" is "autoregressive" for a mixed table with ``recipe="auto"`` and ``likelihood="auto"``, and "latent"
            otherwise. The certificate and the explorer always decode with the model itself. Of series of an entity (at least
            20 of them), "autoregressive" adds a model of sequences, by which :meth:`sample` draws whole series: first the
            columns that are constant in each series, then row after row given those before it, until the series ends. There
            "auto" adds it where columns hold levels or counts.
        trim: share of the training rows that are anomalies and are not learned: the rows that are farthest from all
            others. "auto" leaves out those that are too far to be usual, at most a fifth. None learns all rows; scores of
            :meth:`anomalies` leave out a fifth either way. ``notes_`` says how many rows were left out.
        keep: share of the variance of the rows that the code has to keep, such as .9, by a constraint on the squared error of
            reconstructions (GECO, Rezende and Viola 2018); 0 for no constraint. "auto" is the share that PCA with as many
            dimensions keeps if a separate row model scores rows, and 0 otherwise. If ``latent_dim`` dimensions can't keep the
            share, the code keeps what training reaches; see ``information_kept`` in the certificate.
        time: the column with the time, if rows are steps of series; "auto" takes the only column of dates, or else the order of
            the rows. A row of the model is then a window of steps, with one code and one score. Times may be in any order, with
            gaps. An array [N, T, C] holds N series. None for a table, whatever columns it has.
        entity: the column that tells series apart, such as the machine; None for one series. If X is a folder with a text file
            for each series, it is "file".
        window: steps of a window; "auto" is the period with the largest autocorrelation, or all of a short series.
        stride: steps between the beginnings of windows; "auto" is an eighth of a window, or more for long series.

    Attributes:
        latent_dim_: dimensions of the code.
        history_: a record for each epoch, nats per row.
        figures_: measured figures; "time" has the seconds of each stage of the fit; "privacy" is computed on first use.
        model_: the fitted model.
        fitted_prior_: the prior that was fitted to the codes after training.
        codec_: maps rows to encoded rows and back.
        recipe_: the recipe, with all its parts.
        row_model_: the model that scores, generates and completes rows: ``model_`` itself, or a separate row model (see
            ``row_model``).
        notes_: remarks on data and fit.
        imputed_: after :meth:`impute` of series, the mean absolute errors of "model", "linear" and "chosen" on hidden values,
            in standard deviations, and the share of the model by length of the gap and channel.
        given_: after ``sample(given=…)``, the probability of the conditions under the model, and the effective sample size.
        fields_: the kind of each column, and the reason.
        offset_: score below which :meth:`predict` returns -1.

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
        trim: float | str | None = None,
        keep: float | str = "auto",
        time: str | None = None,
        entity: str | None = None,
        window: int | str = "auto",
        stride: int | str = "auto",
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
        self.trim = trim
        self.keep = keep
        self.time = time
        self.entity = entity
        self.window = window
        self.stride = stride

    # -- fitting ----------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        context: Any = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        checkpoint_every: float = 5.0,
        keep_checkpoint: bool = False,
        observer: Observer | None = None,
        workers: int = 1,
        init: VAE | None = None,
        public: Any = None,
    ) -> Self:
        """Fit the model to rows; ``y`` is ignored. Problems that are found are warnings, named like the verdicts of the
        certificate: "collapsed", "no structure found", "overfits".

        Args:
            X: the rows.
            y: not used.
            sample_weight: what each row counts in the loss, and in the losses of ``figures_``: a number from 0 for each. A row
                with the weight 2 counts as two rows. Units, levels, p-values and the certificate do not depend on it.
            context: what the model is conditioned on, numbers, levels or dates: names of columns of X, which are then not
                modelled, or separate data with one row for each row of X (labels, an array, a frame). The model is
                p(x|context). Of series, windows depend on columns that are constant in each series, and on "calendar": when in
                the day, the week or the year a window begins, if that explains the channels. New windows then take a time, as
                in ``context={"calendar": "2024-05-01 10:00"}``. Other methods take the context from the rows, if these have its
                columns, or as ``context=``: one for all rows (``{"label": "a"}``), or one for each. Its values may be missing
                if values of that column were missing in the fit. A mixed table then has no separate row model.
            checkpoint: folder for checkpoints, from which an interrupted fit can continue.
            keep_checkpoint: whether to keep them after the fit.
            checkpoint_every: seconds between two checkpoints.
            resume: continue from the checkpoint; the result is identical to that of an uninterrupted fit.
            observer: called after each epoch with the :class:`latente.training.loop.Training`. Callbacks of scikit-learn
                (``vae.set_callbacks(ProgressBar())``, from its version 1.9) get each epoch as a task, with its record in
                ``history_`` as metadata; one that returns True ends training.
            workers: parts of each batch. Where ``torchrun --nproc-per-node W`` started as many processes, each computes one
                part; the result is the same as that of one process with the same ``workers``, up to rounding.
            init: a fitted estimator whose weights training starts from. Its recipe, sizes, units, kinds and levels stay; scores
                are calibrated on the new rows. It is not changed.
            public: what is public of the rows of a private fit (recipe "dp-vae"): for each column its bounds ``(low, high)`` or
                a list of its values, with None where values may be missing; one tuple for all columns; or public rows with the
                same columns. Units, kinds and levels are taken from it, and values outside the bounds are moved to them.
                Pictures need none. ``init`` counts as public.

        Raises:
            DataError, ModelError, TrainingError: what is wrong, where, and what to do.

        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X).latent_dim_
        2
        >>> X["species"] = y.map(str)
        >>> of_species = VAE("cvae", max_epochs=2, random_state=0).fit(X, context=["species"])  # p(row | species)
        >>> of_species.sample(3, context={"species": "0"}).shape
        (3, 4)
        """
        settings = self._settings(seed_of(self.random_state))
        checkpointing = Checkpointing(checkpoint, resume, checkpoint_every, keep_checkpoint)
        if not is_whole(workers, 1):
            raise ModelError(f"workers is a whole number from 1, not {workers!r}")
        how = {
            "context": context,
            "workers": workers,
            "init": init and init._fitted,
            "sample_weight": sample_weight,
            "public": public,
        }
        learnt = self._learn(Callbacks(self, X, y, observer, sample_weight), settings, checkpointing, **how)
        for warning in learnt.warnings:
            warn(warning)
        learnt.clean_up()
        return self

    @with_callbacks  # type: ignore[untyped-decorator]
    def _learn(self, callbacks: Callbacks, settings: dict[str, Any], checkpointing: Checkpointing, **how: Any) -> Learnt:
        callbacks.begin()
        learnt = learn(callbacks.X, Parameters.of(self), settings, checkpointing, callbacks.after_epoch, **how)
        self.fitted_ = learnt.fitted
        callbacks.finished()
        return learnt

    def complete(self) -> Self:
        """Compute what is otherwise computed when it is first used: the calibration of intervals, and the figures of privacy.
        :meth:`save` calls it, because the rows of the fit are not stored with the model.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> "privacy" in vae.complete().figures_
        True
        """
        complete(self._fitted)
        return self

    def get_support(self, indices: bool = False) -> NDArray[Any]:
        """Which columns (for pictures, pixels) the code consists of, bool ``[n_features_in_]``, or their indices.

        Raises:
            ModelError: the recipe selects no columns; "concrete-autoencoder" does.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris().data
        >>> selector = VAE("concrete-autoencoder", latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> selector.get_support().shape
        (4,)
        """
        support = self._fitted.support()
        return np.flatnonzero(support) if indices else support

    # -- codes and rows ---------------------------------------------------------------------------------------------

    def in_context(self, context: Any, data: Any = None) -> Self:
        """The model in one context (``{"label": "a"}``), with the same weights: its rows have no context, and its certificate,
        report and explorer describe that context only. It can't be saved.

        Args:
            context: one value for each column of the context.
            data: the complete data of the fit, with its context. A loaded model needs it for what is measured on training
                rows: the certificate, and priors fitted to codes. Directly after :meth:`fit` it is not needed.

        Raises:
            ModelError: the model was fitted without context. DataError: it is not a context of this model, or ``data`` is not
                the data of the fit.

        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> X["species"] = y.map(str)
        >>> vae = VAE("cvae", max_epochs=2, random_state=0).fit(X, context=["species"])
        >>> vae.in_context({"species": "0"}).sample(3).shape
        (3, 4)
        """
        estimator, fitted = copy.copy(self), self._fitted
        hand = fitted.at_hand if data is None else rows_of_fit(fitted, data, self.unknown)
        estimator.fitted_ = fitted.in_context(context, hand)
        return estimator

    def transform(self, X: Any, *, context: Any = None) -> NDArray[np.float32]:
        """The code of each row: posterior means [N, d]; deterministic.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> vae.transform(X).shape
        (150, 2)
        """
        return self._in_parts(X, lambda part: self._fitted.model.codes(self._rows(part, context)).numpy())

    def windows(self, X: Any) -> Any:
        """The windows that :meth:`transform` and :meth:`score_samples` have a row for: the numbers (counted from 0) of
        the ``first`` and the ``last`` row of X in each, as a frame; -1 for a window without rows.

        Raises:
            ModelError: the model is not one of series.

        >>> import pandas as pd
        >>> series = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=100), "x": np.sin(np.arange(100) / 3)})
        >>> vae = VAE(time="day", window=20, stride=10, max_epochs=1, random_state=0).fit(series)
        >>> vae.windows(series).head(2).values.tolist()
        [[0, 19], [10, 29]]
        """
        data = self._fitted.read(X)
        if not isinstance(data, Series):
            raise ModelError("windows are of series: fit with time=…, such as time='auto'")
        return frame(data.rows_of_windows(), data.container)

    def inverse_transform(self, Z: Any, *, context: Any = None, noise: bool = False, random_state: Any = None) -> Any:
        """Rows decoded from codes [N, d], in the columns and units of the training data.

        Args:
            Z: the codes.
            context: as in :meth:`fit`.
            noise: True samples each field from its distribution given the code. False returns its mean, and the most likely
                level of a categorical column. Samples resemble real rows; means are closer to the encoded row. A separate row
                model (``row_model_``) decodes each column given the code and the columns before it, so that exact relations
                between columns hold in both.
            random_state: seed of the samples; by default that of the fit.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> vae.inverse_transform([[0.0, 0.0], [1.0, -1.0]]).shape
        (2, 4)
        """
        fitted = self._fitted
        z = torch.as_tensor(np.asarray(Z), dtype=torch.float32)
        if z.ndim != 2 or z.shape[1] != fitted.latent_dim:
            raise DataError(f"codes have shape [N, {fitted.latent_dim}]; these have {list(z.shape)}")
        with seeded(self._seed(random_state)):
            x = reconstruct.decode(fitted.decoder, z, fitted.context_of(None, context, len(z)), noise)
        return fitted.decode(x, possible=noise)

    def reconstruct(self, X: Any, *, context: Any = None, noise: bool = False, random_state: Any = None) -> Any:
        """The reconstruction of each row, in the type of the input. Missing values are filled in.

        ``noise`` and ``random_state`` are those of :meth:`inverse_transform`.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> list(vae.reconstruct(X.head(2)).columns) == list(X.columns)
        True
        """
        fitted = self._fitted
        decoded = partial(reconstruct.reconstruct, fitted.model, decoder=fitted.decoder, noise=noise)
        with seeded(self._seed(random_state)):
            return self._mapped(X, decoded, context, noise)

    def denoise(self, X: Any, *, noise: Any = None, return_noise: bool = False, context: Any = None) -> Any:
        """The posterior mean of the clean row for each noisy row, in the type of the input.

        The model is taken as one of clean rows. Missing values are filled in; levels and rows without noise are not changed.

        Args:
            X: the rows.
            noise: the standard deviation of Gaussian noise in the units of the data, or a mapping from columns to it; or its
                kind, whose level is estimated from all rows of X: "gaussian", "salt-and-pepper" (values replaced by the lowest
                or highest possible ones) or "shot" (Poisson). None estimates the kind, too. The variance of Gaussian noise is
                the squared error of reconstructions beyond that of held-out rows.
            return_noise: also return the assumed noise, a dict with its "kind" ("none" without noise) and its "sigma" in the
                units of the data (for a table, by column), "share", or "variance_of_a_unit".
            context: as in :meth:`fit`.

        Noise that the rows of the fit also have can't be estimated: pass its standard deviation, or fit with
        ``recipe="denoising"``, which takes all that reconstructions leave for noise.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> clean, noise = vae.denoise(X.head(2) + 0.1, noise=0.1, return_noise=True)
        >>> clean.shape, noise["kind"]
        ((2, 4), 'gaussian')
        """
        fitted = self._fitted
        data, rows = fitted.read_rows(X, self.unknown, context)
        x, assumed = denoising.denoised(fitted, rows, noise)
        cleaned = like(X, fitted.decode(x, data.container, source=data if assumed.none else None, of=data))
        return (cleaned, denoising.described(fitted, assumed)) if return_noise else cleaned

    def repair(self, X: Any, *, context: Any = None) -> tuple[Any, NDArray[np.bool_]]:
        """Rows of a table with wrong values replaced by their expected values given the other columns. Missing values are
        filled in, too.

        A value is wrong if it is 99 times as probable in its column as given the other columns, which are the prior odds for an
        error in 1% of the values. In a row with several errors, the least probable value is removed first, and the others are
        evaluated without it.

        Returns:
            The rows, in the type of the input, and which values were changed, bool [N, columns of the input].

        Raises:
            ModelError: for pictures; use :meth:`denoise`.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=100, random_state=0).fit(X)
        >>> rows = X.head(2).copy()
        >>> rows.iloc[1, 1] = 50.0
        >>> repaired, changed = vae.repair(rows)
        >>> bool(changed[1, 1]), bool(repaired.iloc[1, 1] < 10)
        (True, True)
        """
        fitted = self._fitted
        data, rows = fitted.read_rows(X, self.unknown, context)
        repaired, changed = repairs.repair(fitted, data, rows)
        return like(X, repaired), changed

    def impute(
        self,
        X: Any,
        *,
        draws: int | None = None,
        intervals: float | None = None,
        method: str = "auto",
        insert: bool = False,
        random_state: Any = None,
        context: Any = None,
    ) -> Any:
        """Rows with missing values imputed, in the type of the input; observed values are not changed.

        Args:
            X: the rows.
            draws: None imputes the expected value given the rest of the row (for a column of text, the most likely value). A
                number returns a list of this many completions, drawn from the conditional distribution, for multiple
                imputation.
            intervals: a share, such as .9: returns two tables with the lower and upper ends of the narrowest intervals of that
                probability; both have the observed values. If the fit had missing values and enough held-out rows, the width is
                calibrated so that the intervals contain this share of hidden numbers, over all columns. If almost all of the
                probability is at one value (0 of a gain), both ends are that value, although the mean is not. For texts they
                are ends in alphabetical order, or in that of an ordered category.
            method: of series: "model", "linear" interpolation, or "auto": of both what is better on gaps like those of X made
                in observed values, or a mean of both, by channel and length of the gap; ``imputed_`` has their errors.
                Intervals are as wide as these errors.
            insert: of series: also return rows for steps of time that X lacks; rows are then in order of entity and time.
            random_state: a seed; by default that of the fit.
            context: as in :meth:`fit`.

        The model assumes that values are missing at random given the observed ones. If whether a value is missing depends on
        the value itself, beyond what the other columns explain, imputed values are biased.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> gaps = X.head(3).copy()
        >>> gaps.iloc[0, 1] = None
        >>> bool(vae.impute(gaps).notna().all(axis=None))
        True
        >>> low, high = vae.impute(gaps, intervals=0.9)
        >>> bool(low.iloc[0, 1] < high.iloc[0, 1]), bool(low.iloc[1, 1] == high.iloc[1, 1])
        (True, True)
        >>> len(vae.impute(gaps, draws=5))
        5
        """
        completions.check_impute(draws, intervals)
        fitted, seed = self._fitted, self._seed(random_state)
        data, rows = fitted.read_rows(X, self.unknown, context)
        if isinstance(data, Series):
            found, self.imputed_ = gaps.impute(fitted, data, gaps.Asked(method, draws, intervals, insert), seed)
            each = [like(X, rows) for rows in found]
            return each[0] if draws is None and intervals is None else each
        if method not in ("auto", "model") or insert:
            raise ModelError(f"{'insert' if insert else f'method={method!r}'} is for series: fit with time=…")
        if draws is None and intervals is None:
            return self._completed(X, data, imputation.expected(fitted.row_model, rows, fitted.seed), possible=False)
        found = completions.completions(fitted, rows, draws, intervals, seed)
        return [self._completed(X, data, x, possible=True) for x in found]

    def _completed(self, X: Any, data: Data, x: Tensor, possible: bool) -> Any:
        return like(X, self._fitted.decode(x, data.container, source=data, possible=possible))

    @renamed(law="prior", holes="missing")
    def sample(
        self,
        n: int = 1,
        *,
        given: Mapping[str, Any] | None = None,
        context: Any = None,
        missing: bool = False,
        identifiers: bool = False,
        prior: str = "auto",
        noise: bool | None = None,
        after: Any = None,
        steps: int | None = None,
        random_state: Any = None,
    ) -> Any:
        """New rows; for series, new windows one after the other, all of the same length, or continuations of series. With a
        model of sequences (see ``row_model``), whole series of their own lengths, each of a new entity.

        Args:
            n: how many: rows, windows, or whole series.
            given: conditions on the rows of a table: for some columns a value, a list of values, or a tuple
                ``(lowest, highest)`` of numbers, dates or ordered categories (either may be None), or a list of such tuples,
                as in ``{"sex": "Female", "age": (30, 40)}``. A year or a month of a date column means all of it. ``given_``
                then has the probability of the conditions under the model, and the effective sample size of the draws.
                Conditions that exclude one another under the model are an error; if they almost do, there is a warning.
                Whole series take conditions on columns that are constant in each series.
            context: for a model that was fitted with one: a mapping (``{"label": "a"}``) or a frame, for all rows or one for
                each. It is required, because the contexts of the fit are not stored. Codes are then drawn from the model's own
                prior given the context, unless ``prior`` says otherwise: the fitted prior is that of all contexts together.
                With ``given``, there must be one context for all rows.
            missing: generate missing values, as often and in similar rows as in the training data; otherwise rows are complete.
            identifiers: generate new values for columns that identify rows, if they have a pattern: running numbers continue,
                also within a text ("A-0017"); UUIDs and hexadecimal digits are random. Otherwise such columns are empty, as
                free text always is.
            prior: "fitted" draws codes from ``fitted_prior_``, "prior" from the model's own prior. "auto" is
                "fitted", unless there is a separate row model (``row_model_``). Without "auto", series are windows.
            noise: draw each field from its distribution (rows of a table: the default) or take its mean (pictures).
            after: series to continue, each ``n`` times, by windows that are completed again and again.
            steps: of a continuation; by default those of a window, or, with a model of sequences, until the series ends.
            random_state: a seed; by default that of the fit.

        How much new rows reveal about training rows: ``figures_["privacy"]``.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> vae.sample(100).shape
        (100, 4)
        >>> wide = vae.sample(100, given={"petal width (cm)": (1.0, 2.0)})
        >>> bool(wide["petal width (cm)"].between(1.0, 2.0).all()), sorted(vae.given_)
        (True, ['effective_sample_size', 'probability'])
        """
        fitted = self._fitted
        request = Request(n, given, missing, identifiers, prior, noise, context)
        self.given_: dict[str, float] = {}
        if fitted.sequences is not None and prior == "auto" and noise is None:
            found, self.given_ = sequences.sample(fitted, request, after, steps, self._seed(random_state))
            return found
        if after is not None or steps is not None:
            return continuation.after(fitted, after, request, steps, self._seed(random_state))
        rows, self.given_ = new_rows(fitted, request, self._seed(random_state))
        return rows

    def interpolate(
        self, a: Any, b: Any, steps: int = 9, *, context: Any = None, noise: bool = False, random_state: Any = None
    ) -> Any:
        """Rows between two rows, both included; ``a`` and ``b`` are one row each.

        ``context`` is one context, or one for each of the two rows: the context between them is linear. ``noise`` and
        ``random_state`` are those of :meth:`inverse_transform`.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> vae.interpolate(X.iloc[0], X.iloc[149], steps=5).shape
        (5, 4)
        """
        if not is_whole(steps, 2):
            raise ModelError(f"steps is a whole number from 2, not {steps!r}")
        fitted = self._fitted
        ends = self._one(a, context, 0), self._one(b, context, 1)
        with seeded(self._seed(random_state)):
            x = interpolation.interpolate(fitted.model, *ends, steps, fitted.decoder, noise)
        return fitted.decode(x, possible=noise)

    def classify(self, X: Any, *, probabilities: bool = False) -> Any:
        """The most probable label of each row, [N], by a model that was fitted with some labels (recipe "m2").

        Args:
            X: rows, without labels.
            probabilities: return q(y|x) of each label instead, a frame with a column for each.

        Raises:
            ModelError: the recipe has no labels.

        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> species = y.map({0: "setosa", 1: "versicolor", 2: "virginica"}).where(y.index % 5 == 0)  # 120 of 150 are missing
        >>> vae = VAE("m2", latent_dim=2, max_epochs=2, random_state=0).fit(X, context={"species": species})
        >>> vae.classify(X).shape, list(vae.classify(X, probabilities=True).columns)
        ((150,), ['setosa', 'versicolor', 'virginica'])
        """
        fitted = self._fitted
        data = fitted.read(X, context={})
        found, labels = classification.probabilities(fitted, fitted.encode(data, self.unknown))
        if not probabilities:
            return labels[found.argmax(1)]
        return like(X, frame({str(label): column for label, column in zip(labels, found.T, strict=True)}, data.container))

    # -- scores -----------------------------------------------------------------------------------------------------

    def score_samples(
        self, X: Any, *, importance_samples: int = IMPORTANCE_SAMPLES, context: Any = None
    ) -> NDArray[np.float64]:
        """Importance-weighted lower bound of log p(x) with K = 100 draws, nats per row, in the user's units, [N]; for a mixed
        table log p(x) itself, given which of its values are observed.

        NaN fields are marginalised out; a row without any observed value has the score NaN. The density is per unit of every
        observed column (a change of unit adds a constant). For an autoencoder it is log p(x|z), which is not a bound.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> rows = X.head(2).copy()
        >>> rows.iloc[1, 1] = 50.0
        >>> usual, odd = vae.score_samples(rows)
        >>> bool(usual > odd)
        True
        """
        if not is_whole(importance_samples, 1):
            raise ModelError(f"importance_samples is a whole number from 1, not {importance_samples!r}")
        return self._in_parts(X, lambda part: scores.scores(self._fitted, self._rows(part, context), importance_samples))

    def score_parts(self, X: Any, *, importance_samples: int = IMPORTANCE_SAMPLES, context: Any = None) -> Any:
        """Contribution of each column to a row's score: a frame of nats whose columns add up to :meth:`score_samples`.

        For a mixed table, the parts are log p(column | columns before it), in the order of the columns; a missing value has 0,
        and columns that are not modelled are left out. For a model with a code, each part is a mean over the posterior of the
        code, and the last column, ``"(code)"``, is minus its KL.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> parts = vae.score_parts(X)
        >>> list(parts.columns)[-2:]
        ['petal width (cm)', '(code)']
        >>> bool(np.allclose(parts.sum(axis=1), vae.score_samples(X), atol=1e-3))
        True
        """
        fitted = self._fitted
        data, rows = fitted.read_rows(X, self.unknown, context)
        parts = scores.parts(fitted, rows, importance_samples)
        return like(X, frame(parts, data.container))

    def score(self, X: Any, y: Any = None, *, context: Any = None) -> float:
        """Mean of :meth:`score_samples` over the rows that have a score; higher is better.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> bool(vae.score(X) > vae.score(X + 5))
        True
        """
        return float(np.nanmean(self.score_samples(X, context=context)))

    def decision_function(self, X: Any, *, context: Any = None) -> NDArray[np.float64]:
        """:meth:`score_samples` minus ``offset_``: higher is more usual, negative where :meth:`predict` returns -1.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> bool((vae.decision_function(X + 50) < 0).all())
        True
        """
        return self.score_samples(X, context=context) - self._fitted.offset

    def predict(self, X: Any, *, context: Any = None) -> NDArray[np.int64]:
        """+1 for usual rows, -1 for unusual ones: about 5% of rows like the held-out ones are -1.

        The threshold is a conformal p-value of 0.05 among the held-out rows. With fewer than 19 held-out rows the share is
        1 / (their number + 1), the smallest possible. A row without any observed value is +1.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> rows = X.head(2).copy()
        >>> rows.iloc[1, 1] = 50.0
        >>> vae.predict(rows)
        array([ 1, -1])
        """
        return np.where(scores.unusual(self.decision_function(X, context=context), self.offset_), -1, 1)

    def anomalies(
        self,
        X: Any,
        *,
        score: str | Sequence[str] = "auto",
        fdr: float | None = None,
        false_alarm_rate: float | None = None,
        context: Any = None,
    ) -> Any:
        """How unusual each row is: a frame, with a row for each.

        Args:
            X: the rows.
            score: "auto", the name of a score (see :func:`latente.detectors`), or a list of them: they are combined by their
                tail probabilities, and each has a column of its own (higher is stranger). "log-prob" is
                :meth:`score_samples`, by which :meth:`predict` decides.
            fdr: select rows so that on average at most this share of the selected ones are usual (Benjamini and Hochberg).
            false_alarm_rate: select rows so that at most this share of usual rows are selected; 0.05 without ``fdr``.
            context: of a model that was fitted with one.

        Returns:
            ``score``: **lower** is stranger, as in scikit-learn. ``anomaly``: the threshold minus the score; **higher** is
            stranger, and above or at 0 is a p-value of at most ``false_alarm_rate`` (0.05). ``p_value``: the conformal p-value
            among held-out rows; lower is stranger. ``rank``: 1 is the strangest row. ``anomalous``: whether it is selected.
            ``fields`` (of tables): the columns that say most against the row. ``expected`` (of rows that are selected): the
            values of these columns, and between which values 90% lie by the model, given the other columns.
            A row without any observed value has no score: NaN (null in frames of polars and pyarrow), and no fields.

            Of series, a row of the result is a row of X, a step, and its score the mean over the windows that hold it. Time and
            entity stand before it. ``event`` numbers intervals of selected steps, from 1. ``NAME_expected``, ``NAME_low`` and
            ``NAME_high`` are the reconstruction of a numeric channel and a band that holds 90% of usual values. p-values count
            held-out windows that overlap as one.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> rows = X.head(2).copy()
        >>> rows.iloc[1, 1] = 50.0
        >>> found = vae.anomalies(rows)
        >>> list(found.columns), bool(found["anomaly"][1] > 0)
        (['score', 'anomaly', 'p_value', 'rank', 'anomalous', 'fields', 'expected'], True)
        """
        fitted, asked = self._fitted, scores.Asked(score, fdr, false_alarm_rate)
        album = fitted.album(X)
        if album is not None:
            every = (fitted.read_rows(part, self.unknown, context)[1] for part in album.parts())
            return frame(scores.anomalies_of_parts(fitted, every, asked), "pyarrow")
        data, rows = fitted.read_rows(X, self.unknown, context)
        found = (
            steps.anomalies(fitted, data, rows, asked) if isinstance(data, Series) else scores.anomalies(fitted, rows, asked)
        )
        return like(X, frame(found, data.container))

    def surprise(self, X: Any, *, context: Any = None) -> Any:
        """Where a row is strange: by how many nats -log p of each value exceeds what is usual there among held-out rows.

        Returns:
            Of pictures a heat map of each, [N, H, W], summed over channels; of tables a frame with the columns of the model; of
            series a frame with time, entity and channels.
            0 where a value is missing.

        >>> import numpy as np
        >>> pictures = np.random.default_rng(0).random((60, 8, 8))
        >>> VAE(latent_dim=2, max_epochs=1, random_state=0).fit(pictures).surprise(pictures[:3]).shape
        (3, 8, 8)
        """
        fitted = self._fitted
        data, rows = fitted.read_rows(X, self.unknown, context)
        if isinstance(data, Series):
            return like(X, frame(steps.surprise(fitted, data, rows), data.container))
        return scores.surprise(fitted, rows, lambda columns: like(X, frame(columns, data.container)))

    def compare_detectors(self, X: Any, *, context: Any = None) -> DetectorComparison:
        """Simple detectors (sum of squares, nearest neighbours, isolation forest, PCA) beside the score of :meth:`anomalies`.

        They are fitted to the training rows while these are in memory, and to ``X`` itself otherwise.

        Returns:
            Agreement, the rows on which they differ, and a verdict, which says so where nothing suggests that the model sees
            more than a simple detector. No label is used: it does not tell which of them is right.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> type(vae.compare_detectors(X)).__name__
        'DetectorComparison'
        """
        return compare_detectors(self._fitted, X, self.unknown, context)

    # -- the certificate --------------------------------------------------------------------------------------------

    def certificate(self, held_out: Any = None, *, train: Any = None) -> Certificate:
        """Measure the latent space: continuity, completeness, information in the code, and copies of training rows.

        Directly after :meth:`fit` no argument is needed: at most 10,000 training rows and 10,000 held-out rows are still in
        memory. They are never stored, so a loaded or copied model needs ``train``.

        Args:
            held_out: rows that the model was not trained on; by default those that ``fit`` held out.
            train: the data of the fit. Without ``held_out`` it must be complete, and is split as in ``fit``.

        Raises:
            DataError: rows are missing, ``train`` is not the data of the fit, or the model was trained on rows passed as
                ``held_out``.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> certificate = vae.certificate()
        >>> certificate["active_units"].value
        2.0
        >>> print(certificate["completeness"].reason)  # 15 validation rows
        15 validation rows are too few; at least 20 are needed
        """
        fitted = self._fitted
        fitted.refuse_all_contexts("a certificate")
        learnt, others = learnt_and_others(fitted, train, held_out, self.unknown)
        name, row_model = fitted.recipe.name, fitted.row_model
        found = certify(fitted.model, fitted.fitted_prior, fitted.codec.fields, learnt, others, fitted.seed, name, row_model)
        return replace(found, about={**found.about, **fitted.budget})

    def refit_prior(self, prior: str | Choice = "auto", *, train: Any = None) -> Self:
        """Fit another density to the codes of the training rows, for ``sample`` and the completeness of the fitted prior. The
        model does not change.

        Args:
            prior: "gaussian", "mixture", "flow", "nearest", "prior" (the model's own), "auto" for the one with the best
                evidence, or a part with arguments (``latente.choose("mixture", components=5)``).
            train: the data of the fit; not needed directly after :meth:`fit`.

        Raises:
            DataError: rows are missing, or ``train`` is not the data of the fit.
            ModelError: there is no such prior, or the fit was private.

        >>> from sklearn.datasets import load_iris
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> vae.refit_prior("gaussian").fitted_prior_.name
        'gaussian'
        """
        fitted = self._fitted
        if fitted.budget:
            raise ModelError(
                "a density fitted to codes of the rows would end the privacy of this model: it keeps its own prior"
            )
        fitted.fitted_prior = fitted.prior_of(rows_of_fit(fitted, train, self.unknown).train, prior)
        fitted.notes = [note for note in fitted.notes if note != STORES_CODES]
        if fitted.fitted_prior.stores_codes:
            fitted.notes.append(STORES_CODES)
            warn(STORES_CODES)
        return self

    def refit_law(self, law: str | Choice = "auto", *, train: Any = None) -> Self:
        """The former name of :meth:`refit_prior`."""
        warnings.warn("refit_law is now refit_prior", FutureWarning, stacklevel=2)
        return self.refit_prior(law, train=train)

    @property
    def module_(self) -> PlainModule:
        """Encoder and decoder as plain modules of torch, over encoded rows, for one's own code; they share the weights.

        >>> import torch
        >>> from sklearn.datasets import load_iris
        >>> X = load_iris().data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> x = vae.codec_.encode(vae.fitted_.read(X)).x
        >>> bool(torch.allclose(vae.module_.encoder(x), torch.from_numpy(vae.transform(X)), atol=1e-5))
        True
        """
        return PlainModule(self.model_)

    @property
    def generator_(self) -> RowModel:
        """The former name of ``row_model_``."""
        warnings.warn("generator_ is now row_model_", FutureWarning, stacklevel=2)
        return self.row_model_

    @property
    def law_(self) -> Prior:
        """The former name of ``fitted_prior_``."""
        warnings.warn("law_ is now fitted_prior_", FutureWarning, stacklevel=2)
        return self.fitted_prior_

    # -- storage ----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write one .safetensors file, which contains no code; a failure leaves no partial file. It holds no row of the fit:
        beside the weights and the codec, it holds means of groups of at least five training rows, with which
        :meth:`anomalies` compares others. A model of series also holds codes of training windows.

        >>> import tempfile
        >>> from sklearn.datasets import load_iris
        >>> X = load_iris().data
        >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = load(vae.save(f"{folder}/iris.safetensors"))
        >>> bool(np.array_equal(again.transform(X), vae.transform(X)))
        True
        """
        self.complete().fitted_.settings = self._settings(self.seed_)
        return storage.save(self.fitted_, path)

    def __getstate__(self) -> Any:
        """The state of a copy or a pickle: without the rows of the fit, but with all results that need them."""
        state: dict[str, Any] = super().__getstate__()
        return {**state, "fitted_": copy.copy(self.complete().fitted_)} if hasattr(self, "fitted_") else state

    # -- internals --------------------------------------------------------------------------------------------------

    @property
    def _fitted(self) -> Fitted:
        """The result of the fit.

        Raises:
            NotFittedError: there is none.
        """
        check_is_fitted(self, "fitted_")
        return self.fitted_

    def _settings(self, seed: int) -> dict[str, Any]:
        """The settings of the estimator in a file."""
        return Parameters.of(self).to_json("Autoencoder" if isinstance(self, Autoencoder) else "VAE", seed)

    def _seed(self, random_state: Any) -> int:
        """The seed of random draws; by default that of the fit."""
        return self.seed_ if random_state is None else seed_of(random_state)

    def _rows(self, X: Any, context: Any = None) -> Rows:
        return self._fitted.rows(X, self.unknown, context)

    def _in_parts(self, X: Any, task: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
        """A result for each row; of pictures in shards that do not fit into memory, a few at a time."""
        album = self._fitted.album(X)
        return task(X) if album is None else np.concatenate([task(part) for part in album.parts()])

    def _one(self, X: Any, context: Any, end: int) -> Rows:
        """One row; ``context`` is that of both ends, or one for each."""
        fitted, row = self._fitted, _as_rows(X, self.codec_.row_ndim)
        if context is None:
            return _single(fitted.rows(row, self.unknown))
        of_ends = fitted.context_of(None, context, 2, self.unknown)
        assert of_ends is not None
        return replace(_single(fitted.encode(fitted.read(row, context), self.unknown)), context=of_ends[end : end + 1])

    def _mapped(self, X: Any, task: Callable[[Rows], Tensor], context: Any = None, possible: bool = False) -> Any:
        fitted = self._fitted
        data, rows = fitted.read_rows(X, self.unknown, context)
        return like(X, fitted.decode(task(rows), data.container, possible=possible, of=None if isinstance(X, Series) else data))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """The parameters; for a fitted estimator with a separate row model, also which model is used for what."""
        parameters: str = super().__repr__(N_CHAR_MAX)
        if not hasattr(self, "fitted_") or self.row_model_ is self.model_:
            return parameters
        decoded = ", decoded codes" if self._fitted.decoder is self.row_model_ else ""
        return f"{parameters}  # codes: {self.recipe_.name}; scores, samples, completions{decoded}: autoregressive row model"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _with_defaults(constructor: F, **defaults: Any) -> F:
    """A copy of a constructor with other defaults; its signature is explicit, as scikit-learn requires."""
    assert isinstance(constructor, FunctionType)
    code = constructor.__code__
    names = code.co_varnames[1 : code.co_argcount]
    values = tuple(defaults.get(name, value) for name, value in zip(names, constructor.__defaults__ or (), strict=True))
    copied = FunctionType(code, constructor.__globals__, code.co_name, values, constructor.__closure__)
    copied.__annotations__ = constructor.__annotations__
    return copied  # type: ignore[return-value]


class Autoencoder(VAE):
    """``VAE(recipe="autoencoder")``: one code per row and no prior. See :class:`VAE` for everything else.

    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> Autoencoder(latent_dim=2, max_epochs=2, random_state=0).fit_transform(X).shape
    (150, 2)
    """

    __init__ = _with_defaults(VAE.__init__, recipe="autoencoder")


def load(path: str | Path, parts: Iterable[type[Part]] = ()) -> VAE:
    """Read a model that :meth:`VAE.save` wrote. Files can't run code, and damaged ones are refused; but anyone with write
    access to a file can replace the model.

    Args:
        path: the file.
        parts: the user's own part classes in the model.

    Raises:
        StorageError: missing, damaged, of a newer version, with an unknown part, or with impossible values.

    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(X).save(f"{folder}/iris.safetensors")
    ...     vae = load(path)
    >>> vae.transform(X).shape
    (150, 2)
    """
    fitted = storage.load(path, parts)
    vae = _as_it_was(fitted, path)
    vae.fitted_ = fitted
    fitted.settings = vae._settings(vae.random_state)
    return vae


def _as_it_was(fitted: Fitted, path: str | Path) -> VAE:
    """An estimator with the parameters of the saved one."""
    settings = dict(fitted.settings)
    by_model = "VAE" if fitted.model.has_rate else "Autoencoder"  # for files without the name of the estimator
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


def _single(rows: Rows) -> Rows:
    if len(rows) != 1:
        raise DataError(f"interpolate goes from one row to another; it was given {len(rows)}")
    return rows


def _as_rows(X: Any, row_ndim: int) -> Any:
    """One row (or picture) with the dimension of rows: an array, or a row of a pandas frame."""
    if getattr(X, "ndim", None) != row_ndim:
        return X
    return X.to_frame().T.infer_objects() if hasattr(X, "to_frame") else X[None]
