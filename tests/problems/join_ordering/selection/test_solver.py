# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from trimtab.core.errors import Unavailable
from trimtab.core.task import Budget, Task
from trimtab.problems.join_ordering.problem import JoinPlan, JoinQuery
from trimtab.problems.join_ordering.selection import solver
from trimtab.problems.join_ordering.selection.memory import Memory
from trimtab.problems.join_ordering.selection.solver import Selected
from trimtab.problems.join_ordering.system import planners
from trimtab.problems.join_ordering.system.plans import EnginePlan
from trimtab.problems.join_ordering.system.postgresql import PostgreSQL
from trimtab.problems.join_ordering.system.session import Address


@pytest.fixture
def backend(dsn: str, whole: Memory, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgreSQL]:
    made = PostgreSQL(address=Address(dsn), rounds=1)
    for module in (planners, solver):
        monkeypatch.setattr(module, "aptdb_server", lambda: made)
    monkeypatch.setattr(solver, "memory_of_aptdb", lambda: whole)
    solver.sessions.cache_clear()
    yield made
    solver.sessions.cache_clear()
    while solver._KEPT:
        solver._KEPT.pop().close()


def test_what_is_selected_runs_there(backend: PostgreSQL, queries: list[JoinQuery]):
    for query in queries[:4]:
        task: Task[JoinQuery, JoinPlan] = Task(query, backend, Budget(0), 0)
        plan = Selected().solve(task)
        assert isinstance(plan, EnginePlan)
        assert plan.flaw(query) == ""
        assert backend.evaluate(query, plan, seed=0).feasible
    assert backend.engine.session.rows("SELECT count(*) FROM pg_prepared_statements") == [(0,)]


def test_what_is_not_on_aptdb_is_declined(backend: PostgreSQL, queries: list[JoinQuery]):
    for sql, said in (("", "has no SQL"), ("SELECT 1 FROM title, cast_info", "is not on aptdb")):
        other = replace(queries[0], sql=sql, relations=tuple(replace(r, table="title") for r in queries[0].relations))
        with pytest.raises(Unavailable, match=said):
            Selected().solve(Task(other, backend, Budget(0), 0))
