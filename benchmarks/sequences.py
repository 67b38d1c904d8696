"""Sequences drawn by code: entities of 5 to 20 steps, eight mixed columns, known transitions; and how far new ones are off.

Two columns are constant in an entity (region, age). The state and the stage are Markov chains, some of whose transitions never
occur; those of the state depend on the region. Visits are counts that depend on the state, the level returns to a mean that
depends on age and region, the total adds up visits, and the flag depends on the state and on the flag before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
STATES, STAGES = [*"ABCDE"], ["early", "middle", "late", "closed"]
CONSTANT, NUMBERS = ("region", "age"), ("visits", "level", "total")
BY_REGION = np.array([
    [[.6, .3, .1, 0, 0], [.1, .6, .2, .1, 0], [0, .2, .5, .3, 0], [0, 0, .3, .5, .2], [.3, 0, 0, .2, .5]],
    [[.8, .1, .1, 0, 0], [.3, .5, .1, .1, 0], [0, .4, .4, .2, 0], [0, 0, .5, .4, .1], [.5, 0, 0, .3, .2]],
    [[.4, .5, .1, 0, 0], [.1, .4, .3, .2, 0], [0, .1, .4, .5, 0], [0, 0, .1, .6, .3], [.1, 0, 0, .2, .7]],
])  # fmt: skip
STAGE = np.array([[0.7, 0.25, 0.05, 0], [0, 0.75, 0.2, 0.05], [0, 0, 0.8, 0.2], [0, 0, 0, 1]])


def drawn(entities: int = 5000, seed: int = 0) -> pd.DataFrame:
    """A long table with the entity and the step."""
    rng, rows = np.random.default_rng(seed), []
    for entity in range(entities):
        region, age = int(rng.choice(3, p=[0.5, 0.3, 0.2])), float(np.round(rng.normal(50, 12), 1))
        state, stage, flag, total = int(rng.integers(5)), 0, False, 0
        home = 0.05 * age + region
        level = home + rng.normal()
        for step in range(rng.integers(5, 21)):
            visits = int(rng.poisson(0.5 + 0.7 * state))
            total += visits
            flag = bool(rng.random() < 0.1 + 0.12 * state + 0.3 * flag)
            seen = "yes" if flag else "no"
            rows.append((entity, step, "NSW"[region], age, STATES[state], STAGES[stage], visits, round(level, 3), total, seen))
            state = int(rng.choice(5, p=BY_REGION[region][state]))
            stage = int(rng.choice(4, p=STAGE[stage]))
            level = home + 0.8 * (level - home) + 0.4 * rng.normal()
    names = ["entity", "step", *CONSTANT, "state", "stage", "visits", "level", "total", "flag"]
    return pd.DataFrame(rows, columns=names)


def transitions(frame: pd.DataFrame, column: str, levels: list[str]) -> Array:
    """Frequencies of the next value for each value of a column, [n, n]."""
    after = frame.groupby("entity")[column].shift(-1)
    counts = pd.crosstab(frame[column], after).reindex(index=levels, columns=levels, fill_value=0).to_numpy(float)
    return np.asarray(counts / np.maximum(1, counts.sum(1, keepdims=True)))


def error_of_transitions(real: pd.DataFrame, new: pd.DataFrame) -> float:
    """The largest difference of a frequency, in all regions together, from that of the real ones (state) or the known one."""
    states = np.abs(transitions(new, "state", STATES) - transitions(real, "state", STATES))
    return float(max(states.max(), np.abs(transitions(new, "stage", STAGES) - STAGE).max()))


def error_in_regions(new: pd.DataFrame) -> float:
    """Mean difference of the frequencies of the state's transitions in each region from the known probabilities above 0."""
    found = [transitions(new[new["region"] == name], "state", STATES) for name in "NSW"]
    return float(np.abs(np.stack(found) - BY_REGION)[BY_REGION > 0].mean())


def error_of_correlations(real: pd.DataFrame, new: pd.DataFrame) -> float:
    """The largest difference of a correlation of a constant column with one that varies; levels as indicators."""
    return float(np.abs(_correlations(real) - _correlations(new)).max())


def _correlations(frame: pd.DataFrame) -> Array:
    constant = pd.get_dummies(frame[[*CONSTANT]], dtype=float)
    varying = pd.get_dummies(frame[[*NUMBERS, "state", "stage", "flag"]], dtype=float)
    both = np.corrcoef(constant.to_numpy().T, varying.to_numpy().T)
    return np.asarray(both[: constant.shape[1], constant.shape[1] :])


def impossible(new: pd.DataFrame) -> float:
    """Share of steps that can't follow the step before: a transition of probability 0, another constant, or a lower total."""
    before = new.groupby("entity").shift(1)
    known = before["state"].notna()
    at = [pd.Categorical(part["state"][known], STATES).codes for part in (before, new)]
    stages = [pd.Categorical(part["stage"][known], STAGES).codes for part in (before, new)]
    wrong = (BY_REGION.max(0)[at[0], at[1]] == 0) | (STAGE[stages[0], stages[1]] == 0)
    wrong |= (new["total"] < before["total"])[known].to_numpy()
    for name in CONSTANT:
        wrong |= (new[name] != before[name])[known].to_numpy()
    return float(wrong.mean())


def error_of_lengths(real: pd.DataFrame, new: pd.DataFrame) -> float:
    """The largest difference of the frequency of a length."""
    counts = [frame.groupby("entity").size().value_counts(normalize=True) for frame in (real, new)]
    return float(counts[0].sub(counts[1], fill_value=0).abs().max())


def memory(frame: pd.DataFrame) -> float:
    """Correlation of the level with that of the step before."""
    return float(frame["level"].corr(frame.groupby("entity")["level"].shift(1)))
