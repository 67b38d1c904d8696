"""``VAE`` and ``Autoencoder``: the scikit-learn estimators. Thin: each method is a few calls into the rooms below."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from latente import storage
from latente.blueprint import Blueprint, is_mixed_table, row_model
from latente.catalogue import Recipe
from latente.catalogue import recipe as find_recipe
from latente.certificate import Certificate, certify, privacy
from latente.certificate.certify import overfitting_of
from latente.certificate.features import learnt_before
from latente.data import (
    Codec,
    Images,
    Table,
    TableCodec,
    fit_codec,
    frame,
    like,
    read,
    refuse_outside,
    restricted_to,
    seen_rows,
    suspicious,
)
from latente.errors import DataError, LatenteError, LatenteWarning, ModelError, StorageError
from latente.files import Count, checked
from latente.model.latent_model import LatentModel
from latente.model.parts import Choice, Part, checked_arguments, choose
from latente.model.priors import Prior
from latente.rows import BINARY, CATEGORICAL, Rows, levels_of
from latente.seeding import seed_of, seeded
from latente.tasks import generation, imputation, interpolation, reconstruct
from latente.tasks.anomalies import IMPORTANCE_SAMPLES, blame, field_surprise, log_likelihood, log_likelihood_parts
from latente.threads import on_one_thread
from latente.training import defaults
from latente.training.calibration import ENOUGH_TO_COVER, SHARES, Calibration
from latente.training.checkpoint import Checkpoints, identify
from latente.training.dimension import latent_dimension
from latente.training.ex_post import fit_prior
from latente.training.fit import Fit, Outcome
from latente.training.loop import Settings, Training, costs_of, evaluate
from latente.training.progress import plan, progress_bar
from latente.training.stages import (
    CALIBRATION,
    INTERVALS,
    OVERFITTING,
    PREPARING,
    PRIOR,
    PRIVACY,
    READING,
    ROW_MODEL,
    TRAINING,
    Figures,
    Stages,
)
from latente.words import Message, stored

MIN_ROWS = 2
MIN_TO_HOLD_OUT = 5
MAX_TO_CALIBRATE = 5000  # a p-value to 0.0002 is enough, and scoring a million rows would take longer than training
MAX_TO_COVER = 500
SAME_VALUE = 1e-5  # of numbers in the model's units, read twice
MAX_ROWS_AT_HAND = 10_000  # of each kind, that stay in memory after a fit for its certificate
MAX_VALUES_AT_HAND = 20_000_000
OF_LEVELS = (BINARY, CATEGORICAL, "ordinal")
RARELY_TOGETHER = 0.02  # of how often values would be together by chance
SAME_SCORE = 1e-6  # two computations of one row's score differ by less
ROW_MODEL_STAGE = 100  # of a fit, behind all stages of its model
STORES_CODES = Message("fit.stores_codes")
HELD_OUT = 1_000_003  # keeps the draw of held-out rows apart from all other draws of a seed

Observer = Callable[[Training], None]


class VAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """A variational autoencoder of a table or a stack of pictures.

    Whatever says ``"auto"`` is chosen from the data. ``X`` may be an ndarray or tensor ``[N, F]``, pictures ``[N, H, W]``,
    ``[N, H, W, C]`` or ``[N, C, H, W]``, a pandas, polars or pyarrow frame, a path (.csv, .tsv, .parquet, .npy, .npz, a
    folder of pictures) or a SQL text for DuckDB. NaN means "not seen". What comes in as a frame goes out as a frame. A column
    of text is one of levels; what names rows (a running number, texts that hardly repeat) is left out of the model, and so is
    a time stamp that runs on with the rows. A column that holds one value or nothing is a flag, whose absence is a value and is
    not filled in.

    Args:
        recipe: name of a published model (see :func:`latente.recipes`) or a :class:`latente.Recipe`.
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
            are trained and neither ``max_epochs`` nor ``time_limit`` is given; it trains once otherwise. "quick" trains once,
            in a quarter to half of the time. "best" adds longer runs from 1,000 rows on: it takes up to 12 times as long, and
            gains most where a few nonlinear degrees of freedom make all columns (``benchmarks.wall``).

    Attributes:
        latent_dim_: dimensions of the code. history_: a record for each epoch, nats per row. figures_: what was measured;
            its "time" has the seconds of each stage of the fit, and its "privacy" is measured when it is first asked for.
        model_, fitted_prior_, codec_, recipe_: the fitted parts. generator_: what new rows are drawn from, and rows are scored
            and completed by: ``model_`` itself, or for a mixed table a law of its own. notes_: sentences on data and fit.
        given_: after ``sample(given=…)``, how probable that is by the model, and the effective sample size behind the rows.
        fields_: what each column was taken for, and why. offset_: score below which :meth:`predict` says -1.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 2)) @ np.array([[1, 2, 0.5], [0, 1, -1]])
    >>> vae = VAE(max_epochs=5, random_state=0).fit(rows)
    >>> vae.reconstruct(rows).shape
    (200, 3)
    """

    reading_: Mapping[str, Any] = MappingProxyType({})  # how data is read, where not as in the fit; in memory only
    _at_hand: tuple[Rows, Rows | None] | None = None  # some of the fit's rows; in memory only

    def __init__(
        self,
        recipe: str | Recipe = "vae",
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

    # -- fitting ----------------------------------------------------------------------------------------------------

    @on_one_thread()
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
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
            checkpoint: a folder in which to keep what a run needs to go on after a kill.
            keep_checkpoint: leave it there when the fit ends; otherwise it is removed.
            checkpoint_every: seconds between two writes there.
            resume: go on from what is there; the result is that of a run which was never interrupted, to the bit.
            observer: called after each epoch with the :class:`latente.training.loop.Training`.

        Raises:
            DataError, ModelError, TrainingError: what is wrong, where, and what to do.
        """
        self._check_parameters()
        self.seed_ = seed_of(self.random_state)
        stages = Stages(self.time_limit)
        with stages(READING):
            data = read(X, texts=text_columns(self.kinds), missing=self.missing or ())
            doubts = suspicious(data) if isinstance(data, Table) else []
        with stages(PREPARING):
            codec, rows = self._encode_to_fit(data)
            train, held_out = self._split(rows)
            blueprint = self._blueprint(codec, train)
            settings = replace(self._settings(train, blueprint), time_limit=stages.for_training())
            checkpoints = self._checkpoints(checkpoint, resume, checkpoint_every, train, blueprint)
        with progress_bar(self.verbose > 0) as shown:
            stages.told = shown.stage
            if self.verbose > 0:
                then = (*([ROW_MODEL] if row_model(blueprint) else []), PRIOR, CALIBRATION)
                shown.say(plan(len(train), settings, settings.batch_size * blueprint.multiply_adds(), then))
            observed = _both(shown, observer)
            searched = self._search(train, blueprint)
            resolution, levels = field_resolution(codec), levels_of(codec.fields)
            fitting = Fit(blueprint, train, held_out, resolution, settings, checkpoints, observed, *searched, levels)
            outcome = self._trained(fitting, row_model(blueprint), stages)
            outcome.warnings += doubts
            self._keep(codec, blueprint, outcome, train, held_out, settings, stages)
        for warning in outcome.warnings:
            warnings.warn(warning, LatenteWarning, stacklevel=2)
        if checkpoints and not keep_checkpoint:
            checkpoints.clear()
        return self

    def _search(self, train: Rows, blueprint: Blueprint) -> tuple[int, int, float]:
        """How many trials and starts are compared, and how many times as long another run is."""
        asked = defaults.effort(self.effort)
        if not asked.compares:
            return 1, 1, 1.0
        chosen, holes = self.max_epochs != "auto" or self.time_limit is not None, train.mask is not None
        starts = defaults.starts(len(train), chosen, holes)
        longer = 1.0 if chosen or holes or not asked.longer else self._times_as_long(len(train), blueprint)
        return defaults.trials(is_mixed_table(blueprint.fields)), starts, longer

    def _check_parameters(self) -> None:
        checks = {
            "latent_dim": (self.latent_dim == "auto" or _whole(self.latent_dim, 1), "'auto' or a whole number from 1"),
            "hidden": (self.hidden == "auto" or _widths(self.hidden), "'auto' or a tuple of widths"),
            "max_epochs": (self.max_epochs == "auto" or _whole(self.max_epochs, 1), "'auto' or a whole number from 1"),
            "batch_size": (self.batch_size == "auto" or _whole(self.batch_size, 1), "'auto' or a whole number from 1"),
            "learning_rate": (self.learning_rate == "auto" or _positive(self.learning_rate), "'auto' or a positive number"),
            "time_limit": (self.time_limit is None or _positive(self.time_limit), "None or a positive number of seconds"),
            "validation_fraction": (_share(self.validation_fraction), "a share from 0 to below 1"),
            "likelihood": (isinstance(self.likelihood, (str, Choice)), "'auto', the name of a likelihood, or a choice of one"),
            "recipe": (isinstance(self.recipe, (str, Recipe)), "the name of a recipe, or a Recipe"),
            "kinds": (self.kinds is None or isinstance(self.kinds, Mapping), "None or a mapping from columns to kinds"),
            "unknown": (self.unknown in ("error", "missing"), "'error' or 'missing'"),
            "missing": (self.missing is None or _marks(self.missing), "None or a list of texts and numbers"),
            "effort": (self.effort in defaults.EFFORTS, "'quick', 'balanced' or 'best'"),
            "precision": (self.precision in ("auto", "float32", "bfloat16"), "'auto', 'float32' or 'bfloat16'"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ModelError(f"{name} is {getattr(self, name)!r}; it must be {wanted}")

    def _split(self, rows: Rows) -> tuple[Rows, Rows | None]:
        """Rows to learn from and rows to judge by; rows of which nothing was seen are neither."""
        seen = torch.nonzero(seen_rows(rows)).squeeze(1)
        if len(seen) < MIN_ROWS:
            raise DataError(
                f"a model can't be fitted on n_samples={len(seen)} row(s) with values; it needs at least {MIN_ROWS}"
            )
        held = 0
        if self.validation_fraction and len(seen) >= MIN_TO_HOLD_OUT:
            held = min(len(seen) - MIN_ROWS, max(1, round(self.validation_fraction * len(seen))))
        with seeded(self.seed_, HELD_OUT):
            order = seen[torch.randperm(len(seen))]
        chosen = torch.sort(order[held:]).values
        train = rows if len(chosen) == len(rows) else rows[chosen]
        return train, rows[order[:held]] if held else None

    def _encode_to_fit(self, data: Table | Images) -> tuple[Codec, Rows]:
        """The codec of rows to fit on, scaled as the likelihood that is asked for needs it, and the encoded rows."""
        recipe = self._chosen_recipe()
        codec = fit_codec(data, self.kinds, as_recorded=recipe.support is not None)
        rows = codec.encode(data)
        if recipe.support and recipe.likelihood:
            try:
                refuse_outside(codec, rows, recipe.support, recipe.likelihood.name)
            except DataError as error:
                raise ModelError(str(error)) from error
        return codec, rows

    def _chosen_recipe(self) -> Recipe:
        """The recipe, with the likelihood that is asked for."""
        recipe = find_recipe(self.recipe) if isinstance(self.recipe, str) else self.recipe
        if self.likelihood == "auto":
            return recipe
        return replace(recipe, likelihood=choose(self.likelihood) if isinstance(self.likelihood, str) else self.likelihood)

    def _blueprint(self, codec: Codec, train: Rows) -> Blueprint:
        recipe = self._chosen_recipe()
        size = train.x[:1].numel()
        if self.latent_dim != "auto" and int(self.latent_dim) > size:
            raise ModelError(
                f"latent_dim={self.latent_dim} is above the number of fields that vary, {size}: a code can't be wider"
            )
        d = latent_dimension(train, self.seed_, levels_of(codec.fields)) if self.latent_dim == "auto" else int(self.latent_dim)
        hidden = None if isinstance(self.hidden, str) else tuple(int(width) for width in self.hidden)
        return Blueprint(recipe, codec.fields, len(train), d, hidden, train.mask is not None)

    def _times_as_long(self, n: int, blueprint: Blueprint) -> float:
        """As many epochs another run of a model of numbers has; 1 for none."""
        batch = self._batch(n, mixed=False)
        return 1.0 if is_mixed_table(blueprint.fields) else defaults.times_as_long(n, batch, batch * blueprint.multiply_adds())

    def _settings(self, train: Rows, blueprint: Blueprint) -> Settings:
        of_mixed = is_mixed_table(blueprint.fields)
        n, batch = len(train), self._batch(len(train), of_mixed)
        pace = defaults.pace(self.effort, n, of_mixed)
        epochs: int | None = None if self.max_epochs == "auto" else int(self.max_epochs)
        if epochs is None and self.time_limit is None:
            epochs = round(pace.share * defaults.epochs(n, batch))
        batch *= pace.batches if self.batch_size == "auto" else 1
        device = defaults.device(self.device)
        work = batch * blueprint.multiply_adds()
        return Settings(
            epochs=epochs,
            batch_size=batch,
            learning_rate=pace.rate if self.learning_rate == "auto" else float(self.learning_rate),
            patience=Settings.patience if self.early_stopping else None,
            device=device,
            precision=defaults.precision(self.precision, device, work),
            threads=defaults.threads(work),
            seed=self.seed_,
        )

    def _batch(self, n: int, mixed: bool) -> int:
        return defaults.batch_size(n, mixed) if self.batch_size == "auto" else int(self.batch_size)

    def _trained(self, fitting: Fit, own: Blueprint | None, stages: Stages) -> Outcome:
        """The model, and then a row model of its own for a mixed table; each has half of the time."""
        if own is not None:
            limit = fitting.settings.time_limit
            fitting.settings = replace(fitting.settings, time_limit=limit and limit / 2)
        with stages(TRAINING):
            outcome = fitting.run()
        if own is not None and not fitting.interrupted:
            with stages(ROW_MODEL):
                self._fit_row_model(fitting, own, outcome)
        return outcome

    def _fit_row_model(self, fitting: Fit, own: Blueprint, outcome: Outcome) -> None:
        batch, pace = self._batch(own.n_rows, mixed=True), defaults.row_model_pace(own.n_rows)
        assert own.recipe.likelihood is not None
        any_order = own.recipe.likelihood.arguments["any_order"]
        epochs = defaults.row_model_epochs(own.n_rows, batch, fitting.held_out is not None, any_order)
        epochs = math.ceil(defaults.effort(self.effort).mixed_steps * epochs)
        epochs = epochs if self.max_epochs == "auto" else min(epochs, int(self.max_epochs))
        batch *= pace.batches if self.batch_size == "auto" else 1
        work = batch * own.multiply_adds()
        settings = replace(
            fitting.settings,
            precision=defaults.precision(self.precision, fitting.settings.device, work),
            threads=defaults.threads(work),
            batch_size=batch,
            epochs=epochs,
            learning_rate=pace.rate,
            patience=fitting.settings.patience and defaults.ROW_MODEL_PATIENCE,
        )
        run = replace(fitting, make=own, settings=settings).plain(ROW_MODEL_STAGE, "law of the rows")
        outcome.generator = run.learner.model
        outcome.training.at.elapsed += run.at.elapsed
        if run.at.finished == "interrupted":
            outcome.training.at.finished = run.at.finished

    def _checkpoints(
        self, folder: str | Path | None, resume: bool, every: float, train: Rows, blueprint: Blueprint
    ) -> Checkpoints | None:
        if folder is None:
            return None
        settings = {
            **self.get_params(),
            "recipe": blueprint.recipe.to_json(),
            "likelihood": None,
            "verbose": None,
            "unknown": None,
            "random_state": self.seed_,
        }
        checkpoints = Checkpoints(folder, identify(train, settings), every)
        if not resume:
            checkpoints.clear()
        checkpoints.begin()
        return checkpoints

    def _keep(
        self,
        codec: Codec,
        blueprint: Blueprint,
        outcome: Outcome,
        train: Rows,
        held_out: Rows | None,
        settings: Settings,
        stages: Stages,
    ) -> None:
        """What a fit leaves behind, in attributes that end in an underscore."""
        self.codec_, self.model_, self.recipe_ = codec, outcome.model, blueprint.recipe
        self.generator_ = outcome.generator or outcome.model
        if self.latent_dim == "auto" and bool(outcome.diagnosis.active.any()):
            self.model_.drop_units(torch.nonzero(outcome.diagnosis.active).squeeze(1))
        with stages(PRIOR):
            self.fitted_prior_ = self._fit_prior(train)
        with stages(CALIBRATION):
            row_law_loss = self._calibrate(outcome, held_out if held_out is not None else train)
        self.history_ = outcome.training.at.history
        self._at_hand = _few(train), None if held_out is None else _few(held_out)
        with stages(OVERFITTING):
            outcome.warnings += self._overfitting(outcome)
        counts = self.model_.latent_dim, len(train), 0 if held_out is None else len(held_out)
        self.figures_ = Figures(_figures(outcome, settings, *counts), {PRIVACY: self._privacy} if self._can_tell else {})
        self.figures_ |= {"row_law_loss": row_law_loss, "time": stages.seconds}
        self.notes_ = [*codec.notes, *outcome.notes, *outcome.warnings]
        if hasattr(self.model_.posterior, "chosen") and isinstance(codec, TableCodec):
            self.notes_.append(Message("fit.chosen_columns", names=[codec.names[f] for f in self.get_support(indices=True)]))
        if held_out is None:
            self.notes_.append(Message("fit.no_held_out"))
        self._name_features()

    def _calibrate(self, outcome: Outcome, rows: Rows) -> float | None:
        """Learn what usual scores are; the loss of the row model, where there is one."""
        judged = rows.spread(MAX_TO_CALIBRATE)
        with seeded(self.seed_):
            outcome.evaluated = evaluate(costs_of(self.model_, outcome.training.learner.objective.K), judged)
        encoded = log_likelihood(self.generator_, judged, self.seed_)
        self.calibration_ = Calibration.of(self._in_units(encoded, judged), field_surprise(self.generator_, judged))
        return None if self.generator_ is self.model_ else -float(encoded.mean())

    @property
    def _can_tell(self) -> bool:
        """Whether rows are at hand that the model of a table did not learn from."""
        return self._at_hand is not None and self._at_hand[1] is not None and isinstance(self.codec_, TableCodec)

    def complete(self) -> Self:
        """Compute now what is otherwise computed when it is first asked for: the calibration of intervals, and the figures of
        privacy. :meth:`save` does so, for the rows of the fit are not stored with the model.
        """
        check_is_fitted(self, "model_")
        self._calibrate_intervals()
        self.figures_.complete()
        return self

    @property
    def _stages(self) -> Stages:
        """A stopwatch for what is done after the fit, which adds to ``figures_["time"]``."""
        check_is_fitted(self, "model_")
        return Stages(seconds=self.figures_.setdefault("time", {}))

    def _calibrate_intervals(self) -> None:
        """Learn how wide intervals must be, where the fit saw missing values and held rows out."""
        if self._intervals_due and self._can_tell:
            assert self._at_hand is not None and self._at_hand[1] is not None
            with self._stages(INTERVALS):
                within = self._within(self._at_hand[1].spread(MAX_TO_COVER))
            self.calibration_ = self.calibration_.with_covered(within)

    @property
    def _intervals_due(self) -> bool:
        return self._at_hand is not None and self._at_hand[0].mask is not None and not len(self.calibration_.covered)

    def _overfitting(self, outcome: Outcome) -> list[str]:
        """What the certificate would say of that, of the same rows: two passes, which is next to nothing beside a fit."""
        assert self._at_hand is not None
        train, held_out = self._at_hand
        if held_out is None or outcome.without_code:
            return []
        found = overfitting_of(self.model_, train, held_out, self.seed_)
        return [] if found is None else [found.message]

    def _within(self, rows: Rows) -> NDArray[np.bool_]:
        """Of some rows' numbers, hidden in turn, whether each lies in the model's intervals of each share, [SHARES, values]."""
        numbers = torch.tensor([field.kind not in (BINARY, CATEGORICAL) for field in self.codec_.fields])
        left, hidden = imputation.some_hidden(rows, numbers, self.seed_, ENOUGH_TO_COVER)
        ends = imputation.bounds(self.generator_, left, SHARES, self.seed_).flatten(0, 1)
        # As they are given: rounded to what can be.
        given = [self._rows(self.codec_.decode(each, possible=True)).x[hidden] for each in ends]
        low, high = torch.stack(given).view(len(SHARES), 2, -1).unbind(1)
        truth = rows.x.repeat(len(hidden) // len(rows), 1)[hidden]
        within: NDArray[np.bool_] = ((low <= truth + SAME_VALUE) & (high >= truth - SAME_VALUE)).numpy()
        return within

    def _privacy(self) -> dict[str, float | None]:
        """What new rows give away of those that were learnt from, of the rows at hand."""
        assert self._at_hand is not None
        train, held_out = self._at_hand
        assert held_out is not None
        with self._stages(PRIVACY):
            return self._given_away(train, held_out)

    def _given_away(self, train: Rows, held_out: Rows) -> dict[str, float | None]:
        has_code = self.generator_.latent_dim > 0
        held_out = held_out.spread(privacy.M_OF_CODES if has_code else privacy.M)
        drawn = generation.sample(self.generator_, self.fitted_prior_ if has_code else None, len(held_out), self.seed_, True)[0]
        as_given = self._rows(self.codec_.decode(drawn, possible=True))
        some = train.spread(len(held_out))
        scores = [log_likelihood(self.generator_, rows, self.seed_, privacy.CODES) for rows in (some, held_out)]
        return privacy.privacy(self.codec_.fields, train, held_out, as_given, (scores[0], scores[1]), self.seed_)

    def _fit_prior(self, train: Rows, prior: str | Choice = "auto") -> Prior:
        with seeded(self.seed_), torch.no_grad():
            some = train[torch.randperm(len(train))[:10_000]]
            return fit_prior(prior, self.model_.encode(some).rsample(), self.model_, self.seed_ % 2**32)

    def _name_features(self) -> None:
        self.n_features_in_ = self.codec_.n_features
        if self.codec_.named:
            self.feature_names_in_ = np.asarray(self.codec_.feature_names, dtype=object)
        self.latent_dim_ = self.model_.latent_dim
        self._n_features_out = self.latent_dim_
        self.offset_ = self.calibration_.offset

    @property
    def fields_(self) -> list[dict[str, str]]:
        """Name, kind and reason of each column that came in; of pictures, their one field."""
        check_is_fitted(self, "model_")
        if isinstance(self.codec_, TableCodec):
            columns = zip(self.codec_.names, self.codec_.kinds, self.codec_.reasons, strict=True)
            return [{"name": name, "kind": kind, "reason": reason} for name, kind, reason in columns]
        return [{"name": field.name, "kind": field.kind, "reason": "rows of three dimensions"} for field in self.codec_.fields]

    def get_support(self, indices: bool = False) -> NDArray[Any]:
        """Which columns (of pictures, which pixels) the code consists of, bool [n_features_in_], or their places.

        Raises:
            ModelError: the recipe chooses none; "concrete-autoencoder" does.
        """
        check_is_fitted(self, "model_")
        chosen = getattr(self.model_.posterior, "chosen", None)
        if chosen is None:
            raise ModelError(f"{self.recipe_.name!r} chooses no columns; the recipe 'concrete-autoencoder' does")
        support = np.zeros(self.codec_.shape, bool).flatten()
        support[chosen.numpy()] = True
        if isinstance(self.codec_, TableCodec):
            fields = [field.name for field, used in zip(self.codec_.fields, support, strict=True) if used]
            support = np.isin(self.codec_.names, fields)
        return np.flatnonzero(support) if indices else support

    # -- codes and rows ---------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> NDArray[np.float32]:
        """The code of each row: posterior means [N, d]; never a random draw."""
        rows = self._rows(X)
        return self.model_.codes(rows).numpy()

    def inverse_transform(self, Z: Any) -> Any:
        """Rows decoded from codes [N, d], in the columns and units of the training data."""
        check_is_fitted(self, "model_")
        z = torch.as_tensor(np.asarray(Z), dtype=torch.float32)
        if z.ndim != 2 or z.shape[1] != self.latent_dim_:
            raise DataError(f"codes have shape [N, {self.latent_dim_}]; these have {list(z.shape)}")
        return self._given_back(reconstruct.decode(self.model_, z))

    def reconstruct(self, X: Any) -> Any:
        """Each row through the bottleneck and back, in the container that came in. What was not seen is filled in."""
        return self._mapped(X, lambda rows: reconstruct.reconstruct(self.model_, rows))

    def denoise(self, X: Any) -> Any:
        """The clean row behind each noisy one: the mean of p(x|z) over the codes that explain the row."""
        return self._mapped(X, lambda rows: reconstruct.denoise(self.model_, rows, self.seed_))

    def impute(self, X: Any, *, draws: int | None = None, intervals: float | None = None, random_state: Any = None) -> Any:
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

        The model takes holes to be there at random given what was seen; where a value is missing because of what it is, so
        that the other columns do not tell, no answer here is right.
        """
        if draws is not None and not _whole(draws, 1):
            raise ModelError(f"draws is None or a whole number from 1, not {draws!r}")
        if intervals is not None and (draws is not None or not _share(intervals) or not intervals):
            raise ModelError(f"intervals is None or a share between 0 and 1, without draws, not {intervals!r}")
        data = self._read(X)
        rows = self._encoded(data)
        seed = self.seed_ if random_state is None else seed_of(random_state)
        if intervals is not None:
            self._calibrate_intervals()
            share = self.calibration_.share_for(intervals)
            found = list(imputation.bounds(self.generator_, rows, [share], seed)[0])
        elif draws is not None:
            found = imputation.drawn(self.generator_, rows, draws, seed)
        else:
            return self._completed(X, data, imputation.expected(self.generator_, rows, self.seed_), possible=False)
        return [self._completed(X, data, x, possible=True) for x in found]

    def _completed(self, X: Any, data: Table | Images, x: Tensor, possible: bool) -> Any:
        return like(X, self._given_back(x, data.container, seen=data, possible=possible))

    def sample(
        self,
        n: int = 1,
        *,
        given: Mapping[str, Any] | None = None,
        holes: bool = False,
        identifiers: bool = False,
        law: str = "auto",
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
            holes: leave values out as often, and in such rows, as in the training data; otherwise rows are whole.
            identifiers: give each row a name that nobody had in the columns that name rows, where these have a shape: a running
                number goes on, so does the number in a text ("A-0017"), UUIDs and hexadecimal digits are drawn. Otherwise such
                columns are empty, as those of free text always are.
            law: "fitted" draws codes from ``fitted_prior_``, "prior" from the model's own prior. "auto" is
                "fitted", but for a mixed table the law that its rows have of their own (``generator_``).
            noise: draw each field from its distribution (rows of a table: the default) or take its mean (pictures).
            random_state: a seed; by default that of the fit.

        What new rows give away of those that were learnt from: ``figures_["privacy"]``.
        """
        check_is_fitted(self, "model_")
        if not _whole(n, 1):
            raise ModelError(f"sample(n) takes a whole number from 1, not {n!r}")
        if law not in ("auto", "fitted", "prior"):
            raise ModelError(f"sample(law=…) is 'auto', 'fitted' or 'prior', not {law!r}")
        noise = not self.codec_.fields[0].shape if noise is None else noise
        seed = self.seed_ if random_state is None else seed_of(random_state)
        model = self.generator_ if law == "auto" else self.model_
        codes = None if law == "prior" or not model.latent_dim else self.fitted_prior_
        if given is not None and not isinstance(given, Mapping):
            raise ModelError(f"given maps columns to what they are to hold, such as {{'age': (30, 40)}}; it is {given!r}")
        if given and holes:
            raise ModelError("rows that hold what is given are whole: ask for given or for holes")
        how: dict[str, Any] = {"possible": True, **({"names_from": self._names_from(seed)} if identifiers else {})}
        self.given_: dict[str, float] = {}
        if given:
            return self._given_back(self._sample_given(model, n, codes, seed, given), **how)
        if not holes:
            return self._given_back(generation.sample(model, codes, n, seed, noise)[0], **how)
        if not isinstance(self.codec_, TableCodec):
            raise ModelError("only rows of a table are drawn with holes, and these are pictures")
        missing = torch.tensor([field.missing for field in self.codec_.fields])
        drawn, mask = generation.sample(model, codes, n, seed, noise, missing)
        return self._given_back(drawn, mask=None if mask is None else self.codec_.with_holes(mask, seed), **how)

    def _names_from(self, seed: int) -> int:
        """The seed of new names for rows; columns that can't have any are told."""
        if not isinstance(self.codec_, TableCodec):
            raise ModelError("identifiers are columns of a table, and these are pictures")
        columns = zip(self.codec_.names, self.codec_.kinds, self.codec_.identifiers, strict=True)
        left = [repr(name) for name, kind, shape in columns if kind in ("identifier", "text") and shape is None]
        told = f"columns that are left empty, for they are free text, or names without a shape to go by: {', '.join(left)}"
        if left and not any(self.codec_.identifiers):
            raise DataError(f"{told}; without identifiers=True (--identifiers) nothing is asked of them")
        if left:
            warnings.warn(told, LatenteWarning, stacklevel=3)
        return seed

    def _sample_given(self, model: LatentModel, n: int, law: Prior | None, seed: int, given: Mapping[str, Any]) -> Tensor:
        if not isinstance(self.codec_, TableCodec):
            raise ModelError("given names columns, and these are pictures")
        intervals = restricted_to(self.codec_, given)
        found = generation.sample_given(model, law, n, seed, intervals)
        if not found.effective:
            raise DataError(f"no row came up with {dict(given)}: by the model there are none; ask for less")
        self._check_together(model, law, seed, given, intervals, found.probability)
        self.given_ = {"probability": found.probability, "effective_sample_size": found.effective}
        if found.effective < n / 2:
            told = f"only {found.effective:.0f} different draws stand behind these {n} rows: what is given is rare"
            warnings.warn(told, LatenteWarning, stacklevel=3)
        return found.rows

    def _check_together(
        self,
        model: LatentModel,
        law: Prior | None,
        seed: int,
        given: Mapping[str, Any],
        intervals: dict[int, list[tuple[float, float]]],
        probability: float,
    ) -> None:
        """Refuse what does not go together, and warn of what hardly does, or is rarer than any row that was learnt from."""
        fields, n = self.codec_.fields, self.figures_["rows"]
        lift, least = generation.togetherness(model, law, seed, intervals, probability)
        told = " and ".join(f"{fields[f].name}={_asked(given, fields[f].name)!r}" for f in least)
        # What happens less than once in N rows where chance would have it each time, N rows never showed.
        if lift < 1 / n:
            raise DataError(f"given: nothing fits: by the model {told} do not go together; ask for less")
        if lift < RARELY_TOGETHER:
            warnings.warn(f"{told} hardly go together: {one_in(probability)} has what is given", LatenteWarning, stacklevel=4)
            return
        # How narrow a range of numbers is says nothing; but of levels, what N rows never showed is a guess.
        of_levels = {f: asked for f, asked in intervals.items() if fields[f].kind in OF_LEVELS}
        rare = generation.probability_of(model, law, seed, of_levels) if len(of_levels) > 1 else 1.0
        if rare < 1 / n:
            told = " and ".join(f"{fields[f].name}={_asked(given, fields[f].name)!r}" for f in of_levels)
            warnings.warn(
                f"{told} is rarer than one row in the {n:,} that were learnt from: {one_in(rare)}; what else stands in such "
                "rows is a guess",
                LatenteWarning,
                stacklevel=4,
            )

    def interpolate(self, a: Any, b: Any, steps: int = 9) -> Any:
        """Rows on the way from one row to another, both ends included; ``a`` and ``b`` are one row each."""
        if not _whole(steps, 2):
            raise ModelError(f"steps is a whole number from 2, not {steps!r}")
        check_is_fitted(self, "model_")
        return self._given_back(interpolation.interpolate(self.model_, self._one(a), self._one(b), steps))

    # -- scores -----------------------------------------------------------------------------------------------------

    def score_samples(self, X: Any, *, importance_samples: int = IMPORTANCE_SAMPLES) -> NDArray[np.float64]:
        """Importance-weighted lower bound of log p(x) with K = 100 draws, nats per row, in the user's units, [N]; of a mixed
        table log p(x) itself, given which of its values were seen.

        NaN fields are marginalised out; a row without any observed value has the score NaN. The density is per unit of every
        observed column (a change of unit adds a constant). For an
        autoencoder it is log p(x|z), which is not a bound.
        """
        if not _whole(importance_samples, 1):
            raise ModelError(f"importance_samples is a whole number from 1, not {importance_samples!r}")
        return self._scores(self._rows(X), importance_samples)

    def score_parts(self, X: Any, *, importance_samples: int = IMPORTANCE_SAMPLES) -> Any:
        """What each column has of a row's score: a frame of nats whose columns add up to :meth:`score_samples`.

        Of a mixed table a part is log p(column | columns before it), in the order of the columns; a column that was not seen
        has 0, and columns that are left out of the model are not there. Where the score is that of a code, each part is a mean
        over the codes that explain the row, and the last column, ``"(code)"``, is what the code takes (the rate, negative).
        """
        data = self._read(X)
        if not isinstance(self.codec_, TableCodec):
            raise ModelError("score_parts is for columns of a table, and these are pictures")
        rows, model = self._encoded(data), self.generator_
        parts = log_likelihood_parts(model, rows, self.seed_, importance_samples)
        parts[~self._scored(rows)] = np.nan
        densities = model.likelihood.densities(rows.x)  # type: ignore[operator]
        parts[:, :-1] += self.codec_.log_jacobians(rows, densities).numpy()
        names = [field.name for field in self.codec_.fields] + ["(code)"] * bool(model.noise_size)
        return like(X, frame(dict(zip(names, parts.T, strict=False)), data.container))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of :meth:`score_samples` over the rows that have a score; higher is better."""
        return float(np.nanmean(self.score_samples(X)))

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """:meth:`score_samples` minus ``offset_``: higher is more usual, negative where :meth:`predict` says -1."""
        check_is_fitted(self, "model_")
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """+1 for rows that fit, -1 for those that do not: about 5% of rows like the held-out ones are called -1.

        The threshold is a conformal p-value of 0.05 among the held-out rows. With fewer than 19 held-out rows the share is
        1 / (their number + 1), the least that can be told. A row without any observed value is +1: nothing speaks against it.
        """
        margin = self.decision_function(X)
        least = -SAME_SCORE * max(1.0, abs(self.offset_))  # the offset is a row's score, which is rounded otherwise elsewhere
        return np.where(margin < least, -1, 1)

    def anomalies(self, X: Any) -> Any:
        """How unusual each row is: a frame, with a row for each.

        Returns:
            ``score``: log p(x) as :meth:`score_samples` has it, in nats; **lower** is stranger. ``anomaly``: ``offset_`` minus
            the score, in nats; **higher** is stranger, and above 0 is what :meth:`predict` calls -1. ``p_value``: the conformal
            p-value among held-out rows; lower is stranger. ``fields`` (of tables): the columns that say most against the row.
            A row without any observed value has no score: NaN (null in frames of polars and pyarrow), and no fields.
        """
        data = self._read(X)
        rows = self._encoded(data)
        scores = self._scores(rows)
        p_values = self.calibration_.p_values(scores)
        columns: dict[str, Any] = {"score": scores, "anomaly": self.offset_ - scores, "p_value": p_values}
        if not self.codec_.fields[0].shape:
            names = tuple(field.name for field in self.codec_.fields)
            told = blame(field_surprise(self.generator_, rows), self.calibration_.surprise, names)
            columns["fields"] = [fields if p == p else "" for fields, p in zip(told, p_values.tolist(), strict=True)]
        return like(X, frame(columns, data.container))

    # -- the certificate --------------------------------------------------------------------------------------------

    @on_one_thread()
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
        learnt, others = self._learnt_and_others(train, held_out)
        name, generator = self.recipe_.name, self.generator_
        return certify(self.model_, self.fitted_prior_, self.codec_.fields, learnt, others, self.seed_, name, generator)

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
        self.fitted_prior_ = self._fit_prior(self._parts(train)[0], prior)
        self.notes_ = [note for note in self.notes_ if note != STORES_CODES]
        if self.fitted_prior_.stores_codes:
            self.notes_.append(STORES_CODES)
            warnings.warn(STORES_CODES, LatenteWarning, stacklevel=2)
        return self

    def refit_law(self, law: str | Choice = "auto", *, train: Any = None) -> Self:
        """The old name of :meth:`refit_prior`."""
        warnings.warn("refit_law is now refit_prior", FutureWarning, stacklevel=2)
        return self.refit_prior(law, train=train)

    @property
    def law_(self) -> Prior:
        """The old name of ``fitted_prior_``."""
        warnings.warn("law_ is now fitted_prior_", FutureWarning, stacklevel=2)
        return self.fitted_prior_

    def _learnt_and_others(self, train: Any, held_out: Any) -> tuple[Rows, Rows]:
        """Rows that were learnt from and rows that were not, as :meth:`certificate` takes them."""
        learnt, others = self._parts(train, whole=held_out is None)
        if held_out is not None:
            others = self._rows(held_out)
            self._check_unseen(others, learnt, at_hand=train is None)
        if others is None:
            raise DataError("no rows were held out in the fit: pass rows that the model has not seen as held_out=…")
        return learnt, others[seen_rows(others)]

    def _check_unseen(self, held_out: Rows, learnt: Rows, at_hand: bool) -> None:
        """Figures of rows that were learnt from look good and say nothing."""
        share = len(learnt) / self.figures_["rows"] if at_hand else 1.0
        seen = learnt_before(held_out[seen_rows(held_out)], learnt, min(1.0, share))
        if seen:
            raise DataError(
                f"the model learnt from the rows that are given as held-out ones: of {len(held_out):,} rows {seen:.0%} are "
                "among those that it was fitted on; pass rows that it has not seen as held_out=…, or leave that out, which "
                "takes the rows that the fit held out"
            )

    def _parts(self, train: Any, whole: bool = True) -> tuple[Rows, Rows | None]:
        """The rows that were learnt from and those that the fit held out: those at hand, or ``train``, divided again where it
        is the ``whole`` data of the fit.
        """
        check_is_fitted(self, "model_")
        parts = self._at_hand
        if train is not None:
            rows = self._rows(train)
            parts = self._divided_again(rows) if whole else (rows, None)
        if parts is None:
            raise DataError("the rows of the fit are no longer at hand: pass what the model was fitted on as train=…")
        learnt, others = parts
        return learnt[seen_rows(learnt)], others

    def _divided_again(self, rows: Rows) -> tuple[Rows, Rows | None]:
        """The rows of the fit in the two parts that it made of them; the scores of the held-out ones show that it is so."""
        train, held_out = self._split(rows)
        told = (self.figures_["rows"], self.figures_["held_out_rows"])
        same = (len(train), 0 if held_out is None else len(held_out)) == told
        if same and held_out is not None:
            scores = self._scores(held_out.spread(MAX_TO_CALIBRATE).spread(32))
            distance = np.abs(scores[:, None] - self.calibration_.scores).min(1)
            same = bool((distance <= SAME_SCORE * np.maximum(1.0, np.abs(scores))).all())
        if not same:
            raise DataError(
                f"these are not the {sum(told):,} rows that the model was fitted on, in their order: which of them it has seen "
                "can't be told; pass rows that it has not seen as held_out=…"
            )
        return train, held_out

    def __getstate__(self) -> Any:
        """What a copy or a pickle holds: not the rows of the fit, but all that they are needed for."""
        if hasattr(self, "model_"):
            self.complete()
        return {name: value for name, value in super().__getstate__().items() if name != "_at_hand"}

    # -- storage ----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write one .safetensors file that can run no code; whole or not at all."""
        self.complete()
        settings = {**self.get_params(), "recipe": None, "likelihood": None, "random_state": None, "seed": self.seed_}
        settings["estimator"] = "Autoencoder" if isinstance(self, Autoencoder) else "VAE"
        settings["kinds"] = None if self.kinds is None else dict(self.kinds)
        settings["missing"] = None if self.missing is None else list(map(str, self.missing))
        settings["hidden"] = self.hidden if isinstance(self.hidden, str) else list(self.hidden)
        figures = {**self.figures_, "notes": [*map(stored, self.notes_)]}
        return storage.save(
            storage.Fitted(
                self.recipe_,
                self.codec_,
                self.model_,
                self.generator_,
                self.fitted_prior_,
                self.calibration_,
                figures,
                self.history_,
                settings,
            ),
            path,
        )

    # -- the way in and out -----------------------------------------------------------------------------------------

    def _read(self, X: Any) -> Table | Images:
        """What comes in, of which only the columns that the model knows."""
        check_is_fitted(self, "model_")
        codec = self.codec_
        how = {"missing": self.missing or (), **codec.reading_of_fit, **self.reading_}
        names = codec.feature_names if codec.named else None
        return codec.like_fitted(read(X, names, codec.text_names, known=codec.known_notations, **how))

    def _rows(self, X: Any) -> Rows:
        return self._encoded(self._read(X))

    def _encoded(self, data: Table | Images) -> Rows:
        rows = self.codec_.encode(data, self.unknown)
        likelihood: Any = self.model_.likelihood
        if likelihood.support:
            refuse_outside(self.codec_, rows, likelihood.support, likelihood.name)
        return rows

    def _one(self, X: Any) -> Rows:
        rows = self._rows(_as_rows(X, self.codec_.row_ndim))
        if len(rows) != 1:
            raise DataError(f"interpolate goes from one row to another; it was given {len(rows)}")
        return rows

    def _scores(self, rows: Rows, importance_samples: int = IMPORTANCE_SAMPLES) -> NDArray[np.float64]:
        """Scores [N]; NaN for rows without any observed value, with a warning that counts them."""
        scores = self._in_units(log_likelihood(self.generator_, rows, self.seed_, importance_samples), rows)
        return np.where(self._scored(rows), scores, np.nan)

    def _scored(self, rows: Rows) -> NDArray[np.bool_]:
        """Which rows have a score, bool [N]: those with an observed value. Others are counted in a warning."""
        observed: NDArray[np.bool_] = seen_rows(rows).numpy()
        if not observed.all():
            told = f"rows without any observed value have no score: {int((~observed).sum()):,}, the first in row"
            first = int(np.flatnonzero(~observed)[0])
            warnings.warn(f"{told} {first} (counted from 0)", LatenteWarning, stacklevel=4)
        return observed

    def _in_units(self, encoded: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
        """Scores of encoded rows in the user's units."""
        densities = self.generator_.likelihood.densities(rows.x)  # type: ignore[operator]
        in_units: NDArray[np.float64] = encoded + self.codec_.log_jacobian(rows, densities).numpy()
        return in_units

    def _mapped(self, X: Any, task: Callable[[Rows], Tensor]) -> Any:
        data = self._read(X)
        return like(X, self._given_back(task(self._encoded(data)), data.container))

    def _given_back(self, x: Tensor, container: str | None = None, **how: Any) -> Any:
        return self.codec_.decode(x.reshape(len(x), *self.codec_.shape), container, **how)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class Autoencoder(VAE):
    """``VAE(recipe="autoencoder")``: a point for each row and no prior. See :class:`VAE` for everything else."""

    def __init__(
        self,
        recipe: str | Recipe = "autoencoder",
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
    ) -> None:
        super().__init__(
            recipe,
            latent_dim,
            hidden,
            likelihood,
            max_epochs,
            time_limit,
            batch_size,
            learning_rate,
            early_stopping,
            validation_fraction,
            device,
            precision,
            random_state,
            verbose,
            kinds,
            unknown,
            missing,
            effort,
        )


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
    vae.seed_, vae.recipe_, vae.history_ = vae.random_state, fitted.recipe, fitted.history
    vae.codec_, vae.model_, vae.generator_ = fitted.codec, fitted.model, fitted.generator
    vae.fitted_prior_, vae.calibration_ = fitted.fitted_prior, fitted.calibration
    vae.notes_ = [*map(Message.from_json, fitted.figures.pop("notes", []))]
    vae.figures_ = Figures(fitted.figures)
    vae._name_features()
    return vae


def _as_it_was(fitted: storage.Fitted, path: str | Path) -> VAE:
    """An estimator with the parameters of the one that was saved."""
    settings = dict(fitted.settings)
    by_model = "VAE" if fitted.model.has_rate else "Autoencoder"  # of files that do not say
    cls = Autoencoder if settings.pop("estimator", by_model) == "Autoencoder" else VAE
    settings = {key: value for key, value in settings.items() if key not in ("recipe", "likelihood", "random_state", "seed")}
    try:
        seed = checked(fitted.settings.get("seed"), Count, "the seed")
        arguments = checked_arguments(cls, settings, "the estimator")
        vae = cls(**arguments, recipe=fitted.recipe, random_state=seed)
        vae._check_parameters()
    except (LatenteError, TypeError) as error:
        raise StorageError(f"{path} does not describe an estimator of this Latente: {error}") from error
    return vae


def text_columns(kinds: Mapping[str, str] | None) -> list[str]:
    """The columns that hold text by what is said of their kinds, even where most of it looks like numbers."""
    return [name for name, kind in (kinds or {}).items() if kind in ("categorical", "identifier", "text")]


def _few(rows: Rows) -> Rows:
    """As many rows as may stay in memory."""
    return rows.spread(min(MAX_ROWS_AT_HAND, max(1, MAX_VALUES_AT_HAND // rows.x[:1].numel())))


def field_resolution(codec: Codec) -> Tensor:
    """Smallest recorded step of each value of an encoded row, [F]."""
    return torch.cat([torch.full((max(1, field.size),), field.resolution) for field in codec.fields])


def _figures(outcome: Outcome, settings: Settings, latent_dim: int, n_train: int, n_held_out: int) -> dict[str, Any]:
    """What was measured, plain values only; nats per row of encoded data."""
    at = outcome.training.at
    return {
        "rows": n_train,
        "held_out_rows": n_held_out,
        "latent_dim": latent_dim,
        "active_units": int(outcome.diagnosis.active.sum()),
        "distortion": outcome.evaluated["held_out_distortion"],
        "rate": outcome.evaluated["held_out_rate"],
        "loss": outcome.evaluated["held_out_loss"],
        "mutual_information": _or_none(outcome.diagnosis.information),
        "gain_over_independent_columns": outcome.diagnosis.gain,
        "probabilistic_pca": _or_none(outcome.linear),
        "epochs": at.epoch,
        "best_epoch": at.best_epoch,
        "seconds": at.elapsed,
        "finished": at.finished,
        "device": settings.device,
        "precision": settings.precision,
        "batch_size": settings.batch_size,
    }


def _asked(given: Mapping[Any, Any], name: str) -> Any:
    """What is asked of a column, whose name may have been a number."""
    return next(wanted for key, wanted in given.items() if str(key) == name)


def one_in(probability: float) -> str:
    """How often something happens, for people.

    >>> one_in(0.0004), one_in(0.68)
    ('by the model one row in 2,500', 'by the model one row in 1.5')
    """
    rows = 1 / max(probability, 1e-300)
    return f"by the model one row in {rows:,.0f}" if rows >= 10 else f"by the model one row in {rows:.2g}"


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _both(first: Observer, second: Observer | None) -> Observer:
    def tell(training: Training) -> None:
        first(training)
        if second is not None:
            second(training)

    return tell


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= least


def _widths(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(_whole(width, 1) for width in value)


def _positive(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf


def _marks(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(mark, (str, int, float)) for mark in value)


def _share(value: Any) -> bool:
    return isinstance(value, Real) and 0 <= float(value) < 1


def _as_rows(X: Any, row_ndim: int) -> Any:
    """One row (or picture) with the dimension of rows: an array, or a row of a pandas frame."""
    if getattr(X, "ndim", None) != row_ndim:
        return X
    return X.to_frame().T.infer_objects() if hasattr(X, "to_frame") else X[None]
