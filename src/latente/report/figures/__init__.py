"""Figures: one function each, from plain NumPy arrays to matplotlib ``Axes``.

Nothing here uses pyplot or changes settings: figures have one style, independent of the caller's ``rcParams``. A function with
several panels returns a list. Missing values (NaN) are left out; an empty panel contains a text.
"""

from latente.report.figures.canvas import save, vector
from latente.report.figures.models import Side, ae_beside_vae
from latente.report.figures.rows import real_beside_generated, reconstructions, samples, walk
from latente.report.figures.series import path, timeline, windows
from latente.report.figures.space import code_line, latent_map, latent_maps, posterior_against_samples, space_measures
from latente.report.figures.training import training_curve

__all__ = [
    "Side",
    "ae_beside_vae",
    "code_line",
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
    "vector",
    "walk",
    "windows",
]
