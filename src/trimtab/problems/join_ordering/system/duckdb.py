# SPDX-License-Identifier: Apache-2.0
"""Plans run in DuckDB, in process and on one thread: forced by switching its join optimisers off."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final

from trimtab.core.extras import need
from trimtab.core.outcome import Outcome

from ..problem import JoinPlan, JoinQuery
from ..sql.rewrite import rewrite
from .judge import judge
from .measure import Sample
from .plans import EnginePlan

#: With these off, joins are done as written: the left operand probes, the right one is hashed.
FORCED: Final = ("join_order", "build_side_probe_side")

#: What a block of inner joins with simple conditions gains from; the other optimisers only take time to plan it.
USEFUL: Final = frozenset(
    {
        "expression_rewriter", "filter_pushdown", "filter_pullup", "join_order", "unused_columns",
        "build_side_probe_side", "join_filter_pushdown", "column_lifetime", "row_group_pruner", "reorder_filter",
    }
)  # fmt: skip


@dataclass
class DuckEngine:
    """A connection with one thread, so that the process's CPU time is the query's."""

    connection: Any
    _off: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def needless(self) -> tuple[str, ...]:
        """The optimisers of this DuckDB that are not `USEFUL`."""
        known = self.connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()
        return tuple(name for (name,) in known if name not in USEFUL)

    def tell(self, off: Sequence[str]) -> None:
        """Optimisers to be switched off, for the whole database; nothing is sent where they are."""
        if self._off != (told := tuple(off)):
            self.connection.execute(f"SET disabled_optimizers = '{','.join(told)}'")
            self._off = told

    def run(self, query: JoinQuery, plan: JoinPlan | None, limit_ms: float, *, lean: bool = False) -> Sample:
        """Plan and execute once; None is the query as it stands. `lean`: without the optimisers that only cost here."""
        text = duckdb_statement(query, plan)
        forced = plan is not None and getattr(plan, "forced", True)
        self.tell((*(FORCED if forced else ()), *(self.needless if lean else ())))
        watch = threading.Timer(limit_ms / 1000, self.connection.interrupt)
        watch.start()
        try:
            return self._timed(text)
        finally:
            watch.cancel()

    def _timed(self, text: str) -> Sample:
        before = time.process_time_ns()
        try:
            self.connection.execute(text).fetchall()
        except need("duckdb", extra="sql").InterruptException:
            return Sample((time.process_time_ns() - before) / 1e6, censored=True)
        return Sample((time.process_time_ns() - before) / 1e6)


def duckdb_statement(query: JoinQuery, plan: JoinPlan | None) -> str:
    if plan is None or (isinstance(plan, EnginePlan) and not plan.forced):
        return query.sql
    return rewrite(query, plan, dialect="duckdb")


@dataclass
class DuckDB:
    """Backend: DuckDB in process, holding aptdb. The metrics are those of `PostgreSQL`."""

    exclusive: ClassVar[bool] = True  # times the machine
    rounds: int = 3
    longest_ms: int = 60_000
    _engine: DuckEngine | None = field(default=None, repr=False)

    def evaluate(self, instance: JoinQuery, decision: JoinPlan, *, seed: int) -> Outcome:
        return judge(self.engine, instance, decision, rounds=self.rounds, longest_ms=self.longest_ms, seed=seed)

    @property
    def engine(self) -> DuckEngine:
        if self._engine is None:
            from ..workload.aptdb import build_aptdb
            from ..workload.database import into_duckdb

            self._engine = DuckEngine(into_duckdb(build_aptdb()))
        return self._engine
