"""Save and load a fitted model: one safetensors file, no code in it.

The JSON in its metadata names parts by their registered names; the tensors are weights and fitted values. Loading checks all
values and tensors, builds parts from the registry only, never more than the file has weights for, and refuses unknown entries
and damaged files. Files are not signed: anyone who replaces the weights by others of the same shapes, with a new digest, has
made another model, which loads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Required, TypedDict

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from latente.blueprint import decided_by
from latente.composition import Recipe
from latente.data import Codec, ContextCodec, SeriesCodec, TableCodec, codec_from_state
from latente.errors import LatenteError, StorageError
from latente.files import Count, checked, digest, fitting, read_tensors, write_tensors
from latente.fitted import Fitted
from latente.former_versions import UPDATES
from latente.model.autoregressive import Autoregressive
from latente.model.budget import Budget
from latente.model.latent_model import LatentModel
from latente.model.likelihoods import Likelihood
from latente.model.parts import Choice, Part, build
from latente.model.posteriors import Posterior
from latente.model.priors import OwnPrior, Prior
from latente.model.row_models import AutoregressiveModel, RowModel
from latente.model.sequences import EarlierRows, FollowingRows, SequenceModel, SequencePlan
from latente.rows import SERIES, Rows, layout_of, levels_of
from latente.seeding import seeded
from latente.training.calibration import SHARES, Calibration
from latente.training.new_windows import NewWindows
from latente.training.residuals import MAX_DIRECTIONS, Residuals
from latente.training.stages import Figures
from latente.training.surroundings import Surroundings
from latente.training.usual import QUANTILES, Usual
from latente.version import __version__
from latente.words import Message, stored

KIND = "model"
VERSION = 5
WEIGHTS = ("model.", "row_model.", "fitted_prior.")  # prefixes of the tensors of trained parts
PREFIXES = (
    "model",
    "row_model",
    "fitted_prior",
    "codec",
    "context",
    "calibration",
    "surroundings",
    "usual",
    "residuals",
    "patches",
    "sequences",
    "new_windows",
)
FACE_COLUMNS = ("encoder", "likelihood")  # parts with arguments about columns
BUDGET = 2**24  # values that may be created for the smallest file, in addition to eight per byte


Plain = float | int | None


class Measured(TypedDict, total=False):
    """Measured figures of a fit, as far as they are used after loading."""

    rows: Required[Annotated[int, msgspec.Meta(ge=1)]]
    held_out_rows: Required[Count]
    held_out_blocks: Count
    latent_dim: Count
    active_units: Count
    distortion: Plain
    rate: Plain
    loss: Plain
    row_model_loss: Plain
    mutual_information: Plain
    gain_over_independent_columns: Plain
    probabilistic_pca: Plain
    epochs: Count
    best_epoch: Count
    seconds: float
    finished: str
    device: str
    precision: str
    batch_size: Count
    privacy: dict[str, float | None]
    differential_privacy: dict[str, float]
    time: dict[str, float]
    notes: list[Message]


class OfSequences(msgspec.Struct, forbid_unknown_fields=True):
    """A model of sequences in a file: its columns and its parts."""

    plan: SequencePlan
    first: Choice
    following: Choice
    earlier: Choice


class Content(msgspec.Struct, forbid_unknown_fields=True):
    """The values of a file; each is checked by its own schema or constructor."""

    latente: str
    recipe: Recipe
    parts: dict[str, Choice]
    row_model: Choice | None
    fitted_prior: Choice
    codec: dict[str, Any]
    figures: dict[str, Any]
    history: list[dict[str, float | int]]
    settings: dict[str, Any]
    context: dict[str, Any] | None = None
    scores: list[str] = []
    sequences: OfSequences | None = None


def save(fitted: Fitted, path: str | Path) -> Path:
    """Write a model; a failure leaves no partial file.

    Raises:
        StorageError: it is not writable.
    """
    if fitted.context is None and fitted.model.context is not None:
        raise StorageError("this is a model in one context: save the original model")
    codec, arrays = fitted.codec.to_state()
    context, of_context = fitted.context.codec.to_state() if fitted.context else (None, {})
    values = {
        "latente": __version__,
        "recipe": fitted.recipe.to_json(),
        "parts": fitted.model.config(),
        "row_model": None if fitted.row_model is fitted.model else fitted.row_model.likelihood.choice().to_json(),
        "fitted_prior": fitted.fitted_prior.choice().to_json(),
        "codec": codec,
        "figures": {**fitted.figures, "notes": [*map(stored, fitted.notes)]},
        "history": fitted.history,
        "settings": fitted.settings,
        **({"context": context} if context else {}),
        "scores": list(fitted.usual.names) if fitted.surroundings else [],
        **({"sequences": _of_sequences(fitted.sequences)} if fitted.sequences else {}),
    }
    tensors = {
        **_weights(fitted.model, fitted.fitted_prior, fitted.row_model),
        **_arrays("codec", arrays),
        **_arrays("context", of_context),
        "calibration.scores": torch.from_numpy(fitted.calibration.scores),
        "calibration.surprise": torch.from_numpy(fitted.calibration.surprise),
        "calibration.covered": torch.from_numpy(fitted.calibration.covered),
        **_scores(fitted),
        **({} if fitted.residuals is None else _plain("residuals", vars(fitted.residuals))),
        **({} if fitted.patches is None else {"patches.codes": fitted.patches.contiguous()}),
        **({} if fitted.sequences is None else _named("sequences", fitted.sequences)),
        **({} if fitted.new_windows is None else _plain("new_windows", fitted.new_windows.tensors())),
    }
    return write_tensors(path, KIND, VERSION, values, tensors)


def load(path: str | Path, parts: Iterable[type[Part]] = ()) -> Fitted:
    """Read a model.

    Args:
        path: the file.
        parts: the user's own part classes in the model.

    Raises:
        StorageError: missing, damaged, of a newer version, with an unknown part or with weights that are not finite.
    """
    values, tensors = read_tensors(path, KIND, VERSION, UPDATES)
    try:
        content: Content = checked(values, Content, "the description")
        with seeded(0), torch.no_grad():
            with Budget(BUDGET + 8 * Path(path).stat().st_size):
                fitted = _fitted(content, tensors, tuple(parts))
            _try_out(fitted)
        return fitted
    except (LatenteError, KeyError) as error:
        raise StorageError(f"{path} does not describe a model that this Latente ({__version__}) can make: {error}") from error


def _fitted(content: Content, tensors: dict[str, Tensor], own: tuple[type[Part], ...]) -> Fitted:
    """The content of a file; all values and tensors are checked before they are used."""
    checked(content.figures, Measured, "the record of what was measured")
    strange = [name for name in tensors if name.partition(".")[0] not in PREFIXES]
    if strange:
        raise StorageError(f"there is no place for the tensor {strange[0]}")
    codec, context = _codec("codec", content.codec, tensors), _context(content, tensors)
    facts = decided_by(codec.fields)
    model = _model("model", _present(content), tensors, facts, own)
    if content.row_model is None and _below("row_model", tensors):
        raise StorageError("there are weights of a row model, and none is described")
    row_model = model if content.row_model is None else _row_model(content.row_model, tensors, facts, model.latent_dim)
    prior: Prior = _filled("fitted_prior", _of_kind(Prior, build(content.fitted_prior, own)), tensors).bind(model)
    calibration = _calibration(_below("calibration", tensors), math.prod(codec.shape))
    plain = content.recipe, codec, model, row_model, prior, calibration
    residuals = _residuals(_below("residuals", tensors), math.prod(codec.shape))
    notes: list[str] = [*map(Message.from_json, content.figures.pop("notes", []))]
    if model.context_size != (context.size if context else 0) or (context and row_model is not model):
        raise StorageError("its parts read another context than it describes")
    told = Figures(content.figures), content.history, content.settings, notes
    fitted = Fitted(*plain, *told, context=context, residuals=residuals)
    fitted.patches = _patches(_below("patches", tensors), fitted)
    fitted.sequences = _sequences(content, tensors, codec)
    fitted.new_windows = _new_windows(_below("new_windows", tensors), codec)
    _fill_scores(fitted, content.scores, tensors)
    return fitted


def _new_windows(tensors: dict[str, Tensor], codec: Codec) -> NewWindows | None:
    """Noise and values of new windows, where the file has them."""
    if not tensors:
        return None
    if not isinstance(codec, SeriesCodec):
        raise StorageError("only models of series have noise along time")
    (C, L), M = codec.shape, tensors["rows"].numel() // codec.shape[0]
    sizes = {"along": (C, L, L), **dict.fromkeys(("low", "high", "rows"), (C, M))}
    wanted = {name: torch.empty(shape, device="meta") for name, shape in sizes.items()}
    wanted["source"] = torch.empty(C, dtype=torch.int64, device="meta")
    held = fitting(tensors, wanted, "what is known of new windows")
    if not (int(held["source"].min()) >= 0 and int(held["source"].max()) < C and bool((held["rows"] >= 0).all())):
        raise StorageError("what is known of new windows is damaged or was altered")
    return NewWindows(**held)


def _of_sequences(model: SequenceModel) -> dict[str, Any]:
    parts = {"first": model.first.likelihood, "following": model.following.likelihood, "earlier": model.following.earlier}
    return {"plan": asdict(model.plan), **{name: part.choice().to_json() for name, part in parts.items()}}


def _sequences(content: Content, tensors: dict[str, Tensor], codec: Codec) -> SequenceModel | None:
    """A model of sequences with its weights, checked against the columns of the codec by a trial."""
    found, held = content.sequences, _below("sequences", tensors)
    if found is None:
        if held:
            raise StorageError("there are weights of a model of sequences, and none is described")
        return None
    if not isinstance(codec, SeriesCodec) or len(found.plan.constant) != len(codec.table.fields):
        raise StorageError("its model of sequences is not of its columns")
    first, following = (_of_kind(Autoregressive, build(choice)) for choice in (found.first, found.following))
    earlier = _of_kind(EarlierRows, build(found.earlier))
    try:
        model = SequenceModel(found.plan, AutoregressiveModel(first), FollowingRows(following, earlier))
        filled: SequenceModel = _filled("sequences", model, tensors)
        filled.draw(filled.draw_first(1))
    except (RuntimeError, IndexError, ValueError) as error:
        raise StorageError(f"the parts of its model of sequences do not fit each other: {error}") from error
    return filled


def _patches(tensors: dict[str, Tensor], fitted: Fitted) -> Tensor | None:
    """Codes of training windows, which models of series have."""
    if not tensors:
        return None
    wanted = {"codes": torch.empty(max(1, tensors["codes"].numel() // fitted.latent_dim), fitted.latent_dim, device="meta")}
    if layout_of(fitted.codec.fields) != SERIES:
        raise StorageError("only models of series have codes of windows")
    return fitting(tensors, wanted, "the codes of windows")["codes"]


def _scores(fitted: Fitted) -> dict[str, Tensor]:
    """What scores other than log p are compared with."""
    if fitted.surroundings is None:
        return {}
    usual = {"tails": fitted.usual.tails, "held_out": fitted.usual.held_out}
    where = {f"surroundings.{name}": value for name, value in fitted.surroundings.tensors().items()}
    return {**where, **_arrays("usual", usual)}


def _fill_scores(fitted: Fitted, names: list[str], tensors: dict[str, Tensor]) -> None:
    """What scores other than log p are compared with, where a file has it: since version 5."""
    where, usual = _below("surroundings", tensors), _below("usual", tensors)
    if not names and not where and not usual:
        return
    found = _surroundings(where)
    n = usual["held_out"].numel() // max(1, len(names))
    sizes = {"tails": (len(names), QUANTILES), "held_out": (len(names), max(1, n))}
    wanted = {name: torch.empty(shape, dtype=torch.float64, device="meta") for name, shape in sizes.items()}
    held = fitting(usual, wanted, "what scores are compared with")
    rising = held["tails"][:, :-1].diff(dim=1) >= 0
    if not (bool(rising.all()) and bool((held["tails"][:, -1] > 0).all())):
        raise StorageError("what scores are compared with is damaged or was altered")
    fitted.surroundings, fitted.usual = found, Usual(tuple(names), held["tails"].numpy(), held["held_out"].numpy())


def _surroundings(tensors: dict[str, Tensor]) -> Surroundings:
    """The summary of training rows; every tensor is checked."""
    if not {"groups", "axes"} <= tensors.keys() or tensors["groups"].ndim != 2 or not tensors["groups"].numel():
        raise StorageError("the summary of training rows is not whole")
    wanted = {name: torch.empty(shape, device="meta") for name, shape in Surroundings.shapes(tensors).items()}
    held = fitting(tensors, wanted, "the summary of training rows")
    if not (bool((held["scale"] > 0).all()) and bool((held["spread"] > 0).all()) and bool((held["variance"] >= 0).all())):
        raise StorageError("the summary of training rows is damaged or was altered")
    return Surroundings(**held)


def _codec(prefix: str, described: dict[str, Any], tensors: dict[str, Tensor]) -> Codec:
    arrays = _below(prefix, tensors)
    strange = [name for name, value in arrays.items() if value.dtype not in (torch.float64, torch.int64, torch.bool)]
    if strange:
        raise StorageError(f"{prefix}.{strange[0]} is {arrays[strange[0]].dtype}")
    return codec_from_state(described, {name: value.numpy() for name, value in arrays.items()})


def _context(content: Content, tensors: dict[str, Tensor]) -> ContextCodec | None:
    """The codec of the context, if the model has one."""
    if content.context is None and not _below("context", tensors):
        return None
    codec = _codec("context", content.context or {}, tensors)
    if not isinstance(codec, TableCodec) or len(codec.fields) != len(codec.names):
        raise StorageError("its context is no table whose columns are all used")
    return ContextCodec(codec)


def _plain(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor.contiguous() for name, tensor in tensors.items()}


def _residuals(tensors: dict[str, Tensor], size: int) -> Residuals | None:
    """What decoded codes leave of clean rows, where the file says so."""
    if not tensors:
        return None
    r = min(MAX_DIRECTIONS, tensors["variance"].numel()) if "variance" in tensors else 1
    sizes = {"mean": (size,), "axes": (size, r), "variance": (r,), "rest": (size,)}
    wanted = {name: torch.empty(shape, device="meta") for name, shape in sizes.items()}
    held = fitting(tensors, wanted, "what is known of residuals")
    if not (_is_positive(held["variance"]) and _is_positive(held["rest"])):
        raise StorageError("what is known of residuals is damaged or was altered")
    return Residuals(**held)


def _arrays(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}


def _model(
    prefix: str, parts: dict[str, Choice], tensors: dict[str, Tensor], facts: dict[str, Any], own: tuple[type[Part], ...]
) -> LatentModel:
    """A model with its weights, checked against the columns of the codec."""
    for role, part in parts.items():
        _check_columns(part, facts if role in FACE_COLUMNS else {"shape": facts["shape"]})
    model = LatentModel.from_config(parts, own)
    for kind, made in ((Posterior, model.posterior), (Prior, model.prior), (Likelihood, model.likelihood)):
        _of_kind(kind, made)
    filled: LatentModel = _filled(prefix, model, tensors)
    return filled


def _row_model(part: Choice, tensors: dict[str, Tensor], facts: dict[str, Any], latent_dim: int) -> RowModel:
    """A row model with its weights, checked against the columns of the codec; up to version 4 it has no input for codes."""
    _check_columns(part, facts)
    model = AutoregressiveModel(_of_kind(Autoregressive, build(part)))
    if _below("row_model.code", tensors):
        model.takes_codes(latent_dim)
    filled: RowModel = _filled("row_model", model, tensors)
    return filled


def _check_columns(part: Choice, facts: dict[str, Any]) -> None:
    for name, known in facts.items():
        if not _same(part.arguments.get(name, ()), known):
            raise StorageError(f"{name} of {part.name!r} is not that of the columns")


def _of_kind(kind: type[Part], part: Any) -> Any:
    """A part, which must be of one kind."""
    if not isinstance(part, kind):
        raise StorageError(f"the part {part.name!r} is no {kind.__name__.lower()}")
    return part


def _same(found: Any, known: Any) -> bool:
    """Whether a part's argument agrees with the fields, up to rounding, or is absent."""
    if isinstance(found, (list, tuple)):
        return not found or (isinstance(known, tuple) and len(found) == len(known) and all(map(_same_value, found, known)))
    return bool(found == known)


