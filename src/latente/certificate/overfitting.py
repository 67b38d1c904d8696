"""Overfitting, copies of training rows in generated rows, and membership inference."""

from __future__ import annotations

import math

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from latente.certificate.estimates import MIN_ROWS, Array, Estimate, bootstrapped, mean_of, standard_error, too_few, unknown
from latente.rows import Rows
from latente.words import Message

MIN_IN_CELL = 20
MAX_CELLS = 10
SAME = 1e-5  # of a standard deviation: closer values are the same
PROJECTIONS = 8  # random directions in which the row is found that another may be a copy of
ABSENT = 1e6  # stands for a missing value


def gap(held_out: Array, train: Array) -> Estimate:
    """Held-out minus training loss, nats per row, with a normal interval of two independent samples.

    Args:
        held_out, train: -ELBO of each row.
    """
    if min(len(held_out), len(train)) < 2:
        return unknown(Message("reason.two_rows"))
    value = float(held_out.mean() - train.mean())
    error = math.hypot(standard_error(held_out), standard_error(train))
    return Estimate(value, value - 1.96 * error, value + 1.96 * error)


def data_copying(train: Array, held_out: Array, fake: Array) -> Estimate:
    """C_T (Meehan, Chaudhuri and Dasgupta 2020): are generated rows closer to training rows than held-out rows are?

    In each k-means cluster of the training rows, the distances to the nearest training row of the cluster are compared between
    generated and held-out rows, as the z-score of the Mann-Whitney statistic. C_T is the mean over clusters, weighted by
    held-out rows. It is about N(0, 1) if generated rows are like held-out ones, and far below 0 if training rows are copied.

    Args:
        train, held_out, fake: rows in φ.
    """
    if min(len(held_out), len(fake)) < MIN_ROWS:
        return too_few(len(held_out))
    cells = max(1, min(MAX_CELLS, len(held_out) // (2 * MIN_IN_CELL), len(np.unique(train, axis=0))))
    means = KMeans(cells, n_init=3, random_state=0).fit(train)
    scores = [
        (len(of_held_out), _z_score(_nearest(of_fake, of_train), _nearest(of_held_out, of_train)))
        for of_train, of_held_out, of_fake in _by_cell(means, train, held_out, fake)
        if min(len(of_held_out), len(of_fake)) >= MIN_IN_CELL / 2 and len(of_train)
    ]
    if not scores:
        return unknown(Message("reason.no_cluster"))
    counts, values = np.array(scores).T
    value, error = float(np.average(values, weights=counts)), math.sqrt(float((counts**2).sum())) / counts.sum()
    return Estimate(value, value - 1.96 * error, value + 1.96 * error)


def _by_cell(means: KMeans, *samples: Array) -> list[tuple[Array, ...]]:
    places = [means.predict(sample) for sample in samples]
    return [
        tuple(sample[place == cell] for sample, place in zip(samples, places, strict=True)) for cell in range(means.n_clusters)
    ]


def _nearest(points: Array, others: Array) -> Array:
    """Distance of each point to the nearest of ``others``."""
    return np.asarray(NearestNeighbors(n_neighbors=1).fit(others).kneighbors(points)[0][:, 0])


def _z_score(fake: Array, held_out: Array) -> float:
    """Mann-Whitney U of ``fake`` above ``held_out``, as a z-score."""
    n, m = len(fake), len(held_out)
    return (_area(fake, held_out) - 0.5) / math.sqrt((n + m + 1) / (12 * n * m))


def _area(above: Array, below: Array) -> float:
    """P(a value of ``above`` exceeds one of ``below``), ties count half: Mann-Whitney U divided by the number of pairs."""
    labels = np.repeat([1, 0], [len(above), len(below)])
    return float(roc_auc_score(labels, np.concatenate([above, below])))


def nearer_to_training(train: Array, held_out: Array, fake: Array) -> Estimate:
    """Share of generated rows whose nearest real row is a training row, among equally many training and held-out rows: 0.5
    without copies. Unlike C_T it does not decrease if generated rows are only concentrated.
    """
    m = min(len(train), len(held_out))
    if m < MIN_ROWS:
        return too_few(m)
    rows = np.concatenate([train[:m], held_out[:m]])
    nearest = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(fake, return_distance=False)[:, 0]
    drawn = np.bincount(nearest, minlength=2 * m)  # generated rows near the same real row are not independent
    is_train = np.arange(2 * m) < m
    return bootstrapped(lambda means: means[0] / means[1], np.stack([drawn * is_train, drawn])).clipped()


def exact_copies(train: Rows, sample: Rows) -> Estimate:
    """Share of rows of a sample that are training rows in every value, up to rounding errors. Not in φ, for its ranks and
    principal components make different rows alike.
    """
    learnt, drawn = _values(train), _values(sample)
    axes = np.random.default_rng(0).normal(size=(learnt.shape[1], PROJECTIONS)) / math.sqrt(learnt.shape[1])
    nearest = NearestNeighbors(n_neighbors=1).fit(learnt @ axes).kneighbors(drawn @ axes, return_distance=False)[:, 0]
    return mean_of((np.abs(drawn - learnt[nearest]).max(1) < SAME).astype(float)).clipped()


def _values(rows: Rows) -> Array:
    """Encoded values [N, F], which are standardised; a missing one is far from all values."""
    x = rows.x.flatten(1)
    values: Array = (x if rows.mask is None else x.masked_fill(~rows.mask.flatten(1), ABSENT)).double().numpy()
    return values


def membership(train: Array, held_out: Array) -> tuple[Estimate, Estimate]:
    """How well a row's loss separates training rows from others (Yeom et al. 2018): area under the ROC curve (0.5: not at
    all), and the share of training rows identified at 1% false alarms.

    Args:
        train, held_out: -ELBO of each row.
    """
    n, m = len(train), len(held_out)
    if min(n, m) < MIN_ROWS:
        return too_few(m), too_few(m)
    if not (np.isfinite(train).all() and np.isfinite(held_out).all()):
        none = unknown(Message("reason.loss_not_finite"))
        return none, none
    area = _area(held_out, train)
    error = math.sqrt((n + m + 1) / (12 * n * m))
    found = mean_of((train < np.quantile(held_out, 0.01)).astype(float)).clipped()
    return Estimate(area, area - 1.96 * error, area + 1.96 * error).clipped(), found
