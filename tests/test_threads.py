"""Threads: by a clock that is made up, for what is timed must not be what the machine does meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
import torch

import latente as lt
from latente.threads import LOOK_EVERY, MAX_SLOWDOWN, Pace, on_one_thread
from latente.training import defaults, loop


class Machine:
    """Steps that take what they are said to take."""

    def __init__(self, seconds: Callable[[int, int], float]) -> None:
        self.seconds, self.now, self.taken = seconds, 0.0, list[int]()

    def step(self, number: int) -> None:
        """A step on so many threads."""
        self.now += self.seconds(len(self.taken), number)
        self.taken.append(number)

    def run(self, steps: int) -> list[int]:
        """The numbers of threads of some steps."""
        pace = Pace(4, True, clock=lambda: self.now)
        for _ in range(steps):
            pace(self.step)
        return self.taken


@pytest.mark.parametrize(("of_all", "chosen"), [(0.5, 4), (1.5, 1), (100.0, 1)])
def test_the_faster_number_of_threads_is_taken(of_all: float, chosen: int) -> None:
    taken = Machine(lambda step, number: 1.0 if number == 1 else of_all).run(LOOK_EVERY)
    assert taken == [1, 4] + [chosen] * (LOOK_EVERY - 2)


def test_a_machine_that_becomes_busy_costs_one_step_until_the_next_look() -> None:
    busy = range(20, 300)
    taken = Machine(lambda step, number: 1.0 if number == 1 else 50.0 if step in busy else 0.6).run(6 * LOOK_EVERY)
    slow = [step for step in busy if taken[step] == 4]
    assert slow == [20, *range(LOOK_EVERY + 1, 300, LOOK_EVERY)]
    assert taken[10] == taken[-1] == 4


def test_a_step_within_what_is_tolerated_goes_on() -> None:
    taken = Machine(lambda step, number: 1.0 if number == 1 else 0.5 if step < 9 else 0.99 * MAX_SLOWDOWN).run(LOOK_EVERY)
    assert taken[2:] == [4] * (LOOK_EVERY - 2)


@pytest.mark.parametrize("number", [1, 3])
def test_what_is_asked_for_is_not_timed(number: int) -> None:
    pace = Pace(number, False, clock=lambda: pytest.fail("looked at the clock"))
    assert {pace(lambda n: n) for _ in range(5)} == {number}


def test_a_fit_leaves_the_same_weights_however_steps_were_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 6)) @ np.random.default_rng(1).normal(size=(6, 6))

    def fitted() -> torch.Tensor:
        vae = lt.VAE(max_epochs=2, hidden=(16,), latent_dim=2, random_state=0, precision="float32").fit(rows)
        return torch.cat([value.reshape(-1) for value in vae.model_.state_dict().values()])

    alone, seen = fitted(), set[int]()
    monkeypatch.setattr(loop, "ASKED_FOR", False)
    monkeypatch.setattr(defaults, "threads", lambda work: 2)
    count = mock.Mock(side_effect=lambda: count.call_count % 5 / (1 + torch.get_num_threads()))
    original = loop.Training._taken
    monkeypatch.setattr(loop.Training, "_taken", lambda own, *args: seen.add(args[-1]) or original(own, *args))
    monkeypatch.setattr(loop, "Pace", lambda number, timed: Pace(number, timed, count))
    assert torch.equal(fitted(), alone)
    assert seen == {1, 2}


def test_nothing_in_a_fit_or_a_certificate_takes_more_threads_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = torch.get_num_threads(), list[int]()
    monkeypatch.setattr(
        sys.modules["latente.certificate.certify"], "space", lambda *args: seen.append(torch.get_num_threads()) or {}
    )
    torch.set_num_threads(2)
    try:
        observer = lambda training: seen.append(torch.get_num_threads())  # noqa: E731
        lt.VAE(max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(50, 3)), observer=observer).certificate()
        assert torch.get_num_threads() == 2 and set(seen) == {1}
    finally:
        torch.set_num_threads(before)


def test_one_thread_is_that_of_all_libraries() -> None:
    from threadpoolctl import threadpool_info

    with on_one_thread():
        assert {library["num_threads"] for library in threadpool_info()} == {1}