def _same_value(found: Any, known: Any) -> bool:
    if isinstance(found, (int, float)) and isinstance(known, (int, float)):
        return math.isclose(found, known, rel_tol=1e-9, abs_tol=1e-9)
    return _same(found, known)


def _filled(prefix: str, part: Any, tensors: dict[str, Tensor]) -> Any:
    """A module with its weights; values that must be positive, or add up to 1, are checked."""
    held = fitting(_below(prefix, tensors), part.state_dict(), prefix)
    for name, value in held.items():
        rule = RULES.get(name.rpartition(".")[2])
        if rule and not rule(value):
            raise StorageError(f"{prefix}.{name} holds values that it can't")
    part.load_state_dict(held)
    return part.eval()


def _adds_up(value: Tensor) -> bool:
    return bool((value >= 0).all()) and math.isclose(float(value.sum()), 1.0, abs_tol=1e-4)


def _is_factor(value: Tensor) -> bool:
    """Whether matrices are lower triangular, with a positive diagonal."""
    return bool((value.diagonal(dim1=-2, dim2=-1) > 0).all()) and torch.equal(value, value.tril())


def _is_positive(value: Tensor) -> bool:
    return bool((value > 0).all())


# Conditions on fitted values besides their shape, by the last part of their names.
RULES: dict[str, Callable[[Tensor], bool]] = {
    "weights": _adds_up,
    "cholesky": _is_factor,
    "variance": _is_positive,
    "spread": _is_positive,
}


