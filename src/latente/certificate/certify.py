"""From a model and its rows to the certificate: the draws are made here, the measures know nothing of models."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from latente.certificate import attribution, information, overfitting
from latente.certificate import completeness as complete
from latente.certificate import continuity as continuous
from latente.certificate.certificate import Certificate
from latente.certificate.estimates import NO_DENSITY, NOT_REFINED, Array, Estimate, mean_of, measured, unknown
from latente.certificate.features import Features, distinct, shuffled
from latente.certificate.subjects import (
    Linear,
    Modelled,
    Subject,
    column_means,
    indicators,
    seen_values,
    spread_out,
)
from latente.certificate.verdicts import Kind, Verdict, overfits, verdicts
from latente.model.codes import CodeDistribution, rate
from latente.model.latent_model import LatentModel
from latente.model.priors import OwnPrior, Prior
from latente.model.row_models import RowModel
from latente.model.spaces import Euclidean, Moments
from latente.rows import CATEGORICAL, Field, Rows, levels_of
from latente.seeding import seeded
from latente.storage import identity
from latente.tasks.generation import sample
from latente.tasks.reconstruct import reconstruct
from latente.threads import on_one_thread
from latente.training.dependence import dependence
from latente.training.diagnosis import active_units
from latente.words import Message

FAR = 1e9  # in encoded units, in which no value that was read is farther
M = 2000  # rows of each kind that are compared
MAX_REPEATS = 5  # of a comparison with few held-out rows
GEOMETRY_POINTS = 256
CERTIFIED = 7_000_003  # the key of these draws; it stays a number, so that a seed gives the same certificate in every version

Figures = dict[str, Estimate]


@on_one_thread()
def certify(
    model: LatentModel,
    law: Prior,
    fields: tuple[Field, ...],
    train: Rows,
    held_out: Rows,
    seed: int,
    recipe: str = "",
    row_model: RowModel | None = None,
) -> Certificate:
    """Measure a trained model.

    Args:
        model, law: the model and the law fitted to its codes.
        fields: of the rows.
        train: rows that it learnt from; held_out: rows that it did not.
        seed: the same seed gives the same certificate.
        recipe: what to call the model.
        row_model: what new rows are drawn from, where it is another model.
    """
    stage = Stage(train, held_out, fields, seed)
    subject = Modelled(model, fields, stage.held_out)
    laws = {"prior": _prior(model), "law": lambda n: law.sample(n).float()}
    spent = spent_on(model, stage.held_out, seed)
    figures = measured(SPACE, lambda: space(stage, subject, laws))
    figures |= informed(stage, model, subject, spent)
    figures |= measured(COPIED, lambda: copied(stage, _emitted(row_model or model, subject, law, stage, seed)))
    figures |= measured(REMEMBERED, lambda: remembered(model, stage.train, spent, seed))
    figures |= measured(ATTRIBUTED, lambda: attributed(stage, model, law))
    related = dependence(stage.train, levels_of(fields)).found
    kind = Kind(model.has_rate, row_model is not None and row_model is not model, related)
    about = {
        "recipe": recipe,
        "latent_dim": model.latent_dim,
        "law": law.name,
        "row_model": kind.row_model,
        "related_columns": related,
        "rows": len(train),
        "held_out_rows": len(held_out),
        "repeated_rows_left_out": len(train) + len(held_out) - len(stage.train) - len(stage.everyone),
        "model": identity(model, law, row_model or model),
    }
    return Certificate(about, figures, verdicts(figures, kind))


def overfitting_of(model: LatentModel, train: Rows, held_out: Rows, seed: int) -> Verdict | None:
    """The certificate's verdict "overfits", and nothing of what takes longer; arguments as for :func:`certify`, of a model
    whose code did not collapse.
    """
    train = distinct(train)
    held_out = distinct(held_out, train).spread(M)
    spent = spent_on(model, held_out, seed)
    figures = remembered(model, train, spent, seed)
    figures["gain"] = gained(model, train, held_out, spent)
    return overfits(figures, Kind(model.has_rate))


def drawing(seed: int, name: str) -> AbstractContextManager[None]:
    """Inside, what is drawn is a measure's own: no other measure, and nothing that it does not depend on, changes it."""
    return seeded(seed, CERTIFIED, name)


