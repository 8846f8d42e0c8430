# SPDX-License-Identifier: Apache-2.0
"""Solvers tried on the user's own instances: what `solve` compares."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.core.backend import Backend
from trimtab.core.errors import InvalidInstance, TrimtabError, Unavailable, UsageError
from trimtab.core.problem import Metric, Problem
from trimtab.core.task import Budget, Task
from trimtab.study.cell import one_line


@dataclass(frozen=True)
class Attempt:
    """What one solver did with one instance."""

    solver: str
    decision: Any = None
    metrics: Mapping[str, float] | None = None  # means over the seeds, of what the backend told; None: no decision
    feasible: bool = True
    seconds: float = 0.0  # to decide
    evaluations: int = 0  # to decide
    note: str = ""
    error: Exception | None = None


def candidates(problem: Problem[Any, Any], names: Sequence[str] | None, policy: Path | None) -> dict[str, Any]:
    """Solvers by name, or the `Unavailable` that one raised. By default all that decide without evaluating."""
    found: dict[str, Any] = {}
    if policy is not None:
        if problem.load is None:
            raise UsageError(f"the problem {problem.name!r} loads no saved solvers (--policy)")
        found[policy.stem] = problem.load(policy)
    for name in names or (problem.solvers if policy is None else ()):
        try:
            solver = problem.solver(name)
        except Unavailable as error:
            found[name] = error
            continue
        if names or getattr(solver, "track", "policy") == "policy":
            found[name] = solver
    return found


def attempt(
    problem: Problem[Any, Any],
    name: str,
    solver: Any,
    instance: Any,
    backend: Backend[Any, Any],
    budget: Budget,
    seeds: Sequence[int],
) -> Attempt:
    """Let a solver decide once, and judge that on every seed. Only what is wrong with the instance is raised."""
    if isinstance(solver, Unavailable):
        return Attempt(name, note=str(solver), error=solver)
    first = problem.metrics[0]
    allowed = budget if getattr(solver, "track", "policy") == "search" else Budget(0)
    task = Task(instance, backend, allowed, seeds[0], metric=first.name, goal=first.goal)
    started = time.perf_counter()
    try:
        decision = solver.solve(task)
        seconds = time.perf_counter() - started
        outcomes = [backend.evaluate(instance, decision, seed=seed) for seed in seeds]
    except InvalidInstance:
        raise
    except Exception as error:
        return Attempt(name, note=one_line(error), error=error)
    told = [m.name for m in problem.metrics if all(m.name in o.metrics for o in outcomes)]
    metrics = {name: sum(o.metrics[name] for o in outcomes) / len(outcomes) for name in told}
    feasible = all(outcome.feasible for outcome in outcomes)
    return Attempt(name, decision, metrics, feasible, seconds, task.evaluations, outcomes[0].note)


def best_first(attempts: Sequence[Attempt], metric: Metric) -> list[Attempt]:
    """Feasible before infeasible, and those that did not decide last."""

    def rank(tried: Attempt) -> tuple[bool, bool, bool, float]:
        value = (tried.metrics or {}).get(metric.name, 0.0)
        return (
            tried.error is not None,
            tried.metrics is None,
            not tried.feasible,
            value if metric.goal == "minimize" else -value,
        )

    return sorted(attempts, key=rank)


def complain(instance: str, attempts: Sequence[Attempt], *, named: bool) -> None:
    """Raise where nobody decided, or where somebody who was named did not."""
    failed = [tried for tried in attempts if tried.error is not None]
    if failed and (named or len(failed) == len(attempts)):
        kind = Unavailable if all(isinstance(tried.error, Unavailable) for tried in failed) else TrimtabError
        raise kind("\n  ".join(f"{instance}: {tried.solver}: {tried.note}" for tried in failed)) from failed[0].error
