# SPDX-License-Identifier: Apache-2.0
"""Everything that tunes a target, by name: each with the same budget and the same way of being told."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, cast

from trimtab.core.errors import BudgetSpent, UnknownName
from trimtab.core.outcome import Outcome
from trimtab.core.task import Task

from .asktell import AskTell
from .problem import Configuration, Search, Status, Target, Trial
from .space import Values

if TYPE_CHECKING:
    from .experience.memory import Hints, Memory

#: Solvers that search; a problem's `default` is beside them.
SEARCHES: Final = (
    "portfolio",
    "experienced",
    "random",
    "sobol",
    "local",
    "coordinate",
    "successive_halving",
    "projection",
    "optuna_tpe",
    "optuna_gp",
    "cma_es",
    "smac",
    "opentuner",
)


def optimiser(name: str, target: Target, seed: int, budget: int | None = None, memory: Memory | None = None) -> AskTell:
    """An optimiser by its name in `SEARCHES`; raises `MissingExtra` where its package is not installed.

    budget: number of trials, where it is known. memory: of `experienced`; by default the shipped one.
    """
    if name in ("portfolio", "experienced"):
        from .optimiser import Tuner

        hints = hints_for(target, memory) if name == "experienced" else None
        return Tuner(target.space, target.objective, seed=seed, budget=budget, hints=hints)
    if name not in SEARCHES:
        raise UnknownName("optimiser", name, SEARCHES)
    from .baselines import make

    return make(name, target, seed, budget)


def hints_for(target: Target, memory: Memory | None = None) -> Hints | None:
    """What other programs than the target's own tell of its knobs."""
    from .experience.memory import SHIPPED, Memory

    memory = memory or Memory.load(SHIPPED)
    digest = "" if target.replay is None else target.replay.table.digest
    return memory.without(target.name, digest).hints(target.space)


class Default:
    """Changes nothing."""

    def solve(self, task: Task[Target, Configuration]) -> Configuration:
        return Configuration(task.instance.space.default)


class Searcher:
    """An optimiser as a solver: it asks and is told until the budget is spent; then what it would keep."""

    track = "search"

    def __init__(self, name: str, unlimited: int = 60, memory: Memory | None = None) -> None:
        self.name = name
        self._memory = memory
        self._unlimited = unlimited  # trials where the task sets no limit

    def solve(self, task: Task[Target, Configuration]) -> Configuration:
        started, spent, trials, invalid = time.perf_counter(), time.process_time(), 0, 0
        left = task.remaining
        known = int(left.evaluations) if math.isfinite(left.evaluations) else None
        most = self._unlimited if known is None and math.isinf(left.seconds) else math.inf
        tuner = optimiser(self.name, task.instance, task.seed, known, self._memory)
        outside = 0.0
        while trials < most:
            values = tuner.ask()
            before = time.process_time()
            try:
                outcome = task.evaluate(Configuration(values))
            except BudgetSpent:
                break
            outside += time.process_time() - before
            trial = trial_of(values, outcome, task.instance)
            tuner.tell(trial)
            trials += 1
            invalid += not trial.valid
        values = tuner.best()
        overhead = (time.process_time() - spent - outside) / max(trials, 1)
        return Configuration(values, Search(trials, invalid, time.perf_counter() - started, overhead))


def trial_of(values: Values, outcome: Outcome, target: Target) -> Trial:
    """What a backend says of a configuration, as an optimiser is told."""
    ratio = outcome.metrics.get("ratio")
    if ratio is None:
        status = outcome.note if outcome.note in ("timeout", "refused") else "crash"
        return Trial(values, cast("Status", status), note=outcome.note)
    limited = {
        name: outcome.metrics[name] for name in {c.metric for c in target.objective.constraints} & {*outcome.metrics}
    }
    return Trial(values, "ok" if outcome.feasible else "constraint", math.log(ratio), metrics=limited)