def _calibration(tensors: dict[str, Tensor], size: int) -> Calibration:
    """Scores in rising order, and the surprise of each value of a row."""
    n, shares = (tensors[name].numel() if name in tensors else 0 for name in ("scores", "covered"))
    sizes = {"scores": max(1, n), "surprise": size, "covered": shares and len(SHARES)}
    wanted = {name: torch.empty(length, dtype=torch.float64, device="meta") for name, length in sizes.items()}
    held = fitting(tensors, wanted, "what scores are compared with")
    if not bool((held["scores"].diff() >= 0).all() & ((held["covered"] >= 0) & (held["covered"] <= 1)).all()):
        raise StorageError("what scores are compared with is damaged or was altered")
    return Calibration(**{name: value.numpy() for name, value in held.items()})


def _try_out(fitted: Fitted) -> None:
    """Encode and decode a row of means, so that parts that do not fit each other, or give values that are not finite, are found
    when loading.
    """
    codec, found = fitted.codec, []
    size = fitted.model.context_size
    context = torch.zeros(1, size) if size else None
    rows = Rows(torch.zeros(1, *codec.shape), context=context)
    own = fitted.context is not None and isinstance(fitted.fitted_prior, OwnPrior)
    try:
        code = fitted.model.codes(rows)
        if fitted.surroundings and fitted.surroundings.groups.shape[1] != _size_of_place(fitted, code):
            raise StorageError("the summary of training rows is not of such rows")
        drawn = [code, *([] if own else [fitted.fitted_prior.sample(1).float()])]
        decoders = (fitted.model, fitted.decoder)
        found += [decoder.decode(z.unsqueeze(0), context).mean for z in drawn for decoder in decoders]
        trace, parts = fitted.model.trace(rows), fitted.model.config()
        wanted = {"prior": fitted.model.latent_dim, "decoder": fitted.model.latent_dim + size}
        if any(parts[role]["arguments"].get("latent_dim") not in (None, number) for role, number in wanted.items()):
            raise StorageError("they have codes of different dimensions")
        found += [trace.z, trace.rate]
        for px in (trace.px, fitted.row_model.typical(rows)):
            found += [px.mean, px.sample()]
            px.row_log_prob(rows.x)
            codec.decode(found[-1].reshape(1, *codec.shape), "numpy", possible=True)
    except Exception as error:
        raise StorageError(f"its parts do not fit each other: {error}") from error
    if not all(bool(torch.isfinite(value).all()) for value in found):
        raise StorageError("what it gives for a row is not finite")