def _emitted(row_model: RowModel, subject: Modelled, law: Prior, stage: Stage, seed: int) -> Array:
    """Rows as a user gets them, in φ; of an autoencoder with noise, for its means alone are nobody's rows."""
    with stage.drawing("emitted"):
        if row_model is subject.model:
            return stage.features_of(subject.draws(law.sample(stage.m).float()))
        return stage.features_of(sample(row_model, law, stage.m, seed, noise=True))


def _prior(model: LatentModel) -> Draws | None:
    """Draws of the model's prior; an autoencoder has none."""
    return OwnPrior().bind(model).sample if model.has_prior else None


Draws = Callable[[int], Tensor]


@dataclass
class Stage:
    """Real rows, what they are in φ, and the scale that models are put on. Repeated rows are left out.

    Attributes:
        train, held_out: the rows; fields: theirs.
        seed: each measure draws by it and by its own name.
    """

    train: Rows
    held_out: Rows
    fields: tuple[Field, ...]
    seed: int = 0
    phi: Features = field(init=False)

    def __post_init__(self) -> None:
        self.train = distinct(self.train)
        self.everyone = distinct(self.held_out, self.train)
        self.held_out = self.everyone.spread(M)
        self.phi = Features.fit(self.train, self.fields)
        self.m = min(len(self.train), len(self.held_out))
        self.repeats = min(MAX_REPEATS, math.ceil(M / max(1, self.m)))
        with self.drawing("real"):
            self.real = self.phi(self.held_out)

    def drawing(self, name: str) -> AbstractContextManager[None]:
        """:func:`drawing` of a measure of this stage."""
        return drawing(self.seed, name)

    @cached_property
    def learnt(self) -> Array:
        """Training rows in φ, all that there are."""
        with self.drawing("learnt"):
            return self.phi(self.train)

    def some(self) -> Rows:
        """As many training rows as are compared, drawn at random."""
        return self.train[torch.randperm(len(self.train))[: self.m]]

    def against(self, sample: Callable[[], Array]) -> complete.Affinity:
        """S of samples in φ with the held-out rows."""
        return complete.Affinity.together([complete.Affinity.between(sample(), self.real) for _ in range(self.repeats)])

    @cached_property
    def scale(self) -> complete.Scale:
        """S_null and S_real."""
        with self.drawing("affinity_null"):
            null = self.against(lambda: self.phi(shuffled(self.some())))
        with self.drawing("affinity_real"):
            return complete.Scale(null, self.against(lambda: self.phi(self.some())))

    @cached_property
    def closeness(self) -> continuous.Closeness:
        """How close training rows come to held-out ones, of at most 2,000."""
        with self.drawing("closeness"):
            return continuous.Closeness.between(self.real, self.phi(self.train[torch.randperm(len(self.train))[:M]]))

    def features_of(self, x: Tensor, mask: Tensor | None = None) -> Array:
        """φ of decoded rows [N, F], with the holes of random training rows unless they are given: a hole says nothing of a
        model that has none. Values that are not finite are far from all others.
        """
        x = x.nan_to_num(FAR, FAR, -FAR).clamp(-FAR, FAR)
        if mask is None and self.train.mask is not None:
            mask = self.train.mask[torch.randint(len(self.train), (len(x),))]
        return self.phi(Rows(x.view(len(x), *self.train.x.shape[1:]), mask))

    def completeness(self, subject: Subject, draw: Draws, name: str) -> tuple[complete.Affinity, Estimate]:
        """S and C of rows that a subject emits for codes drawn from a law; ``name`` is that of the figure."""
        with self.drawing(name):
            affinity = self.against(lambda: self.features_of(subject.draws(draw(self.m))))
        return affinity, complete.completeness(affinity, self.scale)

    def ceiling(self, subject: Subject) -> Estimate:
        """C of the held-out rows' own codes: what the decoder could do with a perfect law. A row's reconstruction does not
        count as its neighbour.
        """
        with self.drawing("completeness_ceiling"):
            parts = [self._rebuilt(subject) for _ in range(self.repeats)]
        affinity = complete.Affinity.together([complete.Affinity.between(part, self.real, paired=True) for part in parts])
        return complete.completeness(affinity, self.scale)

    def _rebuilt(self, subject: Subject) -> Array:
        return self.features_of(subject.draws(subject.codes(self.held_out)), self.held_out.mask)

    def continuity(self, subject: Subject, moments: Moments, name: str, rho: float = continuous.RHO) -> Estimate:
        """K of a subject; ``name`` is that of the figure. Where rows hold nothing but their columns one by one, a code that is
        continuous is one of noise.
        """
        if moments.space.not_continuous or self.scale.alike():
            return unknown(moments.space.not_continuous or self.scale.alike())
        with self.drawing(name):
            pairs = [self._distances(subject, moments, rho) for _ in range(self.repeats)]
        near, far = (sum(parts) / len(parts) for parts in zip(*pairs, strict=True))
        return continuous.continuity(near, far, self.closeness)

    def _distances(self, subject: Subject, moments: Moments, rho: float) -> tuple[Array, Array]:
        z = subject.codes(self.held_out)
        others = z.roll(1 + int(torch.randint(max(1, len(z) - 1), ())), 0)
        decoded = (subject.means(codes) for codes in (moments.neighbours(z, rho), others))
        near, far = (continuous.squared(self.real, self.features_of(x, self.held_out.mask)) for x in decoded)
        return near, far


