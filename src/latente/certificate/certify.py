"""Computes the certificate of a model and its rows: samples are drawn here; the measures work on arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from latente.certificate import attribution, information, overfitting
from latente.certificate import completeness as complete
from latente.certificate import continuity as continuous
from latente.certificate.certificate import Certificate
from latente.certificate.estimates import (
    NO_DENSITY,
    NOT_REFINED,
    NOT_STANDARD,
    Array,
    Estimate,
    mean_of,
    measured,
    unknown,
)
from latente.certificate.features import Features, distinct, shuffled
from latente.certificate.subjects import (
    CertifiedModel,
    Linear,
    Modelled,
    column_means,
    indicators,
    observed_values,
    spread_out,
)
from latente.certificate.verdicts import Kind, Verdict, overfits, verdicts
from latente.model.codes import CodeDistribution, rate
from latente.model.latent_model import LatentModel
from latente.model.priors import OwnPrior, Prior, StandardNormalPrior
from latente.model.row_models import RowModel
from latente.model.spaces import Euclidean, Moments
from latente.rows import CATEGORICAL, Field, Rows, levels_of
from latente.seeding import seeded
from latente.storage import identity
from latente.tasks.generation import sample
from latente.tasks.reconstruct import reconstruct
from latente.threads import on_one_thread
from latente.training.dependence import dependence
from latente.training.diagnosis import active_units, beyond_context
from latente.words import Message

FAR = 1e9  # encoded units; all encoded values are below this
M = 2000  # rows of each kind that are compared
MAX_REPEATS = 5  # of a comparison with few held-out rows
GEOMETRY_POINTS = 256
CERTIFIED = 7_000_003  # separates the random numbers of the certificate from others of the same seed

Figures = dict[str, Estimate]


@on_one_thread()
def certify(
    model: LatentModel,
    fitted: Prior,
    fields: tuple[Field, ...],
    train: Rows,
    held_out: Rows,
    seed: int,
    recipe: str = "",
    row_model: RowModel | None = None,
) -> Certificate:
    """Measure a trained model.

    Args:
        model, fitted: the model and the prior fitted to its codes.
        fields: the fields of the rows.
        train: training rows. held_out: validation rows.
        seed: the same seed gives the same certificate.
        recipe: what to call the model.
        row_model: what new rows are drawn from, where it is another model.
    """
    setting = Setting(train, held_out, fields, seed)
    subject = cache(lambda: setting.subject(model))  # within what is measured: any of these may fail
    terms = cache(lambda: rate_distortion(model, setting.held_out, seed))
    reached = cache(lambda: headline(setting, subject()))
    figures = measured(SPACE, lambda: space(setting, subject(), fitted, reached()))
    figures |= measured(LINEAR, lambda: linear_space(setting, model.latent_dim, reached().affinity))
    figures |= informed(setting, model, subject, terms)
    figures |= measured(COPIED, lambda: copied(setting, _emitted(row_model or model, subject(), fitted, setting, seed)))
    figures |= measured(MEMORISED, lambda: memorised(model, setting.train, terms(), seed))
    figures |= measured(ATTRIBUTED, lambda: attributed(setting, model, fitted))
    related = dependence(setting.train, levels_of(fields)).found
    kind = Kind(model.has_rate, row_model is not None and row_model is not model, related)
    about = {
        "recipe": recipe,
        "latent_dim": model.latent_dim,
        "fitted_prior": fitted.name,
        "row_model": kind.row_model,
        "related_columns": related,
        "rows": len(train),
        "held_out_rows": len(held_out),
        "repeated_rows_left_out": len(train) + len(held_out) - len(setting.train) - len(setting.everyone),
        "model": identity(model, fitted, row_model or model),
    }
    return Certificate(about, figures, verdicts(figures, kind))


def overfitting_of(model: LatentModel, train: Rows, held_out: Rows, seed: int) -> Verdict | None:
    """Only the certificate's verdict "overfits", which is fast; arguments as for :func:`certify`, for a model that did not
    collapse.
    """
    train = distinct(train)
    held_out = distinct(held_out, train).subsample(M)
    terms = rate_distortion(model, held_out, seed)
    figures = memorised(model, train, terms, seed)
    figures["gain"] = gained(model, train, held_out, terms)
    return overfits(figures, Kind(model.has_rate))


def drawing(seed: int, name: str) -> AbstractContextManager[None]:
    """A context with random numbers of its own for a measure, so that measures do not affect one another."""
    return seeded(seed, CERTIFIED, name)


def _emitted(row_model: RowModel, subject: Modelled, fitted: Prior, setting: Setting, seed: int) -> Rows:
    """Rows as a user gets them; of an autoencoder with residuals as noise, for its means alone are nobody's rows."""
    with setting.drawing("emitted"):
        if row_model is subject.model and not subject.model.has_rate:
            return setting.rows_of(subject.draws(fitted.sample(setting.m).float()))
        return setting.rows_of(sample(row_model, fitted, setting.m, seed, noise=True))


