# SPDX-License-Identifier: Apache-2.0
"""`Task`: one instance, and a metered right to try decisions on it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import numpy as np

from .errors import BudgetSpent, UsageError
from .outcome import Outcome

if TYPE_CHECKING:
    from .backend import Backend

I = TypeVar("I")  # noqa: E741  an instance
D = TypeVar("D")  # a decision


@dataclass(frozen=True, slots=True)
class Budget:
    """How often and how long a solver may evaluate before it must decide."""

    evaluations: float = math.inf
    seconds: float = math.inf  # wall

    def __post_init__(self) -> None:
        for name in ("evaluations", "seconds"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"budget: {name} must be >= 0, got {getattr(self, name)}")


@dataclass
class Task(Generic[I, D]):
    """An instance handed to a solver.

    The backend is private: the meter can't be passed by, and the truth of a
    prediction problem can't be read. Evaluations while deciding use seeds of
    their own, so a solver never sees the draws that it is judged on.
    """

    instance: I
    _backend: Backend[I, D] = field(repr=False)
    budget: Budget
    seed: int
    metric: str = ""  # the problem's first metric, for the anytime curve
    goal: Literal["minimize", "maximize"] = "minimize"
    evaluations: int = 0
    anytime: list[tuple[int, float]] = field(default_factory=list)
    _started: float = field(default_factory=time.perf_counter, repr=False)

    @property
    def rng(self) -> np.random.Generator:
        """A fresh generator; the same for every solver of a cell."""
        return np.random.default_rng(self.seed)

    @property
    def remaining(self) -> Budget:
        spent = time.perf_counter() - self._started
        return Budget(max(0, self.budget.evaluations - self.evaluations), max(0.0, self.budget.seconds - spent))

    def evaluate(self, decision: D) -> Outcome:
        """Try a decision. Counts; raises `BudgetSpent` when nothing is left."""
        left = self.remaining
        if left.evaluations < 1 or left.seconds <= 0:
            raise BudgetSpent(f"the budget is spent: {self.evaluations} evaluations")
        self.evaluations += 1
        trial_seed = int(np.random.SeedSequence((self.seed, self.evaluations)).generate_state(1)[0])
        outcome = self._backend.evaluate(self.instance, decision, seed=trial_seed)
        self._record(outcome)
        return outcome

    def _record(self, outcome: Outcome) -> None:
        value = outcome.metrics.get(self.metric)
        if value is None or not outcome.feasible:
            return
        best = self.anytime[-1][1] if self.anytime else None
        if best is None or (value < best if self.goal == "minimize" else value > best):
            self.anytime.append((self.evaluations, value))
