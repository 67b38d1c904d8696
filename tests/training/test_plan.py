"""How long a model is trained, by what was asked for and by the data."""

from __future__ import annotations

import math

import pytest

from latente.training import defaults
from latente.training.calibration import MAX_TO_CALIBRATE, MIN_TO_CALIBRATE, rows_to_score
from latente.training.fit import hopeless
from latente.training.plan import Plan, Work

SIZES = [50, 500, 3000, 10_000, 60_000, 10**6]


def plan(effort: str, max_epochs: int | str = "auto") -> Plan:
    return Plan(effort, max_epochs, None, "auto", "auto", True, "cpu", "float32", 0)


def steps(effort: str, work: Work) -> int:
    settings = plan(effort).settings(work, None)
    assert settings.epochs is not None
    return settings.epochs * math.ceil(work.n / settings.batch_size)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("mixed", [False, True])
def test_more_effort_is_no_fewer_steps_and_all_are_bounded(n: int, mixed: bool) -> None:
    work = Work(n, mixed, 50_000)
    quick, balanced = (steps(effort, work) for effort in ("quick", "balanced"))
    assert 0 < quick < balanced
    per_epoch = math.ceil(n / plan("balanced").settings(work, None).batch_size)
    assert balanced <= 1.5 * max(defaults.MAX_STEPS, 10 * per_epoch) + 2 * per_epoch


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("effort", ["quick", "balanced"])
def test_convolutions_at_a_linear_model_take_few_steps_and_one_start(n: int, effort: str) -> None:
    plain, convolves = Work(n, False, 10**7), Work(n, False, 10**7, convolves=True)
    assert 0 < steps(effort, convolves) <= 0.25 * steps(effort, plain)
    assert plan(effort).search(convolves).starts == 1


@pytest.mark.parametrize("n", SIZES)
def test_best_searches_as_long_for_convolutions_as_for_others(n: int) -> None:
    plain, convolves = Work(n, False, 10**7), Work(n, False, 10**7, convolves=True)
    assert steps("best", convolves) == steps("best", plain)
    assert plan("best").search(convolves) == plan("best").search(plain)


def test_scores_for_the_calibration_cost_a_share_of_the_training() -> None:
    for each in (1, 10**6, 10**9, 10**12):
        counts = [rows_to_score(each, trained) for trained in (0, 10**11, 10**13, 10**15)]
        assert counts == sorted(counts)
        assert all(MIN_TO_CALIBRATE <= count <= MAX_TO_CALIBRATE for count in counts)
    assert rows_to_score(10**9, 10**12) * 10**9 <= 10**12 / 3


def record(progress: float, objective: float) -> dict[str, float]:
    return {"progress": progress, "held_out_objective": objective}


@pytest.mark.parametrize("ends_at", [-1.0, 0.0, 1.0])
def test_a_start_that_can_still_win_goes_on(ends_at: float) -> None:
    """Of losses that fall along a parabola to ``ends_at``, only one that ends above what is to be beaten is given up."""
    history, given_up = [], []
    for step in range(1, 51):
        history.append(record(step / 50, ends_at + 10 * (1 - step / 50) ** 2))
        given_up.append(hopeless(history, 0.5))
    assert any(given_up) == (ends_at > 0.5)
    assert not any(given_up[:12])
    assert not hopeless(history, math.inf)
