# SPDX-License-Identifier: Apache-2.0
"""A plan for a query that was never run: few candidates, their time predicted, and a guard.

PostgreSQL is asked what it would do under each candidate (EXPLAIN); its own row
numbers are replaced by those of `Estimator`, and the plan's units of work by measured
ns. The query as it stands is left alone unless another plan is predicted to take less
than `margin` of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..problem import Cardinalities, Floats, JoinPlan, JoinQuery
from ..simulator import optimum
from ..system.physical import work
from ..system.plans import EnginePlan, Settings
from ..system.postgresql import Engine
from .estimator import Estimator

#: What PostgreSQL may be told beside an order: nothing; only loops and their indexes; only hash joins.
VARIANTS: Final[Sequence[tuple[str, Settings]]] = (
    ("", ()),
    ("loops", (("enable_hashjoin", "off"), ("enable_mergejoin", "off"))),
    ("hashes", (("enable_nestloop", "off"), ("enable_mergejoin", "off"))),
)
#: Cost models whose best order is a candidate.
ORDERS: Final = ("c_out", "pg_like")


@dataclass(frozen=True)
class Choice:
    """None: as it stands."""

    plan: JoinPlan | None
    label: str
    predicted_ms: float
    default_ms: float  # predicted, of the query as it stands


@dataclass(frozen=True)
class Chooser:
    """For PostgreSQL."""

    estimator: Estimator
    prices: Floats  # (features,) ns, of `physical.FEATURES`
    margin: float = 0.8
    least_ms: float = 5.0  # below, no plan is worth the search

    def choose(self, query: JoinQuery, engine: Engine) -> Choice:
        cards = self.estimator.cardinalities(query)
        _, root = engine.own_plan(query)
        default_ms = self.predict(query, root, cards)
        best = Choice(None, "default", default_ms, default_ms)
        if default_ms < self.least_ms:
            return best
        for label, plan in candidates(query, cards):
            predicted = self.predict(query, engine.explain(query, plan), cards)
            if predicted < min(best.predicted_ms, self.margin * default_ms):
                best = Choice(plan, label, predicted, default_ms)
        return best

    def predict(self, query: JoinQuery, root: object, cards: Cardinalities) -> float:
        """ms of a plan that EXPLAIN shows."""
        return float(work(query, root, cards) @ self.prices) / 1e6  # type: ignore[arg-type]


def candidates(query: JoinQuery, cards: Cardinalities) -> list[tuple[str, EnginePlan]]:
    """Different orders that are best under a cost model, each with what may be said beside."""
    found: dict[bytes, tuple[str, JoinPlan]] = {}
    for model in ORDERS:
        plan = optimum(query, model, cards)[0]
        joined = np.sort(plan.joins.sum(axis=1)).tobytes()
        found.setdefault(joined, (model, plan))
    return [
        (f"{model} {name}".strip(), EnginePlan(plan.joins, settings=settings, label=f"{model} {name}".strip()))
        for model, plan in found.values()
        for name, settings in VARIANTS
    ]


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