Draws = Callable[[int], Tensor]


@dataclass
class Setting:
    """Real rows, their features φ, and the scale on which models are measured. Repeated rows are left out.

    Attributes:
        train, held_out: the rows. fields: their fields.
        seed: each measure draws random numbers from it and the measure's name.
    """

    train: Rows
    held_out: Rows
    fields: tuple[Field, ...]
    seed: int = 0
    phi: Features = field(init=False)

    def __post_init__(self) -> None:
        self.train = distinct(self.train)
        self.everyone = distinct(self.held_out, self.train)
        self.held_out = self.everyone.subsample(M)
        self.phi = Features.fit(self.train, self.fields)
        self.m = min(len(self.train), len(self.held_out))
        self.repeats = min(MAX_REPEATS, math.ceil(M / max(1, self.m)))
        with self.drawing("real"):
            self.real = self.phi(self.held_out)

    def drawing(self, name: str) -> AbstractContextManager[None]:
        """:func:`drawing` with the seed of this setting."""
        return drawing(self.seed, name)

    @cached_property
    def learnt(self) -> Array:
        """All training rows in φ."""
        with self.drawing("learnt"):
            return self.phi(self.train)

    def subject(self, model: LatentModel) -> Modelled:
        """A trained model, with the noise that held-out rows show."""
        with self.drawing("residuals"):
            return Modelled(model, self.fields, self.held_out)

    def some(self) -> Rows:
        """A random subsample of the training rows, as large as the comparison."""
        return self.train[torch.randperm(len(self.train))[: self.m]]

    def against(self, sample: Callable[[], Array]) -> complete.Affinity:
        """S between samples in φ and the held-out rows."""
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
        """Distances between held-out rows and at most 2,000 training rows."""
        with self.drawing("closeness"):
            return continuous.Closeness.between(self.real, self.phi(self.train[torch.randperm(len(self.train))[:M]]))

    def features_of(self, x: Tensor, mask: Tensor | None = None) -> Array:
        """φ of decoded rows [N, F]; see :meth:`rows_of`."""
        return self.phi(self.rows_of(x, mask))

    def rows_of(self, x: Tensor, mask: Tensor | None = None) -> Rows:
        """Decoded rows [N, F], with the missing values of random training rows unless ``mask`` is given, so that real and
        generated rows have the same share of them. Values that are not finite are far from all others.
        """
        x = x.nan_to_num(FAR, FAR, -FAR).clamp(-FAR, FAR)
        if mask is None and self.train.mask is not None:
            mask = self.train.mask[torch.randint(len(self.train), (len(x),))]
        return Rows(x.view(len(x), *self.train.x.shape[1:]), mask)

    def completeness(self, subject: CertifiedModel, draw: Draws, name: str) -> tuple[complete.Affinity, Estimate]:
        """S and C of rows that a subject decodes from codes of ``draw``; ``name`` is the name of the figure."""
        with self.drawing(name):
            affinity = self.against(lambda: self.features_of(subject.draws(draw(self.m))))
        return affinity, complete.completeness(affinity, self.scale)

    def bound(self, subject: CertifiedModel) -> complete.Affinity:
        """S with the codes of held-out rows: an upper bound for this decoder with any prior. A row's reconstruction does not
        count as its neighbour.
        """
        with self.drawing("completeness_ceiling"):
            parts = [self._rebuilt(subject) for _ in range(self.repeats)]
        return complete.Affinity.together([complete.Affinity.between(part, self.real, paired=True) for part in parts])

    def _rebuilt(self, subject: CertifiedModel) -> Array:
        return self.features_of(subject.draws(subject.codes(self.held_out)), self.held_out.mask)

    def continuity(self, subject: CertifiedModel, moments: Moments, name: str, rho: float = continuous.RHO) -> Estimate:
        """K of a subject; ``name`` is the name of the figure. It is unknown if the columns are independent, because then a
        continuous code encodes only noise.
        """
        if moments.space.not_continuous or self.scale.alike():
            return unknown(moments.space.not_continuous or self.scale.alike())
        with self.drawing(name):
            pairs = [self._distances(subject, moments, rho) for _ in range(self.repeats)]
        near, far = (sum(parts) / len(parts) for parts in zip(*pairs, strict=True))
        return continuous.continuity(near, far, self.closeness)

    def _distances(self, subject: CertifiedModel, moments: Moments, rho: float) -> tuple[Array, Array]:
        z = subject.codes(self.held_out)
        others = z.roll(1 + int(torch.randint(max(1, len(z) - 1), ())), 0)
        decoded = (subject.means(codes) for codes in (moments.neighbours(z, rho), others))
        near, far = (continuous.squared(self.real, self.features_of(x, self.held_out.mask)) for x in decoded)
        return near, far