# Which figures each of the functions below gives.
SPACE = (
    "completeness", "completeness_ceiling", "affinity", "affinity_null", "affinity_real", "completeness_prior",
    "completeness_law", "continuity", *(f"continuity_rho_{rho}" for rho in continuous.CURVE), "density", "coverage",
    "completeness_pca", "completeness_beyond_pca", "continuity_pca",
)  # fmt: skip
COSTS = ("distortion", "rate", "loss", "nll", "effective_samples", "gain")
AGGREGATED = ("rate_train", "mutual_information", "marginal_kl", "prior_holes")
KEPT = ("information_kept", "information_kept_pca", "information_beyond_pca")
STRETCHED = ("stretch", "condition")
COPIED = ("copying", "nearer_to_training", "exact_copies", "exact_copies_held_out")
REMEMBERED = ("gap", "membership", "membership_at_1")
ATTRIBUTED = ("approximation", "amortisation", "prior_mismatch")


def space(stage: Stage, subject: Modelled, laws: dict[str, Draws | None]) -> Figures:
    """Completeness and continuity of a subject, and what they are made of, beside those of principal components."""
    with stage.drawing("moments"):
        moments = subject.model.space.moments(subject.codes(stage.train))
    affinity, headline = stage.completeness(subject, moments.draw, "completeness")
    figures = {
        "completeness": headline,
        "completeness_ceiling": stage.ceiling(subject),
        "affinity": complete.affinity_of(affinity),
        "affinity_null": complete.affinity_of(stage.scale.null),
        "affinity_real": complete.affinity_of(stage.scale.real),
    }
    for law, draw in laws.items():
        name = f"completeness_{law}"
        figures[name] = stage.completeness(subject, draw, name)[1] if draw else unknown(NO_DENSITY)
    figures["continuity"] = stage.continuity(subject, moments, "continuity")
    for rho in continuous.CURVE:
        name = f"continuity_rho_{rho}"
        figures[name] = stage.continuity(subject, moments, name, rho)
    with stage.drawing("density"):
        fake, some = stage.features_of(subject.draws(moments.draw(stage.m))), stage.phi(stage.some())
    figures["density"], figures["coverage"] = complete.density_and_coverage(stage.real, fake, some)
    return figures | linear_space(stage, subject.model.latent_dim, affinity)


