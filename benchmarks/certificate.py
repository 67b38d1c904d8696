"""The certificate: does it find a VAE more continuous and complete than an autoencoder, and does it see what is wrong?

Seven sets, three seeds, an autoencoder beside a VAE of the same size, each as it comes; then a collapsed model, one that stores
its training rows, columns that say nothing of each other, real rows in place of a model's, what is learnt by heart, and what a
certificate costs. Public sets are measured where they are named (--sets mnist --epochs 10): they need the data folder.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs, make_swiss_roll
from torch import Tensor

import latente as lt
from benchmarks.common import Figure, options, report, show
from benchmarks.data import mixed, path
from latente.certificate import Certificate
from latente.certificate.certify import Setting, copied
from latente.certificate.verdicts import verdicts
from latente.data import Codec, fit_codec, read
from latente.model.latent_model import LatentModel
from latente.model.spaces import Euclidean
from latente.rows import CATEGORICAL, Rows
from latente.seeding import seeded

Array = NDArray[Any]
ROWS, HELD_OUT = 6000, 1 / 3  # of the made sets, so that 2,000 rows are compared
BY_HEART = 1000


def digits(seed: int) -> Array:
    return load_digits().images.astype(np.uint8)


def sines(seed: int) -> Array:
    """Waves of 32 points with a frequency and a phase of their own, and a little noise."""
    rng = np.random.default_rng(seed)
    frequency, phase = rng.uniform(1, 3, (ROWS, 1)), rng.uniform(0, 2 * np.pi, (ROWS, 1))
    return np.sin(2 * np.pi * frequency * np.linspace(0, 1, 32) + phase) + 0.05 * rng.normal(size=(ROWS, 32))


def clusters(seed: int) -> tuple[Array, Array]:
    """Ten normal laws of 16 columns, and which of them a row is of."""
    x, cluster = make_blobs(ROWS, 16, centers=10, center_box=(-4, 4), random_state=seed)[:2]
    return x, cluster


def blobs(seed: int) -> Array:
    return clusters(seed)[0]


def swiss_roll(seed: int) -> Array:
    return make_swiss_roll(ROWS, noise=0.5, random_state=seed)[0]


def breast_cancer(seed: int) -> Array:
    return load_breast_cancer().data


# Data, dimensions of the code, and what an earlier study measured with its own data and networks: C and K, each of an
# autoencoder and of a VAE.
SETS: dict[str, tuple[Callable[[int], Array], int, tuple[float, ...]]] = {
    "digits d8": (digits, 8, (0.28, 0.38, 0.86, 0.88)),
    "sines d2": (sines, 2, (0.48, 0.55, 0.45, 0.64)),
    "sines d8": (sines, 8, (0.34, 0.44, 0.91, 0.94)),
    "blobs d2": (blobs, 2, (0.23, 0.44, 0.78, 0.86)),
    "blobs d8": (blobs, 8, (0.05, 0.26, 0.90, 0.95)),
    "swiss roll d2": (swiss_roll, 2, (0.47, 0.55, 0.69, 0.76)),
    "breast cancer d8": (breast_cancer, 8, (0.62, 0.90, 0.97, 1.0)),
}


def public(name: str, rows: int = 2 * ROWS) -> Callable[[int], pd.DataFrame]:
    """A real table with columns of text, and holes; at most so many rows of it, drawn at random."""

    def make(seed: int) -> pd.DataFrame:
        frame = mixed(name, seed, test_share=0.0)[0]
        return frame.sample(min(rows, len(frame)), random_state=seed, ignore_index=True)

    return make


def pictures(seed: int) -> Array:
    x = np.load(path("mnist.npz"))["x_train"]
    return x[np.random.default_rng(seed).permutation(len(x))[:ROWS]]


# Not part of what is run unless they are named: they need the data folder, and minutes.
SETS_TO_NAME: dict[str, tuple[Callable[[int], Any], int, tuple[float, ...]]] = {
    "adult": (public("adult"), 8, ()),
    "heart": (public("heart"), 4, ()),
    "dry_bean": (public("dry_bean"), 8, ()),
    "mnist": (pictures, 16, ()),
}
SETS_BY_NAME = {**SETS, **SETS_TO_NAME}


def fitted(recipe: Any, rows: Any, latent_dim: int, seed: int, epochs: int = 0, held_out: float = HELD_OUT) -> lt.VAE:
    """A model with all else left to the data, but for its epochs where their number is not 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        vae = lt.VAE(recipe, latent_dim=latent_dim, validation_fraction=held_out, random_state=seed)
        return vae.set_params(max_epochs=epochs or "auto").fit(rows)