# Names of the figures that each of the functions below returns.
SPACE = (
    "completeness", "completeness_ceiling", "completeness_share", "affinity", "affinity_null", "affinity_real",
    "completeness_standard", "completeness_prior", "completeness_fitted_prior", "continuity",
    *(f"continuity_rho_{rho}" for rho in continuous.CURVE), "density", "coverage",
)  # fmt: skip
LINEAR = ("completeness_pca", "completeness_beyond_pca", "continuity_pca")
LOSS = ("distortion", "rate", "loss", "nll", "effective_samples", "gain")
AGGREGATED = ("rate_train", "mutual_information", "marginal_kl", "prior_holes")
KEPT = ("information_kept", "information_kept_pca", "information_beyond_pca")
SENSITIVITY = ("stretch", "condition")
COPIED = ("copying", "nearer_to_training", "exact_copies", "exact_copies_held_out")
MEMORISED = ("gap", "membership", "membership_at_1")
ATTRIBUTED = ("approximation", "amortisation", "prior_mismatch")


class Headline(NamedTuple):
    """Completeness with the Gaussian that has the moments of the codes, S and C."""

    moments: Moments
    affinity: complete.Affinity
    value: Estimate


def headline(setting: Setting, subject: Modelled) -> Headline:
    """Of a subject."""
    with setting.drawing("moments"):
        moments = subject.model.space.moments(subject.codes(setting.train))
    return Headline(moments, *setting.completeness(subject, moments.draw, "completeness"))


def space(setting: Setting, subject: Modelled, fitted: Prior, reached: Headline) -> Figures:
    """Completeness and continuity of a subject, and their components."""
    moments, affinity, value = reached
    bound = setting.bound(subject)
    figures = {
        "completeness": value,
        "completeness_ceiling": complete.completeness(bound, setting.scale),
        "completeness_share": complete.share(affinity, bound, setting.scale),
        "affinity": complete.affinity_of(affinity),
        "affinity_null": complete.affinity_of(setting.scale.null),
        "affinity_real": complete.affinity_of(setting.scale.real),
    }
    figures |= by_prior(setting, subject, fitted)
    figures["continuity"] = setting.continuity(subject, moments, "continuity")
    for rho in continuous.CURVE:
        name = f"continuity_rho_{rho}"
        figures[name] = setting.continuity(subject, moments, name, rho)
    with setting.drawing("density"):
        fake, some = setting.features_of(subject.draws(moments.draw(setting.m))), setting.phi(setting.some())
    figures["density"], figures["coverage"] = complete.density_and_coverage(setting.real, fake, some)
    return figures


def by_prior(setting: Setting, subject: Modelled, fitted: Prior) -> Figures:
    """C with codes from N(0, I), for every model of a Euclidean space; from the model's own prior; and from the fitted one."""
    model = subject.model

    def reached(draw: Draws, name: str) -> Estimate:
        return setting.completeness(subject, draw, f"completeness_{name}")[1]

    standard = own = unknown(NOT_STANDARD)
    if model.space.kind == Euclidean.kind:
        standard = reached(lambda n: torch.randn(n, model.latent_dim), "standard")
    if not model.has_prior:
        own = unknown(NO_DENSITY)
    else:
        own = standard if model.prior.name == StandardNormalPrior.name else reached(OwnPrior().bind(model).sample, "prior")
    names = ("completeness_standard", "completeness_prior", "completeness_fitted_prior")
    return dict(zip(names, (standard, own, reached(lambda n: fitted.sample(n).float(), "fitted_prior")), strict=True))