def _size_of_place(fitted: Fitted, code: Tensor) -> int:
    """How many values, codes and residuals a row has together."""
    levels, size = levels_of(fitted.codec.fields), math.prod(fitted.codec.shape)
    return (sum(max(1, count) for count in levels) or size) + code.shape[1] + size - sum(count > 0 for count in levels)


def identity(model: LatentModel, prior: Prior, row_model: RowModel) -> str:
    """A digest of the weights of a model and its priors, by which measured figures are assigned to it."""
    return _digest({name: value.detach().cpu().contiguous() for name, value in _weights(model, prior, row_model).items()})


def identity_in(path: str | Path) -> str:
    """:func:`identity` of the model in a file.

    Raises:
        StorageError: there is none, or it is damaged.
    """
    _, tensors = read_tensors(path, KIND, VERSION, UPDATES)
    return _digest({name: value for name, value in tensors.items() if name.startswith(WEIGHTS)})


def _digest(weights: dict[str, Tensor]) -> str:
    """By the name that the fitted prior had when the first certificates were written, which name their models so."""
    return digest("", {name.replace("fitted_prior.", "law.", 1): value for name, value in weights.items()})


def _present(content: Content) -> dict[str, Choice]:
    """Parts with the names of this version: up to version 3, which did not store the class of the estimator, an autoencoder had
    an unused prior.
    """
    if "estimator" in content.settings or content.parts["posterior"].name != "point-mass":
        return content.parts
    return {**content.parts, "prior": Choice("no-prior")}


def _weights(model: LatentModel, prior: Prior, row_model: RowModel) -> dict[str, Tensor]:
    own = {} if row_model is model else _named("row_model", row_model)
    return {**_named("model", model), **own, **_named("fitted_prior", prior)}


def _named(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in module.state_dict().items()}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
