# SPDX-License-Identifier: Apache-2.0
"""Running one cell: build what it needs, let the solver decide, evaluate, write down what came of it."""

from __future__ import annotations

import math
import resource
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.core import registry
from trimtab.core.errors import BudgetSpent, TrimtabError, Unavailable
from trimtab.core.outcome import Outcome, Run
from trimtab.core.problem import Problem
from trimtab.core.task import Budget, Task

from .plan import Cell, allowance, finite


@dataclass(frozen=True)
class Setting:
    """What all cells of a study share. A worker is given one, and builds its instances itself."""

    problem: str | Problem[Any, Any]  # by name where it is registered
    version: str
    backend: str
    split: str
    suite: str
    budget: Budget
    folder: Path | None  # of the ledger
    instances: Mapping[str, Any] | None = None  # None: the problem's, built where the cells run

    @property
    def name(self) -> str:
        return self.problem if isinstance(self.problem, str) else self.problem.name

    def row(self, cell: Cell, **measured: Any) -> Run:
        budget = allowance(self.budget, cell.track)
        return Run(
            key=cell.key,
            problem=self.name,
            version=self.version,
            backend=self.backend,
            split=self.split,
            instance=cell.instance,
            solver=cell.solver,
            seed=cell.seed,
            track=cell.track,
            budget_evaluations=finite(budget.evaluations),
            budget_seconds=finite(budget.seconds),
            **measured,
        )


class Bench:
    """Runs cells. Problem, backend, instances and solvers are built once and kept."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        named = setting.problem
        self._problem: Problem[Any, Any] = registry.load(named) if isinstance(named, str) else named
        self._instances: Mapping[str, Any] = (
            self._problem.suite(setting.suite, setting.split)  # type: ignore[arg-type]  # a split of its own has them
            if setting.instances is None
            else setting.instances
        )
        self._backend = self._problem.backend(setting.backend)
        self._solvers: dict[str, Any] = {}

    def run(self, cell: Cell) -> Run:
        """The cell's row, whatever happens. What a solver prints goes to stderr."""
        measured: dict[str, Any] = {"status": "failed"}
        started = cpu_seconds()
        with redirect_stdout(sys.stderr):
            try:
                self._decide_and_evaluate(cell, measured)
            except Unavailable as error:
                measured |= {"status": "unavailable", "note": str(error)}
            except BudgetSpent as error:
                measured |= _overspent(cell, error)
            except (Exception, SystemExit) as error:
                measured["note"] = one_line(error)
        return self._setting.row(cell, cpu_s=cpu_seconds() - started, **measured)

    def _decide_and_evaluate(self, cell: Cell, measured: dict[str, Any]) -> None:
        solver, instance, first = self._solver(cell.solver), self._instances[cell.instance], self._problem.metrics[0]
        measured["fit_s"] = float(getattr(solver, "fit_s", 0.0))
        budget = allowance(self._setting.budget, cell.track)
        task = Task(instance, self._backend, budget, cell.entropy, first.name, first.goal)
        started = time.perf_counter()
        try:
            decision = solver.solve(task)
        finally:
            measured["solve_s"] = time.perf_counter() - started
            measured["evaluations"] = task.evaluations
            measured["anytime"] = tuple((n, float(value)) for n, value in task.anytime if math.isfinite(value))
        started = time.perf_counter()
        outcome = self._backend.evaluate(instance, decision, seed=judging_seed(cell.entropy))
        measured["evaluate_s"] = time.perf_counter() - started
        measured |= _judge(outcome, first.name)

    def _solver(self, name: str) -> Any:
        if name not in self._solvers:
            self._solvers[name] = self._problem.solver(name)
        return self._solvers[name]


def judging_seed(entropy: int) -> int:
    """Of the final evaluation: the same for every solver, and of none that `Task.evaluate` draws."""
    return int(np.random.SeedSequence((entropy, 0)).generate_state(1)[0])


def cpu_seconds() -> float:
    """Spent so far by this process, all its threads, and the processes it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def one_line(error: BaseException) -> str:
    """trimtab's errors speak for themselves; others are named, with the line they come from."""
    text = " ".join(str(error).split())
    if isinstance(error, TrimtabError):
        return text
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"


def _overspent(cell: Cell, error: BudgetSpent) -> dict[str, Any]:
    if cell.track == "policy":
        return {"note": "it evaluated, but a policy may not; a solver that searches has the attribute track = 'search'"}
    return {"status": "timeout", "note": f"{error}, and the solver did not return its best decision"}


def _judge(outcome: Outcome, deciding: str) -> dict[str, Any]:
    """Status, metrics and note. A number that is not finite is left out, and the note says so."""
    values = {name: float(value) for name, value in outcome.metrics.items()}
    metrics = {name: value for name, value in values.items() if math.isfinite(value)}
    odd = [f"{name} is {value}" for name, value in values.items() if name not in metrics]
    note = "; ".join(filter(None, [outcome.note, *odd]))
    if not outcome.feasible:
        return {"status": "infeasible", "metrics": metrics, "note": note}
    if deciding not in metrics:
        return {"status": "failed", "note": note or f"the backend reported no {deciding!r}"}
    return {"status": "ok", "metrics": metrics, "note": note}
