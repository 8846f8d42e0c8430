# SPDX-License-Identifier: Apache-2.0
"""`check_backend`"""

from __future__ import annotations

from typing import Any

from trimtab.core.errors import Unavailable
from trimtab.core.fingerprint import fingerprint
from trimtab.core.problem import Problem
from trimtab.core.task import Budget

from .common import check_outcome, is_exclusive, some_instances, task_for


def check_backend(problem: Problem[Any, Any], name: str = "", *, instances: int = 2) -> list[str]:
    """The promises of a backend, on decisions of the reference solver.

    It reports exactly the declared metrics, finite; on a simulator the same seed
    gives the same outcome, in one process and by a second backend of the same name;
    it leaves the instance alone; `evaluate_many`, where there is one, agrees with
    `evaluate`. Returns why something could not be checked.
    """
    name = name or problem.default_backend
    try:
        backend, twin = problem.backend(name), problem.backend(name)
        solver = problem.solver(problem.default_reference)
    except Unavailable as error:
        return [f"backend {name}: {error}"]
    for key, instance in some_instances(problem, instances).items():
        where = f"backend {name} of {problem.name}, instance {key}"
        before = fingerprint(instance)
        decision = solver.solve(task_for(problem, instance, backend, budget=Budget(20), seed=0))
        outcome = backend.evaluate(instance, decision, seed=1)
        assert fingerprint(instance) == before, f"{where}: evaluate changed the instance"
        check_outcome(where, problem.metrics, outcome)
        check_outcome(f"{where}, another seed", problem.metrics, backend.evaluate(instance, decision, seed=2**31))
        if not is_exclusive(backend):
            again = [b.evaluate(instance, decision, seed=1) for b in (backend, twin)]
            assert all(dict(o.metrics) == dict(outcome.metrics) for o in again), f"{where}: seed 1 gives two outcomes"
        _check_many(where, backend, instance, decision)
    return []


def _check_many(where: str, backend: Any, instance: Any, decision: Any) -> None:
    if not hasattr(backend, "evaluate_many") or is_exclusive(backend):
        return
    one = backend.evaluate(instance, decision, seed=1)
    many = list(backend.evaluate_many(instance, [decision, decision], seed=1))
    assert len(many) == 2, f"{where}: evaluate_many returned {len(many)} outcomes for 2 decisions"
    assert all(dict(o.metrics) == dict(one.metrics) for o in many), f"{where}: evaluate_many disagrees with evaluate"
