"""Figures: one function each, from plain NumPy arrays to matplotlib ``Axes``.

Nothing here touches pyplot or leaves a setting changed: each figure is an object of its own, drawn in one shared style
whatever the caller's ``rcParams`` are. A function that needs several panels returns the list of them. Values that were not
seen (NaN) are left out; where nothing is left to draw, the panel says so.
"""

from latente.report.figures.canvas import save, vector
from latente.report.figures.models import Side, ae_beside_vae
from latente.report.figures.rows import real_beside_generated, reconstructions, samples, walk
from latente.report.figures.space import code_line, latent_map, latent_maps, posterior_against_law, space_measures
from latente.report.figures.training import training_curve

__all__ = [
    "Side",
    "ae_beside_vae",
    "code_line",
    "latent_map",
    "latent_maps",
    "posterior_against_law",
    "real_beside_generated",
    "reconstructions",
    "samples",
    "save",
    "space_measures",
    "training_curve",
    "vector",
    "walk",
]