@cache
def certificates(recipe: Any, name: str, seeds: int, epochs: int) -> list[Certificate]:
    make, latent_dim, _ = SETS_BY_NAME[name]
    return [fitted(recipe, make(seed), latent_dim, seed, epochs).certificate() for seed in range(seeds)]


def middle(found: list[Certificate], name: str) -> float:
    """Mean over seeds; NaN where no seed gives a figure."""
    values = [certificate[name].value for certificate in found if certificate[name].known]
    return float(np.mean(values)) if values else float("nan")


def compare(names: tuple[str, ...], seeds: int, epochs: int) -> list[Figure]:
    """The autoencoder beside the VAE on each set."""
    rows, wins = [], {"completeness": 0, "continuity": 0}
    for name in names:
        plain, vae = (certificates(recipe, name, seeds, epochs) for recipe in ("autoencoder", "vae"))
        for k, measure in enumerate(wins):
            values = middle(plain, measure), middle(vae, measure)
            wins[measure] += values[1] > values[0]
            before = SETS_BY_NAME[name][2][2 * k : 2 * k + 2]
            earlier = " → ".join(f"{value:.2f}" for value in before)
            ceilings = [middle(found, "completeness_ceiling") for found in (plain, vae)] if not k else ["", ""]
            told = (
                [", ".join(sorted({v.name for c in found for v in c.verdicts})) for found in (plain, vae)]
                if not k
                else ["", ""]
            )
            rows.append((f"{name}: {'CK'[k]}", *values, earlier, middle(vae, f"{measure}_pca"), *ceilings, *told))
    header = ("set", "autoencoder", "VAE", "earlier study", "PCA", "ceiling (AE)", "(VAE)", "verdicts (AE)", "(VAE)")
    show("Completeness C and continuity K, means over seeds", header, rows)
    return [
        Figure(f"sets of {len(names)} on which the VAE is above the autoencoder in {measure}", won, "", bar(len(names)))
        for measure, won in wins.items()
    ]


MEASURES = {
    "completeness_standard": "C from N(0, I)",
    "completeness_fitted_prior": "C, fitted prior",
    "completeness": "C, Gaussian",
    "completeness_share": "C ÷ upper bound",
    "coverage": "coverage",
}


def beside(names: tuple[str, ...], seeds: int, epochs: int) -> list[Figure]:
    """C of both models with equal noise, by where the codes come from."""
    rows, wins = [], dict.fromkeys(MEASURES, 0)
    for name in names:
        both = [certificates(recipe, name, seeds, epochs) for recipe in ("autoencoder", "vae")]
        values = {key: [middle(found, key) for found in both] for key in MEASURES}
        for key, (plain, vae) in values.items():
            wins[key] += vae > plain
        rows.append((name, *(f"{plain:.2f} → {vae:.2f}" for plain, vae in values.values())))
    show("Equal noise, autoencoder → VAE, means over seeds", ("set", *MEASURES.values()), rows)
    return [
        Figure(f"sets of {len(names)} on which the VAE is above: {words}", wins[key], "", len(names) if not place else None)
        for place, (key, words) in enumerate(MEASURES.items())
    ]


def bar(sets: int) -> int:
    """Six of seven, and of fewer all but one."""
    return max(1, sets - 1)


@contextmanager
def unmended() -> Iterator[None]:
    """Inside, a fit leaves a collapsed code as it is."""
    with mock.patch("latente.training.fit.REMEDIES", ()):
        yield


def collapse(names: tuple[str, ...], epochs: int) -> list[Figure]:
    """A VAE whose rate costs so much that its code says nothing."""
    worst, named = 0.0, 0
    rows = []
    for name in names:
        make, latent_dim, _ = SETS_BY_NAME[name]
        with unmended():
            found = fitted(lt.recipe("beta-vae", beta=1000.0), make(0), latent_dim, 0, epochs).certificate()
        values = found["completeness"].value, found["continuity"].value
        told = [verdict.name for verdict in found.verdicts]
        worst, named = float(np.nanmax([worst, *values])), named + ("collapsed" in told)
        why = "; ".join(found[measure].reason for measure in ("completeness", "continuity") if not found[measure].known)
        rows.append((name, *values, found["affinity_null"].value, found["affinity_real"].value, ", ".join(told), why))
    show("A VAE with beta = 1000", ("set", "C", "K", "S null", "S real", "verdicts", "no figure because"), rows)
    return [
        Figure("collapsed: largest C or K", worst, "", 0.05, at_most=True),
        Figure(f"collapsed: named so, of {len(names)}", named, "", len(names)),
    ]


def encoded(rows: Any, seed: int) -> tuple[Codec, Rows]:
    """Rows as a model sees them, in a random order."""
    order = np.random.default_rng(seed).permutation(len(rows))
    data = read(rows.iloc[order] if isinstance(rows, pd.DataFrame) else rows[order])
    codec = fit_codec(data)
    return codec, codec.encode(data)


