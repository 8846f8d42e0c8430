# SPDX-License-Identifier: Apache-2.0
"""`check_solver`"""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

from trimtab.core.errors import Unavailable, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.outcome import Outcome
from trimtab.core.problem import Problem
from trimtab.core.task import Budget

from .common import check_outcome, is_exclusive, some_instances, task_for

EVALUATIONS = 6


class Recorder:
    """A backend that remembers what it was asked, and what it said."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.exclusive = is_exclusive(backend)
        self.tried: list[tuple[str, Outcome]] = []  # identity of the decision, outcome
        self._kept: list[Any] = []  # an object's id is its own as long as it lives

    def evaluate(self, instance: Any, decision: Any, *, seed: int) -> Outcome:
        outcome: Outcome = self.backend.evaluate(instance, decision, seed=seed)
        self.tried.append((self.identity(decision), outcome))
        return outcome

    def identity(self, decision: Any) -> str:
        try:
            return fingerprint(decision)
        except UsageError:  # a policy object, say
            self._kept.append(decision)
            return str(id(decision))


def check_solver(problem: Problem[Any, Any], name: str, *, instances: int = 2) -> list[str]:
    """The promises of a solver, on the default backend.

    A policy never evaluates. A search stops at its budget and returns the best that
    it tried. Decisions are feasible, equal seeds give equal outcomes on a simulator,
    the instance is left alone and `config` is JSON-able. Returns why something could
    not be checked.
    """
    try:
        backend, solver = problem.backend(), problem.solver(name)
    except Unavailable as error:
        return [f"solver {name}: {error}"]
    who = f"solver {name} of {problem.name}"
    _check_attributes(who, solver)
    for key, instance in some_instances(problem, instances).items():
        where = f"{who}, instance {key}"
        before = fingerprint(instance)
        try:
            first = _solve(where, problem, solver, instance, backend)
        except Unavailable as error:  # it declines this instance, as a study's row would say
            return [f"{where}: {error}"]
        check_outcome(where, problem.metrics, first)
        assert first.feasible, f"{where}: the decision is infeasible: {first.note}"
        if not is_exclusive(backend):
            again = _solve(where, problem, problem.solver(name), instance, backend)
            assert dict(again.metrics) == dict(first.metrics), f"{where}: seed 3 gives two outcomes"
        assert fingerprint(instance) == before, f"{where}: solve changed the instance"
    return []


def _check_attributes(who: str, solver: Any) -> None:
    track = getattr(solver, "track", "policy")
    assert track in ("policy", "search"), f"{who}: track is {track!r}; it is 'policy' or 'search'"
    config = getattr(solver, "config", {})
    try:
        json.dumps(config)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{who}: config is not JSON-able: {error}") from error
    for key in getattr(solver, "trained_on", ()):
        assert isinstance(key, str), f"{who}: trained_on holds {key!r}; it holds fingerprints of instances"


def _solve(where: str, problem: Problem[Any, Any], solver: Any, instance: Any, backend: Any) -> Outcome:
    recorder = Recorder(backend)
    task = task_for(problem, instance, recorder, budget=Budget(EVALUATIONS), seed=3)
    decision = solver.solve(task)
    if getattr(solver, "track", "policy") == "policy":
        assert task.evaluations == 0, f"{where}: a policy evaluated {task.evaluations} times; declare track = 'search'"
    else:
        _check_best(where, problem, instance, recorder, decision)
    outcome: Outcome = backend.evaluate(instance, decision, seed=5)
    return outcome


def _check_best(where: str, problem: Problem[Any, Any], instance: Any, recorder: Recorder, decision: Any) -> None:
    """The decision is the best tried, or of the best mean.

    On a backend that answers differently each time the best single answer is mostly
    luck, and which decision is best is the solver's to judge: it must be of the better half.
    """
    tried, decided = recorder.tried, recorder.identity(decision)
    assert len(tried) <= EVALUATIONS, f"{where}: {len(tried)} evaluations with a budget of {EVALUATIONS}"
    metric = problem.metrics[0]
    sign = 1 if metric.goal == "minimize" else -1
    values: dict[str, list[float]] = {}
    for key, outcome in tried:
        if outcome.feasible:
            values.setdefault(key, []).append(sign * outcome.metrics[metric.name])
    if not values:
        return
    assert decided in values, f"{where}: the search returned a decision that it never tried"
    means = {key: statistics.fmean(v) for key, v in values.items()}
    if recorder.exclusive or _is_noisy(recorder.backend, instance, decision, metric.name):
        best = means[decided] <= statistics.median(means.values())
    else:
        best = math.isclose(means[decided], min(means.values()))
    assert best, f"{where}: the search did not return its best"


def _is_noisy(backend: Any, instance: Any, decision: Any, metric: str) -> bool:
    return len({backend.evaluate(instance, decision, seed=seed).metrics.get(metric) for seed in (0, 1)}) > 1
