"""Latente: from unlabelled data to a latent space that you can trust.

>>> import latente as lt
>>> lt.recipe("beta-vae", beta=2.0).name
'beta-vae'

Names are loaded when first used, so that ``import latente`` and ``latente --help`` never wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from latente.version import __version__

if TYPE_CHECKING:
    from latente.catalogue import recipe, recipes
    from latente.composition import Recipe
    from latente.data import read
    from latente.errors import DataError, LatenteError, LatenteWarning, ModelError, StorageError, TrainingError
    from latente.estimator import VAE, Autoencoder, load
    from latente.explorer.notebook import explore
    from latente.model.parts import Part, choose
    from latente.report.report import write_report
    from latente.report.run import open_run
    from latente.studies.comparison import compare
    from latente.studies.disentanglement import disentanglement
    from latente.studies.prior_comparison import compare_laws, compare_priors
    from latente.studies.reproductions import reproduce, reproductions
    from latente.studies.tradeoff import tradeoff
    from latente.tasks.detectors import detectors
    from latente.training.private import Privacy

_ROOMS = {
    "data": ("read",),
    "errors": ("DataError", "LatenteError", "LatenteWarning", "ModelError", "StorageError", "TrainingError"),
    "explorer.notebook": ("explore",),
    "estimator": ("VAE", "Autoencoder", "load"),
    "model.parts": ("Part", "choose"),
    "catalogue": ("recipe", "recipes"),
    "composition": ("Recipe",),
    "tasks.detectors": ("detectors",),
    "training.private": ("Privacy",),
    "studies.comparison": ("compare",),
    "studies.disentanglement": ("disentanglement",),
    "studies.prior_comparison": ("compare_laws", "compare_priors"),
    "studies.reproductions": ("reproduce", "reproductions"),
    "studies.tradeoff": ("tradeoff",),
    "report.report": ("write_report",),
    "report.run": ("open_run",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "VAE",
    "Autoencoder",
    "DataError",
    "LatenteError",
    "LatenteWarning",
    "ModelError",
    "Part",
    "Privacy",
    "Recipe",
    "StorageError",
    "TrainingError",
    "__version__",
    "choose",
    "compare",
    "compare_laws",
    "compare_priors",
    "detectors",
    "disentanglement",
    "explore",
    "load",
    "open_run",
    "read",
    "recipe",
    "recipes",
    "reproduce",
    "reproductions",
    "tradeoff",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'latente' has no attribute {name!r}")
    return getattr(importlib.import_module(f"latente.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
