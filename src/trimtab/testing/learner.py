# SPDX-License-Identifier: Apache-2.0
"""`check_learner`"""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from trimtab.core.errors import Unavailable
from trimtab.core.fingerprint import fingerprint
from trimtab.core.problem import Problem
from trimtab.core.solver import Learner, Saves
from trimtab.core.task import Budget

from .common import check_outcome, is_exclusive, some_instances, task_for


def check_learner(problem: Problem[Any, Any], name: str, *, budget: Budget | None = None) -> list[str]:
    """The promises of a learner, with a training of a few seconds.

    It trains within its budget on two training instances, says on which, and what it
    made decides feasibly. Where it can be saved, the loaded solver decides the same.
    Returns why something could not be checked.
    """
    who = f"learner {name} of {problem.name}"
    try:
        backend, learner = problem.backend(), problem.learner(name)
    except Unavailable as error:
        return [f"learner {name}: {error}"]
    assert isinstance(learner, Learner), f"{who}: it has no method fit"
    training = dict(islice(problem.instances("train").items(), 2))
    assert training, f"{who}: there are no training instances"
    limit = budget or Budget(evaluations=50, seconds=5)
    tasks = [task_for(problem, instance, backend, budget=limit, seed=0) for instance in training.values()]
    solver = learner.fit(tasks)
    for task in tasks:
        assert task.evaluations <= limit.evaluations, f"{who}: {task.evaluations} evaluations of {limit.evaluations}"
    learnt = set(getattr(solver, "trained_on", ()))
    expected = {fingerprint(instance) for instance in training.values()}
    assert expected <= learnt, f"{who}: trained_on lacks {len(expected - learnt)} of the instances it was given"
    _check_round_trip(who, problem, solver, backend)
    return []


def _check_round_trip(who: str, problem: Problem[Any, Any], solver: Any, backend: Any) -> None:
    outcomes = [_outcome(who, problem, solver, backend)]
    if isinstance(solver, Saves):
        assert problem.load is not None, f"{who}: what it trains can be saved, but the problem has no `load`"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "policy.safetensors")
            solver.save(path)
            outcomes.append(_outcome(f"{who}, loaded", problem, problem.load(path), backend))
    same = is_exclusive(backend) or all(outcome == outcomes[0] for outcome in outcomes)
    assert same, f"{who}: the loaded solver decides otherwise than the saved one"


def _outcome(who: str, problem: Problem[Any, Any], solver: Any, backend: Any) -> dict[str, float]:
    (instance,) = some_instances(problem, 1).values()
    decision = solver.solve(task_for(problem, instance, backend, budget=Budget(20), seed=0))
    outcome = backend.evaluate(instance, decision, seed=5)
    check_outcome(who, problem.metrics, outcome)
    return dict(outcome.metrics)
