"""What changes while training goes on, as functions of progress: 0 at the start, 1 at the end."""

from __future__ import annotations

import math

from latente.errors import ModelError
from latente.model.parts import Part, register


@register
class LinearSchedule(Part):
    """The weight of the KL grows from 0 to 1 over the first ``warm_up`` of the run (Bowman et al. 2016), and a capacity over
    the
    first ``ramp`` of it (Burgess et al. 2018).
    """

    name = "linear"

    def __init__(self, warm_up: float = 0.2, ramp: float = 0.6) -> None:
        super().__init__()
        if not (0 <= warm_up <= 1 and 0 <= ramp <= 1):
            raise ModelError(f"warm_up and ramp are shares of the run, between 0 and 1, not {warm_up} and {ramp}")
        self.warm_up, self.ramp = warm_up, ramp

    def forward(self, progress: float) -> dict[str, float]:
        """Strength of each term at this moment."""
        return {"kl": _grown(progress, self.warm_up), "capacity": _grown(progress, self.ramp)}


def _grown(progress: float, over: float) -> float:
    return min(1.0, progress / over) if over else 1.0


def cosine(progress: float, rise: float = 0.05, lowest: float = 0.02) -> float:
    """Factor on the learning rate: it falls from 1 to ``lowest`` along half a cosine (Loshchilov and Hutter 2017), and rises
    from near 0 over the first ``rise`` of the run, while Adam's moments are still made of a few steps (Ma and Yarats 2021).
    """
    fallen = lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return fallen * min(1.0, (progress + 1e-3) / rise)
