# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.core.task import Budget, Task
from trimtab.problems.join_ordering.problem import HASH, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.simulator import Simulator
from trimtab.problems.join_ordering.system import planners
from trimtab.problems.join_ordering.system.planners import PostgreSQLPlanner
from trimtab.problems.join_ordering.system.postgresql import PostgreSQL
from trimtab.problems.join_ordering.system.session import Address, Session, catalogue_of
from trimtab.problems.join_ordering.workload.harvest import query_of

TEXT = (
    "SELECT count(*) FROM package p, maintainer m, depends d WHERE p.maintainer_id = m.id AND d.pkg_id = p.id"
    " AND m.name LIKE 'Team l%'"
)


@pytest.fixture
def query(dsn: str, session: Session, monkeypatch: pytest.MonkeyPatch) -> JoinQuery:
    backend = PostgreSQL(address=Address(dsn))
    monkeypatch.setattr(planners, "aptdb_server", lambda: backend)
    return query_of(TEXT, "q", catalogue_of(session))


def task(query: JoinQuery) -> Task[JoinQuery, JoinPlan]:
    return Task(query, Simulator(), Budget(0), 0)


def test_the_plan_is_what_explain_shows(query: JoinQuery, session: Session):
    plan = PostgreSQLPlanner().solve(task(query))
    root = session.plan(TEXT)
    kinds = {"Hash Join", "Nested Loop", "Merge Join"}
    shown = 0
    ahead = [root]
    while ahead:
        node = ahead.pop()
        shown += node["Node Type"] in kinds
        ahead += node.get("Plans", ())
    assert plan.flaw(query) == ""
    assert len(plan.joins) == shown == 2
    hashed = PostgreSQLPlanner("hash_only").solve(task(query))
    assert hashed.operators is not None
    assert set(hashed.operators.tolist()) == {HASH}


def test_what_cannot_be_planned_is_declined(query: JoinQuery):
    with pytest.raises(UnknownName, match="hint set"):
        PostgreSQLPlanner("nothing").solve(task(query))
    with pytest.raises(Unavailable, match="has no SQL"):
        PostgreSQLPlanner().solve(task(dataclasses.replace(query, sql="")))
    with pytest.raises(Unavailable, match="is not on aptdb"):
        PostgreSQLPlanner().solve(task(dataclasses.replace(query, sql="SELECT 1 FROM title, cast_info")))
