"""Compare the priors from which the codes of a trained model can be sampled, by the certificate's figures."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from latente.certificate import Estimate
from latente.certificate.certificate import shown
from latente.certificate.certify import Setting
from latente.certificate.estimates import NO_DENSITY, Array, mean_of, unknown
from latente.certificate.information import RateDistortion
from latente.certificate.subjects import Modelled
from latente.data import frame
from latente.errors import ModelError, entry
from latente.estimator import VAE
from latente.fitting.rows_of_fit import learnt_and_others
from latente.model.priors import Prior
from latente.rows import Rows
from latente.seeding import seeded
from latente.studies.words import as_html, as_text
from latente.training.ex_post import names_for
from latente.words import Message

HEADER = ("prior", "is", "C", "log density", "rate", "loss", "")


@dataclass(frozen=True)
class PriorFigures:
    """Figures of one prior.

    Attributes:
        name: the name that was passed. prior: the fitted prior.
        completeness: C of rows decoded from its samples.
        density: log-density of the codes of held-out rows, nats.
        rate, loss: of a held-out row with this prior, nats: E log q(z|x) - log prior(z), and the sum with the distortion.
        stores_codes: whether a model file with this prior contains codes of training rows.
    """

    name: str
    prior: Prior
    completeness: Estimate
    density: Estimate
    rate: Estimate
    loss: Estimate
    stores_codes: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: getattr(self, name).to_dict() for name in ("completeness", "density", "rate", "loss")}
        return {"name": self.name, "prior": self.prior.choice().to_json(), **figures, "stores_codes": self.stores_codes}


@dataclass(frozen=True, repr=False)
class PriorComparison:
    """Priors for the codes of one model; prints as a table.

    Attributes:
        priors: the figures of each. notes: which could not be fitted and why, and why a C is unknown.
    """

    priors: tuple[PriorFigures, ...]
    notes: tuple[str, ...] = ()
    container: str = field(default="pyarrow", repr=False)

    def __getitem__(self, name: str) -> PriorFigures:
        """The figures of a prior by its name."""
        return entry({each.name: each for each in self.priors}, name, "prior here")

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {"priors": [each.to_dict() for each in self.priors], "notes": list(self.notes)}

    def to_frame(self) -> Any:
        """A row for each prior, as the kind of data frame that was passed (pyarrow for arrays)."""
        columns: dict[str, Any] = {"prior": [each.name for each in self.priors]}
        for name in ("completeness", "density", "rate", "loss"):
            columns[name] = [getattr(each, name).value for each in self.priors]
        return frame({**columns, "stores_codes": [each.stores_codes for each in self.priors]}, self.container)

    def lines(self) -> list[tuple[str, ...]]:
        """The cells of the table, below :data:`HEADER`."""
        return [
            (each.name, each.prior.name, *map(_cell, (each.completeness, each.density, each.rate, each.loss)),
             "stores codes of rows" if each.stores_codes else "")
            for each in self.priors
        ]  # fmt: skip

    def __str__(self) -> str:
        return "\n".join([as_text(HEADER, self.lines()), *self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(HEADER, self.lines())


def _cell(figure: Estimate) -> str:
    return shown(figure) if figure.known else "–"


def compare_priors(
    vae: VAE, priors: Sequence[str] | None = None, *, train: Any = None, held_out: Any = None
) -> PriorComparison:
    """Fit several priors to the codes of a trained model, and measure each. The model is not changed.

    Args:
        vae: a fitted estimator.
        priors: names as for :meth:`latente.VAE.refit_prior`; by default all that the latent space supports.
        train, held_out: rows as for :meth:`latente.VAE.certificate`; not needed directly after ``fit``.

    Raises:
        DataError: rows are missing. ModelError: there is no such prior.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(300, 2)) @ np.array([[1, 2, 0.5], [0, 1, -1]])
    >>> vae = VAE(latent_dim=2, max_epochs=3, random_state=0).fit(rows)
    >>> [prior.name for prior in compare_priors(vae, ["prior", "gaussian"]).priors]
    ['prior', 'gaussian']
    """
    vae.fitted_.refuse_all_contexts("a comparison of priors")
    known = names_for(vae.model_.space.kind)
    unknown_priors = [name for name in priors or () if name not in known]
    if unknown_priors:
        raise ModelError(f"there is no prior for these codes called {unknown_priors[0]!r}; there are {', '.join(known)}")
    learnt, others = learnt_and_others(vae.fitted_, train, held_out, vae.unknown)
    setup = _Setup.prepare(vae, learnt, others)
    found, notes = [], []
    for name in known if priors is None else priors:
        try:
            found.append(setup.measured(name, vae.fitted_.prior_of(learnt, name)))
        except ModelError as error:
            notes.append(Message("study.prior_failed", name=name, error=str(error)))
    unknown_c = [each.completeness.reason for each in found if not each.completeness.known]
    notes += dict.fromkeys(Message("study.c_unknown", reason=reason) for reason in unknown_c)
    return PriorComparison(tuple(found), tuple(notes), vae.codec_.container)


def compare_laws(vae: VAE, laws: Sequence[str] | None = None, **rows: Any) -> PriorComparison:
    """The former name of :func:`compare_priors`.

    >>> compare_laws.__doc__.splitlines()[0]
    'The former name of :func:`compare_priors`.'
    """
    warnings.warn("compare_laws is now compare_priors", FutureWarning, stacklevel=2)
    return compare_priors(vae, laws, **rows)


@dataclass
class _Setup:
    """Shared by all priors: the model, the setting, and sampled codes of held-out rows."""

    subject: Modelled
    setting: Setting
    codes: torch.Tensor
    own: Array | None
    distortion: Array

    @classmethod
    def prepare(cls, vae: VAE, learnt: Rows, others: Rows) -> _Setup:
        """Sample the shared codes."""
        model = vae.model_
        with seeded(vae.seed_, "comparison of priors"), torch.no_grad():
            setting = Setting(learnt, others, vae.codec_.fields, vae.seed_)
            q = model.encode(setting.held_out)
            z = q.rsample()
            own = q.log_prob(z).double().numpy() if model.has_rate else None
            losses = RateDistortion.of(model, setting.held_out)
            return cls(setting.subject(model), setting, z, own, losses.distortion)

    def measured(self, name: str, prior: Prior) -> PriorFigures:
        """The figures of one prior; C is equal to that of the certificate, because the random numbers are the same."""
        density = prior.log_prob(self.codes.double()).double().numpy()
        name_in_certificate = "completeness_fitted_prior"
        _, completeness = self.setting.completeness(self.subject, lambda n: prior.sample(n).float(), name_in_certificate)
        rate = unknown(NO_DENSITY) if self.own is None else mean_of(self.own - density)
        loss = unknown(NO_DENSITY) if self.own is None else mean_of(self.own - density + self.distortion)
        return PriorFigures(name, prior, completeness, mean_of(density), rate, loss, prior.stores_codes)
