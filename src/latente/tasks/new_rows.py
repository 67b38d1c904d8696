"""New rows in the user's units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latente.data import CALENDAR, SeriesCodec, seconds, table_codec
from latente.errors import DataError, ModelError, warn
from latente.fitted import Fitted
from latente.model.priors import Prior
from latente.model.row_models import RowModel
from latente.parameters import is_whole
from latente.rows import IMAGE, SCALAR, SERIES, layout_of
from latente.seeding import seeded
from latente.tasks import generation
from latente.tasks.conditions import sample_given
from latente.tasks.denoising import know_residuals

REFERENCE = 1000  # windows from which it is known how a model distributes its values
NOISE = {SCALAR: True, IMAGE: False, SERIES: True}
"""For each layout whether new rows have the noise of p(x|z) if nothing is asked: pictures with it are grainy."""


@dataclass(frozen=True)
class Request:
    """A request for new rows; arguments as in :meth:`latente.VAE.sample`.

    Raises:
        ModelError: an argument is impossible.
    """

    n: int
    given: Mapping[str, Any] | None
    missing: bool
    identifiers: bool
    prior: str
    noise: bool | None
    context: Any = None

    def __post_init__(self) -> None:
        if not is_whole(self.n, 1):
            raise ModelError(f"sample(n) takes a whole number from 1, not {self.n!r}")
        if self.prior not in ("auto", "fitted", "prior"):
            raise ModelError(f"sample(prior=…) is 'auto', 'fitted' or 'prior', not {self.prior!r}")
        if self.given is not None and not isinstance(self.given, Mapping):
            raise ModelError(f"given must map columns to conditions, such as {{'age': (30, 40)}}; it is {self.given!r}")
        if self.given and self.missing:
            raise ModelError("rows under conditions have no missing values: pass either given or missing")

    def source(self, fitted: Fitted) -> tuple[RowModel, Prior | None]:
        """The model to draw rows from, and the distribution of its codes; None for its own prior."""
        if fitted.codes_of_all_contexts and self.prior != "prior":
            raise ModelError(
                "an autoencoder has no prior, and the fitted one is that of all contexts together: take the recipe 'vae' or "
                "'cvae', or, directly after the fit, sample from the model in one context (vae.in_context)"
            )
        model: RowModel = fitted.row_model if self.prior == "auto" else fitted.model
        own = self.prior == "prior" or (self.prior == "auto" and fitted.context is not None and fitted.model.has_prior)
        return model, None if own else fitted.fitted_prior


def new_rows(fitted: Fitted, request: Request, seed: int) -> tuple[Any, dict[str, float]]:
    """Rows in the user's units, and the probability of the conditions, if there are any.

    Raises:
        DataError: no row fulfils the conditions. ModelError: not possible for pictures.
    """
    n, (model, prior) = request.n, request.source(fitted)
    noise = NOISE[layout_of(fitted.codec.fields)] if request.noise is None else request.noise
    how: dict[str, Any] = {"possible": True, **({"names_from": _names_from(fitted, seed)} if request.identifiers else {})}
    context = fitted.context_of(None, request.context, n)
    if isinstance(request.context, Mapping) and CALENDAR in request.context and isinstance(fitted.codec, SeriesCodec):
        how["begins"] = seconds(request.context[CALENDAR])
    if request.given:
        model = model if context is None else fitted.model.at(_same_for_all(context))
        x, probable = sample_given(fitted, model, prior, n, seed, request.given)
        return fitted.decode(x, **how), probable
    if not request.missing:
        return fitted.decode(_drawn(fitted, model, prior, n, seed, noise, context), **how), {}
    codec = table_codec(fitted.codec, "missing")
    missing = torch.tensor([field.missing for field in codec.fields])
    x, mask = generation.sample_incomplete(model, prior, n, seed, missing, context)
    return fitted.decode(x, mask=codec.with_missing(mask, seed), **how), {}


def _drawn(
    fitted: Fitted, model: RowModel, prior: Prior | None, n: int, seed: int, noise: bool, context: Tensor | None
) -> Tensor:
    """New encoded rows; the noise of series is that of residuals, which neighbouring steps share."""
    if not noise or layout_of(fitted.codec.fields) != SERIES:
        return generation.sample(model, prior, n, seed, noise, context)
    know_residuals(fitted)
    x = _windows(fitted, model, prior, n, seed, context)
    if fitted.model.context is not None or fitted.new_windows is None:  # values of all contexts are not those of one
        return x
    reference = _windows(fitted, model, prior, REFERENCE, fitted.seed, None)
    return fitted.new_windows.matched(x, reference)


def _windows(fitted: Fitted, model: RowModel, prior: Prior | None, n: int, seed: int, context: Tensor | None) -> Tensor:
    """New windows with the noise that residuals have, if they are known, [n, C L]."""
    if fitted.residuals is None:
        return generation.sample(model, prior, n, seed, True, context)
    means = generation.sample(model, prior, n, seed, False, context)
    with seeded(seed, "noise of series"):
        rest = None if fitted.new_windows is None else fitted.new_windows.noise(n)
        return means + fitted.residuals.sample(n, rest)


def _same_for_all(context: Tensor) -> Tensor:
    if not bool((context == context[:1]).all()):
        raise ModelError("given needs one context for all rows: sample the rows of each context separately")
    return context[:1]


def _names_from(fitted: Fitted, seed: int) -> int:
    """The seed of new names for rows; warns of columns that stay empty."""
    codec = table_codec(fitted.codec, "identifiers")
    columns = zip(codec.names, codec.kinds, codec.identifiers, strict=True)
    left = [repr(name) for name, kind, shape in columns if kind in ("identifier", "text") and shape is None]
    text = f"columns that stay empty, because they are free text or names without a pattern: {', '.join(left)}"
    if left and not any(codec.identifiers):
        raise DataError(f"{text}; leave out identifiers=True (--identifiers)")
    if left:
        warn(text)
    return seed
