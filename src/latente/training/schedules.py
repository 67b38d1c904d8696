"""Schedules: functions of training progress, from 0 at the start to 1 at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping

from latente.errors import ModelError
from latente.model.parts import Part, register


@register
class LinearSchedule(Part):
    """Strengths by name, each growing from 0 to 1 over a share of the run: ``warm_up`` for the weight of the KL (Bowman et al.
    2016), ``ramp`` for a capacity (Burgess et al. 2018), and for any other the share in the ``follows`` of its part.
    """

    name = "linear"

    def __init__(self, warm_up: float = 0.2, ramp: float = 0.6) -> None:
        super().__init__()
        if not (0 <= warm_up <= 1 and 0 <= ramp <= 1):
            raise ModelError(f"warm_up and ramp must be shares of the run between 0 and 1, not {warm_up} and {ramp}")
        self.shares = {"kl": warm_up, "capacity": ramp}

    def forward(self, progress: float, followed: Mapping[str, float]) -> dict[str, float]:
        """The current values of strengths."""
        return {name: _grown(progress, self.shares.get(name, share)) for name, share in followed.items()}


def _grown(progress: float, over: float) -> float:
    return min(1.0, progress / over) if over else 1.0


def cosine(progress: float, rise: float = 0.05, lowest: float = 0.02) -> float:
    """Factor on the learning rate: it falls from 1 to ``lowest`` along half a cosine (Loshchilov and Hutter 2017), after a
    linear increase over the first ``rise`` of the run, while Adam's moments are averages of few steps (Ma and Yarats 2021).
    """
    fallen = lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return fallen * min(1.0, (progress + 1e-3) / rise)
