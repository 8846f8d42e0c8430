# SPDX-License-Identifier: Apache-2.0
"""Small problems that go wrong in every way a study must survive. Importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from trimtab.core.backend import Rollout
from trimtab.core.errors import BudgetSpent
from trimtab.core.extras import need
from trimtab.core.outcome import Outcome
from trimtab.core.problem import Metric, Problem
from trimtab.core.task import Task


@dataclass(frozen=True, eq=False)
class Loads:
    """Items for two bins; the decision is a bin per item."""

    sizes: np.ndarray[Any, np.dtype[np.float64]]  # (items,)


def loads(split: str) -> Mapping[str, Loads]:
    rng = np.random.default_rng({"train": 1, "validation": 2, "test": 3}[split])
    return {f"{split}-{i}": Loads(rng.pareto(2, 12) + 0.1) for i in range(6)}


class Makespan:
    """The fuller bin, with a little noise of the seed's."""

    def evaluate(self, instance: Loads, decision: Any, *, seed: int) -> Outcome:
        full = np.bincount(decision, instance.sizes, 2)
        noise = 1 + 0.01 * np.random.default_rng(seed).random()
        return Outcome({"makespan": float(full.max() * noise), "balance": float(full.min() / full.max())})


class Timed(Makespan):
    exclusive = True


class Alternate:
    def solve(self, task: Task[Loads, Any]) -> Any:
        return np.arange(len(task.instance.sizes)) % 2


class LongestFirst:
    deterministic = True

    def solve(self, task: Task[Loads, Any]) -> Any:
        full, bins = [0.0, 0.0], np.zeros(len(task.instance.sizes), int)
        for item in np.argsort(-task.instance.sizes):
            bins[item] = int(full[1] < full[0])
            full[bins[item]] += task.instance.sizes[item]
        return bins


class RandomSearch:
    track = "search"

    def solve(self, task: Task[Loads, Any]) -> Any:
        rng, best, value = task.rng, None, np.inf
        try:
            while True:
                bins = rng.integers(2, size=len(task.instance.sizes))
                found = task.evaluate(bins).metrics["makespan"]
                if found < value:
                    best, value = bins, found
        except BudgetSpent:
            return best


class Greedy(RandomSearch):
    """Forgets that the budget ends."""

    def solve(self, task: Task[Loads, Any]) -> Any:
        while True:
            task.evaluate(task.rng.integers(2, size=len(task.instance.sizes)))


class Peeker:
    """A policy that evaluates."""

    def solve(self, task: Task[Loads, Any]) -> Any:
        task.evaluate(np.zeros(len(task.instance.sizes), int))


class Crashing:
    def solve(self, task: Task[Loads, Any]) -> Any:
        raise ValueError("no such\nthing")


class Suicidal(Alternate):
    """Kills its process on one instance."""

    def solve(self, task: Task[Loads, Any]) -> Any:
        if len(task.instance.sizes) and abs(task.instance.sizes[0] - loads("test")["test-2"].sizes[0]) < 1e-12:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().solve(task)


class DiesOnce(Alternate):
    """Kills its process the first time only; TOY_MARK names the file that remembers."""

    def solve(self, task: Task[Loads, Any]) -> Any:
        mark = Path(os.environ["TOY_MARK"])
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().solve(task)


class Slow(Alternate):
    def solve(self, task: Task[Loads, Any]) -> Any:
        time.sleep(0.05)
        return super().solve(task)


@dataclass
class Trained(Alternate):
    trained_on: frozenset[str] = frozenset()
    config: dict[str, Any] = field(default_factory=dict)
    fit_s = 12.5


class Absent:
    def __init__(self) -> None:
        need("no_such_package_anywhere", extra="learn", purpose="the solver 'absent'")


class NotANumber(Makespan):
    def evaluate(self, instance: Loads, decision: Any, *, seed: int) -> Outcome:
        return Outcome({"makespan": float("nan"), "balance": 1.0})


METRICS = (Metric("makespan", "s"), Metric("balance", "1", "maximize"))

BINS: Problem[Any, Any] = Problem(
    name="toy_bins",
    question="Which bin does each item go to?",
    metrics=METRICS,
    instances=loads,
    backends={"simulator": Makespan, "timed": Timed, "broken": NotANumber},
    solvers={"alternate": Alternate, "longest_first": LongestFirst, "random_search": RandomSearch},
    quick={"instances": ["test-1", "test-4"], "solvers": ["alternate", "longest_first"]},
)

PERILS: Problem[Any, Any] = Problem(
    name="toy_perils",
    metrics=METRICS,
    instances=loads,
    backends={"simulator": Makespan},
    solvers={
        "alternate": Alternate,
        "crashing": Crashing,
        "peeker": Peeker,
        "greedy": Greedy,
        "absent": Absent,
        "suicidal": Suicidal,
        "dies_once": DiesOnce,
        "slow": Slow,
    },
)


class Countdown(gymnasium.Env[int, int]):
    """Cut a length down to nothing; every step costs one."""

    observation_space = gymnasium.spaces.Discrete(1000)
    action_space = gymnasium.spaces.Discrete(10)

    def __init__(self, length: int) -> None:
        self.length = length

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.left, self.steps = self.length, 0
        return self.left, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.left -= max(1, int(action)) if self.np_random.random() < 0.9 else 1
        self.steps += 1
        return max(self.left, 0), -1.0, self.left <= 0, False, {"steps": self.steps}


@dataclass(frozen=True)
class Cut:
    by: int

    def act(self, observation: int) -> int:
        return self.by

    def solve(self, task: Task[int, Any]) -> Cut:
        return self


def lengths(split: str) -> Mapping[str, int]:
    return {f"length-{n}": n for n in range(20, 60, 10)}


def rollout() -> Rollout[int, int, int]:
    return Rollout(Countdown, measure)


def measure(info: dict[str, Any]) -> Mapping[str, float]:
    return {"steps": float(info["steps"])}


def cut_two() -> Cut:
    return Cut(2)


def cut_five() -> Cut:
    return Cut(5)


CONTROL: Problem[Any, Any] = Problem(
    name="toy_control",
    metrics=(Metric("steps", "1"),),
    instances=lengths,
    backends={"simulator": rollout},
    solvers={"two": cut_two, "five": cut_five},
)