def linear_space(setting: Setting, latent_dim: int, affinity: complete.Affinity) -> Figures:
    """Completeness and continuity of PCA with the same number of dimensions; ``affinity`` is that of the model, with which it
    is compared.
    """
    subject = Linear(setting.train, setting.held_out, setting.fields, latent_dim)
    codes = subject.codes(setting.train)
    moments = Euclidean(codes.shape[1]).moments(codes)
    of_linear, reached = setting.completeness(subject, moments.draw, "completeness_pca")
    return {
        "completeness_pca": reached,
        "completeness_beyond_pca": complete.beyond(affinity, of_linear, setting.scale),
        "continuity_pca": setting.continuity(subject, moments, "continuity_pca"),
    }


def informed(
    setting: Setting,
    model: LatentModel,
    subject: Callable[[], CertifiedModel],
    terms: Callable[[], information.RateDistortion],
) -> Figures:
    """Rate and distortion, information in the code, the aggregated posterior, and the sensitivity of the decoder."""
    active = cache(lambda: active_units(model, setting.train))
    figures = measured(("active_units",), lambda: {"active_units": Estimate(float(active().sum()))})
    figures |= measured(LOSS, lambda: loss_figures(setting, model, terms()))
    figures |= measured(AGGREGATED, lambda: aggregated(setting, model))
    figures |= measured(KEPT, lambda: kept_beside_pca(setting, model, int(active().sum())))
    return figures | measured(SENSITIVITY, lambda: sensitivity(setting, model, subject(), active()))


def loss_figures(setting: Setting, model: LatentModel, held_out: information.RateDistortion) -> Figures:
    """Distortion, rate and bounds of held-out rows."""
    figures = {"distortion": mean_of(held_out.distortion)}
    names = LOSS[1:]
    if not model.has_rate:
        return figures | {name: unknown(NO_DENSITY) for name in names}
    count, draws = information.affordable(model)
    with setting.drawing("nll"):
        bound, effective = information.importance_bound(model, setting.held_out.subsample(count), draws)
    figures["gain"] = gained(model, setting.train, setting.held_out, held_out)
    values = (held_out.rate, held_out.loss, bound, effective)
    return figures | dict(zip(names, map(mean_of, values), strict=False))


def rate_distortion(model: LatentModel, held_out: Rows, seed: int) -> information.RateDistortion:
    """Rate and distortion of held-out rows."""
    with drawing(seed, "costs"):
        return information.RateDistortion.of(model, held_out)


def gained(model: LatentModel, train: Rows, held_out: Rows, terms: information.RateDistortion) -> Estimate:
    """Log-likelihood per held-out row (ELBO) minus that of independent columns, nats."""
    if not model.has_rate:
        return unknown(NO_DENSITY)
    baseline = model.likelihood.baseline_log_prob(*beyond_context(model.likelihood, train, held_out)).double().numpy()
    return mean_of(-terms.loss - baseline)


@torch.no_grad()
def aggregated(setting: Setting, model: LatentModel) -> Figures:
    """I(x;z) and the KL from the aggregated posterior to the prior, over training rows; prior holes."""
    if not model.has_rate:
        return {name: unknown(NO_DENSITY) for name in AGGREGATED}
    with setting.drawing("mutual_information"):
        q = model.encode(setting.train.subsample(M))
        draw = q.draw()
        terms = information.information_terms(q, draw.z[0])
        kl = rate(q, model.p(), draw).double().numpy()
    found = information.mutual_information(terms)
    return {
        "rate_train": mean_of(kl),
        "mutual_information": found,
        "marginal_kl": Estimate(float(kl.mean()) - found.value, reason=Message("reason.at_most") if found.reason else ""),
        "prior_holes": _prior_holes(setting, model, q),
    }


def _prior_holes(setting: Setting, model: LatentModel, q: CodeDistribution) -> Estimate:
    """Prior holes, with respect to the posteriors ``q`` of training rows."""
    if model.space.not_continuous:
        return unknown(model.space.not_continuous)
    with setting.drawing("prior_holes"):
        occupancy = information.Occupancy.of(q, model.encode(setting.held_out))
        return occupancy.share(OwnPrior().bind(model).sample(M))


