# SPDX-License-Identifier: Apache-2.0
"""The choice as a solver, on a server of one's own that holds aptdb."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from trimtab.core.errors import Unavailable
from trimtab.core.task import Task

from ..problem import JoinPlan, JoinQuery
from ..system.planners import PostgreSQLPlanner, aptdb_server
from ..system.prepared import Prepared
from ..system.session import Refused, connect
from .choose import TOLD, Chooser
from .gather import gather
from .memory import Memory


@dataclass(frozen=True)
class Selected:
    """What `Chooser` would run: a bound plan, an order, or PostgreSQL's own plan. Nothing is executed.

    Queries without SQL or on other tables than aptdb's are declined with `Unavailable`.
    """

    track: ClassVar[str] = "policy"

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        query = task.instance
        if not query.sql:
            raise Unavailable(f"selected: query {query.name!r} has no SQL to be planned")
        try:
            chosen = Chooser(memory_of_aptdb()).choose(query, *sessions())
        except Refused as error:
            raise Unavailable(f"selected: query {query.name!r} is not on aptdb ({error})") from None
        chosen.forget()
        return PostgreSQLPlanner().solve(task) if chosen.plan is None else chosen.plan


@cache
def memory_of_aptdb() -> Memory:
    from ..workload.aptdb import build_aptdb
    from ..workload.database import into_duckdb

    database = build_aptdb()
    connection = into_duckdb(database)
    try:
        return gather(connection, database)
    finally:
        connection.close()


@cache
def sessions() -> tuple[Prepared, Prepared, Prepared]:
    """The three that `Chooser` wants, at the server of `aptdb_server`; they end with it, at the end of this process."""
    address = aptdb_server().engine.session.address
    stack = ExitStack()
    _KEPT.append(stack)
    found = [stack.enter_context(connect(address)) for _ in TOLD]
    for session, told in zip(found, TOLD, strict=True):
        stack.enter_context(session.settings(dict(told)))
    own, bound, free = map(Prepared, found)
    return own, bound, free


_KEPT: list[ExitStack] = []  # a context that is dropped would be left
