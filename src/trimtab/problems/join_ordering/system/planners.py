# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's own planner as a solver: what EXPLAIN shows is a decision, to be run there or judged by a cost model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.core.task import Task

from ..problem import JoinPlan, JoinQuery
from .plans import ARMS, EnginePlan
from .postgresql import PostgreSQL
from .session import Refused


@dataclass
class PostgreSQLPlanner:
    """The plan of a server of one's own that holds aptdb, under one hint set of `plans.ARMS`.

    The query is sent as it stands when such a plan is run; for a cost model it is the
    tree that EXPLAIN shows. Queries on other tables are declined with `Unavailable`.
    """

    arm: str = "default"
    track: ClassVar[str] = "policy"

    @property
    def config(self) -> dict[str, Any]:
        return {"arm": self.arm}

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        query = task.instance
        if self.arm not in ARMS:
            raise UnknownName("hint set", self.arm, ARMS)
        if not query.sql:
            raise Unavailable(f"postgresql_planner: query {query.name!r} has no SQL to be planned")
        told = ARMS[self.arm]
        try:
            plan, _ = aptdb_server().engine.own_plan(query, told)
        except Refused as error:
            raise Unavailable(f"postgresql_planner: query {query.name!r} is not on aptdb ({error})") from None
        if plan is None:
            raise Unavailable(f"postgresql_planner: the plan of {query.name!r} is no tree of its relations")
        return EnginePlan(plan.joins, plan.operators, settings=told, forced=False, label=self.arm)


@cache
def aptdb_server() -> PostgreSQL:
    """One server for all planners of this process; it ends with it."""
    return PostgreSQL()