def kept_beside_pca(setting: Setting, model: LatentModel, active: int) -> Figures:
    """Explained variance of held-out rows, and that of PCA with as many dimensions as there are active units."""
    levels = levels_of(setting.fields)
    middle = column_means(setting.train, levels)
    values, observed = spread_out(setting.held_out, levels, middle), observed_values(setting.held_out, levels)
    rebuilt = indicators(Rows(reconstruct(model, setting.held_out)), levels)
    kept = information.information_kept(values, rebuilt, middle, observed)
    if not active:
        none = unknown(Message("reason.no_active"))
        return {"information_kept": kept, "information_kept_pca": none, "information_beyond_pca": none}
    linear = Linear(setting.train, setting.held_out, setting.fields, active)
    by_pca = indicators(Rows(linear.means(linear.codes(setting.held_out))), levels)
    return {
        "information_kept": kept,
        "information_kept_pca": information.information_kept(values, by_pca, middle, observed),
        "information_beyond_pca": information.kept_beyond(values, rebuilt, by_pca, middle, observed),
    }


def sensitivity(setting: Setting, model: LatentModel, subject: CertifiedModel, active: Tensor) -> Figures:
    """Spectral norm and condition number of the decoder's Jacobian, over the numeric fields."""
    if model.space.not_continuous:
        return {name: unknown(model.space.not_continuous) for name in ("stretch", "condition")}
    numbers = torch.tensor([f.kind != CATEGORICAL for f in setting.fields])
    numbers = torch.nonzero(numbers.expand(setting.train.x[:1].numel())).squeeze(1)
    with setting.drawing("stretch"):
        z = subject.codes(setting.train.subsample(M))
        points = z[torch.randperm(len(z))[:GEOMETRY_POINTS]]

    def decode(codes: Tensor) -> Tensor:
        return model.decode(model.space.project(codes).unsqueeze(0)).mean.squeeze(0)[:, numbers]

    if not len(numbers) or not bool(active.any()):
        none = unknown(Message("reason.no_number"))
        return {"stretch": none, "condition": none}
    norm, condition = information.geometry(decode, points, z.std(0) * active)
    return {"stretch": information.median_of(norm), "condition": information.median_of(condition)}


def copied(setting: Setting, drawn: Rows) -> Figures:
    """Whether generated rows are copies of training rows."""
    with setting.drawing("nearer_to_training"):
        some, fake = setting.phi(setting.some()), setting.phi(drawn)
    return {
        "copying": overfitting.data_copying(setting.learnt, setting.real, fake),
        "nearer_to_training": overfitting.nearer_to_training(some, setting.real, fake),
        "exact_copies": overfitting.exact_copies(setting.train, drawn),
        "exact_copies_held_out": overfitting.exact_copies(setting.train, setting.held_out),
    }


def memorised(model: LatentModel, train: Rows, held_out: information.RateDistortion, seed: int) -> Figures:
    """Whether the loss separates training rows from others; for an autoencoder it is -log p(x|z)."""
    with drawing(seed, "gap"):
        loss = information.RateDistortion.of(model, train.subsample(M)).loss
    area, found = overfitting.membership(loss, held_out.loss)
    return {"gap": overfitting.gap(held_out.loss, loss), "membership": area, "membership_at_1": found}


def attributed(setting: Setting, model: LatentModel, fitted: Prior) -> Figures:
    """Causes of the loss of held-out rows besides overfitting: the family of q, the encoder, the prior."""
    rows = setting.held_out.subsample(attribution.affordable(model))
    with setting.drawing("approximation"):
        losses = attribution.refine(model, rows, attribution.JUDGED_BY)
    if not model.has_rate:
        return {name: unknown(NO_DENSITY) for name in ATTRIBUTED}
    with setting.drawing("prior_mismatch"), torch.no_grad():
        z = model.encode(setting.held_out).rsample()
    mismatch = mean_of(attribution.prior_mismatch(z, OwnPrior().bind(model).log_prob, fitted.log_prob))
    if losses is None:
        return {"approximation": unknown(NOT_REFINED), "amortisation": unknown(NOT_REFINED), "prior_mismatch": mismatch}
    gaps = {"approximation": losses.refined - losses.bound, "amortisation": losses.amortised - losses.refined}
    return {**{name: mean_of(gap) for name, gap in gaps.items()}, "prior_mismatch": mismatch}
