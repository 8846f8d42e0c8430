# SPDX-License-Identifier: Apache-2.0
"""Plans run in PostgreSQL: forced without extensions, timed on-CPU, side by side with the engine's own choice."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from trimtab.core.errors import InvalidInstance
from trimtab.core.outcome import Outcome

from ..problem import JoinPlan, JoinQuery
from ..sql.rewrite import rewrite
from ..sql.text import bound_from, count_sql, forced_from
from .clock import Clock, backend_clock
from .judge import judge
from .measure import Sample
from .plans import EnginePlan, Settings, plan_of_postgresql, settings_of
from .server import load_database, temporary_server
from .session import Address, Session, TimedOut, connect

#: Results of more rows than this are not fetched: EXPLAIN (ANALYZE, TIMING OFF) runs the query and drops them.
FETCHED: Final = 10_000


@dataclass
class Engine:
    """A session, timed by its backend's on-CPU time; by the server's wall time where that runs elsewhere."""

    session: Session
    clock: Clock | None
    discards: dict[str, bool] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return "on-CPU ms" if self.clock is not None else "wall ms (the server is on another machine)"

    def own_plan(self, query: JoinQuery, settings: Settings = ()) -> tuple[JoinPlan | None, Mapping[str, Any]]:
        """What the optimiser chooses for the query as it stands, and its EXPLAIN."""
        with self.session.settings(dict(settings)):
            root = self.session.plan(statement(query, None))
        return plan_of_postgresql(query, root), root

    def explain(self, query: JoinQuery, plan: JoinPlan) -> Mapping[str, Any]:
        """What the optimiser makes of a plan that it is told."""
        with self.session.settings(dict(settings_of(plan))):
            return self.session.plan(statement(query, plan))

    def run(self, query: JoinQuery, plan: JoinPlan | None, limit_ms: float) -> Sample:
        """Plan and execute once; None is the query as it stands."""
        text = statement(query, plan)
        if self._discards(query) or self.clock is None:
            text = f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON, FORMAT JSON) {text}"
        wanted = {**dict(() if plan is None else settings_of(plan)), "statement_timeout": str(max(1, round(limit_ms)))}
        with self.session.settings(wanted):
            before = self.clock() if self.clock is not None else 0
            try:
                rows = self.session.rows(text)
            except TimedOut:
                return Sample((self.clock() - before) / 1e6 if self.clock is not None else limit_ms, censored=True)
            if self.clock is not None:
                return Sample((self.clock() - before) / 1e6)
        told = rows[0][0][0]
        return Sample(float(told["Planning Time"]) + float(told["Execution Time"]))

    def _discards(self, query: JoinQuery) -> bool:
        if query.name not in self.discards:
            self.discards[query.name] = float(self.session.plan(statement(query, None))["Plan Rows"]) > FETCHED
        return self.discards[query.name]


def statement(query: JoinQuery, plan: JoinPlan | None) -> str:
    """The query with its joins in the order of a plan; as it stands where there is none, or it forces nothing."""
    if plan is None or (isinstance(plan, EnginePlan) and not plan.forced):
        return query.sql or count_sql(query, query.everything)
    bound = isinstance(plan, EnginePlan) and plan.bound
    if query.sql:
        return rewrite(query, plan, bound=bound)
    if bound:
        return f"SELECT COUNT(*) FROM {bound_from(query, plan)}"
    conditions = [f"({p})" for relation in query.relations for p in relation.predicates]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT COUNT(*) FROM {forced_from(query, plan)}{where}"


@dataclass
class PostgreSQL:
    """Backend: a PostgreSQL of one's own that holds aptdb, or with an `address` the user's server.

    `cost` is the median on-CPU time in ms, planning included; `regression` its
    ratio to the query as it stands, measured beside it; `cost_ratio` is the simulator's,
    by C_out under the instance's row counts.
    """

    exclusive: ClassVar[bool] = True  # times the machine
    address: Address | None = None
    rounds: int = 3
    longest_ms: int = 60_000  # of any statement
    _engine: Engine | None = field(default=None, repr=False)

    def evaluate(self, instance: JoinQuery, decision: JoinPlan, *, seed: int) -> Outcome:
        """Infeasible where the plan has a flaw, or met its time limit; `seed` orders the runs."""
        return judge(self.engine, instance, decision, rounds=self.rounds, longest_ms=self.longest_ms, seed=seed)

    @property
    def engine(self) -> Engine:
        """Connects, and starts a server of one's own, when it is first asked for; both end with this object."""
        if self._engine is None:
            self._engine = open_engine(self, self.address, self.longest_ms)
        return self._engine


def open_engine(owner: object, address: Address | None, timeout_ms: int) -> Engine:
    """A session at an address, or in a server of one's own that holds aptdb; it ends with its owner."""
    stack = ExitStack()
    try:
        where = address or Address(stack.enter_context(_aptdb_server()))
        session = stack.enter_context(connect(where, timeout_ms=timeout_ms))
        engine = Engine(session, backend_clock(session))
    except BaseException:
        stack.close()
        raise
    weakref.finalize(owner, stack.close)
    return engine


def _aptdb_server() -> Any:
    from contextlib import contextmanager

    from ..workload.aptdb import build_aptdb

    @contextmanager
    def started() -> Any:
        database = build_aptdb()
        with temporary_server() as dsn:
            load_database(dsn, database)
            yield dsn

    return started()


def check_tables(query: JoinQuery, known: Mapping[str, Any], where: str) -> None:
    missing = sorted({relation.table for relation in query.relations} - set(known))
    if missing:
        raise InvalidInstance(f"query {query.name!r}: {where} has no table {missing[0]!r}")
