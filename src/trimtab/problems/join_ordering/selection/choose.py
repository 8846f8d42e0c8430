# SPDX-License-Identifier: Apache-2.0
"""A plan for a query that was never run: as much thought as the query is worth.

The best order is found by exact dynamic programming under our own row estimates, and
forced. PostgreSQL chooses operators by its own estimates, so it is told what the
best plan needs: where it only looks inner operands up, nested loops; else what
guides advise for data in memory, cheap random pages and room for hash tables.

The constants were chosen on the shipped set's training and validation queries, and on
generated ones of other templates than those that the benchmark draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..problem import INDEX, LOOP, Cardinalities, JoinPlan, JoinQuery
from ..simulator import optimum, plan_costs
from ..simulator.pg_like import QUERY, coefficients
from ..system.plans import IN_MEMORY, LOOPS, EnginePlan
from .estimator import Estimator


@dataclass(frozen=True)
class Chooser:
    """For PostgreSQL, by the cost model pg_like. Nothing is explained, let alone run.

    The sample is asked only where the correction alone expects more than `tiny_ms` of
    work: below, it would cost more than it can save.
    """

    estimator: Estimator
    tiny_ms: float = 0.5

    def choose(self, query: JoinQuery) -> EnginePlan:
        cards = self.estimator.learnt(query)
        plan, ns = optimum(query, "pg_like", cards)
        if (ns - coefficients()[QUERY]) / 1e6 >= self.tiny_ms:
            cards = self.estimator.cardinalities(query)
            plan, _ = optimum(query, "pg_like", cards)
        operators = set(plan_costs(query, plan, "pg_like", cards).operators.tolist())
        if operators <= {INDEX, LOOP}:
            return EnginePlan(plan.joins, settings=LOOPS, label="pg_like, loops")
        return EnginePlan(plan.joins, settings=IN_MEMORY, label="pg_like")


def smaller_inside(plan: JoinPlan, cards: Cardinalities) -> JoinPlan:
    """The same order with the smaller operand of every join as the inner one: that is the one to be hashed."""
    joins = [(b, a) if (cards.get(a) or 0) < (cards.get(b) or 0) else (a, b) for a, b in plan.joins.tolist()]
    return JoinPlan(np.array(joins, np.int64).reshape(-1, 2))


@dataclass(frozen=True)
class DuckChooser:
    """For DuckDB, which only hashes: the order with the fewest rows, the smaller operand hashed. Nothing is explained.

    A query is left as it stands where the correction alone expects less than
    `least_rows` rows of intermediate results: DuckDB is done with it in the time that
    asking the sample takes.
    """

    estimator: Estimator
    least_rows: float = 200_000.0

    def choose(self, query: JoinQuery) -> JoinPlan | None:
        _, rows = optimum(query, "c_out", self.estimator.learnt(query))
        if rows < self.least_rows:
            return None
        cards = self.estimator.cardinalities(query)
        return smaller_inside(optimum(query, "c_out", cards)[0], cards)
