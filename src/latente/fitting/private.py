"""A differentially private fit: the rows meet the model only in :mod:`latente.training.private`.

What a fit otherwise takes from the rows comes from elsewhere. Units, kinds and levels are those of public rows, or of bounds
that the user passes. The sizes of the model follow from the numbers of rows and columns. The fitted prior is the model's own.
Figures, and what scores are compared with, are measured on rows that the private model draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from latente.blueprint import Blueprint
from latente.data import Album, Codec, Images, Pieces, Table, TableCodec, encode, fit_codec, read
from latente.data.containers import numpy_dtype
from latente.data.moments import kind_of
from latente.errors import DataError, ModelError
from latente.fitted import Fitted
from latente.fitting.finish import finished
from latente.fitting.prepare import Prepared
from latente.model.latent_model import LatentModel
from latente.parameters import Parameters, text_columns
from latente.rows import Rows
from latente.seeding import seeded
from latente.tasks import generation
from latente.training.diagnosis import COLLAPSED, diagnose, finding
from latente.training.fit import NOT_LINEAR, Observer, Outcome
from latente.training.private import PrivateTraining, private_settings
from latente.training.split import Split
from latente.training.stages import TRAINING, Figures, Stages
from latente.words import Message, some

MADE, EACH_LEVEL, FEW = 1000, 20, 50  # public rows that are made of bounds; of each level; whole numbers that are listed
DAY = 86400.0  # seconds
MIN_DRAWN, DRAWN = 200, 2000  # rows of the model, on which figures are measured
MAX_CODE, HIDDEN = 16, (64,)  # the noise grows with the number of parameters
LARGER_BUDGET = Message("fit.larger_budget")


def private_fit(
    data: Table | Images | Pieces | Album,
    public: Any,
    parameters: Parameters,
    settings: dict[str, Any],
    stages: Stages,
    observer: Observer,
    init: Fitted | None,
) -> tuple[Fitted, list[str]]:
    """Train within the budget of the recipe, and finish with rows of the model.

    Raises:
        ModelError: an option needs what a private fit does not measure. DataError: the rows are not as the public ones.
    """
    prepared, public_rows = _prepared(data, public, parameters, settings["seed"], init)
    limit = stages.for_training()
    training = _training(prepared, public_rows, parameters, limit)
    with stages(TRAINING):
        training.run(after_epoch=observer)
    model = training.use_best().cpu().eval()
    drawn = replace(prepared, split=_drawn(prepared, model))
    with seeded(prepared.plan.seed):
        diagnosis = diagnose(model, drawn.split.train, drawn.split.judged)
    outcome = Outcome(model, training, {}, diagnosis, math.nan, without_code=True)
    if diagnosis.collapsed:
        outcome.warnings.append(finding(COLLAPSED, diagnosis.collapsed, LARGER_BUDGET))
    fitted = finished(drawn, outcome, training.settings, stages, settings)
    fitted.at_hand = None
    spent = training.spent.to_json()
    counts = {"rows": len(prepared.split.train), "held_out_rows": 0, "differential_privacy": spent}
    fitted.figures = Figures({**fitted.figures, **counts})
    told = Message("fit.private", epsilon=spent["epsilon"], delta=spent["delta"])
    fitted.notes = [told, *_left_out(prepared.codec, data), *outcome.warnings]
    return fitted, outcome.warnings


def _left_out(codec: Codec, data: Table | Images | Pieces | Album) -> list[Message]:
    """A note on columns that nothing public is known of."""
    known = set(codec.names) if isinstance(codec, TableCodec) else set()
    left = [name for name in data.names if name not in known] if isinstance(data, Table) else []
    return [Message("fit.not_public", columns=some(map(repr, left)))] if left else []


def _prepared(
    data: Table | Images | Pieces | Album, public: Any, parameters: Parameters, seed: int, init: Fitted | None
) -> tuple[Prepared, Rows]:
    """The encoded rows, and the public ones."""
    if isinstance(data, Pieces | Album):
        raise DataError("a private fit needs rows that fit into memory: select fewer rows, or fewer columns")
    _refuse(parameters)
    recipe = parameters.chosen_recipe()
    codec, shown = _public(data, public, parameters) if init is None else (init.codec, None)
    rows = _within(codec, data, shown)
    plan, d = parameters.plan(seed), parameters.latent_dim
    if init is None:
        size = rows.x[0].numel()
        hidden = HIDDEN if isinstance(parameters.hidden, str) else tuple(parameters.hidden)
        d = min(MAX_CODE, (size + 1) // 2) if d == "auto" else int(d)
        masked = shown is not None and shown.mask is not None
    else:
        hidden, d, masked = None, init.latent_dim, bool(init.model.encoder.arguments.get("masked", True))
        recipe = replace(init.recipe, privacy=recipe.privacy)
    blueprint = Blueprint(recipe, codec.fields, len(rows), d, hidden, masked)
    return Prepared(codec, Split(rows, None), blueprint, plan, None, init=init), shown if shown is not None else rows[:0]


def _refuse(parameters: Parameters) -> None:
    """Refuse options that look at the rows outside the budget."""
    asked = {
        "time": (parameters.time is not None, "a step of a series is part of several windows"),
        "trim": (parameters.trim is not None, "which rows are left out depends on all others"),
        "keep": (parameters.keep not in ("auto", 0), "the constraint is measured on the rows"),
        "row_model": (parameters.row_model == "autoregressive", "a second model would need a budget of its own"),
    }
    for name, (refused, why) in asked.items():
        if refused:
            raise ModelError(f"a private fit can't take {name}=…: {why}; leave it out")


def _training(prepared: Prepared, public: Rows, parameters: Parameters, limit: float | None) -> PrivateTraining:
    """The run, at its start: drawn from the seed and from public rows."""
    privacy = prepared.blueprint.recipe.privacy
    assert privacy is not None
    rows = prepared.split.train
    asked = parameters.max_epochs != "auto", parameters.batch_size != "auto"
    settings = private_settings(replace(prepared.settings(limit), workers=1), len(rows), *asked)
    with seeded(settings.seed, 0):
        learner: Any = prepared.learners(prepared.blueprint)(NOT_LINEAR)
        if prepared.init is None:
            learner.start(public, prepared.resolution)
    return PrivateTraining(learner, rows, settings, privacy)


def _drawn(prepared: Prepared, model: LatentModel) -> Split:
    """Rows that the model draws, in two halves."""
    n = min(DRAWN, max(MIN_DRAWN, len(prepared.split.train)))
    x = generation.sample(model, None, n, prepared.plan.seed, True).view(-1, *prepared.codec.shape)
    return Split(Rows(x[::2].contiguous()), Rows(x[1::2].contiguous()))


# -- public rows --------------------------------------------------------------------------------------------------------


def _public(data: Table | Images, public: Any, parameters: Parameters) -> tuple[Codec, Rows]:
    """The codec of public rows, and these rows encoded."""
    kinds = dict(parameters.kinds or {})
    if isinstance(data, Images):
        shown: Any = _pictures(data, public)
    elif public is None:
        raise ModelError(
            "a private fit takes units, kinds and levels from what is public: pass public={'age': (0, 120), 'sex': ['f', 'm']} "
            f"(--public age=0:120 --public sex=f,m) with bounds or levels of the {len(data.names)} columns, a tuple "
            "(low, high) for all columns, or public rows"
        )
    elif isinstance(public, (Mapping, tuple)):
        shown, known = _made(data, public if isinstance(public, Mapping) else dict.fromkeys(data.names, public))
        kinds = {**known, **kinds}
    else:
        shown = read(public, texts=text_columns(kinds), missing=parameters.missing or ())
    codec = fit_codec(shown, kinds or None, parameters.chosen_recipe().support is not None)
    return codec.in_container(data.container), encode(codec, shown)


def _pictures(data: Images, public: Any) -> Images:
    """Public pictures, or noise between the ends of their range."""
    if public is not None and not isinstance(public, tuple):
        shown = read(public)
        if not isinstance(shown, Images) or shown.pixels.shape[1:] != data.pixels.shape[1:]:
            raise DataError(f"public=… are pictures of another size than {data.pixels.shape[1:]}")
        return shown
    low, high = public or ((0, 255) if data.pixels.dtype == np.uint8 else (0.0, 1.0))
    noise = np.random.default_rng(0).uniform(low, high, (EACH_LEVEL, *data.pixels.shape[1:]))
    noise[0], noise[1] = low, high
    return replace(data, pixels=noise.round().astype(np.uint8) if data.pixels.dtype == np.uint8 else noise)


def _made(data: Table, bounds: Mapping[str, Any]) -> tuple[Table, dict[str, str]]:
    """A table with values between bounds, independent in each column, and the kinds of its columns."""
    unknown = [name for name in bounds if name not in data.names]
    left = [name for name in data.names if name not in bounds]
    if unknown or (left and not data.named):
        raise DataError(
            f"public=…: there is no column {unknown[0]!r}; there are {', '.join(map(repr, data.names))}"
            if unknown
            else f"public=… lacks {left[0]!r}: pass bounds or levels of each column of an array without names"
        )
    places = [place for place, name in enumerate(data.names) if name in bounds]
    told = [
        _Told.of(
            data.names[place],
            bounds[data.names[place]],
            place in data.levels,
            _is_whole(data, place),
            kind_of(data.dtypes[place]),
        )
        for place in places
    ]
    n = max(MADE, *(EACH_LEVEL * len(each.values) for each in told))
    shuffled = np.random.default_rng(0)
    values = np.stack([shuffled.permutation(each.column(n)) for each in told], 1)
    levels = {new: each.levels for new, each in enumerate(told) if each.levels}
    dtypes = tuple(data.dtypes[place] for place in places)
    table = replace(
        data, names=tuple(each.name for each in told), values=values, dtypes=dtypes, levels=levels, exact={}, text=None
    )
    return table, {each.name: each.kind for each in told if each.kind}


@dataclass(frozen=True)
class _Told:
    """What is public of a column.

    Attributes:
        values: that it takes; for numbers between bounds some of them.
        levels: for text, the levels. kind: if it does not follow from the values.
        missing: whether values may be missing.
    """

    name: str
    values: np.ndarray[Any, Any]
    levels: tuple[str, ...] = ()
    kind: str = ""
    missing: bool = False

    MISSING: ClassVar[float] = 0.1  # share of the made rows

    @classmethod
    def of(cls, name: str, told: Any, text: bool, whole: bool, moments: str = "") -> _Told:
        """From bounds (a tuple of two), or all values; None among them stands for a missing value. ``moments``: the kind of
        a column of dates, times or durations.
        """
        if isinstance(told, str) or not isinstance(told, (tuple, list, set, np.ndarray)):
            raise DataError(f"public={{{name!r}: {told!r}}}: it must be bounds (low, high), or a list of all values")
        given = [value for value in told if value is not None]
        missing = len(given) < len(told)
        if len(set(map(str, given))) < 2 - (missing and len(given) > 0):
            raise DataError(
                f"public={{{name!r}: {told!r}}}: it must hold two different values; to leave the column out, leave it out here"
            )
        if text:
            levels = tuple(sorted(map(str, given)))
            return cls(name, np.arange(len(levels)), levels, missing=missing)
        numbers = np.array([_number(name, value, moments) for value in given])
        if not (isinstance(told, tuple) and len(given) == 2):
            return cls(name, numbers, missing=missing)
        low, high = numbers
        if not low < high:
            raise DataError(f"public={{{name!r}: {told!r}}}: bounds are (low, high), the lower one first")
        if whole and high - low < FEW:
            return cls(name, np.arange(low, high + 1), missing=missing)
        values = np.linspace(low, high, MADE)
        if moments:
            return cls(name, (values // DAY * DAY) if low % DAY == high % DAY == 0 else values, (), moments, missing)
        return cls(name, values.round() if whole else values, (), "integer" if whole else "real", missing)

    def column(self, n: int) -> np.ndarray[Any, Any]:
        """n values, each as often as the others."""
        column = np.resize(self.values.astype(np.float64), n)
        column[: round(self.missing * self.MISSING * n)] = np.nan
        return column


def _is_whole(data: Table, place: int) -> bool:
    """Whether the type of a column is one of whole numbers."""
    return numpy_dtype(data.dtypes[place]).kind in "iu"


def _number(name: str, value: Any, moments: str) -> float:
    try:
        if hasattr(value, "year") or (moments == "calendar" and isinstance(value, (str, np.datetime64))):
            number = float(np.datetime64(value, "us").astype(float) / 1e6)
        else:
            number = float(value.total_seconds() if hasattr(value, "total_seconds") else value)
    except (TypeError, ValueError) as error:
        held = "dates, such as 2024-05-01" if moments == "calendar" else "numbers"
        raise DataError(f"public={{{name!r}: …}} holds {value!r}, and the column holds {held}") from error
    if not math.isfinite(number):
        raise DataError(f"public={{{name!r}: …}} holds {value!r}: it must be a finite number, or None if values may be missing")
    return number


def _within(codec: Codec, data: Table | Images, public: Rows | None) -> Rows:
    """Encoded rows, whose values outside the public range are moved to its ends.

    Raises:
        DataError: a value is missing or a level unknown, and nothing public says that this may be.
    """
    rows = encode(codec, codec.like_fitted(data))
    if rows.mask is not None and public is not None and public.mask is None:
        raise DataError(
            "values are missing, and no public value is: put None among those of such columns, as in (0, 120, None)"
        )
    low, high = (_ends(codec, end) for end in ("low", "high"))
    x = rows.x.clamp(low, high)
    return replace(rows, x=x if rows.mask is None else x * rows.mask)


def _ends(codec: Codec, end: str) -> Tensor:
    """One end of the range of each value of an encoded row."""
    free = -math.inf if end == "low" else math.inf
    known = [None if field.levels else getattr(grid, end) for field, grid in zip(codec.fields, codec.grids, strict=True)]
    return torch.tensor([free if value is None else value for value in known], dtype=torch.float32)
