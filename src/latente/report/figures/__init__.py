"""Figures: one function each, from plain NumPy arrays to matplotlib ``Axes``.

Nothing here uses pyplot or changes settings: figures have one style, independent of the caller's ``rcParams``. A function with
several panels returns a list. Missing values (NaN) are left out; an empty panel contains a text.
"""

from latente.report.figures.canvas import save, vector
from latente.report.figures.code import beside_pca, corner, kl_by_dimension, traversal
from latente.report.figures.models import Side, ae_beside_vae
from latente.report.figures.rows import heat_maps, real_beside_generated, reconstructions, samples, walk, worst_to_best
from latente.report.figures.series import path, timeline, windows
from latente.report.figures.space import code_line, latent_map, latent_maps, posterior_against_samples, space_measures
from latente.report.figures.tables import all_columns, anomalies, correlations, errors_by_column
from latente.report.figures.training import training_curve

__all__ = [
    "Side",
    "ae_beside_vae",
    "all_columns",
    "anomalies",
    "beside_pca",
    "code_line",
    "corner",
    "correlations",
    "errors_by_column",
    "heat_maps",
    "kl_by_dimension",
    "latent_map",
    "latent_maps",
    "path",
    "posterior_against_samples",
    "real_beside_generated",
    "reconstructions",
    "samples",
    "save",
    "space_measures",
    "timeline",
    "training_curve",
    "traversal",
    "vector",
    "walk",
    "windows",
    "worst_to_best",
]