def stored(names: tuple[str, ...], jitter: float = 0.02) -> list[Figure]:
    """A "model" whose rows are training rows with a jitter of 2% of each column's middle half, and one of other real rows."""
    rows, named, accused = [], 0, 0
    for name in names:
        codec, every = encoded(SETS_BY_NAME[name][0](0), 0)
        third = len(every) // 3
        numbers = torch.tensor([field.kind != CATEGORICAL for field in codec.fields]).expand(every.x[:1].numel())
        with seeded(0):
            setting = Setting(every[:third], every[third : 2 * third], codec.fields)
            copies = setting.train.x[torch.randint(len(setting.train), (third,))].flatten(1)
            quartiles = torch.quantile(copies, torch.tensor([0.25, 0.75]), 0)  # a value that repeats in half of the rows stays
            copies = copies + jitter * (quartiles[1] - quartiles[0]) * numbers * torch.randn_like(copies)
            of_copies = copied(setting, setting.rows_of(copies))
            of_others = copied(setting, every[2 * third :])
        told, honest = verdicts(of_copies), verdicts(of_others)
        named, accused = named + ("copies rows" in [v.name for v in told]), accused + bool(honest)
        figures = [of[key].value for of in (of_copies, of_others) for key in ("copying", "nearer_to_training")]
        rows.append((name, *figures, ", ".join(v.name for v in told)))
    header = ("set", "C_T of copies", "nearer", "C_T of other rows", "nearer", "verdict on copies")
    show("Stored training rows, and other real rows, as a model's", header, rows)
    return [
        Figure(f"stored rows: named so, of {len(names)}", named, "", len(names)),
        Figure("other real rows: called copies", accused, "", 0, at_most=True),
    ]


def halves(names: tuple[str, ...]) -> list[Figure]:
    """Real rows in place of a model's: a third of the data each for training, model and judging.

    C is clipped at 1, so its mean over divisions lies below 1 by as much as it varies.
    """
    rows, least = [], 1.0
    for name in names:
        values = np.array([real_as_model(SETS_BY_NAME[name][0](seed), seed) for seed in range(10)])
        rows.append((name, float(values.mean()), float(values.min()), float(np.minimum(values, 1).mean())))
        least = min(least, float(np.minimum(values, 1).mean()))
    show("Real rows as the model: C over 10 divisions", ("set", "mean before clipping", "least", "mean"), rows)
    return [Figure("real rows as the model: least mean C", least, "", 0.97)]


def real_as_model(rows: Any, seed: int) -> float:
    """C, before clipping, of real rows that are neither training nor held-out rows."""
    codec, every = encoded(rows, seed)
    third = len(every) // 3
    with seeded(seed):
        setting = Setting(every[:third], every[third : 2 * third], codec.fields)
        emitted = setting.phi(every[2 * third :])
        fake = setting.against(lambda: emitted[torch.randperm(len(emitted)).numpy()])
    return (fake.value - setting.scale.null.value) / setting.scale.contrast


class Tiled:
    """A space of clusters without holes: a normal law of codes in as many compact cells, each of which decodes to a cluster.

    Args:
        rows, cluster: every row, [N, F], and its cluster, [N]. latent_dim: of the codes.
    """

    def __init__(self, rows: Tensor, cluster: Tensor, latent_dim: int) -> None:
        self.rows, self.cluster = rows, cluster
        count = int(cluster.max()) + 1
        self.centres = torch.stack([rows[cluster == c].mean(0) for c in range(count)])
        self.some = torch.randn(20_000, latent_dim)
        self.cells = KMeans(count, n_init=3, random_state=0).fit(self.some.numpy())
        self.cell = self._cell(self.some)

    def codes(self, rows: Rows) -> Tensor:
        """Any code of the cell of the row's cluster."""
        which = self.cluster[torch.cdist(rows.x, self.rows).argmin(1)]
        return torch.stack([self.some[draw_one(self.cell == c)] for c in which])

    def means(self, z: Tensor) -> Tensor:
        """The mean of the cell's cluster."""
        return self.centres[self._cell(z)]

    def draws(self, z: Tensor) -> Tensor:
        """Any row of the cell's cluster."""
        return torch.stack([self.rows[draw_one(self.cluster == c)] for c in self._cell(z)])

    def _cell(self, z: Tensor) -> Tensor:
        return torch.from_numpy(self.cells.predict(z.numpy())).long()


def draw_one(of: Tensor) -> Tensor:
    """The place of one of those that are true."""
    places = of.nonzero()[:, 0]
    return places[torch.randint(len(places), ())]