def linear_space(stage: Stage, latent_dim: int, affinity: complete.Affinity) -> Figures:
    """Completeness and continuity of principal components, as many as the code has dimensions; ``affinity`` is that of the
    model's rows, which are compared with theirs.
    """
    subject = Linear(stage.train, stage.held_out, stage.fields, latent_dim)
    codes = subject.codes(stage.train)
    moments = Euclidean(codes.shape[1]).moments(codes)
    of_linear, reached = stage.completeness(subject, moments.draw, "completeness_pca")
    return {
        "completeness_pca": reached,
        "completeness_beyond_pca": complete.beyond(affinity, of_linear, stage.scale),
        "continuity_pca": stage.continuity(subject, moments, "continuity_pca"),
    }


def informed(stage: Stage, model: LatentModel, subject: Subject, spent: information.Costs) -> Figures:
    """What the code costs and keeps, how codes lie, and how the decoder stretches them."""
    active = active_units(model, stage.train)
    figures = {"active_units": Estimate(float(active.sum()))}
    figures |= measured(COSTS, lambda: costs(stage, model, spent))
    figures |= measured(AGGREGATED, lambda: aggregated(stage, model))
    figures |= measured(KEPT, lambda: kept_beside_pca(stage, model, int(active.sum())))
    return figures | measured(STRETCHED, lambda: stretched(stage, model, subject, active))


def costs(stage: Stage, model: LatentModel, held_out: information.Costs) -> Figures:
    """Distortion, rate and bounds of held-out rows."""
    figures = {"distortion": mean_of(held_out.distortion)}
    names = COSTS[1:]
    if not model.has_rate:
        return figures | {name: unknown(NO_DENSITY) for name in names}
    count, draws = information.affordable(model)
    with stage.drawing("nll"):
        bound, effective = information.importance_bound(model, stage.held_out.spread(count), draws)
    figures["gain"] = gained(model, stage.train, stage.held_out, held_out)
    values = (held_out.rate, held_out.loss, bound, effective)
    return figures | dict(zip(names, map(mean_of, values), strict=False))


def spent_on(model: LatentModel, held_out: Rows, seed: int) -> information.Costs:
    """Rate and distortion of held-out rows."""
    with drawing(seed, "costs"):
        return information.Costs.of(model, held_out)


def gained(model: LatentModel, train: Rows, held_out: Rows, spent: information.Costs) -> Estimate:
    """Nats per held-out row over columns that know nothing of each other."""
    if not model.has_rate:
        return unknown(NO_DENSITY)
    independent = model.likelihood.independent(train, held_out).double().numpy()
    return mean_of(-spent.loss - independent)


@torch.no_grad()
def aggregated(stage: Stage, model: LatentModel) -> Figures:
    """I(x;z) and the gap between the aggregated posterior and the prior, over training rows; holes of the prior."""
    if not model.has_rate:
        return {name: unknown(NO_DENSITY) for name in AGGREGATED}
    with stage.drawing("mutual_information"):
        q = model.encode(stage.train.spread(M))
        draw = q.draw()
        terms = information.information_terms(q, draw.z[0])
        spent = rate(q, model.p(), draw).double().numpy()
    found = information.mutual_information(terms)
    return {
        "rate_train": mean_of(spent),
        "mutual_information": found,
        "marginal_kl": Estimate(float(spent.mean()) - found.value, reason=Message("reason.at_most") if found.reason else ""),
        "prior_holes": _prior_holes(stage, model, q),
    }


