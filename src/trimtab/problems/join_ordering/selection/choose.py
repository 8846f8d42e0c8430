# SPDX-License-Identifier: Apache-2.0
"""A plan for a query that was never run: as much thought as the query is worth.

The order with the fewest rows (C_out, exact dynamic programming) under our own row
estimates is forced; what is open is which joins PostgreSQL may use in it, since it
goes by its own estimates there. Small results are looked up through indexes. For
large ones PostgreSQL is asked what it would do (EXPLAIN), and the plan's work under
our estimates times measured ns decides.

The constants were chosen on the shipped set's training and validation queries and on
generated ones of other templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..problem import Cardinalities, Floats, JoinPlan, JoinQuery
from ..simulator import optimum
from ..system.physical import work
from ..system.plans import EnginePlan, Settings
from ..system.postgresql import Engine
from .estimator import Estimator

#: Only nested loops, which look the inner operand up in an index.
LOOPS: Final[Settings] = (("enable_hashjoin", "off"), ("enable_mergejoin", "off"))


@dataclass(frozen=True)
class Chooser:
    """For PostgreSQL. Rows are C_out: those of all intermediate results."""

    estimator: Estimator
    prices: Floats  # (features,) ns, of `physical.FEATURES`
    tiny_rows: float = 2_000.0  # below, the correction alone is trusted, and loops
    small_rows: float = 20_000.0  # below, loops; above, what PostgreSQL likes
    large_rows: float = 100_000.0  # above, EXPLAIN says which of the two
    caution: float = 1.6  # loops must be so much cheaper: where they are wrong, they are very wrong

    def choose(self, query: JoinQuery, engine: Engine) -> EnginePlan:
        plan, rows = optimum(query, "c_out", self.estimator.learnt(query))
        if rows < self.tiny_rows:
            return loops(plan)
        cards = self.estimator.cardinalities(query)
        plan, rows = optimum(query, "c_out", cards)
        if rows < self.small_rows:
            return loops(plan)
        free = EnginePlan(plan.joins, label="c_out")
        if rows < self.large_rows:
            return free
        costs = [self.predict(query, engine.explain(query, tried), cards) for tried in (free, loops(plan))]
        return loops(plan) if costs[1] * self.caution < costs[0] else free

    def predict(self, query: JoinQuery, root: Mapping[str, Any], cards: Cardinalities) -> float:
        """ms of a plan that EXPLAIN shows."""
        return float(work(query, root, cards) @ self.prices) / 1e6


def loops(plan: JoinPlan) -> EnginePlan:
    return EnginePlan(plan.joins, settings=LOOPS, label="c_out, loops")


def smaller_inside(plan: JoinPlan, cards: Cardinalities) -> JoinPlan:
    """The same order with the smaller operand of every join as the inner one: that is the one to be hashed."""
    joins = [(b, a) if (cards.get(a) or 0) < (cards.get(b) or 0) else (a, b) for a, b in plan.joins.tolist()]
    return JoinPlan(np.array(joins, np.int64).reshape(-1, 2))


@dataclass(frozen=True)
class DuckChooser:
    """For DuckDB, which only hashes: the order with the fewest rows, the smaller operand hashed. Nothing is explained.

    The sample is asked only where the correction alone expects more than `least_rows`
    rows of intermediate results.
    """

    estimator: Estimator
    least_rows: float = 200_000.0

    def choose(self, query: JoinQuery) -> JoinPlan:
        cards = self.estimator.learnt(query)
        plan, rows = optimum(query, "c_out", cards)
        if rows >= self.least_rows:
            cards = self.estimator.cardinalities(query)
            plan, _ = optimum(query, "c_out", cards)
        return smaller_inside(plan, cards)