def without_holes(seeds: int) -> list[Figure]:
    """C and K of a space of the ten clusters that has no holes: how continuous such a space can be.

    Clusters that lie apart are a choice: codes between two of them are a hole (C falls), or belong to one or the other, so that
    a neighbour's row is often of another cluster (K falls).
    """
    rows, figures = [], []
    for latent_dim in (2, 8):
        found = [tiled(latent_dim, seed) for seed in range(seeds)]
        middle_c, middle_k = (float(np.mean(values)) for values in zip(*found, strict=True))
        rows.append((f"d{latent_dim}", middle_c, middle_k))
        figures.append(Figure(f"blobs d{latent_dim} without holes: K", middle_k, "", reference=f"C {middle_c:.2f}"))
    show("Ten clusters in the cells of one normal law", ("", "C", "K"), rows)
    return figures


def tiled(latent_dim: int, seed: int) -> tuple[float, float]:
    """C and K of :class:`Tiled`."""
    x, cluster = clusters(seed)
    codec, every = encoded(pd.DataFrame(x), seed)
    held_out = round(HELD_OUT * len(x))
    with seeded(seed):
        setting = Setting(every[held_out:], every[:held_out], codec.fields)
        order = np.random.default_rng(seed).permutation(len(x))
        subject = Tiled(every.x, torch.from_numpy(cluster[order]), latent_dim)
        codes = subject.codes(setting.train)
        moments = Euclidean(codes.shape[1]).moments(codes)
        return setting.completeness(subject, moments.draw, "completeness")[1].value, setting.continuity(
            subject, moments, "continuity"
        ).value


def noise() -> list[Figure]:
    """Columns that are independent of each other."""
    found = fitted("vae", np.random.default_rng(0).normal(size=(ROWS, 10)), 4, 0).certificate()
    told = [verdict.name for verdict in found.verdicts]
    reference = f"{found['completeness'].reason}; verdicts: {', '.join(told)}"
    good = not found["completeness"].known and bool(found["completeness"].reason) and told[:1] == ["no structure found"]
    return [Figure("independent columns: no figure, and said so", float(good), "", 1, reference=reference)]


def gaps(seeds: int) -> list[Figure]:
    """What is learnt by heart: nats by which a held-out row costs more than one of 1,000 training rows, of digits whose pixels
    were drawn once as 0 or 1.
    """
    x = load_digits().images
    rows, ahead = [], []
    for seed in range(seeds):
        drawn = (np.random.default_rng(seed).random(x.shape) < x / 16).astype(np.uint8)
        recipes = ("autoencoder", "vae")
        found = [fitted(recipe, drawn, 8, seed, held_out=1 - BY_HEART / len(x)).certificate()["gap"] for recipe in recipes]
        ahead.append(found[0].value - found[1].value)
        rows.append((f"seed {seed}", *(part for gap in found for part in (gap.value, f"{gap.low:.2f} to {gap.high:.2f}"))))
    show(f"Train to held-out gap, {BY_HEART:,} binarised digits, nats", ("", "autoencoder", "95%", "VAE", "95%"), rows)
    return [Figure("binarised digits: the autoencoder's gap above the VAE's, least over seeds", min(ahead), "nats", 0.0)]


def cost(rows: int = 10_000) -> list[Figure]:
    """Seconds of a certificate, with those of the decoder apart."""
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(rows, 4)) @ rng.normal(size=(4, 20))) + 0.1 * rng.normal(size=(rows, 20))
    vae = lt.VAE(latent_dim=4, max_epochs=5, validation_fraction=HELD_OUT, random_state=0).fit(x)
    spent, decode = [], LatentModel.decode

    def timed(model: LatentModel, *args: Any) -> Any:
        begin = time.perf_counter()
        px = decode(model, *args)
        spent.append(time.perf_counter() - begin)
        return px

    begin = time.perf_counter()
    with mock.patch.object(LatentModel, "decode", timed):
        vae.certificate()
    total = time.perf_counter() - begin
    return [
        Figure(f"a certificate of {rows:,} rows, beyond decoding", total - sum(spent), "s", 10, at_most=True),
        Figure("  decoding", sum(spent), "s"),
    ]


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, seeds=3, sets=tuple(SETS), epochs=0, only_noise=False)
    names = tuple(asked.sets)
    begin = time.perf_counter()
    if asked.only_noise:
        report("Certificate, equal noise", beside(names, asked.seeds, asked.epochs), asked)
        return
    figures = [*cost(), *noise(), *gaps(asked.seeds), *stored(names), *halves(names), *collapse(names, asked.epochs)]
    figures += without_holes(asked.seeds)
    figures += [*compare(names, asked.seeds, asked.epochs), *beside(names, asked.seeds, asked.epochs)]
    report("Certificate", [*figures, Figure("seconds in all", time.perf_counter() - begin, "s")], asked)


if __name__ == "__main__":
    main()
