# SPDX-License-Identifier: Apache-2.0
"""A problem that keeps every promise, and ways to break one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import BudgetSpent
from trimtab.core.outcome import Outcome
from trimtab.core.problem import SPLITS, Metric, Problem, Split
from trimtab.core.task import Task


@dataclass(frozen=True, eq=False)
class Line:
    values: NDArray[np.float64]  # (points,)


@dataclass
class Judge:
    """Distance of a point from the line's mean, with noise drawn from the seed."""

    extra: Mapping[str, float] = field(default_factory=dict)
    moody: bool = False
    calls: int = 0

    def evaluate(self, instance: Line, decision: float, *, seed: int) -> Outcome:
        self.calls += 1
        noise = np.random.default_rng(seed).normal() + (self.calls if self.moody else 0)
        return Outcome({"distance": abs(decision - float(instance.values.mean())) + noise, **self.extra})


class Vandal(Judge):
    def evaluate(self, instance: Line, decision: float, *, seed: int) -> Outcome:
        instance.values[0] += 1
        return super().evaluate(instance, decision, seed=seed)


class Split2(Judge):
    def evaluate_many(self, instance: Line, decisions: list[float], *, seed: int) -> list[Outcome]:
        return [Outcome({"distance": 0.0})] * len(decisions)


class Median:
    def solve(self, task: Task[Line, float]) -> float:
        return float(np.median(task.instance.values))


class Secret(Median):
    """Evaluates without saying so, and even hides that it may not."""

    def solve(self, task: Task[Line, float]) -> float:
        with suppress(BudgetSpent):
            task.evaluate(0.0)
        return super().solve(task)


class Search:
    track = "search"

    def solve(self, task: Task[Line, float]) -> float:
        return self.pick(self.explore(task))

    def explore(self, task: Task[Line, float]) -> list[tuple[float, float]]:
        rng, tried = task.rng, []
        try:
            while True:
                guess = float(rng.normal())
                tried.append((task.evaluate(guess).metrics["distance"], guess))
        except BudgetSpent:
            return tried

    def pick(self, tried: list[tuple[float, float]]) -> float:
        return min(tried)[1]


class WorstSearch(Search):
    def pick(self, tried: list[tuple[float, float]]) -> float:
        return max(tried)[1]


class Inventor(Search):
    def pick(self, tried: list[tuple[float, float]]) -> float:
        return 17.5


class Restless(Median):
    def solve(self, task: Task[Line, float]) -> float:
        return float(np.random.default_rng().normal())


class Scribbler(Median):
    def solve(self, task: Task[Line, float]) -> float:
        task.instance.values.sort()
        return super().solve(task)


class Cheat:
    """A search that passes by the meter."""

    track = "search"

    def solve(self, task: Task[Line, float]) -> float:
        for _ in range(100):
            task._backend.evaluate(task.instance, 0.0, seed=0)
        return 0.0


def instances(split: Split) -> Mapping[str, Line]:
    rng = np.random.default_rng(SPLITS.index(split))
    return {f"line-{i}": Line(rng.normal(size=5)) for i in range(3)}


def made(**changes: Any) -> Problem[Line, float]:
    parts: dict[str, Any] = {
        "name": "line",
        "question": "Which point is nearest the mean?",
        "metrics": (Metric("distance", "m"),),
        "instances": instances,
        "backends": {"simulator": Judge},
        "solvers": {"median": Median, "search": Search},
    }
    return Problem(**{**parts, **changes})
