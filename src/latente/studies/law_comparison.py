"""The laws that the codes of a trained model can be drawn from, side by side: what changes in the certificate with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from latente.certificate import Estimate
from latente.certificate.certificate import shown
from latente.certificate.certify import Stage
from latente.certificate.estimates import NO_DENSITY, Array, mean_of, unknown
from latente.certificate.information import Costs
from latente.certificate.subjects import Modelled
from latente.data import frame
from latente.errors import ModelError, entry
from latente.estimator import VAE
from latente.model.laws import LAWS, LatentLaw, NearestLaw
from latente.rows import Rows
from latente.seeding import seeded
from latente.studies.words import as_html, as_text
from latente.words import Message

COMPARED = 13_000_027  # keeps these draws apart from all others of a seed
HEADER = ("law", "is", "C", "log density", "rate", "loss", "")


@dataclass(frozen=True)
class LawFigures:
    """A law of the codes.

    Attributes:
        name: as it was asked for. law: what was fitted.
        completeness: C of rows decoded from its draws.
        density: log-density of held-out rows' codes under it, nats.
        rate, loss: of a held-out row if the law were the model's prior, nats: E log q(z|x) - log law(z), and that with the
            distortion.
        stores_codes: whether codes of training rows lie in the file of a model that has it.
    """

    name: str
    law: LatentLaw
    completeness: Estimate
    density: Estimate
    rate: Estimate
    loss: Estimate
    stores_codes: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: getattr(self, name).to_dict() for name in ("completeness", "density", "rate", "loss")}
        return {"name": self.name, "law": self.law.choice().to_json(), **figures, "stores_codes": self.stores_codes}


@dataclass(frozen=True, repr=False)
class LawComparison:
    """Laws of the codes of one model; prints as a table.

    Attributes:
        laws: each with what was measured. notes: those that could not be fitted, and why; and why a C is not known.
    """

    laws: tuple[LawFigures, ...]
    notes: tuple[str, ...] = ()
    container: str = field(default="pyarrow", repr=False)

    def __getitem__(self, name: str) -> LawFigures:
        """A law by the name by which it was asked for."""
        return entry({law.name: law for law in self.laws}, name, "law here")

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"laws": [law.to_dict() for law in self.laws], "notes": list(self.notes)}

    def to_frame(self) -> Any:
        """A row for each law, in the kind of frame that the data came in (pyarrow for arrays)."""
        columns: dict[str, Any] = {"law": [law.name for law in self.laws]}
        for name in ("completeness", "density", "rate", "loss"):
            columns[name] = [getattr(law, name).value for law in self.laws]
        return frame({**columns, "stores_codes": [law.stores_codes for law in self.laws]}, self.container)

    def lines(self) -> list[tuple[str, ...]]:
        """The cells of the table, :data:`HEADER` above them."""
        return [
            (law.name, law.law.name, *(_cell(figure) for figure in (law.completeness, law.density, law.rate, law.loss)),
             "stores codes of rows" if law.stores_codes else "")
            for law in self.laws
        ]  # fmt: skip

    def __str__(self) -> str:
        return "\n".join([as_text(HEADER, self.lines()), *self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(HEADER, self.lines())


def _cell(figure: Estimate) -> str:
    return shown(figure) if figure.known else "–"


def compare_laws(vae: VAE, laws: Sequence[str] = LAWS, *, train: Any = None, held_out: Any = None) -> LawComparison:
    """What each law makes of the codes of a trained model, which stays as it is.

    Args:
        vae: fitted.
        laws: names, as :meth:`latente.VAE.refit_law` takes them.
        train, held_out: rows, as :meth:`latente.VAE.certificate` takes them; not needed directly after ``fit``.

    Raises:
        DataError: rows are missing. ModelError: there is no such law.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(300, 2)) @ np.array([[1, 2, 0.5], [0, 1, -1]])
    >>> vae = VAE(latent_dim=2, max_epochs=3, random_state=0).fit(rows)
    >>> [law.name for law in compare_laws(vae, ["prior", "gaussian"]).laws]
    ['prior', 'gaussian']
    """
    unknown_laws = [law for law in laws if law not in LAWS]
    if unknown_laws:
        raise ModelError(f"there is no law of codes called {unknown_laws[0]!r}; there are {', '.join(LAWS)}")
    learnt, others = vae._learnt_and_others(train, held_out)
    ground = _Ground.laid(vae, learnt, others)
    found, notes = [], []
    for name in laws:
        try:
            found.append(ground.measured(name, vae._law(learnt, name)))
        except ModelError as error:
            notes.append(Message("study.prior_failed", name=name, error=str(error)))
    notes += dict.fromkeys(
        Message("study.c_unknown", reason=law.completeness.reason) for law in found if not law.completeness.known
    )
    return LawComparison(tuple(found), tuple(notes), vae.codec_.container)


@dataclass
class _Ground:
    """What all laws are measured on: the model, one stage, and draws of the held-out rows' codes."""

    subject: Modelled
    stage: Stage
    codes: torch.Tensor
    own: Array | None
    distortion: Array

    @classmethod
    def laid(cls, vae: VAE, learnt: Rows, others: Rows) -> _Ground:
        """Draw what is the same for all laws."""
        model = vae.model_
        with seeded(vae.seed_, COMPARED), torch.no_grad():
            stage = Stage(learnt, others, vae.codec_.fields, vae.seed_)
            q = model.encode(stage.held_out)
            z = q.rsample()
            own = q.log_prob(z).double().numpy() if model.is_stochastic else None
            costs = Costs.of(model, stage.held_out)
            return cls(Modelled(model, vae.codec_.fields, stage.held_out), stage, z, own, costs.distortion)

    def measured(self, name: str, law: LatentLaw) -> LawFigures:
        """One law; C is that which the certificate has of it, for the draws are the same."""
        density = law.log_prob(self.codes.double()).double().numpy()
        completeness = self.stage.completeness(self.subject, lambda n: law.sample(n).float(), "completeness_law")[1]
        rate = unknown(NO_DENSITY) if self.own is None else mean_of(self.own - density)
        loss = unknown(NO_DENSITY) if self.own is None else mean_of(self.own - density + self.distortion)
        return LawFigures(name, law, completeness, mean_of(density), rate, loss, isinstance(law, NearestLaw))
