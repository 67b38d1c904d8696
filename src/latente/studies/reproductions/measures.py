"""Data of reproductions, and what is measured in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier

from latente.catalogue import recipe as find_recipe
from latente.certificate.disentanglement import mig
from latente.certificate.estimates import Array
from latente.composition import Recipe
from latente.data.digits import drawn_digits
from latente.data.mnist import binarised, mnist
from latente.data.shapes import drawn_shapes
from latente.model.parts import Choice as PartChoice
from latente.model.parts import choose
from latente.studies.disentanglement import drawn_codes
from latente.studies.reproductions.frame import Measure, Sample, Scale, Setting

OF_MNIST: dict[str, Any] = {
    "hidden": (200, 200), "latent_dim": 50, "likelihood": "bernoulli", "batch_size": 20, "learning_rate": 1e-3,
    "early_stopping": False, "validation_fraction": 0.0, "precision": "float32",
}  # fmt: skip
OF_SHAPES: dict[str, Any] = {
    "hidden": (128, 128), "latent_dim": 8, "likelihood": "bernoulli", "batch_size": 64, "early_stopping": False,
}  # fmt: skip
RANDOM_CHOICES = 10
LABELLED = 100


# -- data -------------------------------------------------------------------------------------------------------------


def dynamic_mnist(scale: Scale, seed: int) -> Sample:
    """Grey pictures to train on, which are binarised anew in each step, and binarised ones to test on."""
    train, test = mnist()
    return Sample(train[: scale.rows], binarised(test[: scale.test_rows], seed))


def grey_mnist(scale: Scale, seed: int) -> Sample:
    """Pictures with values from 0 to 1."""
    train, test = mnist()
    return Sample(train[: scale.rows], test[: scale.test_rows])


def digits_of_fonts(scale: Scale, seed: int) -> Sample:
    """Digits drawn from fonts, with values from 0 to 255."""
    pictures = drawn_digits(scale.rows + scale.test_rows, seed)[0]
    return Sample(pictures[: scale.rows], pictures[scale.rows :])


def labelled_digits(scale: Scale, seed: int) -> Sample:
    """Digits drawn from fonts, a hundred of them with their class."""
    pictures, classes = drawn_digits(scale.rows + scale.test_rows, seed)
    names, some = classes.astype(str).astype(object), np.random.default_rng(seed).permutation(scale.rows)[LABELLED:]
    labels = names[: scale.rows].copy()
    labels[some] = None
    return Sample(pictures[: scale.rows], pictures[scale.rows :], {"class": names[scale.rows :]}, {"class": labels})


def shapes(scale: Scale, seed: int) -> Sample:
    """Drawn shapes, with values from 0 to 1, and their factors."""
    pictures, factors = drawn_shapes(scale.rows + scale.test_rows, seed)
    x = pictures.astype(np.float32) / 255
    return Sample(x[: scale.rows], x[scale.rows :], {name: values[scale.rows :] for name, values in factors.items()})


# -- measures ---------------------------------------------------------------------------------------------------------


def nll(recipe: str | Recipe, **parameters: Any) -> Measure:
    """-log p of test rows by importance weighting, nats, for 784-200-200-d with binarisation anew in each step, [rows]."""

    def measured(setting: Setting) -> Array:
        chosen = find_recipe(recipe) if isinstance(recipe, str) else recipe
        vae = setting.fit(replace(chosen, corruption=choose("binarisation")), **{**OF_MNIST, **parameters})
        return -vae.score_samples(setting.data.test, importance_samples=setting.scale.draws)

    return measured


def completeness(
    recipe: str | Recipe, figure: str = "completeness_fitted_prior", prior: str | PartChoice = "", **parameters: Any
) -> Measure:
    """C of rows that are decoded from codes of a fitted prior, by default that of the recipe."""

    def measured(setting: Setting) -> Array:
        vae = setting.fit(recipe, **parameters)
        if prior:
            vae.refit_prior(prior)
        return np.array([vae.certificate(setting.data.test, train=setting.data.train)[figure].value])

    return measured


def information_gap(recipe: str | Recipe, **parameters: Any) -> Measure:
    """MIG of the test rows' codes against the factors that were drawn."""

    def measured(setting: Setting) -> Array:
        vae = setting.fit(recipe, **{**OF_SHAPES, **parameters})
        codes = drawn_codes(vae.model_, vae.fitted_.rows(setting.data.test), setting.seed)
        return np.array([mig(codes, setting.data.factors)])

    return measured


def classified(recipe: str | Recipe, **parameters: Any) -> Measure:
    """Whether the class of each test row is wrong (1) or right (0)."""

    def measured(setting: Setting) -> Array:
        vae = setting.fit(recipe, **parameters)
        return np.asarray(vae.classify(setting.data.test) != setting.data.factors["class"], float)

    return measured


def by_labels_alone(hidden: tuple[int, ...]) -> Measure:
    """The same with a network that is trained on the labelled rows only."""

    def measured(setting: Setting) -> Array:
        train, test = (np.asarray(rows, float).reshape(len(rows), -1) / 255 for rows in setting.data[:2])
        labels = setting.data.labels["class"]
        known = np.array([label is not None for label in labels])
        network = MLPClassifier(hidden, max_iter=500, random_state=setting.seed).fit(train[known], labels[known].astype(str))
        return np.asarray(network.predict(test) != setting.data.factors["class"], float)

    return measured


Choice = Callable[[Setting], Sequence[NDArray[np.intp]]]


def from_columns(choice: Choice) -> Measure:
    """Mean squared error of each test row, reconstructed by linear regression on columns; the mean over several choices."""

    def measured(setting: Setting) -> Array:
        train, test = (np.asarray(rows, np.float64).reshape(len(rows), -1) for rows in setting.data[:2])
        errors = []
        for columns in choice(setting):
            model = LinearRegression().fit(train[:, columns], train)
            errors.append(np.square(test - model.predict(test[:, columns])).mean(1))
        return np.asarray(np.mean(errors, 0))

    return measured


def by_recipe(recipe: str | Recipe, k: int, **parameters: Any) -> Choice:
    """The columns that a model selects."""
    return lambda setting: [setting.fit(recipe, latent_dim=k, **parameters).get_support(indices=True)]


def by_pca(k: int) -> Choice:
    """Of each of the first k components the column with the largest loading that is not chosen yet."""

    def chosen(setting: Setting) -> Sequence[NDArray[np.intp]]:
        components = PCA(k, random_state=0).fit(setting.data.train.reshape(len(setting.data.train), -1)).components_
        found: list[int] = []
        for loadings in np.abs(components):
            found.append(next(int(place) for place in np.argsort(-loadings) if place not in found))
        return [np.array(found)]

    return chosen


def at_random(k: int) -> Choice:
    """Ten random choices among the columns that vary."""

    def chosen(setting: Setting) -> Sequence[NDArray[np.intp]]:
        rng = np.random.default_rng(setting.seed)
        varying = np.flatnonzero(np.ptp(setting.data.train.reshape(len(setting.data.train), -1), axis=0) > 0)
        return [rng.choice(varying, k, replace=False) for _ in range(RANDOM_CHOICES)]

    return chosen
