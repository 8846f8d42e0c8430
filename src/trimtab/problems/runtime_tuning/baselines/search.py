# SPDX-License-Identifier: Apache-2.0
"""`Searcher`: any ask-and-tell optimiser as a solver that spends a task's evaluations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import cast

from trimtab.core.errors import BudgetSpent
from trimtab.core.outcome import Outcome
from trimtab.core.task import Task

from ..asktell import AskTell
from ..problem import Configuration, Search, Status, Target, Trial
from ..space import Values

#: Makes an optimiser for a target, a seed and a number of trials (None: not known).
Maker = Callable[[Target, int, int | None], AskTell]


class Searcher:
    """Asks, evaluates and tells until the budget is spent; then what the optimiser would keep."""

    track = "search"

    def __init__(self, make: Maker, unlimited: int = 60) -> None:
        self._make = make
        self._unlimited = unlimited  # trials where the task sets no limit

    def solve(self, task: Task[Target, Configuration]) -> Configuration:
        started, spent, trials, invalid = time.perf_counter(), time.process_time(), 0, 0
        left = task.remaining
        known = int(left.evaluations) if math.isfinite(left.evaluations) else None
        most = self._unlimited if known is None and math.isinf(left.seconds) else math.inf
        optimiser = self._make(task.instance, task.seed, known)
        outside = 0.0
        while trials < most:
            values = optimiser.ask()
            before = time.process_time()
            try:
                outcome = task.evaluate(Configuration(values))
            except BudgetSpent:
                break
            outside += time.process_time() - before
            trial = trial_of(values, outcome, task.instance)
            optimiser.tell(trial)
            trials += 1
            invalid += not trial.valid
        values = optimiser.best()
        overhead = (time.process_time() - spent - outside) / max(trials, 1)
        return Configuration(values, Search(trials, invalid, time.perf_counter() - started, overhead))


def trial_of(values: Values, outcome: Outcome, target: Target) -> Trial:
    """What a backend says of a configuration, as an optimiser is told."""
    ratio = outcome.metrics.get("ratio")
    if ratio is None:
        status = outcome.note if outcome.note in ("timeout", "refused") else "crash"
        return Trial(values, cast("Status", status), note=outcome.note)
    broken = target.objective.broken(outcome.metrics)
    return Trial(values, "constraint" if broken else "ok", math.log(ratio), metrics=dict(outcome.metrics))
