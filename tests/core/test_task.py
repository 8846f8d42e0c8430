# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import task as module
from trimtab.core.errors import BudgetSpent, UsageError
from trimtab.core.outcome import Outcome
from trimtab.core.task import Budget, Task


class Echo:
    """The metric is the decision; remembers the seeds."""

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def evaluate(self, instance: None, decision: float, *, seed: int) -> Outcome:
        self.seeds.append(seed)
        return Outcome({"value": decision}, feasible=decision >= 0)


def task(
    budget: Budget, *, seed: int = 0, goal: Literal["minimize", "maximize"] = "minimize"
) -> tuple[Task[Any, Any], Echo]:
    echo = Echo()
    return Task(None, echo, budget, seed, metric="value", goal=goal), echo


@given(st.integers(0, 20), st.integers(0, 40))
def test_the_meter_stops_at_the_budget(allowed: int, wanted: int) -> None:
    made, echo = task(Budget(allowed))
    for i in range(wanted):
        if i < allowed:
            made.evaluate(1.0)
        else:
            with pytest.raises(BudgetSpent):
                made.evaluate(1.0)
    assert made.evaluations == len(echo.seeds) == min(allowed, wanted)
    assert made.remaining.evaluations == allowed - made.evaluations


def test_seconds_are_wall_time_from_the_task_s_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=50.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    made = Task(None, Echo(), Budget(seconds=2), 0, _started=50.0)
    clock.now = 51.5
    made.evaluate(1.0)
    assert made.remaining == Budget(math.inf, 0.5)
    clock.now = 52.0
    with pytest.raises(BudgetSpent):
        made.evaluate(1.0)


@pytest.mark.parametrize("wrong", [{"evaluations": -1}, {"seconds": -0.1}, {"seconds": math.nan}])
def test_a_budget_is_not_negative(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Budget(**wrong)


def test_trials_have_seeds_of_their_own_that_all_solvers_share() -> None:
    first, one = task(Budget(), seed=7)
    second, two = task(Budget(), seed=7)
    other, three = task(Budget(), seed=8)
    for made in (first, second, other):
        for _ in range(50):
            made.evaluate(1.0)
    assert one.seeds == two.seeds
    assert len({7, *one.seeds}) == 51  # never the task's own
    assert not set(one.seeds) & set(three.seeds)


def test_the_generator_is_fresh_and_the_same_for_all() -> None:
    made, _ = task(Budget(), seed=3)
    assert made.rng.random() == made.rng.random() == np.random.default_rng(3).random()


@given(st.lists(st.floats(-5, 5), max_size=30), st.sampled_from(["minimize", "maximize"]))
def test_the_anytime_curve_is_the_running_best_of_what_is_feasible(
    values: list[float], goal: Literal["minimize", "maximize"]
) -> None:
    made, _ = task(Budget(), goal=goal)
    for value in values:
        made.evaluate(value)
    better = min if goal == "minimize" else max
    best = {
        i + 1: better(v for v in values[: i + 1] if v >= 0)
        for i in range(len(values))
        if any(v >= 0 for v in values[: i + 1])
    }
    changes = [(i, v) for i, v in best.items() if best.get(i - 1) != v]
    assert made.anytime == changes


def test_the_truth_is_not_shown() -> None:
    made, _ = task(Budget())
    assert "backend" not in repr(made)