def _prior_holes(stage: Stage, model: LatentModel, q: CodeDistribution) -> Estimate:
    """Holes of the prior among the posteriors ``q`` of training rows."""
    if model.space.not_continuous:
        return unknown(model.space.not_continuous)
    n = len(stage.held_out)
    draws = max(1, min(information.MAX_DRAWS_FOR_HOLES, M // max(1, n)))  # a quantile of few rows hangs on each draw
    with stage.drawing("prior_holes"):
        of_held_out = model.encode(stage.held_out).rsample((draws,)).transpose(0, 1)
        of_prior = OwnPrior().bind(model).sample(M)
    density = information.aggregated_log_density(q, of_held_out.flatten(0, 1)).reshape(n, draws)
    return information.prior_holes(information.aggregated_log_density(q, of_prior), density)


def kept_beside_pca(stage: Stage, model: LatentModel, active: int) -> Figures:
    """Variance of held-out rows that is kept, and what as many principal components keep."""
    levels = levels_of(stage.fields)
    middle = column_means(stage.train, levels)
    values, seen = spread_out(stage.held_out, levels, middle), seen_values(stage.held_out, levels)
    rebuilt = indicators(Rows(reconstruct(model, stage.held_out)), levels)
    kept = information.information_kept(values, rebuilt, middle, seen)
    if not active:
        none = unknown(Message("reason.no_active"))
        return {"information_kept": kept, "information_kept_pca": none, "information_beyond_pca": none}
    linear = Linear(stage.train, stage.held_out, stage.fields, active)
    by_pca = indicators(Rows(linear.means(linear.codes(stage.held_out))), levels)
    return {
        "information_kept": kept,
        "information_kept_pca": information.information_kept(values, by_pca, middle, seen),
        "information_beyond_pca": information.kept_beyond(values, rebuilt, by_pca, middle, seen),
    }


def stretched(stage: Stage, model: LatentModel, subject: Subject, active: Tensor) -> Figures:
    """Spectral norm and condition of the decoder's Jacobian, over the fields that are numbers."""
    if model.space.not_continuous:
        return {name: unknown(model.space.not_continuous) for name in ("stretch", "condition")}
    numbers = torch.tensor([f.kind != CATEGORICAL for f in stage.fields])
    numbers = torch.nonzero(numbers.expand(stage.train.x[:1].numel())).squeeze(1)
    with stage.drawing("stretch"):
        z = subject.codes(stage.train.spread(M))
        points = z[torch.randperm(len(z))[:GEOMETRY_POINTS]]

    def decode(codes: Tensor) -> Tensor:
        return model.decode(model.space.project(codes).unsqueeze(0)).mean.squeeze(0)[:, numbers]

    if not len(numbers) or not bool(active.any()):
        none = unknown(Message("reason.no_number"))
        return {"stretch": none, "condition": none}
    norm, condition = information.geometry(decode, points, z.std(0) * active)
    return {"stretch": information.spread_of(norm), "condition": information.spread_of(condition)}


def copied(stage: Stage, fake: Array) -> Figures:
    """Whether generated rows, in φ, are training rows again."""
    with stage.drawing("nearer_to_training"):
        some = stage.phi(stage.some())
    return {
        "copying": overfitting.data_copying(stage.learnt, stage.real, fake),
        "nearer_to_training": overfitting.nearer_to_training(some, stage.real, fake),
        "exact_copies": overfitting.exact_copies(stage.learnt, fake, stage.phi.spread),
        "exact_copies_held_out": overfitting.exact_copies(stage.learnt, stage.real, stage.phi.spread),
    }


def remembered(model: LatentModel, train: Rows, held_out: information.Costs, seed: int) -> Figures:
    """Whether the loss tells training rows from others; of an autoencoder its -log p(x|z)."""
    with drawing(seed, "gap"):
        loss = information.Costs.of(model, train.spread(M)).loss
    area, found = overfitting.membership(loss, held_out.loss)
    return {"gap": overfitting.gap(held_out.loss, loss), "membership": area, "membership_at_1": found}


def attributed(stage: Stage, model: LatentModel, law: Prior) -> Figures:
    """Where the nats of a held-out row go, beside the overfitting gap: the family of q, the encoder, the prior."""
    rows = stage.held_out.spread(attribution.affordable(model))
    with stage.drawing("approximation"):
        losses = attribution.refine(model, rows, attribution.JUDGED_BY)
    if not model.has_rate:
        return {name: unknown(NO_DENSITY) for name in ATTRIBUTED}
    with stage.drawing("prior_mismatch"), torch.no_grad():
        z = model.encode(stage.held_out).rsample()
    mismatch = mean_of(attribution.prior_mismatch(z, OwnPrior().bind(model).log_prob, law.log_prob))
    if losses is None:
        return {"approximation": unknown(NOT_REFINED), "amortisation": unknown(NOT_REFINED), "prior_mismatch": mismatch}
    gaps = {"approximation": losses.refined - losses.bound, "amortisation": losses.amortised - losses.refined}
    return {**{name: mean_of(gap) for name, gap in gaps.items()}, "prior_mismatch": mismatch}
